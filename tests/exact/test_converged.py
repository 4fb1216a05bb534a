"""Where a race ends, without an ODE: against DOP853 over the drive, against the equations, and by
symmetry.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import racedyn as rd
from derivatives import assert_derivatives
from racedyn import Status
from racedyn.exact import converged
from racedyn.exact.races.depths import depths_of
from racedyn.exact.races.drive import gap, half_way, reach
from races import end_by_ode, random_modes, scale, special_modes


def worst_error(rng, sets, num_modes):
    """Largest error over |S| where no pathway starts above 100 |S|, and over the larger of |S| and
    the largest |K| at the start, of all; how many modes were compared, and how many had no end."""
    worst, overall, compared, never = 0.0, 0.0, 0, 0
    for _ in range(sets):
        S, depths, q, p = random_modes(rng, num_modes)
        found = converged(S, depths, q, p)
        for a in range(num_modes):
            if found.status[a] == Status.UNLEARNED:
                # Without a pathway that grows for ever the sum stays below 0.
                flip = 1 if S[a] >= np.sum(p[:, a] * q[:, a] ** (np.array(depths) - 1.0)) else -1
                assert all(
                    D > 2 and q[b, a] ** 2 <= p[b, a] ** 2 and flip * p[b, a] < 0
                    for b, D in enumerate(depths)
                )
                assert flip * S[a] >= 0
                never += 1
                continue
            assert found.status[a] == Status.DONE
            expected = end_by_ode(S[a], depths, q[:, a], p[:, a])
            error = np.abs(np.asarray(found.strength)[:, a] - expected).max()
            size = scale(S[a], depths, q[:, a], p[:, a])
            overall = max(overall, error / size)
            if size <= 100 * abs(S[a]):
                worst = max(worst, error / abs(S[a]))
            compared += 1
        jax.clear_caches()
    return worst, overall, compared, never


@pytest.mark.long
@pytest.mark.parametrize("sets", [2, 50])
def test_random_modes_against_an_ode(sets):
    """Forty, or a thousand."""
    worst, overall, compared, never = worst_error(np.random.default_rng(0), sets, 20)
    print(
        f"\n{compared} modes: error of K <= {worst:.1e} of S where no pathway starts above 100 S, "
        f"<= {overall:.1e} of the "
        f"larger of S and the start; {never} more are never learned"
    )
    assert (
        worst <= 1e-10
        and overall <= 1e-11
        and compared + never == 20 * sets
        and compared > 18 * sets
    )


@pytest.mark.parametrize(
    "depths",
    [
        (2, 5, 3),
        *(pytest.param(depths, marks=pytest.mark.slow) for depths in ((3, 4), (1, 4))),
        pytest.param((3, 3), marks=pytest.mark.long),
    ],
)
def test_every_end_is_found(depths):
    S, q, p = special_modes(np.random.default_rng(77), depths, 20_000)
    found = converged(S, depths, q, p)
    status = np.asarray(found.status)
    assert not np.any(status == Status.FAILED)
    learned = np.flatnonzero(status != Status.UNLEARNED)
    assert len(learned) > 18_000
    K = np.asarray(found.strength)
    begun = np.abs(p * q ** (np.array(depths)[:, None] - 1.0)).max(axis=0)
    np.testing.assert_array_less((np.abs(K.sum(axis=0) - S) / np.maximum(1, begun))[learned], 1e-11)
    for a in learned[:: len(learned) // 12]:
        if not (q[:, a] > 0).all():  # the clock of the reference is for these
            continue
        expected = end_by_ode(S[a], depths, q[:, a], p[:, a])
        np.testing.assert_allclose(
            K[:, a], expected, atol=1e-10 * scale(S[a], depths, q[:, a], p[:, a])
        )


@pytest.mark.parametrize("depth", [3, 4, 5, 8, 13, 20])
@pytest.mark.parametrize(
    ("c", "p"),
    [(1.0, 0.3), (1.0, 5.0), (1.0, -0.4), (0.0, 0.7), (-0.5, 0.72), (-0.5, 3.0), (-0.5, -0.8)],
)
def test_gap_to_the_pole(depth, c, p):
    q = np.sqrt(p * p + c)
    c, depths = (q - p) * (q + p), depths_of((depth,))
    found = gap(*(jnp.array([x]) for x in (c, q, p)), depths)

    def beyond(x):  # p = |p| + q x / (1 - x), from there to infinity
        return q / (1 - x) ** 2 * ((abs(p) + q * x / (1 - x)) ** 2 + c) ** (-(depth - 1) / 2)

    expected = quad(beyond, 0, 1, epsabs=0, epsrel=1e-12, limit=200)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    np.testing.assert_allclose(
        np.array(reach(jnp.array([c]), found, depths))[:, 0], [q, abs(p)], rtol=1e-13
    )
    if c > 0:
        half = quad(lambda u: (u * u + c) ** (-(depth - 1) / 2), 0, abs(p), epsabs=0, epsrel=1e-12)[
            0
        ]
        np.testing.assert_allclose(half_way(jnp.array([c]), depths), expected + half, rtol=1e-11)


def test_powers_have_derivatives_where_higher_ones_are_no_numbers():
    """One program has the bits of all depths up to 1024, and 20^1022 is none."""
    for depth in (3, 5, 16, 70, 700):
        depths, q = depths_of((depth, 4)), jnp.array([[20.0 ** (200 / depth)], [-0.5]])
        found, slope = jax.jvp(depths.less_two, (q,), (jnp.ones_like(q),))
        n = np.array([[depth - 2.0], [2.0]])
        np.testing.assert_allclose(found, np.asarray(q) ** n, rtol=1e-12)
        np.testing.assert_allclose(slope, n * np.asarray(q) ** (n - 1), rtol=1e-12)
        backwards = jax.grad(lambda q, depths=depths: depths.less_two(q).sum())(q)
        np.testing.assert_allclose(backwards, slope, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("depths", [range(4, 17), range(17, 65), (65, 100, 128, 300, 512, 1000)])
def test_depths_up_to_a_bound_have_tables_of_one_size(depths):
    assert len({tuple(x.shape for x in depths_of((depth,)).tables) for depth in depths}) == 1


@pytest.mark.slow
def test_it_is_where_the_equations_end():
    system = rd.systems.Pathways(
        [3.0, 1.0, 0.5], (3, 5), 1.0, [[0.02, 0.01, -0.1], [0.01, 0.03, 0.1]], [1.0, 2.0, 0.5]
    )
    run = rd.simulate(system, [0.0, 200.0], rtol=1e-11)
    end = converged(system.singular_values, system.depths, system.q, system.p, system.variances)
    for name in ("strength", "q", "p"):
        np.testing.assert_allclose(
            getattr(end, name), run.observables[name][-1], rtol=1e-8, atol=1e-10
        )
    # sum K = S / d, and c is conserved.
    np.testing.assert_allclose(end.strength.sum(axis=0), [3.0, 0.5, 1.0], rtol=1e-14)
    np.testing.assert_allclose(end.q**2 - end.p**2, system.q**2 - system.p**2, atol=1e-13)


@pytest.mark.long
def test_signs_batches_and_company_do_not_matter():
    rng = np.random.default_rng(1)
    S, depths, q, p = (
        np.array([2.0, 0.7]),
        (4, 3, 2, 1),
        rng.uniform(0.5, 1, (5, 4, 2)),
        rng.standard_normal((5, 4, 2)),
    )
    together = converged(S, depths, q, p)
    for k in range(5):
        np.testing.assert_array_equal(
            converged(S, depths, q[k], p[k]).strength, together.strength[k]
        )
    signs = np.array([-1.0, 1.0, -1.0, 1.0])[
        :, None
    ]  # q < 0 with p of sign(q)^(D-1) times its own: the same K
    turned = converged(S, depths, signs * q, np.array([-1.0, 1.0, -1.0, 1.0])[:, None] * p)
    np.testing.assert_allclose(turned.strength, together.strength, rtol=1e-12)
    np.testing.assert_allclose(turned.q, signs * together.q, rtol=1e-12)
    mirrored = converged(-S, depths, q, -p)
    np.testing.assert_allclose(mirrored.strength, -together.strength, rtol=1e-12)
    mapped = jax.vmap(lambda q, p: converged(S, depths, q, p).strength)(q, p)
    np.testing.assert_allclose(mapped, together.strength, rtol=1e-13)


@pytest.mark.parametrize(
    "depths",
    [
        pytest.param((2, 2), marks=pytest.mark.slow),
        pytest.param((3, 5), marks=pytest.mark.long),
        pytest.param((8, 8, 1), marks=pytest.mark.long),
    ],
)
def test_derivatives_are_those_of_the_end(depths):
    rng = np.random.default_rng(2)
    given = (
        jnp.array([2.0]),
        jnp.array(rng.uniform(0.5, 1.2, (len(depths), 1))),
        jnp.array(0.3 * rng.standard_normal((len(depths), 1))),
        jnp.array([1.3]),
    )

    @jax.jit
    def measure(S, q, p, d):
        end = converged(S, depths, q, p, d)
        return jnp.sum(jnp.sin(3 * end.strength)) + end.q[0, 0]

    assert_derivatives(measure, given, rel=1e-7)


def test_endings():
    nan = np.nan
    S = [1.0, 1.0, 1.0, -1.0, 1.0, 0.0, 1.0, 0.2, 0.0, 1.0, 1.0]
    q = np.array(
        [[1, 0.5, 0, 1, nan, 0.5, 0, 1, 0.5, 0.5, 0.5], [1, 0.5, 0, 1, 1, 0.5, 1, 1, 0.5, 0.5, 0.5]]
    )
    p = np.array(
        [
            [0.1, -0.6, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1],
            [0.1, -0.6, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2],
        ]
    )
    found = converged(S, (4, 4), q, p, [*[1.0] * 9, 0.0, -1.0])
    learned, never, failed, symmetric = (
        Status.DONE,
        Status.UNLEARNED,
        Status.FAILED,
        Status.SYMMETRIC,
    )
    assert [Status(int(status)) for status in found.status] == [
        symmetric,
        never,
        never,
        learned,
        failed,
        learned,
        learned,
        symmetric,
        learned,
        failed,
        failed,
    ]
    K = np.asarray(found.strength)
    np.testing.assert_allclose(K[:, 0], 0.5, rtol=1e-14)
    assert np.isnan(K[:, [1, 2, 4]]).all()
    np.testing.assert_allclose(K[:, [3, 5]].sum(axis=0), [-1, 0], atol=1e-14)
    # q = 0 at D > 2 stays: the other pathway does it all. At its end from the start: nothing moves.
    np.testing.assert_allclose(K[:, 6], [0, 1], atol=1e-14)
    np.testing.assert_allclose(found.p[:, 7], 0.1, rtol=1e-14)
    # Opposite strengths, as S = 0 has them, are not equal; without a variance nothing comes to
    # rest.
    assert K[0, 8] == pytest.approx(-K[1, 8])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((1.0, (2.5,), 1.0, 0.1), r"one whole number of at least 1 per pathway, but one is 2\.5"),
        ((1.0, 3, 1.0, 0.1), "one whole number of at least 1 per pathway, but it is 3"),
        ((1.0, (), 1.0, 0.1), r"one whole number of at least 1 per pathway, but it is empty"),
        ((1.0, (3, 3), 1.0, [[0.1], [0.1], [0.2]]), "of 2 pathways and as many modes as S and d"),
        ((1.0, (3,), 1.0, [[0.1], [0.1], [0.2]]), "of 1 pathways and as many modes as S and d"),
        (([1.0, 2.0], (3,), 1.0, [[0.1, 0.2, 0.3]]), "of 1 pathways and as many modes as S and d"),
    ],
)
def test_bad_input(given, message):
    with pytest.raises(ValueError, match=message):
        converged(*given)


@pytest.mark.parametrize("depths", [(2, 2), pytest.param((5, 5), marks=pytest.mark.long)])
def test_float32_is_settled_at_its_own_rounding(depths):
    """Ends were given up that were known to float32's last digits."""
    rng = np.random.default_rng(0)
    S, p = np.tile([4.0, 1.0, 0.25], 40), 0.01 * rng.standard_normal((2, 120))
    with jax.enable_x64(False):
        single = converged(np.float32(S), depths, 1.0, np.float32(p))
    assert single.strength.dtype == np.float32
    assert (np.asarray(single.status) == Status.DONE).all()
    double = converged(S, depths, 1.0, p)
    np.testing.assert_allclose(single.strength, double.strength, rtol=0, atol=1e-4)


@pytest.mark.parametrize("q", [0.3, [0.3, 0.3]])
def test_a_row_of_paths_makes_no_modes(q):
    with pytest.raises(
        ValueError, match=r"One number per pathway is a column: \[\[0.1\], \[0.2\]\]"
    ):
        rd.exact.converged([1.0], (3, 3), q, [0.1, 0.2])
    # A row of as many as there are modes is one number per mode.
    assert rd.exact.converged([1.0, 2.0], (3, 3), 0.3, [0.1, 0.2]).strength.shape == (2, 2)
