"""Whether a task and weights fit a network."""

import warnings
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_real, check_finite, check_shape
from racedyn._checks import check_is, check_name, fail
from racedyn._text import listed
from racedyn._types import Weights
from racedyn.networks.network import Network
from racedyn.tasks import Task


def check_task(network: Network, task: Task) -> None:
    """Refuse a task whose nodes, widths or contexts are not the network's."""
    if not isinstance(network, Network) or not isinstance(task, Task):
        fail(
            "network, task",
            "be a Network and a Task, in this order",
            f"they are {type(network).__name__} and {type(task).__name__}",
            error=TypeError,
        )
    for argument, widths, nodes in (
        ("inputs", task.input_widths, network.inputs),
        ("targets", task.output_widths, network.outputs),
    ):
        for node in widths:
            if argument == "inputs" and (edges := network.edges_into(node)):
                fail(
                    "task",
                    "have inputs at nodes without incoming edges",
                    f"{edges[0]!r} goes into {node!r}",
                    f"The network's inputs are {listed(nodes)}.",
                )
            if argument == "targets" and (edges := network.edges_from(node)):
                fail(
                    "task",
                    "have targets at nodes without outgoing edges",
                    f"{edges[0]!r} goes out of {node!r}",
                    f"The network's outputs are {listed(nodes)}.",
                )
        if set(widths) != set(nodes):
            fail(
                "task",
                f"have {argument} for the network's nodes {listed(nodes)}",
                f"it has {listed(widths)}",
            )
        for node, width in widths.items():
            if width != network.nodes[node].width:
                fail(
                    "task",
                    f"have {network.nodes[node].width} rows at {node!r}",
                    f"it has {width}",
                )
    gated = bool(network.node_gates or network.edge_gates or network.unit_gated)
    if gated and task.num_contexts == 1 < network.num_contexts:
        fail(
            "task",
            "say in which context each example is, as the network's gates ask for it",
            "it has no contexts",
            f"Pass context=, a number per example, and num_contexts={network.num_contexts}.",
        )
    if (network.node_gates or network.edge_gates) and task.num_contexts > network.num_contexts:
        fail(
            "task",
            f"have at most the network's {network.num_contexts} contexts",
            f"it has {task.num_contexts}",
        )


def warn_of_closed_gates(network: Network, task: Task) -> None:
    """Warn of gates that cut every path to an output, and of outputs that are off where they have
    targets.
    """
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
                f"Gates cut every path to the output {node!r}: it is 0 in every context.",
                UserWarning,
                stacklevel=4,
            )
        elif network.num_contexts >= task.num_contexts:
            asked = task.contexts_with_targets(node)
            contexts = np.flatnonzero(~reached[node][: len(asked)] & asked).tolist()
            if contexts:
                warnings.warn(
                    f"The output {node!r} is gated off in {len(contexts)} contexts where it has "
                    "targets that are not zero "
                    f"(the first: {contexts[0]}): they leave a floor under the loss. Set them to "
                    "zero to take it away.",
                    UserWarning,
                    stacklevel=4,
                )


def check_weights(network: Network, weights: Mapping[str, Any]) -> Weights:
    """Return `weights` as arrays in the network's order of edges.

    Raises `ValueError` for a missing or unknown edge, a shape that does not fit, or a value that is
    not finite."""
    checked = traceable_weights(network, weights)
    for edge, array in checked.items():
        if isinstance(array, jax.core.Tracer):
            fail(
                f"weights[{edge!r}]",
                "have values here",
                "JAX is tracing it",
                "Call it outside of jit, vmap and grad, once "
                "for each member: rd.ensemble(lambda i: rd.reduce(network, task, weights_of(i)), "
                "n) does.",
                TypeError,
            )
        check_finite(f"weights[{edge!r}]", np.asarray(array))
    return checked


def traceable_weights(network: Network, weights: Mapping[str, Any]) -> Weights:
    """As `check_weights`, but for values, as they may be traced; in one dtype."""
    arrays = _arrays(network, weights)
    if len({array.dtype for array in arrays.values()}) > 1:
        with jax.numpy_dtype_promotion("standard"):
            dtype = jnp.result_type(*arrays.values())
        arrays = {edge: array.astype(dtype) for edge, array in arrays.items()}
    return arrays


def _arrays(network: Network, weights: Mapping[str, Any]) -> Weights:
    """Weights in the order of edges, their names, shapes and dtypes checked."""
    check_is("network", network, Network, "be a Network")
    if not isinstance(weights, Mapping):
        remedy = "networks.from_layers(network, layers) makes one of a list of matrices."
        if hasattr(weights, "observables"):  # a run: only `train` goes on from one
            remedy = 'Those at the end of a training are in run.end["weights"].'
        if hasattr(weights, "draw"):  # a law
            remedy = "network.init(law, key=0) draws them; racedyn.compress takes the law itself."
        but = f"it is {type(weights).__name__}"
        fail("weights", "be a dict edge -> array", but, remedy, TypeError)
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
            fail(
                "weights",
                f"have an array for every edge ({', '.join(network.edges)})",
                f"{edge!r} is missing",
            )
        array = jnp.asarray(as_real(f"weights[{edge!r}]", weights[edge]))
        source, target = network.edges[edge]
        check_shape(
            f"weights[{edge!r}]",
            array,
            network.shape(edge),
            f"have shape {network.shape(edge)} (units of {target!r}, units of {source!r})",
            "Weights multiply columns from the left.",
        )
        if not jnp.issubdtype(array.dtype, jnp.floating):
            fail(f"weights[{edge!r}]", "hold real numbers", f"its dtype is {array.dtype}")
        checked[edge] = array
    return checked
