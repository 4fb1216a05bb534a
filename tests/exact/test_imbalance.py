"""Two-layer networks from lambda-balanced weights: the closed form against the flow, what it
conserves, its limits, its tangent kernel; and the law that draws such weights."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd

IMBALANCES = (-4.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 4.0)
# Inputs, hidden units, outputs: hidden layers that both signs of lambda allow.
SHAPES = {"more outputs": (3, 3, 6), "more inputs": (6, 4, 4), "narrow": (5, 2, 4)}


def problem(shape, imbalance, scale=0.4, seed=0):
    """Whitened inputs, Sigma_x = I / n_in, and weights of that imbalance."""
    n_in, n_hidden, n_out = shape
    Y = np.random.default_rng(seed).standard_normal((n_out, n_in))
    task = rd.tasks.from_arrays(np.eye(n_in), Y)
    network = rd.networks.chain(task, depth=2, width=n_hidden)
    law = rd.init.Balanced(scale, imbalance=imbalance)
    return task, network, network.init(law, key=seed)


def solved(task, weights, ts):
    d = 1 / task.num_examples
    return rd.exact.riccati(weights["w1"], weights["w2"], task.sigma_yx(), ts, variance=d)


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "imbalance"), [*itertools.product(SHAPES, IMBALANCES)])
def test_it_is_the_flow(shape, imbalance):
    """At a tolerance of 1e-12, map and both Gram matrices, entry by entry."""
    task, network, weights = problem(SHAPES[shape], imbalance)
    ts = np.array([0.0, 0.5, 2.0, 10.0, 60.0])
    found = solved(task, weights, ts)
    flow = rd.reduce(network, task, weights, level="full")
    run = rd.simulate(flow, ts, rtol=1e-12, observe=["states", "loss"], progress=False)
    (b1, i1), (b2, i2) = flow.work.place["w1"], flow.work.place["w2"]
    W1, W2 = np.asarray(run.ys[b1])[:, i1], np.asarray(run.ys[b2])[:, i2]
    for name, wanted in (("map", W2 @ W1), ("inner", W1.mT @ W1), ("outer", W2 @ W2.mT)):
        np.testing.assert_allclose(found[name], wanted, rtol=0, atol=1e-8, err_msg=name)
    np.testing.assert_allclose(found["loss"], run["loss"], atol=1e-8)
    assert found["loss"][-1] < 0.9 * found["loss"][0]


@pytest.mark.parametrize(
    "imbalance",
    [-30.0]
    + [pytest.param(x, marks=pytest.mark.slow) for x in (-1e6, -1e-8, 0.0, 1e-4, 1.0, 1e3, 1e6)],
)
@pytest.mark.slow
def test_imbalance_is_conserved(imbalance):
    """W2 (W2^T W2 - W1 W1^T) W2^T = lambda W2 W2^T, and likewise W1^T ( ) W1, at all times."""
    task, _, weights = problem((4, 3, 5), imbalance)
    run = solved(task, weights, np.geomspace(1e-4, 1e3, 8) / max(1, abs(imbalance)))
    for W, inner, outer in zip(run["map"], run["inner"], run["outer"], strict=True):
        for gram, off in ((outer, outer @ outer - W @ W.T), (inner, W.T @ W - inner @ inner)):
            size = np.linalg.norm(gram) ** 2 + np.linalg.norm(W) ** 2
            assert np.linalg.norm(off - imbalance * gram) < 1e-9 * size


@pytest.mark.parametrize(("imbalance", "shape"), [(1e6, (4, 3, 3)), (-1e6, (3, 3, 5))])
def test_large_imbalance_is_regression(imbalance, shape):
    """The larger layer stays as it was drawn, and the map is learned at the rate d |lambda|."""
    task, _, weights = problem(shape, imbalance)
    sigma, d = task.sigma_yx(), 1 / task.num_examples
    ts = np.array([0.0, 0.3, 1.0, 4.0]) / (d * abs(imbalance))
    left = np.exp(-d * abs(imbalance) * ts)[:, None, None]
    start = np.asarray(weights["w2"] @ weights["w1"])
    wanted = sigma / d * (1 - left) + start * left
    found = solved(task, weights, ts)["map"]
    size = np.abs(start).max()  # of sqrt(lambda)
    np.testing.assert_allclose(found, wanted, atol=2 * size * 0.4**2 / abs(imbalance) + 1e-4)


@pytest.mark.slow
def test_the_tangent_kernel_is_that_of_the_weights():
    task, network, weights = problem((4, 3, 5), 2.0)
    flow = rd.reduce(network, task, weights, level="full")
    run = rd.simulate(flow, [0.0, 5.0], rtol=1e-12, observe=["states", "loss"], progress=False)
    (b1, i1), (b2, i2) = flow.work.place["w1"], flow.work.place["w2"]
    later = {"w1": np.asarray(run.ys[b1])[1, i1], "w2": np.asarray(run.ys[b2])[1, i2]}
    kernels = rd.exact.riccati_kernel(solved(task, weights, [0.0, 5.0]), task.X)
    for kernel, each in zip(kernels, (weights, later), strict=True):
        wanted = rd.representations.tangent_kernel(network, task, each)
        np.testing.assert_allclose(kernel, wanted, atol=1e-9)
    assert rd.representations.kernel_movement(*kernels).change > 0.1


@pytest.mark.slow
def test_derivatives_in_the_imbalance():
    task, _, weights = problem((4, 3, 3), 0.0)
    left, sizes, right = np.linalg.svd(np.asarray(weights["w2"]))
    ts = jnp.asarray([0.0, 1.0, 7.0])

    def last(imbalance):
        second = (left * jnp.sqrt(sizes**2 + imbalance)) @ right
        return rd.exact.riccati(weights["w1"], second, task.sigma_yx(), ts, variance=0.25)["map"][2]

    value, slope = jax.jvp(last, (1.5,), (1.0,))
    np.testing.assert_allclose(jax.jit(last)(1.5), value, atol=1e-12)
    np.testing.assert_allclose(slope, (last(1.5 + 1e-5) - last(1.5 - 1e-5)) / 2e-5, atol=1e-8)
    assert np.abs(slope).max() > 1e-2


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize(
    ("imbalance", "width"),
    [(3.0, 6)]
    + [
        pytest.param(*given, marks=pytest.mark.slow) for given in ((-3.0, 4), (1e-6, 5), (-50.0, 4))
    ],
)
def test_the_law_has_this_imbalance(imbalance, width, aligned):
    task = rd.tasks.hierarchy(items=4)  # 4 inputs, 7 outputs, 4 modes
    network = rd.networks.parallel(task, (2, 2), width=width)
    law = rd.init.Balanced(0.3, imbalance=imbalance)
    given = task if aligned else None
    weights = network.init(law, key=0, task=given)
    equal = network.init(rd.init.Balanced(0.3), key=0, task=given)
    for path in network.paths():
        W1, W2 = (np.asarray(weights[edge]) for edge in path)
        np.testing.assert_allclose(W2.T @ W2 - W1 @ W1.T, imbalance * np.eye(width), atol=1e-12)
        smaller = path[0] if imbalance > 0 else path[1]
        np.testing.assert_allclose(weights[smaller], equal[smaller], atol=1e-14)
    if aligned:
        modes = task.modes
        maps = [
            modes.U.T @ np.asarray(weights[b] @ weights[a]) @ modes.V for a, b in network.paths()
        ]
        each = 0.3 * np.sqrt(abs(imbalance) + 0.3**2)
        np.testing.assert_allclose(maps, each * np.stack([np.eye(4)] * 2), atol=1e-12)


@pytest.mark.parametrize(
    ("depths", "width", "imbalance", "says"),
    [
        ((2,), 8, 1.0, r"`imbalance` .*units than outputs, if positive.*8 units and 'output' 7"),
        ((2,), 5, -1.0, r"`imbalance` .*units than inputs, if negative.*5 units and 'input' 4"),
        ((3,), 4, 1.0, r"paths of two layers that share no edge, but it is 1 .*3 edges in 1 paths"),
        ((2, 1), 4, 1.0, "paths of two layers that share no edge"),
        ((2,), 4, np.nan, "`imbalance` must be a finite number"),
        ((2,), 4, "a", "`imbalance` must be a finite number"),
    ],
)
def test_imbalances_that_no_widths_allow(depths, width, imbalance, says):
    network = rd.networks.parallel(rd.tasks.hierarchy(items=4), depths, width=width)
    with pytest.raises((ValueError, TypeError), match=says):
        network.init(rd.init.Balanced(0.1, imbalance=imbalance), key=0)


def test_weights_of_no_one_imbalance_are_refused():
    W = np.diag([1.0, 2.0])
    with pytest.raises(ValueError, match=r"lambda I, but 1\.5 I is off by .* reduce"):
        rd.exact.riccati(W, np.diag([2.0, 2.0]), np.eye(2), [1.0])
    with pytest.raises(ValueError, match=r"this root is 5e\+06 and two are 1 apart"):
        rd.exact.riccati(1e-3 * np.eye(2), np.sqrt(1e7 + 1e-6) * np.eye(2), np.eye(2), [1.0])


def test_the_kernel_refuses_runs_and_inputs_that_do_not_fit():
    run = rd.exact.riccati(np.eye(2), np.eye(2), np.eye(2), [1.0])
    with pytest.raises(ValueError, match="`X` must have 2 rows"):
        rd.exact.riccati_kernel(run, np.eye(3))
    with pytest.raises(ValueError, match="`X` must be finite"):
        rd.exact.riccati_kernel(run, np.diag([1.0, np.nan]))
    other = rd.exact.two_layer([1.0], [1.0], [0.1], [1.0])
    with pytest.raises(
        ValueError, match=r"be of `exact\.riccati`, but it has no inner and no outer"
    ):
        rd.exact.riccati_kernel(other, np.eye(1))
