"""Shares without a basis: closed cases, invariances, padding, singular sums; in runs and theory."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn.comparison import compare
from racedyn.paths import Turn

TASK = rd.tasks.hierarchy(4)
NET = rd.networks.parallel(TASK, depths=(2, 2), width=5)
START = NET.init(rd.init.Gaussian(0.3), key=0)
ASKED = ["strength", "strength_matrix", *rd.paths.PROJECTORS]
DOORS = (
    rd.paths.projectors,
    rd.paths.projector_eigenvalues,
    rd.paths.basis_free_participation,
)
RNG = np.random.default_rng(0)
MATRICES = RNG.standard_normal((3, 5, 5))


def rotation(size, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]


def train(task=TASK, network=NET, start=START, steps=4, observe=ASKED, **options):
    given = {"lr": 0.1, "save_every": max(1, steps // 2), "progress": False, **options}
    return rd.train(network, task, start, steps=steps, observe=observe, **given)


@pytest.fixture(scope="module")
def run():
    return train()


# The functions


def test_projectors_sum_to_one_and_eigenvalues_to_their_traces():
    P = rd.paths.projectors(MATRICES)
    np.testing.assert_allclose(P, MATRICES @ np.linalg.inv(MATRICES.sum(axis=0)), rtol=1e-12)
    np.testing.assert_allclose(P.sum(axis=0), np.eye(5), atol=1e-13)
    values = rd.paths.projector_eigenvalues(MATRICES)
    np.testing.assert_allclose(values.sum(axis=1), np.trace(P, axis1=1, axis2=2), rtol=1e-12)
    assert np.all(np.diff(values, axis=1) <= 0)


def test_uncoupled_modes_have_the_shares_of_modes():
    K = RNG.uniform(0.1, 1, (3, 4))
    diagonal = K[:, :, None] * np.eye(4)
    w = rd.paths.shares(K)
    np.testing.assert_allclose(rd.paths.projectors(diagonal), w[:, :, None] * np.eye(4), atol=1e-15)
    np.testing.assert_allclose(
        rd.paths.projector_eigenvalues(diagonal), -np.sort(-w, axis=1), rtol=1e-13
    )
    # Of one mode it is the participation of that mode; of more the harmonic mean of theirs.
    np.testing.assert_allclose(
        rd.paths.basis_free_participation(diagonal),
        1 / np.mean(1 / rd.paths.participation(K)),
        rtol=1e-13,
    )


@pytest.mark.parametrize("groups", [((0,), (1, 2), (3, 4)), ((0, 1, 2, 3, 4),)])
def test_no_basis_changes_shares(groups):
    """U and V each by a rotation of its own, inside groups of modes and across them."""
    U, V = np.zeros((5, 5)), np.zeros((5, 5))
    for number, group in enumerate(groups):
        U[np.ix_(group, group)] = rotation(len(group), number)
        V[np.ix_(group, group)] = rotation(len(group), number + 9)
    turned = U @ MATRICES @ V.T
    for of_shares in DOORS[1:]:
        np.testing.assert_allclose(of_shares(turned), of_shares(MATRICES), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        rd.paths.projectors(turned), U @ rd.paths.projectors(MATRICES) @ U.T, rtol=0, atol=1e-11
    )


def test_from_small_weights_eigenvalues_are_those_of_the_symmetric_form():
    """M_a symmetric and positive with sum S/d: P_a is similar to (S/d)^(-1/2) M_a (S/d)^(-1/2)."""
    A, root = RNG.standard_normal((2, 4, 4)), np.diag([2.0, 1.0, 0.5, 0.1])
    halves = A @ A.transpose(0, 2, 1)
    inverse_root = np.linalg.inv(np.linalg.cholesky(halves.sum(axis=0)))
    forms = inverse_root @ halves @ inverse_root.T  # they sum to 1
    matrices = root @ forms @ root
    np.testing.assert_allclose(matrices.sum(axis=0), root @ root, atol=1e-14)
    values = rd.paths.projector_eigenvalues(matrices)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(forms)[:, ::-1], atol=1e-13)
    assert np.all((values > 0) & (values < 1))


def test_owners_of_mixtures_concentrate_without_a_basis_and_hardly_by_mode():
    """Pathways that own orthogonal mixtures: 1 without a basis, whatever mixtures these are."""
    root = np.diag(np.sqrt([0.5, 0.3, 0.3, 0.1, 0.1, 0.1]))
    Q = rotation(6, 3)
    owned = np.stack([Q[:, :2] @ Q[:, :2].T, Q[:, 2:] @ Q[:, 2:].T])
    matrices = root @ owned @ root
    assert rd.paths.basis_free_participation(matrices) == pytest.approx(1, abs=1e-12)
    # An eigenvalue that is double moves by the root of rounding.
    of_owned = [[1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0]]
    np.testing.assert_allclose(rd.paths.projector_eigenvalues(matrices), of_owned, atol=1e-7)
    by_mode = rd.paths.participation(np.diagonal(matrices, axis1=1, axis2=2))
    assert by_mode.mean() > 1.3
    assert rd.paths.basis_free_participation([root, root, root]) == pytest.approx(3, rel=1e-12)


def test_complex_pairs_are_two_equal_real_parts():
    turn = np.array([[0.5, -2.0], [2.0, 0.5]])  # 1/2 +- 2i
    matrices = np.stack([turn, np.eye(2) - turn])
    np.testing.assert_allclose(rd.paths.projector_eigenvalues(matrices), 0.5, rtol=1e-14)
    # R / sum_a tr P_a^2, of the complex numbers themselves
    assert rd.paths.basis_free_participation(matrices) == pytest.approx(2 / (4 * (0.25 - 4)))


def test_singular_sums_are_nan_and_tiny_ones_are_not():
    low = RNG.standard_normal((2, 5, 2)) @ RNG.standard_normal((2, 2, 5))  # rank 4 of 5 together
    cancelling = np.stack([MATRICES[0], -MATRICES[0]])
    for matrices in (low, cancelling, np.zeros((2, 5, 5))):
        for of_shares in DOORS:
            assert np.isnan(of_shares(matrices)).all()
    for scale in (1e-12, 1e-170, 1e170):
        np.testing.assert_allclose(
            rd.paths.projectors(scale * MATRICES), rd.paths.projectors(MATRICES), rtol=1e-9
        )
    ends = np.stack([np.diag([1.0, 1e-9]), np.diag([2.0, 3e-9])])  # one mode not yet learned
    np.testing.assert_allclose(
        rd.paths.projector_eigenvalues(ends), [[1 / 3, 1 / 4], [3 / 4, 2 / 3]], rtol=1e-12
    )
    broken = MATRICES.copy()
    broken[1, 2, 3] = np.nan  # no padding: that has NaN on the diagonal
    assert np.isnan(rd.paths.basis_free_participation(broken))
    assert np.isnan(rd.paths.projector_eigenvalues(broken)).all()


def test_paths_of_padding_are_left_out():
    """As a sweep over numbers of pathways has them."""
    maps = np.random.default_rng(3).normal(size=(2, 3, 3)) + 3 * np.eye(3)
    padded = np.full((2, 3, 3, 3), np.nan)  # two of two paths, one of one path
    padded[0, :2], padded[1, :1] = maps, maps[:1]
    free = rd.paths.basis_free_participation(padded)
    np.testing.assert_allclose(free, [rd.paths.basis_free_participation(maps), 1], rtol=1e-12)
    values = rd.paths.projector_eigenvalues(padded)
    np.testing.assert_allclose(values[0, :2], rd.paths.projector_eigenvalues(maps), atol=1e-12)
    for found in (values, rd.paths.projectors(padded)):
        assert np.isnan(found[0, 2]).all() and np.isnan(found[1, 1:]).all()
        assert np.isfinite(found[0, :2]).all()


def test_padding_is_left_out():
    padded = np.full((3, 7, 7), np.nan)
    padded[:, :5, :5] = MATRICES
    P = rd.paths.projectors(padded)
    np.testing.assert_allclose(P[:, :5, :5], rd.paths.projectors(MATRICES), rtol=1e-12)
    assert np.isnan(P[:, 5:]).all() and np.isnan(P[:, :, 5:]).all()
    values = rd.paths.projector_eigenvalues(padded)
    np.testing.assert_allclose(
        values[:, :5], rd.paths.projector_eigenvalues(MATRICES), rtol=1e-10, atol=1e-12
    )
    assert np.isnan(values[:, 5:]).all()
    both = rd.paths.basis_free_participation(np.stack([padded[:, :5, :5], MATRICES]))
    np.testing.assert_allclose(rd.paths.basis_free_participation(padded), both, rtol=1e-12)
    assert all(np.isnan(of_shares(np.full((2, 3, 3), np.nan))).all() for of_shares in DOORS)


def test_traced_mapped_and_batched_they_are_the_same():
    batch = RNG.standard_normal((4, 3, 5, 5))
    for of_shares in DOORS:
        one_by_one = np.stack([of_shares(matrices) for matrices in batch])
        for way in (of_shares, jax.jit(jax.vmap(of_shares)), partial(jax.lax.map, of_shares)):
            np.testing.assert_allclose(way(jnp.asarray(batch)), one_by_one, rtol=1e-9, atol=1e-11)


def test_single_precision_stays_so():
    values = [of_shares(MATRICES.astype(np.float32)) for of_shares in DOORS]
    assert {value.dtype for value in values} == {np.dtype("float32")}
    np.testing.assert_allclose(values[0], rd.paths.projectors(MATRICES), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 4), (0, 3, 3)])
def test_other_shapes_are_refused(shape):
    for of_shares in DOORS:
        with pytest.raises(ValueError, match=r"have axes \(..., path, mode_out, mode_in\)"):
            of_shares(np.ones(shape))


# In runs


def test_a_run_has_what_the_functions_make_of_its_matrices(run):
    for name, of_shares in zip(rd.paths.PROJECTORS, DOORS, strict=True):
        np.testing.assert_allclose(
            run[name], of_shares(run["strength_matrix"]), rtol=1e-9, atol=1e-11, err_msg=name
        )


def test_they_are_had_without_the_matrices_and_of_paths_that_join_one_pair(run):
    alone = train(observe=["basis_free_participation"])
    assert set(alone.observables) == {"loss", "basis_free_participation"}
    np.testing.assert_allclose(
        alone["basis_free_participation"], run["basis_free_participation"], rtol=1e-12
    )
    with pytest.raises(ValueError, match="'basis_free_participation' of some path, but `paths` is"):
        train(observe=["basis_free_participation"], paths=())
    routes = rd.tasks.routing(2, 1)
    net = rd.networks.routing(routes, 4)
    start = net.init(rd.init.Aligned(0.1), task=routes, key=0)
    with pytest.raises(ValueError, match="'projectors' of paths that join one pair, but these jo"):
        train(routes, net, start, observe=["projectors"])
    one = train(routes, net, start, observe=["projectors"], paths=[net.paths()[0]])
    unit = np.eye(one["projectors"].shape[-1])
    np.testing.assert_allclose(one["projectors"][-1, 0], unit, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "level",
    [pytest.param("full", marks=pytest.mark.slow), pytest.param("matrix", marks=pytest.mark.long)],
)
def test_theory_has_them_on_request_and_they_are_those_of_descent(level):
    """Descent tends to the flow at first order in the step."""
    system = rd.reduce(NET, TASK, START, level=level)
    ts = np.linspace(0.0, 4.0, 3)
    theory = rd.simulate(system, ts, observe=ASKED, progress=False)
    assert not {*ASKED[1:]} & {*rd.simulate(system, ts, progress=False).observables}
    assert theory.dims["projector_eigenvalues"] == ("time", "path", "direction")
    for name, of_shares in zip(rd.paths.PROJECTORS, DOORS, strict=True):
        np.testing.assert_allclose(
            theory[name], of_shares(theory["strength_matrix"]), rtol=1e-8, atol=1e-10
        )
    errors = []
    for lr in (0.02, 0.01):
        found = train(steps=round(4 / lr), lr=lr, save_every=round(2 / lr))
        errors.append(np.abs(found["projectors"] - theory["projectors"])[1:].max())
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)


@pytest.mark.long
def test_an_ensemble_keeps_them():
    race = rd.systems.Pathways([2.0, 1.0], depths=(3, 3), q=0.5, p=[[0.2, 0.01], [0.1, 0.03]])
    ts, starts = np.linspace(0.0, 20.0, 3), np.array([[[0.2, 0.1], [0.1, 0.3]], race.p])
    many = rd.ensemble(race, {"p": starts}, ts, observe=["strength", *rd.paths.PROJECTORS])
    assert many.dims["projectors"] == ("member", "time", "path", "mode_out", "mode_in")
    one = rd.simulate(race, ts, observe=[*ASKED], progress=False)
    w = one["strength"][-1] / one["strength"][-1].sum(axis=0)
    np.testing.assert_allclose(one["projectors"][-1], w[:, :, None] * np.eye(2), rtol=1e-12)
    for name in rd.paths.PROJECTORS:
        np.testing.assert_allclose(many[name][1], one[name], rtol=1e-7, atol=1e-9)


def test_a_switch_of_modes_turns_them(run):
    """Rows are read in other modes by their matrices, or where each mode is one of the old."""
    flipped = rd.tasks.from_arrays(TASK.X, -TASK.Y[:, [1, 0, 2, 3]])
    whole = train(flipped, start=run, observe=ASKED)
    np.testing.assert_allclose(
        whole["projectors"][:3],
        rd.paths.projectors(whole["strength_matrix"][:3]),
        rtol=1e-9,
        atol=1e-11,
    )
    modes, order, out = TASK.modes, [0, 1, 3, 2], np.array([1, -1, -1, 1])
    new = dataclasses.replace(modes, U=(modes.U * out)[:, order], V=modes.V[:, order])
    given = {name: np.asarray(run[name]) for name in ASKED}
    by_matrices = Turn(modes, new).rows(given)
    by_shares = Turn(modes, new).rows({n: v for n, v in given.items() if n != "strength_matrix"})
    for name in ("strength", *rd.paths.PROJECTORS):
        np.testing.assert_allclose(by_shares[name], by_matrices[name], rtol=1e-9, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize(
    "task",
    [
        rd.tasks.random([1.0, 0.5], items=4, features=5, key=0),
        rd.tasks.random([1.0, 0.5, 0.5], items=6, features=5, key=1),
    ],
    ids=["low rank", "equal modes"],
)
def test_modes_span_what_a_task_asks(task):
    """So that the sum is regular, fewer modes than inputs or not, equal ones or not; of a network
    of one unit it is not.
    """
    num, net = task.modes.num, rd.networks.parallel(task, depths=(2, 3), width=6)
    found = train(task, net, net.init(rd.init.Gaussian(0.3), key=0))
    assert found["projectors"].shape == (3, 2, num, num)
    unit = np.broadcast_to(np.eye(num), (3, num, num))
    np.testing.assert_allclose(found["projectors"].sum(axis=1), unit, atol=1e-10)
    narrow = rd.networks.parallel(task, depths=(2,), width=1)
    found = train(task, narrow, narrow.init(rd.init.Gaussian(0.3), key=0))
    for name in rd.paths.PROJECTORS:
        assert np.isnan(found[name]).all()


def test_files_keep_them_and_comparisons_print_them(run, tmp_path):
    rd.save(tmp_path / "run.h5", trained=run)
    back = rd.load(tmp_path / "run.h5")["trained"]
    for name in rd.paths.PROJECTORS:
        np.testing.assert_array_equal(back[name], run[name])
        assert back.dims[name] == run.dims[name]
    assert rd.to_xarray(back)["projector_eigenvalues"].dims == ("time", "path", "direction")
    found = compare(back, run)
    by_mode = rd.paths.participation(run["strength"][-1]).mean()
    free = float(run["basis_free_participation"][-1])
    assert found.trained.basis_free_participation == free
    for how, value in (("by mode (mean)", by_mode), ("without a basis", free)):
        line = f"  participation at the end, {how}: theory {value:.2f}, trained {value:.2f}"
        assert line in str(found).splitlines()
    assert "participation" not in str(compare(train(observe=None), run))


def measures(found):
    """Participation at the end, without a basis and by mode."""
    by_mode = rd.paths.participation(found["strength"][-1]).mean()
    return np.array([found["basis_free_participation"][-1], by_mode])


@pytest.mark.slow
def test_depth_concentrates_on_mixtures():
    """Four layers, trained until learned: measured 1.12 without a basis, 1.52 by mode."""
    task = rd.tasks.hierarchy(8)
    net = rd.networks.parallel(task, depths=(4, 4), width=100)
    start = net.init(rd.init.Gaussian(0.028), key=0)
    found = train(task, net, start, lr=0.04, steps=6000, save_every=3000)
    assert found["loss"][-1] < 1e-3 * found["loss"][0]
    free, by_mode = measures(found)
    print(f"participation {free:.3f} without a basis, {by_mode:.3f} by mode")
    assert 1 <= free < by_mode - 0.25
    values = found["projector_eigenvalues"][-1]
    assert np.all((values > 0) & (values < 1))
    np.testing.assert_allclose(values[0], 1 - values[1][::-1], rtol=1e-6)  # P_1 + P_2 = 1


@pytest.mark.slow
def test_the_numbers_of_the_page_on_theory():
    """README's network, and the q/p equations from its weights."""
    task = rd.tasks.hierarchy(8)
    net = rd.networks.parallel(task, depths=(4, 4), width=200)
    start = net.init(rd.init.Gaussian(0.02), key=0)
    asked = ["strength", "basis_free_participation"]
    trained = train(task, net, start, lr=0.04, steps=6000, save_every=3000, observe=asked)
    race = rd.reduce(net, task, start, level="pathway")
    theory = rd.simulate(race, ts=trained.ts, observe=asked, progress=False)
    np.testing.assert_allclose(measures(trained), [1.20, 1.71], rtol=0, atol=0.006)
    np.testing.assert_allclose(measures(theory), [1.57, 1.63], rtol=0, atol=0.006)
