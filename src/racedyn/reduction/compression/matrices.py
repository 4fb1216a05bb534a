"""The store of weights that are given: it keeps the bases themselves."""

from collections.abc import Mapping

import numpy as np

from racedyn.networks import Network
from racedyn.reduction.compression.store import FORWARD, Own, Side, Store

_RANK = 1e-12  # relative to an image of usual size: below it a direction is rounding


class Matrices(Store):
    """**Fields:** `bases`: node -> orthonormal columns (n, size)."""

    def __init__(self, network: Network, weights: Mapping[str, np.ndarray]):
        self.weights = weights
        self.std = {
            edge: float(np.sqrt(np.mean(np.square(matrix)))) for edge, matrix in weights.items()
        }
        ends = (*network.inputs, *network.outputs)
        self.bases = {
            node: np.eye(width) if node in ends else np.zeros((width, 0))
            for node, (width, _) in network.nodes.items()
        }
        super().__init__(network)

    def directions(self, node: str, turn: np.ndarray) -> np.ndarray:
        """Columns of `turn` in the node's basis, as directions of its units; any one where a node
        has none, as no signal reaches it.
        """
        found = self.bases[node] @ turn
        return found if found.any() else np.eye(*found.shape)

    def _between(self, edge: str) -> np.ndarray:
        source, target = self.network.edges[edge]
        return np.asarray(self.bases[target].T @ self.weights[edge] @ self.bases[source])

    def _seen(self, edge: str, side: Side) -> np.ndarray:
        return self.weights[edge] if side == FORWARD else self.weights[edge].T

    def _images(self, edge: str, side: Side, C: np.ndarray) -> np.ndarray:
        begin, end = self.ends(edge, side)
        basis = self.bases[end]
        images = without(basis, self._seen(edge, side) @ (self.bases[begin] @ C))
        left, values, _ = np.linalg.svd(images, full_matrices=False)
        usual = self.std[edge] * np.sqrt(len(basis))
        room = basis.shape[0] - basis.shape[1]
        new = left[:, values > _RANK * usual][:, :room]
        if new.shape[1]:
            new = np.linalg.qr(without(basis, new))[0]
        self.bases[end] = np.hstack([basis, new])
        return np.asarray(new.T @ images)

    def _rows(self, edge: str, side: Side, new: int, own: Own | None) -> np.ndarray:
        begin, end = self.ends(edge, side)
        added = self.bases[end][:, self.bases[end].shape[1] - new :]
        return np.asarray((added.T @ self._seen(edge, side)) @ self.bases[begin])


def without(basis: np.ndarray, A: np.ndarray) -> np.ndarray:
    """What of A's columns lies outside a basis; twice, as the first time leaves rounding of A's
    size.
    """
    for _ in range(2):
        A = A - basis @ (basis.T @ A)
    return A
