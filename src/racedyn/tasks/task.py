"""Task: what is to be learned. Kept in float64 on the host; machinery moves it to the device."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn._arrays import as_matrix, as_real, read_only
from racedyn._checks import check_mapping, check_name, check_positive_int, fail, shown
from racedyn._names import check_file_name, check_label
from racedyn._text import clipped, listed, some
from racedyn._types import FrozenDict, Rebuilt
from racedyn.tasks.modes import Modes, modes_from_correlations, read_in


@dataclasses.dataclass(frozen=True, eq=False)
class Task(Rebuilt):
    """Inputs and targets per example, the context of each example, names, and the modes.

    **Arguments:**

    - `inputs`: input node -> (n, P), one example per column.
    - `targets`: output node -> (m, P).
    - `context`: (P,) whole numbers; what gates depend on. All 0 if left out.
    - `num_contexts`: how many contexts there are, examples or not. From `context` if left out.
    - `name`: a few words for tables and figures.
    - `bases`: (input node, output node) -> (U, V), analytic bases of Sigma_yx; canonical ones where
      left out.
    - `mode_names`: (input node, output node) -> one name per mode, for the pairs in `bases`.
    - `item_names`, `feature_names`: names of the examples, and of the rows of the single target.
    - `structure`: what its builder knows of it: `tasks.Routes`, `tasks.Contexts`, or None.

    Raises `ValueError` where shapes don't meet, a value is not finite, a context is out of range,
    or a name is not text that a file can hold (of nodes: without "/"); `task.modes` raises it where
    inputs and targets are not correlated."""

    inputs: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray]
    context: np.ndarray = None  # type: ignore[assignment]
    num_contexts: int = None  # type: ignore[assignment]
    name: str = "task"
    bases: Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]] = dataclasses.field(
        default_factory=dict
    )
    mode_names: Mapping[tuple[str, str], tuple[str, ...]] = dataclasses.field(default_factory=dict)
    item_names: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    structure: Any = None
    # Worked out when first asked for.
    _modes: dict[tuple[str, str], Modes] = dataclasses.field(
        default_factory=dict, init=False, repr=False
    )
    _columns: dict[str, tuple[Any, np.ndarray]] = dataclasses.field(
        default_factory=dict, init=False, repr=False
    )
    _powers: dict[str, float] = dataclasses.field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for argument, given in (("inputs", self.inputs), ("targets", self.targets)):
            check_mapping(
                argument,
                given,
                "be a dict node -> (n, P)",
                "tasks.from_arrays(X, Y) takes two matrices.",
            )
        for argument, noted in (("bases", self.bases), ("mode_names", self.mode_names)):
            if not isinstance(noted, Mapping):
                fail(
                    argument,
                    "be a dict whose names are (input node, output node)",
                    f"it is {shown(noted)}",
                    "",
                    TypeError,
                )
        inputs = {
            check_file_name("inputs", node): as_matrix(f"inputs[{node!r}]", X)
            for node, X in self.inputs.items()
        }
        targets = {
            check_file_name("targets", node): as_matrix(f"targets[{node!r}]", Y)
            for node, Y in self.targets.items()
        }
        for argument, arrays in (("inputs", inputs), ("targets", targets)):
            if not arrays:
                fail(argument, "name at least one node", "it is empty")
        counts = {name: array.shape[1] for name, array in {**inputs, **targets}.items()}
        if len(set(counts.values())) > 1:
            fail(
                "targets",
                "have one column per example, as many as the inputs",
                f"the columns are {counts}",
                "Rows are units, columns are examples: transpose where needed.",
            )
        num_examples = next(iter(counts.values()))
        context = (
            np.zeros(num_examples, int)
            if self.context is None
            else np.asarray(as_real("context", self.context))
        )
        if (
            context.shape != (num_examples,)
            or not np.issubdtype(context.dtype, np.integer)
            or context.min() < 0
        ):
            fail(
                "context",
                f"be {num_examples} whole numbers of at least 0, one per example",
                f"its shape is {context.shape} and its dtype {context.dtype}"
                + (
                    f", and it holds {context.min()}"
                    if context.size and context.dtype.kind in "if"
                    else ""
                ),
            )
        num_contexts = (
            int(context.max()) + 1
            if self.num_contexts is None
            else check_positive_int("num_contexts", self.num_contexts)
        )
        if context.max() >= num_contexts:
            fail(
                "context",
                f"be below num_contexts = {num_contexts}",
                f"its largest value is {context.max()}",
            )
        for argument, names, count in (
            ("item_names", self.item_names, num_examples),
            ("feature_names", self.feature_names, next(iter(targets.values())).shape[0]),
        ):
            if names is not None and len(names) != count:
                fail(argument, f"have {count} names", f"it has {len(names)}")
            for name in names or ():
                check_label(argument, name)
        for pair, mode_names in self.mode_names.items():
            for name in mode_names or ():
                check_label(f"mode_names[{pair!r}]", name)
        for pair, bases in self.bases.items():
            _check_bases(pair, bases, inputs, targets)
        pairs = [(source, target) for source in inputs for target in targets]
        if unknown := [pair for pair in self.mode_names if pair not in pairs]:
            fail(
                "mode_names",
                f"name modes of pairs of an input and a target node ({pairs})",
                f"{unknown[0]!r} is none",
            )
        for name, arrays in (("inputs", inputs), ("targets", targets)):
            object.__setattr__(
                self,
                name,
                FrozenDict({node: read_only(array) for node, array in arrays.items()}),
            )
        object.__setattr__(self, "context", read_only(context.astype(np.int64)))
        object.__setattr__(self, "num_contexts", num_contexts)

    @property
    def num_examples(self) -> int:
        return len(self.context)

    @property
    def input_widths(self) -> Mapping[str, int]:
        """Input node -> n."""
        return {node: len(X) for node, X in self.inputs.items()}

    @property
    def output_widths(self) -> Mapping[str, int]:
        """Output node -> n."""
        return {node: len(Y) for node, Y in self.targets.items()}

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All pairs of an input and an output node."""
        return [(source, target) for source in self.input_widths for target in self.output_widths]

    @property
    def examples_of(self) -> np.ndarray:
        """How many examples each context has, (num_contexts,)."""
        return np.bincount(self.context, minlength=self.num_contexts)

    @property
    def known_by(self) -> dict[str, Any]:
        """Arrays by which the task is known again: what it is but for names."""
        return {"inputs": self.inputs, "targets": self.targets, "context": self.context}

    @property
    def columns_at_once(self) -> int:
        """How many examples training holds at once, at most: of many routes, one route's at each
        input.
        """
        return self.num_examples

    def constant_inputs(self) -> dict[str, np.ndarray]:
        """Input node -> its values (n,), of inputs that are the same in all examples and not 0.

        None in a task of one example, where all are.
        """
        if self.num_examples == 1:
            return {}
        return {
            node: X[:, 0]
            for node, X in self.inputs.items()
            if X[:, 0].any() and not np.ptp(X, axis=1).any()
        }

    @property
    def targets_once(self) -> Mapping[str, np.ndarray]:
        """All targets that there are, output node -> (n_out, P): of many routes, those of one."""
        return self.targets

    def contexts_with_targets(self, node: str) -> np.ndarray:
        """In which contexts an output node has targets that are not zero, (num_contexts,)."""
        found = np.zeros(self.num_contexts, bool)
        found[self.context[np.any(self.targets[node] != 0, axis=0)]] = True
        return found

    @property
    def X(self) -> np.ndarray:
        """The inputs of a task with one input node, (n_in, P)."""
        return self.inputs[_only("X", "inputs", self.inputs)]

    @property
    def Y(self) -> np.ndarray:
        """The targets of a task with one output node, (n_out, P)."""
        return self.targets[_only("Y", "targets", self.targets)]

    def _live(self, node: str) -> tuple[np.ndarray, np.ndarray]:
        """The examples in which an input node is not silent, and its inputs there: few where there
        are many nodes.
        """
        check_name("node", node, self.inputs)
        if node not in self._columns:
            X = self.inputs[node]
            live = np.flatnonzero(X.any(axis=0))
            self._columns[node] = (
                (live, X[:, live]) if 2 * len(live) < self.num_examples else (slice(None), X)
            )
        return self._columns[node]

    def live(self, node: str) -> tuple[np.ndarray, np.ndarray]:
        """The examples in which an input or output node is not silent, (live,), and what it has
        there, (n, live).
        """
        rows = self.inputs.get(node, self.targets.get(node))
        assert rows is not None
        at = np.flatnonzero(rows.any(axis=0))
        return at, rows if len(at) == self.num_examples else rows[:, at]

    def power(self, node: str) -> float:
        """< |y|^2 > of an output node."""
        if node not in self._powers:
            with np.errstate(over="ignore"):
                self._powers[node] = float(np.sum(self.targets[node] ** 2) / self.num_examples)
        return self._powers[node]

    def sigma_x(self, node: str | None = None) -> np.ndarray:
        """Input correlation X X^T / P, (n_in, n_in)."""
        _, X = self._live(_only("sigma_x()", "inputs", self.inputs) if node is None else node)
        return X @ X.T / self.num_examples

    def sigma_yx(self, source: str | None = None, target: str | None = None) -> np.ndarray:
        """Input-output correlation Y X^T / P, (n_out, n_in)."""
        live, X = self._live(
            _only("sigma_yx()", "inputs", self.inputs) if source is None else source
        )
        target = _only("sigma_yx()", "targets", self.targets) if target is None else target
        return (
            self.targets[check_name("target", target, self.targets)][:, live]
            @ X.T
            / self.num_examples
        )

    def correlation(self, left: str, right: str, gate: np.ndarray) -> np.ndarray:
        """< g z x^T >, (n of `left`, n of `right`), of an input or output node `left` and an input
        node `right`, with a factor g for each context, `gate` (num_contexts,).
        """
        factors = gate[self.context]
        at = np.flatnonzero(factors)
        rows = self.inputs.get(left, self.targets.get(left))
        assert rows is not None
        return (rows[:, at] * factors[at]) @ self.inputs[right][:, at].T / self.num_examples

    def pair_modes(self, source: str, target: str) -> Modes:
        """The modes in which paths from node `source` to node `target` are read."""
        pair = (
            check_name("source", source, self.input_widths),
            check_name("target", target, self.output_widths),
        )
        if pair not in self._modes:
            self._check_scale(*pair)
            if not self._readable(pair):
                fail(
                    "targets",
                    "be correlated with the inputs",
                    "Sigma_yx = Y X^T / P is zero (rank 0)",
                    "There is nothing to learn: look at X and Y.",
                )
            self._modes[pair] = modes_from_correlations(
                self.sigma_yx(*pair),
                self.sigma_x(source),
                self.power(target),
                bases=self.bases.get(pair),
                names=self.mode_names.get(pair),
            )
        return self._modes[pair]

    def all_modes(self) -> dict[tuple[str, str], Modes]:
        """(input node, output node) -> modes, of all pairs that are correlated or have bases of
        their own.
        """
        return {
            pair: self.pair_modes(*pair)
            for pair in self.pairs
            if pair in self._modes or self._readable(pair)
        }

    def modes_in(self, other: "Task") -> dict[tuple[str, str], Modes]:
        """(input node, output node) -> the modes of another task with this one's S, of either sign,
        variances and floor.
        """
        return {
            pair: read_in(modes, self.sigma_yx(*pair), self.sigma_x(pair[0]), self.power(pair[1]))
            for pair, modes in other.all_modes().items()
        }

    def _check_scale(self, source: str, target: str) -> None:
        """Refuse data whose squares float64 does not hold: their correlations would be zero, or no
        numbers."""
        _, X = self._live(source)
        with np.errstate(over="ignore"):
            of_x, of_y = float(np.sum(X**2) / self.num_examples), self.power(target)
        for name, square, data in (("inputs", of_x, X), ("targets", of_y, self.targets[target])):
            if not np.isfinite(square) or (square == 0 and data.any()):
                fail(
                    name,
                    "have squares that float64 holds",
                    f"their mean is {square:g}",
                    "Rescale X or Y.",
                )

    def _readable(self, pair: tuple[str, str]) -> bool:
        """Whether a pair has bases of its own, or a correlation that is more than rounding."""
        _, X = self._live(pair[0])
        size = (
            np.linalg.norm(X) * np.sqrt(self.power(pair[1]) * self.num_examples) / self.num_examples
        )
        return pair in self.bases or bool(
            np.linalg.norm(self.sigma_yx(*pair)) > 1e3 * np.finfo(np.float64).eps * size
        )

    @property
    def modes(self) -> Modes:
        """The modes of a task with one input and one output node."""
        return self.pair_modes(
            _only("modes", "inputs", self.input_widths),
            _only("modes", "targets", self.output_widths),
        )

    def __repr__(self) -> str:
        return clipped(f"Task({self})")

    def __str__(self) -> str:
        sizes = [
            some([f"{node} {n}" for node, n in widths.items()], most=8)
            for widths in (self.input_widths, self.output_widths)
        ]
        contexts = f", {self.num_contexts} contexts" if self.num_contexts > 1 else ""
        return f"{self.name}: {self.num_examples} examples, {', '.join(sizes)}{contexts}"


def _check_bases(
    pair: Any, bases: Any, inputs: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]
) -> None:
    """Refuse bases of a pair that there is not, of one side alone, or that are not orthonormal."""
    if (
        not isinstance(pair, tuple)
        or len(pair) != 2
        or pair[0] not in inputs
        or pair[1] not in targets
    ):
        fail(
            "bases",
            "have pairs (input node, output node) as keys",
            f"one is {pair!r}",
            f"Inputs are {listed(inputs)}, outputs {listed(targets)}.",
        )
    if (
        not isinstance(bases, tuple | list)
        or len(bases) != 2
        or any(basis is None for basis in bases)
    ):
        fail(
            f"bases[{pair!r}]",
            "be (U, V), of both sides",
            f"it is {type(bases).__name__}",
            "Leave the pair out for canonical ones.",
        )
    U, V = (as_matrix(f"bases[{pair!r}]", basis) for basis in bases)
    rows = len(targets[pair[1]]), len(inputs[pair[0]])
    if (len(U), len(V)) != rows or U.shape[1] != V.shape[1]:
        fail(
            f"bases[{pair!r}]",
            f"be U ({rows[0]}, mode) and V ({rows[1]}, mode)",
            f"their shapes are {U.shape}, {V.shape}",
        )
    for name, basis in (("U", U), ("V", V)):
        if not np.allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-8):
            fail(
                f"bases[{pair!r}]",
                f"have orthonormal columns, {name}^T {name} = I",
                f"those of {name} are not",
                "np.linalg.qr makes them so.",
            )


def _only(what: str, kind: str, nodes: Mapping[str, Any]) -> str:
    if len(nodes) != 1:
        raise ValueError(
            f"`task.{what}` needs a task with one node among its {kind}, but this has "
            f"{listed(nodes)}."
        )
    return next(iter(nodes))
