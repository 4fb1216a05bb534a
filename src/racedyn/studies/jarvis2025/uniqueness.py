"""Lemma 4.1 and Proposition 4.2: which gates win beside a common pathway, all possible ones against
each other and against a ReLU network; and why no part of a task is learned as fast as the whole.

Published: the task's blocks, scales and step, as in figure 4; that pathways of contexts read items
alone. That those of items and examples read both, the levels of the loss, and seeds are ours."""

from collections.abc import Collection, Sequence
from itertools import combinations
from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn._types import Array, Weights
from racedyn.networks import Network, init
from racedyn.plot import GREY, cycle, new_figure
from racedyn.studies.jarvis2025.contextual_runs import (
    OURS,
    SETTINGS,
    descend,
    half_sum,
    relu,
    stds,
)
from racedyn.studies.legends import legend_above
from racedyn.studies.study import Finding, Job, Study
from racedyn.tasks import Task, contextual
from racedyn.trajectory import Observable, Trajectory

KINDS = ("one context", "two contexts", "items", "examples")
SUBSETS = [list(some) for size in range(5) for some in combinations(KINDS, size)]


def opened(task: Task) -> dict[str, dict[str, np.ndarray]]:
    """Kind of gates -> its pathways -> the examples that each is open in, (P,)."""
    P, items = task.num_examples, np.argmax(task.inputs["item"], axis=0)
    contexts = range(task.num_contexts)
    return {
        "one context": {f"c{c}": task.context == c for c in contexts},
        "two contexts": {
            f"c{a}_{b}": np.isin(task.context, (a, b)) for a, b in combinations(contexts, 2)
        },
        "items": {f"i{i}": items == i for i in range(items.max() + 1)},
        "examples": {f"e{k}": np.arange(P) == k for k in range(P)},
    }


def network_of(task: Task, kinds: Collection[str], width: int) -> Network:
    """A common pathway, and beside it all of these kinds; gates depend on examples, each of which
    is a context of `by_example(task)`."""
    nodes = {node: len(X) for node, X in task.inputs.items()} | {"common": width}
    edges = {f"{node}_common": (node, "common") for node in task.inputs}
    edges["common_output"] = ("common", "output")
    gates = {}
    for kind in kinds:
        read = ["item"] if "context" in kind else list(task.inputs)
        for name, table in opened(task)[kind].items():
            nodes[name], gates[name] = width, table
            edges |= {f"{node}_{name}": (node, name) for node in read}
            edges[f"{name}_output"] = (name, "output")
    nodes["output"] = len(task.Y)
    return Network(nodes, edges, node_gates=gates, num_contexts=task.num_examples)


def by_example(task: Task) -> Task:
    """The same with a context for each example."""
    P = task.num_examples
    return Task(task.inputs, task.targets, np.arange(P), P, name=task.name)


def figure(job: Job) -> Finding:
    """Losses by kinds of gates, and what each kind carries where all race."""
    s = job.settings
    task = contextual(s["items"], s["contexts"][0], s["structures"])
    subsets = [tuple(subset) for subset in s["subsets"]]
    panels = new_figure(1, 2, height=2.7)
    losses, carried = panels
    lines = [f"blocks: {', '.join(s['structures'])}; epochs to a half sum of {s['levels']}"]
    references = [relu(job, task, seed, s["rows"]) for seed in s["seeds"]]
    _draw(losses, "ReLU", references[0], task, GREY, lw=2.5, alpha=0.5)
    lines.append(f"ReLU: {_epochs(references, task, s['levels'])}")
    for subset in subsets:
        runs = [_gated(job, task, subset, seed) for seed in s["seeds"]]
        name = " + ".join(subset) or "the common pathway alone"
        said = f"{name}: {_epochs(runs, task, s['levels'])}"
        if len(subset) == 1 or not subset:
            _draw(losses, name, runs[0], task, cycle()[len(subset) and 1 + KINDS.index(subset[0])])
        if subset:
            parts = np.mean([np.asarray(run["shares"])[-1] for run in runs], axis=0)
            pairs = zip(subset, parts, strict=True)
            said += "; carried " + ", ".join(f"{kind} {part:.3f}" for kind, part in pairs)
        if subset == KINDS:
            for kind, part, colour in zip(KINDS, runs[0]["shares"].T, cycle()[1:], strict=False):
                carried.plot(np.asarray(runs[0].step) / 1000, part, color=colour, label=kind)
        lines.append(said)
    losses.set(xlabel="epoch / 1000", ylabel="half sum of squares")
    legend_above(losses, 3, "a common pathway, beside it others")
    carried.set(xlabel="epoch / 1000", ylabel="part of what is not common", ylim=(-0.05, 1.05))
    legend_above(carried, 2, "all in one network")
    return Finding(losses.figure, (*lines, *_interlacing(task)))


def _gated(job: Job, task: Task, kinds: Sequence[str], seed: int) -> Trajectory:
    """In stages as published: the common pathway, and all others on what it leaves."""
    network = network_of(task, kinds, job.settings["pathway_width"])
    common, others = stds(job, task)
    unit = network.init(init.Gaussian(1.0), key=seed)
    weights = {edge: (common if "common" in edge else others) * w for edge, w in unit.items()}
    groups = [[e for e in network.edges if ("common" in e) is first] for first in (True, False)]
    name = "_".join(kind.replace(" ", "") for kind in kinds) or "common"
    return job.keep(
        f"{name}_seed{seed}",
        lambda: descend(
            job,
            network,
            by_example(task),
            weights,
            job.settings["rows"],
            stages=groups if kinds else None,
            dtype=job.settings["dtype"],
            observe=[shares_of_kinds(task, kinds)] if kinds else [],
            paths=[],
        ),
    )


def _epochs(runs: Sequence[Trajectory], task: Task, levels: Sequence[float]) -> str:
    """The epochs at which the half sum falls below these, mean over runs."""
    found = []
    for level in levels:
        at = [
            np.argmax(loss < level) if (loss := half_sum(run, task)).min() < level else -1
            for run in runs
        ]
        epochs = [float(np.asarray(run.step)[k]) for run, k in zip(runs, at, strict=True) if k >= 0]
        found.append(f"{np.mean(epochs):.0f}" if len(epochs) == len(runs) else "never")
    return ", ".join(found)


def shares_of_kinds(task: Task, kinds: Sequence[str]) -> Observable:
    """What of all that these pathways answer together each kind carries along it, (kind,)."""
    gates = {kind: opened(task)[kind] for kind in kinds}

    def carried(network: Network, task: Task, weights: Weights) -> Array:
        def answer(name: str, table: np.ndarray) -> Array:
            hidden = [
                weights[edge]
                @ jnp.asarray(task.inputs[network.edges[edge][0]], weights[edge].dtype)
                for edge in network.edges_into(name)
            ]
            (out,) = network.edges_from(name)
            given: Array = weights[out] @ sum(hidden[1:], start=hidden[0])
            return given * jnp.asarray(table, given.dtype)

        parts = [
            sum((answer(name, table) for name, table in group.items()), jnp.zeros(()))
            for group in gates.values()
        ]
        total = sum(parts[1:], start=parts[0])
        return jnp.stack([jnp.sum(part * total) for part in parts]) / jnp.sum(total**2)

    return Observable("shares", ("kind",), carried)


def _interlacing(task: Task) -> list[str]:
    """The singular values of Sigma_yx, whole and without an output, an input or an example."""
    X, Y = np.concatenate(list(task.inputs.values())), task.Y

    def values(Y: np.ndarray, X: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.svd(Y @ X.T / task.num_examples, compute_uv=False))

    whole, lines = values(Y, X), []
    sizes = {"output": (0, len(Y)), "input": (0, len(X)), "example": (1, task.num_examples)}
    for name, (axis, number) in sizes.items():
        without = []
        for k in range(number):
            less_Y = np.delete(Y, k, axis) if name != "input" else Y
            less_X = np.delete(X, k, axis) if name != "output" else X
            without.append(values(less_Y, less_X))
        first = np.array([v[0] for v in without])
        size = min(len(v) for v in without)
        below = all((v[:size] <= whole[:size] + 1e-12).all() for v in without)
        above = all((v[: size - 1] >= whole[1:size] - 1e-12).all() for v in without)
        lines.append(
            f"without one {name}: the first singular value of Sigma_yx, {whole[0]:.4f}, is "
            f"{first.min():.4f} to {first.max():.4f}; all are below the whole ones: {below}; and "
            f"above the next ones: {above}"
        )
    return lines


def _draw(ax: Any, label: str, run: Trajectory, task: Task, colour: Any, **style: Any) -> None:
    style = {"lw": 1.0, **style}
    ax.plot(np.asarray(run.step) / 1000, half_sum(run, task), color=colour, label=label, **style)


STUDY = Study(
    "jarvis2025.uniqueness",
    "Jarvis25",
    "Contextual task: all kinds of gates against each other",
    "beside a common pathway those open in two contexts are the fastest, and the ReLU network "
    "learns as they do; others stay inactive where all race",
    {
        **SETTINGS,
        "contexts": [3],
        "structures": ["tree", "tree", "graded_ring", "crossed_tree"],
        "subsets": SUBSETS,
        "epochs": 5000,
        "rows": 500,
        "levels": [60.0, 40.0, 30.0, 20.0, 10.0],
        "dtype": "float32",
    },
    {
        **SETTINGS,
        "contexts": [3],
        "structures": ["tree", "tree", "graded_ring", "crossed_tree"],
        "subsets": [[], ["one context"], ["two contexts"], ["items"], list(KINDS)],
        "width": 100,
        "pathway_width": 10,
        "stds": [1e-4],
        "context_stds": [2e-4],
        "lr": 0.004,
        "epochs": 1000,
        "rows": 250,
        "levels": [60.0, 40.0, 30.0, 20.0, 10.0],
        "dtype": "float32",
        "seeds": [0],
    },
    figure,
    (*OURS, "subsets", "epochs", "levels", "dtype"),
)
