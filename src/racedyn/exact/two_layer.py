"""One mode of a deep and of a shallow linear network: the curves of [Saxe14] and [Saxe19] in closed
form.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_real, check_finite
from racedyn._checks import fail
from racedyn._types import MODE, PATH, Array, ArrayLike, Times
from racedyn.exact.solution import check_modes, flow_times, loss_of, solution
from racedyn.tasks import Modes
from racedyn.trajectory import Status, Trajectory

_END = (
    float(jnp.finfo(float).max) ** 0.25
)  # infinity among the times: where all has decayed, and products are finite
# Exponents of e from where on what they make of 1 leaves the range of numbers, sooner or later
_LATE = 300.0


class Broadcast(NamedTuple):
    """Times as (time, 1, ...) beside whatever is given per mode."""

    t: Array
    per_mode: tuple[Array, ...]


def two_layer(
    singular_values: ArrayLike,
    variances: ArrayLike,
    a0: ArrayLike,
    ts: Times,
    *,
    modes: Modes | None = None,
) -> Trajectory:
    """Every mode of a balanced two-layer linear network, in closed form: tau a' = 2 |a| (S - d a).

    **Arguments:**

    - `singular_values` S, `variances` d >= 0, `a0`: strength u^T W2 W1 v at the start; numbers or
      (mode,).
    - `ts`: flow times (time,) in units of tau, of at least 0. Infinity is the end.
    - `modes`: those that S and d are of; they give names and the floor of the loss, and `compare`
      then checks bases.

    Observables: `strength` (time, path, mode), of one path (`two_layer_strength` has the formula),
    and `loss` (time,). `status` (mode,): UNLEARNED where a stays on its side of 0 and S/d is not
    there. Works under `jit`, `grad` and `vmap`. Raises `ValueError` for d below 0, negative times
    and what is not finite (traced values are not looked at).

        >>> run = rd.exact.two_layer([2.0, 1.0], 1.0, a0=0.01, ts=[0.0, 2.0, np.inf])
        >>> run["strength"][:, 0].round(3).tolist()
        [[0.01, 0.01], [1.875, 0.355], [2.0, 1.0]]
    """
    t, S, d, a0 = _of_modes(ts, modes, singular_values=singular_values, variances=variances, a0=a0)
    stays = (S != 0) & (jnp.sign(S) * jnp.sign(a0) <= 0)
    return _curve("two_layer", S, d, two_layer_strength(S, d, a0, t), t, modes, stays)


def shallow(
    singular_values: ArrayLike,
    variances: ArrayLike,
    b0: ArrayLike,
    ts: Times,
    *,
    modes: Modes | None = None,
) -> Trajectory:
    """Every mode of a network without hidden layer, in closed form: tau b' = S - d b ([Saxe19] eq.
    8).

    Arguments and observables as in `two_layer`; `shallow_strength` has the formula.

        >>> run = rd.exact.shallow([2.0, 1.0], 1.0, b0=0.0, ts=[0.0, 1.0, np.inf])
        >>> run["strength"][:, 0].round(3).tolist()  # S (1 - e^-t)
        [[0.0, 0.0], [1.264, 0.632], [2.0, 1.0]]
    """
    t, S, d, b0 = _of_modes(ts, modes, singular_values=singular_values, variances=variances, b0=b0)
    never = jnp.zeros_like(S, bool)
    return _curve("shallow", S, d, shallow_strength(S, d, b0, t), t, modes, never)


def two_layer_strength(
    singular_values: ArrayLike, variances: ArrayLike, a0: ArrayLike, ts: Times
) -> Array:
    """Strength a(t) of `two_layer` as plain numbers, (time, ...) for arguments that broadcast to
    (...).

    For a0 > 0 a(t) = (s/d) / (1 - (1 - s/(d a0)) e^(-2 s t)), and a0 / (1 + 2 a0 d t)
    where s = 0; s < 0 unlearns ([Saxe14] eq. 8; [Jarvis25] eq. 7). Balanced layers of a0 < 0 have
    opposite signs (w2 = -w1): they learn -s as those of -a0 do, so that for s > 0 a rises to 0 and
    stays there. Infinity among `ts` is the end. Raises `ValueError` for d below 0, negative times
    and what is not finite (traced values are not looked at).

        >>> ts = [0.0, np.log(99.0) / 2, np.inf]
        >>> rd.exact.two_layer_strength([2.0, 1.0], 1.0, a0=0.01, ts=ts).round(3).tolist()
        [[0.01, 0.01], [1.96, 0.5], [2.0, 1.0]]
    """
    t, (s, d, a0) = _over_time(ts, singular_values=singular_values, variances=variances, a0=a0)
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


def shallow_strength(
    singular_values: ArrayLike, variances: ArrayLike, b0: ArrayLike, ts: Times
) -> Array:
    """Strength b(t) of `shallow` as plain numbers, as `two_layer_strength`.

    b(t) = (s/d) (1 - e^(-d t)) + b0 e^(-d t), and b0 + s t where d = 0.

        >>> ts = [0.0, 1.0, np.inf]
        >>> rd.exact.shallow_strength([2.0, 1.0], 1.0, b0=0.0, ts=ts).round(3).tolist()
        [[0.0, 0.0], [1.264, 0.632], [2.0, 1.0]]
    """
    t, (s, d, b0) = _over_time(ts, singular_values=singular_values, variances=variances, b0=b0)
    # Without variance nothing stops the growth.
    endless = (d == 0) & (s != 0) & (t >= _END)
    return jnp.where(endless, jnp.sign(s) * jnp.inf, b0 * jnp.exp(-d * t) + s * t * phi(d * t))


def two_layer_time(
    singular_values: ArrayLike, variances: ArrayLike, a0: ArrayLike, fraction: ArrayLike = 0.5
) -> Array:
    """Flow time at which a mode of a balanced two-layer network reaches `fraction` of S/d (inverse
    of `two_layer`).

    Negative where it starts beyond it, NaN beyond S/d; infinite where it starts at 0 or on the
    other side of 0, which it never passes. Raises `ValueError` as `two_layer` does, and for a
    fraction that is not between 0 and 1.

        >>> f"{rd.exact.two_layer_time(1.0, 1.0, a0=0.01):.3f}, {np.log(99) / 2:.3f}"
        '2.298, 2.298'
    """
    s, d, a0, fraction = _numbers(
        singular_values=singular_values, variances=variances, a0=a0, fraction=fraction
    )
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


def _of_modes(
    ts: Times, modes: Modes | None, **per_mode: ArrayLike
) -> tuple[Array, Array, Array, Array]:
    """Times, S, d and the strength at the start, (mode,) each."""
    S, d, start = jnp.broadcast_arrays(*_numbers(**per_mode))
    if S.ndim > 1:
        fail(
            "singular_values",
            "be one number per mode",
            f"their shape is {S.shape}",
            "jax.vmap takes many networks.",
        )
    S, d, start = (jnp.atleast_1d(x) for x in (S, d, start))
    check_modes(modes, len(S))
    return flow_times(ts), S, d, start


def _curve(
    name: str, S: Array, d: Array, strength: Array, t: Array, modes: Modes | None, stays: Array
) -> Trajectory:
    """Strengths (time, mode) as the trajectory of one path."""
    status = jnp.where(stays, Status.UNLEARNED, Status.DONE)
    return solution(
        f"{name}, {len(S)} modes",
        t,
        {"strength": strength[:, None], "loss": loss_of(S, d, strength, modes)},
        {"strength": (PATH, MODE)},
        status=jnp.where(jnp.isfinite(S) & jnp.isfinite(d), status, Status.FAILED),
        modes=modes,
    )


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
            if name == "variances" and array.size and (least := np.asarray(array).min()) < 0:
                fail(
                    name,
                    "be of at least 0",
                    f"its smallest is {least:g}",
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
