"""The triple that every door takes: a network, the task that it learns, and where it starts."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from racedyn._checks import fail, shown
from racedyn._text import clipped
from racedyn._types import Weights
from racedyn.networks.fit import check_task, check_weights
from racedyn.networks.network import Network
from racedyn.tasks import Task


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """A network, a task and weights that fit each other, checked once: when it is made.

    **Fields:** `network`; `task`; `weights`: edge -> (n_target, n_source), in the network's order.

    `train`, `reduce`, `project` and all else that takes `(network, task, weights)` takes a Problem
    in their place, and it unpacks into the three. Raises `ValueError` or `TypeError` where they do
    not fit.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.chain(task, depth=2, width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.01), key=0)
        >>> problem = rd.Problem(network, task, weights)
        >>> print(rd.reduce(problem).describe())
        Pathways of depths (2,), 4 modes
        >>> network, task, weights = problem
    """

    network: Network
    task: Task
    weights: Weights

    def __post_init__(self) -> None:
        check_task(self.network, self.task)
        object.__setattr__(self, "weights", check_weights(self.network, self.weights))

    def __iter__(self) -> Iterator[Any]:
        return iter((self.network, self.task, self.weights))

    def __repr__(self) -> str:
        dtype = next(iter(self.weights.values())).dtype
        return clipped(f"Problem({self.network}, {self.task}, weights of {dtype})")


def the_three(network: Any, task: Any = None, weights: Any = None) -> tuple[Network, Task, Weights]:
    """Network, task and weights that fit each other: those of a Problem, or checked here."""
    if not isinstance(network, Problem):
        if isinstance(getattr(network, "problem", None), Problem):
            but = f"it is {network!r}"
            fail("network", "be a Network or a Problem", but, "Pass its `.problem`.", TypeError)
        missing = [n for n, x in (("`task`", task), ("`weights`", weights)) if x is None]
        if missing:
            fail(
                "network, task, weights",
                "all be given, in this order",
                f"without {' and '.join(missing)}",
                "Or pass a Problem, which has the three.",
                TypeError,
            )
        network = Problem(network, task, weights)
    elif task is not None or weights is not None:
        but = f"{shown(weights if task is None else task)} is given"
        fail("task, weights", "be left out beside a Problem, which has them", but)
    return network.network, network.task, network.weights
