"""A routing task on the device: what one route maps, and the table of routes."""

from typing import Any, TypeGuard

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from racedyn._types import Array
from racedyn.networks import Network, constant_inputs
from racedyn.tasks import RoutingTask, Task


class Routed(eqx.Module):
    """A routing task on the device.

    **Fields:** `columns` (n_in, r) and `targets` (n_out, r): one route's examples turned into as
    many columns as its inputs have rank; `turn` (r, P): back from them; `items` (n_in, P) and
    `features` (n_out, P), as they are; `trained` (M, M), of output (row) and input domain; `floor`:
    what the turn takes off the mean loss; `input_transforms`, `output_transforms`: the weights in
    each domain's own coordinates, as indices or matrices, or None."""

    columns: Array
    targets: Array
    turn: Array
    items: Array
    features: Array
    trained: Array
    floor: Array
    input_transforms: Array | None
    output_transforms: Array | None
    num_routes: int = eqx.field(static=True)

    @classmethod
    def of(cls, task: RoutingTask, dtype: Any) -> "Routed":
        known = task.structure
        X, Y = known.items, known.features
        _, S, Vt = np.linalg.svd(X, full_matrices=False)
        rank = int(np.count_nonzero(max(X.shape) * np.finfo(float).eps * S[0] < S))
        turn = np.eye(X.shape[1]) if rank == X.shape[1] else Vt[:rank]
        left = Y - (Y @ turn.T) @ turn
        return cls(
            columns=jnp.asarray(X @ turn.T, dtype),
            targets=jnp.asarray(Y @ turn.T, dtype),
            turn=jnp.asarray(turn, dtype),
            items=jnp.asarray(X, dtype),
            features=jnp.asarray(Y, dtype),
            trained=jnp.asarray(known.routes.T, dtype),
            floor=jnp.asarray(0.5 * np.sum(left**2) / X.shape[1], dtype),
            input_transforms=_inverse(known.input_transforms, dtype),
            output_transforms=_inverse(known.output_transforms, dtype),
            num_routes=int(known.routes.sum()),
        )

    @property
    def num_examples(self) -> int:
        return self.num_routes * self.items.shape[1]

    @property
    def constants(self) -> dict[str, Array]:
        """Inputs that are always the same: none, as each is silent on other domains' routes."""
        return {}

    def examples(self, numbers: Array) -> tuple[dict[str, Array], dict[str, Array], Array]:
        """Inputs, targets and contexts of some examples, as the task counts them: route by route,
        one after the other.
        """
        M, num = len(self.trained), self.items.shape[1]
        pairs = jnp.argwhere(self.trained.T, size=self.num_routes)[numbers // num]
        inputs, targets = (
            {
                f"{letter}{domain + 1}": jnp.where(
                    pairs[:, side] == domain, _back(turns, domain, rows[:, numbers % num]), 0.0
                )
                for domain in range(M)
            }
            for side, (letter, rows, turns) in enumerate(
                (
                    ("x", self.items, self.input_transforms),
                    ("y", self.features, self.output_transforms),
                )
            )
        )
        return inputs, targets, pairs @ jnp.asarray([M, 1])


def goes_by_sums(task: Task, network: Network) -> TypeGuard[RoutingTask]:
    """Whether the losses of a task are sums over domains in this network: a routing task, and a
    linear network that joins the domains of all trained routes, in which nothing but a route's own
    two domains depends on the route.
    """
    if not isinstance(task, RoutingTask) or not network.linear or network.unit_gated:
        return False
    if constant_inputs(task) or not network.node_gates:
        return False
    M = task.structure.domains
    at = [table.reshape(M, M) for table in np.indices((M, M))]
    comes, goes = domains_at(network, network.order), domains_at(network, network.order[::-1])
    for node in network.nodes:
        gate = np.asarray(network.node_gates.get(node, np.ones(M * M))[: M * M]).reshape(M, M)
        if node in network.inputs:
            # An input is silent on other domains' routes, with a gate or without.
            expected, relevant = np.ones((M, M)), at[0] == comes[node][0]
        elif node in network.outputs:
            expected, relevant = at[1] == goes[node][0], np.ones((M, M), bool)
        else:
            expected = np.ones((M, M))
            relevant = np.isin(at[0], comes[node]) & np.isin(at[1], goes[node])
        if np.any((gate != expected) & relevant):
            return False
    if any(
        not {*np.flatnonzero(task.structure.routes[:, goes[y][0]])} <= {*comes[y]}
        for y in network.outputs
    ):
        return False
    for edge, table in network.edge_gates.items():
        source, target = network.edges[edge]
        relevant = np.isin(at[0], comes[source]) & np.isin(at[1], goes[target])
        if np.any((np.asarray(table)[: M * M].reshape(M, M) != 1) & relevant):
            return False
    return True


def domains_at(network: Network, order: Any) -> dict[str, list[int]]:
    """Node -> the domains, counted as the network's ends are, whose routes can run through it, from
    the side where `order` begins."""
    forward = order[0] in network.inputs
    ends = network.inputs if forward else network.outputs
    found: dict[str, set[int]] = {}
    for node in order:
        edges = network.edges_into(node) if forward else network.edges_from(node)
        others = (network.edges[edge][0 if forward else 1] for edge in edges)
        own = {domain_of(node)} if node in ends else set()
        found[node] = own.union(*(found[other] for other in others))
    return {node: sorted(domains) for node, domains in found.items()}


def _inverse(transforms: np.ndarray | None, dtype: Any) -> Array | None:
    if transforms is None:
        return None
    if transforms.ndim == 2:
        return jnp.asarray(np.argsort(transforms, axis=1))
    return jnp.asarray(np.swapaxes(transforms, 1, 2), dtype)


def _back(turns: Array | None, domain: int, rows: Array) -> Array:
    """Rows in the coordinates of a domain, of which `turns` lead away."""
    if turns is None:
        return rows
    back = turns[domain]
    return rows[jnp.argsort(back)] if back.ndim == 1 else back.T @ rows


def domain_of(node: str) -> int:
    """The number of an end's domain, from 0: of "x3" and "y3" it is 2."""
    return int(node[1:]) - 1
