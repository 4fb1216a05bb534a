"""Matrices that symmetry keeps equal share one state, so that cost follows the distinct ones.

Rows, products and matrices of a wiring are coloured: by what they start with (inputs, targets,
initial weights, stage), then again and again by the colours of all that they are the sum of and all
that they are used in, until nothing splits any more. Matrices of one colour then have equal
derivatives as long as they are equal, and they start equal. One of each colour stands for all;
equal products count as often as there are."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from racedyn.networks import distinct_rows
from racedyn.rules import Stages
from racedyn.systems.gated.wiring import Terms, Wiring


class _Colours(NamedTuple):
    """A number for each row, edge and product; equal ones where nothing tells two apart."""

    row: np.ndarray
    edge: np.ndarray
    product: np.ndarray


def share(
    wiring: Wiring, weights: Mapping[str, np.ndarray], stages: Stages, tolerance: float
) -> tuple[Wiring, dict[str, str]]:
    """The wiring of one matrix per colour, and for every edge the one that stands for it.

    `tolerance`: differences of this size, relative to the largest value, between initial weights,
    inputs or targets count as rounding."""
    names = list(wiring.edges)
    colours = _refined(
        wiring,
        _colour_of_edges(wiring, weights, stages, tolerance),
        _colour_of_rows(wiring, tolerance),
    )
    first = np.unique(colours.edge, return_index=True)[1]
    stands_for = {
        name: names[first[colour]] for name, colour in zip(names, colours.edge, strict=True)
    }
    return wiring if len(first) == len(names) else _quotient(wiring, colours), stands_for


def _refined(wiring: Wiring, edge: np.ndarray, row: np.ndarray) -> _Colours:
    """These colours split until none splits any more, by what things are the sum of and what they
    are used in.
    """
    product = _combined(edge[wiring.edge_of], row[wiring.row_of])
    to, at, coefficient = wiring.arrive
    gate = _combined(coefficient)
    # Colours only split, so that after as many turns as there are things none does.
    for _ in range(len(row) + len(edge) + len(product) + 1):
        before = [colours.max(initial=-1) for colours in (row, edge, product)]
        # A product by its matrix and the row it starts from (its value), and by the rows that it
        # goes into, with their gates (its error).
        departing = _multisets(at, _combined(row[to], gate), len(product))
        product = _combined(product, edge[wiring.edge_of], row[wiring.row_of], departing)
        # A row by the products that make it, with their gates, and by those that start from it.
        arriving = _multisets(to, _combined(product[at], gate), len(row))
        row = _combined(row, arriving, _multisets(wiring.row_of, product, len(row)))
        # A matrix by its products, of which its derivative is the sum.
        edge = _combined(edge, _multisets(wiring.edge_of, product, len(edge)))
        if [colours.max(initial=-1) for colours in (row, edge, product)] == before:
            break
    return _Colours(row, edge, product)


def _colour_of_edges(
    wiring: Wiring, weights: Mapping[str, np.ndarray], stages: Stages, tolerance: float
) -> np.ndarray:
    stage_of = {edge: number for number, stage in enumerate(stages) for edge in stage}
    seen: dict[tuple[object, ...], int] = {}
    colours = []
    for edge, layers in wiring.edges.items():
        key = (
            layers,
            stage_of.get(edge),
            _rounded(weights[edge], tolerance).tobytes(),
            _size(weights[edge], tolerance),
        )
        colours.append(seen.setdefault(key, len(seen)))
    return np.asarray(colours)


def _colour_of_rows(wiring: Wiring, tolerance: float) -> np.ndarray:
    """By layer, input, target and the target's weight."""
    rows = len(wiring.layer_of_row)
    given, wanted, weight = np.full(rows, -1), np.full(rows, -1), np.zeros(rows)
    weight[wiring.target_rows] = wiring.weights
    for index in range(len(wiring.layers)):
        mine = np.flatnonzero(wiring.layer_of_row == index)
        X, Y = wiring.inputs[index], wiring.targets[index]
        if X is not None:
            given[mine] = distinct_rows(_flat(_rounded(X, tolerance)))[1]
        if Y is not None:
            targets = wiring.target_rows[np.isin(wiring.target_rows, mine)]
            wanted[targets] = distinct_rows(_flat(_rounded(Y, tolerance)))[1]
    return _combined(wiring.layer_of_row, given, wanted, weight)


def _size(array: np.ndarray, tolerance: float) -> float:
    """The largest entry, to a relative `tolerance`."""
    largest = float(np.abs(array).max(initial=0.0))
    return float(np.rint(np.log(largest) / tolerance)) if largest else -np.inf


def _rounded(array: np.ndarray, tolerance: float) -> np.ndarray:
    """Multiples of `tolerance` times the largest entry. Two that straddle a step are told apart:
    they share less.
    """
    largest = float(np.abs(array).max(initial=0.0))
    return np.rint(array / (tolerance * largest)) + 0.0 if largest else np.zeros_like(array)


def _flat(rows: np.ndarray) -> np.ndarray:
    return rows.reshape(len(rows), int(np.prod(rows.shape[1:])))


def _combined(*keys: np.ndarray) -> np.ndarray:
    """A number for each combination of keys, from 0 on."""
    numbers = [np.unique(key, return_inverse=True)[1].reshape(-1) for key in keys]
    total = numbers[0]
    for number in numbers[1:]:
        total = np.unique(total * (number.max(initial=0) + 1) + number, return_inverse=True)[
            1
        ].reshape(-1)
    return total


def _multisets(to: np.ndarray, colour: np.ndarray, count: int) -> np.ndarray:
    """A number for the multiset of colours that belongs to each of `count` things.

    A multiset is known by the sum of well-mixed numbers, one per colour: two that differ have equal
    sums, in two such sums of 64 bits, with a chance of 2^-128."""
    sums = np.zeros((2, count), np.uint64)
    for seed in range(2):
        np.add.at(sums[seed], to, _mixed(colour.astype(np.uint64), seed))
    return _combined(*sums)


def _mixed(numbers: np.ndarray, seed: int) -> np.ndarray:
    """splitmix64: neighbouring numbers become unrelated ones."""
    z = (numbers + np.uint64(1 + seed * 2**40)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


class _Kept(NamedTuple):
    """What is left when one thing stands for all of its colour.

    `rows`, `edges`, `products`: the old numbers of those that stay, rising; `counts` (product
    kept,): how many products of its matrix are equal to it; `row_at` (row,), `product_at`
    (product,): the new number of what stands for each old thing, -1 where nothing does."""

    rows: np.ndarray
    edges: np.ndarray
    products: np.ndarray
    counts: np.ndarray
    row_at: np.ndarray
    product_at: np.ndarray


def _kept(wiring: Wiring, colours: _Colours) -> _Kept:
    row, edge, product = colours
    rows = np.sort(np.unique(row, return_index=True)[1])
    edges = np.sort(np.unique(edge, return_index=True)[1])
    # Only products of the matrices that stay, as the gradient of one of these is the sum over its
    # own products alone: those of its colour that belong to its equals are not in it. So `counts`
    # are counted here, among products kept, and not among all of one colour.
    kept = np.isin(wiring.edge_of, edges)
    _, firsts, counts = np.unique(product[kept], return_index=True, return_counts=True)
    products = np.flatnonzero(kept)[firsts]
    order = np.argsort(products)
    products, counts = products[order], counts[order]
    # Colour -> new number, then old number -> colour -> new number.
    row_of_colour = np.empty(row.max() + 1, int)
    product_of_colour = np.full(product.max(initial=0) + 1, -1)
    row_of_colour[row[rows]] = np.arange(len(rows))
    product_of_colour[product[products]] = np.arange(len(products))
    return _Kept(rows, edges, products, counts, row_of_colour[row], product_of_colour[product])


def _terms_of(terms: Terms, to: np.ndarray, to_at: np.ndarray, at_at: np.ndarray) -> Terms:
    """The terms of the things `to` that are kept, under new numbers.

    A row may be a sum of several products of one colour: they are now one product, and their
    coefficients add up. Taken once they would count too little."""
    mine = np.isin(terms.to, to)
    pairs = np.stack([to_at[terms.to[mine]], at_at[terms.at[mine]]])  # (2, term)
    distinct, which = np.unique(pairs, axis=1, return_inverse=True)
    coefficient = np.bincount(
        which.reshape(-1), terms.coefficient[mine], minlength=distinct.shape[1]
    )
    return Terms(distinct[0], distinct[1], coefficient)


def _quotient(wiring: Wiring, colours: _Colours) -> Wiring:
    """The wiring of what stands for each colour."""
    kept = _kept(wiring, colours)
    rows, products = kept.rows, kept.products
    names = list(wiring.edges)
    number = {old: new for new, old in enumerate(kept.edges.tolist())}
    # A target row stands in the loss for all of its colour (`counts`), but its error is that of one
    # (`weights`): errors of equal rows are equal, and `depart` and `back` have all of them.
    target_colours = colours.row[wiring.target_rows]
    target_rows = np.flatnonzero(np.isin(wiring.target_rows, rows))
    in_loss = np.bincount(target_colours, wiring.counts, minlength=colours.row.max() + 1)
    targets = []
    for index, Y in enumerate(wiring.targets):
        mine = wiring.target_rows[wiring.layer_of_row[wiring.target_rows] == index]
        targets.append(None if Y is None else Y[np.isin(mine, rows)])
    return wiring._replace(
        layer_of_row=wiring.layer_of_row[rows],
        edges={names[old]: wiring.edges[names[old]] for old in kept.edges.tolist()},
        edge_of=np.asarray([number[old] for old in wiring.edge_of[products].tolist()], int),
        row_of=kept.row_at[wiring.row_of[products]],
        multiplicity=kept.counts * wiring.multiplicity[products],
        arrive=_terms_of(wiring.arrive, rows, kept.row_at, kept.product_at),
        depart=_terms_of(wiring.depart, products, kept.product_at, kept.row_at),
        back=_terms_of(wiring.back, rows, kept.row_at, kept.product_at),
        target_rows=kept.row_at[wiring.target_rows[target_rows]],
        weights=wiring.weights[target_rows],
        counts=in_loss[target_colours[target_rows]],
        inputs=tuple(
            None if X is None else X[np.isin(np.flatnonzero(wiring.layer_of_row == index), rows)]
            for index, X in enumerate(wiring.inputs)
        ),
        targets=tuple(targets),
    )
