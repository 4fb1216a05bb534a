"""Gated networks for the XoR task ([Jarvis25] section 3)."""

import warnings

import numpy as np

from racedyn._checks import check_is, check_name, check_positive_int, fail
from racedyn.networks.network import Network
from racedyn.tasks import Task

GATINGS = ("linear", "xor", "both")


def xor(task: Task, gating: str = "xor", width: int = 128) -> Network:
    """Two-layer pathways side by side, each open for some of the labels y = +-1 of `task`
    ([Jarvis25] fig. 2b, c).

    `gating`: "linear": one pathway for the positive examples and one for the negative ones; "xor":
    one for each example; "both": the two kinds together, which race. Each has `width` hidden units.
    Edges "in_<examples>", "out_<examples>" and hidden nodes "h_<examples>", examples counted from
    1. Warns where linear gating learns nothing, as at margin 0 (the mean positive input is 0).
    Raises `ValueError` for a task without one label and one context per example.

        >>> network = rd.networks.xor(rd.tasks.xor(margin=0.5), gating="linear", width=5)
        >>> {node: table.astype(int).tolist() for node, table in network.node_gates.items()}
        {'h_1_2': [1, 1, 0, 0], 'h_3_4': [0, 0, 1, 1]}
    """
    check_is("task", task, Task, "be a Task", "tasks.xor(margin=1).")
    check_name("gating", gating, GATINGS)
    width = check_positive_int("width", width)
    labels = next(iter(task.targets.values()))
    if (
        len(task.inputs) != 1
        or len(task.targets) != 1
        or len(labels) != 1
        or not np.all(np.abs(labels) == 1)
    ):
        fail(
            "task",
            "have one input node and one label of +1 or -1 per example",
            f"it is {task}",
            "tasks.xor(margin=1).",
        )
    if not np.array_equal(np.sort(task.context), np.arange(task.num_contexts)):
        fail(
            "task",
            "have a context for each example",
            f"it has {task.num_contexts} contexts of {task.num_examples}",
        )
    groups = [task.context[labels[0] == sign] for sign in (1, -1)] if gating != "xor" else []
    if groups and all(
        np.allclose(task.X[:, np.isin(task.context, group)].sum(axis=1), 0) for group in groups
    ):
        warnings.warn(
            "Linear gating can't learn this task: inputs of one label sum to zero (no margin).",
            UserWarning,
            stacklevel=2,
        )
    groups += [np.array([context]) for context in task.context] if gating != "linear" else []
    ((source, sink),) = zip(task.inputs, task.targets, strict=True)
    names = ["_".join(str(c + 1) for c in group) for group in groups]
    return Network(
        {source: len(task.X), **{f"h_{name}": width for name in names}, sink: 1},
        {f"in_{name}": (source, f"h_{name}") for name in names}
        | {f"out_{name}": (f"h_{name}", sink) for name in names},
        node_gates={
            f"h_{name}": np.isin(np.arange(task.num_contexts), group)
            for name, group in zip(names, groups, strict=True)
        },
        num_contexts=task.num_contexts,
    )
