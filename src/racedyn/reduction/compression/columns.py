"""What a task asks of a network, column by column: the signals of which compression follows.

Within a group of contexts with equal gates a gated linear network is one linear map, so that
examples may be turned into each other. Turned by the right singular vectors of the targets, each
column asks for a direction of its own in the outputs, or for none: one-hot inputs turn into the
task's modes."""

from typing import NamedTuple

import jax
import numpy as np

from racedyn._arrays import memory
from racedyn._checks import fail
from racedyn.networks import Network
from racedyn.rules import Data
from racedyn.systems import Condensed, condense
from racedyn.tasks import Task

_OPEN = np.ones(1)
NOISE = 1e3 * np.finfo(np.float64).eps


class Columns(NamedTuple):
    """**Fields:** `inputs`, `targets`: node -> (n, column); `asked` (column,): norm of what a
    column asks for, 0 for nothing; `given` (column,): norm of its input, over the largest; `group`
    (column,), of contexts with equal gates; `node_gates`, `edge_gates`: name -> (column,);
    `weight`: 1/P; `data`: the
    same for descent, whose loss is the task's less `floor`.
    """

    inputs: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    asked: np.ndarray
    given: np.ndarray
    group: np.ndarray
    node_gates: dict[str, np.ndarray]
    edge_gates: dict[str, np.ndarray]
    data: Data
    weight: float
    floor: float

    @property
    def num(self) -> int:
        return len(self.asked)

    def node_gate(self, node: str, times: int = 1) -> np.ndarray:
        """Factors of all columns, `times` over; (1,) where the node has no gate."""
        return np.tile(self.node_gates[node], times) if node in self.node_gates else _OPEN

    def edge_gate(self, edge: str, times: int = 1) -> np.ndarray:
        """The same for an edge."""
        return np.tile(self.edge_gates[edge], times) if edge in self.edge_gates else _OPEN

    @property
    def learning(self) -> np.ndarray:
        """Of the columns that ask for something."""
        return np.flatnonzero(self.asked)

    def unit_targets(self) -> dict[str, np.ndarray]:
        """Node -> (n, column): directions of outputs that are asked for, orthonormal within a group
        over all outputs together; 0 where nothing is.
        """
        size = np.where(self.asked > 0, self.asked, 1.0)
        return {node: Y * (self.asked > 0) / size for node, Y in self.targets.items()}

    def outside(self, errors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The part of errors, node -> (n, column), that lies outside what their group asks for, in
        units of it.
        """
        units = self.unit_targets()
        alike = self.group[:, None] == self.group
        along = sum(units[node].T @ E for node, E in errors.items()) * alike
        size = np.where(self.asked > 0, self.asked, self.asked.max())
        return {node: (E - units[node] @ along) / size for node, E in errors.items()}


def columns_of(network: Network, task: Task) -> Columns:
    """The columns of `task` for `network`. Raises `ValueError` where they ask for nothing, or do
    not fit into memory.
    """
    condensed = condense(network, task)
    _check_memory(task, len(condensed.group))
    inputs, targets, asked = _turned(condensed)
    if not asked.any():
        fail(
            "targets",
            "be correlated with the inputs",
            "Sigma_yx(p) is zero for every path",
            "There is nothing to learn: look at X and Y.",
        )
    given = np.sqrt(sum(np.sum(X**2, axis=0) for X in inputs.values()))
    group, gating = condensed.group, condensed.gating
    # A context of each group, and columns of which the mean over themselves is that over examples.
    context = np.asarray([int(np.argmax(gating.group_of == g)) for g in range(gating.num_groups)])
    scale = np.sqrt(len(group) * condensed.weight)
    data = Data(
        {node: jax.device_put(scale * X) for node, X in inputs.items()},
        {node: jax.device_put(scale * Y) for node, Y in targets.items()},
        jax.device_put(context[group]),
        {},
    )
    return Columns(
        inputs,
        targets,
        asked,
        given / given.max(),
        group,
        {node: factors[group] for node, factors in gating.nodes.items()},
        {edge: factors[group] for edge, factors in gating.edges.items()},
        data,
        condensed.weight,
        condensed.floor,
    )


def _check_memory(task: Task, columns: int) -> None:
    """Refuse columns that, with three copies of them turned, do not fit into half of memory."""
    needed = 4 * 8 * columns * sum((*task.input_widths.values(), *task.output_widths.values()))
    if needed > memory() / 2:
        fail(
            "task",
            "have columns that fit into this machine's memory, each with all of its nodes",
            f"{columns} of them take {needed / 2**30:.3g} GiB with what is made of them",
            'Compression follows each column by itself. The levels "full", "matrix" and "modes" '
            "hold of each node what is not silent.",
        )


def _turned(
    condensed: Condensed,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Inputs and targets turned group by group, and the norm of what each column asks for."""
    every = np.arange(len(condensed.group))
    inputs = {node: live.on(every) for node, live in condensed.inputs.items()}
    targets = {node: live.on(every) for node, live in condensed.targets.items()}
    asked = np.zeros(len(condensed.group))
    largest = np.sqrt(sum(np.sum(Y**2) for Y in targets.values()))
    for group in np.unique(condensed.group):
        at = np.flatnonzero(condensed.group == group)
        Y = np.concatenate([rows[:, at] for rows in targets.values()])
        _, S, Vt = np.linalg.svd(Y, full_matrices=True)
        for arrays in (inputs, targets):
            for rows in arrays.values():
                rows[:, at] = rows[:, at] @ Vt.T
        asked[at[: len(S)]] = np.where(NOISE * largest < S, S, 0.0)
    return inputs, targets, asked
