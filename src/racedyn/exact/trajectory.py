"""Trajectories of a race without an ODE solver: time is a quadrature over the drive, from the plateau to convergence.

With s* the drive at the end, v = log((s + e) / (s* - s)) makes dt/dv smooth and bounded: on a plateau it falls with s* - s,
near the end it is one over the rate at which the mode relaxes, and e, how far behind the nearest pole lies, resolves a start
near one. Gauss panels in v give t, each panel's polynomial is inverted at the asked times, and beyond the last panel a mode
relaxes exponentially. Neither the end time nor stiffness costs anything.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import fail
from racedyn._types import Array, ArrayLike
from racedyn.exact.converged import judged, solve
from racedyn.exact.drive import power
from racedyn.exact.race import Ending, Place, Race, given_arrays, set_out

_PANELS, _ORDER = 24, 10
_LEFT = 1e-9  # of what a mode learns, beyond the last panel: there r is straight, and its rounding no larger than this
_STEPS, _INVERSIONS = 40, 12
_TURN = 1.0  # kappa moves at most so far in a step
_CLOSE = 1e-11  # the next step is at rounding

_NODES = np.polynomial.legendre.leggauss(_ORDER)[0]


class Unfolded(NamedTuple):
    """`strength`, `q`, `p` (..., time, path, mode), NaN where a mode has no end; `status` (..., mode), of `Ending`."""

    strength: Array
    q: Array
    p: Array
    status: Array


def trajectory(
    singular_values: ArrayLike,
    depths: Sequence[int],
    q: ArrayLike,
    p: ArrayLike,
    variances: ArrayLike = 1.0,
    *,
    ts: ArrayLike,
) -> Unfolded:
    """Strengths of `systems.Pathways` with these arguments at the flow times `ts` (time,), of at least 0, in any order.

    Other arguments as in `converged`. Works under `jit`, and derivatives are those of the solution. A mode that is never
    learned has no end to count from and is NaN; an ODE follows it. Raises `ValueError` for negative times.
    """
    t = jnp.atleast_1d(jnp.asarray(ts, float))
    if not isinstance(t, jax.core.Tracer) and t.size and not t.min() >= 0:
        fail("ts", "be of at least 0, where the start is", f"its smallest is {float(t.min()):g}")
    target, d, q, p, depths = given_arrays(singular_values, depths, q, p, variances)
    *values, status = _unfold(target, d, q, p, depths, t)
    # From (time, path, ..., mode) to (..., time, path, mode).
    strength, q, p = (jnp.moveaxis(x, (0, 1), (-3, -2)) for x in values)
    return Unfolded(strength, q, p, status)


@partial(jax.jit, static_argnums=4)
def _unfold(
    target: Array, d: Array, q: Array, p: Array, depths: tuple[int, ...], t: Array
) -> tuple[Array, Array, Array, Array]:
    """K, q, p (time, path, ...) and status (...)."""
    turned = set_out(target, q, p, depths)
    race = turned.race
    state = solve(race)
    s, y, last = race.arrived(state.s, state.y, state.kappa)
    status = judged(race, state, last)
    end = _End.of(race, s, y, state.kappa, last)
    slopes = _slopes(race, end, d)
    place = _places(race, end, _inverted(end, d, slopes, t))
    still = end.s == 0
    none = status >= Ending.NEVER
    values = []
    for signs, at_t, at_start in ((turned.strength, place.K, race.p * power(race.q, race.D - 1)), (turned.q, place.q, race.q),
                                  (turned.p, place.p, race.p)):  # fmt: skip
        values.append(jnp.where(none, jnp.nan, signs * jnp.where(still, at_start, at_t)))
    return values[0], values[1], values[2], status


class _End(NamedTuple):
    """Drive s and gap y at the end, with derivatives, and dK/ds there (...); kappa (path, ...); `behind`, the e of v (...), and
    where panels end in v, from the start on."""

    s: Array
    y: Array
    slope: Array
    kappa: Array
    behind: Array
    last: Array

    @classmethod
    def of(cls, race: Race, s: Array, y: Array, kappa: Array, last: Place) -> "_End":
        slope = jnp.sum(last.k, axis=0)
        s = jnp.where(race.goal == race.begun, 0.0, s)
        behind = jax.lax.stop_gradient(jnp.where(s > 0, s, 1.0))
        pole = jnp.where(race.way.c > 0, race.start_behind, race.start_gap)
        behind = jnp.minimum(behind, jnp.min(jnp.where(race.moving & (race.p < 0), pole, jnp.inf), axis=0))
        if 2 in race.depths:
            behind = jnp.minimum(behind, 1.0)
        # What is left of K is about the slope times s* - s: _LEFT of what the mode learns.
        rest = _LEFT * (jnp.abs(race.goal) + jnp.abs(race.begun))
        left = jnp.minimum(rest / jnp.where(slope > 0, slope, 1.0), s / 2)
        end = cls(s, y, slope, kappa, jax.lax.stop_gradient(behind), s)
        return end._replace(last=jax.lax.stop_gradient(end.when(jnp.where(left > 0, left, 1.0))))

    @property
    def begin(self) -> Array:
        """e^v at the start."""
        return self.behind / jnp.where(self.s > 0, self.s, 1.0)

    def left(self, v: Array) -> Array:
        """s* - s at v (k, ...), which counts from the start."""
        return (self.s + self.behind) * jnp.exp(-v) / (jnp.exp(-v) + self.begin)

    def at(self, v: Array) -> tuple[Array, Array]:
        """s and y at v (k, ...)."""
        return -self.behind * jnp.expm1(-v) / (jnp.exp(-v) + self.begin), self.y + self.left(v)

    def when(self, left: Array) -> Array:
        """v at which this is left of the drive."""
        return jnp.log(((self.s + self.behind) / left - 1) / self.begin)


def _places(race: Race, end: _End, v: Array) -> Place:
    """Where all pathways are at v (k, ...): (k, path, ...). Found by Newton steps, the last of which has the derivatives."""
    s, y = end.at(v)
    everywhere = jax.vmap(race.at)
    if max(race.depths) <= 2:
        return everywhere(s, y, jnp.broadcast_to(race.start_kappa, (len(v), *race.q.shape)))
    fixed, there = jax.lax.stop_gradient((race, (s, y)))
    frozen = jax.vmap(fixed.at)

    def move(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        kappa, _, step = carry
        error = jnp.clip(frozen(*there, kappa).error, -_TURN, _TURN)
        return kappa + error, jnp.max(jnp.abs(jnp.where(jnp.isfinite(error), error, 0.0))), step + 1

    kappa = _guess(fixed, jax.lax.stop_gradient(end), *there)
    kappa, _, _ = jax.lax.while_loop(
        lambda carry: (carry[1] > _CLOSE) & (carry[2] < _STEPS),
        move,
        (kappa, jnp.asarray(jnp.inf, kappa.dtype), jnp.asarray(0)),
    )
    return everywhere(s, y, kappa + everywhere(s, y, kappa).error)


def _guess(race: Race, end: _End, s: Array, y: Array) -> Array:
    """kappa (k, path, ...) as near to a pole, between its values at the start and at the end."""
    deep = np.maximum(race.D, 3)
    first = race.first_gap
    behind = jnp.where(jnp.isfinite(first), race.start_gap - first, 0.0)
    c = race.way.c
    since = (c > 0) & (race.p < 0)
    pole = jnp.where(race.way.forward > 0, y[:, None] + behind, race.start_gap + s[:, None])
    ahead = ((deep - 2.0) * pole) ** (-1.0 / (deep - 2))
    past = ((deep - 2.0) * (race.start_behind + s[:, None])) ** (-1.0 / (deep - 2))
    spread = jnp.log(ahead + jnp.sqrt(jnp.maximum(ahead**2 - c, 0.0)))
    lower = jnp.log(jnp.where(c > 0, c, 1.0)) - jnp.log(past + jnp.sqrt(jnp.maximum(past**2 - c, 0.0)))
    near = jnp.where(c > 0, jnp.where(since, jnp.maximum(lower, spread), spread), jnp.log(ahead))
    bounds = (f(race.start_kappa, end.kappa) for f in (jnp.minimum, jnp.maximum))
    return jnp.clip(near, *bounds)


def _slopes(race: Race, end: _End, d: Array) -> Array:
    """dt/dv at all nodes: (panel, node, ...)."""
    inside = (np.arange(_PANELS)[:, None] + (1 + _NODES) / 2).reshape((-1,) + (1,) * end.s.ndim)
    v = end.last / _PANELS * inside
    left = end.left(v)
    pace = left * (1 - left / (end.s + end.behind))  # ds/dv
    r = d * (race.goal - jnp.sum(_places(race, end, v).K, axis=1))
    slopes = jnp.where(r > 0, pace / jnp.where(r > 0, r, 1.0), 1 / (d * end.slope))
    return slopes.reshape(_PANELS, _ORDER, *race.goal.shape)


# From values at the Gauss nodes of [-1, 1] to Legendre coefficients, and of these to those of the integral from -1.
_TO_LEGENDRE = np.linalg.inv(np.polynomial.legendre.legvander(_NODES, _ORDER - 1))
_INTEGRAL = np.stack(
    [np.polynomial.legendre.legint(row, lbnd=-1) for row in np.eye(_ORDER)], axis=1
)  # (order + 1, order)


def _inverted(end: _End, d: Array, slopes: Array, t: Array) -> Array:
    """v (time, ...) at the times t."""
    width = end.last / _PANELS
    coefficients = jnp.einsum("ij,pj...->pi...", _TO_LEGENDRE, slopes)
    rising = jnp.einsum("ki,pi...->pk...", _INTEGRAL, coefficients) * width / 2
    arrival = jnp.concatenate([jnp.zeros_like(rising[:1, 0]), jnp.cumsum(jnp.sum(rising, axis=1), axis=0)])
    times = t.reshape((-1,) + (1,) * end.s.ndim)
    panel = jnp.clip(jnp.sum(times[:, None] >= arrival[None], axis=1) - 1, 0, _PANELS - 1)
    own = jnp.take_along_axis(rising[None], panel[:, None, None], axis=1)[:, 0]  # (time, order + 1, ...)
    slope = jnp.take_along_axis(coefficients[None], panel[:, None, None], axis=1)[:, 0] * width / 2
    since = times - jnp.take_along_axis(arrival[None], panel[:, None], axis=1)[:, 0]

    def step(x: Array, own: Array, slope: Array, since: Array) -> Array:
        return jnp.clip(x + (since - _legendre(own, x)) / _legendre(slope, x), -1.0, 1.0)

    fixed = jax.lax.stop_gradient((own, slope, since))
    x = jax.lax.fori_loop(0, _INVERSIONS, lambda _, x: step(x, *fixed), jnp.zeros_like(since))
    x = step(jax.lax.stop_gradient(x), own, slope, since)
    inside = width * (panel.astype(x.dtype) + (x + 1) / 2)
    # Beyond the panels r is d dK/ds (s* - s).
    over = jnp.maximum(times - arrival[-1], 0.0) * d * end.slope
    whole = (end.s + end.behind) / end.left(end.last)
    later = over + jnp.log((whole - jnp.exp(-over)) / end.begin)
    return jnp.where(over > 0, later, inside)


def _legendre(coefficients: Array, x: Array) -> Array:
    """Sum of Legendre polynomials at x (time, ...); coefficients (time, order, ...). By Clenshaw's recurrence."""
    one, two = jnp.zeros_like(x), jnp.zeros_like(x)
    for n in reversed(range(1, coefficients.shape[1])):
        one, two = coefficients[:, n] + (2 * n + 1) / (n + 1) * x * one - (n + 1) / (n + 2) * two, one
    return coefficients[:, 0] + x * one - two / 2
