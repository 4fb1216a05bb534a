"""Routing: task, sharing schemes, the quadrature against the modes level and descent,
generalisation, the race.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import racedyn as rd
from racedyn import exact


def test_the_published_task():
    task = rd.tasks.routing(domains=7, trained=4)
    assert task.num_contexts == 49 and task.num_examples == 4 * 28 and task.structure.regular
    assert (task.structure.routes.sum(axis=0) == 4).all() and (
        task.structure.routes.sum(axis=1) == 4
    ).all()
    np.testing.assert_array_equal(np.unique(task.context), np.flatnonzero(task.structure.routes))
    for example, context in enumerate(task.context):
        i, j = divmod(int(context), 7)
        on = [node for node, X in task.inputs.items() if X[:, example].any()]
        assert on == [f"x{i + 1}"] and task.targets[f"y{j + 1}"][:, example].any()
    S = [task.pair_modes(f"x{i}", f"y{j}").S * 28 for i, j in ((1, 1), (3, 6))]
    np.testing.assert_allclose(
        S, np.broadcast_to(np.linalg.svd(task.structure.features)[1] / 4, (2, 4))
    )
    assert (task.pair_modes("x1", "y5").S == 0).all(), (
        "an untrained route is read in the same modes"
    )
    probe = task.structure.untrained()
    np.testing.assert_array_equal(probe.structure.routes, ~task.structure.routes)
    assert probe.num_examples == 4 * 21 and not set(probe.context) & set(task.context)


def test_regular_patterns_are_drawn():
    drawn = [
        rd.tasks.routing(8, 3, pattern="regular", key=key).structure.routes for key in (0, 0, 1)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()
    for routes in drawn:
        assert (routes.sum(axis=0) == 3).all() and (routes.sum(axis=1) == 3).all()
    table = np.eye(3, dtype=int)
    table[0, 1] = 1
    task = rd.tasks.routing(3, pattern=table)
    np.testing.assert_array_equal(task.structure.routes, table)
    assert not task.structure.regular


def test_data_of_ones_own():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((3, 5)), rng.standard_normal((2, 5))
    task = rd.tasks.routing(2, 1, X, Y)
    np.testing.assert_array_equal(task.inputs["x2"][:, 5:], X)
    np.testing.assert_array_equal(task.targets["y2"][:, 5:], Y)
    np.testing.assert_allclose(task.sigma_yx("x1", "y1"), Y @ X.T / 10)


@pytest.mark.parametrize("sharing", ["shared", "dedicated", 2, ("shared", 2, "dedicated")], ids=str)
def test_every_route_has_a_pathway_of_each_scheme(sharing):
    """In the context of a route the network is that route's pathways, one per scheme, and nothing
    else.
    """
    task = rd.tasks.routing(4, 4)
    network = rd.networks.routing(task, 5, sharing=sharing)
    weights = network.init(rd.init.Gaussian(0.5), key=0)
    assert network.num_paths == 16 * (len(sharing) if isinstance(sharing, tuple) else 1)
    activity = rd.networks.forward(
        network, weights, {n: jnp.asarray(X) for n, X in task.inputs.items()}, task.context
    )
    for number, (i, j) in enumerate(np.argwhere(task.structure.routes)):
        at = slice(4 * number, 4 * number + 4)
        paths = [
            path for path in network.paths() if network.ends(path) == (f"x{i + 1}", f"y{j + 1}")
        ]
        total = sum(weights[path[2]] @ weights[path[1]] @ weights[path[0]] for path in paths)
        for node in task.targets:
            expected = total if node == f"y{j + 1}" else np.zeros_like(total)
            np.testing.assert_allclose(activity[node][:, at], expected, atol=1e-12)


def test_names_of_edges():
    task = rd.tasks.routing(4, 2)
    assert list(rd.networks.routing(task, 4).edges) == [
        *(f"in{i}" for i in range(1, 5)),
        "hidden",
        *(f"out{i}" for i in range(1, 5)),
    ]
    deep = rd.networks.routing(task, 4, hidden_layers=3)
    assert [e for e in deep.edges if "hidden" in e] == ["hidden1", "hidden2", "hidden3"]
    assert "2_1_2_in1" in rd.networks.routing(task, 4, sharing=2).edges
    warned = rd.tasks.routing(2)
    with pytest.warns(UserWarning, match="width 3 can learn 3 of the 4 modes"):
        rd.networks.routing(warned, 3)


def edge(run, at):
    """Strengths of an edge, (time, mode)."""
    return np.asarray(run.observables["edge_strength"])[:, at]


def hidden_of(run):
    return edge(run, next(i for i, name in enumerate(run.labels["edge"]) if "hidden" in name))


@pytest.mark.parametrize(
    ("domains", "trained", "start", "group", "layers"),
    [
        (7, 4, 0.2, 7, 1),
        (6, 6, 0.05, 2, 1),
        (5, 3, (0.02, 0.6), 5, 1),
        (4, 4, (0.6, 0.02), 4, 2),
        (3, 2, 3.0, 3, 1),
    ],
)
def test_the_quadrature_is_the_equations(domains, trained, start, group, layers):
    """[Saxe22] fig. 4 with means over trained routes, against DOP853; starts below and above what
    is learned.
    """
    task = rd.tasks.routing(domains, trained)
    ts = np.linspace(0, 60, 31)
    found = exact.routing(task, start, ts, sharing=group, hidden_layers=layers)
    s, d = np.linalg.svd(task.structure.features)[1] / 4, 0.25
    outer, hidden = np.broadcast_to(start, 2)

    def flow(t, state):
        b1, b2 = state.reshape(2, 4)
        r = s - d * b1**2 * b2**layers
        return (
            np.concatenate([b1 * b2**layers * r, group * b1**2 * b2 ** (layers - 1) * r])
            * group
            / domains**2
        )

    start = np.repeat([outer, hidden], 4)
    solved = solve_ivp(flow, (0, ts[-1]), start, method="DOP853", t_eval=ts, rtol=1e-13, atol=1e-15)
    expected = solved.y.T.reshape(31, 2, 4)
    np.testing.assert_allclose(edge(found, 0), expected[:, 0], atol=1e-10)
    np.testing.assert_allclose(hidden_of(found), expected[:, 1], atol=1e-10)
    missing = s - d * expected[:, 0] ** 2 * expected[:, 1] ** layers
    np.testing.assert_allclose(
        found.observables["loss"], (missing**2 / (2 * d)).sum(axis=1), atol=1e-9
    )


@pytest.mark.parametrize(
    ("start", "layers"), [(1e-5, 1), pytest.param((2.0, 1e-3), 2, marks=pytest.mark.slow)]
)
def test_plateaus_and_the_end_without_their_cost(start, layers):
    """Starts so small that an ODE takes long or so unequal that it is stiff: times to 1e9 and the
    end are as cheap as any.
    """
    task = rd.tasks.routing(7, 4)
    ts = np.array([1e3, 1e6, 1e9, 1e200, np.inf])
    found = exact.routing(task, start, ts, hidden_layers=layers)
    s, d = np.linalg.svd(task.structure.features)[1] / 4, 0.25
    first, between = edge(found, 0), hidden_of(found)
    assert np.isfinite(between).all() and (np.diff(found.observables["loss"]) <= 1e-15).all()
    for row in (-2, -1):
        np.testing.assert_allclose(first[row] ** 2 * between[row] ** layers, s / d, rtol=1e-13)
    outer, hidden = np.broadcast_to(start, 2)
    np.testing.assert_allclose(
        7 * first**2 - between**2, 7 * outer**2 - hidden**2, rtol=1e-9, atol=1e-12
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "ts"),
    [
        (0.2, np.linspace(0, 40, 13)),
        (0.005, np.array([0.0, *range(100, 1000, 100), 1e3, 1e6, 1e9])),
    ],
    ids=["at once", "over plateaus"],
)
def test_the_quadrature_is_the_modes_level(start, ts):
    """M = 7, K = 4: loss and singular values of all layers."""
    task = rd.tasks.routing(7, 4)
    network = rd.networks.routing(task, 16)
    weights = network.init(rd.init.Aligned(start), task=task, key=0)
    run = rd.simulate(rd.reduce(network, task, weights, level="modes"), ts, rtol=1e-11)
    found = exact.routing(task, start, ts)
    np.testing.assert_allclose(run.observables["loss"], found["loss"], atol=1e-6)
    assert (
        run.labels == {axis: found.labels[axis] for axis in run.labels} and run.dims == found.dims
    )
    np.testing.assert_allclose(run["edge_strength"], found["edge_strength"], rtol=1e-7)
    np.testing.assert_allclose(run["strength"], found["strength"], atol=1e-6)
    assert run.observables["loss"][-1] < 1e-3 * run.observables["loss"][0]


@pytest.mark.long
def test_groups_and_depth_at_the_modes_level():
    for options in ({"sharing": 2}, {"hidden_layers": 2}):
        task = rd.tasks.routing(4, 4)
        network = rd.networks.routing(task, 6, **options)
        weights = network.init(rd.init.Aligned(0.3), task=task, key=0)
        ts = jnp.linspace(0, 60, 41)
        run = rd.simulate(rd.reduce(network, task, weights, level="modes"), ts, rtol=1e-10)
        found = exact.routing(task, 0.3, ts, **options)
        np.testing.assert_allclose(run.observables["loss"], found.observables["loss"], atol=1e-6)
        np.testing.assert_allclose(
            run.observables["edge_strength"], found.observables["edge_strength"], atol=1e-6
        )


def layer_values(run, edge):
    return np.linalg.svd(np.asarray(run.ys[edge]), compute_uv=False)[:, :4]


@pytest.mark.long
def test_descent_tends_to_the_quadrature_as_lr_falls():
    task = rd.tasks.routing(7, 4)
    network = rd.networks.routing(task, 16)
    weights = network.init(rd.init.Aligned(0.2), task=task, key=0)
    errors = []
    for halving in range(4):
        steps = 1600 * 2**halving
        run = rd.train(
            network,
            task,
            weights,
            lr=0.025 / 2**halving,
            steps=steps,
            save_every=steps // 40,
            observe=["weights"],
            progress=False,
        )
        found = exact.routing(task, 0.2, np.asarray(run.ts))
        layers = {"in1": edge(found, 0), "hidden": hidden_of(found), "out7": edge(found, -1)}
        off = [
            np.abs(layer_values(run, edge) - -np.sort(-values, axis=1)).max()
            for edge, values in layers.items()
        ]
        errors.append(max(*off, np.abs(run.observables["loss"] - found.observables["loss"]).max()))
    ratios = np.array(errors[:-1]) / errors[1:]
    print(f"descent from aligned weights, error {errors}, halving lr divides it by {ratios}")
    np.testing.assert_allclose(ratios, 2, atol=0.1)
    end = {
        edge: np.linalg.svd(run.end["weights"][edge], compute_uv=False)[:4]
        for edge in ("in1", "hidden")
    }
    print(
        f"hidden over input singular values: {end['hidden'] / end['in1']}, sqrt(7) = {7**0.5:.4f}"
    )
    np.testing.assert_allclose(end["hidden"] / end["in1"], 7**0.5, rtol=0.02)


@pytest.mark.slow
def test_untrained_routes_are_learned_from_small_weights_and_not_from_large_ones():
    task = rd.tasks.routing(7, 4)
    network = rd.networks.routing(task, 64)
    found = {}
    for scale, steps in ((0.2, 1000), (2.5, 1000)):
        weights = network.init(rd.init.Orthogonal(scale), key=0)
        run = rd.train(
            network,
            task,
            weights,
            lr=0.02,
            steps=steps,
            loss="routes",
            save_every=steps,
            observe=[rd.Probe("untrained", task.structure.untrained())],
            progress=False,
        )
        found[scale] = (
            float(run.observables["loss"][-1]),
            float(run.observables["probe_loss"][-1, 0]),
        )
    print("final loss on trained, untrained routes:", found)
    assert found[0.2][0] < 1e-2 and found[0.2][1] < 0.5
    assert found[2.5][0] < 1e-2 and found[2.5][1] > 20


@pytest.mark.long
def test_the_shared_pathway_wins_the_race():
    """On the final maps of trained and of untrained routes."""
    task = rd.tasks.routing(4, 2)
    network = rd.networks.routing(task, 6, sharing=("shared", 2, "dedicated"))
    weights = network.init(rd.init.Aligned(0.1), task=task, key=0)
    run = rd.simulate(rd.reduce(network, task, weights, level="modes"), jnp.linspace(0, 2000, 3))
    K = np.asarray(run.observables["strength"])[-1]
    routes = [network.ends(path) for path in network.paths()]
    maps = {
        route: K[[n for n, ends in enumerate(routes) if ends == route]]
        for route in dict.fromkeys(routes)
    }
    total = np.array([K.sum(axis=0) for K in maps.values()])
    learned = np.array([task.structure.routes[int(x[1:]) - 1, int(y[1:]) - 1] for x, y in maps])
    # Weak pathways take over the last of it slowly: the loss is 7e-7 at t = 100 and 5e-7 at 2000,
    # whatever rtol.
    np.testing.assert_allclose(
        total[learned],
        np.broadcast_to(np.linalg.svd(task.structure.features)[1], (8, 4)),
        rtol=1e-3,
    )
    assert np.mean([K[0] / K.sum(axis=0) for K in maps.values()]) > 0.5


def test_bad_input():
    with pytest.raises(
        ValueError, match="`trained` must be at most the number of domains, 3, but it is 4"
    ):
        rd.tasks.routing(3, 4)
    with pytest.raises(ValueError, match="`pattern` must be one of 'circulant', 'regular'"):
        rd.tasks.routing(3, 2, pattern="ring")
    with pytest.raises(TypeError, match=r"tasks\.routing\(7, 4"):
        rd.tasks.routing(3, 2, pattern="regular")
    with pytest.raises(ValueError, match="hold 0 and 1 in the shape"):
        rd.tasks.routing(3, pattern=np.ones((2, 3)))
    with pytest.raises(ValueError, match="be left out where `pattern` is a table"):
        rd.tasks.routing(3, 2, pattern=np.eye(3))
    with pytest.raises(ValueError, match="`task` must have routes that are not trained"):
        rd.tasks.routing(3).structure.untrained()
    with pytest.raises(ValueError, match="one column per column of the inputs"):
        rd.tasks.routing(3, 2, np.eye(4), np.ones((2, 5)))
    task = rd.tasks.routing(4, 2)
    with pytest.raises(ValueError, match=r"group sizes that divide 4, \[1, 2, 4\]"):
        rd.networks.routing(task, 8, sharing=3)
    with pytest.raises(ValueError, match="each once"):
        rd.networks.routing(task, 8, sharing=("shared", 4))
    with pytest.raises(TypeError, match=r"be one of tasks\.routing"):
        rd.networks.routing(rd.tasks.hierarchy(4), 8)
    uneven = rd.tasks.routing(2, pattern=[[1, 1], [0, 1]])
    with pytest.raises(ValueError, match=r"be regular to have a closed form.*inputs have 1 to 2"):
        exact.routing(uneven, 0.1, [0.0, 1.0])
    with pytest.raises(ValueError, match="all routes trained where groups share"):
        exact.routing(task, 0.1, [0.0, 1.0], sharing=2)
    with pytest.raises(ValueError, match="`start` must be a positive number"):
        exact.routing(task, 0.0, [0.0, 1.0])
    correlated = rd.tasks.routing(
        3, 2, np.eye(4) + 0.2 * np.outer(np.ones(4), [1, 0.5, 0, 0.2]), task.structure.features
    )
    with pytest.raises(
        ValueError, match=r"inputs whose correlation is diagonal in the modes.*0\.\d+ of Sigma_x V"
    ):
        exact.routing(correlated, 0.1, [0.0, 1.0])
    with pytest.raises(
        ValueError, match="`ts` must be of at least 0, where the start is, but its smallest is -1"
    ):
        exact.routing(task, 0.1, [0.0, -1.0])
    with pytest.raises(TypeError, match=r"`task` must be one of tasks\.routing"):
        exact.routing(rd.tasks.hierarchy(4), 0.1, [0.0, 1.0])
    with pytest.warns(UserWarning, match="can learn 2 of the 4"):
        narrow = rd.networks.routing(task, 2)
    with pytest.raises(ValueError, match="at least as wide as the task has modes, 4"):
        narrow.init(rd.init.Aligned(0.1), task=task, key=0)
