"""Routing tasks by sums over domains: against every route's examples, written out; permuted domains
against plain ones; what there is of 10,000 routes.
"""

import dataclasses

import jax
import numpy as np
import pytest

import racedyn as rd
from racedyn import rules
from racedyn.networks import Node
from racedyn.reduction.compression import columns
from racedyn.rules import Data, Routed, data_of, loss_of
from racedyn.tasks import RoutingTask
from racedyn.tasks import routing_task as kept

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 20))
Y = np.eye(3)[:, RNG.integers(0, 3, 20)] + 0.1 * RNG.normal(size=(3, 20))
M = 4
TURNS = {
    "plain": {},
    "permuted": {
        "input_transforms": rd.tasks.transforms("permutation", M, 6, key=0),
        "output_transforms": rd.tasks.transforms("permutation", M, 3, key=1),
    },
    "rotated": {
        "input_transforms": rd.tasks.transforms("rotation", M, 6, key=0),
        "output_transforms": rd.tasks.transforms("rotation", M, 3, key=1),
    },
}


def routed(trained=2, turns="plain", sharing="shared", hidden_layers=1, **options):
    task = rd.tasks.routing(M, trained, X, Y, **TURNS[turns], **options)
    network = rd.networks.routing(task, 5, hidden_layers, sharing)
    return network, task, network.init(rd.init.Gaussian(0.4), key=0)


def written_out(task):
    """The same task as one that knows nothing of routes but their examples."""
    fields = [field.name for field in dataclasses.fields(rd.Task) if field.init]
    plain = rd.Task(**{name: getattr(task, name) for name in fields})
    assert not isinstance(plain, RoutingTask)
    return plain


def worst(one, other):
    return max(float(np.abs(np.asarray(one[k]) - np.asarray(other[k])).max()) for k in one)


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize(
    ("sharing", "hidden_layers"),
    [
        ("shared", 1),
        pytest.param("dedicated", 1, marks=pytest.mark.slow),
        pytest.param(2, 2, marks=pytest.mark.slow),
        pytest.param(("shared", 2), 1, marks=pytest.mark.slow),
    ],
)
def test_training_is_that_of_all_examples(turns, sharing, hidden_layers):
    network, task, weights = routed(2, turns, sharing, hidden_layers)
    assert isinstance(data_of(network, task, float), Routed)
    runs = [
        rd.train(network, each, weights, lr=0.1, steps=60, save_every=10, progress=False)
        for each in (task, written_out(task))
    ]
    one, other = runs
    assert worst(one.end["weights"], other.end["weights"]) < 1e-12
    for name in ("loss", "strength"):
        assert worst({name: one[name]}, {name: other[name]}) < 1e-12
    for name in ("loss_floor", "loss_left", "unlearned", "converged"):
        np.testing.assert_allclose(one.stats[name], other.stats[name], atol=1e-10, equal_nan=True)


@pytest.mark.parametrize(
    "turns",
    [
        "permuted",
        pytest.param("plain", marks=pytest.mark.slow),
        pytest.param("rotated", marks=pytest.mark.slow),
    ],
)
def test_classes_are_those_of_all_examples(turns):
    network, task, weights = routed(2, turns)
    untrained = task.structure.untrained()
    runs = [
        rd.train(
            network,
            each,
            weights,
            lr=0.3,
            steps=60,
            loss="cross_entropy",
            observe=["accuracy", rd.Probe("untrained", probe)],
            progress=False,
        )
        for each, probe in (
            (task, untrained),
            (written_out(task), written_out(untrained)),
        )
    ]
    one, other = runs
    for name in ("loss", "accuracy", "probe_loss", "probe_accuracy"):
        assert worst({name: one[name]}, {name: other[name]}) < 1e-12
    assert one["accuracy"][-1] > one["accuracy"][0]


@pytest.mark.parametrize(
    "turns",
    [
        "permuted",
        pytest.param("plain", marks=pytest.mark.slow),
        pytest.param("rotated", marks=pytest.mark.slow),
    ],
)
def test_batches_are_of_the_same_examples(turns):
    network, task, weights = routed(2, turns)
    one, other = (
        rd.train(network, each, weights, lr=0.1, steps=20, batch_size=7, key=1, progress=False)
        for each in (task, written_out(task))
    )
    assert worst(one.end["weights"], other.end["weights"]) < 1e-12


@pytest.mark.parametrize("turns", ["permuted", "rotated"])
def test_transformed_domains_have_the_law_of_plain_ones(turns):
    """Orthogonal maps of domains turn first and last matrices, and nothing else: W Q has the law of
    W where that is Gaussian.
    """
    network, task, weights = routed(2, turns)
    _, plain, _ = routed(2)
    turned = dict(weights)
    for i in range(M):
        Q, R = (
            np.eye(n)[T[i]] if T.ndim == 2 else T[i]
            for n, T in zip((6, 3), TURNS[turns].values(), strict=True)
        )
        turned[f"in{i + 1}"] = weights[f"in{i + 1}"] @ Q.T
        turned[f"out{i + 1}"] = R @ weights[f"out{i + 1}"]
    # Really permuted inputs, example by example.
    one = rd.train(network, written_out(task), turned, lr=0.1, steps=80, progress=False)
    other = rd.train(network, plain, weights, lr=0.1, steps=80, progress=False)
    assert worst({"loss": one["loss"]}, {"loss": other["loss"]}) < 1e-12
    assert one["loss"][-1] < 0.8 * one["loss"][0]


@pytest.mark.parametrize("turns", TURNS)
def test_statistics_are_those_of_all_examples(turns):
    network, task, _ = routed(2, turns)
    plain = written_out(task)
    assert (task.num_examples, task.pairs) == (plain.num_examples, plain.pairs)
    assert dict(task.input_widths) == plain.input_widths
    np.testing.assert_array_equal(task.examples_of, plain.examples_of)
    for node in task.input_widths:
        np.testing.assert_allclose(task.sigma_x(node), plain.sigma_x(node), atol=1e-14)
    for node in task.output_widths:
        np.testing.assert_array_equal(
            task.contexts_with_targets(node), plain.contexts_with_targets(node)
        )
        assert task.power(node) == pytest.approx(plain.power(node))
    for pair in task.pairs:
        np.testing.assert_allclose(task.sigma_yx(*pair), plain.sigma_yx(*pair), atol=1e-14)
        one, other = task.pair_modes(*pair), plain.pair_modes(*pair)
        for name in ("U", "S", "V", "variances", "floor"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-12)
    one, other = (rd.statistics(network, each) for each in (task, plain))
    for path in one.paths:
        np.testing.assert_allclose(one.sigma_yx(path), other.sigma_yx(path), atol=1e-14)
        for j in one.paths:
            np.testing.assert_allclose(one.sigma_x(j, path), other.sigma_x(j, path), atol=1e-14)


def test_gated_correlations_are_those_of_all_examples():
    _, task, _ = routed(2, "rotated")
    plain = written_out(task)
    gate = RNG.normal(size=M * M) * (RNG.uniform(size=M * M) < 0.7)
    for left in (*task.input_widths, *task.output_widths):
        for right in task.input_widths:
            np.testing.assert_allclose(
                task.correlation(left, right, gate),
                plain.correlation(left, right, gate),
                atol=1e-14,
            )


@pytest.mark.parametrize("level", ["matrix", "full"])
@pytest.mark.slow
def test_reductions_are_those_of_all_examples(level):
    network, task, weights = routed(2, "permuted")
    weights = {edge: 0.2 * W for edge, W in weights.items()}
    one, other = (
        rd.simulate(
            rd.reduce(network, each, weights, level=level, inexact=True),
            np.linspace(0, 20, 5),
            progress=False,
        )
        for each in (task, written_out(task))
    )
    np.testing.assert_allclose(one["loss"], other["loss"], rtol=1e-6)
    np.testing.assert_allclose(one["strength"], other["strength"], atol=1e-5)


@pytest.mark.parametrize("turns", TURNS)
def test_the_field_of_a_reduction_is_the_gradient_by_sums(turns):
    network, task, weights = routed(2, turns, ("shared", 2))
    flow = rd.reduce(network, task, weights, level="full")
    data = data_of(network, task, "float64")
    assert isinstance(data, Routed)
    gradient = jax.grad(lambda w: loss_of(network, w, data))(weights)
    field = flow.work.matrices(flow.vector_field(0.0, flow.y0(), None))
    assert worst(field, {edge: -G for edge, G in gradient.items()}) < 1e-14
    assert float(flow.observe(0.0, flow.y0())["loss"]) == pytest.approx(
        float(loss_of(network, weights, data)), rel=1e-13
    )


@pytest.mark.slow
@pytest.mark.parametrize("level", ["full", "matrix", "modes"])
def test_ten_thousand_routes_are_reduced_without_their_examples(level, monkeypatch):
    big = rd.tasks.routing(100, 40, X, Y)
    monkeypatch.setattr(kept, "memory", lambda: 1000.0)
    network = rd.networks.routing(big, 3)
    weights = network.init(rd.init.Gaussian(0.1), key=0)
    flow = rd.reduce(network, big, weights, level=level, inexact=level != "full")
    sizes = [array.size for array in jax.tree.leaves(flow)]
    # One row of targets in three outputs for each of 6 columns of 4,000 routes; or one for each of
    # three modes.
    assert max(sizes) == 4000 * 3 * (1 if level == "modes" else 6)
    if level == "full":
        data = data_of(network, big, "float64")
        gradient = jax.grad(lambda w: loss_of(network, w, data))(weights)
        field = flow.work.matrices(flow.vector_field(0.0, flow.y0(), None))
        assert worst(field, {edge: -G for edge, G in gradient.items()}) < 1e-15


def test_compression_of_more_columns_than_memory_holds_is_refused(monkeypatch):
    network, task, weights = routed()
    monkeypatch.setattr(columns, "memory", lambda: 1000.0)
    with pytest.raises(ValueError, match="Compression follows each column by itself"):
        rd.reduce(network, task, weights, level="signals", inexact=True)


def test_parts_of_the_answers_add_up(monkeypatch):
    network, task, weights = routed(2)
    data = data_of(network, task, float)

    def read():
        value, slope = jax.value_and_grad(lambda w: loss_of(network, w, data))(weights)
        ce = loss_of(network, weights, data, "cross_entropy")
        return {
            **slope,
            "loss": value,
            "ce": ce,
            "right": rules.accuracy_of(network, weights, data),
        }

    whole = read()
    monkeypatch.setattr("racedyn.rules.route_sums.AT_ONCE", 1)
    assert worst(whole, read()) < 1e-13


def test_what_depends_on_the_route_goes_by_examples():
    network, task, weights = routed(2)
    assert isinstance(data_of(network, task, float), Routed)
    # A hidden node that halves some routes, an output that is on elsewhere, and a nonlinear one.
    half = {**network.node_gates, "h1": 0.5 + 0.5 * (np.arange(M * M) % 2)}
    open_at_y1 = {**network.node_gates, "y1": np.ones(M * M, bool)}
    relu = {**network.nodes, "h1": Node(5, "relu")}
    others = [
        rd.Network(nodes, network.edges, node_gates=gates, num_contexts=M * M)
        for nodes, gates in (
            (network.nodes, half),
            (network.nodes, open_at_y1),
            (relu, network.node_gates),
        )
    ]
    for other in others:
        assert isinstance(data_of(other, task, float), Data)
        runs = [
            rd.train(other, each, weights, lr=0.05, steps=10, progress=False)
            for each in (task, written_out(task))
        ]
        assert worst(runs[0].end["weights"], runs[1].end["weights"]) == 0


@pytest.mark.filterwarnings("ignore:The output .y4. is gated off")
def test_routes_without_a_path_leave_a_floor():
    network, task, weights = routed(M)
    edges = {edge: ends for edge, ends in network.edges.items() if edge != "out4"}
    edges["beside"] = ("x4", "y4")  # the only way to y4
    cut = rd.Network(network.nodes, edges, node_gates=network.node_gates, num_contexts=M * M)
    weights = {edge: weights[edge] for edge in edges if edge in weights}
    weights["beside"] = np.zeros((3, 6))
    one, other = (
        rd.train(cut, each, weights, lr=0.1, steps=5, progress=False)
        for each in (task, written_out(task))
    )
    assert one.stats["loss_floor"] == pytest.approx(float(other.stats["loss_floor"]))
    assert one.stats["loss_floor"] > 0.1


@pytest.mark.slow
def test_a_run_goes_on_and_an_ensemble_runs():
    network, task, weights = routed(2)
    options = {"lr": 0.1, "progress": False}
    whole = rd.train(network, task, weights, steps=20, **options)
    half = rd.train(network, task, weights, steps=10, **options)
    on = rd.train(network, task, half, steps=10, **options)
    assert worst(whole.end["weights"], on.end["weights"]) == 0
    assert not on.switches

    def member(seed):
        drawn = network.init(rd.init.Gaussian(0.4), key=seed)
        return rd.Training(network, task, drawn, lr=0.1, steps=20)

    runs = rd.ensemble(member, 2, progress=False)
    np.testing.assert_allclose(runs["loss"][0], whole["loss"], rtol=1e-12)


@pytest.mark.slow
def test_ten_thousand_routes_are_one_and_a_table():
    big = rd.tasks.routing(100, 40, X, Y)
    assert big.num_examples == 100 * 40 * 20
    network = rd.networks.routing(big, 3)
    data = data_of(network, big, "float32")
    assert isinstance(data, Routed)
    sizes = [array.size for array in jax.tree.leaves(data)]
    assert max(sizes) == 100 * 100
    weights = network.init(rd.init.Gaussian(0.1), key=0)
    run = rd.train(network, big, weights, lr=1.0, steps=3, progress=False)
    # Circulant domains are alike: equal weights in all of them stay equal, and answer as one route.
    same = {e: np.asarray(weights["in1" if e[:2] == "in" else "out1"]) for e in network.edges}
    same["hidden"] = np.asarray(weights["hidden"])
    answer = same["out1"] @ same["hidden"] @ same["in1"] @ X
    alike = rd.train(network, big, same, lr=1.0, steps=3, progress=False)
    assert alike["loss"][0] == pytest.approx(0.5 * np.mean(np.sum((Y - answer) ** 2, axis=0)))
    ends = alike.end["weights"]
    np.testing.assert_allclose(ends["in7"], ends["in1"], atol=1e-15)
    assert run["loss"][-1] < run["loss"][0]


def test_what_memory_does_not_hold_is_refused(monkeypatch):
    task = rd.tasks.routing(M, 2, X, Y)
    monkeypatch.setattr(kept, "memory", lambda: 1000.0)
    with pytest.raises(ValueError, match="fit into this machine's memory"):
        task.inputs  # noqa: B018
    network = rd.networks.routing(task, 5)
    weights = network.init(rd.init.Gaussian(0.1), key=0)
    rd.train(network, task, weights, lr=0.1, steps=2, progress=False)
    with pytest.raises(ValueError, match="fit into this machine's memory"):
        rd.train(network, task, weights, lr=0.1, steps=2, observe=["activity:h1"], progress=False)


def test_parts_that_no_trained_route_joins():
    assert rd.tasks.routing(10, 2).structure.parts == 1
    assert rd.tasks.routing(5, 1).structure.parts == 5
    apart = rd.tasks.routing(3, pattern=[[1, 1, 0], [0, 0, 1], [0, 0, 0]]).structure
    assert apart.parts == 3
    assert str(apart) == "3 of 9 routes are trained, which join domains in 3 parts"


def learned(pattern, width, std, key):
    """Losses on trained and untrained routes at the end of long descent, of a map of rank 3."""
    rng = np.random.default_rng(0)
    items = np.linalg.qr(rng.normal(size=(20, 6)))[0].T * 20**0.5
    features = np.diag([3.0, 2, 1.5]) @ np.linalg.qr(rng.normal(size=(6, 3)))[0].T @ items
    task = rd.tasks.routing(5, pattern=pattern, inputs=items, targets=features)
    network = rd.networks.routing(task, width)
    weights = network.init(rd.init.Gaussian(std), key=key)
    given = {"lr": 0.2, "steps": 40000, "save_every": 40000, "progress": False}
    observe = ["loss", rd.Probe("untrained", task.structure.untrained())]
    run = rd.train(network, task, weights, observe=observe, **given)
    return float(run["loss"][-1]), float(run["probe_loss"][-1, 0])


TREE = np.eye(5, dtype=bool) | np.eye(5, k=1, dtype=bool)  # 2 M - 1 routes that join all domains
CIRCLE = TREE | np.eye(5, k=-4, dtype=bool)


@pytest.mark.parametrize(("std", "key"), [(0.3, 2), (0.6, 1)])
def test_routes_that_join_all_domains_fix_the_others_at_the_rank_of_the_map(std, key):
    trained, untrained = learned(TREE, 3, std, key)
    assert trained < 1e-25 and untrained < 1e-25


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "std", "known"),
    [
        ("circle", 0.1, 0),
        ("circle", 0.01, 2),
        ("circle", 0.003, 3),
        ("circle", 0.001, 4),
        ("tree", 0.001, 1),
    ],
)
def test_with_more_room_small_weights_find_them_where_routes_are_alike(pattern, std, known):
    ends = [learned(CIRCLE if pattern == "circle" else TREE, 8, std, key) for key in range(4)]
    assert max(trained for trained, _ in ends) < 1e-6
    assert sum(untrained < 1e-6 for _, untrained in ends) == known


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"trained": 5}, "at most the number of domains"),
        ({"input_transforms": np.tile(np.arange(6), (3, 1))}, "input_transforms"),
        ({"input_transforms": np.zeros((M, 6), int)}, "no permutation"),
        ({"output_transforms": np.ones((M, 3, 3))}, "not orthogonal"),
        ({"targets": Y[:, :5]}, "one column per column"),
    ],
)
def test_bad_input(given, match):
    with pytest.raises(ValueError, match=match):
        rd.tasks.routing(**{"domains": M, "inputs": X, "targets": Y, **given})


def test_other_examples_have_the_same_rows():
    task = rd.tasks.routing(M, 2, X, Y, **TURNS["permuted"])
    other = task.structure.on(X[:, :7], Y[:, :7])
    assert other.num_examples == 8 * 7
    np.testing.assert_array_equal(other.inputs["x2"].any(axis=0).sum(), 14)
    with pytest.raises(ValueError, match="6 rows"):
        task.structure.on(X[:5], Y)


def test_nodes_of_the_other_side_are_refused():
    _, task, _ = routed(2)
    task.all_modes()  # what is known already must not stand for what is not
    for ask in (
        lambda: task.sigma_x("y1"),
        lambda: task.sigma_yx("y1", "x1"),
        lambda: task.pair_modes("y1", "x1"),
        lambda: task.pair_modes("x1", "x1"),
        lambda: task.power("x1"),
        lambda: task.correlation("x1", "y1", np.ones(M * M)),
        lambda: task.sigma_x("x9"),
    ):
        with pytest.raises(ValueError, match=r"source|target"):
            ask()


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_nonlinear_routes(activation):
    """Hidden nodes have the activation, and a step is that of the network written by hand."""
    task = rd.tasks.routing(M, 2, X, Y)
    network = rd.networks.routing(task, 6, activation=activation)
    linear = rd.networks.routing(task, 6)
    assert {n: node.kind for n, node in network.nodes.items() if n.startswith("h")} == {
        "h1": activation,
        "h2": activation,
    }
    nodes = {
        name: (node.width, activation if name in ("h1", "h2") else "linear")
        for name, node in linear.nodes.items()
    }
    by_hand = rd.Network(
        nodes,
        dict(network.edges),
        node_gates=network.node_gates,
        num_contexts=network.num_contexts,
    )
    weights = network.init(rd.init.Gaussian(0.4), key=0)
    runs = [
        rd.train(n, task, weights, lr=0.05, steps=20, progress=False)["loss"]
        for n in (network, by_hand, linear)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert runs[0][-1] < runs[0][0] and abs(runs[0][-1] - runs[2][-1]) > 1e-4
    with pytest.raises(ValueError, match="`activation` must be one of 'linear', 'relu', 'tanh'"):
        rd.networks.routing(task, 6, activation="sigmoid")
