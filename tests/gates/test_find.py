"""Gates found by clustering: planted ones come back, the error is that of a gated network, and what
leaves the answer as it is.
"""

import dataclasses
import sys
from itertools import product

import jax
import numpy as np
import pytest

import racedyn as rd
from racedyn.gates import find, patterns
from racedyn.gates.find import elbow
from racedyn.gates.k_means import k_means, settled

TASK = rd.tasks.contextual(4, 3)
FOUR = [(1, 1, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)]
SIZES = [9, 7, 5, 3]


def at_rest(weights, observe=(), task=TASK):
    """A run that stays where it starts, with its network."""
    width = len(weights["w1_item"])
    network = rd.networks.chain(task, 2, width, activation="relu")
    run = rd.train(
        network,
        task,
        weights,
        lr=1e-15,
        steps=2,
        save_every=1,
        observe=["weights", *observe],
        progress=False,
    )
    return network, run


def planted(key=0, patterns_=FOUR, sizes=SIZES):
    """Neurons on where a pattern says, about equally for all items, in random order."""
    rng = np.random.default_rng(key)
    gates = np.repeat(np.array(patterns_, float), sizes, axis=0)[rng.permutation(sum(sizes))]
    return {
        "w1_item": rng.uniform(0.9, 1.1, (len(gates), 4)),
        "w1_context": -3 * (1 - gates),
        "w2": rng.standard_normal((len(TASK.Y), len(gates))),
    }


def shown(found, *where):
    return {"".join(str(int(on)) for on in p): n for p, n in found.at(*where).counts().items()}


@pytest.mark.parametrize("rows", [pytest.param("raw", marks=pytest.mark.slow), "unit"])
@pytest.mark.parametrize("key", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in (1, 2))])
def test_planted_gates_come_back(rows, key):
    network, run = at_rest(planted(key))
    found = find(network, TASK, run, rows=rows, key=key)
    assert found.epochs.tolist() == [[2]] and found.k.tolist() == [2, 3, 4, 5, 6, 7]
    assert found.chosen.tolist() == [4] and shown(found) == {"111": 9, "110": 7, "101": 5, "011": 3}
    four = found.at(2, 4)
    np.testing.assert_array_equal(four.sizes, SIZES)
    np.testing.assert_array_equal(four.gates, four.majority)
    assert (found.errors[0, :2] > 1e-2).all() and (found.errors[0, 2:] < 1e-25).all()


@pytest.mark.slow
def test_gates_by_example():
    """What depends on an item comes back by example, and by context where it is on for most."""
    weights = planted()
    weights["w1_item"][:, 0] = -5  # off for the first item in every context
    network, run = at_rest(weights)
    found = find(network, TASK, run, by="example")
    for gates in found.at(k=4).gates.reshape(-1, 3, 4):
        opened = gates[:, 1:].all(axis=1)
        np.testing.assert_array_equal(gates[:, 1:], np.repeat(opened[:, None], 3, axis=1))
        assert not gates[:, 0].any()
    assert found.chosen.tolist() == [4] and found.errors[0, 2] < 1e-25
    assert set(shown(find(network, TASK, run), 2, 4)) == {"111", "110", "101", "011"}
    assert find(network, TASK, run, k=4).errors[0, 0] > 1e-3


@pytest.mark.slow
def test_the_error_is_that_of_a_gated_network():
    """Two roads: the network with these gates for its units, by its own forward pass."""
    rng = np.random.default_rng(3)
    weights = {
        "w1_item": rng.standard_normal((30, 4)),
        "w1_context": rng.standard_normal((30, 3)),
        "w2": rng.standard_normal((len(TASK.Y), 30)),
    }
    network, run = at_rest(weights)
    found = find(network, TASK, run, k=(2, 5, 9))
    relu = rd.networks.forward(network, weights, TASK.inputs, TASK.context)
    active = np.asarray(relu["h1"])
    for k, error in zip(found.k, found.errors[0], strict=True):
        clusters = found.at(k=int(k))
        centres = clusters.centroids
        near = np.argmin(np.linalg.norm(active[:, None] - centres, axis=2), axis=1)
        gates = np.where(active.any(axis=1)[:, None], clusters.gates[near], False)
        gated = rd.Network(
            {name: node.width for name, node in network.nodes.items()},
            dict(network.edges),
            node_gates={"h1": gates.T.astype(float)},
            num_contexts=3,
        )
        answer = rd.networks.forward(gated, weights, TASK.inputs, TASK.context)["output"]
        difference = np.asarray(answer - relu["output"])
        assert error == pytest.approx(np.mean(difference**2), rel=1e-10) and error > 1e-3


@pytest.mark.slow
def test_every_neuron_its_own_cluster_answers_as_the_network():
    weights = planted()
    weights["w1_item"][:, 0] -= 1  # on and off within a context
    network, run = at_rest(weights)
    found = find(network, TASK, run, k=24, by="example", threshold=1e-9)
    assert found.at().sizes.tolist() == [1] * 24 and found.errors[0, 0] < 1e-25


def test_majority_of_all_neurons():
    """Of one cluster: as `patterns` says of all neurons. Each is on for three items in the first
    context, for two in the second and for one in the third.
    """
    weights, levels = planted(), np.tile([1, 0.2, -0.2, -1], (24, 1))
    weights["w1_item"] = np.random.default_rng(5).permuted(levels, axis=1)
    weights["w1_context"] = np.tile([0.5, 0, -0.5], (24, 1))
    network, run = at_rest(weights, ["activity:h1"])
    on = patterns(run, TASK).on[-1]
    assert on.mean(axis=0).tolist() == [1, 0, 0]
    np.testing.assert_array_equal(
        find(network, TASK, run, k=1).at().majority, on.mean(axis=0, keepdims=True) > 0.5
    )


def test_quiet_clusters():
    """A threshold is a part of a cluster's own largest value: quiet pathways open as loud ones."""
    weights = planted()
    partly = weights["w1_context"].any(axis=1)
    weights["w1_item"][partly] /= 4
    network, run = at_rest(weights)
    assert set(shown(find(network, TASK, run, k=4))) == {"111", "110", "101", "011"}


@pytest.mark.slow
def test_units_of_unit_rows_have_no_scale():
    """A neuron's weights times c and its output over c are the same network: unit rows see none of
    it. Raw rows follow the larger neurons.
    """
    weights, c = planted(1), np.geomspace(1e-3, 1e3, 24)[:, None]
    scaled = {edge: w / c.T if edge == "w2" else w * c for edge, w in weights.items()}
    (network, run), (_, other) = at_rest(weights), at_rest(scaled)
    one, two = (find(network, TASK, each, rows="unit") for each in (run, other))
    np.testing.assert_allclose(one.errors, two.errors, rtol=1e-8, atol=1e-20)
    np.testing.assert_array_equal(one.at().gates, two.at().gates)
    assert find(network, TASK, other).errors[0, 2] > 1e-3


def test_neurons_in_another_order_and_split():
    """A neuron as two of half the output, and any order: the same gates and errors."""
    weights, order = planted(2), np.random.default_rng(0).permutation(48)
    twice = {
        "w1_item": np.repeat(weights["w1_item"], 2, axis=0)[order],
        "w1_context": np.repeat(weights["w1_context"], 2, axis=0)[order],
        "w2": np.repeat(weights["w2"] / 2, 2, axis=1)[:, order],
    }
    (network, run), (wide, split) = at_rest(weights), at_rest(twice)
    one, two = find(network, TASK, run, k=4), find(wide, TASK, split, k=4)
    np.testing.assert_allclose(one.errors, two.errors, atol=1e-25)
    np.testing.assert_array_equal(one.at().gates, two.at().gates)
    np.testing.assert_array_equal(2 * one.at().sizes, two.at().sizes)


@pytest.mark.slow
def test_several_runs_and_steps():
    """Runs are stacked; steps are apart, or pooled as if each were another run."""
    (network, run), (_, other) = at_rest(planted(0)), at_rest(planted(1))
    both = find(network, TASK, [run, other], epochs=[0, 2])
    assert both.epochs.tolist() == [[0], [2]] and both.chosen.tolist() == [4, 4]
    assert both.at(0).sizes.tolist() == [18, 14, 10, 6]
    pooled = find(network, TASK, [run, other], epochs=[0, 2], pooled=True)
    assert pooled.epochs.tolist() == [[0, 2]] and pooled.at().sizes.tolist() == [36, 28, 20, 12]
    assert "0, 2: 4, 111 36, 110 28, 101 20, 011 12" in str(pooled)
    alone = find(network, TASK, run, epochs=2, pooled=True)
    np.testing.assert_array_equal(alone.errors, find(network, TASK, run, epochs=2).errors)


@pytest.mark.slow
def test_an_ensemble_is_its_members():
    network = rd.networks.chain(TASK, 2, 6, activation="relu")

    def member(seed):
        weights = network.init(rd.init.Gaussian(0.5), key=seed)
        return rd.Training(network, TASK, weights, lr=0.01, steps=4, observe=["weights"])

    many = rd.ensemble(member, 2)
    apart = [many.member(0), many.member(1)]
    one, two = (find(network, TASK, runs, k=(1, 3)) for runs in (many, apart))
    np.testing.assert_array_equal(one.errors, two.errors)
    assert one.at(k=3).sizes.sum() > 6


@pytest.mark.slow
def test_one_key_one_answer():
    rng = np.random.default_rng(9)
    network, run = at_rest({e: rng.standard_normal(w.shape) for e, w in planted().items()})
    one, two = find(network, TASK, run, key=7), find(network, TASK, run, key=jax.random.key(7))
    for field in ("errors", "chosen"):
        np.testing.assert_array_equal(getattr(one, field), getattr(two, field))


@pytest.mark.parametrize(
    ("errors", "chosen", "margin"),
    [
        ([8, 4, 1, 0.9, 0.8], 4, 1 - 2.2 / 3.4),  # depths 0, 2.2, 3.4, 1.7, 0
        ([8, 1, 0.9, 0.8, 0.7], 3, 1 / 3),
        ([1, 1, 1, 1, 1], 2, np.nan),
        ([4, 5, 6, 3, 0], 2, np.nan),  # no point lies below the line
        ([0, 3, 3, 3, 3], 2, np.nan),
        ([8, 9, 2, 9, 5], 4, 1),  # no other does
    ],
)
def test_elbow(errors, chosen, margin):
    for unit in (1, 1e-9):
        found = elbow(range(2, 7), unit * np.array(errors))
        assert found == (chosen, pytest.approx(margin, nan_ok=True))


@pytest.mark.parametrize("weighted", [False, True])
def test_least_squares_of_all_partitions(weighted):
    """Two clusters of ten rows of noise: the best of all 511 partitions, by weights too."""
    rng = np.random.default_rng(4)
    for _ in range(10):
        rows = rng.normal(size=(10, 3))
        weights = rng.exponential(size=10) if weighted else np.ones(10)

        def squares(label, rows=rows, weights=weights):
            parts = [label == j for j in np.unique(label)]
            means = [np.average(rows[p], axis=0, weights=weights[p]) for p in parts]
            pairs = zip(parts, means, strict=True)
            return sum(weights[p] @ ((rows[p] - mean) ** 2).sum(axis=1) for p, mean in pairs)

        least = min(squares(np.array([0, *cut])) for cut in product((0, 1), repeat=9) if any(cut))
        centroids, label = k_means(rows, weights, 2, 30, rng)
        assert squares(label) == pytest.approx(least, rel=1e-12)
        mean = np.average(rows[label == 0], axis=0, weights=weights[label == 0])
        np.testing.assert_allclose(centroids[0], mean)


def test_moves_of_single_rows():
    """At 0, 0, 1 and 3 in clusters of three and one, each row is nearest to its own centroid (Lloyd
    stays), and what the row at 3 would gain is less than what it would lose. A row at 1.6 is nearer
    to its own centroid 1.6/3 than to 3, but gains by moving: its own moves away from it.
    """
    ones, label = np.ones(4), np.array([0, 0, 0, 1])
    rest, squares = settled(np.array([[0.0], [0], [1], [3]]), ones, label)
    assert rest.tolist() == [0, 0, 0, 1] and squares == pytest.approx(2 / 3)
    moved, squares = settled(np.array([[0.0], [0], [1.6], [3]]), ones, label)
    assert moved.tolist() == [0, 0, 1, 1] and squares == pytest.approx(1.4**2 / 2)


@pytest.mark.slow
def test_how_far_to_trust_it():
    """Noise has no gates: the same answer for every key, and it says that it is unstable. Planted
    gates come back however neurons are weighed.
    """
    rng = np.random.default_rng(0)
    noise = {e: rng.standard_normal(w.shape) for e, w in planted().items()}
    network, run = at_rest(noise)
    found = [find(network, TASK, run, k=(2, 3, 4, 5), key=key) for key in (0, 1)]
    np.testing.assert_array_equal(found[0].errors, found[1].errors)
    assert not found[0].stable.any() and found[0].agreement[0] < found[0].rounds
    assert "unstable: the same in" in str(found[0]) and "unstable at epoch 2" in repr(found[0])
    network, run = at_rest(planted(sizes=[90, 70, 50, 30]))
    sure = find(network, TASK, run, k=(2, 3, 4, 5, 6))
    assert sure.stable.all() and sure.agreement.tolist() == [sure.rounds]
    assert 0 < sure.margin[0] < 1 and "unstable" not in str(sure) + repr(sure)


@pytest.mark.long
def test_published_gates():
    """[Jarvis25] fig. 8 and 9 at width 300, three seeds: at the end k-means with four clusters has
    the common pathway and those open in two contexts, and the elbow of the error is there; at epoch
    500 all neurons are on everywhere.
    """
    task = rd.tasks.contextual(structures=["tree", "tree", "graded_ring", "crossed_tree"])
    network = rd.networks.chain(task, 2, 300, activation="relu")
    runs = [
        rd.train(
            network,
            task,
            network.init(rd.init.Gaussian(0.005 / 300), key=seed),
            lr=0.001,
            steps=8000,
            loss="half_sum",
            save_every=500,
            observe=["weights"],
            progress=False,
        )
        for seed in range(3)
    ]
    found = find(network, task, runs, epochs=[500, 7000, 8000])
    print(found, found.errors)
    assert found.chosen.tolist() == [2, 4, 4]
    assert set(shown(found, 500)) == {"111"}
    for epoch in (7000, 8000):
        assert set(shown(found, epoch)) == {"111", "110", "101", "011"}
        errors = found.errors[found.epochs[:, 0].tolist().index(epoch)]
        assert errors[2] < errors[1] / 3


def test_bad_input(monkeypatch):
    network, run = at_rest(planted())
    with pytest.raises(ValueError, match=r"`k` must be at most 24, as many .* but it is 25"):
        find(network, TASK, run, k=[2, 25])
    with pytest.raises(ValueError, match=r"`k` must be numbers of clusters, rising, but it is \[4"):
        find(network, TASK, run, k=[4, 2])
    with pytest.raises(ValueError, match="`k` must be a whole number of at least 1, but it is 0"):
        find(network, TASK, run, k=0)
    with pytest.raises(ValueError, match="`epochs` must be a step that was saved, but it is 3"):
        find(network, TASK, run, epochs=[1, 3])
    with pytest.raises(ValueError, match="`rows` must be one of 'raw', 'unit'"):
        find(network, TASK, run, rows="units")
    with pytest.raises(ValueError, match="`by` must be one of 'context', 'example'"):
        find(network, TASK, run, by="item")
    with pytest.raises(ValueError, match="`threshold` must be below 1, but it is 1"):
        find(network, TASK, run, threshold=1)
    with pytest.raises(ValueError, match=r"`task` must be the one of all runs, but runs\[1\] was"):
        other = rd.tasks.contextual(4, 3, ["tree", "graded_ring", "tree", "tree"])
        find(network, TASK, [run, at_rest(planted(), task=other)[1]])
    with pytest.raises(ValueError, match="`runs` must have saved its weights"):
        find(network, TASK, dataclasses.replace(run, ys=None))
    with pytest.raises(ValueError, match="`runs` must hold at least one training"):
        find(network, TASK, [])
    with pytest.raises(ValueError, match="have hidden nodes of ReLU units, no other nonlinearity"):
        find(rd.networks.chain(TASK, 2, 24), TASK, run)
    with pytest.raises(ValueError, match=r"`epoch` must be one of those clustered, .* but it is 1"):
        find(network, TASK, run, k=2).at(1)
    with pytest.raises(ValueError, match=r"`k` must be one of those clustered, .* but it is 8"):
        find(network, TASK, run, k=2).at(2, 8)
    with pytest.raises(ValueError, match="units of 'h1' that are on in some example, but all are"):
        off = {edge: -abs(w) for edge, w in planted().items()}
        find(network, TASK, at_rest(off)[1])
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(ImportError, match=r"needs scikit-learn.*racedyn\[gates\]"):
        find(network, TASK, run)
