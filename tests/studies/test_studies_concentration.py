"""Our own studies of concentration, at a size of seconds."""

import dataclasses

import numpy as np
import pytest
import scipy.stats

import racedyn as rd
from racedyn import store, studies
from racedyn.studies.concentration import batches, cells, examples, noise, projectors, tasks
from racedyn.studies.study import Job, mean_and_error, run_study

TINY = {
    "concentration.law": {
        "pathways": [2, 3],
        "depths": [4, 5],
        "widths": [10**4],
        "variances": [0.1],
        "draws": 300,
        "drawn": [[["one mode", "random"], [2], [3], [300], [0.5]]],
        "drawn_draws": 2,
        "trained": [
            [["one mode"], [2, 3], [3], [20], [0.5]],
            [["hierarchy"], [2], [3], [20], [0.5]],
        ],
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
    "concentration.tasks": {
        "drawn": [[["degenerate", "correlated"], [3], [100], 2]],
        "variance": 0.3,
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
            marks=pytest.mark.long,
        ),
        pytest.param(
            "concentration.tasks",
            "of equal modes",
            ("ends0_loss_left", (2, 1, 1, 2)),
            marks=pytest.mark.long,
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


@pytest.mark.filterwarnings("ignore:Of 2 points")
def test_a_table_of_which_every_point_failed_says_why(tmp_path):
    def fails(x):
        raise ValueError(f"no value at {x}")

    with pytest.raises(RuntimeError, match="'name' failed: ValueError: no value at 1"):
        Job({}, tmp_path / "own.h5", progress=False).sweep("name", fails, x=[1, 2])


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


def test_steps_of_diagonal_inputs():
    """Sharpness and relaxation by the modes alone: D d (S/d)^(2-2/D)."""
    task = examples.separated(3)
    assert cells.is_diagonal(task) and not cells.is_diagonal(examples.correlated(3, key=0))
    np.testing.assert_allclose(cells.curvatures(task, 4), (4, 4 * 0.25**1.5))
    lr, steps = cells.descent(task, 4, 0.1)
    assert lr == pytest.approx(0.05 * 2 / 4)
    assert cells.descent(task, 4, 0.1, step=0.1)[1] == pytest.approx(steps / 2, abs=1)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_curvatures_of_correlated_inputs(depth, monkeypatch):
    """Of the motion of maps around W, as one matrix that acts on all their entries."""
    monkeypatch.setattr(cells, "LEFT", 0.0)
    task = examples.correlated(3, key=1)
    W = task.sigma_yx() @ np.linalg.inv(task.sigma_x())
    powers = []
    for gram in (W @ W.T, W.T @ W):
        values, vectors = np.linalg.eigh(gram)
        powers.append([(vectors * values ** (l / depth)) @ vectors.T for l in range(depth)])
    left, right = powers
    motion = sum(
        np.kron(left[depth - 1 - l], task.sigma_x() @ right[l]).reshape(9, 9) for l in range(depth)
    )
    values = np.linalg.eigvals(motion)
    np.testing.assert_allclose(
        cells.curvatures(task, depth), (values.real.max(), values.real.min()), rtol=1e-9
    )


def test_slow_directions_are_not_waited_for():
    """A direction of tiny variance that carries a thousandth of the loss would take for ever."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    X = np.sqrt(3) * turn * np.sqrt([1.0, 0.5, 1e-8])
    answers = [[1.0, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.03]]
    task = rd.tasks.from_arrays(X, np.sqrt(3) * np.array(answers))
    assert not cells.is_diagonal(task)
    assert cells.curvatures(task, 3)[1] > 0.1


def test_tasks_of_the_studies():
    task = examples.correlated(4, key=3)
    sizes = np.linalg.svd(task.sigma_yx(), compute_uv=False)
    assert sizes[0] == pytest.approx(1) and sizes[-1] >= 1 / examples.RANGE
    d = np.linalg.eigvalsh(task.sigma_x())
    assert d[-1] == pytest.approx(1) and d[0] >= 1 / examples.SPREAD
    modes = examples.drawn_modes(5, key=2).modes
    K = modes.S / modes.variances
    assert K[0] == pytest.approx(1) and K[-1] >= 1 / examples.RANGE
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4, 3)) @ rng.normal(size=(3, 50))  # of rank 3
    many = rd.tasks.from_arrays(X, rng.normal(size=(2, 50)))
    few = examples.in_few_examples(many)
    assert few.num_examples == 3
    np.testing.assert_allclose(few.sigma_x(), many.sigma_x(), atol=1e-12)
    np.testing.assert_allclose(few.sigma_yx(), many.sigma_yx(), atol=1e-12)


def test_maps_in_the_modes_of_what_they_answer():
    task = examples.correlated(4, key=0)
    rng = np.random.default_rng(1)
    W = task.sigma_yx() @ np.linalg.inv(task.sigma_x())
    one = rng.normal(size=(4, 4))
    maps, strength, outside = tasks.answers(task, np.array([one, W - one]))
    total = maps.sum(axis=0)
    np.testing.assert_allclose(total, np.diag(np.diagonal(total)), atol=1e-12)
    assert (np.diff(np.diagonal(total)) < 0).all() and abs(outside) < 1e-12
    values = np.linalg.svd(W, compute_uv=False)
    assert values[-1] < strength.min() <= strength.max() < values[0]
    np.testing.assert_allclose(np.sum(strength**2), np.sum(values**2))
    # No other bases have other eigenvalues of P_a, as all directions are in them.
    np.testing.assert_allclose(
        np.sort_complex(np.linalg.eigvals(maps[0] @ np.linalg.inv(total))),
        np.sort_complex(np.linalg.eigvals(one @ np.linalg.inv(W))),
        atol=1e-10,
    )


def test_what_cancels_is_outside_of_the_modes():
    task = rd.tasks.from_arrays(np.sqrt(2) * np.eye(2), np.sqrt(2) * np.diag([1.0, 0.0]))
    maps = np.array([[[0.5, 0.0], [0.0, 0.5]], [[0.5, 0.0], [0.0, -0.5]]])
    inside, strength, outside = tasks.answers(task, maps)
    np.testing.assert_allclose(inside, np.full((2, 1, 1), 0.5))
    assert (strength[0], outside) == (pytest.approx(1), pytest.approx(0.5))


def test_one_equal_mode_is_a_single_one():
    for x in (0.5, 3.0, 20.0):
        one = tasks.equal_modes(x, 4, 1)
        assert one[0] == pytest.approx(one[1])
        assert one[0] == pytest.approx(float(rd.exact.expected_participation(x, 4)), abs=0.03)


def test_equal_modes_are_mixtures():
    by_mode, free = tasks.equal_modes(3.0, 4, 8)
    single = float(rd.exact.expected_participation(3.0, 4))
    assert free < single < by_mode


@pytest.mark.long
def test_whole_maps_of_drawn_networks_are_those_of_their_modes():
    task = examples.correlated(3, key=0)
    settings = (2, 3, 100, 0.3, 2)
    whole = cells.drawn_whole(task, *settings, step=0.2)
    read = cells.drawn(task, *settings, step=0.2)
    maps = task.modes.U.T @ whole["maps"] @ task.modes.V
    np.testing.assert_allclose(maps, read["maps"], atol=0.03)  # compression's error
    assert whole["loss_left"].max() < 1e-6


def test_means_are_of_draws_that_are_numbers_and_errors_of_a_sample():
    values = np.random.default_rng(0).normal(size=(400, 20))
    mean, error = mean_and_error(values)
    np.testing.assert_allclose(mean, values.mean(axis=-1))
    assert np.sqrt(np.mean(error**2)) == pytest.approx(1 / np.sqrt(20), rel=0.03)  # of the law
    values[0, 5:] = np.nan
    few, of_few = mean_and_error(values[0])
    assert (few, of_few) == pytest.approx((values[0, :5].mean(), scipy.stats.sem(values[0, :5])))
    assert np.isnan(mean_and_error(np.full(3, np.nan))).all()
