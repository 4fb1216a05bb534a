"""What gates are read from: the ReLU layer of a network, its weights at a step, averages over the
examples of a context.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn._checks import check_is, fail
from racedyn.networks import Network
from racedyn.tasks import Task
from racedyn.trajectory import Trajectory


def relu_nodes(network: Network) -> list[str]:
    """The hidden nodes of ReLU units, of a network that has no other nonlinearity."""
    check_is("network", network, Network, "be a Network")
    inner = [node for node in network.nodes if node not in (*network.inputs, *network.outputs)]
    found = [node for node in inner if network.nodes[node].kind == "relu"]
    plain = all(network.nodes[node].kind == "linear" for node in network.nodes if node not in found)
    if not found or not plain or network.edge_kinds or network.node_gates or network.edge_gates:
        fail(
            "network",
            "have hidden nodes of ReLU units, no other nonlinearity and no gates of its own",
            f"it is a {network}",
            'networks.chain(task, 2, width, activation="relu").',
        )
    return found


def relu_node(network: Network) -> str:
    """The hidden node of a network that has one, of ReLU units."""
    found = relu_nodes(network)
    inner = len(network.nodes) - len(network.inputs) - len(network.outputs)
    if inner != 1:
        fail(
            "network",
            "have one hidden node, of ReLU units",
            f"it is a {network}",
            'networks.chain(task, 2, width, activation="relu").',
        )
    return found[0]


def weights_at(run: Trajectory, argument: str, step: int | None) -> Mapping[str, Any]:
    """The weights of a step of descent, or at the end of a run."""
    if step is None and isinstance(run.end, Mapping) and "weights" in run.end:
        return run.end["weights"]
    if run.ys is None or run.step is None:
        fail("run", "have saved its weights", "it has not", 'train(..., observe=["weights"]).')
    steps = np.asarray(run.step)
    rows = np.flatnonzero(steps == (steps[-1] if step is None else step))
    if not len(rows):
        nearest = steps[np.argmin(np.abs(steps - step))]
        fail(
            argument, "be a step that was saved", f"it is {step}", f"The nearest one is {nearest}."
        )
    return {edge: values[rows[0]] for edge, values in run.ys.items()}


def by_context(values: np.ndarray, task: Task) -> np.ndarray:
    """Means (..., context) of values (..., example) over each context's examples; 0 where it has
    none.
    """
    members = np.equal(task.context[:, None], np.arange(task.num_contexts)).astype(float)
    return np.asarray(values @ members / np.maximum(members.sum(axis=0), 1))
