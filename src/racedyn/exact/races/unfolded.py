"""Trajectories of a race without an ODE solver: time is a quadrature over the drive, from the
plateau to convergence.

With s* the drive at the end, v = log((s + e) / (s* - s)) makes dt/dv smooth and bounded: on a
plateau it falls with s* - s, near the end it is one over the rate at which the mode relaxes, and e,
how far behind the nearest pole lies, resolves a start near one. Gauss panels in v give t, each
panel's polynomial is inverted at the asked times, and beyond the last panel a mode relaxes as a
logistic does. Neither the end time nor stiffness costs anything. The last coefficients of the
polynomials tell the error; a mode where it is too large gets more panels."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import fail
from racedyn._jit import wide_jit
from racedyn._types import MODE, PATH, Array, ArrayLike, Times
from racedyn.exact.races.converged import ROOTS, judged, solve
from racedyn.exact.races.drive import power
from racedyn.exact.races.given import as_race, by_lanes, given_arrays, has_end
from racedyn.exact.races.race import Place, Race, set_out
from racedyn.exact.solution import flow_times, loss_of, solution
from racedyn.tasks import Modes
from racedyn.trajectory import Status, Trajectory

_LANES = 32  # modes at a time: all of their nodes have to stay in the cache
_ORDER, _PANELS = 10, 12
_MORE = (
    50  # panels, where the last coefficients of _PANELS come to more than _ASKED of the sum of K
)
_ASKED = 1e-6  # what they leave out is less than a hundredth of that
_LEFT = 1e-4  # of what a mode learns, beyond the last panel: there r is a parabola in s
_INVERSIONS = 5  # of a panel, by Newton's method

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(_ORDER)


def trajectory(
    singular_values: ArrayLike,
    depths: Sequence[int],
    q: ArrayLike,
    p: ArrayLike,
    ts: Times,
    *,
    variances: ArrayLike = 1.0,
    modes: Modes | None = None,
) -> Trajectory:
    """The race of `systems.Pathways` with these arguments at the flow times `ts` (time,), of at
    least 0, in any order.

    Observables as there: `strength`, `q`, `p` (time, path, mode) and `loss` (time,). `modes`: those
    that S and d are of; they give names and the floor of the loss, and `compare` then checks bases.
    Other arguments as in `converged`, of one race: `ensemble` takes many. Works under `jit`, `grad`
    and `vmap`; derivatives are those of the solution. `status` (mode,): UNLEARNED for a mode that
    is never learned, which has no end to count from and is NaN; FAILED, and NaN, where time scales
    lie so far apart that fifty panels don't resolve them: `simulate` follows both. Raises
    `ValueError` for negative times and shapes that don't meet.

        >>> run = rd.exact.trajectory([1.0], (2, 2), q=0.1, p=[[0.1], [0.05]], ts=[0.0, 10.0])
        >>> run["strength"][-1, :, 0].round(3).tolist()
        [0.64, 0.36]
    """
    t = flow_times(ts)
    S, at_q, at_p, d, whole = as_race(singular_values, depths, q, p, variances)
    if max(S.ndim, d.ndim) > 1 or max(at_q.ndim, at_p.ndim) > 2:
        fail(
            "singular_values, q, p",
            "be those of one race, (mode,) and (path, mode)",
            f"their shapes are {S.shape}, {at_q.shape} and {at_p.shape}",
            "racedyn.ensemble takes many.",
        )
    K, q_t, p_t, status = _unfold(S, at_q, at_p, d, whole, t)
    return solution(
        f"race of pathways of depths {whole}",
        t,
        {"strength": K, "loss": loss_of(S, d, jnp.sum(K, axis=1), modes), "q": q_t, "p": p_t},
        {name: (PATH, MODE) for name in ("strength", "q", "p")},
        solver="quadrature over the drive",
        status=status,
        modes=modes,
    )


def race_states(
    singular_values: ArrayLike,
    depths: Sequence[int],
    q: ArrayLike,
    p: ArrayLike,
    ts: Times,
    *,
    variances: ArrayLike = 1.0,
) -> tuple[Array, Array, Array, Array]:
    """K, q, p (..., time, path, mode) of `trajectory` and the `Status` of modes (..., mode), as
    plain arrays; axes in front are a batch, as in `converged`."""
    return _unfold(*as_race(singular_values, depths, q, p, variances), flow_times(ts))


@wide_jit(static_argnums=4)
def _unfold(
    singular_values: Array, q: Array, p: Array, variances: Array, depths: tuple[int, ...], ts: Array
) -> tuple[Array, Array, Array, Array]:
    """K, q, p (..., time, path, mode) and status (..., mode)."""
    target, d, q, p = given_arrays(singular_values, q, p, variances, depths)
    t = jnp.atleast_1d(ts)

    def unfold(
        target: Array, d: Array, q: Array, p: Array, s: Array, y: Array
    ) -> tuple[Array, ...]:
        turned = set_out(target, q, p, depths)
        race = turned.race
        s, y, last = race.arrived(s, y)
        status = judged(race, last)
        end = _End.of(race, s, y, last)
        v, error = _inverted(end, d, *_slopes(race, end, d, _PANELS), t)

        def again(v: Array, error: Array) -> tuple[Array, Array]:
            better, less = _inverted(end, d, *_slopes(race, end, d, _MORE), t)
            return jnp.where(error > _ASKED, better, v), jnp.where(error > _ASKED, less, error)

        v, error = jax.lax.cond(jnp.any(error > _ASKED), again, lambda *same: same, v, error)
        status = jnp.where(has_end(status) & (error > _ASKED), Status.FAILED, status)
        place = _places(race, end, v)
        begun = race.p * power(race.q, race.D - 1)
        still, none = race.goal == race.begun, ~has_end(status)
        values = []
        for sign, at_t, at_start in (
            (turned.strength[None], place.K, begun),
            (turned.q, place.q, race.q),
            (turned.p, place.p, race.p),
        ):
            moved = jnp.where(still, at_start[:, None], at_t)
            value = jnp.where(none, jnp.nan, sign[:, None] * moved)
            # Where all pathways are shallow none has a q that moves, and time is no axis of it yet.
            values.append(jnp.broadcast_to(value, (value.shape[0], len(t), *value.shape[2:])))
        return *values, status

    near = by_lanes(
        lambda target, q, p: solve(set_out(target, q, p, depths).race), ROOTS, target, q, p
    )
    *values, status = by_lanes(unfold, _LANES, target, d, q, p, *near)
    return *(jnp.moveaxis(x, (1, 0), (-3, -2)) for x in values), status  # type: ignore[return-value]


class _End(NamedTuple):
    """Drive s and gap y at the end, with derivatives, dK/ds there and half of its own slope
    relative to it; `behind`, the e of v; where panels end in v, which counts from the start: all
    (...)."""

    s: Array
    y: Array
    slope: Array
    bend: Array
    behind: Array
    last: Array

    @classmethod
    def of(cls, race: Race, s: Array, y: Array, last: Place) -> "_End":
        slope = jnp.sum(last.k, axis=0)
        s = jnp.where(race.goal == race.begun, 0.0, s)
        behind = jax.lax.stop_gradient(jnp.where(s > 0, s, 1.0))
        behind = jnp.minimum(
            behind, jnp.min(jnp.where(race.moving & (race.p < 0), race.since, jnp.inf), axis=0)
        )
        if 2 in race.depths:
            behind = jnp.minimum(behind, 1.0)
        # What is left of K is about the slope times s* - s: _LEFT of what the mode learns.
        rest = _LEFT * (jnp.abs(race.goal) + jnp.abs(race.begun))
        steep = jnp.where(slope > 0, slope, 1.0)
        bends = jnp.sum(jnp.abs(last.bend), axis=0) / (2 * steep)
        left = jnp.minimum(
            jnp.minimum(rest / steep, s / 2), _LEFT / jnp.where(bends > 0, bends, 1.0)
        )
        end = cls(
            s, y, slope, jnp.sum(last.bend, axis=0) / (2 * steep), jax.lax.stop_gradient(behind), s
        )
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
    """Where all pathways are at v (k, ...): (path, k, ...)."""
    return race.along.at(*end.at(v))


def _slopes(race: Race, end: _End, d: Array, panels: int) -> tuple[Array, Array]:
    """dt/dv at all nodes (panel, node, ...), and the largest dK/dt of each panel (panel, ...)."""
    inside = (np.arange(panels)[:, None] + (1 + _NODES) / 2).reshape((-1,) + (1,) * end.s.ndim)
    v = end.last / panels * inside
    left = end.left(v)
    pace = left * ((end.at(v)[0] + end.behind) / (end.s + end.behind))  # ds/dv
    place = _places(race, end, v)
    r = d * (race.goal - jnp.sum(place.K, axis=0))
    speed = jax.lax.stop_gradient(
        jnp.sum(place.k, axis=0) * r / (jnp.abs(race.goal) + jnp.abs(race.begun))
    )
    slopes = jnp.where(r > 0, pace / jnp.where(r > 0, r, 1.0), 1 / (d * end.slope))
    slopes, speed = (x.reshape(panels, _ORDER, *race.goal.shape) for x in (slopes, speed))
    return slopes, jnp.max(speed, axis=1)


# From values at the Gauss nodes of [-1, 1] to the coefficients of their polynomial.
_TO_POLYNOMIAL = np.linalg.inv(np.vander(_NODES, increasing=True))
# The highest coefficients of Legendre's polynomials.
_TOP = [
    np.polynomial.Legendre.basis(k).convert(kind=np.polynomial.Polynomial).coef[-1]
    for k in range(_ORDER)
]


def _inverted(end: _End, d: Array, slopes: Array, speed: Array, t: Array) -> tuple[Array, Array]:
    """v (time, ...) at the times t, and the error (...) that the last coefficients tell, of the sum
    of K.
    """
    width = end.last / len(slopes)
    rates = jnp.einsum("ij,pj...->ip...", _TO_POLYNOMIAL, slopes) * width / 2
    parts = [rates[k] / (k + 1.0) for k in range(_ORDER)]
    even, odd = (jnp.sum(jnp.stack(parts[k::2]), axis=0) for k in (0, 1))
    # Not by the polynomial: its rounding is hundreds of times larger, and a plateau's ending has to
    # be known to its length.
    taken = jnp.tensordot(_WEIGHTS, slopes, ((0,), (1,))) * width / 2
    arrival = jnp.cumsum(jnp.concatenate([jnp.zeros_like(taken[:1]), taken]), axis=0)
    times = t.reshape((-1,) + (1,) * end.s.ndim)
    panel = jnp.clip(jnp.sum(times[:, None] >= arrival[None], axis=1) - 1, 0, len(slopes) - 1)
    since = times - jnp.take_along_axis(arrival[:-1] + even - odd, panel, axis=0)  # the middle
    own = jnp.take_along_axis(rates, panel[None], axis=1)  # (order, time, ...)

    def step(x: Array, own: Array, since: Array) -> Array:
        rate, passed = own[-1], own[-1] / _ORDER
        for k in reversed(range(_ORDER - 1)):
            rate, passed = rate * x + own[k], passed * x + own[k] / (k + 1.0)
        return jnp.clip(x + (since - passed * x) / rate, -1.0, 1.0)

    fixed = jax.lax.stop_gradient((own, since))
    x = jnp.clip(fixed[1] / fixed[0][0], -1.0, 1.0)
    x = jax.lax.fori_loop(0, _INVERSIONS, lambda _, x: step(x, *fixed), x)
    x = step(x, own, since)
    inside = width * (panel.astype(x.dtype) + (x + 1) / 2)
    # Beyond the panels r is d dK/ds x (1 - bend x), x = s* - s.
    over = jnp.clip((times - arrival[-1]) * d * end.slope, 0.0, 600.0)
    last = end.left(end.last)
    left = last / ((1 - end.bend * last) * jnp.exp(over) + end.bend * last)
    error = jnp.max(
        jnp.maximum(jnp.abs(rates[-1]) / _TOP[-1], jnp.abs(rates[-2]) / _TOP[-2]) * speed, axis=0
    )
    return jnp.where(over > 0, end.when(left), inside), jax.lax.stop_gradient(error)
