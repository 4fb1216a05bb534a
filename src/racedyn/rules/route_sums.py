"""The losses of all routes of a routing task by sums over domains ([Saxe22] section 5).

In a linear network the answer on the route from input i to output j is C_j Q_i x, with Q_i x what
input i sends to the last hidden nodes, and C_j the matrices from there. So the answers of all M^2
routes are one product of M stacked C_j with M stacked Q_i, and nothing is computed route by route.
Only as many columns as inputs have rank are carried: turning one route's examples leaves its
correlations as they are, and what that takes off the targets is the part of the loss that no
weights remove."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._types import Array, Weights
from racedyn.networks import Network
from racedyn.rules.losses import Kind, has_class, one_hot
from racedyn.rules.routes import Routed, domain_of, domains_at


def routed_loss(network: Network, weights: Weights, data: Routed, kind: Kind = "squared") -> Array:
    """`loss_of` all examples of all trained routes."""
    targets, (rows, columns), M = data.targets, data.targets.shape, len(data.trained)
    if kind == "squared":

        def squared(answers: Array, back: Array | None) -> Array:
            return 0.5 * jnp.sum((targets[:, None] - answers) ** 2, axis=(0, 2))

        each = _of_outputs(network, weights, data, squared, rows * M * columns)
        return jnp.sum(data.trained * each) / data.num_examples + data.floor

    def missed(answers: Array, back: Array | None) -> Array:
        classes = one_hot(_forth(back, data.features))[:, None]
        named = jax.nn.log_softmax(_forth(back, answers @ data.turn), axis=0)
        return -jnp.sum(classes * named, axis=(0, 2))

    each = _of_outputs(network, weights, data, missed, rows * M * data.items.shape[1])
    return jnp.sum(data.trained * each) / data.num_examples


def routed_accuracy(network: Network, weights: Weights, data: Routed) -> Array:
    """`accuracy_of` all examples of all trained routes."""
    known, rows, M = has_class(data.features), len(data.targets), len(data.trained)

    def right(answers: Array, back: Array | None) -> Array:
        named = jnp.argmax(_forth(back, answers @ data.turn), axis=0)  # (M, P)
        wanted = jnp.argmax(_forth(back, data.features), axis=0)
        return jnp.sum((named == wanted) & known, axis=1, dtype=data.trained.dtype)

    each = _of_outputs(network, weights, data, right, rows * M * data.items.shape[1])
    num = data.num_routes * jnp.sum(known, dtype=data.trained.dtype)
    return jnp.sum(data.trained * each) / num


def _forth(back: Array | None, rows: Array) -> Array:
    """Rows of an output in the task's own coordinates, where its classes are read; any permutation
    of them has the same largest entries.
    """
    return rows if back is None else jnp.tensordot(back.T, rows, 1)


# Numbers that are computed at once: 8 MiB in float64. Memory depends on it, and nothing else.
AT_ONCE = 2**20


def _of_outputs(
    network: Network,
    weights: Weights,
    data: Routed,
    read: Callable[[Array, Array | None], Array],
    size: int,
) -> Array:
    """`read` of the answers of each output domain on the routes of all inputs, trained or not,
    (n_out, M, r), and of its rotation, if it has one: (M, ...), a part of the domains at a time.
    Each needs `size` numbers.
    """
    M, blocks, turns = len(data.trained), _blocks(network, weights, data), data.output_transforms
    rotations = None if turns is None or turns.ndim == 2 else turns
    if len(blocks) == 1 and blocks[0].whole:
        (last,), (held,) = blocks[0].last, blocks[0].held

        def answered(part: Array) -> Array:
            return jnp.einsum("on,nir->oir", part, held)
    else:
        last = _summed(blocks, data)

        def answered(part: Array) -> Array:
            return part

    def of_one(one: tuple[Array, Array | None]) -> Array:
        part, back = one
        return read(answered(part), back)

    at_once = max(1, AT_ONCE // size)
    if at_once >= M:
        return jax.vmap(of_one)((last, rotations))
    # Backward, a part is computed again rather than kept.
    return jax.lax.map(jax.checkpoint(of_one), (last, rotations), batch_size=at_once)


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
    domains = domains_at(network, network.order)
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
            sinks = [domain_of(network.edges[edge][1]) for edge in edges]
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
        parts.append((list(map(domain_of, sources)), jnp.einsum("inx,xr->nir", stacked, columns)))
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
            back = data.input_transforms[domain_of(source)]
            turned[edge] = turned[edge][:, back] if back.ndim == 1 else turned[edge] @ back.T
        if target in network.outputs and data.output_transforms is not None:
            back = data.output_transforms[domain_of(target)]
            turned[edge] = turned[edge][back] if back.ndim == 1 else back @ turned[edge]
    return turned
