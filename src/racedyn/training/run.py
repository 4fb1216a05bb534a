"""A training under way: begun, or gone on with; its rows, block by block; what is told of it."""

import dataclasses
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import fail
from racedyn._compilation import Stopwatch
from racedyn._interruptions import never_lost
from racedyn._progress import Progress
from racedyn.training.convergence import judge
from racedyn.training.descent import Descent, State, blocks, first_row, observe_rows
from racedyn.training.going_on import ANEW, Past, past_of
from racedyn.training.rows import Rows, of_last_task
from racedyn.training.training import Training, settings_of
from racedyn.trajectory import Provenance, Status, Trajectory, now, versions

CHECKPOINT_SECONDS = 10.0


def begin(training: Training, earlier: Trajectory | None, watch: Stopwatch) -> "Run":
    """A run with no row of its own yet, but those of an earlier one."""
    made, descent, settings = training.made_of.value, training.descent, settings_of(training)
    said = None if earlier is None or earlier.provenance is None else earlier.provenance.settings
    if said is not None and said["time_unit"] != settings["time_unit"]:
        fail(
            "lr",
            "be given, or not, as in the run to go on from",
            "the two would count time in different units",
        )
    kind = settings["loss_kind"]
    if said is not None and (was := said.get("loss_kind", "squared")) != kind:
        but = f"the two are {was!r} and {kind!r}"
        fail("loss", "be of the kind of the run to go on from", but, ANEW)
    first = 0 if earlier is None else int(np.asarray(earlier.step)[-1])
    state = descent.start(training.weights, None if earlier is None else earlier.end, first)
    dims, labels = made.axes()
    lr, modes = settings["lr"], made.modes
    rows = Rows(1.0 if lr is None else settings["loss_factor"] * lr, dims, labels)
    if earlier is not None:
        past = past_of(earlier, made.task, settings, made.asked.modes, dims, labels)
        settings |= past.settings
        modes = past.modes
        start_loss = _join(rows, past, descent, state)
        if past.switched:
            settings["switches"][-1]["loss"] = start_loss
    provenance = Provenance(
        kind="train",
        system=training.describe(),
        solver=training.solver,
        settings=settings,
        modes=modes,
        versions=versions(),
        created=now(),
    )
    return Run(training, rows, state, provenance, watch, goes_on=earlier is not None)


def _join(rows: Rows, past: Past, descent: Descent, state: State) -> float:
    """Put the rows of an earlier run first, and what they lack where it can be told; the loss at
    their end, of now.
    """
    # What depends on the targets belongs, as the loss does, to the task that a row was trained on.
    observer = descent.observer
    of_task = (
        ("sharpness", "accuracy", *(row.name for row in observer.own)) if past.switched else ()
    )

    def told(observables: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return {
            name: np.asarray(value) for name, value in observables.items() if name not in of_task
        }

    lacking = rows.begin_with(past, jax.eval_shape(descent.observe, state.weights))
    if lacking and past.from_weights:
        ys = {
            edge: jnp.asarray(array, state.weights[edge].dtype)
            for edge, array in past.run.ys.items()
        }
        rows.fill(told(observe_rows(descent, ys)))
    if not (lacking or past.switched):
        return float("nan")
    head = first_row(descent, state)["observables"]
    rows.fill(told(head))
    return float(head["loss"][0])


@dataclasses.dataclass
class Run:
    """A training under way: its rows, where it stands, and what is said of it."""

    training: Training
    rows: Rows
    state: State
    provenance: Provenance
    watch: Stopwatch
    goes_on: bool

    def so_far(self, status: Status | None = None) -> Trajectory:
        """The trajectory up to now."""
        source = dataclasses.replace(
            self.provenance, wall_time=self.watch.wall_time, compile_time=self.watch.compile_time
        )
        found = dataclasses.replace(self.rows.trajectory(self.state, status), provenance=source)
        ended = judge(*of_last_task(found), self.training.least)
        return dataclasses.replace(found, stats={**found.stats, **ended})

    def descend(
        self, checkpoint: Callable[[Trajectory], None] | None, progress: bool
    ) -> Trajectory:
        """All steps, block by block, with checkpoints between them; Ctrl-C ends them."""
        training, status, first = self.training, None, int(self.state.step)
        descent, steps = training.descent, training.steps
        if self.goes_on and descent.until is not None:
            _, loss = of_last_task(self.so_far())
            if loss[-1] <= descent.until:  # it is there already: no step more
                self.state = dataclasses.replace(self.state, settled_at=self.state.step)
        made = blocks(descent, self.state, steps, training.save_every, with_first=not self.goes_on)
        last_checkpoint = time.perf_counter()
        try:
            with (
                never_lost() as interruption,
                Progress(total=steps, label="train", unit="steps", show=progress) as bar,
            ):
                for self.state, block in made:
                    self.rows.add(block)
                    bar.update(int(self.state.step) - first)
                    interruption()
                    since = time.perf_counter() - last_checkpoint
                    if checkpoint is not None and since > CHECKPOINT_SECONDS:
                        checkpoint(self.so_far())
                        last_checkpoint = time.perf_counter()
        except KeyboardInterrupt:
            if not self.rows.blocks:  # while it compiled: there is nothing to keep
                raise
            status = Status.INTERRUPTED
        trajectory = self.so_far(status)
        if trajectory.failed:
            ended = Status(int(trajectory.status))
            diverged = f" at step {int(trajectory.stats['diverged_at'])}"
            at = diverged if ended == Status.NOT_FINITE else ""
            warnings.warn(
                f"Training stopped{at}: it {ended.message}.", RuntimeWarning, stacklevel=4
            )
        return trajectory
