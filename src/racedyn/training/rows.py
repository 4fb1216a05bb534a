"""The rows of a training run, and the trajectory they make: those of a run it goes on from stand
before them.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from racedyn._types import PATH
from racedyn.training.descent import State
from racedyn.training.going_on import Past
from racedyn.trajectory import Status, Trajectory

_NAMED = (PATH, "probe")  # axes whose places are found by name: a column never becomes another's
Block = dict[str, Any]


class Columns:
    """Where each observable's numbers stand when two runs recorded different things: what a row
    lacks is NaN.
    """

    def __init__(self, old: Past, dims: Mapping[str, tuple[str, ...]], shapes: Mapping[str, Any]):
        """`dims`, `shapes`: of what is recorded from now on, name -> axes with time, name -> shape
        and dtype of a row.
        """
        self.labels = old.labels
        self.dims = {**old.dims, **{name: dims[name] for name in shapes}}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.dtypes: dict[str, Any] = {}
        for name, axes in self.dims.items():
            kept, now = old.observables.get(name), shapes.get(name)
            known = ([] if kept is None else [kept.shape[1:]]) + (
                [] if now is None else [now.shape]
            )
            sizes = [max(size) for size in zip(*known, strict=True)]
            self.shapes[name] = tuple(
                len(self.labels[axis]) if self._named(axis) else size
                for axis, size in zip(axes[1:], sizes, strict=True)
            )
            dtype = np.asarray(kept).dtype if now is None else now.dtype
            self.dtypes[name] = dtype if np.issubdtype(dtype, np.floating) else np.dtype(np.float64)

    def _named(self, axis: str) -> bool:
        return axis in _NAMED and axis in self.labels

    def place(
        self, observables: Mapping[str, Any], labels: Mapping[str, tuple[str, ...]], num: int
    ) -> Block:
        """These rows with every column, NaN where they have none. `labels`: their own names along
        axes.
        """
        placed = {}
        for name, shape in self.shapes.items():
            rows = None if name not in observables else np.asarray(observables[name])
            if rows is not None and name == "winner":
                rows = self._of_joined_paths(rows, labels)
            if rows is not None and rows.shape[1:] == shape and self._same(name, labels):
                placed[name] = rows
                continue
            placed[name] = np.full((num, *shape), np.nan, self.dtypes[name])
            if rows is not None:
                places = [
                    [self.labels[axis].index(label) for label in labels[axis]]
                    if self._named(axis)
                    else range(size)
                    for axis, size in zip(self.dims[name][1:], rows.shape[1:], strict=True)
                ]
                placed[name][np.ix_(range(num), *places)] = rows
        return placed

    def _of_joined_paths(
        self, numbers: np.ndarray, labels: Mapping[str, tuple[str, ...]]
    ) -> np.ndarray:
        """Numbers of paths, NaN for none, as numbers of the same paths among those of both runs."""
        joined = [float(self.labels[PATH].index(label)) for label in labels[PATH]]
        known = ~np.isnan(numbers)
        places = np.asarray(joined, numbers.dtype)[np.where(known, numbers, 0).astype(int)]
        return np.where(known, places, numbers)

    def _same(self, name: str, labels: Mapping[str, tuple[str, ...]]) -> bool:
        return all(
            tuple(labels[axis]) == self.labels[axis]
            for axis in self.dims[name][1:]
            if self._named(axis)
        )


class Rows:
    """The rows saved so far. `dims`, `labels`: of what is recorded."""

    def __init__(
        self,
        time_per_step: float,
        dims: Mapping[str, tuple[str, ...]],
        labels: Mapping[str, tuple[str, ...]],
    ):
        self.time_per_step = time_per_step
        self.dims, self.labels = dict(dims), dict(labels)
        self.recorded = self.labels
        self.columns: Columns | None = None
        self.blocks: list[Block] = []
        self.t0 = 0.0

    def begin_with(self, past: Past, shapes: Mapping[str, Any]) -> bool:
        """Put the rows of an earlier run first; return whether they lack something that is recorded
        from now on.

        `shapes`: name -> shape and dtype of what is.
        """
        run = past.run
        self.columns = Columns(past, self.dims, shapes)
        self.dims, self.labels = self.columns.dims, self.columns.labels
        rows = self.columns.place(past.observables, run.labels, np.size(run.ts))
        self.blocks = [{"ts": run.ts, "step": run.step, "observables": rows, "weights": run.ys}]
        # Where the earlier run had another step size, its own times stand and the new ones follow
        # on.
        self.t0 = (
            float(np.asarray(run.ts)[-1]) - float(np.asarray(run.step)[-1]) * self.time_per_step
        )
        return any(
            name not in past.observables
            or any(
                not set(names) <= set(run.labels.get(axis, ()))
                for axis, names in self.recorded.items()
                if axis in _NAMED and axis in self.dims[name]
            )
            for name in shapes
        )

    def fill(self, observables: Mapping[str, Any]) -> None:
        """Put what is recorded now of the last earlier rows, one or more, where these have
        nothing.
        """
        rows = self.blocks[0]["observables"]
        num = len(observables["loss"])
        for name, values in (
            self.columns.place(observables, self.recorded, num).items() if self.columns else ()
        ):
            lacking = np.isnan(rows[name][-num:])
            if lacking.any():
                last = np.where(lacking, values, rows[name][-num:])
                rows[name] = np.concatenate([rows[name][:-num], last])

    def add(self, block: Block) -> None:
        if self.columns is not None:
            placed = self.columns.place(block["observables"], self.recorded, len(block["step"]))
            block = {**block, "observables": placed}
            # Weights that only one of the two runs saved.
            for one, other in ((self.blocks[0], block), (block, self.blocks[0])):
                if one["weights"] is None and other["weights"] is not None:
                    one["weights"] = _unknown(other["weights"], len(one["step"]))
        self.blocks.append({**block, "ts": self.t0 + block["step"] * self.time_per_step})

    def trajectory(self, state: State, status: Status | None) -> Trajectory:
        """Rows from the step on at which the loss stopped being finite are left out, but none of an
        earlier run.
        """
        rows = jax.tree.map(
            lambda *parts: np.concatenate([np.asarray(part) for part in parts]), *self.blocks
        )
        finite = np.isfinite(rows["observables"]["loss"])
        diverged_at = int(state.diverged_at)
        if diverged_at < 0 and not finite.all():
            diverged_at = int(rows["step"][np.argmin(finite)])
        if int(state.settled_at) >= 0:
            status = Status.SETTLED
        if diverged_at >= 0:
            status = Status.NOT_FINITE
            earlier = np.size(self.blocks[0]["step"]) if self.columns is not None else 0
            kept = max(earlier, int(np.sum(finite & (rows["step"] < diverged_at))))
            rows = jax.tree.map(lambda array: array[:kept], rows)
        return Trajectory(
            ts=rows["ts"],
            step=rows["step"],
            observables=rows["observables"],
            dims={name: self.dims[name] for name in rows["observables"]},
            labels=self.labels,
            ys=rows["weights"],
            status=np.asarray(int(status or Status.DONE)),
            stats={
                "num_steps": np.asarray(int(state.step)),
                "diverged_at": np.asarray(diverged_at),
            },
            end={
                "weights": {edge: np.asarray(array) for edge, array in state.weights.items()},
                "optimiser": tuple(np.asarray(leaf) for leaf in jax.tree.leaves(state.optimiser)),
            },
        )


def of_last_task(run: Trajectory) -> tuple[np.ndarray, np.ndarray]:
    """Times and losses of the task that was trained last, from its switch on."""
    ts, loss = np.asarray(run.ts), np.asarray(run["loss"])
    if not run.switches:
        return ts, loss
    row = int(run.switches[-1]["row"])
    start = np.asarray([run.switches[-1]["loss"]], loss.dtype)
    return ts[row:], np.concatenate([start, loss[row + 1 :]])


def _unknown(weights: Mapping[str, Any], num: int) -> dict[str, np.ndarray]:
    """`num` rows of weights that were not saved. One NaN stands for all until they are joined."""
    return {
        edge: np.broadcast_to(
            np.asarray(np.nan, np.asarray(array).dtype), (num, *np.shape(array)[1:])
        )
        for edge, array in weights.items()
    }
