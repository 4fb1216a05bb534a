"""Chains, parallel pathways, and modalities that fuse."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from racedyn._checks import (
    DEPTH,
    check_depths,
    check_int,
    check_is,
    check_name,
    check_positive_int,
    fail,
)
from racedyn._text import listed
from racedyn.networks.activations import ACTIVATIONS
from racedyn.networks.network import Network, Node
from racedyn.tasks import Task


def chain(
    task: Task, depth: int, width: int | Sequence[int], *, activation: str = "linear"
) -> Network:
    """One pathway of `depth` weight matrices: edges "w1", "w2", ...; hidden nodes "h1", "h2", ...

    `width`: hidden units, one number or one per hidden layer (depth - 1). Where the task has
    several inputs each has a first matrix of its own into the first hidden layer, "w1_<input>".

        >>> network = rd.networks.chain(rd.tasks.hierarchy(items=4), depth=3, width=(6, 5))
        >>> print(network)
        linear network (input 4, output 7, 2 hidden layers of 6/5 units), 3 edges
        >>> {edge: network.shape(edge) for edge in network.edges}
        {'w1': (6, 4), 'w2': (5, 6), 'w3': (7, 5)}
    """
    check_positive_int("depth", depth, DEPTH)
    return _pathways(
        task,
        [depth],
        [_layer_widths("width", width, depth)],
        activation,
        False,
        lambda a, l: f"{l}",
    )


def parallel(
    task: Task,
    depths: Sequence[int],
    width: int | Sequence[int | Sequence[int]],
    *,
    activation: str = "linear",
    activate_last: bool = False,
) -> Network:
    """Pathways side by side from one input to one output, their outputs summed ([Shi22] section 2).

    `depths`: number of weight matrices of each pathway, at least 1 (1 is a shallow pathway).
    `width`: hidden units: one number, one per pathway, or per pathway one per hidden layer.
    `activation`: of hidden layers; with `activate_last` also of each pathway's last matrix, before
    the sum, as [Shi22]'s published code has it. Edges are named "w<pathway>_<layer>", hidden nodes
    "h<pathway>_<layer>", both counted from 1.

        >>> network = rd.networks.parallel(rd.tasks.hierarchy(items=4), depths=(2, 3), width=5)
        >>> network.paths()
        (('w1_1', 'w1_2'), ('w2_1', 'w2_2', 'w2_3'))
    """
    depths = check_depths(depths)
    per_pathway = list(width) if _several(width) else [width] * len(depths)  # type: ignore[arg-type]
    if len(per_pathway) != len(depths):
        fail(
            "width",
            f"be one number or one entry per pathway, {len(depths)}",
            f"it has {len(per_pathway)}",
        )
    widths = [
        _layer_widths("width", w, depth) for w, depth in zip(per_pathway, depths, strict=True)
    ]
    return _pathways(task, depths, widths, activation, activate_last, lambda a, l: f"{a}_{l}")


def fusion(
    task: Task,
    depth: int,
    fuse_at: int,
    width: int | Sequence[int],
    *,
    activation: str = "linear",
) -> Network:
    """Modalities, the inputs of `task`, each with layers of its own up to layer `fuse_at`, where
    they add up, and `depth` weight matrices from input to output ([Zhang24] section 2).

    **Arguments:**

    - `fuse_at`: from 1, early fusion, where all modalities join in the first hidden layer as in
      `chain`, to `depth`, late fusion, where each has a pathway of its own to the output.
    - `width`: hidden units, one number or one per hidden layer (depth - 1); before layer `fuse_at`
      of each modality.

    Edges "w<layer>_<input>" and hidden nodes "h<layer>_<input>" up to where they fuse, "w<layer>"
    and "h<layer>" from there on. Raises `ValueError` for a task of one input, a depth below 2 and a
    `fuse_at` that is not from 1 to `depth`.

        >>> task = rd.tasks.multimodal()
        >>> print(rd.networks.fusion(task, depth=2, fuse_at=2, width=8))
        linear network (A 1, B 1, output 1, 2 hidden layers of 8 units), 4 edges
        >>> rd.networks.fusion(task, depth=3, fuse_at=2, width=8).paths()
        (('w1_A', 'w2_A', 'w3'), ('w1_B', 'w2_B', 'w3'))
    """
    check_int("depth", depth, 2, DEPTH)
    if check_int("fuse_at", fuse_at, 1) > depth:
        fail(
            "fuse_at",
            f"be at most the depth, {depth}",
            f"it is {fuse_at}",
            "There each modality has a pathway of its own to the output: late fusion.",
        )
    widths = _layer_widths("width", width, depth)
    check_name("activation", activation, ACTIVATIONS)
    sink, units = _only_output(task)
    if len(task.inputs) < 2:
        fail(
            "task",
            "have several inputs, which are the modalities",
            f"it has {listed(task.inputs)}",
            "tasks.multimodal(correlation=0.4), or a Task(inputs, targets) of your own.",
        )
    nodes = {modality: Node(len(X)) for modality, X in task.inputs.items()}
    edges: dict[str, tuple[str, str]] = {}

    def add(layer: int, source: str, mark: str) -> str:
        """The matrix of a layer, and the node that it leads to: the output after the last."""
        target = sink if layer == depth else f"h{layer}{mark if layer < fuse_at else ''}"
        if layer < depth:
            nodes[target] = Node(widths[layer - 1], activation)
        edges[f"w{layer}{mark}"] = (source, target)
        return target

    for modality in task.inputs:
        end = modality
        for layer in range(1, fuse_at + 1):
            end = add(layer, end, f"_{modality}")
    for layer in range(fuse_at + 1, depth + 1):
        end = add(layer, end, "")
    return Network(nodes | {sink: Node(units)}, edges)


def _layer_widths(argument: str, width: Any, depth: int) -> list[int]:
    if not _several(width):
        return [check_positive_int(argument, width)] * (depth - 1)
    widths = list(width)
    if len(widths) != depth - 1:
        fail(
            argument, f"be one number or one per hidden layer, {depth - 1}", f"it has {len(widths)}"
        )
    return [check_positive_int(argument, w) for w in widths]


def _several(width: Any) -> bool:
    """Whether there is one per pathway, or per layer."""
    return (
        isinstance(width, Sequence | np.ndarray)
        and not isinstance(width, str | bytes)
        and getattr(width, "ndim", 1) != 0
    )


def _only_output(task: Task) -> tuple[str, int]:
    """The output node of a task that has one, and its units."""
    check_is("task", task, Task, "be a Task")
    if len(task.targets) != 1:
        fail(
            "task",
            "have one output node",
            f"it has {listed(task.targets)}",
            "Build a networks.Network for it.",
        )
    ((sink, Y),) = task.targets.items()
    return sink, len(Y)


def _pathways(task, depths, widths, activation, activate_last, suffix) -> Network:  # type: ignore[no-untyped-def]
    check_name("activation", activation, ACTIVATIONS)
    sink, units_out = _only_output(task)
    nodes = {source: Node(X.shape[0]) for source, X in task.inputs.items()}
    # Each input has a first matrix of its own: together they are one on all inputs joined.
    mark = {source: f"_{source}" if len(nodes) > 1 else "" for source in nodes}
    edges: dict[str, tuple[str, str]] = {}
    edge_kinds: dict[str, str] = {}
    for a, (depth, hidden) in enumerate(zip(depths, widths, strict=True), start=1):
        names = [*(f"h{suffix(a, layer)}" for layer in range(1, depth)), sink]
        nodes.update(
            {name: Node(units, activation) for name, units in zip(names[:-1], hidden, strict=True)}
        )
        edges.update({f"w{suffix(a, 1)}{mark[source]}": (source, names[0]) for source in mark})
        edges.update(
            {f"w{suffix(a, l)}": (names[l - 2], names[l - 1]) for l in range(2, depth + 1)}
        )
        if activate_last and activation != "linear":
            last = (
                [f"w{suffix(a, depth)}"]
                if depth > 1
                else [f"w{suffix(a, 1)}{mark[source]}" for source in mark]
            )
            edge_kinds.update(dict.fromkeys(last, activation))
    nodes[sink] = Node(units_out)
    return Network(nodes, edges, edge_kinds=edge_kinds)
