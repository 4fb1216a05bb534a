"""The routing task: every input domain is to be mapped to every output domain, some routes are
trained ([Saxe22] section 5).
"""

import dataclasses
from typing import Any

import jax
import numpy as np

from racedyn._arrays import as_matrix, read_only
from racedyn._checks import as_key, check_name, check_positive_int, fail, shown
from racedyn.tasks.task import Task

# [Saxe22] fig. 4c: 4 items, a small hierarchy of 7 features.
ITEMS = np.eye(4)
FEATURES = np.vstack([[6.0, 6, 6, 6], [4, 4, 0, 0], [0, 0, 4, 4], 3 * np.eye(4)])


@dataclasses.dataclass(frozen=True, eq=False)
class Routes:
    """The structure of a routing task: which routes are trained, and what each of them maps.

    **Fields:** `routes` (M, M), True where input domain (row) is trained with output domain
    (column); `items` (n_in, P) and `features` (n_out, P), what one route maps; `name`, that of the
    task. It is `task.structure` of what `tasks.routing` makes."""

    routes: np.ndarray
    items: np.ndarray
    features: np.ndarray
    name: str = "routing"

    def __post_init__(self) -> None:
        for name in ("routes", "items", "features"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def domains(self) -> int:
        return len(self.routes)

    @property
    def regular(self) -> bool:
        """Whether every input domain is trained with as many outputs as every output domain with
        inputs.
        """
        return len({*self.routes.sum(axis=0), *self.routes.sum(axis=1)}) == 1

    def untrained(self) -> Task:
        """The task on the routes that are not trained: a probe of generalisation.

        Raises `ValueError` where all are.
        """
        if self.routes.all():
            fail(
                "task",
                "have routes that are not trained",
                f"all {self.domains**2} are",
                "Lower `trained`.",
            )
        return _on(~self.routes, self.items, self.features, f"untrained routes of {self.name}")

    def __repr__(self) -> str:
        return f"Routes({self})"

    def __str__(self) -> str:
        return f"{self.routes.sum()} of {self.domains**2} routes are trained"


def routes_of(task: Any) -> Routes:
    """The structure of a task of `tasks.routing`. Raises `TypeError` for another."""
    structure = getattr(task, "structure", None)
    if not isinstance(structure, Routes):
        fail("task", "be one of tasks.routing", f"it is {shown(task)}", error=TypeError)
    return structure


def routing(
    domains: int,
    trained: int | None = None,
    inputs: Any = None,
    targets: Any = None,
    *,
    pattern: Any = "circulant",
    key: Any = None,
) -> Task:
    """M input domains and M output domains; each input is trained with K outputs ([Saxe22] fig. 4).

    Nodes are "x1".."xM" and "y1".."yM"; context i M + j is the route from input i to output j (from
    0). `task.structure` has the `Routes`; `task.structure.untrained()` is the task on those that
    are not trained.

    **Arguments:**

    - `domains` M, `trained` K (at most M; all if left out).
    - `inputs` (n_in, P), `targets` (n_out, P): what one route maps, the same for all. By default
      [Saxe22]'s 4 one-hot items with 7 hierarchical features.
    - `pattern`: "circulant": input i with outputs i, ..., i + K - 1 (modulo M); "regular": K
      offsets and the order of inputs and outputs drawn with `key`; in both each output is trained
      with K inputs too. Or (M, M) of 0 and 1, rows inputs (`trained` is then left out).

    Contexts without examples are the untrained routes; all pairs of nodes have the modes of one
    route. Raises `ValueError` where K is above M, a pattern has no route, or inputs and targets are
    not correlated.

        >>> task = rd.tasks.routing(domains=3, trained=2)
        >>> task.structure.routes.astype(int).tolist()  # input i with outputs i and i + 1
        [[1, 1, 0], [0, 1, 1], [1, 0, 1]]
        >>> task.num_contexts, task.num_examples
        (9, 24)
    """
    domains = check_positive_int("domains", domains)
    items = ITEMS if inputs is None else as_matrix("inputs", inputs)
    features = FEATURES if targets is None else as_matrix("targets", targets)
    if not isinstance(pattern, str):
        if trained is not None:
            fail("trained", "be left out where `pattern` is a table", f"it is {trained}")
        routes = as_matrix("pattern", pattern)
        if (
            routes.shape != (domains, domains)
            or not np.isin(routes, (0, 1)).all()
            or not routes.any()
        ):
            fail(
                "pattern",
                f"hold 0 and 1 in the shape {(domains, domains)}, and some 1",
                f"its shape is {routes.shape} and it holds {np.unique(routes)[:5].tolist()}",
            )
        return _on(
            routes == 1, items, features, f"routing, {domains} domains, {int(routes.sum())} routes"
        )
    trained = domains if trained is None else check_positive_int("trained", trained)
    if trained > domains:
        fail("trained", f"be at most the number of domains, {domains}", f"it is {trained}")
    offsets = np.arange(trained)
    order = np.arange(domains), np.arange(domains)
    if check_name("pattern", pattern, ("circulant", "regular")) == "regular":
        given = as_key(key, 'tasks.routing(7, 4, pattern="regular", key=0)')
        drawn, *shuffles = jax.random.split(given, 3)
        offsets = np.asarray(jax.random.permutation(drawn, domains))[:trained]
        order = tuple(np.asarray(jax.random.permutation(shuffle, domains)) for shuffle in shuffles)  # type: ignore[assignment]
    routes = np.isin((order[1][None] - order[0][:, None]) % domains, offsets)
    return _on(routes, items, features, f"routing, {domains} domains, {trained} trained")


def _on(routes: np.ndarray, items: np.ndarray, features: np.ndarray, name: str) -> Task:
    """The task whose examples are all items on each of these routes."""
    if items.shape[1] != features.shape[1]:
        fail(
            "targets",
            "have one column per column of the inputs",
            f"there are {features.shape[1]} and {items.shape[1]}",
        )
    domains, size = len(routes), items.shape[1]
    pairs = np.argwhere(routes)
    inputs = {f"x{i + 1}": np.zeros((items.shape[0], len(pairs) * size)) for i in range(domains)}
    targets = {
        f"y{j + 1}": np.zeros((features.shape[0], len(pairs) * size)) for j in range(domains)
    }
    for number, (i, j) in enumerate(pairs):
        at = slice(number * size, (number + 1) * size)
        inputs[f"x{i + 1}"][:, at], targets[f"y{j + 1}"][:, at] = items, features
    modes = Task({"x": items}, {"y": features}).modes
    bases = {(x, y): (modes.U, modes.V) for x in inputs for y in targets}
    return Task(
        inputs,
        targets,
        np.repeat(pairs @ (domains, 1), size),
        domains**2,
        name,
        bases,
        {pair: modes.names for pair in bases},
        structure=Routes(routes, items, features, name),
    )
