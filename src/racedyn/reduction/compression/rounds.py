"""Rounds of passes, at ever finer shares, until the estimated error is within the tolerance."""

from typing import NamedTuple

import numpy as np

from racedyn._checks import fail
from racedyn.reduction.compression.choice import Choice, choose
from racedyn.reduction.compression.columns import Columns
from racedyn.reduction.compression.growing import Pass, Schedule, grow, run_through
from racedyn.reduction.compression.marching import March, Reader
from racedyn.reduction.compression.store import Store

ESTIMATED = ("strength", "loss")
_ORDER = 1.2  # in which the error falls with the share, at least
_ROUNDS = 8  # of a pass at a finer share, each at least 1.4 times as fine
_FINEST = 1e-7  # share of a signal, above the rounding of what it is measured with


class Found(NamedTuple):
    """What the rounds came to."""

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
    """Passes at ever finer shares, until the estimate is within the tolerance.

    A store that has grown is still that of the same weights: the next pass starts with it.
    """
    eps = np.sqrt(tolerance / 10)
    for number in range(_ROUNDS):
        seen = grow(store, columns, march, reader, schedule, eps)
        fine, coarse = choose(store, columns, seen, (eps, 3 * eps))
        _check_shares(store, fine, tolerance, max_share)
        estimate = dict.fromkeys([name for name in ESTIMATED if name in seen.rows], 0.0)
        if store.closed:
            break
        last = eps <= _FINEST or number == _ROUNDS - 1
        for choice, part in ((fine, 1.0), (coarse, 1 / 9)):
            rows = run_through(store, columns, march, reader, schedule, choice.weights, seen.width)
            for name in estimate:
                estimate[name] += part * distance(rows[name], seen.rows[name])
            worst = max(estimate.values()) + eps**2 / 100
            if 2 * worst > tolerance and not last:  # a finer round is needed in any case
                break
        estimate = {name: float(error + eps**2 / 100) for name, error in estimate.items()}
        if 2 * worst <= tolerance or last:
            break
        eps = max(_FINEST, eps * min((tolerance / (2 * worst)) ** (1 / _ORDER), 0.7))
    return Found(seen, fine, estimate, float(eps))


def distance(rows: np.ndarray, others: np.ndarray) -> float:
    """Relative L2 distance over a run, of what both know."""
    known = np.isfinite(others)
    size = np.linalg.norm(others[known])
    return float(np.linalg.norm((rows - others)[known]) / size) if size else 0.0


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
