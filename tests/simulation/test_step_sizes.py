"""Relative accuracy of parts of very different size, what can't be promised, and times that no step
may run over.
"""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn.simulation.step_sizes import RelativeSteps
from racedyn.systems import from_function

SMALL = np.array([1e-8, 1e-12, 1e-20, 1e-200])


def logistic(s0, t):
    """s' = 2 s (1 - s)."""
    grown = s0 * np.exp(2 * t)
    return grown / (1 - s0 + grown)


@pytest.mark.slow
def test_small_parts_that_grow_are_as_well_known_as_large_ones():
    start = {
        "c": jnp.array(1.0),
        "s": jnp.asarray(SMALL),
        "both": jnp.array([1.0, 1e-8]),
        "zero": jnp.array([1.0, 0.0]),
    }

    def field(t, y, args):
        both = jnp.stack([0 * y["both"][0], 2 * y["both"][1] * (1 - y["both"][1])])
        zero = jnp.stack([0 * y["zero"][0], 1e-12 + 2 * y["zero"][1]])
        return {"c": 0 * y["c"], "s": 2 * y["s"] * (1 - y["s"]), "both": both, "zero": zero}

    run = rd.simulate(from_function(field, start), np.linspace(0, 5, 6))
    end = {name: np.asarray(values[-1]) for name, values in run.observables.items()}
    np.testing.assert_allclose(end["s"], logistic(SMALL, 5), rtol=1e-8)
    np.testing.assert_allclose(end["both"], [1, logistic(1e-8, 5)], rtol=1e-8)
    np.testing.assert_allclose(end["zero"], [1, 1e-12 * np.expm1(10) / 2], rtol=1e-8)
    assert run.stats["accuracy"] == pytest.approx(1e-8) and "accuracy     1e-08" in str(run)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["full", "modes"])
def test_layers_of_different_size(level):
    """Every layer is proportional to the identity, so that each mode is a chain of three
    numbers.
    """
    task = rd.tasks.from_arrays(np.eye(2), np.diag([4.0, 2.0]))
    network = rd.networks.chain(task, depth=3, width=2)
    start = np.array([30, 1e-8, 2e-8])
    weights = {edge: size * np.eye(2) for edge, size in zip(network.edges, start, strict=True)}
    ts = np.linspace(0, 0.6, 301)
    run = rd.simulate(rd.reduce(network, task, weights, level=level), ts)

    S, d = task.modes.S, task.modes.variances
    exact = rd.exact.chain(S, start, ts, variances=d).observables["strength"][:, 0]
    assert np.all(np.abs(run.observables["strength"][:, 0] - exact).max(axis=0) < 2e-8 * S / d)


@pytest.mark.slow
def test_what_decays_is_known_relative_to_what_is_left():
    """A pathway of depth 1 forgets, S = 0, to 1e-43; beside it nothing, so that the end is no sum
    with what stays.
    """
    ts = np.linspace(0, 100, 21)
    race = rd.systems.Pathways([0.0], depths=(1,), q=1.0, p=[[1.0]])
    run = rd.simulate(race, ts, method="ode")  # its own solution is known to 1e-8 of the start
    np.testing.assert_allclose(run.observables["strength"][:, 0, 0], np.exp(-ts), rtol=1e-6)


SOLVERS = [
    pytest.param(dfx.Tsit5(), 1e-7),
    pytest.param(dfx.Dopri8(), 1e-7, marks=pytest.mark.slow),
    pytest.param(dfx.Kvaerno5(), 1e-7, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("solver, accuracy", SOLVERS)
def test_stiff_parts_are_known_however_small_beside_others(solver, accuracy):
    """A thousand times faster than they move, one follows a part that grows, another a drive from
    0; beside them stands a 1.
    """
    k, small, ts = 1e3, jnp.array([1e-12, 1e-14, 1e-16, 1e-200]), np.linspace(1, 20, 20)

    def field(t, y, args):
        slow = 0.1 * y["slow"]
        return {
            "follows": k * (y["slow"] - y["follows"]),
            "slow": slow,
            "driven": k * (small * jnp.cos(t) - y["driven"]),
            "one": 0 * y["one"],
        }

    start = {"follows": small, "slow": small, "driven": 0 * small, "one": jnp.array(1.0)}
    run = rd.simulate(from_function(field, start), ts, solver=solver, retry=solver)
    grown = k / (k + 0.1) * np.exp(0.1 * ts)
    driven = (k**2 * np.cos(ts) + k * np.sin(ts)) / (k**2 + 1)
    np.testing.assert_allclose(
        run.observables["follows"] / small, np.outer(grown, np.ones(4)), rtol=accuracy
    )
    np.testing.assert_allclose(
        run.observables["driven"] / small, np.outer(driven, np.ones(4)), atol=accuracy
    )


def test_what_decays_keeps_its_sign():
    """A fast part is gone to 1e-300 before another, small at first, has grown: it is not left as
    rounding of that one.
    """

    def field(t, y, args):
        return jnp.stack([-50 * y[0], y[1] * (1 - y[1])])

    y = np.asarray(
        rd.simulate(from_function(field, [1.0, 1e-12]), np.linspace(0, 60, 61)).observables["y"]
    )
    assert np.all(y[:15, 0] > 0) and np.all(np.abs(y[15:, 0]) < 1e-300)
    np.testing.assert_allclose(
        y[:, 1], 1 / (1 + (1e12 - 1) * np.exp(-np.linspace(0, 60, 61))), rtol=1e-6
    )


@pytest.mark.parametrize(
    "solver, size",
    [
        (dfx.Tsit5(), 3),
        pytest.param(dfx.Dopri8(), 8, marks=pytest.mark.slow),
        pytest.param(dfx.Kvaerno5(), 3, marks=pytest.mark.slow),
        *(
            pytest.param(solver, 8, marks=pytest.mark.long)
            for solver in (dfx.Tsit5(), dfx.Kvaerno5())
        ),
    ],
)
def test_rounding_is_not_resolved(solver, size):
    """Weights in the modes' coordinates, in one vector: off their diagonals, of size 1, only
    rounding moves them.

    What stands there is 1e-15, and none of its digits can be known, so that no step would be short
    enough."""
    U, V, R = (
        jnp.asarray(np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0])
        for seed in range(3)
    )
    S = jnp.diag(jnp.linspace(3.0, 1.0, size))

    def field(t, y, args):
        first, second = y.reshape(2, size, size)
        first, second = R @ first @ V.T, U @ second @ R.T
        error = U @ S @ V.T - second @ first
        return jnp.concatenate(
            [(R.T @ second.T @ error @ V).ravel(), (U.T @ error @ first.T @ R).ravel()]
        )

    system = from_function(field, 0.01 * np.tile(np.eye(size).ravel(), 2))
    run = rd.simulate(system, [0.0, 1000.0], solver=solver, retry=solver, max_steps=10_000)
    first, second = np.asarray(run.observables["y"][-1]).reshape(2, size, size)
    np.testing.assert_allclose(second @ first, S, atol=1e-8)


@pytest.mark.long
def test_what_is_known_to_few_digits_moves_on():
    """A wide network that was drawn narrow: rows of its first matrix begin as rounding and move by
    sums that cancel, which are known to fewer digits than the tolerance asks for, in steps of any
    length."""
    task = rd.tasks.from_arrays(np.sqrt(2) * np.eye(2), np.sqrt(2) * np.diag([1.0, 0.5]))
    network = rd.networks.parallel(task, depths=(5, 5), width=10**5)
    ts = np.array([0.0, 40.0, 200.0])
    law = rd.init.Gaussian(std=np.sqrt(0.05 / 10**5))
    narrow = rd.compress(network, task, law, key=0, ts=ts)
    run = rd.simulate(rd.reduce(narrow.problem, level="full"), ts)
    assert run.stats["num_steps"] < 2000 and run["loss"][-1] < 1e-12
    known = narrow.run["strength"]
    np.testing.assert_allclose(run["strength"][-1], known[-1], rtol=1e-3)


@pytest.mark.slow
def test_rounding_of_one_lane_is_none_of_another():
    """Where a lane asks what rounding does, the field is sampled for its neighbours too; each keeps
    only what it asked for.
    """
    system = from_function(lambda t, y, args: y - 0.3 * y, jnp.ones(2))
    steps = RelativeSteps(jnp.array(1e-8), None, system, jnp.ones(2))
    start, errors = (
        jnp.ones((2, 2)),
        jnp.array([[1e-3, 0.0], [1e-12, 0.0]]),
    )  # the first is rejected, the second not

    def known(start, error):
        _, state = steps.init(None, 0.0, 1.0, start, jnp.array(0.1), None, None, 5)
        *_, (_, rounding, _), _ = steps.adapt_step_size(
            jnp.array(0.0), jnp.array(0.1), start, start, None, error, 5, state
        )
        return rounding.change

    together = np.asarray(jax.vmap(known)(start, errors))
    alone = np.stack([known(*lane) for lane in zip(start, errors, strict=True)])
    np.testing.assert_array_equal(together, alone)
    assert together[0].any() and not together[1].any()


@pytest.mark.long
def test_pathways_that_start_against_what_they_learn():
    """They fall to q^2 = c first: what has shrunk and grows again must not be known to the size
    that it once had.
    """
    apart = np.array([1e-1, 1e-2, 1e-4, 1e-6])
    race = rd.systems.Pathways(
        np.ones(4), (3, 3), [[0.1] * 4, [0.05] * 4], [-0.1 * (1 - apart), -0.05 * (1 - 3 * apart)]
    )
    ts = np.concatenate([[0], np.logspace(-1, 8, 40)])
    solved, exact = (
        rd.simulate(race, ts, method=method).observables["strength"] for method in ("ode", "exact")
    )
    np.testing.assert_allclose(solved, exact, atol=3e-8)


@pytest.mark.slow
def test_what_cannot_be_promised_is_said():
    """A plateau of 1e15 times its end's time: a start known to rounding leaves no digit."""
    race = rd.systems.Pathways([1.0], (9, 9), 0.01, [[0.01], [0.0099]])
    assert float(np.max(race.amplification())) > 1e13
    run = rd.simulate(race, [0.0, 1.0], method="ode")
    assert np.max(run.stats["accuracy"]) > 0.1
    mixed = {"a1": np.diag([1e-2, 1e-8]) @ [[0.6, 0.8], [-0.8, 0.6]], "a2": 1e-2 * np.eye(2)}
    task = rd.tasks.from_arrays(np.eye(2), [[1.2, 1.6], [-0.8, 0.6]])
    network = rd.Network(
        {"input": 2, "h": 2, "output": 2}, {"a1": ("input", "h"), "a2": ("h", "output")}
    )
    flow = rd.reduce(network, task, mixed, level="full")
    assert 1 <= float(flow.mixing()) < 2, "rows of different size are known each to its own"
    turned = np.array([[0.6, -0.8], [0.8, 0.6]])
    flow = rd.reduce(
        network, task, {"a1": turned @ mixed["a1"], "a2": mixed["a2"] @ turned.T}, level="full"
    )
    assert float(flow.mixing()) > 1e5, (
        "the same weights, turned: the weak mode is spread over the rows of the strong one"
    )


@pytest.mark.parametrize("rtol", [0.1, 1, 100, np.inf, np.nan, -1e-8, "1e-8", True, 1e-30])
def test_tolerances_that_mean_nothing(rtol):
    race = rd.systems.Pathways([1.0], (2,), 0.1, 0.1)
    with pytest.raises(ValueError, match="Argument `rtol` must be"):
        rd.simulate(race, [0.0, 1.0], rtol=rtol)
    with pytest.raises(ValueError, match="Argument `rtol` must be"):
        rd.solve(race, jnp.array([0.0, 1.0]), rtol=rtol)
    with pytest.raises(ValueError, match="Argument `rtol` must be"):
        rd.ensemble(race, {"q": np.full((2, 1, 1), 0.1)}, [0.0, 1.0], rtol=rtol)


@pytest.mark.slow
def test_the_end_of_the_flow_that_is_integrated():
    """Where the data are fitted, weight decay goes on: K = (S - decay) / d at depth 2."""
    race = rd.systems.Pathways([1, 2], (2,), [[1, 2**0.5]], [[1, 2**0.5]], weight_decay=0.1)
    run = rd.simulate(race, [0.0, 100.0])
    np.testing.assert_allclose(run.observables["strength"][-1, 0], [0.9, 1.9], rtol=1e-7)
    task = rd.tasks.from_arrays(np.eye(2), np.diag([2.0, 1.0]))
    network = rd.networks.chain(task, depth=2, width=2)
    fitted = {edge: np.diag([2**0.5, 1]) for edge in network.edges}
    flow = rd.reduce(network, task, fitted, level="modes", weight_decay=0.1)
    end = rd.simulate(flow, [0.0, 200.0]).observables["strength"][-1, 0]
    np.testing.assert_allclose(end, (task.modes.S - 0.1) / task.modes.variances, rtol=1e-7)


@pytest.mark.slow
def test_an_earlier_stage_goes_on_where_the_whole_is_fitted():
    """The first stage alone descends |y - W_a x|^2, whatever the second adds."""
    task = rd.tasks.from_arrays(np.eye(2), np.diag([2.0, 1.0]))
    network = rd.networks.parallel(task, depths=(1, 1), width=1)
    first, second = network.edges
    weights = {first: 0.5 * np.diag([2.0, 1.0]), second: 0.5 * np.diag([2.0, 1.0])}
    flow = rd.reduce(network, task, weights, level="full", stages=[[first], [second]])
    end = rd.simulate(flow, [0.0, 100.0]).observables["strength"][-1]
    np.testing.assert_allclose(end, [[2, 1], [0, 0]], atol=1e-6)


@pytest.mark.slow
def test_a_weak_mode_beside_a_strong_one_is_not_settled():
    """The loss that it leaves is 1e-20 of the whole."""
    task = rd.tasks.from_arrays(np.eye(2), np.diag([2.0, 2e-10]))
    network = rd.networks.chain(task, depth=1, width=1)
    flow = rd.reduce(
        network, task, {edge: np.zeros((2, 2)) for edge in network.edges}, level="full"
    )
    run = rd.simulate(flow, [0.0, 40.0])
    np.testing.assert_allclose(run.observables["strength"][-1, 0], [2.0, 2e-10], rtol=1e-7)


@pytest.mark.slow
def test_pulses_and_switches():
    """A pulse of a thousandth at t = 5 is found by no step; its times, given or known to the
    system, are stopped at.
    """

    class Driven(rd.AbstractSystem):
        def y0(self):
            return jnp.zeros(2)

        def vector_field(self, t, y, args):
            return jnp.stack(
                [jnp.where((t > 5) & (t < 5.001), 1e3, 0.0), jnp.where(t < 3.3, 1.0, -2.0)]
            )

        def jumps(self):
            return jnp.array([3.3])

    end = rd.simulate(Driven(), [0.0, 10.0], jumps=[5.0, 5.001]).observables["y"][-1]
    np.testing.assert_allclose(end, [1.0, 3.3 - 2 * 6.7], rtol=1e-9)


@pytest.mark.slow
def test_crossings_are_recorded_without_stopping():
    swing = from_function(lambda t, y, args: jnp.stack([y[1], -y[0]]), [1.0, 0.0])
    run = rd.simulate(
        swing,
        [0.0, 20.0],
        crossings={"zero": lambda _, t, y: y[0], "never": lambda _, t, y: y[0] - 3},
    )
    assert run.status == rd.Status.DONE and float(run.stats["t_end"]) == 20
    assert float(run.stats["crossing_zero"]) == pytest.approx(np.pi / 2, rel=1e-8)
    assert int(run.stats["num_crossings_zero"]) == 6 and int(run.stats["num_crossings_never"]) == 0
    assert np.isnan(run.stats["crossing_never"])


@pytest.mark.long
def test_crossings_of_lanes_and_members():
    """Each by its own S; against times that lie close, without a solver. One member by itself is
    the same number.
    """
    start = 0.02 * np.random.default_rng(0).normal(size=(3, 2, 2))
    race = rd.systems.Pathways([3.0, 1.0], depths=(3, 5), q=1.0, p=start[0])
    crossings = {
        "half": 0.5,
        "first": lambda system, t, y: system.strength(y)[0] - 0.1 * system.singular_values,
    }
    many = rd.ensemble(race, {"p": start}, np.linspace(0, 10, 3), crossings=crossings)
    ts = np.linspace(0, 2, 20001)
    for member in range(3):
        K = rd.simulate(
            rd.systems.Pathways([3.0, 1.0], (3, 5), 1.0, start[member]), ts, method="exact"
        ).observables["strength"]
        for mode, S in enumerate((3.0, 1.0)):
            learned = np.asarray(K[:, :, mode]).sum(axis=1)
            assert many.stats["crossing_half"][member, mode] == pytest.approx(
                np.interp(S / 2, learned, ts), abs=1e-7
            )
            passed = np.asarray(K[:, 0, mode]) - 0.1 * S
            changes = np.flatnonzero(np.diff(np.sign(passed)))
            if len(changes):
                i = changes[0]
                when = ts[i] - passed[i] * (ts[i + 1] - ts[i]) / (passed[i + 1] - passed[i])
                assert many.stats["crossing_first"][member, mode] == pytest.approx(when, abs=1e-6)


def test_refusals_of_crossings_and_jumps():
    swing = from_function(lambda t, y, args: jnp.stack([y[1], -y[0]]), [1.0, 0.0])
    race = rd.systems.Pathways([1.0], (2,), 0.1, 0.1)
    for crossings, error, message in (
        ({"half": 0.5}, ValueError, "for a system that does not say what there is to learn"),
        ({"half": "y"}, ValueError, "must be a function of"),
        ({"a b": lambda _, t, y: y[0]}, ValueError, "names made of letters"),
        ({"both": lambda _, t, y: y}, ValueError, "must give one number"),
        (0.5, TypeError, "must be a dict"),
    ):
        with pytest.raises(error, match=message):
            rd.simulate(swing, [0.0, 1.0], crossings=crossings)
    with pytest.raises(ValueError, match="must be 'ode' where options"):
        rd.simulate(race, [0.0, 1.0], crossings={"half": 0.5}, method="exact")
    with pytest.raises(ValueError, match="`crossings` must be left out where derivatives"):
        jax.grad(
            lambda p: (
                rd.solve(
                    rd.systems.Pathways([1.0], (2,), 0.1, p),
                    jnp.array([1.0]),
                    crossings={"half": 0.5},
                )
                .stats["crossing_half"]
                .sum()
            )
        )(0.1)
    for jumps in ([np.nan], "soon", [[1.0]]):
        with pytest.raises((ValueError, TypeError), match="`jumps` must be"):
            rd.simulate(swing, [0.0, 1.0], jumps=jumps)
