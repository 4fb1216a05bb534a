"""Pathways that compete for a mode as functions of one scalar: the drive s, ds/dt = r = S - d sum_a
K_a (theory of [Shi22]).

Each pathway moves alone under s: dp/ds = q^(D-1), dq/ds = q^(D-2) p, with c = q^2 - p^2 conserved.
For D > 2 it runs to infinity at a finite s, its pole. With E = 1 / (q + |p|) and w = c E^2, so that
q = (1 + w) / 2E and |p| = (1 - w) / 2E, the gap to the pole is Phi(w) q^(2-D), where Phi is smooth
for all w > -1 and needs a dozen terms of a polynomial; the way back, from the gap to E, is a
quotient of small polynomials and one step of third order (`reach`). Neither has cancellation. Next
to w = -1, where c < 0 and q is small, the gap is elementary. A pathway with c <= 0 and p < 0 never
gets to a pole: it falls asleep, q -> 0, as s grows, and its gap grows with s."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial import chebyshev

from racedyn._types import Array
from racedyn.exact.races.depths import Depths, horner, shaped
from racedyn.exact.races.tables import LOWEST

_BEYOND = 1e-4  # the range of a polynomial: a rough w may lie as far from 1, where p = 0
_FAR_STEPS = 8
_ASLEEP = 1e-100  # q
# Drive, in units of 1/sqrt(-c), after which a pathway of depth 3 is asleep: its q is e^-300
_SOUND = 300.0
_MANTISSA = 52  # bits


class Course(NamedTuple):
    """Constants of one pathway's motion: c, and `forward`, -1 where it falls asleep, else 1."""

    c: Array
    forward: Array


def course(q: Array, p: Array) -> Course:
    """The course of a pathway that is at (q, p), q > 0."""
    c = (q - p) * (q + p)
    return Course(c, jnp.where((c > 0) | (p > 0), 1.0, -1.0))


def rough_power(x: Array, exponent: Any) -> Array:
    """x^exponent to a part of 1e-6, x > 0: much cheaper than of logarithms at full precision."""
    if x.dtype != jnp.float64:
        return jnp.exp(jnp.log(x) * exponent)
    bits = jax.lax.bitcast_convert_type(x, jnp.int64)
    whole = jax.lax.shift_right_logical(bits, np.int64(_MANTISSA)) - 1023
    part = (
        jax.lax.bitcast_convert_type(
            bits & ((1 << _MANTISSA) - 1) | (1023 << _MANTISSA), jnp.float64
        )
        - 1
    )
    up, down = _binary()
    power = (whole.astype(x.dtype) + horner(up, part)) * exponent
    floor = jnp.floor(power)
    scale = jax.lax.bitcast_convert_type((floor.astype(jnp.int64) + 1023) << _MANTISSA, jnp.float64)
    return jnp.where(jnp.isfinite(x), horner(down, power - floor) * scale, x)


@lru_cache
def _binary() -> tuple[np.ndarray, np.ndarray]:
    """Polynomials on [0, 1] of log2(1 + x), to 4e-7, and 2^x, to 3e-9."""
    up = chebyshev.Chebyshev.interpolate(lambda x: np.log2(1 + x), 7, domain=[0, 1])
    down = chebyshev.Chebyshev.interpolate(np.exp2, 6, domain=[0, 1])
    rows = (x.convert(kind=np.polynomial.Polynomial).coef for x in (up, down))
    return tuple(rows)  # type: ignore[return-value]


def gap(c: Array, q: Array, p: Array, depths: Depths) -> Array:
    """Drive between (q, |p|) and the pole (path, ...), D > 2: int_q^inf du / (u^(D-2) sqrt(u^2 -
    c)).
    """
    w = c / (q + jnp.abs(p)) ** 2
    return _unless_far(
        c, lambda: w, LOWEST, lambda: _far_gap(c, q, depths), _near_gap(w, q, depths)
    )


def near_gap(c: Array, q: Array, p: Array, depths: Depths) -> Array:
    """The same, right only for w of at least LOWEST."""
    return _near_gap(c / (q + jnp.abs(p)) ** 2, q, depths)


def _near_gap(w: Array, q: Array, depths: Depths) -> Array:
    return _phi(w, depths) * depths.less_two(1 / q)


def half_way(c: Array, depths: Depths) -> Array:
    """The gap where p = 0 (c > 0; 1 elsewhere)."""
    root = jnp.sqrt(jnp.where(c > 0, c, 1.0))
    phi = shaped(depths.table.phi.sum(0), c)
    return jnp.where(c > 0, phi * depths.less_two(1 / root), 1.0)


def reach(c: Array, y: Array, depths: Depths, rough: bool = False) -> tuple[Array, Array]:
    """(q, |p|) where the gap is y > 0, of at most that at p = 0; `rough`: to about five digits,
    without derivatives.
    """
    E = _rough(c, y, depths) if rough else _place(c, y, depths)
    back = 1 / E
    # What falls asleep has a q of rounding in the end: none that is 0 or below, as one divides by
    # it.
    return jnp.maximum((back + c * E) / 2, _ASLEEP), (back - c * E) / 2


def _rough(c: Array, y: Array, depths: Depths, refine: bool = False) -> Array:
    """E to about five digits."""
    table = depths.table
    z = y if depths.same == 3 else rough_power(y, 1 / (depths.real(c) - 2))
    low, high = (shaped(x, c) for x in table.ends)
    scaled = c * z**2
    x = jnp.clip((2 * scaled - (low + high)) / (high - low), -1.0, 1.0)
    E = z * horner(table.above, x) / horner(table.below, x)
    if refine:
        E = _refined(c, y, E, depths)
    return _unless_far(c, lambda: c * z**2, low, lambda: _far_place(c, y, depths), E)


def _refined(c: Array, y: Array, E: Array, depths: Depths) -> Array:
    """One step of third order in the logarithm of the gap, in which log E is nearly straight."""
    n, w = depths.real(c) - 2, c * E**2
    q, p = (1 + w) / (2 * E), (1 - w) / (2 * E)
    phi = _phi(w, depths)
    x = y * depths.less_two(q) / phi - 1
    u = x * (1 - x * (0.5 - x / 3))  # log1p(x)
    step = phi * u * (1 + (1 - n * phi * p / q) * u / 2)
    return E * (1 + step * (1 + step * (0.5 + step / 6)))


@jax.custom_jvp
def _place(c: Array, y: Array, depths: Depths) -> Array:
    """E at the gap y, with derivatives by the implicit function theorem."""
    return _rough(c, y, depths, refine=True)


@_place.defjvp
def _(given: tuple[Array, Array, Depths], moved: tuple[Array, Array, Any]) -> tuple[Array, Array]:
    (c, y, depths), (dc, dy, _) = given, moved
    E = _place(c, y, depths)
    n, w = depths.real(c) - 2, c * E**2
    far = w < LOWEST
    q = (1 + w) / (2 * E)
    phi = jnp.where(far, y * depths.less_two(q), _phi(w, depths))
    # d log(gap) / dc at fixed E; far from c = 0 by homogeneity of the gap.
    bent = E**2 * _phi(w, depths, derivative=True) / phi - n * E / (2 * q)
    bent = jnp.where(far, (1 / phi - n) / (2 * jnp.where(far, c, 1.0)), bent)
    return E, E * phi * (dy / y - bent * dc)


def _phi(w: Array, depths: Depths, derivative: bool = False) -> Array:
    """Phi(w), or its derivative, for w of at least LOWEST."""
    x = jnp.clip((2 * w - (1 + LOWEST)) / (1 - LOWEST), -1.0, 1.0 + _BEYOND)
    rows: Any = depths.table.phi
    if derivative:
        rows = [k * row * (2 / (1 - LOWEST)) for k, row in enumerate(rows[1:], 1)]
    return horner(rows, x)


def _unless_far(
    c: Array, w: Callable[[], Array], low: Any, value: Callable[[], Array], near: Array
) -> Array:
    """`value()` where w() < low, computed if there is such a place at all, as there is only where c
    < 0; `near` elsewhere."""

    def far(near: Array) -> Array:
        return jax.lax.cond(
            jnp.any(w() < low), lambda near: jnp.where(w() < low, value(), near), same, near
        )

    def same(near: Array) -> Array:
        return near

    # It goes in and comes out, so that XLA computes it once, not anew for everything that is made
    # of it. Pathways are fewer than places: most races know without looking at each.
    return jax.lax.cond(jnp.any(c < 0), far, same, near)


def _far_gap(c: Array, q: Array, depths: Depths) -> Array:
    """c < 0: |c|^(-(D-2)/2) int_0^rho u^(D-3) / sqrt(1 + u^2) du, rho = sqrt(|c|) / q."""
    root = jnp.sqrt(jnp.where(c < 0, -c, 1.0))
    return _hyperbolic(root / q, depths) * depths.less_two(1 / root)


def _far_place(c: Array, y: Array, depths: Depths) -> Array:
    """E at the gap y, c < 0: Newton's method for log(rho) against log of the integral."""
    root = jnp.sqrt(jnp.where(c < 0, -c, 1.0))
    n = depths.real(c) - 3
    wanted = y * depths.less_two(root)
    # The integral is asinh(rho) at n = D - 3 = 0, else below rho^n / n, which it nears.
    large = (jnp.maximum(n, 1) * wanted) ** (1 / jnp.maximum(n, 1)) + 0.5
    rho = jnp.where(n == 0, jnp.sinh(jnp.minimum(wanted, _SOUND)), large)

    def step(_: int, rho: Array) -> Array:
        value, slope = _hyperbolic(rho, depths), _hyperbolic_rate(rho, depths)
        return rho * jnp.exp(jnp.clip(jnp.log(wanted / value) * value / (rho * slope), -1.0, 1.0))

    rho = jax.lax.fori_loop(0, _FAR_STEPS, step, rho)
    return rho / root / (1 + jnp.sqrt(1 + rho**2))


@jax.custom_jvp
def _hyperbolic(rho: Array, depths: Depths) -> Array:
    """int_0^rho u^(D-3) / sqrt(1 + u^2), for rho of 1/2 or more, each power from the last but
    one."""
    n, hypotenuse = depths.real(rho) - 3, jnp.sqrt(1 + rho**2)
    odd = n % 2 == 1

    def further(whole: Array, known: tuple[Array, Array]) -> tuple[Array, Array]:
        (total, before), k = known, whole.astype(rho.dtype)
        mine = (k <= n) & ((k % 2 == 1) == odd)
        return jnp.where(mine, (before * hypotenuse - (k - 1) * total) / k, total), before * rho

    first = jnp.where(odd, rho**2 / (hypotenuse + 1), jnp.arcsinh(rho))
    total, _ = jax.lax.fori_loop(2, jnp.max(depths.D) - 2, further, (first, rho))
    return total


@_hyperbolic.defjvp
def _(given: tuple[Array, Depths], moved: tuple[Array, Any]) -> tuple[Array, Array]:
    return _hyperbolic(*given), _hyperbolic_rate(*given) * moved[0]


def _hyperbolic_rate(rho: Array, depths: Depths) -> Array:
    """The derivative of that integral."""
    return depths.less_two(rho) / (rho * jnp.sqrt(1 + rho**2))
