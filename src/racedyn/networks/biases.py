"""Biases as weights from a constant input: a network and a task in which they learn, and are read, like all others."""

import dataclasses
from collections.abc import Collection

import numpy as np

from racedyn._checks import check_name, fail
from racedyn.networks.fit import check_task
from racedyn.networks.network import Network
from racedyn.tasks.task import Task


def with_biases(
    network: Network, task: Task, *, edges: Collection[str] | None = None, node: str = "bias"
) -> tuple[Network, Task]:
    """The network with a bias beside each matrix, and the task with the constant input that feeds them.

    A further input node `node` of one unit, always 1, has an edge "<edge>_bias" into the target of each edge, whose weights
    (n_target, 1) are the bias b_e of W_e h + b_e; it has the gates of its edge. All else stays: the paths of `network` are
    paths of the new one, read in the same modes, and in a linear network of the same strengths. `edges`: those that get a
    bias; by default all but those with an activation of their own, which have no place for one. Training the result is
    training with biases; where it is linear, `reduce` takes it too.

        network, task = networks.with_biases(networks.chain(task, depth=2, width=8), task)
        weights["w1_bias"]                                            # (8, 1)

    Raises `ValueError` where a name is taken, an edge is unknown or has an activation.
    """
    check_task(network, task)
    curved = [edge for edge in network.edges if network.edge_kinds.get(edge, "linear") != "linear"]
    if isinstance(edges, str):
        fail("edges", "be a list of edges", f"it is {edges!r}", f"[{edges!r}] is one.")
    chosen = [edge for edge in network.edges if edge not in curved] if edges is None else list(dict.fromkeys(edges))
    for edge in chosen:
        check_name("edges", edge, network.edges)
        if edge in curved:
            fail("edges", "have no activation of their own, which a bias would have to go through",
                 f"{edge!r} is {network.edge_kinds[edge]}", "Let a node have the activation.")  # fmt: skip
    if node in network.nodes:
        fail("node", "be a new name", f"the network has a node {node!r}", 'For example node="one".')
    for edge in chosen:
        if bias_of(edge) in network.edges:
            fail("edges", "leave the names of biases free", f"there is an edge {bias_of(edge)!r}", "Rename it.")
    biased = Network(
        {**network.nodes, node: 1},
        {**network.edges, **{bias_of(edge): (node, network.edges[edge][1]) for edge in chosen}},
        node_gates=network.node_gates,
        edge_gates={
            **network.edge_gates,
            **{bias_of(edge): network.edge_gates[edge] for edge in chosen if edge in network.edge_gates},
        },
        num_contexts=network.num_contexts,
        edge_kinds=network.edge_kinds,
    )
    one = np.ones((1, task.num_examples))
    return biased, dataclasses.replace(task, inputs={**task.inputs, node: one})


def bias_of(edge: str) -> str:
    """The name of the edge that carries the bias of this one."""
    return f"{edge}_bias"


def constant_inputs(task: Task) -> dict[str, np.ndarray]:
    """Input node -> its values (n,), of inputs that are the same in all examples and not 0.

    None in a task of one example, where all are.
    """
    if task.num_examples == 1:
        return {}
    return {node: X[:, 0] for node, X in task.inputs.items() if X[:, 0].any() and not np.ptp(X, axis=1).any()}
