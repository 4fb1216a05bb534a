"""XoR with margin: gated networks against their closed forms, and the ReLU network that takes the
faster pathway.
"""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import racedyn as rd
from racedyn import exact

MARGINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0)


def test_the_task():
    task = rd.tasks.xor(0.7)
    assert task.num_contexts == 4 and list(task.context) == [0, 1, 2, 3]
    np.testing.assert_array_equal(task.Y[0], -task.X[0] * task.X[1])
    np.testing.assert_allclose(task.X[2], 0.7 * task.Y[0])
    np.testing.assert_allclose(np.abs(task.modes.V[:, 0]), [0, 0, 1], atol=1e-15)
    np.testing.assert_allclose([task.modes.S[0], task.modes.variances[0]], [0.7, 0.49])
    assert rd.tasks.xor(0).all_modes() == {}, "pure XoR correlates with no coordinate"


def test_every_pathway_has_the_statistics_of_the_closed_form():
    for margin in (0.5, 1.3):
        task = rd.tasks.xor(margin)
        for gating, pathways in (("linear", 2), ("xor", 4)):
            measured = rd.statistics(rd.networks.xor(task, gating, 4), task)
            s, d = exact.xor_statistics(margin, gating)
            assert len(measured.paths) == pathways
            for path in measured.paths:
                _, values, Vt = np.linalg.svd(measured.sigma_yx(path))
                np.testing.assert_allclose(values[0], s)
                np.testing.assert_allclose(Vt[0] @ measured.sigma_x(path, path) @ Vt[0], d)


def run(margin, gating, a0, times=40):
    task = rd.tasks.xor(margin)
    network = rd.networks.xor(task, gating, 8)
    weights = network.init(rd.init.Aligned(a0**0.5, bases="paths"), task=task, key=0)
    ts = jnp.linspace(0, 2 * float(exact.xor_time(margin, gating, a0)), times)
    return ts, rd.simulate(rd.reduce(network, task, weights, level="matrix"), ts, rtol=1e-11)


@pytest.mark.long
def test_loss_is_the_closed_form_at_eight_margins():
    """From aligned weights, both gatings; at margin 0 linear gating learns nothing and is not
    run.
    """
    for margin in MARGINS:
        for gating in ("linear", "xor") if margin else ("xor",):
            ts, found = run(margin, gating, 1e-3)
            off = np.abs(
                found.observables["loss"] - exact.xor(margin, gating, 1e-3, ts).observables["loss"]
            ).max()
            print(f"margin {margin}, {gating} gating: |loss - closed form| <= {off:.1e}")
            assert off < 1e-8 and found.observables["loss"][-1] < 0.05


@pytest.mark.slow
def test_loss_is_the_closed_form():
    ts, found = run(0.6, "xor", 1e-3)
    np.testing.assert_allclose(
        found.observables["loss"], exact.xor(0.6, "xor", 1e-3, ts).observables["loss"], atol=1e-8
    )
    assert found.observables["loss"][-1] < 0.05


def test_times_and_losses_are_inverse():
    for gating in ("linear", "xor"):
        for fraction in (0.5, 0.1):
            t = exact.xor_time(np.array([0.5, 1.0]), gating, 1e-4, fraction)
            losses = jnp.diagonal(exact.xor_loss(np.array([0.5, 1.0]), gating, 1e-4, t))
            np.testing.assert_allclose(losses, fraction / 2, rtol=1e-9)
    assert exact.xor_time(0.0, "linear", 1e-4) == np.inf
    np.testing.assert_array_equal(exact.xor_loss(0.0, "linear", 1e-4, jnp.linspace(0, 99, 4)), 0.5)


def half_loss_time(margin, gating, a0):
    ts, found = run(margin, gating, a0, times=800)
    return float(np.interp(-0.25, -np.asarray(found.observables["loss"]), ts))


@pytest.mark.long
def test_gatings_cross_where_the_closed_form_says_and_tend_to_equal_rates():
    crossings = []
    for a0 in (1e-2, 1e-3, 1e-6):
        expected = exact.xor_crossing(a0)
        margins = expected * np.array([0.995, 1.005])
        lags = [half_loss_time(m, "linear", a0) - half_loss_time(m, "xor", a0) for m in margins]
        crossings.append(float(np.interp(0, lags[::-1], margins[::-1])))
        print(f"a0 = {a0:g}: networks cross at {crossings[-1]:.4f}, closed form {expected:.4f}")
        assert abs(crossings[-1] / expected - 1) < 0.01
    x = 1 / np.log(1 / np.array([1e-2, 1e-3, 1e-6]))
    limit = np.polynomial.Polynomial.fit(x, crossings, 2)(0.0)
    print(f"extrapolated in 1/ln(1/a0): {limit:.4f}, sqrt(2/3) = {np.sqrt(2 / 3):.4f}")
    assert abs(limit / np.sqrt(2 / 3) - 1) < 0.01


def test_the_crossing_of_the_closed_forms():
    found = [exact.xor_crossing(a0) for a0 in (1e-2, 1e-6, 1e-12, 1e-100)]
    assert all(a > b > np.sqrt(2 / 3) for a, b in pairwise(found))
    for a0, margin in zip((1e-2, 1e-6), found, strict=False):
        lag = exact.xor_time(margin, "linear", a0) - exact.xor_time(margin, "xor", a0)
        assert abs(float(lag)) < 1e-9
    # Half of the strength, a quarter of the loss.
    np.testing.assert_allclose(
        [exact.xor_crossing(a0, 0.25) for a0 in (1e-2, 1e-3, 1e-6, 1e-12)],
        [0.98, 0.92, 0.87, 0.84],
        atol=0.005,
    )


def small_relu(margin, width=128, key=0, std=2e-4):
    task = rd.tasks.xor(margin)
    network = rd.networks.chain(task, 2, width, activation="relu")
    weights = network.init(rd.init.Gaussian(std), key=key)
    return task, network, weights


def early(task, weights):
    return exact.early_pathways(
        np.asarray(weights["w1"]), np.asarray(weights["w2"]), task.X, task.Y
    )


@pytest.mark.parametrize("margin", [pytest.param(m, marks=pytest.mark.long) for m in (0.5, 0.0)])
def test_neurons_while_weights_are_small(margin):
    """Against the flow of the neurons themselves, each alone, run until its growth is
    exponential.
    """
    task, _, weights = small_relu(margin, width=40)
    found = early(task, weights)
    w, a = np.asarray(weights["w1"]), np.asarray(weights["w2"])[0]
    end = 60.0

    def flow(t, state):
        w, a = state[:-40].reshape(40, 3), state[-40:]
        # g(w), smoothed at the kinks: a solver would step across the ones that neurons slide along.
        on = 1 / (
            1
            + np.exp(
                np.clip(
                    -(w @ task.X) / (1e-9 + 1e-4 * np.abs(w).max(axis=1, keepdims=True)), -50, 50
                )
            )
        )
        g = (on * task.Y) @ task.X.T / 4
        return np.concatenate([(a[:, None] * g).ravel(), (w * g).sum(axis=1)])

    last = solve_ivp(
        flow, (0, end), np.concatenate([w.ravel(), a]), method="LSODA", rtol=1e-8, atol=1e-14
    ).y[:, -1]
    alive = (found.start > 0) & found.unique
    assert alive.sum() > 36
    ends = last[:-40].reshape(40, 3)
    np.testing.assert_array_equal(
        (ends @ task.X > 1e-2 * np.abs(ends).max(axis=1, keepdims=True))[alive], found.active[alive]
    )
    np.testing.assert_allclose(
        last[-40:][alive] ** 2, (found.start * np.exp(2 * found.rate * end))[alive], rtol=0.02
    )
    assert set(np.unique(found.active.sum(axis=1))) <= {1, 2}, "no neuron serves both labels"
    assert margin > 0 or (found.active.sum(axis=1) == 1).all(), (
        "without a margin: four types, one example each"
    )


def test_a_neuron_that_serves_no_example_dies():
    task = rd.tasks.xor(0.0)
    # Active on a negative example alone with a positive outgoing weight: it is pushed back to zero.
    found = exact.early_pathways(np.array([[1.0, 1.0, 0.0]]), np.array([[3.0]]), task.X, task.Y)
    assert not found.active.any() and found.start[0] == 0
    assert found.strength([True, False, False, False]) == 0


def test_strengths_by_number_and_by_mask():
    task, _, weights = small_relu(0.5, width=40)
    joined = early(task, weights)
    for group, mask in (([0], [True, False, False, False]), ([2, 3], [False, False, True, True])):
        assert joined.strength(group) == joined.strength(mask) > 0
    with pytest.raises(IndexError):
        joined.strength([4])


def relu_and_twins(margin, key=0):
    """Half-loss time of the ReLU network, and of both gatings from the strengths that its neurons
    bring them.
    """
    task, network, weights = small_relu(margin, key=key)
    joined = early(task, weights)
    trained = rd.train(
        network,
        task,
        weights,
        lr=0.02,
        steps=3000,
        save_every=5,
        observe=["activity:h1"],
        progress=False,
    )
    ts, loss = np.asarray(trained.ts), np.asarray(trained.observables["loss"])
    times = {"relu": np.interp(-0.25, -loss, ts)}
    for gating, groups in (("linear", ([0, 1], [2, 3])), ("xor", ([0], [1], [2], [3]))):
        s, d = exact.xor_statistics(margin, gating)
        if s > 0:
            a = [exact.two_layer_strength(s, d, joined.strength(g), ts) for g in groups]
            times[gating] = np.interp(
                -0.25, -np.mean([0.5 * (1 - each * d / s) ** 2 for each in a], axis=0), ts
            )
    return times, joined, trained


@pytest.mark.slow
def test_a_relu_network_learns_as_fast_as_the_faster_gated_network():
    for margin in MARGINS:
        times, *_ = relu_and_twins(margin)
        faster = min(times.get("linear", np.inf), times["xor"])
        print(f"margin {margin}: " + ", ".join(f"{k} {v:.2f}" for k, v in times.items()))
        assert abs(times["relu"] / faster - 1) < 0.1


def test_neurons_end_in_the_pathway_that_they_join():
    """[Saxe22] fig. 3: four functional types at margin 0."""
    _, joined, trained = relu_and_twins(0.0)
    ended = np.asarray(trained.observables["activity:h1"])[-1] > 1e-6
    kinds = np.unique(ended[joined.start > 0].astype(int), axis=0)
    np.testing.assert_array_equal(kinds, np.eye(4)[::-1].astype(int)[np.argsort([0, 1, 2, 3])])
    assert (ended == joined.active)[joined.start > 0].all(axis=1).mean() > 0.99


def test_bad_input():
    with pytest.raises(ValueError, match="`margin` must be a number of at least 0"):
        rd.tasks.xor(-1)
    with pytest.warns(UserWarning, match="Linear gating can't learn"):
        network = rd.networks.xor(rd.tasks.xor(0), "linear", 4)
    with pytest.raises(ValueError, match="correlate inputs and outputs along every path"):
        network.init(rd.init.Aligned(0.1, bases="paths"), task=rd.tasks.xor(0), key=0)
    with pytest.raises(ValueError, match="`gating` must be one of 'linear', 'xor', 'both'"):
        rd.networks.xor(rd.tasks.xor(1), "both of them")
    with pytest.raises(ValueError, match="one label of"):
        rd.networks.xor(rd.tasks.hierarchy(4))
    with pytest.raises(ValueError, match="a context for each example"):
        rd.networks.xor(rd.tasks.from_arrays(np.eye(2), np.array([[1.0, -1.0]])))
    with pytest.raises(ValueError, match="`margin` must be of at least 0, but its smallest is -1"):
        exact.xor(-1.0, "xor", 0.1, [0.0])
    with pytest.raises(ValueError, match="`a0` must be of at least 0"):
        exact.xor(1.0, "xor", -0.1, [0.0])
    with pytest.raises(ValueError, match="`a0` must be small"):
        exact.xor_crossing(0.9)
    with pytest.raises(ValueError, match="be 'nodes' where paths share edges"):
        routes = rd.tasks.routing(2)
        rd.networks.routing(routes, 8).init(rd.init.Aligned(0.1, bases="paths"), task=routes, key=0)
    with pytest.raises(ValueError, match="`second, X, Y` must have shapes"):
        exact.early_pathways(np.ones((4, 3)), np.ones((2, 4)), np.ones((3, 4)), np.ones((1, 4)))
