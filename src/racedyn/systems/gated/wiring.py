"""Which signals a gated network carries on a task, worked out once: rows, products, and who is the
sum of whom.

A node has one row for each distinct signal it can carry. That is often far fewer than there are
examples, since what arrives at a node depends only on the gates before it. A *product* is one
matrix times one row; gates are the coefficients with which products add up to the rows of the next
node."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from racedyn.networks import Network, distinct_rows
from racedyn.systems.gated.condensed import Condensed


class Terms(NamedTuple):
    """A list of terms, row[to] = sum of coefficient x source[at]; three arrays of one length."""

    to: np.ndarray
    at: np.ndarray
    coefficient: np.ndarray


class Wiring(NamedTuple):
    """The graph of rows and products of a network on a task.

    Rows are numbered through, layer by layer: a layer is the nodes of one width and one distance
    from the inputs.

    **Fields:** `layers` (names of nodes), `widths`, `layer_of_row` (row,); `edges`: name ->
    (source, target) layer; `edge_of` (product,) into `edges`, `row_of` (product,) the row it starts
    from, `multiplicity` (product,) how many equal ones it stands for in the gradient; `arrive`
    (rows from products), `depart` (errors of products from errors of rows), `back` (errors of rows
    from what products send back); `target_rows` (target,), and of each `weights` in the gradient
    and `counts`, how often it stands in the loss. `inputs` (row, n[, mode]) per layer or None;
    `targets` likewise."""

    layers: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]
    layer_of_row: np.ndarray
    edges: dict[str, tuple[int, int]]
    edge_of: np.ndarray
    row_of: np.ndarray
    multiplicity: np.ndarray
    arrive: Terms
    depart: Terms
    back: Terms
    target_rows: np.ndarray
    weights: np.ndarray
    counts: np.ndarray
    inputs: tuple[np.ndarray | None, ...]
    targets: tuple[np.ndarray | None, ...]


class _Node(NamedTuple):
    """One node's rows: how many, which of them a column of the task makes, and their terms.

    `at` (live,): columns that make one, rising, `row_of` (live,): which; `terms`: edge -> (row, row
    of the source, coefficient), three arrays of one length."""

    rows: int
    at: np.ndarray
    row_of: np.ndarray
    terms: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]


class _Layers(NamedTuple):
    """Nodes by width and distance from the inputs: `of` node -> layer, `members` layer -> nodes,
    `offset` node -> its first row, `sizes` of the nodes, layer by layer.
    """

    of: dict[str, int]
    members: list[list[str]]
    offset: dict[str, int]
    sizes: list[int]


def wire(network: Network, condensed: Condensed) -> Wiring:
    """The wiring of `network` on a condensed task, whose arrays may have a last axis of modes."""
    nodes, inputs = _rows(network, condensed)
    layers = _layers(network, nodes)
    edge_of, starts, arrive = _products(network, nodes, layers.offset)
    outputs = [n for members in layers.members for n in members if n in network.outputs]
    found = [_targets(name, nodes[name], layers.offset[name], condensed) for name in outputs]
    targets = {name: Y for name, (_, Y, _) in zip(outputs, found, strict=True)}
    weights = np.concatenate([weight for _, _, weight in found])
    products = len(edge_of)
    return Wiring(
        layers=tuple(tuple(members) for members in layers.members),
        widths=tuple(network.nodes[members[0]].width for members in layers.members),
        layer_of_row=np.repeat(
            [layers.of[n] for members in layers.members for n in members], layers.sizes
        ),
        edges={
            edge: (layers.of[source], layers.of[target])
            for edge, (source, target) in network.edges.items()
        },
        edge_of=edge_of,
        row_of=starts,
        multiplicity=np.ones(products),
        arrive=arrive,
        # The chain rule turns each arrow round: where a row is a sum of g x product, the error of
        # the product is the sum of g x error of the row; and a row, used by all products that start
        # from it, gets back what each of them sends, once. `depart` is `arrive` turned round only
        # as long as nothing is shared: `symmetry` keeps of one the terms of products that stay, of
        # the other those of rows.
        depart=Terms(arrive.at, arrive.to, arrive.coefficient),
        back=Terms(starts, np.arange(products), np.ones(products)),
        target_rows=np.concatenate([rows for rows, _, _ in found]),
        weights=weights,
        counts=np.ones(len(weights)),
        inputs=tuple(_stacked(inputs, members) for members in layers.members),
        targets=tuple(_stacked(targets, members) for members in layers.members),
    )


def _rows(network: Network, condensed: Condensed) -> tuple[dict[str, _Node], dict[str, np.ndarray]]:
    """The rows of every node, and of inputs what these are, (row, n[, mode])."""
    gating, group = condensed.gating, condensed.group
    nodes: dict[str, _Node] = {}
    inputs: dict[str, np.ndarray] = {}
    for name in network.order:
        gate = gating.of_node(name)
        if name in network.inputs:
            at, rows = condensed.inputs[name]
            X = np.moveaxis(rows, 0, 1)  # (live, n[, mode])
            # A mode is no column of its own: rows are told apart in all modes at once, so that one
            # wiring serves every lane.
            X = X * gate[group[at]].reshape(-1, *(1,) * (X.ndim - 1))
            nodes[name], inputs[name] = _input_rows(at, X)
        else:
            # The node's own gate goes into the coefficients of what arrives there, with the edge's.
            nodes[name] = _inner_rows(
                {
                    edge: (nodes[network.edges[edge][0]], gate * gating.of_edge(edge))
                    for edge in network.edges_into(name)
                },
                group,
            )
    return nodes, inputs


def _products(
    network: Network, nodes: Mapping[str, _Node], offset: Mapping[str, int]
) -> tuple[np.ndarray, np.ndarray, Terms]:
    """Of each product the number of its edge and the row it starts from; rows from products.

    Products are numbered edge by edge, and within an edge as the rows of its source: one for each
    that it carries to some row, however many rows and columns that product goes into."""
    edge_of, row_of, terms, products = [], [], [], 0
    for number, (edge, (source, target)) in enumerate(network.edges.items()):
        row, at, coefficient = nodes[target].terms[edge]  # rows counted within their nodes
        carried = np.unique(at)  # sorted, so that searchsorted finds the place of each
        edge_of.append(np.full(len(carried), number))
        row_of.append(offset[source] + carried)
        terms.append((offset[target] + row, products + np.searchsorted(carried, at), coefficient))
        products += len(carried)
    arrive = Terms(*(np.concatenate(parts) for parts in zip(*terms, strict=True)))
    return np.concatenate(edge_of), np.concatenate(row_of), arrive


def _input_rows(at: np.ndarray, X: np.ndarray) -> tuple[_Node, np.ndarray]:
    """Columns (column, n[, mode]) that are equal in all of their numbers make one row; one of zeros
    makes none.
    """
    flat = X.reshape(len(X), int(np.prod(X.shape[1:])))
    live = np.flatnonzero(np.any(flat != 0, axis=1))
    first, which = distinct_rows(flat[live])  # numbers among the live ones
    return _Node(len(first), at[live], which, {}), X[live[first]]


def _inner_rows(arriving: Mapping[str, tuple[_Node, np.ndarray]], group: np.ndarray) -> _Node:
    """Rows of a node: columns whose terms (source rows and gates, edge by edge) are equal make one
    row.

    `arriving`: edge -> its source, and a factor per group of contexts; `group` (column,)."""
    edge, column, source, factor = [], [], [], []
    for number, (node, gate) in enumerate(arriving.values()):
        gates = gate[group[node.at]]
        # Nothing comes by an edge whose source is silent or whose gate is shut: or columns that
        # differ in what does not arrive would make two rows of one signal.
        some = np.flatnonzero(gates)
        edge.append(np.full(len(some), number))
        column.append(node.at[some])
        source.append(node.row_of[some])
        factor.append(gates[some])
    order = np.lexsort((np.concatenate(edge), np.concatenate(column)))
    edges, columns, sources, factors = (
        np.concatenate(parts)[order] for parts in (edge, column, source, factor)
    )
    live, start, terms = np.unique(columns, return_index=True, return_counts=True)
    # Terms of a column side by side, (column, term, 3), -1 where it has fewer than others.
    place = (
        np.repeat(np.arange(len(live)), terms),
        np.arange(len(columns)) - np.repeat(start, terms),
    )
    spelled = np.full((len(live), int(terms.max(initial=0)), 3), -1.0)
    spelled[place] = np.stack([edges, sources, factors], axis=1)
    first, which = distinct_rows(spelled.reshape(len(live), 3 * spelled.shape[1]))
    # Column first[r] stands for row r; the others have the same terms.
    row_of = np.full(len(live), -1)
    row_of[first] = np.arange(len(first))
    rows = row_of[place[0]]
    found = {}
    for number, name in enumerate(arriving):
        mine = np.flatnonzero((edges == number) & (rows >= 0))
        found[name] = rows[mine], sources[mine], factors[mine]
    return _Node(len(first), live, which, found)


def _layers(network: Network, nodes: Mapping[str, _Node]) -> _Layers:
    distance = network.distances()
    keys = sorted({(distance[name], network.nodes[name].width) for name in network.nodes})
    layers = [
        [n for n in network.nodes if (distance[n], network.nodes[n].width) == key] for key in keys
    ]
    sizes = [nodes[name].rows for members in layers for name in members]
    offset = dict(
        zip(
            (n for members in layers for n in members),
            np.cumsum([0, *sizes]).tolist(),
            strict=False,
        )
    )
    of = {name: index for index, members in enumerate(layers) for name in members}
    return _Layers(of, layers, offset, sizes)


def _targets(
    name: str, node: _Node, offset: int, condensed: Condensed
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of an output node, the target of each and its weight.

    Columns that make the same row have the same target, as it is a fit on what the paths carry: one
    of them stands for all. A column that makes none has target 0."""
    counts = np.bincount(node.row_of, minlength=node.rows)
    _, first = np.unique(node.row_of, return_index=True)
    Y = np.moveaxis(condensed.targets[name].on(node.at[first]), 0, 1)
    return offset + np.arange(node.rows), Y, condensed.weight * counts


def _stacked(arrays: Mapping[str, np.ndarray], members: list[str]) -> np.ndarray | None:
    found = [arrays[name] for name in members if name in arrays]
    return np.concatenate(found) if found else None
