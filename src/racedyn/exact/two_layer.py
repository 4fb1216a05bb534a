"""One mode of a deep and of a shallow linear network: the curves of [Saxe14] and [Saxe19] in closed form."""

from typing import NamedTuple

import jax.numpy as jnp

from racedyn._types import Array, ArrayLike, Times


class Broadcast(NamedTuple):
    """Times as (time, 1, ...) beside whatever is given per mode."""

    t: Array
    per_mode: tuple[Array, ...]


def two_layer(s: ArrayLike, d: ArrayLike, a0: ArrayLike, ts: Times) -> Array:
    """Strength a(t) of a mode in a balanced two-layer linear network: tau a' = 2 a (s - d a).

    `s`, `d`, `a0`: singular value, input variance and strength u^T W2 W1 v >= 0 at the start, numbers or (mode,); `ts` (time,),
    flow time in units of tau. Returns (time,) or (time, mode). a(t) = (s/d) / (1 - (1 - s/(d a0)) e^(-2 s t)), and
    a0 / (1 + 2 a0 d t) where s = 0; s < 0 unlearns ([Saxe14] eq. 8; [Jarvis25] eq. 7). Infinity among `ts` is the end.
    """
    t, (s, d, a0) = _over_time(ts, s, d, a0)
    # One formula for every s: a0 / (e^(-2st) + 2 d a0 t phi(2st)), written with exponents that only decay.
    size = jnp.where(s < 0, -s, s)  # unlike the absolute value it has the derivative at 0 that the formula needs
    decay = jnp.exp(-2 * size * t)
    grown = 2 * d * a0 * t * phi(2 * size * t)
    return a0 * jnp.where(s < 0, decay, 1.0) / _nonzero(jnp.where(s < 0, 1.0, decay) + grown)


def shallow(s: ArrayLike, d: ArrayLike, b0: ArrayLike, ts: Times) -> Array:
    """Strength b(t) of a mode in a network without hidden layer: tau b' = s - d b ([Saxe19] eq. 8).

    Arguments and result as in `two_layer`; b(t) = (s/d) (1 - e^(-d t)) + b0 e^(-d t), and b0 + s t where d = 0.
    """
    t, (s, d, b0) = _over_time(ts, s, d, b0)
    return b0 * jnp.exp(-d * t) + s * t * phi(d * t)


def two_layer_time(s: ArrayLike, d: ArrayLike, a0: ArrayLike, fraction: ArrayLike = 0.5) -> Array:
    """Flow time at which a mode of a balanced two-layer network reaches `fraction` of S/d, s > 0 (inverse of `two_layer`).

    Negative where it starts beyond it, NaN beyond S/d; infinite where it starts at 0.
    """
    s, d, a0, fraction = (jnp.asarray(x, float) for x in (s, d, a0, fraction))
    start = d * a0 / s
    return (jnp.log(fraction / (1 - fraction)) + jnp.log((1 - start) / start)) / (2 * s)


def _over_time(ts: Times, *per_mode: ArrayLike) -> Broadcast:
    arrays = jnp.broadcast_arrays(*(jnp.asarray(x, float) for x in per_mode))
    t = jnp.asarray(ts, float)
    # Infinity times what has decayed is not a number: the end is where all has decayed, and products are still finite.
    t = jnp.where(jnp.isinf(t), jnp.finfo(t.dtype).max ** 0.25, t)
    return Broadcast(t.reshape(t.shape + (1,) * arrays[0].ndim), tuple(arrays))


def phi(x: Array) -> Array:
    """(1 - e^-x) / x, and 1 at 0, with its derivative: near 0 that of the quotient is lost to rounding."""
    small = jnp.abs(x) < 1e-3
    series = 1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5)))
    return jnp.where(small, series, -jnp.expm1(-x) / jnp.where(small, 1.0, x))


def _nonzero(x: Array) -> Array:
    """x, and 1 where it is 0, so that the branch that is not taken has a finite derivative too."""
    return jnp.where(x == 0, 1.0, x)
