"""Several seeds of one run as one curve: their median, and a shade from the lowest to the
highest.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn.comparison import check_comparable, members_of
from racedyn.plot import style
from racedyn.trajectory import Trajectory

_SHADE = 0.15
_MANY = 10  # runs, from which the outermost of them are no longer what is shown


def as_seeds(argument: str, given: Trajectory | Sequence[Trajectory]) -> tuple[Trajectory, ...]:
    """One trajectory, or several that can be put over each other: comparable, at the same times;
    an ensemble is its members.

    Raises `TypeError` for what is no trajectory, `ValueError` for none at all, for runs that
    `compare` refuses, and for times that differ."""
    runs = tuple(given) if isinstance(given, list | tuple) else (given,)
    if wrong := [type(run).__name__ for run in runs if not isinstance(run, Trajectory)]:
        fail(
            argument,
            "be a Trajectory or a list of them",
            f"it is or holds {wrong[0]}",
            error=TypeError,
        )
    if not runs:
        fail(argument, "be at least one trajectory", "the list is empty")
    if len(runs) == 1:
        return one_by_one(runs[0])
    first = np.asarray(runs[0].ts)
    for i, run in enumerate(runs[1:], start=1):
        try:
            check_comparable(run, runs[0])
        except ValueError as error:
            raise ValueError(
                f"`{argument}` number {i} as theory, number 0 as trained: {error}"
            ) from error
        ts = np.asarray(run.ts)
        # To rounding: times kept in float32 are the same times.
        if ts.shape != first.shape or not np.allclose(
            ts, first, rtol=1e-5, atol=1e-6 * np.ptp(first)
        ):
            fail(
                argument,
                "be saved at the same times, as one median and spread are drawn",
                f"number 0 has {_span(first)} and number {i} {_span(ts)}",
                "Train with the same lr, steps and save_every, leave out runs that stopped early, "
                "or simulate with "
                "ts=trained.ts.",
            )
    return runs


def one_by_one(run: Trajectory) -> tuple[Trajectory, ...]:
    """The members of an ensemble, or the run itself."""
    return (run,) if run.members is None else tuple(members_of(run))


def _span(ts: np.ndarray) -> str:
    return f"{ts.size} times" + (f" from {ts.min():.4g} to {ts.max():.4g}" if ts.size else "")


def draw(ax: Any, ts: Any, curves: np.ndarray, *, fill: bool = True, **look: Any) -> None:
    """The median of `curves` (seed, time) against `ts`, with markers where rows are few; from two
    seeds on, their range (`band`).

    The range is a shade with thin edges, which tell shades that overlap apart, or its edges alone.
    """
    ts = np.asarray(ts)
    lowest, middle, highest = band(curves)
    (median,) = ax.plot(ts, middle, **style.row_markers(ts), **look)
    if len(curves) < 2:
        return
    edge: dict[str, Any] = {"color": median.get_color(), "zorder": 1.5}
    if fill:
        ax.fill_between(ts, lowest, highest, alpha=_SHADE, linewidth=0, **edge)
    for bound in (lowest, highest):
        ax.plot(ts, bound, linewidth=0.5, alpha=0.6, linestyle=median.get_linestyle(), **edge)


def band(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lowest, median and highest over seeds of `values` (seed, ...), of more than ten the inner 80
    %. NaN is left out.
    """
    tail = 0.1 if len(values) > _MANY else 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where all have failed
        lowest, middle, highest = np.nanquantile(values, (tail, 0.5, 1 - tail), axis=0)
    return lowest, middle, highest


def range_handles(count: int) -> list[Any]:
    """The legend's entry for the range, where there is one."""
    from matplotlib.patches import Patch

    label = "10 to 90 %" if count > _MANY else "lowest to highest"
    return (
        [Patch(facecolor="0.85", edgecolor="0.5", linewidth=0.5, label=label)] if count > 1 else []
    )


def counted(name: str, count: int) -> str:
    """What a curve is called: that it is a median is part of its name."""
    return name if count == 1 else f"{name}, median of {count} seeds".removeprefix(", ")
