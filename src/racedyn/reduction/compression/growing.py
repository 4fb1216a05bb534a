"""One pass through learning: the network of the store goes on in time, and the store grows.

W(t) = W(0) + H dB(t) H^T is the wide network itself as long as nothing that matters was left
outside the bases, so that a store that grows needs no restart: what is new stands where weight
decay has left W(0), which is known there."""

from itertools import pairwise
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from racedyn._checks import fail
from racedyn.reduction.compression.columns import Columns
from racedyn.reduction.compression.marching import March, Reader, Room, cut, rows_of
from racedyn.reduction.compression.signals import Looked, Signals, Weights, look
from racedyn.reduction.compression.store import Store

SEGMENTS = 60
_DOUBLINGS = 40  # of the time in which a network is to have learned
_LEARNED = 1e-6  # of the loss: what may be left then
_AGAIN = 2  # times a segment is gone through again, at most
_GROWN = 2.0  # in units of eps: what may have lain outside the store at the end of a segment


class Schedule(NamedTuple):
    """Where rows are, in steps or in time. `spans` (segment, row): from each mark to the next;
    `wanted` (segment, row): whether it is a row of the run, or a mark for the sake of the segments.
    """

    spans: np.ndarray
    wanted: np.ndarray

    @property
    def marks(self) -> np.ndarray:
        """All of them, the start included."""
        return np.concatenate(
            [[0], np.cumsum(self.spans).reshape(self.spans.shape)[self.spans > 0]]
        )

    @property
    def rows(self) -> np.ndarray:
        """Which marks are rows of the run, the start included."""
        return np.concatenate([[True], self.wanted[self.spans > 0]])


def schedule_of_steps(steps: int) -> Schedule:
    """About 480 rows, in sixty segments; fewer where there are fewer steps."""
    return _schedule(np.unique(np.round(np.linspace(0, steps, 8 * SEGMENTS + 1)).astype(int)), None)


def schedule_of_times(ts: np.ndarray) -> Schedule:
    """Rows at `ts`, increasing from 0, and marks between them where they are few."""
    finer = -(-4 * SEGMENTS // max(len(ts) - 1, 1))
    parts = [np.linspace(a, b, finer, endpoint=False) for a, b in pairwise(ts)]
    marks = np.concatenate([*parts, ts[-1:]])
    return _schedule(marks, np.arange(len(marks)) % finer == 0)


def _schedule(marks: np.ndarray, wanted: np.ndarray | None) -> Schedule:
    spans = np.diff(marks)
    wanted = np.ones(len(spans), bool) if wanted is None else wanted[1:]
    rows = max(1, -(-len(spans) // SEGMENTS))
    missing = -len(spans) % rows  # spans of 0, which are no rows, fill the last segment
    shape = -1, rows
    return Schedule(
        np.concatenate([spans, np.zeros(missing, spans.dtype)]).reshape(shape),
        np.concatenate([wanted, np.zeros(missing, bool)]).reshape(shape),
    )


def until_learned(store: Store, columns: Columns, march: March, reader: Reader) -> Schedule:
    """Times from 0 to where the zero sweep has learned all but a millionth of the loss, and half as
    long again, as it may be late.

    Raises `ValueError` where it has not, however long it goes on."""
    room = Room(store.network)
    network, weights = room.filled(store.B)

    def on(span: float) -> float:
        nonlocal weights
        spans = jnp.asarray([span])
        weights, rows = rows_of(march, reader, network, columns.data, weights, spans)
        return float(rows["loss"][0]) - columns.floor

    start = on(0.0)
    span = total = 1.0 / float(np.max(columns.asked) ** 2 * columns.weight)
    for _ in range(_DOUBLINGS):
        if on(span) <= _LEARNED * start:
            return schedule_of_times(np.linspace(0.0, 1.5 * total, 8 * SEGMENTS + 1))
        span, total = total, 2 * total
    fail(
        "ts",
        "be given where learning does not come to an end",
        f"the loss is above its floor at t = {total:.3g}",
        "For example ts=np.linspace(0, 240, 481).",
    )


Rows = dict[str, np.ndarray]  # observable -> (mark, ...)


class Pass(NamedTuple):
    """**Fields:** `rows`: observable -> (mark, ...); `signals`, at the start and at the ends of
    segments; `outside`: the largest share of a signal that was ever left outside the store;
    `late`: whether it found directions after its first look.
    """

    rows: Rows
    signals: list[Signals]
    outside: float
    late: bool


class Diverged(ArithmeticError):
    """The loss was no longer finite; `mark`: at which row."""

    def __init__(self, mark: float):
        super().__init__(f"The loss is not finite at {mark}.")
        self.mark = mark


def grow(
    store: Store,
    columns: Columns,
    march: March,
    reader: Reader,
    schedule: Schedule,
    eps: float,
    room: Room,
) -> Pass:
    """Go through `schedule` from the initial weights. Raises `Diverged`."""

    def seen(weights: Weights, gone: float) -> Looked:
        shrunk = march.shrunk(gone)
        return look(store, columns, weights, shrunk=shrunk, eps=eps, stages=march.stages)

    here = seen(store.B, 0.0)
    blocks = [_row(march, reader, columns, room, here.weights, schedule.spans[0])]
    known = dict(store.size)
    signals, outside, gone = [here.signals], here.after, 0.0
    for spans in schedule.spans:
        for again in range(_AGAIN + 1):
            start = here.weights
            narrow, weights = room.filled(start)
            after, rows = rows_of(march, reader, narrow, columns.data, weights, jnp.asarray(spans))
            _check_finite(rows["loss"], gone + np.cumsum(spans))
            there = seen(cut(after, start), gone + float(spans.sum()))
            if there.before <= _GROWN * eps or again == _AGAIN:
                break
            here = seen(start, gone)  # the same weights, with the directions that are new
        gone += float(spans.sum())
        here = there
        outside = max(outside, there.after)
        signals.append(there.signals)
        blocks.append({name: np.asarray(values)[spans > 0] for name, values in rows.items()})
    joined = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    return Pass(joined, signals, outside, store.size != known)


def run_through(
    columns: Columns, march: March, reader: Reader, schedule: Schedule, weights: Weights, room: Room
) -> Rows:
    """The rows of a network in fixed bases through `schedule`."""
    narrow, now = room.filled(weights)
    blocks = [_row(march, reader, columns, room, weights, schedule.spans[0])]
    for spans in schedule.spans:
        now, rows = rows_of(march, reader, narrow, columns.data, now, jnp.asarray(spans))
        blocks.append({name: np.asarray(values)[spans > 0] for name, values in rows.items()})
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _row(
    march: March, reader: Reader, columns: Columns, room: Room, weights: Weights, like: np.ndarray
) -> Rows:
    """The first row: that of a network that goes nowhere."""
    narrow, now = room.filled(weights)
    _, rows = rows_of(march, reader, narrow, columns.data, now, jnp.zeros_like(like))
    return {name: np.asarray(values)[:1] for name, values in rows.items()}


def _check_finite(loss: object, marks: np.ndarray) -> None:
    finite = np.isfinite(np.asarray(loss))
    if not finite.all():
        raise Diverged(float(marks[int(np.argmin(finite))]))
