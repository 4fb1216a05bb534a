"""Matching: from weights to (q0, p0). The larger root, the smaller root, the double root, and the
numbers over seeds.
"""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

import racedyn as rd
from racedyn.reduction.matching import match, strength_and_growth

STRENGTHS = hnp.arrays(
    float, 5, elements=st.floats(-3, 3).filter(lambda K: K == 0 or abs(K) > 1e-6)
)
EXCESS = hnp.arrays(float, 5, elements=st.floats(1.0, 1e4))


@given(STRENGTHS, EXCESS, st.integers(2, 13), st.sampled_from(["larger", "smaller"]))
def test_a_matched_pathway_has_the_networks_strength_and_growth(K, excess, depth, branch):
    K = np.where(K == 0, 1e-3, K) if branch == "smaller" else K
    growth = depth * np.abs(K) ** (2 - 2 / depth) * excess + (K == 0)
    q, p = match(K, growth, depth, branch)
    np.testing.assert_allclose(p * q ** (depth - 1), K, rtol=1e-9, atol=1e-300)
    regained = q ** (2 * (depth - 1)) + (depth - 1) * K**2 / q**2
    np.testing.assert_allclose(regained, growth, rtol=1e-9)
    side = np.abs(K) ** (1 / depth)
    assert np.all(q >= side * (1 - 1e-6)) if branch == "larger" else np.all(q <= side * (1 + 1e-6))
    if branch == "larger":
        assert np.all(q >= np.abs(p) * (1 - 1e-6)), "c = q^2 - p^2 >= 0"


@pytest.mark.parametrize("depth", [2, 3, 7])
@pytest.mark.parametrize("branch", ["larger", "smaller"])
def test_a_balanced_start_is_a_double_root_and_no_nan(depth, branch):
    K = np.array([1e-8, 0.3, -2.0])
    # Rounding may leave g below its bound D |K|^(2 - 2/D); the root is then the balanced one.
    for below in (1.0, 1 - 1e-15, 1 - 1e-9):
        q, p = match(K, below * depth * np.abs(K) ** (2 - 2 / depth), depth, branch)
        np.testing.assert_allclose(q, np.abs(K) ** (1 / depth), rtol=1e-5)
        np.testing.assert_allclose(np.abs(p), q, rtol=1e-4)


def test_zero_strength_and_shallow_pathways():
    q, p = match(np.zeros(2), np.array([0.5, 0.0]), 4)
    np.testing.assert_allclose(q, [0.5 ** (1 / 6), 0.0])
    np.testing.assert_array_equal(p, 0)
    q, p = match(np.array([0.3, -0.2]), np.ones(2), 1)
    np.testing.assert_array_equal(p, [0.3, -0.2])
    with pytest.raises(ValueError, match=r"`branch` must be 'larger' where a strength is zero"):
        match(np.zeros(1), np.ones(1), 3, "smaller")
    with pytest.raises(ValueError, match=r"`branch` must be one of 'larger', 'smaller'"):
        match(np.ones(1), np.ones(1), 3, "both")


def test_growth_is_the_rate_at_which_a_step_along_the_mode_changes_the_strength():
    task = rd.tasks.hierarchy(4)
    net = rd.networks.chain(task, depth=3, width=6)
    w = net.init(rd.init.Gaussian(0.4), key=0)
    matrices = [np.asarray(w[edge]) for edge in net.paths()[0]]
    modes = task.modes
    K, growth, off = strength_and_growth(matrices, modes)
    for a in range(modes.num):
        # Gradient flow with residual u v^T alone: dW_l/ds = G_l^T u (F_(l-1) v)^T.
        u, v, eps = modes.U[:, a], modes.V[:, a], 1e-6
        moved = []
        for l, W in enumerate(matrices):
            before = np.linalg.multi_dot([*matrices[l - 1 :: -1], v]) if l else v
            after = np.linalg.multi_dot([*[m.T for m in matrices[l + 1 :]], u]) if l < 2 else u
            moved.append(W + eps * np.outer(after, before))
        assert (u @ moved[2] @ moved[1] @ moved[0] @ v - K[a]) / eps == pytest.approx(
            growth[a], rel=1e-4
        )
    path_map = modes.U.T @ np.linalg.multi_dot(matrices[::-1]) @ modes.V
    assert off == pytest.approx(np.linalg.norm(path_map - np.diag(K)) / np.linalg.norm(K))


def test_the_wide_limit_of_matching():
    """Entries N(0, sigma^2 / N): q0 -> D^(1/(2(D-1))) sigma and p0 ~ N(0, sigma^2 / (D N)) (wide
    limit).
    """
    width, sigma, depth = 1000, 0.5, 3
    task = rd.tasks.hierarchy(8)
    net = rd.networks.parallel(task, depths=(depth,) * 4, width=width)
    system = rd.reduce(net, task, net.init(rd.init.Gaussian(sigma / width**0.5), key=0))
    np.testing.assert_allclose(system.q, depth ** (1 / (2 * (depth - 1))) * sigma, rtol=0.1)
    # Of 32 draws a spread within 40 % (3 standard errors).
    assert float(np.std(system.p)) == pytest.approx(sigma / (depth * width) ** 0.5, rel=0.4)


def test_reduce_says_what_it_measured():
    task = rd.tasks.hierarchy(4)
    net = rd.networks.parallel(task, depths=(3, 1), width=20)
    system = rd.reduce(net, task, net.init(rd.init.Gaussian(0.1), key=0), level="pathway")
    assert system.depths == (3, 1) and system.path_names == ("pathway 1", "pathway 2")
    validity = system.validity
    assert validity["exact"] is False and validity["misalignment"] < 1e-12
    assert set(validity["off_diagonal"]) == {"pathway 1", "pathway 2"}
    aligned = rd.reduce(net, task, net.init(rd.init.Aligned(0.1), key=0, task=task))
    assert max(aligned.validity["off_diagonal"].values()) < 1e-12


def diamond():
    nodes = {"input": 4, "h": 3, "k": 3, "output": 7}
    net = rd.Network(
        nodes, {"a": ("input", "h"), "b": ("h", "k"), "c": ("k", "output"), "d": ("h", "output")}
    )
    return net, net.init(rd.init.Gaussian(0.1), key=0)


def gated():
    net = rd.Network({"input": 4, "output": 7}, {"a": ("input", "output")}, edge_gates={"a": [1.0]})
    return net, net.init(rd.init.Gaussian(0.1), key=0)


def relu():
    net = rd.networks.parallel(rd.tasks.hierarchy(4), depths=(2, 2), width=5, activation="relu")
    return net, net.init(rd.init.Gaussian(0.1), key=0)


@pytest.mark.parametrize(
    ("make", "level", "message"),
    [
        (diamond, "pathway", r"pathways that share no edge at level 'pathway'"),
        (gated, "pathway", r"no gates at level 'pathway', but \['a'\] are gated"),
        (relu, "pathway", r"must be linear to be reduced.*Train it in full width"),
        (
            relu,
            "pathwy",
            r"`level` must be one of 'pathway', .*, but it is 'pathwy'. Did you mean 'pathway'",
        ),
    ],
)
def test_reduce_refuses(make, level, message):
    net, weights = make()
    with pytest.raises(ValueError, match=message):
        rd.reduce(net, rd.tasks.hierarchy(4), weights, level=level)


def relative_errors(depth, seed, steps, *, width=300, lr=0.04):
    """Relative L2 of all K_a(t) against descent: matched, and with q0 read off the first layer's
    norm.
    """
    task = rd.tasks.hierarchy(8)
    net = rd.networks.parallel(task, depths=(depth, depth), width=width)
    weights = net.init(rd.init.Gaussian((0.1 / width) ** 0.5), key=seed)
    trained = rd.train(net, task, weights, lr=lr, steps=steps, progress=False)
    K = np.asarray(trained.observables["strength"])
    matched = rd.reduce(net, task, weights)
    unmatched_q = np.stack(
        [
            np.linalg.norm(np.asarray(weights[path[0]]) @ task.modes.V, axis=0)
            for path in net.paths()
        ]
    )
    p = K[0] / unmatched_q ** (depth - 1)
    unmatched = rd.systems.Pathways(
        matched.singular_values, matched.depths, unmatched_q, p, matched.variances
    )
    return [
        float(
            np.linalg.norm(np.asarray(rd.simulate(system, trained.ts).observables["strength"]) - K)
            / np.linalg.norm(K)
        )
        for system in (matched, unmatched)
    ]


@pytest.mark.slow
def test_matching_follows_training_at_depth_2():
    matched, unmatched = relative_errors(2, seed=0, steps=3000)
    assert matched <= 0.01 < 10 * matched < unmatched


@pytest.mark.long
@pytest.mark.parametrize(
    ("depth", "steps", "bound"), [(2, 3000, 0.01), (3, 6000, 0.06), (4, 10000, 0.3)]
)
def test_matching_follows_training_over_seeds(depth, steps, bound):
    matched, unmatched = np.array([relative_errors(depth, seed, steps) for seed in range(5)]).T
    print(
        f"D = {depth}: matched {matched.mean():.4f} +- {matched.std():.4f}, first layer "
        f"{unmatched.mean():.3f}"
    )
    assert matched.mean() <= bound
    assert np.all(matched < unmatched)
