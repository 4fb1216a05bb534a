"""Pathways that compete for a mode as functions of one scalar: the drive s, ds/dt = r = S - d sum_a K_a (theory of [Shi22]).

Each pathway moves alone under s: dp/ds = q^(D-1), dq/ds = q^(D-2) p, with c = q^2 - p^2 conserved. For D > 2 it is followed in
kappa: log(q + p) where c > 0, so that q = (e^kappa + c e^-kappa) / 2, and log q elsewhere. It runs to infinity at a finite s:
what counts is the gap to this pole, measured without cancellation (`gap`). A pathway with c <= 0 and p < 0 never gets there:
it falls asleep, q -> 0, as s grows.
"""

from collections.abc import Callable
from functools import partial
from math import comb, prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._types import Array

_TERMS, _CHUNK = 48, 8  # of series in at most 1/2: to rounding


class Course(NamedTuple):
    """Constants of one pathway's motion: c, and `forward`, -1 where it falls asleep, else 1."""

    c: Array
    forward: Array


def course(q: Array, p: Array) -> tuple[Course, Array]:
    """The course of a pathway that is at (q, p), q > 0, and its kappa there."""
    c = (q - p) * (q + p)
    larger = q + jnp.abs(p)
    # The smaller of q + p and q - p is c over the larger one, without cancellation.
    spread = jnp.where(p >= 0, jnp.log(larger), jnp.log(jnp.where(c > 0, c, 1.0)) - jnp.log(larger))
    return Course(c, jnp.where((c > 0) | (p > 0), 1.0, -1.0)), jnp.where(c > 0, spread, jnp.log(q))


def position(way: Course, kappa: Array) -> tuple[Array, Array]:
    """(q, p) at kappa."""
    rise = jnp.exp(kappa)
    fall = way.c / rise
    inside = way.c > 0
    apart = jnp.sqrt(rise**2 - jnp.where(inside, 0.0, way.c))
    return jnp.where(inside, (rise + fall) / 2, rise), jnp.where(inside, (rise - fall) / 2, way.forward * apart)


def turn(way: Course, q: Array, p: Array, depths: np.ndarray) -> Array:
    """dkappa/ds; `depths` D > 2, whole numbers, of the shape of q or such that they broadcast to it."""
    return power(q, depths - 3) * jnp.where(way.c > 0, q, p)


def power(q: Array, exponents: np.ndarray) -> Array:
    """q^n, n >= 0 whole: by squaring, so that signs and zeros are kept and rounding is that of a few products."""
    total, square = jnp.ones_like(q), q
    for bit in range(max(int(exponents.max()), 0).bit_length()):
        total = total * jnp.where(exponents >> bit & 1, square, 1.0)
        square = square * square
    return total


def gap(way: Course, q: Array, p: Array, depths: np.ndarray) -> Array:
    """Drive between (q, p) and the pole, D > 2: int_q^inf du / (u^(D-2) sqrt(u^2 - c)), of both branches where p < 0 < c.

    Where `forward` is -1 the same integral: it grows as the pathway falls asleep. With z = c / q^2, q^(2-D) times
    2F1(1/2, (D-2)/2; D/2; z) / (D-2): a series near the pole, elsewhere elementary by recursion over D.
    """
    n, c = depths - 3, way.c
    z = c / q**2
    near_power = power(1 / q, depths - 2)
    inside = _series(jnp.clip(z, 0.0, 0.5), depths, _direct)
    below = jnp.clip(z, -1.0, 0.0)
    outside = _series(below / (below - 1), depths, _pfaff) / (depths - 2.0) / jnp.sqrt(1 - below)
    near = near_power * jnp.where(z >= 0, inside, outside)
    # c > 0: p = sqrt(c) tan(phi), sin(phi) = p / q, and the gap is c^(-(D-2)/2) times the rest of int cos^(D-3) up to pi/2.
    root = jnp.sqrt(jnp.where(c == 0, 1.0, jnp.abs(c)))
    flat = power(1 / root, depths - 2)
    circular = _cosines(np.full(n.shape, np.pi / 2), 1.0, 0.0, n) - _cosines(jnp.arctan2(p, root), p / q, root / q, n)
    hyperbolic = _hyperbolic(root / q, n)  # c < 0, far from the pole
    return jnp.where((c > 0) & ((z > 0.5) | (p < 0)), flat * circular, jnp.where(z < -1, flat * hyperbolic, near))


def _series(x: Array, depths: np.ndarray, coefficient: Callable[[int, int], float]) -> Array:
    """Horner's rule in a loop of chunks: written out in full it takes long to compile, term by term long to run."""
    table = np.stack([np.vectorize(partial(coefficient, k), otypes=[float])(depths) for k in reversed(range(_TERMS))])

    def chunk(total: Array, some: Array) -> tuple[Array, None]:
        for a in some:
            total = total * x + a
        return total, None

    return jax.lax.scan(chunk, jnp.zeros_like(x), jnp.asarray(table.reshape(-1, _CHUNK, *depths.shape), x.dtype))[0]


def _direct(k: int, depth: int) -> float:
    """2F1(1/2, (D-2)/2; D/2; z) / (D-2)."""
    return comb(2 * k, k) / 4**k / (depth - 2 + 2 * k)


def _pfaff(k: int, depth: int) -> float:
    """2F1(1/2, 1; D/2; z / (z - 1)), the same over (1 - z)^(-1/2)."""
    return prod((0.5 + i) / (depth / 2 + i) for i in range(k))


def _cosines(angle: Any, sine: Any, cosine: Any, n: np.ndarray) -> Any:
    """int_0^angle cos^n, all terms of one sign."""
    xp = np if isinstance(angle, np.ndarray) else jnp
    total = xp.where(n % 2, sine, angle)
    for k in range(2, int(n.max()) + 1):
        total = xp.where((k <= n) & (k % 2 == n % 2), sine * cosine ** (k - 1) / k + (k - 1) / k * total, total)
    return total


def _hyperbolic(rho: Array, n: np.ndarray) -> Array:
    """int_0^rho u^n / sqrt(1 + u^2), for rho of 1 or more."""
    hypotenuse = jnp.sqrt(1 + rho**2)
    total = jnp.where(n % 2, rho**2 / (hypotenuse + 1), jnp.arcsinh(rho))
    for k in range(2, int(n.max()) + 1):
        total = jnp.where((k <= n) & (k % 2 == n % 2), (rho ** (k - 1) * hypotenuse - (k - 1) * total) / k, total)
    return total
