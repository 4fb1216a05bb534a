"""Trajectories of a race without an ODE solver: when it gets where is a quadrature over the drive
(`arrivals`), and where all pathways are at that drive is known at once."""

from collections.abc import Sequence

import jax.numpy as jnp

from racedyn._checks import as_float, fail
from racedyn._jit import wide_jit
from racedyn._types import MODE, PATH, Array, ArrayLike, Times
from racedyn.exact.races.arrivals import arrivals
from racedyn.exact.races.converged import ROOTS, ROUNDED, judged, solve
from racedyn.exact.races.depths import Depths
from racedyn.exact.races.given import as_race, by_lanes, given_arrays, has_end
from racedyn.exact.races.panels import End
from racedyn.exact.races.race import set_out
from racedyn.exact.solution import flow_times, loss_of, solution
from racedyn.tasks import Modes
from racedyn.trajectory import Status, Trajectory

_LANES = 64  # modes at a time: all of their nodes have to stay in the cache
TOLERANCE = 1e-8
_FINEST = 1e-12  # the parabola beyond the last panel is right to a few 1e-13


def trajectory(
    singular_values: ArrayLike,
    depths: Sequence[int],
    q: ArrayLike,
    p: ArrayLike,
    ts: Times,
    *,
    variances: ArrayLike = 1.0,
    tolerance: float = TOLERANCE,
    modes: Modes | None = None,
) -> Trajectory:
    """The race of `systems.Pathways` with these arguments at the flow times `ts` (time,), of at
    least 0, in any order.

    Observables as there: `strength`, `q`, `p` (time, path, mode) and `loss` (time,). `modes`: those
    that S and d are of; they give names and the floor of the loss, and `compare` then checks bases.
    `tolerance`: the error of the sum of K, relative to what a mode has to learn; most runs are a
    few digits better, and in float32 none is better than 1e-5. Other arguments as in `converged`,
    of one race: `ensemble` takes many. Works under `jit`, `grad`
    and `vmap`; derivatives are those of the solution. `status` (mode,): UNLEARNED for a mode that
    is never learned, which has no end to count from and is NaN; FAILED, and NaN, where time scales
    lie so far apart that 32 panels don't resolve them to the tolerance: `simulate` follows both.
    Raises `ValueError` for negative times, shapes that don't meet and a tolerance that is not
    between 1e-12 and 1. Each tolerance, and each number of pathways, modes and times, compiles
    anew for some seconds; depths of 4 to 16 share a program.

        >>> run = rd.exact.trajectory([1.0], (2, 2), q=0.1, p=[[0.1], [0.05]], ts=[0.0, 10.0])
        >>> run["strength"][-1, :, 0].round(3).tolist()
        [0.64, 0.36]
    """
    t = flow_times(ts)
    S, at_q, at_p, d, whole = as_race(singular_values, depths, q, p, variances)
    within, usual = f"be a number between {_FINEST} and 1", "1e-8 is the default."
    error = as_float("tolerance", within, tolerance, usual)
    if not _FINEST <= error < 1:
        fail("tolerance", within, f"it is {error}", usual)
    if max(S.ndim, d.ndim) > 1 or max(at_q.ndim, at_p.ndim) > 2:
        fail(
            "singular_values, q, p",
            "be those of one race, (mode,) and (path, mode)",
            f"their shapes are {S.shape}, {at_q.shape} and {at_p.shape}",
            "racedyn.ensemble takes many.",
        )
    K, q_t, p_t, status = _unfold(S, at_q, at_p, d, whole, t, error)
    return solution(
        f"race of pathways of depths {tuple(whole.D.tolist())}",
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
    tolerance: float = TOLERANCE,
) -> tuple[Array, Array, Array, Array]:
    """K, q, p (..., time, path, mode) of `trajectory` and the `Status` of modes (..., mode), as
    plain arrays; axes in front are a batch, as in `converged`."""
    return _unfold(*as_race(singular_values, depths, q, p, variances), flow_times(ts), tolerance)


@wide_jit(static_argnums=6)
def _unfold(
    singular_values: Array,
    q: Array,
    p: Array,
    variances: Array,
    depths: Depths,
    ts: Array,
    tolerance: float,
) -> tuple[Array, Array, Array, Array]:
    """K, q, p (..., time, path, mode) and status (..., mode)."""
    target, d, q, p = given_arrays(singular_values, q, p, variances, depths)
    t = jnp.atleast_1d(ts)
    tolerance = max(tolerance, ROUNDED * float(jnp.finfo(target.dtype).eps))

    def unfold(
        target: Array, d: Array, q: Array, p: Array, s: Array, y: Array
    ) -> tuple[Array, ...]:
        turned = set_out(target, q, p, depths)
        race = turned.race
        s, y, last = race.arrived(s, y)
        status = judged(race, last)
        end = End.of(race, s, y, last)
        times = t.reshape((-1,) + (1,) * s.ndim)
        still = race.goal == race.begun
        s_t, left, error = arrivals(race, end, has_end(status) & ~still, d, times, tolerance)
        status = jnp.where(has_end(status) & ~(error <= tolerance), Status.FAILED, status)
        place = race.along.at(s_t, end.y + left)
        begun = race.p * race.depths.less_one(race.q)
        none = ~has_end(status)
        values = []
        for sign, at_t, at_start in (
            (turned.strength[None], place.K, begun),
            (turned.q, place.q, race.q),
            (turned.p, place.p, race.p),
        ):
            moved = jnp.where(still, at_start[:, None], at_t)
            value = jnp.where(none, jnp.nan, sign[:, None] * moved)
            # Where all pathways are shallow none has a q that moves, and time is no axis of it yet.
            whole = jnp.broadcast_to(value, (value.shape[0], len(t), *value.shape[2:]))
            values.append(jnp.swapaxes(whole, 0, 1))
        return *values, status

    near = by_lanes(
        lambda target, q, p: solve(set_out(target, q, p, depths).race), ROOTS, target, q, p
    )
    *values, status = by_lanes(unfold, _LANES, target, d, q, p, *near)
    return *(jnp.moveaxis(x, (0, 1), (-3, -2)) for x in values), status  # type: ignore[return-value]
