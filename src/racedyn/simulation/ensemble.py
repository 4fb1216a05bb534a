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
import numpy as np

from racedyn._checks import check_flags, check_positive_int
from racedyn._compilation import Stopwatch
from racedyn._interruptions import never_lost
from racedyn._jit import full_precision
from racedyn._progress import Progress
from racedyn._types import PyTree, Times
from racedyn.networks import warn_of_closed_gates
from racedyn.simulation.asked import Asked
from racedyn.simulation.blocks import Work
from racedyn.simulation.cores import cores_for
from racedyn.simulation.crossings import Asked as Crossings
from racedyn.simulation.lanes import failures
from racedyn.simulation.members import Builder
from racedyn.simulation.method import MAX_STEPS
from racedyn.simulation.stacks import mesh_of
from racedyn.simulation.trainings import Trainings
from racedyn.store import AbstractBlocks, BlockFile, BlockMemory
from racedyn.systems import AbstractSystem
from racedyn.training import Training
from racedyn.trajectory import Trajectory


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
    crossings: Crossings | None
    block: int | None
    cores: int | None
    devices: Sequence[Any] | None
    progress: bool


_Build: TypeAlias = AbstractSystem | Callable[[Any], AbstractSystem | Training]


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
    crossings: Crossings | None = None,
    block: int | None = None,
    cores: int | None = None,
    devices: Sequence[Any] | None = None,
    progress: bool = False,
) -> Trajectory | Path:
    """Many systems of one kind at the flow times `ts`, from t = 0; without `ts` the end of each, as
    the time infinity. Or many trainings of one network, at the rows that they save.

    **Arguments:**

    - `build`: a function of a member that returns its system, or a system some of whose fields
      differ between members; or a function that returns a `racedyn.Training`, which leaves no
      choice to the arguments from `ts` and `observe` to `crossings`.
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

    Trainings of one network differ in arrays: weights, step size, weight decay, `until`, key, data.
    Where all have one flow time per step `ts` is in units of tau, else it counts steps; `step` does
    so always, `stats["time_per_step"]`, (member,), has that flow time, and `run.member(i)` its own
    `ts`. One that ends before the others (`until`) keeps its last row, one that diverges is NaN
    from there on. `observe=["weights"]` keeps all weights as `run["weights:EDGE"]`.

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
    if block is not None:
        check_positive_int("block", block)
    asked = Asked(
        ts=ts,
        observe=observe,
        method=method,
        args=args,
        rtol=rtol,
        atol=atol,
        max_steps=max_steps,
        solver=solver,
        retry=retry,
        jumps=jumps,
        crossings=crossings,
    )
    asked.check()
    builder = Builder(build, members, args)
    mesh = mesh_of(devices)
    threads = cores_for(cores, mesh)
    work: Work | Trainings
    if isinstance(builder.sample, Training):
        asked.refuse_beside_trainings()
        work = Trainings.of(builder, mesh, threads)
        made = work.like.made_of.value
        warn_of_closed_gates(made.network, made.task)
    else:
        work = asked.work(builder, mesh, threads)
    size = work.block_size(block, builder.count)
    empty = work.empty(builder)
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
                threads,
            ):
                for numbers in _blocks(missing, size):
                    store.write(numbers, *work(builder, numbers, size, interruption))
                    done += len(numbers)
                    bar.update(done)
        except KeyboardInterrupt:
            # What was begun goes on in threads of XLA's: a process that ends meanwhile crashes.
            jax.block_until_ready(jax.live_arrays())
            store.interrupted()
        if failed := failures(store.status(), "members"):
            warnings.warn(failed, RuntimeWarning, stacklevel=3)
        assert empty.provenance is not None
        return store.finish(
            dataclasses.replace(
                empty.provenance, wall_time=watch.wall_time, compile_time=watch.compile_time
            )
        )


def _blocks(missing: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Runs of members that follow each other, of at most `size`."""
    for run in np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1):
        yield from (run[k : k + size] for k in range(0, len(run), size))
