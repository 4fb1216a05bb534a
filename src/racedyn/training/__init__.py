"""Gradient descent: a network trained on the host (`train`), and what was trained elsewhere, read
alike (`observe`).

- `train`: the function for users: gradient descent of the full network.
- `training`: `Training`, what it takes as one value, checked and ready for the device.
- `checkpoints`: `observe`: checkpoints of a training elsewhere, read as `train` reads its own.
- `asked`: the argument `observe=`: what is to be recorded, checked before anything is computed.
- `observation`: how that is read off weights, one row at a time.
- `run`: a training under way, block by block, and what is told of it.
- `descent`: its jitted part: steps, and observations between them.
- `rows`: the recorded rows, and the trajectory they make.
- `going_on`: training continued from an earlier run, perhaps on another task.
- `convergence`: whether a training came to its end.
"""

from racedyn.training.checkpoints import observe
from racedyn.training.convergence import Least as Least
from racedyn.training.convergence import judge as judge
from racedyn.training.descent import State as State
from racedyn.training.descent import advance as advance
from racedyn.training.descent import block_size as block_size
from racedyn.training.descent import calls as calls
from racedyn.training.descent import heavy_ball as heavy_ball
from racedyn.training.train import train
from racedyn.training.training import Training
from racedyn.training.training import settings_of as settings_of

__all__ = ["Training", "observe", "train"]
