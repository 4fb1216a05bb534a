"""Where pathways that compete for modes end, without an ODE: all of a mode share one drive s, and its end is a root ([Shi22]).

The root in s and every deep pathway's place at s are found together by Newton's method, in variables in which both are
nearly straight: kappa against the logarithm of the gap to the pole, s against K^((2-D)/D).
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._types import Array, ArrayLike
from racedyn.exact.drive import Course, gap, position, power
from racedyn.exact.race import Ending, Place, Race, column, given_arrays, set_out

_ITERATIONS = 100
_CLOSE = 1e-11  # of Newton steps: the next one is at rounding
_FARTHEST = 0.1  # the gap to the pole shrinks at most to this part in one iteration
_TURN = 1.0  # and kappa moves at most so far
_NEAR = 0.3  # of errors of kappa with which s moves too
_STRIDE = 3.0  # and s, where no pathway has a pole


class Converged(NamedTuple):
    """`strength`, `q`, `p` (path, mode) at the end, NaN where a mode has none; `status` (mode,), of `Ending`."""

    strength: Array
    q: Array
    p: Array
    status: Array


def converged(
    singular_values: ArrayLike, depths: Sequence[int], q: ArrayLike, p: ArrayLike, variances: ArrayLike = 1.0
) -> Converged:
    """The end of every mode of `systems.Pathways` with these arguments, where S = d sum_a K_a.

    `singular_values` S and `variances` d (..., mode), `q` and `p` (..., path, mode) or anything that broadcasts; `depths` D_a,
    whole numbers of at least 1. Any signs. Further axes in front are a batch. Works under `jit`; derivatives are those of
    the implicit function theorem. A mode that starts at its end stays there; q = 0 at D > 2 never moves. Raises `ValueError`
    for a depth that is no whole number: the drive has no finite form there, an ODE does.
    """
    target, _, q, p, depths = given_arrays(singular_values, depths, q, p, variances)
    strength, q, p, status = _ends(target, q, p, depths)
    strength, q, p = (jnp.moveaxis(x, 0, -2) for x in (strength, q, p))
    return Converged(strength, q, p, status)


@partial(jax.jit, static_argnums=3)
def _ends(target: Array, q: Array, p: Array, depths: tuple[int, ...]) -> tuple[Array, Array, Array, Array]:
    """K, q, p (path, ...) and status (...) at sum K = target."""
    turned = set_out(target, q, p, depths)
    state = solve(turned.race)
    *_, end = turned.race.arrived(state.s, state.y, state.kappa)
    status = judged(turned.race, state, end)
    none = status >= Ending.NEVER
    K, q, p = (jnp.where(none, jnp.nan, x)
               for x in (turned.strength * end.K, turned.q * end.q, turned.p * end.p))  # fmt: skip
    return K, q, p, status


def judged(race: Race, state: "State", end: Place) -> Array:
    """The status (...) of a race that `solve` left in this state, with all pathways at `end`."""
    status = jnp.where(state.done & jnp.isfinite(end.K).all(axis=0), race.ending(end.K), Ending.FAILED)
    status = jnp.where(race.reachable, status, Ending.NEVER)
    given = jnp.isfinite(race.goal) & jnp.isfinite(race.q + race.p).all(axis=0)
    return jnp.where(given, status, Ending.FAILED).astype(jnp.int32)


class State(NamedTuple):
    """s, the gap y left to the first pole, kappa (path, ...); whether a mode is done, and steps so far."""

    s: Array
    y: Array
    kappa: Array
    done: Array
    step: Array


def solve(race: Race) -> State:
    """The drive at which the sum of K is the goal. It has no derivatives: `Race.arrived` gives the solution its own."""
    race = jax.lax.stop_gradient(race)
    goal = race.goal
    first = race.first_gap
    has_pole = jnp.isfinite(first)
    bend = np.where(race.D > 1, (race.D - 2) / race.D, -1.0)
    tiny = jnp.finfo(goal.dtype).tiny

    def move(state: State) -> State:
        place = race.at(state.s, state.y, state.kappa)
        total, slope = jnp.sum(place.K, axis=0) + place.ahead, jnp.sum(place.k, axis=0)
        fastest = jnp.argmax(place.k, axis=0)[None]
        bent = jnp.take_along_axis(jnp.broadcast_to(bend, place.k.shape), fastest, axis=0)[0]
        curved = (goal > 0) & (2 * total > jnp.sum(jnp.abs(place.K), axis=0))
        ratio = jnp.log(jnp.where(curved, total, 1.0) / jnp.where(curved, goal, 1.0))
        straightened = jnp.where(bent == 0, -ratio, -jnp.expm1(bent * ratio) / jnp.where(bent == 0, 1.0, bent))
        step = jnp.where(curved, total * straightened, goal - total) / jnp.maximum(slope, tiny)
        down, up = jnp.where(has_pole, 9 * state.y, _STRIDE), jnp.where(has_pole, (1 - _FARTHEST) * state.y, _STRIDE)
        step = jnp.minimum(jnp.clip(step, -jnp.minimum(state.s, down), up), race.latest - state.s)
        worst = jnp.abs(goal - total) / (jnp.abs(goal) + jnp.sum(jnp.abs(place.K), axis=0) + jnp.abs(race.begun) + tiny)
        worst = jnp.maximum(worst, jnp.max(jnp.abs(place.error), axis=0))

        def keep(new: Array, old: Array) -> Array:
            return jnp.where(state.done, old, new)

        # Where pathways are far from their places their sum says little: they first go there.
        step = jnp.where(jnp.max(jnp.abs(place.error), axis=0) < _NEAR, step, 0.0)
        s, y = state.s + step, jnp.where(has_pole, state.y - step, jnp.inf)
        return State(
            keep(s, state.s),
            keep(y, state.y),
            keep(state.kappa + jnp.clip(race.error(place, s, y), -_TURN, _TURN), state.kappa),
            state.done | ~(worst > _CLOSE),
            state.step + 1,
        )

    over = ~race.reachable | (goal == race.begun)
    s, y, kappa = _guess(race) if max(race.depths) > 2 else (jnp.zeros_like(goal), first, race.start_kappa)
    state = State(s, y, kappa, over, jnp.asarray(0))
    return jax.lax.while_loop(lambda s: (s.step < _ITERATIONS) & ~jnp.all(s.done), move, state)


def _guess(race: Race) -> tuple[Array, Array, Array]:
    """s, y and kappa near the end: where the pathway nearest to its pole brings all that is missing, if it does so soon."""
    goal, first = race.goal, race.first_gap
    racing = race.moving & (race.way.forward > 0)
    lead = jnp.argmin(jnp.where(racing, race.start_gap, jnp.inf), axis=0)[None]

    def of_lead(values: ArrayLike) -> Array:
        return jnp.take_along_axis(jnp.broadcast_to(values, race.q.shape), lead, axis=0)[0]

    D, c = of_lead(np.maximum(race.D, 3.0)), of_lead(race.way.c)
    begins = of_lead(race.p * power(race.q, race.D - 1))
    useful = jnp.isfinite(first) & (goal > 0) & (begins < goal)
    reach = jnp.where(useful, goal, 1.0) ** (2 / D)
    # v = q^2 solves v^(D-1) (v - c) = goal^2, between max(c, reach) and max(c, 0) + reach: Newton in the logarithm.
    v = jnp.maximum(c, 0) + reach
    for _ in range(3):
        miss = (D - 1) * jnp.log(v / reach) + jnp.log((v - c) / reach)
        v = v - miss / ((D - 1) / v + 1 / (v - c))
        v = jnp.maximum(v, jnp.maximum(c, 0.0) * (1 + 1e-3) + 1e-3 * reach)
    q = jnp.sqrt(v)
    way = Course(c, jnp.ones_like(c))
    kappa = jnp.where(c > 0, jnp.log(q + jnp.sqrt(jnp.maximum(v - c, 0.0))), jnp.log(q))
    y = _gap_of_lead(race, way, kappa, lead)
    useful &= (y > 0) & (y < first)
    y = jnp.where(useful, y, first)
    s = jnp.minimum(jnp.where(useful, first - y, 0.0), race.latest)
    y = jnp.where(s < first - y, first - s, y)
    behind = jnp.where(jnp.isfinite(first), race.start_gap - first, 0.0)
    deep = np.maximum(race.D, 3)
    wanted = jnp.where(racing, y + behind, 1.0)
    q_near = ((deep - 2.0) * wanted) ** (-1.0 / (deep - 2))
    inside = jnp.sqrt(jnp.maximum(q_near**2 - race.way.c, 0.0))
    near = jnp.where(race.way.c > 0, jnp.log(q_near + inside), jnp.log(q_near))
    kappas = jnp.where(racing & useful, jnp.maximum(race.start_kappa, near), race.start_kappa)
    at_lead = jnp.arange(len(race.depths)).reshape(column(np.array(race.depths), goal).shape) == lead
    return s, y, jnp.where(at_lead & useful, kappa, kappas)


def _gap_of_lead(race: Race, way: Course, kappa: Array, lead: Array) -> Array:
    """The gap at kappa of whichever pathway leads in a mode."""
    q, p = position(way, kappa)
    full = (x[None] + jnp.zeros_like(race.q) for x in (way.c, way.forward, q, p))
    c, forward, q, p = full
    if len(set(race.depths)) == 1:
        return gap(way, q[0], p[0], np.full((1,) * race.goal.ndim, max(race.depths[0], 3)))
    gaps = gap(Course(c, forward), q, p, np.maximum(race.D, 3))
    return jnp.take_along_axis(gaps, lead, axis=0)[0]
