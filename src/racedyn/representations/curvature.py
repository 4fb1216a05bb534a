"""How sharply the loss bends: the largest eigenvalue of its Hessian, by products with vectors."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from racedyn._checks import check_positive, check_positive_int
from racedyn._text import brief
from racedyn._types import Array, ArrayLike, Weights
from racedyn.networks import Network, Problem, forward, the_three
from racedyn.representations.hidden import on_device
from racedyn.tasks import Task

ITERATIONS = 128  # products at most: spectra of trained networks need 10 to 40
# Of the residual, which bounds the eigenvalue's error; where eigenvalues lie apart that goes with
# its square.
TOLERANCE = 1e-4
STRIDE = 8  # iterations between two looks at the residual


class Sharpness(NamedTuple):
    """`value`: the largest eigenvalue of the Hessian, a scalar in 1/tau; NaN where it has not
    converged. `residual`: |H v - value v| / |value| of its eigenvector, of the last try in any
    case.
    """

    value: Array
    residual: Array

    def __repr__(self) -> str:
        return brief(self)


def sharpness(
    network: Network | Problem,
    task: Task | None = None,
    weights: Mapping[str, Any] | None = None,
    *,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
) -> Sharpness:
    """The largest eigenvalue of the Hessian of L = 1/2 < |y - yhat|^2 > in all weights.

    Gradient descent on L with step size lr (of another convention: factor x lr, see
    `racedyn.rules.losses`) is stable at a minimum while lr < 2 / sharpness, and training on all
    examples tends to hover there ([Cohen et al. 2021], "edge of stability"). In a
    two-layer linear network on whitened inputs it is the largest singular value s of Sigma_yx at
    zero weights, a saddle, and 2 s at balanced weights that have learned the task (the flattest of
    its minima).

    By Lanczos from a fixed random direction, each iteration one product H v (the derivative of the
    gradient along v): no Hessian is formed, and memory is that of a few sets of weights. Of
    networks with ReLU the Hessian where they are smooth.

    **Arguments:** `weights`: edge -> (n_target, n_source); `iterations`: products at most;
    `tolerance`: the residual, relative to the eigenvalue, at which it has converged.

    **Returns** a `Sharpness`, whose value is NaN where `iterations` were not enough. Raises
    `ValueError` for a task or weights that do not fit.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.chain(task, depth=2, width=8)
        >>> weights = network.init(rd.init.Gaussian(std=1e-3), key=0)
        >>> sharpness = rd.representations.sharpness(network, task, weights)
        >>> f"{sharpness.value:.3f}, {task.modes.S[0]:.3f}"
        '0.661, 0.661'
    """
    network, task, weights = the_three(network, task, weights)
    check_positive_int("iterations", iterations)
    check_positive("tolerance", tolerance)
    inputs, context = on_device(task, weights)
    dtype = jnp.result_type(*weights.values())
    weights = {edge: w.astype(dtype) for edge, w in weights.items()}
    targets = {node: jnp.asarray(Y, dtype) for node, Y in task.targets.items()}
    return _sharpness(
        network, weights, inputs, targets, context, iterations, jnp.asarray(tolerance, dtype)
    )


@eqx.filter_jit
def _sharpness(
    network: Network,
    weights: Weights,
    inputs: Mapping[str, Array],
    targets: Mapping[str, Array],
    context: Array,
    iterations: int,
    tolerance: Array,
) -> Sharpness:
    def loss(weights: Weights) -> Array:
        h = forward(network, weights, inputs, context)
        return (
            0.5
            * sum(
                (jnp.sum((Y - h[node]) ** 2) for node, Y in targets.items()), start=jnp.asarray(0.0)
            )
            / len(context)
        )

    return largest_curvature(loss, weights, iterations, tolerance)


class _Lanczos(NamedTuple):
    """Where the recurrence stands: two directions, the tridiagonal matrix, and what it tells."""

    before: Weights
    now: Weights
    diagonal: Array
    beside: Array
    done: Array
    value: Array
    residual: Array


def largest_curvature(
    loss: Callable[[Weights], Array],
    weights: Weights,
    iterations: int = ITERATIONS,
    tolerance: ArrayLike = TOLERANCE,
) -> Sharpness:
    """The largest eigenvalue of the Hessian of a function of weights; pure, see `sharpness`.

    Directions are not made orthogonal again: what that brings in are copies of eigenvalues that
    have converged, which leave the largest one and its residual as they are (Paige)."""
    dtype = jnp.result_type(*weights.values())

    def product(direction: Weights) -> Weights:
        return jax.jvp(jax.grad(loss), (weights,), (direction,))[1]

    def step(at: _Lanczos) -> _Lanczos:
        image = product(at.now)
        a = _dot(image, at.now)
        b = jnp.where(at.done > 0, at.beside[at.done - 1], 0)
        left = jax.tree.map(lambda h, v, u: h - a * v - b * u, image, at.now, at.before)
        norm = jnp.sqrt(_dot(left, left))
        # Where all directions are used up what is left is rounding, and none is begun from it.
        live = norm > 16 * jnp.finfo(dtype).eps * (jnp.abs(a) + b)
        following = jax.tree.map(lambda v: jnp.where(live, v / jnp.where(live, norm, 1), 0), left)
        return at._replace(
            before=at.now,
            now=following,
            # Beyond the last direction stands a number that is never above the largest eigenvalue.
            diagonal=at.diagonal.at[at.done].set(
                jnp.where(_dot(at.now, at.now) > 0, a, at.diagonal[0])
            ),
            beside=at.beside.at[at.done].set(jnp.where(live, norm, 0)),
            done=at.done + 1,
        )

    def look(at: _Lanczos) -> _Lanczos:
        here = jnp.arange(iterations)
        diagonal = jnp.where(here < at.done, at.diagonal, at.diagonal[0])
        beside = jnp.where(here[:-1] < at.done - 1, at.beside[:-1], 0)
        matrix = jnp.diag(diagonal) + jnp.diag(beside, 1) + jnp.diag(beside, -1)
        values, vectors = jnp.linalg.eigh(matrix)
        off = at.beside[at.done - 1] * jnp.abs(vectors[at.done - 1, -1])
        size = jnp.abs(values[-1])
        return at._replace(
            value=values[-1], residual=jnp.where(off > 0, off / jnp.where(size > 0, size, 1), 0)
        )

    def more(at: _Lanczos) -> Array:
        return (at.done < iterations) & ~(at.residual <= tolerance)

    keys = jax.random.split(jax.random.key(0), len(weights))
    drawn = {
        edge: jax.random.normal(key, w.shape, w.dtype)
        for key, (edge, w) in zip(keys, sorted(weights.items()), strict=True)
    }
    norm = jnp.sqrt(_dot(drawn, drawn))
    start = jax.tree.map(lambda v: v / norm, drawn)
    zeros = jnp.zeros(iterations, dtype)
    begun = _Lanczos(
        jax.tree.map(jnp.zeros_like, start),
        start,
        zeros,
        zeros,
        jnp.asarray(0),
        jnp.asarray(jnp.nan, dtype),
        jnp.asarray(jnp.inf, dtype),
    )

    def go_on(at: _Lanczos) -> _Lanczos:
        stride = jnp.minimum(STRIDE, iterations - at.done)
        return look(jax.lax.fori_loop(0, stride, lambda _, at: step(at), at))

    end = jax.lax.while_loop(more, go_on, begun)
    return Sharpness(jnp.where(end.residual <= tolerance, end.value, jnp.nan), end.residual)


def _dot(a: Weights, b: Weights) -> Array:
    parts = [jnp.vdot(a[edge], b[edge]) for edge in a]
    return sum(parts[1:], start=parts[0])
