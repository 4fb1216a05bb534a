"""The narrow network: the directions of the store that the signals of a pass really use."""

from collections.abc import Sequence
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


def choose(store: Store, columns: Columns, seen: Pass, shares: Sequence[float]) -> list[Choice]:
    """For each of `shares` the least bases at inner nodes that leave no more than this share of the
    signals outside, root mean square over columns and time.

    In time a column counts half evenly and half where its answer moves. The signals of the start
    are kept whole: strengths and growth at t = 0 are what differs between pathways."""
    weights = _weights_in_time(columns, seen)
    turns: list[Held] = [{} for _ in shares]
    for node in store.network.nodes:
        if node in store.complete or store.closed:
            found = [np.eye(store.size[node])] * len(shares)
        else:
            found = _chosen(store, columns, seen, node, weights, shares)
        for turn, basis in zip(turns, found, strict=True):
            turn[node] = basis
    return [Choice(turn, _turned(store, turn)) for turn in turns]


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


def _chosen(
    store: Store,
    columns: Columns,
    seen: Pass,
    node: str,
    weights: np.ndarray,
    shares: Sequence[float],
) -> list[np.ndarray]:
    """Orthonormal columns (size, k) at a node, for each of `shares`."""
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
    rest = tails(values)
    found = []
    for share in shares:
        basis = np.linalg.qr(np.hstack([kept, left[:, : int(np.argmax(rest <= share))]]))[0]
        # A node that no signal reaches keeps a unit, with weights of 0: nothing moves them.
        found.append(basis if basis.shape[1] else np.zeros((size, 1)))
    return found


def _scaled(columns: Columns, side: Side, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signals at a node, such that shares of them count, and by what they were multiplied."""
    scale = scale_of(columns, side, np.linalg.norm(rows, axis=0))
    return rows * scale, scale


def _span(A: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the columns' span, to rounding."""
    left, values, _ = np.linalg.svd(A, full_matrices=False)
    return left[:, values > 1e-10 * (values[0] if len(values) else 0.0)]
