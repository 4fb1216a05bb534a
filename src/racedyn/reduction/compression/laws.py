"""Stores of weights that are never formed: what is asked of them is drawn from its law, given all
that was drawn before.

Whatever was explored depends on signals, and these on what was drawn; but only on that, so that the
rest of a matrix still has its own law, in any coordinates: that of what is left. A draw of a few
numbers thus stands for one of a matrix of any width."""

import abc
import zlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from racedyn._checks import as_key, fail, shown
from racedyn.networks import Network, init
from racedyn.reduction.compression.isometries import Isometry
from racedyn.reduction.compression.store import BACKWARD, FORWARD, Own, Side, Store


class Law(Store):
    """A store that draws: each edge and side has a key of its own, made from the edge's name, and
    each of its draws one of its number.
    """

    def __init__(self, network: Network, key: Any):
        words = np.asarray(jax.random.key_data(as_key(key, "compress(..., law, key=0)")))
        self._key = [int(word) for word in words.ravel()]
        self._draws = {(edge, side): 0 for edge in network.edges for side in (0, 1)}
        super().__init__(network)

    def _draw(self, edge: str, side: Side) -> np.random.Generator:
        """Numbers for the next draw of a side of an edge."""
        place = edge, int(side == FORWARD)
        self._draws[place] += 1
        name = zlib.crc32(edge.encode())
        seed = np.random.SeedSequence(self._key, spawn_key=(name, place[1], self._draws[place]))
        return np.random.Generator(np.random.Philox(seed))

    def _between(self, edge: str) -> np.ndarray:
        source, target = self.network.edges[edge]
        if {source, target} <= self.complete:
            return self._whole(edge, self.size[target], self.size[source])
        return np.zeros((self.size[target], self.size[source]))

    @abc.abstractmethod
    def _whole(self, edge: str, rows: int, columns: int) -> np.ndarray:
        """The matrix of an edge from an input to an output."""

    def _room(self, node: str) -> int:
        """How many directions of a node are not known."""
        return int(self.network.nodes[node].width) - self.size[node]


class Gaussian(Law):
    """Independent entries N(0, std^2)."""

    def __init__(self, network: Network, law: init.Gaussian, key: Any):
        self.std: Mapping[str, float] = dict.fromkeys(network.edges, float(law.std))
        super().__init__(network, key)

    def _whole(self, edge: str, rows: int, columns: int) -> np.ndarray:
        return self.std[edge] * self._draw(edge, FORWARD).standard_normal((rows, columns))

    def _images(self, edge: str, side: Side, C: np.ndarray) -> np.ndarray:
        # (1 - P_t) W C is a Gaussian matrix with as many rows as there is room: in the coordinates
        # of its own columns it is the R of its QR (Bartlett).
        room = self._room(self.ends(edge, side)[1])
        return self.std[edge] * triangle(self._draw(edge, side), room, C.shape[1])

    def _rows(self, edge: str, side: Side, new: int, own: Own | None) -> np.ndarray:
        # 0 on what was explored before, as its images lie in the older directions; what was just
        # drawn on C; fresh numbers elsewhere.
        known = self.explored[edge, side]
        G = self.std[edge] * self._draw(edge, side).standard_normal((new, len(known)))
        G = G - (G @ known) @ known.T
        if own is not None:
            G = G - (G @ own.C) @ own.C.T + own.images @ own.C.T
        return np.asarray(G)


class Orthogonal(Law):
    """Haar: each matrix W = scale Q, with orthonormal rows or columns. Between what is known and
    its images Q is known whole, and Haar outside (`isometries`).
    """

    def __init__(self, network: Network, law: init.Orthogonal, key: Any):
        self.scale = float(law.scale)
        ends = {*network.inputs, *network.outputs}
        for edge, nodes in network.edges.items():
            rows, columns = network.shape(edge)
            inner = [network.nodes[node].width for node in nodes if node not in ends]
            if inner and min(inner) < max(rows, columns):
                fail(
                    "network",
                    "have square matrices between hidden nodes, and these at least as wide as "
                    "inputs and outputs, for the law init.Orthogonal",
                    f"that of {edge!r} has shape {(rows, columns)}",
                    "Draw its weights, network.init(law, key=...), and pass them.",
                )
        # W's mean square entry: of the larger side each unit vector has an image of size scale at
        # most.
        self.std = {edge: self.scale / np.sqrt(max(network.shape(edge))) for edge in network.edges}
        self._drawn: dict[str, Isometry] = {}
        super().__init__(network, key)

    def _between(self, edge: str) -> np.ndarray:
        source, target = self.network.edges[edge]
        if not {source, target} <= self.complete:
            widths, known = (
                {FORWARD: of[target], BACKWARD: of[source]}
                for of in ({n: w for n, (w, _) in self.network.nodes.items()}, self.size)
            )
            self._drawn[edge] = Isometry(widths, known)
        return super()._between(edge)

    def _whole(self, edge: str, rows: int, columns: int) -> np.ndarray:
        Q = isometry(self._draw(edge, FORWARD), max(rows, columns), min(rows, columns))
        return self.scale * (Q if rows >= columns else Q.T)

    def _images(self, edge: str, side: Side, C: np.ndarray) -> np.ndarray:
        return self.scale * self._drawn[edge].images(side, C)

    def _rows(self, edge: str, side: Side, new: int, own: Own | None) -> np.ndarray:
        if own is None:
            self._drawn[edge].draw(side, new, self._draw(edge, side))
        return self.scale * self._drawn[edge].next_rows(side, new)


def isometry(draw: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """A Haar isometry (rows, columns), columns <= rows."""
    Q, R = np.linalg.qr(draw.standard_normal((rows, columns)))
    return np.asarray(Q * np.where(np.diagonal(R) < 0, -1.0, 1.0))


def triangle(draw: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """The R of the QR of a (rows, columns) matrix of independent N(0, 1) (Bartlett), whatever the
    number of rows: (min(rows, columns), columns).
    """
    kept = min(rows, columns)
    R = np.triu(draw.standard_normal((kept, columns)), 1)
    R[np.arange(kept), np.arange(kept)] = np.sqrt(draw.chisquare(rows - np.arange(kept)))
    return R


def store_of(network: Network, law: Any, key: Any) -> Law:
    """The store that draws from `law`. Raises `ValueError` for one whose law of what is left is not
    known here.
    """
    if isinstance(law, init.Gaussian):
        return Gaussian(network, law, key)
    if isinstance(law, init.Orthogonal):
        return Orthogonal(network, law, key)
    fail(
        "law",
        "be init.Gaussian or init.Orthogonal to be drawn without matrices",
        f"it is {shown(law)}",
        "Draw its weights, network.init(law, key=..., task=task), and pass them.",
    )
