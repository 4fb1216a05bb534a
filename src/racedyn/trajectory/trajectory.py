"""The only currency: what a simulation, a training run and a reduced system all return."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

from racedyn._checks import UnknownName, check_int, fail
from racedyn._text import clipped, page, printable, some
from racedyn._types import MEMBER, TIME, AnyArray, FrozenDict, PyTree
from racedyn.trajectory.observables import Row, by_cross_entropy, remedy_for, row_of
from racedyn.trajectory.of_trainings import as_training
from racedyn.trajectory.printed import describe, statuses, went
from racedyn.trajectory.provenance import Provenance
from racedyn.trajectory.segments import segment_of
from racedyn.trajectory.status import Status

KEEP_WEIGHTS = ("train", "observe", "ensemble")  # kinds whose `ys` are weights


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
    - `parameters`: what the members of an ensemble differ in, as it was given for them: name ->
      (member, ...), and of one member its own. Nothing where they were numbered only.
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
    parameters: dict[str, AnyArray] = eqx.field(default_factory=dict)
    end: PyTree = None
    provenance: Provenance | None = eqx.field(static=True, default=None)

    def __getitem__(self, name: str) -> Any:
        """An observable by its name: `run["loss"]` (time,), `run["strength"]` (time, path, mode).

        `run["weights"]` are those that a training saved, edge -> (time, n_target, n_source). Raises
        a `KeyError` that says what the run has, or where else the name is had."""
        if name in self.observables:
            return self.observables[name]
        trained = self.provenance is not None and self.provenance.kind in KEEP_WEIGHTS
        if name == "weights" and trained and self.ys is not None:
            return self.ys
        has = some(self.observables) or "nothing"
        remedy = remedy_for(name, self.observables)
        fail(
            "name", f"be an observable of this run ({has})", f"it is {name!r}", remedy, UnknownName
        )

    def __contains__(self, name: object) -> bool:
        """Whether the run has an observable of this name."""
        return name in self.observables

    __iter__ = None  # what can be indexed is otherwise taken for a list

    def row(self, name: str) -> Row:
        """What is known of one of its observables: the row of the table, or one of your own."""
        said = {} if self.provenance is None else self.provenance.settings
        if (row := row_of(name)) is not None:
            return by_cross_entropy(row) if said.get("loss_kind") == "cross_entropy" else row
        own = said["own"].get(name) if isinstance(said.get("own"), Mapping) else None
        own = own if isinstance(own, Mapping) else {}  # a file may come from anyone
        meaning, unit = (str(own.get(part, "")) for part in ("meaning", "unit"))
        axes = tuple(axis for axis in self.dims[name] if axis not in (MEMBER, TIME))
        return Row(name, axes, meaning, unit)

    @property
    def failed(self) -> list[int]:
        """Indices of lanes (or members) whose status is a failure; [0] for a single run that
        failed.
        """
        good = [int(item) for item in Status if item.ok]
        return [int(i) for i in np.flatnonzero(~np.isin(np.asarray(self.status), good))]

    @property
    def members(self) -> int | None:
        """How many there are in an ensemble; None of one run."""
        counts = (
            np.shape(value)[0]
            for name, value in self.observables.items()
            if MEMBER in self.dims[name]
        )
        return next(counts, None)

    def member(self, index: int) -> "Trajectory":
        """One member of an ensemble; of trainings with its own flow times in `ts`, and the weights
        that it saved.

        Raises `ValueError` for a trajectory of one run, `IndexError` beyond the last member.
        """
        count = self.members
        if count is None:
            fail("trajectory", "be one of an ensemble", "no observable has an axis of members")
        index = check_int("index", index)
        if not -count <= index < count:
            fail("index", f"be that of one of {count} members", f"it is {index}", error=IndexError)
        observables = {
            name: value[index] if MEMBER in self.dims[name] else value
            for name, value in self.observables.items()
        }
        dims = {
            name: tuple(axis for axis in axes if axis != MEMBER) for name, axes in self.dims.items()
        }

        def own(value: Any) -> Any:
            """That of the member; one number is that of all."""
            return np.asarray(value)[index] if np.ndim(value) else value

        stats, parameters = (
            {name: own(value) for name, value in each.items()}
            for each in (self.stats, self.parameters)
        )
        found = dataclasses.replace(
            self,
            observables=observables,
            dims=dims,
            stats=stats,
            parameters=parameters,
            status=own(self.status),
        )
        return found if self.step is None else as_training(found)

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
        ended = "" if isinstance(self.status, jax.core.Tracer) else f"; {went(self)}"
        return clipped(
            f"Trajectory({kind}{times} of {', '.join(self.observables) or 'nothing'}{ended})"
        )

    def _repr_html_(self) -> str:
        heading = (
            "Trajectory"
            if self.provenance is None
            else f"{self.provenance.kind}: {self.provenance.system}"
        )
        return page(heading, [line.split(maxsplit=1)[1] for line in statuses(self)], str(self))

    def __str__(self) -> str:
        return "\n".join(map(printable, describe(self)))  # names may come from a file of anyone's
