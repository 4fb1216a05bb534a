"""The gated linear network that a ReLU network is, as long as its gates stay as they are."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from racedyn._checks import check_int, check_name, fail
from racedyn._text import brief
from racedyn._types import Weights
from racedyn.gates.neurons import relu_nodes, weights_at
from racedyn.networks import (
    Network,
    Problem,
    check_weights,
    forward,
    split_units,
    the_three,
)
from racedyn.tasks import Task
from racedyn.trajectory import Trajectory

BY = ("example", "context")


class Twin(NamedTuple):
    """A gated network, the task with the contexts that its gates depend on, and its weights.

    **Fields:** `problem`, the three as one, which `train`, `reduce` and all others take as it is:
    `rd.train(twin.problem, lr=0.1, steps=100)`; `network`, `task`, `weights` are its parts.

    `dead`: neurons left out, as they are on in no example, or by context in most examples of no
    context. `disagreement`: part of the others' gates that are not what the ReLU network's are at
    the step whose weights it takes over. Gates are read by the contexts of this `task`, not of the
    one it was made from."""

    problem: Problem
    dead: int
    disagreement: float

    @property
    def network(self) -> Network:
        return self.problem.network

    @property
    def task(self) -> Task:
        return self.problem.task

    @property
    def weights(self) -> Mapping[str, Any]:
        return self.problem.weights

    def __repr__(self) -> str:
        return brief(self)

    def __str__(self) -> str:
        left_out = f"{self.dead} neurons left out, {self.disagreement:.1%} of gates differ"
        return f"Twin: {self.network}; {left_out}"


def twin(
    network: Network | Problem,
    task: Task | None = None,
    run: Trajectory | Mapping[str, Any] | None = None,
    *,
    at: int | None = None,
    by: str = "example",
    gates_at: int | None = None,
) -> Twin:
    """A ReLU network's own neurons, with its gates of one step, as a gated linear network.

    **Arguments:**

    - `network`: hidden nodes of ReLU units, one or several, linear ones between them or not; or a
      Problem in place of all three. `run`: its training with `observe=["weights"]`, or weights.
    - `at`: the step of descent whose weights are taken over; the last one by default. `gates_at`:
      the step whose gates are; the same by default. Gates of the end with weights of the start are
      the ReLN of [Jarvis25].
    - `by`: what gates depend on. "example": each example is a context of its own, each neuron has
      its own gates, and the twin answers as the ReLU network does at that step, to rounding.
      "context": the task's contexts, by majority over a context's examples; neurons of one pattern
      are a pathway, nodes "<hidden>_1", "<hidden>_2", ... the largest first.

    The twin learns as the ReLU network would if no gate changed. By example it keeps the names of
    the ReLU network, and `networks.split_units` makes pathways of it, to reduce. Raises
    `ValueError` for another network, a step that was not saved, and where no neuron is on.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.chain(task, depth=2, width=8, activation="relu")
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> twin = rd.gates.twin(network, task, weights)
        >>> print(twin.network)
        linear network (input 4, output 7, 1 hidden layers of 8 units), 2 edges, 4 contexts
        >>> a = rd.representations.activity(network, task, weights, node="output")
        >>> np.allclose(a, rd.representations.activity(twin.problem, node="output"))
        True
    """
    for argument, step in (("at", at), ("gates_at", gates_at)):
        if step is not None:
            check_int(argument, step, 0)
    if not isinstance(run, Trajectory):
        for argument, step in (("at", at), ("gates_at", gates_at)):
            if step is not None:
                fail(
                    argument,
                    "be left out where weights are given",
                    f"it is {step}",
                    "Pass the run itself.",
                )
    hidden = relu_nodes(network.network if isinstance(network, Problem) else network)
    start = weights_at(run, "at", at) if isinstance(run, Trajectory) else run
    network, task, weights = the_three(network, task, start)
    active = gates = _active(network, task, weights, hidden)
    if gates_at is not None and isinstance(run, Trajectory):
        later = check_weights(network, weights_at(run, "gates_at", gates_at))
        gates = _active(network, task, later, hidden)
    contexts = np.arange(task.num_examples)
    if check_name("by", by, BY) == "context":
        members = np.equal(task.context[:, None], np.arange(task.num_contexts)).astype(float)
        most = 0.5 * members.sum(axis=0)
        gates, contexts = {node: on @ members > most for node, on in gates.items()}, task.context
    kept = {node: np.flatnonzero(on.any(axis=1)) for node, on in gates.items()}
    for node, alive in kept.items():
        if not len(alive):
            fail(
                "run",
                "have neurons that are on in some example",
                f"all {len(gates[node])} of {node!r} are off in all of them",
            )
    num_contexts = next(iter(gates.values())).shape[1]
    gated = Network(
        {node: len(kept.get(node, range(width))) for node, (width, _) in network.nodes.items()},
        dict(network.edges),
        node_gates={node: gates[node][alive].T for node, alive in kept.items()},
        num_contexts=num_contexts,
    )
    taken = {
        edge: weights[edge][kept.get(target, slice(None))][:, kept.get(source, slice(None))]
        for edge, (source, target) in network.edges.items()
    }
    if by == "context":
        gated, taken = split_units(gated, taken)
    with_contexts = dataclasses.replace(task, context=contexts, num_contexts=num_contexts)
    off = [
        (gates[node][alive][:, contexts] != active[node][alive]).ravel()
        for node, alive in kept.items()
    ]
    dead = sum(len(on) for on in gates.values()) - sum(map(len, kept.values()))
    disagreement = float(np.concatenate(off).mean())
    return Twin(Problem(gated, with_contexts, taken), dead, disagreement)


def _active(
    network: Network, task: Task, weights: Weights, hidden: list[str]
) -> dict[str, np.ndarray]:
    """Node -> which units are on in which examples, (unit, example)."""
    dtype = jnp.result_type(*weights.values())
    h = forward(network, weights, {node: jnp.asarray(X, dtype) for node, X in task.inputs.items()})
    return {node: np.asarray(h[node]) > 0 for node in hidden}
