"""`compress`: a narrow network that learns as the wide one does, to a stated error."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import check_times
from racedyn._checks import (
    check_name,
    check_names,
    check_not_negative,
    check_number,
    check_positive,
    check_positive_int,
    fail,
    shown,
)
from racedyn._jit import full_precision
from racedyn._types import MODE, PATH, TIME, AnyArray, Times
from racedyn.networks import (
    Network,
    Problem,
    check_task,
    init,
    refuse_unit_gates,
    the_three,
    warn_of_closed_gates,
)
from racedyn.paths import observed_paths
from racedyn.reduction.bases import gated_alike
from racedyn.reduction.compression.columns import columns_of
from racedyn.reduction.compression.compressed import Compressed
from racedyn.reduction.compression.growing import (
    Diverged,
    schedule_of_steps,
    schedule_of_times,
    until_learned,
)
from racedyn.reduction.compression.laws import store_of
from racedyn.reduction.compression.marching import Descent, Flow, March, Reader
from racedyn.reduction.compression.matrices import Matrices
from racedyn.reduction.compression.rounds import narrowed
from racedyn.rules import Loss, as_loss, check_stages
from racedyn.tasks import Task
from racedyn.trajectory import OBSERVABLES, Provenance, Status, Trajectory, now, versions

_LOOSEST = 0.3


@full_precision
def compress(
    network: Network | Problem,
    task: Task | None = None,
    weights: Mapping[str, Any] | init.AbstractLaw | None = None,
    *,
    key: Any = None,
    lr: float | None = None,
    steps: int | None = None,
    ts: Times | None = None,
    tolerance: float = 1e-3,
    loss: str | Loss = "mean",
    weight_decay: float = 0.0,
    stages: Sequence[Sequence[str]] | None = None,
    max_share: float = 0.5,
    observe: Sequence[str] = (),
) -> Compressed:
    """A network of a few dozen directions at each node that learns as `network` does from
    `weights`.

    Learning moves a matrix only between directions that signals reach. Bases that hold the signals
    at all times make of the wide network a narrow one, B_e = H_t^T W_e H_s, that trains exactly
    like it, by descent of any step size or by flow. One pass through learning finds them: it
    descends in bases that grow with what its signals reach outside, and is the wide network itself
    all along; then the directions that its signals used are kept. Weights of a law are never
    formed: what is asked of them is drawn, so that a width may be 1e9.

    **Arguments:**

    - `weights`: edge -> (n_target, n_source); or a law, `init.Gaussian` or `init.Orthogonal`, with
      `key`, from which a network of these widths is drawn. It is one of its law, and another one
      than `network.init` draws with this key.
    - `lr`, `steps`: of the descent that it is to follow, on the loss of convention `loss`; or
      `ts`: flow times, from 0 on, of the gradient flow; without all three the flow until all is
      learned.
    - `tolerance`: relative L2 error, over the run, of strengths and loss. Warns where twice the
      estimate does not come to it.
    - `weight_decay`, `stages`: as in `racedyn.train`; they are kept exactly.
    - `max_share`: of a node's width: bases that are larger are refused.
    - `observe`: what `run` has beside strengths and loss: "strength_matrix", U^T W_a V.

    The estimated error is |narrow - whole| + |pass - whole|, where `whole` goes through learning
    once more with all directions that the pass found, known from the start: it is much closer to
    the wide network than the pass was, which found most of them on its way. Twice that bounded the
    true error in all cases that were measured (`benchmarks/compress.py`).

    Raises `ValueError` where the bases don't get by with `max_share` of a node, for a nonlinear
    network, a loss that diverges or is cross-entropy, a law whose remainder is not known, a law
    without a key or weights with one.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(3, 3), width=100)
        >>> weights = network.init(rd.init.Gaussian(std=0.03), key=0)
        >>> narrow = rd.compress(network, task, weights, lr=0.1, steps=1000)
        >>> max(narrow.dimensions.values()) < 25, narrow.estimate["strength"] < 1e-3
        (True, True)
        >>> run = rd.train(narrow.problem, lr=0.1, steps=1000)  # as the wide network learns
    """
    network, task, given = _asked(network, task, weights, key)
    stages = check_stages(network, stages)
    convention = as_loss(loss)
    if convention.kind != "squared":
        fail("loss", "be of squared error", f"it is {convention.name!r}", "`train` descends it.")
    factor = convention.factor(task)
    decay = check_not_negative("weight_decay", weight_decay)
    tolerance = check_tolerance(tolerance)
    max_share = check_positive("max_share", max_share)
    if max_share > 1:
        fail("max_share", "be at most 1, all of a node's width", f"it is {shown(max_share)}")
    descent = _way(lr, steps, ts)
    rate = jnp.asarray(decay, float) if decay else None
    march: March
    if descent:
        step = factor * check_positive("lr", lr)
        march = Descent(rate, stages, jnp.asarray(step, float))
        unit = step
    else:
        march, unit = Flow(rate, stages, tolerance / 100), 1.0
    for name in check_names("observe", observe):
        check_name("observe", name, ("strength_matrix",))
    columns = columns_of(network, task)
    modes = task.all_modes()
    paths = observed_paths(network, None, modes)
    floor = jnp.asarray(columns.floor)
    reader = Reader(floor, tuple(modes.items()), tuple(paths), "strength_matrix" in observe)
    store = (
        store_of(network, given, key)
        if isinstance(given, init.AbstractLaw)
        else Matrices(network, given)
    )
    store.sweep(columns)
    if descent:
        schedule = schedule_of_steps(check_positive_int("steps", steps))
    elif ts is not None:
        schedule = schedule_of_times(_times(ts))
    else:
        schedule = until_learned(store, columns, march, reader)
    try:
        found, passed, outside = narrowed(
            store, columns, march, reader, schedule, tolerance, max_share
        )
    except Diverged as stop:
        where = f"the loss is not finite at {'step' if descent else 't ='} {stop.mark:g}"
        remedy = f"Lower it, or the weights: {_gain(network, given)}."
        fail("lr" if descent else "weights", "let the loss stay finite", where, remedy)
    if not found.holds(tolerance):
        worst = max(found.estimate.values())
        warnings.warn(
            f"compress came no nearer than an estimated error of {worst:.1e}, and twice that is "
            f"above the tolerance of {tolerance:g}: `estimate` says what can be relied on.",
            RuntimeWarning,
            stacklevel=3,
        )
    inner = [node for node in network.order if node not in store.complete]
    sizes = {node: found.choice.turns[node].shape[1] for node in inner}
    narrow = gated_alike(
        network,
        {node: sizes.get(node, network.nodes[node].width) for node in network.nodes},
        network.edges,
    )
    settings: dict[str, Any] = {
        "tolerance": tolerance,
        "loss": convention.name,
        "weight_decay": decay,
        "time_unit": "tau",
        **({"lr": lr} if descent else {}),
    }
    rows: dict[str, AnyArray] = {name: values[schedule.rows] for name, values in passed.items()}
    marks = schedule.marks[schedule.rows]
    run = Trajectory(
        ts=marks * unit,
        step=marks if descent else None,
        observables=rows,
        dims={name: (TIME, *OBSERVABLES[name].axes) for name in rows},
        labels={
            **({PATH: tuple(paths.values())} if paths else {}),
            **({MODE: next(iter(modes.values())).names} if len(modes) == 1 else {}),
        },
        status=np.asarray(int(Status.DONE)),
        provenance=Provenance(
            kind="compress",
            system=f"{network}",
            solver=f"{'descent' if descent else 'flow'} in all directions of a pass",
            settings=settings,
            modes=next(iter(modes.values())) if len(modes) == 1 else None,
            validity={"exact": store.closed, "outside_the_bases": outside},
            versions=versions(),
            created=now(),
        ),
    )
    bases = None
    if isinstance(store, Matrices):
        bases = {node: store.directions(node, turn) for node, turn in found.choice.turns.items()}
    return Compressed(
        narrow,
        task,
        {edge: jax.device_put(matrix) for edge, matrix in found.choice.weights.items()},
        found.estimate,
        sizes,
        run,
        bases,
        tolerance,
        found.share,
        store.closed,
        network,
    )


def check_tolerance(tolerance: Any) -> float:
    """A relative error that can be asked for."""
    number = check_number("tolerance", tolerance)
    if not 0 < number <= _LOOSEST:
        fail("tolerance", f"be above 0 and at most {_LOOSEST}", f"it is {shown(tolerance)}")
    return number


def _asked(
    network: Network | Problem, task: Task | None, weights: Any, key: Any
) -> tuple[Network, Task, Any]:
    """Network, task, and matrices or a law, that fit each other."""
    if isinstance(weights, init.AbstractLaw):
        if not isinstance(network, Network) or task is None:
            fail(
                "network, task",
                "be given beside a law",
                f"they are {shown(network)}, {shown(task)}",
            )
        check_task(network, task)
        if key is None:
            fail("key", "be given beside a law", "it is None", "For example key=0.")
        given: Any = weights
    else:
        if weights is not None and not isinstance(weights, Mapping):
            fail(
                "weights",
                "be a dict edge -> array, or a law of racedyn.init",
                f"it is {shown(weights)}",
                "For example init.Gaussian(std=0.02), with key=0.",
                TypeError,
            )
        network, task, arrays = the_three(network, task, weights)
        if key is not None:
            fail("key", "be left out beside weights, which need none", f"it is {shown(key)}")
        given = {edge: np.asarray(matrix, np.float64) for edge, matrix in arrays.items()}
    if not network.linear:
        fail(
            "network",
            "be linear to be compressed",
            f"it is a {network}",
            "A nonlinear layer does not commute with bases.",
        )
    refuse_unit_gates(network)
    warn_of_closed_gates(network, task)
    return network, task, given


def _gain(network: Network, given: Any) -> str:
    """By how much the largest of the initial matrices stretches what it is given, in words."""
    if isinstance(given, init.Gaussian):
        shapes = [network.shape(edge) for edge in network.edges]
        size = given.std * max(np.sqrt(rows) + np.sqrt(columns) for rows, columns in shapes)
        return f"std times the roots of the widths is {size:.3g}"
    if isinstance(given, init.AbstractLaw):
        return f"they are {given}"
    return f"the largest norm of a matrix is {max(map(np.linalg.norm, given.values())):.3g}"


def _way(lr: Any, steps: Any, ts: Any) -> bool:
    """Whether it is descent that is asked for, and not the flow."""
    if ts is None and lr is not None and steps is not None:
        return True
    if lr is None and steps is None:
        return False
    fail(
        "lr, steps",
        "both be given, or neither, and `ts` alone",
        f"they are {shown(lr)}, {shown(steps)}, {shown(ts)}",
        "For example lr=0.04, steps=6000; or ts=np.linspace(0, 240, 481).",
    )


def _times(ts: Times) -> np.ndarray:
    times = np.asarray(check_times(ts, 0.0), float)
    if times[0] > 0:
        times = np.concatenate([[0.0], times])
    if len(times) < 2:
        fail("ts", "hold a time after 0", f"it is {shown(ts)}")
    return times
