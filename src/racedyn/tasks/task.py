"""Task: what is to be learned. Kept in float64 on the host; machinery moves it to the device."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from racedyn._checks import as_matrix, check_name, fail
from racedyn.tasks.modes import Modes, modes_from_correlations


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """Inputs and targets per example, the context of each example, names, and the modes.

    **Arguments:**

    - `inputs`: input node -> (n, P), one example per column.
    - `targets`: output node -> (m, P).
    - `context`: (P,) whole numbers; what gates depend on. All 0 if left out.
    - `num_contexts`: how many contexts there are, examples or not. From `context` if left out.
    - `name`: a few words for tables and figures.
    - `bases`: (input node, output node) -> (U, V), analytic bases of Sigma_yx; canonical ones where left out.
    - `mode_names`: (input node, output node) -> one name per mode, for the pairs in `bases`.
    - `item_names`, `feature_names`: names of the examples, and of the rows of the single target.

    Raises `ValueError` where shapes don't meet, a value is not finite, or a context is out of range; `task.modes`
    raises it where inputs and targets are not correlated.
    """

    inputs: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray]
    context: np.ndarray = None  # type: ignore[assignment]
    num_contexts: int = None  # type: ignore[assignment]
    name: str = "task"
    bases: Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=dict)
    mode_names: Mapping[tuple[str, str], tuple[str, ...]] = dataclasses.field(default_factory=dict)
    item_names: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    _modes: dict[tuple[str, str], Modes] = dataclasses.field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        inputs = {node: as_matrix(f"inputs[{node!r}]", X) for node, X in self.inputs.items()}
        targets = {node: as_matrix(f"targets[{node!r}]", Y) for node, Y in self.targets.items()}
        for argument, arrays in (("inputs", inputs), ("targets", targets)):
            if not arrays:
                fail(argument, "name at least one node", "it is empty")
        counts = {name: array.shape[1] for name, array in {**inputs, **targets}.items()}
        if len(set(counts.values())) > 1:
            fail("targets", "have one column per example, as many as the inputs", f"the columns are {counts}",
                 "Rows are units, columns are examples: transpose where needed.")  # fmt: skip
        num_examples = next(iter(counts.values()))
        context = np.zeros(num_examples, int) if self.context is None else np.asarray(self.context)
        if context.shape != (num_examples,) or not np.issubdtype(context.dtype, np.integer) or context.min() < 0:
            fail("context", f"be {num_examples} whole numbers of at least 0, one per example",
                 f"its shape is {context.shape} and its dtype {context.dtype}")  # fmt: skip
        num_contexts = int(context.max()) + 1 if self.num_contexts is None else int(self.num_contexts)
        if context.max() >= num_contexts:
            fail("context", f"be below num_contexts = {num_contexts}", f"its largest value is {context.max()}")
        for argument, names, count in (
            ("item_names", self.item_names, num_examples),
            ("feature_names", self.feature_names, next(iter(targets.values())).shape[0]),
        ):
            if names is not None and len(names) != count:
                fail(argument, f"have {count} names", f"it has {len(names)}")
        object.__setattr__(self, "inputs", MappingProxyType(inputs))
        object.__setattr__(self, "targets", MappingProxyType(targets))
        object.__setattr__(self, "context", context.astype(np.int64))
        object.__setattr__(self, "num_contexts", num_contexts)

    @property
    def num_examples(self) -> int:
        return len(self.context)

    @property
    def X(self) -> np.ndarray:
        """The inputs of a task with one input node, (n_in, P)."""
        return _only("X", "inputs", self.inputs)

    @property
    def Y(self) -> np.ndarray:
        """The targets of a task with one output node, (n_out, P)."""
        return _only("Y", "targets", self.targets)

    def sigma_x(self, node: str | None = None) -> np.ndarray:
        """Input correlation X X^T / P, (n_in, n_in)."""
        X = self.X if node is None else self.inputs[check_name("node", node, self.inputs)]
        return X @ X.T / self.num_examples

    def sigma_yx(self, source: str | None = None, target: str | None = None) -> np.ndarray:
        """Input-output correlation Y X^T / P, (n_out, n_in)."""
        X = self.X if source is None else self.inputs[check_name("source", source, self.inputs)]
        Y = self.Y if target is None else self.targets[check_name("target", target, self.targets)]
        return Y @ X.T / self.num_examples

    def pair_modes(self, source: str, target: str) -> Modes:
        """The modes in which paths from node `source` to node `target` are read."""
        pair = (check_name("source", source, self.inputs), check_name("target", target, self.targets))
        if pair not in self._modes:
            Y = self.targets[target]
            self._modes[pair] = modes_from_correlations(
                self.sigma_yx(*pair),
                self.sigma_x(source),
                float(np.sum(Y**2) / self.num_examples),
                bases=self.bases.get(pair),
                names=self.mode_names.get(pair),
            )
        return self._modes[pair]

    @property
    def modes(self) -> Modes:
        """The modes of a task with one input and one output node."""
        _only("modes", "inputs", self.inputs), _only("modes", "targets", self.targets)
        return self.pair_modes(next(iter(self.inputs)), next(iter(self.targets)))

    def __str__(self) -> str:
        sizes = [f"{node} {X.shape[0]}" for node, X in self.inputs.items()]
        sizes += [f"{node} {Y.shape[0]}" for node, Y in self.targets.items()]
        contexts = f", {self.num_contexts} contexts" if self.num_contexts > 1 else ""
        return f"{self.name}: {self.num_examples} examples, {', '.join(sizes)}{contexts}"


def _only(what: str, kind: str, nodes: Mapping[str, Any]) -> np.ndarray:
    if len(nodes) != 1:
        raise ValueError(f"`task.{what}` needs a task with one node among its {kind}, but this has {list(nodes)}.")
    return next(iter(nodes.values()))
