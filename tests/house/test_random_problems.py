"""300 random valid problems against independent computations: NumPy loops, ODEs in logarithms,
DOP853 over the drive.

Scales over 16 decades, times up to 1e12 and beyond, d = 0, a start at t0 other than 0, mixed
depths, weight decay, gates."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import racedyn as rd
from racedyn import exact
from races import course_by_ode

POINTS = 6


def decades(rng, low, high, size=None):
    return 10.0 ** rng.uniform(low, high, size)


def two_layer_by_ode(drive, d, a0, ts):
    """a of either sign by y = ln |a|: y' = 2 side (s - d a), where nothing is small."""
    side = np.sign(a0)
    solved = solve_ivp(
        lambda t, y: 2 * (side * drive - d * np.exp(y)),
        (0, ts[-1]),
        [np.log(abs(a0))],
        "LSODA",
        t_eval=ts,
        rtol=1e-12,
        atol=1e-11,
    )
    return side * np.exp(solved.y[0])


@pytest.mark.slow
def test_two_layers_of_any_size_and_sign():
    """120: s and s/d over 16 decades, times to 1e12; starts from 1e-16 of the end to ten times it,
    of both signs.
    """
    rng, worst, latest = np.random.default_rng(0), 0.0, 0.0
    kinds = {"learned": 0, "unlearned": 0, "other side": 0, "d = 0": 0}
    for _ in range(120):
        s, end = decades(rng, -11, 5) * rng.choice([1, 1, 1, -1]), decades(rng, -8, 8)
        d = 0.0 if rng.random() < 0.1 else abs(s) / end
        a0 = end * decades(rng, -16, 1) * rng.choice([1, 1, -1])
        kinds[
            "d = 0" if d == 0 else "unlearned" if s < 0 else "other side" if a0 < 0 else "learned"
        ] += 1
        ts = np.linspace(0, rng.uniform(1, 30), POINTS)  # of 1/|s|
        latest = max(latest, ts[-1] / abs(s))
        wanted = end * two_layer_by_ode(np.sign(s), 1.0 if d else 0.0, a0 / end, ts)
        found = np.asarray(exact.two_layer_strength(s, d, a0, ts / abs(s)))
        worst = max(worst, np.abs(found / wanted - 1).max())
    print(f"two_layer: {kinds}, latest {latest:.1e} tau, off by {worst:.1e}")
    assert worst < 1e-8


@pytest.mark.slow
def test_chains_and_shallow_ones_of_any_size():
    """60: three layers of any signs against LSODA in logarithms; shallow modes against their
    formula by expm1 of NumPy.
    """
    rng, worst = np.random.default_rng(1), 0.0
    for _ in range(30):
        s, size = decades(rng, -8, 8), decades(rng, -2, 2)
        w = (
            size * decades(rng, -4, 0.3, 3) * rng.permuted([rng.choice([1, -1])] * 2 + [1])
        )  # their product is positive: no layer passes 0
        d, signs = s / size**3, np.sign(w)
        rate = s * size  # of ln w
        ts = np.linspace(0, rng.uniform(1, 1e3), POINTS)

        def field(t, y, signs=signs):
            layers = signs * np.exp(y)
            return (1 - layers.prod()) * layers.prod() / layers**2

        solved = solve_ivp(
            field, (0, ts[-1]), np.log(np.abs(w / size)), "LSODA", t_eval=ts, rtol=1e-12, atol=1e-12
        )
        wanted = size**3 * np.prod(signs[:, None] * np.exp(solved.y), axis=0)
        found = np.asarray(
            exact.chain([s], w[:, None], ts / rate, variances=[d]).observables["strength"]
        )[:, 0, 0]
        worst = max(worst, np.abs(found / wanted - 1).max())
    for _ in range(30):
        s, d, b0 = decades(rng, -8, 8, 3) * [
            rng.choice([1, -1]),
            rng.random() > 0.1,
            rng.choice([1, -1]),
        ]
        ts = decades(rng, -3, 12, POINTS)
        wanted = b0 * np.exp(-d * ts) + (-s / d * np.expm1(-d * ts) if d else s * ts)
        size = np.abs(b0) * np.exp(-d * ts) + np.abs(s) * np.minimum(ts, 1 / d if d else np.inf)
        worst = max(
            worst, (np.abs(np.asarray(exact.shallow_strength(s, d, b0, ts)) - wanted) / size).max()
        )
    print(f"chain, shallow: off by {worst:.1e}")
    assert worst < 1e-8


@pytest.mark.long
@pytest.mark.parametrize("depths", [(4, 2, 1), (3, 3)], ids=str)
def test_races(depths):
    """2 x 30 modes of rates over 16 decades, in closed form and by the solver, against DOP853 with
    the drive as the clock.

    The solver starts at t0 = -1 of each race's own unit: a system says the same whenever it starts.
    """
    rng = np.random.default_rng(len(depths))
    worst = {"exact": 0.0, "simulate": 0.0}
    for _ in range(30):
        q, p = (
            np.abs(rng.standard_normal((len(depths), 1))) + 0.1,
            0.1 * rng.standard_normal((len(depths), 1)),
        )
        S, rate = decades(rng, -1, 1), decades(rng, -10, 6)
        t, K, _ = course_by_ode(S, depths, q[:, 0], p[:, 0])
        at = np.unique(np.linspace(0, len(t) - 1, POINTS).astype(int))
        at = np.concatenate([at, np.full(POINTS - len(at), at[-1])])
        size = max(S, np.abs(K[0]).max())
        found = exact.trajectory(
            [rate * S], depths, q, p, t[at] / rate, variances=[rate]
        ).observables["strength"][..., 0]
        worst["exact"] = max(worst["exact"], np.abs(found - K[at]).max() / size)
        race = rd.systems.Pathways([rate * S], depths, q, p, [rate])
        run = rd.simulate(race, (t[at] - 1) / rate, t0=-1 / rate, rtol=1e-10, max_steps=100_000)
        worst["simulate"] = max(
            worst["simulate"], np.abs(run.observables["strength"][..., 0] - K[at]).max() / size
        )
    print(f"races of depths {depths}: off by {worst}")
    assert worst["exact"] < 1e-8 and worst["simulate"] < 1e-7


def numpy_descent(X, Y, gates, weights, lr, decay, steps):
    """Two pathways, gated by example: depths 2 and 1. Weights of all steps at once from the old
    ones.
    """
    w = {edge: np.array(array) for edge, array in weights.items()}
    losses = []
    for _ in range(steps + 1):
        h = w["a1"] @ X
        error = gates * (w["a2"] @ h) + w["b"] @ X - Y
        losses.append(0.5 * np.sum(error**2) / X.shape[1])
        if len(losses) > steps:
            break
        slopes = {
            "a1": w["a2"].T @ (gates * error) @ X.T,
            "a2": gates * error @ h.T,
            "b": error @ X.T,
        }
        w = {edge: w[edge] - lr * (slopes[edge] / X.shape[1] + decay * w[edge]) for edge in w}
    return np.array(losses), w


@pytest.mark.long
def test_training():
    """40: data and weights over 16 decades together, gates, weight decay; against a NumPy loop."""
    rng, worst, steps = np.random.default_rng(3), 0.0, 20
    for _ in range(40):
        unit, seen = decades(rng, -4, 4), decades(rng, -4, 4)
        X, Y = seen * rng.standard_normal((4, 6)), seen * unit**2 * rng.standard_normal((3, 6))
        context = rng.integers(0, 2, 6)
        context[:2] = 0, 1
        network = rd.Network(
            {"x": 4, "h": 5, "y": 3},
            {"a1": ("x", "h"), "a2": ("h", "y"), "b": ("x", "y")},
            node_gates={"h": [1.0, 0.0]},
            num_contexts=2,
        )
        sizes = {"a1": unit, "a2": unit, "b": unit**2}
        weights = {
            edge: 0.3 * sizes[edge] * rng.standard_normal(network.shape(edge))
            for edge in network.edges
        }
        lr = 0.02 / seen**2 / max(1.0, unit**2)
        decay = rng.choice([0.0, 0.1]) / lr / 10
        losses, w = numpy_descent(X, Y, 1.0 * (context == 0), weights, lr, decay, steps)
        run = rd.train(
            network,
            rd.Task({"x": X}, {"y": Y}, context=context),
            weights,
            lr=lr,
            steps=steps,
            weight_decay=float(decay),
            save_every=1,
            progress=False,
        )
        worst = max(worst, np.abs(run.observables["loss"] / losses - 1).max())
        for edge, array in run.end["weights"].items():
            worst = max(worst, np.abs(array - w[edge]).max() / np.abs(w[edge]).max())
    print(f"training: off by {worst:.1e}")
    assert worst < 1e-10


@pytest.mark.long
@pytest.mark.parametrize("level", ["matrix", "modes"])
def test_levels(level):
    """2 x 10 weights: "matrix" by "full" from any two-layer weights, "modes" by it from aligned
    ones.
    """
    rng = np.random.default_rng(len(level))
    rate = decades(
        rng, -8, 8
    )  # of the inputs' variance: targets follow, so that what is learned stays
    inputs = np.sqrt(rate) * np.eye(3)
    task = rd.tasks.from_arrays(
        inputs, inputs * np.array([[3.0], [2.0], [1.0]]) * rng.uniform(0.5, 1.5)
    )
    network = rd.networks.parallel(task, (2, 2), width=4)
    decay = float(rng.choice([0.0, 0.01]) * rate)

    def strengths(level_of_all):
        def reduced(member):
            size = 10.0 ** (-2 * int(member) / 9)
            law = rd.init.Aligned(0.5 * size) if level == "modes" else rd.init.Gaussian(0.5 * size)
            weights = network.init(law, key=int(member), task=task)
            return rd.reduce(network, task, weights, level=level_of_all, weight_decay=decay)

        ts = jnp.linspace(0, 10.0 / rate, POINTS)
        return np.asarray(rd.ensemble(reduced, 10, ts, rtol=1e-10).observables["strength"])

    one, other = strengths(level), strengths("full")
    worst = np.abs(one - other).max() / np.abs(other).max()
    print(f"level {level}, rate {rate:.1e}: off by {worst:.1e}")
    assert worst < 1e-7
