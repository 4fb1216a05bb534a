"""Studies: each at a size of seconds, going on after an interruption, the table, citations."""

import dataclasses
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from racedyn import plot, store, studies
from racedyn.reduction import LEVELS
from racedyn.studies.shi2022 import pathways
from racedyn.studies.study import run_study

TINY = {"width": 12, "std": 0.3, "lr": 0.01, "dtype": "float32"}


def tiny(name, **settings):
    """The study with narrow layers and whatever else makes it small."""
    study = studies.STUDIES[name]
    return dataclasses.replace(study, published={**study.published, **TINY, **settings})


@pytest.fixture(autouse=True)
def few_epochs(monkeypatch):
    monkeypatch.setattr(pathways, "EPOCHS", {2: 60, 3: 80, 4: 80, 7: 80})


@pytest.mark.parametrize(
    ("study", "runs", "says"),
    [
        pytest.param(
            tiny("shi2022.fig3", starts=3, depths=[2, 8]), 4, "K(0) < 0.01", marks=pytest.mark.long
        ),
        (tiny("shi2022.fig4", epochs=20, columns=3, depth=3), 1, "off-diagonal norm"),
        pytest.param(
            tiny("shi2022.fig6", depth=3), 4, "winners of modes 1-8", marks=pytest.mark.slow
        ),
        pytest.param(
            tiny("shi2022.fig7", seeds=[0], depths=[2, 3]),
            4,
            "participation of learned modes",
            marks=pytest.mark.long,
        ),
        pytest.param(
            tiny("shi2022.fig8", seeds=[0], depths=[2, 3]),
            4,
            "participation of learned modes",
            marks=pytest.mark.long,
        ),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_every_figure_runs(study, runs, says, tmp_path):
    done = run_study(study, out=tmp_path, progress=False)
    file = store.load(done.path)
    assert len(file) == runs and file.config["study"] == study.name and file.config["width"] == 12
    assert says in str(done) and study.claim in str(done)
    assert (
        done.figure.stat().st_size > 10_000 and len(plt.get_fignums()) == 1
    )  # open, for notebooks
    with pytest.raises(FileExistsError, match="exists"):
        run_study(study, out=tmp_path, progress=False)


def test_quick_and_published_settings_have_the_same_names():
    for study in studies.STUDIES.values():
        assert set(study.quick) == set(study.published) and study.source in studies.REFERENCES


def test_every_setting_is_said_to_be_published_or_ours():
    """And seeds are always ours: papers give none."""
    for study in studies.STUDIES.values():
        said = re.findall(r"\w+", study.settings().replace("settings", ""))
        assert sorted(set(said) - {"ours", "published"}) == sorted(study.published)
        assert study.source == "racedyn" or {"seed", "seeds"} & set(study.ours), study.name
    with pytest.raises(ValueError, match="`ours` must be one of"):
        dataclasses.replace(studies.STUDIES["shi2022.fig5"], ours=("width", "depht"))


@pytest.mark.slow
def test_an_interrupted_study_goes_on(tmp_path, monkeypatch):
    study = tiny("shi2022.fig5", seeds=[0], depths=[2, 3])
    real, calls = pathways.train, []

    def interrupted(network, task, weights, **options):
        calls.append(len(network.paths()[0]))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(network, task, weights, **options)

    monkeypatch.setattr(pathways, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_study(study, out=tmp_path, progress=False)
    done = run_study(study, out=tmp_path, progress=False)
    assert calls == [2, 3, 3], "depth 2 was not trained again"
    assert not list(tmp_path.glob("*.partial")) and len(store.load(done.path)) == 4
    assert "linear theory" in str(done) and study.claim in str(done)


@pytest.mark.parametrize("last, shown", [(300, (1.0, 100.0)), (60, (1.0, 60.0)), (0, None)])
def test_a_race_is_shown_in_the_decades_in_which_strengths_change(last, shown):
    ts = np.arange(last + 1.0)
    strength = np.clip((ts - 3) / 40, 0, 1)[:, None, None] * np.array([[[2.0, 1.0], [0.1, 0.5]]])
    run = studies.study.Trajectory(ts=ts, observables={"strength": strength}, dims={})
    (ax,) = plot.new_figure(1, 1, height=2.0)
    pathways.show_learning(ax, run)
    assert ax.get_xscale() == ("log" if shown else "linear")
    if shown:
        assert ax.get_xlim() == pytest.approx(shown)
    plot.close(ax)


def test_participation_counts_learned_modes_only():
    modes = pathways.hierarchy(8).modes
    target = modes.S / modes.variances
    learned = np.where(np.arange(8) < 3, 1.0, 0.1)
    strength = np.stack([0.75 * target * learned, 0.25 * target * learned])[None]
    run = studies.study.Trajectory(ts=np.zeros(1), observables={"strength": strength}, dims={})
    np.testing.assert_allclose(pathways.final_participation([run]), [1 / (0.75**2 + 0.25**2)] * 3)


def test_citations():
    assert {known.source for known in LEVELS.values()} <= set(studies.REFERENCES)
    lines = studies.cite(sources=["Shi22"], solvers=["Tsit5, rtol 1e-08"])
    assert [line.split("]")[0][1:] for line in lines] == ["Shi22", "Tsit5", "diffrax", "jax"]
    with pytest.raises(ValueError, match=r"Did you mean 'shi2022.fig5'"):
        studies.reproduce("shi2022.fig55")
