"""Full-width gradient descent: the benchmark that every reduction is held against."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from racedyn._checks import check_flags, fail, shown
from racedyn._compilation import Stopwatch
from racedyn._jit import full_precision
from racedyn._types import Path
from racedyn.networks import Network, Problem, warn_of_closed_gates
from racedyn.rules import Groups, Loss
from racedyn.tasks import Modes, Task
from racedyn.training.going_on import check_same_network, same_task, weights_at_the_end
from racedyn.training.run import begin
from racedyn.training.training import Training
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
    batch_size: int | None = None,
    key: Any = None,
    stages: Groups | None = None,
    schedule: Mapping[Any, int] | None = None,
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
    - `lr`: step size on the loss of convention `loss` ("mean", "half_sum", "sum", "mse", "routes",
      "cross_entropy": `racedyn.rules.losses`), so that published step sizes carry over; flow time
      is factor x lr x step. "cross_entropy" is -< log softmax(yhat)_c >, c the largest entry of an
      example's target at an output node: one-hot targets, centred or not. A node whose targets are
      all zero in an example adds nothing.
    - `steps`: how many (in all, or further ones when going on). `save_every`: steps between saved
      rows; by default such that there are about 500. The first and the last step are always saved.
    - `until`: end before that, at the first saved row whose loss is at most this number; or
      "converged", so near its floor that no second decimal of a strength can still change, where
      the floor is known: by squared error in linear networks without weight decay and stages that
      have room for all that their paths can learn.
    - `optimiser`: an optax transformation instead of plain descent (it has its own step size; `lr`
      then only scales the time axis, and with `lr=None` time is counted in steps).
    - `weight_decay`: rate, in units of 1/tau, at which weights decay besides: the gradient has
      weight_decay W added.
    - `batch_size`, `key`: each step descends the mean loss of so many examples, drawn with `key` (a
      whole number or a JAX key) from all P, none twice in a step, whatever other steps have drawn:
      an unbiased estimate of descent's step, so that `lr` and flow time mean the same. (Where a
      published step is on the sum over a batch, `lr` is that times batch_size / P.) `run["loss"]`
      is that of the whole task.
    - `stages`: groups of edges, each trained on what it and the groups before it leave, the latter
      held constant, as in [Jarvis25]'s published code; by default all descend one loss. A list, or
      a dict name -> edges. Groups may share layers, edges included, as long as each path lies in
      one of them: a shared edge moves by the sum of what they descend. `loss` stays that of the
      whole network.
    - `schedule`: stage -> the step that it begins at, 0 of those left out: {1: 500} for the second
      of a list. Until then its edges stay as they are, and what they answer counts.
    - `dtype`: of weights and data, float32 or float64; that of the weights by default, float32 at
      least.
    - `observe`: what is saved of every row, beside the loss: names of the table
      (`racedyn.trajectory.OBSERVABLES`: "strength", "strength_matrix", "data_strength",
      "activity:h1" of a node h1, "tangent_kernel", "sharpness", "weights", which are kept in `ys`,
      "accuracy" where targets are classes, ...), `rd.Probe(name, task)` for the loss on another
      task with the same nodes (its accuracy, too, where that is asked for),
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

    **Returns** a Trajectory: `run["loss"]` (time,), L = 1/2 < |y - yhat|^2 > whatever factor is
    descended, or cross-entropy where that is; and what was asked for, by default `run["strength"]`
    (time, path, mode), `run["off_diagonal"]` (time, path) and `run["group_strength"]` (time, path,
    group). `status` is DONE; SETTLED, where `until` ended it; NOT_FINITE (`stats["diverged_at"]` is
    the first step whose loss was infinite or NaN; rows from there on are left out); or INTERRUPTED
    (Ctrl-C: what was computed is returned). `stats["converged"]` says whether the loss came down to
    its floor (see `racedyn.training.convergence`), and `print(run)` in words. Under cross-entropy
    there is no more than a bound, 0: where classes can be told apart weights grow without end, and
    `converged` is said of the loss alone.

    Raises `ValueError` where task, weights, stages, modes or what is to be observed do not fit the
    network, targets are no classes where they have to be, or a run to go on from had another
    network, optimiser or kind of loss; `TypeError` for a function
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
    check_flags(progress=progress)
    if checkpoint is not None and not callable(checkpoint):
        fail(
            "checkpoint",
            "be a function of the trajectory so far",
            f"it is {shown(checkpoint)}",
            error=TypeError,
        )
    earlier: Trajectory | None = None
    start: Any = weights
    if isinstance(weights, Trajectory) and isinstance(network, Network):
        earlier, start = weights, weights_at_the_end(weights)
        check_same_network(earlier, network)
        if isinstance(task, Task):
            modes = _modes_to_go_on_in(earlier, task, modes)
    training = Training(
        network,
        task,
        start,
        lr=lr,
        steps=steps,
        until=until,
        save_every=save_every,
        loss=loss,
        optimiser=optimiser,
        weight_decay=weight_decay,
        batch_size=batch_size,
        key=key,
        stages=stages,
        schedule=schedule,
        dtype=dtype,
        observe=observe,
        paths=paths,
        modes=modes,
    )
    made = training.made_of.value
    warn_of_closed_gates(made.network, made.task)
    return begin(training, earlier, watch).descend(checkpoint, progress)


def _modes_to_go_on_in(earlier: Trajectory, task: Task, modes: Any) -> Any:
    """`modes`, or those in which the run to go on from was read where it has the same task.

    None where its paths join several pairs: then the task's own, which it has to have been read in.
    """
    if modes is not None or not same_task(earlier, task) or earlier.provenance is None:
        return modes
    given = earlier.provenance.settings["modes"] == "given"
    return earlier.provenance.modes if given else None
