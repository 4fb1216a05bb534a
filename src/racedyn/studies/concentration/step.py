"""Steps of finite size: descent of the q/p map and of networks, from a hundredth of the largest
stable step to beyond it."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from racedyn.exact import pole, stable_share
from racedyn.networks import init, parallel
from racedyn.paths import largest_share
from racedyn.plot import GREY, cycle, new_figure
from racedyn.simulation import ensemble, simulate
from racedyn.studies.concentration import cells, examples
from racedyn.studies.concentration.projectors import variance_of
from racedyn.studies.study import Finding, Job, Study
from racedyn.systems import Descent, Pathways
from racedyn.training import Training, train
from racedyn.trajectory import Labelled

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
    "along_steps": [0.6, 0.95, 1.15],
    "along_rows": 200,
}
QUICK: Mapping[str, Any] = {
    **FULL,
    "depths": [4],
    "steps": [0.1, 0.6, 0.95, 1.15, 1.35],
    "network_depths": [4],
    "network_steps": [0.3, 0.95, 1.2],
    "network_draws": 4,
    "decays": [0.0],
    "along_steps": [0.6, 1.2],
    "along_rows": 50,
}


def edge(depth: int) -> float:
    """2 / sharpness of the end that one balanced pathway has alone, S = d = 1: 2 / D."""
    return 2 / depth


def figure(job: Job) -> Finding:
    """Mean largest share against the step, in units of 2 / sharpness of one pathway."""
    s = job.settings

    def race(depth: int, step: float) -> dict[str, np.ndarray]:
        return _race(depth, step, s["plateau"], s["width"], s["draws"])

    def network(depth: int, step: float, decay: float) -> dict[str, np.ndarray]:
        return _network(depth, step, decay, s["plateau"], s["width"], s["network_draws"])

    def along(depth: int, step: float) -> dict[str, np.ndarray]:
        return _along(depth, step, s["plateau"], s["width"], s["along_rows"])

    races = job.sweep("race", race, depth=s["depths"], step=s["steps"])
    networks = job.sweep(
        "network",
        network,
        parallel=True,
        depth=s["network_depths"],
        step=s["network_steps"],
        decay=s["decays"],
    )
    over = {"depth": s["network_depths"], "step": s["along_steps"]}
    followed = job.sweep("along", along, parallel=True, **over)
    panels = new_figure(1, 3, height=2.5)
    lines = []
    for depth, colour, each in zip(s["depths"], cycle(), races["largest_share"], strict=False):
        expected = np.minimum(each[0], stable_share(s["steps"], depth)[:, None])  # (step, draw)
        label = f"D = {depth}"
        panels[0].plot(s["steps"], _mean(each), "o", ms=3, color=colour, label=label)
        panels[0].plot(s["steps"], _mean(expected), lw=0.8, color=colour)
        below = np.array(s["steps"]) <= 2 ** (1 - 2 / depth)
        apart = np.nanmax(np.abs(_mean(each) - _mean(expected))[below])
        lines.append(
            f"q/p map, D = {depth}, mean largest share by step: {_said(s['steps'], each)}; at most "
            f"{apart:.3f} from the smaller of the flow's and of what is stable, up to the step at "
            f"which equal shares are the last stable ones; "
            f"{np.isfinite(each).mean():.3f} of all ended in numbers"
        )
    for i, (depth, colour) in enumerate(zip(s["network_depths"], cycle(), strict=False)):
        for j, decay in enumerate(s["decays"]):
            each = networks["largest_share"][i, :, j]
            label = f"D = {depth}" + (f", decay {decay:g}" if decay else "")
            style = ["o-", "s--", "^:"][j % 3]
            panels[1].plot(
                s["network_steps"], _mean(each), style, ms=3, lw=0.8, color=colour, label=label
            )
            lines.append(
                f"networks, D = {depth}, decay {decay:g}, mean largest share by step: "
                f"{_said(s['network_steps'], each)}"
            )
    lines += _of_sharpness(panels[2], followed)
    for ax, title in zip(panels[:2], ("q/p map", "trained networks"), strict=True):
        ax.axvline(1, color=GREY, lw=0.6)
        ax.set(xlabel="step, of 2 / sharpness\nof one pathway", title=title)
        ax.legend()
    panels[0].set_ylabel("mean largest share")
    return Finding(panels[0].figure, tuple(lines))


def _of_sharpness(ax: Any, found: Labelled) -> list[str]:
    """Draw lr sharpness / 2 along training at the first depth, and say what it comes to at all."""
    lines = []
    for i, depth in enumerate(found["depth"]):
        # Large steps last, below: they oscillate, and would hide the others.
        for j, colour in zip(range(len(found["step"])), cycle(), strict=False):
            step, values = found["step"][j], found["edge"][i, j]
            if i == 0:
                style = {"lw": 0.8, "color": colour, "zorder": -j, "label": f"step {step:g}"}
                ax.plot(found["time"][i, j], values, **style)
            lines.append(
                f"one network, D = {depth}, step {step:g}: lr sharpness / 2 is at most "
                f"{np.nanmax(values):.3f}, {values[np.isfinite(values)][-1]:.3f} at the end"
            )
    ax.axhline(1, color=GREY, lw=0.6)
    ax.set(xlabel="part of the run", title=rf"lr $\times$ sharpness / 2, D = {found['depth'][0]}")
    ax.legend(loc="lower right")
    return lines


def _late(depth: int, plateau: float) -> float:
    """Flow time at which a mode has long been learned."""
    return LATE * pole(depth) * plateau


def _race(depth: int, step: float, plateau: float, width: int, draws: int) -> dict[str, np.ndarray]:
    """Races of one mode each, as modes of one system, which don't know each other."""
    q, p = cells.matched_starts(2, depth, width, variance_of(depth, plateau), draws)
    lr = step * edge(depth)
    steps = int(np.ceil(_late(depth, plateau) / lr)) + LONGER
    system = Descent(Pathways(np.ones(draws), (depth, depth), q, p), lr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of lanes that diverge, which are counted
        run = simulate(system, [0.0, lr * steps], max_steps=steps + 1, throw=False, progress=False)
    return {"largest_share": largest_share(np.asarray(run["strength"])[-1])}


def _network(
    depth: int, step: float, decay: float, plateau: float, width: int, draws: int
) -> dict[str, np.ndarray]:
    """Trained networks of one mode."""
    task = examples.one_mode()
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
    return {"largest_share": largest_share(runs["strength"][:, -1])[:, 0]}


def _along(depth: int, step: float, plateau: float, width: int, rows: int) -> dict[str, np.ndarray]:
    """`edge`, lr sharpness / 2 (row,) along the training of one network of one mode, and `time`,
    the part of the run."""
    task = examples.one_mode()
    network = parallel(task, [depth, depth], width)
    law = init.Gaussian(std=float(np.sqrt(variance_of(depth, plateau) / width)))
    lr = step * edge(depth)
    steps = int(np.ceil(2 * _late(depth, plateau) / lr))
    run = train(
        network,
        task,
        network.init(law, key=0),
        lr=lr,
        steps=steps,
        save_every=max(steps // rows, 1),
        observe=["sharpness"],
        progress=False,
    )
    sharpness = run["sharpness"][:rows]  # as many of every step size
    return {"edge": lr * sharpness / 2, "time": np.asarray(run.ts[:rows]) / run.ts[-1]}


def _mean(share: np.ndarray) -> np.ndarray:
    """Over draws, the last axis, of those that ended in numbers."""
    finite = np.isfinite(share)
    total = np.sum(np.where(finite, share, 0), axis=-1)
    return np.asarray(np.where(finite.any(axis=-1), total, np.nan) / np.maximum(finite.sum(-1), 1))


def _said(steps: Sequence[float], share: np.ndarray) -> str:
    return ", ".join(f"{step:g}: {x:.3f}" for step, x in zip(steps, _mean(share), strict=True))


STUDY = Study(
    name="concentration.step",
    source="racedyn",
    title="steps of finite size spread features again",
    claim=(
        "beyond 2 / sharpness of the end that one pathway has alone, descent goes to the largest "
        "share that is stable, sum_a w_a^(2-2/D) = 2 / (lr sharpness), down to equal ones"
    ),
    published=FULL,
    quick=QUICK,
    make=figure,
)
