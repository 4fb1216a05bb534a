"""The figure of explicit structural forms, and beside it that of a deep network's stages against a
shallow one's.

The tasks are those of `racedyn.tasks` with eight items each. Settings are ours: small random
weights N(0, std^2) with N std^2 / 2 = `start`, the strength at which modes of a wide network start
on average; `lr` on the default loss."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from racedyn import plot
from racedyn.comparison import learning_times
from racedyn.exact import shallow, two_layer, two_layer_time
from racedyn.networks import chain, init
from racedyn.plot import GREY, cycle, new_figure, share_legend
from racedyn.studies.study import Finding, Job, Study
from racedyn.tasks import Modes, Task, clusters, cross_cutting, hierarchy, order, ring
from racedyn.training import train
from racedyn.trajectory import BY_DEFAULT, Trajectory

STRUCTURES: Mapping[str, Callable[[], Task]] = {
    "clusters": lambda: clusters([4, 2, 2]),
    "tree": lambda: hierarchy(8),
    "ring": lambda: ring(8),
    "order": lambda: order(8),
    "cross-cutting": lambda: cross_cutting(4, 2),
}
_LATE = 0.99  # what the slowest mode has learned at the end


# --- runs


class Learned(NamedTuple):
    """One structure: `deep`, `shallow` as trained; the closed forms from the same weights, (time,
    mode) each.
    """

    task: Task
    deep: Trajectory
    shallow: Trajectory
    deep_theory: np.ndarray
    shallow_theory: np.ndarray
    ts: np.ndarray


def _learned(job: Job, name: str) -> Learned:
    task = STRUCTURES[name]()
    start, width, lr, seed = (job.settings[key] for key in ("start", "width", "lr", "seed"))
    modes = task.modes
    time = 1.05 * float(np.max(two_layer_time(modes.S, modes.variances, start, _LATE)))
    steps = int(np.ceil(time / lr))
    std = (2 * start / width) ** 0.5

    def trained(depth: int) -> tuple[Trajectory, Mapping[str, np.ndarray]]:
        network = chain(task, depth, width)
        weights = network.init(init.Gaussian(std), key=seed)
        run = job.keep(
            f"{name}_{'deep' if depth == 2 else 'shallow'}",
            lambda: train(
                network,
                task,
                weights,
                lr=lr,
                steps=steps,
                save_every=max(1, steps // job.settings["rows"]),
                observe=[*BY_DEFAULT, "activity:h1"] if depth == 2 else None,
                progress=job.progress,
            ),
        )
        return run, {edge: np.asarray(w) for edge, w in weights.items()}

    (deep, two), (flat, one) = trained(2), trained(1)
    ts = np.asarray(deep.ts)
    # Of a mode's two vectors in the hidden layer, W1 v and W2^T u, the sum grows and the difference
    # decays: soon the mode is balanced, as if it had started from half the sum in both.
    grown = (two["w1"] @ modes.V + two["w2"].T @ modes.U) / 2
    starts = np.sum(grown**2, axis=0), np.sum(modes.U * (one["w1"] @ modes.V), axis=0)
    theories = (
        job.keep(
            f"{name}_{kind}_theory",
            partial(curve, modes.S, modes.variances, start, ts, modes=modes),
        )
        for kind, curve, start in zip(
            ("deep", "shallow"), (two_layer, shallow), starts, strict=True
        )
    )
    a, b = (np.asarray(theory.observables["strength"])[:, 0] for theory in theories)
    return Learned(task, deep, flat, a, b, ts)


# --- representations in a plane


def _in_plane(found: Learned) -> tuple[np.ndarray, np.ndarray]:
    """Items' hidden representations in a plane, (time, item, 2): in theory and as trained.

    W1^T W1 = V diag(a) V^T, so that V sqrt(a) are an item's coordinates but for a rotation. The
    plane is that of classical multidimensional scaling of what is learned in the end; what all
    items share at a time is left out, in it and before."""
    modes = found.task.modes
    theory = _centred(modes.V * np.sqrt(np.maximum(found.deep_theory, 0))[:, None, :])
    trained = _centred(np.asarray(found.deep["activity:h1"], float).transpose(0, 2, 1))
    # A hidden layer is known up to a rotation: the one that takes the trained end to that of the
    # theory (Procrustes).
    left, _, right = np.linalg.svd(trained[-1].T @ theory[-1], full_matrices=False)
    axes = _classical_mds(_centred(modes.V * np.sqrt(_goal(modes))))
    return theory @ axes, trained @ (left @ right) @ axes


def _centred(items: np.ndarray) -> np.ndarray:
    return items - items.mean(axis=-2, keepdims=True)


def _classical_mds(items: np.ndarray) -> np.ndarray:
    """The two axes (coordinate, 2) along which centred `items` (item, coordinate) are spread most.

    Ties, as between the two halves of a tree, go to the axis along which the items' numbers rise.
    """
    rising = items.T @ np.arange(len(items))
    scatter = items.T @ items
    norm = np.linalg.norm(rising)
    if norm:
        scatter = scatter + 1e-6 * np.linalg.norm(scatter) * np.outer(rising, rising) / norm**2
    return np.linalg.eigh(scatter)[1][:, :-3:-1]


# --- figure


def figure(job: Job) -> Finding:
    """Column by column: covariance of items, scaled singular vectors, representations in a plane,
    strengths over time.
    """
    found = {name: _learned(job, name) for name in STRUCTURES}
    panels = np.reshape(
        np.array(new_figure(4, len(found), height=7.0), dtype=object), (4, len(found))
    )
    for (name, each), (covariance, vectors, plane, strengths) in zip(
        found.items(), panels.T, strict=True
    ):
        modes, Y = each.task.modes, each.task.Y
        plot.matrix(Y.T @ Y, ax=covariance)
        covariance.set_title(name)
        colours = _colours(modes)
        _draw_vectors(vectors, modes, colours)
        _draw_plane(plane, *_in_plane(each))
        _draw_strengths(strengths, each, colours)
    for ax, label in zip(
        panels[[0, 1, 3], 0], ("$Y^T Y$, item", "mode: $S_i v_i$", "share of $S/d$"), strict=True
    ):
        ax.set_ylabel(label)
    panels[1, 0].set_title("one colour: equal $S$", loc="left")
    panels[2, 0].set_title("hidden layer, MDS", loc="left")
    _legend(panels[3, 0])
    share_legend(list(panels[3]))
    return Finding(list(panels.ravel()), _table(found))


def _colours(modes: Modes) -> list[Any]:
    """One per mode, the same inside a group of equal S."""
    known = cycle()
    return [known[g % len(known)] for g, group in enumerate(modes.groups) for _ in group]


def _draw_vectors(ax: Any, modes: Modes, colours: list[Any]) -> None:
    """A row of bars per mode, S_i v_i over the items, all to one scale."""
    scaled = modes.S * modes.V
    row = 2.2 * np.abs(scaled).max()
    items = np.arange(1, len(scaled) + 1)
    for i, colour in enumerate(colours):
        ax.axhline(-i * row, color="0.8", linewidth=0.4)
        ax.bar(items, scaled[:, i], bottom=-i * row, width=0.8, color=colour)
    ax.set(xlabel="item", ylim=(-(modes.num - 0.4) * row, 0.6 * row), xticks=items[::2])
    ax.set_yticks(-row * np.arange(modes.num), [str(i + 1) for i in range(modes.num)])


def _draw_plane(ax: Any, theory: np.ndarray, trained: np.ndarray) -> None:
    """Items' ways through the plane; those that end near each other share a label."""
    ends, size = theory[-1], np.abs(theory[-1]).max()
    for item, end in enumerate(ends):
        ax.plot(*theory[:, item].T, color=GREY, linewidth=0.8)
        ax.plot(*trained[_thinned(trained), item].T, ".", color="black", markersize=1.5)
        here = np.flatnonzero(np.linalg.norm(ends - end, axis=1) < 0.2 * size)
        if item == here[0]:
            text = (
                ", ".join(str(i + 1) for i in here)
                if len(here) < 3
                else f"{here[0] + 1}-{here[-1] + 1}"
            )
            # On from where the way comes from, and outwards, as no dots lie there.
            way = theory[:, item]
            far = np.linalg.norm(way - end, axis=1) > 0.2 * size
            x, y = sum(v / np.linalg.norm(v) for v in (end - way[far][-1], end))
            ax.annotate(
                text,
                end,
                5 * np.array([x, y]) / np.hypot(x, y),
                textcoords="offset points",
                ha="left" if x > abs(y) else "right" if x < -abs(y) else "center",
                va="bottom" if y > abs(x) else "top" if y < -abs(x) else "center",
                fontsize=7,
            )
    ax.set(xlim=(-1.5 * size, 1.5 * size), ylim=(-1.5 * size, 1.5 * size), aspect="equal")
    ax.axis("off")


def _draw_strengths(ax: Any, found: Learned, colours: list[Any]) -> None:
    """Shares of S/d; modes of one group, equal but for their starts, in one colour."""
    goal = _goal(found.task.modes)
    trained = np.asarray(found.deep["strength"])[:, 0] / goal
    dots = _thinned(trained)
    for i, colour in enumerate(colours):
        ax.plot(found.ts, found.deep_theory[:, i] / goal[i], color=colour, linewidth=0.9)
        ax.plot(found.ts[dots], trained[dots, i], ".", color=colour, markersize=2)
        ax.plot(found.ts, found.shallow_theory[:, i] / goal[i], "--", color="black", linewidth=0.8)
    ax.set(xlabel=r"flow time ($\tau$)", ylim=(-0.05, 1.1))


def _legend(ax: Any) -> None:
    """What lines and dots are, in the colour of the strongest mode."""
    deep, dots, flat = ax.get_lines()[:3]
    ax.legend([deep, dots, flat], ["deep, theory", "deep, trained", "shallow, theory"])


def _thinned(rows: np.ndarray) -> slice:
    return slice(None, None, max(1, len(rows) // 25))


def _goal(modes: Modes) -> np.ndarray:
    return modes.S / modes.variances


def _table(found: Mapping[str, Learned]) -> tuple[str, ...]:
    """One line per structure: when modes are learned, how sudden that is, and how far theory and
    training differ.
    """
    head = (
        f"{'':<15}{'half learned at (tau), first - last mode':<45}"
        f"{'10-90 % over half time':<24}{'in the order':<14}"
        "theory - trained",
        f"{'':<15}{'deep, theory':<15}{'deep, trained':<15}{'shallow':<15}"
        f"{'deep':<12}{'shallow':<12}{'of S (deep)':<14}"
        f"{'deep':<9}shallow",
    )
    lines = []
    for name, each in found.items():
        modes = each.task.modes
        theory = np.asarray(two_layer_time(modes.S, modes.variances, each.deep_theory[0]))
        halves, ratios = [theory], []
        for run in (each.deep, each.shallow):
            low, half, high = (learning_times(run, fraction).times for fraction in (0.1, 0.5, 0.9))
            halves.append(half)
            ratios.append((high - low) / half)
        by_group = [halves[1][list(group)].mean() for group in modes.groups]
        cells = [f"{half.min():.1f} - {half.max():.1f}" for half in halves]
        lines.append(
            f"{name:<15}"
            + "".join(f"{cell:<15}" for cell in cells)
            + "".join(f"{ratio.mean():<12.2f}" for ratio in ratios)
            + f"{'yes' if np.all(np.diff(by_group) > 0) else 'no':<14}"
            + f"{_off(each.deep_theory, each.deep, modes):<9.3f}"
            + f"{_off(each.shallow_theory, each.shallow, modes):.3f}"
        )
    return (
        *head,
        *lines,
        "theory - trained: the largest difference at any time, over the mode's S/d",
    )


def _off(theory: np.ndarray, run: Trajectory, modes: Modes) -> float:
    return float(np.max(np.abs(theory - np.asarray(run["strength"])[:, 0]) / _goal(modes)))


STUDY = Study(
    "saxe2019.structures",
    "Saxe19",
    "structures as a deep and a shallow network learn them",
    "a deep network learns a structure's modes one after another, in the order of S and in "
    "stages; a shallow one does not",
    {"start": 1e-4, "width": 1000, "lr": 0.01, "rows": 200, "seed": 0},
    {"start": 1e-4, "width": 100, "lr": 0.04, "rows": 200, "seed": 0},
    figure,
    ("start", "width", "lr", "rows", "seed"),
)
