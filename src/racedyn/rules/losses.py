"""Loss conventions: how each paper's loss and step size become flow time (one place owns them).

The package's loss is L = 1/2 < |y - yhat|^2 >, the mean over examples and the sum over outputs. A
paper that descends `factor` x L with step size eta moves the weights as a step of `factor` x eta on
L does, so that

    t / tau = factor * eta * step.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from racedyn._checks import check_name
from racedyn.tasks import Task


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss convention: `factor(task)` x L, with the paper whose published code has it."""

    name: str
    formula: str
    source: str
    factor: Callable[[Task], float]


def _routes(task: Task) -> float:
    """2 K M / n_out: trained routes are the contexts that have examples; each is read at one output
    node.
    """
    (num_outputs,) = set(task.output_widths.values())
    return 2.0 * np.count_nonzero(task.examples_of) / num_outputs


def _mse(task: Task) -> float:
    return 2.0 / sum(task.output_widths.values())


LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss(
            "mean",
            "1/2 < |y - yhat|^2 >, mean over examples, sum over outputs",
            "racedyn",
            lambda task: 1.0,
        ),
        Loss(
            "half_sum",
            "1/2 sum over examples |y - yhat|^2",
            "[Jarvis25]",
            lambda task: float(task.num_examples),
        ),
        Loss(
            "sum", "sum over examples |y - yhat|^2", "[Shi22]", lambda task: 2.0 * task.num_examples
        ),
        Loss("mse", "mean over examples and outputs of (y - yhat)^2", "torch.nn.MSELoss", _mse),
        Loss(
            "routes",
            "sum over trained routes of the MSE over items and outputs",
            "[Saxe22]",
            _routes,
        ),
    )
}


def as_loss(loss: Any) -> Loss:
    """A `Loss`, or the one of this name. Raises `ValueError` for an unknown name."""
    return loss if isinstance(loss, Loss) else LOSSES[check_name("loss", loss, LOSSES)]
