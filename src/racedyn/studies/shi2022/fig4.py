"""Figure 4: maps over the first epochs."""

import numpy as np

from racedyn import plot
from racedyn.studies.shi2022.pathways import study, trained
from racedyn.studies.study import Finding, Job


def figure(job: Job) -> Finding:
    """Maps U^T W_a V over the first epochs, until the first mode is learned."""
    depth, epochs, columns = (job.settings[name] for name in ("depth", "epochs", "columns"))
    run = trained(
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


STUDY = study(
    4,
    "maps over the first epochs",
    "maps are diagonal in the modes as these are learned: their sum is; single pathways' are, "
    "while the first mode is learned, and turn out of the modes with the next ones",
    figure,
    {"depth": 4, "epochs": 150, "columns": 6, "seed": 0},
    ours=["seed", "columns"],
)
