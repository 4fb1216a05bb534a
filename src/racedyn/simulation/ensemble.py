"""`ensemble`: many members of one kind, in blocks: to memory or straight to a file, over all
devices, or all cores of a CPU, each with its status.
"""

import contextlib
import dataclasses
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, Unpack, overload

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import check_times
from racedyn._checks import check_flags, check_positive_int, fail
from racedyn._compilation import Stopwatch
from racedyn._interruptions import never_lost
from racedyn._jit import full_precision
from racedyn._outside import checksum
from racedyn._progress import Progress
from racedyn._types import MEMBER, TIME, AnyArray, PyTree, Times
from racedyn.simulation.blocks import Work, observed
from racedyn.simulation.checks import as_times, check_by_steps, check_field, check_solver, steps_of
from racedyn.simulation.cores import cores_for
from racedyn.simulation.crossings import Asked, none_if_empty
from racedyn.simulation.lanes import failures
from racedyn.simulation.members import Builder
from racedyn.simulation.method import MAX_STEPS, takes_exact
from racedyn.simulation.solve import rtol_of, settings_for, told_of
from racedyn.simulation.stacks import mesh_of
from racedyn.store import AbstractBlocks, BlockFile, BlockMemory
from racedyn.systems import AbstractSystem, observe_named
from racedyn.trajectory import Provenance, Status, Trajectory, now, versions


class _Options(TypedDict, total=False):
    """What both forms of `ensemble` take."""

    overwrite: bool
    observe: Sequence[str] | None
    method: str
    args: Any
    rtol: float
    atol: float | None
    max_steps: int
    solver: dfx.AbstractSolver | None
    retry: dfx.AbstractSolver | None
    jumps: Times | None
    crossings: Asked | None
    block: int | None
    cores: int | None
    devices: Sequence[Any] | None
    progress: bool


_Build: TypeAlias = AbstractSystem | Callable[[Any], AbstractSystem]


@overload
def ensemble(
    build: _Build,
    members: int | PyTree,
    ts: Times | None = None,
    *,
    path: None = None,
    **options: Unpack[_Options],
) -> Trajectory: ...


@overload
def ensemble(
    build: _Build,
    members: int | PyTree,
    ts: Times | None = None,
    *,
    path: str | os.PathLike[str],
    **options: Unpack[_Options],
) -> Path: ...


@full_precision
def ensemble(
    build: _Build,
    members: int | PyTree,
    ts: Times | None = None,
    *,
    path: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    observe: Sequence[str] | None = None,
    method: str = "auto",
    args: Any = None,
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = MAX_STEPS,
    solver: dfx.AbstractSolver | None = None,
    retry: dfx.AbstractSolver | None = None,
    jumps: Times | None = None,
    crossings: Asked | None = None,
    block: int | None = None,
    cores: int | None = None,
    devices: Sequence[Any] | None = None,
    progress: bool = False,
) -> Trajectory | Path:
    """Many systems of one kind at the flow times `ts`, from t = 0; without `ts` the end of each, as
    the time infinity.

    **Arguments:**

    - `build`: a function of a member that returns its system, or a system some of whose fields
      differ between members.
    - `members`: a number n, for members 0 to n - 1 (make keys of them by `jax.random.fold_in`), or
      arrays with an axis of members in front, as a dict or another pytree; beside a system a dict
      of its fields. A function that JAX can't trace is called for one member after the other. It
      returns the same each time it is called with a member, and members differ in arrays and floats
      only: in fields, or in what functions given to `from_function` have captured.
    - `ts`: (time,), flow time in units of tau, rising from 0 or later.
    - `path`: members go straight to this file, which `load` and xarray open; memory is that of a
      block. What an interrupted run left in `PATH.partial` is gone on with, if it is of the same
      ensemble: members, settings, code and what it reads. Another's is refused, with what differs.
    - `overwrite`: replace `path`, and what another ensemble left beside it.
    - `observe`: names of the observables to keep: "strength" where there is one, or else all.
    - `method`, `args`, `rtol`, `atol`, `max_steps`, `solver`, `retry`, `jumps`, `crossings`: as in
      `simulate`; times of crossings are (member,), or (member, lane) where there are lanes. The
      end, without `ts`, is only found without a solver. That is by default Tsit5, or Dopri8 for
      what has an `amplification` of a thousand or more and so takes that much smaller steps.
    - `block`: members at a time; by default what keeps their states below 64 MiB.
    - `cores`: how many threads compute at a time, by default one for each core of a CPU that this
      process may use. `devices`: by default all; where they are several, or a GPU, `cores` is 1.
    - `progress`: a bar on stderr.

    Returns a `Trajectory` whose observables are (member, time, ...), with a `status` for each
    member: one that fails fails alone; or the path. `stats["accuracy"]`, (member,) or (member,
    lane), is what is promised of each, as by `simulate`. No value depends on cores, blocks, order
    or interruptions, to the last bit; on the number of devices it depends by rounding.

    Raises `ValueError` or `TypeError` for bad arguments, and warns where members failed. Ctrl-C
    (`KeyboardInterrupt`) is raised where there is a path, whose finished blocks stay; otherwise it
    returns what there is: members that are missing are NaN and have the status INTERRUPTED.

        >>> race = rd.systems.Pathways([1.0], depths=(2, 2), q=0.1, p=[[0.2], [0.1]])
        >>> ends = rd.ensemble(race, {"singular_values": np.array([[1.0], [2.0], [3.0]])})
        >>> ends["strength"].shape  # (member, time, path, mode)
        (3, 1, 2, 1)
        >>> ends["strength"].sum(axis=2).ravel().round(3).tolist()
        [1.0, 2.0, 3.0]
    """
    watch = Stopwatch()
    check_flags(overwrite=overwrite, progress=progress)
    check_solver(max_steps=max_steps, solver=solver, retry=retry)
    if block is not None:
        check_positive_int("block", block)
    builder = Builder(build, members, args)
    like = builder.first()
    check_field(like, args)
    check_by_steps(like, retry=retry)
    settings = settings_for(
        like,
        rtol=rtol,
        atol=atol,
        max_steps=max_steps,
        solver=solver,
        adjoint=dfx.ForwardMode(),
        jumps=jumps,
        crossings=crossings,
    )
    rtol = rtol_of(like) if rtol is None else rtol
    told = {
        "args": args,
        "max_steps": max_steps,
        "solver": solver,
        "retry": retry,
        "jumps": jumps,
        "crossings": none_if_empty(crossings),
    }
    has_exact = like.lanes is not None and builder.sample.has_exact
    exact = takes_exact(has_exact, method, told, None if ts is None else rtol)
    if ts is None and not exact:
        fail(
            "ts",
            "be given where a solver is to find the states",
            "it is left out, which means the end",
            "For example jnp.linspace(0, 10, 200).",
        )
    mesh = mesh_of(devices)
    work = Work(
        like=like,
        times=None if ts is None else as_times(like, check_times(ts)),
        exact=exact,
        settings=settings,
        long=dataclasses.replace(settings, solver=solver or dfx.Dopri8()),
        retry=retry or dfx.Kvaerno5(),
        args=args,
        names=observed(like, observe),
        mesh=mesh,
        cores=cores_for(cores, mesh),
    )
    size = work.block_size(block, builder.count)
    empty, provenance = _empty(builder, work)
    store: AbstractBlocks[Trajectory] | AbstractBlocks[Path] = (
        BlockMemory(empty) if path is None else BlockFile(path, empty, overwrite=overwrite)
    )
    with contextlib.closing(store):
        try:
            missing = store.missing()
            done = builder.count - len(missing)
            with (
                never_lost() as interruption,
                Progress(builder.count, "ensemble", "members", show=progress) as bar,
                work.cores,
            ):
                for numbers in _blocks(missing, size):
                    interruption()
                    store.write(numbers, *work(builder, numbers, size))
                    done += len(numbers)
                    bar.update(done)
        except KeyboardInterrupt:
            # What was begun goes on in threads of XLA's: a process that ends meanwhile crashes.
            jax.block_until_ready(jax.live_arrays())
            store.interrupted()
        if failed := failures(store.status(), "members"):
            warnings.warn(failed, RuntimeWarning, stacklevel=3)
        return store.finish(
            dataclasses.replace(
                provenance, wall_time=watch.wall_time, compile_time=watch.compile_time
            )
        )


def _empty(builder: Builder, work: Work) -> tuple[Trajectory, Provenance]:
    """The trajectory with nothing in it; see `BlockFile`."""
    count = builder.count
    like, start = work.like, jnp.asarray(0.0)
    shapes = jax.eval_shape(lambda: observe_named(like, start, like.y0(), work.names))
    named = work.like.dims()
    dims = {
        name: (
            MEMBER,
            TIME,
            *named.get(name, tuple(f"{name}_{i}" for i in range(shapes[name].ndim))),
        )
        for name in work.names
    }
    observables: dict[str, AnyArray] = {
        name: np.broadcast_to(
            np.asarray(np.nan, shapes[name].dtype), (count, work.rows, *shapes[name].shape)
        )
        for name in work.names
    }
    settings = work.settings
    # Members may have steps of their own.
    by = "steps" if steps_of(work.like) else told_of(work.like, settings)
    provenance = Provenance(
        kind="ensemble",
        system=f"{count} x {work.like.describe()}",
        solver="exact" if work.exact else by,
        settings={
            "members": count,
            "fingerprint": builder.fingerprint(),
            "observe": work.names,
            "ts": None if work.times is None else np.asarray(work.times).tolist(),
            "exact": work.exact,
            "rtol": float(settings.rtol),
            "atol": None if settings.atol is None else float(settings.atol),
            "solver": repr(settings.solver),
            "max_steps": settings.max_steps,
            "jumps": None if settings.jumps is None else [float(t) for t in settings.jumps],
            "crossings": [name for name, _ in settings.crossings],
            "retry": repr(work.retry),
            "args": None if work.args is None else checksum(work.args),
            "time_unit": "tau",
        },
        versions=versions(),
        created=now(),
    )
    empty = Trajectory(
        ts=np.array([np.inf]) if work.times is None else np.asarray(work.times),
        observables=observables,
        dims=dims,
        labels=dict(work.like.labels()),
        status=np.broadcast_to(np.int32(Status.INTERRUPTED), (count,)),
        stats={"num_steps": np.broadcast_to(np.int64(0), (count,)), **_told(work, count)},
        provenance=provenance,
    )
    return empty, provenance


def _told(work: Work, count: int) -> dict[str, AnyArray]:
    shape = (count,) if work.like.lanes is None else (count, work.like.lanes)
    return {
        name: np.broadcast_to(np.asarray(np.nan if kind.kind == "f" else 0, kind), shape)
        for name, kind in work.told.items()
    }


def _blocks(missing: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Runs of members that follow each other, of at most `size`."""
    for run in np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1):
        yield from (run[k : k + size] for k in range(0, len(run), size))
