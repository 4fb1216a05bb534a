"""Which mixtures of modes pathways take, when, and what in the start decides it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn.exact import frame_participation
from racedyn.networks import init, parallel
from racedyn.paths import basis_free_participation, participation, projector_eigenvalues
from racedyn.plot import GREY, cycle, new_figure
from racedyn.simulation import ensemble
from racedyn.studies.concentration import cells, examples
from racedyn.studies.concentration.projectors import variance_of
from racedyn.studies.concentration.starts import PARTS, narrow, switched
from racedyn.studies.study import Finding, Job, Study, mean_and_error
from racedyn.tasks import hierarchy
from racedyn.training import Training
from racedyn.trajectory import Labelled

FULL: Mapping[str, Any] = {
    "depth": 4,
    "plateau": 24.0,
    "width": 10**4,
    "pathways": [2, 3],
    "modes": [2, 3, 4],
    "ratio": 0.4,
    "draws": 10,
    "ratios": [1.0, 0.97, 0.9, 0.8, 0.6, 0.4],
    "angle_draws": 30,
    "start_depths": [3, 4],
    "start_width": 300,
    "start_variance": 0.1,
    "start_draws": 20,
    "learned": [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.999],
    "laws": [[4, 0.1, 1000], [7, 0.3, 1000]],
    "law_draws": 20,
}
QUICK: Mapping[str, Any] = {
    **FULL,
    "pathways": [2],
    "modes": [2, 3],
    "draws": 2,
    "ratios": [1.0, 0.6],
    "angle_draws": 4,
    "start_depths": [4],
    "start_draws": 3,
    "laws": [[4, 0.1, 1000]],
    "law_draws": 2,
}


def figure(job: Job) -> Finding:
    """Frames, angles, parts of the start, and both participations while modes are learned."""
    s = job.settings
    depth, variance = s["depth"], variance_of(s["depth"], s["plateau"])

    def frame(pathways: int, modes: int) -> Labelled:
        task = examples.one_strength(modes, s["ratio"])
        return cells.drawn(task, pathways, depth, s["width"], variance, s["draws"])

    def angle(ratio: float) -> Labelled:
        task = examples.one_strength(2, ratio)
        return cells.drawn(task, 2, depth, s["width"], variance, s["angle_draws"])

    def start(depth: int) -> Labelled:
        return _starts(depth, s["start_width"], s["start_variance"], s["start_draws"])

    def learning(law: list[float]) -> Labelled:
        return _learning(int(law[0]), law[1], int(law[2]), s["law_draws"], s["learned"])

    over = {"pathways": s["pathways"], "modes": s["modes"]}
    frames = job.sweep("frame", frame, parallel=True, **over)
    angles = job.sweep("angle", angle, parallel=True, ratio=s["ratios"])
    starts = job.sweep("start", start, parallel=True, depth=s["start_depths"])
    learned = job.sweep("learning", learning, parallel=True, law=s["laws"])
    panels = new_figure(2, 2, height=4.6)
    lines = [
        *_of_frames(panels[0], frames),
        *_of_angles(panels[1], angles),
        *_of_starts(panels[2], starts),
        *_of_learning(panels[3], learned, s["laws"]),
    ]
    return Finding(panels[0].figure, tuple(lines))


def _starts(depth: int, width: int, variance: float, draws: int) -> Labelled:
    """`maps` (part, draw, path, out, in) at the end of networks that have parts of one start."""
    task = hierarchy(8)
    wide = parallel(task, [depth, depth], width)
    law = init.Gaussian(std=float(np.sqrt(variance / width)))
    small, in_modes = narrow(task, 2, depth)
    lr, steps = cells.descent(task, depth, variance)
    parts = list(PARTS.values())

    def member(seed: int) -> Training:
        weights = switched(wide, wide.init(law, key=seed % draws), task, parts[seed // draws])
        observe = ["strength_matrix"]
        return Training(
            small, in_modes, weights, lr=lr, steps=steps, save_every=steps, observe=observe
        )

    runs = ensemble(member, len(parts) * draws, progress=False)
    maps = runs["strength_matrix"][:, -1]
    return Labelled(
        {"maps": maps.reshape(len(parts), draws, *maps.shape[1:])},
        {"maps": ("part", "draw", "path", "mode_out", "mode_in")},
        {"part": np.array(list(PARTS), dtype=object)},
    )


def _learning(
    depth: int, variance: float, width: int, draws: int, learned: list[float]
) -> Labelled:
    """`maps` (draw, learned, path, out, in) where these parts of the loss are first learned."""
    maps = []
    for key in range(draws):
        run = cells.compressed(hierarchy(8), 2, depth, width, variance, key).run
        part = 1 - run["loss"] / run["loss"][0]
        maps.append([run["strength_matrix"][np.argmax(part >= value)] for value in learned])
    axes = ("draw", "learned", "path", "mode_out", "mode_in")
    return Labelled({"maps": np.array(maps)}, {"maps": axes}, {"learned": np.array(learned)})


def _of_frames(ax: Any, found: Labelled) -> list[str]:
    """Participation without a basis beside that of frames."""
    free = np.asarray(basis_free_participation(found["maps"]))  # (pathways, modes, draw)
    lines = []
    for M, each, colour in zip(found["pathways"], free, cycle(), strict=False):
        derived = [frame_participation(int(M), int(R)) for R in found["modes"]]
        ax.plot(found["modes"], derived, "_", ms=14, color=colour)
        style = {"fmt": "o", "ms": 3, "color": colour, "label": f"M = {M}"}
        means, errors = mean_and_error(each)
        ax.errorbar(found["modes"], means, errors, **style)
        said = "; ".join(
            f"R = {R}: {mean:.3f} +- {error:.3f} ({of:.3f})"
            for R, mean, error, of in zip(found["modes"], means, errors, derived, strict=True)
        )
        lines.append(f"M = {M} pathways, R modes, without a basis (that of frames): {said}")
    ax.set(xlabel="modes R", ylabel="without a basis", title="frames (bars) and networks")
    ax.set_xticks(found["modes"])
    ax.legend()
    return lines


def _of_angles(ax: Any, found: Labelled) -> list[str]:
    """How far from the nearer mode the direction is that pathway 1 has most of."""
    maps = found["maps"]  # (ratio, draw, path, out, in)
    P = (maps[..., 0, :, :] + maps[..., 0, :, :].swapaxes(-1, -2)) / 2  # S/d = 1
    angle = np.degrees(np.abs(np.arctan2(2 * P[..., 0, 1], P[..., 0, 0] - P[..., 1, 1]))) / 2
    angle = np.minimum(angle, 90 - angle)
    free = np.asarray(basis_free_participation(maps))
    ratios = found["ratio"]
    lines = []
    for ratio, each, of in zip(ratios, angle, free, strict=True):
        ax.plot(np.full(len(each), ratio), each, ".", ms=2, color=cycle()[0])
        lines.append(
            f"two modes, S2/S1 = {ratio:g}: {_said(each, 1)} degrees from the nearer mode, "
            f"without a basis {_said(of)}"
        )
    ax.plot(ratios, angle.mean(axis=-1), lw=0.8, color=cycle()[0])
    ax.axhline(22.5, color=GREY, lw=0.6)
    ax.set(xlabel="$S_2 / S_1$", ylabel="degrees from the nearer mode", title="two modes")
    ax.set(ylim=(0, 47))
    return lines


def _of_starts(ax: Any, found: Labelled) -> list[str]:
    """Both participations, and how alike the ends are, by what was kept of the start."""
    maps = found["maps"]  # (depth, part, draw, path, out, in)
    free = np.asarray(basis_free_participation(maps))
    by_mode = participation(np.diagonal(maps, axis1=-2, axis2=-1)).mean(axis=-1)
    difference = maps[..., 0, :, :] - maps[..., 1, :, :]
    of = np.einsum("...ij,...ij->...", difference[:, :1], difference)
    size = np.sqrt(np.sum(difference**2, axis=(-2, -1)))
    alike = of / (size[:, :1] * size)
    place = np.arange(len(found["part"]))
    lines = []
    for i, colour in zip(range(len(free)), cycle(), strict=False):
        D = found["depth"][i]
        style: dict[str, Any] = {
            "fmt": "o-",
            "ms": 3,
            "lw": 0.8,
            "color": colour,
            "label": f"D = {D}",
        }
        ax.errorbar(place, *mean_and_error(free[i]), **style)
        style |= {"fmt": "s--", "mfc": "none", "label": f"D = {D}, by mode"}
        ax.errorbar(place, *mean_and_error(by_mode[i]), **style)
        for j, part in enumerate(found["part"]):
            lines.append(
                f"D = {D}, inner products of two modes kept: {part}: without a basis "
                f"{_said(free[i, j])}, by mode {_said(by_mode[i, j])}, correlation of "
                f"M_1 - M_2 with that of the whole start {alike[i, j].mean():.2f}"
            )
    ax.set_xticks(place, ["all", "f.b", "f.f, b.b", "none"], fontsize=7)
    ax.set(xlabel="products of two modes that were kept", ylabel="participation", title="starts")
    ax.legend()
    return lines


def _of_learning(ax: Any, found: Labelled, laws: list[list[float]]) -> list[str]:
    """Both participations against what is learned of the loss, and effective ranks at the end."""
    maps = found["maps"]  # (law, draw, learned, path, out, in)
    free = np.asarray(basis_free_participation(maps))
    by_mode = participation(np.diagonal(maps, axis1=-2, axis2=-1)).mean(axis=-1)
    values = np.asarray(projector_eigenvalues(maps))  # (law, draw, learned, path, direction)
    learned = found["learned"]
    lines = []
    for i, ((D, variance, N), colour) in enumerate(zip(laws, cycle(), strict=False)):
        label = rf"D = {D:g}, $\sigma^2$ = {variance:g}"
        ax.plot(learned, free[i].mean(axis=0), "o-", ms=3, lw=0.8, color=colour, label=label)
        style = {"ms": 3, "lw": 0.8, "color": colour, "mfc": "none"}
        ax.plot(learned, by_mode[i].mean(axis=0), "s--", **style)
        said = ", ".join(f"{x:g}: {y:.3f}" for x, y in zip(learned, free[i].mean(0), strict=True))
        lines.append(f"hierarchy, D = {D:g}, N = {N:g}: without a basis by part learned {said}")
        ends = values[i, :, -1]
        rank = ends.sum(axis=-1)
        lines.append(
            f"  at the end eigenvalues of P_a: {', '.join(f'{x:.3f}' for x in ends.mean((0, 1)))}"
            f"; effective rank tr P_a from {rank.min():.2f} to {rank.max():.2f}"
        )
    ax.set(
        xlabel="part of the loss learned",
        ylabel="participation",
        title="hierarchy; dashed: by mode",
    )
    ax.set(ylim=(0.95, 2.05))
    ax.legend()
    return lines


def _said(values: np.ndarray, digits: int = 3) -> str:
    mean, error = mean_and_error(values)
    return f"{mean:.{digits}f} +- {error:.{digits}f}"


STUDY = Study(
    name="concentration.mixtures",
    source="racedyn",
    title="which mixtures of modes pathways take, when, and what in the start decides it",
    claim=(
        "M pathways take M modes at a time: one that comes by itself and M - 1 that turn out of "
        "it, as the rows of an orthogonal matrix"
    ),
    published=FULL,
    quick=QUICK,
    make=figure,
)
