"""Classes of paths: those with equal ends and equal gates, which have equal statistics."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from racedyn._types import Path
from racedyn.networks import Gating, Network


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


def _through(
    gate: np.ndarray, groups: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    values = values * gate[groups]
    kept = values != 0
    return groups[kept], values[kept]


def _start(network: Network, gating: Gating, node: str) -> tuple[np.ndarray, np.ndarray]:
    return _through(gating.of_node(node), np.arange(gating.num_groups), np.ones(gating.num_groups))


def classes_of_paths(network: Network, gating: Gating, paths: Sequence[Path]) -> list[PathClass]:
    """The class of each path: its ends and its gate, g_p = the product of all node and edge gates
    on it ([Saxe22]).
    """
    begun: dict[Path, tuple[np.ndarray, np.ndarray]] = {}
    edges = network.edges

    def gate(path: Path) -> tuple[np.ndarray, np.ndarray]:
        if path not in begun:
            source, target = edges[path[-1]]
            before = gate(path[:-1]) if len(path) > 1 else _start(network, gating, source)
            begun[path] = _through(
                gating.of_node(target), *_through(gating.of_edge(path[-1]), *before)
            )
        return begun[path]

    return [PathClass(edges[path[0]][0], edges[path[-1]][1], *gate(path)) for path in paths]


def path_classes(network: Network, gating: Gating) -> dict[str, list[PathClass]]:
    """Output node -> the classes of the paths that end there and are not gated off everywhere.

    Classes are carried from node to node, so that paths need not be listed: there may be many more
    of them."""
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
