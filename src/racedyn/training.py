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
    check_mapping,
    check_name,
    check_names,
    check_not_negative,
    check_positive,
    check_positive_int,
    fail,
    shown,
)
from racedyn._types import MODE, PATH, TIME, Path
from racedyn.conventions import Loss, as_loss
from racedyn.descent import Data, Descent, State, advance
from racedyn.networks.fit import check_task, check_weights, warn_of_closed_gates
from racedyn.networks.network import Network
from racedyn.networks.pathmaps import observed_paths
from racedyn.networks.stages import check_stages
from racedyn.progress import Progress
from racedyn.provenance import now, versions
from racedyn.tasks.task import Task
from racedyn.trajectory import Provenance, Status, Trajectory

ROWS_PER_BLOCK = 64
CHECKPOINT_SECONDS = 10.0


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
    strength_matrix: bool = False,
    save_weights: bool = False,
    checkpoint: Callable[[Trajectory], None] | None = None,
    progress: bool = True,
) -> Trajectory:
    """Descend the loss of `network` on `task`, all weights at once, for `steps` steps.

    **Arguments:**

    - `weights`: edge -> (n_target, n_source); or a Trajectory of `train`, to go on from its end: the result then has
      its rows too, and its weights are the same, bit for bit, as if the run had never stopped.
    - `lr`: step size on the loss of convention `loss` ("mean", "half_sum", "sum", "routes": `racedyn.conventions`), so
      that published step sizes carry over; flow time is factor x lr x step.
    - `steps`: how many (in all, or further ones when going on). `save_every`: steps between saved rows; by default such
      that there are about 500. The first and the last step are always saved.
    - `optimiser`: an optax transformation instead of plain descent (it has its own step size; `lr` then only scales
      the time axis, and with `lr=None` time is counted in steps).
    - `weight_decay`: rate, in units of 1/tau, at which weights decay besides: the gradient has weight_decay W added.
    - `stages`: groups of edges, each trained on what it and the groups before it leave, the latter held constant, as in
      [Jarvis25]'s published code; by default all descend one loss. Groups may meet at inputs and outputs alone. `loss`
      stays that of the whole network.
    - `dtype`: of weights and data; that of the weights by default.
    - `probes`: name -> another task with the same nodes, whose loss is saved too.
    - `record`: nodes whose activity is saved, as "activity_<node>" (time, unit, example).
    - `paths`: paths whose strengths are saved; all of them by default, none where there are more than 1,000.
    - `strength_matrix`: also save U^T W_p V whole, (time, path, mode_out, mode_in): where and when theory breaks.
    - `save_weights`: also keep the weights of every saved row, in `ys`. Those at the end are always in `end`.
    - `checkpoint`: called every ten seconds or so with the trajectory so far.

    **Returns** a Trajectory with `strength` (time, path, mode), `loss` (time,), always L = 1/2 < |y - yhat|^2 >,
    `off_diagonal` (time, path), `group_strength` (time, path, group), `probe_loss` (time, probe). `status` is
    DONE; NOT_FINITE (`stats["diverged_at"]` is the first step whose loss was infinite or NaN; rows from there on are
    left out); or INTERRUPTED (Ctrl-C: what was computed is returned).

    Raises `ValueError` where task, weights, stages, probes or nodes do not fit the network; warns of gates that cut every
    path to an output or switch one off that has targets.
    """
    start = time.perf_counter()
    check_task(network, task)
    warn_of_closed_gates(network, task)
    stages = check_stages(network, stages)
    check_not_negative("weight_decay", weight_decay)
    if probes is not None:
        check_mapping("probes", probes, "be a dict name -> Task")
    for name, probe in (probes or {}).items():
        try:
            check_task(network, probe)
        except ValueError as error:
            raise ValueError(f"Probe {name!r}: {error}") from error
    record = check_names("record", record, "nodes")
    if optimiser is not None and not all(callable(getattr(optimiser, part, None)) for part in ("init", "update")):
        fail("optimiser", "be an optax transformation, with `init` and `update`", f"it is {shown(optimiser)}",
             "For example optax.adam(1e-3).", TypeError)  # fmt: skip
    if checkpoint is not None and not callable(checkpoint):
        fail("checkpoint", "be a function of the trajectory so far", f"it is {shown(checkpoint)}", error=TypeError)
    for node in record:
        check_name("record", node, network.nodes)
    steps = check_positive_int("steps", steps)
    save_every = max(1, steps // 500) if save_every is None else check_positive_int("save_every", save_every)
    if lr is not None:
        check_positive("lr", lr)
    elif optimiser is None:
        fail("lr", "be given for plain descent", "it is None")
    convention = as_loss(loss)
    factor = convention.factor(task)

    earlier: Trajectory | None = None
    if isinstance(weights, Trajectory):
        earlier, weights = weights, _weights_at_the_end(weights)
    weights = check_weights(network, weights)
    dtype = jnp.result_type(*weights.values()) if dtype is None else _as_dtype(dtype)
    if jax.dtypes.canonicalize_dtype(dtype) != dtype:
        fail("dtype", "be one that JAX has switched on", f"it is {dtype}",
             'Add jax.config.update("jax_enable_x64", True) at the start.')  # fmt: skip
    weights = {edge: array.astype(dtype) for edge, array in weights.items()}

    names = observed_paths(network, paths, task.all_modes())
    modes = {network.ends(path): task.pair_modes(*network.ends(path)) for path in names}
    descent = Descent(
        network=network,
        data=Data.of(task, dtype),
        probes=tuple(Data.of(probe, dtype) for probe in (probes or {}).values()),
        factor=jnp.asarray(factor, dtype),
        lr=jnp.asarray(0.0 if lr is None else lr, dtype),
        weight_decay=jnp.asarray(weight_decay, dtype) if weight_decay else None,
        optimiser=optimiser,
        stages=stages,
        modes=tuple(modes.items()),
        paths=tuple(names),
        record=tuple(record),
        matrices=strength_matrix,
        save_weights=save_weights,
    )
    first = 0 if earlier is None else int(np.asarray(earlier.step)[-1])
    time_unit = "steps" if lr is None else "tau"
    if earlier is not None and earlier.provenance is not None and earlier.provenance.settings["time_unit"] != time_unit:
        fail("lr", "be given, or not, as in the run to go on from", "the two would count time in different units")
    state = initial = descent.start(weights, None if earlier is None else earlier.end, first)
    rows = _Rows(earlier, 1.0 if lr is None else factor * lr, _names(task, names, modes, record, probes or {}))
    provenance = Provenance(
        kind="train",
        system=f"{network}, on {task.name}",
        solver="gradient descent" if optimiser is None else "optax optimiser",
        settings={
            "lr": lr,
            "loss": convention.name,
            "loss_factor": factor,
            "save_every": save_every,
            "pairs": [list(pair) for pair in modes],  # of input and output, that the observed paths join
            "weight_decay": weight_decay,
            "stages": [list(stage) for stage in stages],
            "dtype": str(dtype),
            "time_unit": time_unit,
            **(
                {}
                if earlier is None or earlier.provenance is None
                else {"went_on_from": dict(earlier.provenance.settings)}
            ),
            "edges": {edge: list(ends) for edge, ends in network.edges.items()},
        },
        modes=next(iter(modes.values())) if len(modes) == 1 else None,
        versions=versions(),
        created=now(),
    )

    def so_far(status: Status | None = None) -> Trajectory:
        trajectory = rows.trajectory(state, status)
        wall_time = time.perf_counter() - start
        return dataclasses.replace(trajectory, provenance=dataclasses.replace(provenance, wall_time=wall_time))

    status = None
    last_checkpoint = start
    try:
        with Progress(total=steps, label="train", unit="steps", show=progress) as bar:
            for state, block in _blocks(descent, initial, steps, save_every, first_row=earlier is None):
                rows.add(block)
                bar.update(int(state.step) - first)
                if checkpoint is not None and time.perf_counter() - last_checkpoint > CHECKPOINT_SECONDS:
                    checkpoint(so_far())
                    last_checkpoint = time.perf_counter()
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    trajectory = so_far(status)
    if trajectory.failed:
        ended = Status(int(trajectory.status))
        at = f" at step {int(trajectory.stats['diverged_at'])}" if ended == Status.NOT_FINITE else ""
        warnings.warn(f"Training stopped{at}: it {ended.message}.", RuntimeWarning, stacklevel=2)
    return trajectory


def _as_dtype(dtype: Any) -> Any:
    remedy = "For example 'float32'."
    try:
        known = jnp.dtype(dtype)
    except Exception:  # NumPy has several, by what is given
        fail("dtype", "be a dtype of real numbers", f"it is {shown(dtype)}", remedy, TypeError)
    if not jnp.issubdtype(known, jnp.floating):
        fail("dtype", "be a dtype of real numbers", f"it is {known}", remedy)
    return known


def _blocks(
    descent: Descent, state: State, steps: int, save_every: int, *, first_row: bool
) -> Iterator[tuple[State, dict[str, Any]]]:
    """States and blocks of rows, from the start's own row on.

    Blocks grow while they take less than half a second, so that small runs are fast, Ctrl-C and progress prompt.
    """
    size = 1 if descent.save_weights else ROWS_PER_BLOCK

    def block(state: State, num_saves: int, every: int) -> tuple[State, dict[str, Any]]:
        state, rows = advance(descent, state, size, jnp.asarray(num_saves), jnp.asarray(every))
        return state, jax.tree.map(lambda buffer: np.asarray(buffer)[:num_saves], rows)

    if first_row:
        state, rows = block(state, 1, 0)
        yield state, rows
    left, num_saves = steps // save_every, 1
    while left and int(state.diverged_at) < 0:
        num_saves = min(num_saves, left, size)
        begun = time.perf_counter()
        state, rows = block(state, num_saves, save_every)
        left -= num_saves
        yield state, rows
        if time.perf_counter() - begun < 0.5:
            num_saves *= 2
    if steps % save_every and int(state.diverged_at) < 0:
        yield block(state, 1, steps % save_every)


class _Rows:
    """The rows saved so far, and the trajectory they make."""

    def __init__(self, earlier: Trajectory | None, time_per_step: float, names: tuple[dict[str, Any], dict[str, Any]]):
        self.time_per_step = time_per_step
        self.dims, self.labels = names
        self.blocks: list[dict[str, Any]] = []
        self.t0 = 0.0
        if earlier is not None:
            kept = (earlier.ts, earlier.step, earlier.observables, earlier.ys)
            self.blocks.append(dict(zip(("ts", "step", "observables", "weights"), kept, strict=True)))
            # Where the earlier run had another step size, its own times stand and the new ones follow on.
            self.t0 = float(np.asarray(earlier.ts)[-1]) - float(np.asarray(earlier.step)[-1]) * time_per_step

    def add(self, block: dict[str, Any]) -> None:
        self.blocks.append({**block, "ts": self.t0 + block["step"] * self.time_per_step})

    def trajectory(self, state: State, status: Status | None) -> Trajectory:
        """Rows from the step on at which the loss stopped being finite are left out."""
        rows = jax.tree.map(lambda *parts: np.concatenate([np.asarray(part) for part in parts]), *self.blocks)
        finite = np.isfinite(rows["observables"]["loss"])
        diverged_at = int(state.diverged_at)
        if diverged_at < 0 and not finite.all():
            diverged_at = int(rows["step"][np.argmin(finite)])
        if diverged_at >= 0:
            status = Status.NOT_FINITE
            rows = jax.tree.map(lambda array: array[: np.sum(finite & (rows["step"] < diverged_at))], rows)
        return Trajectory(
            ts=rows["ts"],
            step=rows["step"],
            observables=rows["observables"],
            dims={name: self.dims[name] for name in rows["observables"]},
            labels=self.labels,
            ys=rows["weights"],
            status=np.asarray(int(status or Status.DONE)),
            stats={"num_steps": np.asarray(int(state.step)), "diverged_at": np.asarray(diverged_at)},
            end={
                "weights": {edge: np.asarray(array) for edge, array in state.weights.items()},
                "optimiser": tuple(np.asarray(leaf) for leaf in jax.tree.leaves(state.optimiser)),
            },
        )


def _weights_at_the_end(trajectory: Trajectory) -> Mapping[str, Any]:
    if trajectory.step is None or not isinstance(trajectory.end, Mapping) or "weights" not in trajectory.end:
        fail("weights", "come from `train` to go on from", "this trajectory has no steps or no weights at its end")
    if not Status(int(trajectory.status)).ok and trajectory.status != Status.INTERRUPTED:
        fail("weights", "be finite to go on from", f"that run {Status(int(trajectory.status)).message}")
    return trajectory.end["weights"]


def _names(
    task: Task,
    paths: Mapping[Path, str],
    modes: Mapping[Any, Any],
    record: Sequence[str],
    probes: Mapping[str, Task],
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Axis names of every observable, and names along axes."""
    dims: dict[str, tuple[str, ...]] = {"loss": (TIME,)}
    labels: dict[str, tuple[str, ...]] = {}
    if paths:
        dims |= {"strength": (TIME, PATH, MODE), "off_diagonal": (TIME, PATH), "group_strength": (TIME, PATH, "group")}
        dims["strength_matrix"] = (TIME, PATH, "mode_out", "mode_in")
        labels[PATH] = tuple(paths.values())
        if len(modes) == 1:
            labels[MODE] = next(iter(modes.values())).names
    if probes:
        dims["probe_loss"], labels["probe"] = (TIME, "probe"), tuple(probes)
    for node in record:
        dims[f"activity_{node}"] = (TIME, f"unit_{node}", "example")
    if record and task.item_names is not None:
        labels["example"] = task.item_names
    return dims, labels
