"""Loss conventions: how each paper's loss and step size become flow time (one place owns them).

The package's loss is L = 1/2 < |y - yhat|^2 >, the mean over examples and the sum over outputs; of
classes it may be cross-entropy instead. A paper that descends `factor` x L with step size eta moves
the weights as a step of `factor` x eta on L does, so that

    t / tau = factor * eta * step.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NoReturn, TypeAlias

import jax.numpy as jnp
import numpy as np

from racedyn._checks import check_name, fail
from racedyn._types import Array
from racedyn.tasks import Task

SOFT = 1e-6  # how near the sum of an example's targets is to 1 where they are probabilities
Kind: TypeAlias = Literal["squared", "cross_entropy"]  # what L is


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss convention: `factor(task)` x L, with the paper whose published code has it. `kind`:
    what L is.
    """

    name: str
    formula: str
    source: str
    factor: Callable[[Task], float]
    kind: Kind = "squared"


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
        Loss(
            "mse",
            "mean over examples and outputs, of all output nodes, of (y - yhat)^2",
            "torch.nn.MSELoss",
            _mse,
        ),
        Loss(
            "routes",
            "sum over trained routes of the MSE over items and outputs",
            "[Saxe22]",
            _routes,
        ),
        Loss(
            "cross_entropy",
            "-< log softmax(yhat)_c > of each example's class c, mean over examples, sum over "
            "output nodes",
            "torch.nn.CrossEntropyLoss",
            lambda task: 1.0,
            "cross_entropy",
        ),
    )
}


def as_loss(loss: Any) -> Loss:
    """A `Loss`, or the one of this name. Raises `ValueError` for an unknown name."""
    return loss if isinstance(loss, Loss) else LOSSES[check_name("loss", loss, LOSSES)]


def check_classes(task: Task, dtype: Any, kind: Kind = "squared") -> None:
    """Refuse targets that are no classes in numbers of `dtype`. At each output node an example has
    one entry that is larger than all others, its class; or zeros alone, and then it has none there.
    Of the kind "cross_entropy" also soft targets, probabilities of several classes: only the class
    of the largest would count.
    """
    remedy = "Cross-entropy and accuracy are of classes, such as one-hot targets."

    def refuse(but: str) -> NoReturn:
        fail("task", "have targets with one largest entry per example and node", but, remedy)

    targets = task.targets_once
    if not any(Y.any() for Y in targets.values()):
        refuse("all are zero")
    for node, Y in targets.items():
        if len(Y) < 2:
            refuse(f"node {node!r} has one unit")
        held = Y.astype(dtype)
        largest = held == held.max(axis=0)
        ties = np.flatnonzero((largest.sum(axis=0) > 1) & held.any(axis=0))
        if ties.size:
            example = ties[0]
            # 0 added to -0 is 0
            value, places = held[:, example].max() + 0.0, largest[:, example].sum()
            refuse(f"example {example} (from 0) has {value:g} in {places} places at node {node!r}")
        several = (np.count_nonzero(Y, axis=0) > 1) & np.all(Y >= 0, axis=0)
        soft = np.flatnonzero(several & (np.abs(Y.sum(axis=0) - 1) < SOFT))
        if kind == "cross_entropy" and soft.size:
            fail(
                "task",
                "have classes as targets, as cross-entropy is of the largest entry's class alone",
                f"example {soft[0]} (from 0) has probabilities of several at node {node!r}",
                "One-hot targets; or squared error, which learns soft targets.",
            )


def has_class(Y: Array) -> Array:
    """Which examples have a class at a node, (P,): targets of the others are all zero."""
    return jnp.any(Y != 0, axis=0)


def one_hot(Y: Array) -> Array:
    """1 at each example's class, else 0, (n, P); see `check_classes`."""
    return ((jnp.max(Y, axis=0) == Y) & has_class(Y)).astype(Y.dtype)
