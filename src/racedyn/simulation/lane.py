"""One integration of one system or lane: pieces that follow each other, stops at jumps, an end
where it has settled.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._types import Array, PyTree
from racedyn.simulation.crossings import Crossings, Recorder, first_crossings
from racedyn.simulation.step_sizes import RelativeSteps, finest_tolerance
from racedyn.systems import observe_named
from racedyn.trajectory import Status

UNSEEN = 100.0
"""By how much more an implicit solver's result is off than it estimates, of stiff parts: its stages
are of a lower order than its steps. Not derived but measured, and rounded up: 19 and 82 times
`rtol` = 1e-8 for Kvaerno5 on the two parts of `tests/simulation/test_step_sizes.py`, 64 on
Robertson's reactions."""


class Settings(eqx.Module):
    """What diffrax is told, beside the system and the times. Tolerances are arrays: a new one does
    not recompile.
    """

    rtol: Array
    atol: Array | None
    solver: dfx.AbstractSolver
    controller: dfx.AbstractStepSizeController | None
    event: dfx.Event | None
    adjoint: dfx.AbstractAdjoint
    dt0: Array | None
    jumps: Array | None
    max_steps: int = eqx.field(static=True)
    states: bool = eqx.field(static=True)
    crossings: Crossings = eqx.field(static=True, default=())
    step_to_ts: bool = eqx.field(static=True, default=False)
    observe: tuple[str, ...] | None = eqx.field(static=True, default=None)  # None: all there is

    def observed(self, system: Any, t: Array, y: PyTree) -> dict[str, Array]:
        """What is asked for of what a system observes."""
        return observe_named(system, t, y, self.observe)


class Solved(NamedTuple):
    """One integration: what was saved at `ts`, the last state, `Status` and step counts. Laned:
    lanes come first.
    """

    saved: PyTree
    end: PyTree
    status: Any  # arrays of JAX, or on the host of NumPy
    stats: dict[str, Any]


Save = Callable[[Any, Array, PyTree], PyTree]  # of the system, the time and the state


def integrate_one(
    system: Any, ts: Array, t0: Array, args: Any, settings: Settings, save: Save
) -> Solved:
    """From t0 to the last of `ts`: one system, or the pieces of one, each from the state that the
    one before it reached.
    """
    pieces = system.pieces()
    if pieces is None:
        return _integrate(system, ts, t0, ts[-1], args, settings, save)
    systems, switches = pieces
    edges = jnp.clip(jnp.concatenate([t0[None], switches.astype(ts.dtype), ts[-1:]]), t0, ts[-1])
    done = _integrate(systems[0], jnp.clip(ts, t0, edges[1]), t0, edges[1], args, settings, save)
    for number, later in enumerate(systems[1:], start=1):
        start, stop = edges[number], edges[number + 1]
        # Nothing begins from a state that was not reached.
        goes_on = (done.status == Status.DONE) | (done.status == Status.SETTLED)
        y = jax.tree.map(
            lambda reached, y0, on=goes_on: jnp.where(on, reached, y0), done.end, system.y0()
        )
        new = _integrate(later.at(y), jnp.clip(ts, start, stop), start, stop, args, settings, save)
        done = _joined(done, new, ts > start, goes_on, new_is_last=stop > start)
    return done


def _joined(done: Solved, new: Solved, later: Array, goes_on: Array, new_is_last: Array) -> Solved:
    """`done` up to a switch and `new` from there on; nothing from there on where it does not go
    on.
    """

    def rows(old: Array, found: Array) -> Array:
        after = later.reshape((-1,) + (1,) * (old.ndim - 1))
        return jnp.where(after, jnp.where(goes_on, found, jnp.nan), old)

    def last(old: Any, found: Any) -> Any:
        return jax.tree.map(lambda a, b: jnp.where(goes_on & new_is_last, b, a), old, found)

    stats = dict(done.stats)
    for name, value in new.stats.items():
        before = done.stats[name]
        if name.startswith("num_"):
            stats[name] = before + jnp.where(goes_on, value, 0)
        elif name.startswith("crossing_"):
            stats[name] = jnp.where(jnp.isnan(before) & goes_on, value, before)
        elif name == "accuracy":
            stats[name] = jnp.where(goes_on & new_is_last, jnp.maximum(before, value), before)
        else:
            stats[name] = last(before, value)
    saved = jax.tree.map(rows, done.saved, new.saved)
    return Solved(saved, last(done.end, new.end), last(done.status, new.status), stats)


def _integrate(
    system: Any, ts: Array, t0: Array, t1: Array, args: Any, settings: Settings, save: Save
) -> Solved:
    if (step := system.step()) is not None:
        return _by_steps(system, step, ts, t0, t1, args, settings, save)
    y0 = system.y0()
    amplification = jax.lax.stop_gradient(jnp.asarray(system.amplification(), ts.dtype))
    missed = UNSEEN if isinstance(settings.solver, dfx.AbstractImplicitSolver) else 1.0
    rtol = jnp.maximum(settings.rtol / amplification / missed, finest_tolerance(ts.dtype))
    controller = settings.controller
    if controller is None:
        controller = RelativeSteps(rtol, settings.atol, system, jax.lax.stop_gradient(y0))
    judge = controller
    jumps = _together(settings.jumps, system.jumps(), ts.dtype)
    if settings.step_to_ts or jumps is not None:
        controller = dfx.ClipStepSizeController(
            controller, ts if settings.step_to_ts else None, jumps
        )
    if settings.crossings:
        controller = Recorder(controller, system, settings.crossings, rtol)

    def settled(t: Array, y: PyTree, args: Any, **_: Any) -> Array:
        return system.settled(t, y, settings.rtol)

    user = settings.event
    event = dfx.Event(settled)
    if user is not None:
        event = dfx.Event((user.cond_fn, settled), user.root_finder, (user.direction, None))

    def saved(t: Array, y: PyTree, args: Any) -> PyTree:
        return save(system, t, y)

    solution = dfx.diffeqsolve(
        dfx.ODETerm(system.vector_field),
        settings.solver,
        t0,
        t1,
        settings.dt0,
        y0,
        args,
        saveat=dfx.SaveAt(
            subs=[dfx.SubSaveAt(ts=ts, fn=saved), dfx.SubSaveAt(t1=True)],
            controller_state=bool(settings.crossings),
        ),
        stepsize_controller=controller,
        event=event,
        adjoint=settings.adjoint,
        max_steps=settings.max_steps,
        throw=False,
    )
    t_end, end = solution.ts[1][-1], jax.tree.map(lambda leaf: leaf[-1], solution.ys[1])
    has_settled = solution.event_mask if user is None else solution.event_mask[1]
    status = jnp.where(has_settled, int(Status.SETTLED), _status(solution.result))
    held = jax.tree.map(lambda leaf: jnp.where(has_settled, leaf, jnp.nan), saved(t_end, end, args))

    def fill(rows: Array, last: Array) -> Array:
        # What stops at t0 already has saved nothing.
        return jnp.where(
            ((ts <= t_end) & (t_end > t0)).reshape((-1,) + (1,) * (rows.ndim - 1)), rows, last
        )

    stats = {
        name: solution.stats[name]
        for name in ("num_steps", "num_accepted_steps", "num_rejected_steps")
    }
    stats |= {
        "t_end": t_end,
        "accuracy": rtol * missed * amplification * jnp.asarray(system.mixing(), ts.dtype),
    }
    if settings.crossings:
        stats |= first_crossings(
            system, settings.crossings, solution.controller_state, args, settings.solver, judge
        )
    return Solved(jax.tree.map(fill, solution.ys[0], held), end, status, stats)


def _by_steps(
    system: Any,
    step: Array,
    ts: Array,
    t0: Array,
    t1: Array,
    args: Any,
    settings: Settings,
    save: Save,
) -> Solved:
    """As `_integrate`, of a system that goes by steps: rows stand after as many as come nearest."""

    def after(times: Array) -> Array:
        most = settings.max_steps + 1.0  # beyond it a number of steps may be beyond whole numbers
        return jnp.minimum(jnp.round((times - t0) / step.astype(ts.dtype)), most).astype(int)

    def time(number: Array) -> Array:
        return t0 + number.astype(ts.dtype) * step.astype(ts.dtype)

    def on(done: tuple[Array, PyTree], number: Array) -> tuple[tuple[Array, PyTree], Any]:
        def once(k: Array, y: PyTree) -> PyTree:
            field = system.vector_field(time(k), y, args)
            return jax.tree.map(lambda a, f: a + step.astype(a.dtype) * f, y, field)

        y = jax.lax.fori_loop(done[0], jnp.maximum(number, done[0]), once, done[1])
        # What is observed may not show a number that blew up.
        finite = jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(y)]).all()
        return (number, y), (save(system, time(number), y), finite)

    wanted = jnp.concatenate([after(ts), after(t1)[None]])
    reached = jnp.minimum(wanted, settings.max_steps)
    first = jnp.zeros_like(reached[0]), system.y0()
    (_, end), (rows, finite) = jax.lax.scan(on, first, reached)
    known = finite & (wanted == reached)

    def kept(leaf: Array) -> Array:
        return jnp.where(known.reshape((-1,) + (1,) * (leaf.ndim - 1)), leaf, jnp.nan)[:-1]

    status = jnp.where(
        finite[-1],
        jnp.where(known[-1], int(Status.DONE), int(Status.STEPS_EXHAUSTED)),
        int(Status.NOT_FINITE),
    )
    number = reached[-1]
    stats = {
        "num_steps": number,
        "num_accepted_steps": number,
        "num_rejected_steps": jnp.zeros_like(number),
        "t_end": time(number),
        "accuracy": jnp.full((), jnp.nan, ts.dtype),  # nothing is promised of given steps
    }
    return Solved(jax.tree.map(kept, rows), end, status, stats)


def _together(given: Array | None, own: Any, dtype: Any) -> Array | None:
    """All times at which the field jumps."""
    parts = [
        jnp.ravel(jnp.asarray(times, dtype))
        for times in (given, own)
        if times is not None and np.size(times)
    ]
    return jnp.concatenate(parts) if parts else None


def _status(result: Any) -> Array:
    codes = dfx.RESULTS
    status = jnp.asarray(int(Status.FAILED))
    for code, item in (
        (codes.successful, Status.DONE),
        (codes.event_occurred, Status.EVENT),
        (codes.max_steps_reached, Status.STEPS_EXHAUSTED),
        (codes.dt_min_reached, Status.NOT_FINITE),
    ):
        status = jnp.where(result == code, int(item), status)
    return status
