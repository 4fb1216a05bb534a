"""Gates by group of contexts: contexts with equal gate columns are one group, whatever their
number.
"""

from typing import NamedTuple

import numpy as np

from racedyn._checks import fail
from racedyn.networks.network import Network


class Gating(NamedTuple):
    """The gates of a network, one column per group of contexts.

    **Fields:** `group_of` (num_contexts,): the group of each context; `nodes`, `edges`: name ->
    factors (num_groups,), for those that have gates; `num_groups`."""

    group_of: np.ndarray
    nodes: dict[str, np.ndarray]
    edges: dict[str, np.ndarray]
    num_groups: int

    def of_node(self, node: str) -> np.ndarray:
        return self.nodes.get(node, np.ones(self.num_groups))

    def of_edge(self, edge: str) -> np.ndarray:
        return self.edges.get(edge, np.ones(self.num_groups))


def distinct_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the first of each set of equal rows, in order of appearance, and for each row which
    set it is in.
    """
    rows = np.ascontiguousarray(
        rows + 0.0 if np.issubdtype(rows.dtype, np.floating) else rows
    )  # -0.0 becomes 0.0
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
    """Raises `ValueError` where units of a node have gates of their own: paths of matrices are then
    not gated as a whole.
    """
    if network.unit_gated:
        fail(
            "network",
            "have one gate for all units of a node here",
            f"those of {network.unit_gated[0]!r} have their own",
            "networks.split_units makes a node of each set of units with equal gates.",
        )


def gate_groups(network: Network, num_contexts: int) -> Gating:
    """Group the contexts of a network. `num_contexts` of the task, which without gates may exceed
    the network's.
    """
    refuse_unit_gates(network)
    tables = {
        **{("node", n): t for n, t in network.node_gates.items()},
        **{("edge", e): t for e, t in network.edge_gates.items()},
    }
    if not tables:
        return Gating(np.zeros(num_contexts, np.int64), {}, {}, 1)
    first, group_of = distinct_rows(np.stack(list(tables.values()), axis=1))
    nodes = {name: table[first] for (kind, name), table in tables.items() if kind == "node"}
    edges = {name: table[first] for (kind, name), table in tables.items() if kind == "edge"}
    return Gating(group_of, nodes, edges, len(first))
