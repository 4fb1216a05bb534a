"""What `reduce` was asked, checked: what every reduction is built of."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from racedyn._types import Path, Times, Weights
from racedyn.networks import Network
from racedyn.paths import Pair
from racedyn.reduction.validity import rounding
from racedyn.rules import Stages
from racedyn.tasks import Modes, Task


class Assignment(NamedTuple):
    """**Fields:** `network`, `task`, `weights`; `weight_decay`; `stages`; `paths`: the observed
    ones, with their names; `modes`: in which they are read, by pair; and, of single levels,
    `other`: the task whose modes these are, None for the task's own; `bases`, `branch`; `error`, of
    the level "compressed", and `ts`, over which it holds.
    """

    network: Network
    task: Task
    weights: Weights
    weight_decay: float
    stages: Stages
    paths: Mapping[Path, str]
    modes: Mapping[Pair, Modes]
    other: Task | None
    bases: str
    branch: str
    error: float
    ts: Times | None

    @property
    def matrices(self) -> dict[str, np.ndarray]:
        return {edge: np.asarray(matrix, np.float64) for edge, matrix in self.weights.items()}

    @property
    def tolerance(self) -> float:
        return max(rounding(matrix.dtype) for matrix in self.weights.values())
