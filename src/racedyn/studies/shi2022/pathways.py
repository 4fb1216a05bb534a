"""Two pathways on the hierarchical task, trained and in theory: what the figures of Shi et al. 2022
share.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from racedyn import plot
from racedyn.networks import Network, init, parallel
from racedyn.paths import participation
from racedyn.plot import new_figure, share_legend
from racedyn.reduction import reduce
from racedyn.simulation import simulate
from racedyn.studies.study import Finding, Job, Study
from racedyn.tasks import Task, hierarchy
from racedyn.training import train
from racedyn.trajectory import BY_DEFAULT, Trajectory

NUM_PATHWAYS = 2
SEEN = 0.02  # of the largest strength: a change that a figure shows
EPOCHS = {2: 1000, 3: 10000, 4: 10000, 7: 20000}

PUBLISHED: Mapping[str, Any] = {"width": 1000, "std": 0.01, "lr": 0.01, "dtype": "float32"}
# A tenth of the width at the same N sigma^2 = 0.1, on which the dynamics depend.
QUICK: Mapping[str, Any] = {"width": 100, "std": 0.1 / 10**0.5, "lr": 0.01, "dtype": "float32"}

CLAIM = "as depth grows, each mode concentrates in one of the pathways"
BY_DEPTH: Mapping[str, Any] = {"depths": list(EPOCHS), "seeds": [0, 1, 2]}


def network_of(job: Job, task: Task, depth: int, activation: str) -> Network:
    """Two pathways of this depth; a nonlinear one's last matrix is followed by it too."""
    width = job.settings["width"]
    return parallel(
        task,
        [depth] * NUM_PATHWAYS,
        width,
        activation=activation,
        activate_last=activation != "linear",
    )


def trained(
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
    network = network_of(job, task, depth, activation)

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


def theory(job: Job, depth: int, seed: int, ts: Any) -> Trajectory:
    """The q/p equations of the linear network from the weights that `trained` starts from."""
    task = hierarchy(8)
    network = network_of(job, task, depth, "linear")

    def make() -> Trajectory:
        weights = network.init(init.Gaussian(job.settings["std"]), key=seed)
        return simulate(reduce(network, task, weights), ts, progress=job.progress)

    return job.keep(f"theory_{depth}_seed{seed}", make)


def by_depth(job: Job, activation: str) -> Finding:
    """Strengths over training and maps at its end, depth by depth; participation in training and in
    theory.
    """
    depths, seeds = job.settings["depths"], job.settings["seeds"]
    runs = {depth: [trained(job, depth, seed, activation) for seed in seeds] for depth in depths}
    panels = new_figure(len(depths), 1 + NUM_PATHWAYS, height=1.9 * len(depths))
    for row, depth in enumerate(depths):
        race, *maps = panels[row * (1 + NUM_PATHWAYS) : (row + 1) * (1 + NUM_PATHWAYS)]
        plot.strengths(runs[depth][0], ax=race)
        race.set_title(f"D = {depth}")
        show_learning(race, runs[depth][0])
        plot.strength_maps(runs[depth][0], axes=maps)
        for ax, pathway in zip(maps, range(NUM_PATHWAYS), strict=True):
            ax.set_title(f"pathway {pathway + 1}, at the end" if row == 0 else "")
        maps[-1].set_ylabel("")
        for ax in (race, *maps) if row < len(depths) - 1 else ():
            ax.set_xlabel("")
    share_legend(panels)
    return Finding(panels, concentration(job, depths, runs))


def show_learning(ax: Any, run: Trajectory) -> None:
    """Time logarithmic, and only the decades in which strengths change: a deep network learns in a
    small part of the published run.
    """
    ts, K = np.asarray(run.ts), np.asarray(run["strength"], np.float64)
    begun, going = (
        np.flatnonzero(np.abs(K - end).max(axis=(1, 2)) > SEEN * np.abs(K[-1]).max())
        for end in (K[0], K[-1])
    )
    if len(begun):
        first, last = np.log10(ts[begun[0]] / 1.2), np.log10(1.2 * ts[going[-1] + 1])
        ax.set(xscale="log", xlim=(10 ** np.floor(first), min(10 ** np.ceil(last), ts[-1])))
        ax.xaxis.set_minor_formatter("")


def concentration(
    job: Job, depths: Sequence[int], runs: Mapping[int, Sequence[Trajectory]]
) -> tuple[str, ...]:
    """Participation against depth: as trained, and the linear theory from the same weights."""
    rows: dict[str, list[np.ndarray]] = {"trained": [], "linear theory": []}
    for depth in depths:
        ts = np.asarray(runs[depth][0].ts)
        rows["trained"].append(final_participation(runs[depth]))
        solved = [theory(job, depth, seed, ts) for seed in job.settings["seeds"]]
        rows["linear theory"].append(final_participation(solved))
    return table("participation of learned modes", depths, rows)


def table(
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


def final_participation(runs: Sequence[Trajectory]) -> np.ndarray:
    """Participation of every mode of every run that has learned it by the end (half of S/d): one
    number each.
    """
    values, modes = [], hierarchy(8).modes
    for run in runs:
        end = np.asarray(run["strength"], np.float64)[-1]
        values.append(participation(end)[end.sum(axis=0) > 0.5 * modes.S / modes.variances])
    return np.concatenate(values)


def study(
    figure: int,
    title: str,
    claim: str,
    make: Callable[[Job], Finding],
    own: Mapping[str, Any],
    *,
    ours: Collection[str],
    **quick: Any,
) -> Study:
    """A figure of networks in these settings and its `own`, of which `quick` replaces some;
    `ours`: those that are not published, beside the precision of numbers."""
    return Study(
        f"shi2022.fig{figure}",
        "Shi22",
        title,
        claim,
        {**PUBLISHED, **own},
        {**QUICK, **own, **quick},
        make,
        ("dtype", *ours),
    )
