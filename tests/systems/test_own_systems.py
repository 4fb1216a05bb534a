"""What a system of one's own has to name, and what a solve says of itself."""

import math
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn import plot
from racedyn.trajectory import Trajectory

TS = np.linspace(0, 1, 5)


def run(dims=None, **observables):
    named = {
        name: ("time", *(f"{name}_{i}" for i in range(value.ndim - 1)))
        for name, value in observables.items()
    }
    return Trajectory(ts=TS, observables=observables, dims=named | (dims or {}))


BARE = run(y=np.ones((5, 3)))
UNNAMED = run(strength=np.ones((5, 2, 3)))
NAME_IT = (
    r"In a system of your own, name it in `observe` and its axes in `dims`: "
    r"{'strength': \('path', 'mode'\)}"
)


@pytest.mark.parametrize(
    "look",
    [
        plot.race,
        plot.strengths,
        rd.learning_times,
        lambda run: plot.phase_plane(2, trajectories=run),
        lambda run: rd.compare(run, UNNAMED),
        lambda run: rd.compare(UNNAMED, run),
    ],
    ids=["race", "strengths", "learning_times", "phase_plane", "theory", "trained"],
)
@pytest.mark.parametrize(
    ("given", "but"),
    [(BARE, "but it has y"), (UNNAMED, r"but its axes are \('time', 'strength_0', 'strength_1'\)")],
    ids=["bare", "unnamed"],
)
def test_strengths_are_named_in_observe_and_dims(look, given, but):
    if given is BARE and "compare" in look.__code__.co_names:
        but = (
            "its axes are"  # what is missing in one is no fault there; the other's axes are unnamed
        )
    with pytest.raises(ValueError, match=f"{but}.*{NAME_IT}"):
        look(given)


MAPS = ("member", "time", "path", "mode_out", "mode_in")


def test_a_loss_is_named_in_observe_and_a_member_is_picked():
    with pytest.raises(
        ValueError, match=r"'loss' with axes \('time',\), but it has y. .* name it in `observe`\.$"
    ):
        plot.loss(BARE)
    many = run({"strength": ("member", "time", "path", "mode")}, strength=np.ones((7, 5, 2, 3)))
    with pytest.raises(
        ValueError, match=r"Pick one member of an ensemble first: trajectory.member\(0\)"
    ):
        plot.strength_maps(run({"strength_matrix": MAPS}, strength_matrix=np.ones((7, 5, 2, 3, 3))))
    assert len(plot.race(many)) == 3  # of members the median, and a band
    assert rd.learning_times(many).times.shape == (7, 3)  # of members that share a status, too


class Named(rd.AbstractSystem):
    """Two pathways of one mode, that say what they are."""

    def y0(self):
        return jnp.array([0.01, 0.02])

    def vector_field(self, t, y, args):
        return y * (1 - y.sum())

    def observe(self, t, y):
        return {"strength": y[:, None]}

    def dims(self):
        return {"strength": ("path", "mode")}


def test_a_system_that_names_its_strengths_is_drawn_and_timed():
    named = rd.simulate(Named(), np.linspace(0, 10, 200))
    assert len(plot.race(named)) == 1
    (time,) = rd.learning_times(named).times
    assert time == pytest.approx(np.log(0.97 / 0.03), rel=1e-3)  # a logistic from 0.03


def test_t_end_is_documented():
    assert "`t_end`" in Trajectory.__doc__


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ode", "exact"])
def test_t_end_is_the_flow_time_at_which_a_solve_ended(method):
    race = rd.systems.Pathways([3.0], depths=(2, 2), q=1.0, p=[[0.1], [0.2]])
    run = rd.simulate(race, np.array([5.0, 6.0]), t0=4.0, method=method)
    np.testing.assert_array_equal(run.stats["t_end"], [6.0])


class Observing(rd.AbstractSystem):
    observed: Callable = eqx.field(static=True)

    def y0(self):
        return jnp.ones(2)

    def vector_field(self, t, y, args):
        return -y

    def observe(self, t, y):
        return self.observed(y)


def in_place(t, y, args):
    y[0] = 0.0
    return y


NUMPY_SCRIPTS = {
    "numpy": lambda t, y, args: np.sin(y),
    "an array of numpy": lambda t, y, args: np.array([y[1], -y[0]]),
    "math": lambda t, y, args: jnp.stack([math.sin(y[0]), y[1]]),
    "if": lambda t, y, args: y if t < 0.5 else -y,
    "float": lambda t, y, args: float(y[0]) * y,
    "int": lambda t, y, args: np.ones(3)[int(t)] * y,
    "in place": in_place,
}
DOORS = {
    "simulate": lambda system: rd.simulate(system, TS),
    "solve": lambda system: rd.solve(system, TS),
    "ensemble": lambda system: rd.ensemble(lambda member: system, 2, TS),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", NUMPY_SCRIPTS)
def test_what_a_numpy_script_computes_with_is_named_with_the_remedy(kind, door):
    system = rd.from_function(NUMPY_SCRIPTS[kind], [1.0, 1.0])
    with pytest.raises(
        TypeError,
        match=r"must be computed by JAX, .* jnp.sin for np.sin or math.sin, jnp.where for `if`",
    ):
        DOORS[door](system)


def test_so_are_observables_and_crossings():
    with pytest.raises(TypeError, match="Argument `system` must be computed by JAX"):
        rd.simulate(Observing(lambda y: {"largest": max(y)}), TS)
    with pytest.raises(TypeError, match=r"observe\(\) that returns a dict name -> array"):
        rd.simulate(Observing(lambda y: y), TS)
    with pytest.raises(TypeError, match=r"Argument `crossings\['one'\]` must be computed by JAX"):
        rd.simulate(
            rd.systems.Pathways([1.0], (2,), 0.1, 0.1),
            TS,
            crossings={"one": lambda system, t, y: np.sin(t)},
        )


@pytest.mark.parametrize(
    "function, message",
    [
        (
            lambda t, y: -y,
            r"`function` must be a function \(t, y, args\) -> dy/dt, but it can't be called with",
        ),
        (
            lambda y, t, args: -y,
            r"its shape is \(\). Its arguments are \(t, y, args\), in this order",
        ),
        (lambda t, y, args: [y[0], y[1]], r"its shape is \[\(\), \(\)\].* it returns jnp.stack"),
    ],
    ids=["two arguments", "in SciPy's order", "a list"],
)
def test_functions_of_other_libraries_form(function, message):
    with pytest.raises((TypeError, ValueError), match=message):
        rd.simulate(rd.from_function(function, [1.0, 1.0]), TS)
