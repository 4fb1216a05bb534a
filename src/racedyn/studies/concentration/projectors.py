"""Without a basis: pathways that share every mode become projectors on mixtures of modes, up to
widths that are exponential in the plateau of learning."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn.exact import tilt_exponent, tilt_gain
from racedyn.paths import basis_free_participation, participation
from racedyn.plot import cycle, new_figure
from racedyn.studies.concentration import cells, examples
from racedyn.studies.legends import legend_above
from racedyn.studies.study import Finding, Job, Study, mean_and_error
from racedyn.tasks import hierarchy
from racedyn.trajectory import Labelled

HALF = 1.5  # participation of two pathways, half way between one and both
RANDOM = 200  # projectors of random directions, beside which depth norms stand

FULL: Mapping[str, Any] = {
    "second": [0.25, 0.5],
    "depths": [4, 5, 7],
    "plateaus": [4.0, 8.0, 16.0, 24.0],
    "widths": [10**n for n in range(2, 10)],
    "draws": 10,
    "hierarchy": [[4, 0.1], [7, 0.3], [10, 0.5]],
    "hierarchy_widths": [10**3, 10**5, 10**7, 10**9],
    "hierarchy_draws": 20,
}
QUICK: Mapping[str, Any] = {
    **FULL,
    "second": [0.5],
    "depths": [4],
    "plateaus": [8.0, 16.0],
    "widths": [10**2, 10**5, 10**8],
    "draws": 3,
    "hierarchy": [[4, 0.1]],
    "hierarchy_widths": [10**5],
    "hierarchy_draws": 3,
}


def variance_of(depth: int, gain: float) -> float:
    """sigma^2 at which q0^(2-D) = `gain`: by so much plateaus are longer than learning."""
    return float(gain ** (-2 / (depth - 2)) * depth ** (-1 / (depth - 1)))


def figure(job: Job) -> Finding:
    """Two modes: without a basis against ln N / 2 less what angles grow by. The hierarchy: both
    against width."""
    s = job.settings

    def pair(second: float, depth: int, plateau: float, width: int) -> Labelled:
        variance = variance_of(depth, plateau)
        return cells.drawn(examples.two_modes(second), 2, depth, width, variance, s["draws"])

    def tree(law: list[float], width: int) -> Labelled:
        depth, variance = int(law[0]), law[1]
        return cells.drawn(hierarchy(8), 2, depth, width, variance, s["hierarchy_draws"])

    pairs = job.sweep(
        "pair",
        pair,
        parallel=True,
        second=s["second"],
        depth=s["depths"],
        plateau=s["plateaus"],
        width=s["widths"],
    )
    trees = job.sweep("tree", tree, parallel=True, law=s["hierarchy"], width=s["hierarchy_widths"])
    panels = new_figure(1, 2, height=3.1)
    lines = [*_of_pairs(panels[0], pairs), *_of_trees(panels[1], trees, s["hierarchy"])]
    return Finding(panels[0].figure, tuple(lines))


def _of_pairs(ax: Any, found: Labelled) -> list[str]:
    """Draw participation without a basis, and say at which ln N / 2 mixtures fade."""
    maps = found["maps"]  # (second, depth, plateau, width, draw, path, out, in)
    free = np.asarray(basis_free_participation(maps)).mean(axis=-1)
    by_mode = participation(np.diagonal(maps, axis1=-2, axis2=-1)).mean(axis=(-2, -1))
    half_ln = 0.5 * np.log(found["width"].astype(float))
    last = [values[..., -1] for values in (by_mode, free)]
    lines = [
        f"two modes, N = {found['width'][-1]:.0e}: mean participation by mode {last[0].min():.3f} "
        f"to {last[0].max():.3f}, without a basis {last[1].min():.3f} to {last[1].max():.3f}"
    ]
    for (i, j), colour in zip(np.ndindex(*free.shape[:2]), cycle() * 3, strict=False):
        second, depth = float(found["second"][i]), int(found["depth"][j])
        name, said = rf"D = {depth}, $S_2/S_1$ = {second:g}", []
        for k, plateau in enumerate(found["plateau"]):
            variance = variance_of(depth, float(plateau))
            exponent, gain = (
                float(of(depth, variance, 1.0, second)) for of in (tilt_exponent, tilt_gain)
            )
            style = {"ms": 2.5, "lw": 0.7, "color": colour, "label": name if k == 0 else None}
            ax.plot(half_ln - gain, free[i, j, k], "o-", **style)
            half = _crossing(half_ln, free[i, j, k])
            said.append(f"{half:.2f} ({exponent:.2f}; {half - gain:.2f})")
        lines.append(
            f"  D = {depth}, S2/S1 = {second:g}: without a basis {HALF} at ln N / 2 (Lambda; what "
            f"the gain of angles leaves) {', '.join(said)}"
        )
    ax.set(
        xlabel=r"$\frac{1}{2}\ln N$ less ln of what angles grow by",
        ylabel="participation without a basis",
        ylim=(0.95, 2.05),
    )
    legend_above(ax, 2, "two modes")
    return lines


def _crossing(x: np.ndarray, values: np.ndarray) -> float:
    """Where `values`, which rise with x, pass HALF; NaN where they don't on this range."""
    above = np.flatnonzero(values >= HALF)
    if not len(above) or above[0] == 0:
        return np.nan
    k = int(above[0])
    part = (HALF - values[k - 1]) / (values[k] - values[k - 1])
    return float(x[k - 1] + part * (x[k] - x[k - 1]))


def _of_trees(ax: Any, found: Labelled, laws: list[list[float]]) -> list[str]:
    """Both participations against width, and what the maps at the end look like."""
    widths = found["width"].astype(float)
    lines = []
    for law, maps, colour in zip(laws, found["maps"], cycle(), strict=False):
        free = np.asarray(basis_free_participation(maps))
        by_mode = participation(np.diagonal(maps, axis1=-2, axis2=-1)).mean(axis=-1)
        for values, style, name in ((by_mode, "s--", "by mode"), (free, "o-", "without a basis")):
            mean, error = mean_and_error(values)
            ax.errorbar(
                widths,
                mean,
                error,
                fmt=style,
                ms=3,
                lw=0.8,
                color=colour,
                mfc="none" if name == "by mode" else colour,
                label=rf"D = {law[0]:g}, $\sigma^2$ = {law[1]:g}" if name != "by mode" else None,
            )
            said = ", ".join(
                f"{value:.3f} +- {wide:.3f}" for value, wide in zip(mean, error, strict=True)
            )
            sizes = ", ".join(f"{width:.0e}" for width in widths)
            lines.append(
                f"hierarchy, D = {law[0]:g}, sigma^2 = {law[1]:g}, N = {sizes}: {name} {said}"
            )
        lines.append(_ends(int(law[0]), maps[0]))
    ax.set(xscale="log", xlabel="width N", ylabel="participation", ylim=(0.95, 2.05))
    legend_above(ax, 2, "hierarchy; dashed: by mode, solid: without a basis")
    return lines


def _ends(depth: int, maps: np.ndarray) -> str:
    """What maps (draw, path, mode, mode) are at the end: symmetric, projectors, and how their depth
    norm sum_a |M_a|^(2/D) compares with that of other ways to split the same sum."""
    targets = np.diagonal(maps.sum(axis=1), axis1=-2, axis2=-1).mean(axis=0)
    root = np.sqrt(targets)
    Pi = maps / np.outer(root, root)
    norm = np.linalg.norm
    antisymmetric = norm(Pi - Pi.swapaxes(-1, -2), axis=(-2, -1)) / 2 / norm(Pi, axis=(-2, -1))
    apart = norm(Pi @ Pi - Pi, axis=(-2, -1)) / norm(Pi, axis=(-2, -1))
    R = len(targets)
    draw = np.random.default_rng(0)
    turned = np.linalg.qr(draw.normal(size=(RANDOM, R, R)))[0][..., : R // 2]
    one = root[:, None] * (turned @ turned.swapaxes(-1, -2)) * root
    by_modes = np.array([np.where(draw.permutation(R) < R // 2, targets, 0) for _ in range(RANDOM)])
    whole = np.diag(targets)
    sums = {
        "the end": _depth_norm(depth, maps).sum(axis=1),
        "an equal split": 2 * _depth_norm(depth, whole / 2),
        "random projectors": _depth_norm(depth, one) + _depth_norm(depth, whole - one),
        "modes apart": np.sum(by_modes ** (2 / depth), axis=1)
        + np.sum((targets - by_modes) ** (2 / depth), axis=1),
    }
    said = ", ".join(f"{name} {np.mean(value):.2f}" for name, value in sums.items())
    return (
        f"  at the smallest width: antisymmetric part {antisymmetric.mean():.3f}, distance from a "
        f"projector {apart.mean():.3f}; sum |M_a|^(2/D): {said}"
    )


def _depth_norm(depth: int, maps: np.ndarray) -> np.ndarray:
    """sum_i s_i^(2/D) of the singular values of each map."""
    return np.asarray(np.sum(np.linalg.svd(maps, compute_uv=False) ** (2 / depth), axis=-1))


STUDY = Study(
    name="concentration.projectors",
    source="racedyn",
    title="pathways as projectors on mixtures of modes",
    claim=(
        "while the next mode is on its plateau, pathways that share a mode turn towards it, each "
        "its own way: without a basis they concentrate up to a width of e^(2 Lambda)"
    ),
    published=FULL,
    quick=QUICK,
    make=figure,
)
