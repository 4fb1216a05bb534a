"""Units of a node with gates of their own, and nodes of units with equal gates: the same network in
two forms.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn._types import Weights
from racedyn.networks.fit import check_weights
from racedyn.networks.network import Network, Node


def split_units(network: Network, weights: Mapping[str, Any]) -> tuple[Network, Weights]:
    """A network in which each set of units with equal gates is a node, and its weights: it answers
    and learns alike.

    A node "h" whose units have gates of their own becomes "h_1", "h_2", ..., the largest set first,
    and its edge "w" edges "w_1", "w_2", ...; one between two such nodes "w_1_2", target after
    source. Units that are off in every context are left out; other nodes and edges stay. Raises
    `ValueError` where weights don't fit, and where every unit of a node is off.

        >>> gates = {"h": [[1, 1, 0], [0, 0, 1]]}  # 2 units in context 0, 1 in context 1
        >>> edges = {"a": ("x", "h"), "b": ("h", "y")}
        >>> network = rd.Network({"x": 2, "h": 3, "y": 1}, edges, node_gates=gates, num_contexts=2)
        >>> weights = {"a": np.ones((3, 2)), "b": np.ones((1, 3))}
        >>> split, weights = rd.networks.split_units(network, weights)
        >>> {edge: array.shape for edge, array in weights.items()}
        {'a_1': (2, 2), 'a_2': (1, 2), 'b_1': (1, 2), 'b_2': (1, 1)}
    """
    weights = check_weights(network, weights)
    sets = {node: _sets(network.node_gates[node], node) for node in network.unit_gated}
    nodes: dict[str, Any] = {}
    node_gates = {node: table for node, table in network.node_gates.items() if node not in sets}
    for node, (width, kind) in network.nodes.items():
        for number, units in enumerate(sets.get(node, ())):
            nodes[f"{node}_{number + 1}"] = Node(len(units), kind)
            node_gates[f"{node}_{number + 1}"] = network.node_gates[node][:, units[0]]
        if node not in sets:
            nodes[node] = Node(width, kind)

    def parts(node: str) -> list[tuple[str, Any]]:
        """How names go on, and units, of what a node becomes."""
        return (
            [(f"_{n + 1}", units) for n, units in enumerate(sets[node])]
            if node in sets
            else [("", slice(None))]
        )

    ends: dict[str, tuple[str, str]] = {}
    split: Weights = {}
    old: dict[str, str] = {}
    for edge, (source, target) in network.edges.items():
        for before, of_source in parts(source):
            for after, of_target in parts(target):
                name = f"{edge}{before}{after}"
                ends[name], old[name] = (source + before, target + after), edge
                split[name] = weights[edge][of_target][:, of_source]
    return (
        Network(
            nodes,
            ends,
            node_gates=node_gates,
            edge_gates={
                name: network.edge_gates[edge]
                for name, edge in old.items()
                if edge in network.edge_gates
            },
            num_contexts=network.num_contexts,
            edge_kinds={
                name: network.edge_kinds[edge]
                for name, edge in old.items()
                if edge in network.edge_kinds
            },
        ),
        split,
    )


def _sets(table: np.ndarray, node: str) -> list[np.ndarray]:
    """Units of equal gates, as whole numbers from 0, the largest set first; without those that are
    always off.
    """
    alive = np.flatnonzero(table.any(axis=0))
    if not len(alive):
        fail(
            "network",
            "have units that are on in some context",
            f"all of {node!r} are off in all of them",
        )
    _, set_of, counts = np.unique(table[:, alive], axis=1, return_inverse=True, return_counts=True)
    return [alive[set_of.ravel() == k] for k in np.argsort(-counts, kind="stable")]
