"""Gates by group of contexts: contexts with equal gate columns are one group, whatever their number."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from racedyn._checks import fail
from racedyn._types import Path
from racedyn.networks.network import Network


class Gating(NamedTuple):
    """The gates of a network, one column per group of contexts.

    **Fields:** `group_of` (num_contexts,): the group of each context; `nodes`, `edges`: name -> factors (num_groups,), for
    those that have gates; `num_groups`.
    """

    group_of: np.ndarray
    nodes: dict[str, np.ndarray]
    edges: dict[str, np.ndarray]
    num_groups: int

    def of_node(self, node: str) -> np.ndarray:
        return self.nodes.get(node, np.ones(self.num_groups))

    def of_edge(self, edge: str) -> np.ndarray:
        return self.edges.get(edge, np.ones(self.num_groups))


class PathClass(NamedTuple):
    """Paths with equal ends and equal gates, which have equal statistics.

    `groups` (k,): where the paths' gate is not zero, `values` (k,): what it is there.
    """

    source: str
    target: str
    groups: np.ndarray
    values: np.ndarray

    @property
    def key(self) -> tuple[str, str, bytes, bytes]:
        return self.source, self.target, self.groups.tobytes(), self.values.tobytes()


def distinct_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the first of each set of equal rows, in order of appearance, and for each row which set it is in."""
    rows = np.ascontiguousarray(rows + 0.0 if np.issubdtype(rows.dtype, np.floating) else rows)  # -0.0 becomes 0.0
    first: list[int] = []
    seen: dict[bytes, int] = {}
    which = np.empty(len(rows), np.int64)
    for i, row in enumerate(rows):
        key = row.tobytes()
        if key not in seen:
            seen[key] = len(first)
            first.append(i)
        which[i] = seen[key]
    return np.asarray(first, np.int64), which


def refuse_unit_gates(network: Network) -> None:
    """Raises `ValueError` where units of a node have gates of their own: paths of matrices are then not gated as a whole."""
    if network.unit_gated:
        fail("network", "have one gate for all units of a node here", f"those of {network.unit_gated[0]!r} have their own",
             "networks.split_units makes a node of each set of units with equal gates.")  # fmt: skip


def gate_groups(network: Network, num_contexts: int) -> Gating:
    """Group the contexts of a network. `num_contexts` of the task, which without gates may exceed the network's."""
    refuse_unit_gates(network)
    tables = {**{("node", n): t for n, t in network.node_gates.items()},
              **{("edge", e): t for e, t in network.edge_gates.items()}}  # fmt: skip
    if not tables:
        return Gating(np.zeros(num_contexts, np.int64), {}, {}, 1)
    first, group_of = distinct_rows(np.stack(list(tables.values()), axis=1))
    nodes = {name: table[first] for (kind, name), table in tables.items() if kind == "node"}
    edges = {name: table[first] for (kind, name), table in tables.items() if kind == "edge"}
    return Gating(group_of, nodes, edges, len(first))


def _through(gate: np.ndarray, groups: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = values * gate[groups]
    kept = values != 0
    return groups[kept], values[kept]


def _start(network: Network, gating: Gating, node: str) -> tuple[np.ndarray, np.ndarray]:
    return _through(gating.of_node(node), np.arange(gating.num_groups), np.ones(gating.num_groups))


def classes_of_paths(network: Network, gating: Gating, paths: Sequence[Path]) -> list[PathClass]:
    """The class of each path: its ends and its gate, g_p = the product of all node and edge gates on it ([Saxe22])."""
    begun: dict[Path, tuple[np.ndarray, np.ndarray]] = {}
    edges = network.edges

    def gate(path: Path) -> tuple[np.ndarray, np.ndarray]:
        if path not in begun:
            source, target = edges[path[-1]]
            before = gate(path[:-1]) if len(path) > 1 else _start(network, gating, source)
            begun[path] = _through(gating.of_node(target), *_through(gating.of_edge(path[-1]), *before))
        return begun[path]

    return [PathClass(edges[path[0]][0], edges[path[-1]][1], *gate(path)) for path in paths]


def path_classes(network: Network, gating: Gating) -> dict[str, list[PathClass]]:
    """Output node -> the classes of the paths that end there and are not gated off everywhere.

    Classes are carried from node to node, so that paths need not be listed: there may be many more of them.
    """
    reached: dict[str, dict[tuple[str, str, bytes, bytes], PathClass]] = {}
    for node in network.order:
        if node in network.inputs:
            starts = [PathClass(node, node, *_start(network, gating, node))]
        else:
            starts = []
            for edge in network.edges_into(node):
                gate = gating.of_edge(edge) * gating.of_node(node)
                starts += [
                    PathClass(known.source, node, *_through(gate, known.groups, known.values))
                    for known in reached[network.edges[edge][0]].values()
                ]
        reached[node] = {known.key: known for known in starts if len(known.groups)}
    return {node: list(reached[node].values()) for node in network.outputs}
