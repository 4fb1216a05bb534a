"""What `compress` returns."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from racedyn._text import clipped
from racedyn._types import Weights
from racedyn.networks import Network, Problem
from racedyn.tasks import Task
from racedyn.trajectory import Trajectory


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Compressed:
    """A narrow network that learns as a wide one does. Made by `racedyn.compress`.

    **Fields:** `network`, `task`, `weights`: the narrow network, which trains and reduces like any
    other, and whose runs are compared, drawn and saved like any others; `estimate`: {"strength",
    "loss"}, relative L2 error over the run, 0 where `exact`; `dimensions`: inner node ->
    directions; `run`: a Trajectory of the wide network, as it goes in all directions that its pass
    found; `bases`: node -> orthonormal columns (n, directions) where weights were given, None where
    they were drawn; `tolerance`; `share`: of a signal, that was let outside the bases; `exact`:
    whether all of it lies inside.
    """

    network: Network
    task: Task
    weights: Weights
    estimate: Mapping[str, float]
    dimensions: Mapping[str, int]
    run: Trajectory
    bases: Mapping[str, np.ndarray] | None
    tolerance: float
    share: float
    exact: bool
    wide: Network

    @property
    def problem(self) -> Problem:
        """Network, task and weights as one, which most functions take."""
        return Problem(self.network, self.task, dict(self.weights))

    def __repr__(self) -> str:
        return clipped(f"Compressed({self.network}, from {self.wide})")

    def __str__(self) -> str:
        sizes = [
            f"  {node:<12} {size} of {self.wide.nodes[node].width} directions"
            for node, size in self.dimensions.items()
        ]
        said = ", ".join(f"{name} {error:.1e}" for name, error in self.estimate.items())
        steps = None if self.run.step is None else int(self.run.step[-1])
        span = f"{self.run.ts[-1]:g} tau" if steps is None else f"{steps} steps"
        state = f"estimated error over {span}: {said}"
        state = "exact: its bases are closed" if self.exact else state
        left = float(self.run["loss"][-1] / self.run["loss"][0])
        early = f"  {left:.0%} of the loss is left: it says nothing of what comes after"
        return "\n".join(
            [f"Compressed {self.wide}", *sizes, f"  {state}", *([early] if left > 0.5 else [])]
        )
