"""`simulate`: lanes on their own clocks, settling, events, failures, retries, refusals; systems of
the user's own.
"""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import pytest
from scipy.integrate import solve_ivp

import racedyn as rd
from racedyn.simulation.simulate import SolveError
from racedyn.systems import Pathways
from racedyn.trajectory import Status

TS = np.linspace(0, 5, 51)


class Decay(rd.AbstractSystem):
    rate: float

    def y0(self):
        return jnp.ones(3)

    def vector_field(self, t, y, args):
        return -self.rate * y


class Oscillator(rd.AbstractSystem):
    """x'' = -x; energy is conserved; named observables."""

    def y0(self):
        return {"x": jnp.ones(2), "v": jnp.zeros(2)}

    def vector_field(self, t, y, args):
        return {"x": y["v"], "v": -y["x"]}

    def drift(self, y, y0):
        return jnp.max(jnp.abs(y["x"] ** 2 + y["v"] ** 2 - 1))

    def dims(self):
        return {"x": ("oscillator",)}

    def labels(self):
        return {"oscillator": ("left", "right")}


def test_a_system_of_ones_own():
    run = rd.simulate(Decay(0.3), TS, rtol=1e-10)
    np.testing.assert_allclose(
        run.observables["y"], np.exp(-0.3 * TS)[:, None] * np.ones(3), rtol=1e-8
    )
    assert run.dims["y"] == ("time", "y_0") and run.status == Status.DONE
    assert np.isnan(run.stats["drift"]) and "drift" not in str(run), (
        "nothing is said to be conserved"
    )
    assert "Decay" in str(run) and "Tsit5" in str(run) and "51 times from 0 to 5 tau" in str(run)


def test_a_plain_function_and_its_arguments():
    system = rd.from_function(lambda t, y, args: -args * y, [1.0, 2.0])
    run = rd.simulate(system, TS, args=0.5, rtol=1e-10)
    np.testing.assert_allclose(run.observables["y"][-1], np.exp(-2.5) * np.array([1, 2]), rtol=1e-8)


def test_observables_names_drift_and_states():
    run = rd.simulate(Oscillator(), TS, rtol=1e-10, observe=["x", "v", "states"])
    np.testing.assert_allclose(run.observables["x"], np.cos(TS)[:, None] * np.ones(2), atol=1e-8)
    np.testing.assert_array_equal(run.ys["v"], run.observables["v"])
    assert run.dims["x"] == ("time", "oscillator") and run.labels["oscillator"] == ("left", "right")
    assert 0 < float(run.stats["drift"]) < 1e-8
    np.testing.assert_allclose(run.end["x"], run.ys["x"][-1], rtol=1e-14)


def test_t0_is_zero_unless_given_and_is_not_the_first_save_time():
    late = rd.simulate(Decay(1.0), [2.0, 3.0])
    np.testing.assert_allclose(late.observables["y"][0], np.exp(-2.0), rtol=1e-6)
    shifted = rd.simulate(Decay(1.0), [2.0, 3.0], t0=2.0)
    np.testing.assert_allclose(shifted.observables["y"][0], 1.0)


def test_a_new_parameter_does_not_compile_again():
    rd.simulate(Decay(0.11), TS)
    with jax.log_compiles(False):
        count = []

        def heard(name, *args, **kwargs):
            count.append(name)

        jax.monitoring.register_event_duration_secs_listener(heard)
        try:
            rd.simulate(Decay(0.12), TS, rtol=1e-7)
            assert not [name for name in count if "backend_compile" in name]
            rd.simulate(Decay(0.12), TS[:-1])
            assert [name for name in count if "backend_compile" in name], (
                "a new shape does compile: the test can fail"
            )
        finally:
            jax.monitoring.unregister_event_duration_listener(heard)


SIX = dict(
    singular_values=np.linspace(3, 0.5, 6),
    depths=(2, 3),
    q=1.0,
    p=0.01 * np.arange(1, 13).reshape(2, 6),
)


def part(lanes):
    return Pathways(SIX["singular_values"][lanes], SIX["depths"], 1.0, SIX["p"][:, lanes])


@pytest.mark.long
def test_lanes_do_not_depend_on_their_company():
    whole = rd.simulate(Pathways(**SIX), TS, method="ode")
    for lanes in ([0, 1, 2, 3, 4, 5], [3], [5, 0, 2]):
        some = rd.simulate(part(lanes), TS, method="ode")
        np.testing.assert_array_equal(
            some.observables["strength"], whole.observables["strength"][:, :, lanes]
        )
        np.testing.assert_array_equal(
            some.stats["num_steps"], whole.stats["num_steps"][np.array(lanes)]
        )
    many = Pathways(np.tile(SIX["singular_values"], 7), (2, 3), 1.0, np.tile(SIX["p"], 7))
    many = rd.simulate(many, TS, method="ode").observables["strength"]
    np.testing.assert_array_equal(many[:, :, 36:], whole.observables["strength"])
    assert len(set(np.asarray(whole.stats["num_steps"]).tolist())) > 1, (
        "each lane has a clock of its own"
    )


@pytest.mark.slow
def test_settled_lanes_hold_their_value_and_cost_nothing():
    system = Pathways([1.0], (3, 3), 0.3, [[0.3], [0.29]])
    short, long = (rd.simulate(system, np.linspace(0, end, 11), rtol=1e-9) for end in (1e3, 1e7))
    assert short.status[0] == long.status[0] == Status.SETTLED
    assert int(short.stats["num_steps"][0]) == int(long.stats["num_steps"][0])
    np.testing.assert_allclose(long.observables["strength"][-1].sum(), 1.0, rtol=1e-8)
    np.testing.assert_array_equal(long.observables["strength"][1], long.observables["strength"][-1])


def test_a_plateau_is_not_settled():
    """Depth 8 from q = 0.1: dy/dt is about 1e-7 at the start, where a norm of it would stop the
    solve.
    """
    run = rd.simulate(Pathways([1.0], (8,), 0.1, 0.1), [1e5, 3e5], rtol=1e-9)
    early, late = np.asarray(run.observables["strength"])[:, 0, 0]
    assert early < 1e-3 and late == pytest.approx(1.0, rel=1e-8)


def test_rows_after_an_event_are_nan():
    event = dfx.Event(lambda t, y, args, **_: y[0] < 0.5)
    run = rd.simulate(Decay(1.0), TS, event=event)
    rows = np.asarray(run.observables["y"])[:, 0]
    assert (
        run.status == Status.EVENT
        and np.isnan(rows[-1])
        and rows[np.sum(np.isfinite(rows)) - 1] < 0.55
    )
    root = dfx.Event(lambda t, y, args, **_: y[0] - 0.5, optx.Newton(1e-10, 1e-10), direction=False)
    run = rd.simulate(Decay(1.0), TS, event=root, rtol=1e-10)
    assert float(run.stats["t_end"]) == pytest.approx(np.log(2), rel=1e-8)
    assert np.isnan(run.observables["y"][7:]).all() and np.isfinite(run.observables["y"][:7]).all()


class Followers(rd.AbstractSystem):
    """y' = k (cos t - y) with one rate k per lane: stiff where k is large."""

    k: jax.Array

    def y0(self):
        return jnp.zeros_like(self.k)

    def vector_field(self, t, y, args):
        return self.k * (jnp.cos(t) - y)

    @property
    def lanes(self):
        return self.k.shape[-1]


def followers_at(t, k):
    return (k**2 * np.cos(t) + k * np.sin(t) - k**2 * np.exp(-k * t)) / (k**2 + 1)


@pytest.mark.slow
def test_lanes_that_use_up_their_steps_are_tried_once_more():
    k = np.array([1e5, 1.0])
    run = rd.simulate(Followers(jnp.asarray(k)), TS, rtol=1e-7, max_steps=2000)
    assert "1 lanes retried" in run.provenance.solver and not run.failed
    np.testing.assert_allclose(run.observables["y"], followers_at(TS[:, None], k), atol=1e-5)


@pytest.mark.slow
def test_failed_lanes_are_nan_and_listed_and_the_others_whole():
    k = np.array([1.0, 1e5])
    with pytest.warns(RuntimeWarning, match=r"1 of 2 lanes failed \(1\): 1 used up its steps"):
        run = rd.simulate(Followers(jnp.asarray(k)), TS, rtol=1e-7, max_steps=60, retry=dfx.Tsit5())
    assert run.failed == [1] and run.status[1] == Status.STEPS_EXHAUSTED
    assert np.isnan(run.observables["y"][-1, 1])
    np.testing.assert_allclose(run.observables["y"][:, 0], followers_at(TS, 1.0), atol=1e-5)


def test_a_solve_that_fails_altogether_raises_and_loses_nothing():
    explosive = rd.from_function(lambda t, y, args: y**2, 1.0)
    with pytest.raises(SolveError, match=r"The solve failed: it used up its steps") as caught:
        rd.simulate(explosive, TS, max_steps=500)
    rows = np.asarray(caught.value.trajectory.observables["y"])
    np.testing.assert_allclose(rows[:9], 1 / (1 - TS[:9]), rtol=1e-5)
    assert np.isnan(rows[20:]).all()
    with pytest.warns(RuntimeWarning, match=r"1 of 1 lanes failed"):
        assert rd.simulate(explosive, TS, max_steps=500, throw=False).failed == [0]


def test_provenance_says_what_was_done():
    run = rd.simulate(
        Pathways([1.0], (3, 3), 0.3, [[0.3], [0.2]]), np.linspace(0, 5, 11), rtol=1e-9
    )
    source = run.provenance
    assert (
        source.kind == "simulate" and source.settings["rtol"] == 1e-9 and source.versions["diffrax"]
    )
    assert source.system == "Pathways of depths (3, 3), 1 modes" and source.wall_time > 0
    assert rd.solve(Decay(0.3), TS).provenance is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rtol": 1e-16}, r"`rtol` must be at least 2.2e-15, which float64 can meet"),
        ({"rtol": 0.0}, r"`rtol` must be a positive number"),
        ({"atol": -1.0}, r"`atol` must be a number of at least 0"),
        ({"ts": [3.0, 1.0]}, r"`ts` must rise, but after 3 comes 1"),
        ({"ts": [-1.0, 1.0]}, r"`ts` must start at t0 = 0 or later"),
        ({"ts": [0.0]}, r"end after it"),
        ({"ts": []}, r"`ts` must be a vector of finite times"),
        ({"ts": [0.0, np.nan]}, r"`ts` must be a vector of finite times"),
        ({"max_steps": 0}, r"`max_steps` must be a whole number of at least 1"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        rd.simulate(Decay(0.3), **{"ts": TS, **options})


def test_a_state_and_its_derivative_must_fit():
    short = rd.from_function(lambda t, y, args: y[:2], [1.0, 2.0, 3.0])
    with pytest.raises(
        ValueError, match=r"vector field of the state's shape, \(3,\), but its shape is \(2,\)"
    ):
        rd.simulate(short, TS)

    class Whole(Decay):
        def y0(self):
            return jnp.arange(3)

    with pytest.raises(ValueError, match=r"state y0\(\) of real numbers"):
        rd.simulate(Whole(0.3), TS)


def test_refuses_what_is_no_system_and_unknown_options():
    with pytest.raises(
        TypeError,
        match=r"`system` must be an AbstractSystem, but it is .* See racedyn.from_function",
    ):
        rd.simulate(lambda t, y, args: -y, TS)
    with pytest.raises(TypeError, match="unexpected keyword argument 'rtool'"):
        rd.simulate(Decay(0.3), TS, rtool=1e-3)


def test_single_precision_is_refused_with_the_line_to_add():
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match=r"which float32 can meet.*jax_enable_x64"),
    ):
        rd.simulate(Decay(0.3), TS)
    with jax.enable_x64(False):
        run = rd.simulate(Decay(0.3), TS, rtol=1e-5)
    assert run.observables["y"].dtype == jnp.float32


@pytest.mark.long
def test_the_exact_method_gives_the_same_trajectory():
    """Also with a mode that is never learned, which an ODE then follows; in any order of modes."""
    q, p = [[1.0, 0.5, 0.3], [1.0, 0.5, 0.3]], [[0.2, -0.6, -0.4], [0.1, -0.6, 0.01]]
    system = rd.systems.Pathways(
        [1.0, 1.0, 2.0], (4, 4), q, p, loss_floor=0.3, path_names=["a", "b"]
    )
    ts = np.linspace(3, 50, 40)
    kept = [*system.observe(0.0, system.y0()), "states"]
    ode, exact = (
        rd.simulate(system, ts, t0=3.0, rtol=1e-10, observe=kept, method=method)
        for method in ("ode", "exact")
    )
    auto = rd.simulate(system, ts, t0=3.0, observe=kept)
    assert exact.provenance.solver == "exact; 1 of 3 lanes by Tsit5, rtol 1e-10"
    assert auto.provenance.solver == "exact; 1 of 3 lanes by Tsit5, rtol 1e-08"
    assert (
        ode.observables.keys() == exact.observables.keys()
        and ode.dims == exact.dims
        and ode.labels == exact.labels
    )
    for name, values in ode.observables.items():
        np.testing.assert_allclose(exact.observables[name], values, atol=1e-8)
        np.testing.assert_allclose(auto.observables[name], values, atol=1e-8)
    assert (
        all(rd.Status(int(status)).ok for status in exact.status)
        and float(exact.stats["drift"]) < 1e-9
    )
    np.testing.assert_allclose(exact.ys[0][0], q, atol=1e-12)


SOLVED = {
    "rtol": 1e-9,
    "args": 1.0,
    "max_steps": 1000,
    "solver": dfx.Dopri8(),
    "retry": dfx.Kvaerno3(),
    "stepsize_controller": dfx.PIDController(1e-9, 1e-9),
    "event": dfx.Event(lambda t, y, args, **_: y[0][0] > 10),
    "dt0": 0.1,
    "jumps": [2.0],
    "crossings": {"half": 0.5},
    "method": "ode",
}


@pytest.mark.parametrize(
    "option",
    [
        pytest.param(option, marks=pytest.mark.slow if option == "solver" else pytest.mark.long)
        for option in SOLVED
    ],
)
def test_auto_leaves_to_a_solver_what_only_it_can_do(option):
    race, ts = Pathways([1.0, 2.0], (2, 3), 1.0, 0.1), [0.0, 1.0, 3.0]
    exact = rd.simulate(race, ts)
    assert exact.provenance.solver == "exact" and "exact" in str(exact)
    run = rd.simulate(race, ts, **{option: SOLVED[option]})
    assert run.provenance.solver.startswith("Dopri8" if option == "solver" else "Tsit5")
    for name in ("strength", "q", "p"):
        np.testing.assert_allclose(run.observables[name], exact.observables[name], atol=1e-8)


@pytest.mark.slow
def test_auto_is_exact_from_any_time_and_at_any_tolerance_that_it_holds():
    race, ts = Pathways([1.0, 2.0], (2, 3), 1.0, 0.1), [0.0, 1.0, 3.0]
    for t0, rtol in ((-1.0, 1e-8), (0.0, 1e-6)):
        assert rd.simulate(race, ts, t0=t0, rtol=rtol).provenance.solver == "exact"


def test_what_runs_on_the_host_returns_numpy_and_is_not_traced():
    run = rd.simulate(Decay(0.3), TS, observe=["y", "states"])
    assert {type(leaf) for leaf in jax.tree.leaves(run)} == {np.ndarray}
    run.observables["y"][0] = 2.0  # arrays of the caller's own
    with pytest.raises(TypeError, match=r"`system` must be known .* call racedyn\.solve"):
        jax.grad(lambda rate: rd.simulate(Decay(rate), TS).observables["y"][-1].sum())(0.3)


def test_methods_that_do_not_fit():
    decaying = rd.systems.Pathways([1.0], (3,), 1.0, 0.1, weight_decay=0.1)
    assert rd.simulate(decaying, [0.0, 1.0]).provenance.solver == "Tsit5, rtol 1e-08"
    for system in (decaying, rd.from_function(lambda t, y, args: -y, 1.0)):
        with pytest.raises(
            ValueError, match="be 'ode' or 'auto' for a system without a solution of its own"
        ):
            rd.simulate(system, [0.0, 1.0], method="exact")
    with pytest.raises(ValueError, match="`method` must be one of 'auto', 'exact', 'ode'"):
        rd.simulate(decaying, [0.0, 1.0], method="exakt")
    pathways = rd.systems.Pathways([1.0], (3,), 1.0, 0.1)
    with pytest.raises(
        ValueError,
        match=r"be 'ode' where options of a solver are given, but it .* beside \['solver'\]",
    ):
        rd.simulate(pathways, [0.0, 1.0], method="exact", solver=dfx.Dopri5())


def robertson(t, y, args):
    first, second = 0.04 * y[0] - 1e4 * y[1] * y[2], 3e7 * y[1] ** 2
    return jnp.stack([-first, first - second, second])


@pytest.mark.slow
def test_a_stiff_system_of_ones_own_is_tried_again_by_an_implicit_solver():
    ts = [0.4, 40.0, 4000.0]
    run = rd.simulate(rd.from_function(robertson, [1.0, 0.0, 0.0]), ts)
    rates = jax.jit(robertson)
    exact = solve_ivp(
        lambda t, y: np.asarray(rates(t, y, None)),
        (0, ts[-1]),
        [1, 0, 0],
        "Radau",
        ts,
        rtol=3e-14,
        atol=1e-22,
    )
    np.testing.assert_allclose(run.observables["y"], exact.y.T, rtol=1e-7)
    assert run.provenance.solver.endswith("then Kvaerno5")


@pytest.mark.slow
def test_a_failure_says_where():
    with pytest.raises(
        SolveError, match=r"stopped at t = 1, where the largest number of its state is .*e\+"
    ):
        rd.simulate(rd.from_function(lambda t, y, args: y**2, [1.0]), [2.0], max_steps=2000)


def test_crossings_and_adjoints_that_do_not_fit():
    with pytest.raises(ValueError, match="give a number that changes its sign, but it gives bool"):
        rd.simulate(
            rd.from_function(lambda t, y, args: -y, [1.0]),
            TS,
            crossings={"a": lambda system, t, y: y[0] > 0.5},
        )
    with pytest.raises(TypeError, match=r"`adjoint` must be diffrax.ForwardMode"):
        jax.jvp(
            lambda k: rd.solve(rd.from_function(lambda t, y, args: -k * y, [1.0]), TS).observables[
                "y"
            ],
            (1.0,),
            (1.0,),
        )
