"""Which neurons are on in which contexts, and how consistently over a context's examples
([Jarvis25] App. B).
"""

from typing import NamedTuple

import numpy as np

from racedyn._checks import check_is, fail
from racedyn._text import brief
from racedyn.gates.neurons import by_context
from racedyn.tasks import Task
from racedyn.trajectory import Trajectory


class Patterns(NamedTuple):
    """Gating patterns of a layer over training.

    `share` (time, unit, context): part of a context's examples that a neuron is on in. `on` (time,
    unit, context): whether in more than half. `consistency` (time, unit): part of all examples in
    which a neuron is as its pattern says, 1 where its gate depends on the context alone. `alive`
    (time, unit): whether it is on in any example."""

    share: np.ndarray
    on: np.ndarray
    consistency: np.ndarray
    alive: np.ndarray

    def __repr__(self) -> str:
        return brief(self)

    def counts(self, row: int = -1) -> dict[tuple[bool, ...], int]:
        """Pattern over contexts -> number of live neurons that have it at a saved row, the
        commonest first.
        """
        live = self.on[row][self.alive[row]]
        kinds, counts = np.unique(live, axis=0, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {tuple(map(bool, kinds[k])): int(counts[k]) for k in order}


def patterns(run: Trajectory, task: Task, node: str = "h1") -> Patterns:
    """The gating patterns of the neurons of `node` at every saved row of a run.

    `run`: of `train(..., observe=[f"activity:{node}"])` on `task`. Raises `ValueError` where the
    activity of the node was not observed, is that of another task, or has dead neurons only.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.chain(task, depth=2, width=2, activation="relu")
        >>> w1 = np.array([[0.1, 0.1, 0.1, 0.1], [0.1, 0.1, -0.1, -0.1]])  # on for all, for half
        >>> weights = {"w1": w1, "w2": np.full((7, 2), 0.1)}
        >>> run = rd.train(network, task, weights, lr=0.1, steps=2, observe=["activity:h1"])
        >>> rd.gates.patterns(run, task).share[-1, :, 0].tolist()
        [1.0, 0.5]
    """
    check_is("run", run, Trajectory, "be a Trajectory of `train`")
    check_is("task", task, Task, "be a Task")
    name = f"activity:{node}"
    if name not in run:
        recorded = [
            key.removeprefix("activity:") for key in run.observables if key.startswith("activity:")
        ]
        fail(
            "run",
            f"have the activity of {node!r}",
            f"it has that of {recorded or 'no node'}",
            f"train(..., observe=[{name!r}]).",
        )
    active = np.asarray(run[name]) > 0
    if active.shape[-1] != task.num_examples:
        fail(
            "task",
            "be the one of the run",
            f"it has {task.num_examples} examples, the run {active.shape[-1]}",
        )
    names = run.labels.get("example", task.item_names)
    if task.item_names is not None and names is not None and tuple(names) != tuple(task.item_names):
        k = next(
            k
            for k, (one, other) in enumerate(zip(names, task.item_names, strict=False))
            if one != other
        )
        fail(
            "task",
            "be the one of the run",
            f"example {k} of the run is {names[k]!r} and its {task.item_names[k]!r}",
        )
    if not active.any():
        fail(
            "run",
            f"have units of {node!r} that are on in some example",
            "all are off at every saved row",
            "Look at the initial weights and the step size.",
        )
    share = by_context(active, task)
    on = share > 0.5
    consistency = (active == on[..., task.context]).mean(axis=-1)
    return Patterns(share, on, consistency, np.any(active, axis=-1))
