"""Training in stages that share layers, and that begin one after the other: against a plain loop in
NumPy, with what is refused."""

import numpy as np
import pytest

import racedyn as rd

TASK = rd.tasks.contextual(items=4, contexts=2)
N = 5
EDGES = {
    "item_first": ("item", "first"),
    "context_first": ("context", "first"),
    "common": ("first", "h"),
    "common_out": ("h", "output"),
    "one": ("first", "h1"),
    "one_out": ("h1", "output"),
}
SHARED = ["item_first", "context_first"]
STAGES = {"common": [*SHARED, "common", "common_out"], "one": [*SHARED, "one", "one_out"]}


def network(first="linear"):
    nodes = {"item": 4, "context": 2, "first": rd.networks.Node(N, first), "h": N, "h1": N}
    gates = {"h1": [1.0, 0.0]}
    return rd.Network(nodes | {"output": len(TASK.Y)}, EDGES, node_gates=gates, num_contexts=2)


WEIGHTS = network().init(rd.init.Gaussian(0.4), key=0)


def published(weights, lr, steps, starts=(0, 0), first="linear", decay=0.0):
    """Descent by hand: what each stage moves is known before anything is moved."""
    W = {edge: np.array(w) for edge, w in weights.items()}
    items, contexts, Y = TASK.inputs["item"], TASK.inputs["context"], TASK.Y
    gate = (TASK.context == 0).astype(float)
    for step in range(steps):
        z = W["item_first"] @ items + W["context_first"] @ contexts
        f, slope = (z, 1.0) if first == "linear" else (np.maximum(z, 0), (z > 0).astype(float))
        h, h1 = W["common"] @ f, gate * (W["one"] @ f)
        left = Y - W["common_out"] @ h
        left_of_both = left - W["one_out"] @ h1
        moves = {edge: np.zeros_like(w) for edge, w in W.items()}
        for on, out, inner, r, act, g in (
            (step >= starts[0], "common_out", "common", left, h, 1.0),
            (step >= starts[1], "one_out", "one", left_of_both, h1, gate),
        ):
            if on:
                back = g * (W[out].T @ r)
                below = slope * (W[inner].T @ back)
                moves[out] += r @ act.T
                moves[inner] += back @ f.T
                moves["item_first"] += below @ items.T
                moves["context_first"] += below @ contexts.T
        for edge in W:
            begun = edge in SHARED or edge.startswith("common") or step >= starts[1]
            rate = decay if begun and step >= min(starts) else 0.0
            W[edge] += lr * (moves[edge] / TASK.num_examples - rate * W[edge])
    return W


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, marks=pytest.mark.slow),
        {"schedule": {"one": 17}},
        pytest.param({"schedule": {"common": 5, "one": 30}}, marks=pytest.mark.slow),
        pytest.param({"schedule": {"one": 17}, "weight_decay": 0.1}, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("first", ["linear", pytest.param("relu", marks=pytest.mark.slow)])
def test_stages_that_share_a_layer_are_the_published_loop(first, options):
    run = rd.train(network(first), TASK, WEIGHTS, lr=0.3, steps=60, stages=STAGES, **options)
    schedule = options.get("schedule", {})
    starts = schedule.get("common", 0), schedule.get("one", 0)
    wanted = published(
        WEIGHTS, 0.3, 60, starts, first=first, decay=options.get("weight_decay", 0.0)
    )
    for edge, w in run.end["weights"].items():
        np.testing.assert_allclose(w, wanted[edge], rtol=0, atol=1e-12, err_msg=edge)
    joint = rd.train(network(first), TASK, WEIGHTS, lr=0.3, steps=60)
    assert np.abs(joint.end["weights"]["item_first"] - wanted["item_first"]).max() > 1e-2


def test_a_stage_stays_as_it_is_until_it_begins_also_where_a_run_goes_on():
    how = {"lr": 0.3, "stages": STAGES, "schedule": {"one": 20}, "observe": ["weights"]}
    run = rd.train(network(), TASK, WEIGHTS, steps=40, save_every=5, **how)
    for edge, moves in (("one", False), ("one_out", False), ("common", True), ("item_first", True)):
        until = np.abs(np.diff(run.ys[edge][:5], axis=0)).max()
        assert bool(until > 0) is moves
        assert not np.array_equal(run.ys[edge][-1], run.ys[edge][4])
    half = rd.train(network(), TASK, WEIGHTS, steps=15, save_every=5, **how)
    went_on = rd.train(network(), TASK, half, steps=25, save_every=5, **how)
    for edge in EDGES:
        np.testing.assert_array_equal(went_on.ys[edge], run.ys[edge], err_msg=edge)


@pytest.mark.slow
def test_stages_by_name_are_those_of_a_list():
    task = rd.tasks.hierarchy(4)
    two = rd.networks.parallel(task, (2, 2), width=4)
    weights = two.init(rd.init.Gaussian(0.3), key=0)
    a, b = ([f"w{i}_{l}" for l in (1, 2)] for i in (1, 2))
    how = {"lr": 0.1, "steps": 30}
    named = rd.train(two, task, weights, stages={"a": a, "b": b}, schedule={"b": 10}, **how)
    listed = rd.train(two, task, weights, stages=[a, b], schedule={1: 10}, **how)
    plain = rd.train(two, task, weights, stages=[a, b], schedule={}, **how)
    without = rd.train(two, task, weights, stages=[a, b], **how)
    for edge in two.edges:
        np.testing.assert_array_equal(named.end["weights"][edge], listed.end["weights"][edge])
        np.testing.assert_array_equal(plain.end["weights"][edge], without.end["weights"][edge])
    assert np.abs(named["loss"][-1] - plain["loss"][-1]) > 1e-6
    assert named.provenance.settings["schedule"] == [0, 10]
    assert plain.provenance.settings["schedule"] == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"schedule": {"ones": 5}}, r"`schedule` must name stages, which are \['common', 'one'\]"),
        ({"schedule": {1: 5}}, "name stages"),
        ({"schedule": {"one": -1}}, r"`schedule\['one'\]` must be a whole number of at least 0"),
        ({"schedule": {"one": 1.5}}, "whole number"),
        ({"schedule": {"one": 5}, "stages": None}, "be left out where there are no stages"),
        ({"schedule": [5]}, "be a dict stage -> the step"),
        (
            {"stages": [STAGES["common"], ["one", "one_out"]]},
            r"each path in one stage, but \('item_first', 'one', 'one_out'\) lies in none",
        ),
        (
            {"stages": [[*STAGES["common"], "one", "one_out"], STAGES["one"]]},
            r"lies in stages \[0, 1\]",
        ),
        (
            {"stages": [[*STAGES["common"], "one_out"], STAGES["one"]]},
            "hold edges of their own paths, but 'one_out' is on none of stage 0",
        ),
        ({"stages": [[*SHARED, *STAGES["common"]], STAGES["one"]]}, "'item_first' is in two"),
    ],
)
def test_stages_and_schedules_that_do_not_fit(options, says):
    with pytest.raises((ValueError, TypeError), match=says):
        rd.train(network(), TASK, WEIGHTS, lr=0.1, steps=1, **{"stages": STAGES, **options})


@pytest.mark.slow
def test_nonlinear_nodes_are_shared_with_all_that_comes_in():
    edges = {"a": ("x", "h"), "b": ("z", "h"), "a_out": ("h", "y"), "b_out": ("h", "w")}
    nodes = {"x": 2, "z": 2, "h": rd.networks.Node(3, "relu"), "y": 2, "w": 2}
    eye = np.eye(2)
    task = rd.Task({"x": eye, "z": eye}, {"y": eye, "w": eye})
    net = rd.Network(nodes, edges)
    weights = net.init(rd.init.Gaussian(0.1), key=0)
    with pytest.raises(ValueError, match="lies in none"):
        rd.train(net, task, weights, lr=0.1, steps=1, stages=[["a", "a_out"], ["b", "b_out"]])
    stages = [["a", "b", "a_out"], ["a", "b", "b_out"]]
    run = rd.train(net, task, weights, lr=0.1, steps=1, stages=stages)
    assert rd.Status(int(run.status)).ok
    both = [["a", "a_out", "b_out"], ["b", "a_out", "b_out"]]
    with pytest.raises(ValueError, match=r"edges into 'h' are not in all of the stages \[0, 1\]"):
        rd.train(net, task, weights, lr=0.1, steps=1, stages=both)


def test_reductions_take_stages_that_share_no_layer():
    with pytest.raises(ValueError, match=r"'item_first' is in two\. `train` alone takes stages"):
        rd.reduce(network(), TASK, WEIGHTS, level="full", stages=STAGES)
