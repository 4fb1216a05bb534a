"""The gated linear network that a two-layer ReLU network is, as long as its gates stay as they are."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from racedyn._checks import check_name, fail
from racedyn._types import Weights
from racedyn.networks.fit import check_task, check_weights
from racedyn.networks.forward import forward
from racedyn.networks.network import Network, Node
from racedyn.tasks.task import Task
from racedyn.trajectory import Trajectory

BY = ("example", "context")


class Twin(NamedTuple):
    """A gated network, the task with the contexts that its gates depend on, and its weights: it trains like any other.

    `dead`: neurons that are on in no example, left out. `disagreement`: part of live neurons' gates that are not the ReLU
    network's own, 0 by example.
    """

    network: Network
    task: Task
    weights: Weights
    dead: int
    disagreement: float


def twin(
    network: Network, task: Task, run: Trajectory | Mapping[str, Any], *, at: int | None = None, by: str = "example"
) -> Twin:
    """The neurons of a ReLU network, grouped by gating pattern, as the pathways of a gated linear network.

    **Arguments:**

    - `network`: inputs, one hidden ReLU node, outputs. `run`: its training with `save_weights=True`, or weights.
    - `at`: the step of descent at which gates and weights are taken over; the last one by default.
    - `by`: what gates depend on. "example": each example is a context of its own, and the twin answers as the ReLU network
      does at that step, to rounding. "context": the task's contexts, by majority over a context's examples.

    The twin learns as the ReLU network would if no gate changed. Hidden nodes are "g1", "g2", ... the largest group first;
    edges "<edge>_g1" and so on. Raises `ValueError` for another network, a step that was not saved, and where no neuron is on.
    """
    check_task(network, task)
    inner = [node for node in network.nodes if node not in (*network.inputs, *network.outputs)]
    if len(inner) != 1 or network.nodes[inner[0]].kind != "relu" or network.edge_kinds or network.node_gates:
        fail("network", "have one hidden node, of ReLU units, and no gates of its own", f"it is a {network}",
             'networks.chain(task, 2, width, activation="relu").')  # fmt: skip
    hidden = inner[0]
    weights = check_weights(network, _weights_at(run, at) if isinstance(run, Trajectory) else run)
    dtype = jnp.result_type(*weights.values())
    h = forward(network, weights, {node: jnp.asarray(X, dtype) for node, X in task.inputs.items()})[hidden]
    active = np.asarray(h) > 0
    if check_name("by", by, BY) == "example":
        gates, contexts = active, np.arange(task.num_examples)
    else:
        members = np.equal(task.context[:, None], np.arange(task.num_contexts)).astype(float)
        gates, contexts = active @ members > 0.5 * members.sum(axis=0), task.context
    alive = np.asarray(gates.any(axis=1))
    if not alive.any():
        fail("run", "have neurons that are on in some example", f"all {len(alive)} are off in all of them")
    kinds, group_of, counts = np.unique(gates[alive], axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    units = [np.flatnonzero(alive)[group_of.ravel() == k] for k in order]
    names = [f"g{number + 1}" for number in range(len(units))]
    nodes: dict[str, Any] = {node: network.nodes[node] for node in network.inputs}
    edges: dict[str, tuple[str, str]] = {}
    taken: Weights = {}
    for name, members_of in zip(names, units, strict=True):
        nodes[name] = Node(len(members_of))
        for edge in network.edges_into(hidden):
            edges[f"{edge}_{name}"] = (network.edges[edge][0], name)
            taken[f"{edge}_{name}"] = weights[edge][members_of]
        for edge in network.edges_from(hidden):
            edges[f"{edge}_{name}"] = (name, network.edges[edge][1])
            taken[f"{edge}_{name}"] = weights[edge][:, members_of]
    nodes |= {node: network.nodes[node] for node in network.outputs}
    gated = Network(
        nodes,
        edges,
        node_gates={name: kinds[k] for name, k in zip(names, order, strict=True)},
        num_contexts=gates.shape[1],
    )
    with_contexts = dataclasses.replace(task, context=contexts, num_contexts=gates.shape[1])
    off = np.mean(gates[alive][:, contexts] != active[alive])
    return Twin(gated, with_contexts, taken, int((~alive).sum()), float(off))


def _weights_at(run: Trajectory, step: int | None) -> Mapping[str, Any]:
    if step is None and isinstance(run.end, Mapping) and "weights" in run.end:
        return run.end["weights"]  # type: ignore[no-any-return]
    if run.ys is None or run.step is None:
        fail("run", "have saved its weights", "it has not", "train(..., save_weights=True).")
    steps = np.asarray(run.step)
    rows = np.flatnonzero(steps == (steps[-1] if step is None else step))
    if not len(rows):
        nearest = steps[np.argmin(np.abs(steps - step))]
        fail("at", "be a step that was saved", f"it is {step}", f"The nearest one is {nearest}.")
    return {edge: values[rows[0]] for edge, values in run.ys.items()}
