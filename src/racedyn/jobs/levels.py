"""The theories beside a training: which levels a configuration asks for, and each reduction."""

from racedyn._types import Weights
from racedyn.config import Config
from racedyn.networks import Network
from racedyn.reduction import reduce
from racedyn.rules import as_loss
from racedyn.systems import AbstractSystem
from racedyn.tasks import Task


def levels_beside(config: Config) -> tuple[str, ...]:
    """`theory.level` first, then those beside it: "pathway" unless others are named."""
    asked = config.theory
    beside = ("pathway",) if asked.beside is None else asked.beside
    return tuple(dict.fromkeys((asked.level, *beside)))


def only_trained(config: Config, network: Network) -> str:
    """Why there is no theory beside a training; "" where there is one."""
    if not network.linear:
        return "a nonlinear network has no reduction: it was only trained"
    if as_loss(config.train.loss).kind != "squared":
        return "theories are of squared error: by cross-entropy it was only trained"
    return ""


def reduced_to(
    level: str, config: Config, network: Network, task: Task, weights: Weights
) -> AbstractSystem:
    """The system of this level, as the configuration asks for it. Raises `ValueError` where it does
    not apply."""
    asked, train = config.theory, config.train
    flow_time = train.lr * train.steps * as_loss(train.loss).factor(task)
    compressed = level in ("best", "compressed")
    return reduce(
        network,
        task,
        weights,
        level=level,
        inexact=asked.inexact,
        weight_decay=train.weight_decay,
        tolerance=asked.tolerance if compressed else None,
        ts=[0.0, flow_time] if compressed else None,
    )
