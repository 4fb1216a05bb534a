"""What the hidden layers of a network hold, and how far learning moved them.

Small initial weights make the race of [Saxe22]: hidden layers align and input domains come to share them (fig. 4g). Large
ones make the lazy regime, whose tangent kernel [Jacot et al. 2018] stays as it was drawn (fig. 6).
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import as_matrix, check_name, check_positive_int, fail
from racedyn._types import Array, ArrayLike, Weights
from racedyn.networks.fit import check_task, check_weights
from racedyn.networks.forward import ACTIVATIONS, forward
from racedyn.networks.gating import gate_groups, path_classes
from racedyn.networks.network import Network
from racedyn.tasks.task import Task


def activity(network: Network, weights: Mapping[str, Any], task: Task, node: str) -> Array:
    """What a node holds of every example of a task, gates as the task's contexts set them: (units, P).

    Raises `ValueError` for an unknown node, and for a task or weights that do not fit.
    """
    check_task(network, task)
    check_name("node", node, network.nodes)
    weights = check_weights(network, weights)
    inputs, context = _on_device(task, weights)
    return forward(network, weights, inputs, context)[node]


def responses(
    network: Network, weights: Mapping[str, Any], inputs: Mapping[str, Any], node: str, context: int | None = None
) -> Array:
    """The response of a node to each input node alone, all others silent: (units, columns).

    `inputs`: input node -> (n, items), and columns follow in their order, for a routing task `{x: task.items for x in
    task.inputs}` ([Saxe22] figs. 4g, 6c). Gates are those of `context`, or all open (1) where it is None: an item can then be
    compared with those of domains that no context opens together with its own. Raises `ValueError` for unknown nodes,
    inputs or weights that do not fit, and a context that the network has not.
    """
    check_name("node", node, network.nodes)
    weights = check_weights(network, weights)
    items = {source: as_matrix(f"inputs[{source!r}]", X) for source, X in inputs.items()}
    if not items:
        fail("inputs", "name at least one input node", "it is empty")
    for source, X in items.items():
        width = network.nodes[check_name("inputs", source, network.inputs)].width
        if len(X) != width:
            fail(f"inputs[{source!r}]", f"have {width} rows", f"it has {len(X)}")
    if context is None:
        network = Network(network.nodes, network.edges, edge_kinds=network.edge_kinds)
    elif not 0 <= context < network.num_contexts:
        fail("context", f"be one of the network's, 0 to {network.num_contexts - 1}", f"it is {context}")
    ends = np.cumsum([X.shape[1] for X in items.values()])
    dtype = jnp.result_type(*weights.values())
    alone = {source: jnp.zeros((network.nodes[source].width, ends[-1]), dtype) for source in network.inputs}
    for (source, X), end in zip(items.items(), ends, strict=True):
        alone[source] = alone[source].at[:, end - X.shape[1] : end].set(jnp.asarray(X, dtype))
    return forward(network, weights, alone, jnp.full(ends[-1], context or 0))[node]


def similarity(H: ArrayLike) -> Array:
    """The cosine of every two columns of an activity (units, columns): (columns, columns).

    A column of zeros has no direction: its row and column are NaN.
    """
    H = jnp.asarray(H)
    norms = jnp.linalg.norm(H, axis=0)
    directions = jnp.where(norms > 0, H / jnp.where(norms > 0, norms, 1), jnp.nan)
    return directions.T @ directions


class Sharing(NamedTuple):
    """Mean similarities between and within groups of equal items, scalars; see `sharing`.

    `same`: of the same item in two groups; `other`: of different items in two groups; `within`: of different items in one.
    """

    same: Array
    other: Array
    within: Array

    @property
    def shared(self) -> Array:
        """(same - other) / (1 - within): 1 where groups hold their items alike, 0 where they have nothing to do with each
        other; NaN where no two items of a group differ.

        What sets an item apart from others in another group, over what does in its own, where it has cosine 1 with itself:
        so that items which are all alike do not pass for a shared representation.
        """
        apart = 1 - self.within
        return jnp.where(apart > 0, (self.same - self.other) / jnp.where(apart > 0, apart, 1), jnp.nan)


def sharing(similarities: ArrayLike, size: int) -> Sharing:
    """How far groups share one representation of their items: [Saxe22] figs. 4g, 6c as one number, `.shared`.

    `similarities` (columns, columns) from `similarity`, where each `size` columns in turn are one group (a domain), with
    the same items in the same order. Silent columns (NaN) are left out. Raises `ValueError` where there are not two
    groups of two items at least.
    """
    similarities = jnp.asarray(similarities)
    size, columns = check_positive_int("size", size), len(similarities)
    if similarities.shape != (columns, columns):
        fail("similarities", "be square", f"its shape is {similarities.shape}")
    if size < 2 or columns < 2 * size or columns % size:
        fail("size", f"divide {columns} columns into two groups of two items at least", f"it is {size}")
    group, item = np.divmod(np.arange(columns), size)
    alike, together = item[:, None] == item, group[:, None] == group
    return Sharing(
        *(jnp.nanmean(similarities[at]) for at in (alike & ~together, ~alike & ~together, ~alike & together))
    )


def open_outputs(network: Network, task: Task) -> dict[str, np.ndarray]:
    """Output node -> the examples, as whole numbers from 0, in which gates leave some path to it open."""
    check_task(network, task)
    gating = gate_groups(network, task.num_contexts)
    at = gating.group_of[task.context]
    return {
        node: np.flatnonzero(np.isin(at, [group for known in classes for group in known.groups]))
        for node, classes in path_classes(network, gating).items()
    }


def tangent_kernel(network: Network, weights: Mapping[str, Any], task: Task) -> np.ndarray:
    """The neural tangent kernel Theta = sum_e J_e J_e^T, J_e = d yhat / d W_e, on the examples of a task: (row, row).

    A row is an output unit in an example, node after node, example after example, unit after unit: those of `open_outputs`,
    as all others are zero. Theta has no 1 / P of its own; the flow has it: with the residual r = y - yhat in the same order

        tau d yhat / dt = Theta r / P,   tau dL / dt = -r^T Theta r / P^2,   L = |r|^2 / (2 P) + what gates close.

    From forward signals h and backward signals delta = d yhat / d (W_e h), for linear and nonlinear networks alike: J_e of a
    row is delta h^T, so that no Jacobian is formed, and memory goes with rows^2 + rows x units. On the host. Raises
    `ValueError` for a task or weights that do not fit.
    """
    seeds, examples = _rows(network, task)
    weights = check_weights(network, weights)
    inputs, context = _on_device(task, weights)
    seeds = jax.tree.map(lambda seed: jnp.asarray(seed, jnp.result_type(*weights.values())), seeds)
    h, deltas = jax.tree.map(np.asarray, _signals(network, weights, inputs, context, seeds, jnp.asarray(examples)))
    kernel = np.zeros((len(examples), len(examples)), np.result_type(*deltas.values()))
    for edge, delta in deltas.items():
        source = h[network.edges[edge][0]]
        # Gates and silent inputs leave most rows of most edges zero.
        live = np.flatnonzero(delta.any(axis=1) & source.any(axis=0)[examples])
        at = np.ix_(live, live)
        kernel[at] += (delta[live] @ delta[live].T) * (source.T @ source)[np.ix_(examples[live], examples[live])]
    return kernel


def _rows(network: Network, task: Task) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """d yhat / d h of each output node, (row, unit), and the example of each row, (row,)."""
    rows = [
        (node, example, unit)
        for node, at in open_outputs(network, task).items()
        for example in at
        for unit in range(network.nodes[node].width)
    ]
    seeds = {node: np.zeros((len(rows), network.nodes[node].width)) for node in network.outputs}
    for row, (node, _, unit) in enumerate(rows):
        seeds[node][row, unit] = 1
    return seeds, np.array([example for _, example, _ in rows], int)


@eqx.filter_jit
def _signals(
    network: Network,
    weights: Weights,
    inputs: Mapping[str, Array],
    context: Array,
    seeds: Mapping[str, Array],
    examples: Array,
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Node -> h (unit, example), and edge -> delta = d yhat / d (W_e h) (row, unit), back from `seeds`."""
    h = forward(network, weights, inputs, context)

    def gated(tables: Mapping[str, Any], name: str, columns: Array) -> Array:
        return columns * jnp.asarray(tables[name], columns.dtype)[context] if name in tables else columns

    backward, deltas = dict(seeds), {}
    for node in reversed(network.order):
        carried, slopes = {}, {}
        for edge in network.edges_into(node):
            kind = network.edge_kinds.get(edge, "linear")
            value, slope = _with_slope(kind, weights[edge] @ h[network.edges[edge][0]])
            carried[edge], slopes[edge] = (gated(network.edge_gates, edge, part) for part in (value, slope))
        if not carried:
            continue
        slope = gated(network.node_gates, node, _with_slope(network.nodes[node].kind, _total(carried.values()))[1])
        for edge in slopes:
            source = network.edges[edge][0]
            deltas[edge] = backward[node] * (slope * slopes[edge]).T[examples]
            backward[source] = backward.get(source, 0) + deltas[edge] @ weights[edge]
    return h, deltas


def _with_slope(kind: str, z: Array) -> tuple[Array, Array]:
    """An activation, and its derivative, at every entry of z."""
    return jax.jvp(ACTIVATIONS[kind], (z,), (jnp.ones_like(z),))


class Movement(NamedTuple):
    """How far a kernel moved: `change`, |last - first| / |first| in the Frobenius norm, and `turn`, 1 - their cosine.

    Both are 0 in the lazy regime; a kernel that only grew has changed and not turned.
    """

    change: Array
    turn: Array


def kernel_movement(first: ArrayLike, last: ArrayLike) -> Movement:
    """How far a kernel (row, row), of tangents or of similarities, moved. Raises `ValueError` where shapes differ."""
    first, last = jnp.asarray(first), jnp.asarray(last)
    if first.shape != last.shape:
        fail("last", f"have the shape of `first`, {first.shape}", f"its shape is {last.shape}")
    return Movement(jnp.linalg.norm(last - first) / jnp.linalg.norm(first), 1 - _cosine(first, last))


def alignment(network: Network, weights: Mapping[str, Any]) -> dict[str, Array]:
    """Inner node -> cosine between the sum over incoming edges of W W^T and that over outgoing ones of W^T W, a scalar.

    1 where layers are aligned: both sums have the same eigenvectors, and strengths in proportion, as balanced weights do. No
    rotation of the node changes it. Their difference is what the flow of a linear network conserves [Saxe22], so that it
    is what is left of the initial weights: next to nothing after a race from small ones, all of it in the lazy regime. NaN
    where all weights on one side are 0.
    """
    weights = check_weights(network, weights)
    found = {}
    for node in network.nodes:
        into, out = network.edges_into(node), network.edges_from(node)
        if into and out:
            found[node] = _cosine(
                _total(weights[edge] @ weights[edge].T for edge in into),
                _total(weights[edge].T @ weights[edge] for edge in out),
            )
    return found


def singular_values(weights: Mapping[str, Any]) -> dict[str, Array]:
    """Edge -> its falling singular values, (..., k), of weights (..., n_target, n_source), as `ys` of a run are too."""
    return {edge: jnp.linalg.svd(jnp.asarray(matrix), compute_uv=False) for edge, matrix in weights.items()}


def _total(parts: Iterable[Array]) -> Array:
    first, *rest = parts
    return sum(rest, start=first)


def _cosine(a: Array, b: Array) -> Array:
    return jnp.sum(a * b) / (jnp.linalg.norm(a) * jnp.linalg.norm(b))


def _on_device(task: Task, weights: Weights) -> tuple[dict[str, Array], Array]:
    """Inputs in the precision of the weights, and the context."""
    dtype = jnp.result_type(*weights.values())
    return {node: jnp.asarray(X, dtype) for node, X in task.inputs.items()}, jnp.asarray(task.context)
