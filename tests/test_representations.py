"""Measures of hidden layers: the tangent kernel moves predictions, and rotations of hidden layers change nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from gated_examples import random_problem
from racedyn import representations as rep


def predictions(network, task, weights):
    activity = rd.networks.forward(
        network, weights, {n: jnp.asarray(X) for n, X in task.inputs.items()}, jnp.asarray(task.context)
    )
    return {node: activity[node] for node in network.outputs}


def relu_problem():
    task = rd.tasks.from_arrays(*np.random.default_rng(0).standard_normal((2, 3, 6)))
    network = rd.networks.chain(task, 3, 5, activation="relu")
    return network, task, network.init(rd.init.Gaussian(0.7), key=0)


@pytest.mark.parametrize("problem", [*(lambda seed=s: random_problem(seed) for s in (0, 3)), relu_problem])
def test_the_tangent_kernel_moves_the_predictions(problem):
    """One small descent step on the mean loss: yhat moves by -lr Theta (yhat - y) / P; gated-off rows don't at all."""
    network, task, weights = problem()
    lr = 1e-6

    def loss(weights):
        outputs = predictions(network, task, weights)
        return sum(0.5 * jnp.sum((outputs[n] - task.targets[n]) ** 2) for n in outputs) / task.num_examples

    moved = jax.tree.map(lambda w, g: w - lr * g, weights, jax.grad(loss)(weights))
    before, after = predictions(network, task, weights), predictions(network, task, moved)
    rows, change = [], []
    for node in network.outputs:
        gate = network.node_gates.get(node, np.ones(network.num_contexts))[task.context]
        on = np.flatnonzero(gate != 0)
        rows.append(np.asarray(before[node] - task.targets[node])[:, on].T.ravel())
        change.append(np.asarray(after[node] - before[node])[:, on].T.ravel())
        np.testing.assert_array_equal(np.asarray(after[node] - before[node])[:, gate == 0], 0)
    kernel = np.asarray(rep.tangent_kernel(network, weights, task))
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-12)
    expected = -lr * kernel @ np.concatenate(rows) / task.num_examples
    assert np.abs(expected).max() > 1e-8
    np.testing.assert_allclose(np.concatenate(change), expected, rtol=1e-4, atol=1e-11)


def rotated(network, weights, key=1):
    """The same linear network in other coordinates of its hidden layers."""
    rng = np.random.default_rng(key)
    R = {n: np.linalg.qr(rng.standard_normal((w, w)))[0] for n, (w, _) in network.nodes.items()}
    R |= {n: np.eye(network.nodes[n].width) for n in (*network.inputs, *network.outputs)}
    return {e: R[t] @ np.asarray(weights[e]) @ R[s].T for e, (s, t) in network.edges.items()}


def test_rotations_of_hidden_layers_change_nothing():
    task = rd.tasks.routing(3, 2)
    network = rd.networks.routing(task, 6)
    weights = network.init(rd.init.Gaussian(0.4), key=0)
    other = rotated(network, weights)
    for measure in (
        lambda w: rep.similarity(rep.domain_activity(network, w, task)),
        lambda w: rep.tangent_kernel(network, w, task),
        lambda w: np.array(list(rep.alignment(network, w).values())),
    ):
        np.testing.assert_allclose(measure(weights), measure(other), atol=1e-12)


def test_aligned_weights_share_their_representation_and_gaussian_ones_do_not():
    task = rd.tasks.routing(3, 2)
    network = rd.networks.routing(task, 64)
    shared, apart = (
        rep.similarity(rep.domain_activity(network, network.init(law, task=task, key=0), task))
        for law in (rd.init.Aligned(0.1), rd.init.Orthogonal(0.1))
    )
    assert rep.between_groups(shared, 4) == pytest.approx(1)
    assert abs(rep.between_groups(apart, 4)) < 0.2
    np.testing.assert_allclose(np.diagonal(apart), 1)


def test_alignment_is_one_where_balanced():
    task = rd.tasks.hierarchy(4)
    network = rd.networks.parallel(task, (3, 2), 9)
    balanced = rep.alignment(network, network.init(rd.init.Balanced(0.3), key=0))
    assert set(balanced) == {"h1_1", "h1_2", "h2_1"}
    np.testing.assert_allclose(list(balanced.values()), 1)
    assert max(rep.alignment(network, network.init(rd.init.Gaussian(0.3), key=0)).values()) < 0.95


def test_movement():
    kernel = np.diag([2.0, 1.0])
    assert rep.kernel_movement(kernel, 3 * kernel) == pytest.approx((2.0, 0.0))
    assert rep.kernel_movement(kernel, np.diag([-1.0, 2.0])).turned == pytest.approx(1.0)


def test_bad_input():
    task = rd.tasks.routing(2, 1)
    network = rd.networks.routing(task, 4)
    weights = network.init(rd.init.Gaussian(0.4), key=0)
    with pytest.raises(ValueError, match="`node` must be one of"):
        rep.domain_activity(network, weights, task, "h7")
    with pytest.raises(ValueError, match="two domains of 3 items"):
        rep.between_groups(np.eye(8), 3)
    with pytest.raises(ValueError, match="the shape of the first kernel"):
        rep.kernel_movement(np.eye(2), np.eye(3))
    with pytest.raises(ValueError):
        rep.tangent_kernel(network, {}, task)
