"""Ready-made tasks."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from racedyn._checks import check_positive_int, fail
from racedyn.tasks.task import Task

INPUT, OUTPUT = "input", "output"


def from_arrays(
    X: Any,
    Y: Any,
    *,
    name: str = "data",
    item_names: Sequence[str] | None = None,
    feature_names: Sequence[str] | None = None,
) -> Task:
    """A task with one input and one output node from data.

    `X` (n_in, P) and `Y` (n_out, P), one example per column. Its modes are a canonical choice that depends on the data
    alone. Raises `ValueError` where shapes don't meet or a value is not finite.
    """
    return Task(
        inputs={INPUT: X},
        targets={OUTPUT: Y},
        name=name,
        item_names=None if item_names is None else tuple(item_names),
        feature_names=None if feature_names is None else tuple(feature_names),
    )


def hierarchy(items: int = 8) -> Task:
    """The hierarchical task: one-hot items, one property per node of a binary tree (Saxe et al. 2019; Shi et al. 2022).

    `items` P is a power of two; inputs I_P, targets (2 P - 1, P): row by row the tree's nodes from the root down, 1
    where the item lies below the node. The modes are the Haar basis of the tree: "all", then one per split, from the root
    down; S_alpha = sqrt(2 m - 1) / P where m items lie on each side of the split (S = sqrt(2 P - 1) / P for "all").
    Raises `ValueError` where `items` is not a power of two.
    """
    items = check_positive_int("items", items)
    levels = items.bit_length() - 1
    if items != 2**levels:
        fail("items", "be a power of two", f"it is {items}", f"Try {2**levels} or {2 ** (levels + 1)}.")
    nodes = [range(start, start + size) for size in (items >> np.arange(levels + 1)) for start in range(0, items, size)]
    Y = np.array([[float(item in node) for item in range(items)] for node in nodes])

    columns, mode_names = [np.ones(items)], ["all"]
    for node in nodes[: items - 1]:  # the inner nodes, each a split into two halves
        middle = (node.start + node.stop) // 2
        items_before = np.arange(items) < middle
        columns.append(np.where(np.isin(np.arange(items), node), np.where(items_before, 1.0, -1.0), 0.0))
        mode_names.append(f"{_span(node.start, middle)} | {_span(middle, node.stop)}")
    V = np.stack(columns, axis=1)
    V /= np.linalg.norm(V, axis=0)
    U = Y @ V
    U /= np.linalg.norm(U, axis=0)
    pair = (INPUT, OUTPUT)
    return Task(
        inputs={INPUT: np.eye(items)},
        targets={OUTPUT: Y},
        name=f"hierarchy of {items}",
        bases={pair: (U, V)},
        mode_names={pair: tuple(mode_names)},
        item_names=tuple(f"item {i + 1}" for i in range(items)),
        feature_names=tuple(f"of {_span(node.start, node.stop)}" for node in nodes),
    )


def _span(start: int, stop: int) -> str:
    """Items start..stop-1 as a reader counts them."""
    return f"{start + 1}" if stop == start + 1 else f"{start + 1}-{stop}"
