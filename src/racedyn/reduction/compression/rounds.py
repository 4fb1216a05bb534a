"""Rounds of passes, at ever finer shares, until the estimated error is within the tolerance."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from racedyn._checks import fail
from racedyn.reduction.compression.choice import Choice, choose, ranking
from racedyn.reduction.compression.columns import Columns
from racedyn.reduction.compression.growing import Rows, Schedule, grow, run_through
from racedyn.reduction.compression.marching import March, Reader, Room
from racedyn.reduction.compression.store import Store

_ORDER = 1.2  # in which the error falls with the share, at least
_FINER = 4  # than this error suggests is the share of the first pass,
_FIRST = 1.6  # and so many times coarser that of its first choice
_CHOICES = 6  # of directions of one pass, at most
_ROUNDS = 8  # of passes, each finer than the last
_FINEST = 1e-7  # share of a signal, above the rounding of what it is measured with


class Found(NamedTuple):
    """What the rounds came to. `rows` of the wide network; `outside`: the largest share of a signal
    that the pass ever left; `share`: what the narrow network leaves out.
    """

    rows: Rows
    outside: float
    choice: Choice
    estimate: dict[str, float]
    share: float


def narrowed(
    store: Store,
    columns: Columns,
    march: March,
    reader: Reader,
    schedule: Schedule,
    tolerance: float,
    max_share: float,
) -> Found:
    """Passes at ever finer shares, and of each ever finer choices, until the estimate is within the
    tolerance.

    A store that has grown is still that of the same weights: the next pass starts with it.
    """
    room = Room(store.network, growing=not store.closed)
    eps, again = float(np.sqrt(tolerance / 10)) / _FINER, False
    for left in reversed(range(_ROUNDS)):
        seen = grow(store, columns, march, reader, schedule, eps, room)
        ranks = ranking(store, columns, seen)
        share = _FIRST * eps

        def run(weights: Mapping[str, np.ndarray]) -> Rows:
            return run_through(columns, march, reader, schedule, weights, room)

        # All directions of the pass, known from the start: what those that it found on its way
        # changed before, it has missed.
        rows = run(store.B) if seen.late else seen.rows
        if store.closed:
            exact = dict.fromkeys(_estimated(rows), 0.0)
            return Found(rows, seen.outside, choose(store, ranks, share), exact, 0.0)
        missed = _distances(seen.rows, rows)
        worst = max(missed.values())
        last = not left or eps <= _FINEST
        for _ in range(_CHOICES):
            choice = choose(store, ranks, share)
            _check_shares(store, choice, tolerance, max_share)
            errors = _distances(run(choice.weights), rows)
            estimate = {name: error + missed[name] for name, error in errors.items()}
            found = Found(rows, seen.outside, choice, estimate, share)
            if 2 * max(estimate.values()) <= tolerance:
                return found
            if 4 * worst > tolerance and not last:
                break  # it is the pass that has to be better
            share *= _shrunk(tolerance / 2 - worst, max(errors.values()), least=0.5)
        if last:
            break
        # What it missed was mostly found late: the next one of this share knows it from the start.
        again = not again and 4 * worst > tolerance
        if not again:
            eps = max(_FINEST, eps * _shrunk(tolerance, 4 * worst, least=0.1))
    return found


def _distances(rows: Rows, others: Rows) -> dict[str, float]:
    return {name: distance(rows[name], others[name]) for name in _estimated(rows)}


def _estimated(rows: Rows) -> list[str]:
    return [name for name in ("strength", "loss") if name in rows]


def _shrunk(wanted: float, error: float, least: float) -> float:
    """What a share is multiplied by for the error that is wanted; by `least` at least, as errors
    may fall faster than they are known to.
    """
    ratio = max(0.0, wanted) / error if error > 0 else 1.0
    return float(np.clip(ratio ** (1 / _ORDER), least, 0.8))


def distance(rows: np.ndarray, others: np.ndarray) -> float:
    """Relative L2 distance over a run, of what both know; infinite where a run went there."""
    known = np.isfinite(others)
    size = np.linalg.norm(others[known])
    found = np.linalg.norm((rows - others)[known]) / size if size else 0.0
    return float(found) if np.isfinite(found) else np.inf


def _check_shares(store: Store, choice: Choice, tolerance: float, max_share: float) -> None:
    """Refuse bases that come near the width, unless nothing leaves them."""
    if store.closed:
        return
    for node, (width, _) in store.network.nodes.items():
        size = choice.turns[node].shape[1]
        if node not in store.complete and size > max_share * width:
            fail(
                "network",
                f"be wider at {node!r} to be compressed to {tolerance:g}",
                f"that takes {size} directions of {width} there, more than max_share={max_share:g}",
                f"A width of {int(np.ceil(size / max_share))}, a larger tolerance, or max_share=1 "
                "goes on.",
            )
