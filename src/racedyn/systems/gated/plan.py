"""The order of work of one step: edges between the same two layers in bundles, sums as gathers.

The matrices of a bundle are one array, so that a step is a few products of stacks of matrices
however many edges there are, and compiling it takes as long for ten thousand routes as for sixteen.
"""

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np

from racedyn.systems.gated.wiring import Terms, Wiring


class Fixed:
    """An array that is part of a compiled function, hashable by content."""

    def __init__(self, array: np.ndarray):
        self.array = np.ascontiguousarray(array)
        self.array.flags.writeable = False
        head = f"{self.array.dtype}{self.array.shape}".encode()
        self._digest = hashlib.sha256(head + self.array.tobytes()).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fixed) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)


@dataclasses.dataclass(frozen=True)
class Sums:
    """Rows as sums: row r is the sum over j of coefficient[r, j] x source[index[r, j]].

    `index`, `coefficient`: (row, term), padded with coefficient 0. `index` is None where it takes
    each source row once and in order, `coefficient` where it is 1 everywhere."""

    index: Fixed | None
    coefficient: Fixed | None


@dataclasses.dataclass(frozen=True)
class Bundle:
    """Edges whose matrices are one array (edge, n_target, n_source).

    `rows` (edge, product): the rows of the source layer that each edge carries, None where these
    are all of them in order; `shape` = (edges, products); `count` (edge, product): how many equal
    products each stands for, None where that is 1."""

    edges: tuple[str, ...]
    source: int
    target: int
    shape: tuple[int, int]
    rows: Fixed | None
    count: Fixed | None


@dataclasses.dataclass(frozen=True)
class Layer:
    """Nodes of one width and one distance from the inputs; `arriving` and `leaving` name bundles.

    `arrive`: rows from the products of arriving bundles, one after the other; `depart`: errors of
    these products from errors of rows; `back`: errors of rows from what the products of leaving
    bundles send back. `target_rows` (target,): rows that have a target, None where all do;
    `weights` (target,) of their errors, `counts` (target,) in the loss."""

    nodes: tuple[str, ...]
    width: int
    rows: int
    arriving: tuple[int, ...]
    leaving: tuple[int, ...]
    arrive: Sums | None
    depart: Sums | None
    back: Sums | None
    target_rows: Fixed | None
    weights: Fixed | None
    counts: Fixed | None


@dataclasses.dataclass(frozen=True)
class Plan:
    """Layers in order of distance from the inputs, and bundles in order of their target layer."""

    layers: tuple[Layer, ...]
    bundles: tuple[Bundle, ...]


def make_plan(wiring: Wiring) -> Plan:
    """The plan of a wiring."""
    names = list(wiring.edges)
    products = np.bincount(wiring.edge_of, minlength=len(names))
    order = np.argsort(wiring.edge_of, kind="stable")
    own = dict(
        zip(names, np.split(order, np.cumsum(products)[:-1]), strict=True)
    )  # edge -> its products
    first_row = np.searchsorted(wiring.layer_of_row, np.arange(len(wiring.layers) + 1))

    members: dict[tuple[int, int, int], list[str]] = {}
    for edge, (source, target) in wiring.edges.items():
        members.setdefault((target, source, len(own[edge])), []).append(edge)
    bundles, products_of = [], []
    for (target, source, size), edges in sorted(members.items()):
        which = np.stack([own[edge] for edge in edges])
        rows = wiring.row_of[which] - first_row[source]
        in_order = np.array_equal(
            rows.ravel(), np.arange(first_row[source + 1] - first_row[source])
        )
        count = wiring.multiplicity[which]
        bundles.append(
            Bundle(
                tuple(edges),
                source,
                target,
                (len(edges), size),
                None if in_order else Fixed(rows),
                None if np.all(count == 1) else Fixed(count),
            )
        )
        products_of.append(which.ravel())
    layers = tuple(
        _layer(index, wiring, first_row, bundles, products_of)
        for index in range(len(wiring.layers))
    )
    return Plan(layers, tuple(bundles))


def _layer(
    index: int,
    wiring: Wiring,
    first_row: np.ndarray,
    bundles: list[Bundle],
    products_of: list[np.ndarray],
) -> Layer:
    start, stop = int(first_row[index]), int(first_row[index + 1])
    arriving = tuple(i for i, bundle in enumerate(bundles) if bundle.target == index)
    leaving = tuple(i for i, bundle in enumerate(bundles) if bundle.source == index)
    arrive = depart = back = None
    if arriving:
        place, size = _places(arriving, products_of, len(wiring.edge_of))
        mine = (wiring.arrive.to >= start) & (wiring.arrive.to < stop)
        to, at, coefficient = (array[mine] for array in wiring.arrive)
        arrive = _sums(Terms(to - start, place[at], coefficient), stop - start, size)
        mine = (wiring.depart.at >= start) & (wiring.depart.at < stop)
        to, at, coefficient = (array[mine] for array in wiring.depart)
        depart = _sums(Terms(place[to], at - start, coefficient), size, stop - start)
    if arriving and leaving:
        place, size = _places(leaving, products_of, len(wiring.edge_of))
        mine = (wiring.back.to >= start) & (wiring.back.to < stop)
        to, at, coefficient = (array[mine] for array in wiring.back)
        back = _sums(Terms(to - start, place[at], coefficient), stop - start, size)
    mine = (wiring.target_rows >= start) & (wiring.target_rows < stop)
    target_rows = wiring.target_rows[mine] - start
    every = np.array_equal(target_rows, np.arange(stop - start))
    return Layer(
        wiring.layers[index],
        wiring.widths[index],
        stop - start,
        arriving,
        leaving,
        arrive,
        depart,
        back,
        None if every else Fixed(target_rows),
        *(Fixed(array[mine]) if mine.any() else None for array in (wiring.weights, wiring.counts)),
    )


def _places(
    which: tuple[int, ...], products_of: list[np.ndarray], products: int
) -> tuple[np.ndarray, int]:
    """Where each product stands when those of these bundles stand one after the other, and how many
    they are.
    """
    standing = np.concatenate([products_of[i] for i in which])
    place = np.full(products, -1)
    place[standing] = np.arange(len(standing))
    return place, len(standing)


def _sums(terms: Terms, rows: int, sources: int) -> Sums:
    order = np.argsort(terms.to, kind="stable")
    to, at, coefficient = (array[order] for array in terms)
    place = np.arange(len(to)) - np.searchsorted(to, to)
    shape = (rows, int(place.max()) + 1 if len(to) else 1)
    index, factor = np.zeros(shape, np.int32), np.zeros(shape)
    index[to, place], factor[to, place] = at, coefficient
    plain = bool(np.all(factor == 1))
    in_order = (
        plain and index.shape == (sources, 1) and np.array_equal(index[:, 0], np.arange(sources))
    )
    return Sums(None if in_order else Fixed(index), None if plain else Fixed(factor))


def weakest(plan: Plan, targets: Sequence[np.ndarray | None]) -> np.ndarray:
    """1/2 s^2 of the smallest singular value of the targets, weighted as in the loss; lane by lane
    where they have lanes.
    """
    found = []
    for layer, Y in zip(plan.layers, targets, strict=True):
        if Y is not None and layer.weights is not None and layer.counts is not None:
            weight = np.sqrt(layer.weights.array * layer.counts.array)
            S = np.linalg.svd(
                np.moveaxis(np.einsum("r,rn...->rn...", weight, Y), (0, 1), (-2, -1)),
                compute_uv=False,
            )
            rounding = (
                max(Y.shape[:2])
                * np.finfo(float).eps
                * np.max(S, axis=-1, keepdims=True, initial=0.0)
            )
            found.append(np.min(np.where(rounding < S, S, np.inf), axis=-1, initial=np.inf))
    if not found:
        return np.zeros(())
    least = np.min(found, axis=0)
    return np.where(np.isfinite(least), 0.5 * least**2, 0.0)
