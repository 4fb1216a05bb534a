"""The narrow network: the directions of the store that the signals of a pass really use."""

from typing import NamedTuple

import numpy as np

from racedyn.reduction.compression.columns import Columns
from racedyn.reduction.compression.growing import Pass
from racedyn.reduction.compression.signals import Held, scale_of, tails
from racedyn.reduction.compression.store import BACKWARD, FORWARD, Side, Store, longer


class Choice(NamedTuple):
    """**Fields:** `turns`: node -> orthonormal columns (size, k) in the store's basis; `weights`:
    edge -> the initial matrix in these, (k_target, k_source).
    """

    turns: Held
    weights: Held


class Ranked(NamedTuple):
    """Directions at a node, in the store's basis. **Fields:** `kept` (size, k): signals of the
    start, which are kept whole: strengths and growth at t = 0 are what differs between pathways;
    `rest` (size, k'): others, those that signals use most first; `tails` (k' + 1,): share of the
    signals that lies in all from the i-th on.
    """

    kept: np.ndarray
    rest: np.ndarray
    tails: np.ndarray

    def basis(self, share: float) -> np.ndarray:
        """Orthonormal columns (size, k) that leave no more than a share outside."""
        used = self.rest[:, : int(np.argmax(self.tails <= share))]
        basis = np.linalg.qr(np.hstack([self.kept, used]))[0]
        # A node that no signal reaches keeps a unit, with weights of 0: nothing moves them.
        return basis if basis.shape[1] else np.zeros((len(basis), 1))


def ranking(store: Store, columns: Columns, seen: Pass) -> dict[str, Ranked]:
    """Directions at inner nodes by the share of the signals of a pass that they hold, root mean
    square over columns and time.

    In time a column counts half evenly and half where its answer moves."""
    weights = _weights_in_time(columns, seen)
    return {
        node: _ranked(store, columns, seen, node, weights)
        for node in store.network.nodes
        if node not in store.complete
    }


def choose(store: Store, ranks: dict[str, Ranked], share: float) -> Choice:
    """The least bases at inner nodes that leave no more than a share of the signals outside; the
    store's own where that is closed, as nothing leaves them."""
    turns = {
        node: np.eye(size) if node not in ranks or store.closed else ranks[node].basis(share)
        for node, size in store.size.items()
    }
    return Choice(turns, _turned(store, turns))


def _turned(store: Store, turns: Held) -> Held:
    """The initial matrices in these bases."""
    return {
        edge: turns[target].T @ store.B[edge] @ turns[source]
        for edge, (source, target) in store.network.edges.items()
    }


def _weights_in_time(columns: Columns, seen: Pass) -> np.ndarray:
    """(look, column), a sum of 1 over looks."""
    units = columns.unit_targets()
    answers = np.asarray(
        [
            sum(np.sum(units[node] * rows, axis=0) for node, rows in signals.answers.items())
            for signals in seen.signals
        ]
    )
    even = np.full(answers.shape, 1 / len(answers))
    if len(answers) < 2:
        return even
    moves = np.abs(np.gradient(answers, axis=0))
    total = moves.sum(axis=0)
    return np.where(total > 0, (even + moves / np.where(total > 0, total, 1.0)) / 2, even)


def _ranked(store: Store, columns: Columns, seen: Pass, node: str, weights: np.ndarray) -> Ranked:
    size = store.size[node]
    parts, active = [], 0
    for weight, signals in zip(weights, seen.signals, strict=True):
        for side, held in ((FORWARD, signals.forward), (BACKWARD, signals.backward)):
            rows, scale = _scaled(columns, side, held[node])
            active = max(active, int(np.count_nonzero(scale[columns.learning])))
            weighted = rows * np.sqrt(np.tile(weight, rows.shape[1] // columns.num))
            parts.append(longer(weighted, size))
    first = seen.signals[0]
    kept = _span(
        longer(
            np.hstack(
                [
                    _scaled(columns, FORWARD, first.forward[node])[0],
                    _scaled(columns, BACKWARD, first.backward[node])[0][:, : columns.num],
                ]
            ),
            size,
        )
    )
    A = np.hstack(parts) / np.sqrt(max(active, 1))
    A = A - kept @ (kept.T @ A)
    # Columns are many more than rows. Values below 1e-8 of the largest drown in rounding, and no
    # share is as fine.
    squares, left = np.linalg.eigh(A @ A.T)
    left, values = left[:, ::-1], np.sqrt(np.maximum(squares[::-1], 0.0))
    return Ranked(kept, left, tails(values))


def _scaled(columns: Columns, side: Side, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signals at a node, such that shares of them count, and by what they were multiplied."""
    scale = scale_of(columns, side, np.linalg.norm(rows, axis=0))
    return rows * scale, scale


def _span(A: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the columns' span, to rounding."""
    left, values, _ = np.linalg.svd(A, full_matrices=False)
    return left[:, values > 1e-10 * (values[0] if len(values) else 0.0)]
