"""Which level of theory tells how features concentrate: shares by mode and without a basis, beside
training from the same weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn.networks import init, parallel
from racedyn.paths import projector_eigenvalues, shares
from racedyn.plot import cycle, new_figure
from racedyn.reduction import compress, reduce
from racedyn.simulation import simulate
from racedyn.studies.concentration import cells
from racedyn.studies.study import Finding, Job, Study
from racedyn.tasks import hierarchy
from racedyn.training import train
from racedyn.trajectory import Labelled

LEVELS = ("compressed", "signals", "q/p")
WITHIN = 0.02  # of a share: the aim for the exact theory

FULL: Mapping[str, Any] = {
    "laws": [[3, 0.1], [4, 0.1], [5, 0.1], [7, 0.3]],  # depth and variance: plateaus of like length
    "widths": [200, 500, 1000],
}
QUICK: Mapping[str, Any] = {"laws": [[3, 0.1], [4, 0.1]], "widths": [100]}


def figure(job: Job) -> Finding:
    """Mean distances of shares by mode, and of the eigenvalues of P_1, against depth."""
    s = job.settings
    depths = [depth for depth, _ in s["laws"]]

    def beside(law: list[float], width: int) -> Labelled:
        return _beside(int(law[0]), width, law[1])

    found = job.sweep("beside", beside, parallel=True, law=s["laws"], width=s["widths"])
    panels = new_figure(1, 2, height=2.5)
    lines = []
    names = {"shares": "distance of shares by mode", "eigenvalues": "distance of eigenvalues of P"}
    for ax, (array, title) in zip(panels, names.items(), strict=True):
        for level, colour in zip(LEVELS, cycle(), strict=False):
            values = found[array][..., LEVELS.index(level)]  # (law, width)
            ax.plot(depths, values, "o", ms=3, color=colour)
            ax.plot(depths, values.mean(axis=1), color=colour, lw=0.8, label=level)
            said = "; ".join(
                f"D = {depth}: " + ", ".join(f"{value:.2g}" for value in row)
                for depth, row in zip(depths, values, strict=True)
            )
            lines.append(f"{title}, {level}, N = {s['widths']}: {said}")
        ax.axhline(WITHIN, color="0.7", lw=0.6)
        ax.set(xlabel="depth D", title=title, yscale="log", xticks=depths)
    panels[0].set_ylabel("mean over modes")
    panels[0].legend()
    return Finding(panels[0].figure, tuple(lines))


def _beside(depth: int, width: int, variance: float) -> Labelled:
    """How far each level ends from training, in shares and in eigenvalues of P_1."""
    task = hierarchy(8)
    network = parallel(task, [depth, depth], width)
    weights = network.init(init.Gaussian(std=float(np.sqrt(variance / width))), key=0)
    lr, steps = cells.descent(task, depth, variance)
    seen = ["strength_matrix"]
    trained = train(
        network, task, weights, lr=lr, steps=steps, save_every=steps, observe=seen, progress=False
    )
    narrow = compress(network, task, weights, lr=lr, steps=steps, max_share=1.0, observe=seen).run
    ends = [narrow["strength_matrix"][-1]]
    for level in ("signals", "pathway"):
        system = reduce(network, task, weights, level=level)
        run = simulate(system, [0.0, lr * steps], observe=seen, progress=False)
        ends.append(run["strength_matrix"][-1])
    wanted = trained["strength_matrix"][-1]
    return Labelled(
        {
            "shares": np.array([_apart(_shares(end), _shares(wanted)) for end in ends]),
            "eigenvalues": np.array([_apart(_spectrum(end), _spectrum(wanted)) for end in ends]),
        },
        {"shares": ("level",), "eigenvalues": ("level",)},
        {"level": np.array(LEVELS, dtype=object)},
    )


def _shares(maps: np.ndarray) -> np.ndarray:
    return np.asarray(shares(np.diagonal(maps, axis1=-2, axis2=-1)))


def _spectrum(maps: np.ndarray) -> np.ndarray:
    """Eigenvalues of P_1."""
    return np.asarray(projector_eigenvalues(maps))[0]


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean(np.abs(one - other)))


STUDY = Study(
    name="concentration.levels",
    source="racedyn",
    title="which theory tells how features concentrate",
    claim=(
        "the compressed network's shares are those of training to 0.02, by mode and without a "
        "basis; theories of one number per mode miss mixtures"
    ),
    published=FULL,
    quick=QUICK,
    make=figure,
)
