"""When a mode is learned, and how well the saved rows tell."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from racedyn._text import clipped
from racedyn._types import MEMBER, MODE
from racedyn.trajectory import Labelled

WITHIN = 0.1  # of the time since the start: the widest bounds of a time that is given as a number


@dataclasses.dataclass(frozen=True, eq=False)
class LearningTimes:
    """When each mode is learned, as well as the saved rows tell. NumPy takes it as `times`.

    **Fields:**

    - `times`: (mode,), in the run's unit of time, linear between rows; NaN where the bounds are too
      far apart. Of an ensemble (member, mode), as all that follows.
    - `bounds`: (mode, 2), earliest and latest: (-inf, first row) where a mode is learned at the
      first row already, (last row, inf) where it is not learned yet at the last one; NaN where
      there is no such mode or it has no target.
    - `start`: when the run began.
    - `modes`: their names; empty where they have none.
    """

    times: np.ndarray
    bounds: np.ndarray
    start: float = 0.0
    modes: tuple[str, ...] = ()

    @property
    def of_members(self) -> bool:
        """Whether they are those of an ensemble."""
        return self.times.ndim > 1

    @property
    def known(self) -> np.ndarray:
        """Where there is a number, (mode,)."""
        return np.isfinite(self.times)

    @property
    def between_rows(self) -> np.ndarray:
        """Where a mode is learned between two rows that are too far apart to tell when, (mode,)."""
        return np.isfinite(self.bounds).all(axis=-1) & ~self.known

    @property
    def not_learned(self) -> np.ndarray:
        """Where a mode is not learned yet at the last row, (mode,)."""
        return np.isposinf(self.bounds[..., 1])

    def member(self, index: int) -> "LearningTimes":
        """Those of one member of an ensemble, each (mode,)."""
        return dataclasses.replace(self, times=self.times[index], bounds=self.bounds[index])

    def text(self, mode: int) -> str:
        """15.82, or what is known of it: 2.1-12.5, < 12.5 (since the start), <= 0 (at the first
        row), > 240, or -. Of an ensemble: 15.8 (14.2 to 17.1), the median of those that are known
        and their range, with how many these are where they are not all.
        """
        if self.of_members:
            return spread(self.times[:, mode])
        (earliest, latest), time = self.bounds[mode], self.times[mode]
        if np.isfinite(time):
            return f"{time:.4g}"
        if np.isnan(latest):
            return "-"
        if np.isposinf(latest):
            return f"> {earliest:.4g}"
        if np.isneginf(earliest):
            return f"<= {latest:.4g}"
        return f"< {latest:.4g}" if earliest <= self.start else f"{earliest:.4g}-{latest:.4g}"

    def labelled(self) -> Labelled:
        """`learning_time`, `earliest` and `latest` as arrays with named axes, mode and member.

        >>> race = rd.systems.Pathways([2.0, 1.0], (2, 2), q=0.1, p=[[0.2], [0.1]])
        >>> times = rd.learning_times(rd.simulate(race, ts=np.linspace(0.0, 10.0, 101)))
        >>> times.labelled()["learning_time"].round(2).tolist()
        [1.34, 2.28]
        """
        axes = (MEMBER, MODE)[-self.times.ndim :]
        arrays = {
            "learning_time": self.times,
            "earliest": self.bounds[..., 0],
            "latest": self.bounds[..., 1],
        }
        meanings = {
            "learning_time": ("when a mode is learned", ""),
            "earliest": ("the earliest that it can be", ""),
            "latest": ("the latest that it can be", ""),
        }
        coordinates = {MODE: np.asarray(self.modes)} if self.modes else {}
        return Labelled(arrays, {name: axes for name in arrays}, coordinates, meanings)

    def __len__(self) -> int:
        return len(self.times)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.times, dtype=dtype)

    def __str__(self) -> str:
        return ", ".join(map(self.text, range(self.times.shape[-1])))

    def __repr__(self) -> str:
        members = f"{len(self)} members: " if self.of_members else ""
        return clipped(f"LearningTimes({members}{self})")


def stacked_times(each: Sequence[LearningTimes]) -> LearningTimes:
    """Those of several runs, with an axis in front."""
    return LearningTimes(
        np.stack([one.times for one in each]),
        np.stack([one.bounds for one in each]),
        each[0].start,
        each[0].modes,
    )


def spread(values: np.ndarray, form: str = ".4g") -> str:
    """Median, smallest and largest of what is finite, and how many these are where not all."""
    known = values[np.isfinite(values)]
    if not len(known):
        return "-"
    middle, low, high = (format(f(known), form) for f in (np.median, np.min, np.max))
    counted = "" if len(known) == len(values) else f"; {len(known)} of {len(values)}"
    return f"{middle} ({low} to {high}{counted})"


def first_reached(
    ts: np.ndarray, values: np.ndarray, target: np.ndarray, *, start: float, within: float = WITHIN
) -> LearningTimes:
    """When each column of `values` (time, mode) first reaches `target` (mode,), from the side of
    zero.

    A sum that ends below zero is followed downwards; a target of 0 is no target. What is not finite
    tells nothing."""
    bounds = np.full((len(target), 2), np.nan)
    times = np.full(len(target), np.nan)
    for mode, (column, goal) in enumerate(zip(values.T, target, strict=True)):
        rows = np.isfinite(column)
        if goal and np.isfinite(goal) and rows.any():
            times[mode], *bounds[mode] = _crossing(
                ts[rows], column[rows] * np.sign(goal), abs(goal)
            )
    vague = bounds[:, 1] - bounds[:, 0] > within * (times - start)
    return LearningTimes(np.where(vague, np.nan, times), bounds, start)


def first_fallen(
    ts: np.ndarray, loss: np.ndarray, level: float, *, within: float = WITHIN
) -> LearningTimes:
    """When a loss (time,), which falls, is first down to `level` > 0: the learning time of one
    mode.
    """
    loss = np.asarray(loss, float)
    top = max(float(np.max(loss, initial=0.0, where=np.isfinite(loss))), 2 * level)
    ts = np.asarray(ts, float)
    return first_reached(
        ts, (top - loss)[:, None], np.array([top - level]), start=float(ts[0]), within=within
    )


def _crossing(ts: np.ndarray, values: np.ndarray, goal: float) -> tuple[float, float, float]:
    """When the curve through `values` first reaches `goal`: its guess, and the earliest and latest
    that it can be.

    It lies between two rows; how narrowly is told by the rows beside them. Where the curve is as
    steep between the two as it is on either side, lines of those slopes through both rows bound it:
    the error of linear interpolation, which falls with the square of the rows' distance. Where it
    stands still on one side, or there are no rows, the rise may be anywhere between the two."""
    reached = values >= goal
    if not reached.any():
        return np.nan, float(ts[-1]), np.inf
    after = int(np.argmax(reached))
    if after == 0:
        return np.nan, -np.inf, float(ts[0])
    (begin, end), (low, high) = ts[after - 1 : after + 1], values[after - 1 : after + 1]
    guess = float(begin + (end - begin) * (goal - low) / (high - low))
    beside = [(after - 2, after - 1), (after, after + 1)]
    if (
        begin == end
        or after < 2
        or after + 1 == len(ts)
        or any(values[j] <= values[i] for i, j in beside)
    ):
        return guess, float(begin), float(end)
    # Time per unit of the value: rows at one time make it 0, not infinite.
    pace = [(ts[j] - ts[i]) / (values[j] - values[i]) for i, j in beside]
    lines = [begin + (goal - low) * each for each in pace] + [
        end - (high - goal) * each for each in pace
    ]
    return guess, float(max(begin, min(guess, *lines))), float(min(end, max(guess, *lines)))
