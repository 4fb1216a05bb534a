"""What the members of an ensemble of trainings have saved, and how each of them ended."""

from typing import Any

import jax
import numpy as np

from racedyn.simulation.blocks import Rows
from racedyn.training import Least, State, judge
from racedyn.trajectory import Status, weights_name

# What is told of each member: name -> dtype
TOLD = {
    "num_steps": np.int64,
    "diverged_at": np.int64,
    "time_per_step": np.float64,
    "loss_floor": np.float64,
    "loss_left": np.float64,
    "unlearned": np.float64,
    "converged": np.float64,
}


def named(weights: dict[str, Any]) -> dict[str, Any]:
    """By the names that an ensemble has them under."""
    return {weights_name(edge): array for edge, array in weights.items()}


class MemberRows:
    """The rows of `count` members, whose observables are (member, time, ...); `steps` (time,):
    after how many steps each row is saved."""

    def __init__(self, count: int, steps: np.ndarray):
        self.count, self.steps = count, steps
        self._arrays: Rows = {}
        self._saved = np.zeros(count, int)  # rows of each member
        self._at = 0
        self._state: State

    def add(self, num: int, state: State, saved: np.ndarray, rows: dict[str, Any]) -> bool:
        """Put the next `num` rows in their places, of which each member has the first `saved`;
        `state` (member, ...): after them. Whether any member goes on."""
        self._state = state = jax.tree.map(lambda leaf: leaf[: self.count], state)
        new = {**rows["observables"], **named(rows["weights"] or {})}
        for name, values in new.items():
            values = values[: self.count, :num]
            if name not in self._arrays:
                shape = (self.count, len(self.steps), *values.shape[2:])
                self._arrays[name] = np.full(shape, np.nan, values.dtype)
            self._arrays[name][:, self._at : self._at + num] = values
        self._saved += saved[: self.count]
        self._at += num
        return bool(((state.settled_at < 0) & (state.diverged_at < 0)).any())

    def found(self, time_per_step: np.ndarray, least: Least) -> tuple[Rows, np.ndarray, Rows]:
        """Observables, status and what is TOLD. `time_per_step`, and the numbers of `least`:
        (member,).

        From the step on at which a loss stopped being finite rows are NaN; after a member has
        settled they are its last one."""
        state, loss = self._state, self._arrays["loss"]
        diverged_at, settled = np.asarray(state.diverged_at), np.asarray(state.settled_at) >= 0
        written = np.arange(len(self.steps)) < self._saved[:, None]
        # No step has seen it where the very last one made it so.
        bad = written & ~np.isfinite(loss)
        unseen = (diverged_at < 0) & bad.any(axis=1)
        diverged_at = np.where(unseen, self.steps[bad.argmax(axis=1)], diverged_at)
        before = (diverged_at[:, None] < 0) | (self.steps < diverged_at[:, None])
        kept = (written & before & ~bad).sum(axis=1)
        for member in map(int, np.flatnonzero(kept < len(self.steps))):
            for values in self._arrays.values():
                last = values[member, kept[member] - 1] if settled[member] else np.nan
                values[member, kept[member] :] = last
        status = np.where(diverged_at >= 0, int(Status.NOT_FINITE), int(Status.DONE))
        status = np.where(settled & (diverged_at < 0), int(Status.SETTLED), status)
        floors, weakest = np.asarray(least.floor), np.asarray(least.weakest)
        told = {name: np.zeros(self.count, kind) for name, kind in TOLD.items()}
        told["num_steps"][:], told["diverged_at"][:] = np.asarray(state.step), diverged_at
        told["time_per_step"][:] = time_per_step[: self.count]
        for member in range(self.count):
            rows = slice(0, kept[member])
            floor = Least(float(floors[member]), least.exact, float(weakest[member]))
            ts = self.steps[rows]  # that of a step is the same in all rows
            for name, value in judge(ts, loss[member, rows], floor).items():
                told[name][member] = value
        return self._arrays, status, told
