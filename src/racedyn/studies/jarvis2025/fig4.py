"""Figure 4: three contexts of different structures; a ReLU network, its gated network, its twins.

Published: hyper-parameters as in figure 5, and the blocks. Seeds, hand-over times and twins are
ours."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn.gates import patterns
from racedyn.networks import Network, forward
from racedyn.plot import GREY, cycle, new_figure, share_legend
from racedyn.representations import mds
from racedyn.studies.jarvis2025.contextual_runs import (
    OURS,
    RULES,
    SETTINGS,
    distance,
    epochs_of,
    gated,
    gated_problem,
    half_sum,
    is_common,
    relu,
    theory,
)
from racedyn.studies.jarvis2025.hand_overs import hand_overs
from racedyn.studies.legends import legend_above
from racedyn.studies.study import Finding, Job, Study, weights_of
from racedyn.tasks import Task, contextual


def figure(job: Job) -> Finding:
    """Losses, singular values, gating patterns, twins, and hidden representations on common
    axes.
    """
    settings = job.settings
    task = contextual(settings["items"], settings["contexts"][0], settings["structures"])
    panels = new_figure(2, 3, height=5.6)
    losses, values, kinds, twins, *spaces = panels
    colours = cycle()
    seeds = settings["seeds"]
    lines = [f"blocks: {', '.join(settings['structures'])}"]
    for seed in seeds:
        run = relu(job, task, seed, settings["rows"])
        name = "ReLU" if seed == seeds[0] else None
        losses.plot(epochs_of(run), half_sum(run, task), color=GREY, lw=2.5, alpha=0.5, label=name)
    for rule, colour in zip(RULES, colours, strict=False):
        run = gated(job, task, task.num_contexts - 1, seeds[0], rule, settings["rows"])
        solved = theory(job, task, task.num_contexts - 1, seeds[0], rule, np.asarray(run.ts))
        loss, level = half_sum(run, task), half_sum(solved, task)
        losses.plot(epochs_of(run), loss, color=colour, label=f"gated, {rule}")
        losses.plot(
            epochs_of(run), level, "k:", lw=1, label="matrix level" if rule == RULES[-1] else None
        )
        reference = half_sum(relu(job, task, seeds[0], settings["rows"]), task)
        lines.append(
            f"gated, {rule}: relative L2 of the loss from the matrix level "
            f"{distance(loss, level):.2e}, from the ReLU "
            f"network {distance(loss, reference):.3f}"
        )
    losses.set(xlabel="epoch / 1000", ylabel="half sum of squares")
    legend_above(losses, 2, "loss")
    _singular_values(job, task, values, colours)
    lines += _patterns(job, task, kinds, colours)
    lines += hand_overs(job, task, twins, colours)
    lines += _representations(job, task, spaces, colours)
    return Finding(panels, tuple(lines))


def _singular_values(job: Job, task: Task, ax: Any, colours: list[Any]) -> None:
    """Of every pathway's map, trained jointly and at the level "matrix", where both layers have the
    same singular vectors.
    """
    seed, active = job.settings["seeds"][0], task.num_contexts - 1
    network, _, _ = gated_problem(job, task, active, seed)
    trained = gated(
        job, task, active, seed, "joint", job.settings["weight_rows"], with_weights=True
    )
    ts = np.asarray(gated(job, task, active, seed, "joint", job.settings["rows"]).ts)
    solved = theory(job, task, active, seed, "joint", ts)
    strength, names = np.asarray(solved["edge_strength"]), list(solved.labels["edge"])
    epochs = np.asarray(solved.ts) / np.asarray(trained.ts)[-1] * epochs_of(trained)[-1]
    hidden = [node for node in network.nodes if node not in (*network.inputs, *network.outputs)]
    for node, colour in zip(hidden, colours, strict=False):
        into, (out,) = network.edges_into(node), network.edges_from(node)
        first = np.concatenate([np.asarray(trained.ys[edge]) for edge in into], axis=2)
        found = np.linalg.svd(np.asarray(trained.ys[out]) @ first, compute_uv=False)
        rank = int(np.sum(found[-1] > 1e-3 * found[-1].max()))
        ax.plot(epochs_of(trained), found[:, :rank], ".", ms=2, color=colour)
        # The level's last matrix alone: from small weights it is balanced with all that comes in,
        # so that s = its square.
        ax.plot(epochs, strength[:, names.index(out), :rank] ** 2, color=colour, lw=0.8)
        ax.plot(
            [],
            [],
            ".-",
            color=colour,
            label="all" if is_common(node) else node.removeprefix("h_").replace("_", ", "),
        )
    ax.set(xlabel="epoch / 1000", ylabel="singular values", ylim=(0, None))
    legend_above(ax, 4, "pathways open in contexts\ndots trained, lines matrix level")


def _patterns(job: Job, task: Task, ax: Any, colours: list[Any]) -> list[str]:
    """In how many contexts live neurons are on, over training."""
    run = relu(job, task, job.settings["seeds"][0], job.settings["weight_rows"], whole=True)
    found = patterns(run, task)
    live = found.alive.sum(axis=1)
    open_in = found.on.sum(axis=2)
    for k, colour in zip(range(task.num_contexts + 1), colours, strict=False):
        ax.plot(
            epochs_of(run),
            ((open_in == k) & found.alive).sum(axis=1) / live,
            color=colour,
            label=f"{k}",
        )
    ax.set(xlabel="epoch / 1000", ylabel="part of live neurons", ylim=(0, 1.02))
    legend_above(ax, task.num_contexts + 1, "ReLU neurons on in so many contexts")
    lines = [
        "epoch: live neurons by the number of contexts they are on in, 0 to C; consistency over a "
        "context's items"
    ]
    for row in np.linspace(0, len(live) - 1, 6).round().astype(int):
        counts = [
            int(np.sum((open_in[row] == k) & found.alive[row]))
            for k in range(task.num_contexts + 1)
        ]
        lines.append(
            f"  {int(np.asarray(run.step)[row])}: {counts}; "
            f"{found.consistency[row][found.alive[row]].mean():.3f}"
        )
    return lines


def _representations(job: Job, task: Task, panels: list[Any], colours: list[Any]) -> list[str]:
    """Hidden activity of the ReLU and of the gated network (trained jointly) on common axes,
    half-way and at the end.
    """
    seed, active, rows = (
        job.settings["seeds"][0],
        task.num_contexts - 1,
        job.settings["weight_rows"],
    )
    run = relu(job, task, seed, rows, whole=True)
    network, _, _ = gated_problem(job, task, active, seed)
    other = gated(job, task, active, seed, "joint", rows, with_weights=True)
    epochs = np.asarray(run.step)
    lines = [
        "hidden activity: relative distance of the gated network's, turned onto the ReLU "
        "network's; part on two axes"
    ]
    for ax, row in zip(panels, (rows // 4, rows), strict=True):
        scaled = mds(
            [
                np.asarray(run["activity:h1"])[row],
                _hidden(network, task, weights_of(other, row)),
            ]
        )
        for c, colour in zip(range(task.num_contexts), colours, strict=False):
            for points, filled in zip(scaled.coordinates, (True, False), strict=True):
                here = points[task.context == c]
                style = {"ms": 3, "mfc": colour} if filled else {"ms": 5.5, "mfc": "none"}
                ax.plot(
                    here[:, 0],
                    here[:, 1],
                    "o",
                    color=colour,
                    mew=0.8,
                    **style,
                    label=f"context {c + 1}, {'ReLU' if filled else 'gated'}",
                )
        ax.set(
            title=f"hidden activity, epoch {int(epochs[row])}",
            xlabel="first axis",
            ylabel="second axis",
        )
        ax.set_aspect("equal", "datalim")
        lines.append(
            f"  epoch {int(epochs[row])}: {scaled.apart[1]:.3f}; {scaled.kept[0]:.3f}, "
            f"{scaled.kept[1]:.3f}"
        )
    panels[0].legend()
    share_legend(panels, columns=task.num_contexts)
    return lines


def _hidden(network: Network, task: Task, weights: Mapping[str, Any]) -> np.ndarray:
    """Activity of all hidden nodes, one below the other, (units, P)."""
    inputs = {node: jnp.asarray(X) for node, X in task.inputs.items()}
    h = forward(network, dict(weights), inputs, jnp.asarray(task.context))
    return np.concatenate(
        [h[node] for node in network.nodes if node not in (*network.inputs, *network.outputs)]
    )


_STRUCTURES = ["tree", "tree", "graded_ring", "crossed_tree"]
STUDY = Study(
    "jarvis2025.fig4",
    "Jarvis25",
    "Contextual task: a ReLU network, its gated network and its twins",
    "a ReLU network learns by neurons on in all contexts and in all but one, as the gated network "
    "with such pathways does",
    {
        **SETTINGS,
        "contexts": [3],
        "structures": _STRUCTURES,
        "hand_overs": [0, 400, 1000, 2000, 4000],
    },
    {
        **SETTINGS,
        "contexts": [3],
        "structures": _STRUCTURES,
        "hand_overs": [0, 400, 800],
        "width": 100,
        "pathway_width": 30,
        "epochs": 1600,
        "lr": 0.004,
        "rows": 200,
        "seeds": [0],
    },
    figure,
    (*OURS, "hand_overs"),
)
