"""Full-width gradient descent: the benchmark that every reduction is held against."""

import dataclasses
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import (
    check_flags,
    check_not_negative,
    check_positive,
    check_positive_int,
    fail,
    shown,
)
from racedyn._compilation import Stopwatch
from racedyn._interruptions import never_lost
from racedyn._jit import full_precision
from racedyn._outside import read_again
from racedyn._progress import Progress
from racedyn._types import Path
from racedyn.networks import Network, check_task, check_weights, warn_of_closed_gates
from racedyn.paths import modes_asked_for, observed_paths
from racedyn.rules import Loss, as_loss, check_stages
from racedyn.tasks import Modes, Task
from racedyn.training.convergence import judge, least_loss
from racedyn.training.descent import Descent, State, advance, observe_rows
from racedyn.training.going_on import (
    Past,
    bases_said,
    check_same_network,
    network_said,
    past_of,
    same_task,
    task_said,
    weights_at_the_end,
)
from racedyn.training.observation import (
    Data,
    Observer,
    as_dtype,
    check_data_strength,
    check_probes,
    check_record,
    observable_axes,
)
from racedyn.training.rows import Rows, of_last_task
from racedyn.trajectory import Provenance, Status, Trajectory, now, versions

ROWS_PER_BLOCK = 64
CHECKPOINT_SECONDS = 10.0


@full_precision
def train(
    network: Network,
    task: Task,
    weights: Mapping[str, Any] | Trajectory,
    *,
    lr: float | None,
    steps: int,
    save_every: int | None = None,
    loss: str | Loss = "mean",
    optimiser: Any = None,
    weight_decay: float = 0.0,
    stages: Sequence[Sequence[str]] | None = None,
    dtype: Any = None,
    probes: Mapping[str, Task] | None = None,
    record: Sequence[str] = (),
    paths: Sequence[Path] | None = None,
    modes: Task | Modes | Mapping[tuple[str, str], Modes] | None = None,
    strength_matrix: bool = False,
    data_strength: bool = False,
    save_weights: bool = False,
    checkpoint: Callable[[Trajectory], None] | None = None,
    progress: bool = True,
) -> Trajectory:
    """Descend the loss of `network` on `task`, all weights at once, for `steps` steps.

    **Arguments:**

    - `weights`: edge -> (n_target, n_source); or a Trajectory of `train`, to go on from its end, on
      the same task or on another: the result then has its rows too. On the same task its weights
      are the same, bit for bit, as if the run had never stopped; another is a switch, see below.
    - `lr`: step size on the loss of convention `loss` ("mean", "half_sum", "sum", "mse", "routes":
      `racedyn.rules.losses`), so that published step sizes carry over; flow time is factor x lr x
      step.
    - `steps`: how many (in all, or further ones when going on). `save_every`: steps between saved
      rows; by default such that there are about 500. The first and the last step are always saved.
    - `optimiser`: an optax transformation instead of plain descent (it has its own step size; `lr`
      then only scales the time axis, and with `lr=None` time is counted in steps).
    - `weight_decay`: rate, in units of 1/tau, at which weights decay besides: the gradient has
      weight_decay W added.
    - `stages`: groups of edges, each trained on what it and the groups before it leave, the latter
      held constant, as in [Jarvis25]'s published code; by default all descend one loss. Groups may
      meet at inputs and outputs alone. `loss` stays that of the whole network.
    - `dtype`: of weights and data, float32 or float64; that of the weights by default, float32 at
      least.
    - `probes`: name -> another task with the same nodes, whose loss is saved too.
    - `record`: nodes whose activity is saved, as "activity_<node>" (time, unit, example).
    - `paths`: paths whose strengths are saved; all of them by default, none where there are more
      than 1,000.
    - `modes`: in which strengths are read: another task, in whose modes; Modes; or a dict (input
      node, output node) -> Modes. By default those of `task`, or of the run to go on from where
      that has the same task.
    - `strength_matrix`: also save U^T W_p V whole, (time, path, mode_out, mode_in): where and when
      theory breaks.
    - `data_strength`: also save the strengths measured on the examples, U^T < yhat_p x^T > V / d,
      (time, path, mode), for nonlinear networks and for inputs that are not one-hot:
      `racedyn.paths.strengths` has both definitions.
    - `save_weights`: also keep the weights of every saved row, in `ys`. Those at the end are always
      in `end`.
    - `checkpoint`: called every ten seconds or so with the trajectory so far.

    **Another task.** `train(network, task_b, run_of_a, ...)` descends b from the weights that a
    left (an optimiser keeps its state). The run has the rows of both, `run.switches` where it went
    over, and `run.segment(i)` has the rows of one task. All strengths are read in one set of modes:
    those of b, or `modes=` (`modes=task_a`, say). Earlier rows are read in them from the weights or
    strength matrices that were saved, or as they are where each mode is one of a's, up to its sign;
    where neither is possible the run is refused before its first step. What a row has not recorded
    is NaN: a probe, path or activity that only one of the runs has, weights saved in one alone,
    activity of other examples.

    **Returns** a Trajectory with `strength` (time, path, mode), `loss` (time,), always L = 1/2 < |y
    - yhat|^2 >, `off_diagonal` (time, path), `group_strength` (time, path, group), `probe_loss`
    (time, probe). `status` is DONE; NOT_FINITE (`stats["diverged_at"]` is the first step whose loss
    was infinite or NaN; rows from there on are left out); or INTERRUPTED (Ctrl-C: what was computed
    is returned). `stats["converged"]` says whether the loss came down to its floor (see
    `racedyn.training.convergence`), and `print(run)` in words.

    Raises `ValueError` where task, weights, stages, probes, modes or nodes do not fit the network,
    or a run to go on from had another network or optimiser; warns of gates that cut every path to
    an output or switch one off that has targets."""
    watch = Stopwatch()
    check_task(network, task)
    warn_of_closed_gates(network, task)
    check_flags(
        strength_matrix=strength_matrix,
        data_strength=data_strength,
        save_weights=save_weights,
        progress=progress,
    )
    stages = check_stages(network, stages)
    check_not_negative("weight_decay", weight_decay)
    check_probes(network, probes)
    check_record(network, record)
    if optimiser is not None and not all(
        callable(getattr(optimiser, part, None)) for part in ("init", "update")
    ):
        fail(
            "optimiser",
            "be an optax transformation, with `init` and `update`",
            f"it is {shown(optimiser)}",
            "For example optax.adam(1e-3).",
            TypeError,
        )
    read_again(optimiser)
    if checkpoint is not None and not callable(checkpoint):
        fail(
            "checkpoint",
            "be a function of the trajectory so far",
            f"it is {shown(checkpoint)}",
            error=TypeError,
        )
    steps = check_positive_int("steps", steps)
    save_every = (
        max(1, steps // 500) if save_every is None else check_positive_int("save_every", save_every)
    )
    if lr is not None:
        check_positive("lr", lr)
    elif optimiser is None:
        fail("lr", "be given for plain descent", "it is None")
    convention = as_loss(loss)
    factor = convention.factor(task)

    earlier: Trajectory | None = None
    if isinstance(weights, Trajectory):
        earlier, weights = weights, weights_at_the_end(weights)
        check_same_network(earlier, network)
        if modes is None and same_task(earlier, task) and earlier.provenance is not None:
            # None where the paths join several pairs: then the task's own, which it has to have
            # been read in.
            modes = (
                earlier.provenance.modes
                if earlier.provenance.settings["modes"] == "given"
                else None
            )
    weights = check_weights(network, weights)
    dtype = as_dtype(dtype, weights)
    weights = {edge: array.astype(dtype) for edge, array in weights.items()}

    asked = modes_asked_for(network, task, modes)
    names = observed_paths(network, paths, asked)
    read = {network.ends(path): asked[network.ends(path)] for path in names}
    if data_strength:
        check_data_strength(network, task, names)
    descent = Descent(
        observer=Observer(
            network=network,
            data=Data.of(task, dtype),
            probes=tuple(Data.of(probe, dtype) for probe in (probes or {}).values()),
            modes=tuple(read.items()),
            paths=tuple(names),
            record=tuple(record),
            matrices=strength_matrix,
            data_strength=data_strength,
        ),
        factor=jnp.asarray(factor, dtype),
        lr=jnp.asarray(0.0 if lr is None else lr, dtype),
        weight_decay=jnp.asarray(weight_decay, dtype) if weight_decay else None,
        optimiser=optimiser,
        stages=stages,
        save_weights=save_weights,
    )
    first = 0 if earlier is None else int(np.asarray(earlier.step)[-1])
    time_unit = "steps" if lr is None else "tau"
    if (
        earlier is not None
        and earlier.provenance is not None
        and earlier.provenance.settings["time_unit"] != time_unit
    ):
        fail(
            "lr",
            "be given, or not, as in the run to go on from",
            "the two would count time in different units",
        )
    state = initial = descent.start(weights, None if earlier is None else earlier.end, first)
    dims, labels = observable_axes(task, names, read, record, probes or {})
    settings: dict[str, Any] = {
        "task": task_said(task),
        "network": network_said(network),
        "lr": lr,
        "loss": convention.name,
        "loss_factor": factor,
        "save_every": save_every,
        "pairs": [list(pair) for pair in read],  # of input and output, that the observed paths join
        "bases": [bases_said(pair_modes) for pair_modes in read.values()],
        "modes": "own" if modes is None or modes is task else "given",
        "probes": {name: task_said(probe) for name, probe in (probes or {}).items()},
        "weight_decay": weight_decay,
        "stages": [list(stage) for stage in stages],
        "dtype": str(dtype),
        "time_unit": time_unit,
        "edges": {edge: list(ends) for edge, ends in network.edges.items()},
    }
    rows = Rows(1.0 if lr is None else factor * lr, dims, labels)
    past = None if earlier is None else past_of(earlier, task, settings, read, dims, labels)
    if past is not None:
        settings |= past.settings
        start_loss = _join(rows, past, descent, initial)
        if past.switched:
            settings["switches"][-1]["loss"] = start_loss
    least = least_loss(network, task)
    if weight_decay or stages:  # the loss is not what is descended: its floor is only a bound
        least = least._replace(exact=False)
    provenance = Provenance(
        kind="train",
        system=f"{network}, on {task.name}",
        solver="gradient descent" if optimiser is None else "optax optimiser",
        settings=settings,
        modes=past.modes
        if past is not None
        else next(iter(read.values()))
        if len(read) == 1
        else None,
        versions=versions(),
        created=now(),
    )

    def so_far(status: Status | None = None) -> Trajectory:
        source = dataclasses.replace(
            provenance, wall_time=watch.wall_time, compile_time=watch.compile_time
        )
        trajectory = dataclasses.replace(rows.trajectory(state, status), provenance=source)
        return dataclasses.replace(
            trajectory, stats={**trajectory.stats, **judge(*of_last_task(trajectory), least)}
        )

    status = None
    last_checkpoint = time.perf_counter()
    try:
        with (
            never_lost() as interruption,
            Progress(total=steps, label="train", unit="steps", show=progress) as bar,
        ):
            for state, block in _blocks(
                descent, initial, steps, save_every, first_row=earlier is None
            ):
                rows.add(block)
                bar.update(int(state.step) - first)
                interruption()
                if (
                    checkpoint is not None
                    and time.perf_counter() - last_checkpoint > CHECKPOINT_SECONDS
                ):
                    checkpoint(so_far())
                    last_checkpoint = time.perf_counter()
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    trajectory = so_far(status)
    if trajectory.failed:
        ended = Status(int(trajectory.status))
        at = (
            f" at step {int(trajectory.stats['diverged_at'])}" if ended == Status.NOT_FINITE else ""
        )
        warnings.warn(f"Training stopped{at}: it {ended.message}.", RuntimeWarning, stacklevel=3)
    return trajectory


def _join(rows: Rows, past: Past, descent: Descent, state: State) -> float:
    """Put the rows of an earlier run first, and what they lack where it can be told; the loss at
    their end, of now.
    """
    lacking = rows.begin_with(past, jax.eval_shape(descent.observe, state.weights))
    if lacking and past.from_weights:
        ys = {
            edge: jnp.asarray(array, state.weights[edge].dtype)
            for edge, array in past.run.ys.items()
        }
        rows.fill(jax.tree.map(np.asarray, observe_rows(descent, ys)))
    if not (lacking or past.switched):
        return float("nan")
    _, head = _block(descent, state, 1, 0)
    rows.fill(head["observables"])
    return float(head["observables"]["loss"][0])


def _block_size(descent: Descent) -> int:
    return 1 if descent.save_weights else ROWS_PER_BLOCK


def _block(
    descent: Descent, state: State, num_saves: int, every: int
) -> tuple[State, dict[str, Any]]:
    """`num_saves` rows on the host, `every` steps before each."""
    state, rows = advance(
        descent, state, _block_size(descent), jnp.asarray(num_saves), jnp.asarray(every)
    )
    return state, jax.tree.map(lambda buffer: np.asarray(buffer)[:num_saves], rows)


def _blocks(
    descent: Descent, state: State, steps: int, save_every: int, *, first_row: bool
) -> Iterator[tuple[State, dict[str, Any]]]:
    """States and blocks of rows, from the start's own row on.

    Blocks grow while they take less than half a second, so that small runs are fast, Ctrl-C and
    progress prompt."""
    size = _block_size(descent)
    if first_row:
        state, rows = _block(descent, state, 1, 0)
        yield state, rows
    left, num_saves = steps // save_every, 1
    while left and int(state.diverged_at) < 0:
        num_saves = min(num_saves, left, size)
        begun = time.perf_counter()
        state, rows = _block(descent, state, num_saves, save_every)
        left -= num_saves
        yield state, rows
        if time.perf_counter() - begun < 0.5:
            num_saves *= 2
    if steps % save_every and int(state.diverged_at) < 0:
        yield _block(descent, state, 1, steps % save_every)
