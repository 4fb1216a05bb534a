"""Which part of the axis of time is shown, and on which scale."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from racedyn._checks import check_name, fail

SCALES = ("auto", "linear", "log")
_QUIET = 0.01  # of all changes, before and after what is shown
_SMALL = 0.1  # of the axis


def happening(ts: np.ndarray, curves: Sequence[np.ndarray]) -> tuple[float, float]:
    """Between which times curves (time, ...) change: all but a hundredth of what they do together
    before, and after.
    """
    change = np.zeros(max(len(ts) - 1, 0))
    for curve in curves:
        steps = np.abs(np.diff(np.asarray(curve, float).reshape(len(ts), -1), axis=0))
        change += np.where(np.isfinite(steps), steps, 0.0).sum(axis=1)
    total = np.concatenate([[0.0], np.cumsum(change)])
    if not total[-1] > 0:
        return float(ts[0]), float(ts[-1])
    first = int(np.searchsorted(total, _QUIET * total[-1], side="right")) - 1
    last = int(np.searchsorted(total, (1 - _QUIET) * total[-1]))
    return float(ts[first]), float(ts[last])


def show(
    axes: Sequence[Any],
    ts: Any,
    curves: Sequence[np.ndarray],
    scale: str,
    xlim: tuple[float, float] | None,
    own: bool,
) -> None:
    """The scale and limits of axes of time.

    "auto", on axes of our own: where all happens in less than a tenth of the axis that part of it,
    logarithmic where it goes over more than a decade. `xlim` is shown as it is."""
    check_name("time", scale, SCALES)
    ts = np.asarray(ts, float)
    limits = None if xlim is None else _checked(xlim)
    if scale == "auto" and own and limits is None and len(ts) > 1:
        scale, limits = _told(ts, *happening(ts, curves))
    for ax in axes:
        if scale == "log":
            positive = ts[ts > 0]
            ax.set_xscale("log")
            if limits is None and len(positive) > 1:
                ax.set_xlim(positive[0], positive[-1])
        if limits is not None:
            ax.set_xlim(*limits)


def _told(ts: np.ndarray, start: float, stop: float) -> tuple[str, tuple[float, float] | None]:
    lasts = stop - start
    if lasts >= _SMALL * (ts[-1] - ts[0]):
        return "linear", None
    if start > 0 and stop > 10 * start:
        return "log", None
    return "linear", (max(float(ts[0]), start - lasts), min(float(ts[-1]), stop + lasts))


def _checked(xlim: tuple[float, float]) -> tuple[float, float]:
    low, high = map(float, xlim)
    if not -np.inf < low < high < np.inf:
        fail("xlim", "be (first, last) time, finite and rising", f"it is {xlim!r}")
    return low, high
