"""Figure 5: linear pathways, depth by depth."""

from racedyn.studies.shi2022.pathways import BY_DEPTH, CLAIM, by_depth, study
from racedyn.studies.study import Finding, Job


def figure(job: Job) -> Finding:
    """Strengths over training and maps at its end, depth by depth; participation in training and in
    theory.
    """
    return by_depth(job, "linear")


STUDY = study(5, "linear pathways of depth 2, 3, 4, 7", CLAIM, figure, BY_DEPTH, ours=["seeds"])
