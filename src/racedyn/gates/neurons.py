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


def relu_node(network: Network) -> str:
    """The hidden node of a network that has one, of ReLU units."""
    check_is("network", network, Network, "be a Network")
    inner = [node for node in network.nodes if node not in (*network.inputs, *network.outputs)]
    if (
        len(inner) != 1
        or network.nodes[inner[0]].kind != "relu"
        or network.edge_kinds
        or network.node_gates
    ):
        fail(
            "network",
            "have one hidden node, of ReLU units, and no gates of its own",
            f"it is a {network}",
            'networks.chain(task, 2, width, activation="relu").',
        )
    return inner[0]


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
