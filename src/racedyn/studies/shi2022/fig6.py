"""Figure 6: two draws at one depth."""

import numpy as np

from racedyn import plot
from racedyn.plot import new_figure, share_legend
from racedyn.studies.shi2022.pathways import concentration, show_learning, study, theory, trained
from racedyn.studies.study import Finding, Job


def figure(job: Job) -> Finding:
    """Two draws at one depth: which pathway wins a mode is decided by the initial weights."""
    depth, seeds = job.settings["depth"], job.settings["seeds"]
    runs = [trained(job, depth, seed) for seed in seeds]
    panels = new_figure(1, len(runs), height=2.6)
    lines = []
    for seed, run, ax in zip(seeds, runs, panels, strict=True):
        plot.strengths(run, ax=ax)
        ax.set_title(f"D = {depth}, seed {seed}")
        show_learning(ax, run)
        solved = theory(job, depth, seed, np.asarray(run.ts))
        for name, side in (("trained", run), ("theory", solved)):
            end = np.asarray(side["strength"])[-1]
            winners = " ".join(str(a + 1) for a in np.argmax(np.abs(end), axis=0))
            lines.append(f"seed {seed}, {name:<8} winners of modes 1-{end.shape[1]}: {winners}")
    share_legend(panels)
    return Finding(panels, (*lines, *concentration(job, depths=[depth], runs={depth: runs})))


STUDY = study(
    6,
    "two seeds at depth 7",
    "which pathway a mode ends in is decided by the initial weights",
    figure,
    {"depth": 7, "seeds": [0, 1]},
    ours=["seeds"],
)
