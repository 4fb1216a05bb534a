"""Contextual tasks of one structure in closed form: modes, overlaps, strengths, loss, and starts
from random weights.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd

COMMON = [("item_common", "common_output"), ("context_common", "common_output")]


def problem(contexts, active=None, items=4, width=30, structures="tree"):
    task = rd.tasks.contextual(items, contexts, structures)
    return rd.networks.contextual(task, active, width), task


def stages(network):
    return [
        [edge for edge in network.edges if ("common" in edge) == first] for first in (True, False)
    ]


@pytest.mark.parametrize(
    ("contexts", "active"), [(2, 1), (3, 1), (3, 2), (4, 2), (5, 1), (5, 3), (5, 4)]
)
def test_singular_values_variances_and_overlaps(contexts, active):
    """By hand, with t the tree's: s = t sqrt(k (C - k) / C) / (n C); u_p . u_j from the contexts m
    that both are open in, (m - k^2 / C) / (k - k^2 / C); d = sum over j of that times m / (n C)."""
    network, task = problem(contexts, active)
    found = rd.exact.contextual_modes(network, task)
    C, k, n = contexts, active, task.structure.items
    tree = np.linalg.svd(rd.tasks.hierarchy(n).Y, compute_uv=False)[
        1:
    ]  # without the mean over items
    np.testing.assert_allclose(
        found.residual_s, tree * np.sqrt(k * (C - k) / C) / (n * C), rtol=1e-12
    )
    opened = np.array([network.node_gates[network.edges[path[0]][1]] for path in found.paths])
    both = opened @ opened.T
    for a in range(n - 1):
        np.testing.assert_allclose(
            found.overlaps[:, :, a], (both - k * k / C) / (k - k * k / C), atol=1e-12
        )
    np.testing.assert_allclose(
        found.residual_d, np.sum(found.overlaps[0, :, 0] * both[0]) / (C * n), rtol=1e-12
    )


@pytest.mark.slow
def test_any_structure_whose_mean_is_a_mode():
    """The end of the closed form is the targets: all blocks in all contexts."""
    network, task = problem(3, items=8, structures="ring")
    end = rd.exact.contextual(network, task, (1e-6, 1e-6), [0.0, 1e4, 1e9, np.inf])
    assert float(end.observables["loss"][0]) == pytest.approx(
        0.5 * np.sum(task.Y**2) / task.num_examples, rel=1e-4
    )
    np.testing.assert_allclose(end.observables["loss"][1:], 0, atol=1e-12)
    found = rd.exact.contextual_modes(network, task)
    np.testing.assert_allclose(
        end.observables["common_strength"][-1], found.s / found.d, rtol=1e-14
    )
    np.testing.assert_allclose(
        end.observables["context_strength"][-1], found.residual_s / found.residual_d, rtol=1e-14
    )


def answers(network, task, found, solution, row):
    """The prediction (n_out, P), path by path, from strengths and bases."""
    X = np.concatenate([task.inputs["item"], task.inputs["context"]])
    total = (found.U * np.asarray(solution.observables["common_strength"][row])) @ found.V.T @ X
    for p, path in enumerate(found.paths):
        gate = network.node_gates[network.edges[path[0]][1]][task.context]
        strengths = np.asarray(solution.observables["context_strength"][row])
        total += gate * (
            (found.residual_U[p] * strengths) @ found.residual_V.T @ task.inputs["item"]
        )
    return total


@pytest.mark.parametrize(("contexts", "active"), [(4, 2), (5, 1)])
def test_the_loss_is_that_of_the_strengths(contexts, active):
    network, task = problem(contexts, active)
    found = rd.exact.contextual_modes(network, task)
    solution = rd.exact.contextual(network, task, (1e-3, 1e-4), [0, 10, 25, 50, 100, 300])
    for row, loss in enumerate(solution.observables["loss"]):
        miss = task.Y - answers(network, task, found, solution, row)
        assert float(loss) == pytest.approx(0.5 * np.sum(miss**2) / task.num_examples, abs=1e-12)


@pytest.mark.parametrize(
    ("contexts", "active", "ratio"),
    [
        pytest.param(4, 2, 1.0, marks=pytest.mark.long),
        pytest.param(5, 4, 1.0, marks=pytest.mark.long),
        pytest.param(4, 2, 3.0, marks=pytest.mark.long),
    ],
)
def test_strengths_are_those_of_the_full_flow_from_aligned_weights(contexts, active, ratio):
    """The common pathway alone, and the context pathways on what it leaves, aligned: exact. From
    layers of unequal scale each is a chain of two."""
    network, task = problem(contexts, active, width=8)
    found = rd.exact.contextual_modes(network, task)
    rng = np.random.default_rng(0)

    def aligned(U, V, a0):
        frame = np.linalg.qr(rng.standard_normal((8, V.shape[1])))[0]
        return ratio * a0**0.5 * frame @ V.T, a0**0.5 / ratio * U @ frame.T

    a0, b0, ts = 1e-3, 1e-4, np.linspace(0, 150, 40)
    first, last = aligned(found.U, found.V, a0)
    items = task.structure.items
    weights = {
        "item_common": first[:, :items],
        "context_common": first[:, items:],
        "common_output": last,
    }
    left = task.Y - (found.U * found.s / found.d) @ found.V.T @ np.concatenate(
        list(task.inputs.values())
    )
    edges = {edge: ends for edge, ends in network.edges.items() if "common" not in edge}
    nodes = {
        node: spec for node, spec in network.nodes.items() if node not in ("context", "common")
    }
    rest = rd.Network(nodes, edges, node_gates=network.node_gates, num_contexts=contexts)
    rest_task = rd.Task(
        {"item": task.inputs["item"]}, {"output": left}, task.context, num_contexts=contexts
    )
    begun = {}
    for p, (into, out) in enumerate(found.paths):
        begun[into], begun[out] = aligned(found.residual_U[p], found.residual_V, b0)
    common_net = rd.Network(
        {"item": task.structure.items, "context": contexts, "common": 8, "output": len(task.Y)},
        {edge: ends for edge, ends in network.edges.items() if "common" in edge},
    )
    runs = [
        rd.simulate(rd.reduce(n, t, w, level="full", paths=[]), ts, rtol=1e-10)
        for n, t, w in ((common_net, task, weights), (rest, rest_task, begun))
    ]

    def loss(ratio):
        scales = np.array([ratio, 1 / ratio])
        a = rd.exact.chain(found.s, scales * a0**0.5, ts, variances=found.d)["strength"][:, 0]
        b = rd.exact.chain(found.residual_s, scales * b0**0.5, ts, variances=found.residual_d)[
            "strength"
        ][:, 0]
        learned = np.sum(found.s * a - found.d * a**2 / 2, axis=1)
        learned += len(found.paths) * np.sum(
            found.residual_s * b - found.residual_d * b**2 / 2, axis=1
        )
        return 0.5 * np.sum(task.Y**2) / task.num_examples - learned

    expected, floor = loss(ratio), 0.5 * np.sum(left**2) / task.num_examples
    np.testing.assert_allclose(
        expected, runs[0].observables["loss"] + runs[1].observables["loss"] - floor, atol=1e-8
    )
    np.testing.assert_allclose(
        rd.exact.contextual(network, task, (a0, b0), ts)["loss"], loss(1.0), atol=1e-11
    )
    assert float(expected[-1]) < 0.2 * float(expected[0])


@pytest.mark.long
@pytest.mark.parametrize("contexts", [3, 5])
def test_starts_from_random_weights(contexts):
    """The smaller the weights, the closer to training in stages, though nothing is fitted."""
    network, task = problem(contexts)
    apart = []
    for std in (1e-2, 1e-3, 1e-5):
        weights = network.init(rd.init.Gaussian(std), key=0)
        modes = rd.exact.contextual_modes(network, task)
        _, context = rd.exact.contextual_start(modes, weights)
        end = 1.5 * float(
            rd.exact.two_layer_time(modes.residual_s.min(), modes.residual_d[0], context.min())
        )
        flow = rd.reduce(network, task, weights, level="matrix", stages=stages(network), paths=[])
        run = rd.simulate(flow, np.linspace(0, end, 300))
        loss = np.asarray(run.observables["loss"])
        closed = rd.exact.contextual(network, task, weights, run.ts).observables["loss"]
        apart.append(np.linalg.norm(closed - loss) / np.linalg.norm(loss))
    print(
        f"\nC = {contexts}: closed form from weights of 1e-2, 1e-3, 1e-5, relative L2 of the loss: "
        f"{apart}"
    )
    assert apart[0] > apart[1] > apart[2] and apart[2] <= 0.05


def test_bad_input():
    network, task = problem(3)
    with pytest.raises(ValueError, match=r"modes that the inputs share.*reduce\(level=.matrix.\)"):
        rd.exact.contextual_modes(*problem(3, structures="order"))
    with pytest.raises(ValueError, match="off the diagonal"):
        rd.exact.contextual_modes(*problem(3, items=8, structures=["tree", "tree", "tree", "ring"]))
    with pytest.raises(
        ValueError, match=r"context pathways of one kind, but they are open in \[1, 2\] contexts"
    ):
        rd.exact.contextual_modes(*problem(3, (1, 2)))
    with pytest.raises(ValueError, match=r"be one of networks\.contextual"):
        rd.exact.contextual_modes(rd.networks.chain(task, 2, 5), task)
    with pytest.raises(TypeError, match=r"be one of tasks\.contextual"):
        rd.exact.contextual_modes(network, rd.tasks.hierarchy(4))
    with pytest.raises(ValueError, match="`start` must be a positive number"):
        rd.exact.contextual(network, task, (1e-3, 0.0), [0.0, 1.0])
    with pytest.raises(
        ValueError, match="of at least 0, where the start is, but its smallest is -1"
    ):
        rd.exact.contextual(network, task, (1e-3, 1e-3), [-1.0, 1.0])
    for start in (1e-3, (1e-3, 1e-3, 1e-3)):
        with pytest.raises(ValueError, match=r"be weights, or \(common, context\)"):
            rd.exact.contextual(network, task, start, [0.0, 1.0])
    with pytest.raises(ValueError, match="one for each of 6 common and 3 residual modes"):
        rd.exact.contextual(network, task, (np.ones(2), 1e-3), [0.0, 1.0])
    with pytest.raises(ValueError, match="its smallest is nan"):
        rd.exact.contextual(network, task, (1e-3, 1e-3), [0.0, np.nan])
    for std in (1.0, 1e-200):
        with pytest.raises(ValueError, match="be small random weights: the head start"):
            rd.exact.contextual(
                network, task, network.init(rd.init.Gaussian(std), key=0), [0.0, 1.0]
            )
    with pytest.raises(ValueError, match="item_common"):
        rd.exact.contextual(network, task, {"w": jnp.ones((2, 2))}, [0.0, 1.0])


@pytest.mark.slow
def test_the_same_task_in_another_order_of_contexts():
    """Nothing depends on which context comes first."""
    network, task = problem(4)
    order = np.argsort((task.context + 1) % 4, kind="stable")
    turned = dataclasses.replace(
        task,
        inputs={node: X[:, order] for node, X in task.inputs.items()},
        targets={"output": task.Y[:, order]},
        context=task.context[order],
        item_names=None,
    )
    one, other = (
        rd.exact.contextual(network, t, (1e-5, 1e-4), [10.0, 40.0]).observables["loss"]
        for t in (task, turned)
    )
    np.testing.assert_allclose(one, other, rtol=1e-12)
