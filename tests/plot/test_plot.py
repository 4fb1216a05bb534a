"""Figures carry labels, units and legends, draw every line they should, and save real text."""

import subprocess
import sys

import jax.numpy as jnp
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from racedyn import plot
from racedyn.plot import style
from racedyn.tasks import hierarchy
from racedyn.trajectory import Provenance, Trajectory

TS = np.linspace(0, 10, 60)


@pytest.fixture(autouse=True)
def _no_figure_left():
    yield
    plt.close("all")


def run(items=4, paths=2, kind="train", modes=True, unit="tau"):
    basis = hierarchy(items).modes
    total = (basis.S / basis.variances) / (1 + np.exp(-4 * (TS[:, None] - 1 / basis.S)))
    weight = np.linspace(1, 2, paths)
    strength = total[:, None, :] * (weight / weight.sum())[:, None]
    loss = 1e-3 + 0.5 * np.sum((basis.S / basis.variances - total) ** 2, axis=1)
    return Trajectory(
        ts=jnp.asarray(TS) if kind == "simulate" else TS,
        observables={
            "strength": jnp.asarray(strength) if kind == "simulate" else strength,
            "loss": loss,
        },
        dims={"strength": ("time", "path", "mode"), "loss": ("time",)},
        labels={"path": tuple(f"route {a + 1}" for a in range(paths))},
        provenance=Provenance(
            kind=kind,
            system="by hand",
            solver="none",
            modes=basis if modes else None,
            settings={"time_unit": unit},
        ),
    )


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_race_draws_every_strength_of_both():
    panels = plot.race(run(kind="simulate"), run())
    assert panels.shape == (4,)
    values = hierarchy(4).modes
    for mode, ax in enumerate(panels):
        target, *lines = ax.lines
        np.testing.assert_allclose(target.get_ydata(), values.S[mode] / values.variances[mode])
        assert [line.get_linestyle() for line in lines] == ["-", "-", "--", "--"]
        assert (
            lines[0].get_color()
            == lines[2].get_color()
            != lines[1].get_color()
            == lines[3].get_color()
        )
        np.testing.assert_array_equal(
            lines[3].get_ydata(), run().observables["strength"][:, 1, mode]
        )
        assert ax.get_title() == f"{values.names[mode]}, $S$ = {values.S[mode]:.3g}"
        assert ax.get_xlabel() == r"flow time ($\tau$)"
        assert ax.get_ylim() == panels[0].get_ylim()
    assert panels[0].get_ylabel() == "strength $K_a$"
    figure = panels[0].figure
    assert figure.get_figwidth() == 7
    (legend,) = figure.legends
    assert texts(legend) == ["route 1", "route 2", "trained", "theory", "$S/d$"]
    assert legend.get_title().get_text() == ""


def test_race_of_one_run_is_solid():
    panels = plot.race(run(kind="simulate"))
    assert [line.get_linestyle() for line in panels[0].lines] == ["-"] * 3
    assert texts(panels[0].figure.legends[0]) == ["route 1", "route 2", "$S/d$"]


def test_race_shows_the_strongest_modes_and_says_so():
    panels = plot.race(run(items=16))
    assert len(panels) == 8
    assert panels[0].get_title().startswith("all")
    legend = panels[0].figure.legends[0]
    assert legend.get_title().get_text() == "8 of 16 modes: those with the largest $S$"
    assert len(plot.race(run(items=16, modes=False), run(items=16, modes=False))[0].lines) == 4


def test_race_of_five_modes_leaves_no_empty_panel():
    whole = run(items=8)
    five = Trajectory(
        ts=TS,
        observables={"strength": whole.observables["strength"][..., :5]},
        dims={"strength": ("time", "path", "mode")},
    )
    panels = plot.race(five)
    assert len(panels[0].figure.axes) == len(panels) == 5
    assert [bool(ax.get_xlabel()) for ax in panels] == [False, False, True, True, True]
    assert [bool(ax.get_ylabel()) for ax in panels] == [True, False, False, True, False]
    assert panels[0].get_title() == "mode 1"


def test_race_on_axes_of_the_caller():
    _, axes = plt.subplots(2, 2)
    panels = plot.race(run(kind="simulate"), run(), axes=axes)
    assert list(panels) == list(axes.ravel())
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in panels)
    assert len(texts(panels[0].get_legend())) == 5
    with pytest.raises(ValueError, match="`axes` must be one per panel, 4, but there are 1"):
        plot.race(run(), axes=axes[0, 0])


def test_race_refuses_what_compare_refuses():
    with pytest.raises(ValueError, match="unit of time"):
        plot.race(run(unit="steps"), run())
    bare = Trajectory(ts=TS, observables={"loss": TS}, dims={"loss": ("time",)})
    with pytest.raises(ValueError, match="observable 'strength'"):
        plot.race(bare)


def test_colours_are_okabe_and_ito_s():
    with style.context():
        colours = style.path_colours(np.zeros((1, 8, 1)))
    known = np.array(matplotlib.color_sequences["okabe_ito"])
    np.testing.assert_allclose(sorted(map(to_rgb, colours)), sorted(map(tuple, known)), atol=0.01)


def test_many_pathways_share_grey():
    ax = plot.strengths(run(paths=12))
    names = texts(ax.figure.legends[0])
    assert names[:8] == [f"route {a}" for a in range(6, 13)] + [
        "5 other pathways"
    ]  # the strongest at the end
    assert len({line.get_color() for line in ax.lines}) == 8


def test_strengths_draws_all_and_fades_with_S():
    ax = plot.strengths(run())
    assert len(ax.lines) == 8
    widths = [
        line.get_linewidth() for line in ax.lines
    ]  # weakest first, so that the strongest lie on top
    assert widths == sorted(widths)
    assert len(set(widths)) == 3  # three values of S
    assert texts(ax.figure.legends[0])[2:] == [
        "mode 1, $S$ = 0.661",
        "mode 2, $S$ = 0.433",
        "modes 3-4, $S$ = 0.25",
    ]
    assert (ax.get_xlabel(), ax.get_ylabel()) == (r"flow time ($\tau$)", "strength $K_a$")
    _, own = plt.subplots()
    assert plot.strengths(run(unit="steps"), own) is own
    assert own.get_xlabel() == "time (steps)"
    assert own.get_legend() is not None


def test_loss_names_its_curves():
    ax = plot.loss(run(), run(kind="simulate"), run(), linear=run(kind="other"))
    assert texts(ax.get_legend()) == ["trained 1", "theory", "trained 2", "linear"]
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--", "-", "-"]
    assert ax.get_yscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == (r"flow time ($\tau$)", "loss $L$")
    with pytest.raises(ValueError, match="at least one trajectory"):
        plot.loss()
    with pytest.raises(ValueError, match="share a unit of time"):
        plot.loss(run(), run(unit="steps"))
    bare = Trajectory(ts=TS, observables={"q": TS}, dims={"q": ("time",)})
    with pytest.raises(ValueError, match="have an observable 'loss' with axes"):
        plot.loss(bare)


@pytest.mark.parametrize("draw", [plot.race, plot.strengths, plot.loss])
def test_saved_pdf_has_real_fonts(draw, tmp_path):
    path = plot.save_figure(draw(run()), tmp_path / "figure.pdf")
    content = path.read_bytes()
    assert b"/CIDFontType2" in content or b"/TrueType" in content
    assert b"/Type3" not in content


def test_save_figure_takes_figures_and_refuses_others(tmp_path):
    ax = plot.loss(run())
    assert plot.save_figure(ax.figure, tmp_path / "a.png").stat().st_size > 1000
    with pytest.raises(TypeError, match="`figure` must be a figure or axes, but it is str"):
        plot.save_figure("figure", tmp_path / "b.png")


@pytest.mark.parametrize("draw", [plot.race, plot.strengths, plot.loss])
def test_style_ends_with_the_drawing(draw):
    before = dict(matplotlib.rcParams)
    ax = np.ravel(np.asarray(draw(run()), dtype=object))[0]
    assert dict(matplotlib.rcParams) == before
    ax.figure.canvas.draw()  # ticks made this late keep the style's size
    assert {label.get_fontsize() for label in ax.get_xticklabels() + ax.get_yticklabels()} == {7.0}
    assert ax.xaxis.label.get_fontsize() == 8.0


def test_matplotlib_waits_until_it_is_needed():
    code = "import sys, racedyn.plot, racedyn.comparison; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_closed_figure_is_let_go():
    axes = plot.race(run())
    before = len(plt.get_fignums())
    plot.close(axes)
    assert len(plt.get_fignums()) == before - 1


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("$$", r"\$\$"),
        ("a$b", r"a\$b"),
        (r"$\frac{$", r"\$\frac{\$"),
        ("$W_1$", "$W_1$"),
        ("_w", " _w"),
        ("\x1b[1m", r"\x1b[1m"),
    ],
)
def test_any_name_can_be_drawn(name, drawn, tmp_path):
    """Formulas where they are some; else as they are written, and never what a terminal or a parser
    would act on.
    """
    rows = np.linspace(0.1, 1, 5)
    made = Trajectory(
        ts=rows,
        observables={"strength": np.stack([rows, rows**2], axis=1)[..., None]},
        dims={"strength": ("time", "path", "mode")},
        labels={"path": (name, "b"), "mode": (name,)},
    )
    (panel,) = plot.race(made)
    assert panel.get_title() == drawn
    assert [text.get_text() for text in panel.figure.legends[0].get_texts()] == [drawn, "b"]
    plot.save_figure(panel, tmp_path / "race.png")
    plot.save_figure(plot.strengths(made), tmp_path / "strengths.png")
