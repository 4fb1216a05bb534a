"""The only ODE solve: `solve`, pure, and the pieces of it that `simulate` and `ensemble` put
together on the host.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_real, check_times
from racedyn._checks import check_is
from racedyn._jit import (
    brief_jit,
    computed_by_jax,
    differentiated_by,
    full_precision,
    lanes_at_a_time,
)
from racedyn._outside import read_again
from racedyn._types import TIME, Array, ArrayLike, PyTree, Times
from racedyn.simulation.checks import (
    as_times,
    check_by_steps,
    check_observe,
    check_solver,
    check_tolerances,
    checked_jumps,
    steps_of,
)
from racedyn.simulation.crossings import Asked, check_crossings, none_if_empty
from racedyn.simulation.lane import Settings, Solved, integrate_one
from racedyn.simulation.method import MAX_STEPS
from racedyn.systems import AbstractSystem, observe_named
from racedyn.trajectory import Trajectory

# Lanes of a batch are stepped together. The size is fixed, and the last batch padded, because the
# size of a batch changes the last bits of a result: so no result of a CPU depends on how many lanes
# there are or how they are ordered.
LANES_PER_BATCH = 16
FINEST_BY_DEFAULT = 1e-8
STATES = "states"  # asked for as an observable is, and kept in `ys`


def rtol_of(system: AbstractSystem) -> float:
    """The relative tolerance where none is given."""
    return max(FINEST_BY_DEFAULT, system.known_to / 10)


def told_of(system: AbstractSystem, settings: Settings) -> str:
    """How states are found, in words."""
    if steps := steps_of(system):
        return "steps of " + ", ".join(f"{float(step):g}" for step in steps)
    return f"{type(settings.solver).__name__}, rtol {float(settings.rtol):g}"


def settings_for(
    system: AbstractSystem,
    *,
    rtol: ArrayLike | None = None,
    atol: ArrayLike | None = None,
    max_steps: int = MAX_STEPS,
    solver: dfx.AbstractSolver | None = None,
    stepsize_controller: dfx.AbstractStepSizeController | None = None,
    event: dfx.Event | None = None,
    adjoint: dfx.AbstractAdjoint | None = None,
    dt0: ArrayLike | None = None,
    jumps: Times | None = None,
    crossings: Asked | None = None,
    observe: Sequence[str] | None = None,
) -> Settings:
    """The settings of one solve, defaults filled in; arguments as in `solve`. Raises `ValueError`
    for tolerances that mean nothing, or that the dtype of the state can't meet, and for any beside
    a system that goes by steps."""
    check_by_steps(
        system,
        rtol=rtol,
        atol=atol,
        solver=solver,
        stepsize_controller=stepsize_controller,
        event=event,
        dt0=dt0,
        jumps=jumps,
        crossings=none_if_empty(crossings),
    )
    rtol = rtol_of(system) if rtol is None else rtol
    check_tolerances(system, rtol, atol)
    read_again(crossings, event)
    names = check_observe(system, observe, others=(STATES,))
    return Settings(
        rtol=as_times(system, rtol),
        atol=None if atol is None else as_times(system, atol),
        solver=dfx.Tsit5() if solver is None else solver,
        controller=stepsize_controller,
        event=event,
        adjoint=dfx.RecursiveCheckpointAdjoint() if adjoint is None else adjoint,
        dt0=None if dt0 is None else as_times(system, dt0),
        max_steps=max_steps,
        states=names is not None and STATES in names,
        jumps=None if jumps is None else as_times(system, checked_jumps(jumps)),
        crossings=check_crossings(system, {} if crossings is None else crossings),
        observe=None if names is None else tuple(name for name in names if name != STATES),
    )


@full_precision
def solve(
    system: AbstractSystem,
    ts: Times,
    *,
    t0: ArrayLike = 0.0,
    args: Any = None,
    rtol: ArrayLike | None = None,
    atol: ArrayLike | None = None,
    max_steps: int = MAX_STEPS,
    solver: dfx.AbstractSolver | None = None,
    stepsize_controller: dfx.AbstractStepSizeController | None = None,
    event: dfx.Event | None = None,
    adjoint: dfx.AbstractAdjoint | None = None,
    dt0: ArrayLike | None = None,
    jumps: Times | None = None,
    crossings: Asked | None = None,
    observe: Sequence[str] | None = None,
) -> Trajectory:
    """Integrate `system` from t0 and observe it at `ts` (time,). Pure: works under jit, grad, jvp
    and vmap; no retry.

    **Arguments:**

    - `ts`: save times in units of tau, rising, from t0 on.
    - `args`: passed to the vector field.
    - `rtol`, below 0.1 and by default 1e-8, or a tenth of what a system of `reduce` is itself known
      to (`known_to`): of each step and each part of the state, against its own size
      (`magnitudes` of the system), divided by the system's `amplification`, so that it is met by
      what is observed. `atol`: what is added to it, by default nothing.
    - `max_steps`: per lane; what uses them up has NaN rows from there and says so in `status`.
    - `solver`: diffrax's; by default Tsit5, whose dense output is as accurate as its steps.
    - `stepsize_controller`, `event`, `adjoint`, `dt0`: passed to diffrax. Forward-mode derivatives
      need `adjoint=diffrax.ForwardMode()`. After an event of yours rows are NaN: from the moment on
      that its `root_finder` (`optimistix.Newton(1e-8, 1e-8)`, say) finds, and without one from the
      end of that step. Once the system has `settled`, rows hold.
    - `jumps`: times at which the vector field jumps, as a drive that is switched on, or is off but
      for a short pulse: steps end there. A solver sees the field only at its own steps: without
      these times it loses digits at each jump, and may step over a pulse without a sign. What is
      smooth needs none, but for pulses that are short beside all else: their times, too.
      `systems.Piecewise` has its switches.
    - `crossings`: name -> a function of (system, t, y) whose first change of sign is recorded, as
      `stats["crossing_NAME"]` in units of tau, with the number of all as
      `stats["num_crossings_NAME"]`, for each lane by its own system, without stopping anything; or,
      for systems that know what there is to learn, a number: the fraction of it. NaN where there is
      none. They are known as well as the states are, and have no derivatives.
    - `observe`: names of the observables to keep, by default all that the system has without a
      request (`observe_on_request`); "states" keeps the states besides, in `ys`.

    A laned system (`system.lanes`) steps each mode on its own clock; `status` and `stats` are then
    per lane.

    Raises `ValueError` or `TypeError` for bad arguments.

        >>> system = rd.from_function(lambda t, y, args: -y, y0=1.0)
        >>> rd.solve(system, [0.0, 1.0])["y"].round(3).tolist()  # 1, 1 / e
        [1.0, 0.368]
    """
    check_is("system", system, AbstractSystem, "be an AbstractSystem", "See racedyn.from_function.")
    check_solver(
        max_steps=max_steps,
        solver=solver,
        stepsize_controller=stepsize_controller,
        event=event,
        adjoint=adjoint,
        dt0=dt0,
    )
    system = arrays_at_the_door(system)
    check_by_steps(system, adjoint=adjoint)
    settings = settings_for(
        system,
        rtol=rtol,
        atol=atol,
        max_steps=max_steps,
        solver=solver,
        stepsize_controller=stepsize_controller,
        event=event,
        adjoint=adjoint,
        dt0=dt0,
        jumps=jumps,
        crossings=crossings,
        observe=observe,
    )
    times, start = as_times(system, check_times(ts, t0)), as_times(system, t0)
    with computed_by_jax("system"), differentiated_by("adjoint"):
        solved = integrate(system, times, start, args, settings)
    return package(system, times, solved, settings)


def arrays_at_the_door(system: Any) -> Any:
    """Float fields become arrays: a Python float would recompile for every value and have no
    gradient.

    And what functions and methods of the user's read beside their arguments is read as it is now.
    """
    read_again(system)
    return jax.tree.map(
        lambda leaf: (
            jnp.asarray(as_real("system", leaf), float)
            if isinstance(leaf, float | np.ndarray)
            else leaf
        ),
        system,
    )


def take_lanes(system: Any, lanes: ArrayLike) -> Any:
    """The system that has these lanes only (in this order); parameters that are scalars are
    shared.
    """
    return cut(_lanes_of, system, lanes)


def _lanes_of(leaf: Array, lanes: ArrayLike) -> Array:
    return leaf[..., lanes] if leaf.ndim else leaf


def rows_of(leaf: Array, rows: ArrayLike) -> Array:
    """For `cut`: these rows, or this one."""
    return leaf[rows]


def cut(part: Callable[[Array, ArrayLike], Array], tree: PyTree, numbers: ArrayLike) -> PyTree:
    """`part(leaf, numbers)` of all arrays of a tree, by one program: JAX would compile
    several for each.
    """
    arrays, others = eqx.partition(tree, eqx.is_array)
    leaves, structure = jax.tree.flatten(arrays)
    return eqx.combine(jax.tree.unflatten(structure, _cut(part, leaves, numbers)), others)


@partial(jax.jit, static_argnums=0)
def _cut(
    part: Callable[[Array, ArrayLike], Array], leaves: list[Array], numbers: ArrayLike
) -> list[Array]:
    return [part(leaf, numbers) for leaf in leaves]


def integrate(system: Any, ts: Array, t0: Array, args: Any, settings: Settings) -> Solved:
    """One integration from t0, lane by lane where the system has lanes."""
    if system.lanes is None:
        return _integrate_whole(system, ts, t0, args, settings)
    batch = lanes_at_a_time(LANES_PER_BATCH, system.lanes)
    size = -(-system.lanes // batch) * batch
    padded = take_lanes(system, np.minimum(np.arange(size), system.lanes - 1))
    solved = _integrate_lanes(padded, ts, t0, args, settings, batch)
    return cut(rows_of, solved, np.arange(system.lanes))


@brief_jit(eqx.filter_jit)
def _integrate_whole(system: Any, ts: Array, t0: Array, args: Any, settings: Settings) -> Solved:
    y0 = system.y0()

    def save(now: Any, t: Array, y: PyTree) -> PyTree:
        return settings.observed(now, t, y), now.drift(y, y0), y if settings.states else None

    return integrate_one(system, ts, t0, args, settings, save)


@brief_jit(eqx.filter_jit)
def _integrate_lanes(
    system: Any, ts: Array, t0: Array, args: Any, settings: Settings, batch: int
) -> Solved:
    """Whole batches of lanes. Each saves its state: observables may sum over modes, so they wait
    for all of them.
    """
    dynamic, static = eqx.partition(system, lambda leaf: eqx.is_array(leaf) and leaf.ndim > 0)

    def one(lane: Array) -> Solved:
        alone = eqx.combine(jax.tree.map(lambda leaf: leaf[..., lane], dynamic), static)
        return integrate_one(alone, ts, t0, args, settings, lambda now, t, y: y)

    solved = jax.lax.map(jax.vmap(one), jnp.arange(system.lanes).reshape(-1, batch))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), solved)


@brief_jit(eqx.filter_jit)
def _observe_lanes(
    system: Any, ts: Array, ys: PyTree, names: tuple[str, ...] | None
) -> tuple[dict[str, Array], Array]:
    y0 = system.y0()
    observed = jax.vmap(lambda t, y: observe_named(system, t, y, names))(ts, ys)
    return observed, jnp.nanmax(jax.vmap(lambda y: system.drift(y, y0))(ys))


def package(system: Any, ts: Array, solved: Solved, settings: Settings) -> Trajectory:
    """The trajectory of what was solved: axes named, lanes last, observables of all lanes
    together.
    """
    if system.lanes is None:
        (observables, drift, ys), end = solved.saved, solved.end
        drift = _largest(drift)
    else:
        ys, end = jax.tree.map(_lanes_last, (solved.saved, solved.end))
        observables, drift = _observe_lanes(system, ts, ys, settings.observe)
    named = system.dims()
    dims = {
        name: (TIME, *named.get(name, tuple(f"{name}_{i}" for i in range(value.ndim - 1))))
        for name, value in observables.items()
    }
    return Trajectory(
        ts=ts,
        observables=observables,
        dims=dims,
        labels=dict(system.labels()),
        ys=ys if settings.states else None,
        status=solved.status,
        stats={**solved.stats, "drift": drift},
        end=end,
    )


# Arrays of NumPy stay so, as JAX would compile a program for each of these lines.
def _lanes_last(leaf: Any) -> Any:
    return leaf.transpose(*range(1, leaf.ndim), 0)


def _largest(drift: Any) -> Any:
    return np.fmax.reduce(drift) if isinstance(drift, np.ndarray) else jnp.nanmax(drift)
