"""Gates of single units, and nodes of units with equal gates: one network in two forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd


def problem(kind="linear"):
    """Two layers of units with gates of their own, an edge gate, a skip, and units that are never
    on.
    """
    rng = np.random.default_rng(0)
    task = rd.Task(
        {"x": rng.standard_normal((3, 8))},
        {"y": rng.standard_normal((2, 8))},
        context=np.arange(8) % 4,
    )
    first = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 1], [1, 1, 1]])  # context, pattern
    second = np.array([[1, 0.5], [0, 1], [1, 1], [1, -1]])
    network = rd.Network(
        {"x": 3, "h": (7, kind), "k": (5, kind), "y": 2},
        {"a": ("x", "h"), "b": ("h", "k"), "c": ("k", "y"), "skip": ("x", "y")},
        node_gates={
            "h": np.concatenate([first[:, [0, 1, 1, 2, 0, 0]], np.zeros((4, 1))], axis=1),
            "k": second[:, [0, 1, 1, 0, 1]],
        },
        edge_gates={"b": [1, 1, 0, 1]},
        num_contexts=4,
    )
    return network, task, network.init(rd.init.Gaussian(0.4), key=3)


@pytest.mark.long
def test_both_forms_answer_and_learn_alike():
    network, task, weights = problem("tanh")
    split, parts = rd.networks.split_units(network, weights)
    assert [split.nodes[node].width for node in ("h_1", "h_2", "h_3", "k_1", "k_2")] == [
        3,
        2,
        1,
        3,
        2,
    ]
    assert set(split.edges) == {
        "skip",
        *(f"a_{n}" for n in (1, 2, 3)),
        "c_1",
        "c_2",
        *(f"b_{n}_{m}" for n in (1, 2, 3) for m in (1, 2)),
    }
    assert split.unit_gated == () and network.unit_gated == ("h", "k")
    inputs, context = {"x": jnp.asarray(task.X)}, jnp.asarray(task.context)
    whole = jax.jit(lambda w: rd.networks.forward(network, w, inputs, context))(weights)
    by_hand = np.tanh(np.asarray(weights["a"] @ task.X))
    np.testing.assert_allclose(
        whole["h"], by_hand * network.node_gates["h"][task.context].T, atol=1e-12
    )
    apart = jax.jit(lambda w: rd.networks.forward(split, w, inputs, context))(parts)
    np.testing.assert_allclose(apart["y"], whole["y"], atol=1e-12)
    runs = [
        rd.train(n, task, w, lr=0.1, steps=30, progress=False)
        for n, w in ((network, weights), (split, parts))
    ]
    np.testing.assert_allclose(*(run.observables["loss"] for run in runs), rtol=1e-12)
    assert runs[0].observables["loss"][-1] < runs[0].observables["loss"][0]


@pytest.mark.long
def test_split_units_reduce():
    network, task, weights = problem()
    split, parts = rd.networks.split_units(network, weights)
    flow = rd.reduce(split, task, parts, level="full", paths=[])
    run = rd.train(network, task, weights, lr=1e-4, steps=1, progress=False)
    loss = rd.simulate(flow, np.array(run.ts)).observables["loss"]
    np.testing.assert_allclose(np.diff(loss), np.diff(run.observables["loss"]), rtol=1e-3)


def test_bad_input():
    network, task, weights = problem()
    for reduced in (
        lambda: rd.reduce(network, task, weights, level="full"),
        lambda: rd.statistics(network, task),
        lambda: rd.project(
            network, task, weights, bases={n: np.eye(w) for n, (w, _) in network.nodes.items()}
        ),
        lambda: network.init(rd.init.Aligned(0.1, bases="paths"), task=task, key=0),
    ):
        with pytest.raises(
            ValueError,
            match=r"one gate for all units of a node here, but those of 'h'.*split_units|'paths'",
        ):
            reduced()
    with pytest.raises(ValueError, match=r"node_gates\['h'\].*have one factor per context, 2"):
        rd.Network(
            {"x": 2, "h": 3, "y": 1},
            {"a": ("x", "h"), "b": ("h", "y")},
            node_gates={"h": np.ones((2, 2))},
            num_contexts=2,
        )
    with pytest.raises(ValueError, match=r"edge_gates\['a'\]"):
        rd.Network(
            {"x": 2, "y": 3}, {"a": ("x", "y")}, edge_gates={"a": np.ones((2, 3))}, num_contexts=2
        )
    dark = rd.Network(
        {"x": 2, "h": 3, "y": 1},
        {"a": ("x", "h"), "b": ("h", "y")},
        node_gates={"h": np.zeros((2, 3))},
        num_contexts=2,
    )
    with pytest.raises(ValueError, match="all of 'h' are off in all of them"):
        rd.networks.split_units(dark, dark.init(rd.init.Gaussian(1.0), key=0))
