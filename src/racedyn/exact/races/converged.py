"""Where pathways that compete for modes end, without an ODE: all of a mode share one drive s, and
its end is a root ([Shi22]).

Where the pathways are at s is known at once (`drive`); the root is found by steps of third order.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from racedyn._jit import wide_jit
from racedyn._text import brief
from racedyn._types import Array, ArrayLike
from racedyn.exact.races.depths import DEEP, Depths
from racedyn.exact.races.drive import near_gap, rough_power
from racedyn.exact.races.given import as_race, by_lanes, given_arrays, has_end
from racedyn.exact.races.race import Place, Race, set_out
from racedyn.trajectory import Status

ROOTS = 1024  # modes at a time
_ITERATIONS = 100
_CLOSE = 1e-3  # of the sum of K: two more steps of third order are at rounding
_SETTLED = 1e-9  # of the sum of K at the end, or it was not found
ROUNDED = 100  # roundings, below which no error can be told
_FARTHEST = 0.1  # the gap to the pole shrinks at most to this part in one iteration
_STRIDE = 3.0  # and s moves at most so far, where no pathway has a pole


class Converged(NamedTuple):
    """`strength`, `q`, `p` (path, mode) at the end, NaN where a mode has none; `status` (mode,):
    `Status` DONE, SYMMETRIC (learned, by pathways that are exactly equal and in front, so that any
    difference would decide), UNLEARNED (no pathway can bring it there) or FAILED (not found, or a
    number that is not finite)."""

    strength: Array
    q: Array
    p: Array
    status: Array

    def __repr__(self) -> str:
        return brief(self)


def converged(
    singular_values: ArrayLike,
    depths: Sequence[int],
    q: ArrayLike,
    p: ArrayLike,
    variances: ArrayLike = 1.0,
) -> Converged:
    """The end of every mode of `systems.Pathways` with these arguments, where S = d sum_a K_a.

    `singular_values` S and `variances` d (..., mode), `q` and `p` (..., path, mode) or anything
    that broadcasts; `depths` D_a, whole numbers from 1 to 1000. Any signs. Further axes in front
    are a batch. Works under `jit`; derivatives are those of the implicit function theorem. A mode
    that starts at its end stays there; q = 0 at D > 2 never moves, and a mode without another
    pathway is never learned. Use float64, as all is where JAX's 64 bits are on: in float32 five or
    six digits are right, fewer where pathways are close. Raises `ValueError` where shapes don't
    meet and for a depth that is no whole number: the drive has no finite form there; `simulate`
    follows `systems.Pathways` of such.

        >>> end = rd.exact.converged([1.0], depths=(2, 2), q=0.1, p=[[0.1], [0.05]])
        >>> end.strength[:, 0].round(3).tolist()
        [0.64, 0.36]
    """
    return Converged(*_ends(*as_race(singular_values, depths, q, p, variances)))


@wide_jit()
def _ends(
    singular_values: Array, q: Array, p: Array, variances: Array, depths: Depths
) -> tuple[Array, Array, Array, Array]:
    """K, q, p (..., path, mode) and status (..., mode)."""
    target, _, q, p = given_arrays(singular_values, q, p, variances, depths)

    def ends(target: Array, q: Array, p: Array) -> tuple[Array, ...]:
        turned = set_out(target, q, p, depths)
        *_, end = turned.race.arrived(*solve(turned.race))
        status = judged(turned.race, end)
        found = turned.strength * end.K, turned.q * end.q, turned.p * end.p
        return *(jnp.where(has_end(status), x, jnp.nan) for x in found), status

    K, q, p, status = by_lanes(ends, ROOTS, target, q, p)
    return *(jnp.moveaxis(x, 0, -2) for x in (K, q, p)), status  # type: ignore[return-value]


def judged(race: Race, end: Place) -> Array:
    """The status (...) of a race that came to `end`."""
    scale = jnp.abs(race.goal) + jnp.sum(jnp.abs(end.K), axis=0) + jnp.abs(race.begun)
    settled = max(_SETTLED, ROUNDED * float(jnp.finfo(scale.dtype).eps))
    found = jnp.abs(race.goal - jnp.sum(end.K, axis=0)) <= settled * scale
    status = jnp.where(found, race.ending(end.K), Status.FAILED)
    return jnp.where(race.reachable | ~jnp.isfinite(race.goal), status, Status.UNLEARNED).astype(
        jnp.int32
    )


class State(NamedTuple):
    """s and the gap y left to the first pole; how far it is at most from s to the goal, on either
    side; whether a mode is done, and steps so far."""

    s: Array
    y: Array
    below: Array
    above: Array
    done: Array
    step: Array


def solve(race: Race) -> tuple[Array, Array]:
    """s and y near the goal: one step more (`Race.arrived`) is at rounding."""
    race = jax.lax.stop_gradient(race)
    first = race.first
    has_pole = jnp.isfinite(first)
    latest = race.latest

    def move(state: State) -> State:
        place = race.at(state.s, state.y, rough=True)
        down, up = (
            jnp.where(has_pole, 9 * state.y, _STRIDE),
            jnp.where(has_pole, (1 - _FARTHEST) * state.y, _STRIDE),
        )
        missing = race.goal - jnp.sum(place.K, axis=0)
        below, above = (
            jnp.where(missing > 0, 0.0, state.below),
            jnp.where(missing < 0, 0.0, state.above),
        )
        step = race.step(place)
        step = jnp.where(step >= above, above / 2, jnp.where(step <= -below, -below / 2, step))
        step = jnp.minimum(jnp.clip(step, -jnp.minimum(state.s, down), up), latest - state.s)
        close = jnp.abs(missing) <= _CLOSE * (
            jnp.abs(race.goal) + jnp.sum(jnp.abs(place.K), axis=0)
        )
        s, y = state.s + step, jnp.where(has_pole, state.y - step, jnp.inf)
        return State(
            jnp.where(state.done, state.s, s),
            jnp.where(state.done, state.y, y),
            below + step,
            above - step,
            state.done | close | ~jnp.isfinite(missing),
            state.step + 1,
        )

    over = ~race.reachable | (race.goal == race.begun)
    s, y = _guess(race) if DEEP in race.depths.kinds else (jnp.zeros_like(race.goal), first)
    # Twice s: a first step that leads below 0 is to end there, not half-way.
    state = State(s, y, 2 * s, jnp.full_like(s, jnp.inf), over, jnp.asarray(0))
    state = jax.lax.while_loop(lambda s: (s.step < _ITERATIONS) & ~jnp.all(s.done), move, state)
    return state.s, state.y


def _guess(race: Race) -> tuple[Array, Array]:
    """s and y where the pathway nearest to its pole brings all that is missing, if it does so
    soon.
    """
    goal, first = race.goal, race.first
    leads = race.moving & (race.way.forward > 0) & (race.ahead == 0)

    def of_lead(values: ArrayLike) -> Array:
        return jnp.max(jnp.where(leads, values, -jnp.inf), axis=0)

    D, c = of_lead(jnp.maximum(race.depths.real(race.q), 3.0)), of_lead(race.way.c)
    begins = of_lead(race.p * race.depths.less_one(race.q))
    useful = jnp.isfinite(first) & (goal > 0) & (begins < goal)
    reach = rough_power(jnp.where(useful, goal, 1.0), 2 / D)
    # v = q^2 solves v^(D-1) (v - c) = reach^D: one step of Newton's method in the logarithm from
    # max(c, 0) + reach.
    v = jnp.maximum(c, 0.0) + reach
    miss = jnp.log1p(jnp.abs(c) / reach) * jnp.where(c > 0, D - 1, 1.0)
    v = jnp.maximum(
        v - miss / ((D - 1) / v + 1 / (v - c)), jnp.maximum(c, 0.0) * (1 + 1e-3) + 1e-3 * reach
    )
    q, p = jnp.sqrt(v), jnp.sqrt(jnp.maximum(v - c, 0.0))
    at = jnp.where(leads, c, 0.0), jnp.where(leads, q, 1.0), jnp.where(leads, p, 1.0)
    y = of_lead(near_gap(*at, race.depths.deep))
    useful &= (y > 0) & (y < first)
    y = jnp.where(useful, y, first)
    s = jnp.minimum(jnp.where(useful, first - y, 0.0), race.latest)
    return s, jnp.where(s < first - y, first - s, y)
