"""Figure 8: tanh pathways, depth by depth."""

from racedyn.studies.shi2022.pathways import BY_DEPTH, CLAIM, by_depth, study
from racedyn.studies.study import Finding, Job


def figure(job: Job) -> Finding:
    """As figure 5, with tanh after every matrix, each pathway's last included."""
    return by_depth(job, "tanh")


STUDY = study(
    8, "tanh pathways", CLAIM + ", with tanh too", figure, BY_DEPTH, ours=["seeds"], seeds=[0]
)
