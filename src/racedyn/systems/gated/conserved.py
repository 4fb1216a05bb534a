"""What gradient flow conserves: at each inner node sum_in W W^T - sum_out W^T W, gates or not
([Saxe22]).
"""

import jax.numpy as jnp
import numpy as np

from racedyn._types import Array
from racedyn.systems.gated.parts import State, Trained, Work


def balances(work: Work, trained: Trained, y: State) -> list[tuple[Array, Array]]:
    """The conserved matrix (n, n) of each inner node whose edges all learn, and its scale ()."""
    network = work.network
    ends = {*network.inputs, *network.outputs}
    ends |= {node for edge in trained.fixed for node in network.edges[edge]}
    return [_balance(work, node, y) for node in network.order if node not in ends]


def _balance(work: Work, node: str, y: State) -> tuple[Array, Array]:
    sums = []
    # Of what arrives W W^T, over sources j; of what leaves W^T W, over targets j: either way the
    # two axes left, i and k, are units of this node. e are the edges that a bundle has here.
    for edges, product in (
        (work.network.edges_into(node), "eij,ekj->ik"),
        (work.network.edges_from(node), "eji,ejk->ik"),
    ):
        which: dict[int, list[int]] = {}  # bundle -> places of these edges in it
        for edge in edges:
            bundle, i = work.place[edge]
            which.setdefault(bundle, []).append(i)
        parts = [
            jnp.einsum(product, stack, stack)
            for stack in (y[b][np.asarray(i)] for b, i in which.items())
        ]
        sums.append(sum(parts[1:], start=parts[0]))
    return sums[0] - sums[1], jnp.linalg.norm(sums[0]) + jnp.linalg.norm(sums[1])
