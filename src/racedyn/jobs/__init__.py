"""The main job, from a configuration to a file and its figures, and what an earlier run of it
left.
"""

from racedyn.jobs.results import NotSavedError, RunResult, draw
from racedyn.jobs.run import Interrupted, run

__all__ = ["Interrupted", "NotSavedError", "RunResult", "draw", "run"]
