"""The structure of tasks of many routes that all map one set of examples ([Saxe22] section 5)."""

import dataclasses
from typing import Any

import numpy as np

from racedyn._arrays import as_matrix, read_only
from racedyn._checks import fail, shown
from racedyn._types import Rebuilt
from racedyn.tasks.routing_task import RoutingTask
from racedyn.tasks.task import Task
from racedyn.tasks.transforms import check_transforms


@dataclasses.dataclass(frozen=True, eq=False)
class Routes(Rebuilt):
    """The structure of a routing task: which routes are trained, and what each of them maps.

    **Fields:** `routes` (M, M), True where input domain (row) is trained with output domain
    (column); `items` (n_in, P) and `features` (n_out, P), what one route maps; `name`, that of the
    task; `input_transforms`, `output_transforms`: what `tasks.routing` was given, or None. It is
    `task.structure` of what `tasks.routing` makes."""

    routes: np.ndarray
    items: np.ndarray
    features: np.ndarray
    name: str = "routing"
    input_transforms: np.ndarray | None = None
    output_transforms: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name in ("routes", "items", "features"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        if self.items.shape[1] != self.features.shape[1]:
            fail(
                "targets",
                "have one column per column of the inputs",
                f"there are {self.features.shape[1]} and {self.items.shape[1]}",
            )
        for name, rows in (("input_transforms", self.items), ("output_transforms", self.features)):
            checked = check_transforms(name, getattr(self, name), self.domains, len(rows))
            object.__setattr__(self, name, checked)

    @property
    def domains(self) -> int:
        return len(self.routes)

    @property
    def regular(self) -> bool:
        """Whether every input domain is trained with as many outputs as every output domain with
        inputs.
        """
        return len({*self.routes.sum(axis=0), *self.routes.sum(axis=1)}) == 1

    @property
    def parts(self) -> int:
        """How many sets of domains there are that no trained route joins: a route from one to
        another is never learned.
        """
        joined = np.eye(self.domains, dtype=bool)  # outputs, by trained routes there and back
        step = joined | (self.routes.T @ self.routes)
        while (further := joined @ step).sum() > joined.sum():
            joined = further
        return len({row.tobytes() for row in joined}) + int((~self.routes.any(axis=1)).sum())

    def untrained(self) -> Task:
        """The task on the routes that are not trained: a probe of generalisation. On other
        examples, too, with `on`.

        Raises `ValueError` where all are.

            >>> task = rd.tasks.routing(domains=3, trained=2)
            >>> held_out = {"inputs": 2 * np.eye(4), "targets": np.ones((7, 4))}
            >>> probe = task.structure.untrained().structure.on(**held_out)
            >>> probe.name, probe.num_examples
            ('untrained routes of routing, 3 domains, 2 trained, other examples', 12)
        """
        if self.routes.all():
            fail(
                "task",
                "have routes that are not trained",
                f"all {self.domains**2} are",
                "Lower `trained`.",
            )
        name = f"untrained routes of {self.name}"
        return RoutingTask(dataclasses.replace(self, routes=~self.routes, name=name))

    def on(self, inputs: Any, targets: Any) -> Task:
        """The task on the same routes with other examples, inputs (n_in, P) and targets (n_out, P):
        those of a test set. Raises `ValueError` where their rows are others.

            >>> train = rd.tasks.routing(domains=3, trained=2)
            >>> test = train.structure.on(inputs=2 * np.eye(4), targets=np.ones((7, 4)))
            >>> test.name, test.num_examples
            ('routing, 3 domains, 2 trained, other examples', 24)
        """
        items, features = as_matrix("inputs", inputs), as_matrix("targets", targets)
        for argument, rows, known in (
            ("inputs", items, self.items),
            ("targets", features, self.features),
        ):
            if len(rows) != len(known):
                fail(argument, f"have {len(known)} rows as the task's", f"it has {len(rows)}")
        name = f"{self.name}, other examples"
        return RoutingTask(dataclasses.replace(self, items=items, features=features, name=name))

    def __repr__(self) -> str:
        return f"Routes({self})"

    def __str__(self) -> str:
        apart = f", which join domains in {self.parts} parts" if self.parts > 1 else ""
        return f"{self.routes.sum()} of {self.domains**2} routes are trained{apart}"


def routes_of(task: Any) -> Routes:
    """The structure of a task of `tasks.routing`. Raises `TypeError` for another."""
    structure = getattr(task, "structure", None)
    if not isinstance(structure, Routes):
        fail("task", "be one of tasks.routing", f"it is {shown(task)}", error=TypeError)
    return structure
