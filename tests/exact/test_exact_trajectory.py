"""Trajectories of a race by quadrature: against DOP853, closed forms of one pathway, and the
end.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

import racedyn as rd
from derivatives import assert_derivatives
from racedyn import Status
from racedyn.exact import converged, race_states, shallow_strength, trajectory, two_layer_strength
from races import course_by_ode, random_modes, scale, special_modes


def strength(run):
    return run.observables["strength"]


def by_ode(S, depths, q, p, d, ts):
    """K (time, path) of one mode by DOP853 in time."""
    D, paths = np.array(depths), len(depths)

    def field(_, y):
        q, p = y[:paths], y[paths:]
        r = S - d * np.sum(p * np.where(D == 1, 1, q ** (D - 1.0)))
        dq = np.where(D == 1, 0, q ** np.maximum(D - 2.0, 0) * p)
        return r * np.concatenate([dq, np.where(D == 1, 1, q ** (D - 1.0))])

    start = np.concatenate([q, p])
    solved = solve_ivp(
        field, (0, ts[-1]), start, method="DOP853", t_eval=ts, rtol=1e-13, atol=1e-16
    )
    return solved.y[paths:].T * np.where(D == 1, 1, solved.y[:paths].T ** (D - 1.0))


def starts(kind, paths, rng):
    """q and p (path,): wide (c = 1), balanced (c = 0), learning against negative p, and c of all
    signs.
    """
    if kind == "balanced":
        q = 0.3 * np.abs(1 + 0.1 * rng.standard_normal(paths))
        return q, q
    if kind == "mixed":
        return np.array([0.6, 0.9, 0.5])[:paths], np.array([0.8, -0.4, 0.1])[:paths]
    p = (
        -0.3 * np.abs(rng.standard_normal(paths))
        if kind == "against"
        else 0.01 * rng.standard_normal(paths)
    )
    return np.ones(paths), p


LONG = [(2, 2), (1, 4), (5, 5), (13, 13, 2), (3, 3, 3), (20, 20)]


@pytest.mark.parametrize(
    "depths",
    [
        (2, 1),
        pytest.param((8, 3), marks=pytest.mark.long),
        *(pytest.param(depths, marks=pytest.mark.long) for depths in LONG),
    ],
)
def test_against_an_ode(depths):
    rng = np.random.default_rng(0)
    S, d = 2.0, 1.3
    for kind in ("wide", "balanced", "against", "mixed"):
        q, p = starts(kind, len(depths), rng)
        end = 60 if kind != "balanced" or max(depths) < 8 else 1e5
        ts = np.linspace(0, end, 60)
        found = trajectory(S, depths, q[:, None], p[:, None], ts, variances=d)
        assert found.status[0] == Status.DONE
        if kind == "balanced" and max(depths) > 8:
            continue  # a plateau of 0.3^(2 - D): an explicit solver takes for ever
        error = (
            np.abs(np.asarray(strength(found))[:, :, 0] - by_ode(S, depths, q, p, d, ts)).max() / S
        )
        print(f"\n{depths}, {kind}: {error:.1e} of S")
        assert error <= 1e-8


@pytest.mark.long
@pytest.mark.parametrize("sets", [2, 50])
def test_random_modes_against_an_ode(sets):
    """Forty, or a thousand.

    Where a part of 1e-12 of the time that has passed, as the ODE's own error, does not matter; else
    see plateaus."""
    rng, points, worst, compared, never = np.random.default_rng(0), 20, 0.0, 0, 0
    for _ in range(sets):
        S, depths, q, p = random_modes(rng, 20)
        learned = np.flatnonzero(converged(S, depths, q, p).status != Status.UNLEARNED)
        never += len(S) - len(learned)
        courses = [course_by_ode(S[a], depths, q[:, a], p[:, a]) for a in learned]
        kept = [np.linspace(1, len(t) - 1, points).astype(int) for t, _, _ in courses]
        ts = np.concatenate([t[steps] for (t, _, _), steps in zip(courses, kept, strict=True)])
        # One call, and so one compilation, with room for all.
        found = trajectory(S, depths, q, p, np.append(ts, np.zeros(points * len(S) - len(ts))))
        assert (found.status[learned] == Status.DONE).all()
        for k, (a, (t, K, speed), steps) in enumerate(zip(learned, courses, kept, strict=True)):
            size = scale(S[a], depths, q[:, a], p[:, a])
            error = np.abs(
                np.asarray(strength(found))[k * points : (k + 1) * points, :, a] - K[steps]
            ).max(axis=1)
            seen = 1e-12 * (t * speed)[steps] <= 1e-9 * size
            worst = max(worst, np.max(error[seen], initial=0.0) / size)
            compared += seen.sum()
        jax.clear_caches()
    print(
        f"\n{compared} points of {20 * sets - never} modes: error of K <= {worst:.1e} of the "
        "larger of S and the start"
    )
    assert worst <= 1e-8 and compared > 0.9 * points * (20 * sets - never) and never < 2 * sets


@pytest.mark.long
def test_every_start_is_a_start():
    depths, ts = (3, 4), np.array([0.0, 0.5, 2.0])
    S, q, p = special_modes(np.random.default_rng(77), depths, 2_000)
    found = trajectory(S, depths, q, p, ts)
    status, K = np.asarray(found.status), np.asarray(strength(found))
    assert not np.any(status == Status.FAILED)
    begun = p * q ** (np.array(depths)[:, None] - 1.0)
    learned = status != Status.UNLEARNED
    size = np.maximum(1, np.abs(begun).max(axis=0))
    np.testing.assert_array_less((np.abs(K[0] - begun).max(axis=0) / size)[learned], 1e-12)
    of_zero = np.flatnonzero(learned & (p == 0).all(axis=0))[:6]
    for a in of_zero:
        np.testing.assert_allclose(
            K[:, :, a], by_ode(S[a], depths, q[:, a], p[:, a], 1.0, ts), atol=1e-9 * size[a]
        )


@pytest.mark.slow
def test_one_pathway_has_a_closed_form():
    ts = np.linspace(0, 12, 50)
    S, d = np.array([2.0, 0.5]), np.array([1.0, 0.7])
    root = np.sqrt(0.01)
    deep = trajectory(S, (2,), root, root, ts, variances=d, tolerance=1e-12)
    np.testing.assert_allclose(strength(deep)[:, 0], two_layer_strength(S, d, 0.01, ts), rtol=1e-9)
    flat = trajectory(S, (1,), 1.0, 0.2, ts, variances=d)
    np.testing.assert_allclose(strength(flat)[:, 0], shallow_strength(S, d, 0.2, ts), rtol=1e-9)


@pytest.mark.long
def test_a_plateau_of_any_length():
    """Balanced at D = 8 from 0.01: t(K) = int dp / (p^7 (S - p^8)), in which the plateau is 1e12
    long.
    """
    S, D, p0 = 1.5, 8, 0.01
    plateau = p0 ** (2 - D) / (D - 2) / S
    # dt/dp = p^(1-D) / (S - p^D) = p^(1-D) / S + p / (S (S - p^D)): the first part is the plateau.

    def arrival(K):
        p1 = K ** (1 / D)
        rest = quad(lambda u: u / (S * (S - u**D)), p0, p1, epsabs=0, epsrel=1e-13, limit=500)[0]
        return plateau - p1 ** (2 - D) / (D - 2) / S + rest

    for part in (0.1, 0.5, 0.9, 0.999):
        late = arrival(part * S)
        found = float(strength(trajectory(S, (D,), p0, p0, [late]))[0, 0, 0])
        assert arrival(found) == pytest.approx(late, rel=1e-14)
    assert float(strength(trajectory(S, (D,), p0, p0, [1e300]))[0, 0, 0]) == pytest.approx(
        S, rel=1e-14
    )


@pytest.mark.long
def test_it_starts_at_the_start_and_ends_at_the_end():
    rng = np.random.default_rng(1)
    S, depths = np.array([3.0, 0.4, -1.0]), (4, 3, 2)
    q, p = rng.uniform(0.6, 1.1, (5, 3, 3)), 0.5 * rng.standard_normal((5, 3, 3))
    ts = np.array([1e9, 0.0, 1e3, 3.0])
    K, q_t, p_t, status = race_states(S, depths, q, p, ts)
    end = converged(S, depths, q, p)
    assert K.shape == (5, 4, 3, 3) and (status == Status.DONE).all()
    for found, begun, ended in ((q_t, q, end.q), (p_t, p, end.p)):
        np.testing.assert_allclose(found[:, 1], begun, atol=1e-12)
        for row in (0, 2):
            np.testing.assert_allclose(found[:, row], ended, rtol=1e-12)
    np.testing.assert_allclose(
        q_t**2 - p_t**2, np.broadcast_to((q**2 - p**2)[:, None], q_t.shape), atol=1e-12
    )
    one = trajectory(S, depths, q[0], p[0], ts)
    for name, found in (("strength", K), ("q", q_t), ("p", p_t)):
        np.testing.assert_allclose(one.observables[name], found[0], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "depths",
    [
        *(pytest.param(depths, marks=pytest.mark.slow) for depths in [(2, 2)]),
        *(
            pytest.param(depths, marks=pytest.mark.long)
            for depths in [(4, 9), (3, 3), (2, 5), (1, 4), (20, 12)]
        ),
    ],
)
def test_a_race_for_little_is_linear(depths):
    """Beside its weights: K = K0 + k s, s = (S - sum K0) / sum k (1 - exp(-t sum k)). Each
    pathway's K is told to 1e-9 of S."""
    S = np.array([1e-6, 1e-9, 1e-12, 1e-20, -1e-11])
    D, q, rng = np.array(depths)[:, None], np.array([[0.9], [1.1]]), np.random.default_rng(0)
    p = 0.01 * S * rng.normal(size=(2, len(S)))
    start, rate = p * q ** (D - 1), q ** (2.0 * D - 2)
    total = rate.sum(axis=0)
    done = 1 - np.exp(-total * (ts := np.linspace(0, 30 / total.max(), 7))[:, None])
    K = start + rate * ((S - start.sum(axis=0)) / total * done)[:, None]
    end = rd.exact.converged(S, depths, q, p)
    run = trajectory(S, depths, q, p, ts, tolerance=1e-10)
    assert (end.status == Status.DONE).all() and (run.status == Status.DONE).all()
    for found, expected in (
        (end.strength, start + rate * (S - start.sum(0)) / total),
        (run["strength"], K),
    ):
        error = np.abs(found - expected) / np.abs(S)
        assert error[..., 1:].max() < 1e-9
        assert error[..., 0].max() < 1e-4  # the next order, which these equations lack

    def shares(S):
        return rd.exact.converged(S, depths, q, p).strength[0]

    slope = jax.jvp(shares, (jnp.asarray(S),), (jnp.ones_like(S),))[1]
    np.testing.assert_allclose(slope[1:], (rate[0] / total)[0], rtol=1e-8)


@pytest.mark.long
def test_derivatives():
    ts = jnp.array([0.5, 2.0, 40.0])
    given = (
        jnp.array([2.0]),
        jnp.array([[1.0], [0.8]]),
        jnp.array([[0.1], [-0.05]]),
        jnp.array([1.3]),
    )

    @jax.jit
    def measure(S, q, p, d):
        return jnp.sum(jnp.sin(strength(trajectory(S, (3, 4), q, p, ts, variances=d))))

    assert_derivatives(measure, given, rel=1e-6)


@pytest.mark.parametrize(
    "tolerance",
    [
        *(pytest.param(each, marks=pytest.mark.long) for each in (1e-3, 1e-11)),
        pytest.param(1e-6, marks=pytest.mark.slow),
    ],
)
def test_a_tolerance_holds(tolerance):
    """Starts with and without a plateau, ahead and behind, over five decades of S: the errors of
    this and of the finest tolerance, at which each start is compared with an ODE elsewhere."""
    rng, values = np.random.default_rng(3), np.geomspace(1e-2, 1e3, 60)
    given = [starts(kind, 2, rng) for kind in ("wide", "balanced", "against", "mixed") * 15]
    q, p = (np.stack(x, axis=1) for x in zip(*given, strict=True))
    finest = np.geomspace(1e-4, 1e4, 200)
    asked, told = (
        trajectory(values, (3, 3), q, p, finest, tolerance=x) for x in (tolerance, 1e-12)
    )
    assert (asked.status == Status.DONE).all() and (told.status == Status.DONE).all()
    learns = values + np.abs(np.sum(p * q**2, axis=0))
    error = np.abs(np.sum(strength(asked) - strength(told), axis=1)).max(axis=0) / learns
    assert error.max() <= tolerance
    assert error.max() > 0.0, "nothing was spared"


@pytest.mark.long
def test_derivatives_in_float32_long_after_the_end():
    """The relaxing tail came to 0 there, which has no logarithm: NaN."""

    def ends(S):
        run = trajectory(S, (3, 4), [[1.0], [0.8]], [[0.1], [-0.05]], [0.0, 40.0, 1e4])
        return jnp.sum(strength(run)[:, :, 0], axis=1)

    with jax.enable_x64(False):
        found = jax.jacfwd(ends)(jnp.array([2.0], jnp.float32))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found[:, 0], [0.0, 1.0, 1.0], atol=1e-4)


@pytest.mark.slow
def test_modes_without_an_end_and_bad_input():
    q, p = (
        [[1.0, 0.5, np.nan, 1.0], [1.0, 0.5, 1.0, 1.0]],
        [[0.2, -0.6, 0.1, 0.1], [0.1, -0.6, 0.1, 0.1]],
    )
    found = trajectory([1.0, 1.0, 1.0, 0.2], (4, 4), q, p, [0.0, 1.0])
    endings = [Status.DONE, Status.UNLEARNED, Status.FAILED, Status.SYMMETRIC]
    assert [Status(int(status)) for status in found.status] == endings
    K = np.asarray(found["strength"])
    assert np.isfinite(K[..., 0]).all() and np.isnan(K[..., 1:3]).all()
    np.testing.assert_allclose(
        found["p"][..., 3], 0.1, rtol=1e-14, err_msg="at its end from the start"
    )
    with pytest.raises(
        ValueError, match="of at least 0, where the start is, but its smallest is -1"
    ):
        trajectory(1.0, (2,), 1.0, 0.1, [-1.0])
    for wrong in (0.0, 1e-13, 1.0, float("nan")):
        with pytest.raises(ValueError, match="tolerance"):
            trajectory(1.0, (2,), 1.0, 0.1, [1.0], tolerance=wrong)
    with pytest.raises(ValueError, match=r"those of one race.*racedyn\.ensemble takes many"):
        trajectory(1.0, (2,), np.ones((5, 1, 1)), 0.1, [1.0])


@pytest.mark.slow
def test_shallow_pathways_alone_have_all_times():
    """Their q never moves: it had one time where p had all."""
    S, p, ts = np.array([1.0, 0.5]), np.array([[0.1], [0.2]]), np.linspace(0, 10, 11)
    run = rd.simulate(rd.systems.Pathways(S, depths=(1, 1), q=1.0, p=p), ts, method="exact")
    assert run.observables["q"].shape == (11, 2, 2)
    learned = shallow_strength(2 * S, 2.0, p.sum(), ts) - p.sum()  # two pathways, and each has half
    np.testing.assert_allclose(run.observables["strength"], p + learned[:, None] / 2, atol=1e-8)
