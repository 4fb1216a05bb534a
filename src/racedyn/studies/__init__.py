"""Published figures from scratch: one module per paper, each figure a function.

`reproduce("shi2022.fig5")` trains, solves, writes NAME.h5 and NAME.png, and says the paper's claim
beside the number found."""

from typing import Any

from racedyn._checks import check_name
from racedyn.studies import jarvis2025, saxe2019, saxe2022, shi2022
from racedyn.studies.references import REFERENCES, cite
from racedyn.studies.study import Finding, Job, Reproduced, Study, run_study

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (*shi2022.STUDIES, *saxe2019.STUDIES, *saxe2022.STUDIES, *jarvis2025.STUDIES)
}


def reproduce(name: str, **options: Any) -> Reproduced:
    """Reproduce the study `name`; options as in `run_study`. Raises `ValueError` for an unknown
    name.
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
