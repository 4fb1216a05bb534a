"""Sharing: matrices that symmetry keeps equal are one state, and nothing else about the flow
changes.
"""

import itertools

import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

import racedyn as rd
from gated_examples import ROUTE_TARGETS, random_problem, routing
from racedyn.reduction.validity import rounding
from racedyn.systems.gated import door
from racedyn.systems.gated.condensed import condense, condense_modes
from racedyn.systems.gated.symmetry import share
from racedyn.systems.gated.wiring import wire

TOLERANCE = rounding(np.float64)
ALL_EQUAL = {
    "in0": "in",
    "in1": "in",
    "in2": "in",
    "hidden": "hidden",
    "out0": "out",
    "out1": "out",
    "out2": "out",
}


def shared(network, condensed, weights, stages=()):
    """The wiring with and without sharing, and who stands for whom."""
    plain = wire(network, condensed)
    return plain, *share(
        plain, {edge: np.asarray(w) for edge, w in weights.items()}, stages, TOLERANCE
    )


def by_hand(wiring, weights):
    """Edge -> dW/dt, and the loss above its floor: product by product, as `Wiring` has it; a last
    axis of modes stays.
    """
    names, rows = list(wiring.edges), len(wiring.layer_of_row)
    W = [weights[names[edge]] for edge in wiring.edge_of]
    into, out_of, behind = ([[] for _ in range(rows)] for _ in range(3))
    for row, product, g in zip(*wiring.arrive, strict=True):
        into[row].append((product, g))
    for product, row, g in zip(*wiring.depart, strict=True):
        out_of[row].append((product, g))
    for row, product, g in zip(*wiring.back, strict=True):
        behind[row].append((product, g))

    h, wanted = [], {}
    for index, (X, Y) in enumerate(zip(wiring.inputs, wiring.targets, strict=True)):
        for place, row in enumerate(np.flatnonzero(wiring.layer_of_row == index)):
            carried = (
                g * np.einsum("ts...,s...->t...", W[p], h[wiring.row_of[p]]) for p, g in into[row]
            )
            h.append(sum(carried) if X is None else X[place])
        own = wiring.target_rows[wiring.layer_of_row[wiring.target_rows] == index]
        wanted |= dict(zip(own, [] if Y is None else Y, strict=True))

    loss, missed = 0.0, {}
    for row, weight, count in zip(wiring.target_rows, wiring.weights, wiring.counts, strict=True):
        missed[row] = weight * (wanted[row] - h[row])
        loss += 0.5 * weight * count * np.sum((wanted[row] - h[row]) ** 2)
    error = [0.0] * len(W)
    for row in reversed(range(rows)):
        sent = (g * np.einsum("ts...,t...->s...", W[p], error[p]) for p, g in behind[row])
        total = sum(sent, start=missed.get(row, np.zeros_like(h[row])))
        for p, g in out_of[row]:
            error[p] = error[p] + g * total
    field = {name: np.zeros_like(weights[name]) for name in names}
    for p, edge in enumerate(wiring.edge_of):
        field[names[edge]] += wiring.multiplicity[p] * np.einsum(
            "t...,s...->ts...", error[p], h[wiring.row_of[p]]
        )
    return field, loss


def parts(stands_for):
    """The partition of edges, as a set of sets."""
    return {
        frozenset(e for e, o in stands_for.items() if o == other) for other in stands_for.values()
    }


def partition(*groups):
    return {frozenset(group.split()) for group in groups}


def assert_nothing_else_changes(network, condensed, weights, atol=1e-13):
    """The field and the loss of the shared wiring, expanded, are those of the plain one."""
    plain, small, stands_for = shared(network, condensed, weights)
    before, loss_before = by_hand(plain, weights)
    few, loss_after = by_hand(small, weights)
    after = {edge: few[other] for edge, other in stands_for.items()}
    assert few.keys() == set(stands_for.values())
    for edge in network.edges:
        np.testing.assert_allclose(after[edge], before[edge], atol=atol, err_msg=edge)
    assert loss_after == pytest.approx(loss_before, rel=1e-13)
    assert max(np.abs(f).max() for f in before.values()) > 1e-3
    return after, stands_for


def equal_weights(network, seed, colours, lanes=()):
    """Random weights, equal within a colour."""
    rng = np.random.default_rng(seed)
    drawn = {}
    for edge, colour in colours.items():
        drawn.setdefault(colour, 0.6 * rng.standard_normal((*network.shape(edge), *lanes)))
    return {edge: drawn[colour] for edge, colour in colours.items()}


def gradient_of_routes(task, weights):
    """dL/dW of a three-layer routing, route by route, each open in its own context alone."""
    found, domains = {edge: np.zeros_like(w) for edge, w in weights.items()}, len(task.inputs)
    for i, j in itertools.product(range(domains), repeat=2):
        at = task.context == i * domains + j
        first, hidden, last = (weights[edge] for edge in (f"in{i}", "hidden", f"out{j}"))
        x, y = task.inputs[f"x{i}"][:, at], task.targets[f"y{j}"][:, at]
        error = (last @ hidden @ first @ x - y) / task.num_examples
        found[f"out{j}"] += error @ (hidden @ first @ x).T
        found["hidden"] += last.T @ error @ (first @ x).T
        found[f"in{i}"] += (last @ hidden).T @ error @ x.T
    return found


@pytest.mark.parametrize("trained", [3, 2], ids=["all routes", "circulant"])
@settings(max_examples=8)
@given(seed=st.integers(0, 2**16))
def test_routing_has_three_distinct_matrices(trained, seed):
    """Of any shape; the field is minus the gradient, which knows of no wiring."""
    network, task = routing(3, trained, width=5)
    weights = equal_weights(network, seed, ALL_EQUAL)
    found, stands_for = assert_nothing_else_changes(network, condense(network, task), weights)
    assert parts(stands_for) == partition("in0 in1 in2", "hidden", "out0 out1 out2")
    for edge, gradient in gradient_of_routes(task, weights).items():
        np.testing.assert_allclose(found[edge], -gradient, atol=1e-13)


def thin_routing(trained):
    """The routing mode by mode, as at the level "modes": all widths 1, a last axis of modes."""
    network, task = routing(3, trained)
    modes = task.pair_modes("x0", "y0")
    frames = {**{f"x{i}": modes.V for i in range(3)}, **{f"y{i}": modes.U for i in range(3)}}
    thin = rd.Network(
        dict.fromkeys(network.nodes, 1),
        dict(network.edges),
        node_gates=network.node_gates,
        num_contexts=9,
    )
    return thin, condense_modes(thin, condense(network, task), frames)


@pytest.mark.parametrize("trained", [3, 2], ids=["all routes", "circulant"])
@settings(max_examples=8)
@given(seed=st.integers(0, 2**16))
def test_so_has_routing_mode_by_mode(trained, seed):
    network, condensed = thin_routing(trained)
    weights = equal_weights(network, seed, ALL_EQUAL, lanes=(4,))
    found, stands_for = assert_nothing_else_changes(network, condensed, weights)
    assert parts(stands_for) == partition("in0 in1 in2", "hidden", "out0 out1 out2")
    # [Saxe22] sec. 5, mean over the K M trained routes: tau db2/dt = b1 b3 (s - d b1 b2 b3), tau
    # db1/dt = 1/M of b2 b3 (...).
    b1, b2, b3 = (weights[edge][0, 0] for edge in ("in0", "hidden", "out0"))
    s, d = np.linalg.svd(ROUTE_TARGETS, compute_uv=False) / 4, 1 / 4
    np.testing.assert_allclose(found["hidden"][0, 0], b1 * b3 * (s - d * b1 * b2 * b3), atol=1e-13)
    np.testing.assert_allclose(found["in1"][0, 0], b2 * b3 * (s - d * b1 * b2 * b3) / 3, atol=1e-13)


def test_equal_matrices_stay_equal():
    """Step after step of a descent: the three go where the seven go."""
    network, condensed = thin_routing(2)
    alone = {edge: np.full((1, 1, 4), 0.8) for edge in network.edges}
    plain, small, stands_for = shared(network, condensed, alone)
    together = {edge: w.copy() for edge, w in alone.items()}
    losses = []
    for _ in range(300):
        few, loss = by_hand(small, together)
        together = {edge: w + 0.03 * few[stands_for[edge]] for edge, w in together.items()}
        every, plain_loss = by_hand(plain, alone)
        alone = {edge: w + 0.03 * every[edge] for edge, w in alone.items()}
        losses.append((loss, plain_loss))
    for edge in network.edges:
        np.testing.assert_allclose(together[edge], alone[edge], atol=1e-12)
    np.testing.assert_allclose(*np.transpose(losses), atol=1e-12)
    assert losses[-1][0] < 0.1 * losses[0][0]


@pytest.mark.parametrize("level", ["modes", "matrix", "full"])
def test_aligned_routing_is_a_flow_of_three_matrices(level, monkeypatch):
    """As `reduce` puts it together: the same field and loss as without sharing."""
    network, task = routing(3, 3)
    weights = aligned(network, task.pair_modes("x0", "y0"))
    flow = rd.reduce(network, task, weights, level=level, paths=())
    monkeypatch.setattr(
        door, "share", lambda wiring, *_: (wiring, {edge: edge for edge in wiring.edges})
    )
    whole = rd.reduce(network, task, weights, level=level, paths=())
    assert [sum(len(stack) for stack in f.y0()) for f in (flow, whole)] == [3, 7]
    before, after = (
        f.matrices(f.vector_field(jnp.asarray(0.0), f.y0(), None)) for f in (whole, flow)
    )
    assert after.keys() == network.edges.keys()
    for edge in network.edges:
        np.testing.assert_allclose(after[edge], before[edge], atol=1e-13)
        assert np.abs(after[edge]).max() > 1e-3
    before, after = (float(f.observe(jnp.asarray(0.0), f.y0())["loss"]) for f in (whole, flow))
    assert after == pytest.approx(before, rel=1e-13)


def aligned(network, modes, scale=0.4):
    """Strength `scale` in every mode; inner directions are the first units."""
    frames = {node: np.eye(kind.width)[:, : modes.num] for node, kind in network.nodes.items()}
    frames |= {
        node: modes.V if node in network.inputs else modes.U
        for node in (*network.inputs, *network.outputs)
    }
    return {
        edge: scale * frames[target] @ frames[source].T
        for edge, (source, target) in network.edges.items()
    }


def test_unequal_weights_share_nothing():
    network, task = routing(3, 3, width=5)
    weights = equal_weights(network, 0, {edge: edge for edge in network.edges})
    plain, small, stands_for = shared(network, condense(network, task), weights)
    assert small is plain and stands_for == {edge: edge for edge in network.edges}


@pytest.mark.parametrize(
    ("off", "distinct"), [(1e-13, 3), (1e-9, 5)], ids=["rounding", "a difference"]
)
def test_differences_above_rounding_are_differences(off, distinct):
    """One first matrix apart leaves the other two alike, and the output matrices, which all meet
    all three.
    """
    network, task = routing(3, 3, width=5)
    weights = equal_weights(network, 0, ALL_EQUAL)
    weights["in1"] = weights["in1"] * (1 + off)
    _, _, stands_for = shared(network, condense(network, task), weights)
    expected = {
        3: partition("in0 in1 in2", "hidden", "out0 out1 out2"),
        5: partition("in0 in2", "in1", "hidden", "out0 out1 out2"),
    }
    assert parts(stands_for) == expected[distinct]


def with_targets(task, change):
    targets = {node: Y.copy() for node, Y in task.targets.items()}
    change(targets, task.context)
    return rd.Task(
        dict(task.inputs), targets, task.context, task.num_contexts, bases=dict(task.bases)
    )


def test_one_target_splits_the_ends_of_its_route():
    """What route 0 -> 1 alone must learn sets apart the first matrix 0 and the last matrix 1; 1 and
    2, 0 and 2 can swap.
    """
    network, task = routing(3, 3, width=5)

    def change(targets, context):
        targets["y1"][0, np.flatnonzero(context == 1)[0]] += 0.25

    weights = equal_weights(network, 1, ALL_EQUAL)
    _, stands_for = assert_nothing_else_changes(
        network, condense(network, with_targets(task, change)), weights
    )
    assert parts(stands_for) == partition("in0", "in1 in2", "hidden", "out1", "out0 out2")


@pytest.mark.parametrize("node", ["x0", "y1"])
def test_one_gate_splits_the_ends_of_its_route(node):
    network, task = routing(3, 3, width=5)
    tables = {name: table.copy() for name, table in network.node_gates.items()}
    tables[node][1] = 0.5  # of context 1, the route 0 -> 1
    other = rd.Network(dict(network.nodes), dict(network.edges), node_gates=tables, num_contexts=9)
    weights = equal_weights(network, 1, ALL_EQUAL)
    _, stands_for = assert_nothing_else_changes(other, condense(other, task), weights)
    assert parts(stands_for) == partition("in0", "in1 in2", "hidden", "out1", "out0 out2")


def test_a_gate_without_examples_splits_nothing():
    network, task = routing(3, 2, width=5)
    assert not np.any(task.context == 2)
    tables = {
        **network.node_gates,
        "x0": network.node_gates["x0"] * np.where(np.arange(9) == 2, 0.5, 1.0),
    }
    other = rd.Network(dict(network.nodes), dict(network.edges), node_gates=tables, num_contexts=9)
    weights = equal_weights(network, 1, ALL_EQUAL)
    _, stands_for = assert_nothing_else_changes(other, condense(other, task), weights)
    assert parts(stands_for) == partition("in0 in1 in2", "hidden", "out0 out1 out2")


def test_a_route_less_splits_the_routing():
    """Without route 0 -> 1 the domains are as in the test of one target."""
    network, task = routing(3, 3, width=5)
    kept = task.context != 1
    fewer = rd.Task(
        {x: X[:, kept] for x, X in task.inputs.items()},
        {y: Y[:, kept] for y, Y in task.targets.items()},
        task.context[kept],
        9,
    )
    _, stands_for = assert_nothing_else_changes(
        network, condense(network, fewer), equal_weights(network, 1, ALL_EQUAL)
    )
    assert parts(stands_for) == partition("in0", "in1 in2", "hidden", "out1", "out0 out2")


def pathways(task, names, width=5):
    """Identical two-layer pathways, and their equal weights."""
    edges = {
        f"{name}{i}": ends
        for name in names
        for i, ends in ((1, ("input", name)), (2, (name, "output")))
    }
    network = rd.Network(
        {"input": task.X.shape[0], **dict.fromkeys(names, width), "output": task.Y.shape[0]}, edges
    )
    return network, equal_weights(network, 0, {edge: edge[1] for edge in edges})


def test_stages_split_what_they_train_apart():
    task = rd.tasks.hierarchy(4)
    network, weights = pathways(task, "abc")
    stages = (("a1", "a2", "b1", "b2"), ("c1", "c2"))
    condensed = condense(network, task)
    assert parts(shared(network, condensed, weights)[2]) == partition("a1 b1 c1", "a2 b2 c2")
    assert parts(shared(network, condensed, weights, stages)[2]) == partition(
        "a1 b1", "a2 b2", "c1", "c2"
    )
    flow = rd.reduce(network, task, weights, level="full", stages=stages)
    found = flow.matrices(flow.vector_field(jnp.asarray(0.0), flow.y0(), None))
    # Two pathways descend what the two leave, the third what all three do.
    first, second = weights["a1"], weights["a2"]
    for pathway, sharing in (("a", 2), ("b", 2), ("c", 3)):
        error = task.sigma_yx() - sharing * second @ first @ task.sigma_x()
        np.testing.assert_allclose(found[f"{pathway}1"], second.T @ error, atol=1e-13)
        np.testing.assert_allclose(found[f"{pathway}2"], error @ first.T, atol=1e-13)


@pytest.mark.parametrize("number", [2, 5])
def test_identical_pathways_count_as_many_times(number):
    """Their sum arrives at the output as one product taken so many times; each of them is moved by
    its error once.
    """
    task = rd.tasks.hierarchy(4)
    network, weights = pathways(task, "abcde"[:number])
    plain, small, stands_for = shared(network, condense(network, task), weights)
    assert parts(stands_for) == partition(
        *(" ".join(f"{name}{i}" for name in "abcde"[:number]) for i in (1, 2))
    )
    assert len(small.edges) == 2 and len(small.row_of) == 8 == len(plain.row_of) / number
    np.testing.assert_array_equal(small.multiplicity, 1)
    np.testing.assert_array_equal(small.counts, 1)
    at_output = small.layer_of_row[small.arrive.to] == len(small.layers) - 1
    np.testing.assert_array_equal(small.arrive.coefficient, np.where(at_output, number, 1))
    np.testing.assert_array_equal(small.depart.coefficient, 1)
    found, _ = assert_nothing_else_changes(network, condense(network, task), weights)
    first, second = weights["a1"], weights["a2"]
    error = task.sigma_yx() - number * second @ first @ task.sigma_x()
    for name in "abcde"[:number]:
        np.testing.assert_allclose(found[f"{name}1"], second.T @ error, atol=1e-13)


def test_multiplicities_of_the_routing():
    """M^2 routes end in one row per item; M rows of the hidden matrix are alike, M errors come back
    to each.
    """
    domains = 4
    network, task = routing(domains, domains, width=5)
    colours = {edge: edge.rstrip("0123") for edge in network.edges}
    _, small, _ = shared(network, condense(network, task), equal_weights(network, 0, colours))
    names = list(small.edges)
    assert [name.rstrip("0123") for name in names] == ["in", "hidden", "out"]
    for name, multiplicity in zip(names, (1, domains, domains), strict=True):
        mine = small.edge_of == names.index(name)
        np.testing.assert_array_equal(small.multiplicity[mine], np.full(4, multiplicity))
    np.testing.assert_array_equal(small.counts, np.full(4, domains**2))
    np.testing.assert_allclose(small.weights, np.full(4, 1 / (4 * domains**2)), rtol=1e-15)
    into = small.back.coefficient[
        np.isin(small.back.at, np.flatnonzero(small.edge_of == names.index(names[2])))
    ]
    np.testing.assert_array_equal(into, np.full(4, domains))


GRAPHS = [3, 5, 8, 13, 21, 34]


def copies(seed, number, apart):
    """`number` copies of a random problem, with `apart` their inner nodes, inputs or outputs, or
    edges alone, own.
    """
    network, task, weights = random_problem(seed)
    own = {
        "edges": set(),
        "inner nodes": set(network.nodes) - {*network.inputs, *network.outputs},
        "all but inputs": set(network.nodes) - set(network.inputs),
        "all but outputs": set(network.nodes) - set(network.outputs),
    }[apart]
    many = range(number)

    def name(node, i):
        return f"{node}_{i}" if node in own else node

    def spread(tables):
        return {name(node, i): table for node, table in tables.items() for i in many}

    copied = rd.Network(
        spread(network.nodes),
        {
            f"{edge}_{i}": (name(a, i), name(b, i))
            for edge, (a, b) in network.edges.items()
            for i in many
        },
        node_gates=spread(network.node_gates),
        edge_gates={
            f"{edge}_{i}": table for edge, table in network.edge_gates.items() for i in many
        },
        num_contexts=network.num_contexts,
    )
    whole = rd.Task(spread(task.inputs), spread(task.targets), task.context, task.num_contexts)
    return (
        copied,
        whole,
        {f"{edge}_{i}": np.asarray(w) for edge, w in weights.items() for i in many},
    )


@pytest.mark.parametrize("apart", ["edges", "inner nodes", "all but inputs", "all but outputs"])
@settings(max_examples=4)
@given(seed=st.sampled_from(GRAPHS), number=st.sampled_from([2, 3]))
def test_copies_of_any_gated_graph_cost_what_one_costs(apart, seed, number):
    network, task, weights = copies(seed, number, apart)
    scale = max(float(np.abs(Y).max()) for Y in task.targets.values()) * number**3
    _, stands_for = assert_nothing_else_changes(
        network, condense(network, task), weights, atol=1e-13 * scale
    )
    one = {edge: f"{edge.rsplit('_', 1)[0]}_0" for edge in network.edges}
    assert parts(stands_for) == parts(one)


def test_targets_that_differ_are_not_made_equal_by_single_precision():
    """The level "full" is exact: what a weight's derivative is does not depend on the precision it
    came in.
    """
    network = rd.Network(
        {"x": 1, "a": 3, "b": 3, "y": 1, "z": 1},
        {"a1": ("x", "a"), "a2": ("a", "y"), "b1": ("x", "b"), "b2": ("b", "z")},
    )
    task = rd.Task({"x": [[1.0]]}, {"y": [[1.0]], "z": [[1.0004]]})
    rng = np.random.default_rng(0)
    first, second = (rng.standard_normal(shape).astype(np.float32) for shape in ((3, 1), (1, 3)))
    flow = rd.reduce(
        network, task, {"a1": first, "a2": second, "b1": first, "b2": second}, level="full"
    )
    found = flow.matrices(flow.vector_field(jnp.asarray(0.0), flow.y0(), None))
    assert flow.validity.exact
    np.testing.assert_allclose(found["b2"] - found["a2"], 0.0004 * first.T, rtol=1e-6)


def test_weights_that_differ_are_not_made_equal_by_single_precision():
    """A lead of 1e-4 decides a race of depth 4; float32 holds it."""
    task = rd.tasks.hierarchy(4)
    network, weights = pathways(task, "ab")
    weights = {edge: np.asarray(w, np.float32) for edge, w in weights.items()}
    weights |= {edge: weights[edge] * np.float32(1 + 1e-4) for edge in ("b1", "b2")}
    flow = rd.reduce(network, task, weights, level="full")
    assert sum(len(stack) for stack in flow.y0()) == 4
