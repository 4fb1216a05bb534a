"""The gated flow: its field, what it conserves, what stages and decay do."""

import equinox as eqx
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

import racedyn as rd
from gated_examples import correlated_task, random_problem, routing
from racedyn.networks import forward


def field_of(flow):
    """Edge -> dW/dt at the flow's start."""
    field = jax.jit(lambda y: flow.vector_field(jnp.asarray(0.0), y, None))
    return flow.matrices(field(flow.y0()))


def mean_loss(network, task, weights):
    h = forward(
        network,
        weights,
        {x: jnp.asarray(X) for x, X in task.inputs.items()},
        jnp.asarray(task.context),
    )
    return (
        0.5
        * sum(jnp.sum((jnp.asarray(Y) - h[y]) ** 2) for y, Y in task.targets.items())
        / task.num_examples
    )


def sum_over_paths(network, task, weights):
    """dW_e/dt as theory has it, path by path and example by example: sum_p W_after^T E(p)
    W_before^T.
    """

    def gate(path, context):
        nodes = [network.edges[path[0]][0], *(network.edges[edge][1] for edge in path)]
        factors = [
            network.node_gates[node][context] for node in nodes if node in network.node_gates
        ]
        return np.prod(
            factors
            + [network.edge_gates[edge][context] for edge in path if edge in network.edge_gates]
        )

    def product(edges, size):
        result = np.eye(size)
        for edge in edges:
            result = np.asarray(weights[edge]) @ result
        return result

    paths = network.paths()
    width = {node: kind.width for node, kind in network.nodes.items()}
    field = {edge: np.zeros(network.shape(edge)) for edge in network.edges}
    for p in paths:
        source, target = network.ends(p)
        E = np.zeros((width[target], width[source]))
        for n, context in enumerate(task.context):
            y = task.targets[target][:, n].copy()
            for j in paths:
                if network.ends(j)[1] == target:
                    x = task.inputs[network.ends(j)[0]][:, n]
                    # g_p y and g_p g_j x: an output gated off has its error counted as its target
                    # alone.
                    y -= gate(j, context) * product(j, len(x)) @ x
            E += gate(p, context) * np.outer(y, task.inputs[source][:, n]) / task.num_examples
        for place, edge in enumerate(p):
            before = product(p[:place], width[source])
            after = product(p[place + 1 :], network.shape(edge)[0])
            field[edge] += after.T @ E @ before.T
    return field


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The output:UserWarning", "ignore:Gates cut:UserWarning")
@settings(max_examples=3)
@given(st.sampled_from(range(40)))
def test_field_is_the_sum_over_paths_and_minus_the_gradient(seed):
    network, task, weights = random_problem(seed)
    flow = rd.reduce(network, task, weights, level="full", paths=())
    field, paths = field_of(flow), sum_over_paths(network, task, weights)
    gradient = jax.jit(jax.grad(lambda w: mean_loss(network, task, w)))(weights)
    for edge in network.edges:
        np.testing.assert_allclose(field[edge], paths[edge], atol=1e-10)
        np.testing.assert_allclose(field[edge], -gradient[edge], atol=1e-10)
    loss = eqx.filter_jit(flow.observe)(jnp.asarray(0.0), flow.y0())["loss"]
    assert float(loss) == pytest.approx(float(mean_loss(network, task, weights)), rel=1e-12)


@pytest.mark.filterwarnings("ignore:The output:UserWarning", "ignore:Gates cut:UserWarning")
@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1])
def test_levels_conserve_the_balance_of_every_inner_node(seed):
    network, task, weights = random_problem(seed)
    ts = jnp.linspace(0, 30, 31)
    for level in ("full", "matrix"):
        run = rd.simulate(rd.reduce(network, task, weights, level=level, paths=()), ts, rtol=1e-10)
        assert float(run.stats["drift"]) < 1e-8, level
        assert float(run.observables["loss"][-1]) < float(run.observables["loss"][0])
    # It is a statement about the state: another state has another balance.
    flow = rd.reduce(network, task, weights, level="full", paths=())
    assert float(flow.drift(jax.tree.map(lambda w: 1.1 * w, flow.y0()), flow.y0())) > 1e-2


@pytest.mark.slow
def test_settled_means_near_the_floor_and_never_on_a_plateau():
    task = rd.tasks.hierarchy(4)
    network = rd.networks.chain(task, depth=2, width=6)
    weights = network.init(rd.init.Aligned(1e-3), task=task, key=0)
    flow = rd.reduce(network, task, weights, level="modes")
    y = flow.y0()
    assert not np.any(flow.settled(jnp.asarray(0.0), y, 1e-6)), (
        "the start is a plateau, with a tiny field"
    )
    run = rd.simulate(flow, jnp.linspace(0, 3000, 11), rtol=1e-6)
    assert all(status == rd.Status.SETTLED for status in np.asarray(run.status))
    loss = np.asarray(run.observables["loss"])
    assert loss[-1] == pytest.approx(float(flow.known.floor), abs=1e-10 * loss[0])


def two_pathways(task, width=6):
    """A common pathway, and one that is open in the second half of the contexts."""
    edges = {
        "a1": ("input", "a"),
        "a2": ("a", "output"),
        "b1": ("input", "b"),
        "b2": ("b", "output"),
    }
    nodes = {"input": task.X.shape[0], "a": width, "b": width, "output": task.Y.shape[0]}
    return rd.Network(nodes, edges, node_gates={"b": [0.0, 1.0]}, num_contexts=2)


def in_two_contexts(task):
    context = np.arange(task.num_examples) % 2
    return rd.Task(dict(task.inputs), dict(task.targets), context)


STAGES = (("a1", "a2"), ("b1", "b2"))


def test_the_first_stage_learns_as_if_it_were_alone():
    task = in_two_contexts(correlated_task(3))
    network = two_pathways(task)
    weights = network.init(rd.init.Gaussian(0.3), key=0)
    options = {"lr": 0.05, "steps": 200, "save_every": 200}
    staged = rd.train(network, task, weights, stages=STAGES, **options)
    alone = rd.train(
        network, task, {**weights, "b1": 0 * weights["b1"], "b2": 0 * weights["b2"]}, **options
    )
    joint = rd.train(network, task, weights, **options)
    for edge in ("a1", "a2"):
        np.testing.assert_allclose(
            staged.end["weights"][edge], alone.end["weights"][edge], atol=1e-13
        )
        assert np.abs(staged.end["weights"][edge] - joint.end["weights"][edge]).max() > 1e-3
    # The second stage descends the loss of the whole, in which the first stands as it is.
    held = rd.train(
        network, task, {**alone.end["weights"], "b1": weights["b1"], "b2": weights["b2"]}, **options
    )
    assert float(staged.observables["loss"][-1]) != pytest.approx(
        float(held.observables["loss"][-1])
    )
    assert float(staged.observables["loss"][-1]) < float(alone.observables["loss"][-1])


def distances_to_the_flow(network, task, weights, lr, ts_end, **options):
    """Largest difference of the loss between descent and flow as lr halves, five step sizes."""
    ts = np.linspace(0, ts_end, 9)
    flow = rd.simulate(rd.reduce(network, task, weights, level="full", **options), ts, rtol=1e-11)
    found = []
    for halvings in range(5):
        step = lr / 2**halvings
        steps = round(ts_end / step)
        run = rd.train(
            network,
            task,
            weights,
            lr=step,
            steps=steps,
            save_every=steps // 8,
            progress=False,
            **options,
        )
        np.testing.assert_allclose(run.ts, ts, rtol=1e-12, atol=1e-12)
        found.append(float(np.abs(run.observables["loss"] - flow.observables["loss"]).max()))
    return np.asarray(found)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param({"stages": STAGES}, marks=pytest.mark.slow),
        pytest.param({}, marks=pytest.mark.long),
        pytest.param({"weight_decay": 0.05}, marks=pytest.mark.long),
    ],
    ids=["stages", "joint", "decay"],
)
def test_descent_tends_to_the_flow_at_first_order(rule):
    task = in_two_contexts(correlated_task(5))
    network = two_pathways(task)
    errors = distances_to_the_flow(
        network, task, network.init(rd.init.Gaussian(0.3), key=2), 0.1, 16.0, **rule
    )
    assert np.all(np.abs(errors[:-1] / errors[1:] - 2) < 0.15), errors


@pytest.mark.long
def test_weight_decay_keeps_the_levels_equal():
    network, task = routing(3, 2)
    weights = network.init(rd.init.Aligned(0.2), task=task, key=0)
    ts = jnp.linspace(0, 40, 21)
    modes, full = (
        rd.simulate(
            rd.reduce(network, task, weights, level=level, weight_decay=0.02), ts, rtol=1e-11
        )
        for level in ("modes", "full")
    )
    for name in ("loss", "strength"):
        np.testing.assert_allclose(full.observables[name], modes.observables[name], atol=1e-8)
    assert np.isnan(modes.stats["drift"]), "decay lets nothing stand"


@pytest.mark.long
def test_weight_decay_of_the_race_is_that_of_its_two_layer_network():
    """At depth 2 from aligned weights q/p is the full flow, decay included."""
    task = rd.tasks.hierarchy(4)
    network = rd.networks.parallel(task, (2, 2), 7)
    weights = network.init(rd.init.Aligned(0.1), task=task, key=1)
    ts = jnp.linspace(0, 30, 16)
    race, full = (
        rd.simulate(
            rd.reduce(network, task, weights, level=level, weight_decay=0.01), ts, rtol=1e-11
        )
        for level in ("pathway", "full")
    )
    np.testing.assert_allclose(
        full.observables["strength"], race.observables["strength"], atol=1e-8
    )


@pytest.mark.long
def test_derivatives_pass_through_the_flow():
    network, task = routing(2, 1)
    weights = network.init(rd.init.Aligned(0.3), task=task, key=0)
    flow = rd.reduce(network, task, weights, level="modes")

    def final(scale):
        scaled = eqx.tree_at(
            lambda f: f.weights, flow, jax.tree.map(lambda w: scale * w, flow.weights)
        )
        return rd.solve(scaled, jnp.linspace(0, 4, 3), rtol=1e-10).observables["loss"][-1]

    slope = jax.grad(final)(jnp.asarray(1.0))
    step = 1e-5
    finite = (final(jnp.asarray(1 + step)) - final(jnp.asarray(1 - step))) / (2 * step)
    assert float(slope) == pytest.approx(float(finite), rel=1e-6)
