"""Biases as weights from a constant input: a network and a task in which they learn, and are read,
like all others.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_real, check_finite
from racedyn._checks import check_flags, check_is, check_name, check_names, fail
from racedyn._text import listed
from racedyn._types import Weights
from racedyn.networks.fit import check_task, check_weights
from racedyn.networks.layers import from_layers
from racedyn.networks.network import Network, bias_of
from racedyn.tasks import Task


def with_biases(
    network: Network, task: Task, *, edges: Sequence[str] | None = None, node: str = "bias"
) -> tuple[Network, Task]:
    """The network with a bias beside each matrix, and the task with the constant input that feeds
    them.

    A further input node `node` of one unit, always 1, has an edge "<edge>_bias" into the target of
    each edge, whose weights (n_target, 1) are the bias b_e of W_e h + b_e; it has the gates of its
    edge. All else stays: the paths of `network` are paths of the new one, read in the same modes,
    and in a linear network of the same strengths. `edges`: those that get a bias; by default all
    but those with an activation of their own, which have no place for one. Training the result is
    training with biases; where it is linear, `reduce` takes it too.

    Raises `ValueError` where a name is taken, an edge is unknown or has an activation.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network, task = rd.networks.with_biases(rd.networks.chain(task, depth=2, width=5), task)
        >>> {edge: network.shape(edge) for edge in network.edges}
        {'w1': (5, 4), 'w2': (7, 5), 'w1_bias': (5, 1), 'w2_bias': (7, 1)}
    """
    check_task(network, task)
    chosen = (
        _straight(network)
        if edges is None
        else list(dict.fromkeys(check_names("edges", edges, "edges")))
    )
    for edge in chosen:
        check_name("edges", edge, network.edges)
        if edge not in _straight(network):
            fail(
                "edges",
                "have no activation of their own, which a bias would have to go through",
                f"{edge!r} is {network.edge_kinds[edge]}",
                "Let a node have the activation.",
            )
    check_is("node", node, str, "be a name")
    if node in network.nodes:
        fail("node", "be a new name", f"the network has a node {node!r}", 'For example node="one".')
    for edge in chosen:
        if bias_of(edge) in network.edges:
            fail(
                "edges",
                "leave the names of biases free",
                f"there is an edge {bias_of(edge)!r}",
                "Rename it.",
            )
    biased = Network(
        {**network.nodes, node: 1},
        {**network.edges, **{bias_of(edge): (node, network.edges[edge][1]) for edge in chosen}},
        node_gates=network.node_gates,
        edge_gates={
            **network.edge_gates,
            **{
                bias_of(edge): network.edge_gates[edge]
                for edge in chosen
                if edge in network.edge_gates
            },
        },
        num_contexts=network.num_contexts,
        edge_kinds=network.edge_kinds,
    )
    one = np.ones((1, task.num_examples))
    return biased, dataclasses.replace(task, inputs={**task.inputs, node: one})


def read_weights(network: Network, layers: Any, *, biases: bool = False) -> Weights:
    """Weights of `network` from a dict edge -> array, or from what `from_layers` takes; with
    `biases` those of `with_biases`.

    `biases`: vectors (n_target,) beside the matrices are kept, as edges "<edge>_bias" (n_target,
    1), zero where a matrix has none. That of a matrix "<name>.weight" (or ".kernel") is called
    "<name>.bias", that of an edge "<edge>_bias". Without it, a bias that is not zero is refused,
    unless `network` itself has an edge for it, as those of `with_biases` have. A module with a
    `state_dict` may stand for it.

    Raises `ValueError` where a matrix is missing or a shape does not fit, and for entries other
    than zero that are neither matrices of the network nor biases of them.

        >>> network = rd.networks.chain(rd.tasks.hierarchy(items=4), depth=2, width=5)
        >>> state = {"0.weight": np.ones((5, 4)), "0.bias": np.ones(5), "2.weight": np.ones((7, 5))}
        >>> weights = rd.networks.read_weights(network, state, biases=True)
        >>> {edge: array.shape for edge, array in weights.items()}
        {'w1': (5, 4), 'w2': (7, 5), 'w1_bias': (5, 1), 'w2_bias': (7, 1)}
    """
    check_is("network", network, Network, "be a Network")
    check_flags(biases=biases)
    layers = layers.state_dict() if hasattr(layers, "state_dict") else layers
    own = network.biases
    if own and not (isinstance(layers, Mapping) and set(own.values()) & set(_flat(layers))):
        if biases:
            fail(
                "biases",
                "be left out where the network has edges for them",
                f"it has {listed(own.values())}",
            )
        read = read_weights(_without_biases(network), layers, biases=True)
        left = {
            name: array
            for name, array in read.items()
            if name not in network.edges and np.any(array)
        }
        if left:
            fail(
                "weights",
                "have no biases but those of the network",
                f"that of {next(iter(left))!r} is not zero",
                f"It has {listed(own.values())}.",
            )
        return {edge: read[edge] for edge in network.edges}
    if not isinstance(layers, Mapping):
        weights, vectors = from_layers(network, layers), dict[str, Any]()
    else:
        weights, vectors = _parted(network, _flat(layers))
    found = {
        edge: jnp.zeros((network.shape(edge)[0], 1), weights[edge].dtype)
        for edge in _straight(network)
    }
    for name, (edge, bias) in vectors.items():
        if not biases:
            fail(
                "weights",
                "have no biases, as the theory has none",
                f"{name!r} is not zero",
                "Train without them, or take them as a constant input: biases=True.",
            )
        if edge not in found:
            fail(
                "weights",
                "have no bias inside an activation of an edge",
                f"{name!r} is that of {edge!r}",
                "Let a node have the activation.",
            )
        if bias.size != len(found[edge]):
            fail(
                f"weights[{name!r}]",
                f"have {len(found[edge])} entries, one per row of its matrix",
                f"its shape is {bias.shape}",
            )
        found[edge] = jnp.asarray(bias.reshape(-1, 1), weights[edge].dtype)
    return (
        weights | {bias_of(edge): column for edge, column in found.items()} if biases else weights
    )


def _without_biases(network: Network) -> Network:
    taken = set(network.biases.values())
    edges = {edge: ends for edge, ends in network.edges.items() if edge not in taken}
    joined = {node for ends in edges.values() for node in ends}
    return Network(
        {name: (node.width, node.kind) for name, node in network.nodes.items() if name in joined},
        edges,
        edge_kinds={edge: kind for edge, kind in network.edge_kinds.items() if edge in edges},
    )


def _parted(
    network: Network, layers: Mapping[str, Any]
) -> tuple[Weights, dict[str, tuple[str, np.ndarray]]]:
    """The matrices of a dict, and the biases that are not zero: name -> its edge and values."""
    if any(name in network.edges for name in layers):
        matrices = {name: value for name, value in layers.items() if name in network.edges}
        weights, edges = check_weights(network, matrices), {name: name for name in matrices}
    else:
        matrices = {name: value for name, value in layers.items() if np.ndim(value) == 2}
        weights = from_layers(network, matrices)
        # `from_layers` knows which matrix is which edge's: asked with matrices that hold their own
        # number, it says so.
        numbered = {
            name: np.full(np.shape(matrix), float(i))
            for i, (name, matrix) in enumerate(matrices.items())
        }
        told = from_layers(network, numbered)
        edges = {list(matrices)[int(array[0, 0])]: edge for edge, array in told.items()}
    edge_of = {
        bias: edge
        for name, edge in edges.items()
        for bias in (bias_of(name), re.sub("(weight|kernel)$", "bias", name))
    }
    biases = {}
    for name, value in layers.items():
        if name in matrices or not (bias := _on_host(name, value)).any():
            continue
        if name not in edge_of:
            fail(
                "weights",
                "hold matrices of the network and their biases",
                f"{name!r} of shape {bias.shape} is neither",
                f"The edges are {listed(network.edges)}.",
            )
        biases[name] = edge_of[name], bias
    return weights, biases


def _flat(layers: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Full name -> value: dicts in dicts have dots between their names."""
    flat: dict[str, Any] = {}
    for key, value in layers.items():
        flat |= (
            _flat(value, f"{prefix}{key}.")
            if isinstance(value, Mapping)
            else {f"{prefix}{key}": value}
        )
    return flat


def _on_host(name: str, value: Any) -> np.ndarray:
    """Finite numbers on the host, of a PyTorch tensor on any device too."""
    array = np.asarray(as_real(f"weights[{name!r}]", value), np.float64)
    check_finite(f"weights[{name!r}]", array)
    return array


def _straight(network: Network) -> list[str]:
    """Edges without an activation of their own: those whose bias is added where the edge ends."""
    return [edge for edge in network.edges if network.edge_kinds.get(edge, "linear") == "linear"]


def constant_inputs(task: Task) -> dict[str, np.ndarray]:
    """Input node -> its values (n,), of inputs that are the same in all examples and not 0.

    None in a task of one example, where all are.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.chain(task, depth=2, width=5)
        >>> _, biased = rd.networks.with_biases(network, task)
        >>> rd.networks.constant_inputs(task), rd.networks.constant_inputs(biased)
        ({}, {'bias': array([1.])})
    """
    return task.constant_inputs()
