"""Tasks of many routes that all map one set of examples: kept as these examples and the table of
routes ([Saxe22] section 5).
"""

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from racedyn._arrays import as_matrix, memory, read_only
from racedyn._checks import check_name, fail, shown
from racedyn.tasks.modes import Modes
from racedyn.tasks.task import Task
from racedyn.tasks.transforms import check_transforms, transformed


@dataclasses.dataclass(frozen=True, eq=False)
class Routes:
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


class RoutingTask(Task):
    """A task whose examples are those of one route on every route that is trained.

    Correlations are sums over domains of one route's, and `racedyn.train` goes by such sums, too.
    `inputs`, `targets` and `context` have all examples, as those of any task; they are written out
    when first asked for, and refused where this machine's memory does not hold them."""

    structure: Routes

    def __new__(cls, structure: Any = None, **fields: Any) -> Any:
        # dataclasses.replace passes all fields: what it makes is a task like any other.
        return Task(structure=structure, **fields) if fields else super().__new__(cls)

    def __init__(self, structure: Routes):
        num = structure.domains**2
        for name, value in (
            ("structure", structure),
            ("name", structure.name),
            ("num_contexts", num),
            ("mode_names", {}),
            ("item_names", None),
            ("feature_names", None),
            ("_modes", {}),
            ("_columns", {}),
            ("_powers", {}),
        ):
            object.__setattr__(self, name, value)
        names = self._one_route.modes.names
        object.__setattr__(self, "mode_names", dict.fromkeys(self.pairs, names))

    @cached_property
    def _alike(self) -> dict[tuple[bool, int, int], Modes]:
        return {}

    @cached_property
    def _sigmas(self) -> dict[Any, np.ndarray]:
        return {}

    @cached_property
    def _one_route(self) -> Task:
        """What one route maps, in coordinates of its own."""
        return Task({"x": self.structure.items}, {"y": self.structure.features})

    @cached_property
    def _trained(self) -> np.ndarray:
        """Input and output domain of each trained route, (route, 2)."""
        return np.argwhere(self.structure.routes)

    @property
    def num_examples(self) -> int:
        return len(self._trained) * self.structure.items.shape[1]

    @cached_property
    def input_widths(self) -> Mapping[str, int]:
        return {f"x{i + 1}": len(self.structure.items) for i in range(self.structure.domains)}

    @cached_property
    def output_widths(self) -> Mapping[str, int]:
        return {f"y{j + 1}": len(self.structure.features) for j in range(self.structure.domains)}

    @cached_property
    def inputs(self) -> Mapping[str, np.ndarray]:
        return self._written_out("inputs", self.structure.items, 0)

    @cached_property
    def targets(self) -> Mapping[str, np.ndarray]:
        return self._written_out("targets", self.structure.features, 1)

    @property
    def targets_once(self) -> Mapping[str, np.ndarray]:
        """Those of one route, at each output domain: node -> (n_out, P)."""
        known = self.structure
        return {
            node: transformed(_of(known.output_transforms, j), known.features)
            for j, node in enumerate(self.output_widths)
        }

    @cached_property
    def context(self) -> np.ndarray:
        numbers = self._trained @ (self.structure.domains, 1)
        return read_only(np.repeat(numbers, self.structure.items.shape[1]))

    @cached_property
    def bases(self) -> Mapping[tuple[str, str], Any]:
        return {pair: self._bases(*pair) for pair in self.pairs}

    @cached_property
    def examples_of(self) -> np.ndarray:
        return self.structure.routes.reshape(-1) * self.structure.items.shape[1]

    def contexts_with_targets(self, node: str) -> np.ndarray:
        found = np.zeros_like(self.structure.routes)
        if self.structure.features.any():
            j = self._output(node)
            found[:, j] = self.structure.routes[:, j]
        return found.reshape(-1)

    def live(self, node: str) -> tuple[np.ndarray, np.ndarray]:
        known, P = self.structure, self.structure.items.shape[1]
        side, domain, rows, transforms = (
            (0, self._input(node), known.items, known.input_transforms)
            if node in self.input_widths
            else (1, self._output(node), known.features, known.output_transforms)
        )
        routes = np.flatnonzero(self._trained[:, side] == domain)
        at = (routes[:, None] * P + np.arange(P)).reshape(-1)
        return at, np.tile(transformed(_of(transforms, domain), rows), len(routes))

    def fewer_columns(self, turn: np.ndarray) -> "RoutingTask":
        """The task whose one route has its examples (P, ) turned into the columns of `turn` (P,
        r).
        """
        known = self.structure
        turned = {"items": known.items @ turn, "features": known.features @ turn}
        return RoutingTask(dataclasses.replace(known, **turned))

    def sigma_x(self, node: str | None = None) -> np.ndarray:
        if node is None:
            return super().sigma_x()
        i = self._input(node)
        return self._sigma_x(i, float(self.structure.routes[i].sum()))

    def sigma_yx(self, source: str | None = None, target: str | None = None) -> np.ndarray:
        if source is None or target is None:
            return super().sigma_yx(source, target)
        i, j = self._input(source), self._output(target)
        return self._sigma_yx(i, j, float(self.structure.routes[i, j]))

    def correlation(self, left: str, right: str, gate: np.ndarray) -> np.ndarray:
        routes, i = self.structure.routes, self._input(right)
        factors = gate.reshape(routes.shape)[i] * routes[i]
        if left in self.output_widths:
            j = self._output(left)
            return self._sigma_yx(i, j, float(factors[j]))
        # No example has two inputs.
        return self._sigma_x(i, float(factors.sum()) if self._input(left) == i else 0.0)

    def pair_modes(self, source: str, target: str) -> Modes:
        """The modes in which paths from node `source` to node `target` are read: those of one
        route, in the coordinates of the two domains.
        """
        pair = source, target
        if pair not in self._modes:
            i, j = self._input(source), self._output(target)
            routes = self.structure.routes
            # Pairs of domains with as many routes differ in coordinates alone.
            counts = bool(routes[i, j]), int(routes[i].sum()), int(routes[:, j].sum())
            if counts not in self._alike:
                self._alike[counts] = super().pair_modes(source, target)
            modes, (U, V) = self._alike[counts], self._bases(source, target)
            turns = self.structure.input_transforms, self.structure.output_transforms
            plain = all(turn is None for turn in turns)
            self._modes[pair] = modes if plain else dataclasses.replace(modes, U=U, V=V)
        return self._modes[pair]

    def _sigma_x(self, i: int, routes: float) -> np.ndarray:
        """Of so many routes from input domain i; one array for all domains of equal coordinates."""
        turn = _of(self.structure.input_transforms, i)
        key = routes, None if turn is None else i
        if key not in self._sigmas:
            sigma = self._one_route.sigma_x() * (routes / len(self._trained))
            self._sigmas[key] = read_only(transformed(turn, transformed(turn, sigma).T))
        return self._sigmas[key]

    def _sigma_yx(self, i: int, j: int, routes: float) -> np.ndarray:
        sigma = self._one_route.sigma_yx() * (routes / len(self._trained))
        known = self.structure
        sigma = transformed(_of(known.output_transforms, j), sigma)
        return transformed(_of(known.input_transforms, i), sigma.T).T

    def _input(self, node: str) -> int:
        """The number of an input domain, from 0."""
        return int(check_name("source", node, self.input_widths)[1:]) - 1

    def _output(self, node: str) -> int:
        return int(check_name("target", node, self.output_widths)[1:]) - 1

    def _bases(self, source: str, target: str) -> tuple[np.ndarray, np.ndarray]:
        modes, known = self._one_route.modes, self.structure
        return (
            transformed(_of(known.output_transforms, self._output(target)), modes.U),
            transformed(_of(known.input_transforms, self._input(source)), modes.V),
        )

    def power(self, node: str) -> float:
        column = self.structure.routes[:, self._output(node)]
        return self._one_route.power("y") * float(column.sum() / self.structure.routes.sum())

    def _check_scale(self, source: str, target: str) -> None:
        self._one_route._check_scale("x", "y")

    def _readable(self, pair: tuple[str, str]) -> bool:
        return True

    def _written_out(self, what: str, rows: np.ndarray, side: int) -> Mapping[str, np.ndarray]:
        """Domain -> rows (n, example), zero on routes of other domains."""
        known, size = self.structure, rows.shape[1]
        needed = 8 * known.domains * len(rows) * self.num_examples
        if needed > memory() / 2:
            fail(
                f"task.{what}",
                "fit into this machine's memory with every route's examples",
                f"they take {needed / 2**30:.3g} GiB ({len(self._trained)} routes of {size})",
                "Training and reducing linear networks of networks.routing needs one route's "
                "alone, as `statistics` and `exact.routing` do; lower `domains` or `trained` for "
                "what needs all.",
            )
        letter, transforms = "xy"[side], (known.input_transforms, known.output_transforms)[side]
        found = {}
        for domain in range(known.domains):
            own = np.zeros((len(rows), len(self._trained), size))
            at = self._trained[:, side] == domain
            own[:, at] = transformed(_of(transforms, domain), rows)[:, None]
            found[f"{letter}{domain + 1}"] = read_only(own.reshape(len(rows), -1))
        return MappingProxyType(found)


def _of(transforms: np.ndarray | None, domain: int) -> np.ndarray | None:
    return None if transforms is None else transforms[domain]
