"""The main job, from a configuration to a file and its figures, and what an earlier run of it
left; and many of them, over axes.

- `run`: the job from start to end, as one function.
- `sizes`: what a run would need; sizes that no machine can hold are refused before it begins.
- `build`: task, network and law of the initial weights from a configuration.
- `resuming`: what an earlier run left, and whether this one may go on from it.
- `levels`: the theories beside a training, as a configuration asks for them.
- `remarks`: what a reader should know of a compressed theory beside its errors.
- `results`: what a run computed, its file and its figures.
- `executors`: blocks of a job computed here, in processes of this machine, or on others.
- `workers`: processes of this machine that compute blocks.
- `worker`: what such a process runs.
- `slurm`: blocks in a job array of Slurm.
- `calls`: one block in another process, with the settings of this one.
- `tally`: which blocks are done.
- `sweeps`: many configurations, or calls of a function, over axes.
- `shards`: a plan cut into parts that know nothing of each other.
"""

from racedyn.jobs.executors import Work as Work
from racedyn.jobs.executors import execute as execute
from racedyn.jobs.results import NotSavedError, RunResult, draw
from racedyn.jobs.run import Interrupted, run
from racedyn.jobs.shards import parse_shard as parse_shard
from racedyn.jobs.shards import shard as shard
from racedyn.jobs.shards import submit_line as submit_line
from racedyn.jobs.sweeps import Folder as Folder
from racedyn.jobs.sweeps import axes_in_words as axes_in_words
from racedyn.jobs.sweeps import merged as merged
from racedyn.jobs.sweeps.sweep import sweep

__all__ = ["Interrupted", "NotSavedError", "RunResult", "draw", "run", "sweep"]
