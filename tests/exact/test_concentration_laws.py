"""Laws of concentration against quadrature, draws of networks, races and the race of maps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn.exact import (
    concentration_variable,
    critical_width,
    drive_to,
    expected_participation,
    frame_participation,
    gap_variance,
    pole,
    share_under_noise,
    spreading_rate,
    stable_share,
    tilt_exponent,
    tilt_gain,
)
from racedyn.exact.concentration import _mean
from racedyn.reduction.matching import match, strength_and_growth
from racedyn.studies.concentration import cells


def test_the_pole_is_its_integral():
    assert pole(3) == pytest.approx(np.pi / 2) and pole(4) == pytest.approx(1)
    for depth in (5, 7, 12, 40):
        u = np.sinh(np.linspace(0, 14, 200_001))  # u = sinh v
        value = np.trapezoid((1 + u**2) ** (1 - depth / 2), np.arcsinh(u))
        assert pole(depth) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("depth", [3, 5])
def test_gaps_of_wide_networks_differ_as_much_as_is_said(depth):
    """Of matrices that were drawn: the gap is I_D q0^(2-D) - p0 q0^(1-D) to first order."""
    width, variance, draws = 200, 0.5, 400
    modes = rd.tasks.from_arrays(np.ones((1, 1)), np.ones((1, 1))).modes
    draw, gaps = np.random.default_rng(0), []
    sizes = [1, *[width] * (depth - 1), 1]
    for _ in range(draws):
        shapes = zip(sizes[1:], sizes[:-1], strict=True)
        matrices = [draw.normal(size=shape) * np.sqrt(variance / width) for shape in shapes]
        K, growth, _ = strength_and_growth(matrices, modes)
        (q,), (p,) = match(K, growth, depth)
        gaps.append(pole(depth) * q ** (2 - depth) - p * q ** (1 - depth))
    q0 = depth ** (1 / (2 * (depth - 1))) * np.sqrt(variance)
    found = np.var(np.array(gaps) * q0 ** (depth - 2)) * width
    # The scatter of a variance of 400 draws is 7 %; the next order is 1 / width.
    assert found == pytest.approx(gap_variance(depth), rel=0.2)


@pytest.mark.parametrize(
    ("depth", "pathways"),
    [
        (4, 2),
        pytest.param(9, 3, marks=pytest.mark.slow),
        *(
            pytest.param(depth, pathways, marks=pytest.mark.long)
            for depth in (3, 4, 9)
            for pathways in (2, 3, 5)
            if (depth, pathways) not in ((4, 2), (9, 3))
        ),
    ],
)
@pytest.mark.slow
def test_races_end_as_is_expected(depth, pathways):
    """Nothing is fitted: three scales and widths, over three decades of x."""
    for width, variance in ((10**4, 0.3), (10**6, 0.1), (10**5, 0.02)):
        x = float(concentration_variable(depth, width, variance))
        found = cells.race(pathways, depth, width, variance, 2000)
        expected = float(expected_participation(x, depth, pathways))
        assert found["learned"] == 1
        assert found["participation"] == pytest.approx(
            expected, abs=0.01 + 4 * found["standard_error"]
        )


def test_two_pathways_by_quadrature():
    """The lattice against an integral over the one difference that two pathways have."""
    depth, x = 5, 2.0
    power, spread = depth / (depth - 2), (depth - 2) * np.sqrt(depth * gap_variance(depth)) / x
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    mean = 0.0
    for gap, weight in zip(spread * np.sqrt(2) * np.abs(nodes), weights, strict=True):
        low, high = 1.0, 2.0
        for _ in range(80):
            G = (low + high) / 2
            low, high = (G, high) if G**-power + (G + gap) ** -power > 1 else (low, G)
        share = G**-power
        mean += weight / (share**2 + (1 - share) ** 2)
    assert float(expected_participation(x, depth)) == pytest.approx(mean / weights.sum(), abs=2e-4)


@pytest.mark.long
@pytest.mark.parametrize(("pathways", "known_to"), [(2, 2e-3), (3, 4e-3), (5, 8e-3)])
def test_several_pathways_by_random_draws(pathways, known_to):
    """The lattice against 800,000 independent draws, of a standard error below 1.5e-3."""
    rng = np.random.default_rng(0)
    for depth, x in ((3, 3.0), (4, 3.17), (8, 5.89), (12, 2.0)):
        spread = (depth - 2) * np.sqrt(depth * gap_variance(depth)) / x
        drawn = np.mean(
            [
                _mean(
                    jnp.array([spread]),
                    jnp.asarray(rng.normal(size=(400_000, pathways))),
                    depth / (depth - 2),
                )
                for _ in range(2)
            ]
        )
        expected = float(expected_participation(x, depth, pathways))
        assert drawn == pytest.approx(expected, abs=known_to)


@pytest.mark.slow
def test_limits():
    x = np.array([1e-6, 1e6])
    for pathways in (2, 4):
        ends = expected_participation(x, 4, pathways)
        np.testing.assert_allclose(ends, [1, pathways], atol=1e-4)
    assert expected_participation(3.0, 4, 1) == pytest.approx(1)
    widths = critical_width(4, np.array([0.1, 0.05]))
    half = expected_participation(concentration_variable(4, widths, np.array([0.1, 0.05])), 4)
    np.testing.assert_allclose(half, 1.5, atol=2e-3)
    # (S/d)^(2-4/D) / q0^(2(D-2)): a quarter of the variance makes it 16 times as wide at D = 4.
    ratio = critical_width(4, 0.01) / critical_width(4, 0.04)
    assert ratio == pytest.approx(16)


@pytest.mark.parametrize(
    "depth", [pytest.param(3, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.long)]
)
def test_pathways_that_share_a_mode_turn_towards_the_next(depth):
    """The race of maps: two pathways have half of mode 1 each, mode 2 is on its plateau, and their
    maps lean to either side by an angle: it grows as e^(K_a^(1-2/D) S_2 t)."""
    S1, S2, tiny, angle = 1.0, 0.3, 1e-9, 1e-6
    lean = 0.5 * angle * np.array([[0, 1], [1, 0]])
    start = np.array([np.diag([0.5, tiny]) + lean, np.diag([0.5, tiny]) - lean])
    rate = 0.5 ** (1 - 2 / depth) * S2
    ts = np.array([0.0, 2.0, 4.0]) / rate
    race = rd.systems.Maps([S1, S2], depths=(depth, depth), maps=start)
    run = rd.simulate(race, ts, observe=["strength_matrix"])
    off = run["strength_matrix"][:, 0, 0, 1]
    np.testing.assert_allclose(np.diff(np.log(off)), 2.0, rtol=2e-3)
    # Later each pathway is a projector, though each has half of either mode.
    end = rd.simulate(race, [0.0, 40 / rate], observe=["strength_matrix"])["strength_matrix"][-1]
    by_mode = rd.paths.participation(np.diagonal(end, axis1=1, axis2=2))
    np.testing.assert_allclose(by_mode, 2, atol=1e-3)
    assert float(rd.paths.basis_free_participation(end)) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("pathways", "modes"), [(2, 3), (3, 2), (4, 4), (5, 3), (4, 7)])
def test_frames_are_rows_of_orthogonal_matrices(pathways, modes):
    """Against matrices that are drawn: groups of M modes, of which the first is shared."""
    draw, squares = np.random.default_rng(0), 0.0
    for taken in range(0, modes, pathways):
        num = min(pathways, modes - taken)
        random = draw.normal(size=(20_000, pathways, pathways))
        random[:, :, 0] = 1.0  # the first column of Q is 1 / sqrt(M), up to its sign
        rows = np.linalg.qr(random)[0][:, :, :num]
        squares += np.mean(np.sum(np.sum(rows**2, axis=-1) ** 2, axis=-1))
    assert frame_participation(pathways, modes) == pytest.approx(modes / squares, rel=3e-3)


@pytest.mark.long
@pytest.mark.parametrize("modes", [2, 3])
def test_three_pathways_take_frames(modes):
    """The race of maps, three pathways that share all alike but for 1e-4: of three modes each has
    one direction, of two modes none has one to itself."""
    S, d = 0.3 ** np.arange(modes), 0.3 ** np.arange(modes)  # all are learned at S/d = 1
    lean = 1e-4 * np.random.default_rng(1).normal(size=(3, modes, modes))
    start = 1e-4 * (np.eye(modes) + lean + lean.swapaxes(-1, -2))
    race = rd.systems.Maps(S, depths=(4, 4, 4), maps=start, variances=d)
    end = rd.simulate(race, [0.0, 1500.0], observe=["strength_matrix"])["strength_matrix"][-1]
    free = float(rd.paths.basis_free_participation(end))
    # Of two modes those that turn further also gain of the first, and the frame is less even: it is
    # between that of equal shares and two pathways that have all.
    assert (0.99 if modes == 3 else 1.01) < free < frame_participation(3, modes) + 0.01
    values = np.asarray(rd.paths.projector_eigenvalues(end))
    np.testing.assert_allclose(values[:, 1:], 0, atol=0.02)  # of rank one each
    assert values[:, 0].sum() == pytest.approx(modes, abs=0.02)


@pytest.mark.slow
def test_angles_shrink_while_the_first_mode_grows():
    """The race of maps, of rank one: as m^-((1 - S_2/S_1) / D)."""
    S1, S2, depth, m, angle = 1.0, 0.4, 4, 1e-5, 1e-6
    start = m * np.array([[[1.0, angle], [angle, 0.0]]])
    ts = 2 * (m**-0.5 - np.array([m**-0.5, 1e-4**-0.5, 1e-3**-0.5])) / 4
    race = rd.systems.Maps([S1, S2], depths=(depth,), maps=start)
    maps = rd.simulate(race, ts, observe=["strength_matrix"])["strength_matrix"][:, 0]
    grown = np.diff(np.log(maps[:, 0, 0]))
    turned = np.diff(np.log(maps[:, 0, 1] / maps[:, 0, 0]))
    np.testing.assert_allclose(turned, -(1 - S2 / S1) / depth * grown, rtol=2e-3)


def test_the_gain_is_the_exponent_less_what_does_not_grow_with_plateaus():
    given = {"first": 1.0, "second": 0.3}
    for depth in (3, 4, 7):
        variance = np.array([1e-1, 1e-2, 1e-3])
        less = tilt_exponent(depth, variance, **given) - tilt_gain(depth, variance, **given)
        # Only the logarithm of q0 is left of the scale.
        np.testing.assert_allclose(np.diff(less), 0.7 * np.log(10) / 2, rtol=1e-6)
    assert tilt_gain(4, 0.1, 1.0, 1.0) == pytest.approx(0)
    # Modes that are learned at one strength: nothing is left but the logarithm.
    alike = tilt_gain(4, 0.01, 1.0, 0.3, targets=(1.0, 1.0)) / tilt_exponent(4, 0.01, 1.0, 0.3)
    assert 0.8 < alike < 1


@pytest.mark.slow
def test_one_pathway_alone_does_not_turn():
    start = np.array([[[1.0, 1e-6], [1e-6, 1e-9]]])
    race = rd.systems.Maps([1.0, 0.3], depths=(4,), maps=start)
    run = rd.simulate(race, [0.0, 60.0], observe=["strength_matrix"])
    assert abs(run["strength_matrix"][-1, 0, 0, 1]) < 1e-6


def test_the_exponent_grows_with_the_plateau_and_vanishes_for_equal_modes():
    assert tilt_exponent(4, 0.1, 1.0, 1.0) == 0
    assert tilt_exponent(4, 0.01, 1.0, 0.5) == pytest.approx(10 * tilt_exponent(4, 0.1, 1.0, 0.5))
    assert np.shape(tilt_exponent(5, np.array([0.1, 0.2]), 1.0, 0.5)) == (2,)


def test_what_is_stable():
    for depth in (3, 4, 9):
        edge = 2 ** (1 - 2 / depth)
        steps = np.array([0.5, 1.0, (1 + edge) / 2, edge, 2 * edge])
        w = stable_share(steps, depth)
        np.testing.assert_allclose(w[[0, 1, 3, 4]], [1, 1, 0.5, 0.5], atol=1e-6)
        power = 2 - 2 / depth
        assert w[2] ** power + (1 - w[2]) ** power == pytest.approx(1 / steps[2])


@pytest.mark.parametrize("depth", [3, 6])
def test_noise_of_labels_goes_down_the_trace_of_the_hessian(depth):
    """By automatic differentiation: the gradient of the trace, a quarter of it, less what would
    change the sum."""

    def parts(layers):  # (pathway, layer)
        return jnp.prod(layers, axis=1)

    def trace(layers):  # where labels are fitted, d = 1
        return jnp.sum(jax.grad(lambda of: parts(of).sum())(layers) ** 2)

    for share in (0.6, 0.95):
        K = np.array([share, 1 - share])
        layers = jnp.asarray(np.repeat(K[:, None] ** (1 / depth), depth, axis=1))
        down, up = jax.grad(trace)(layers), jax.grad(lambda of: parts(of).sum())(layers)
        along = down - up * jnp.sum(down * up) / jnp.sum(up**2)
        moved = jax.jvp(parts, (layers,), (-along / 4,))[1]
        rate = spreading_rate(share, depth)
        np.testing.assert_allclose(moved, [rate, -rate], rtol=1e-6)
        # A step of half of 2 / sharpness of one pathway: a larger rate by 1 / (1 - lr h / 2).
        faster = 1 / (1 - 0.5 * float(trace(layers)) / depth)
        assert spreading_rate(share, depth, 0.5) == pytest.approx(faster * rate)


@pytest.mark.parametrize(("depth", "K", "step", "batch"), [(3, 1.0, 0.3, 1), (4, 2.0, 0.4, 3)])
def test_descent_on_noisy_labels_shares_again_as_is_said(depth, K, step, batch):
    """Chains of numbers, written out; d = 2."""
    draw, runs, start, d = np.random.default_rng(0), 200, 0.8, 2.0
    variance = 0.01 * batch * K**2
    lr = step * 2 / (d * depth * K ** (2 - 2 / depth))
    tau = 0.8
    steps = int(tau * batch / (lr**2 * variance * d * K ** (2 - 4 / depth)))
    layers = np.repeat(np.array([[start], [1 - start]]) * K, runs, axis=1) ** (1 / depth)
    layers = np.repeat(layers[None], depth, axis=0)  # (layer, pathway, run)
    for _ in range(steps):
        x = np.sqrt(d) * draw.choice([-1.0, 1.0], size=(batch, runs))
        labels = K * x + np.sqrt(variance) * draw.normal(size=(batch, runs))
        parts = np.prod(layers, axis=0)
        by_sum = np.mean((parts.sum(axis=0) * x - labels) * x, axis=0)
        layers = layers - lr * by_sum * parts / layers
    parts = np.prod(layers, axis=0)
    w = parts[0] / parts.sum(axis=0)
    expected = float(share_under_noise(tau, start, depth, step))
    error = w.std() / np.sqrt(runs)
    # Fluctuations of the sum, some 5 % of it, count at second order.
    assert w.mean() == pytest.approx(expected, abs=0.02 * (start - expected) + 4 * error)
    assert start - expected > 0.08 > 10 * error


def test_shares_move_at_their_rate():
    starts = np.array([0.5, 0.6, 0.9, 0.999, 1.0])
    for depth, step in ((3, 0.0), (4, 0.9), (9, 0.3)):
        np.testing.assert_allclose(share_under_noise(0.0, starts, depth, step), starts, atol=1e-6)
        later = share_under_noise(0.5, starts, depth, step)
        before, after = (share_under_noise(0.5 + dt, starts, depth, step) for dt in (-0.01, 0.01))
        moved = (after - before) / 0.02
        np.testing.assert_allclose(moved, spreading_rate(later, depth, step), rtol=0.01, atol=1e-5)
    assert share_under_noise(1e6, 0.999, 4) == pytest.approx(0.5, abs=1e-6)
    # Where one has nearly all they hardly move: v^-(1-2/D) times as long.
    v = 1e-8
    time = 2 / (3 * 2) * v ** -(1 - 2 / 4)
    assert 1 - share_under_noise(0.5 * time, 1 - v, 4) == pytest.approx(4 * v, rel=1e-2)


def test_unlike_pathways_come_to_a_strength_at_the_drive_that_is_said():
    """Against the closed motion of the q/p equations, by quadrature."""
    for depth, variance, K in ((1, 0.1, 0.7), (2, 0.1, 0.7), (3, 0.01, 0.5), (6, 0.02, 2.0)):
        q0 = depth ** (1 / (2 * (depth - 1))) * np.sqrt(variance) if depth > 1 else 1.0
        low, high = 0.0, 10.0  # p with K = p q^(D-1), q^2 = p^2 + q0^2
        for _ in range(80):
            p = (low + high) / 2
            low, high = (p, high) if p * (p**2 + q0**2) ** ((depth - 1) / 2) < K else (low, p)
        u = q0 * np.sinh(np.linspace(0, np.arcsinh(p / q0), 20_001))
        s = np.trapezoid((u**2 + q0**2) ** ((1 - depth) / 2), u) if depth > 1 else p
        assert float(drive_to(depth, variance, K)) == pytest.approx(s, rel=1e-6)


def test_drives_at_all_scales():
    """Small strengths come by K = q0^(D-1) p and s = p / q0^(D-1), large ones at the pole."""
    for depth in (3, 4, 9, 50):
        for variance in (1e-6, 0.1, 100.0):
            q0 = rd.exact.wide_q0(depth, variance)
            scale = q0**depth
            tiny = drive_to(depth, variance, 1e-9 * scale)
            np.testing.assert_allclose(tiny, 1e-9 * scale / q0 ** (2 * (depth - 1)), rtol=1e-6)
            K = np.geomspace(1e-6, 1e6, 40) * scale
            s = drive_to(depth, variance, K)
            assert (
                (np.diff(s) > 0).all()
                and (s > 0).all()
                and (s < pole(depth) * q0 ** (2 - depth)).all()
            )


def test_ends_of_the_variable():
    assert expected_participation([0.0, np.inf], 4, 2) == pytest.approx([1, 2])
    assert expected_participation(0.0, 4, 5) == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: tilt_exponent(4, 0.02, 1.0, 0.5, pathways=1), "at least 2"),
        (lambda: tilt_gain(4, 0.02, 1.0, 0.5, pathways=1), "at least 2"),
        (lambda: critical_width(4, 0.1, pathways=1), "at least 2"),
        (lambda: concentration_variable(4, [1, 2], [0.1, 0.2, 0.3]), "width.*broadcast"),
        (lambda: tilt_exponent(4, [0.1, 0.2], [1, 1, 1], 0.5), "broadcast"),
        (lambda: drive_to(4, [0.1, 0.2], [1, 1, 1]), "broadcast"),
        (lambda: rd.exact.share_under_noise([1.0, 2.0], [0.6, 0.7, 0.8], 4), "broadcast"),
        (lambda: rd.exact.spreading_rate(0.7, 4, step=[0.1, 0.2]), "one number"),
    ],
)
def test_arguments_that_do_not_fit(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_starts_next_to_one():
    """They stay there for v^-(1-2/D), however near 1 float64 has them."""
    w = np.array([1 - 1e-13, 1 - 1e-15])
    np.testing.assert_allclose(rd.exact.share_under_noise(1e4, w, 4), w, atol=1e-6)
    assert rd.exact.share_under_noise(np.inf, 0.9, 4) == pytest.approx(0.5)


def test_what_is_refused():
    for call, message in (
        (lambda: pole(2), "have no pole"),
        (lambda: gap_variance(2.5), "`depth`"),
        (lambda: expected_participation([1.0, -1.0], 4), "at least 0"),
        (lambda: expected_participation(1.0, 4, 0), "`pathways`"),
        (lambda: tilt_exponent(4, 0.1, 1.0, 2.0), "at most `first`"),
        (lambda: concentration_variable(4, 100, -0.1), "`variance`"),
        (lambda: concentration_variable(4, 0, 0.1), "`width`"),
        (lambda: tilt_exponent(4, 0.0, 1.0, 0.5), "`variance`"),
        (lambda: spreading_rate(0.7, 2), "all as flat"),
        (lambda: spreading_rate([0.7, 1.1], 4), "between 0 and 1"),
        (lambda: spreading_rate(0.7, 4, 1.0), "below 1"),
        (lambda: share_under_noise(-1.0, 0.7, 4), "at least 0"),
        (lambda: share_under_noise(1.0, 0.4, 4), "between 1/2 and 1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_in_single_precision_they_are_the_same():
    with jax.enable_x64(False):
        assert jnp.result_type(float) == np.float32
        value = float(expected_participation(2.0, 4))
    assert value == pytest.approx(float(expected_participation(2.0, 4)), abs=1e-12)
