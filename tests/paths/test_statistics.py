"""Path statistics: what they are by definition, how few of them are formed, and the identities that
theory derives.
"""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import racedyn as rd
from gated_examples import ROUTE_TARGETS, correlated_task, routing
from racedyn.paths.statistics import overlaps

PAIR = ("input", "output")


def gated_problem(seed, contexts=4, examples=17):
    """Two inputs, two outputs, two inner layers, skips of every kind, a double edge; real gates on
    nodes and edges.
    """
    rng = np.random.default_rng(seed)
    nodes = {"x0": 3, "x1": 2, "h": 4, "k": 3, "y0": 2, "y1": 3}
    edges = {
        "a": ("x0", "h"),
        "b": ("x1", "h"),
        "c": ("h", "k"),
        "d": ("k", "y0"),
        "e": ("k", "y1"),
        "again": ("k", "y1"),
        "h to y0": ("h", "y0"),
        "x0 to k": ("x0", "k"),
        "x0 to y0": ("x0", "y0"),
        "x1 to y1": ("x1", "y1"),
    }
    values = np.array([0.0, 1.0, 0.5, -1.3])
    network = rd.Network(
        nodes,
        edges,
        node_gates={node: rng.choice(values, contexts) for node in nodes},
        edge_gates={edge: rng.choice(values, contexts) for edge in edges if rng.random() < 0.6},
        num_contexts=contexts,
    )
    task = rd.Task(
        {x: rng.standard_normal((nodes[x], examples)) for x in ("x0", "x1")},
        {y: rng.standard_normal((nodes[y], examples)) for y in ("y0", "y1")},
        rng.integers(0, contexts, examples),
        contexts,
    )
    return network, task


def gates_of(network, task, path):
    """g_p of each example: the product of all node and edge gates on the path, ends included."""
    nodes = [network.edges[path[0]][0], *(network.edges[edge][1] for edge in path)]
    tables = [network.node_gates[node] for node in nodes if node in network.node_gates]
    tables += [network.edge_gates[edge] for edge in path if edge in network.edge_gates]
    return np.array([np.prod([table[context] for table in tables]) for context in task.context])


def by_definition(network, task):
    """Sigma_yx(p) = < g_p y x_p^T > and Sigma_x(j,p) = < g_j x_j x_p^T g_p >, example by
    example.
    """
    gates = {path: gates_of(network, task, path) for path in network.paths()}
    ends = {path: network.ends(path) for path in gates}
    yx, xx = {}, {}
    for p, g_p in gates.items():
        x, y = task.inputs[ends[p][0]], task.targets[ends[p][1]]
        yx[p] = (
            sum(g_p[n] * np.outer(y[:, n], x[:, n]) for n in range(task.num_examples))
            / task.num_examples
        )
        for j, g_j in gates.items():
            if ends[j][1] == ends[p][1]:
                z = task.inputs[ends[j][0]]
                terms = (
                    g_j[n] * g_p[n] * np.outer(z[:, n], x[:, n]) for n in range(task.num_examples)
                )
                xx[j, p] = sum(terms) / task.num_examples
    return yx, xx


@settings(max_examples=12)
@given(st.integers(0, 2**16))
def test_statistics_are_means_over_examples_of_products_of_gates(seed):
    network, task = gated_problem(seed)
    found = rd.statistics(network, task)
    yx, xx = by_definition(network, task)
    assert found.paths == network.paths() and len(yx) == 13
    for j, p in ((j, p) for j in yx for p in yx):
        np.testing.assert_allclose(found.sigma_yx(p), yx[p], atol=1e-14)
        shape = (task.inputs[network.ends(j)[0]].shape[0], task.inputs[network.ends(p)[0]].shape[0])
        np.testing.assert_allclose(found.sigma_x(j, p), xx.get((j, p), np.zeros(shape)), atol=1e-14)
    assert all(np.any(found.sigma_yx(p)) == np.any(gates_of(network, task, p)) for p in yx)


def test_some_paths_have_the_statistics_they_have_among_all():
    network, task = gated_problem(3)
    some = network.paths()[2:9:3]
    found, among_all = rd.statistics(network, task, paths=some), rd.statistics(network, task)
    assert found.paths == some
    for p in some:
        np.testing.assert_array_equal(found.sigma_yx(p), among_all.sigma_yx(p))
        for j in some:
            np.testing.assert_array_equal(found.sigma_x(j, p), among_all.sigma_x(j, p))


@settings(max_examples=8)
@given(st.integers(0, 2**16))
def test_a_context_split_in_two_of_equal_gates_changes_nothing(seed):
    network, task = gated_problem(seed)
    last = network.num_contexts
    split = rd.Network(
        dict(network.nodes),
        dict(network.edges),
        node_gates={node: np.append(table, table[1]) for node, table in network.node_gates.items()},
        edge_gates={edge: np.append(table, table[1]) for edge, table in network.edge_gates.items()},
        num_contexts=last + 1,
    )
    of_one = np.flatnonzero(task.context == 1)
    context = task.context.copy()
    context[of_one[::2]] = last
    other = rd.Task(dict(task.inputs), dict(task.targets), context, last + 1)
    whole, parts = rd.statistics(network, task), rd.statistics(split, other)
    assert whole.class_of == parts.class_of and whole.xx.keys() == parts.xx.keys()
    for one, other in zip(whole.classes, parts.classes, strict=True):
        np.testing.assert_array_equal(
            one.groups, other.groups, err_msg="the two halves are one group"
        )
    for p in network.paths():
        np.testing.assert_allclose(parts.sigma_yx(p), whole.sigma_yx(p), atol=1e-15)
        for j in network.paths():
            np.testing.assert_allclose(parts.sigma_x(j, p), whole.sigma_x(j, p), atol=1e-15)


def test_classes_are_ends_and_gates_whatever_carries_them():
    task = rd.tasks.hierarchy(4)
    assert len(rd.statistics(rd.networks.parallel(task, (3, 1, 2), 5), task).classes) == 1
    doubled = rd.Task(
        {"input": np.tile(task.X, 2)}, {"output": np.tile(task.Y, 2)}, np.repeat([0, 1], 4)
    )
    edges = {
        f"{name}{i}": ends
        for name in "abcd"
        for i, ends in ((1, ("input", name)), (2, (name, "output")))
    }
    network = rd.Network(
        {"input": 4, **dict.fromkeys("abcd", 3), "output": 7},
        edges,
        node_gates={"a": [1, 0.5], "c": [0.5, 1], "d": [1, 0]},
        edge_gates={"b2": [2, 0.25], "b1": [0.5, 2]},
        num_contexts=2,
    )
    found = rd.statistics(network, doubled)
    a, b, c, d = network.paths()
    assert found.class_of[a] == found.class_of[b], (
        "equal products of gates, by a node here and by two edges there"
    )
    assert len({found.class_of[path] for path in (a, c, d)}) == len(found.classes) == 3
    assert (
        len({found.class_of[path] for path in (a, c, d)}) == len(found.classes) == 3
        and len(found.xx) == 9
    )
    np.testing.assert_array_equal(found.sigma_x(a, d), found.sigma_x(b, d))
    # Both halves of the examples are alike, so gates come out as plain means: g_p, g_p^2 and g_a
    # g_d.
    np.testing.assert_allclose(found.sigma_yx(a), 0.75 * task.sigma_yx(), atol=1e-15)
    np.testing.assert_allclose(found.sigma_x(c, c), (0.25 + 1) / 2 * task.sigma_x(), atol=1e-15)
    np.testing.assert_allclose(found.sigma_x(a, d), 0.5 * task.sigma_x(), atol=1e-15)


def test_contexts_without_examples_count_for_nothing():
    task = rd.tasks.hierarchy(4)
    network = rd.Network(
        {"input": 4, "a": 3, "b": 3, "output": 7},
        {"a1": ("input", "a"), "a2": ("a", "output"), "b1": ("input", "b"), "b2": ("b", "output")},
        node_gates={"a": [1, 0, 1], "b": [0, 1, 1]},
        num_contexts=3,
    )
    some = rd.Task(dict(task.inputs), dict(task.targets), [0, 0, 1, 1], 3)
    found = rd.statistics(network, some)
    a, b = network.paths()
    assert found.class_of[a] != found.class_of[b]
    assert len(found.xx) == 2, "they are open together in context 2 alone, which has no examples"
    np.testing.assert_array_equal(found.sigma_x(a, b), np.zeros((4, 4)))
    np.testing.assert_allclose(found.sigma_x(a, a), np.diag([0.25, 0.25, 0, 0]), atol=1e-16)


def test_given_paths_leave_their_residual():
    network, task = gated_problem(5)
    rng = np.random.default_rng(0)
    paths = [network.paths()[i] for i in (0, 3, 7)]
    maps, targets = {}, {node: Y.copy() for node, Y in task.targets.items()}
    for path in paths:
        source, target = network.ends(path)
        W = maps[path] = rng.standard_normal(
            (task.targets[target].shape[0], task.inputs[source].shape[0])
        )
        targets[target] -= gates_of(network, task, path) * (W @ task.inputs[source])
    found = rd.statistics(network, task, given=maps)
    by_hand = rd.statistics(
        network, rd.Task(dict(task.inputs), targets, task.context, task.num_contexts)
    )
    plain = rd.statistics(network, task)
    for p in network.paths():
        np.testing.assert_allclose(found.sigma_yx(p), by_hand.sigma_yx(p), atol=1e-14)
        np.testing.assert_array_equal(found.sigma_x(p, p), plain.sigma_x(p, p))
    assert max(np.abs(found.sigma_yx(p) - plain.sigma_yx(p)).max() for p in network.paths()) > 0.1
    for node, Y in gated_problem(5)[1].targets.items():
        np.testing.assert_array_equal(
            task.targets[node], Y, err_msg="the task itself is left as it was"
        )


def test_a_path_at_its_least_squares_leaves_nothing_of_its_own():
    network, task = gated_problem(1)
    plain = rd.statistics(network, task)
    path = next(p for p in network.paths() if np.unique(gates_of(network, task, p)).size > 2)
    source, target = network.ends(path)
    W, gate = plain.least_squares(path), gates_of(network, task, path)
    fit, *_ = np.linalg.lstsq((gate * task.inputs[source]).T, task.targets[target].T)
    np.testing.assert_allclose(W, fit.T, atol=1e-12)
    np.testing.assert_allclose(
        rd.statistics(network, task, given={path: W}).sigma_yx(path), 0, atol=1e-14
    )
    assert np.abs(plain.sigma_yx(path)).max() > 0.05


def contextual(contexts, items=8):
    """[Jarvis25] App. F: properties common to all contexts, and as many of each context's own,
    equal in structure.

    Two input nodes, items and contexts, feed the common pathway; pathway p sees items and is off in
    context p."""
    Y = rd.tasks.hierarchy(items).Y
    own = [np.kron(np.eye(contexts)[c], Y) for c in range(contexts)]
    task = rd.Task(
        {
            "item": np.tile(np.eye(items), contexts),
            "context": np.kron(np.eye(contexts), np.ones((1, items))),
        },
        {"output": np.concatenate([np.tile(Y, contexts), *own])},
        np.repeat(np.arange(contexts), items),
        name="contextual",
    )
    each = range(contexts)
    network = rd.Network(
        {
            "item": items,
            "context": contexts,
            "common": 9,
            **{f"h{p}": 7 for p in each},
            "output": len(Y) * (contexts + 1),
        },
        {
            **{
                "item in": ("item", "common"),
                "context in": ("context", "common"),
                "common out": ("common", "output"),
            },
            **{f"in{p}": ("item", f"h{p}") for p in each},
            **{f"out{p}": (f"h{p}", "output") for p in each},
        },
        node_gates={f"h{p}": (np.arange(contexts) != p).astype(float) for p in each},
        num_contexts=contexts,
    )
    return network, task


COMMON = [("item in", "common out"), ("context in", "common out")]


def converged_common_pathway(task):
    """W* = Sigma_yx Sigma_x^+ of items and contexts together, block by block."""
    items = task.inputs["item"].shape[0]
    X, Y = np.concatenate([task.inputs["item"], task.inputs["context"]]), task.targets["output"]
    sigma_x = X @ X.T / task.num_examples
    assert np.linalg.matrix_rank(sigma_x) == len(X) - 1
    W = Y @ X.T / task.num_examples @ np.linalg.pinv(sigma_x, hermitian=True)
    return dict(zip(COMMON, (W[:, :items], W[:, items:]), strict=True))


@pytest.mark.parametrize("contexts", [3, 4, 5])
def test_contexts_that_are_alike_overlap_by_minus_one_over_their_number_less_one(contexts):
    network, task = contextual(contexts)
    items = task.inputs["item"].shape[0]
    own = [(f"in{p}", f"out{p}") for p in range(contexts)]
    found = rd.statistics(network, task, given=converged_common_pathway(task))
    for path in COMMON:
        np.testing.assert_allclose(
            found.sigma_yx(path), 0, atol=1e-14, err_msg="the common pathway has converged"
        )
    U, s, V = found.path_bases(own)
    assert V.shape == (items, items - 1), "all modes but the one that is constant over items"
    np.testing.assert_allclose(V.T @ V, np.eye(items - 1), atol=1e-12)
    np.testing.assert_allclose(V.T @ np.ones(items), 0, atol=1e-12)
    np.testing.assert_allclose(s, np.broadcast_to(s[0], s.shape), atol=1e-12)
    assert np.all(np.diff(s[0]) < 1e-12) and s[0, -1] > 1e-2
    between, d = overlaps(U), (contexts - 1) / (contexts * items)
    for p in own:
        np.testing.assert_allclose(U[p] * s[0] @ V.T, found.sigma_yx(p), atol=1e-12)
        for j in own:
            same, D = np.eye(items - 1), V.T @ found.sigma_x(j, p) @ V
            np.testing.assert_allclose(
                between[p, j], same if j == p else -same / (contexts - 1), atol=1e-12
            )
            shared = d if j == p else d * (contexts - 2) / (contexts - 1)
            np.testing.assert_allclose(D, shared * same, atol=1e-12)


def test_overlaps_of_raw_correlations_are_others():
    """The residual is what makes them -1/2: raw correlations of three contexts give +0.83."""
    network, task = contextual(3)
    U, _, _ = rd.statistics(network, task).path_bases([(f"in{p}", f"out{p}") for p in range(3)])
    first, second, _ = U
    np.testing.assert_allclose(overlaps(U)[first, second], 5 / 6 * np.eye(8), atol=1e-12)


def test_path_bases_need_one_input():
    network, task = contextual(3)
    with pytest.raises(
        ValueError, match=r"must start at one input node to share V, but .*\['context', 'item'\]"
    ):
        rd.statistics(network, task).path_bases(COMMON)


def test_path_bases_of_no_path_are_refused():
    network, task = contextual(3)
    with pytest.raises(
        ValueError, match=r"must be a path of these statistics, but \('in9', 'out0'\) is none"
    ):
        rd.statistics(network, task).path_bases([("in9", "out0")])


def test_one_hot_inputs_are_diagonal_in_the_modes():
    task = rd.tasks.hierarchy(8)
    network = rd.networks.parallel(task, (2, 3), 9)
    found = rd.statistics(network, task)
    p, j = network.paths()
    assert found.modes_of(found.class_of[p]) is task.modes
    np.testing.assert_allclose(found.strengths(p), task.modes.S, atol=1e-14)
    np.testing.assert_allclose(found.variances(j, p), np.full(8, 1 / 8), atol=1e-14)
    assert found.misalignment(p) < 1e-13 and found.misalignment(p, j) < 1e-13
    assert list(found.xx) == [(0, 0)], "one pair for each pair of classes"
    np.testing.assert_allclose(found.least_squares(p), task.Y, atol=1e-12)


def off_diagonal(matrix, left, right):
    """As a whole in complete bases that begin with these: norm of all but the leading diagonal,
    over the norm.
    """
    complete = [np.linalg.qr(np.concatenate([B, np.eye(len(B))], axis=1))[0] for B in (left, right)]
    for Q, B in zip(complete, (left, right), strict=True):
        np.testing.assert_allclose(np.abs(Q[:, : B.shape[1]].T @ B), np.eye(B.shape[1]), atol=1e-12)
    whole = complete[0].T @ matrix @ complete[1]
    size = min(left.shape[1], right.shape[1])
    on = np.sum(np.diagonal(whole)[:size] ** 2)
    return np.sqrt(np.sum(whole**2) - on) / np.linalg.norm(whole)


def test_correlated_inputs_and_gates_are_not():
    """Signed strengths, variances and misalignments against complete bases, in two contexts of
    unlike examples.
    """
    plain = correlated_task(2)
    task = rd.Task(dict(plain.inputs), dict(plain.targets), np.arange(9) % 2)
    network = rd.Network(
        {"input": 4, "a": 5, "b": 5, "output": 3},
        {"a1": ("input", "a"), "a2": ("a", "output"), "b1": ("input", "b"), "b2": ("b", "output")},
        node_gates={"a": [-1, -1], "b": [0, 1]},
        num_contexts=2,
    )
    found = rd.statistics(network, task)
    modes, (a, b) = task.pair_modes(*PAIR), network.paths()
    np.testing.assert_allclose(found.strengths(a), -modes.S, atol=1e-13)
    assert found.misalignment(a) < 1e-13, "the task's own correlation, whatever its sign"
    np.testing.assert_allclose(
        found.strengths(b), np.diagonal(modes.U.T @ found.sigma_yx(b) @ modes.V), atol=1e-14
    )
    assert found.misalignment(b) == pytest.approx(
        off_diagonal(found.sigma_yx(b), modes.U, modes.V), rel=1e-12
    )
    np.testing.assert_allclose(found.variances(a, a), modes.variances, atol=1e-13)
    np.testing.assert_allclose(
        found.variances(a, b), np.diagonal(modes.V.T @ found.sigma_x(a, b) @ modes.V), atol=1e-14
    )
    for path, other in ((a, a), (a, b), (b, b)):
        seen = modes.V @ modes.V.T @ found.sigma_x(other, path)
        assert found.misalignment(path, other) == pytest.approx(
            off_diagonal(seen, modes.V, modes.V), rel=1e-12
        )
        assert found.misalignment(path, other) > 0.1
    assert found.misalignment(b) > 0.1
    largest = max(found.misalignments_x({"input": task.modes.V}))
    assert largest == max(found.misalignment(p, j) for p in (a, b) for j in (a, b))


def test_a_path_that_is_always_off_has_statistics_of_zero():
    network, task = gated_problem(0)
    off = rd.Network(
        dict(network.nodes), dict(network.edges), edge_gates={"a": np.zeros(4)}, num_contexts=4
    )
    found = rd.statistics(off, task)
    path = ("a", "c", "d")
    assert not found.sigma_yx(path).any() and not found.sigma_x(path, path).any()
    assert found.misalignment(path) == found.misalignment(path, path) == 0.0
    np.testing.assert_array_equal(found.strengths(path), np.zeros(2))


def test_statistics_print_their_paths_and_numbers():
    task = rd.tasks.hierarchy(4)
    network = rd.networks.parallel(task, (2, 1), 5)
    lines = str(rd.statistics(network, task)).splitlines()
    assert lines[0] == f"Statistics of 2 paths in 1 classes, on {task.name}"
    for line, path in zip(lines[2:4], ("w1_1 > w1_2", "w2_1"), strict=True):
        assert line.strip().startswith(path)
        norm, off, *strengths = line.replace(path, "").split()
        assert (
            float(norm) == pytest.approx(np.linalg.norm(task.sigma_yx()), rel=1e-3)
            and float(off) < 1e-13
        )
        np.testing.assert_allclose([float(s) for s in strengths], task.modes.S, rtol=1e-3)
    assert lines[4].startswith(
        "  pairs that are open together: 1 of classes; Sigma_x misaligned by at most "
    )
    assert float(lines[4].split()[-1]) < 1e-13


def test_nine_hundred_routes_make_nine_hundred_pairs():
    """[Saxe22] sec. 5 at 30 domains: no two routes are open together, and each carries 1/M^2 of one
    route's own values.
    """
    network, task = routing(30, 30)
    found = rd.statistics(network, task)
    assert len(found.paths) == len(found.classes) == len(found.xx) == 900
    S = np.linalg.svd(ROUTE_TARGETS, compute_uv=False)
    for path in (("in0", "hidden", "out0"), ("in7", "hidden", "out29")):
        np.testing.assert_allclose(found.sigma_yx(path), ROUTE_TARGETS / 3600, atol=1e-15)
        np.testing.assert_allclose(found.sigma_x(path, path), np.eye(4) / 3600, atol=1e-15)
        np.testing.assert_allclose(found.strengths(path), S / 3600, atol=1e-15)
        assert found.misalignment(path) < 1e-12 and found.misalignment(path, path) < 1e-12
    assert not found.sigma_x(("in0", "hidden", "out0"), ("in1", "hidden", "out0")).any()
    frames = {node: task.pair_modes(node, "y0").V for node in task.inputs}
    assert max(found.misalignments_x(frames)) < 1e-12
    text = str(found)
    assert "Statistics of 900 paths in 900 classes" in text and "... and 880 more" in text


def test_routes_of_the_circulant_are_the_ones_trained():
    network, task = routing(30, 3)
    found = rd.statistics(network, task)
    assert len(found.classes) == 900 and len(found.xx) == 90, (
        "only contexts with examples make pairs"
    )
    np.testing.assert_allclose(
        found.sigma_yx(("in4", "hidden", "out6")), ROUTE_TARGETS / 360, atol=1e-15
    )
    assert not found.sigma_yx(("in4", "hidden", "out7")).any()


def test_a_route_without_examples_does_not_keep_statistics_from_printing():
    network, task = routing(2, 1)
    bare = rd.Task(dict(task.inputs), dict(task.targets), task.context, task.num_contexts)
    lines = str(rd.statistics(network, bare)).splitlines()
    trained, not_trained = (
        next(line for line in lines if f"in0 > hidden > out{j}" in line) for j in (0, 1)
    )
    assert len(trained.split()) == 5 + 2 + 4 and not_trained.split()[5:] == ["0"]


def test_rounding_has_no_modes():
    """What the converged common pathway leaves is uncorrelated with items: it has no modes to read
    strengths in.
    """
    network, task = contextual(3)
    found = rd.statistics(network, task, given=converged_common_pathway(task))
    for source in ("item", "context"):
        with pytest.raises(
            ValueError, match=r"`targets` must be correlated .*Sigma_yx = Y X\^T / P is zero"
        ):
            found.task.pair_modes(source, "output")
    line = next(line for line in str(found).splitlines() if "in0 > out0" in line)
    assert len(line.split()) == 4, "a norm, and no strengths"
