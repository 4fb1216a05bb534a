"""Chains of any depth by quadrature: against DOP853, closed forms, the reduced flow of a network
and its descent.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss
from scipy.integrate import solve_ivp

import racedyn as rd
from derivatives import assert_derivatives
from racedyn import Status
from racedyn.exact import chain, chain_layers, shallow_strength, two_layer_strength


def strength(run):
    """K (time, mode)."""
    return run.observables["strength"][:, 0]


def layers_of(run):
    """w (time, layer, mode)."""
    return run.observables["edge_strength"]


def by_ode(S, w, d, ts):
    """Layers (time, layer) of one mode by DOP853."""
    without = ~np.eye(len(w), dtype=bool)

    def field(_, w):
        return (S - d * np.prod(w)) * np.prod(np.where(without, w, 1.0), axis=1)

    return solve_ivp(field, (0, ts[-1]), w, method="DOP853", t_eval=ts, rtol=1e-13, atol=1e-18).y.T


def starts(layers, rng):
    """S (mode,) and w (layer, mode): small, of many scales, of all signs, S against K, from above,
    ties, zeros, S = 0.
    """
    some = rng.uniform(0.3, 1.0, layers)
    scales = np.where(np.arange(layers) < 2, 1e-3 * (1 + np.arange(layers)), 0.8)
    signs = rng.choice([-1.0, 1.0], layers)
    tied = np.where(np.arange(layers) < 3, 0.4, 0.6)
    zero = np.where(np.arange(layers) == 1, 0.0, some)
    S = [2.0, 2.0, -1.5, -1.5, 0.3, 1.0, -1.0, 1.2, 0.0, 0.0, 1.0]
    return np.array(S), np.stack(
        [
            0.6 * some,
            scales,
            some,
            signs * some,
            1 + 0.3 * some,
            tied,
            tied,
            zero,
            some,
            tied,
            np.full(layers, 0.5),
        ],
        axis=1,
    )


@pytest.mark.parametrize(
    "layers",
    [
        1,
        4,
        pytest.param(9, marks=pytest.mark.slow),
        *(pytest.param(n, marks=pytest.mark.long) for n in (2, 3)),
    ],
)
def test_against_an_ode(layers):
    (S, w), d = starts(layers, np.random.default_rng(layers)), 1.3
    ts = np.concatenate([[0.0], np.geomspace(0.01, 60, 30)])
    found = chain(S, w, ts, variances=d)
    assert strength(found).shape == (31, 11) and layers_of(found).shape == (31, layers, 11)
    np.testing.assert_allclose(strength(found), np.prod(layers_of(found), axis=1), atol=1e-15)
    for mode in range(11):
        expected = by_ode(S[mode], w[:, mode], d, ts)
        off = np.abs(layers_of(found)[:, :, mode] - expected).max()
        print(f"\n{layers} layers, mode {mode}: {off:.1e}")
        assert off <= 1e-10


SLOW = [
    pytest.param(w, marks=pytest.mark.slow) for w in [(1e-8, 1e-4, 1e-2, 0.1, 0.5), (0.01,) * 9]
]


@pytest.mark.parametrize("w", [(1e-6, 2e-6, 3e-6), (-1e-6, 2e-6, 3e-6), *SLOW], ids=str)
def test_plateaus_of_any_length(w):
    """t(y) by a fine quadrature: the clock is right to a few roundings of the time that has passed,
    1e4 to 1e14.
    """
    S, d, w = 1.3, 0.7, np.array(w)
    y0, a = w[0], w[1:] ** 2 - w[0] ** 2
    x, weights = leggauss(20)

    def arrival(y):
        bend = np.sqrt(a[0]) if a[0] else 1.0
        z = np.linspace(*(np.arcsinh(v / bend) if a[0] else np.log(v) for v in (y0, y)), 801)
        half = np.diff(z)[:, None] / 2
        z = (z[:-1, None] + half * (1 + x)).astype(np.longdouble)
        y = bend * np.sinh(z) if a[0] else np.exp(z)
        others = np.sqrt(y**2 + a.reshape(-1, 1, 1))
        return float(
            np.sum(weights * half / ((S - d * y * others.prod(axis=0)) * others[1:].prod(axis=0)))
        )

    end = chain(S, w, [1e18, 1e200, np.inf], variances=d)
    np.testing.assert_allclose(strength(end)[:, 0], S / d, rtol=1e-14)
    late = [arrival(part * float(layers_of(end)[-1, 0, 0])) for part in (0.1, 0.5, 0.9)]
    found = [arrival(float(y)) for y in chain_layers(S, w, late, variances=d)[:, 0, 0]]
    assert late[0] > 9e3
    np.testing.assert_allclose(found, late, rtol=2e-14)


def test_the_cost_knows_no_times():
    """No loop but those of fixed length: what is computed does not depend on values."""
    program = str(
        jax.make_jaxpr(lambda S, w, ts: chain(S, w, ts))(jnp.ones(2), jnp.ones((4, 2)), jnp.ones(3))
    )
    assert "scan" in program and "while" not in program


def test_closed_forms():
    ts = np.array([*np.linspace(0, 20, 40), 1e6, np.inf])
    S, d, a0 = np.array([2.0, 0.5, 0.0]), np.array([1.0, 0.7, 0.5]), np.array([0.01, 1e-8, 0.2])
    deep = strength(chain(S, np.sqrt([a0, a0]), ts, variances=d))
    np.testing.assert_allclose(deep, two_layer_strength(S, d, a0, ts), rtol=1e-11, atol=1e-50)
    np.testing.assert_allclose(
        strength(chain(S, [a0], ts, variances=d)), shallow_strength(S, d, a0, ts), rtol=1e-14
    )
    # Four equal layers and nothing to learn, w' = -d w^7.
    ts = np.array([0.0, 1.0, 1e3, 1e9, 1e300, np.inf])
    found = chain(0.0, [0.5] * 4, ts, variances=1.3)
    np.testing.assert_allclose(
        layers_of(found)[:, 2, 0], (0.5**-6 + 6 * 1.3 * ts) ** (-1 / 6), rtol=1e-13
    )


def test_what_stays_and_what_does_not_matter():
    rng = np.random.default_rng(1)
    S, w, ts = np.array([1.0, -2.0, 0.7]), rng.uniform(-1, 1, (5, 3)), np.geomspace(0.1, 1e9, 20)
    found = chain(S, w, ts)
    apart = layers_of(found) ** 2 - layers_of(found)[:, :1] ** 2
    np.testing.assert_allclose(apart, np.broadcast_to(w**2 - w[:1] ** 2, apart.shape), atol=1e-13)
    np.testing.assert_allclose(strength(found)[-1], S, rtol=1e-13)
    signs = np.array([1, -1, -1, 1, -1.0])[:, None]
    turned = chain(-S, signs * w, ts)
    np.testing.assert_allclose(layers_of(turned), signs * layers_of(found), atol=1e-13)
    order = [3, 0, 4, 1, 2]
    np.testing.assert_allclose(
        chain_layers(S, w[order], ts), layers_of(found)[:, order], atol=1e-13
    )
    # w -> 2 w, S -> 32 S, d -> d is slower by 2^3 in the product of four and faster by 2^5 in r: t
    # -> t / 2^8.
    np.testing.assert_allclose(
        chain_layers(32 * S, 2 * w, ts / 2**8), 2 * layers_of(found), rtol=1e-9, atol=1e-12
    )


def test_how_modes_end():
    S = [1.0, 1.0, 0.0, -1.0, -1.0, 0.0, 1.0, 1.0]
    w = np.transpose(
        [
            [0.5, 0.3, 0.2],
            [0, 0, 0.5],
            [0, 0, 0.5],
            [0.2, 0.2, 0.5],
            [0.2, 0.3, 0.5],
            [0.2, 0.2, 0.5],
            [0, 0.2, -0.5],
            [0.2, -0.2, 0.5],
        ]
    )
    found = chain(S, w, [0.0, 3.0, np.inf])
    never, learned = Status.UNLEARNED, Status.DONE
    assert [Status(int(x)) for x in found.status] == [
        learned,
        never,
        learned,
        never,
        learned,
        learned,
        learned,
        never,
    ]
    np.testing.assert_allclose(layers_of(found)[0], w, atol=1e-15)
    np.testing.assert_array_equal(layers_of(found)[:, :, 1], np.broadcast_to(w[:, 1], (3, 3)))
    np.testing.assert_allclose(strength(found)[-1], [1, 0, 0, 0, -1, 0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(
        layers_of(found)[-1, :, 3], [0, 0, np.sqrt(0.5**2 - 0.2**2)], rtol=1e-14
    )
    # Three that tie, and K of the wrong sign: w' = -w^2 at last, on the way to a saddle that is
    # never left.
    found = chain(-1.0, [0.5] * 3, [1e50, 1e100, np.inf])
    np.testing.assert_allclose(layers_of(found)[:, 0, 0], [1e-50, 1e-100, 0], rtol=1e-13)
    # At its end from the start, and next to it.
    for off in (0.0, 1e-14):
        still = chain(0.5 * 0.4 * 0.2, [0.5, 0.4, 0.2 + off], [0.0, 5.0, np.inf])
        np.testing.assert_allclose(layers_of(still)[:, :, 0], [[0.5, 0.4, 0.2]] * 3, rtol=1e-12)
    failed = jax.jit(lambda S: chain(S, [0.3], jnp.ones(1)))(jnp.array([jnp.nan, 1.0]))
    assert [Status(int(x)) for x in failed.status] == [Status.FAILED, learned]
    assert np.isnan(strength(failed)[0, 0]) and np.isfinite(layers_of(failed)[..., 1]).all()


def aligned(task, strengths, width=7):
    """A chain of that width and its weights, w (layer, mode) in the task's modes."""
    network = rd.networks.chain(task, len(strengths), width)
    rng = np.random.default_rng(0)
    modes = task.modes
    frames = [
        modes.V,
        *(np.linalg.qr(rng.standard_normal((width, modes.S.size)))[0] for _ in strengths[1:]),
        modes.U,
    ]
    return network, {
        f"w{l}": (frames[l] * w) @ frames[l - 1].T for l, w in enumerate(strengths, start=1)
    }


TASK = rd.tasks.hierarchy(items=4)
UNEQUAL = np.array([[0.3, 0.5, 0.4, -0.3], [0.9, -0.6, 0.7, 0.5], [0.6, 0.2, 1.1, 0.6]])


@pytest.mark.slow
def test_a_network_is_its_chain():
    """Aligned weights of unequal layers and both signs, reduced."""
    network, weights = aligned(TASK, UNEQUAL)
    ts = np.linspace(0, 80, 17)
    found = chain(TASK.modes.S, UNEQUAL, ts, variances=TASK.modes.variances)
    run = rd.simulate(rd.reduce(network, TASK, weights, level="modes"), ts, rtol=1e-11)
    # The signs of single edges are those of the bases of hidden nodes, which are free.
    np.testing.assert_allclose(
        np.abs(run.observables["edge_strength"]), np.abs(layers_of(found)), atol=1e-9
    )
    np.testing.assert_allclose(run.observables["strength"][:, 0], strength(found), atol=1e-9)
    # Two modes start with the wrong sign.
    assert (np.sign(strength(found)[0]) == [1, -1, 1, -1]).all() and (strength(found)[-1] > 0).all()


@pytest.mark.slow
def test_descent_tends_to_the_chain_as_lr_falls():
    network, weights = aligned(TASK, UNEQUAL)
    lr, steps = 0.05, 1600
    ts = np.linspace(0, lr * steps, 17)
    found = strength(chain(TASK.modes.S, UNEQUAL, ts, variances=TASK.modes.variances))
    off = []
    for finer in (1, 2, 4):
        trained = rd.train(
            network,
            TASK,
            weights,
            lr=lr / finer,
            steps=steps * finer,
            save_every=steps // 16 * finer,
            progress=False,
        )
        off.append(np.asarray(trained.observables["strength"])[:, 0] - found)
    left = [
        np.abs(x).max()
        for x in (off[0], 2 * off[1] - off[0], (off[0] - 6 * off[1] + 8 * off[2]) / 3)
    ]
    print(f"descent at lr = {lr}, extrapolated to lr = 0 in one order, in two: {left}")
    assert left[0] < 0.02 and left[1] < 0.03 * left[0] and left[2] < 0.03 * left[1]


@pytest.mark.slow
def test_derivatives():
    """Through zero, with a tie, to an end of 0, from 0, at the end, and along a saddle, where those
    of the end are infinite.
    """
    S = jnp.array([1.0, 1.2, 0.0, 0.6, 0.5, -0.2])
    w = jnp.array(
        [
            [0.3, 0.4, -0.7],
            [0.5, 0.5, 0.7],
            [0.5, 0.6, 0.9],
            [0, 0.4, 0.5],
            [1, 1, 0.5],
            [0.5, 0.5, 0.5],
        ]
    ).T
    ts = jnp.array([0.0, 0.5, 3.0, jnp.inf])
    counts = jnp.ones((4, 1, 6)).at[-1, 0, -1].set(0.0)

    @jax.jit
    def measure(S, w, d):
        return jnp.sum(counts * jnp.sin(chain_layers(S, w, ts, variances=d) + 0.3))

    assert_derivatives(measure, (S, w, jnp.array([1.3, 1.3, 1.3, 1.3, 1.0, 1.3])), rel=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"layers": np.zeros((0, 2))},
            r"`layers` must be \(layer, mode\).*at least one layer and mode.*\(0, 2\)",
        ),
        ({"layers": 0.3}, r"`layers` must be \(layer, mode\)"),
        ({"layers": np.ones((2, 3))}, "as many modes"),
        (
            {"layers": [[0.1, np.nan]]},
            r"`layers` must be finite, but 1 of its values are not, .*at \(0, 1\)",
        ),
        ({"singular_values": [1.0, np.inf]}, "`singular_values` must be finite"),
        ({"singular_values": np.ones((2, 2))}, "as many modes"),
        ({"variances": [1.0, 0.0]}, "`variances` must be positive, but the smallest is 0"),
        ({"variances": [1.0, np.nan]}, "`variances` must be finite"),
        (
            {"ts": [0.0, -1.0]},
            "`ts` must be of at least 0, where the start is, but its smallest is -1",
        ),
        ({"ts": [0.0, np.nan]}, "`ts` must be of at least 0.*nan"),
        ({"ts": [[0.0]]}, r"`ts` must be one time or a vector of times, but its shape is \(1, 1\)"),
    ],
    ids=str,
)
def test_bad_input(given, message):
    fine = {
        "singular_values": [1.0, 2.0],
        "layers": [[0.1, 0.2], [0.2, 0.3]],
        "variances": 1.0,
        "ts": [0.0, 1.0],
    }
    with pytest.raises(ValueError, match=message):
        chain(**fine | given)
