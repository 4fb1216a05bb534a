"""Rounds of passes, at ever finer shares, until the estimated error is within the tolerance."""

from typing import NamedTuple

import numpy as np

from racedyn._checks import fail
from racedyn.reduction.compression.choice import Choice, choose, ranking
from racedyn.reduction.compression.columns import Columns
from racedyn.reduction.compression.growing import Pass, Schedule, grow, run_through
from racedyn.reduction.compression.marching import March, Reader
from racedyn.reduction.compression.store import Store

_ORDER = 1.2  # in which the error falls with the share, at least
_COARSER = 3  # the first choice's share, in units of the pass's
_CHOICES = 4  # of directions of one pass, at most
_ROUNDS = 8  # of passes, each finer than the last
_FINEST = 1e-7  # share of a signal, above the rounding of what it is measured with


class Found(NamedTuple):
    """What the rounds came to. `share`: of the signals, that the narrow network leaves out."""

    seen: Pass
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
    eps = float(np.sqrt(tolerance / 10)) / (2 * _COARSER)
    for left in reversed(range(_ROUNDS)):
        seen = grow(store, columns, march, reader, schedule, eps)
        ranks = ranking(store, columns, seen)
        last = not left or eps <= _FINEST
        share, left_out = _COARSER * eps, dict[str, float]()
        for _ in range(_CHOICES):
            choice = choose(store, ranks, share)
            _check_shares(store, choice, tolerance, max_share)
            if store.closed:
                return Found(seen, choice, dict.fromkeys(_estimated(seen), 0.0), 0.0)
            rows = run_through(columns, march, reader, schedule, choice.weights, seen.room)
            errors = {name: distance(rows[name], seen.rows[name]) for name in _estimated(seen)}
            # The first choice, coarser than the pass, shows what one of the pass's share would
            # leave out, and so what the pass itself has left out.
            left_out = left_out or {
                name: error / _COARSER**2 + eps**2 / 100 for name, error in errors.items()
            }
            estimate = {name: error + left_out[name] for name, error in errors.items()}
            if 2 * max(estimate.values()) <= tolerance:
                return Found(seen, choice, estimate, float(share))
            worst = max(left_out.values())
            if 4 * worst > tolerance and not last:
                break  # it is the pass that has to be finer
            share *= _shrunk((tolerance / 2 - worst) / max(errors.values()))
        if last:
            break
        eps = max(_FINEST, eps * _shrunk(tolerance / (4 * worst)))
    return Found(seen, choice, estimate, float(share))


def _estimated(seen: Pass) -> list[str]:
    return [name for name in ("strength", "loss") if name in seen.rows]


def _shrunk(error: float) -> float:
    """What a share is multiplied by for an error that is to be this many times as large."""
    return float(np.clip(max(0.0, error) ** (1 / _ORDER), 0.1, 0.8))


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
