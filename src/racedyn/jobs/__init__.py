"""The main job, from a configuration to a file and its figures, and what an earlier run of it
left.

- `run`: the job from start to end, as one function.
- `sizes`: what a run would need; sizes that no machine can hold are refused before it begins.
- `build`: task, network and law of the initial weights from a configuration.
- `resuming`: what an earlier run left, and whether this one may go on from it.
- `remarks`: what a reader should know of a compressed theory beside its errors.
- `results`: what a run computed, its file and its figures.
"""

from racedyn.jobs.results import NotSavedError, RunResult, draw
from racedyn.jobs.run import Interrupted, run

__all__ = ["Interrupted", "NotSavedError", "RunResult", "draw", "run"]
