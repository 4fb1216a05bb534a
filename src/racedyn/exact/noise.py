"""Noise of labels makes two pathways share a mode again: the slow motion along the valley of fits.

Targets K x + e, with e orthogonal to x over all examples, are fitted best wherever K_1 + K_2 = K.
Descent of batches of B examples goes on to move there by steps a along the gradient g of
f = K_1 + K_2, of which E a^2 = lr^2 s^2 / (1 - lr h / 2), s^2 = sigma^2 d / B the variance of the
gradient by f and h = d |g|^2 the sharpness. Each is -a^2 grad |g|^2 / 4 off the flow by f, so that
weights drift down the trace of the Hessian, h, at lr sigma^2 / (4 B (1 - lr h / 2)), the rate of
[Damian21]. A balanced pathway has |g_a|^2 = D K_a^(2-2/D), which is also dK_a^2 / |dW_a|^2. With
r = 2 - 2/D, w = K_1 / K and v = 1 - w, in units of B / (lr sigma^2 d K^(2-4/D)) of flow time,

    w' = -D (D-1) / 2  (w v)^r / (w^r + v^r)  (w^(1-2/D) - v^(1-2/D))  /  (1 - f (w^r + v^r))

f is the step in units of 2 / sharpness of the end that one pathway has alone, 2 / (d D K^r)."""

from typing import Any

import numpy as np

from racedyn._arrays import as_real
from racedyn._checks import check_positive_int, fail, shown
from racedyn.exact.concentration import alike

_POINTS = 20_001  # of the one curve that all starts are on
_FIRST, _LAST = 37.0, 1e-9  # ln(w / v) on it: the last share before 1 to equal ones


def spreading_rate(share: Any, depth: int, step: float = 0.0) -> np.ndarray:
    """dw / dtau of the share w that one of two equal pathways has of a mode, under noise of labels,
    tau = lr sigma^2 d K^(2-4/D) t / B with t in flow time.

    `share` w between 0 and 1, a number or an array; the result is shaped like it, below 0 where
    w > 1/2. sigma^2: variance of what is in a target and can't be fitted; B: examples in a batch
    (drawn from P without repeats, B (P - 1) / (P - B)). `step`: lr in units of 2 / sharpness of the
    end at which one pathway has all, 2 / (d D K^(2-2/D)), below 1. For balanced pathways, fitted up
    to small fluctuations. Raises `ValueError` for depths below 3 and numbers out of range.

    **Source:** [Damian21] for the drift; this case in docs/concentration.md.

        >>> rd.exact.spreading_rate([0.5, 0.7, 0.9, 1.0], depth=4).round(3).tolist()
        [0.0, -0.222, -0.116, 0.0]
    """
    D, f = _deep(depth), _below_one("step", step)
    w = np.asarray(as_real("share", share), float)
    if not ((w >= 0) & (w <= 1)).all():
        fail("share", "be between 0 and 1", f"it is {shown(share)}")
    return _rate(w, 1 - w, D, f)


def share_under_noise(time: Any, start: Any, depth: int, step: float = 0.0) -> np.ndarray:
    """The share of one of two equal pathways after `time` tau of `spreading_rate`, from `start`.

    `time` (at least 0) and `start`, between 1/2 and 1, are numbers or arrays that broadcast; known
    to 1e-5. Raises as `spreading_rate` does. From 1 - v it takes about
    2 / ((D-1) (D-2)) v^-(1-2/D) to come down, longer than any time where one pathway has all.

    **Source:** as of `spreading_rate`.

        >>> rd.exact.share_under_noise([0.0, 1.0, 2.0, 4.0], start=0.9, depth=4).round(3).tolist()
        [0.9, 0.711, 0.555, 0.503]
    """
    D, f = _deep(depth), _below_one("step", step)
    tau, w = (np.asarray(as_real(n, x), float) for n, x in (("time", time), ("start", start)))
    if not (tau >= 0).all():
        fail("time", "be at least 0", f"it is {shown(time)}")
    if not ((w >= 0.5) & (w <= 1)).all():
        fail("start", "be between 1/2 and 1", f"it is {shown(start)}")
    # The motion has no parameter left: one curve, entered at `start`. By y = ln ln(w / v) it is
    # smooth at both ends, where ln(w / v) dies exponentially and where it hardly moves.
    y = np.linspace(np.log(_FIRST), np.log(_LAST), _POINTS)
    odds = np.exp(y)
    high, low = 1 / (1 + np.exp(-odds)), 1 / (1 + np.exp(odds))
    slope = odds * high * low / _rate(high, low, D, f)
    # Counted from the end: where one pathway has nearly all, times are too long for small ones to
    # be told beside them.
    pieces = (slope[1:] + slope[:-1]) / 2 * np.diff(y)
    left = np.concatenate([np.cumsum(pieces[::-1])[::-1], [0.0]])
    with np.errstate(divide="ignore"):
        at_start = np.log(np.log(w) - np.log1p(-w))
    alike({"time": tau, "start": w})
    end = np.interp(tau - np.interp(-at_start, -y, left), -left, y)
    share = 1 / (1 + np.exp(-np.exp(end)))
    return np.where((w == 1) | (w == 0.5), w, share)


def _rate(w: np.ndarray, v: np.ndarray, D: int, f: float) -> np.ndarray:
    """dw / dtau; w and v = 1 - w both, as either may be too near 1 for the other's sake."""
    r, both = 2 - 2 / D, w ** (2 - 2 / D) + v ** (2 - 2 / D)
    turn = (w * v) ** r / both * (w ** (1 - 2 / D) - v ** (1 - 2 / D))
    return np.asarray(0.0 - D * (D - 1) / 2 * turn / (1 - f * both))


def _deep(depth: Any) -> int:
    """A depth at which the trace depends on shares."""
    D = check_positive_int("depth", depth)
    if D < 3:
        fail("depth", "be at least 3", f"it is {depth}", "Shallower ends are all as flat.")
    return D


def _below_one(argument: str, value: Any) -> float:
    """A step at which every end is stable."""
    number = np.asarray(as_real(argument, value), float)
    if number.ndim or not 0 <= number < 1:
        fail(argument, "be one number, at least 0 and below 1", f"it is {shown(value)}")
    return float(number)
