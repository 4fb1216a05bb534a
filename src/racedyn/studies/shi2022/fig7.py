"""Figure 7: ReLU pathways, depth by depth."""

from racedyn.studies.shi2022.pathways import BY_DEPTH, CLAIM, by_depth, study
from racedyn.studies.study import Finding, Job


def figure(job: Job) -> Finding:
    """As figure 5, with ReLU after every matrix."""
    return by_depth(job, "relu")


STUDY = study(
    7, "ReLU pathways", CLAIM + ", with ReLU too", figure, BY_DEPTH, ours=["seeds"], seeds=[0]
)
