"""The only currency: what a simulation, a training run and a reduced system all return."""

import dataclasses
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import equinox as eqx
import jax
import numpy as np

from racedyn._checks import check_int, fail
from racedyn._text import brief, clipped, page, printable
from racedyn._types import MEMBER, AnyArray, FrozenDict, PyTree
from racedyn.tasks import Modes
from racedyn.trajectory.segments import segment_of


class Status(IntEnum):
    """How one lane, member or run ended, with a solver or without. Its `message` is what the user
    reads; files keep its number."""

    DONE = 0
    SETTLED = 1
    EVENT = 2
    STEPS_EXHAUSTED = 3
    NOT_FINITE = 4
    FAILED = 5
    INTERRUPTED = 6
    UNLEARNED = 7
    SYMMETRIC = 8

    @property
    def message(self) -> str:
        return _MESSAGES[self]

    @property
    def ok(self) -> bool:
        return self in (Status.DONE, Status.SETTLED, Status.EVENT, Status.SYMMETRIC)


_MESSAGES = {
    Status.DONE: "reached the last time asked for",
    Status.SETTLED: (
        "settled: what is left to change is below the tolerance, and the last value is held"
    ),
    Status.EVENT: "stopped by an event; later rows are NaN",
    Status.STEPS_EXHAUSTED: (
        "used up its steps: raise max_steps, rtol, atol; pass an implicit solver; or it "
        "blows up or is NaN"
    ),
    Status.NOT_FINITE: (
        "became infinite or NaN: lower lr (training), or look at the start and the "
        "vector field (a solve)"
    ),
    Status.FAILED: (
        "was given up: tighten rtol or pass another solver; or, without a solver, no end was found"
    ),
    Status.INTERRUPTED: "was interrupted: the rows up to then are kept",
    Status.UNLEARNED: (
        "has modes that no pathway can learn, so that there is no end; simulate, or ensemble with "
        "ts=, follows them"
    ),
    Status.SYMMETRIC: (
        "learned, by pathways that are exactly equal: any difference decides which of them wins"
    ),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Provenance:
    """Where a trajectory comes from; attached on the host, never traced.

    **Fields:** `kind` ("simulate", "exact", "train", ...), `system` and `solver` (short
    descriptions), `settings` (whatever makes the run repeatable, JSON-like), `modes` (the bases in
    which strengths were read, or None), `validity` (what a reduction measured about itself),
    `versions`, `wall_time` in seconds, `compile_time`, the part of it in which JAX compiled (NaN
    where it was not counted), `created` (ISO time, UTC)."""

    kind: str
    system: str
    solver: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    modes: Modes | None = None
    validity: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    wall_time: float = float("nan")
    compile_time: float = float("nan")
    created: str = ""

    def __repr__(self) -> str:
        return brief(self)

    @property
    def run_time(self) -> float:
        """Seconds that were not spent compiling: what the same call takes the next time."""
        return self.wall_time - self.compile_time


class Trajectory(eqx.Module):
    """A run at its save times.

    **Fields:**

    - `ts`: flow time in units of tau, (time,). With an optimiser whose flow time is unknown: steps
      (see `provenance.settings["time_unit"]`).
    - `step`: number of descent steps at each save, (time,), or None for a flow.
    - `ys`: states at the save times if asked for, a pytree with a leading time axis, or None.
    - `observables`: name -> array with a leading time axis; in an ensemble that of members stands
      before it.
    - `dims`: name -> axis names of that observable, the first being "time" (or "member").
    - `labels`: axis name -> names along it.
    - `status`: `Status` as integers: () or one per lane or member.
    - `stats`: name -> number, or one per lane. Of a solve `num_steps`, `num_accepted_steps`,
      `num_rejected_steps`, `t_end` (the flow time at which it ended: the last of `ts`, or earlier
      where it settled, met an event that stops it, or failed) and `drift`, the largest change of a
      conserved quantity, relative; of training `num_steps` and `diverged_at`, the step at which the
      loss was no longer finite (-1: it always was).
    - `end`: the state at the last time reached, from which a run can go on (weights for training),
      or None.
    - `provenance`: see `Provenance`; None inside jit.
    """

    ts: AnyArray
    observables: dict[str, AnyArray]
    dims: Mapping[str, tuple[str, ...]] = eqx.field(static=True, converter=FrozenDict)
    labels: Mapping[str, tuple[str, ...]] = eqx.field(
        static=True, converter=FrozenDict, default_factory=FrozenDict
    )
    step: AnyArray | None = None
    ys: PyTree = None
    status: AnyArray | int = 0
    stats: dict[str, AnyArray] = eqx.field(default_factory=dict)
    end: PyTree = None
    provenance: Provenance | None = eqx.field(static=True, default=None)

    @property
    def failed(self) -> list[int]:
        """Indices of lanes (or members) whose status is a failure; [0] for a single run that
        failed.
        """
        good = [int(item) for item in Status if item.ok]
        return [int(i) for i in np.flatnonzero(~np.isin(np.asarray(self.status), good))]

    def member(self, index: int) -> "Trajectory":
        """One member of an ensemble. Raises `ValueError` for a trajectory of one run, `IndexError`
        beyond the last member.
        """
        if not any(MEMBER in axes for axes in self.dims.values()):
            fail("trajectory", "be one of an ensemble", "no observable has an axis of members")
        index = check_int("index", index)
        count = next(
            np.shape(value)[0]
            for name, value in self.observables.items()
            if MEMBER in self.dims[name]
        )
        if not -count <= index < count:
            fail("index", f"be that of one of {count} members", f"it is {index}", error=IndexError)
        observables = {
            name: value[index] if MEMBER in self.dims[name] else value  # type: ignore[index]
            for name, value in self.observables.items()
        }
        dims = {
            name: tuple(axis for axis in axes if axis != MEMBER) for name, axes in self.dims.items()
        }
        stats = {name: np.asarray(value)[index] for name, value in self.stats.items()}
        status = np.asarray(self.status)[index]
        return dataclasses.replace(
            self, observables=observables, dims=dims, stats=stats, status=status
        )

    @property
    def switches(self) -> tuple[Mapping[str, Any], ...]:
        """Where the run went over to another task, in order; () for a run of one task.

        Each has `time` (in the unit of `ts`), `step` (or None) and `task`, the name of the one that
        begins. The row at that time is the last of the task before. Where they are known also
        `loss`, of the new task at the switch, and `before`: the `task` that ended, its `S` and
        `variances` in the modes of the run."""
        return (
            () if self.provenance is None else tuple(self.provenance.settings.get("switches", ()))
        )

    def segment(self, index: int) -> "Trajectory":
        """The rows of one task of a run that switched, times counted from its switch; the run
        itself if it has none.

        `index` counts from 0, or from the end (-1: the last). The row at a switch ends one segment
        and begins the next, with the loss of each. `provenance.modes` has the S and d of the
        segment's own task, NaN where they are not known. Only the last has the status, the `stats`
        and the `end` of the run.

        ```python
        both = rd.train(network, task_b, run_of_a, lr=0.04, steps=2000, modes=task_a)
        rd.learning_times(both.segment(0)), rd.learning_times(both.segment(1))    # of a, of b
        ```

        Raises `ValueError` for an ensemble, `IndexError` where there are fewer segments.
        """
        switches, index = self.switches, check_int("index", index)
        if not -len(switches) - 1 <= index <= len(switches):
            but = f"it is {index}, and the run has {len(switches) + 1} segments"
            fail("index", "be that of a segment", but, error=IndexError)
        if not switches or self.provenance is None:
            return self
        if any(MEMBER in axes for axes in self.dims.values()):
            fail(
                "trajectory",
                "be one run",
                "it is an ensemble",
                "Pick one member first: run.member(0).",
            )
        ts = np.asarray(self.ts)
        found = segment_of(
            ts,
            switches,
            self.provenance.settings,
            self.provenance.modes,
            index % (len(switches) + 1),
        )
        observables, ys = jax.tree.map(
            lambda array: np.asarray(array)[found.rows], (self.observables, self.ys)
        )
        if found.loss is not None and "loss" in observables:
            observables["loss"] = np.concatenate([[found.loss], observables["loss"][1:]])
        last = found.last
        return dataclasses.replace(
            self,
            ts=ts[found.rows] - found.time,
            step=None if self.step is None else np.asarray(self.step)[found.rows] - found.step,
            observables=observables,
            ys=ys,
            status=self.status if last else np.asarray(int(Status.DONE)),
            stats=self.stats if last else {},
            end=self.end if last else None,
            provenance=dataclasses.replace(
                self.provenance, settings=found.settings, modes=found.modes
            ),
        )

    def __repr__(self) -> str:
        kind = (
            "" if self.provenance is None else f"{self.provenance.kind}, {self.provenance.system}; "
        )
        times = f"{np.shape(self.ts)[-1] if np.ndim(self.ts) else 1} times"
        went = "" if isinstance(self.status, jax.core.Tracer) else f"; {_went(self)}"
        return clipped(
            f"Trajectory({kind}{times} of {', '.join(self.observables) or 'nothing'}{went})"
        )

    def _repr_html_(self) -> str:
        heading = (
            "Trajectory"
            if self.provenance is None
            else f"{self.provenance.kind}: {self.provenance.system}"
        )
        return page(heading, [line.split(maxsplit=1)[1] for line in _statuses(self)], str(self))

    def __str__(self) -> str:
        return "\n".join(map(printable, _describe(self)))  # names may come from a file of anyone's


def _describe(trajectory: Trajectory) -> list[str]:
    """The lines of `print(trajectory)`: system, solver, steps, shapes, memory, drift."""
    host = jax.tree.map(np.asarray, (trajectory.ts, trajectory.observables, trajectory.stats))
    ts, observables, stats = host
    source = trajectory.provenance
    lines = ["Trajectory"]
    if source is not None:
        lines.append(f"  system       {source.system}")
        took = f"  ({_seconds(source)})" if np.isfinite(source.wall_time) else ""
        lines.append(f"  solver       {source.solver}{took}")
    unit = "tau" if source is None else source.settings.get("time_unit", "tau")
    span = (
        f"{ts.shape[-1]} times from {ts.min():.4g} to {ts.max():.4g} {unit}"
        if ts.size
        else "no times"
    )
    if trajectory.step is not None and ts.size:
        span += f", {int(np.max(np.asarray(trajectory.step)))} steps"
    lines.append(f"  time         {span}")
    for name in ("num_steps", "num_accepted_steps", "num_rejected_steps"):
        if name in stats:
            lines.append(
                f"  {name.replace('num_', '').replace('_', ' '):<14} {int(np.sum(stats[name]))}"
            )
    if "drift" in stats and np.isfinite(stats["drift"]).any():
        lines.append(
            f"  drift        {np.nanmax(stats['drift']):.2e} (largest, of conserved quantities, "
            "relative)"
        )
    if "accuracy" in stats and np.isfinite(stats["accuracy"]).any():
        lines.append(
            f"  accuracy     {np.nanmax(stats['accuracy']):.2g} (relative, of each mode: what "
            "tolerance and start allow)"
        )
    if np.ndim(stats.get("converged", [])) == 0:
        lines.append(f"  converged    {_end(stats)}")
    for name, value in observables.items():
        axes = ", ".join(
            f"{axis} {size}" for axis, size in zip(trajectory.dims[name], value.shape, strict=True)
        )
        lines.append(f"  {name:<12} ({axes})")
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(eqx.filter(trajectory, eqx.is_array)))
    lines.append(f"  memory       {size / 2**20:.3g} MiB")
    for switch in trajectory.switches:
        lines.append(f"  switch       at {switch['time']:.4g} {unit} to {switch['task']}")
    return lines + _statuses(trajectory)


def _counts(trajectory: Trajectory) -> dict[Status, int]:
    status = np.asarray(trajectory.status)
    return {Status(int(s)): int(np.sum(status == s)) for s in np.unique(status)}


def _statuses(trajectory: Trajectory) -> list[str]:
    return [
        f"  status       {count} x {item.message}" for item, count in _counts(trajectory).items()
    ]


def _went(trajectory: Trajectory) -> str:
    """DONE, or of many lanes or members how many are: 5 DONE, 1 NOT_FINITE."""
    many = np.size(trajectory.status) > 1
    return ", ".join(
        f"{count} {item.name}" if many else item.name for item, count in _counts(trajectory).items()
    )


def _seconds(source: Provenance) -> str:
    """Of running and of compiling, where the two are known apart."""
    if not np.isfinite(source.compile_time):
        return f"{source.wall_time:.3g} s"
    return f"{source.run_time:.3g} s, after {source.compile_time:.3g} s of compiling"


def _end(stats: Mapping[str, Any]) -> str:
    """Whether a training came to its end, in words; see `convergence.judge` for the numbers."""
    part, floor = float(stats["loss_left"]), float(stats["loss_floor"])
    left = f"{part:.2g} of the loss above its floor, {floor:.3g}, is left"
    if np.isnan(stats["converged"]):
        return f"not known: the loss stands still (an end, or a plateau); {left}"
    return f"yes: {left}" if stats["converged"] else f"no: {left}"
