"""Other tasks than the hierarchy: degenerate, separated and random modes, correlated inputs,
animals, and images of digits.

Where inputs are correlated, modes of Sigma_yx are no modes of what is learned. Those are of the
answers: W Sigma_x^(1/2) = U diag(s) V^T of all pathways together, in which M_a = U^T W_a
Sigma_x^(1/2) V sum to s. A mode is then learned at the strength |u^T W|, which is S/d with diagonal
inputs. What of a pathway these modes don't reach cancels between pathways, and is counted."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from racedyn.exact import (
    concentration_variable,
    expected_participation,
    gap_variance,
    tilt_exponent,
)
from racedyn.paths import basis_free_participation, participation
from racedyn.plot import GREY, cycle, new_figure
from racedyn.studies.concentration import cells, examples
from racedyn.studies.legends import legend_above
from racedyn.studies.study import Finding, Job, Study, mean_and_error
from racedyn.tasks import Task, clusters, example, hierarchy, images
from racedyn.trajectory import Labelled

MODES = 6  # of random tasks
MATRICES = 400  # draws of random gaps of degenerate modes
BISECTIONS = 50

TASKS: Mapping[str, Callable[[int], Task]] = {
    "hierarchy": lambda draw: hierarchy(8),
    "degenerate": lambda draw: clusters([1] * 8),
    "separated": lambda draw: examples.separated(4),
    "random": lambda draw: examples.drawn_modes(MODES, draw),
    "correlated": lambda draw: examples.correlated(MODES, draw),
    "animals": lambda draw: example("animals"),
    "digits": lambda draw: examples.in_few_examples(images("digits")),
}
"""Name -> the task of a draw: of random ones each draw has its own."""

FULL: Mapping[str, Any] = {
    "drawn": [  # tasks, depths, widths, draws: every combination in a row
        [["hierarchy", "degenerate", "separated", "random", "correlated"], [3, 4, 5], [10**3], 20],
        [["animals"], [3], [10**3], 20],  # whose last mode takes fifty times as long as its first
        [["digits"], [3], [10**3], 4],
    ],
    "variance": 0.1,
    "step": 0.2,
}
QUICK: Mapping[str, Any] = {
    **FULL,
    "drawn": [[["degenerate", "separated", "random", "correlated"], [3], [10**3], 3]],
}


def figure(job: Job) -> Finding:
    """By mode against the derived curve; both participations by task and depth."""
    s = job.settings
    variance, step = s["variance"], s["step"]
    rows = []
    for place, (*grid, draws) in enumerate(s["drawn"]):

        def cell(task: str, depth: int, width: int, draws: int = draws) -> Labelled:
            return ends(task, depth, width, variance, draws, step)

        over = dict(zip(("task", "depth", "width"), grid, strict=True))
        found = job.sweep(f"ends{place}", cell, parallel=True, **over)
        rows += [
            {"task": task, "depth": D, "width": N, **_read(found, (i, j, k), D, N, variance)}
            for i, task in enumerate(over["task"])
            for j, D in enumerate(over["depth"])
            for k, N in enumerate(over["width"])
        ]
    panels = new_figure(1, 2, height=3.0)
    _draw_modes(panels[0], rows)
    _draw_both(panels[1], rows)
    return Finding(panels[0].figure, tuple(_line(row) for row in rows))


def ends(name: str, depth: int, width: int, variance: float, draws: int, step: float) -> Labelled:
    """Of each draw `maps` (path, mode, mode) of two pathways in the modes of what is learned, the
    `strength` (mode) of each, the share of what pathways answer that is `outside` of these modes,
    the largest `exponent` Lambda of two modes, and `loss_left`."""
    tasks = [TASKS[name](draw) for draw in range(draws)]
    first = tasks[0]
    diagonal = cells.is_diagonal(first)
    if diagonal or first.modes.num == len(first.X):  # the bases of the modes are complete
        found = cells.drawn(tasks, 2, depth, width, variance, draws, step=step)
        maps = found["maps"]
    else:
        found = cells.drawn_whole(first, 2, depth, width, variance, draws, step=step)
        maps = found["maps"]
    targets, outside = np.stack([np.asarray(t.modes.S / t.modes.variances) for t in tasks]), None
    if not diagonal:
        if "mode_in" in found.dims["maps"]:
            maps = np.stack([t.modes.U @ m @ t.modes.V.T for t, m in zip(tasks, maps, strict=True)])
        read = [answers(t, m) for t, m in zip(tasks, maps, strict=True)]
        maps, targets, outside = (np.stack(part) for part in zip(*read, strict=True))
    axes = ("draw", "path", "mode_out", "mode_in")
    return Labelled(
        {
            "maps": maps,
            "strength": targets,
            "outside": np.zeros(draws) if outside is None else outside,
            "exponent": np.array([_exponent(t, depth, variance) for t in tasks]),
            "loss_left": found["loss_left"],
        },
        {
            "maps": axes,
            "strength": ("draw", "mode"),
            **dict.fromkeys(("outside", "exponent", "loss_left"), axes[:1]),
        },
    )


def answers(task: Task, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Maps W_a (path, output, input) in the modes of what they answer together, the strengths of
    these, and the share of all that pathways answer, each by itself, that is outside of them."""
    values, directions = np.linalg.eigh(task.sigma_x())
    root = directions * np.sqrt(np.maximum(values, 0))
    each = maps @ root
    U, _, Vt = np.linalg.svd(each.sum(axis=0), full_matrices=False)
    U, V = U[:, : task.modes.num], Vt[: task.modes.num].T
    inside = U.T @ each @ V
    strength = np.linalg.norm(U.T @ maps.sum(axis=0), axis=1)
    return inside, strength, float(1 - np.sum(inside**2) / np.sum(each**2))


def _exponent(task: Task, depth: int, variance: float) -> float:
    """The largest Lambda of two modes of a task."""
    S, d = np.asarray(task.modes.S), np.asarray(task.modes.variances)
    first, second = np.triu_indices(len(S))
    # Rounding may put the second of two equal values above the first.
    later = np.minimum(S[second], S[first])
    return float(tilt_exponent(depth, variance, S[first], later, (S / d)[first]).max())


def equal_modes(x: float, depth: int, modes: int) -> tuple[float, float]:
    """Mean participation by mode and without a basis of two pathways and `modes` equal modes.

    Gaps to the pole are symmetric matrices then: what is antisymmetric at the start does not count.
    On the diagonal they have the variance of single modes, off it half of that, so that they look
    alike in all bases. Each eigenvector of the difference of both pathways is raced for by itself.
    """
    rng = np.random.default_rng(0)
    entries = rng.normal(size=(MATRICES, 2, modes, modes))
    gaps = (entries + entries.swapaxes(-1, -2)) / 2  # of variance 1 and 1/2
    values, vectors = np.linalg.eigh(gaps[:, 0] - gaps[:, 1])
    apart = (depth - 2) * np.sqrt(depth * gap_variance(depth)) / x * values
    first, second = np.maximum(apart, 0), np.maximum(-apart, 0)
    power = depth / (depth - 2)
    low, high = np.ones_like(apart), np.full_like(apart, 2 ** (1 / power))
    for _ in range(BISECTIONS):
        G = (low + high) / 2
        more = (G + first) ** -power + (G + second) ** -power > 1
        low, high = np.where(more, G, low), np.where(more, high, G)
    share = (G + first) ** -power
    by_mode = np.sum(vectors**2 * share[:, None], axis=-1)
    one, mixed = (1 / (w**2 + (1 - w) ** 2) for w in (by_mode, share))
    return float(one.mean()), float(np.mean(modes / np.sum(1 / mixed, axis=-1)))


def _read(
    found: Labelled, at: tuple[int, ...], depth: int, width: int, variance: float
) -> dict[str, Any]:
    """What is measured in one cell, beside what is derived."""
    strength = found["strength"][at]
    R = int(np.isfinite(strength[0]).sum())
    strength, maps = strength[:, :R], found["maps"][at][..., :R, :R]
    x = concentration_variable(depth, width, variance, strength)
    by_mode = participation(np.diagonal(maps, axis1=-2, axis2=-1))  # (draw, mode)
    total = np.diagonal(maps.sum(axis=1), axis1=-2, axis2=-1)
    root = np.sqrt(total[:, None, :, None] * total[:, None, None, :])
    Pi, norm = maps / root, np.linalg.norm
    size = norm(Pi, axis=(-2, -1))
    equal = bool(np.allclose(strength, strength[0, 0]))
    return {
        "x": x,
        "by_mode": by_mode,
        "derived": np.asarray(expected_participation(x, depth)),
        "free": np.asarray(basis_free_participation(maps)),
        "antisymmetric": norm(Pi - Pi.swapaxes(-1, -2), axis=(-2, -1)) / 2 / size,
        "projector": norm(Pi @ Pi - Pi, axis=(-2, -1)) / size,
        "equal": equal_modes(float(x[0, 0]), depth, R) if equal else None,
        **{name: found[name][at] for name in ("outside", "exponent", "loss_left")},
    }


def _mean(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over draws, the first axis, and its standard error."""
    return mean_and_error(values.reshape(len(values), -1).mean(axis=1))


def _line(row: Mapping[str, Any]) -> str:
    """All numbers of a cell."""
    said = {name: "{:.3f} +- {:.3f}".format(*_mean(row[name])) for name in ("by_mode", "free")}
    apart = np.abs(row["by_mode"].mean(axis=0) - row["derived"].mean(axis=0))
    equal = row["equal"]
    of_equal = f", of equal modes {equal[0]:.3f} and {equal[1]:.3f}" if equal else ""
    outside = row["outside"].mean()
    return (
        f"{row['task']}, D = {row['depth']}, N = {row['width']:.0e}: by mode {said['by_mode']} "
        f"(derived {row['derived'].mean():.3f}, a mode at most {apart.max():.3f} off), without a "
        f"basis {said['free']}{of_equal}; Lambda {row['exponent'].mean():.2f}, ln N / 2 "
        f"{np.log(row['width']) / 2:.2f}; antisymmetric part {row['antisymmetric'].mean():.3f}, "
        f"distance from a projector {row['projector'].mean():.3f}, "
        f"loss left {row['loss_left'].mean():.1e}"
        + (f", outside of the modes {abs(outside):.3f}" if outside else "")
    )


def _draw_modes(ax: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Each mode of each cell, mean over draws, beside what is derived."""
    ax.plot([1, 2], [1, 2], color=GREY, lw=0.8)
    colours = dict(zip(dict.fromkeys(row["task"] for row in rows), cycle(), strict=False))
    for row in rows:
        name, seen = row["task"], ax.get_legend_handles_labels()[1]
        ax.plot(
            row["derived"].mean(axis=0),
            row["by_mode"].mean(axis=0),
            "o",
            ms=2.5,
            mfc="none",
            mew=0.7,
            color=colours[name],
            label=None if name in seen else name,
        )
    ax.set(xlabel="derived", ylabel="drawn networks", title="participation by mode")
    ax.set(xlim=(0.95, 2.05), ylim=(0.95, 2.05))
    ax.legend()


def _draw_both(ax: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Both participations, task by task, depths side by side."""
    places, depths, widths = (
        list(dict.fromkeys(row[name] for row in rows)) for name in ("task", "depth", "width")
    )
    colours = dict(zip(widths, cycle(), strict=False))
    for row in rows:
        aside = depths.index(row["depth"]) - (len(depths) - 1) / 2
        place = places.index(row["task"]) + 0.22 * aside
        for measure, marker in (("by_mode", "s"), ("free", "o")):
            mean, error = _mean(row[measure])
            first = row is next(r for r in rows if r["width"] == row["width"])
            what = "by mode" if measure == "by_mode" else "without a basis"
            ax.errorbar(
                place,
                mean,
                error,
                fmt=marker,
                ms=3,
                lw=0.8,
                mew=0.7,
                color=colours[row["width"]],
                mfc="none" if measure == "by_mode" else None,
                label=f"N = {row['width']:g}, {what}" if first else None,
            )
    ax.set_xticks(range(len(places)), places, rotation=30, ha="right", fontsize=7)
    ax.set(ylabel="mean participation", ylim=(0.95, 2.05))
    legend_above(ax, 2, f"D = {', '.join(map(str, depths))} side by side")


STUDY = Study(
    name="concentration.tasks",
    source="racedyn",
    title="both laws on other tasks",
    claim=(
        "how pathways share modes is a matter of strengths and widths, also of random modes, "
        "correlated inputs and data; equal modes are mixtures from the start"
    ),
    published=FULL,
    quick=QUICK,
    make=figure,
)
