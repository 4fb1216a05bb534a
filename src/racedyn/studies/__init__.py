"""Figures from scratch, published ones and our own: a folder per paper, a file per figure.

`reproduce("shi2022.fig5")` trains, solves, writes NAME.h5 and NAME.png, and says the paper's claim
beside the number found.

- `concentration`: our own, when features concentrate in pathways.
- `study`: what every study shares: its runs are kept as they end, and its finding is printed.
- `legends`: legends of panels whose curves leave no room for one.
- `references`: the papers and solvers behind a result.
- `shared_xor`: a ReLU network on XoR beside its gated twins, for figures of two papers.
"""

from importlib import import_module
from typing import Any

from racedyn._checks import check_name
from racedyn.studies.references import REFERENCES, cite
from racedyn.studies.study import Finding, Job, Reproduced, Study, run_study

# A folder here, whose face lists its STUDIES, and a line: all that another paper needs.
PAPERS = (
    "shi2022",
    "saxe2019",
    "saxe2022",
    "jarvis2025",
    "domine2025",
    "zhang2024",
    "concentration",
)
STUDIES: dict[str, Study] = {
    study.name: study
    for paper in PAPERS
    for study in import_module(f"racedyn.studies.{paper}").STUDIES
}


def reproduce(name: str, **options: Any) -> Reproduced:
    """Reproduce the study `name`, a key of `STUDIES`; options as in `run_study`.

    In Python switch `jax_enable_x64` on first, as the command line does. Raises `ValueError` for an
    unknown name.

        >>> done = rd.studies.reproduce("shi2022.fig4", quick=True, progress=False)
        >>> print(str(done).splitlines()[0])
        shi2022.fig4: maps over the first epochs
        >>> done.path.name
        'shi2022.fig4.quick.h5'
    """
    return run_study(STUDIES[check_name("name", name, STUDIES)], **options)


__all__ = [
    "REFERENCES",
    "STUDIES",
    "Finding",
    "Job",
    "Reproduced",
    "Study",
    "cite",
    "reproduce",
    "run_study",
]
