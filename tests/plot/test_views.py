"""What part of time is shown, colours by pair, ensembles, planes of two observables, gates."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import racedyn as rd
from racedyn import plot
from racedyn.plot import seeds, timing
from racedyn.plot.graphs import gates_text
from racedyn.trajectory import Provenance, Trajectory


@pytest.fixture(autouse=True)
def _no_figure_left():
    yield
    plt.close("all")


def run(ts, strength, loss=None, ends=(), **given):
    """Of strengths (time, path, mode)."""
    observables = {"strength": np.asarray(strength, float)}
    dims = {"strength": ("time", "path", "mode")}
    if loss is not None:
        observables["loss"], dims["loss"] = loss, ("time",)
    provenance = Provenance(
        kind="train", system="by hand", solver="none", settings={"ends": [list(e) for e in ends]}
    )
    return Trajectory(ts=ts, observables=observables, dims=dims, provenance=provenance, **given)


def rise(ts, at, width=1.0):
    with np.errstate(over="ignore"):
        return (1 / (1 + np.exp(-(ts - at) / width)))[:, None, None] * np.ones((1, 2, 1))


# Time


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e8])
def test_what_happens_is_between_the_first_and_the_last_hundredth_of_all_change(scale):
    ts = scale * np.linspace(0, 100, 100001)
    start, stop = timing.happening(ts, [ts / ts[-1], np.zeros_like(ts)])
    assert start == pytest.approx(scale) and stop == pytest.approx(99 * scale)
    start, stop = timing.happening(ts, [rise(ts, 50 * scale, scale)])
    # A logistic goes from 1 % to 99 % in 2 ln 99 of its widths.
    assert stop - start == pytest.approx(2 * np.log(99) * scale, rel=1e-3)


def test_nothing_that_happens_shows_all():
    ts = np.linspace(0, 10, 11)
    assert timing.happening(ts, [np.ones((11, 2))]) == (0.0, 10.0)
    assert timing.happening(ts, [np.full(11, np.nan)]) == (0.0, 10.0)


def test_an_early_tenth_is_shown_by_itself():
    ts = np.linspace(0, 1000, 2001)
    (ax,) = plot.race(run(ts, rise(ts, 40)))
    low, high = ax.get_xlim()
    assert ax.get_xscale() == "linear"
    assert 25 <= low < 36 and 44 < high <= 55
    slow = plot.race(run(ts, rise(ts, 500, 100)))[0]
    assert slow.get_xlim()[0] <= 0 and slow.get_xlim()[1] >= 1000


def test_decades_within_a_tenth_are_logarithmic():
    ts = np.concatenate([[0.0], np.geomspace(1e-3, 1e4, 500)])
    strength = np.concatenate([rise(ts, 0.1, 0.02), rise(ts, 300, 30)], axis=2)
    ax = plot.race(run(ts, strength))[0]
    assert ax.get_xscale() == "log" and ax.get_xlim() == (1e-3, 1e4)


@pytest.mark.parametrize("figure", ["race", "strengths", "loss"])
def test_time_and_limits_are_what_is_asked_for(figure):
    ts = np.linspace(0, 1000, 2001)
    given = run(ts, rise(ts, 40), loss=1.5 - rise(ts, 40)[:, 0, 0])
    draw = getattr(plot, figure)
    ax = np.ravel(draw(given, time="linear"))[0]
    assert ax.get_xlim()[1] >= 1000
    assert np.ravel(draw(given, time="log"))[0].get_xscale() == "log"
    assert np.ravel(draw(given, xlim=(3, 7)))[0].get_xlim() == (3, 7)
    for xlim in ((7, 3), (0, np.inf)):
        with pytest.raises(ValueError, match="finite and rising"):
            draw(given, xlim=xlim)
    with pytest.raises(ValueError, match="`time`"):
        draw(given, time="logarithmic")


def test_axes_of_others_keep_their_time():
    ts = np.linspace(0, 1000, 2001)
    _, ax = plt.subplots()
    plot.race(run(ts, rise(ts, 40)), axes=[ax])
    assert ax.get_xlim()[1] >= 1000


def test_a_loss_that_goes_on_falling_goes_on_happening():
    ts = np.linspace(0, 100, 1001)
    ax = plot.loss(run(ts, rise(ts, 1), loss=np.exp(-ts)))
    assert ax.get_xlim()[1] >= 100


def test_panels_may_have_a_range_of_their_own():
    ts = np.linspace(0, 10, 101)
    strength = rise(ts, 5) * np.array([1.0, 1000.0])
    small, large = plot.race(run(ts, strength), sharey=False)
    assert small.get_ylim()[1] < 2 and large.get_ylim()[1] > 900
    assert len({ax.get_ylim() for ax in plot.race(run(ts, strength))}) == 1


# Colours by pair


def colours_of(ax, paths):
    return [line.get_color() for line in ax.lines[-paths:]]


def test_paths_of_one_pair_have_shades_of_one_colour():
    ts = np.linspace(0, 10, 101)
    strength = np.concatenate([rise(ts, 5)] * 2, axis=1)
    ends = [("x1", "y1"), ("x1", "y2"), ("x1", "y1"), ("x1", "y2")]
    axes = plot.race(run(ts, strength, ends=ends, labels={"path": ("a", "b", "c", "d")}))
    colours = colours_of(axes[0], 4)
    assert len(set(colours)) == 4
    from matplotlib.colors import rgb_to_hsv, to_rgb

    hues = [rgb_to_hsv(to_rgb(colour))[0] for colour in colours]
    assert hues[0] == pytest.approx(hues[2], abs=0.01)
    assert hues[1] == pytest.approx(hues[3], abs=0.01)
    assert abs(hues[0] - hues[1]) > 0.05
    (legend,) = axes[0].figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["x1 to y1: a", "x1 to y2: b", "x1 to y1: c", "x1 to y2: d"]


def test_a_routing_run_names_its_pairs_in_training_and_in_theory():
    task = rd.tasks.routing(2, 1)
    network = rd.networks.routing(task, 6)
    weights = network.init(rd.init.Gaussian(0.1), key=0)
    trained = rd.train(network, task, weights, lr=0.1, steps=40, progress=False)
    flow = rd.reduce(network, task, weights, level="full")
    theory = rd.simulate(flow, ts=trained.ts, progress=False)
    for found in (trained, theory):
        assert found.provenance.settings["ends"] == [
            ["x1", "y1"],
            ["x1", "y2"],
            ["x2", "y1"],
            ["x2", "y2"],
        ]
        (legend,) = plot.race(found)[0].figure.legends
        assert [text.get_text() for text in legend.get_texts()][:2] == ["x1 to y1", "x1 to y2"]


# Ensembles


def ensemble(members, failed=()):
    ts = np.linspace(0, 10, 51)
    strength = np.stack([rise(ts, 5) * (1 + i) for i in range(members)])
    for i in failed:
        strength[i, 20:] = np.nan
    return Trajectory(
        ts=ts,
        observables={"strength": strength},
        dims={"strength": ("member", "time", "path", "mode")},
        status=np.ones(members, int),
    )


@pytest.mark.parametrize(
    ("members", "low", "high", "said"),
    [(5, 1, 5, "lowest to highest"), (21, 3, 19, "10 to 90 %")],
)
def test_an_ensemble_is_a_median_and_a_band(members, low, high, said):
    (ax,) = plot.race(ensemble(members))
    median = ax.lines[0]
    last = rise(np.array([10.0]), 5)[0, 0, 0]
    assert median.get_ydata()[-1] == pytest.approx((1 + members) / 2 * last)
    edges = sorted(line.get_ydata()[-1] for line in ax.lines[1:3])
    np.testing.assert_allclose(edges, [low * last, high * last])
    (legend,) = ax.figure.legends
    assert said in [text.get_text() for text in legend.get_texts()]


def test_members_that_failed_are_left_out():
    (ax,) = plot.race(ensemble(5, failed=[4]))
    assert ax.lines[0].get_ydata()[-1] == pytest.approx(2.5 * rise(np.array([10.0]), 5)[0, 0, 0])


def test_other_figures_take_ensembles():
    ax = plot.strengths(ensemble(3))
    assert len(ax.collections) == 2  # a shade for each path
    ax = plot.phase_plane(3, trajectories=ensemble(4))
    assert len([line for line in ax.lines if line.get_marker() == "o"]) == 4 + 1
    assert len(seeds.one_by_one(ensemble(4))) == 4


def test_learning_times_of_seeds_are_a_median_and_a_bar():
    task = rd.tasks.hierarchy(items=4)
    runs = [
        rd.simulate(
            rd.systems.Pathways(task.modes.S, (2, 2), q=q, p=q, variances=0.25, modes=task.modes),
            np.linspace(0.0, 80.0, 401),
            progress=False,
        )
        for q in (0.1, 0.03, 0.01)
    ]
    known = np.stack([rd.learning_times(run).times for run in runs])
    ax = plot.learning_times(starts=runs)
    (marks,) = [line for line in ax.lines if line.get_label().startswith("starts")]
    assert marks.get_label() == "starts, median of 3 seeds"
    np.testing.assert_allclose(np.sort(marks.get_ydata()), np.sort(known[1]))
    bars = [line.get_ydata() for line in ax.lines if line.get_marker() == "_"]
    np.testing.assert_allclose(
        sorted(map(tuple, bars)), sorted(zip(known[0], known[2], strict=True))
    )


# Planes


def test_a_plane_has_what_was_asked_for():
    ts = np.linspace(0, 10, 101)
    given = run(ts, np.concatenate([rise(ts, 3), rise(ts, 6)], axis=2), labels={"path": ("a", "b")})
    ax = plot.plane(given, x=("strength", "a"), y=("strength", 1))
    assert len(ax.lines) == 4  # two modes, each with its start
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), given["strength"][:, 0, 0])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), given["strength"][:, 1, 1])
    assert ax.get_xlabel() == "strength $K_a$, a" and ax.get_ylabel() == "strength $K_a$, path 2"
    ax = plot.plane(one=given, other=[given, given], x=("strength", 0, 0), y=("strength", 0, 1))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "other"]
    assert len({line.get_color() for line in ax.lines}) == 2


def test_members_are_lines_of_one_colour():
    ax = plot.plane(ensemble(3), x=("strength", 0), y=("strength", 1))
    assert len(ax.lines) == 6 and len({line.get_color() for line in ax.lines}) == 1


@pytest.mark.parametrize(
    ("x", "match"),
    [
        ("speed", "`x`"),
        (("strength", 2), "one of 2 places along 'path'"),
        (("strength", "c"), "`x`"),
        (("strength", 0, 0, 0), "at most one place along each axis"),
    ],
)
def test_what_a_plane_refuses(x, match):
    ts = np.linspace(0, 10, 11)
    given = run(ts, rise(ts, 3), loss=ts, labels={"path": ("a", "b")})
    with pytest.raises(ValueError, match=match):
        plot.plane(given, x=x, y="strength")


def test_shapes_that_do_not_fit_are_named():
    ts = np.linspace(0, 10, 11)
    given = run(ts, np.ones((11, 2, 3)))
    with pytest.raises(ValueError, match="go together"):
        plot.plane(given, x=("strength", 0), y="strength")


# Gates


def test_gates_are_squares():
    assert gates_text(np.array([1.0, 0.0, 1.0])) == "■□■"
    assert gates_text(np.array([0.5, -1.0, 0.0])) == "▣▣□"
    assert gates_text(np.array([[1, 1], [1, 0], [0, 0]])) == "■▣□"
    assert gates_text(np.arange(20) < 7) == "open in 7 of 20"


def test_a_gated_graph_shows_them():
    task = rd.tasks.contextual(items=4, contexts=3)
    ax = plot.network(rd.networks.contextual(task, width=5))
    shown = {text.get_text().split("\n")[0]: text.get_text() for text in ax.texts}
    assert shown["h_1_2"].endswith("■■□") and "■" not in shown["common"]
    plain = plot.network(rd.networks.parallel(rd.tasks.hierarchy(4), depths=(2, 2), width=5))
    assert not any("□" in text.get_text() for text in plain.texts)


def test_gated_edges_show_them_beside_their_middle():
    nodes = {"input": rd.networks.Node(3), "output": rd.networks.Node(2)}
    network = rd.Network(
        nodes,
        {"w": ("input", "output")},
        edge_gates={"w": np.array([1.0, 0.0])},
        num_contexts=2,
    )
    ax = plot.network(network)
    assert "■□" in [text.get_text() for text in ax.texts]
