"""Phase maps of concentration: depth against width, scale and number of pathways; and which of two
unlike pathways wins."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn.exact import drive_to
from racedyn.paths import basis_free_participation, participation
from racedyn.plot import GREY, cycle, new_figure, phase_map
from racedyn.studies.concentration import cells
from racedyn.studies.legends import legend_above
from racedyn.studies.study import Finding, Job, Study, mean_and_error
from racedyn.tasks import hierarchy
from racedyn.trajectory import Labelled

FULL: Mapping[str, Any] = {
    "depths": [3, 4, 5, 6, 7, 8, 10, 12],
    "widths": [10**n for n in range(2, 10)],
    "variances": [0.02, 0.05, 0.1, 0.2, 0.4, 0.8],
    "pathways": [2, 3, 4, 6, 8],
    "width": 10**4,
    "variance": 0.1,
    "draws": 1000,
    "network_depths": [3, 4, 5],
    "network_widths": [10**2, 10**4, 10**6],
    "network_draws": 10,
    "unlike": [[3, 4], [4, 6], [2, 4], [1, 4]],
    "ratios": [float(r) for r in np.geomspace(0.5, 2.0, 21)],
}
QUICK: Mapping[str, Any] = {
    **FULL,
    "depths": [3, 4, 6],
    "widths": [10**2, 10**4, 10**6],
    "variances": [0.05, 0.2],
    "pathways": [2, 4],
    "network_depths": [3],
    "network_draws": 3,
    "unlike": [[3, 4]],
}


def figure(job: Job) -> Finding:
    """Three phase maps of races, two of networks, and the boundary between unlike pathways."""
    s = job.settings

    def race(pathways: int, depth: int, width: int, variance: float) -> Any:
        found = cells.race(pathways, depth, width, variance, s["draws"])
        return found | {"shared": (found["participation"] - 1) / (pathways - 1)}

    def network(depth: int, width: int) -> Labelled:
        return cells.drawn(hierarchy(8), 2, depth, width, s["variance"], s["network_draws"])

    def unlike(depths: list[int], ratio: float) -> Any:
        second = boundary(depths, s["variance"]) * ratio
        return cells.unequal(depths, s["width"], [s["variance"], second], s["draws"])

    one = {name: [s[name]] for name in ("width", "variance")}
    one |= {"pathways": [2], "depth": s["depths"]}
    panels = new_figure(2, 3, height=4.6)
    for ax, axis, values in zip(
        panels, ("width", "variance", "pathways"), ("widths", "variances", "pathways"), strict=False
    ):
        found = job.sweep(axis, race, **{**one, axis: s[values]})
        phase_map(found, "shared", x=axis, y="depth", ax=ax)
    found = job.sweep(
        "network", network, parallel=True, depth=s["network_depths"], width=s["network_widths"]
    )
    both = _both(found)
    for ax, measure in zip(panels[3:5], ("by mode", "without a basis"), strict=True):
        phase_map(both, measure, x="width", y="depth", ax=ax)
    sides = job.sweep("unlike", unlike, depths=s["unlike"], ratio=s["ratios"])
    lines = _boundary(panels[5], sides)
    for ax, title in zip(
        panels,
        ("races", "races", "races", "networks, by mode", "networks, no basis"),
        strict=False,
    ):
        ax.set_title(title, fontsize=8)
    return Finding(panels[0].figure, (*lines, _winners(found)))


def boundary(depths: list[int], variance: float) -> float:
    """sigma^2 of a second pathway with which it has half of a mode, S/d = 1, when the first one of
    `variance` has the other half."""
    aim = float(drive_to(depths[0], variance, 0.5))
    low, high = np.log(1e-6), np.log(10.0)  # the drive falls as weights grow
    for _ in range(60):
        middle = (low + high) / 2
        above = float(drive_to(depths[1], np.exp(middle), 0.5)) > aim
        low, high = (middle, high) if above else (low, middle)
    return float(np.exp((low + high) / 2))


def _both(found: Labelled) -> Labelled:
    """Mean participation of each cell, by mode and without a basis."""
    maps = found["maps"]
    by_mode = participation(np.diagonal(maps, axis1=-2, axis2=-1)).mean(axis=(-2, -1))
    free = np.asarray(basis_free_participation(maps)).mean(axis=-1)
    axes = found.dims["maps"][:2]
    return Labelled(
        {"by mode": by_mode, "without a basis": free},
        {"by mode": axes, "without a basis": axes},
        {axis: found[axis] for axis in axes},
    )


def _boundary(ax: Any, found: Labelled) -> list[str]:
    """Draw how often the first pathway wins against the second's scale, in units of the closed
    form."""
    lines = []
    for depths, wins, colour in zip(found["depths"], found["wins"], cycle(), strict=False):
        ax.plot(found["ratio"], wins, "o-", ms=2.5, lw=0.8, color=colour, label=depths)
        below = np.flatnonzero(wins < 0.5)
        if len(below) and below[0] > 0:
            k = below[0]
            part = (wins[k - 1] - 0.5) / (wins[k - 1] - wins[k])
            at = float(np.exp(np.interp(part, [0, 1], np.log(found["ratio"][k - 1 : k + 1]))))
            lines.append(
                f"depths {depths}: the first wins half of all races at {at:.3f} of the sigma^2 "
                "that the closed form gives the second"
            )
    ax.axvline(1, color=GREY, lw=0.6)
    ax.set(
        xscale="log",
        ylim=(-0.03, 1.03),
        xlabel=r"$\sigma_2^2$ / closed form",
        ylabel="the first pathway wins",
    )
    ax.set_xticks([0.5, 1, 2], ["0.5", "1", "2"])
    ax.minorticks_off()
    legend_above(ax, 2, "unlike pathways, of depths")
    return lines


def _winners(found: Labelled) -> str:
    """Correlation of winners between modes, over all draws of networks: 0 if each mode chooses by
    itself."""
    strength = np.diagonal(found["maps"], axis1=-2, axis2=-1)  # (..., draw, path, mode)
    ahead = np.sign(strength[..., 0, :] - strength[..., 1, :]).reshape(-1, strength.shape[-1])
    pairs = np.triu_indices(ahead.shape[1], 1)
    each = (ahead[:, pairs[0]] * ahead[:, pairs[1]]).mean(axis=1)  # of one draw
    mean, error = mean_and_error(each)
    return (
        f"winners of two modes are the same pathway's with a correlation of {mean:+.3f} +- "
        f"{error:.3f} ({len(each)} drawn networks)"
    )


STUDY = Study(
    name="concentration.maps",
    source="racedyn",
    title="phase maps of concentration",
    claim=(
        "depth concentrates, width and scale share; of unlike pathways the one wins that comes to "
        "half of the mode at the smaller drive"
    ),
    published=FULL,
    quick=QUICK,
    make=figure,
)
