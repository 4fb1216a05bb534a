"""What the questions on compression share: networks, tasks, starts, and the error of a run.

All but the graphs are two pathways that learn the hierarchical task (8 items, 15 properties). `g`
is the gain of a layer, N std^2 of Gaussian weights.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import racedyn as rd

Run = Mapping[str, Any]
ROOT = Path(__file__).parents[1]


class Case(NamedTuple):
    """A training that is to be compressed."""

    network: rd.Network
    task: rd.Task
    std: float
    lr: float
    steps: int
    tolerance: float = 1e-3
    loss: str = "mean"

    def weights(self, key: int = 0) -> dict[str, Any]:
        return jax.block_until_ready(self.network.init(rd.init.Gaussian(std=self.std), key=key))

    @property
    def descent(self) -> dict[str, Any]:
        return {"lr": self.lr, "steps": self.steps, "loss": self.loss}

    def train(self, *problem: Any, **changed: Any) -> Run:
        return rd.train(*problem, **{**self.descent, "progress": False, **changed})

    def compress(self, weights: Any, **more: Any) -> Any:
        settings = {"tolerance": self.tolerance, **self.descent, **more}
        return rd.compress(self.network, self.task, weights, **settings)


def pathways(
    depths: tuple[int, ...],
    width: int,
    g: float = 0.1,
    lr: float = 0.1,
    steps: int = 2500,
    std: float = 0.0,
    **more: Any,
) -> Case:
    task = rd.tasks.hierarchy(items=8)
    network = rd.networks.parallel(task, depths=depths, width=width)
    return Case(network, task, std or np.sqrt(g / width), lr, steps, **more)


def skips() -> Case:
    """Skip connections, and a node that several paths share."""
    task = rd.tasks.hierarchy(items=8)
    nodes = {"x": 8, "a": 130, "b": 150, "c": 140, "y": 15}
    edges = {name: (name[0], name[1]) for name in ("xa", "ab", "xb", "bc", "ac", "cy", "ay")}
    asked = rd.Task(inputs={"x": task.X}, targets={"y": task.Y})
    return Case(rd.Network(nodes, edges), asked, 0.027, 0.1, 2500)


def routing() -> Case:
    task = rd.tasks.routing(domains=3, trained=2)
    return Case(rd.networks.routing(task, width=120), task, 0.03, 0.05, 2500, loss="routes")


def correlated() -> Case:
    draw = np.random.default_rng(0)
    X = draw.normal(size=(6, 20)) * np.array([1.0, 0.9, 0.8, 0.5, 0.3, 0.1])[:, None]
    Y = np.vstack([draw.normal(size=(2, 6)) @ X, draw.normal(size=20)])
    task = rd.tasks.from_arrays(X, Y)
    return Case(rd.networks.parallel(task, depths=(3, 4), width=140), task, 0.027, 0.1, 2500)


def animals() -> Case:
    task = rd.tasks.example("animals")
    return Case(rd.networks.parallel(task, depths=(3, 3), width=120), task, 0.03, 0.04, 2500)


README: dict[str, Any] = {"std": 0.02, "lr": 0.04, "steps": 6000}
CASES: dict[str, Callable[[], Case]] = {
    "small": lambda: pathways((3, 3), 60, steps=1000),
    "readme": lambda: pathways((4, 4), 200, **README),
    "depth-3": lambda: pathways((3, 3), 200, **{**README, "tolerance": 1e-5}),
    "depth-7": lambda: pathways((7, 7), 200, steps=10_000),
    "depth-7-wider": lambda: pathways((7, 7), 500, steps=10_000),
    "depth-10": lambda: pathways((10, 10), 200, g=0.5, lr=0.02, steps=6000),
    "three": lambda: pathways((3, 3, 3), 150),
    "depths-2-5": lambda: pathways((2, 5), 150),
    "skips": skips,
    "routing": routing,
    "correlated": correlated,
    "animals": animals,
    "wide": lambda: pathways((4, 4), 1000, std=0.01, lr=0.04, steps=6000),
}
# Where estimates are set beside the truth.
SMALL = [
    pathways(depths, width, g=g, steps=steps)
    for depths, widths, gains, steps in (
        ((3, 3), (60, 100, 150), (0.1, 0.3, 0.1), 1500),
        ((4, 4), (60, 100, 150), (0.3, 0.1, 0.2), 2000),
        ((5, 5), (80, 120, 150), (0.3, 0.3, 0.2), 2000),
        ((7, 7), (100, 120, 150), (0.5, 0.4, 0.4), 2000),
    )
    for width, g in zip(widths, gains, strict=True)
]


def error(run: Run, truth: Run) -> dict[str, float]:
    """Relative L2 over a whole run, of all strengths and of the loss."""
    return {name: distance(run[name], truth[name]) for name in ("strength", "loss")}


def distance(rows: Any, truth: Any) -> float:
    known = np.isfinite(truth)
    off = np.where(known, np.asarray(rows) - truth, 0.0)
    return float(np.linalg.norm(off) / np.linalg.norm(np.asarray(truth)[known]))


def winners(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """The strongest pathway of each mode at the end, and its share."""
    K = np.abs(np.asarray(run["strength"])[-1])
    return K.argmax(axis=0), K.max(axis=0) / K.sum(axis=0)
