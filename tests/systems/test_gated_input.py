"""Bad input to gated networks: every kind is refused, or warned of, in words that name what is
wrong.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import polar

import racedyn as rd
from racedyn.reduction import LEVELS

TASK = rd.tasks.hierarchy(4)
NET = rd.networks.parallel(TASK, (2, 2), 30)
GATED_LEVELS = ("modes", "matrix", "full")


def gaussian(network, seed=0, std=0.2):
    rng = np.random.default_rng(seed)
    return {edge: std * rng.standard_normal(network.shape(edge)) for edge in network.edges}


WEIGHTS = gaussian(NET)


def chain(**gates):
    """x -> h -> y of 2 units in 2 contexts."""
    return rd.Network(
        {"x": 2, "h": 2, "y": 2}, {"a": ("x", "h"), "b": ("h", "y")}, num_contexts=2, **gates
    )


# Everything that takes a network and a task.
ENTRANCES = {
    "reduce": lambda network, task: rd.reduce(network, task, gaussian(network), level="full"),
    "train": lambda network, task: rd.train(
        network, task, gaussian(network), lr=0.1, steps=1, progress=False
    ),
    "statistics": lambda network, task: rd.statistics(network, task),
    "project": lambda network, task: rd.project(network, task, gaussian(network), bases={}),
}
entrances = pytest.mark.parametrize("entrance", ENTRANCES.values(), ids=ENTRANCES.keys())


RING = {"in": ("x", "a"), "ab": ("a", "b"), "bc": ("b", "c"), "ca": ("c", "a"), "out": ("c", "y")}


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        pytest.param(
            RING,
            r"`edges` must form no cycle, but (a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c) "
            r"is one",
        ),
        (
            {"in": ("x", "a"), "aa": ("a", "a"), "out": ("a", "y")},
            r"`edges` must form no cycle, but a -> a is one",
        ),
        (
            {"in": ("x", "a"), "out": ("d", "y")},
            r"`edges\['out'\]` must be one of 'x', 'a', 'b', 'c', 'y', but it is 'd'",
        ),
        ({"in": ("x", "hidden")}, r"`edges\['in'\]` must be one of .*, but it is 'hidden'"),
        (
            {"in": ("x",)},
            r"`edges` must give \(source, target\) for each edge, but 'in' has \('x',\)",
        ),
        ({"in": ("x", "y")}, r"`edges` must touch every node, but none touches 'a'"),
    ],
)
def test_edges_that_make_no_graph(edges, message):
    with pytest.raises(ValueError, match=message):
        rd.Network({"x": 1, "a": 1, "b": 1, "c": 1, "y": 1}, edges)


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        (
            {"node_gates": {"h": [1, 0, 1]}},
            r"`node_gates\['h'\]` must have one factor per context, 2, .*shape is \(3,\)",
        ),
        (
            {"edge_gates": {"b": [1]}},
            r"`edge_gates\['b'\]` must have one factor per context, 2, .*its shape is \(1,\)",
        ),
        (
            {"edge_gates": {"b": 1.0}},
            r"`edge_gates\['b'\]` must have one factor per context, 2, .*its shape is \(\)",
        ),
        (
            {"node_gates": {"h": [[1, 0]]}},
            r"must have one factor per context, 2, but its shape is \(1, 2\)",
        ),
        (
            {"node_gates": {"h": [1, np.nan]}},
            r"`node_gates\['h'\]` must be finite, but 1 of its values .*at \(1,\)",
        ),
        (
            {"node_gates": {"b": [1, 0]}},
            r"`node_gates` must be one of 'x', 'h', 'y', but it is 'b'",
        ),
        ({"edge_gates": {"h": [1, 0]}}, r"`edge_gates` must be one of 'a', 'b', but it is 'h'"),
    ],
)
def test_gate_tables_that_do_not_fit(gates, message):
    with pytest.raises(ValueError, match=message):
        chain(**gates)


EYE = np.eye(2)


@entrances
@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (
            {"x": EYE, "h": EYE},
            {"y": EYE},
            r"`task` must have inputs at nodes without incoming edges, but 'a' goes into 'h'",
        ),
        ({"h": EYE}, {"y": EYE}, r"'a' goes into 'h'. The network's inputs are \['x'\]"),
        (
            {"x": EYE},
            {"y": EYE, "h": EYE},
            r"`task` must have targets at nodes without outgoing edges, but 'b' goes out of 'h'. "
            r".*outputs are \['y'\]",
        ),
        (
            {"x": EYE},
            {"x": EYE},
            r"must have targets at nodes without outgoing edges, but 'a' goes out of 'x'",
        ),
        (
            {"x": EYE, "z": EYE},
            {"y": EYE},
            r"must have inputs for the network's nodes \['x'\], but it has \['x', 'z'\]",
        ),
        (
            {"x": EYE},
            {"z": EYE},
            r"must have targets for the network's nodes \['y'\], but it has \['z'\]",
        ),
        ({"x": np.ones((3, 2))}, {"y": EYE}, r"`task` must have 2 rows at 'x', but it has 3"),
    ],
)
def test_tasks_of_another_graph(entrance, inputs, targets, message):
    with pytest.raises(ValueError, match=message):
        entrance(chain(), rd.Task(inputs, targets))


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ([0, 3], r"`context` must be below num_contexts = 3, but its largest value is 3"),
        (
            [0, 1, 1],
            r"`context` must be 2 whole numbers of at least 0, one per example, but its shape is "
            r"\(3,\)",
        ),
        ([0.0, 1.0], r"`context` must be 2 whole numbers of at least 0, .* its dtype float64"),
        ([0, -1], r"`context` must be 2 whole numbers of at least 0"),
    ],
)
def test_contexts_out_of_the_task_s_range(context, message):
    with pytest.raises(ValueError, match=message):
        rd.Task({"x": EYE}, {"y": EYE}, context, 3)


@entrances
def test_contexts_out_of_the_network_s_range(entrance):
    task = rd.Task({"x": EYE}, {"y": EYE}, [0, 2])
    with pytest.raises(
        ValueError, match=r"`task` must have at most the network's 2 contexts, but it has 3"
    ):
        entrance(chain(node_gates={"h": [1, 0]}), task)
    # Without gates contexts mean nothing.
    assert len(rd.statistics(chain(), task).classes) == 1


def two_outputs(gate=1.0):
    """One-hot inputs, one hidden layer, outputs y and z; the gate of z in context 1 of 2."""
    network = rd.Network(
        {"x": 4, "h": 9, "y": 2, "z": 1},
        {"in": ("x", "h"), "y": ("h", "y"), "z": ("h", "z")},
        node_gates={"z": [1, gate]},
        num_contexts=2,
    )
    targets = {"y": [[1.0, 2, 0, 1], [0, 1, -1, 1]], "z": [[1.0, -1, 2, 0.5]]}
    return network, rd.Task({"x": np.eye(4)}, targets, [0, 0, 1, 1])


DARK = (
    r"The output 'z' is gated off in 1 contexts where it has targets that are not zero \(the "
    r"first: 1\): they leave a "
    r"floor under the loss"
)
FLOOR = (2**2 + 0.5**2) / (2 * 4)  # 1/2 < |z|^2 > over the two examples in which z is off


@pytest.mark.parametrize("level", ["matrix", "full"])
def test_an_output_that_is_off_has_a_floor(level):
    network, task = two_outputs(0.0)
    with pytest.warns(UserWarning, match=DARK) as seen:
        flow = rd.reduce(network, task, gaussian(network), level=level, paths=())
    assert [warning.filename for warning in seen] == [__file__], "it points at the caller's line"
    assert float(flow.known.floor) == pytest.approx(FLOOR, rel=1e-13)


def test_and_mode_by_mode():
    """Half of all that is wanted is wanted in the dark."""
    network = rd.Network(
        {"x": 4, "h": 4, "y": 7},
        {"a": ("x", "h"), "b": ("h", "y")},
        node_gates={"y": [1, 0]},
        num_contexts=2,
    )
    twice = rd.Task({"x": np.tile(TASK.X, 2)}, {"y": np.tile(TASK.Y, 2)}, [0] * 4 + [1] * 4)
    modes = twice.pair_modes("x", "y")
    with pytest.warns(UserWarning, match=r"The output 'y' is gated off in 1 contexts"):
        flow = rd.reduce(
            network, twice, {"a": 0.1 * modes.V.T, "b": 0.1 * modes.U}, level="modes", paths=()
        )
    assert flow.validity.exact
    assert float(flow.known.floor) == pytest.approx(np.sum(TASK.Y**2) / (2 * 8), rel=1e-13)


@pytest.mark.long
def test_the_flow_ends_at_the_floor_and_never_below():
    network, task = two_outputs(0.0)
    with pytest.warns(UserWarning, match=DARK):
        flow = rd.reduce(network, task, gaussian(network), level="full", paths=())
    loss = np.asarray(rd.simulate(flow, jnp.linspace(0, 400, 9)).observables["loss"])
    assert loss[0] > 1.5 * FLOOR and np.all(loss >= FLOOR * (1 - 1e-13))
    assert loss[-1] == pytest.approx(FLOOR, abs=1e-8)


def test_so_does_descent():
    network, task = two_outputs(0.0)
    with pytest.warns(UserWarning, match=DARK) as seen:
        run = rd.train(
            network, task, gaussian(network), lr=0.3, steps=2000, paths=(), progress=False
        )
    assert [warning.filename for warning in seen] == [__file__]
    loss = np.asarray(run.observables["loss"])
    assert loss[0] > 1.5 * FLOOR and np.all(loss >= FLOOR * (1 - 1e-13))
    assert loss[-1] == pytest.approx(FLOOR, abs=1e-6)


def test_an_output_that_is_off_where_it_has_no_targets_is_fine():
    """No warning, which would be an error here; nor one for a gate that is small but not zero."""
    network, task = two_outputs(0.0)
    zeroed = {**task.targets, "z": task.targets["z"] * (task.context == 0)}
    flow = rd.reduce(
        network,
        rd.Task(dict(task.inputs), zeroed, task.context),
        gaussian(network),
        level="full",
        paths=(),
    )
    assert float(flow.known.floor) == 0.0
    network, task = two_outputs(1e-3)
    assert (
        float(rd.reduce(network, task, gaussian(network), level="full", paths=()).known.floor)
        == 0.0
    )


def test_an_output_is_off_where_all_that_leads_to_it_is():
    """The gate of the output itself is open; in context 1 its hidden layer is off, and so it is
    dark there.
    """
    task = rd.Task({"x": EYE}, {"y": [[1.0, 2.0], [0.0, 3.0]]}, [0, 1])
    with pytest.warns(
        UserWarning, match=r"The output 'y' is gated off in 1 contexts .*\(the first: 1\)"
    ):
        flow = rd.reduce(
            chain(node_gates={"h": [1, 0]}), task, gaussian(chain()), level="full", paths=()
        )
    assert float(flow.known.floor) == pytest.approx((2**2 + 3**2) / 4, rel=1e-13)


CUT = r"Gates cut every path to the output '{}': it is 0 in every context."
CUTS = {
    "output": {"node_gates": {"y": [0, 0]}},
    "last edge": {"edge_gates": {"b": [0, 0]}},
    "hidden": {"node_gates": {"h": [0, 0]}},
    "first edge": {"edge_gates": {"a": [0, 0]}},
    "input": {"node_gates": {"x": [0, 0]}},
    "in turn": {"node_gates": {"h": [1, 0]}, "edge_gates": {"b": [0, 1]}},
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("level", GATED_LEVELS)
def test_gates_that_cut_every_path_are_named_by_reduce(cut, level):
    network, task = chain(**cut), rd.Task({"x": EYE}, {"y": 3 * EYE}, [0, 1])
    with pytest.warns(UserWarning, match=CUT.format("y")) as seen:
        flow = rd.reduce(network, task, gaussian(network), level=level, inexact=True)
    assert [warning.filename for warning in seen] == [__file__]
    assert float(flow.known.floor) == pytest.approx(2 * 9 / (2 * 2), rel=1e-13), (
        "all that is wanted stays missing"
    )


@pytest.mark.parametrize("cut", ["output", "last edge", "in turn", "input"])
def test_gates_that_cut_every_path_are_named_by_train(cut):
    network, task = chain(**CUTS[cut]), rd.Task({"x": EYE}, {"y": 3 * EYE}, [0, 1])
    with pytest.warns(UserWarning, match=CUT.format("y")) as seen:
        run = rd.train(
            network, task, gaussian(network), lr=0.1, steps=3, save_every=1, progress=False
        )
    assert [warning.filename for warning in seen] == [__file__]
    np.testing.assert_allclose(run.observables["loss"], np.full(4, 4.5), rtol=1e-15)


def test_one_output_of_two_that_is_cut_is_named_and_the_other_learns():
    network, task = two_outputs()
    cut = rd.Network(
        dict(network.nodes), dict(network.edges), edge_gates={"z": [0, 0]}, num_contexts=2
    )
    missing = float(np.sum(task.targets["z"] ** 2)) / 8
    with pytest.warns(UserWarning, match=CUT.format("z")):
        assert float(
            rd.reduce(cut, task, gaussian(network), level="full", paths=()).known.floor
        ) == pytest.approx(missing)
    with pytest.warns(UserWarning, match=CUT.format("z")):
        loss = rd.train(
            cut, task, gaussian(network), lr=0.3, steps=2000, paths=(), progress=False
        ).observables["loss"]
    assert float(loss[-1]) == pytest.approx(missing, abs=1e-6) and float(loss[0]) > 1.2 * missing


@pytest.mark.filterwarnings("ignore:Gates cut every path:UserWarning")
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
def test_a_flow_that_is_cut_does_not_move(cut):
    network, task = chain(**cut), rd.Task({"x": EYE}, {"y": 3 * EYE}, [0, 1])
    flow = rd.reduce(network, task, gaussian(network), level="full", paths=())
    y = flow.y0()
    assert not any(np.any(f) for f in flow.vector_field(jnp.asarray(0.0), y, None))
    assert float(flow.observe(jnp.asarray(0.0), y)["loss"]) == pytest.approx(4.5, rel=1e-14)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Gates cut every path:UserWarning")
def test_nor_when_it_is_simulated():
    network, task = chain(**CUTS["hidden"]), rd.Task({"x": EYE}, {"y": 3 * EYE}, [0, 1])
    flow = rd.reduce(network, task, gaussian(network), level="full", paths=())
    run = rd.simulate(flow, jnp.linspace(0, 2, 3))
    np.testing.assert_allclose(run.observables["loss"], np.full(3, 4.5), rtol=1e-13)


@pytest.mark.parametrize("width", [3, 5], ids=["one layer", "a layer of its own"])
def test_a_pathway_that_is_cut_leaves_the_others_as_they_are(width):
    """Its signals end at a node that no open edge leaves; no warning, as the output has another
    path.
    """
    edges = {
        "a1": ("input", "a"),
        "a2": ("a", "output"),
        "b1": ("input", "b"),
        "b2": ("b", "output"),
    }
    both = rd.Network(
        {"input": 4, "a": 3, "b": width, "output": 7}, edges, edge_gates={"b2": [0.0]}
    )
    weights = gaussian(both)
    flow = rd.reduce(both, TASK, weights, level="full")
    field = flow.matrices(flow.vector_field(jnp.asarray(0.0), flow.y0(), None))
    error = TASK.sigma_yx() - weights["a2"] @ weights["a1"] @ TASK.sigma_x()
    np.testing.assert_allclose(field["a1"], weights["a2"].T @ error, atol=1e-14)
    np.testing.assert_array_equal(field["b1"], 0)


def worst_of_modes(network, weights):
    """The largest part of an edge's norm off the diagonal, hidden frames nearest to where W1
    carries the modes.
    """
    U, V = TASK.modes.U, TASK.modes.V
    found = []
    for first, last in network.paths():
        images = weights[first] @ V
        frame = polar(images / np.linalg.norm(images, axis=0))[0]
        for W, left, right in ((weights[first], frame, V), (weights[last], U, frame)):
            on = np.einsum("ia,ij,ja->a", left, W, right)
            found.append(np.sqrt(1 - np.sum(on**2) / np.sum(W**2)))
    return max(found)


def test_modes_are_refused_with_the_number_and_matrix_named():
    """From weights that are nearly aligned, so that the number says something."""
    noise = gaussian(NET, std=0.01)
    R, U, V = np.eye(30)[:, :4], TASK.modes.U, TASK.modes.V
    weights = {
        edge: (R @ V.T if edge.endswith("1") else U @ R.T) + noise[edge] for edge in NET.edges
    }
    worst = worst_of_modes(NET, weights)
    assert 0.02 < worst < 0.3
    with pytest.raises(
        ValueError,
        match=rf"Level 'modes' is not exact here \(weights, most of all 'w\d_2': {worst:.2g} "
        r"of the norm is off the "
        r"diagonal in the modes\), but level='matrix' is. inexact=True goes on all the same",
    ):
        rd.reduce(NET, TASK, weights, level="modes")
    assert rd.reduce(NET, TASK, weights, level="matrix").validity.exact
    forced = rd.reduce(NET, TASK, weights, level="modes", inexact=True).validity
    assert not forced.exact and forced["exact"] is False
    assert f"{worst:.2g} of the norm is off the diagonal" in forced["reason"]
    assert max(forced["off_the_diagonal"].values()) == pytest.approx(worst, rel=1e-10)
    assert str(forced).startswith("level 'modes': not exact, weights, most of all 'w")


DEEP = rd.networks.chain(TASK, 3, 40)


def outside_after_one_sweep(weights):
    """The largest part of an image outside the spaces of one sweep, forward and then backward,
    along a chain of three.
    """

    def space(*parts):
        return np.linalg.qr(np.concatenate(parts, axis=1))[0]

    W1, W2, W3 = weights.values()
    H1 = space(W1)
    H2 = space(W2 @ H1, W3.T)
    H1 = space(H1, W2.T @ H2)
    found = []
    for matrix, start, end in (
        (W1, np.eye(4), H1),
        (W2, H1, H2),
        (W3.T, np.eye(7), H2),
        (W2.T, H2, H1),
    ):
        image = matrix @ start
        found.append(np.linalg.norm(image - end @ (end.T @ image)) / np.linalg.norm(image))
    return max(found)


def test_matrix_of_deep_gaussian_weights_is_refused_with_the_number_and_full_named():
    weights = gaussian(DEEP)
    outside = outside_after_one_sweep(weights)
    assert 0.1 < outside < 0.9
    with pytest.raises(
        ValueError,
        match=r"Level 'matrix' is not exact here \(.*those of one sweep leave "
        rf"{outside:.2g} of some image outside\), "
        r"but level='full' is \('compressed' stands for it to a tolerance\)\. inexact=True goes on",
    ):
        rd.reduce(DEEP, TASK, weights, level="matrix")
    with pytest.raises(ValueError, match=r"Level 'modes' is not exact .*level='full' is"):
        rd.reduce(DEEP, TASK, weights, level="modes")
    assert rd.reduce(DEEP, TASK, weights, level="full").validity.exact
    forced = rd.reduce(DEEP, TASK, weights, level="matrix", inexact=True).validity
    assert not forced.exact and f"leave {outside:.2g} of some image outside" in forced["reason"]
    assert forced["outside_the_bases"] == pytest.approx(outside, rel=1e-10)
    assert forced["dimensions"]["h1"] == "15 of 40" and forced["dimensions"]["h2"] == "11 of 40"


def test_force_changes_nothing_where_a_level_is_exact():
    forced = rd.reduce(NET, TASK, WEIGHTS, level="matrix", inexact=True).validity
    assert (
        forced.exact
        and "reason" not in forced
        and str(forced).startswith("level 'matrix': exact\n")
    )


@pytest.mark.parametrize(
    ("level", "near"),
    [("mode", "modes"), ("matrx", "matrix"), ("Full", "full"), ("pathways", "pathway")],
)
def test_an_unknown_level_has_a_suggestion(level, near):
    known = ", ".join(map(repr, LEVELS))
    with pytest.raises(
        ValueError,
        match=rf"`level` must be one of {known}, but it is '{level}'. Did you mean '{near}'\?",
    ):
        rd.reduce(NET, TASK, WEIGHTS, level=level)


NONLINEAR = {
    "node": rd.networks.parallel(TASK, (2, 2), 30, activation="relu"),
    "edge": rd.Network(dict(NET.nodes), dict(NET.edges), edge_kinds={"w2_2": "tanh"}),
}


@pytest.mark.parametrize("kind", NONLINEAR)
@pytest.mark.parametrize("level", LEVELS)
def test_nonlinear_networks_are_not_reduced(kind, level):
    with pytest.raises(
        ValueError,
        match=r"`network` must be linear to be reduced, but it is a linear/(relu|tanh) network",
    ):
        rd.reduce(NONLINEAR[kind], TASK, WEIGHTS, level=level, inexact=True)
    with pytest.raises(
        ValueError, match=r"must be linear to be projected, .*does not commute with bases"
    ):
        rd.project(NONLINEAR[kind], TASK, WEIGHTS, bases={})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"w1_1": None},
            r"must have an array for every edge \(w1_1, w1_2, w2_1, w2_2\), but 'w1_1' is missing",
        ),
        ({"w3_1": WEIGHTS["w1_1"]}, r"`weights` must be one of .*, but it is 'w3_1'"),
        (
            {"w1_1": WEIGHTS["w1_1"].T},
            r"`weights\['w1_1'\]` must have shape \(30, 4\) .*its shape is \(4, 30\)",
        ),
        ({"w2_2": WEIGHTS["w2_2"] * np.inf}, r"`weights\['w2_2'\]` must be finite"),
        (
            {"w2_2": np.ones((7, 30), int)},
            r"`weights\['w2_2'\]` must hold real numbers, but its dtype is int",
        ),
    ],
)
@pytest.mark.parametrize("level", LEVELS)
def test_weights_that_do_not_fit(change, message, level):
    weights = {edge: w for edge, w in {**WEIGHTS, **change}.items() if w is not None}
    with pytest.raises(ValueError, match=message):
        rd.reduce(NET, TASK, weights, level=level)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (
            (("w1_1", "w1_2"), ("w2_1",)),
            r"`stages` must have every edge of the network, but 'w2_2' is missing",
        ),
        (
            (("w1_1", "w1_2"), ("w2_1", "w2_2", "w1_1")),
            {
                "reduce": "must have each edge in one stage, but 'w1_1' is in two",
                "train": "hold edges of their own paths, but 'w1_1' is on none of stage 1",
            },
        ),
        (
            (("w1_1", "w1_2", "w1_2"), ("w2_1", "w2_2")),
            "must have an edge once in a stage, but 'w1_2' is in two places of one",
        ),
        (
            (("w1_1",), ("w1_2", "w2_1", "w2_2")),
            {
                "reduce": r"share no inner node, but edges of stages \[0, 1\] meet at 'h1_1'",
                "train": r"have each path in one stage, but \('w1_1', 'w1_2'\) lies in none",
            },
        ),
        ((("w1_1", "w1_2"), ("w2_1", "w2_3")), r"but it is 'w2_3'. Did you mean 'w2_2'\?"),
    ],
)
@pytest.mark.parametrize("rule", ["reduce", "train"])
def test_stages_that_are_none(stages, message, rule):
    message = message[rule] if isinstance(message, dict) else message
    with pytest.raises(ValueError, match=message):
        if rule == "reduce":
            rd.reduce(NET, TASK, WEIGHTS, level="matrix", stages=stages)
        else:
            rd.train(NET, TASK, WEIGHTS, lr=0.1, steps=1, stages=stages, progress=False)


def test_a_branch_is_of_the_level_pathway_alone():
    with pytest.raises(ValueError, match=r"`branch` must be left out at level 'full'.*'pathway'"):
        rd.reduce(NET, TASK, WEIGHTS, level="full", branch="smaller")


def test_stages_are_not_of_the_level_pathway():
    with pytest.raises(
        ValueError,
        match=r"`stages` must be left out at level 'pathway', .*'matrix' or .* or 'full' takes it",
    ):
        rd.reduce(NET, TASK, WEIGHTS, level="pathway", stages=(("w1_1", "w1_2"), ("w2_1", "w2_2")))


@pytest.mark.parametrize("decay", [-0.1, float("nan"), float("inf"), "0.1", True, None])
def test_weight_decay_that_is_no_rate(decay):
    for level in LEVELS:
        with pytest.raises(
            ValueError, match=r"`weight_decay` must be a number of at least 0, but it is "
        ):
            rd.reduce(NET, TASK, WEIGHTS, level=level, weight_decay=decay)
    with pytest.raises(
        ValueError, match=r"`weight_decay` must be a number of at least 0, but it is "
    ):
        rd.train(NET, TASK, WEIGHTS, lr=0.1, steps=1, weight_decay=decay, progress=False)


BASES = {node: np.eye(kind.width) for node, kind in NET.nodes.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"h1_1": None}, r"`bases` must have one for every node, but 'h1_1' has none"),
        (
            {"h1_1": np.eye(29)},
            r"`bases\['h1_1'\]` must have 30 rows, as the node has units, but its shape is \(29, "
            r"29\)",
        ),
        (
            {"h2_1": 2 * np.eye(30)},
            r"`bases\['h2_1'\]` must have orthonormal columns, but they are not",
        ),
        ({"h2_1": np.eye(30)[:, [0, 1, 1]]}, r"`bases\['h2_1'\]` must have orthonormal columns"),
        ({"h2_1": np.eye(30) + 1e-8}, r"`bases\['h2_1'\]` must have orthonormal columns"),
        ({"input": np.eye(4)[0]}, r"`bases\['input'\]` must be a matrix .*its shape is \(4,\)"),
        (
            {"input": np.zeros((4, 0))},
            r"`bases\['input'\]` must be a matrix with at least one row and one column",
        ),
        ({"input": np.full((4, 4), np.nan)}, r"`bases\['input'\]` must be finite"),
    ],
)
def test_bases_that_are_none(change, message):
    bases = {node: R for node, R in {**BASES, **change}.items() if R is not None}
    with pytest.raises(ValueError, match=message):
        rd.project(NET, TASK, WEIGHTS, bases=bases)


@pytest.mark.parametrize(
    "path", [("w1_1",), ("w1_1", "w2_2"), ("w1_2", "w1_1"), (), "w1_1"], ids=str
)
def test_paths_that_are_none(path):
    for level in GATED_LEVELS:
        with pytest.raises(
            ValueError, match=r"`paths` must name paths of the network, .*but .* is none"
        ):
            rd.reduce(NET, TASK, WEIGHTS, level=level, paths=[path], inexact=True)
    with pytest.raises(
        ValueError, match=r"`paths` must name paths of the network, .*but .* is none"
    ):
        rd.train(NET, TASK, WEIGHTS, lr=0.1, steps=1, paths=[path], progress=False)
    for name, options in (("paths", {"paths": [path]}), ("given", {"given": {path: np.eye(2)}})):
        with pytest.raises(
            ValueError, match=rf"`{name}` must name paths of the network, .*but .* is none"
        ):
            rd.statistics(NET, TASK, **options)


def test_paths_are_not_passed_over_at_level_pathway():
    with pytest.raises(ValueError, match=r"`paths`"):
        rd.reduce(NET, TASK, WEIGHTS, level="pathway", paths=[("w1_1", "w2_2")])


def test_statistics_answer_for_their_own_paths_and_maps_of_their_shape():
    found = rd.statistics(NET, TASK, paths=[("w1_1", "w1_2")])
    for ask in (found.sigma_yx, found.strengths, lambda path: found.sigma_x(path, path)):
        with pytest.raises(
            ValueError,
            match=r"`path` must be a path of these statistics, but \('w2_1', 'w2_2'\) is none",
        ):
            ask(("w2_1", "w2_2"))
    with pytest.raises(
        ValueError, match=r"given\[\('w1_1', 'w1_2'\)\]` must have shape \(7, 4\), .*\(4, 7\)"
    ):
        rd.statistics(NET, TASK, given={("w1_1", "w1_2"): np.ones((4, 7))})


def ladder(steps):
    """Two edges from each node to the next: 2^steps paths."""
    nodes = {f"n{i}": 1 for i in range(steps + 1)}
    return rd.Network(
        nodes, {f"e{i}{c}": (f"n{i}", f"n{i + 1}") for i in range(steps) for c in "ab"}
    )


MANY = ladder(17)
ONE = rd.Task({"n0": [[1.0]]}, {"n17": [[1.0]]})
UNITS = {edge: np.ones((1, 1)) for edge in MANY.edges}


def test_too_many_paths_are_counted_and_refused():
    count = r"This network has 131072 paths, more than the 100000 that can be listed one by one"
    assert MANY.num_paths == 2**17
    with pytest.raises(ValueError, match=count):
        MANY.paths()
    with pytest.raises(ValueError, match=count):
        rd.statistics(MANY, ONE)
    # The flow itself lists none.
    flow = rd.reduce(MANY, ONE, UNITS, level="full")
    assert flow.reading.paths == () and flow.validity.exact
    loss = flow.observe(jnp.asarray(0.0), flow.y0())["loss"]
    assert float(loss) == pytest.approx((2**17 - 1) ** 2 / 2, rel=1e-14)


@pytest.mark.parametrize("paths", [(), [tuple(f"e{i}a" for i in range(17))]], ids=["none", "one"])
def test_few_paths_of_too_many_can_be_asked_for(paths):
    assert len(rd.reduce(MANY, ONE, UNITS, level="full", paths=paths).reading.paths) == len(paths)


LOOSE = rd.Network(
    {"x": 2, "z": 2, "y": 1, "w": 1},
    {"xy": ("x", "y"), "xw": ("x", "w"), "zy": ("z", "y"), "zw": ("z", "w")},
)
# z is silent where w has targets, and x where y has.
APART = rd.Task(
    {"x": [[1.0, 0, 0, 0], [0, 1, 0, 0]], "z": [[0.0, 0, 1, 0], [0, 0, 0, 1]]},
    {"y": [[0.0, 0, 1, 2]], "w": [[1.0, 3, 0, 0]]},
)


@pytest.mark.parametrize("level", ["matrix", "full"])
def test_paths_between_nodes_without_correlation_are_left_out_or_named(level):
    """They have no modes in which a strength could be read."""
    flow = rd.reduce(LOOSE, APART, gaussian(LOOSE), level=level)
    assert flow.reading.paths == (("xw",), ("zy",))
    assert flow.observe(jnp.asarray(0.0), flow.y0())["strength"].shape == (2, 1)
    with pytest.raises(
        ValueError, match=r"`paths` must join nodes that are correlated, but \('x', 'y'\) are not"
    ):
        rd.reduce(LOOSE, APART, gaussian(LOOSE), level=level, paths=[("xw",), ("xy",)])


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_to_learn_is_named(level):
    task = rd.tasks.from_arrays(np.eye(4), np.zeros((7, 4)))
    with pytest.raises(ValueError, match=r"`targets` must be correlated with the inputs"):
        rd.reduce(NET, task, WEIGHTS, level=level, inexact=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rd.Network({}, {}), r"`edges` must name at least one edge"),
        (
            lambda: rd.Network({"x": 1, "y": 1}, {"w": ("x", "y")}, node_gates={"y": ["on"]}),
            r"`node_gates\['y'\]` must be an array of numbers, but it holds text",
        ),
        (
            lambda: rd.reduce(NET, TASK, WEIGHTS, level="full", stages=("w1_1",)),
            r"`stages` must be groups of edges, but it holds the single name 'w1_1'",
        ),
        (
            lambda: rd.Task({"x": np.eye(2)}, {"y": np.eye(2)}, [0, -1]),
            r"at least 0, one per example.*, and it holds -1",
        ),
        (
            lambda: rd.statistics(NET, TASK, given={("a",): np.eye(4)}),
            r"`given` must name paths of the network",
        ),
        (
            lambda: rd.project(NET, TASK, WEIGHTS, bases={"nobody": np.eye(4)}),
            r"`bases` must be one of .*, but it is 'nobody'",
        ),
    ],
)
def test_inputs_of_the_wrong_kind(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
