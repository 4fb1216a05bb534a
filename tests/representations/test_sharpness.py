"""The largest eigenvalue of the Hessian: against the dense one, closed forms, and where it has not
converged.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import racedyn as rd
from racedyn.representations import sharpness

TASK = rd.tasks.hierarchy(4)


def dense(network, task, weights):
    """The largest eigenvalue of the Hessian of 1/2 < |y - yhat|^2 >, formed whole."""
    flat, back = ravel_pytree({edge: jnp.asarray(w) for edge, w in weights.items()})
    inputs = {node: jnp.asarray(X) for node, X in task.inputs.items()}

    def loss(flat):
        found = rd.networks.forward(network, back(flat), inputs, jnp.asarray(task.context))
        return (
            0.5
            * sum(jnp.sum((Y - found[node]) ** 2) for node, Y in task.targets.items())
            / task.num_examples
        )

    return np.linalg.eigvalsh(jax.hessian(loss)(flat))[-1]


def problems():
    linear = rd.networks.parallel(TASK, depths=(2, 3), width=4)
    tanh = rd.networks.chain(TASK, depth=3, width=4, activation="tanh")
    relu = rd.networks.chain(TASK, depth=2, width=5, activation="relu")
    xor = rd.tasks.xor(1.0)
    gated = rd.networks.xor(xor, "both", 3)
    return {
        "linear": (linear, TASK),
        "tanh": (tanh, TASK),
        "relu": (relu, TASK),
        "gated": (gated, xor),
    }


@pytest.mark.parametrize("std", [1e-3, 0.3, 1.0])
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("linear", marks=pytest.mark.slow),
        *(pytest.param(k, marks=pytest.mark.long) for k in ("gated", "tanh", "relu")),
    ],
)
def test_against_the_dense_hessian(kind, std):
    network, task = problems()[kind]
    weights = network.init(rd.init.Gaussian(std), key=1)
    found, exact = sharpness(network, task, weights), dense(network, task, weights)
    assert float(found.residual) <= 1e-4
    np.testing.assert_allclose(
        found.value, exact, rtol=1e-4
    )  # no further from an eigenvalue than the residual
    if (
        std > 1e-3
    ):  # else the largest eigenvalues lie together, and take more products to tell apart
        np.testing.assert_allclose(
            sharpness(network, task, weights, tolerance=1e-8).value, exact, rtol=1e-8
        )


def test_closed_form_of_a_two_layer_network():
    """On whitened inputs: at zero weights the largest S of Sigma_yx; at balanced weights that have
    learned it, twice it.
    """
    X = 2 * np.eye(4)  # Sigma_x = X X^T / P = 1
    U, V = (
        np.linalg.qr(np.random.default_rng(k).standard_normal((n, n)))[0]
        for k, n in ((0, 5), (1, 4))
    )
    S = np.array([3.0, 1.0, 0.5, 0.2])
    task = rd.tasks.from_arrays(X, (U[:, :4] * S) @ V.T @ X)
    network = rd.networks.chain(task, depth=2, width=4)
    zero = {"w1": np.zeros((4, 4)), "w2": np.zeros((5, 4))}
    np.testing.assert_allclose(sharpness(network, task, zero).value, 3.0, rtol=1e-7)
    learned = {"w1": np.sqrt(S)[:, None] * V.T, "w2": U[:, :4] * np.sqrt(S)}
    np.testing.assert_allclose(sharpness(network, task, learned).value, 6.0, rtol=1e-7)
    # Weights of the same map, unbalanced by c: s (c^2 + 1 / c^2) instead of 2 s, so that balanced
    # ones are the flattest.
    c = 1.5
    tilted = {"w1": c * learned["w1"], "w2": learned["w2"] / c}
    np.testing.assert_allclose(
        sharpness(network, task, tilted).value, 3.0 * (c**2 + c**-2), rtol=1e-7
    )


def test_descent_is_stable_below_two_over_the_sharpness_and_not_above():
    X = 2 * np.eye(3)
    task = rd.tasks.from_arrays(X, np.diag([2.0, 1.0, 0.5]) @ X)
    network = rd.networks.chain(task, depth=2, width=3)
    S = np.sqrt([2.0, 1.0, 0.5])
    weights = {"w1": np.diag(S) + 1e-6, "w2": np.diag(S)}
    limit = 2 / float(sharpness(network, task, weights).value)
    options = {"steps": 40, "save_every": 40, "observe": (), "progress": False}
    calm, wild = (
        rd.train(network, task, weights, lr=part * limit, **options)["loss"]
        for part in (0.95, 1.05)
    )
    assert calm[-1] < calm[0] and wild[-1] > 10 * wild[0]


@pytest.mark.slow
def test_what_has_not_converged_is_nan_and_says_its_residual():
    network = rd.networks.parallel(TASK, depths=(2, 3), width=4)
    weights = network.init(rd.init.Gaussian(0.3), key=1)
    found = sharpness(network, TASK, weights, iterations=2)
    assert np.isnan(found.value) and 1e-4 < found.residual < 10
    loose = sharpness(network, TASK, weights, iterations=2, tolerance=float(found.residual) * 1.01)
    assert 0 < float(loose.value) <= dense(network, TASK, weights)  # which no Ritz value is above
    closer = sharpness(network, TASK, weights, tolerance=1e-9)
    np.testing.assert_allclose(closer.value, dense(network, TASK, weights), rtol=1e-12)


def test_a_space_that_is_used_up_and_a_flat_loss():
    """As many numbers as weights, fewer than iterations; and no curvature at all."""
    task = rd.tasks.from_arrays(np.ones((1, 1)), np.full((1, 1), 2.0))
    network = rd.networks.chain(task, depth=2, width=1)
    weights = {"w1": np.ones((1, 1)), "w2": np.full((1, 1), 0.5)}
    hessian = [[0.25, -1.0], [-1.0, 1.0]]  # of 1/2 (2 - a b)^2 at (1, 1/2): b^2, 2 a b - 2, a^2
    np.testing.assert_allclose(
        sharpness(network, task, weights).value, np.linalg.eigvalsh(hessian)[-1], rtol=1e-12
    )
    deep = rd.networks.chain(TASK, depth=3, width=3)
    flat = sharpness(deep, TASK, {edge: np.zeros(deep.shape(edge)) for edge in deep.edges})
    assert float(flat.value) == float(flat.residual) == 0


@pytest.mark.long
def test_single_precision():
    network = rd.networks.parallel(TASK, depths=(2, 3), width=20)
    weights = network.init(rd.init.Gaussian(0.3), key=1)
    single = {edge: np.asarray(w, np.float32) for edge, w in weights.items()}
    found = sharpness(network, TASK, single)
    assert found.value.dtype == np.float32
    np.testing.assert_allclose(found.value, sharpness(network, TASK, weights).value, rtol=1e-4)


def test_refusals():
    network = rd.networks.chain(TASK, depth=2, width=3)
    weights = network.init(rd.init.Gaussian(0.3), key=1)
    with pytest.raises(ValueError, match="`iterations` must be a whole number of at least 1"):
        sharpness(network, TASK, weights, iterations=0)
    with pytest.raises(ValueError, match="`tolerance` must be a positive number"):
        sharpness(network, TASK, weights, tolerance=0.0)
    with pytest.raises((ValueError, TypeError), match="be a Network and a Task, in this order"):
        sharpness(TASK, network, weights)
