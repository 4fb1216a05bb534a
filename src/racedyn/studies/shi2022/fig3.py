"""Figure 3: phase planes of two pathways."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from racedyn import plot
from racedyn.paths import participation
from racedyn.plot import new_figure, share_legend
from racedyn.simulation import simulate
from racedyn.studies.shi2022.pathways import CLAIM, NUM_PATHWAYS, table
from racedyn.studies.study import Finding, Job, Study
from racedyn.systems import Pathways

TICKS = (0.0, 0.5, 1.0)  # S/d = 1


def figure(job: Job) -> Finding:
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
            ax.set(title=f"D = {depth}, K(0) < {scale:g}", xticks=TICKS, yticks=TICKS)
            ax.label_outer()
    rows = {f"K(0) < {scale:g}": [found[scale, depth] for depth in depths] for scale in scales}
    share_legend(panels)
    return Finding(panels, table("participation at the end", depths, rows))


STUDY = Study(
    "shi2022.fig3",
    "Shi22",
    "phase planes of two pathways",
    CLAIM + ", the more the smaller the start",
    {"depths": [2, 3, 8, 13], "scales": [0.1, 0.01], "starts": 100, "seed": 0},
    {"depths": [2, 3, 8, 13], "scales": [0.1, 0.01], "starts": 20, "seed": 0},
    figure,
    ("starts", "seed"),
)
