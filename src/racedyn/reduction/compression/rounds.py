"""Rounds of passes, at ever finer shares, until the estimated error is within the tolerance."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from racedyn._checks import fail
from racedyn.reduction.compression.choice import Choice, Ranked, choose, ranking
from racedyn.reduction.compression.columns import Columns
from racedyn.reduction.compression.growing import Rows, Schedule, grow, run_through
from racedyn.reduction.compression.marching import March, Reader, Room
from racedyn.reduction.compression.store import Store

_ORDER = 1.2  # in which the error falls with the share, at least
# Where the search begins: sqrt(tolerance / 10) / _FINER for the pass, _FIRST times that for its
# first choice; the fastest of three tried on README's network and a wide one. It decides how long
# it takes; whether it ends, the estimate.
_FINER, _FIRST = 4, 1.6
_CHOICES = 6  # of directions of one pass, at most
_SLACK = 3  # in units of the estimate: where the tolerance leaves more, a coarser choice is tried
_ROUNDS = 8  # of passes
_FINEST = 1e-7  # share of a signal, above the rounding of what it is measured with


class Found(NamedTuple):
    """A narrow network. `choice` of directions; `estimate` of its error; `share` of signals that it
    leaves out."""

    choice: Choice
    estimate: dict[str, float]
    share: float

    def holds(self, tolerance: float) -> bool:
        return 2 * max(self.estimate.values()) <= tolerance


class Narrowed(NamedTuple):
    """What the rounds came to. `rows` of the wide network; `outside`: the largest share of a signal
    that the last pass ever left outside the store."""

    found: Found
    rows: Rows
    outside: float


def narrowed(
    store: Store,
    columns: Columns,
    march: March,
    reader: Reader,
    schedule: Schedule,
    tolerance: float,
    max_share: float,
) -> Narrowed:
    """Passes at ever finer shares, and of each a choice of its directions, until the estimate is
    within the tolerance.

    A store that has grown is still that of the same weights: the next pass starts with it.
    """
    room = Room(store.network, growing=not store.closed)

    def run(weights: Mapping[str, np.ndarray]) -> Rows:
        return run_through(columns, march, reader, schedule, weights, room)

    eps, again = float(np.sqrt(tolerance / 10)) / _FINER, False
    for left in reversed(range(_ROUNDS)):
        seen = grow(store, columns, march, reader, schedule, eps, room)
        ranks = ranking(store, columns, seen)
        # All directions of the pass, known from the start: what those that it found on its way
        # changed before, it has missed.
        rows = run(store.B) if seen.late else seen.rows
        missed = _distances(seen.rows, rows)
        if store.closed:
            exact = Found(choose(store, ranks, eps), dict.fromkeys(missed, 0.0), 0.0)
            return Narrowed(exact, rows, seen.outside)
        last = not left or eps <= _FINEST
        # The pass; no choice of it is any better. What it found late tells what it missed: if that
        # was nothing, nothing is known of what is finer.
        poor = not seen.late or 4 * max(missed.values()) > tolerance
        if last or not poor:
            judged = partial(_judged, store, ranks, run, rows, missed)
            found = _coarsest(judged, _FIRST * eps, tolerance)
            if last or found.holds(tolerance):
                _check_shares(store, found.choice, tolerance, max_share)
                return Narrowed(found, rows, seen.outside)
        # What it missed was mostly found late: the next one of this share knows it from the start.
        again = seen.late and poor and not again
        if not again:
            finer = _factor(tolerance, 4 * max(missed.values()), 0.1, 0.8) if seen.late else 0.1
            eps = max(_FINEST, eps * finer)
    raise AssertionError("the last round returns")


def _judged(
    store: Store,
    ranks: dict[str, Ranked],
    run: Callable[[Mapping[str, np.ndarray]], Rows],
    rows: Rows,
    missed: dict[str, float],
    share: float,
) -> Found:
    """The choice that leaves out this share, and how far its run is from `rows`."""
    choice = choose(store, ranks, share)
    errors = _distances(run(choice.weights), rows)
    return Found(choice, {name: errors[name] + missed[name] for name in errors}, share)


def _coarsest(judged: Callable[[float], Found], share: float, tolerance: float) -> Found:
    """About the coarsest choice that holds the tolerance, found from a first one; all directions
    where none of those tried does."""
    held = None
    for _ in range(_CHOICES):
        found = judged(share)
        worst = max(found.estimate.values())
        if found.holds(tolerance):
            held = found
            if 2 * worst * _SLACK > tolerance:
                break
            share *= _factor(tolerance, 2 * worst, 1.25, 2.0)
        elif held is not None:
            break
        else:
            share *= _factor(tolerance, 2 * worst, 0.5, 0.8)
    return judged(0.0) if held is None else held


def _distances(rows: Rows, others: Rows) -> dict[str, float]:
    names = [name for name in ("strength", "loss") if name in rows]
    return {name: distance(rows[name], others[name]) for name in names}


def _factor(wanted: float, error: float, least: float, most: float) -> float:
    """What a share is multiplied by for the error that is wanted, within bounds, as errors fall
    faster than they are known to."""
    ratio = wanted / error if error > 0 else np.inf
    return float(np.clip(ratio ** (1 / _ORDER), least, most))


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
