"""Full-width gradient descent: the benchmark that every reduction is held against."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn._checks import (
    check_flags,
    check_name,
    check_not_negative,
    check_positive,
    check_positive_int,
    fail,
    shown,
)
from racedyn._compilation import Stopwatch
from racedyn._jit import full_precision
from racedyn._outside import read_again
from racedyn._types import Array, Path
from racedyn.networks import Network, Problem, the_three, warn_of_closed_gates
from racedyn.paths import modes_asked_for
from racedyn.rules import Loss, as_loss, check_stages
from racedyn.tasks import Modes, Task
from racedyn.training.asked import (
    check_data_strength,
    check_functions,
    check_observe,
    said_of,
    with_paths,
)
from racedyn.training.convergence import Least, converged_below, least_loss
from racedyn.training.descent import Descent
from racedyn.training.fingerprints import network_said, task_said
from racedyn.training.going_on import check_same_network, same_task, weights_at_the_end
from racedyn.training.observation import Observer, as_dtype
from racedyn.training.run import begin
from racedyn.trajectory import Observable, Probe, Trajectory


@full_precision
def train(
    network: Network | Problem,
    task: Task | None = None,
    weights: Mapping[str, Any] | Trajectory | None = None,
    *,
    lr: float | None,
    steps: int,
    until: str | float | None = None,
    save_every: int | None = None,
    loss: str | Loss = "mean",
    optimiser: Any = None,
    weight_decay: float = 0.0,
    stages: Sequence[Sequence[str]] | None = None,
    dtype: Any = None,
    observe: Sequence[str | Probe | Observable] | None = None,
    paths: Sequence[Path] | None = None,
    modes: Task | Modes | Mapping[tuple[str, str], Modes] | None = None,
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
    - `until`: end before that, at the first saved row whose loss is at most this number; or
      "converged", so near its floor that no second decimal of a strength can still change, where
      the floor is known: in linear networks without weight decay and stages that have room for all
      that their paths can learn.
    - `optimiser`: an optax transformation instead of plain descent (it has its own step size; `lr`
      then only scales the time axis, and with `lr=None` time is counted in steps).
    - `weight_decay`: rate, in units of 1/tau, at which weights decay besides: the gradient has
      weight_decay W added.
    - `stages`: groups of edges, each trained on what it and the groups before it leave, the latter
      held constant, as in [Jarvis25]'s published code; by default all descend one loss. Groups may
      meet at inputs and outputs alone. `loss` stays that of the whole network.
    - `dtype`: of weights and data, float32 or float64; that of the weights by default, float32 at
      least.
    - `observe`: what is saved of every row, beside the loss: names of the table
      (`racedyn.trajectory.OBSERVABLES`: "strength", "strength_matrix", "data_strength",
      "activity:h1" of a node h1, "tangent_kernel", "sharpness", "weights", which are kept in `ys`,
      ...), `rd.Probe(name, task)` for the loss on another task with the same nodes,
      `rd.Observable(name, axes, function)` for a function of yours of (network, task, weights). By
      default "strength", "off_diagonal" and "group_strength". Weights at the end are always in
      `end`.
    - `paths`: paths whose strengths are saved; all of them by default, none where there are more
      than 1,000.
    - `modes`: in which strengths are read: another task, in whose modes; Modes; or a dict (input
      node, output node) -> Modes. By default those of `task`, or of the run to go on from where
      that has the same task.
    - `checkpoint`: called every ten seconds or so with the trajectory so far.

    **Another task.** `train(network, task_b, run_of_a, ...)` descends b from the weights that a
    left (an optimiser keeps its state). The run has the rows of both, `run.switches` where it went
    over, and `run.segment(i)` has the rows of one task. All strengths are read in one set of modes:
    those of b, or `modes=` (`modes=task_a`, say). Earlier rows are read in them from the weights or
    strength matrices that were saved, or as they are where each mode is one of a's, up to its sign;
    where neither is possible the run is refused before its first step. What a row has not observed
    is NaN: a probe, path or activity that only one of the runs has, weights saved in one alone,
    activity of other examples. A function of yours is known by its name.

    **Returns** a Trajectory: `run["loss"]` (time,), always L = 1/2 < |y - yhat|^2 >, and what was
    asked for, by default `run["strength"]` (time, path, mode), `run["off_diagonal"]` (time, path)
    and `run["group_strength"]` (time, path, group). `status` is DONE; SETTLED, where
    `until` ended it; NOT_FINITE
    (`stats["diverged_at"]` is the first step whose loss was infinite or NaN; rows from there on are
    left out); or INTERRUPTED (Ctrl-C: what was computed is returned). `stats["converged"]` says
    whether the loss came down to its floor (see `racedyn.training.convergence`), and `print(run)`
    in words.

    Raises `ValueError` where task, weights, stages, modes or what is to be observed do not fit the
    network, or a run to go on from had another network or optimiser; `TypeError` for a function
    that JAX can't trace; warns of gates that cut every path to
    an output or switch one off that has targets.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(2, 2), width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> run = rd.train(network, task, weights, lr=0.04, steps=1000, save_every=25)
        >>> run["strength"].shape  # (time, path, mode)
        (41, 2, 4)
        >>> run["strength"][-1].sum(axis=0).round(3).tolist()  # S/d
        [2.646, 1.732, 1.0, 1.0]
    """
    watch = Stopwatch()
    earlier, start = None, weights
    if isinstance(weights, Trajectory) and isinstance(network, Network):
        earlier, start = weights, weights_at_the_end(weights)
        check_same_network(earlier, network)
    network, task, start = the_three(network, task, start)
    warn_of_closed_gates(network, task)
    check_flags(progress=progress)
    stages = check_stages(network, stages)
    check_not_negative("weight_decay", weight_decay)
    asked = check_observe(network, observe)
    _check_functions_given(optimiser, checkpoint)
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
    least = least_loss(network, task)
    if weight_decay or stages:
        least = least._replace(exact=False)  # the loss is not what is descended: only a bound

    if earlier is not None:
        modes = _modes_to_go_on_in(earlier, task, modes)
    dtype = as_dtype(dtype, start)
    start = {edge: array.astype(dtype) for edge, array in start.items()}

    asked = with_paths(asked, network, task, paths, modes_asked_for(network, task, modes))
    check_data_strength(network, task, asked)
    check_functions(asked, network, task, start)
    descent = Descent(
        observer=Observer.of(asked, network, task, dtype),
        factor=jnp.asarray(factor, dtype),
        lr=jnp.asarray(0.0 if lr is None else lr, dtype),
        weight_decay=jnp.asarray(weight_decay, dtype) if weight_decay else None,
        optimiser=optimiser,
        until=_loss_at_the_end(until, least, dtype),
        stages=stages,
        save_weights=asked.weights,
    )
    settings: dict[str, Any] = {
        "task": task_said(task),
        "network": network_said(network),
        "lr": lr,
        "loss": convention.name,
        "loss_factor": factor,
        "save_every": save_every,
        "until": until if until is None or isinstance(until, str) else float(until),
        **said_of(asked),
        "modes": "own" if modes is None or modes is task else "given",
        "weight_decay": weight_decay,
        "stages": [list(stage) for stage in stages],
        "dtype": str(dtype),
        "time_unit": "steps" if lr is None else "tau",
        "edges": {edge: list(ends) for edge, ends in network.edges.items()},
    }
    run = begin(network, task, start, earlier, asked, descent, settings, least, watch)
    return run.descend(steps, save_every, checkpoint, progress)


def _loss_at_the_end(until: str | float | None, least: Least, dtype: Any) -> Array | None:
    """The loss at which a training ends; None: at none."""
    if until is None:
        return None
    if not isinstance(until, str):
        return jnp.asarray(check_positive("until", until), dtype)
    check_name("until", until, ("converged",))
    loss = converged_below(least, np.dtype(dtype))
    if loss is None:
        fail(
            "until",
            "be a loss here",
            "it is 'converged', and the least loss is not known of a network that is nonlinear, "
            "too narrow for what its paths can learn, or trained with weight decay or in stages",
            "For example until=1e-3.",
        )
    return jnp.asarray(loss, dtype)


def _check_functions_given(optimiser: Any, checkpoint: Any) -> None:
    """Refuse an optimiser and a checkpoint that are none."""
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


def _modes_to_go_on_in(earlier: Trajectory, task: Task, modes: Any) -> Any:
    """`modes`, or those in which the run to go on from was read where it has the same task.

    None where its paths join several pairs: then the task's own, which it has to have been read in.
    """
    if modes is not None or not same_task(earlier, task) or earlier.provenance is None:
        return modes
    given = earlier.provenance.settings["modes"] == "given"
    return earlier.provenance.modes if given else None
