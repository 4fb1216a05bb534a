"""Figure 5: three, four and five contexts of one structure, ReLU, gated and in
closed form.

Published: 700 hidden ReLU units, step 0.001 on the half sum of squares, 8 items, 100 units per
pathway, 8000 epochs, entries of N(0, std^2) with std = 0.005 / 700, / 500 and / 600 for three, four
and five contexts, twice that in context pathways where contexts are three. Seeds are ours. Nothing
else is set: overlaps are measured, the closed form's start follows from the weights.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from racedyn import exact
from racedyn.comparison import first_fallen
from racedyn.plot import GREY, cycle, new_figure, share_legend
from racedyn.studies.jarvis2025.contextual_runs import (
    OURS,
    RULES,
    SETTINGS,
    distance,
    epochs_of,
    gated,
    gated_problem,
    half_sum,
    linear_part,
    maps_by_kind,
    relu,
    shares,
    theory,
)
from racedyn.studies.legends import legend_above
from racedyn.studies.study import Finding, Job, Study, weights_of
from racedyn.tasks import Task, contextual

LEVELS = (50, 30, 20, 10, 5)


def figure(job: Job) -> Finding:
    """Losses and strengths for each number of contexts, and the race between kinds of context
    pathways.
    """
    numbers = job.settings["contexts"]
    panels = new_figure(2, len(numbers), height=5.0)
    lines: list[str] = []
    for column, contexts in enumerate(numbers):
        task = contextual(job.settings["items"], contexts)
        lines += _one(job, task, panels[column], panels[column + len(numbers)])
    for ax in panels[: len(numbers)]:
        ax.legend()
    share_legend(panels[: len(numbers)], columns=5)
    return Finding(panels, tuple(lines))


def _one(job: Job, task: Task, loss_panel: Any, strength_panel: Any) -> list[str]:
    """Everything of one number of contexts."""
    contexts, settings = task.num_contexts, job.settings
    seed, active = settings["seeds"][0], contexts - 1
    colours = cycle()
    network, weights, _ = gated_problem(job, task, active, seed)
    modes = exact.contextual_modes(network, task)
    off = ~np.eye(contexts, dtype=bool)
    deviation = np.abs(modes.overlaps[off] + 1 / (contexts - 1)).max()
    overlap = modes.overlaps[off].mean()
    lines = [
        f"C = {contexts}. Overlaps u_p . u_j as measured: {overlap:.6f}, off -1/(C-1) by "
        f"{deviation:.0e}"
    ]
    relus = [relu(job, task, s, settings["rows"]) for s in settings["seeds"]]
    lines.append(
        "  ReLU, epochs at which the half sum of squares falls below "
        + ", ".join(map(str, LEVELS))
        + ":"
    )
    for s, run in zip(settings["seeds"], relus, strict=True):
        loss = half_sum(run, task)
        loss_panel.plot(
            epochs_of(run), loss, color=GREY, lw=2.5, alpha=0.5, label="ReLU" if s == seed else None
        )
        lines.append(
            f"    seed {s}: "
            + " ".join(_first_below(np.asarray(run.step), loss, level) for level in LEVELS)
        )
    reference = half_sum(relus[0], task)
    for number, rule in enumerate(RULES):
        run = gated(job, task, active, seed, rule, settings["rows"])
        loss, ts = half_sum(run, task), np.asarray(run.ts)
        solved = half_sum(theory(job, task, active, seed, rule, ts), task)
        apart = [
            distance(
                half_sum(gated(job, task, active, seed, rule, settings["rows"], finer=k), task),
                solved,
            )
            for k in settings["finer"]
        ]
        ratios = " ".join(f"{a / b:.2f}" for a, b in pairwise(apart))
        closed = half_sum(exact.contextual(network, task, weights, ts), task)
        steps = ", ".join(f"lr/{k}" if k > 1 else "lr" for k in settings["finer"])
        lines.append(
            f"  gated, {rule}: from the matrix level, relative L2 of the loss at {steps}: "
            f"{' '.join(f'{x:.2e}' for x in apart)} (ratios {ratios}); from the closed "
            "form: "
            f"{distance(closed, loss):.3f}; from the ReLU network: {distance(loss, reference):.3f}"
        )
        loss_panel.plot(
            epochs_of(run), loss, color=colours[number], lw=2 - number, label=f"gated, {rule}"
        )
        loss_panel.plot(
            epochs_of(run),
            solved,
            color="k",
            ls=":",
            lw=1,
            label="matrix level" if number == 0 else None,
        )
    loss_panel.plot(epochs_of(run), closed, color=colours[2], ls="--", label="closed form")
    loss_panel.set(
        xlabel="epoch / 1000", ylabel="half sum of squares", title=f"{contexts} contexts"
    )
    lines += _strengths(job, task, modes, strength_panel, colours) + _race(job, task)
    return lines


def _first_below(steps: np.ndarray, loss: np.ndarray, level: float) -> str:
    below = np.flatnonzero(loss < level)
    return str(int(steps[below[0]])) if len(below) and below[0] else "-"


def _strengths(
    job: Job, task: Task, modes: exact.ContextualModes, ax: Any, colours: list[Any]
) -> list[str]:
    """Strengths of the network trained in stages beside the closed form, and what limits that."""
    active, seed = task.num_contexts - 1, job.settings["seeds"][0]
    network, weights, _ = gated_problem(job, task, active, seed)
    run = gated(job, task, active, seed, "staged", job.settings["weight_rows"], with_weights=True)
    common, context, astray = [], [], []
    steps = np.asarray(run.step)
    for row in range(len(steps)):
        W = {edge: np.asarray(matrix) for edge, matrix in weights_of(run, row).items()}
        first = np.concatenate([W["item_common"], W["context_common"]], axis=1)
        common.append(np.einsum("ia,ia->a", modes.U, W["common_output"] @ first @ modes.V))
        context.append(
            np.mean(
                [
                    np.einsum("ia,ia->a", modes.residual_U[p], W[out] @ W[into] @ modes.residual_V)
                    for p, (into, out) in enumerate(modes.paths)
                ],
                axis=0,
            )
        )
        parts = maps_by_kind(network, task, W)
        astray.append(
            np.linalg.norm(parts[active] @ linear_part(task))
            / np.linalg.norm(task.Y @ linear_part(task))
        )
    closed = exact.contextual(
        network, task, weights, np.linspace(0, float(np.asarray(run.ts)[-1]), 400)
    )
    epochs = np.linspace(0, float(epochs_of(run)[-1]), 400)
    for values, curve, colour, name in (
        (common, closed.observables["common_strength"], colours[3], "common"),
        (context, closed.observables["context_strength"], colours[4], "each context"),
    ):
        ax.plot(epochs, curve, color=colour, ls="--", lw=1)
        ax.plot(epochs_of(run), values, ".", ms=2.5, color=colour)
        ax.plot([], [], "s", color=colour, label=name)
    ax.set(xlabel="epoch / 1000", ylabel=r"strength $u^T W v$", ylim=(0, None))
    legend_above(ax, 2, "dots trained in stages,\ndashes closed form")
    starts = closed.observables["context_strength"][0]
    return [
        "  what the context pathways answer of the common pathway's part, over that part: "
        f"{max(astray):.3f} at most "
        f"(epoch {int(steps[int(np.argmax(astray))])}), which the closed form leaves out; it "
        "starts context modes at "
        f"{starts.min():.1e} to {starts.max():.1e}"
    ]


def _race(job: Job, task: Task) -> list[str]:
    """Pathways open in C - 1 contexts against those open in one: how long each takes alone, and
    what each carries together.
    """
    contexts, seed, rows = task.num_contexts, job.settings["seeds"][0], job.settings["rows"]
    left = 0.5 * np.linalg.norm(task.Y - task.Y @ linear_part(task)) ** 2
    lines = []
    for rule in RULES:
        times = []
        for active in (contexts - 1, 1):
            run = gated(job, task, active, seed, rule, rows)
            loss = half_sum(run, task)
            times.append(first_fallen(np.asarray(run.ts), loss, float(left) / 2))
        ratio = times[1].times[0] / times[0].times[0]
        network, _, _ = gated_problem(job, task, (1, contexts - 1), seed)
        both = gated(job, task, (1, contexts - 1), seed, rule, 1, with_weights=True)
        parts = maps_by_kind(network, task, weights_of(both, -1))
        parts.pop(contexts)
        found = shares(parts)
        lines.append(
            f"  {rule}: half of what the common pathway leaves is learned by pathways open in C - "
            "1 contexts at "
            f"{times[0]} tau, by those in one at {times[1]} tau (ratio {ratio:.2f}); with "
            "both, "
            f"they carry {found[contexts - 1]:.4f} and {found[1]:.4f} of the context pathways' map"
        )
    return lines


STUDY = Study(
    "jarvis2025.fig5",
    "Jarvis25",
    "Contextual task, three to five contexts: ReLU, gated networks and closed form",
    "a ReLU network learns as pathways open in all contexts and in all but one do; these beat "
    "pathways of single contexts",
    SETTINGS,
    {
        **SETTINGS,
        "items": 4,
        "contexts": [3],
        "width": 100,
        "pathway_width": 30,
        "stds": [1e-4],
        "context_stds": [2e-4],
        "lr": 0.002,
        "epochs": 2400,
        "rows": 200,
        "finer": [1, 2],
        "seeds": [0],
    },
    figure,
    OURS,
)
