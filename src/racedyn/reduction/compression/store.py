"""What is known of the initial weights: bases at nodes that grow, and B_e = H_t^T W_e H_s, exactly.

A direction of a node's basis has been *explored* at an edge once its image under the matrix (or,
backwards, its transpose) lies whole in the basis at the other end. Two kinds, one interface:
weights that are given (`matrices`), and weights of a law, never formed, an image of which is drawn
when it is asked for (`laws`)."""

import abc
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from racedyn.networks import Network
from racedyn.reduction.compression.columns import Columns

Side = str  # "forward": from an edge's source to its target; "backward": from target to source
FORWARD, BACKWARD = "forward", "backward"
_FRESH = 1e-10  # relative: below it a direction is one that is known


class Store(abc.ABC):
    """**Fields:** `network`: the wide one; `complete`: inputs and outputs, whose bases are all of
    their units; `size`: node -> directions known; `B`: edge -> H_t^T W_e H_s; `explored`: (edge,
    side) -> orthonormal columns in the basis at the side's beginning; `std`: edge -> root mean
    square of its entries.
    """

    network: Network
    std: Mapping[str, float]

    def __init__(self, network: Network):
        self.network = network
        self._coming = {
            (node, side): edges(node)
            for node in network.nodes
            for side, edges in ((FORWARD, network.edges_into), (BACKWARD, network.edges_from))
        }
        self.complete = {*network.inputs, *network.outputs}
        self.size = {
            node: width if node in self.complete else 0
            for node, (width, _) in network.nodes.items()
        }
        self.explored = {
            (edge, side): np.zeros((self.size[self.ends(edge, side)[0]], 0))
            for edge in network.edges
            for side in (FORWARD, BACKWARD)
        }
        self.B = {edge: self._between(edge) for edge in network.edges}

    @abc.abstractmethod
    def _between(self, edge: str) -> np.ndarray:
        """H_t^T W_e H_s of the start, when inner nodes know no direction."""

    @abc.abstractmethod
    def _images(self, edge: str, side: Side, C: np.ndarray) -> np.ndarray:
        """New directions at the side's end, and the images of C on them: (new, columns of C)."""

    @abc.abstractmethod
    def _rows(self, edge: str, side: Side, new: int, own: "Own | None") -> np.ndarray:
        """What `new` directions at the side's end have in the basis at its beginning, (new, size)
        of H_new^T W_e H. `own`: C and its images, where this is the edge that brought them.
        """

    def ends(self, edge: str, side: Side) -> tuple[str, str]:
        """Where a side of an edge begins and ends."""
        source, target = self.network.edges[edge]
        return (source, target) if side == FORWARD else (target, source)

    def matrix(self, edge: str, side: Side) -> np.ndarray:
        """B of an edge as a side sees it: (size at its end, size at its beginning)."""
        return self.B[edge] if side == FORWARD else self.B[edge].T

    def outside(self, edge: str, side: Side, A: np.ndarray) -> np.ndarray:
        """What of A's columns, in the basis at the side's beginning, has not been explored."""
        known = self.explored[edge, side]
        A = longer(A, len(known))
        for _ in range(2):
            A = A - known @ (known.T @ A)
        return A

    def explore(self, edge: str, side: Side, A: np.ndarray) -> int:
        """Take the images of A's columns into the basis at the side's end; how many directions that
        adds.
        """
        end = self.ends(edge, side)[1]
        if end in self.complete or not A.shape[1]:
            return 0
        left, values, _ = np.linalg.svd(self.outside(edge, side, A), full_matrices=False)
        C = left[:, values > _FRESH * np.linalg.norm(A)]
        if not C.shape[1]:
            return 0
        C = np.linalg.qr(self.outside(edge, side, C))[0]
        images = self._images(edge, side, C)
        new = len(images)
        self.size[end] += new
        for other in self.network.edges:
            for facing in (FORWARD, BACKWARD):
                if self.ends(other, facing)[1] != end:
                    continue
                own = Own(C, images) if (other, facing) == (edge, side) else None
                rows = self._rows(other, facing, new, own)
                # An edge's basis at this end is where its other side begins.
                back = other, BACKWARD if facing == FORWARD else FORWARD
                self.explored[back] = longer(self.explored[back], self.size[end])
                if facing == FORWARD:
                    self.B[other] = np.vstack([self.B[other], rows])
                else:
                    self.B[other] = np.hstack([self.B[other], rows.T])
        self.explored[edge, side] = np.hstack([self.explored[edge, side], C])
        return new

    def sweep(self, columns: Columns) -> None:
        """Explore the forward images of all columns' inputs and the backward images of what they
        ask for: the zero sweep.

        Where every inner node lies between inputs and outputs (two layers), images of all inputs
        and outputs close the store at once.
        """
        network = self.network
        if all(ends & self.complete for ends in map(set, network.edges.values())):
            for edge in network.edges:
                for side in (FORWARD, BACKWARD):
                    begin, end = self.ends(edge, side)
                    if end not in self.complete:
                        self.explore(edge, side, np.eye(self.size[begin]))
            return
        for side, order, start in (
            (FORWARD, network.order, columns.inputs),
            (BACKWARD, network.order[::-1], columns.unit_targets()),
        ):
            held: dict[str, np.ndarray] = {}
            for node in order:
                if node in start:
                    held[node] = start[node] * columns.node_gate(node)
                    continue
                edges = self.coming(node, side)
                for edge in edges:
                    arriving = held[self.ends(edge, side)[0]] * columns.edge_gate(edge)
                    self.explore(edge, side, normed(arriving * columns.node_gate(node)))
                came = arrive(self, self.B.__getitem__, edges, side, held, columns)
                held[node] = columns.node_gate(node) * came

    def coming(self, node: str, side: Side) -> list[str]:
        """The edges by which a side comes to a node."""
        return self._coming[node, side]

    @property
    def closed(self) -> bool:
        """Whether every direction has been explored at every edge: nothing that begins in the bases
        leaves them.
        """
        full = {n for n, (width, _) in self.network.nodes.items() if self.size[n] == width}
        return all(
            self.ends(*place)[1] in full or known.shape[1] == len(known)
            for place, known in self.explored.items()
        )


class Own(NamedTuple):
    """Directions C at a side's beginning, and their images on what is new at its end."""

    C: np.ndarray
    images: np.ndarray


def arrive(
    store: Store,
    matrix: Callable[[str], np.ndarray],
    edges: list[str],
    side: Side,
    held: Mapping[str, np.ndarray],
    columns: Columns,
    times: int = 1,
) -> np.ndarray:
    """What comes to a node by `edges` of these matrices, gated on the way.

    (size, times columns).
    """
    parts = []
    for edge in edges:
        seen = matrix(edge) if side == FORWARD else matrix(edge).T
        begun = longer(held[store.ends(edge, side)[0]], seen.shape[1])
        parts.append(columns.edge_gate(edge, times) * (seen @ begun))
    return np.sum(parts, axis=0)


def longer(A: np.ndarray, rows: int) -> np.ndarray:
    """A with zeros below, as what was known has nothing in newer directions."""
    if len(A) == rows:
        return A
    found = np.zeros((rows, A.shape[1]))
    found[: len(A)] = A
    return found


def normed(A: np.ndarray) -> np.ndarray:
    """Columns of norm 1; 0 stays."""
    norms = np.linalg.norm(A, axis=0)
    return A / np.where(norms > 0, norms, 1.0)
