"""Closed forms of linear networks: each curve against an ODE, the levels of `reduce`, and descent
as lr goes to 0.
"""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import racedyn as rd
from racedyn.exact import shallow_strength, two_layer_strength, two_layer_time
from racedyn.exact.riccati import riccati

TS = np.linspace(0, 6, 13)
# s, d, a0: learned, from above, s = 0, unlearned, nothing there, no inputs; layers of opposite
# signs, at s of either sign.
CASES = [
    (1.5, 0.5, 1e-3),
    (1.0, 0.8, 2.0),
    (0.0, 0.7, 0.4),
    (-0.6, 0.9, 0.5),
    (1.2, 0.5, 0.0),
    (0.8, 0.0, 1e-3),
]
CASES += [(1.5, 0.5, -0.4), (-0.7, 0.9, -1e-3), (0.0, 0.7, -0.4)]


# --- one mode


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize(
    ("curve", "field"),
    [
        (two_layer_strength, lambda s, d, a: 2 * abs(a) * (s - d * a)),
        (shallow_strength, lambda s, d, a: s - d * a),
    ],
    ids=["deep", "shallow"],
)
def test_curve_solves_its_equation(curve, field, case):
    s, d, a0 = case
    solved = solve_ivp(
        lambda t, a: field(s, d, a), (0, TS[-1]), [a0], "DOP853", t_eval=TS, rtol=1e-12, atol=1e-15
    )
    found = curve(s, d, a0, TS)
    np.testing.assert_allclose(found, solved.y[0], rtol=1e-10, atol=1e-13)
    assert found[0] == a0


@pytest.mark.slow
def test_curves_are_those_of_simulate():
    """All modes at once, shallow and deep: the broadcast, and the package's own solver."""
    s, d, a0 = (np.array(column) for column in zip(*CASES, strict=True))
    system = rd.from_function(
        lambda t, y, args: {
            "deep": 2 * abs(y["deep"]) * (s - d * y["deep"]),
            "shallow": s - d * y["shallow"],
        },
        {"deep": a0, "shallow": a0},
    )
    run = rd.solve(system, TS, rtol=1e-11, atol=1e-14, observe=["states"])
    for name, curve in (("deep", two_layer_strength), ("shallow", shallow_strength)):
        found = curve(s, d, a0, TS)
        assert found.shape == (len(TS), len(CASES)) and found.dtype == np.float64
        np.testing.assert_allclose(found, run.ys[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("curve", [two_layer_strength, shallow_strength])
def test_late_times_are_the_end(curve):
    s, d, start = np.array([2.0, 0.5, 0.0, -1.0]), 0.5, np.array([1e-12, 5.0, 0.3, 0.3])
    end = {two_layer_strength: [4.0, 1.0, 0.0, 0.0], shallow_strength: [4.0, 1.0, 0.0, -2.0]}[curve]
    np.testing.assert_allclose(curve(s, d, start, np.array([1e9]))[0], end, rtol=1e-12, atol=1e-8)
    assert np.isfinite(curve(s, d, np.zeros(4), np.logspace(0, 300, 50))).all(), (
        "from nothing, ever after"
    )


@pytest.mark.parametrize("s", [1.1, 0.0, -0.7])
@pytest.mark.parametrize("a0", [0.2, 0.0])
@pytest.mark.parametrize("curve", [two_layer_strength, shallow_strength])
def test_derivatives(curve, a0, s):
    """Also where a formula has a 0 in its denominator: at s = 0 and a0 = 0."""

    def at(s, d, a0):
        return curve(s, d, a0, jnp.asarray([1.7]))[0]

    exact = jax.grad(at, (0, 1, 2))(s, 0.6, a0)
    step = 1e-5
    for i, slope in enumerate(exact):
        near, far = (
            [x + sign * step * (i == j) for j, x in enumerate((s, 0.6, a0))] for sign in (1, -1)
        )
        expected = (at(*near) - at(*far)) / (2 * step)
        if (
            curve is two_layer_strength and i == 2 and a0 == 0
        ):  # layers of equal and of opposite signs meet there: from above
            expected = at(s, 0.6, 1e-9) / 1e-9
        np.testing.assert_allclose(slope, expected, rtol=1e-7, atol=1e-9)


def test_time_is_the_inverse():
    s, d, a0 = np.array([0.3, 1.0, 2.5]), 0.4, np.array([1e-6, 1e-2, 0.1])
    for fraction in (0.1, 0.5, 0.999):
        times = two_layer_time(s, d, a0, fraction)
        np.testing.assert_allclose(
            np.diagonal(two_layer_strength(s, d, a0, times)), fraction * s / d, rtol=1e-9
        )
    assert two_layer_time(1.0, 0.4, 2.0, 0.5) < 0, "it starts beyond"
    assert two_layer_time(1.0, 0.4, 0.0) == np.inf
    assert two_layer_time(1.0, 0.4, -0.1) == np.inf, "it never passes 0"
    assert np.isclose(two_layer_time(-1.0, 0.4, -0.1), two_layer_time(1.0, 0.4, 0.1))


def test_without_variance_growth_leaves_the_range_of_numbers():
    np.testing.assert_array_equal(
        two_layer_strength(1.0, 0.0, [0.1, 0.0, -0.1], [400.0, np.inf]), [[np.inf, 0, 0]] * 2
    )


# --- any balanced weights


def problem(n_in, width, n_out, *, rank=None, weight_rank=None, seed=0, scale=0.4):
    """A task of one-hot inputs with Sigma_yx of this rank, and balanced weights (of theirs) in no
    basis of its own.
    """
    rng = np.random.default_rng(seed)
    rank = rank or min(n_in, n_out)
    Y = rng.standard_normal((n_out, rank)) @ rng.standard_normal((rank, n_in))
    task = rd.tasks.from_arrays(np.eye(n_in), Y)
    network = rd.networks.chain(task, depth=2, width=width)
    weights = {
        edge: np.asarray(w) for edge, w in network.init(rd.init.Balanced(scale), key=seed).items()
    }
    if weight_rank:
        left, values, right = np.linalg.svd(weights["w1"])
        kept = np.where(np.arange(len(values)) < weight_rank, values, 0)
        weights["w1"] = left[:, : len(values)] * kept @ right[: len(values)]
        weights["w2"] = weights["w2"] @ (left[:, :weight_rank] @ left[:, :weight_rank].T)
    return task, network, weights


def solution(task, weights, ts):
    P = task.num_examples
    return riccati(weights["w1"], weights["w2"], task.Y / P, ts, variance=1 / P)


def loss_of(task, maps):
    return 0.5 * np.mean(np.sum((task.Y - maps) ** 2, axis=1), axis=1)


PROBLEMS = {
    "more outputs": {"n_in": 4, "width": 5, "n_out": 7},
    "more inputs": {"n_in": 6, "width": 7, "n_out": 3},
    "narrow": {"n_in": 5, "width": 2, "n_out": 4},
    "wide": {"n_in": 3, "width": 40, "n_out": 4},
    "rank of the task": {"n_in": 5, "width": 6, "n_out": 6, "rank": 2},
    "rank of the weights": {"n_in": 5, "width": 6, "n_out": 5, "weight_rank": 2},
    "both": {"n_in": 6, "width": 9, "n_out": 4, "rank": 2, "weight_rank": 3},
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name == "both" else pytest.mark.long)
        for name in PROBLEMS
    ],
)
def test_riccati_is_the_level_matrix(name):
    task, network, weights = problem(**PROBLEMS[name])
    ts = np.linspace(0, 30, 16)
    exact = solution(task, weights, ts)
    flow = rd.simulate(rd.reduce(network, task, weights, level="matrix"), ts, rtol=1e-11)
    U, V = task.modes.U, task.modes.V
    np.testing.assert_allclose(
        np.einsum("ia,tij,ja->ta", U, exact.observables["map"], V),
        flow.observables["strength"][:, 0],
        atol=1e-8,
    )
    np.testing.assert_allclose(
        loss_of(task, exact.observables["map"]), flow.observables["loss"], atol=1e-8
    )
    assert flow.observables["loss"][-1] < 0.8 * flow.observables["loss"][0]


@pytest.mark.slow
def test_riccati_is_the_whole_flow():
    """The map and both Gram matrices, entry by entry, from the matrices of the level "full"."""
    task, network, weights = problem(**PROBLEMS["both"])
    ts = np.linspace(0, 30, 16)
    exact = solution(task, weights, ts)
    flow = rd.reduce(network, task, weights, level="full")
    run = rd.simulate(flow, ts, rtol=1e-11, observe=["states"])
    (b1, i1), (b2, i2) = flow.work.place["w1"], flow.work.place["w2"]
    W1, W2 = np.asarray(run.ys[b1])[:, i1], np.asarray(run.ys[b2])[:, i2]
    for found, wanted in (
        (exact.observables["map"], W2 @ W1),
        (exact.observables["inner"], W1.mT @ W1),
        (exact.observables["outer"], W2 @ W2.mT),
    ):
        np.testing.assert_allclose(found, wanted, atol=1e-8)


@pytest.mark.slow
def test_riccati_in_modes_is_the_sigmoid():
    task = rd.tasks.hierarchy(8)
    network = rd.networks.chain(task, depth=2, width=20)
    weights = network.init(rd.init.Balanced(0.01), task=task, key=0)
    ts = np.linspace(0, 200, 50)
    exact, modes = solution(task, weights, ts), task.modes
    a = two_layer_strength(modes.S, modes.variances, 0.01**2, ts)
    np.testing.assert_allclose(
        exact.observables["map"], np.einsum("ia,ta,ja->tij", modes.U, a, modes.V), atol=1e-10
    )
    np.testing.assert_allclose(
        exact.observables["inner"], np.einsum("ia,ta,ja->tij", modes.V, a, modes.V), atol=1e-10
    )
    np.testing.assert_allclose(
        exact.observables["outer"], np.einsum("ia,ta,ja->tij", modes.U, a, modes.U), atol=1e-10
    )


def one_shot(task, weights, t):
    """The formula as it is published, at one time: what the steps are for."""
    P, Q = task.num_examples, np.concatenate([weights["w1"].T, weights["w2"]])
    sigma = task.Y / P
    F = np.block([[np.zeros((P, P)), sigma.T], [sigma, np.zeros((len(sigma),) * 2)]])
    rates, E = np.linalg.eigh(F)
    with np.errstate(all="ignore"):
        grown = E * np.exp(rates * t) @ E.T @ Q
        phi = (
            E * np.where(np.abs(rates) < 1e-12, t, np.expm1(2 * rates * t) / (2 * rates)) @ E.T / P
        )
        try:
            return (grown @ np.linalg.inv(np.eye(Q.shape[1]) + Q.T @ phi @ Q) @ grown.T)[P:, :P]
        except np.linalg.LinAlgError:  # of infinities, in some releases
            return np.full(sigma.shape, np.nan)


@pytest.mark.slow
def test_times_at_which_the_formula_in_one_shot_fails():
    """The steps agree with it early; at 30 / s it has lost all digits, later it overflows, and what
    is learned is known.
    """
    task, _, weights = problem(4, 6, 5)
    s = task.modes.S[0]
    early, late, latest = 2 / s, 30 / s, 1e4
    early_map, late_map, latest_map = solution(task, weights, [early, late, latest]).observables[
        "map"
    ]
    np.testing.assert_allclose(early_map, one_shot(task, weights, early), atol=1e-10)
    assert not np.allclose(one_shot(task, weights, late), late_map, atol=1e-8)
    assert not np.isfinite(one_shot(task, weights, latest)).any()
    np.testing.assert_allclose(latest_map, task.Y, atol=1e-8)
    alone = solution(task, weights, [late]).observables["map"][0]
    np.testing.assert_allclose(
        alone, late_map, atol=1e-10, err_msg="save times before it must not matter"
    )


@pytest.mark.slow
def test_narrow_networks_learn_the_first_modes():
    """What rounding adds in the directions that a network of rank 2 lacks must not grow: e^(s t) is
    1e100 here.
    """
    for shape in ({"width": 2}, {"width": 8, "weight_rank": 2}):
        task, _, weights = problem(n_in=5, n_out=4, **shape)
        U, S, V = task.modes.U[:, :2], task.modes.S[:2], task.modes.V[:, :2]
        found = solution(task, weights, [230 / task.modes.S[2], 1e3]).observables["map"]
        np.testing.assert_allclose(found[-1], U * (S * task.num_examples) @ V.T, atol=1e-9)


def extrapolated(rows):
    """Romberg: rows at lr, lr/2, lr/4, ... of what has an expansion in powers of lr, to lr = 0."""
    order = 1
    while len(rows) > 1:
        rows = [(2**order * fine - coarse) / (2**order - 1) for coarse, fine in pairwise(rows)]
        order += 1
    return rows[0]


@pytest.mark.parametrize(
    ("s", "d", "a0"),
    [(1.0, 1e-200, 1e-200), (2.0, 0.1, 1e-307), (1.0, 1.0, 1e-307), (1.0, 1.0, 0.1)],
)
def test_two_layer_where_exponentials_leave_the_range_of_numbers(s, d, a0):
    ts = np.linspace(0, 1000 / s, 301)[1:]
    expected = np.exp(
        -np.logaddexp(
            -2 * s * ts - np.log(a0), np.log(d) - np.log(s) + np.log(-np.expm1(-2 * s * ts))
        )
    )
    np.testing.assert_allclose(rd.exact.two_layer_strength(s, d, a0, ts), expected, rtol=1e-12)


@pytest.mark.parametrize("strength", [1e-20, 1e-60, 1e-300])
@pytest.mark.parametrize("S", [(2.0, 1.0), (1.0, 2.0)])
def test_riccati_knows_a_mode_however_small_beside_another(S, strength):
    """It grows as e^(2St) from where it starts, and passes S/2 when that has grown to S."""
    ts = np.linspace(0, 700 + 60, 39)
    weights = np.diag([strength**0.5, 1.0])
    found = np.asarray(riccati(weights, weights, np.diag(S), ts).observables["map"])[
        :, [0, 1], [0, 1]
    ]
    start = np.array([strength, 1.0])
    sigmoid = S / (
        1
        + np.exp(np.log(S / start) - 2 * np.multiply.outer(ts, S))
        - np.exp(-2 * np.multiply.outer(ts, S))
    )
    np.testing.assert_allclose(found, sigmoid, rtol=1e-11)


def test_riccati_is_what_descent_tends_to():
    """Descent is Euler's method: its error halves with lr, and extrapolating it away leaves the
    closed form.
    """
    task, network, weights = problem(4, 5, 3)
    lr, steps, rows = 0.2, 100, 5
    runs = [
        rd.train(
            network,
            task,
            weights,
            lr=lr / 2**k,
            steps=steps * 2**k,
            save_every=steps * 2**k // rows,
            observe=["weights"],
            progress=False,
        )
        for k in range(7)
    ]
    exact = solution(task, weights, np.asarray(runs[0].ts))
    for name, product in (
        ("map", lambda W1, W2: W2 @ W1),
        ("inner", lambda W1, W2: W1.mT @ W1),
        ("outer", lambda W1, W2: W2 @ W2.mT),
    ):
        wanted = np.asarray(exact[name])
        found = [product(*(np.asarray(run.ys[edge]) for edge in ("w1", "w2"))) for run in runs]
        off = [np.abs(each - wanted).max() for each in found]
        print(
            f"{name}: off by",
            *(f"{each:.1e}" for each in off),
            f"-> {np.abs(extrapolated(found) - wanted).max():.1e}",
        )
        np.testing.assert_allclose(np.divide(off[-3:-1], off[-2:]), 2, rtol=0.01)
        np.testing.assert_allclose(extrapolated(found), wanted, atol=1e-8)
    losses = [np.asarray(run.observables["loss"]) for run in runs]
    np.testing.assert_allclose(
        extrapolated(losses), loss_of(task, np.asarray(exact.observables["map"])), atol=1e-8
    )
    assert losses[-1][-1] < 0.2 * losses[-1][0] and off[-1] > 1e-5


@pytest.mark.slow
def test_riccati_inside_jax():
    task, _, weights = problem(4, 9, 3)
    W1, W2, sigma = jnp.asarray(weights["w1"]), jnp.asarray(weights["w2"]), jnp.asarray(task.Y / 4)
    ts = jnp.asarray([0.0, 3.0, 3.0, 11.0])

    def last(size, turn, t):
        """From weights of another size, balanced whatever `turn`; at times `t`."""
        rotation = jnp.eye(4) + turn * jnp.asarray(np.diag(np.ones(3), 1) - np.diag(np.ones(3), -1))
        rotation = jnp.linalg.inv(rotation.T) @ rotation  # Cayley
        return (
            riccati(size * W1 @ rotation, size * W2, sigma, t, variance=0.25)
            .observables["map"][-1]
            .ravel()
        )

    point = (jnp.asarray(1.2), jnp.asarray(0.3), ts)
    np.testing.assert_allclose(jax.jit(last)(*point), last(*point), atol=1e-12)
    sizes = jnp.asarray([0.1, 1.2, 3.0])
    many = jax.vmap(last, in_axes=(0, None, None))(sizes, *point[1:])
    np.testing.assert_allclose(many, [last(size, *point[1:]) for size in sizes], atol=1e-12)
    shift = 1e-5
    for i in range(3):
        tangents = tuple(jnp.where((x > 0) & (i == j), 1.0, 0.0) for j, x in enumerate(point))
        _, slope = jax.jvp(last, point, tangents)
        up, down = (
            last(*(x + sign * shift * d for x, d in zip(point, tangents, strict=True)))
            for sign in (1, -1)
        )
        np.testing.assert_allclose(slope, (up - down) / (2 * shift), rtol=1e-6, atol=1e-8)
        assert np.abs(slope).max() > 1e-3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"w1": lambda W: 1.1 * W},
            r"balanced, W2\^T W2 - W1 W1\^T = lambda I, but .* off by 6\.\d\de-02 .*init\.Balanced",
        ),
        (
            {"w1": lambda W: W[:-1]},
            r"shapes \(n_hidden, n_in\), .*they have \(4, 4\), \(3, 5\) and \(3, 4\)",
        ),
        ({"w2": lambda W: W[0]}, r"`second` must be a matrix, but its shape is \(5,\)"),
        ({"sigma": lambda S: S.T}, r"they have \(5, 4\), \(3, 5\) and \(4, 3\)"),
        (
            {"ts": lambda ts: ts[::-1]},
            r"`ts` must rise from 0 or later, but ts\[1\] = 1 is below 2\. Sort them",
        ),
        (
            {"ts": lambda ts: ts - 0.5},
            r"`ts` must be of at least 0, where the start is, but its smallest is -0\.5",
        ),
        (
            {"ts": lambda ts: ts[None]},
            r"`ts` must be one time or a vector of times, but its shape is \(1, 3\)",
        ),
        ({"ts": lambda ts: ts * np.nan}, r"`ts` must be of at least 0.*nan"),
        ({"variance": lambda d: -d}, r"`variance` must be a positive number"),
    ],
)
def test_riccati_refuses(change, says):
    task, _, weights = problem(4, 5, 3)
    given = {**weights, "sigma": task.Y / 4, "ts": np.array([0.0, 1.0, 2.0]), "variance": 0.25}
    given |= {name: alter(given[name]) for name, alter in change.items()}
    with pytest.raises(ValueError, match=says):
        riccati(given["w1"], given["w2"], given["sigma"], given["ts"], variance=given["variance"])


def test_riccati_takes_weights_in_single_precision():
    task, _, weights = problem(4, 5, 3)
    single = {edge: np.asarray(w, np.float32) for edge, w in weights.items()}
    one, other = (solution(task, given, [5.0]).observables["map"] for given in (single, weights))
    np.testing.assert_allclose(one, other, atol=1e-5)
