"""Twins of a ReLU network that take over its gates at some epoch and train on: the part of figure 4
that says how far gates decide what is learned.
"""

from typing import Any, NamedTuple

import numpy as np

from racedyn.gates import twin
from racedyn.networks import Network
from racedyn.plot import GREY
from racedyn.studies.jarvis2025.contextual_runs import (
    answers,
    descend,
    distance,
    epochs_of,
    half_sum,
    relu,
    relu_network,
)
from racedyn.studies.legends import legend_above
from racedyn.studies.study import Job
from racedyn.tasks import Task
from racedyn.trajectory import Trajectory


class Compared(NamedTuple):
    """A twin beside the ReLU network from the hand-over on.

    Relative L2 of the loss at the hand-over, over the next twentieth of training and over all that
    follows; of outputs over all that follows; part of its gates that are wrong at the hand-over;
    part of the ReLU network's gates that have changed by the end, also weighted by the neurons' |w|
    |a| there."""

    at_first: float
    soon: float
    loss: float
    outputs: float
    wrong: float
    changed: float
    changed_weighted: float


def hand_overs(job: Job, task: Task, ax: Any, colours: list[Any]) -> list[str]:
    """Twins of the ReLU network from several hand-overs on."""
    settings = job.settings
    network = relu_network(job, task)
    lines = [
        "twins of the ReLU network, mean over seeds. Relative L2: of the loss at the hand-over, "
        "over the next twentieth of",
        "training, over all that follows; of outputs over all that follows. Gates wrong at the "
        "hand-over; the ReLU network's",
        "gates that change later, by count and weighted by the neurons' |w| |a|",
    ]
    for by in ("example", "context"):
        for at in settings["hand_overs"]:
            each = [
                _compare(job, network, task, seed, at, by, ax, colours)
                for seed in settings["seeds"]
            ]
            mean = Compared(*np.mean(each, axis=0))
            lines.append(
                f"  by {by}, epoch {at}: {mean.at_first:.3f} {mean.soon:.3f} {mean.loss:.3f}; "
                f"{mean.outputs:.3f}; "
                f"{mean.wrong:.3f}; {mean.changed:.3f}, {mean.changed_weighted:.3f}"
            )
    ax.set(xlabel="epoch / 1000", ylabel="half sum of squares", yscale="log")
    ax.plot([], [], "k-", label="by example")
    ax.plot([], [], "k--", label="by context")
    legend_above(ax, 3, "twins that take over gates at an epoch")
    return lines


def _compare(
    job: Job,
    network: Network,
    task: Task,
    seed: int,
    at: int,
    by: str,
    ax: Any,
    colours: list[Any],
) -> Compared:
    rows, epochs = job.settings["weight_rows"], job.settings["epochs"]
    run = relu(job, task, seed, rows, whole=True)
    made = twin(network, task, run, at=at, by=by)
    steps = np.asarray(run.step)
    row = int(np.flatnonzero(steps == at)[0])
    left = len(steps) - 1 - row
    (output,) = network.outputs

    def train_on() -> Trajectory:
        return descend(
            job,
            made.network,
            made.task,
            made.weights,
            left,
            epochs=epochs - at,
            observe=[f"activity:{output}"],
        )

    twins = job.keep(f"twin_by_{by}_at{at}_seed{seed}", train_on)
    loss, reference = half_sum(twins, task), half_sum(run, task)[row:]
    soon = 1 + max(1, rows // 20)
    active = np.asarray(run["activity:h1"]) > 0
    live = active[row].any(axis=1)
    changed = (active[row] != active[-1])[live].mean(axis=1)
    first = np.concatenate(
        [np.asarray(run.ys[edge])[-1] for edge in network.edges_into("h1")], axis=1
    )
    size = (np.linalg.norm(first, axis=1) * np.linalg.norm(np.asarray(run.ys["w2"])[-1], axis=0))[
        live
    ]
    if seed == job.settings["seeds"][0]:
        hand_overs = job.settings["hand_overs"]
        if at == hand_overs[0] and by == "example":
            ax.plot(
                epochs_of(run), half_sum(run, task), color=GREY, lw=2.5, alpha=0.5, label="ReLU"
            )
        later = (np.asarray(twins.step) + at) / 1000
        ax.plot(
            later,
            loss,
            color=colours[hand_overs.index(at) % len(colours)],
            ls="-" if by == "example" else "--",
            lw=0.9,
            label=f"at {at}" if by == "example" else None,
        )
    return Compared(
        distance(loss[:1], reference[:1]),
        distance(loss[:soon], reference[:soon]),
        distance(loss, reference),
        distance(np.asarray(twins[f"activity:{output}"]), answers(network, task, run)[row:]),
        made.disagreement,
        float(changed.mean()),
        float(np.sum(changed * size) / size.sum()),
    )
