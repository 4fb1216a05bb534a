"""Phase planes, strength maps, learning times, graphs, and several seeds as one curve."""

import dataclasses
from itertools import pairwise

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

import racedyn as rd
from racedyn import plot
from racedyn.plot.layout import layered
from racedyn.trajectory import BY_DEFAULT, Trajectory

TASK = rd.tasks.hierarchy(8)
BLUE, ORANGE = "#0072b2", "#d55e00"  # of pathways 1 and 2


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


@pytest.fixture(scope="module")
def network():
    return rd.networks.parallel(TASK, depths=(2, 2), width=20)


@pytest.fixture(scope="module")
def trained(network):
    """Three seeds."""
    return [
        rd.train(
            network,
            TASK,
            network.init(rd.init.Gaussian(std=0.05), key=key),
            lr=0.04,
            steps=800,
            save_every=40,
            observe=[*BY_DEFAULT, "strength_matrix", "projector_eigenvalues"],
            progress=False,
        )
        for key in range(3)
    ]


@pytest.fixture(scope="module")
def theory(network, trained):
    weights = network.init(rd.init.Gaussian(std=0.05), key=0)
    return rd.simulate(
        rd.reduce(network, TASK, weights, level="pathway"), ts=jnp.asarray(trained[0].ts)
    )


@pytest.fixture(scope="module")
def copies():
    """Twelve starts of one mode, S = 2, d = 0.5: the first half leads in pathway 1."""
    p = np.stack([np.where(np.arange(12) < 6, 0.3, 0.1), np.where(np.arange(12) < 6, 0.1, 0.3)])
    p += np.linspace(0, 0.05, 12)
    return rd.simulate(
        rd.systems.Pathways([2.0] * 12, (3, 3), p, p, 0.5), ts=jnp.linspace(0, 30, 80)
    )


# Phase plane


@pytest.mark.slow
def test_phase_plane_draws_each_mode_as_a_trajectory_of_its_winner(copies):
    ax = plot.phase_plane(3, singular_value=2.0, variance=0.5, trajectories=copies)
    lines = [line for line in ax.lines if len(line.get_xdata()) == 80]
    assert [to_hex(line.get_color()) for line in lines] == [BLUE] * 6 + [ORANGE] * 6
    strength = np.asarray(copies.observables["strength"])
    np.testing.assert_array_equal(lines[7].get_xydata(), strength[:, :, 7])
    fixed = next(line for line in ax.lines if line.get_color() == "black")
    np.testing.assert_allclose(np.sum(fixed.get_xydata(), axis=1), 4.0)
    np.testing.assert_allclose(
        strength[-1].sum(axis=0), 4.0, rtol=1e-6
    )  # so that they end on the line
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("strength $K_1$", "strength $K_2$")
    assert ax.get_xlim() == ax.get_ylim() == pytest.approx((0, 4.6))
    (legend,) = ax.figure.legends
    assert texts(legend) == [
        "fixed points, $K_1 + K_2 = S/d$",
        "pathway 1 ends stronger",
        "pathway 2 ends stronger",
    ]


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_field_is_that_of_balanced_pathways(depth, monkeypatch):
    """Against the q/p equations themselves, at c = 0."""
    seen = {}
    _, ax = plt.subplots()
    monkeypatch.setattr(
        ax, "streamplot", lambda x, y, u, v, **look: seen.update(x=x, y=y, u=u, v=v)
    )
    plot.phase_plane(depth, singular_value=2.0, variance=0.5, ax=ax)
    at = (40, 7)  # K_2, K_1
    K = np.array([[seen["x"][at[1]]], [seen["y"][at[0]]]])
    root = K ** (1 / depth)
    system = rd.systems.Pathways([2.0], (depth, depth), root, root, 0.5)
    dq, dp = (np.asarray(part) for part in system.vector_field(0.0, (root, root), None))
    expected = (
        dp
        if depth == 1
        else root ** (depth - 1) * dp + (depth - 1) * root * root ** (depth - 2) * dq
    )
    np.testing.assert_allclose([seen["u"][at], seen["v"][at]], expected[:, 0], rtol=1e-12)
    assert sum(line.get_marker() == "o" for line in ax.lines) == (depth > 1)  # 0 is a fixed point


@pytest.mark.slow
def test_phase_plane_picks_the_modes_of_this_S(trained, theory):
    modes = TASK.modes
    ax = plot.phase_plane(
        2, singular_value=modes.S[2], variance=modes.variances[2], trajectories=[trained[0], theory]
    )  # S[2] = S[3]
    assert [line.get_linestyle() for line in ax.lines if len(line.get_xdata()) == 21] == [
        "-",
        "-",
        "--",
        "--",
    ]
    assert texts(ax.figure.legends[0])[-2:] == ["trained", "theory"]
    with pytest.raises(
        ValueError, match=r"`singular_value` must be, with `variance`, that of a mode"
    ):
        plot.phase_plane(2, trajectories=theory)


def test_phase_plane_refuses():
    with pytest.raises(ValueError, match="`depth` must be a whole number"):
        plot.phase_plane(0)
    with pytest.raises(ValueError, match="`variance` must be a positive number"):
        plot.phase_plane(2, variance=0)
    with pytest.raises(ValueError, match="`limits` must be"):
        plot.phase_plane(2, limits=(1, 0))
    three = Trajectory(
        ts=np.arange(3.0),
        observables={"strength": np.ones((3, 3, 1))},
        dims={"strength": ("time", "path", "mode")},
    )
    with pytest.raises(ValueError, match=r"of two pathways, but one has .* of shape \(3, 3, 1\)"):
        plot.phase_plane(2, trajectories=three)


def test_phase_plane_on_axes_and_limits_of_the_caller(copies):
    _, own = plt.subplots()
    ax = plot.phase_plane(
        3, singular_value=2.0, variance=0.5, trajectories=copies, ax=own, limits=(-1, 5)
    )
    assert ax is own
    assert ax.get_xlim() == ax.get_ylim() == (-1, 5)
    assert ax.get_legend() is not None


# Strength maps


def test_strength_maps_show_the_matrices(trained):
    panels = plot.strength_maps(trained[0])
    assert panels.shape == (2,)
    matrix = np.asarray(trained[0].observables["strength_matrix"])[-1]
    for ax, expected, name in zip(panels, matrix, ("pathway 1", "pathway 2"), strict=True):
        (image,) = ax.images
        np.testing.assert_array_equal(image.get_array(), expected)
        assert image.get_clim() == (-np.abs(matrix).max(), np.abs(matrix).max())
        assert ax.get_title() == f"{name}\n$t$ = 32 $\\tau$"
        assert list(ax.get_xticks()) == list(ax.get_yticks()) == list(range(1, 9))
        assert [(p.get_x(), p.get_width()) for p in ax.patches] == [
            (2.5, 2),
            (4.5, 4),
        ]  # groups of equal S
        assert ax.get_xlabel() == "mode in"
    assert [ax.get_ylabel() for ax in panels] == ["mode out", ""]
    (bar,) = set(panels[0].figure.axes) - set(panels)
    assert bar.get_ylabel() == "$U^T W_a V$"


def test_strength_maps_at_several_times(trained):
    panels = plot.strength_maps(trained[0], at=[0, 15.9, -1])
    assert panels.shape == (2, 3)
    assert [ax.get_title().splitlines()[1] for ax in panels[0]] == [
        f"$t$ = {t} $\\tau$" for t in (0, 16, 32)
    ]
    np.testing.assert_array_equal(
        panels[1, 1].images[0].get_array(), trained[0].observables["strength_matrix"][10, 1]
    )
    assert len({ax.images[0].get_clim() for ax in panels.ravel()}) == 1
    assert plot.strength_maps(trained[0], at=1e9)[0].get_title().endswith("$t$ = 32 $\\tau$")


def test_strength_maps_of_many_pathways_and_padding():
    matrix = np.ones((1, 11, 3, 3)) * np.arange(1.0, 12)[:, None, None]
    matrix[0, :, 2] = np.nan
    many = Trajectory(
        ts=np.zeros(1),
        observables={"strength_matrix": matrix},
        dims={"strength_matrix": ("time", "path", "mode_out", "mode_in")},
    )
    panels = plot.strength_maps(many)
    assert [ax.get_title().splitlines()[0] for ax in panels] == [f"path {a}" for a in range(4, 12)]
    assert panels[0].figure.get_suptitle() == "8 of 11 pathways: those with the largest norm"
    assert panels[0].images[0].get_clim() == (-11, 11)


def test_strength_maps_refuse(trained, theory):
    with pytest.raises(ValueError, match=r"'strength_matrix' .* had from train and observe"):
        plot.strength_maps(theory)
    with pytest.raises(ValueError, match="`at` must be at least -21"):
        plot.strength_maps(trained[0], at=-22)
    with pytest.raises(ValueError, match="`at` must be a finite flow time"):
        plot.strength_maps(trained[0], at=float("nan"))
    with pytest.raises(
        ValueError, match="`axes` must be one per pathway and time, 2, but there are 1"
    ):
        plot.strength_maps(trained[0], axes=plt.subplots()[1])


# Shares without a basis


def test_projectors_show_the_eigenvalues_of_each_pathway(trained):
    panels = plot.projectors(trained[0])
    values = trained[0]["projector_eigenvalues"]
    for path, (ax, colour) in enumerate(zip(panels, (BLUE, ORANGE), strict=True)):
        lines = [line for line in ax.lines if len(line.get_xdata()) == len(trained[0].ts)]
        np.testing.assert_array_equal([line.get_ydata() for line in lines], values[:, path].T)
        assert {to_hex(line.get_color()) for line in lines} == {colour}
        assert ax.get_ylim() == (-0.04, 1.04) and ax.get_title() == f"pathway {path + 1}"
        assert ax.get_xlabel() == r"flow time ($\tau$)"
        assert ax.lines[-1].get_ydata()[0] == 1 / 2
    assert [ax.get_ylabel() for ax in panels] == ["eigenvalues of $P_a$", ""]
    (legend,) = panels[0].figure.legends
    assert texts(legend) == ["share of a mixture of modes", "$1/M$: shared equally"]
    assert panels[0].figure.get_figwidth() == 3.5, "a column"
    own = plt.subplots(1, 2)[1]
    assert list(plot.projectors(trained[0], axes=own)) == list(own) and own[0].get_legend()


def test_projectors_of_many_pathways_are_those_with_the_largest_shares():
    values = np.arange(1.0, 12)[None, :, None] / 66 * np.ones((2, 1, 3))
    many = Trajectory(
        ts=np.arange(2.0),
        observables={"projector_eigenvalues": values},
        dims={"projector_eigenvalues": ("time", "path", "direction")},
    )
    panels = plot.projectors(many)
    assert [ax.get_title() for ax in panels] == [f"path {a}" for a in range(4, 12)]
    (legend,) = panels[0].figure.legends
    assert legend.get_title().get_text().startswith("8 of 11 pathways: those with the largest")


def test_projectors_refuse(trained, theory):
    with pytest.raises(ValueError, match=r"'projector_eigenvalues' .* had from train and observe"):
        plot.projectors(theory)
    with pytest.raises(ValueError, match="`axes` must be one per pathway, 2, but there are 1"):
        plot.projectors(trained[0], axes=plt.subplots()[1])
    with pytest.raises(ValueError, match="have at least one saved row"):
        plot.projectors(
            Trajectory(
                ts=np.zeros(0),
                observables={"projector_eigenvalues": np.zeros((0, 2, 3))},
                dims={"projector_eigenvalues": ("time", "path", "direction")},
            )
        )


# Learning times


def test_learning_times_against_S(trained, theory):
    ax = plot.learning_times(theory, trained[0], second=trained[1])
    curves = [line for line in ax.lines if len(line.get_xdata()) == 8]
    assert [text.split(" (")[0] for text in texts(ax.get_legend())] == [
        "theory",
        "trained",
        "second",
    ]
    assert len({line.get_marker() for line in curves}) == 3
    assert [line.get_markerfacecolor() == "none" for line in curves] == [True, False, False]
    for line, run in zip(curves, (theory, trained[0], trained[1]), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), rd.learning_times(run))
        np.testing.assert_allclose(line.get_xdata(), TASK.modes.S, rtol=0.15)
        assert len(set(line.get_xdata())) == 8  # equal S, yet side by side
        np.testing.assert_array_equal(line.get_xdata(), curves[0].get_xdata())
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "singular value $S$",
        r"half learned, flow time ($\tau$)",
    )
    np.testing.assert_allclose(ax.get_xticks(), np.unique(np.round(TASK.modes.S, 9)), rtol=1e-4)
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_xticklabels()] == [
        "0.125",
        "0.217",
        "0.331",
        "0.484",
    ]


def test_learning_times_count_what_is_not_learned(trained):
    known = trained[0]
    rows = int(
        np.searchsorted(known.ts, np.nanmedian(rd.learning_times(known)))
    )  # half of the modes are later
    short = dataclasses.replace(
        known,
        ts=known.ts[:rows],
        observables={name: value[:rows] for name, value in known.observables.items()},
    )
    found = rd.learning_times(short)
    missing, vague = int(found.not_learned.sum()), int(found.between_rows.sum())
    assert 0 < missing < 8
    _, own = plt.subplots()
    assert plot.learning_times(short, ax=own) is own
    between = f", {vague} of 8 between rows" if vague else ""
    assert texts(own.get_legend()) == [f"trained ({missing} of 8 modes not learned{between})"]


def test_learning_times_refuse(copies):
    with pytest.raises(ValueError, match="at least one trajectory"):
        plot.learning_times()
    with pytest.raises(ValueError, match=r"know their modes, .* but 'theory' has none"):
        plot.learning_times(copies)


# Networks


def routed():
    """Two inputs and two outputs through one shared layer; context 3 closes in0, context 1 the
    output y0.
    """
    nodes = {"x0": 4, "x1": 4, "h": (10, "relu"), "y0": 3, "y1": 3}
    edges = {"in0": ("x0", "h"), "in1": ("x1", "h"), "out0": ("h", "y0"), "out1": ("h", "y1")}
    return rd.Network(
        nodes,
        edges,
        num_contexts=4,
        node_gates={"x0": [1, 1, 0, 1], "y0": [1, 0, 1, 1]},
        edge_gates={"in0": [1, 1, 1, 0]},
    )


def strong(ax):
    return [patch.get_linewidth() == 1.4 for patch in ax.patches]


def test_layout_is_layered_and_pathways_are_straight():
    graph = rd.networks.parallel(TASK, depths=(1, 2, 4, 4), width=20)
    nodes, edges = layered(graph)
    assert {node: column for node, (column, _) in nodes.items()} == {
        "input": 0,
        "h2_1": 1,
        "h3_1": 1,
        "h3_2": 2,
        "h3_3": 3,
        "h4_1": 1,
        "h4_2": 2,
        "h4_3": 3,
        "output": 4,
    }
    for path in graph.paths():
        inside = [height for edge in path for column, height in edges[edge] if 0 < column < 4]
        np.testing.assert_allclose(inside, inside[0], atol=1e-9)
    assert [column for column, _ in edges["w1_1"]] == [0, 1, 2, 3, 4]
    assert nodes["h2_1"][1] < nodes["h3_1"][1] < nodes["h4_1"][1]  # as they were given


def test_layout_has_room_for_every_node():
    rng = np.random.default_rng(0)
    names = [f"n{i}" for i in range(40)]
    edges = {
        f"{i}-{j}": (names[i], names[j])
        for j in range(1, 40)
        for i in rng.choice(j, min(j, 3), replace=False)
    }
    nodes, routes = layered(rd.Network(dict.fromkeys(names, 2), edges))
    for source, target in edges.values():
        assert nodes[source][0] < nodes[target][0]
    for column in {c for c, _ in nodes.values()}:
        heights = sorted(height for c, height in nodes.values() if c == column)
        assert all(b - a > 1 - 1e-9 for a, b in pairwise(heights))
    assert all(np.all(np.diff([c for c, _ in route]) == 1) for route in routes.values())


def test_layout_undoes_crossings():
    """Depth first, the two that x0 leads to would be neighbours; but c belongs below b, where x2
    and x3 are.
    """
    pairs = (("x0", "a"), ("x0", "c"), ("x1", "b"), ("x2", "c"), ("x3", "c"))
    nodes, _ = layered(
        rd.Network(
            dict.fromkeys(("x0", "x1", "x2", "x3", "a", "b", "c"), 2),
            {s + t: (s, t) for s, t in pairs},
        )
    )
    assert nodes["a"][1] < nodes["b"][1] < nodes["c"][1]


def test_network_names_width_and_kind():
    ax = plot.network(routed(), edge_labels=True)
    words = [text.get_text() for text in ax.texts]
    assert words[:4] == ["in0\n■■■□", "in1", "out0", "out1"]
    assert words[4:] == [
        "x0\n4 linear\n■■□■",
        "x1\n4 linear",
        "h\n10 relu",
        "y0\n3 linear\n■□■■",
        "y1\n3 linear",
    ]
    assert strong(ax) == [True] * 4
    assert ax.get_title() == ""
    activated = rd.networks.parallel(TASK, (2, 2), 5, activation="relu", activate_last=True)
    assert [t.get_text() for t in plot.network(activated, edge_labels=True).texts][
        1
    ] == "w1_2\nrelu"


@pytest.mark.parametrize(
    ("context", "open_edges"),
    [
        (0, ("in0", "in1", "out0", "out1")),
        (1, ("in0", "in1", "out1")),
        (2, ("in1", "out0", "out1")),
        (3, ("in1", "out0", "out1")),
    ],
)
def test_network_draws_what_a_context_opens(context, open_edges):
    ax = plot.network(routed(), context=context)
    assert strong(ax) == [edge in open_edges for edge in ("in0", "in1", "out0", "out1")]
    alive = {end for edge in open_edges for end in routed().edges[edge]}
    named = [text for text in ax.texts if text.get_text()[0] not in "■□▣"]
    assert {
        text.get_text().split("\n")[0] for text in named if text.get_color() == "black"
    } == alive
    assert ax.get_title() == f"context {context}"


def test_a_closed_layer_closes_all_that_it_leads_to():
    chain = rd.networks.chain(TASK, 4, 5)
    closed = rd.Network(chain.nodes, chain.edges, node_gates={"h2": [0.0]})
    assert strong(plot.network(closed)) == [True] * 4
    assert strong(plot.network(closed, context=0)) == [False] * 4


def test_network_draws_given_paths():
    graph = routed()
    assert strong(plot.network(graph, paths=[("in0", "out1")])) == [True, False, False, True]
    assert strong(plot.network(graph, paths=[("in0", "out1"), ("in1", "out1")], context=3)) == [
        False,
        True,
        False,
        True,
    ]
    for wrong in (("in0", "in1"), ("in0",), ("out1",), (), ("other",)):
        with pytest.raises(ValueError, match="`paths` must be edges from an input to an output"):
            plot.network(graph, paths=[wrong])
    with pytest.raises(ValueError, match="`context` must be a whole number from 0 to 3"):
        plot.network(graph, context=4)


def test_pathways_have_the_colours_of_race(network, trained):
    ax = plot.network(network)
    assert [to_hex(patch.get_edgecolor()) for patch in ax.patches] == [BLUE, BLUE, ORANGE, ORANGE]
    panels = plot.race(trained[0])
    assert [to_hex(line.get_color()) for line in panels[0].lines[1:]] == [BLUE, ORANGE]
    second = plot.network(network, paths=network.paths()[1:])
    assert strong(second) == [False, False, True, True]


def test_edges_side_by_side_do_not_hide_each_other():
    ax = plot.network(rd.networks.parallel(TASK, depths=(1, 1), width=5))
    heights = [patch.get_path().vertices[3, 1] for patch in ax.patches]
    assert heights[0] < heights[1]


def test_a_large_network_is_dots():
    names = [[f"n{l}_{i}" for i in range(20)] for l in range(6)]
    edges = {
        f"{a}-{b}": (a, b) for l in range(5) for a, b in zip(names[l], names[l + 1], strict=True)
    }
    ax = plot.network(
        rd.Network({name: 3 for column in names for name in column}, edges), edge_labels=True
    )
    assert not ax.texts
    assert len(ax.lines) == 120
    _, small = plt.subplots(figsize=(1, 1))
    assert plot.network(routed(), ax=small) is small
    assert not small.texts


# Several seeds


def test_race_of_seeds_is_median_and_range(trained, theory):
    panels = plot.race(theory, trained)
    strength = np.stack([np.asarray(run.observables["strength"]) for run in trained])
    for mode, ax in enumerate(panels):
        assert len(ax.collections) == 2  # a shade per pathway
        wide = [line for line in ax.lines if line.get_linewidth() == 2.2]
        for path, line in enumerate(wide):
            np.testing.assert_array_equal(
                line.get_ydata(), np.median(strength[:, :, path, mode], axis=0)
            )
            (outline,) = ax.collections[path].get_paths()
            assert outline.vertices[:, 1].max() == strength[:, :, path, mode].max()
            assert outline.vertices[:, 1].min() == strength[:, :, path, mode].min()
    assert texts(panels[0].figure.legends[0]) == [
        "pathway 1",
        "pathway 2",
        "trained, median of 3 seeds",
        "theory",
        "lowest to highest",
        "$S/d$",
    ]


def test_race_of_seeds_alone_and_of_theories(trained, theory):
    alone = plot.race(trained)
    assert texts(alone[0].figure.legends[0])[2:] == [
        "median of 3 seeds",
        "lowest to highest",
        "$S/d$",
    ]
    both = plot.race([theory, theory], trained)
    assert len(both[0].collections) == 2  # the theory's range is its edges
    assert "theory, median of 2 seeds" in texts(both[0].figure.legends[0])
    one = plot.race([theory], trained[0])
    assert len(one[0].lines) == len(plot.race(theory, trained[0])[0].lines)
    assert not one[0].collections


def test_loss_of_seeds(trained, theory):
    ax = plot.loss(trained, theory, other=trained[:2])
    assert texts(ax.get_legend()) == [
        "trained, median of 3 seeds",
        "theory",
        "other, median of 2 seeds",
        "lowest to highest",
    ]
    losses = np.stack([run.observables["loss"] for run in trained])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), np.median(losses, axis=0))
    medians = [
        line for line in ax.lines if line.get_linewidth() == 1.2 and line.get_linestyle() == "-"
    ]
    assert [to_hex(shade.get_facecolor()) for shade in ax.collections] == [
        to_hex(line.get_color()) for line in medians
    ]
    assert ax.get_yscale() == "log"


@pytest.mark.parametrize("draw", [plot.loss, plot.race])
def test_seeds_must_fit(draw, trained, theory, copies):
    with pytest.raises(
        ValueError, match=r"must be saved at the same times, .* Train with the same lr, steps"
    ):
        draw([trained[0], dataclasses.replace(trained[1], ts=2 * np.asarray(trained[1].ts))])
    with pytest.raises(
        ValueError, match="must have the modes of `trained`, but they have 12 and 8"
    ):
        draw([trained[0], copies])
    with pytest.raises(ValueError, match="at least one trajectory, but the list is empty"):
        draw([])
    with pytest.raises(
        TypeError, match="must be a Trajectory or a list of them, but it is or holds int"
    ):
        draw([trained[0], 3])
    with pytest.raises(TypeError, match="but it is or holds str"):
        draw("runs")


# All


@pytest.mark.parametrize(
    "name", ["phase_plane", "strength_maps", "learning_times", "network", "projectors"]
)
def test_style_holds_while_drawing_and_text_is_saved(name, trained, network, tmp_path):
    given = {"phase_plane": 2, "network": network}.get(name, trained[0])
    before = dict(plt.rcParams)
    axes = getattr(plot, name)(given)
    assert dict(plt.rcParams) == before
    content = plot.save_figure(axes, tmp_path / "figure.pdf").read_bytes()
    assert b"/CIDFontType2" in content or b"/TrueType" in content
    assert b"/Type3" not in content


def test_titles_of_a_race_that_switched_tasks_have_a_line_for_both_values_of_S():
    task = rd.tasks.hierarchy(items=4)
    network = rd.networks.chain(task, depth=2, width=4)
    weights = network.init(rd.init.Gaussian(std=0.1), key=0)
    before = rd.train(network, task, weights, lr=0.1, steps=4)
    reversed_task = rd.tasks.from_arrays(task.X, -task.Y)
    run = rd.train(network, reversed_task, before, lr=0.1, steps=4, modes=task)
    assert rd.plot.race(run)[0].get_title() == "all\n$S$ = 0.661, then -0.661"
