"""Noise of mini-batches: of tasks that can be fitted, where it dies, and of noisy labels, where it
stays and moves weights along the valley of fits."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from racedyn.exact import share_under_noise, stable_share
from racedyn.plot import GREY, cycle, new_figure
from racedyn.studies.concentration import batches
from racedyn.studies.legends import legend_above
from racedyn.studies.study import Finding, Job, Study, mean_and_error
from racedyn.trajectory import Labelled

SMALL = 0.9  # steps up to here, times what batches make of them, are far from unstable
_MARKS = "os^vDX"
_HOLLOW: Mapping[str, Any] = {"ms": 3, "mew": 0.6, "mfc": "none"}

FULL: Mapping[str, Any] = {
    "depths": [3, 4],
    "width": 100,
    "plateau": 30.0,
    "batches": [1, 4, 16],
    "steps": [0.1, 0.2, 0.3, 0.5, 0.7, 0.95, 1.15, 1.35],
    "all_steps": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4],
    "draws": 10,
    # Step, variance of the label noise, examples in a batch.
    "noises": [
        [0.1, 0.1, 1],
        [0.2, 0.1, 1],
        [0.1, 0.05, 1],
        [0.2, 0.025, 1],
        [0.1, 0.4, 4],
        [0.1, 0.8, 8],
    ],
    "noisy_plateau": 10.0,
    "noisy_draws": 10,
    "until": 3.0,
}
QUICK: Mapping[str, Any] = {
    **FULL,
    "depths": [4],
    "batches": [4],
    "steps": [0.2, 0.5, 1.15],
    "all_steps": [0.2, 0.3, 0.5, 0.7, 0.95, 1.15],
    "draws": 4,
    "noises": [[0.2, 0.1, 1], [0.4, 0.1, 4]],
    "noisy_draws": 4,
}


def figure(job: Job) -> Finding:
    """Left: shares at the end of tasks that are fitted. Right: noisy labels, shares over time."""
    s = job.settings

    def end(depth: int, batch: int) -> dict[str, np.ndarray]:
        steps = s["all_steps"] if batch == batches.EXAMPLES else s["steps"]
        found = np.full((max(len(s["all_steps"]), len(s["steps"])), s["draws"]), np.nan)
        found[: len(steps)] = batches.ends(
            depth, batch, steps, s["width"], s["plateau"], s["draws"]
        )
        return {"largest_share": found}

    def motion(depth: int, noise: list[float]) -> dict[str, np.ndarray]:
        f, variance, batch = noise[0], noise[1], int(noise[2])
        plateau, draws = s["noisy_plateau"], s["noisy_draws"]
        return batches.motion(depth, f, variance, batch, s["width"], plateau, draws, s["until"])

    ends = job.sweep(
        "end", end, parallel=True, depth=s["depths"], batch=[*s["batches"], batches.EXAMPLES]
    )
    motions = job.sweep("motion", motion, parallel=True, depth=s["depths"], noise=s["noises"])
    panels = new_figure(1, 2, height=3.3)
    lines = [*_of_ends(panels[0], ends, s), *_of_motions(panels[1], motions, s)]
    return Finding(panels[0].figure, tuple(lines))


def _of_ends(ax: Any, found: Labelled, s: Mapping[str, Any]) -> list[str]:
    """Draw shares against the step, and say what batches change; hollow where some did not fit."""
    lines = []
    f = np.array(s["steps"])
    for depth, colour, each in zip(s["depths"], cycle(), found["largest_share"], strict=False):
        whole = each[-1][: len(s["all_steps"])]  # (step, draw)
        of_all = mean_and_error(whole)[0]
        ax.plot(s["all_steps"], of_all, lw=0.8, color=colour, label=f"D = {depth}")
        beyond = np.linspace(1, 2 ** (1 - 2 / depth), 50)
        stable = np.minimum(whole[0], stable_share(beyond, depth)[:, None]).mean(axis=-1)
        ax.plot(beyond, stable, ":", lw=0.8, color=colour)
        for i, batch in enumerate(s["batches"]):
            values, acts = each[i][: len(f)], batches.larger(batch)
            mean, error = mean_and_error(values)
            fits = np.isfinite(values).mean(axis=-1)
            for all_fit in (True, False):
                style = {"ms": 3, "lw": 0.6, "color": colour, "fmt": _MARKS[i % len(_MARKS)]}
                style |= {} if all_fit else {"mfc": "none"}
                here = (fits == 1) == all_fit
                ax.errorbar(f[here], mean[here], error[here], **style)
            said = ", ".join(
                f"{step:g}: {m:.3f} +- {e:.3f} ({fit:.0%})"
                for step, m, e, fit in zip(f, mean, error, fits, strict=True)
            )
            lines.append(
                f"fitted, D = {depth}, B = {batch}, acts as a step {acts:.3f} times as large: "
                f"mean largest share by step (how many fit) {said}"
            )
            lines.append(_apart(f, f * acts, values, np.array(s["all_steps"]), whole))
        said = ", ".join(f"{x:g}: {v:.3f}" for x, v in zip(s["all_steps"], of_all, strict=True))
        lines.append(f"fitted, D = {depth}, all examples: {said}")
    ax.axvline(1, color=GREY, lw=0.6)
    ax.set(xlabel="step / (2 / sharpness of one pathway)", ylabel="mean largest share")
    ax.plot([], [], ":", lw=0.8, color=GREY, label="stable share")
    for batch, mark in zip(s["batches"], _MARKS, strict=False):
        ax.plot([], [], mark, ms=3, color=GREY, label=f"B = {batch}")
    ax.plot([], [], "o", color=GREY, label="some do not fit", **_HOLLOW)
    legend_above(ax, 3, "tasks that can be fitted; lines: all examples")
    return lines


def _apart(
    f: np.ndarray, acts: np.ndarray, values: np.ndarray, steps: np.ndarray, whole: np.ndarray
) -> str:
    """Batches beside descent of all examples, weights of the same seeds: at the same step, and at
    the one that they act as."""
    kept = (acts <= min(SMALL, steps.max())) & (f >= steps.min())
    if not kept.any():
        return "  no step is small"
    same, acting = (
        [
            mean_and_error(value - _at(step, steps, whole))
            for step, value in zip(at[kept], values[kept], strict=True)
        ]
        for at in (f, acts)
    )
    return (
        f"  less all examples of the same draws, steps {', '.join(f'{x:g}' for x in f[kept])}: at "
        f"this step {_said(same)}; at the one that batches act as {_said(acting)}"
    )


def _at(step: float, steps: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Shares (draw,) of descent of all examples at a step between those that were run."""
    return np.array([np.interp(step, steps, values) for values in whole.T])


def _of_motions(ax: Any, found: Labelled, s: Mapping[str, Any]) -> list[str]:
    """Draw mean shares on derived ones from the same starts, and say how fast they come down."""
    lines = []
    for i, (depth, colour) in enumerate(zip(s["depths"], cycle(), strict=False)):
        for j, noise in enumerate(s["noises"]):
            share, tau = found["share"][i, j], found["tau"][i, j]
            derived = share_under_noise(tau, share[:, :1], depth, noise[0])  # (draw, row)
            mean, error = mean_and_error(share.T)
            ax.plot(tau[::2], mean[::2], _MARKS[j % len(_MARKS)], color=colour, **_HOLLOW)
            line = {"label": f"D = {depth}"} if j == 0 else {}
            ax.plot(tau, derived.mean(axis=0), lw=0.8, color=colour, **line)
            ratio, wide = _ratio(share[:, :1] - share, share[:, :1] - derived)
            lines.append(
                f"noisy labels, D = {depth}, step {noise[0]:g}, sigma^2 = {noise[1]:g}, "
                f"B = {int(noise[2])}: mean share from {mean[0]:.3f} to {mean[-1]:.3f} +- "
                f"{error[-1]:.3f}, derived {derived[:, -1].mean():.3f}; where half of the way is "
                f"derived, {ratio:.3f} +- {wide:.3f} of it is gone"
            )
    ax.set(xlabel=r"time $\times$ lr $\sigma^2 / B$", ylabel="mean share of the larger pathway")
    for (f, variance, batch), mark in zip(s["noises"], _MARKS, strict=False):
        name = rf"f = {f:g}, $\sigma^2$ = {variance:g}, B = {int(batch)}"
        ax.plot([], [], mark, color=GREY, label=name, **_HOLLOW)
    legend_above(ax, 2, "noisy labels; lines: derived")
    return lines


def _ratio(moved: np.ndarray, derived: np.ndarray) -> tuple[float, float]:
    """Mean way (draw, row) by the derived mean one, and its standard error, at the row where the
    latter is nearest to half of its last."""
    mean = derived.mean(axis=0)
    k = int(np.argmin(np.abs(mean - mean[-1] / 2)))
    ratio = moved[:, k].mean() / mean[k]
    error = mean_and_error(moved[:, k] - ratio * derived[:, k])[1]
    return float(ratio), float(error / mean[k])


def _said(pairs: Sequence[tuple[Any, Any]]) -> str:
    return ", ".join(f"{mean:.4f} +- {error:.4f}" for mean, error in pairs)


STUDY = Study(
    name="concentration.noise",
    source="racedyn",
    title="noise of mini-batches",
    claim=(
        "batches of a task that can be fitted act as a step <d_B^2> / d^2 times as large; noise "
        "of labels makes pathways share again, at a rate lr sigma^2 / B times a derived one"
    ),
    published=FULL,
    quick=QUICK,
    make=figure,
)
