"""The race of maps: against products of balanced matrices, closed forms, q/p and symmetry; its
roots and their derivatives wherever singular values meet or vanish.
"""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

import racedyn as rd
from racedyn.systems import Maps, Pathways
from racedyn.systems.maps import roots

WHOLE = ("loss", "strength", "strength_matrix")
TASK = rd.tasks.hierarchy(8)
S, D8 = TASK.modes.S, TASK.modes.variances


def orthonormal(rng, rows, columns):
    return np.linalg.qr(rng.standard_normal((rows, columns)))[0]


def with_values(rng, values, shape):
    """A matrix of these singular values, and its singular vectors."""
    A, B = (orthonormal(rng, side, len(values)) for side in shape)
    return A * np.asarray(values) @ B.T, A, B


def problem(rng, depths=(3, 1, 2), shape=(4, 3)):
    """S and d whole, and maps."""
    X = rng.standard_normal((shape[1], 9))
    return rng.standard_normal(shape), X @ X.T / 9, rng.standard_normal((len(depths), *shape))


def field(*given, **options):
    race = Maps(*given, **options)
    return np.asarray(race.vector_field(jnp.array(0.0), race.y0(), None))


# Roots


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (3, 3)], ids=str)
def test_roots_are_roots(shape):
    M, _, _ = with_values(np.random.default_rng(0), [3.0, 3.0, 1e-3], shape)
    for depth in (1, 2, 5):
        left, right = roots(jnp.asarray(M), depth, 3)
        np.testing.assert_allclose(np.linalg.matrix_power(left, depth), M @ M.T, atol=1e-13)
        np.testing.assert_allclose(np.linalg.matrix_power(right, depth), M.T @ M, atol=1e-13)


@pytest.mark.parametrize("size", [1.0, 1e-12, 1e-200])
def test_small_parts_of_small_maps_are_known_relative_to_themselves(size):
    """Eigenvalues of M M^T would lose what is 1e-10 of the largest."""
    M, A, _ = with_values(np.random.default_rng(0), size * np.array([1.0, 1e-10]), (4, 3))
    left, _ = roots(jnp.asarray(M), 4, 2)
    np.testing.assert_allclose(A[:, 1] @ left @ A[:, 1], (1e-10 * size) ** 0.5, rtol=1e-5)


SPECTRA = {
    "distinct": ([3.0, 2.0, 1.0], 3),
    "degenerate": ([2.0, 2.0, 2.0], 3),
    "near-degenerate": ([2.0, 2.0 + 1e-9, 2.0 - 1e-12], 3),
    "small": ([2e-13, 2e-13, 1e-13], 3),
    "of rank 2": ([2.0, 2.0, 0.0], 2),
    "small, of rank 1": ([1e-13, 0.0, 0.0], 1),
}


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_derivatives_of_roots_are_finite_differences(spectrum, depth):
    values, rank = SPECTRA[spectrum]
    rng = np.random.default_rng(1)
    M, _, _ = with_values(rng, values, (4, 3))
    left, right = rng.standard_normal((4, 4)), rng.standard_normal((3, 3))

    def along(e):  # keeps the rank
        return roots(jnp.asarray(expm(e * left) @ M @ expm(e * right)), depth, rank)

    h = 1e-3
    near, far = zip(along(h), along(-h), strict=True), zip(along(2 * h), along(-2 * h), strict=True)
    _, derivatives = jax.jvp(
        lambda M: roots(M, depth, rank), (jnp.asarray(M),), (jnp.asarray(left @ M + M @ right),)
    )
    for derivative, (a, b), (c, d) in zip(derivatives, near, far, strict=True):
        differences = (8 * (a - b) - (c - d)) / (12 * h)
        size = np.abs(differences).max()
        np.testing.assert_allclose(derivative, differences, atol=1e-8 * size)


def test_derivatives_of_roots_are_finite_and_transposed():
    rng = np.random.default_rng(2)
    for M in (np.zeros((4, 3)), np.eye(4)[:, :3], with_values(rng, [1.0, 0.0, 0.0], (4, 3))[0]):
        dM, weights = rng.standard_normal((4, 3)), rng.standard_normal((4, 4))
        _, (forward, _) = jax.jvp(lambda M: roots(M, 4, 3), (jnp.asarray(M),), (jnp.asarray(dM),))
        backward = jax.grad(lambda M, w=weights: jnp.sum(w * roots(M, 4, 3)[0]))(jnp.asarray(M))
        assert np.isfinite(forward).all()
        np.testing.assert_allclose(np.sum(weights * forward), np.sum(backward * dM), atol=1e-12)


# The field


@pytest.mark.parametrize("size", [1.0, 1e-12], ids=str)
def test_the_field_is_that_of_products_of_balanced_matrices(size):
    """d(W_D ... W_1) with each dW_l from the flow of all matrices, decay and all."""
    rng, depths, shape, decay = np.random.default_rng(3), (4, 1, 2), (4, 3), 0.3
    sigma_yx, sigma_x, _ = problem(rng)
    chains = []
    for depth in depths:
        _, A, B = with_values(rng, [1.0, 1.0, 1.0], shape)
        values = (size * np.array([1.0, 1.0, 0.1])) ** (1 / depth)
        frames = [B, *(orthonormal(rng, 6, 3) for _ in range(depth - 1)), A]
        chains.append([frames[i + 1] * values @ frames[i].T for i in range(depth)])
    products = [np.linalg.multi_dot(chain[::-1]) if chain[1:] else chain[0] for chain in chains]
    E = sigma_yx - sum(products) @ sigma_x
    found = field(sigma_yx, depths, np.stack(products), sigma_x, weight_decay=decay)
    for chain, flow in zip(chains, found, strict=True):
        wanted = np.zeros(shape)
        for at in range(len(chain)):
            before, after = np.eye(3), np.eye(4)
            for matrix in chain[:at]:
                before = matrix @ before
            for matrix in chain[:at:-1]:
                after = after @ matrix
            wanted += after @ (after.T @ E @ before.T - decay * chain[at]) @ before
        np.testing.assert_allclose(flow, wanted, atol=1e-13 * np.abs(wanted).max())


def test_order_of_pathways_and_turns_of_bases_change_nothing():
    rng, depths = np.random.default_rng(4), (3, 1, 2)
    sigma_yx, sigma_x, maps = problem(rng)
    flow = field(sigma_yx, depths, maps, sigma_x)
    order = [2, 0, 1]
    turned = field(sigma_yx, [depths[i] for i in order], maps[order], sigma_x)
    np.testing.assert_allclose(turned, flow[order], atol=1e-13)
    R, Q = orthonormal(rng, 4, 4), orthonormal(rng, 3, 3)
    turned = field(R @ sigma_yx @ Q.T, depths, R @ maps @ Q.T, Q @ sigma_x @ Q.T)
    np.testing.assert_allclose(turned, R @ flow @ Q.T, atol=1e-12)


def test_numbers_per_mode_and_matrices_say_the_same():
    maps = np.random.default_rng(5).standard_normal((2, 3, 3))
    s, d = np.array([3.0, 2.0, 1.0]), np.array([1.0, 0.5, 2.0])
    one, other = Maps(s, (2, 3), maps, d), Maps(np.diag(s), (2, 3), maps, np.diag(d))
    for race in (one, other):
        observed = race.observe(jnp.array(0.0), race.y0())
        E = np.diag(s) - maps.sum(axis=0) * d
        np.testing.assert_allclose(observed["loss"], 0.5 * np.sum(E**2 / d), rtol=1e-13)
    np.testing.assert_array_equal(one.residual(one.y0()), other.residual(other.y0()))


def test_a_singular_correlation_has_a_loss():
    """An input that is silent, d = 0, is no part of it."""
    maps = np.full((1, 2, 2), 0.5)
    race = Maps([[2.0, 0.0], [0.0, 0.0]], (2,), maps, [1.0, 0.0], loss_floor=1.0)
    loss = race.observe(jnp.array(0.0), race.y0())["loss"]
    np.testing.assert_allclose(loss, 1.0 + 0.5 * (1.5**2 + 0.5**2))


# Whole runs


@pytest.mark.parametrize(
    "depths",
    [
        *(pytest.param(depths, marks=pytest.mark.slow) for depths in ((2, 2), (3, 4))),
        pytest.param((1, 3, 2), marks=pytest.mark.long),
    ],
    ids=str,
)
def test_diagonal_maps_are_the_race_of_q_and_p(depths):
    rng = np.random.default_rng(6)
    strengths = rng.uniform(0.01, 0.03, (len(depths), 8))
    maps = np.stack([np.diag(K) for K in strengths])
    # A shallow pathway is p alone.
    roots = [K ** (1 / depth) for K, depth in zip(strengths, depths, strict=True)]
    q = p = np.stack(roots)
    ts = np.linspace(0.0, 60.0, 25)
    found = rd.simulate(Maps(S, depths, maps, D8), ts, rtol=1e-10)
    wanted = rd.simulate(Pathways(S, depths, q, p, D8), ts, rtol=1e-10)
    for name in ("strength", "loss"):
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-8)
    assert not found["off_diagonal"].any()


@pytest.mark.slow
def test_shallow_maps_relax_as_an_exponential():
    rng, ts = np.random.default_rng(7), np.linspace(0.0, 5.0, 11)
    sigma_yx, sigma_x, maps = problem(rng)
    run = rd.simulate(Maps(sigma_yx, (1,), maps[:1], sigma_x), ts, rtol=1e-10, observe=["states"])
    end = sigma_yx @ np.linalg.inv(sigma_x)
    wanted = [end + (maps[0] - end) @ expm(-sigma_x * t) for t in ts]
    np.testing.assert_allclose(run.ys[:, 0], wanted, atol=1e-9)


@pytest.mark.slow
def test_two_layers_are_the_riccati_solution():
    rng, ts, values = np.random.default_rng(8), np.linspace(0.0, 12.0, 13), [0.3, 0.2, 0.1]
    (_, A, B), hidden = with_values(rng, values, (4, 3)), orthonormal(rng, 5, 3)
    first, second = hidden * np.sqrt(values) @ B.T, A * np.sqrt(values) @ hidden.T
    sigma_yx, _, _ = problem(rng)
    wanted = rd.exact.riccati(first, second, sigma_yx, ts, variance=0.5)
    race = Maps(sigma_yx, (2,), (second @ first)[None], 0.5)
    run = rd.simulate(race, ts, rtol=1e-10, observe=["states"])
    np.testing.assert_allclose(run.ys[:, 0], wanted["map"], atol=1e-8)


@pytest.mark.slow
def test_errors_fall_at_the_order_of_the_solver():
    rng = np.random.default_rng(9)
    race = Maps(S[:3], (3, 2), 0.3 * np.eye(3) + 0.1 * rng.standard_normal((2, 3, 3)), D8[:3])

    def end(step):
        fixed = {"stepsize_controller": dfx.ConstantStepSize(), "dt0": step}
        return rd.simulate(race, [0.0, 8.0], **fixed, observe=["strength_matrix"])[
            "strength_matrix"
        ][-1]

    exact = rd.simulate(race, [0.0, 8.0], rtol=1e-12, observe=["strength_matrix"])[
        "strength_matrix"
    ][-1]
    errors = [np.abs(end(step) - exact).max() for step in (0.8, 0.4, 0.2)]
    assert np.all(np.log2(np.array(errors[:-1]) / errors[1:]) > 4.5), errors


@pytest.mark.slow
def test_pathways_take_mixtures_of_modes_and_only_diagonal_starts_take_modes():
    """Eight starts 1e-3 (1 + 0.3 random), two pathways of depth 4: participation R / sum_a tr
    (P_a^2), P_a = M_a (sum_b M_b)^-1, needs no basis; the mean over modes does.
    """
    found = {}
    for seed in range(8):
        noise = np.random.default_rng(seed).standard_normal((2, 8, 8))
        start = 1e-3 * (np.eye(8) + 0.3 * noise)
        for kind, maps in (("whole", start), ("diagonal", start * np.eye(8))):
            run = rd.simulate(Maps(S, (4, 4), maps, D8), [0.0, 1000.0], rtol=1e-6, observe=WHOLE)
            assert run["loss"][-1] < 1e-9, "the task is learned"
            end = run["strength_matrix"][-1]
            P = end @ np.linalg.inv(end.sum(axis=0))
            free = 8 / np.sum(np.trace(P @ P, axis1=1, axis2=2))
            by_mode = np.mean(rd.paths.participation(run["strength"][-1]))
            found.setdefault(kind, []).append((free, by_mode))
    (free, by_mode), diagonal = (np.mean(found[kind], axis=0) for kind in ("whole", "diagonal"))
    print("participation without a basis, by mode:", free, by_mode, "; diagonal:", *diagonal)
    assert free <= 1.1 and by_mode >= 1.4
    assert np.all(diagonal <= 1.15)


@pytest.mark.slow
def test_a_run_settles_where_the_weakest_mode_is_learned_and_not_before():
    start = np.stack([1e-3 * np.eye(3), 2e-3 * np.eye(3)])
    given = [2.0, 1.0, 0.1], (3, 3), start
    ts = np.linspace(0.0, 5000.0, 11)
    run = rd.simulate(Maps(*given), ts)
    assert run.status == rd.Status.SETTLED and run.stats["t_end"] > 50
    np.testing.assert_allclose(run["strength"][-1].sum(axis=0), [2.0, 1.0, 0.1], rtol=1e-7)
    decaying = rd.simulate(Maps(*given, weight_decay=0.01), ts[:2] / 10)
    assert decaying.status == rd.Status.DONE


@pytest.mark.slow
def test_members_of_an_ensemble_are_systems_alone():
    noise = np.random.default_rng(10).standard_normal((3, 2, 8, 8))
    starts, ts = 1e-2 * (np.eye(8) + 0.3 * noise), np.linspace(0.0, 60.0, 4)
    race = Maps(S, (3, 2), starts[0], D8)
    many = rd.ensemble(race, {"maps": starts}, ts, rtol=1e-7)
    for member, start in enumerate(starts):
        alone = rd.simulate(Maps(S, (3, 2), start, D8), ts, rtol=1e-7)
        np.testing.assert_allclose(many["strength"][member], alone["strength"], atol=1e-7)


@pytest.mark.long
def test_derivatives_of_a_run_from_a_degenerate_start_are_finite_differences():
    start = 0.3 * np.stack([np.eye(3), np.eye(3)])
    direction = np.random.default_rng(11).standard_normal(start.shape)

    def end(maps):
        race = Maps([2.0, 1.0, 1.0], (3, 2), maps)
        return rd.solve(race, [0.0, 1.0], rtol=1e-11, observe=["strength_matrix"])[
            "strength_matrix"
        ][-1]

    weights = np.random.default_rng(12).standard_normal(start.shape)
    slope = np.sum(jax.grad(lambda maps: jnp.sum(weights * end(maps)))(start) * direction)
    h = 1e-4
    difference = np.sum(weights * (end(start + h * direction) - end(start - h * direction)))
    np.testing.assert_allclose(slope, difference / (2 * h), rtol=1e-6)


# What is refused


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"singular_values": np.ones((2, 2, 2))}, "`singular_values` must be one number per mode"),
        ({"singular_values": [np.nan, 1.0]}, "`singular_values` must be finite"),
        ({"depths": (2,)}, r"`maps` must be \(path, n_out, n_in\), \(1, 2, 2\)"),
        ({"depths": (2, -1)}, "`depths` must be one whole number of at least 1"),
        ({"depths": (2, 2.5)}, "`depths` must be one whole number of at least 1"),
        ({"maps": np.ones((2, 2, 3))}, "`maps` must be"),
        ({"maps": np.full((2, 2, 2), np.inf)}, "`maps` must be finite"),
        ({"variances": [1.0, 1.0, 1.0]}, "`variances` must broadcast"),
        ({"variances": [1.0, -1.0]}, "`variances` must be of at least 0"),
        ({"variances": [[1.0, 2.0], [2.0, 1.0]]}, "`variances` must be of at least 0"),
        ({"variances": [[1.0, 0.5], [0.0, 1.0]]}, "`variances` must be symmetric"),
        ({"variances": np.eye(3)}, "`variances` must be"),
        ({"weight_decay": -0.1}, "`weight_decay` must be of at least 0"),
        ({"ranks": (3, 1)}, "`ranks` must be 2 whole numbers from 0 to 2"),
        ({"ranks": (1,)}, "`ranks` must be 2 whole numbers"),
        ({"modes": TASK.modes}, "`modes` must be at most 2"),
        ({"path_names": ["a"]}, "`path_names` must have 2 names"),
        ({"mode_names": ["a"]}, "`mode_names` must have 2 names"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(changed, match):
    given = {"singular_values": [2.0, 1.0], "depths": (2, 2), "maps": np.ones((2, 2, 2))}
    with pytest.raises(ValueError, match=match):
        Maps(**(given | changed))
