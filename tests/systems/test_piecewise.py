"""Systems that follow each other: tasks that change at given times."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import racedyn as rd

START = np.array([0.3, 0.3, 0.01, 0.02])  # q, p of two pathways


def race(S, start=START):
    return rd.systems.Pathways(
        [S], (3, 3), jnp.asarray(start[:2])[:, None], jnp.asarray(start[2:])[:, None]
    )


def by_scipy(values, switches, ts):
    """Strengths (time, path) of the races with these S, one after the other."""

    def field(t, y, S):
        q, p = y[:2], y[2:]
        r = S - np.sum(p * q**2)
        return np.concatenate([q * p * r, q**2 * r])

    y, rows, edges = START, [], [0.0, *switches, ts[-1]]
    for S, start, stop in zip(values, edges[:-1], edges[1:], strict=True):
        own = [t for t in ts if start < t <= stop or t == start == 0]
        asked = own if own and own[-1] == stop else [*own, stop]
        solved = solve_ivp(
            field, (start, stop), y, "LSODA", asked, args=(S,), rtol=1e-12, atol=1e-15
        )
        rows.append(solved.y[:, : len(own)])
        y = solved.y[:, -1]
    states = np.concatenate(rows, axis=1)
    return (states[2:] * states[:2] ** 2).T


@pytest.mark.long
def test_learning_unlearning_and_learning_again():
    ts = np.linspace(0, 30, 121)
    system = rd.systems.Piecewise(
        [race(2.0), race(-2.0), race(2.0)], [5.0, 20.0], names=["A", "reversed", "A again"]
    )
    run = rd.simulate(system, ts)
    expected = by_scipy([2, -2, 2], [5.0, 20.0], ts)
    np.testing.assert_allclose(run.observables["strength"][:, :, 0], expected, atol=1e-7)
    at = np.flatnonzero(ts == 5.0)[0]
    residual = np.where(np.arange(at - 1, at + 2) <= at, 2, -2) - expected[at - 1 : at + 2].sum(
        axis=1
    )
    loss = run.observables["loss"][at - 1 : at + 2]
    np.testing.assert_allclose(
        loss,
        residual**2 / 2,
        rtol=1e-6,
        atol=1e-8,
        err_msg="a row at a switch is the last before it",
    )
    assert [(s["time"], s["task"]) for s in run.provenance.settings["switches"]] == [
        (5.0, "reversed"),
        (20.0, "A again"),
    ]
    pure = rd.solve(system, ts)
    np.testing.assert_array_equal(pure.observables["strength"], run.observables["strength"])


@pytest.mark.slow
def test_times_before_between_and_after_all_switches():
    system = rd.systems.Piecewise([race(2.0), race(-2.0)], [5.0])
    ts = np.array([3.0, 4.0])
    np.testing.assert_allclose(
        rd.simulate(system, ts).observables["strength"][:, :, 0], by_scipy([2], [], ts), atol=1e-7
    )
    later = rd.simulate(system, np.array([7.0, 9.0]), t0=6.0)
    np.testing.assert_allclose(
        later.observables["strength"][:, :, 0], by_scipy([-2], [], [1.0, 3.0]), atol=1e-7
    )


@pytest.mark.long
def test_members_and_derivatives():
    ts = np.linspace(0, 8, 5)

    def build(shift):
        first = race(2.0).at(
            (jnp.asarray(START[:2])[:, None], (jnp.asarray(START[2:]) + shift)[:, None])
        )
        return rd.systems.Piecewise([first, race(-2.0)], [5.0])

    @jax.jit
    def alone(shift):
        return rd.solve(build(shift), ts, rtol=1e-11).observables["strength"]

    def final(shift):
        return alone(shift)[-1, 0, 0]

    shifts = np.array([0.0, 0.01])
    many = rd.ensemble(build, shifts, ts, rtol=1e-11)
    for member, shift in enumerate(shifts):
        np.testing.assert_allclose(many.observables["strength"][member], alone(shift), atol=1e-9)
    by_difference = (final(1e-5) - final(-1e-5)) / 2e-5
    assert float(jax.grad(final)(0.0)) == pytest.approx(float(by_difference), rel=1e-5)


@pytest.mark.long
def test_descent_on_one_task_after_the_other_tends_to_the_flow():
    """First order in the step, through the switch; strengths of both in the modes of the first."""
    first = rd.tasks.hierarchy(items=4)
    second = rd.Task(first.inputs, {"output": -first.targets["output"]})
    network = rd.networks.parallel(first, depths=(2, 2), width=6)
    weights = network.init(rd.init.Gaussian(std=0.1), key=0)
    flows = [
        rd.reduce(network, first, weights, level="full"),
        rd.reduce(network, second, weights, level="full", modes=first),
    ]
    run = rd.simulate(rd.systems.Piecewise(flows, [40.0]), np.array([40.0, 80.0]))
    X, targets, paths, modes = (
        first.inputs["input"],
        (first.targets["output"], second.targets["output"]),
        network.paths(),
        first.modes,
    )
    errors = []
    for lr in (0.04, 0.02):
        W = {edge: np.asarray(matrix) for edge, matrix in weights.items()}
        for Y in targets:
            for _ in range(round(40 / lr)):
                error = (Y - sum(W[b] @ W[a] for a, b in paths) @ X) / X.shape[1]
                step = {a: W[b].T @ error @ X.T for a, b in paths} | {
                    b: error @ X.T @ W[a].T for a, b in paths
                }
                W = {edge: W[edge] + lr * step[edge] for edge in W}
        K = np.stack([np.diagonal(modes.U.T @ W[b] @ W[a] @ modes.V) for a, b in paths])
        errors.append(np.abs(K - run.observables["strength"][-1]).max())
    assert errors[1] < 0.02 and errors[0] / errors[1] == pytest.approx(2, rel=0.1)


def test_one_task_in_the_modes_of_another():
    first = rd.tasks.hierarchy(items=4)
    (x,), (y,) = first.inputs, first.targets
    second = rd.Task({x: first.inputs[x]}, {y: -first.targets[y]})
    network = rd.networks.parallel(first, depths=(2, 2), width=6)
    weights = network.init(rd.init.Gaussian(std=0.1), key=0)
    later = rd.reduce(network, second, weights, modes=first)
    np.testing.assert_allclose(later.singular_values, -first.modes.S)
    np.testing.assert_array_equal(later.modes.U, first.modes.U)
    assert later.validity["targets_off_diagonal"] < 1e-14
    assert np.isclose(later.modes.floor, first.modes.floor)
    rng = np.random.default_rng(0)
    other = rd.Task({x: first.inputs[x]}, {y: rng.normal(size=first.targets[y].shape)})
    assert rd.reduce(network, other, weights, modes=first).validity["targets_off_diagonal"] > 0.5
    with pytest.raises(ValueError, match="`modes` must be left out at level"):
        rd.reduce(network, second, weights, level="matrix", modes=first)
    with pytest.raises(ValueError, match="must be read in the same modes"):
        rd.systems.Piecewise(
            [rd.reduce(network, first, weights), rd.reduce(network, second, weights)], [1.0]
        )


@pytest.mark.parametrize(
    ("systems", "switches", "message"),
    [
        ([race(1.0)], [], "one time fewer"),
        ([race(1.0), race(2.0)], [1.0, 2.0], "one time fewer"),
        ([race(1.0), race(2.0), race(1.0)], [2.0, 1.0], "be finite and rise"),
        ([race(1.0), race(2.0)], [np.nan], "be finite and rise"),
        ([race(1.0), 3], [1.0], "be systems"),
        (
            [race(1.0), rd.systems.Pathways([1.0, 2.0], (3, 3), 1.0, 0.1)],
            [1.0],
            "states of one kind",
        ),
    ],
)
def test_refusals(systems, switches, message):
    with pytest.raises((ValueError, TypeError), match=message):
        rd.systems.Piecewise(systems, switches)


def test_it_takes_the_switches_of_a_run_and_says_what_it_is():
    recorded = [{"time": 5.0, "step": 10, "task": "B"}]
    system = rd.systems.Piecewise([race(1.0), race(2.0)], recorded, names=["A", "B"])
    assert system.switches[0]["time"] == 5.0 and "A, then B from t = 5" in repr(system)


@pytest.mark.parametrize("switches", ["5", b"5"])
def test_text_is_no_list_of_times(switches):
    race = rd.systems.Pathways([1.0], (2, 2), q=0.1, p=[[0.1], [0.05]])
    with pytest.raises((TypeError, ValueError), match="`switches` must"):
        rd.systems.Piecewise([race, race], switches=switches)
