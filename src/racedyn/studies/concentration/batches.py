"""Networks of one mode, trained on batches: what they end at where the task can be fitted, and how
they move on where labels are noisy."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from racedyn.exact import pole
from racedyn.networks import init, parallel
from racedyn.paths import largest_share
from racedyn.simulation import ensemble
from racedyn.studies.concentration.examples import one_mode
from racedyn.studies.concentration.projectors import variance_of
from racedyn.studies.concentration.step import edge
from racedyn.tasks import Task, from_arrays
from racedyn.training import Training
from racedyn.trajectory import Trajectory

EXAMPLES = 64
FITTED = 1e-3  # loss, of 1/2 at the start
LATE = 1.5  # times the plateau: when the mode has long been learned
LONGER = 2000  # steps after that, in which unstable ends are left
ROWS = 24  # of the motion under noise of labels
KEYS = 10_000  # those of batches are others than those of weights


def fitted() -> Task:
    """One mode, S = d = 1: y = x, of examples x from a normal law, so that batches differ."""
    x = np.random.default_rng(0).normal(size=(1, EXAMPLES))
    x /= np.sqrt(np.mean(x**2))
    return from_arrays(x, x, name="one mode, inputs of many sizes")


def noisy(variance: float) -> Task:
    """The same mode, x = 1 or -1: all that batches differ in is what is added to y, normal draws
    that are orthogonal to x and have this variance over all examples."""
    x = np.resize([1.0, -1.0], (1, EXAMPLES))
    added = np.random.default_rng(0).normal(size=(1, EXAMPLES))
    added -= x * np.mean(added * x)
    added *= np.sqrt(variance / np.mean(added**2))
    return from_arrays(x, x + added, name="one mode, noisy labels")


def spread(batch: int) -> float:
    """1 / B for batches that repeat no example: of means over them, in units of what single
    examples have as variance."""
    return (EXAMPLES - batch) / (EXAMPLES - 1) / batch


def larger(batch: int) -> float:
    """<d_B^2> / d^2, d_B = <x^2> over a batch: as so much larger steps batches act."""
    return 1 + spread(batch) * float(np.var(fitted().X ** 2))


def _descend(
    task: Task,
    depth: int,
    law: init.Gaussian,
    width: int,
    members: Mapping[str, np.ndarray],
    **options: Any,
) -> Trajectory:
    """Two pathways, members of other weights, batches and step sizes."""
    network = parallel(task, [depth, depth], width)

    def member(of: Mapping[str, Any]) -> Training:
        weights = network.init(law, key=of["seed"])
        key = of["batches"] if options["batch_size"] else None
        return Training(network, task, weights, lr=of["lr"], key=key, **options)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of those that diverge, which are counted
        return ensemble(member, dict(members), progress=False)


def _members(seeds: np.ndarray, lr: np.ndarray) -> dict[str, np.ndarray]:
    return {"seed": seeds, "lr": lr, "batches": KEYS + np.arange(len(seeds))}


def _law(depth: int, plateau: float, width: int) -> init.Gaussian:
    return init.Gaussian(std=float(np.sqrt(variance_of(depth, plateau) / width)))


def ends(
    depth: int, batch: int, steps: Sequence[float], width: int, plateau: float, draws: int
) -> np.ndarray:
    """Largest shares (step, draw) of networks at the end of a task that they can fit; of all steps
    after as many, so that all are one program."""
    seeds = np.tile(np.arange(draws), len(steps))
    lr = np.repeat(np.array(steps) * edge(depth), draws)
    num = int(np.ceil(LATE * pole(depth) * plateau / lr.min())) + LONGER
    law = _law(depth, plateau, width)
    # Of all examples descent is that of one with the same S and d, and cheaper so.
    task, size = (one_mode(), None) if batch == EXAMPLES else (fitted(), batch)
    options = {"steps": num, "save_every": num, "batch_size": size}
    runs = _descend(task, depth, law, width, _members(seeds, lr), **options)
    share = largest_share(runs["strength"][:, -1])[:, 0]
    return np.where(runs["loss"][:, -1] < FITTED, share, np.nan).reshape(len(steps), draws)


def motion(
    depth: int,
    f: float,
    variance: float,
    batch: int,
    width: int,
    plateau: float,
    draws: int,
    until: float,
) -> dict[str, np.ndarray]:
    """`share` (draw, row), from when the mode is learned, of the pathway that has more of it then,
    and `tau` (row,) of `racedyn.exact.spreading_rate`."""
    lr = f * edge(depth)
    per_step = lr**2 * variance * spread(batch)
    every = int(np.ceil(until / per_step / ROWS))
    learned = int(np.ceil(LATE * pole(depth) * plateau / lr / every))
    law = _law(depth, plateau, width)
    options = {"steps": every * (learned + ROWS), "save_every": every, "batch_size": batch}
    members = _members(np.arange(draws), np.full(draws, lr))
    runs = _descend(noisy(variance), depth, law, width, members, **options)
    w = in_the_valley(runs["strength"][:, learned:, :, 0], depth)  # (draw, row, path)
    first = np.argmax(w[:, 0], axis=-1)
    share = np.take_along_axis(w, first[:, None, None], axis=-1)[..., 0]
    return {"share": share, "tau": per_step * every * np.arange(ROWS + 1)}


def in_the_valley(K: np.ndarray, depth: int) -> np.ndarray:
    """Strengths (..., path) less what fluctuates: moved along the gradient of their sum to 1."""
    g = np.abs(K) ** (2 - 2 / depth)
    total = K.sum(axis=-1, keepdims=True)
    return np.asarray(K - g / g.sum(axis=-1, keepdims=True) * (total - 1))
