"""Steps of finite size: descent of the q/p map and of networks, from a hundredth of the largest
stable step to beyond it."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn.exact import pole
from racedyn.networks import init, parallel
from racedyn.paths import largest_share
from racedyn.plot import GREY, cycle, new_figure
from racedyn.simulation import ensemble, simulate
from racedyn.studies.concentration import cells
from racedyn.studies.concentration.law import one_mode
from racedyn.studies.concentration.projectors import variance_of
from racedyn.studies.study import Finding, Job, Study
from racedyn.systems import Descent, Pathways
from racedyn.training import Training

LONGER = 3000  # steps after learning, in which unstable ends are left
LATE = 1.5  # times the plateau

FULL: Mapping[str, Any] = {
    "depths": [3, 4, 6],
    "plateau": 30.0,
    "width": 100,
    "steps": [0.01, 0.1, 0.3, 0.6, 0.8, 0.95, 1.05, 1.15, 1.25, 1.35, 1.5, 1.7, 2.0],
    "draws": 300,
    "network_depths": [3, 4],
    "network_steps": [0.1, 0.3, 0.6, 0.8, 0.95, 1.05, 1.15, 1.25, 1.35, 1.5],
    "network_draws": 10,
    "decays": [0.0, 0.003, 0.01],
}
QUICK: Mapping[str, Any] = {
    **FULL,
    "depths": [4],
    "steps": [0.1, 0.6, 0.95, 1.15, 1.35],
    "network_depths": [4],
    "network_steps": [0.3, 0.95, 1.2],
    "network_draws": 4,
    "decays": [0.0],
}


def edge(depth: int) -> float:
    """2 / sharpness of the end that one balanced pathway has alone, S = d = 1: 2 / D."""
    return 2 / depth


def figure(job: Job) -> Finding:
    """Mean largest share against the step, in units of 2 / sharpness of one pathway."""
    s = job.settings

    def race(depth: int, step: float) -> dict[str, float]:
        return _race(depth, step, s["plateau"], s["width"], s["draws"])

    def network(depth: int, step: float, decay: float) -> dict[str, float]:
        return _network(depth, step, decay, s["plateau"], s["width"], s["network_draws"])

    races = job.sweep("race", race, depth=s["depths"], step=s["steps"])
    networks = job.sweep(
        "network",
        network,
        parallel=True,
        depth=s["network_depths"],
        step=s["network_steps"],
        decay=s["decays"],
    )
    panels = new_figure(1, 2, height=2.5)
    lines = []
    for depth, colour, row in zip(s["depths"], cycle(), range(len(s["depths"])), strict=False):
        share, left = races["largest_share"][row], races["ended"][row]
        panels[0].plot(s["steps"], share, "o-", ms=3, lw=0.8, color=colour, label=f"D = {depth}")
        shared_edge = 2 ** (1 - 2 / depth)
        panels[0].axvline(shared_edge, color=colour, lw=0.5, ls=":")
        said = ", ".join(f"{step:g}: {x:.3f}" for step, x in zip(s["steps"], share, strict=True))
        lines.append(
            f"q/p map, D = {depth}, largest share by step (edge of two that share: "
            f"{shared_edge:.2f}): {said}; {np.nanmin(left):.2f} to {np.nanmax(left):.2f} of them "
            "ended in numbers"
        )
    for i, (depth, colour) in enumerate(zip(s["network_depths"], cycle(), strict=False)):
        for j, decay in enumerate(s["decays"]):
            share = networks["largest_share"][i, :, j]
            label = f"D = {depth}" + (f", decay {decay:g}" if decay else "")
            style = ["o-", "s--", "^:"][j % 3]
            panels[1].plot(
                s["network_steps"], share, style, ms=3, lw=0.8, color=colour, label=label
            )
            said = ", ".join(
                f"{step:g}: {x:.3f}" for step, x in zip(s["network_steps"], share, strict=True)
            )
            lines.append(f"networks, D = {depth}, decay {decay:g}, largest share by step: {said}")
    for ax, title in zip(panels, ("q/p map", "trained networks"), strict=True):
        ax.axvline(1, color=GREY, lw=0.6)
        ax.set(xlabel="step / (2 / sharpness of one pathway)", title=title)
        ax.legend(fontsize=6)
    panels[0].set_ylabel("mean largest share")
    return Finding(panels[0].figure, tuple(lines))


def _late(depth: int, plateau: float) -> float:
    """Flow time at which a mode has long been learned."""
    return LATE * pole(depth) * plateau


def _race(depth: int, step: float, plateau: float, width: int, draws: int) -> dict[str, float]:
    """Races of one mode each, as modes of one system, which don't know each other."""
    q, p = cells.matched_starts(2, depth, width, variance_of(depth, plateau), draws)
    lr = step * edge(depth)
    steps = int(np.ceil(_late(depth, plateau) / lr)) + LONGER
    system = Descent(Pathways(np.ones(draws), (depth, depth), q, p), lr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of lanes that diverge, which are counted
        run = simulate(system, [0.0, lr * steps], max_steps=steps + 1, throw=False, progress=False)
    return _mean(np.asarray(run["strength"])[-1])


def _network(
    depth: int, step: float, decay: float, plateau: float, width: int, draws: int
) -> dict[str, float]:
    """Trained networks of one mode."""
    task = one_mode()
    network = parallel(task, [depth, depth], width)
    law = init.Gaussian(std=float(np.sqrt(variance_of(depth, plateau) / width)))
    lr = step * edge(depth)
    steps = int(np.ceil(_late(depth, plateau) / lr)) + LONGER

    def member(seed: int) -> Training:
        weights = network.init(law, key=seed)
        return Training(
            network, task, weights, lr=lr, steps=steps, save_every=steps, weight_decay=decay
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        runs = ensemble(member, draws, progress=False)
    return _mean(np.moveaxis(runs["strength"][:, -1, :, 0], 0, -1))


def _mean(strength: np.ndarray) -> dict[str, float]:
    """Mean largest share of races (path, race), and how many of them ended in numbers."""
    share = largest_share(strength)
    finite = np.isfinite(share)
    return {
        "largest_share": float(share[finite].mean()) if finite.any() else np.nan,
        "ended": float(finite.mean()),
    }


STUDY = Study(
    name="concentration.step",
    source="racedyn",
    title="steps of finite size spread features again",
    claim=(
        "beyond 2 / sharpness of the end that one pathway has alone, descent leaves it for ends "
        "that pathways share, which are flatter by M^(1-2/D)"
    ),
    published=FULL,
    quick=QUICK,
    make=figure,
)
