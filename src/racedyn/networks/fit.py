"""Whether a task and weights fit a network, and weights read from a list of layers."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn._checks import as_real, check_finite, check_name, fail
from racedyn._types import Weights
from racedyn.networks.network import Network
from racedyn.tasks.task import Task


def check_task(network: Network, task: Task) -> None:
    """Refuse a task whose nodes, widths or contexts are not the network's."""
    if not isinstance(network, Network) or not isinstance(task, Task):
        fail("network, task", "be a Network and a Task, in this order",
             f"they are {type(network).__name__} and {type(task).__name__}", error=TypeError)  # fmt: skip
    for argument, arrays, nodes in (
        ("inputs", task.inputs, network.inputs),
        ("targets", task.targets, network.outputs),
    ):
        for node in arrays:
            if argument == "inputs" and (edges := network.edges_into(node)):
                fail("task", "have inputs at nodes without incoming edges", f"{edges[0]!r} goes into {node!r}",
                     f"The network's inputs are {list(nodes)}.")  # fmt: skip
            if argument == "targets" and (edges := network.edges_from(node)):
                fail("task", "have targets at nodes without outgoing edges", f"{edges[0]!r} goes out of {node!r}",
                     f"The network's outputs are {list(nodes)}.")  # fmt: skip
        if set(arrays) != set(nodes):
            fail("task", f"have {argument} for the network's nodes {list(nodes)}", f"it has {list(arrays)}")
        for node, array in arrays.items():
            if array.shape[0] != network.nodes[node].width:
                fail("task", f"have {network.nodes[node].width} rows at {node!r}", f"it has {array.shape[0]}")
    if (network.node_gates or network.edge_gates) and task.num_contexts > network.num_contexts:
        fail("task", f"have at most the network's {network.num_contexts} contexts", f"it has {task.num_contexts}")


def warn_of_closed_gates(network: Network, task: Task) -> None:
    """Warn of gates that cut every path to an output, and of outputs that are off where they have targets."""
    always = np.ones(network.num_contexts)
    reached: dict[str, np.ndarray] = {}
    for node in network.order:
        if node in network.inputs:
            come = np.ones(network.num_contexts, bool)
        else:
            parts = [
                reached[network.edges[edge][0]] & (network.edge_gates.get(edge, always) != 0)
                for edge in network.edges_into(node)
            ]
            come = np.logical_or.reduce(parts)
        gate = network.node_gates.get(node, always)
        reached[node] = come & (gate.reshape(network.num_contexts, -1) != 0).any(axis=1)
    for node in network.outputs:
        if not reached[node].any():
            warnings.warn(
                f"Gates cut every path to the output {node!r}: it is 0 in every context.", UserWarning, stacklevel=3
            )
        elif network.num_contexts >= task.num_contexts:
            dark = ~reached[node][task.context] & np.any(task.targets[node] != 0, axis=0)
            if dark.any():
                contexts = sorted(set(task.context[dark].tolist()))
                warnings.warn(
                    f"The output {node!r} is gated off in {len(contexts)} contexts where it has targets that are not zero "
                    f"(the first: {contexts[0]}): they leave a floor under the loss. Set them to zero to take it away.",
                    UserWarning,
                    stacklevel=3,
                )


def check_weights(network: Network, weights: Mapping[str, Any]) -> Weights:
    """Return `weights` as arrays in the network's order of edges.

    Raises `ValueError` for a missing or unknown edge, a shape that does not fit, or a value that is not finite.
    """
    if not isinstance(weights, Mapping):
        fail("weights", "be a dict edge -> array", f"it is {type(weights).__name__}",
             "networks.from_layers(network, layers) makes one of a list of matrices.", TypeError)  # fmt: skip
    if set(weights) == {"weights", "optimiser"}:
        fail(
            "weights",
            "be a dict edge -> array",
            "it is the `end` of a training run",
            'Those are in run.end["weights"].',
        )
    for edge in weights:
        check_name("weights", edge, network.edges)
    checked = {}
    for edge in network.edges:
        if edge not in weights:
            fail("weights", f"have an array for every edge ({', '.join(network.edges)})", f"{edge!r} is missing")
        array = jnp.asarray(as_real(f"weights[{edge!r}]", weights[edge]))
        if array.shape != network.shape(edge):
            source, target = network.edges[edge]
            fail(f"weights[{edge!r}]", f"have shape {network.shape(edge)} (units of {target!r}, units of {source!r})",
                 f"its shape is {array.shape}", "Weights multiply columns from the left.")  # fmt: skip
        if not jnp.issubdtype(array.dtype, jnp.floating):
            fail(f"weights[{edge!r}]", "hold real numbers", f"its dtype is {array.dtype}")
        check_finite(f"weights[{edge!r}]", np.asarray(array))
        checked[edge] = array
    return checked


def from_layers(network: Network, layers: Any) -> Weights:
    """Weights from what another program holds.

    `layers`: for parallel pathways a sequence of pathways, each a sequence of matrices from input to output, (n_target,
    n_source) as `torch.nn.Linear` has them; for a chain one such sequence; or a PyTorch state dict, whose matrices are
    taken in its own order, path by path (entries named "...bias" must be zero or absent: the theory has none).
    Raises `ValueError` where the number of matrices or a shape does not fit.
    """
    paths = network.paths()
    wanted = [edge for path in paths for edge in path]
    if len(set(wanted)) != len(wanted):
        fail("network", "have pathways that share no edge", "it has shared edges", "Pass a dict edge -> array instead.")
    if isinstance(layers, Mapping):
        matrices = _matrices_of_state_dict(layers)
    else:
        nested = [layers] if len(paths) == 1 and np.ndim(_host(layers[0])) == 2 else list(layers)
        counts = [len(pathway) for pathway in nested]
        if counts != [len(path) for path in paths]:
            fail("layers", f"have {[len(path) for path in paths]} matrices per pathway", f"it has {counts}")
        matrices = [_host(matrix) for pathway in nested for matrix in pathway]
    if len(matrices) != len(wanted):
        fail("layers", f"hold {len(wanted)} matrices", f"it holds {len(matrices)}")
    return check_weights(network, {edge: jnp.asarray(m) for edge, m in zip(wanted, matrices, strict=True)})


def _matrices_of_state_dict(state: Mapping[str, Any]) -> Sequence[np.ndarray]:
    matrices = []
    for name, value in state.items():
        array = _host(value)
        if array.ndim == 2:
            matrices.append(array)
        elif np.any(array != 0):
            fail("layers", "hold weight matrices only", f"{name!r} has shape {array.shape} and is not zero",
                 "Train without biases (bias=False).")  # fmt: skip
    return matrices


def _host(value: Any) -> np.ndarray:
    """A NumPy array of anything that has one, a PyTorch tensor on any device included."""
    detached = value.detach().cpu() if hasattr(value, "detach") else value
    array = np.asarray(detached)
    return array if np.issubdtype(array.dtype, np.floating) or array.dtype == object else array.astype(np.float64)
