"""Representations: the tangent kernel against brute force and descent, and what no rotation of
hidden units changes.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from gated_examples import random_problem, routing
from racedyn import representations as reps
from racedyn.networks import forward


def predictions(network, task, weights):
    """Node -> (P, units)."""
    h = forward(
        network,
        weights,
        {x: jnp.asarray(X) for x, X in task.inputs.items()},
        jnp.asarray(task.context),
    )
    return {node: h[node].T for node in network.outputs}


def in_rows(network, task, by_node):
    """Node -> (P, units, ...) in the order of the kernel's rows."""
    open_in = reps.open_outputs(network, task)
    return np.concatenate(
        [
            np.asarray(by_node[node])[at].reshape(-1, *by_node[node].shape[2:])
            for node, at in open_in.items()
        ]
    )


def residual(network, task, weights):
    yhat = predictions(network, task, weights)
    return in_rows(
        network, task, {node: task.targets[node].T - yhat[node] for node in network.outputs}
    )


def chain(kind, **options):
    task = rd.tasks.from_arrays(*np.split(np.random.default_rng(0).standard_normal((7, 6)), [4]))
    network = rd.networks.parallel(task, (3, 2), 5, activation=kind, **options)
    return network, task, network.init(rd.init.Gaussian(0.5), key=1)


def xor_problem():
    """Contexts in the task, and no gates in the network."""
    task = rd.tasks.xor(0.5)
    network = rd.networks.chain(task, 2, 6, activation="relu")
    return network, task, network.init(rd.init.Gaussian(0.7), key=0)


def routes():
    network, task = routing(3, 2, width=5)
    return network, task, network.init(rd.init.Gaussian(0.4), key=0)


PROBLEMS = {
    **{f"random {seed}": lambda seed=seed: random_problem(seed) for seed in (0, 3, 8)},
    "routing": routes,
    "relu": lambda: chain("relu"),
    "tanh on edges too": lambda: chain("tanh", activate_last=True),
    "relu without gates, contexts": xor_problem,
}
each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


@each_problem
def test_tangent_kernel_is_that_of_all_derivatives(problem):
    network, task, weights = problem()
    J = jax.jit(jax.jacrev(lambda w: predictions(network, task, w)))(weights)
    flat = {
        node: np.concatenate(
            [np.asarray(j).reshape(*j.shape[:2], -1) for j in by_edge.values()], axis=2
        )
        for node, by_edge in J.items()
    }
    rows = in_rows(network, task, flat)
    found = reps.tangent_kernel(network, task, weights)
    np.testing.assert_allclose(found, rows @ rows.T, atol=1e-10)
    # What is left out is zero, and little else is.
    assert np.sum(rows**2) == pytest.approx(sum(np.sum(J**2) for J in flat.values()), rel=1e-12)
    if network.linear:
        assert (np.diag(found) > 0).all()


def test_rows_of_routing_are_those_of_the_route():
    network, task, _ = routes()
    at = reps.open_outputs(network, task)
    for node, examples in at.items():
        np.testing.assert_array_equal(examples, np.flatnonzero(task.targets[node].any(axis=0)))
    assert sum(len(examples) for examples in at.values()) == task.num_examples


@pytest.mark.filterwarnings("ignore:The output:UserWarning", "ignore:Gates cut:UserWarning")
@each_problem
def test_one_step_of_descent_moves_as_the_kernel_says(problem):
    """yhat by eta Theta r / P and the loss by -eta r^T Theta r / P^2, up to eta^2."""
    network, task, weights = problem()
    theta, r, P = (
        reps.tangent_kernel(network, task, weights),
        residual(network, task, weights),
        task.num_examples,
    )
    off = []
    for eta in (1e-3, 5e-4):
        run = rd.train(network, task, weights, lr=eta, steps=1, paths=(), progress=False)
        fell = (run.observables["loss"][1] - run.observables["loss"][0]) / eta
        moved = (r - residual(network, task, run.end["weights"])) / eta
        off.append(
            [
                abs(fell + r @ theta @ r / P**2) / abs(fell),
                np.abs(moved - theta @ r / P).max() / np.abs(moved).max(),
            ]
        )
    print(f"relative to what moved: loss and outputs {off}")
    assert np.max(off) < 0.02
    np.testing.assert_allclose(np.divide(*off), 2, atol=0.1)


def rotated(network, weights, key=5):
    """The same linear network with every inner node in other coordinates."""
    Q = {node: np.eye(kind.width) for node, kind in network.nodes.items()}
    for number, node in enumerate(Q):
        if node not in (*network.inputs, *network.outputs):
            Q[node] = np.asarray(jax.random.orthogonal(jax.random.key(key + number), len(Q[node])))
    return {
        edge: Q[t] @ np.asarray(weights[edge]) @ Q[s].T for edge, (s, t) in network.edges.items()
    }


@pytest.mark.parametrize("problem", [PROBLEMS["random 3"], routes])
def test_no_rotation_of_hidden_units_is_seen(problem):
    network, task, weights = problem()
    other = rotated(network, weights)
    hidden = [node for node in network.nodes if node not in (*network.inputs, *network.outputs)]
    for node in hidden:
        a, b = (reps.activity(network, task, w, node=node) for w in (weights, other))
        np.testing.assert_allclose(reps.similarity(a), reps.similarity(b), atol=1e-12)
        assert np.abs(a - b).max() > 0.01
    np.testing.assert_allclose(
        *(reps.tangent_kernel(network, task, w) for w in (weights, other)), atol=1e-10
    )
    a, b = (reps.alignment(network, w) for w in (weights, other))
    assert list(a) == list(b) == hidden
    for node in hidden:
        np.testing.assert_allclose(a[node], b[node], atol=1e-12)
    for edge, values in reps.singular_values(weights).items():
        np.testing.assert_allclose(values, reps.singular_values(other)[edge], atol=1e-12)


def test_responses_are_of_one_input_at_a_time_whatever_the_gates():
    task = rd.tasks.routing(4, 2)
    network = rd.networks.routing(task, 5, sharing=2)
    weights = network.init(rd.init.Gaussian(0.5), key=0)
    some_items = task.structure.items
    items = dict.fromkeys(task.inputs, some_items)
    found = reps.responses(network, weights, items, "2_2_1_h1")
    assert found.shape == (5, 16)
    expected = [0 * some_items[:1] + np.zeros((5, 1))] * 2 + [
        weights[f"2_2_1_in{i}"] @ some_items for i in (3, 4)
    ]
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), atol=1e-14)
    # Route 3 -> 2 opens this pathway and the input x3 alone.
    route = reps.responses(network, weights, items, "2_2_1_h1", context=2 * 4 + 1)
    np.testing.assert_allclose(route[:, 8:12], found[:, 8:12], atol=1e-14)
    assert not route[:, :8].any() and not route[:, 12:].any()
    some = reps.responses(network, weights, {"x4": task.structure.items[:, :3]}, "2_2_1_h2")
    np.testing.assert_allclose(some, weights["2_2_1_hidden"] @ found[:, 12:15], atol=1e-14)


@pytest.mark.filterwarnings("ignore:The output:UserWarning", "ignore:Gates cut:UserWarning")
def test_activity_is_that_of_training():
    network, task, weights = random_problem(3)
    assert network.node_gates and len(set(task.context)) > 1
    run = rd.train(
        network,
        task,
        weights,
        lr=0.1,
        steps=1,
        observe=[f"activity:{node}" for node in network.nodes],
        progress=False,
    )
    for node in network.nodes:
        found = reps.activity(network, task, weights, node=node)
        np.testing.assert_allclose(found, run.observables[f"activity:{node}"][0], atol=1e-14)


@pytest.mark.slow
def test_similarity_and_sharing():
    rng = np.random.default_rng(0)
    H = rng.standard_normal((2000, 4)) + 1.5 * rng.standard_normal(
        (2000, 1)
    )  # what all items have in common
    own = rng.standard_normal((2000, 4))
    found = reps.similarity(np.concatenate([H, 3 * H, np.zeros((2000, 4))], axis=1))
    np.testing.assert_allclose(found[:4, :4], np.corrcoef(H.T), atol=0.05)
    np.testing.assert_allclose(found[:4, :4], found[:4, 4:8], atol=1e-14)
    assert (
        np.isnan(found[8:]).all()
        and np.isnan(found[:, 8:]).all()
        and np.isfinite(found[:8, :8]).all()
    )

    def shared(*groups):
        return float(reps.sharing(reps.similarity(np.concatenate(groups, axis=1)), 4).shared)

    assert shared(H, H, 2 * H, 0 * H) == pytest.approx(1, abs=1e-12)
    assert shared(H, own) == pytest.approx(0, abs=0.05)
    assert shared(H, H[:, [1, 2, 3, 0]]) == pytest.approx(-1 / 3, abs=0.05)
    assert np.isnan(shared(H[:, [0] * 4], H[:, [0] * 4]))
    parts = reps.sharing(found, 4)
    np.testing.assert_allclose(parts[1:], [1.5**2 / (1 + 1.5**2)] * 2, atol=0.05)
    np.testing.assert_allclose(parts.same, 1)


def test_movement():
    kernel = np.diag([1.0, 2.0, 0.0])
    np.testing.assert_allclose(reps.kernel_movement(kernel, kernel), (0, 0), atol=1e-15)
    np.testing.assert_allclose(reps.kernel_movement(kernel, 3 * kernel), (2, 0), atol=1e-15)
    np.testing.assert_allclose(reps.kernel_movement(kernel, np.diag([0.0, 0, 2])), (3 / 5**0.5, 1))


def test_balanced_layers_are_aligned_and_random_ones_are_not():
    task = rd.tasks.routing(4, 3)
    network = rd.networks.routing(task, 16, hidden_layers=2, sharing=("shared", 2))
    for law in (rd.init.Balanced(0.3), rd.init.Aligned(0.3)):
        found = reps.alignment(network, network.init(law, task=task, key=0))
        np.testing.assert_allclose(list(found.values()), 1, atol=1e-12)
    untasked = reps.alignment(network, network.init(rd.init.Balanced(0.3), key=0))
    np.testing.assert_allclose(list(untasked.values()), 1, atol=1e-12)
    assert max(reps.alignment(network, network.init(rd.init.Gaussian(0.3), key=0)).values()) < 0.9
    assert len(found) == 3 * (1 + 4)


def test_alignment_sums_over_all_edges_of_a_node():
    network = rd.Network(
        {"x": 2, "h": 2, "y": 1, "z": 1}, {"in": ("x", "h"), "one": ("h", "y"), "two": ("h", "z")}
    )
    weights = {"in": np.diag([1.0, 2.0]), "one": np.array([[1.0, 0]]), "two": np.array([[0.0, 2]])}
    assert reps.alignment(network, weights)["h"] == pytest.approx(1)
    assert reps.alignment(network, weights | {"two": np.zeros((1, 2))})["h"] == pytest.approx(
        1 / 17**0.5
    )
    assert np.isnan(reps.alignment(network, weights | {"in": np.zeros((2, 2))})["h"])


@pytest.mark.slow
def test_small_weights_come_to_share_what_large_ones_do_not():
    """[Saxe22] figs. 4g, 6c on the scale of a test, M = 5, K = 3."""
    task = rd.tasks.routing(5, 3)
    network = rd.networks.routing(task, 32)
    items = dict.fromkeys(task.inputs, task.structure.items)
    found = {}
    for scale in (0.2, 2.5):
        weights = network.init(rd.init.Orthogonal(scale), key=0)
        run = rd.train(
            network,
            task,
            weights,
            lr=0.02,
            steps=500,
            loss="routes",
            save_every=500,
            progress=False,
        )
        last = {edge: jnp.asarray(matrix) for edge, matrix in run.end["weights"].items()}
        kernels = [reps.tangent_kernel(network, task, w) for w in (weights, last)]
        H = reps.responses(network, last, items, "h1")
        found[scale] = {
            "shared": float(reps.sharing(reps.similarity(H), 4).shared),
            **{
                name: float(value)
                for name, value in reps.kernel_movement(*kernels)._asdict().items()
            },
            "aligned": float(reps.alignment(network, last)["h1"]),
            "loss": float(run.observables["loss"][-1]),
        }
        print(scale, found[scale])
    race, lazy = found[0.2], found[2.5]
    assert race["loss"] < 0.1 and lazy["loss"] < 0.1
    assert race["shared"] > 0.9 and lazy["shared"] < 0.3
    assert race["change"] > 100 and lazy["change"] < 1
    assert race["turn"] > 0.5 and lazy["turn"] < 0.2
    assert race["aligned"] > 0.95 > lazy["aligned"]


def test_bad_input():
    network, task, weights = routes()
    other = rd.tasks.hierarchy(4)
    for function in (lambda *three: reps.activity(*three, node="h1"), reps.tangent_kernel):
        with pytest.raises(ValueError, match="`task` must have inputs for the network's nodes"):
            function(network, other, weights)
        with pytest.raises(ValueError, match="'hidden' is missing"):
            function(network, task, {edge: w for edge, w in weights.items() if edge != "hidden"})
    with pytest.raises(ValueError, match=r"`node` must be one of 'x0', .*, but it is 'h3'"):
        reps.activity(network, task, weights, node="h3")
    for inputs, words in (
        ({}, "`inputs` must name at least one input node"),
        ({"h1": np.eye(5)}, "`inputs` must be one of 'x0', 'x1', 'x2', but it is 'h1'"),
        ({"x1": np.eye(3)}, r"`inputs\['x1'\]` must have 4 rows, but it has 3"),
        ({"x1": np.full((4, 1), np.nan)}, r"`inputs\['x1'\]` must be finite"),
    ):
        with pytest.raises(ValueError, match=words):
            reps.responses(network, weights, inputs, "h1")
    with pytest.raises(
        ValueError, match="`context` must be one of the network's, 0 to 8, but it is 9"
    ):
        reps.responses(network, weights, {"x1": np.eye(4)}, "h1", context=9)
    for size in (1, 3, 8):
        with pytest.raises(
            ValueError, match="`size` must divide 8 columns into two groups of two items at least"
        ):
            reps.sharing(np.eye(8), size)
    with pytest.raises(ValueError, match="`similarities` must be square"):
        reps.sharing(np.ones((4, 3)), 2)
    with pytest.raises(
        ValueError,
        match=r"`last` must have the shape of `first`, \(2, 2\), but its shape is \(3, 3\)",
    ):
        reps.kernel_movement(np.eye(2), np.eye(3))


def test_scaling_puts_turned_copies_on_one_another():
    """Distances are all that counts: a turned, shifted copy in more units has the same
    coordinates.
    """
    rng = np.random.default_rng(0)
    H = rng.standard_normal((3, 7))
    turned = np.linalg.qr(rng.standard_normal((9, 3)))[0] @ H + rng.standard_normal((9, 1))
    scaled = reps.mds([H, turned], dimensions=3)
    np.testing.assert_allclose(scaled.coordinates[1], scaled.coordinates[0], atol=1e-12)
    np.testing.assert_allclose(scaled.kept, 1, rtol=1e-12)
    assert scaled.apart[0] == 0 and scaled.apart[1] < 1e-12
    distances = [
        np.linalg.norm(A[:, None] - A[None], axis=-1) for A in (scaled.coordinates[0], H.T)
    ]
    np.testing.assert_allclose(*distances, atol=1e-12)
    few = reps.mds([H], dimensions=2)
    values = np.linalg.svd(H - H.mean(axis=1, keepdims=True), compute_uv=False)
    assert few.kept[0] == pytest.approx(np.sum(values[:2] ** 2) / np.sum(values**2))


def test_scaling_says_how_far_apart_configurations_are():
    """Against the best of many rotations by hand, in the plane."""
    rng = np.random.default_rng(0)
    A, B = (rng.standard_normal((2, 6)) for _ in range(2))
    A, B = (each - each.mean(axis=1, keepdims=True) for each in (A, B))
    angles = np.linspace(0, 2 * np.pi, 20001)
    turns = np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]])
    left = [
        np.linalg.norm(np.einsum("ijk,jn->kin", turns, each) - A, axis=(1, 2)).min()
        for each in (B, B[::-1])
    ]
    assert reps.mds([A, B]).apart[1] == pytest.approx(min(left) / np.linalg.norm(A), abs=1e-6)


def test_scaling_of_bad_input():
    H = np.random.default_rng(0).standard_normal((3, 4))
    with pytest.raises(ValueError, match="hold at least one activity"):
        reps.mds([])
    with pytest.raises(ValueError, match="have 4 columns, as the first has, but it has 3"):
        reps.mds([H, H[:, :3]])
    with pytest.raises(ValueError, match="differ between columns"):
        reps.mds([np.ones((2, 4))])
    with pytest.raises(ValueError, match="at most the number of columns, 4, but it is 5"):
        reps.mds([H], dimensions=5)
