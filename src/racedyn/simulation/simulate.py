"""`simulate`: an ODE solve with all that belongs on the host: refusals, sorting, retry,
provenance.
"""

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import check_flags, check_is, check_name, check_number, fail
from racedyn._compilation import Stopwatch
from racedyn._jit import computed_by_jax, full_precision
from racedyn._names import check_held, check_observed, check_tree
from racedyn._progress import compiling
from racedyn._types import MEMBER, TIME, Array, Times
from racedyn.exact import has_end
from racedyn.simulation.checks import as_times, check_options, check_times
from racedyn.simulation.lane import Settings, Solved
from racedyn.simulation.solve import (
    arrays_at_the_door,
    integrate,
    package,
    settings_for,
    take_lanes,
)
from racedyn.systems import AbstractSystem, Piecewise
from racedyn.trajectory import Provenance, Status, Trajectory, now, versions

EXACT_ACCURACY = 1e-8  # of trajectories without a solver, in the larger of S and the start
LARGEST_IMPLICIT = 1000  # numbers of a state: an implicit step solves as many linear equations
METHODS = ("ode", "exact", "auto")


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
    args: Any = None,
    rtol: float = 1e-8,
    atol: float | None = None,
    max_steps: int = 2**16,
    retry: dfx.AbstractSolver | None = None,
    throw: bool = True,
    method: str = "ode",
    progress: bool = True,
    **options: Any,
) -> Trajectory:
    """Integrate `system` and observe it at `ts`, on the host; arguments and options as in
    `racedyn.solve`.

    `method`: "ode"; "exact": without a solver, by `system.exact`, as `systems.Pathways` without
    weight decay has it, to 1e-8 of S whatever the end time and `rtol`, with modes that are never
    learned left to the solver; "auto": exact where the system has it and no option of the solver is
    given.

    `progress`: says so on stderr once JAX has compiled for more than 2 s.

    Beyond `solve` it refuses times and tolerances that can't be met, sorts lanes by their predicted
    rate, tries lanes, and systems of up to 1000 numbers, that used up their steps once more with
    the implicit solver `retry` (Kvaerno5 by default), and attaches provenance.

    Raises `ValueError` for bad times or tolerances, and for the method "exact" of a system that has
    none; `SolveError`, with the trajectory, where nothing succeeded (not with `throw=False`); warns
    where some lanes failed: they are NaN from there on and listed in `trajectory.failed`."""
    watch = Stopwatch()
    check_is("system", system, AbstractSystem, "be an AbstractSystem", "See racedyn.from_function.")
    check_flags(throw=throw, progress=progress)
    check_options(max_steps=max_steps, retry=retry, **options)
    system = arrays_at_the_door(system)
    check_field(system, args)
    ts, t0 = check_times(system, ts, t0), check_number("t0", t0)
    # Nobody differentiates what runs on the host, and loops made for reverse mode compile slower.
    options.setdefault("adjoint", dfx.ForwardMode())
    settings = settings_for(system, rtol=rtol, atol=atol, max_steps=max_steps, **options)
    told = compiling("simulate", show=progress)
    solve_once = told(partial(integrate, ts=ts, t0=as_times(system, t0), args=args))
    retried, solver = 0, f"{type(settings.solver).__name__}, rtol {rtol:g}"
    exact = told(_exactly)(
        system, ts, t0, method, [name for name in options if name not in ("adjoint", "save_ys")]
    )
    if exact is not None:
        solved, missing = exact
        solver = (
            "exact"
            if not len(missing)
            else f"exact; {len(missing)} of {system.lanes} lanes by {solver}"
        )
        if len(missing):
            rest, retried = _solve_lanes(
                take_lanes(system, missing), solve_once, settings, retry or dfx.Kvaerno5()
            )
            solved = jax.tree.map(lambda first, new: first.at[missing].set(new), solved, rest)
    elif system.lanes is None:
        solved = solve_once(system, settings=settings)
        again = retry or dfx.Kvaerno5()
        if _may_be_stiff(solved, settings) and type(again) is not type(settings.solver):
            second = solve_once(
                system, settings=dataclasses.replace(settings, solver=again, step_to_ts=True)
            )
            if float(second.stats["t_end"]) > float(solved.stats["t_end"]):
                solved, solver = second, solver + f", then {type(again).__name__}"
    else:
        solved, retried = _solve_lanes(system, solve_once, settings, retry or dfx.Kvaerno5())
    provenance = Provenance(
        kind="simulate",
        system=system.describe(),
        solver=solver + (f", {retried} lanes retried" if retried else ""),
        settings={
            "t0": float(t0),
            "rtol": rtol,
            "atol": atol,
            "max_steps": max_steps,
            "time_unit": "tau",
            **({"switches": system.switches} if isinstance(system, Piecewise) else {}),
        },
        modes=getattr(system, "modes", None),
        validity=getattr(system, "validity", {}),
        versions=versions(),
        wall_time=watch.wall_time,
        compile_time=watch.compile_time,
        created=now(),
    )
    return _judge(
        dataclasses.replace(package(system, ts, solved, settings), provenance=provenance), throw
    )


def _exactly(
    system: Any, ts: Array, t0: float, method: str, options: list[str]
) -> tuple[Solved, np.ndarray] | None:
    """What `system.exact` finds, lanes first, and the lanes that it does not; None where an ODE is
    to be solved.
    """
    if check_name("method", method, METHODS) == "ode" or (method == "auto" and options):
        return None
    if options:
        fail(
            "method",
            "be 'ode' where options of a solver are given",
            f"it is 'exact' beside {options}",
        )
    if not system.has_exact:
        if method == "exact":
            fail(
                "method",
                "be 'ode' or 'auto' for a system without a solution of its own",
                "it is 'exact'",
                "systems.Pathways has one, in float64, of whole depths and without weight decay.",
            )
        return None
    states, ends = system.exact(ts - t0)
    saved = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), states)
    steps = jnp.zeros(system.lanes, int)
    stats = {name: steps for name in ("num_steps", "num_accepted_steps", "num_rejected_steps")}
    end = jax.tree.map(lambda leaf: leaf[:, -1], saved)
    stats |= {
        "t_end": jnp.full(system.lanes, ts[-1]),
        "accuracy": jnp.full(system.lanes, EXACT_ACCURACY),
    }
    return Solved(saved, end, steps + int(Status.DONE), stats), np.flatnonzero(
        ~np.asarray(has_end(ends))
    )


def _may_be_stiff(solved: Solved, settings: Settings) -> bool:
    """Whether an implicit solver may do what an explicit one could not in its steps."""
    if any(
        isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((solved.end, solved.status))
    ):
        return False
    sizes = [np.asarray(leaf) for leaf in jax.tree.leaves(solved.end)]
    small = sum(leaf.size for leaf in sizes) <= LARGEST_IMPLICIT
    exhausted = settings.controller is None and int(solved.status) == Status.STEPS_EXHAUSTED
    return small and exhausted and all(np.isfinite(leaf).all() for leaf in sizes)


def _solve_lanes(
    system: Any, solve_once: Callable[..., Solved], settings: Settings, retry: dfx.AbstractSolver
) -> tuple[Solved, int]:
    """Lanes in order of their rate; those that used up their steps once more with `retry`."""
    rates = system.rates()
    order = (
        np.arange(system.lanes) if rates is None else np.argsort(-np.asarray(rates), kind="stable")
    )
    back = np.argsort(order)
    solved = jax.tree.map(
        lambda leaf: leaf[back], solve_once(take_lanes(system, order), settings=settings)
    )
    again = np.flatnonzero(np.asarray(solved.status) == Status.STEPS_EXHAUSTED)
    if len(again):
        second = solve_once(
            take_lanes(system, again),
            settings=dataclasses.replace(settings, solver=retry, step_to_ts=True),
        )
        solved = jax.tree.map(lambda first, new: first.at[again].set(new), solved, second)
    return solved, len(again)


def check_field(system: Any, args: Any) -> None:
    """Refuse a state that is not real, and a vector field whose shapes are not the state's."""
    y0 = jax.eval_shape(system.y0)
    if not jax.tree.leaves(y0) or not all(
        jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(y0)
    ):
        fail(
            "system", "have a state y0() of real numbers", f"it is {y0}", "For example jnp.ones(3)."
        )
    time = jax.ShapeDtypeStruct((), jnp.result_type(*jax.tree.leaves(y0)))
    with computed_by_jax("system"):
        dy = jax.eval_shape(system.vector_field, time, y0, args)
        # Names and axes that no file holds are refused here rather than by `save`, when the work is
        # done.
        observed = jax.eval_shape(system.observe, time, y0)
    if not isinstance(observed, Mapping) or not all(
        isinstance(leaf, jax.ShapeDtypeStruct) for leaf in observed.values()
    ):
        fail(
            "system",
            "have an observe() that returns a dict name -> array",
            f"it returns {type(observed).__name__}",
            'For example {"y": y}.',
            TypeError,
        )
    shapes = [jax.tree.map(lambda leaf: leaf.shape, tree) for tree in (y0, dy)]
    if shapes[0] != shapes[1]:
        fail(
            "system",
            f"have a vector field of the state's shape, {shapes[0]}",
            f"its shape is {shapes[1]}",
            "Its arguments are (t, y, args), in this order; of several numbers it returns "
            "jnp.stack([...]).",
        )
    named = system.dims()
    axes = {
        name: named.get(name, tuple(f"{name}_{i}" for i in range(leaf.ndim)))
        for name, leaf in observed.items()
    }
    for name, own in axes.items():
        for axis in {TIME, MEMBER}.intersection(own):
            fail(
                f"dims()[{name!r}]",
                "name the system's own axes",
                f"{axis!r} is that of the run",
                "Leave it out.",
            )
        check_held(f"observe()[{name!r}]", observed[name].dtype)
    sizes, _ = check_observed(
        {name: leaf.shape for name, leaf in observed.items()}, axes, system.labels()
    )
    check_tree("y0()", y0, {TIME, *sizes})


def _where(trajectory: Trajectory) -> str:
    """Where a system without lanes ended: a part that is far below what matters asks for `atol`, a
    huge one blows up.
    """
    if trajectory.end is None or np.ndim(trajectory.status):
        return ""
    largest = max(float(np.max(np.abs(leaf))) for leaf in jax.tree.leaves(trajectory.end))
    end = float(trajectory.stats["t_end"])
    return f". It stopped at t = {end:.6g}, where the largest number of its state is {largest:.2g}"


def _judge(trajectory: Trajectory, throw: bool) -> Trajectory:
    failed = trajectory.failed
    if failed:
        statuses = np.atleast_1d(np.asarray(trajectory.status))
        reasons = "; ".join(sorted({Status(int(statuses[i])).message for i in failed}))
        if throw and len(failed) == len(statuses):
            raise SolveError(
                f"The solve failed: it {reasons}{_where(trajectory)} (the exception's .trajectory "
                "has the rows up to then).",
                trajectory,
            )
        warnings.warn(
            f"{len(failed)} of {len(statuses)} lanes failed, {failed}: {reasons}.",
            RuntimeWarning,
            stacklevel=4,
        )
    return trajectory
