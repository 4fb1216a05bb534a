"""Blocks of properties in [Jarvis25]'s contextual task that no task here has.

The paper's text says of them that they are "of different structure" (App. B) and vary a hierarchy,
with structures of Saxe et al. (2019) (fig. 3). Their rows are in the published code, for 8 items;
any other number of items is our continuation. Each has the 2 n - 1 rows of a tree, so that no
context has more properties than another."""

import numpy as np

from racedyn._checks import fail
from racedyn.tasks.builders import from_arrays
from racedyn.tasks.structures import hierarchy
from racedyn.tasks.task import Task


def graded_ring(items: int) -> Task:
    """Properties that items have by degrees around a ring: each rises to 1 over half of the items
    and falls again over the other half.

    Targets (2 n - 1, n): one that all items have; then for k = 0..n-1 the wave 0, .33, .66, 1, 1,
    .66, .33, 0 (n = 8: degrees in equal steps, cut to two digits, as published) moved back by k
    items; then the first n - 2 of these once more. So the ring has a seam: two of its n waves
    count once and all others twice. Raises `ValueError` where `items` is odd or below 4."""
    if items < 4 or items % 2:
        fail("items", "be even and at least 4 in a graded ring", f"it is {items}")
    rise = np.floor(100 * np.arange(items // 2) / (items // 2 - 1)) / 100
    wave = np.concatenate([rise, rise[::-1]])
    starts = [*range(items), *range(items - 2)]
    Y = np.array([np.ones(items), *(np.roll(wave, -k) for k in starts)])
    again = ["", ", again"]
    return from_arrays(
        np.eye(items),
        Y,
        name=f"graded ring of {items}",
        feature_names=[
            "on all",
            *(f"wave {k + 1}{again[n >= items]}" for n, k in enumerate(starts)),
        ],
    )


def crossed_tree(items: int) -> Task:
    """The tree with crossed pairs: of every four items the first goes with the third and the second
    with the fourth, and all other nodes are the tree's.

    Targets (2 n - 1, n), the rows of `hierarchy` but for those of pairs. Alone it is a tree whose
    second and third items of every four have changed places, with the tree's singular values;
    beside trees its pairs cut across theirs. Raises `ValueError` where `items` is not a power of
    two, or below 4."""
    tree = hierarchy(items)
    if items < 4:
        fail("items", "be at least 4 in a crossed tree", f"it is {items}")
    Y, names = tree.Y.copy(), list(tree.feature_names or ())
    first = items // 2 - 1  # the row of the tree's first pair
    for row in range(items // 2):
        one = 4 * (row // 2) + row % 2
        Y[first + row] = np.isin(np.arange(items), [one, one + 2])
        names[first + row] = f"of {one + 1} and {one + 3}"
    return from_arrays(np.eye(items), Y, name=f"crossed tree of {items}", feature_names=names)
