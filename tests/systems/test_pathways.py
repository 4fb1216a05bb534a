"""The q/p equations: closed forms, an independent solver, conserved quantities, symmetry, order of
convergence.
"""

import itertools

import diffrax as dfx
import equinox as eqx
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.integrate import quad, solve_ivp

import racedyn as rd
from racedyn.systems import Pathways

S, D2 = np.array([3.0, 1.0, 0.5]), np.array([1.0, 1.0, 2.0])


def reference(depths, q0, p0, s, d):
    """K_a(t) of one mode by SciPy's DOP853, held once r has fallen below 1e-9 of S; and its times.

    Its tolerance is the finest it accepts: at 1e-12 it is itself 4e-7 off after the plateau of
    depth 13 from 0.3."""
    powers = np.array(depths) - 1

    def field(t, y):
        q, p = np.split(y, 2)
        r = s - d * np.sum(p * q**powers)
        return np.r_[np.where(powers > 0, q ** np.maximum(powers - 1, 0) * p * r, 0), q**powers * r]

    def learned(t, y):
        q, p = np.split(y, 2)
        return abs(s - d * np.sum(p * q**powers)) - 1e-9 * s

    learned.terminal = True
    run = solve_ivp(
        field,
        (0, 1e12),
        np.r_[q0, p0],
        method="DOP853",
        rtol=2.3e-14,
        atol=1e-15,
        events=learned,
        dense_output=True,
    )

    def strengths(ts):
        q, p = np.split(run.sol(np.minimum(ts, run.t[-1])), 2)
        return (p * q ** powers[:, None]).T

    return strengths, run.t


def worst_error(depths, start, rtol=1e-10):
    """Largest error of any K_a over the mode's largest |K_a|, and the drift of q^2 - p^2."""
    shape = (len(depths), len(S))
    rng = np.random.default_rng(len(depths))
    q, p = (
        (np.ones(shape), 0.01 * rng.standard_normal(shape))
        if start == "wide"
        else np.full((2, *shape), 0.3)
    )
    solved = [reference(depths, q[:, a], p[:, a], S[a], D2[a]) for a in range(len(S))]
    ts = np.unique(np.concatenate([times for _, times in solved]))
    ts = np.r_[ts, 1.5 * ts[-1]]  # past convergence
    run = rd.simulate(Pathways(S, depths, q, p, D2), ts, rtol=rtol)
    K = np.asarray(run.observables["strength"])
    errors = [
        np.abs(K[:, :, a] - solved[a][0](ts)).max() / np.abs(K[:, :, a]).max()
        for a in range(len(S))
    ]
    return max(errors), float(run.stats["drift"])


SLOW = [((2, 2), "balanced", 1e-8), ((1, 4), "balanced", 1e-7), ((2, 5, 9), "wide", 1e-7)]
LONG = [
    ((2, 2), "wide", 1e-8),
    ((3, 7), "balanced", 1e-8),
    ((1, 4), "wide", 1e-7),
    ((2, 5, 9), "balanced", 1e-7),
]
LONG += [
    (depths, start, 1e-7) for depths in ((3, 3, 3), (13, 13)) for start in ("wide", "balanced")
]


@pytest.mark.parametrize(
    ("depths", "start", "bound"),
    [
        ((3, 7), "wide", 1e-8),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW),
        *(pytest.param(*case, marks=pytest.mark.long) for case in LONG),
    ],
)
def test_against_an_independent_solver(depths, start, bound):
    error, drift = worst_error(depths, start)
    print(f"{depths} {start}: error {error:.1e}, drift {drift:.1e}")
    assert error <= bound and drift <= 1e-8


@pytest.mark.slow
def test_the_longest_plateau_against_its_quadrature():
    """Two equal balanced pathways of depth 13 from q = p = 0.3: t(p) = int dp / (p^12 (S - 2 d
    p^13)), here in ln p.
    """
    depth, s, d, p0 = 13, 3.0, 1.0, 0.3
    share = np.array([0.01, 0.1, 0.3, 0.5, 0.8, 0.95, 0.999])
    ends = np.log((s / (2 * d) * share) ** (1 / depth) / p0)

    def dt(x):
        return 1 / ((p0 * np.exp(x)) ** (depth - 2) * (s - 2 * d * (p0 * np.exp(x)) ** depth))

    pieces = itertools.pairwise(np.r_[np.linspace(0, ends[0], 30), ends[1:]])
    times = np.cumsum([quad(dt, a, b, epsabs=0, epsrel=1e-13)[0] for a, b in pieces])[28:]
    run = rd.simulate(Pathways([s], (depth, depth), p0, p0, d), times, rtol=1e-10)
    np.testing.assert_allclose(
        run.observables["strength"][:, :, 0].T, np.tile(s / (2 * d) * share, (2, 1)), rtol=1e-8
    )
    # The rise takes 1e-4 of the time: an error of 1e-9 in the plateau's length would show.
    assert times[-1] > 1.7e4 and times[-1] - times[0] < 2


@pytest.mark.slow
def test_s_equal_zero_and_negative_c_at_depth_2():
    # S = 0: K decays as a0 / (1 + 2 a0 d t).
    ts = np.linspace(0, 50, 30)
    run = rd.simulate(Pathways([0.0], (2,), 0.5, 0.5), ts, rtol=1e-11)
    np.testing.assert_allclose(
        run.observables["strength"][:, 0, 0], 0.25 / (1 + 0.5 * ts), rtol=1e-8
    )
    # c < 0, D = 2: q changes sign on the way; the rotation by s = int r dt is the solution.
    run = rd.simulate(Pathways([1.0], (2,), 0.1, -0.5), ts, rtol=1e-11)
    q, p = (np.asarray(run.observables[name])[:, 0, 0] for name in "qp")
    drive = np.log((q + p) / (0.1 - 0.5))
    np.testing.assert_allclose(q - p, (0.1 + 0.5) * np.exp(-drive), rtol=1e-8)
    assert q[0] > 0 > q[-1]


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.integers(0, 2**16),
)
@settings(max_examples=4)
def test_permuting_pathways_permutes_the_result(depths, seed):
    rng = np.random.default_rng(seed)
    q, p = rng.uniform(0.3, 1, (len(depths), 2)), rng.uniform(-0.3, 0.5, (len(depths), 2))
    order = rng.permutation(len(depths))
    system = Pathways([1.0, 0.3], depths, q, p, [1.0, 0.5])
    turned = Pathways([1.0, 0.3], [depths[i] for i in order], q[order], p[order], [1.0, 0.5])
    y, z = system.y0(), turned.y0()
    for left, right in zip(
        system.vector_field(0.0, y, None), turned.vector_field(0.0, z, None), strict=True
    ):
        np.testing.assert_allclose(left[order], right, rtol=1e-13)


@pytest.mark.long
def test_symmetries_of_the_flow():
    ts = np.linspace(0, 6, 40)
    q, p = np.array([[1.0], [1.0]]), np.array([[0.02], [0.01]])
    base = rd.simulate(Pathways([2.0], (3, 3), q, p), ts, rtol=1e-11).observables["strength"]
    # Twice the task, half the time: S and d scale together.
    twice = rd.simulate(Pathways([4.0], (3, 3), q, p, 2.0), ts / 2, rtol=1e-11).observables[
        "strength"
    ]
    np.testing.assert_allclose(twice, base, rtol=1e-8)
    # Equal pathways stay equal: symmetry is never broken by the solver.
    equal = rd.simulate(Pathways([2.0], (3, 3), 1.0, 0.01), ts, method="ode").observables[
        "strength"
    ]
    np.testing.assert_array_equal(equal[:, 0], equal[:, 1])
    # Depth concentrates: the same head start ends in a larger share in deeper pathways.
    shares = []
    for depth in (2, 3, 8):
        race = Pathways([2.0], (depth, depth), q, p)
        end = rd.simulate(race, 9 * ts, method="ode").observables["strength"][-1, :, 0]
        shares.append(float(end[0] / end.sum()))
    assert shares == sorted(shares) and shares[-1] > shares[0]


def test_the_loss_is_the_networks_loss():
    task = rd.tasks.hierarchy(4)
    net = rd.networks.parallel(task, depths=(2, 1), width=8)
    w = net.init(rd.init.Aligned(0.3), key=0, task=task)
    system = rd.reduce(net, task, w)
    first = rd.train(net, task, w, lr=0.01, steps=1, progress=False).observables
    observed = system.observe(jnp.zeros(()), system.y0())
    assert float(observed["loss"]) == pytest.approx(first["loss"][0], rel=1e-12)
    np.testing.assert_allclose(observed["strength"], first["strength"][0], rtol=1e-12)


@pytest.mark.parametrize(
    ("solver", "order"),
    [
        pytest.param(dfx.Heun(), 2, marks=pytest.mark.slow),
        pytest.param(dfx.Bosh3(), 3, marks=pytest.mark.long),
        pytest.param(dfx.Tsit5(), 5, marks=pytest.mark.long),
    ],
)
def test_the_error_falls_at_the_solvers_order(solver, order):
    system = Pathways([1.0], (3, 4), 0.7, np.array([[0.2], [0.1]]))
    exact = rd.simulate(system, [3.0], rtol=1e-13).observables["strength"][-1]
    errors = []
    for steps in (32, 64, 128):
        run = rd.simulate(
            system,
            [3.0],
            solver=solver,
            stepsize_controller=dfx.ConstantStepSize(),
            dt0=3.0 / steps,
        )
        errors.append(float(jnp.abs(run.observables["strength"][-1] - exact).max()))
    slopes = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all((order - 0.3 < slopes) & (slopes < order + 0.7)), slopes


def final_strength(p0, adjoint=None):
    system = Pathways([2.0, 1.0], (3, 2), 0.8, p0)
    return rd.solve(system, jnp.linspace(0, 4.0, 9), rtol=1e-11, adjoint=adjoint).observables[
        "strength"
    ][-1, 0, 0]


@pytest.mark.long
def test_derivatives_agree_with_finite_differences():
    p0 = jnp.array([[0.05, 0.02], [0.03, 0.1]])
    reverse = jax.jit(jax.grad(final_strength))(p0)
    along = jax.jit(
        lambda direction: jax.jvp(
            lambda p: final_strength(p, dfx.ForwardMode()), (p0,), (direction,)
        )[1]
    )
    for a, m in np.ndindex(2, 2):
        step = jnp.zeros((2, 2)).at[a, m].set(1e-5)
        difference = (final_strength(p0 + step) - final_strength(p0 - step)) / 2e-5
        forward = along(step / 1e-5)
        assert float(reverse[a, m]) == pytest.approx(float(difference), rel=1e-6, abs=1e-9)
        assert float(forward) == pytest.approx(float(difference), rel=1e-6, abs=1e-9)
    assert abs(float(reverse[0, 0])) > 0.1, "a derivative of zero would prove nothing"


@pytest.mark.slow
def test_solve_works_under_vmap_and_jit():
    p0 = jnp.linspace(0.01, 0.05, 3)[:, None, None] * jnp.array([[1.0, 0.5], [0.3, 1.0]])
    ts = jnp.linspace(0, 5, 11)
    systems = eqx.filter_vmap(lambda p: Pathways([2.0, 1.0], (3, 3), 1.0, p))(p0)
    together = eqx.filter_vmap(lambda system: rd.solve(system, ts).observables["strength"])(systems)
    alone = jax.jit(
        lambda p: rd.solve(Pathways([2.0, 1.0], (3, 3), 1.0, p), ts).observables["strength"]
    )
    for i in range(3):
        np.testing.assert_allclose(together[i], alone(p0[i]), rtol=1e-7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Pathways([1.0], (0,), 1.0, 0.1),
            r"`depths` must be one whole number of at least 1 per pathway, or a number above 2, "
            r"but one is 0",
        ),
        (lambda: Pathways([1.0], (1.5,), 0.5, 0.1), r"but one is 1\.5"),
        (
            lambda: Pathways([1.0], (2.5,), -0.5, 0.1),
            r"`q` must be above 0 in a pathway of depth 2\.5",
        ),
        (lambda: Pathways([1.0], 3, 0.5, 0.1), r"per pathway, or a number above 2, but it is 3"),
        (
            lambda: Pathways([1.0], (3,), 0.5, 0.1, -1.0),
            r"`variances` must be of at least 0, but the smallest is -1",
        ),
        (
            lambda: Pathways([1.0, 2.0], (2,), 1.0, [[0.1, 0.1, 0.1]]),
            r"`p` must broadcast to \(1, 2\)",
        ),
        (lambda: Pathways([1.0, np.nan], (2,), 1.0, 0.1), r"`singular_values` must be finite"),
        (lambda: Pathways([1.0], (2,), np.inf, 0.1), r"`q` must be finite"),
        (
            lambda: Pathways([1.0], (), 1.0, 0.1),
            r"per pathway, or a number above 2, but it is empty",
        ),
        (lambda: Pathways([[1.0]], (2,), 1.0, 0.1), r"one number per mode"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.slow
def test_depths_between_whole_ones_are_left_to_a_solver():
    depths, q0, p0 = np.array([2.5, 3.0]), np.array([0.5, 0.7]), np.array([0.1, 0.3])

    def field(_, y):
        q, p = y[:2], y[2:]
        r = 2.0 - np.sum(p * q ** (depths - 1))
        return r * np.concatenate([q ** (depths - 2) * p, q ** (depths - 1)])

    system = Pathways([2.0], (2.5, 3), q0[:, None], p0[:, None])
    run = rd.simulate(system, [0.5, 1.0], rtol=1e-10)
    y = solve_ivp(
        field, (0, 1), np.concatenate([q0, p0]), method="DOP853", rtol=1e-12, atol=1e-14
    ).y[:, -1]
    np.testing.assert_allclose(
        run.observables["strength"][-1, :, 0], y[2:] * y[:2] ** (depths - 1), atol=1e-9
    )
    with pytest.raises(ValueError, match="without a solution of its own"):
        rd.simulate(system, [0.5, 1.0], method="exact")
