"""Contextual tasks and their networks; gates of ReLU networks and the gated twins that take them
over.
"""

import dataclasses
from math import comb

import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn import gates


@pytest.mark.parametrize("contexts", [2, 3, 5])
def test_the_task(contexts):
    task = rd.tasks.contextual(8, contexts)
    tree = rd.tasks.hierarchy(8).Y
    assert task.num_examples == 8 * contexts == len(task.item_names) and len(
        task.feature_names
    ) == 15 * (contexts + 1)
    for example, (c, i) in enumerate(np.ndindex(contexts, 8)):
        assert task.context[example] == c
        np.testing.assert_array_equal(task.inputs["item"][:, example], np.eye(8)[i])
        np.testing.assert_array_equal(task.inputs["context"][:, example], np.eye(contexts)[c])
        np.testing.assert_array_equal(task.Y[task.structure.blocks[0], example], tree[:, i])
        for k in range(contexts):
            np.testing.assert_array_equal(
                task.Y[task.structure.blocks[k + 1], example], tree[:, i] * (k == c)
            )


def test_blocks_of_different_structures():
    task = rd.tasks.contextual(8, 3, ["tree", "ring", "order", "cross_cutting"])
    made = [
        rd.tasks.hierarchy(8),
        rd.tasks.ring(8),
        rd.tasks.order(8),
        rd.tasks.cross_cutting(4, 2),
    ]
    for block, each in zip(task.structure.blocks, made, strict=True):
        assert block.stop - block.start == len(each.Y)
    np.testing.assert_array_equal(task.Y[task.structure.blocks[3], 16:], made[3].Y)
    assert not task.Y[task.structure.blocks[3], :16].any()


@pytest.mark.parametrize(("contexts", "active"), [(3, None), (3, 1), (4, (1, 3)), (5, 4)])
def test_pathways_of_the_network(contexts, active):
    task = rd.tasks.contextual(4, contexts)
    network = rd.networks.contextual(task, active, 6)
    sizes = [contexts - 1] if active is None else np.atleast_1d(active)
    hidden = [node for node in network.nodes if node.startswith("h_")]
    assert len(hidden) == sum(comb(contexts, int(k)) for k in sizes)
    for node in hidden:
        opened = {int(c) - 1 for c in node.split("_")[1:]}
        np.testing.assert_array_equal(
            network.node_gates[node], [float(c in opened) for c in range(contexts)]
        )
    assert "common" not in network.node_gates and set(network.edges_into("common")) == {
        "item_common",
        "context_common",
    }


@pytest.mark.parametrize("contexts", [3, 4, 5])
def test_overlaps_of_what_the_common_pathway_leaves(contexts):
    """U_p^T U_j = -I / (C - 1) for pathways open in all contexts but one: measured, not set
    ([Jarvis25] App. F, G).
    """
    task = rd.tasks.contextual(4, contexts)
    network = rd.networks.contextual(task, width=6)
    X = np.concatenate([task.inputs["item"], task.inputs["context"]])
    best = task.Y @ np.linalg.pinv(X)
    given = {
        ("item_common", "common_output"): best[:, :4],
        ("context_common", "common_output"): best[:, 4:],
    }
    measured = rd.statistics(network, task, given=given)
    paths = [path for path in network.paths() if path[0].startswith("item_") and path not in given]
    U, s, V = measured.path_bases(paths)
    for p in paths:
        for j in paths:
            expected = np.eye(V.shape[1]) * (1 if p == j else -1 / (contexts - 1))
            np.testing.assert_allclose(U[p].T @ U[j], expected, atol=1e-12)
    np.testing.assert_allclose(s, np.broadcast_to(s[0], s.shape), atol=1e-12)


def relu(contexts=3, width=60, key=0, std=0.1):
    task = rd.tasks.contextual(4, contexts)
    network = rd.networks.chain(task, 2, width, activation="relu")
    return task, network, network.init(rd.init.Gaussian(std), key=key)


def trained(steps=300, save_every=50, **options):
    task, network, weights = relu()
    run = rd.train(
        network,
        task,
        weights,
        lr=0.01,
        steps=steps,
        loss="half_sum",
        save_every=save_every,
        observe=["strength", "activity:h1", "weights"],
        progress=False,
        **options,
    )
    return task, network, run


@pytest.mark.slow
def test_a_chain_of_several_inputs_is_one_of_the_joined_input():
    task, network, weights = relu()
    joined = rd.tasks.from_arrays(np.concatenate(list(task.inputs.values())), task.Y)
    one = rd.networks.chain(joined, 2, 60, activation="relu")
    both = {
        "w1": jnp.concatenate([weights["w1_item"], weights["w1_context"]], axis=1),
        "w2": weights["w2"],
    }
    runs = [
        rd.train(n, t, w, lr=0.01, steps=50, progress=False)
        for n, t, w in ((network, task, weights), (one, joined, both))
    ]
    np.testing.assert_allclose(*(run.observables["loss"] for run in runs), rtol=1e-12)


def answers(network, task, weights):
    inputs = {node: jnp.asarray(X) for node, X in task.inputs.items()}
    return rd.networks.forward(network, weights, inputs, jnp.asarray(task.context))["output"]


@pytest.mark.slow
def test_a_twin_answers_and_learns_as_the_relu_network_while_its_gates_stay():
    task, network, run = trained()
    twin = gates.twin(network, task, run, at=150)
    then = {edge: values[3] for edge, values in run.ys.items()}
    np.testing.assert_allclose(answers(*twin.problem), answers(network, task, then), atol=1e-12)
    assert twin.disagreement == 0 and twin.task.num_contexts == task.num_examples
    # A step so short that no gate can change: the same descent, to rounding.
    short = {"lr": 1e-7, "steps": 20, "loss": "half_sum", "progress": False}
    relu_on, twin_on = (
        rd.train(n, t, w, **short) for n, t, w in ((network, task, then), twin.problem)
    )
    np.testing.assert_allclose(twin_on.observables["loss"], relu_on.observables["loss"], rtol=1e-12)
    assert relu_on.observables["loss"][-1] < relu_on.observables["loss"][0]


@pytest.mark.slow
def test_a_twin_by_context_says_how_many_gates_it_gets_wrong():
    task, network, run = trained()
    by_context = gates.twin(network, task, run, by="context")
    found = gates.patterns(run, task)
    some = found.on[-1].any(axis=1)  # neurons that are on in most examples of some context
    assert by_context.disagreement == pytest.approx(
        1 - found.consistency[-1][some].mean(), abs=1e-12
    )
    assert by_context.task.num_contexts == 3 and by_context.dead == 60 - some.sum() > 0
    firsts = [w for edge, w in by_context.weights.items() if edge.startswith("w1_item")]
    assert sum(len(w) for w in firsts) == some.sum()
    for pattern, count in found.counts().items():
        widths = [
            by_context.network.nodes[node].width
            for node, table in by_context.network.node_gates.items()
            if np.array_equal(table, pattern)
        ]
        assert widths == ([count] if any(pattern) else [])


def test_a_twin_with_the_gates_of_another_step():
    task, network, run = trained()
    later = gates.twin(network, task, run, at=0, gates_at=300)
    active = np.asarray(run.observables["activity:h1"])[[0, -1]] > 0
    np.testing.assert_array_equal(
        later.network.node_gates["h1"].T, active[1][active[1].any(axis=1)]
    )
    on = active[1].any(axis=1)
    assert (
        later.disagreement == pytest.approx(np.mean(active[0][on] != active[1][on]), abs=1e-12)
        and later.disagreement > 0
    )
    np.testing.assert_array_equal(later.weights["w2"], run.ys["w2"][0][:, on])


@pytest.mark.slow
@pytest.mark.parametrize("middle", ["relu", "linear"])
def test_twins_of_several_hidden_layers(middle):
    """They answer and learn alike while gates stay, and by context their pathways cross layers."""
    task = rd.tasks.contextual(4, 3)
    nodes = {"item": 4, "context": 3, "h1": 30, "h2": 20, "h3": 25, "output": len(task.Y)}
    kinds = {"h1": "relu", "h2": middle, "h3": "relu"}
    edges = {"a": ("item", "h1"), "b": ("context", "h1")} | {
        f"w{l}": (f"h{l - 1}", f"h{l}" if l < 4 else "output") for l in (2, 3, 4)
    }
    network = rd.Network(
        {node: rd.networks.Node(width, kinds.get(node, "linear")) for node, width in nodes.items()},
        edges,
    )
    weights = network.init(rd.init.Gaussian(0.3), key=0)
    twin = gates.twin(network, task, weights)
    np.testing.assert_allclose(answers(*twin.problem), answers(network, task, weights), atol=1e-12)
    assert set(twin.network.node_gates) == {node for node in kinds if kinds[node] == "relu"}
    short = {"lr": 1e-6, "steps": 20, "loss": "half_sum", "progress": False}
    one, other = (
        rd.train(*each, **short) for each in ((network, task, weights), tuple(twin.problem))
    )
    np.testing.assert_allclose(other["loss"], one["loss"], rtol=1e-12)
    by_context = gates.twin(network, task, weights, by="context")
    assert 0 < by_context.disagreement < 0.5 and not by_context.network.unit_gated
    dead = by_context.dead + sum(
        width for node, (width, _) in by_context.network.nodes.items() if node.startswith("h")
    )
    assert dead == 75


def test_patterns():
    task, _, run = trained(steps=4, save_every=1)
    found = gates.patterns(run, task)
    active = np.asarray(run.observables["activity:h1"]) > 0
    assert found.share.shape == found.on.shape == (
        5,
        60,
        3,
    ) and found.consistency.shape == found.alive.shape == (5, 60)
    row, unit = 2, 7
    for c in range(3):
        assert found.share[row, unit, c] == pytest.approx(
            active[row, unit, 4 * c : 4 * c + 4].mean()
        )
    agree = [active[row, unit, k] == found.on[row, unit, k // 4] for k in range(12)]
    assert found.consistency[row, unit] == pytest.approx(np.mean(agree))
    counts = found.counts(row)
    assert (
        sum(counts.values()) == found.alive[row].sum()
        and list(counts.values()) == sorted(counts.values())[::-1]
    )


def test_bad_input():
    with pytest.raises(ValueError, match="`contexts` must be from 2 to 8, but it is 9"):
        rd.tasks.contextual(4, 9)
    with pytest.raises(
        ValueError,
        match="one structure, or 4: the common one, then one per context, but it names 3",
    ):
        rd.tasks.contextual(4, 3, ["tree"] * 3)
    with pytest.raises(ValueError, match="`structures` must be one of"):
        rd.tasks.contextual(4, 3, "bush")
    task, network, run = trained(steps=4, save_every=2)
    with pytest.raises(ValueError, match="below the number of contexts, 3, but it holds 3"):
        rd.networks.contextual(task, 3)
    with pytest.raises(TypeError, match=r"one of tasks\.contextual"):
        rd.networks.contextual(rd.tasks.hierarchy(4))
    with pytest.raises(
        ValueError, match=r"be a step that was saved, but it is 3\. The nearest one is 2"
    ):
        gates.twin(network, task, run, at=3)
    with pytest.raises(ValueError, match="`gates_at` must be a step that was saved, but it is 3"):
        gates.twin(network, task, run, gates_at=3)
    for argument in ("at", "gates_at"):
        with pytest.raises(
            ValueError, match=f"`{argument}` must be left out where weights are given"
        ):
            gates.twin(network, task, run.end["weights"], **{argument: 3})
    with pytest.raises(ValueError, match="have hidden nodes of ReLU units, no other nonlinearity"):
        gates.twin(rd.networks.chain(task, 2, 5), task, run)
    off = {edge: -jnp.abs(w[-1]) for edge, w in run.ys.items()}
    with pytest.raises(
        ValueError, match="neurons that are on in some example, but all 60 of 'h1' are off"
    ):
        gates.twin(network, task, off)
    with pytest.raises(ValueError, match="have the activity of 'h2', but it has that of"):
        gates.patterns(run, task, "h2")
    with pytest.raises(
        ValueError, match="be the one of the run, but example 4 of the run is 'item 1, context 2'"
    ):
        gates.patterns(run, rd.tasks.contextual(6, 2, "ring"))
    with pytest.raises(ValueError, match="be even, for pairs"):
        rd.tasks.contextual(7, 3, "cross_cutting")
    with pytest.raises(ValueError, match=r"hold what a training has .*, but it is 'h1'"):
        rd.train(network, task, run.end["weights"], lr=0.1, steps=1, observe="h1", progress=False)
    with pytest.raises(ValueError, match="say the context of every example"):
        common = rd.networks.contextual(task)
        rd.networks.forward(common, common.init(rd.init.Gaussian(0.1), key=0), task.inputs)
    dead = dataclasses.replace(
        run, observables={"activity:h1": 0 * np.asarray(run.observables["activity:h1"])}
    )
    with pytest.raises(
        ValueError,
        match="units of 'h1' that are on in some example, but all are off at every saved row",
    ):
        gates.patterns(dead, task)
    with pytest.raises(
        ValueError, match="be the one of the run, but it has 8 examples, the run 12"
    ):
        gates.patterns(run, rd.tasks.contextual(4, 2))
