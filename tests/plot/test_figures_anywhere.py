"""Figures in notebooks and folders."""

import os
import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from racedyn import plot
from racedyn.trajectory import Trajectory

RUN = Trajectory(
    ts=np.arange(3.0), observables={"loss": np.array([3.0, 2.0, 1.0])}, dims={"loss": ("time",)}
)

# What matplotlib_inline does: loaded with the first figure, it switches interactive drawing on;
# only figures that are made while that is on are shown.
BACKEND = """
import matplotlib
from matplotlib.backend_bases import FigureManagerBase, _Backend
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas

shown = []

def new_figure_manager_given_figure(num, figure):
    if matplotlib.is_interactive():
        shown.append(num)
    return FigureManagerBase(FigureCanvas(figure), num)

def new_figure_manager(num, *args, FigureClass, **kwargs):
    return new_figure_manager_given_figure(num, FigureClass(*args, **kwargs))

def show(*args, **kwargs):
    pass

matplotlib.interactive(True)
"""
NOTEBOOK = """
import sys, numpy as np
from racedyn import plot
from racedyn.trajectory import Trajectory
run = Trajectory(ts=np.arange(3.0), observables={"loss": np.ones(3)}, dims={"loss": ("time",)})
for _ in range(3):
    plot.loss(run)
import notebook_backend
sys.exit(str(notebook_backend.shown) if notebook_backend.shown != [1, 2, 3] else 0)
"""


def test_every_figure_of_a_notebook_is_shown(tmp_path):
    (tmp_path / "notebook_backend.py").write_text(BACKEND)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "MPLBACKEND": "module://notebook_backend"}
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_drawing_leaves_every_setting_as_it_was_also_after_an_error():
    with matplotlib.rc_context({"font.size": 13.0, "axes.prop_cycle": plt.cycler(color=["red"])}):
        before = dict(matplotlib.rcParams)
        plot.loss(RUN)
        assert dict(matplotlib.rcParams) == before
        with pytest.raises(ZeroDivisionError), plot.style.context():
            assert matplotlib.rcParams["font.size"] == 8.0
            _ = 1 / 0
        assert dict(matplotlib.rcParams) == before


def test_a_folder_gets_a_file_of_its_own(tmp_path):
    axes = plot.loss(RUN)
    assert plot.save_figure(axes, tmp_path) == tmp_path / "figure.png"
    assert plot.save_figure(axes, str(tmp_path)) == tmp_path / "figure-2.png"
    assert plot.save_figure(axes, f"{tmp_path}/new/") == tmp_path / "new" / "figure.png"
    assert (
        plot.save_figure(axes, tmp_path / "deep" / "er" / "loss")
        == tmp_path / "deep" / "er" / "loss.png"
    )
    assert plot.save_figure(axes, tmp_path / "loss.PDF").read_bytes().startswith(b"%PDF")
    files = sorted(
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()
    )
    assert files == ["deep/er/loss.png", "figure-2.png", "figure.png", "loss.PDF", "new/figure.png"]


def test_an_ending_that_is_no_format_is_refused_in_our_words(tmp_path):
    with pytest.raises(
        ValueError,
        match=r"`path` must end with a format of figures: .*png.*'race.h5'.*racedyn.save",
    ):
        plot.save_figure(plot.loss(RUN), "race.h5")
    with pytest.raises(
        ValueError, match=r"`path` must end with a format of figures: .*For example race.pdf"
    ):
        plot.save_figure(plot.loss(RUN), tmp_path / "race.v1")
    assert not list(tmp_path.iterdir())
