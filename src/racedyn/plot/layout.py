"""Where the nodes of a network stand: in columns from inputs to outputs, in rows such that pathways
are straight.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np

from racedyn.networks import Network

_SWEEPS = 12
_NARROW = 0.35  # of a row

Point: TypeAlias = (
    str | tuple[str, int]
)  # a node, or where an edge passes a column between its ends


class Layout(NamedTuple):
    """`nodes`: node -> (column, height); `edges`: edge -> points (column, height) from source to
    target.
    """

    nodes: dict[str, tuple[int, float]]
    edges: dict[str, list[tuple[int, float]]]


def layered(network: Network) -> Layout:
    """Sugiyama's method: column = longest distance from an input; an edge keeps room in each column
    that it passes.

    Each column is ordered by the mean height of its neighbours, rightwards and leftwards in turn,
    and moved there as far as room allows. Of all sweeps the straightest is kept."""
    column = network.distances()
    routes = {
        edge: [source, *((edge, at) for at in range(column[source] + 1, column[target])), target]
        for edge, (source, target) in network.edges.items()
    }
    columns: list[list[Point]] = [[] for _ in range(1 + max(column.values()))]
    for point in _depth_first(network, routes):
        columns[column[point] if isinstance(point, str) else point[1]].append(point)
    left: dict[Point, list[Point]] = {point: [] for points in columns for point in points}
    right: dict[Point, list[Point]] = {point: [] for point in left}
    for route in routes.values():
        for one, other in pairwise(route):
            right[one].append(other)
            left[other].append(one)

    # Edges that pass have a row of their own where they are few, so that pathways of unequal depth
    # are straight.
    passing = len(left) - len(network.nodes)
    room = {
        p: 1.0 if isinstance(p, str) or passing <= len(network.nodes) else _NARROW for p in left
    }
    height: dict[Point, float] = {}
    for points in columns:
        height.update(
            zip(points, _spaced([room[p] for p in points], [0.0] * len(points)), strict=True)
        )
    best, straightest = dict(height), np.inf
    for sweep in range(_SWEEPS):
        rightwards = sweep % 2 == 0
        near = left if rightwards else right
        for points in columns if rightwards else reversed(columns):
            wanted = {
                p: float(np.mean([height[q] for q in near[p]])) if near[p] else height[p]
                for p in points
            }
            points.sort(key=lambda p: wanted[p])
            height.update(
                zip(
                    points,
                    _spaced([room[p] for p in points], [wanted[p] for p in points]),
                    strict=True,
                )
            )
        bend = sum(
            (height[one] - height[other]) ** 2 for one, others in right.items() for other in others
        )
        if bend < straightest - 1e-9:
            best, straightest = dict(height), bend
    nodes = {node: (column[node], best[node]) for node in network.nodes}
    edges = {
        edge: [nodes[p] if isinstance(p, str) else (p[1], best[p]) for p in route]
        for edge, route in routes.items()
    }
    return Layout(nodes, edges)


def _depth_first(network: Network, routes: dict[str, list[Point]]) -> list[Point]:
    """All points, those of one pathway after each other: the order in which columns are filled at
    first.
    """
    found: dict[Point, None] = {}
    stack: list[list[Point]] = [[node] for node in reversed(network.inputs)]
    while stack:
        route = stack.pop()
        new = route[-1] not in found
        found.update(dict.fromkeys(route))
        if new:
            stack.extend(routes[edge][1:] for edge in reversed(network.edges_from(str(route[-1]))))
    return list(found)


def _spaced(room: Sequence[float], wanted: Sequence[float]) -> np.ndarray:
    """Heights nearest to `wanted` (least squares) that keep their order and each point's room.

    With the room below each point taken off, heights need only not fall: the
    pool-adjacent-violators algorithm."""
    offset = np.cumsum(room) - np.asarray(room) / 2
    pools: list[tuple[float, int]] = []  # (mean, size)
    for target in np.asarray(wanted) - offset:
        mean, size = float(target), 1
        while pools and pools[-1][0] >= mean:
            below, count = pools.pop()
            mean, size = (mean * size + below * count) / (size + count), size + count
        pools.append((mean, size))
    return np.concatenate([np.full(size, mean) for mean, size in pools]) + offset
