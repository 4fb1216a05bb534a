"""The forward pass of a gated network."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from racedyn._types import Array, Weights
from racedyn.networks.network import Network

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"linear": lambda h: h, "relu": jax.nn.relu, "tanh": jnp.tanh}


def forward(
    network: Network, weights: Weights, inputs: Mapping[str, Array], context: Array | None = None
) -> dict[str, Array]:
    """The activity of every node: name -> (n, P); the outputs' entries are the prediction.

    `inputs`: input node -> (n, P); `context` (P,), whole numbers, needed only where there are gates ([Saxe22] eq. 1).
    """
    some = next(iter(inputs.values()))

    def gated(tables: Mapping[str, Any], name: str, activity: Array) -> Array:
        if name not in tables:
            return activity
        table = jnp.asarray(tables[name], dtype=some.dtype)
        return activity * table[jnp.zeros(some.shape[-1], int) if context is None else context]

    h: dict[str, Array] = {}
    for node in network.order:
        if node in network.inputs:
            total = inputs[node]
        else:
            parts = []
            for edge in network.edges_into(node):
                carried = weights[edge] @ h[network.edges[edge][0]]
                parts.append(
                    gated(network.edge_gates, edge, ACTIVATIONS[network.edge_kinds.get(edge, "linear")](carried))
                )
            total = ACTIVATIONS[network.nodes[node].kind](sum(parts[1:], start=parts[0]))
        h[node] = gated(network.node_gates, node, total)
    return h
