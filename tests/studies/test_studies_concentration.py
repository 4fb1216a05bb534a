"""Our own studies of concentration, at a size of seconds."""

import dataclasses

import numpy as np
import pytest

import racedyn as rd
from racedyn import store, studies
from racedyn.studies.concentration import batches, cells, noise, projectors
from racedyn.studies.study import Job, run_study

TINY = {
    "concentration.law": {
        "pathways": [2, 3],
        "depths": [4, 5],
        "widths": [10**4],
        "variances": [0.1],
        "draws": 300,
        "drawn_depths": [3],
        "drawn_widths": [300],
        "drawn_variances": [0.5],
        "drawn_draws": 2,
        "trained_depths": [3],
        "trained_widths": [20],
        "trained_variances": [0.5],
        "trained_draws": 2,
    },
    "concentration.projectors": {
        "second": [0.5],
        "depths": [4],
        "plateaus": [6.0],
        "widths": [10**2, 10**8],
        "draws": 2,
        "hierarchy": [[3, 0.3]],
        "hierarchy_widths": [200],
        "hierarchy_draws": 2,
    },
    "concentration.levels": {"laws": [[3, 0.3]], "widths": [40]},
    "concentration.mixtures": {
        "depth": 3,
        "plateau": 3.0,
        "width": 100,
        "pathways": [2],
        "modes": [2],
        "draws": 2,
        "ratios": [0.5],
        "angle_draws": 2,
        "start_depths": [3],
        "start_width": 100,
        "start_draws": 2,
        "learned": [0.5, 0.99],
        "laws": [[3, 0.3, 100]],
        "law_draws": 2,
    },
    "concentration.nonlinear": {"kinds": ["ReLU"], "depths": [2], "width": 40, "draws": 2},
    "concentration.noise": {
        "depths": [3],
        "width": 20,
        "plateau": 5.0,
        "batches": [4],
        "steps": [0.4],
        "all_steps": [0.4, 0.8],
        "draws": 3,
        "noises": [[0.4, 0.2, 4]],
        "noisy_plateau": 5.0,
        "noisy_draws": 3,
        "until": 1.0,
    },
}


@pytest.mark.parametrize(
    ("name", "says", "array"),
    [
        pytest.param(
            "concentration.law",
            "from the derived mean participation",
            ("race_participation", (2, 2, 1, 1)),
            marks=pytest.mark.long,
        ),
        pytest.param(
            "concentration.projectors",
            "sum |M_a|^(2/D): the end",
            ("pair_maps", (1, 1, 1, 2, 2, 2, 2, 2)),
            marks=pytest.mark.long,
        ),
        pytest.param(
            "concentration.noise",
            "of it is gone",
            ("motion_share", (1, 1, 3, batches.ROWS + 1)),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "concentration.levels",
            "distance of eigenvalues of P, compressed",
            ("beside_shares", (1, 1, 3)),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "concentration.mixtures",
            "inner products of two modes kept: none",
            ("start_maps", (1, 4, 2, 2, 8, 8)),
            marks=pytest.mark.long,
        ),
        pytest.param(
            "concentration.nonlinear",
            "ReLU, D = 2: by mode",
            ("trained_maps", (1, 1, 2, 2, 8, 8)),
            marks=pytest.mark.long,
        ),
    ],
)
def test_studies_run_into_one_labelled_file(name, says, array, tmp_path, monkeypatch):
    monkeypatch.setenv("RACEDYN_CACHE", "off")
    study = studies.STUDIES[name]
    tiny = dataclasses.replace(study, published={**study.published, **TINY[name]})
    done = run_study(tiny, out=tmp_path, progress=False)
    found = store.load(done.path)
    assert found[array[0]].shape == array[1] and np.isfinite(found[array[0]]).all()
    assert says in str(done) and study.claim in str(done)
    assert done.figure.stat().st_size > 10_000
    with pytest.raises(FileExistsError, match="exists"):
        run_study(tiny, out=tmp_path, progress=False)
    again = run_study(tiny, out=tmp_path, progress=False, overwrite=True)  # from its parts
    assert again.finding.lines == done.finding.lines


@pytest.mark.long
def test_drawn_and_trained_networks_share_alike():
    """Two laws of the same numbers: what both have is compared, as means over draws."""
    task = rd.tasks.from_arrays(np.ones((1, 1)), np.ones((1, 1)))
    drawn, trained = (
        kind(task, 2, 3, 40, 0.3, 40)["maps"][..., 0, 0] for kind in (cells.drawn, cells.trained)
    )
    np.testing.assert_allclose(drawn.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(trained.sum(axis=1), 1, atol=1e-6)
    one, other = (rd.paths.participation(maps[..., None]).ravel() for maps in (drawn, trained))
    error = np.hypot(one.std(), other.std()) / np.sqrt(40)
    assert abs(one.mean() - other.mean()) < 4 * error


def test_where_mixtures_fade():
    x = np.array([1.0, 2.0, 3.0])
    assert projectors._crossing(x, np.array([1.0, 1.2, 1.8])) == pytest.approx(2.5)
    assert np.isnan(projectors._crossing(x, np.array([1.0, 1.1, 1.2])))
    assert np.isnan(projectors._crossing(x, np.array([1.9, 2.0, 2.0])))


def test_tasks_of_batches():
    """All of one mode, S = d = 1; and how much batches differ, against draws."""
    for task in (batches.fitted(), batches.noisy(0.3)):
        np.testing.assert_allclose([task.modes.S, task.modes.variances], 1)
    noisy = batches.noisy(0.3)
    assert np.mean((noisy.Y - noisy.X) ** 2) == pytest.approx(0.3)
    draw, squares = np.random.default_rng(0), batches.fitted().X[0] ** 2
    means = [draw.permutation(squares)[:4].mean() for _ in range(20_000)]
    assert np.mean(np.square(means)) == pytest.approx(batches.larger(4), rel=0.01)
    assert batches.larger(batches.EXAMPLES) == 1


def test_strengths_less_what_fluctuates():
    """Along the gradient of the sum, of chains of 3 numbers 0.9^(1/3) and 0.1^(1/3)."""
    layers = np.array([0.9, 0.1]) ** (1 / 3)
    moved = layers + 1e-3 * layers**2
    np.testing.assert_allclose(batches.in_the_valley(moved**3, 3), [0.9, 0.1], atol=1e-5)
    assert abs(moved[0] ** 3 - 0.9) > 1e-3


def test_the_way_that_is_gone():
    derived = np.array([[0.0, 0.1, 0.2], [0.0, 0.3, 0.6]])
    ratio, error = noise._ratio(0.9 * derived, derived)
    assert (ratio, error) == (pytest.approx(0.9), pytest.approx(0, abs=1e-12))


def test_depth_norms_of_known_maps():
    maps = np.array([np.diag([4.0, 1.0]), np.diag([0.0, 9.0])])
    np.testing.assert_allclose(projectors._depth_norm(4, maps), [3, 3])


def test_other_code_of_a_cell_is_computed_anew(tmp_path, monkeypatch):
    """Studies find what an earlier try has left of the same code, and of no other."""

    def value(x):
        return projectors._crossing(np.array([1.0, x]), np.array([1.0, 2.0]))

    job = Job({}, tmp_path / "own.h5", progress=False)
    assert job.sweep("name", value, x=[2.0])["value"].tolist() == [1.5]
    monkeypatch.setattr(projectors, "HALF", 1.25)
    assert job.sweep("name", value, x=[2.0])["value"].tolist() == [1.25]
