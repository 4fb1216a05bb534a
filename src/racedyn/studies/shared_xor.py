"""A small ReLU network on XoR with margin beside its gated linear twins: what figures of two papers
share, saxe2022.fig3 and jarvis2025.fig2.

How initial scales are matched: while weights are small each ReLU neuron moves alone, and its flow
is solved exactly (`exact.early_pathways`). It ends in one pathway, to whose strength it brings c^2.
The twin's pathway starts from the sum of these, a0 = sum c^2 over its neurons: no constant is
fitted."""

from typing import NamedTuple

import numpy as np

from racedyn import exact
from racedyn._types import Weights
from racedyn.comparison import LearningTimes, first_fallen
from racedyn.networks import chain, init, xor
from racedyn.reduction import reduce
from racedyn.simulation import simulate
from racedyn.studies.study import Job
from racedyn.tasks import Task
from racedyn.tasks import xor as xor_task
from racedyn.training import train
from racedyn.trajectory import BY_DEFAULT, Trajectory

# Pathways of each gating: the examples that open them.
PATHWAYS = {"linear": ((0, 1), (2, 3)), "xor": ((0,), (1,), (2,), (3,))}
HALF = 0.25  # of the loss 1/2 of a network that answers 0


class Relu(NamedTuple):
    """A ReLU network as trained, and the pathways that its neurons join."""

    task: Task
    trained: Trajectory
    weights: Weights
    joined: exact.EarlyPathways


def relu(job: Job, margin: float, seed: int) -> Relu:
    """Trained for twice the half-loss time of its faster twin."""
    task = xor_task(margin)
    network = chain(task, 2, job.settings["width"], activation="relu")
    weights = network.init(init.Gaussian(job.settings["std"]), key=seed)
    joined = exact.early_pathways(
        np.asarray(weights["w1"]), np.asarray(weights["w2"]), task.X, task.Y
    )
    soonest = min(twin_time(margin, gating, joined) for gating in PATHWAYS)
    steps = int(np.ceil(2 * soonest / job.settings["lr"]))
    by_modes = BY_DEFAULT if task.all_modes() else ()  # without a margin there are none
    trained = job.keep(
        f"relu_margin{margin:g}_seed{seed}",
        lambda: train(
            network,
            task,
            weights,
            lr=job.settings["lr"],
            steps=steps,
            save_every=max(1, steps // 400),
            observe=[*by_modes, "activity:h1", "weights"],
            progress=job.progress,
        ),
    )
    return Relu(task, trained, weights, joined)


def strengths(gating: str, joined: exact.EarlyPathways) -> np.ndarray:
    """The a0 of every pathway of a gating."""
    return np.array([joined.strength(group) for group in PATHWAYS[gating]])


def twin_loss(
    margin: float, gating: str, joined: exact.EarlyPathways, ts: np.ndarray
) -> np.ndarray:
    """Loss of the gated network in closed form, each pathway from its own a0, (time,)."""
    run = exact.xor(margin, gating, strengths(gating, joined), ts)
    return np.asarray(run.observables["loss"])


def twin_time(margin: float, gating: str, joined: exact.EarlyPathways) -> float:
    """Its half-loss time; infinite where a pathway has no neurons."""
    a0 = strengths(gating, joined)
    if not a0.all() or (margin == 0 and gating == "linear"):
        return float("inf")
    latest = float(exact.xor_time(margin, gating, a0.min()))
    ts = np.linspace(0, latest, 4001)
    return float(half_loss_time(ts, twin_loss(margin, gating, joined, ts)).times[0])


def race_of_both(job: Job, found: Relu, margin: float, seed: int) -> Trajectory:
    """Both gatings in one network, pathways from the strengths that the neurons bring them."""
    network = xor(found.task, "both", 1)
    weights = dict(network.init(init.Aligned(1.0, bases="paths"), task=found.task, key=0))
    for group in (*PATHWAYS["linear"], *PATHWAYS["xor"]):
        name = "_".join(str(c + 1) for c in group)
        a0 = found.joined.strength(group)
        for edge in (f"in_{name}", f"out_{name}"):
            weights[edge] = weights[edge] * a0**0.5
    system = reduce(network, found.task, weights, level="matrix")
    return job.keep(
        f"race_margin{margin:g}_seed{seed}",
        lambda: simulate(system, np.asarray(found.trained.ts), progress=job.progress),
    )


def half_loss_time(ts: np.ndarray, loss: np.ndarray) -> LearningTimes:
    """When the loss, which falls, passes half of 1/2: one time, as well as the rows tell."""
    return first_fallen(ts, loss, HALF)


def active_at_the_end(found: Relu) -> np.ndarray:
    """(neuron, example): activity above a hundredth of the neuron's largest; at a kink it slides on
    it is all but 0.
    """
    activity = np.asarray(found.trained["activity:h1"])[-1]
    return activity > 0.01 * np.maximum(activity.max(axis=1, keepdims=True), np.finfo(float).tiny)


def types_at_the_end(found: Relu) -> dict[str, tuple[int, float]]:
    """Examples a neuron is active on -> number of neurons, and their part of sum |w| |a|."""
    w, a = (np.asarray(found.trained.ys[edge])[-1] for edge in ("w1", "w2"))
    active = active_at_the_end(found)
    size = np.linalg.norm(w, axis=1) * np.abs(a[0])
    names = found.task.item_names or ()
    kinds: dict[str, tuple[int, float]] = {}
    for row, part in zip(active, size / size.sum(), strict=True):
        name = ", ".join(names[k] for k in np.flatnonzero(row)) or "none"
        count, share = kinds.get(name, (0, 0.0))
        kinds[name] = (count + 1, share + float(part))
    return dict(sorted(kinds.items(), key=lambda item: -item[1][1]))
