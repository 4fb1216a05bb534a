"""Tasks of many routes, kept as one route's examples and the table of routes."""

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from racedyn._arrays import memory, read_only
from racedyn._checks import check_name, fail
from racedyn._types import FrozenDict
from racedyn.tasks.modes import Modes
from racedyn.tasks.task import Task
from racedyn.tasks.transforms import transformed


class RoutingTask(Task):
    """A task whose examples are those of one route on every route that is trained.

    Correlations are sums over domains of one route's, and `racedyn.train` goes by such sums, too.
    `inputs`, `targets` and `context` have all examples, as those of any task; they are written out
    when first asked for, and refused where this machine's memory does not hold them."""

    structure: Any  # Routes, which make such tasks

    def __new__(cls, structure: Any, **fields: Any) -> Any:
        made = super().__new__(cls)
        if fields:  # all of them, from dataclasses.replace: with new data a task like any other
            RoutingTask.__init__(made, structure)
            plain = Task(structure=structure, **fields)
            if not made._has(plain):
                return plain
        return made

    def __init__(self, structure: Any, name: str | None = None, **fields: Any):
        if name is not None:
            structure = dataclasses.replace(structure, name=name)
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

    def __reduce__(self) -> tuple[Any, ...]:
        return RoutingTask, (self.structure,)

    def _has(self, plain: Task) -> bool:
        """Whether a task with the same structure has the same examples, modes and names of them."""
        return (
            np.array_equal(plain.context, self.context)
            and plain.num_contexts == self.num_contexts
            and _equal(plain.inputs, self.inputs)
            and _equal(plain.targets, self.targets)
            and _equal(plain.bases, self.bases)
            and plain.mode_names == self.mode_names
            and plain.item_names is plain.feature_names is None
        )

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
    def known_by(self) -> dict[str, Any]:
        known = self.structure
        plain = np.zeros(1)
        turn_x, turn_y = (
            plain if turn is None else np.reshape(turn, (known.domains, -1))
            for turn in (known.input_transforms, known.output_transforms)
        )
        return {
            "inputs": {"items": known.items, "transforms": turn_x},
            "targets": {"features": known.features, "transforms": turn_y},
            "context": known.routes,
        }

    @property
    def columns_at_once(self) -> int:
        return int(self.structure.domains * self.structure.items.shape[1])

    def constant_inputs(self) -> dict[str, np.ndarray]:
        if self.structure.routes.any(axis=1).sum() > 1:
            return {}  # each is silent on the routes of the others
        return super().constant_inputs()

    @property
    def targets_once(self) -> Mapping[str, np.ndarray]:
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
        return FrozenDict(found)


def _of(transforms: np.ndarray | None, domain: int) -> np.ndarray | None:
    return None if transforms is None else transforms[domain]


def _equal(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    """Whether two mappings have equal arrays, or pairs of arrays, under equal names."""
    return one.keys() == other.keys() and all(
        all(map(np.array_equal, one[name], other[name])) for name in one
    )
