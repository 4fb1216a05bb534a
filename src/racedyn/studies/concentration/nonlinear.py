"""Nonlinear pathways, by mode and without a basis."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn.paths import basis_free_participation, participation
from racedyn.plot import cycle, new_figure
from racedyn.studies.concentration import cells
from racedyn.studies.study import Finding, Job, Study, mean_and_error
from racedyn.tasks import hierarchy
from racedyn.trajectory import Labelled

KINDS: Mapping[str, tuple[str, bool]] = {
    "linear": ("linear", False),
    "tanh": ("tanh", False),
    "ReLU": ("relu", False),
    "ReLU after every matrix": ("relu", True),
}
"""Activation of hidden layers, and whether the last matrix has it too, as in [Shi22]'s code."""

LEARNED = 1e-3  # of the loss is left at most where all modes are learned

FULL: Mapping[str, Any] = {
    "kinds": list(KINDS),
    "depths": [2, 3, 4, 5],
    "width": 100,
    "variance": 0.1,
    "draws": 10,
}
QUICK: Mapping[str, Any] = {**FULL, "kinds": ["linear", "ReLU"], "depths": [2, 3], "draws": 4}


def figure(job: Job) -> Finding:
    """Both participations against depth, and how far from symmetric the maps are."""
    s = job.settings

    def trained(kind: str, depth: int) -> Labelled:
        activation, last = KINDS[kind]
        return cells.trained(
            hierarchy(8),
            2,
            depth,
            s["width"],
            s["variance"],
            s["draws"],
            activation=activation,
            activate_last=last,
        )

    found = job.sweep("trained", trained, parallel=True, kind=s["kinds"], depth=s["depths"])
    maps = found["maps"]  # (kind, depth, draw, path, out, in)
    learned = found["loss_left"] < LEARNED
    by_mode = participation(np.diagonal(maps, axis1=-2, axis2=-1)).mean(axis=-1)
    free = np.asarray(basis_free_participation(maps))
    half = (maps - maps.swapaxes(-1, -2)) / 2
    antisymmetric = _size(half).mean(axis=-1) / _size(maps).mean(axis=-1)
    panels = new_figure(1, 2, height=2.6)
    lines = []
    for i, (kind, colour, marker) in enumerate(zip(s["kinds"], cycle(), "os^D", strict=False)):
        values = [
            mean_and_error(np.where(learned[i], each[i], np.nan))  # of those that learned all
            for each in (by_mode, free, antisymmetric)
        ]
        for ax, each in zip(panels, values, strict=False):
            mean, error = each
            style = {"ms": 4, "mfc": "none", "lw": 0.8, "color": colour, "label": kind}
            ax.errorbar(s["depths"], mean, error, fmt=f"{marker}-", **style)
        for j, depth in enumerate(s["depths"]):
            said = ", ".join(
                f"{name} {mean:.3f} +- {error:.3f}"
                for name, (mean, error) in zip(
                    ("by mode", "without a basis", "antisymmetric part"),
                    ((mean[j], error[j]) for mean, error in values),
                    strict=True,
                )
            )
            lines.append(
                f"{kind}, D = {depth}: {said}; {learned[i, j].sum()} of {learned[i, j].size} "
                "learned all"
            )
    for ax, title in zip(panels, ("by mode", "without a basis"), strict=True):
        ax.set(xlabel="depth D", title=title, ylim=(0.95, 2.05), xticks=s["depths"])
    panels[0].set_ylabel("mean participation")
    panels[0].legend()
    return Finding(panels[0].figure, tuple(lines))


def _size(maps: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(maps, axis=(-2, -1)))


STUDY = Study(
    name="concentration.nonlinear",
    source="racedyn",
    title="nonlinear pathways, by mode and without a basis",
    claim="without a basis tanh and ReLU pathways concentrate with depth as linear ones do",
    published=FULL,
    quick=QUICK,
    make=figure,
)
