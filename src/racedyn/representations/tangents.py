"""The tangent kernel, how far learning moved it, and how far layers are aligned: the race and the
lazy regime apart.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_real, check_finite, check_shape
from racedyn._checks import check_mapping, fail
from racedyn._text import brief
from racedyn._types import Array, ArrayLike, Weights
from racedyn.networks import (
    ACTIVATIONS,
    Network,
    Problem,
    check_task,
    check_weights,
    forward,
    gate_groups,
    the_three,
)
from racedyn.paths import path_classes
from racedyn.representations.hidden import on_device
from racedyn.tasks import Task


def open_outputs(network: Network, task: Task) -> dict[str, np.ndarray]:
    """Output node -> the examples, as whole numbers from 0, in which gates leave some path to it
    open.

        >>> task = rd.tasks.routing(domains=2)
        >>> opened = rd.representations.open_outputs(rd.networks.routing(task, width=8), task)
        >>> {node: examples.tolist() for node, examples in opened.items()}
        {'y1': [0, 1, 2, 3, 8, 9, 10, 11], 'y2': [4, 5, 6, 7, 12, 13, 14, 15]}
    """
    check_task(network, task)
    gating = gate_groups(network, task.num_contexts)
    at = gating.group_of[task.context]
    return {
        node: np.flatnonzero(np.isin(at, [group for known in classes for group in known.groups]))
        for node, classes in path_classes(network, gating).items()
    }


def tangent_kernel(
    network: Network | Problem, task: Task | None = None, weights: Mapping[str, Any] | None = None
) -> np.ndarray:
    """The neural tangent kernel Theta = sum_e J_e J_e^T, J_e = d yhat / d W_e, on the examples of a
    task: (row, row).

    A row is an output unit in an example, node after node, example after example, unit after unit:
    those of `open_outputs`, as all others are zero. Theta has no 1 / P of its own; the flow has it:
    with the residual r = y - yhat in the same order

        tau d yhat / dt = Theta r / P,   tau dL / dt = -r^T Theta r / P^2,
        L = |r|^2 / (2 P) + what gates close.

    From forward signals h and backward signals delta = d yhat / d (W_e h), for linear and nonlinear
    networks alike: J_e of a row is delta h^T, so that no Jacobian is formed, and memory goes with
    rows^2 + rows x units. On the host. Raises `ValueError` for a task or weights that do not fit.

        >>> task = rd.tasks.from_arrays(X=np.array([[1.0, 2.0]]), Y=np.array([[1.0, 1.0]]))
        >>> network = rd.networks.chain(task, depth=2, width=1)
        >>> weights = {"w1": np.array([[3.0]]), "w2": np.array([[1.0]])}
        >>> rd.representations.tangent_kernel(network, task, weights).tolist()  # (3^2 + 1^2) x x^T
        [[10.0, 20.0], [20.0, 40.0]]
    """
    network, task, weights = the_three(network, task, weights)
    seeds, examples = kernel_rows(network, task)
    inputs, context = on_device(task, weights)
    seeds = jax.tree.map(lambda seed: jnp.asarray(seed, jnp.result_type(*weights.values())), seeds)
    h, deltas = jax.tree.map(
        np.asarray, _signals(network, weights, inputs, context, seeds, jnp.asarray(examples))
    )
    kernel = np.zeros((len(examples), len(examples)), np.result_type(*deltas.values()))
    for edge, delta in deltas.items():
        source = h[network.edges[edge][0]]
        # Gates and silent inputs leave most rows of most edges zero.
        live = np.flatnonzero(delta.any(axis=1) & source.any(axis=0)[examples])
        at = np.ix_(live, live)
        kernel[at] += (delta[live] @ delta[live].T) * (source.T @ source)[
            np.ix_(examples[live], examples[live])
        ]
    return kernel


def kernel_rows(network: Network, task: Task) -> tuple[dict[str, np.ndarray], np.ndarray]:
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


def kernel_of(
    network: Network,
    weights: Weights,
    inputs: Mapping[str, Array],
    context: Array,
    seeds: Mapping[str, Any],
    examples: Any,
) -> Array:
    """`tangent_kernel`, pure: of inputs on the device, and the rows of `kernel_rows`."""
    dtype = jnp.result_type(*weights.values())
    seeds = {node: jnp.asarray(seed, dtype) for node, seed in seeds.items()}
    h, deltas = _signals(network, weights, inputs, context, seeds, jnp.asarray(examples))
    parts = []
    for edge, delta in deltas.items():
        source = h[network.edges[edge][0]][:, examples]
        parts.append((delta @ delta.T) * (source.T @ source))
    return _total(parts)


@eqx.filter_jit
def _signals(
    network: Network,
    weights: Weights,
    inputs: Mapping[str, Array],
    context: Array,
    seeds: Mapping[str, Array],
    examples: Array,
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Node -> h (unit, example), and edge -> delta = d yhat / d (W_e h) (row, unit), back from
    `seeds`.
    """
    h = forward(network, weights, inputs, context)

    def gated(tables: Mapping[str, Any], name: str, columns: Array) -> Array:
        return (
            columns * jnp.asarray(tables[name], columns.dtype)[context]
            if name in tables
            else columns
        )

    backward, deltas = dict(seeds), {}
    for node in reversed(network.order):
        carried, slopes = {}, {}
        for edge in network.edges_into(node):
            kind = network.edge_kinds.get(edge, "linear")
            value, slope = _with_slope(kind, weights[edge] @ h[network.edges[edge][0]])
            carried[edge], slopes[edge] = (
                gated(network.edge_gates, edge, part) for part in (value, slope)
            )
        if not carried:
            continue
        slope = gated(
            network.node_gates,
            node,
            _with_slope(network.nodes[node].kind, _total(carried.values()))[1],
        )
        for edge in slopes:
            source = network.edges[edge][0]
            deltas[edge] = backward[node] * (slope * slopes[edge]).T[examples]
            backward[source] = backward.get(source, 0) + deltas[edge] @ weights[edge]
    return h, deltas


def _with_slope(kind: str, z: Array) -> tuple[Array, Array]:
    """An activation, and its derivative, at every entry of z."""
    return jax.jvp(ACTIVATIONS[kind], (z,), (jnp.ones_like(z),))


class Movement(NamedTuple):
    """How far a kernel moved: `change`, |last - first| / |first| in the Frobenius norm, and `turn`,
    1 - their cosine.

    Both are 0 in the lazy regime; a kernel that only grew has changed and not turned.
    """

    change: Array
    turn: Array

    def __repr__(self) -> str:
        return brief(self)


def kernel_movement(first: ArrayLike, last: ArrayLike) -> Movement:
    """How far a kernel (row, row), of tangents or of similarities, moved. Raises `ValueError` where
    shapes differ.

        >>> moved = rd.representations.kernel_movement(np.eye(2), np.ones((2, 2)))
        >>> f"{moved.change:.3f}, {moved.turn:.3f}"  # 1, 1 - 1 / sqrt(2)
        '1.000, 0.293'
    """
    first, last = (
        jnp.asarray(as_real(name, kernel), float)
        for name, kernel in (("first", first), ("last", last))
    )
    for name, kernel in (("first", first), ("last", last)):
        if not isinstance(kernel, jax.core.Tracer):
            check_finite(name, np.asarray(kernel))
    check_shape("last", last, first.shape, f"have the shape of `first`, {first.shape}")
    return Movement(
        jnp.linalg.norm(last - first) / jnp.linalg.norm(first), 1 - _cosine(first, last)
    )


def alignment(network: Network, weights: Mapping[str, Any]) -> dict[str, Array]:
    """Inner node -> cosine between the sum over incoming edges of W W^T and that over outgoing ones
    of W^T W, a scalar.

    1 where layers are aligned: both sums have the same eigenvectors, and strengths in proportion,
    as balanced weights do. No rotation of the node changes it. Their difference is what the flow of
    a linear network conserves [Saxe22], so that it is what is left of the initial weights: next to
    nothing after a race from small ones, all of it in the lazy regime. NaN where all weights on one
    side are 0.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.chain(task, depth=2, width=8)
        >>> weights = network.init(rd.init.Balanced(scale=0.1), key=0)
        >>> f"{rd.representations.alignment(network, weights)['h1']:.3f}"
        '1.000'
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
    """Edge -> its falling singular values, (..., k), of weights (..., n_target, n_source), as `ys`
    of a run are too.

        >>> values = rd.representations.singular_values({"w1": np.diag([1.0, 3.0, 2.0])})
        >>> values["w1"].round(3).tolist()
        [3.0, 2.0, 1.0]
    """
    check_mapping("weights", weights, "be a dict edge -> (..., n_target, n_source)")
    found = {}
    for edge, given in weights.items():
        matrix = jnp.asarray(as_real(f"weights[{edge!r}]", given))
        matrix = matrix if jnp.issubdtype(matrix.dtype, jnp.floating) else matrix.astype(float)
        if matrix.ndim < 2 or matrix.size == 0:
            fail(
                f"weights[{edge!r}]", "be (..., n_target, n_source)", f"its shape is {matrix.shape}"
            )
        if not isinstance(matrix, jax.core.Tracer):
            check_finite(f"weights[{edge!r}]", np.asarray(matrix))
        found[edge] = jnp.linalg.svd(matrix, compute_uv=False)
    return found


def _total(parts: Iterable[Array]) -> Array:
    first, *rest = parts
    return sum(rest, start=first)


def _cosine(a: Array, b: Array) -> Array:
    return jnp.sum(a * b) / (jnp.linalg.norm(a) * jnp.linalg.norm(b))
