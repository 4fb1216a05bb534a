"""`simulate`: one system with all that belongs on the host: refusals, the choice of a method, a
second try, provenance.
"""

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import diffrax as dfx
import jax
import numpy as np

from racedyn._arrays import check_times
from racedyn._checks import check_flags, check_is, check_number, fail
from racedyn._compilation import Stopwatch
from racedyn._jit import full_precision
from racedyn._progress import compiling
from racedyn._types import Array, Times
from racedyn.exact import has_end
from racedyn.simulation.checks import as_times, check_by_steps, check_field, check_solver
from racedyn.simulation.crossings import Asked, none_if_empty
from racedyn.simulation.lane import Settings, Solved
from racedyn.simulation.lanes import LanesOfOne, failures, solve_lanes
from racedyn.simulation.method import EXACT_ACCURACY, MAX_STEPS, takes_exact
from racedyn.simulation.solve import arrays_at_the_door, package, rtol_of, settings_for, told_of
from racedyn.systems import AbstractSystem, Piecewise
from racedyn.trajectory import Provenance, Status, Trajectory, now, versions


class SolveError(RuntimeError):
    """A solve that failed altogether; `trajectory` has the rows up to then."""

    def __init__(self, message: str, trajectory: Trajectory):
        super().__init__(message)
        self.trajectory = trajectory


@full_precision
def simulate(
    system: AbstractSystem,
    ts: Times,
    *,
    t0: float = 0.0,
    method: str = "auto",
    args: Any = None,
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = MAX_STEPS,
    solver: dfx.AbstractSolver | None = None,
    retry: dfx.AbstractSolver | None = None,
    stepsize_controller: dfx.AbstractStepSizeController | None = None,
    event: dfx.Event | None = None,
    adjoint: dfx.AbstractAdjoint | None = None,
    dt0: float | None = None,
    jumps: Times | None = None,
    crossings: Asked | None = None,
    observe: Sequence[str] | None = None,
    throw: bool = True,
    progress: bool = True,
) -> Trajectory:
    """Integrate `system` and observe it at `ts`, on the host: arrays are NumPy's. Arguments as in
    `racedyn.solve`, and

    - `method`: "exact": without a solver, by `system.exact`, as `systems.Pathways` without weight
      decay has it, to 1e-8 of the larger of S and the start, whatever the end time and `rtol`, with
      modes that are never learned left to the solver. "ode": by the solver. "auto": exact where the
      system has it, but for what only a solver can do: an `rtol` below 1e-8, `args`, `max_steps`,
      `solver`, `retry`, `stepsize_controller`, `event`, `dt0`, `jumps` or `crossings`. Which was
      taken is in `provenance.solver`, and printed.
    - `retry`: the implicit solver, by default Kvaerno5, with which lanes, and systems, of up to
      1000 numbers that used up their steps are tried once more.
    - `throw`: whether to raise where nothing succeeded.
    - `progress`: says so on stderr once JAX has compiled for more than 2 s.

    Beyond `solve` it refuses times and tolerances that can't be met, lets lanes of like speed step
    together, and attaches provenance.

    Raises `ValueError` for bad times or tolerances, and for the method "exact" where there is none;
    `SolveError`, with the trajectory, where nothing succeeded; warns where some lanes failed: they
    are NaN from there on and listed in `trajectory.failed`.

        >>> race = rd.systems.Pathways([4.0, 3.0, 2.0, 1.0], depths=(2, 2), q=0.1, p=[[0.2], [0.1]])
        >>> run = rd.simulate(race, ts=np.linspace(0.0, 40.0, 41))
        >>> run.provenance.solver
        'exact'
        >>> run["strength"][-1].sum(axis=0).round(3).tolist()  # S/d
        [4.0, 3.0, 2.0, 1.0]
    """
    watch = Stopwatch()
    check_is("system", system, AbstractSystem, "be an AbstractSystem", "See racedyn.from_function.")
    check_flags(throw=throw, progress=progress)
    check_solver(
        max_steps=max_steps,
        solver=solver,
        retry=retry,
        stepsize_controller=stepsize_controller,
        event=event,
        adjoint=adjoint,
        dt0=dt0,
    )
    system = arrays_at_the_door(system)
    check_by_steps(system, retry=retry, adjoint=adjoint)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((system, ts, args))):
        remedy = "Inside jit, vmap and grad call racedyn.solve."
        fail("system", "be known with all that it is given", "JAX is tracing it", remedy, TypeError)
    check_field(system, args)
    times, t0 = as_times(system, check_times(ts, t0)), check_number("t0", t0)
    settings = settings_for(
        system,
        rtol=rtol,
        atol=atol,
        max_steps=max_steps,
        solver=solver,
        stepsize_controller=stepsize_controller,
        event=event,
        # Nobody differentiates what runs on the host, and loops made for reverse mode compile
        # slower.
        adjoint=dfx.ForwardMode() if adjoint is None else adjoint,
        dt0=dt0,
        jumps=jumps,
        crossings=crossings,
        observe=observe,
    )
    rtol = rtol_of(system) if rtol is None else rtol
    told = {
        "args": args,
        "max_steps": max_steps,
        "solver": solver,
        "retry": retry,
        "stepsize_controller": stepsize_controller,
        "event": event,
        "dt0": dt0,
        "jumps": jumps,
        "crossings": none_if_empty(crossings),
    }
    exact = takes_exact(system.has_exact and system.lanes is not None, method, told, rtol)
    with compiling("simulate", show=progress):
        solved, by = _solved(system, times, t0, args, settings, exact, retry or dfx.Kvaerno5())
    trajectory = jax.tree.map(np.array, package(system, times, solved, settings))
    provenance = Provenance(
        kind="simulate",
        system=system.describe(),
        solver=by,
        settings={
            "t0": float(t0),
            "rtol": rtol,
            "atol": atol,
            "max_steps": max_steps,
            "time_unit": "tau",
            "ends": [list(pair) for pair in system.path_ends],
            **({"switches": system.switches} if isinstance(system, Piecewise) else {}),
        },
        modes=system.modes,
        validity=system.validity or {},
        versions=versions(),
        wall_time=watch.wall_time,
        compile_time=watch.compile_time,
        created=now(),
    )
    trajectory = dataclasses.replace(trajectory, provenance=provenance)
    if trajectory.failed:
        _judge(trajectory, throw)
    return trajectory


def _solved(
    system: Any,
    times: Array,
    t0: float,
    args: Any,
    settings: Settings,
    exact: bool,
    retry: dfx.AbstractSolver,
) -> tuple[Solved, str]:
    """What `package` takes, and how it was found, in words."""
    solver = told_of(system, settings)
    if system.lanes is None:
        lanes = LanesOfOne(system, times, as_times(system, t0), args)
        outcome = solve_lanes(lanes, [(np.arange(1), settings)], retry)
        whole: Solved = jax.tree.map(lambda leaf: leaf[0], outcome.solved)
        then = f", then {type(retry).__name__}" if outcome.retried.any() else ""
        return whole, solver + then
    solved, left = _exact(system, times, t0) if exact else (None, np.arange(system.lanes))
    if solved is not None and not len(left):
        return solved, "exact"
    outcome = solve_lanes(
        LanesOfOne(system, times, as_times(system, t0), args), [(left, settings)], retry
    )
    if retried := int(outcome.retried.sum()):
        solver += f", {retried} lanes retried"
    if solved is None:
        return outcome.solved, solver
    jax.tree.map(lambda room, leaf: room.__setitem__(left, leaf), solved, outcome.solved)
    return solved, f"exact; {len(left)} of {system.lanes} lanes by {solver}"


def _exact(system: Any, times: Array, t0: float) -> tuple[Solved, np.ndarray]:
    """What the system's own solution finds, lanes first, and the lanes of which it knows none."""
    states, ends = system.exact(np.asarray(times) - t0)
    saved = jax.tree.map(lambda leaf: np.moveaxis(np.array(leaf), -1, 0).copy(), states)
    steps = ("num_steps", "num_accepted_steps", "num_rejected_steps")
    stats = {
        **{name: np.zeros(system.lanes, int) for name in steps},
        "t_end": np.full(system.lanes, np.asarray(times)[-1]),
        "accuracy": np.full(system.lanes, EXACT_ACCURACY),
    }
    status = np.full(system.lanes, int(Status.DONE))
    end = jax.tree.map(lambda leaf: leaf[:, -1].copy(), saved)
    left = np.flatnonzero(~has_end(np.asarray(ends)))
    return Solved(saved, end, status, stats), left


def _where(trajectory: Trajectory) -> str:
    """Where a system without lanes ended: a part that is far below what matters asks for `atol`, a
    huge one blows up.
    """
    if trajectory.end is None or np.ndim(trajectory.status):
        return ""
    largest = max(float(np.max(np.abs(leaf))) for leaf in jax.tree.leaves(trajectory.end))
    end = float(trajectory.stats["t_end"])
    return f". It stopped at t = {end:.6g}, where the largest number of its state is {largest:.2g}"


def _judge(trajectory: Trajectory, throw: bool) -> None:
    """Raise where all lanes failed, warn where some did."""
    statuses = np.atleast_1d(np.asarray(trajectory.status))
    if throw and len(trajectory.failed) == len(statuses):
        reasons = "; ".join(sorted({Status(int(code)).message for code in statuses}))
        raise SolveError(
            f"The solve failed: it {reasons}{_where(trajectory)} (the exception's .trajectory "
            "has the rows up to then).",
            trajectory,
        )
    warnings.warn(failures(statuses, "lanes"), RuntimeWarning, stacklevel=4)
