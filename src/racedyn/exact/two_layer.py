"""One mode of a deep and of a shallow linear network: the curves of [Saxe14] and [Saxe19] in closed
form.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import as_real, check_finite, fail
from racedyn._types import Array, ArrayLike, Times

_END = (
    float(jnp.finfo(float).max) ** 0.25
)  # infinity among the times: where all has decayed, and products are finite
# Exponents of e from where on what they make of 1 leaves the range of numbers, sooner or later
_LATE = 300.0


class Broadcast(NamedTuple):
    """Times as (time, 1, ...) beside whatever is given per mode."""

    t: Array
    per_mode: tuple[Array, ...]


def two_layer(s: ArrayLike, d: ArrayLike, a0: ArrayLike, ts: Times) -> Array:
    """Strength a(t) of a mode in a balanced two-layer linear network: tau a' = 2 |a| (s - d a).

    `s`, `d` >= 0, `a0`: singular value, input variance and strength u^T W2 W1 v at the start,
    numbers or (mode,); `ts` (time,), flow time in units of tau, of at least 0. Returns (time,) or
    (time, mode). For a0 > 0 a(t) = (s/d) / (1 - (1 - s/(d a0)) e^(-2 s t)), and a0 / (1 + 2 a0 d t)
    where s = 0; s < 0 unlearns ([Saxe14] eq. 8; [Jarvis25] eq. 7). Balanced layers of a0 < 0 have
    opposite signs (w2 = -w1): they learn -s as those of -a0 do, so that for s > 0 a rises to 0 and
    stays there. Infinity among `ts` is the end. Raises `ValueError` for d below 0, negative times
    and what is not finite (traced values are not looked at)."""
    t, (s, d, a0) = _over_time(ts, s=s, d=d, a0=a0)
    side = jnp.where(a0 < 0, -1.0, 1.0)
    s, a0 = side * s, side * a0
    # One formula for every s: a0 / (e^(-2st) + 2 d a0 t phi(2st)), written with exponents that only
    # decay.
    size = jnp.where(
        s < 0, -s, s
    )  # unlike the absolute value it has the derivative at 0 that the formula needs
    decay = jnp.exp(-2 * size * t)
    grown = 2 * d * a0 * t * phi(2 * size * t)
    below = jnp.where(s < 0, 1.0, decay) + grown
    # Without variance nothing stops the growth, which leaves the range of numbers.
    early = jnp.where(
        (below == 0) & (a0 != 0), jnp.inf, a0 * jnp.where(s < 0, decay, 1.0) / _nonzero(below)
    )
    # Where e^(-2st) leaves that range, a0 may still be as small: 1 / (e^(-2st) / a0 + 2 d t
    # phi(2st)).
    late = (s > 0) & (a0 > 0) & (2 * size * t > _LATE)
    left = jnp.exp(jnp.where(late, -2 * size * t - jnp.log(jnp.where(a0 > 0, a0, 1.0)), 0.0))
    return side * jnp.where(late, 1 / (left + 2 * d * t * phi(2 * size * t)), early)


def shallow(s: ArrayLike, d: ArrayLike, b0: ArrayLike, ts: Times) -> Array:
    """Strength b(t) of a mode in a network without hidden layer: tau b' = s - d b ([Saxe19] eq. 8).

    Arguments and result as in `two_layer`; b(t) = (s/d) (1 - e^(-d t)) + b0 e^(-d t), and b0 + s t
    where d = 0."""
    t, (s, d, b0) = _over_time(ts, s=s, d=d, b0=b0)
    # Without variance nothing stops the growth.
    endless = (d == 0) & (s != 0) & (t >= _END)
    return jnp.where(endless, jnp.sign(s) * jnp.inf, b0 * jnp.exp(-d * t) + s * t * phi(d * t))


def two_layer_time(s: ArrayLike, d: ArrayLike, a0: ArrayLike, fraction: ArrayLike = 0.5) -> Array:
    """Flow time at which a mode of a balanced two-layer network reaches `fraction` of S/d (inverse
    of `two_layer`).

    Negative where it starts beyond it, NaN beyond S/d; infinite where it starts at 0 or on the
    other side of 0, which it never passes. Raises `ValueError` as `two_layer` does, and for a
    fraction that is not between 0 and 1."""
    s, d, a0, fraction = _numbers(s=s, d=d, a0=a0, fraction=fraction)
    check_fraction(fraction)
    start = d * a0 / s
    ahead = start > 0
    start = jnp.where(ahead, start, fraction)
    time = (jnp.log(fraction / (1 - fraction)) + jnp.log((1 - start) / start)) / (2 * jnp.abs(s))
    return jnp.where(ahead | (s == 0), time, jnp.inf)


def check_fraction(fraction: Array) -> None:
    """Refuse a part of the way that is not between 0 and 1."""
    # With NumPy: inside another function that JAX traces, its own operations on known numbers are
    # traced too.
    if not isinstance(fraction, jax.core.Tracer) and not np.all(
        ((known := np.asarray(fraction)) > 0) & (known < 1)
    ):
        fail("fraction", "be between 0 and 1", f"it is {fraction}")


def flow_times(ts: Times) -> Array:
    """Flow times counted from the start, infinity included, as an array."""
    t = jnp.asarray(as_real("ts", ts), float)
    if not isinstance(t, jax.core.Tracer) and t.size and not (earliest := np.asarray(t).min()) >= 0:
        fail("ts", "be of at least 0, where the start is", f"its smallest is {earliest:g}")
    return t


def _over_time(ts: Times, **per_mode: ArrayLike) -> Broadcast:
    arrays = jnp.broadcast_arrays(*_numbers(**per_mode))
    t = flow_times(ts)
    # Infinity times what has decayed is not a number.
    t = jnp.minimum(t, _END)
    return Broadcast(t.reshape(t.shape + (1,) * arrays[0].ndim), tuple(arrays))


def _numbers(**given: ArrayLike) -> tuple[Array, ...]:
    """Finite numbers by their arguments, d not below 0."""
    found = {name: jnp.asarray(as_real(name, value), float) for name, value in given.items()}
    for name, array in found.items():
        if not isinstance(array, jax.core.Tracer):
            check_finite(name, np.asarray(array))
            if name == "d" and array.size and (least := np.asarray(array).min()) < 0:
                fail(
                    name,
                    "be of at least 0",
                    f"its smallest is {least:g}",
                    "It is a variance of inputs.",
                )
    try:
        np.broadcast_shapes(*(array.shape for array in found.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in found.items())
        fail(
            ", ".join(found),
            "be numbers, or as many as there are modes, (mode,)",
            f"their shapes are {shapes}",
        )
    return tuple(found.values())


def phi(x: Array) -> Array:
    """(1 - e^-x) / x, and 1 at 0, with its derivative: near 0 that of the quotient is lost to
    rounding.
    """
    small = jnp.abs(x) < 1e-3
    series = 1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5)))
    return jnp.where(small, series, -jnp.expm1(-x) / jnp.where(small, 1.0, x))


def _nonzero(x: Array) -> Array:
    """x, and 1 where it is 0, so that the branch that is not taken has a finite derivative too."""
    return jnp.where(x == 0, 1.0, x)
