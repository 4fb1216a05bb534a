"""The levels full, matrix and modes of one network are one flow where they are said to be exact,
over whole runs.
"""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import racedyn as rd
from gated_examples import correlated_task, routing
from racedyn.reduction.bases import closed_bases


def runs(network, task, weights, levels, t1, **options):
    ts = jnp.linspace(0, t1, 25)
    return {
        level: rd.simulate(
            rd.reduce(network, task, weights, level=level, **options), ts, rtol=1e-11
        )
        for level in levels
    }


def assert_equal_runs(found, learned=0.5):
    first, *others = found.values()
    loss = np.asarray(first.observables["loss"])
    assert loss[-1] < learned * loss[0], "the run must be one in which something is learned"
    for other in others:
        for name in ("loss", "strength"):
            np.testing.assert_allclose(other.observables[name], first.observables[name], atol=1e-8)


@pytest.mark.long
@pytest.mark.parametrize("depths", [(2, 2), (3, 1, 2)], ids=str)
def test_modes_are_full_for_aligned_pathways(depths):
    task = rd.tasks.hierarchy(4)
    network = rd.networks.parallel(task, depths, width=6)
    weights = network.init(rd.init.Aligned(0.2), task=task, key=0)
    assert_equal_runs(runs(network, task, weights, ("modes", "full"), 40))


@pytest.mark.long
def test_all_levels_of_routing_with_untrained_routes():
    network, task = routing(3, 2)
    weights = network.init(rd.init.Aligned(0.2), task=task, key=0)
    found = runs(network, task, weights, ("modes", "matrix", "full"), 40)
    assert_equal_runs(found)
    modes = found["modes"]
    assert float(modes.stats["drift"]) < 1e-8
    assert modes.observables["strength"].shape == (25, 9, 4), (
        "routes without examples have a strength too"
    )
    edges = modes.labels["edge"]
    np.testing.assert_allclose(
        np.sort(np.abs(modes.observables["edge_strength"]), axis=-1)[:, :, ::-1],
        found["matrix"].observables["edge_strength"],
        atol=1e-8,
        err_msg="one number per edge and mode is the matrix's singular value",
    )
    hidden, first = (
        np.asarray(modes.observables["edge_strength"])[-1, edges.index(e)]
        for e in ("hidden", "in0")
    )
    assert np.all(hidden > first), "the shared matrix learns faster"


@pytest.mark.long
def test_modes_are_full_with_real_gates():
    """Gates of any size, on nodes and edges: two pathways, open by 0.5 and -1 where the other is
    open by 1.
    """
    task = rd.tasks.hierarchy(4)
    doubled = rd.Task(
        {"input": np.tile(task.X, 2)},
        {"output": np.tile(task.Y, 2)},
        np.repeat([0, 1], 4),
        bases={("input", "output"): (task.modes.U, task.modes.V)},
    )
    network = rd.Network(
        {"input": 4, "a": 5, "b": 5, "output": task.Y.shape[0]},
        {"a1": ("input", "a"), "a2": ("a", "output"), "b1": ("input", "b"), "b2": ("b", "output")},
        node_gates={"a": [1.0, 0.5]},
        edge_gates={"b2": [-1.0, 1.0]},
        num_contexts=2,
    )
    weights = network.init(rd.init.Aligned(0.2), task=doubled, key=0)
    found = runs(network, doubled, weights, ("modes", "full"), 60)
    assert_equal_runs(found)
    assert float(found["modes"].stats["drift"]) < 1e-8


def refused_modes(network, task, weights):
    with pytest.raises(
        ValueError,
        match=r"Level 'modes' is not exact here \(.*: 0\.\d+ of the norm.*level='matrix' is",
    ) as e:
        rd.reduce(network, task, weights, level="modes")
    return str(e.value)


@pytest.mark.long
def test_matrix_is_full_for_any_two_layer_weights():
    task = rd.tasks.hierarchy(4)
    network = rd.networks.parallel(task, (2, 2), width=30)
    weights = network.init(rd.init.Gaussian(0.05), key=0)
    flow = rd.reduce(network, task, weights, level="matrix")
    assert flow.validity.exact and flow.validity["dimensions"]["h1_1"] == "11 of 30", (
        "4 inputs and 7 outputs"
    )
    assert_equal_runs(runs(network, task, weights, ("matrix", "full"), 40))
    assert "weights" in refused_modes(network, task, weights)


@pytest.mark.slow
def test_matrix_is_full_for_correlated_inputs():
    task = correlated_task(0)
    network = rd.networks.parallel(task, (2, 1), width=20)
    weights = network.init(rd.init.Aligned(0.1), task=task, key=0)
    assert_equal_runs(runs(network, task, weights, ("matrix", "full"), 60), learned=0.95)
    assert "Sigma_x" in refused_modes(network, task, weights)


@pytest.mark.long
def test_matrix_leaves_a_pathway_of_zero_weights_as_it_is():
    task = rd.tasks.hierarchy(4)
    network = rd.networks.parallel(task, (2, 2), width=8)
    weights = dict(network.init(rd.init.Gaussian(0.05), key=0))
    weights |= {edge: 0 * weights[edge] for edge in ("w2_1", "w2_2")}
    flow = rd.reduce(network, task, weights, level="matrix")
    run = rd.simulate(flow, jnp.linspace(0, 40, 5))
    assert (np.asarray(run.observables["strength"])[:, 1] == 0).all()
    alone = rd.networks.chain(task, 2, 8)
    only = rd.reduce(alone, task, {"w1": weights["w1_1"], "w2": weights["w1_2"]}, level="matrix")
    np.testing.assert_allclose(
        run.observables["strength"][:, 0],
        rd.simulate(only, run.ts).observables["strength"][:, 0],
        atol=1e-6,
    )


@pytest.mark.long
def test_matrix_is_full_for_pathways_with_different_output_bases():
    """Two pathways, each open in a context of its own, whose targets have different singular
    vectors.
    """
    rng = np.random.default_rng(0)
    X, Y = np.tile(np.eye(4), 2), rng.standard_normal((5, 8))
    task = rd.Task({"input": X}, {"output": Y}, np.repeat([0, 1], 4))
    network = rd.Network(
        {"input": 4, "a": 16, "b": 16, "output": 5},
        {"a1": ("input", "a"), "a2": ("a", "output"), "b1": ("input", "b"), "b2": ("b", "output")},
        node_gates={"a": [1, 0], "b": [0, 1]},
        num_contexts=2,
    )
    weights = network.init(rd.init.Aligned(0.1), task=task, key=0)
    assert_equal_runs(runs(network, task, weights, ("matrix", "full"), 60))
    assert "Sigma_yx" in refused_modes(network, task, weights)


@pytest.mark.long
@pytest.mark.parametrize(
    ("law", "width", "dimension"),
    [
        (rd.init.Balanced(0.5), 12, 4),
        (rd.init.Orthogonal(0.6), 12, 11),
    ],
    ids=["balanced", "orthogonal"],
)
def test_matrix_is_full_for_deep_chains(law, width, dimension):
    """Balanced weights stay in as many dimensions as they have rank; square orthogonal ones in
    inputs plus outputs.
    """
    task = rd.tasks.hierarchy(4)
    network = rd.networks.chain(task, depth=4, width=width)
    weights = network.init(law, key=0)
    flow = rd.reduce(network, task, weights, level="matrix")
    assert flow.validity["dimensions"]["h2"] == f"{dimension} of {width}"
    assert_equal_runs(runs(network, task, weights, ("matrix", "full"), 40))


@pytest.mark.long
def test_forced_levels_say_so_and_are_off():
    task = rd.tasks.hierarchy(4)
    network = rd.networks.chain(task, depth=3, width=40)
    weights = network.init(rd.init.Gaussian(0.05), key=0)
    with pytest.raises(
        ValueError,
        match=r"Level 'matrix' is not exact.*leave 0\.\d+ of some image.*level='full' is",
    ):
        rd.reduce(network, task, weights, level="matrix")
    forced = rd.reduce(network, task, weights, level="matrix", inexact=True)
    assert not forced.validity.exact and "leave 0." in forced.validity["reason"]
    assert "not exact" in str(forced.validity)
    ts = jnp.linspace(0, 120, 13)
    full = rd.simulate(rd.reduce(network, task, weights, level="full"), ts, rtol=1e-9)
    off = np.abs(
        rd.simulate(forced, ts, rtol=1e-9).observables["loss"] - full.observables["loss"]
    ).max()
    assert 1e-6 < off < 0.2 * float(full.observables["loss"][0]), (
        "an approximation, and a usable one"
    )


@pytest.mark.parametrize(
    ("case", "momentum"),
    [
        ("two layers", 0.9),
        ("balanced", 0.0),
        pytest.param("gated", 0.0, marks=pytest.mark.slow),
    ],
)
def test_descent_in_the_projected_network_is_descent_in_the_wide_one(case, momentum):
    """Step by step, at a step size far from the flow."""
    if case == "gated":
        network, task = routing(3, 2, width=16)
        weights = network.init(rd.init.Balanced(0.5), key=0)
    else:
        task = correlated_task(1)
        network = rd.networks.parallel(task, (2, 1) if case == "two layers" else (3, 2), width=25)
        law = rd.init.Gaussian(0.2) if case == "two layers" else rd.init.Balanced(0.5)
        weights = network.init(law, key=0)
    bases = closed_bases(network, {e: np.asarray(w) for e, w in weights.items()}, 1e-12).bases
    small, small_task, small_weights = rd.project(network, task, weights, bases=bases)
    assert sum(w.size for w in small_weights.values()) < 0.6 * sum(w.size for w in weights.values())
    options = {"lr": 0.05, "steps": 300, "save_every": 1, "loss": "mean"}
    if momentum:
        options["optimiser"] = optax.sgd(0.02, momentum=momentum)
    wide = rd.train(network, task, weights, **options)
    narrow = rd.train(small, small_task, small_weights, **options)
    for name in ("loss", "strength"):
        np.testing.assert_allclose(narrow.observables[name], wide.observables[name], atol=1e-9)
    assert float(wide.observables["loss"][-1]) < 0.8 * float(wide.observables["loss"][0])
