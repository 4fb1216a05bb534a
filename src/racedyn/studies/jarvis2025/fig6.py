"""Figure 6: two hidden layers of ReLU, and the gated network with a shared first layer.

Published: trees in all blocks, eight items, three contexts, 420 units a layer, entries N(0,
0.0006^2), step 0.001 on the half sum for 30001 epochs; modules of 60 units, entries N(0,
0.000575^2) in the first layer, 0.00055 in the others of the common pathway and 0.004 in those of
contexts; nothing is trained before epoch 500, and context pathways not before 12000. The first
layer of the gated network, linear and shared, has as many units as the ReLU network's, and context
pathways are those open in two contexts: that much is our reading. Seeds, precision and the epochs
of plateaus are ours."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from racedyn.gates import patterns
from racedyn.networks import Network, chain, init
from racedyn.plot import GREY, cycle, new_figure
from racedyn.studies.jarvis2025.contextual_runs import descend, distance, half_sum
from racedyn.studies.legends import legend_above
from racedyn.studies.study import Finding, Job, Study
from racedyn.tasks import Task, contextual
from racedyn.trajectory import Trajectory

LAYERS = ("h1", "h2")
LARGE = 0.1  # of the largest unit's activity: smaller ones are hardly moved from where they began


def figure(job: Job) -> Finding:
    """Losses of both networks, and which part of each layer is always on."""
    s = job.settings
    task = contextual(s["items"], s["contexts"])
    relus = [_relu(job, task, seed) for seed in s["seeds"]]
    gateds = [_gated(job, task, seed) for seed in s["seeds"]]
    panels = new_figure(1, 2, height=2.7)
    losses, shares = panels
    lines = [*_of_losses(losses, task, relus, gateds), *_of_gates(shares, task, relus, s)]
    lines += _of_answers(task, relus, gateds, s)
    return Finding(losses.figure, tuple(lines))


def _relu(job: Job, task: Task, seed: int) -> Trajectory:
    s = job.settings
    network = chain(task, 3, s["width"], activation="relu")
    weights = network.init(init.Gaussian(s["std"]), key=seed)
    observe = [*(f"activity:{node}" for node in LAYERS), f"activity:{network.outputs[0]}"]
    return job.keep(
        f"relu_seed{seed}",
        lambda: descend(
            job, network, task, weights, s["rows"], observe=observe, dtype=s["dtype"], paths=[]
        ),
    )


def network_of(task: Task, width: int, module: int) -> tuple[Network, dict[str, list[str]]]:
    """A shared linear layer; behind it a common pathway and one for each two contexts, that is
    open in these; and the edges of both stages."""
    nodes = {node: len(X) for node, X in task.inputs.items()} | {"first": width, "common": module}
    first = {f"{node}_first": (node, "first") for node in task.inputs}
    edges = {**first, "common": ("first", "common"), "common_output": ("common", "output")}
    stages = {"common": list(edges), "context": list(first)}
    gates = {}
    for opened in combinations(range(task.num_contexts), 2):
        name = "_".join(str(c + 1) for c in opened)
        nodes[f"h_{name}"] = module
        own = {f"{name}": ("first", f"h_{name}"), f"{name}_output": (f"h_{name}", "output")}
        edges |= own
        stages["context"] += own
        gates[f"h_{name}"] = np.isin(np.arange(task.num_contexts), opened)
    nodes["output"] = len(task.Y)
    network = Network(nodes, edges, node_gates=gates, num_contexts=task.num_contexts)
    return network, stages


def _gated(job: Job, task: Task, seed: int) -> Trajectory:
    s = job.settings
    network, stages = network_of(task, s["width"], s["module"])
    unit = network.init(init.Gaussian(1.0), key=seed)
    weights = {}
    for edge, matrix in unit.items():
        kind = "first" if edge.endswith("_first") else "common" if "common" in edge else "context"
        weights[edge] = s["stds"][kind] * matrix
    return job.keep(
        f"gated_seed{seed}",
        lambda: descend(
            job,
            network,
            task,
            weights,
            s["rows"],
            stages=stages,
            schedule=s["schedule"],
            observe=[f"activity:{network.outputs[0]}"],
            dtype=s["dtype"],
            paths=[],
        ),
    )


def _of_losses(
    ax: Any, task: Task, relus: Sequence[Trajectory], gateds: Sequence[Trajectory]
) -> list[str]:
    """All faint, and of each kind the one that is nearest to its mean."""
    lines, typical = [], {}
    for name, runs, colour in zip(("ReLU", "gated"), (relus, gateds), cycle(), strict=False):
        loss = np.array([half_sum(run, task) for run in runs])
        epochs = np.asarray(runs[0].step)
        for each in loss:
            ax.plot(epochs / 1000, each, color=colour, lw=0.7, alpha=0.5)
        mean = loss.mean(axis=0)
        nearest = int(np.argmin(np.linalg.norm(loss - mean, axis=1)))
        ax.plot(epochs / 1000, loss[nearest], color=colour, label=name)
        typical[name] = loss[nearest]
        halves = [int(epochs[np.argmax(each < each[0] / 2)]) for each in loss]
        lines.append(
            f"{name}: half sum at the end {loss[:, -1].min():.3g} to {loss[:, -1].max():.3g}; half "
            f"of the loss is learned at epochs {min(halves)} to {max(halves)}"
        )
    apart = distance(typical["gated"], typical["ReLU"])
    ax.set(xlabel="epoch / 1000", ylabel="half sum of squares")
    legend_above(ax, 2, "nearest to the mean; pale: all seeds")
    return [*lines, f"the two nearest to their means: relative L2 of their losses {apart:.3f}"]


def _of_gates(ax: Any, task: Task, runs: Sequence[Trajectory], s: Mapping[str, Any]) -> list[str]:
    """Part of each layer's units that are on in every example, over training and at plateaus."""
    lines = []
    for node, colour in zip(LAYERS, cycle(), strict=False):
        found = np.array([_always(run, node) for run in runs])  # (seed, row)
        epochs = np.asarray(runs[0].step)
        for each in found:
            ax.plot(epochs / 1000, each, color=colour, lw=0.7, alpha=0.5)
        ax.plot(epochs / 1000, found.mean(axis=0), color=colour, label=node)
        for epoch in s["plateaus"]:
            row = int(np.argmin(np.abs(epochs - epoch)))
            said = " ".join(f"{x:.2f}" for x in found[:, row])
            lines.append(
                f"{node}, epoch {epochs[row]}: part of its units that are on in every example, by "
                f"seed {said}"
            )
    for epoch in s["plateaus"]:
        kinds: dict[str, float] = {}
        for run in runs:
            for kind, part in _patterns(run, task, epoch).items():
                kinds[kind] = kinds.get(kind, 0.0) + part / len(runs)
        said = ", ".join(
            f"{kind} {part:.2f}" for kind, part in sorted(kinds.items(), key=lambda x: -x[1])[:6]
        )
        lines.append(
            f"h2, epoch {epoch}: parts of squared activity by contexts a unit is on in {said}"
        )
    for number, epoch in enumerate(s["plateaus"]):
        ax.axvline(epoch / 1000, color=GREY, lw=0.6, label=None if number else "plateaus")
    ax.set(xlabel="epoch / 1000", ylabel="part on in every example", ylim=(-0.02, 1.02))
    legend_above(ax, 3, "mean of each layer; pale: all seeds")
    return lines


def _large(activity: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(activity, axis=-1)
    return np.asarray(size > LARGE * size.max(axis=-1, keepdims=True))


def _always(run: Trajectory, node: str) -> np.ndarray:
    """Of units of some activity, which part is on in every example, (row,)."""
    activity = np.asarray(run[f"activity:{node}"])  # (row, unit, example)
    large, always = _large(activity), (activity > 0).all(axis=-1)
    return np.asarray((large & always).sum(axis=-1) / np.maximum(large.sum(axis=-1), 1))


def _patterns(run: Trajectory, task: Task, epoch: int) -> dict[str, float]:
    """Contexts as 0 and 1 -> part of the squared activity of the second layer in units that are on
    in these."""
    row = int(np.argmin(np.abs(np.asarray(run.step) - epoch)))
    activity = np.asarray(run["activity:h2"])[row]
    on, large = patterns(run, task, "h2").on[row], _large(activity)
    size = np.sum(activity**2, axis=-1) * large
    found: dict[str, float] = {}
    for pattern, part in zip(on, size / size.sum(), strict=True):
        kind = "".join("01"[int(value)] for value in pattern)
        found[kind] = found.get(kind, 0.0) + float(part)
    return found


def _of_answers(
    task: Task, relus: Sequence[Trajectory], gateds: Sequence[Trajectory], s: Mapping[str, Any]
) -> list[str]:
    """How far the answers of both networks are apart at plateaus, mean over seeds."""
    lines = []
    for epoch in s["plateaus"]:
        apart = []
        for relu, gated in zip(relus, gateds, strict=True):
            rows = [int(np.argmin(np.abs(np.asarray(run.step) - epoch))) for run in (relu, gated)]
            one, other = (
                np.asarray(run["activity:output"], float)[row]
                for run, row in zip((relu, gated), rows, strict=True)
            )
            apart.append(distance(other, one))
        lines.append(
            f"epoch {epoch}: answers of the gated network from the ReLU network's, relative L2, "
            f"{min(apart):.3f} to {max(apart):.3f} over seeds, median {np.median(apart):.3f}"
        )
    return lines


_PUBLISHED: dict[str, Any] = {
    "items": 8,
    "contexts": 3,
    "width": 420,
    "module": 60,
    "std": 0.0006,
    "stds": {"first": 0.000575, "common": 0.00055, "context": 0.004},
    "schedule": {"common": 500, "context": 12000},
    "lr": 0.001,
    "epochs": 30001,
    "rows": 300,
    "plateaus": [7600, 20000],
    "dtype": "float32",
    "seeds": list(range(10)),
}

STUDY = Study(
    "jarvis2025.fig6",
    "Jarvis25",
    "Contextual task with two hidden layers: ReLU, and a gated network with a shared first layer",
    "the first layer of ReLU units does not gate, the second is on in two contexts or in all; the "
    "gated network with a linear first layer learns alike",
    _PUBLISHED,
    {
        **_PUBLISHED,
        "items": 4,
        "width": 100,
        "module": 25,
        "std": 0.002,
        "stds": {"first": 0.002, "common": 0.002, "context": 0.01},
        "schedule": {"common": 50, "context": 600},
        "lr": 0.01,
        "epochs": 2000,
        "rows": 100,
        "plateaus": [500, 1900],
        "seeds": [0, 1],
    },
    figure,
    ("rows", "plateaus", "dtype", "seeds"),
)
