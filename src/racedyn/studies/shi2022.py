"""Shi, Shea-Brown, Buice 2022, figures 3 to 8: pathways of equal depth compete for the modes of the
hierarchical task.

Published settings: inputs I_8, 15 targets, two pathways of width 1000, entries N(0, 0.01^2), step
0.01 on the sum of squares, 1000, 10000, 10000 and 20000 epochs at depths 2, 3, 4 and 7; single
precision. The seeds are ours."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from racedyn import plot
from racedyn.networks import Network, init, parallel
from racedyn.paths import participation
from racedyn.plot import new_figure, share_legend
from racedyn.reduction import reduce
from racedyn.simulation import simulate
from racedyn.studies.study import Finding, Job, Study
from racedyn.systems import Pathways
from racedyn.tasks import Task, hierarchy
from racedyn.training import train
from racedyn.trajectory import BY_DEFAULT, Trajectory

NUM_PATHWAYS = 2
EPOCHS = {2: 1000, 3: 10000, 4: 10000, 7: 20000}

PUBLISHED: Mapping[str, Any] = {"width": 1000, "std": 0.01, "lr": 0.01, "dtype": "float32"}
# A tenth of the width at the same N sigma^2 = 0.1, on which the dynamics depend.
QUICK: Mapping[str, Any] = {"width": 100, "std": 0.1 / 10**0.5, "lr": 0.01, "dtype": "float32"}


# --- runs
# --------------------------------------------------------------------------------------------------


def _network(job: Job, task: Task, depth: int, activation: str) -> Network:
    width = job.settings["width"]
    return parallel(
        task,
        [depth] * NUM_PATHWAYS,
        width,
        activation=activation,
        activate_last=activation != "linear",
    )


def _trained(
    job: Job,
    depth: int,
    seed: int,
    activation: str = "linear",
    *,
    epochs: int | None = None,
    save_every: int | None = None,
) -> Trajectory:
    """A network of these pathways, trained from entries N(0, std^2)."""
    task = hierarchy(8)
    network = _network(job, task, depth, activation)

    def make() -> Trajectory:
        return train(
            network,
            task,
            network.init(init.Gaussian(job.settings["std"]), key=seed),
            lr=job.settings["lr"],
            loss="sum",
            steps=epochs or EPOCHS[depth],
            save_every=save_every,
            dtype=job.settings["dtype"],
            observe=[*BY_DEFAULT, "strength_matrix"],
            progress=job.progress,
        )

    return job.keep(f"{activation}_{depth}_seed{seed}", make)


def _theory(job: Job, depth: int, seed: int, ts: Any) -> Trajectory:
    """The q/p equations of the linear network from the weights that `_trained` starts from."""
    task = hierarchy(8)
    network = _network(job, task, depth, "linear")

    def make() -> Trajectory:
        weights = network.init(init.Gaussian(job.settings["std"]), key=seed)
        return simulate(reduce(network, task, weights), ts, progress=job.progress)

    return job.keep(f"theory_{depth}_seed{seed}", make)


def _final_participation(runs: Sequence[Trajectory]) -> np.ndarray:
    """Participation of every mode of every run that has learned it by the end (half of S/d): one
    number each.
    """
    values, modes = [], hierarchy(8).modes
    for run in runs:
        end = np.asarray(run["strength"], np.float64)[-1]
        values.append(participation(end)[end.sum(axis=0) > 0.5 * modes.S / modes.variances])
    return np.concatenate(values)


# --- figures
# --------------------------------------------------------------------------------------------------


def fig3(job: Job) -> Finding:
    """Phase planes: balanced starts, K_a uniform below the initial scale, followed past the slowest
    escape.
    """
    depths, scales, starts = (job.settings[name] for name in ("depths", "scales", "starts"))
    panels = new_figure(len(scales), len(depths), height=2.1 * len(scales))
    found = {}
    for row, scale in enumerate(scales):
        for column, depth in enumerate(depths):
            key = jax.random.fold_in(jax.random.key(job.settings["seed"]), depth)
            factor = (scale * jax.random.uniform(key, (NUM_PATHWAYS, starts))) ** (1 / depth)
            # A balanced pathway leaves its plateau after q^(2-D) / (D-2), or ln(1/q) at D = 2, in
            # units of 1/S.
            slowest = float(jnp.min(jnp.max(factor, axis=0)))
            escape = -np.log(slowest) if depth == 2 else slowest ** (2 - depth) / (depth - 2)
            ts = np.linspace(0, 2 * escape + 10, 1000)
            system = Pathways(np.ones(starts), [depth] * NUM_PATHWAYS, factor, factor)
            run = job.keep(f"depth{depth}_scale{row}", partial(simulate, system, ts))
            found[scale, depth] = participation(run["strength"])[-1]
            ax = panels[row * len(depths) + column]
            plot.phase_plane(depth, trajectories=run, ax=ax)
            ax.set_title(f"D = {depth}, K(0) < {scale:g}")
    rows = {f"K(0) < {scale:g}": [found[scale, depth] for depth in depths] for scale in scales}
    share_legend(panels)
    return Finding(panels, _table("participation at the end", depths, rows))


def fig4(job: Job) -> Finding:
    """Maps U^T W_a V over the first epochs, until the first mode is learned."""
    depth, epochs, columns = (job.settings[name] for name in ("depth", "epochs", "columns"))
    run = _trained(
        job, depth, job.settings["seed"], epochs=epochs, save_every=epochs // (columns - 1)
    )
    panels = plot.strength_maps(run, at=list(np.asarray(run.ts)))
    # In the sum the parts off the diagonal cancel: it is what the task determines.
    total = np.asarray(run["strength_matrix"], np.float64).sum(axis=1)
    on = np.linalg.norm(np.diagonal(total, axis1=1, axis2=2), axis=1)
    summed = np.sqrt(np.maximum(np.linalg.norm(total, axis=(1, 2)) ** 2 - on**2, 0)) / on
    off = np.column_stack([np.asarray(run["off_diagonal"]), summed])
    lines = [
        "off-diagonal norm over diagonal norm of U^T W_a V",
        f"{'epoch':>8}  pathway 1  pathway 2  their sum",
    ]
    lines += [
        f"{step:>8}" + "".join(f"  {value:>9.3f}" for value in row)
        for step, row in zip(np.asarray(run.step), off, strict=True)
    ]
    return Finding(panels, tuple(lines))


def fig5(job: Job) -> Finding:
    """Strengths over training and maps at its end, depth by depth; participation in training and in
    theory.
    """
    return _by_depth(job, "linear")


def fig6(job: Job) -> Finding:
    """Two draws at one depth: which pathway wins a mode is decided by the initial weights."""
    depth, seeds = job.settings["depth"], job.settings["seeds"]
    runs = [_trained(job, depth, seed) for seed in seeds]
    panels = new_figure(1, len(runs), height=2.6)
    lines = []
    for seed, run, ax in zip(seeds, runs, panels, strict=True):
        plot.strengths(run, ax=ax)
        ax.set_title(f"D = {depth}, seed {seed}")
        theory = _theory(job, depth, seed, np.asarray(run.ts))
        for name, side in (("trained", run), ("theory", theory)):
            end = np.asarray(side["strength"])[-1]
            winners = " ".join(str(a + 1) for a in np.argmax(np.abs(end), axis=0))
            lines.append(f"seed {seed}, {name:<8} winners of modes 1-{end.shape[1]}: {winners}")
    share_legend(panels)
    return Finding(panels, (*lines, *_concentration(job, depths=[depth], runs={depth: runs})))


def fig7(job: Job) -> Finding:
    """As figure 5, with ReLU after every matrix."""
    return _by_depth(job, "relu")


def fig8(job: Job) -> Finding:
    """As figure 5, with tanh after every matrix, each pathway's last included."""
    return _by_depth(job, "tanh")


def _by_depth(job: Job, activation: str) -> Finding:
    depths, seeds = job.settings["depths"], job.settings["seeds"]
    runs = {depth: [_trained(job, depth, seed, activation) for seed in seeds] for depth in depths}
    panels = new_figure(len(depths), 1 + NUM_PATHWAYS, height=1.9 * len(depths))
    for row, depth in enumerate(depths):
        race, *maps = panels[row * (1 + NUM_PATHWAYS) : (row + 1) * (1 + NUM_PATHWAYS)]
        plot.strengths(runs[depth][0], ax=race)
        race.set_title(f"D = {depth}")
        race.set_xscale("log")  # a deep network learns in a small part of the published run
        plot.strength_maps(runs[depth][0], axes=maps)
    share_legend(panels)
    return Finding(panels, _concentration(job, depths, runs))


def _concentration(
    job: Job, depths: Sequence[int], runs: Mapping[int, Sequence[Trajectory]]
) -> tuple[str, ...]:
    """Participation against depth: as trained, and the linear theory from the same weights."""
    rows: dict[str, list[np.ndarray]] = {"trained": [], "linear theory": []}
    for depth in depths:
        ts = np.asarray(runs[depth][0].ts)
        rows["trained"].append(_final_participation(runs[depth]))
        theory = [_theory(job, depth, seed, ts) for seed in job.settings["seeds"]]
        rows["linear theory"].append(_final_participation(theory))
    return _table("participation of learned modes", depths, rows)


def _table(
    title: str, depths: Sequence[int], rows: Mapping[str, Sequence[np.ndarray]]
) -> tuple[str, ...]:
    """One line per row: mean and spread over modes and seeds at each depth, and how many there
    are.
    """

    def cell(values: np.ndarray) -> str:
        return (
            f"{values.mean():.2f} +- {values.std():.2f} ({len(values)})" if len(values) else "none"
        )

    lines = [f"{title:<32}" + "".join(f"{f'D = {depth}':>20}" for depth in depths)]
    lines += [
        f"  {name:<30}" + "".join(f"{cell(values):>20}" for values in cells)
        for name, cells in rows.items()
    ]
    return (
        *lines,
        f"  (1: one pathway has the mode; {NUM_PATHWAYS}: both share it; in brackets: how many "
        "modes)",
    )


_DEPTHS = list(EPOCHS)
_CLAIM = "as depth grows, each mode concentrates in one of the pathways"
_NETWORK = {"depths": _DEPTHS, "seeds": [0, 1, 2]}


def _study(
    figure: int,
    title: str,
    claim: str,
    make: Callable[[Job], Finding],
    own: Mapping[str, Any],
    **quick: Any,
) -> Study:
    return Study(
        f"shi2022.fig{figure}",
        "Shi22",
        title,
        claim,
        {**PUBLISHED, **own},
        {**QUICK, **own, **quick},
        make,
    )


STUDIES = (
    Study(
        "shi2022.fig3",
        "Shi22",
        "phase planes of two pathways",
        _CLAIM + ", the more the smaller the start",
        {"depths": [2, 3, 8, 13], "scales": [0.1, 0.01], "starts": 100, "seed": 0},
        {"depths": [2, 3, 8, 13], "scales": [0.1, 0.01], "starts": 20, "seed": 0},
        fig3,
    ),
    _study(
        4,
        "maps over the first epochs",
        "maps are diagonal in the modes as these are learned",
        fig4,
        {"depth": 4, "epochs": 150, "columns": 6, "seed": 0},
    ),
    _study(5, "linear pathways of depth 2, 3, 4, 7", _CLAIM, fig5, _NETWORK),
    _study(
        6,
        "two seeds at depth 7",
        "which pathway a mode ends in is decided by the initial weights",
        fig6,
        {"depth": 7, "seeds": [0, 1]},
    ),
    _study(7, "ReLU pathways", _CLAIM + ", with ReLU too", fig7, _NETWORK, seeds=[0]),
    _study(8, "tanh pathways", _CLAIM + ", with tanh too", fig8, _NETWORK, seeds=[0]),
)
