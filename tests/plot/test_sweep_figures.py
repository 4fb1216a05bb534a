"""Figures of many runs: maps over two axes, bands along one, panels along a third."""

import dataclasses
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import LogNorm

import racedyn as rd
from racedyn import plot
from racedyn.cli import main
from racedyn.trajectory import Labelled, Status

STD, WIDTH, SEED = np.array([0.1, 0.001, 0.01]), np.array([10, 20, 30, 40]), np.arange(5)
AXES = ("network.depths", "init.std", "network.width", "seed")
SHAPE = (2, 3, 4, 5)


def made(function, **changed):
    """A sweep whose participation at (depths, log10 std, width, seed, mode) is `function`."""
    grid = np.meshgrid(
        np.arange(2), np.log10(STD), WIDTH, SEED, np.arange(3), indexing="ij", sparse=True
    )
    values = np.broadcast_to(function(*grid), (*SHAPE, 3)).astype(float)
    status = np.zeros(SHAPE, int)
    sweep = Labelled(
        arrays={"loss": np.ones((*SHAPE, 2)), "participation": values, "status": status},
        dims={"loss": (*AXES, "row"), "participation": (*AXES, "mode"), "status": AXES},
        coordinates={
            "network.depths": ["[2, 2]", "[4, 4]"],
            "init.std": STD,
            "network.width": WIDTH,
            "seed": SEED,
        },
        meanings={"participation": ("pathways that share a mode", "K"), "init.std": ("spread", "")},
    )
    return dataclasses.replace(sweep, **changed)


@pytest.fixture
def sweep():
    return made(lambda depth, std, width, seed, mode: std + width + 100 * depth + seed + mode)


def colours(ax):
    return np.ma.filled(ax.collections[0].get_array(), np.nan)


def ticks(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


# Maps


def test_a_map_is_the_mean_over_what_is_not_named_at_the_true_values(sweep):
    ax = plot.phase_map(
        sweep, "participation", x="init.std", y="network.width", select={"network.depths": [4, 4]}
    )
    wanted = 100 + np.log10(np.sort(STD)) + WIDTH[:, None] + SEED.mean() + 1
    np.testing.assert_allclose(colours(ax), wanted)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert ticks(ax.xaxis) == ["0.001", "0.01", "0.1"] and ticks(ax.yaxis) == [*map(str, WIDTH)]
    np.testing.assert_allclose(ax.xaxis.get_ticklocs(), np.sort(STD))
    np.testing.assert_allclose(ax.get_xlim(), [10**-3.5, 10**-0.5])
    np.testing.assert_allclose(ax.get_ylim(), [5, 45])
    assert ax.get_xlabel() == "spread" and ax.get_ylabel() == "network.width"
    bar = ax.figure.axes[1]
    assert bar.get_ylabel() == "pathways that share a mode (K)"
    assert ax.get_title() == "network.depths = [4, 4]\nmean over seed (5), mode (3)"


def test_contours_leave_the_first_cell_of_a_logarithmic_axis_whole():
    found = rd.Labelled(
        arrays={"share": np.arange(21.0).reshape(3, 7)},
        dims={"share": ("depth", "width")},
        coordinates={"depth": np.arange(3, 6), "width": np.geomspace(1e2, 1e8, 7)},
    )
    ax = rd.plot.phase_map(found, "share", x="width", y="depth")
    np.testing.assert_allclose(ax.get_xlim(), [10**1.5, 10**8.5])


def test_a_map_of_medians_has_names_at_their_places_and_no_contours(sweep):
    sweep["participation"][0, 0, 0, 0] = 1e9
    drawn = [
        plot.phase_map(sweep, "participation", x="network.depths", y="init.std", average=average)
        for average in ("mean", "median")
    ]
    assert colours(drawn[0])[2, 0] > 1e5 > colours(drawn[1])[2, 0]
    assert ticks(drawn[1].xaxis) == ["[2, 2]", "[4, 4]"]
    assert list(drawn[1].xaxis.get_ticklocs()) == [0, 1]
    assert len(drawn[1].collections) == 1
    numbers = plot.phase_map(sweep, "participation", x="init.std", y="network.width")
    assert len(numbers.collections) == 2  # cells and contours


def test_colour_is_logarithmic_over_decades_and_symmetric_about_0():
    decades = made(lambda depth, std, width, seed, mode: 10.0**std)
    assert isinstance(norm_of(decades), LogNorm)
    signed = norm_of(made(lambda depth, std, width, seed, mode: std + 2.5))
    assert (signed.vmin, signed.vmax) == (-1.5, 1.5)
    one = norm_of(made(lambda depth, std, width, seed, mode: 0 * std + 2.0))
    assert one.vmin == 2.0 < one.vmax


def norm_of(sweep):
    return (
        plot.phase_map(sweep, "participation", x="init.std", y="network.width").collections[0].norm
    )


def test_cells_without_a_value_are_hatched_and_counted(sweep):
    status = sweep["status"]
    status[:, 0, 0] = Status.FAILED  # all of one cell
    status[0, 1, 1, 2] = Status.NOT_FINITE  # one run of another
    sweep["participation"][1, 2, 3] = np.inf  # half of the runs of a third
    sweep["participation"][status == Status.NOT_FINITE] = 1e9
    ax = plot.phase_map(sweep, "participation", x="init.std", y="network.width")
    assert np.argwhere(np.isnan(colours(ax))).tolist() == [[0, 2]] and np.nanmax(colours(ax)) < 200
    assert ax.patch.get_hatch()
    note = ax.get_title().replace("\n", " ")
    assert "no value in 1 of 12 cells (hatched)" in note
    assert "some runs missing in 2 of 12 cells" in note


def test_a_map_of_nothing_is_all_hatched(sweep):
    sweep["participation"][...] = np.nan
    ax = plot.phase_map(sweep, "participation", x="init.std", y="network.width")
    assert "no value in 12 of 12 cells" in ax.get_title().replace("\n", " ")


def test_panels_share_axes_and_one_scale_of_colour(sweep):
    axes = plot.phase_map(
        sweep, "participation", x="init.std", y="network.width", panels="network.depths"
    )
    assert axes.shape == (2,)
    assert [ax.get_title() for ax in axes] == [f"network.depths = [{n}, {n}]" for n in (2, 4)]
    one, other = (ax.collections[0].norm for ax in axes)
    every = np.concatenate([colours(ax) for ax in axes])
    assert one is other and (one.vmin, one.vmax) == (every.min(), every.max())
    np.testing.assert_allclose(colours(axes[1]) - colours(axes[0]), 100)
    assert len(axes[0].figure.axes) == 3 and axes[0].get_ylabel() and not axes[1].get_ylabel()


def test_a_map_on_axes_of_the_caller(sweep):
    figure, (left, right) = plt.subplots(1, 2)
    drawn = plot.phase_map(sweep, "participation", x="init.std", y="seed", ax=left)
    assert drawn is left and left.collections and not right.collections
    both = plot.phase_map(
        sweep, "participation", x="init.std", y="seed", panels="network.depths", ax=[left, right]
    )
    assert [*both] == [left, right] and "mean over" in right.get_title()
    plot.close(figure)


# Bands


def test_bands_are_quantiles_over_what_is_not_named(sweep):
    ax = plot.bands(sweep, "participation", x="network.width", select={"network.depths": "[2, 2]"})
    (line,) = ax.lines
    values = np.moveaxis(sweep["participation"][0], 1, 0).reshape(4, -1)
    np.testing.assert_allclose(line.get_xdata(), WIDTH)
    np.testing.assert_allclose(line.get_ydata(), np.median(values, axis=1))
    corners = ax.collections[0].get_paths()[0].vertices
    for k, x in enumerate(WIDTH):
        shade = corners[corners[:, 0] == x, 1]
        low, high = np.quantile(values[k], [0.1, 0.9])
        np.testing.assert_allclose([shade.min(), shade.max()], [low, high])
    assert ax.get_ylabel() == "pathways that share a\nmode (K)" and ax.get_legend() is None
    assert "median and 10-90 % over" in ax.get_title()


def test_a_line_for_each_value_of_hue_in_its_order(sweep):
    sweep["status"][1, 1, 0, 0] = Status.STEPS_EXHAUSTED
    select = {"network.depths": "[4, 4]"}
    ax = plot.bands(sweep, "participation", x="network.width", hue="init.std", select=select)
    heights = [line.get_ydata()[0] for line in ax.lines]
    assert heights == sorted(heights)
    assert len({line.get_color().tobytes() for line in ax.lines}) == 3
    (legend,) = ax.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["0.001", "0.01", "0.1"]
    assert legend.get_title().get_text() == "spread"
    assert "3 of 180 values missing" in ax.get_title()


def test_what_is_one_run_has_no_shade_and_decades_are_logarithmic():
    sweep = made(lambda depth, std, width, seed, mode: 10.0 ** (std - mode))
    select = {"seed": 2, "network.depths": "[2, 2]", "network.width": 20}
    ax = plot.bands(sweep, "participation", x="init.std", hue="mode", select=select)
    assert not ax.collections and ax.get_yscale() == ax.get_xscale() == "log"


def test_panels_of_bands_share_their_axes(sweep):
    axes = plot.bands(sweep, "participation", x="init.std", hue="network.depths", panels="mode")
    assert axes.shape == (3,) and len(axes[0].figure.legends) == 1
    assert len({ax.get_ylim() for ax in axes}) == 1
    assert [ax.get_title() for ax in axes] == ["mode = 0", "mode = 1", "mode = 2"]


# Both


@pytest.mark.parametrize(
    ("coordinates", "scale"),
    [
        ([1, 2, 4, 8], "log"),
        ([1, 2, 3, 4], "linear"),
        ([2, 4, 6, 10], "linear"),
        ([0.01, 0.02, 0.05, 0.1], "log"),
        ([0, 1, 10, 100], "linear"),
        ([10, 30, 100, 300], "log"),
        ([3, 3, 4, 5], "linear"),
        ([np.nan, 1, 10, 100], "linear"),
    ],
)
def test_what_is_spaced_by_a_factor_is_logarithmic(coordinates, scale):
    sweep = Labelled({"x": np.eye(4)}, {"x": ("a", "b")}, {"a": np.array(coordinates)})
    assert plot.bands(sweep, "x", x="a").get_xscale() == scale
    assert plot.phase_map(sweep, "x", x="b", y="a").get_yscale() == scale


def test_ticks_are_as_many_as_there_is_room_for():
    sweep = Labelled(
        {"x": np.ones((40, 3))},
        {"x": ("a", "b")},
        {"a": np.linspace(0.0, 1.0, 40), "b": [f"a name of {n} letters" for n in (3, 4, 5)]},
    )
    ax = plot.bands(sweep, "x", x="a")
    places = ax.xaxis.get_ticklocs()
    assert 4 <= len(places) <= 14 and np.ptp(np.diff(places)) < 1e-9
    boxes = [text.get_window_extent() for text in ax.get_xticklabels()]
    assert all(one.x1 < other.x0 for one, other in pairwise(boxes))
    names = plot.phase_map(sweep, "x", x="b", y="a")
    assert len(ticks(names.xaxis)) == 3 and names.get_xticklabels()[0].get_rotation() == 90


def test_files_and_results_are_drawn_as_labelled_arrays_are(sweep, tmp_path):
    path = rd.save(tmp_path / "sweep.h5", sweep)
    for given in (path, str(path)):
        ax = plot.phase_map(given, "participation", x="init.std", y="seed")
        wanted = plot.phase_map(sweep, "participation", x="init.std", y="seed")
        np.testing.assert_array_equal(colours(ax), colours(wanted))


WRONG = {
    "measure": ({"measure": "participations"}, "Did you mean 'participation'"),
    "texts": ({"measure": "error"}, "`measure` must be one of 'participation'"),
    "x": ({"x": "init.sdt"}, "`x` must be one of .*Did you mean 'init.std'"),
    "nothing": ({"x": None}, "`x` must be one of"),
    "twice": ({"panels": "init.std"}, "be an axis of its own, but 'init.std' is drawn already"),
    "select": ({"select": {"seeds": 0}}, "`select` must be one of .*Did you mean 'seed'"),
    "drawn": ({"select": {"init.std": 0.1}}, "`select` must be one of"),
    "value": ({"select": {"seed": 7}}, r"`select\['seed'\]` must be one of 0, 1, .*nearest is 4"),
    "name": ({"select": {"network.depths": "[2, 3]"}}, r"Did you mean '\[2, 2\]'"),
    "text": ({"select": {"seed": "0"}}, "must be one of 0, 1"),
    "panels": ({"panels": "mode"}, "`panels` must have at most 12 values"),
    "axes": ({"ax": [1, 2]}, "`ax` must be one for each panel, 1"),
}


@pytest.mark.parametrize(("given", "words"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("function", [plot.phase_map, plot.bands])
def test_wrong_names_and_values_are_refused(function, given, words):
    sweep = Labelled(
        {"participation": np.ones((*SHAPE, 13)), "error": np.full(SHAPE, "", dtype=object)},
        {"participation": (*AXES, "mode"), "error": AXES},
        {"network.depths": ["[2, 2]", "[4, 4]"], "init.std": STD, "seed": SEED},
    )
    second = {"y": "network.width"} if function is plot.phase_map else {"hue": "network.width"}
    good = {"measure": "participation", "x": "init.std", **second}
    with pytest.raises(ValueError, match=words):
        function(sweep, **{**good, **given})


def test_other_things_are_refused(sweep, tmp_path):
    with pytest.raises(TypeError, match="`select` must be axis -> value"):
        plot.bands(sweep, "participation", x="seed", select=["seed"])
    with pytest.raises(TypeError, match="`sweep` must be a Trajectory, a Labelled, or"):
        plot.bands(3, "participation", x="seed")
    with pytest.raises(ValueError, match="`average` must be one of 'mean', 'median'"):
        plot.phase_map(sweep, "participation", x="seed", y="mode", average="max")
    with pytest.raises(ValueError, match="`hue` must have at most 12 values"):
        many = Labelled({"x": np.ones((2, 13))}, {"x": ("a", "b")})
        plot.bands(many, "x", x="a", hue="b")
    with pytest.raises(ValueError, match="have a value along every axis"):
        plot.bands(Labelled({"x": np.ones((2, 0))}, {"x": ("a", "b")}), "x", x="a")
    with pytest.raises(ValueError, match="have each of its axes once"):
        plot.bands(Labelled({"x": np.eye(2)}, {"x": ("a", "a")}), "x", x="a")
    with pytest.raises(FileNotFoundError):
        plot.overview(tmp_path / "nothing.h5")


def test_style_holds_while_drawing_and_text_is_saved(sweep, tmp_path):
    before = dict(plt.rcParams)
    axes = plot.phase_map(sweep, "participation", x="init.std", y="seed", panels="network.depths")
    assert dict(plt.rcParams) == before
    content = plot.save_figure(axes, tmp_path / "figure.pdf").read_bytes()
    assert b"/CIDFontType2" in content or b"/TrueType" in content


# At first sight


def test_at_first_sight_a_sweep_is_a_map_or_bands(sweep):
    ax = plot.overview(sweep)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("network.depths", "spread")
    one = made(lambda depth, std, width, seed, mode: 0.0 * std)
    few = Labelled(
        {name: one[name][:1, :, :1] for name in ("status", "loss")},
        {name: one.dims[name] for name in ("status", "loss")},
        {"init.std": STD, "row": np.array([0, 5])},
    )
    ax = plot.overview(few)
    assert ax.get_xlabel() == "init.std" and ax.lines and "row = 5" in ax.get_title()
    seeds = Labelled({"share": np.ones((1, 3))}, {"share": ("init.std", "seed")})
    assert plot.overview(seeds).get_xlabel() == "init.std"
    none = Labelled({"best": np.array(1.0), "status": np.ones(2)}, {"best": (), "status": ("a",)})
    with pytest.raises(ValueError, match="`sweep` must have a measure"):
        plot.overview(none)


def test_the_command_line_draws_and_tells_of_a_merged_file(sweep, tmp_path, capsys):
    path = str(rd.save(tmp_path / "sweep.h5", sweep))
    assert main(["plot", path]) == 0
    assert (tmp_path / "sweep.png").stat().st_size > 1000
    assert main(["info", path]) == 0
    assert "(network.depths, init.std, network.width, seed, mode)" in capsys.readouterr().out
    assert main(["cite", path]) == 2
    assert "be a file of trajectories" in capsys.readouterr().err
