"""Networks: graphs and paths, the forward pass, initial laws, weights from elsewhere."""

import itertools
import zlib

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import racedyn as rd
from racedyn.networks import forward, from_layers, init
from racedyn.paths.strengths import path_maps

TASK = rd.tasks.hierarchy(4)
PAIR = ("input", "output")


def test_parallel_builds_unequal_pathways():
    net = rd.networks.parallel(TASK, depths=(3, 1, 2), width=[[5, 6], [], 7])
    assert net.paths() == (("w1_1", "w1_2", "w1_3"), ("w2_1",), ("w3_1", "w3_2"))
    assert (
        net.shape("w1_2") == (6, 5) and net.shape("w2_1") == (7, 4) and net.shape("w3_2") == (7, 7)
    )
    assert net.path_names() == ("pathway 1", "pathway 2", "pathway 3")
    assert net.inputs == ("input",) and net.outputs == ("output",)


def test_chain_is_one_pathway():
    net = rd.networks.chain(TASK, depth=3, width=(5, 6))
    assert net.paths() == (("w1", "w2", "w3"),) and net.shape("w2") == (6, 5)


@given(st.integers(0, 2**16))
def test_path_counts_agree_with_the_list_of_paths(seed):
    rng = np.random.default_rng(seed)
    names = [f"n{i}" for i in range(6)]
    pairs = [pair for pair in itertools.combinations(names, 2) if rng.random() < 0.5]
    pairs += [(names[0], names[-1])]
    nodes = sorted({name for pair in pairs for name in pair})
    net = rd.Network({name: 2 for name in nodes}, {f"e{i}": pair for i, pair in enumerate(pairs)})
    paths = net.paths()
    assert len(set(paths)) == len(paths)
    assert net.count_paths() == {edge: sum(edge in path for path in paths) for edge in net.edges}
    for path in paths:
        assert net.ends(path)[0] in net.inputs and net.ends(path)[1] in net.outputs
        assert all(net.edges[a][1] == net.edges[b][0] for a, b in itertools.pairwise(path))


def test_forward_applies_gates_and_kinds_by_context():
    net = rd.Network(
        {"x": 2, "h": (3, "relu"), "y": 2},
        {"in": ("x", "h"), "out": ("h", "y"), "skip": ("x", "y")},
        node_gates={"h": [1.0, 0.0, 2.0], "x": [1, 1, 0.5]},
        edge_gates={"skip": [0.0, 1.0, -1.0]},
        edge_kinds={"skip": "tanh"},
        num_contexts=3,
    )
    rng = np.random.default_rng(0)
    w = {edge: rng.standard_normal(net.shape(edge)) for edge in net.edges}
    X, context = rng.standard_normal((2, 6)), np.array([0, 1, 2, 2, 1, 0])
    h = forward(net, w, {"x": jnp.asarray(X)}, jnp.asarray(context))
    for i, c in enumerate(context):
        x = X[:, i] * [1, 1, 0.5][c]
        hidden = np.maximum(w["in"] @ x, 0) * [1, 0, 2][c]
        y = w["out"] @ hidden + np.tanh(w["skip"] @ x) * [0, 1, -1][c]
        np.testing.assert_allclose(h["h"][:, i], hidden, atol=1e-14)
        np.testing.assert_allclose(h["y"][:, i], y, atol=1e-14)


def test_path_maps_are_products_in_the_modes():
    net = rd.networks.parallel(TASK, depths=(3, 1), width=6)
    w = net.init(rd.init.Gaussian(0.5), key=1)
    maps = path_maps(net, w, {PAIR: TASK.modes}, net.paths())
    U, V = TASK.modes.U, TASK.modes.V
    np.testing.assert_allclose(maps[0], U.T @ w["w1_3"] @ w["w1_2"] @ w["w1_1"] @ V, atol=1e-13)
    np.testing.assert_allclose(maps[1], U.T @ w["w2_1"] @ V, atol=1e-13)


def test_path_maps_of_a_nonlinear_pathway_are_its_response_to_unit_inputs():
    net = rd.networks.parallel(TASK, depths=(2, 2), width=6, activation="tanh", activate_last=True)
    w = net.init(rd.init.Gaussian(0.5), key=1)
    maps = path_maps(net, w, {PAIR: TASK.modes}, net.paths())
    response = np.tanh(w["w2_2"] @ np.tanh(w["w2_1"]))
    np.testing.assert_allclose(maps[1], TASK.modes.U.T @ response @ TASK.modes.V, atol=1e-13)


def routing(num):
    nodes = {f"x{i}": 4 for i in range(num)} | {"h": 9, "k": 8} | {f"y{i}": 7 for i in range(num)}
    edges = {f"in{i}": (f"x{i}", "h") for i in range(num)} | {"hidden": ("h", "k")}
    return rd.Network(nodes, edges | {f"out{i}": ("k", f"y{i}") for i in range(num)})


def node_imbalance(net, w, node):
    incoming = sum(w[e] @ w[e].T for e in net.edges_into(node))
    outgoing = sum(w[e].T @ w[e] for e in net.edges_from(node))
    return float(jnp.abs(incoming - outgoing).max())


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("shape", ["parallel", "routing"])
def test_balanced_solves_the_condition_at_every_hidden_node(shape, aligned):
    if shape == "routing":
        net = routing(3)
        task = rd.Task({f"x{i}": TASK.X for i in range(3)}, {f"y{i}": TASK.Y for i in range(3)})
    else:
        net, task = rd.networks.parallel(TASK, depths=(4, 2), width=6), TASK
    w = net.init(rd.init.Balanced(0.3), key=0, task=task if aligned else None)
    for node in net.order:
        if node not in (*net.inputs, *net.outputs):
            assert node_imbalance(net, w, node) < 1e-14
    if shape == "routing":
        ratio = jnp.linalg.norm(w["hidden"]) / jnp.linalg.norm(w["in0"])
        assert float(ratio) == pytest.approx(np.sqrt(3)), (
            "M paths meet in each input edge, M^2 in the hidden one"
        )
    # A Gaussian draw is not balanced: the test can fail.
    assert (
        node_imbalance(net, net.init(rd.init.Gaussian(0.3), key=0), net.edges[net.paths()[0][0]][1])
        > 1e-3
    )


def test_aligned_has_equal_strength_in_every_mode():
    net = rd.networks.parallel(TASK, depths=(3, 1), width=6)
    maps = path_maps(
        net, net.init(rd.init.Aligned(0.1), key=0, task=TASK), {PAIR: TASK.modes}, net.paths()
    )
    np.testing.assert_allclose(maps[0], 1e-3 * np.eye(4), atol=1e-16)
    np.testing.assert_allclose(maps[1], 1e-1 * np.eye(4), atol=1e-15)


def test_gaussian_and_orthogonal_have_their_law():
    net = rd.networks.chain(TASK, depth=3, width=400)
    w = net.init(rd.init.Gaussian(0.02), key=3)
    assert float(jnp.std(w["w2"])) == pytest.approx(0.02, rel=0.02)
    w = net.init(rd.init.Orthogonal(2.0), key=3)
    np.testing.assert_allclose(w["w1"].T @ w["w1"], 4 * np.eye(4), atol=1e-12)
    np.testing.assert_allclose(w["w3"] @ w["w3"].T, 4 * np.eye(7), atol=1e-12)


def test_a_draw_depends_on_the_key_and_the_edge_alone():
    small, large = (
        rd.networks.parallel(TASK, depths=depths, width=5) for depths in ((2, 2), (2, 2, 3))
    )
    law = rd.init.Gaussian(1.0)
    first, again, other = (
        law.draw(small, key=0),
        law.draw(large, key=jax.random.key(0)),
        law.draw(small, key=1),
    )
    for edge in small.edges:
        np.testing.assert_array_equal(first[edge], again[edge])
        assert not np.array_equal(first[edge], other[edge])


def drawn_apart(net, std, key):
    """A program and a key for each matrix."""
    return {
        edge: std
        * jax.random.normal(
            jax.random.fold_in(key, np.uint32(zlib.crc32(edge.encode()))), net.shape(edge)
        )
        for edge in net.edges
    }


UNEVEN = rd.Network(
    nodes={"x": 5, "a": 31, "b": 257, "y": 1},
    edges={"xa": ("x", "a"), "ab": ("a", "b"), "by": ("b", "y"), "xy": ("x", "y")},
)


def check_draws_of(net, key):
    drawn, apart = net.init(rd.init.Gaussian(0.3), key=key), drawn_apart(net, 0.3, key)
    for edge in net.edges:
        assert isinstance(drawn[edge], jax.Array) and drawn[edge].dtype == apart[edge].dtype
        np.testing.assert_array_equal(drawn[edge], apart[edge])


@pytest.mark.parametrize("x64", [True, False])
@pytest.mark.parametrize("short", [2**20, 100])
def test_matrices_drawn_by_one_program_have_the_bits_of_each_drawn_alone(x64, short, monkeypatch):
    monkeypatch.setattr(init, "_SHORT", short)
    with jax.enable_x64(x64):
        for key in map(jax.random.key, range(20)):
            check_draws_of(UNEVEN, key)


@pytest.mark.parametrize("partitionable", [True, False])
@pytest.mark.parametrize("kind", ["rbg", "threefry2x32"])
def test_keys_whose_numbers_come_from_more_than_their_places_are_drawn_with_too(
    kind, partitionable
):
    with jax.threefry_partitionable(partitionable):
        check_draws_of(UNEVEN, jax.random.key(3, impl=kind))


def test_a_draw_inside_other_functions_is_that_outside():
    net = rd.Network(nodes={"x": 2, "y": 3}, edges={"xy": ("x", "y")})
    law, keys = rd.init.Gaussian(0.3), jax.random.split(jax.random.key(1), 2)
    outside = net.init(law, key=keys[1])["xy"]
    for inside in (
        jax.jit(lambda: net.init(law, key=keys[1]))()["xy"],
        jax.vmap(lambda key: net.init(law, key=key))(keys)["xy"][1],
    ):
        np.testing.assert_allclose(inside, outside, rtol=1e-14)


class FakeTensor:
    """What a PyTorch tensor answers to."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    def cpu(self):
        return self.array


def test_layers_and_state_dicts_become_weights():
    net = rd.networks.parallel(TASK, depths=(2, 1), width=5)
    rng = np.random.default_rng(0)
    layers = [
        [rng.standard_normal((5, 4)), rng.standard_normal((7, 5))],
        [rng.standard_normal((7, 4))],
    ]
    w = from_layers(net, layers)
    np.testing.assert_array_equal(w["w1_2"], layers[0][1])
    state = {"a.0.weight": FakeTensor(layers[0][0]), "a.0.bias": FakeTensor(np.zeros(5))}
    state |= {"a.1.weight": FakeTensor(layers[0][1]), "b.0.weight": FakeTensor(layers[1][0])}
    for edge, array in from_layers(net, state).items():
        np.testing.assert_array_equal(array, w[edge])
    chain = rd.networks.chain(TASK, depth=2, width=5)
    np.testing.assert_array_equal(from_layers(chain, layers[0])["w2"], layers[0][1])
    state["a.0.bias"] = FakeTensor(np.ones(5))
    with pytest.raises(ValueError, match=r"'a.0.bias' has shape \(5,\) and is not zero"):
        from_layers(net, state)
    with pytest.raises(
        ValueError, match=r"must have \[2, 1\] matrices per pathway, but it has \[2\]"
    ):
        from_layers(net, layers[:1])
    with pytest.raises(ValueError, match=r"must hold 3 matrices, but it holds 2"):
        from_layers(net, {"a": layers[0][0], "b": layers[0][1]})


NET = rd.networks.parallel(TASK, depths=(2, 1), width=5)
GOOD = NET.init(rd.init.Gaussian(0.1), key=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: rd.networks.parallel(TASK, depths=(0,), width=5),
            r"`depths` must be one whole number of .* one is 0",
        ),
        (
            lambda: rd.networks.parallel(TASK, depths=(), width=5),
            r"`depths` must be one whole number of .* it is empty",
        ),
        (
            lambda: rd.networks.parallel(TASK, depths=2, width=5),
            r"`depths` must be one whole number of .*, but it is 2",
        ),
        (
            lambda: rd.networks.parallel(TASK, depths=(2, 2), width=2.5),
            r"`width` must be a whole number .*it is 2.5",
        ),
        (
            lambda: rd.networks.parallel(TASK, depths=(2, 2), width=0),
            r"`width` must be a whole number of at least 1",
        ),
        (lambda: rd.networks.parallel(TASK, depths=(2, 2), width=-3), r"at least 1, but it is -3"),
        (
            lambda: rd.networks.parallel(TASK, depths=(2, 2), width=[4]),
            r"one entry per pathway, 2, but it has 1",
        ),
        (
            lambda: rd.networks.parallel(TASK, depths=(2,), width=4, activation="gelu"),
            r"`activation` must be one of",
        ),
        (
            lambda: rd.Network({"a": 1, "b": 1}, {"e": ("a", "b"), "f": ("b", "a")}),
            r"no cycle, but (a -> b -> a|b -> a -> b)",
        ),
        (
            lambda: rd.Network({"a": 1}, {"e": ("a", "b")}),
            r"`edges\['e'\]` must be one of 'a', but it is 'b'",
        ),
        (lambda: rd.Network({"a": 1, "b": 1, "c": 1}, {"e": ("a", "b")}), r"none touches 'c'"),
        (
            lambda: rd.Network({"a": 1, "b": 1}, {"e": ("a", "b")}, node_gates={"b": [1, 0]}),
            r"one factor per context, 1",
        ),
        (
            lambda: rd.Network({"a": 1, "b": (1, "relo")}, {"e": ("a", "b")}),
            r"but it is 'relo'. Did you mean 'relu'",
        ),
        (lambda: rd.init.Gaussian(0.0), r"`std` must be a positive number"),
        (lambda: NET.init(rd.init.Aligned(0.1), key=0), r"`task` must be given"),
        (
            lambda: rd.networks.chain(TASK, 2, 3).init(rd.init.Aligned(1.0), key=0, task=TASK),
            r"'h1' has 3 units",
        ),
        (lambda: rd.networks.check_weights(NET, {**GOOD, "w9": GOOD["w1_1"]}), r"but it is 'w9'"),
        (lambda: rd.networks.check_weights(NET, {"w1_1": GOOD["w1_1"]}), r"'w1_2' is missing"),
        (
            lambda: rd.networks.check_weights(NET, {**GOOD, "w1_1": GOOD["w1_1"].T}),
            r"must have shape \(5, 4\).*\(4, 5\)",
        ),
        (
            lambda: rd.networks.check_weights(NET, {**GOOD, "w1_1": GOOD["w1_1"] * np.nan}),
            r"must be finite",
        ),
        (
            lambda: rd.networks.check_weights(NET, {**GOOD, "w1_1": np.ones((5, 4), int)}),
            r"must hold real numbers",
        ),
        (
            lambda: rd.networks.check_task(NET, rd.tasks.hierarchy(8)),
            r"`task` must have 4 rows at 'input', but it has 8",
        ),
        (
            lambda: rd.networks.check_task(NET, rd.Task({"x": np.eye(4)}, {"y": np.eye(4)})),
            r"the network's nodes",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_numbers_are_no_laws_and_lists_no_weights():
    with pytest.raises(TypeError, match=r"`law` must be one of racedyn.init, but it is 0.1"):
        NET.init(0.1, key=0)
    with pytest.raises(
        TypeError, match=r"dict edge -> array, but it is list. networks.from_layers"
    ):
        rd.networks.check_weights(NET, list(GOOD.values()))


def test_a_draw_without_a_key_is_refused():
    with pytest.raises(
        TypeError, match=r"`key` must be a whole number or a jax.random.key, but it is None"
    ):
        NET.init(rd.init.Gaussian(0.1))


def test_too_many_paths_are_counted_not_listed():
    layers = 18
    nodes = {f"n{i}": 1 for i in range(layers + 1)}
    edges = {f"e{i}{c}": (f"n{i}", f"n{i + 1}") for i in range(layers) for c in "ab"}
    net = rd.Network(nodes, edges)
    assert net.count_paths()["e0a"] == 2 ** (layers - 1)
    with pytest.raises(ValueError, match=r"262144 paths, more than the 100000"):
        net.paths()


def test_the_end_of_a_run_is_not_its_weights():
    network = rd.networks.chain(TASK, 2, 3)
    run = rd.train(
        network, TASK, network.init(rd.init.Gaussian(0.1), key=0), lr=0.1, steps=2, progress=False
    )
    with pytest.raises(ValueError, match=r'run\.end\["weights"\]'):
        rd.networks.check_weights(network, run.end)
    assert set(rd.networks.check_weights(network, run.end["weights"])) == {"w1", "w2"}


def test_a_task_without_contexts_is_refused_where_gates_ask_for_them():
    nodes, edges = {"x": 3, "h": 4, "y": 2}, {"w1": ("x", "h"), "w2": ("h", "y")}
    network = rd.Network(nodes, edges, node_gates={"h": [1.0, 0.0]}, num_contexts=2)
    weights = network.init(rd.init.Gaussian(0.1), key=0)
    given = {"x": np.eye(3)}, {"y": np.ones((2, 3))}
    with pytest.raises(ValueError, match=r"say in which context.*num_contexts=2"):
        rd.train(network, rd.Task(*given), weights, lr=0.1, steps=2, progress=False)
    said = rd.Task(*given, context=np.zeros(3, int), num_contexts=2)
    rd.train(network, said, weights, lr=0.1, steps=2, progress=False)
