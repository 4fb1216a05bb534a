"""A routing task on the device as what one route maps and the table of routes: the losses of all
routes by sums over domains ([Saxe22] section 5).

In a linear network the answer on the route from input i to output j is C_j Q_i x, with Q_i x what
input i sends to the last hidden nodes, and C_j the matrices from there. So the answers of all M^2
routes are one product of M stacked C_j with M stacked Q_i, and nothing is computed route by route.
Only as many columns as inputs have rank are carried: turning one route's examples leaves its
correlations as they are, and what that takes off the targets is the part of the loss that no
weights remove."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._types import Array, Weights
from racedyn.networks import Network, constant_inputs
from racedyn.rules.losses import Kind, has_class, one_hot
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


def goes_by_sums(network: Network, task: Task) -> bool:
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
    comes, goes = _domains_at(network, network.order), _domains_at(network, network.order[::-1])
    for node in network.nodes:
        gate = np.asarray(network.node_gates.get(node, np.ones(M * M)), float).reshape(M, M)
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
        if np.any((np.asarray(table).reshape(M, M) != 1) & relevant):
            return False
    return True


def _domains_at(network: Network, order: Any) -> dict[str, list[int]]:
    """Node -> the domains, counted as the network's ends are, whose routes can run through it, from
    the side where `order` begins."""
    forward = order[0] in network.inputs
    ends = network.inputs if forward else network.outputs
    found: dict[str, set[int]] = {}
    for node in order:
        edges = network.edges_into(node) if forward else network.edges_from(node)
        others = (network.edges[edge][0 if forward else 1] for edge in edges)
        own = {_domain(node)} if node in ends else set()
        found[node] = own.union(*(found[other] for other in others))
    return {node: sorted(domains) for node, domains in found.items()}


def routed_loss(network: Network, weights: Weights, data: Routed, kind: Kind = "squared") -> Array:
    """`loss_of` all examples of all trained routes."""
    targets, (rows, columns), M = data.targets, data.targets.shape, len(data.trained)
    if kind == "squared":

        def squared(answers: Array) -> Array:
            return 0.5 * jnp.sum((targets[:, None] - answers) ** 2, axis=(0, 2))

        each = _of_outputs(network, weights, data, squared, rows * M * columns)
        return jnp.sum(data.trained * each) / data.num_examples + data.floor
    classes = one_hot(data.features)[:, None]

    def missed(answers: Array) -> Array:
        return -jnp.sum(classes * jax.nn.log_softmax(answers @ data.turn, axis=0), axis=(0, 2))

    each = _of_outputs(network, weights, data, missed, rows * M * data.items.shape[1])
    return jnp.sum(data.trained * each) / data.num_examples


def routed_accuracy(network: Network, weights: Weights, data: Routed) -> Array:
    """`accuracy_of` all examples of all trained routes."""
    known, wanted = has_class(data.features), jnp.argmax(data.features, axis=0)

    def right(answers: Array) -> Array:
        named = jnp.argmax(answers @ data.turn, axis=0)  # (M, P)
        return jnp.sum((named == wanted) & known, axis=1, dtype=data.trained.dtype)

    rows, M = len(data.targets), len(data.trained)
    each = _of_outputs(network, weights, data, right, rows * M * data.items.shape[1])
    return jnp.sum(data.trained * each) / (data.num_routes * jnp.sum(known))


# Numbers that are computed at once: 8 MiB in float64. Memory depends on it, and nothing else.
AT_ONCE = 2**20


def _of_outputs(
    network: Network,
    weights: Weights,
    data: Routed,
    read: Callable[[Array], Array],
    size: int,
) -> Array:
    """`read` of the answers of each output domain on the routes of all inputs, trained or not,
    (n_out, M, r), which needs `size` numbers: (M, ...), a part of the domains at a time.
    """
    M, blocks = len(data.trained), _blocks(network, weights, data)
    if len(blocks) == 1 and blocks[0].whole:
        (last,), (held,) = blocks[0].last, blocks[0].held
        parts, of_one = last, lambda C: read(jnp.einsum("on,nir->oir", C, held))
    else:
        parts, of_one = _summed(blocks, data), read
    at_once = max(1, AT_ONCE // size)
    if at_once >= M:
        return jax.vmap(of_one)(parts)
    # Backward, a part is computed again rather than kept.
    return jax.lax.map(jax.checkpoint(of_one), parts, batch_size=at_once)


class _Block(NamedTuple):
    """Last hidden nodes with as many domains before, and behind, them.

    `sinks` (node, J), `sources` (node, I): which; `last` (node, J, n_out, n): matrices to the
    outputs; `held` (node, n, I, r): what the nodes hold of the inputs."""

    sinks: np.ndarray
    sources: np.ndarray
    last: Array
    held: Array
    whole: bool


def _blocks(network: Network, weights: Weights, data: Routed) -> list[_Block]:
    weights = _in_own_coordinates(network, weights, data)
    domains = _domains_at(network, network.order)
    held: dict[str, Array] = {}  # node -> (n, domains at it, r)
    alike: dict[tuple[int, ...], list[tuple[list[int], list[int], Array, Array]]] = {}
    for node in network.order:
        if node in network.outputs:
            continue
        held[node] = (
            data.columns[:, None]
            if node in network.inputs
            else _carried(network, weights, held, domains, node)
        )
        edges = [e for e in network.edges_from(node) if network.edges[e][1] in network.outputs]
        if edges:
            last = jnp.stack([weights[edge] for edge in edges])
            sinks = [_domain(network.edges[edge][1]) for edge in edges]
            key = len(sinks), *held[node].shape
            alike.setdefault(key, []).append((sinks, domains[node], last, held[node]))
    every = list(range(len(data.trained)))
    blocks = []
    for group in alike.values():
        sinks_of, sources_of, lasts, carried = zip(*group, strict=True)
        whole = len(group) == 1 and sinks_of[0] == sources_of[0] == every
        places = np.asarray(sinks_of), np.asarray(sources_of)
        blocks.append(_Block(*places, jnp.stack(lasts), jnp.stack(carried), whole))
    return blocks


def _summed(blocks: list[_Block], data: Routed) -> Array:
    """The answers on all routes, (M of outputs, n_out, M of inputs, r)."""
    M, (rows, columns) = len(data.trained), data.targets.shape
    total = jnp.zeros((M, rows, M, columns), data.targets.dtype)
    for block in blocks:
        place = block.sinks[:, :, None], slice(None), block.sources[:, None]
        total = total.at[place].add(jnp.einsum("bjon,bnir->bjior", block.last, block.held))
    return total


def _carried(
    network: Network,
    weights: Weights,
    held: dict[str, Array],
    domains: dict[str, list[int]],
    node: str,
) -> Array:
    """What a hidden node holds of each input domain that reaches it, (n, domain, r)."""
    parts: list[tuple[list[int], Array]] = []  # which domains, and what is carried of them
    first: list[str] = []
    for edge in network.edges_into(node):
        source, _ = network.edges[edge]
        if source in network.inputs:
            first.append(edge)
        else:
            parts.append((domains[source], jnp.tensordot(weights[edge], held[source], 1)))
    if first:
        sources = [network.edges[edge][0] for edge in first]
        columns = held[sources[0]][:, 0]  # those of all inputs, in their own coordinates
        stacked = jnp.stack([weights[edge] for edge in first])
        parts.append((list(map(_domain, sources)), jnp.einsum("inx,xr->nir", stacked, columns)))
    if len(parts) == 1 and parts[0][0] == domains[node]:
        return parts[0][1]
    n, _, r = parts[0][1].shape
    total = jnp.zeros((n, len(domains[node]), r), parts[0][1].dtype)
    for which, part in parts:
        total = total.at[:, np.searchsorted(domains[node], which)].add(part)
    return total


def _in_own_coordinates(network: Network, weights: Weights, data: Routed) -> Weights:
    """The weights of first and last matrices as they act on what all domains have in common."""
    turned = dict(weights)
    for edge, (source, target) in network.edges.items():
        if source in network.inputs and data.input_transforms is not None:
            back = data.input_transforms[_domain(source)]
            turned[edge] = turned[edge][:, back] if back.ndim == 1 else turned[edge] @ back.T
        if target in network.outputs and data.output_transforms is not None:
            back = data.output_transforms[_domain(target)]
            turned[edge] = turned[edge][back] if back.ndim == 1 else back @ turned[edge]
    return turned


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


def _domain(node: str) -> int:
    return int(node[1:]) - 1
