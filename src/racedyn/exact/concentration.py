"""When equal pathways share a mode, and when one of them takes it: laws of wide networks.

They are derived (`docs/concentration.md`), for M pathways of depth D > 2 whose weights are drawn
from N(0, sigma^2 / N), K = S/d the strength that a mode is learned at, q0 = D^(1/(2(D-1))) sigma.

*By mode.* In the q/p equations a pathway runs to its pole, and what it carries depends on the gap
that is left when the mode is learned. Gaps at the start are q0^(2-D) I_D, and differ between
pathways by a part sqrt(v_D / N) of q0^(2-D): by p0, and more by q0, which is not the same in two
networks either. A mode is learned when the gap is K^-((D-2)/D) / (D-2). So shares depend on one
number, x = sqrt(N D) q0^(D-2) / K^((D-2)/D), and on D and M.

What pathways do to several modes at once is in `mixtures`."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc, ndtri

from racedyn._arrays import as_real
from racedyn._checks import check_positive_int, fail, shown
from racedyn._types import Array

POINTS = 8192  # of the mean over starts: a lattice, so that the same x has the same value
_BISECTIONS = 60
_NONE = 1e-12  # x at which one pathway has all, and 1 / _NONE at which all share
_ITERATIONS = 40  # of Newton's method, which comes from one side
_GOLDEN = 32  # iterations for the ratio of the lattice


def wide_q0(depth: int, variance: Any) -> Any:
    """q0 of the q/p equations in wide networks, D^(1/(2(D-1))) sigma: each of D layers adds
    sigma^(2(D-1)) to the growth q0^(2(D-1)).

    `variance` sigma^2 = N std^2, a number or an array. Raises `ValueError` for depth 1, which has
    no q, and a variance that is not positive.

        >>> round(float(rd.exact.wide_q0(4, variance=0.08)), 3)
        0.356
    """
    D = check_positive_int("depth", depth)
    if D < 2:
        fail("depth", "be at least 2", f"it is {depth}", "A shallow pathway has no q.")
    return D ** (1 / (2 * (D - 1))) * np.sqrt(positive("variance", variance))


def pole(depth: int) -> float:
    """I_D = int_0^inf (1 + u^2)^(-(D-1)/2) du: the drive from p = 0 to the pole is q0^(2-D) I_D.

    Raises `ValueError` for depths below 3, where there is no pole.

    >>> round(rd.exact.pole(4), 12)
    1.0
    """
    D = deep(depth)
    return 0.5 * math.sqrt(math.pi) * math.exp(math.lgamma((D - 2) / 2) - math.lgamma((D - 1) / 2))


def gap_variance(depth: int) -> float:
    """v_D: the gap to the pole differs between networks by a part sqrt(v_D / N) of q0^(2-D).

    (D-2)^2 I_D^2 (2D-1) / (6 D (D-1)) by q0, whose logarithm has the variance (2D-1) / (6 D (D-1)
    N), and D^(-D/(D-1)) by p0, of variance sigma^2 / (D N). Raises as `pole` does.

        >>> round(rd.exact.gap_variance(4), 3)
        0.546
    """
    D = deep(depth)
    by_q = (D - 2) ** 2 * pole(D) ** 2 * (2 * D - 1) / (6 * D * (D - 1))
    return float(by_q + D ** (-D / (D - 1)))


def concentration_variable(depth: int, width: Any, variance: Any, target: Any = 1.0) -> Any:
    """x = sqrt(N D) q0^(D-2) / K^((D-2)/D), on which depends how M equal pathways share a mode.

    `width` N, `variance` sigma^2 = N std^2, `target` K = S/d, numbers or arrays that broadcast. Far
    below 1 one pathway has the mode, far above all share it. Raises `ValueError` for depths below 3
    and for numbers that are not positive.

        >>> round(float(rd.exact.concentration_variable(4, width=200, variance=0.08)), 2)
        3.59
    """
    D = deep(depth)
    N, K = positive("width", width), positive("target", target)
    alike({"width": N, "variance": np.asarray(variance), "target": K})
    return np.sqrt(N * D) * (wide_q0(D, variance) / K ** (1 / D)) ** (D - 2)


def critical_width(depth: int, variance: Any, target: Any = 1.0, pathways: int = 2) -> Any:
    """The width at which participation by mode is half way between 1 and M: above it pathways
    share. Exponential in depth where sigma < 1; infinite where float64 ends. Arguments and errors
    as of `concentration_variable`; there are at least two pathways.

        >>> round(float(rd.exact.critical_width(4, variance=0.08)))
        89
    """
    x = _at_half(deep(depth), several(pathways))
    with np.errstate(divide="ignore", over="ignore"):
        return (x / concentration_variable(depth, 1, variance, target)) ** 2


def expected_participation(x: Any, depth: int, pathways: int = 2) -> np.ndarray:
    """Mean participation 1 / sum_a w_a^2 of a mode among M equal pathways, as `x`.

    Derived, with nothing fitted, for small weights and large widths (docs/concentration.md). The
    mean is over 8192 points of a lattice, known to 2e-4 for two pathways and to 2e-3 for five; of
    small x the distance from 1 is not known better. x = 0 has 1, and infinity M. Raises
    `ValueError` for depths below 3, where there is no pole, and an x below 0.

        >>> rd.exact.expected_participation([0.1, 1.0, 3.0, 10.0, 100.0], depth=4).round(2).tolist()
        [1.03, 1.27, 1.57, 1.88, 2.0]
    """
    D, M = deep(depth), check_positive_int("pathways", pathways)
    x = np.asarray(as_real("x", x), float)
    if not (x >= 0).all():
        fail("x", "be at least 0", f"it is {shown(x)}")
    x = np.clip(x, _NONE, 1 / _NONE)
    spread = (D - 2) * np.sqrt(D * gap_variance(D)) / x
    with jax.enable_x64():
        mean = _mean(jnp.ravel(spread), _normal(M), D / (D - 2))
        return np.asarray(mean).reshape(x.shape)


def drive_to(depth: int, variance: Any, strength: Any) -> Any:
    """The drive s at which a wide pathway, from p0 = 0, has the strength K: what unlike pathways
    race for. Those that come to half of a mode at one s share it.

    With p = q0 sinh v, K = q0^D sinh v cosh(v)^(D-1) and s = q0^(2-D) int_0^v cosh^(2-D): at D = 1
    K, at D = 2 asinh(2 K / q0^2) / 2, and deeper q0^(2-D) I_D - K^-((D-2)/D) / (D-2) where q0^D is
    small beside K. `variance` sigma^2 = N std^2 and `strength` K, numbers or arrays that broadcast.
    Raises `ValueError` for numbers that are not positive.

        >>> round(float(rd.exact.drive_to(4, variance=0.05, strength=0.5)), 2)
        11.89
    """
    D = check_positive_int("depth", depth)
    K = positive("strength", strength)
    if D == 1:
        return K
    q0 = wide_q0(D, variance)
    alike({"variance": np.asarray(variance), "strength": K})
    if D == 2:
        return 0.5 * np.arcsinh(2 * K / q0**2)
    v = _angle(np.log(K) - D * np.log(q0), D)
    with jax.enable_x64():
        part = betainc(0.5, D / 2 - 1, jnp.asarray(np.tanh(v) ** 2))
    return pole(D) * q0 ** (2 - D) * np.asarray(part)


def _angle(log_ratio: np.ndarray, D: int) -> np.ndarray:
    """v with ln(sinh v cosh(v)^(D-1)) = `log_ratio`, by bisection of its logarithm: near 0 that is
    ln v, and far from it D v - D ln 2."""
    low = np.minimum(log_ratio, 0.0) - 2
    high = np.log(np.maximum(log_ratio, 0.0) + 2)
    for _ in range(_BISECTIONS):
        v = np.exp((low + high) / 2)
        cosh = v + np.log1p(np.exp(-2 * v)) - np.log(2)  # logarithms of both
        sinh = v + np.log(-np.expm1(-2 * v)) - np.log(2)
        below = sinh + (D - 1) * cosh < log_ratio
        low, high = np.where(below, (low + high) / 2, low), np.where(below, high, (low + high) / 2)
    return np.asarray(np.exp((low + high) / 2))


def stable_share(step: Any, depth: int) -> np.ndarray:
    """The largest share that one of two pathways can keep under descent with a step of `step` times
    2 / sharpness of the end at which it has all: w with w^(2-2/D) + (1-w)^(2-2/D) = 1 / step.

    The sharpness of a balanced end is d D sum_a K_a^(2-2/D). Up to a step of 1 all ends are stable,
    from 2^(1-2/D) on none but equal shares, if that. As `step`, a number or an array; raises
    `ValueError` for depths below 3 and a step that is not positive.

        >>> rd.exact.stable_share([0.9, 1.2, 1.4, 1.5], depth=4).round(3).tolist()
        [1.0, 0.839, 0.582, 0.5]
    """
    power = 2 - 2 / deep(depth)
    step = positive("step", step)
    low, high = np.full(step.shape, 0.5), np.ones(step.shape)
    for _ in range(_BISECTIONS):
        w = (low + high) / 2
        stable = (w**power + (1 - w) ** power) * step <= 1
        low, high = np.where(stable, w, low), np.where(stable, high, w)
    return (low + high) / 2


def deep(depth: Any) -> int:
    """A depth at which pathways have poles."""
    D = check_positive_int("depth", depth)
    if D < 3:
        fail("depth", "be at least 3", f"it is {depth}", "Shallower pathways have no pole.")
    return D


def several(pathways: Any) -> int:
    """A number of pathways that can share something."""
    M = check_positive_int("pathways", pathways)
    if M < 2:
        fail("pathways", "be at least 2", f"it is {pathways}", "One pathway has every mode alone.")
    return M


def alike(arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse arrays that don't broadcast."""
    try:
        np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        fail(next(iter(arrays)), "broadcast with the others", f"shapes are {shapes}")


def positive(argument: str, value: Any) -> np.ndarray:
    """Positive numbers."""
    numbers = np.asarray(as_real(argument, value), float)
    if not (numbers > 0).all() or not np.isfinite(numbers).all():
        fail(argument, "be positive and finite", f"it is {shown(value)}")
    return numbers


def _at_half(D: int, M: int) -> float:
    """x at which participation is (1 + M) / 2, by bisection of its logarithm."""
    low, high = np.log(1e-4), np.log(1e6)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        below = expected_participation(np.exp(middle), D, M) < (1 + M) / 2
        low, high = (middle, high) if below else (low, middle)
    return float(np.exp((low + high) / 2))


def _normal(M: int) -> Array:
    """Points of M independent normal variables in falling order, (point, pathway).

    The largest of M uniform variables is a power of one, and so is each next one beside it. So
    ordered, what is averaged has no kink where two pathways change places. A lattice of the powers
    of the root of r^(M+1) = r + 1, folded so that it has no edge, fills the cube evenly."""
    ratio = 1.0
    for _ in range(_GOLDEN):
        ratio = (1 + ratio) ** (1 / (M + 1))
    steps = ratio ** -np.arange(1, M + 1)
    turns = 1 - np.abs(2 * ((0.5 + np.arange(1, POINTS + 1)[:, None] * steps) % 1) - 1)
    ordered = np.cumprod(turns ** (1 / np.arange(M, 0, -1)), axis=1)
    return ndtri(jnp.clip(jnp.asarray(ordered), 1e-12, 1 - 1e-12))


@jax.jit
def _mean(spreads: Array, normal: Array, power: float) -> Array:
    """Mean participation, as `spreads`, where gaps differ by so much of the gap of a pathway that
    has a mode alone; `normal` (point, pathway).

    w_a = (G + gap_a)^-power with G such that these sum to 1. The sum falls and is convex in G, and
    at G = 1 it is at least 1: Newton's method comes from there without stepping over the root."""

    def at(spread: Array) -> Array:
        gaps = spread * (jnp.max(normal, axis=1, keepdims=True) - normal)

        def closer(_: int, G: Array) -> Array:
            w = (G[:, None] + gaps) ** -power
            slope = -power * jnp.sum(w / (G[:, None] + gaps), axis=1)
            return G - (jnp.sum(w, axis=1) - 1) / slope

        G = jax.lax.fori_loop(0, _ITERATIONS, closer, jnp.ones(len(gaps)))
        w = (G[:, None] + gaps) ** -power
        return jnp.mean(1 / jnp.sum((w / jnp.sum(w, axis=1, keepdims=True)) ** 2, axis=1))

    return jax.lax.map(at, spreads)
