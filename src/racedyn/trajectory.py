"""The only currency: what a simulation, a training run and a reduced system all return."""

import dataclasses
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import equinox as eqx
import jax
import numpy as np

from racedyn._checks import fail
from racedyn._names import printable
from racedyn._types import MEMBER, MODE, PATH, TIME, ArrayLike, FrozenDict, PyTree
from racedyn.tasks.modes import Modes


class Status(IntEnum):
    """How one lane, member or run ended. Its `message` is what the user reads."""

    DONE = 0
    SETTLED = 1
    EVENT = 2
    STEPS_EXHAUSTED = 3
    NOT_FINITE = 4
    FAILED = 5
    INTERRUPTED = 6
    UNLEARNED = 7

    @property
    def message(self) -> str:
        return _MESSAGES[self]

    @property
    def ok(self) -> bool:
        return self in (Status.DONE, Status.SETTLED, Status.EVENT)


_MESSAGES = {
    Status.DONE: "reached the last time asked for",
    Status.SETTLED: "settled: what is left to change is below the tolerance, and the last value is held",
    Status.EVENT: "stopped by an event; later rows are NaN",
    Status.STEPS_EXHAUSTED: "used up its steps: raise max_steps, loosen rtol, pass an implicit solver; or it blows up",
    Status.NOT_FINITE: "became infinite or NaN: lower lr (training), or look at the start and the vector field (a solve)",
    Status.FAILED: "was given up: tighten rtol or pass another solver; or, without a solver, no end was found",
    Status.INTERRUPTED: "was interrupted: the rows up to then are kept",
    Status.UNLEARNED: "has modes that no pathway can learn, so that there is no end; pass ts= to follow them",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Provenance:
    """Where a trajectory comes from; attached on the host, never traced.

    **Fields:** `kind` ("simulate", "train", ...), `system` and `solver` (short descriptions), `settings` (whatever
    makes the run repeatable, JSON-like), `modes` (the bases in which strengths were read, or None), `validity`
    (what a reduction measured about itself), `versions`, `wall_time` in seconds, `created` (ISO time, UTC).
    """

    kind: str
    system: str
    solver: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    modes: Modes | None = None
    validity: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    wall_time: float = float("nan")
    created: str = ""


class Trajectory(eqx.Module):
    """A run at its save times.

    **Fields:**

    - `ts`: flow time in units of tau, (time,). With an optimiser whose flow time is unknown: steps (see
      `provenance.settings["time_unit"]`).
    - `step`: number of descent steps at each save, (time,), or None for a flow.
    - `ys`: states at the save times if asked for, a pytree with a leading time axis, or None.
    - `observables`: name -> array with a leading time axis; in an ensemble that of members stands before it.
    - `dims`: name -> axis names of that observable, the first being "time" (or "member").
    - `labels`: axis name -> names along it.
    - `status`: `Status` as integers: () or one per lane or member.
    - `stats`: name -> number, or one per lane.
    - `end`: the state at the last time reached, from which a run can go on (weights for training), or None.
    - `provenance`: see `Provenance`; None inside jit.
    """

    ts: ArrayLike
    observables: dict[str, ArrayLike]
    dims: Mapping[str, tuple[str, ...]] = eqx.field(static=True, converter=FrozenDict)
    labels: Mapping[str, tuple[str, ...]] = eqx.field(static=True, converter=FrozenDict, default_factory=FrozenDict)
    step: ArrayLike | None = None
    ys: PyTree = None
    status: ArrayLike = 0
    stats: dict[str, ArrayLike] = eqx.field(default_factory=dict)
    end: PyTree = None
    provenance: Provenance | None = eqx.field(static=True, default=None)

    @property
    def failed(self) -> list[int]:
        """Indices of lanes (or members) whose status is a failure; [0] for a single run that failed."""
        good = [int(item) for item in Status if item.ok]
        return [int(i) for i in np.flatnonzero(~np.isin(np.asarray(self.status), good))]

    def member(self, index: int) -> "Trajectory":
        """One member of an ensemble. Raises `ValueError` for a trajectory of one run, `IndexError` beyond the last member."""
        if not any(MEMBER in axes for axes in self.dims.values()):
            fail("trajectory", "be one of an ensemble", "no observable has an axis of members")
        observables = {
            name: value[index] if MEMBER in self.dims[name] else value  # type: ignore[index]
            for name, value in self.observables.items()
        }
        dims = {name: tuple(axis for axis in axes if axis != MEMBER) for name, axes in self.dims.items()}
        stats = {name: np.asarray(value)[index] for name, value in self.stats.items()}
        status = np.asarray(self.status)[index]
        return dataclasses.replace(self, observables=observables, dims=dims, stats=stats, status=status)

    def __str__(self) -> str:
        return "\n".join(map(printable, _describe(self)))  # names may come from a file of anyone's


def _describe(trajectory: Trajectory) -> list[str]:
    """The lines of `print(trajectory)`: system, solver, steps, shapes, memory, drift."""
    host = jax.tree.map(np.asarray, (trajectory.ts, trajectory.observables, trajectory.status, trajectory.stats))
    ts, observables, status, stats = host
    source = trajectory.provenance
    lines = ["Trajectory"]
    if source is not None:
        lines.append(f"  system       {source.system}")
        lines.append(f"  solver       {source.solver}  ({source.wall_time:.3g} s)")
    unit = "tau" if source is None else source.settings.get("time_unit", "tau")
    span = f"{ts.shape[-1]} times from {ts.min():.4g} to {ts.max():.4g} {unit}" if ts.size else "no times"
    if trajectory.step is not None and ts.size:
        span += f", {int(np.max(np.asarray(trajectory.step)))} steps"
    lines.append(f"  time         {span}")
    for name in ("num_steps", "num_accepted_steps", "num_rejected_steps"):
        if name in stats:
            lines.append(f"  {name.replace('num_', '').replace('_', ' '):<14} {int(np.sum(stats[name]))}")
    if "drift" in stats and np.isfinite(stats["drift"]).any():
        lines.append(f"  drift        {np.nanmax(stats['drift']):.2e} (largest, of conserved quantities, relative)")
    for name, value in observables.items():
        axes = ", ".join(f"{axis} {size}" for axis, size in zip(trajectory.dims[name], value.shape, strict=True))
        lines.append(f"  {name:<12} ({axes})")
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(eqx.filter(trajectory, eqx.is_array)))
    lines.append(f"  memory       {size / 2**20:.3g} MiB")
    counts = {Status(int(s)): int(np.sum(status == s)) for s in np.unique(status)}
    for item, count in counts.items():
        lines.append(f"  status       {count} x {item.message}")
    return lines


__all__ = ["MODE", "PATH", "TIME", "Provenance", "Status", "Trajectory"]
