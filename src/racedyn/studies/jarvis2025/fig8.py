"""Figures 8 and 9: gates of a ReLU network found by clustering its neurons, and the elbow that says
how many there are.

Published: the blocks, and hyper-parameters as in figure 5. Seeds, epochs, numbers of clusters and
the threshold are ours: the text does not say them. The paper pools the epochs; here each is also
clustered by itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from racedyn._types import Weights
from racedyn.gates import Clusters, Found, find
from racedyn.networks import Network, init
from racedyn.plot import cycle, matrix, new_figure
from racedyn.studies.jarvis2025.contextual_runs import (
    SETTINGS,
    answers,
    descend,
    is_common,
    relu,
    relu_network,
    stds,
)
from racedyn.studies.legends import legend_above
from racedyn.studies.study import Finding, Job, Study
from racedyn.tasks import Task, contextual
from racedyn.trajectory import Trajectory

Pattern = tuple[bool, ...]
# Both gated networks that the paper tells of: one of the ReLU network's own architecture (section
# 3), and the one of figure 3, whose context pathways read items alone and learn what is left.
ALIKE, PUBLISHED = "as the ReLU network", "as in figure 3"


def figure(job: Job) -> Finding:
    """Centroids for a few numbers of clusters, and errors against the number."""
    settings = job.settings
    task = contextual(settings["items"], settings["contexts"][0], settings["structures"])
    network = relu_network(job, task)
    runs = [relu(job, task, seed, settings["rows"], whole=True) for seed in settings["seeds"]]

    def found(rows: str, pooled: bool = False) -> Found:
        return find(
            network,
            task,
            runs,
            k=settings["k"],
            epochs=settings["at"],
            rows=rows,
            threshold=settings["threshold"],
            pooled=pooled,
        )

    each = {rows: found(rows) for rows in ("raw", "unit")}
    pooled = {rows: found(rows, True) for rows in each}
    panels = new_figure(2, 3, height=4.9)
    _centroids(panels[:3], settings["shown"], each["raw"])
    by_epoch = {f"epoch {at}": (each["raw"], g) for g, at in enumerate(settings["at"])}
    _errors(panels[3], "raw rows, epochs apart", by_epoch)
    _errors(panels[4], "all epochs", {f"{rows} rows": (pooled[rows], 0) for rows in pooled})
    lines = [f"blocks: {', '.join(settings['structures'])}"]
    for rows in each:
        lines += _table(f"{rows} rows", each[rows], task)
        lines += _table(f"{rows} rows, pooled", pooled[rows], task)
    lines += _trained(job, task, network, runs[0], each["raw"], panels[5])
    return Finding(panels, tuple(lines))


def _centroids(panels: Sequence[Any], shown: Sequence[int], found: Found) -> None:
    """A row per cluster at the last epoch, over the examples."""
    for ax, k in zip(panels, shown, strict=True):
        matrix(found.at(k=k).centroids, ax=ax)
        ax.set(
            title=f"{k} clusters, epoch {found.epochs[-1, -1]}", xlabel="example", ylabel="cluster"
        )
        ax.set_aspect("auto")


def _errors(ax: Any, title: str, curves: dict[str, tuple[Found, int]]) -> None:
    """Errors against the number of clusters, a dot at the elbow."""
    for (label, (found, group)), colour in zip(curves.items(), cycle(), strict=False):
        chosen = found.k.tolist().index(found.chosen[group])
        ax.plot(found.k, found.errors[group], color=colour, lw=0.9, label=label)
        ax.plot(found.k[chosen], found.errors[group, chosen], "o", ms=4, color=colour)
    ax.set(xlabel="clusters", ylabel="mean squared error", ylim=(0, None))
    legend_above(ax, 2, f"{title}; dot: elbow")


def _table(title: str, found: Found, task: Task) -> list[str]:
    """Gates at the elbow and with as many clusters as the paper has pathways, epoch by epoch."""
    pathways = _pathways(task)
    lines = [
        f"{title}; epoch: k at the elbow, its gates; gates of {len(pathways)} clusters; error for "
        f"k = {', '.join(map(str, found.k))}"
    ]
    right = []
    for epochs, k, errors in zip(found.epochs, found.chosen, found.errors, strict=True):
        epoch = int(epochs[-1])
        many = found.at(epoch, len(pathways))
        right += [str(epoch)] if set(many.counts()) == pathways else []
        lines.append(
            f"  {'all' if len(epochs) > 1 else epoch}: {k}, {_shown(found.at(epoch))}; "
            f"{_shown(many)}; {' '.join(f'{error:.1e}' for error in errors)}"
        )
    where = f"epoch {', '.join(right)}" if right else "no epoch"
    if len(found.epochs[0]) > 1:
        where = "yes" if right else "no"
    return [*lines, f"  the paper's pathways with {len(pathways)} clusters: {where}"]


def _pathways(task: Task) -> set[Pattern]:
    """Open in all contexts, or in all but one (section 4)."""
    contexts = range(task.num_contexts)
    return {tuple(c != shut for c in contexts) for shut in (None, *contexts)}


def _shown(clusters: Clusters) -> str:
    return " ".join("".join("01"[on] for on in pattern) for pattern in clusters.counts())


def _trained(
    job: Job, task: Task, network: Network, run: Trajectory, found: Found, ax: Any
) -> list[str]:
    """Figure 9: gated networks with the gates of the last epoch, trained; their outputs beside the
    ReLU network's of one seed, over training.
    """
    reference = answers(network, task, run)
    lines = [
        "trained gated networks with the gates of the last epoch: mean squared difference of "
        f"outputs from the ReLU network's over training, {ALIKE}; {PUBLISHED}"
    ]
    curves: dict[str, list[float]] = {ALIKE: [], PUBLISHED: []}
    for k in found.k:
        patterns = sorted((p for p in found.at(k=int(k)).counts() if any(p)), reverse=True)
        for kind, curve in curves.items():
            gated = _train_gated(job, task, patterns, kind)
            curve.append(float(np.mean((np.asarray(gated["activity:output"]) - reference) ** 2)))
        lines.append(
            f"  {k} clusters, {_shown(found.at(k=int(k)))}: "
            + "; ".join(f"{curve[-1]:.5f}" for curve in curves.values())
        )
    for (kind, curve), colour in zip(curves.items(), cycle(), strict=False):
        ax.plot(found.k, curve, "o-", ms=3, lw=0.9, color=colour, label=kind)
    ax.set(xlabel="clusters", ylabel="mean squared error", ylim=(0, None))
    legend_above(ax, 1, "gated networks, trained")
    return lines


def _train_gated(job: Job, task: Task, patterns: Sequence[Pattern], kind: str) -> Trajectory:
    """A gated network with these patterns; the published one first trains what is always open."""
    name = "_".join("".join("01"[on] for on in pattern) for pattern in patterns)
    network, weights = _gated(job, task, patterns, kind)
    groups = [
        [edge for edge in network.edges if is_common(edge) is first] for first in (True, False)
    ]
    staged = kind == PUBLISHED and all(groups)
    return job.keep(
        f"gated_{name}_{'published' if kind == PUBLISHED else 'alike'}",
        lambda: descend(
            job,
            network,
            task,
            weights,
            job.settings["rows"],
            stages=groups if staged else None,
            observe=["activity:output"],
        ),
    )


def _gated(job: Job, task: Task, patterns: Sequence[Pattern], kind: str) -> tuple[Network, Weights]:
    """A pathway per pattern and its random weights, of one scale or of both that are published.

    The context reaches a published pathway only where it is always open; where none is, the first
    pathway reads it, since a network has all inputs of its task."""
    settings = job.settings
    nodes: dict[str, Any] = {"item": task.structure.items, "context": task.num_contexts}
    edges, gates = {}, {}
    always = next((i for i, pattern in enumerate(patterns) if all(pattern)), 0)
    for i, pattern in enumerate(patterns):
        node = "common" if all(pattern) else "h_" + "".join("01"[on] for on in pattern)
        nodes[node], gates[node] = settings["pathway_width"], np.array(pattern, float)
        edges[f"item_{node}"] = ("item", node)
        if kind == ALIKE or i == always:
            edges[f"context_{node}"] = ("context", node)
        edges[f"{node}_output"] = (node, "output")
    network = Network(
        {**nodes, "output": len(task.Y)}, edges, node_gates=gates, num_contexts=task.num_contexts
    )
    unit = network.init(init.Gaussian(1.0), key=settings["seeds"][0])
    common, of_contexts = stds(job, task)
    return network, {
        edge: (common if kind == ALIKE or is_common(edge) else of_contexts) * matrix
        for edge, matrix in unit.items()
    }


_KEPT = ("items", "width", "pathway_width", "stds", "context_stds", "lr", "epochs", "seeds")
_PUBLISHED = {
    **{name: SETTINGS[name] for name in _KEPT},
    "contexts": [3],
    "structures": ["tree", "tree", "graded_ring", "crossed_tree"],
    "rows": 16,
    "at": [500, 1000, 2000, 3000, 5000, 6000, 8000],
    "k": [2, 3, 4, 5, 6, 7],
    "shown": [2, 3, 4],
    "threshold": 0.5,
}
STUDY = Study(
    "jarvis2025.fig8",
    "Jarvis25",
    "Gates of a ReLU network found by clustering",
    "k-means with four clusters finds a pathway open in all three contexts and those open in two, "
    "and the error has its elbow there",
    _PUBLISHED,
    {
        **_PUBLISHED,
        "width": 300,
        "pathway_width": 30,
        "stds": [0.005 / 300],
        "context_stds": [0.01 / 300],
        "lr": 0.004,
        "epochs": 2000,
        "seeds": [0, 1],
        "rows": 8,
        "at": [500, 2000],
        "k": [2, 3, 4, 5],
    },
    figure,
    ("rows", "at", "k", "shown", "threshold", "seeds"),
)
