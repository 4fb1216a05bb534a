"""Tasks whose items have a known structure, with modes in closed form.

The structures are those of Kemp and Tenenbaum (PNAS 2008) as Saxe, McClelland and Ganguli (PNAS
2019) learn them: one-hot items as inputs, X = I_P, and as targets the properties that such a
structure gives its items, 1 or 0. Properties are chosen so that the modes are exact, not only near
to a wave. With X = I_P, Sigma_yx = Y / P, S = sqrt(eigenvalue of Y^T Y) / P, and a mode is learned
when its strength is P S."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np

from racedyn._checks import as_list, check_positive_int, fail
from racedyn.tasks.builders import INPUT, OUTPUT
from racedyn.tasks.task import Task


def hierarchy(items: int = 8) -> Task:
    """The hierarchical task: one-hot items, one property per node of a binary tree (Saxe et al.
    2019; Shi et al. 2022).

    `items` P is a power of two; inputs I_P, targets (2 P - 1, P): row by row the tree's nodes from
    the root down, 1 where the item lies below the node. The modes are the Haar basis of the tree:
    "all", then one per split, from the root down; S_alpha = sqrt(2 m - 1) / P where m items lie on
    each side of the split (S = sqrt(2 P - 1) / P for "all"). Raises `ValueError` where `items` is
    not a power of two.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> task.Y.astype(int).tolist()[:4]  # all, each half, the first item
        [[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 0]]
        >>> task.modes.names
        ('all', '1-2 | 3-4', '1 | 2', '3 | 4')
        >>> task.modes.S.round(3).tolist()  # sqrt(7), sqrt(3), 1 and 1, over 4
        [0.661, 0.433, 0.25, 0.25]
    """
    items = check_positive_int("items", items)
    Y, V, mode_names, feature_names = _tree("items", items)
    return _structure(
        f"hierarchy of {items}", Y, V, mode_names, _numbered("item", items), feature_names
    )


def order(items: int = 8) -> Task:
    """A linear order: property j is that of all items from j on ("larger than"), so that item i has
    i + 1 properties.

    Targets (P, P), 1 on and above the diagonal. The modes are discrete sine waves with a node
    before the first item and a crest at the last: with h = k - 1/2, k = 1..P, v_i ~ sin(2 pi h (i +
    1) / (2 P + 1)) (i from 0) and S_k = 1 / (2 P sin(pi h / (2 P + 1))). None is degenerate.

        >>> rd.tasks.order(items=3).Y.astype(int).tolist()
        [[1, 1, 1], [0, 1, 1], [0, 0, 1]]
    """
    items = check_positive_int("items", items)
    half_waves = np.arange(1, items + 1) - 0.5
    return _structure(
        f"order of {items}",
        np.triu(np.ones((items, items))),
        np.sin(2 * np.pi * np.outer(np.arange(1, items + 1), half_waves) / (2 * items + 1)),
        [f"wave {k + 1}" for k in range(items)],
        _numbered("item", items),
        [f"from {i + 1} on" for i in range(items)],
    )


def ring(items: int = 8) -> Task:
    """A ring: a property for every arc, that is every start and every length below P, and one that
    all items have.

    Targets (P (P - 1) + 1, P). The modes are the real Fourier basis: "all", and for the wave
    numbers k = 1..P/2 a cosine and a sine, a degenerate pair but for the single cosine at k = P/2;
    S_k = 1 / (sqrt(2 P) sin(pi k / P)) and S = sqrt(((P - 1) (2 P - 1) + 6) / (6 P)) for "all".

        >>> task = rd.tasks.ring(items=4)
        >>> task.Y.shape, task.modes.names
        ((13, 4), ('all', 'cos 1', 'sin 1', 'cos 2'))
    """
    items = check_positive_int("items", items)
    arcs = [(start, length) for length in range(1, items) for start in range(items)]
    place = np.arange(items)
    Y = np.array([*((place - start) % items < length for start, length in arcs), place >= 0], float)
    columns, mode_names = [np.ones(items)], ["all"]
    for k in range(1, items // 2 + 1):
        columns.append(np.cos(2 * np.pi * k * place / items))
        mode_names.append(f"cos {k}")
        if 2 * k < items:
            columns.append(np.sin(2 * np.pi * k * place / items))
            mode_names.append(f"sin {k}")
    return _structure(
        f"ring of {items}",
        Y,
        np.stack(columns, axis=1),
        mode_names,
        _numbered("item", items),
        [f"on {_around(start, length, items)}" for start, length in arcs] + ["on all"],
    )


def grid(rows: int, columns: int) -> Task:
    """A grid: a property for every rectangle of neighbouring items. `grid(1, P)` is a chain: one
    for every interval.

    Items row by row, P = rows columns; targets (rows (rows + 1) columns (columns + 1) / 4, P). The
    modes are products of standing waves, k half-waves down and l across, with nodes just outside
    the grid: v_ij ~ sin(pi k (i + 1) / (rows + 1)) sin(pi l (j + 1) / (columns + 1)) (i, j from 0),
    and S_kl = s_k(rows) s_l(columns) with s_k(n) = sqrt(n + 1) / (2 n sin(pi k / (2 (n + 1)))): two
    items share as many intervals as Green's function of the chain says. On a square "k x l" and "l
    x k" are a degenerate pair.

        >>> task = rd.tasks.grid(2, 2)
        >>> task.Y.shape, task.modes.names
        ((9, 4), ('1 x 1', '1 x 2', '2 x 1', '2 x 2'))
    """
    rows, columns = check_positive_int("rows", rows), check_positive_int("columns", columns)
    down, across = _intervals(rows), _intervals(columns)
    return _structure(
        f"grid of {rows} x {columns}",
        np.kron(
            [_inside(each, rows) for each in down], [_inside(each, columns) for each in across]
        ),
        np.kron(_standing_waves(rows), _standing_waves(columns)),
        [f"{k + 1} x {l + 1}" for k in range(rows) for l in range(columns)],
        [f"item {i + 1},{j + 1}" for i in range(rows) for j in range(columns)],
        [f"in {_span(*i)},{_span(*j)}" for i in down for j in across],
    )


def clusters(sizes: Sequence[int], properties: int = 1) -> Task:
    """Clusters of the given sizes, each with `properties` properties that all of its items have and
    no others.

    P = sum of sizes; targets (properties C, P). The modes are the C clusters, in the order of
    falling size: v ~ 1 inside and 0 outside, S_c = sqrt(properties n_c) / P. Clusters of equal size
    are degenerate. Raises `ValueError` where `sizes` is empty or an entry is not a whole number of
    at least 1.

        >>> task = rd.tasks.clusters(sizes=(2, 1))
        >>> task.Y.astype(int).tolist()
        [[1, 1, 0], [0, 0, 1]]
        >>> task.modes.S.round(3).tolist()
        [0.471, 0.333]
    """
    sizes = as_list(
        "sizes", sizes, "be a list with the size of each cluster", "For example (4, 2, 2)."
    )
    if len(sizes) == 0:
        fail("sizes", "have an entry per cluster", "it is empty")
    sizes = [check_positive_int(f"sizes[{c}]", size) for c, size in enumerate(sizes)]
    properties = check_positive_int("properties", properties)
    members = [_inside(each, sum(sizes)) for each in pairwise(accumulate(sizes, initial=0))]
    return _structure(
        f"clusters of {', '.join(map(str, sizes))}",
        np.repeat(members, properties, axis=0),
        np.transpose(members),
        _numbered("cluster", len(sizes)),
        [f"item {c + 1},{i + 1}" for c, size in enumerate(sizes) for i in range(size)],
        _shared("cluster", len(sizes), properties),
    )


def cross_cutting(branches: int = 4, classes: int = 2, properties: int = 1) -> Task:
    """A tree, and a second partition of the same items that cuts across it: species, say, each with
    a female and a male.

    Items are all pairs of one of G = `branches` (a power of two) and one of C = `classes`, branch
    by branch, P = G C. Targets (2 G - 1 + properties C, P): one per node of the binary tree over
    the branches, then `properties` per class. The modes are the union of both bases: with m
    branches on each side a split of the tree has S = sqrt(C (2 m - 1)) / P; each of the C - 1
    contrasts between a class and those before it has S = sqrt(properties G) / P, a degenerate
    group; "all" has sqrt(C (2 G - 1) + properties G) / P. Raises `ValueError` where `branches` is
    not a power of two.

        >>> task = rd.tasks.cross_cutting(branches=2, classes=2)
        >>> task.Y.astype(int).tolist()
        [[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1]]
        >>> task.modes.names
        ('all', '1 | 2', 'class 1 | 2')
    """
    branches, classes = (
        check_positive_int("branches", branches),
        check_positive_int("classes", classes),
    )
    properties = check_positive_int("properties", properties)
    tree, haar, mode_names, feature_names = _tree("branches", branches)
    class_of = np.kron(np.ones((1, branches)), np.eye(classes))
    # Class c against the mean of those before it: orthogonal to each other and to what all share.
    contrasts = np.eye(classes)[:, 1:] - np.triu(np.ones((classes, classes)))[
        :, : classes - 1
    ] / np.arange(1, classes)
    return _structure(
        f"cross-cutting, {branches} branches x {classes} classes",
        np.vstack([np.kron(tree, np.ones((1, classes))), np.repeat(class_of, properties, axis=0)]),
        np.hstack([np.kron(haar, np.ones((classes, 1))), class_of.T @ contrasts]),
        [*mode_names, *(f"class {_span(0, c)} | {c + 1}" for c in range(1, classes))],
        [f"item {g + 1},{c + 1}" for g in range(branches) for c in range(classes)],
        [*feature_names, *_shared("class", classes, properties)],
    )


def _structure(
    name: str,
    Y: np.ndarray,
    V: np.ndarray,
    modes: Sequence[str],
    items: Sequence[str],
    features: Sequence[str],
) -> Task:
    """The task with one-hot inputs, targets Y (features, items) and right basis V (items, modes),
    not yet normalised.
    """
    V = V / np.linalg.norm(V, axis=0)
    U = Y @ V
    U /= np.linalg.norm(U, axis=0)
    pair = (INPUT, OUTPUT)
    return Task(
        inputs={INPUT: np.eye(Y.shape[1])},
        targets={OUTPUT: Y},
        name=name,
        bases={pair: (U, V)},
        mode_names={pair: tuple(modes)},
        item_names=tuple(items),
        feature_names=tuple(features),
    )


def _tree(argument: str, leaves: int) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    """A binary tree's nodes as properties (nodes, leaves), its Haar basis (leaves, leaves), and the
    names of both.
    """
    levels = leaves.bit_length() - 1
    if leaves != 2**levels:
        fail(
            argument,
            "be a power of two",
            f"it is {leaves}",
            f"Try {2**levels} or {2 ** (levels + 1)}.",
        )
    nodes = [
        (at, at + size)
        for size in (leaves >> np.arange(levels + 1))
        for at in range(0, leaves, size)
    ]
    columns, mode_names = [np.ones(leaves)], ["all"]
    for start, stop in nodes[: leaves - 1]:  # the inner nodes, each a split into two halves
        middle = (start + stop) // 2
        columns.append(_inside((start, middle), leaves) - _inside((middle, stop), leaves))
        mode_names.append(f"{_span(start, middle)} | {_span(middle, stop)}")
    Y = np.array([_inside(node, leaves) for node in nodes])
    return Y, np.stack(columns, axis=1), mode_names, [f"of {_span(*node)}" for node in nodes]


def _intervals(length: int) -> list[tuple[int, int]]:
    """All intervals (start, stop) of a chain."""
    return [(start, stop) for start in range(length) for stop in range(start + 1, length + 1)]


def _inside(span: tuple[int, int], length: int) -> np.ndarray:
    """1 at start..stop-1 and 0 elsewhere, (length,)."""
    place = np.arange(length)
    return ((place >= span[0]) & (place < span[1])).astype(float)


def _standing_waves(length: int) -> np.ndarray:
    """Sines with 1, 2, ... half-waves, (length, length)."""
    count = np.arange(1, length + 1)
    return np.sin(np.pi * np.outer(count, count) / (length + 1))


def _span(start: int, stop: int) -> str:
    """Items start..stop-1 as a reader counts them."""
    return f"{start + 1}" if stop == start + 1 else f"{start + 1}-{stop}"


def _around(start: int, length: int, items: int) -> str:
    """An arc as a reader counts: 7-2 goes through the last item and the first."""
    return f"{start + 1}" if length == 1 else f"{start + 1}-{(start + length - 1) % items + 1}"


def _numbered(what: str, count: int) -> list[str]:
    return [f"{what} {i + 1}" for i in range(count)]


def _shared(what: str, count: int, properties: int) -> list[str]:
    """Names of the properties that the items of each of `count` groups share."""
    names = [f"of {what} {i + 1}" for i in range(count)]
    return (
        names
        if properties == 1
        else [f"{name} ({j + 1})" for name in names for j in range(properties)]
    )
