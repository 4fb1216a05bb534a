"""What functions read beside their arguments: a run after a change of it is never the run
before.
"""

import functools
import types

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import racedyn as rd
from racedyn import _outside as outside
from racedyn.systems import from_function

rate, rates, other = 0.0, [0.0], 0.0
place = types.SimpleNamespace(rate=0.0)
array = np.zeros(1)


class Constants:
    rate = 0.0


def helper(y):
    return rate * y


def closing(cell):
    return lambda t, y, args: cell[0] * y


def default(t, y, args, *, by=rates):
    return by[0] * y


def inner(t, y, args):
    def field(y):
        return rate * y

    return field(y)


class Own(rd.AbstractSystem):
    def y0(self):
        return jnp.ones(1)

    def vector_field(self, t, y, args):
        return rate * y


class Calls(Own):
    def vector_field(self, t, y, args):
        return helper(y)


class Inherits(Own):
    def observe(self, t, y):
        return {"y": y}


class Property(Own):
    @property
    def rate(self):
        return rate

    def vector_field(self, t, y, args):
        return self.rate * y


class Rate:
    def __init__(self):
        self.rate = 0.0

    def field(self, t, y, args):
        return self.rate * y

    def __call__(self, t, y, args):
        return self.rate * y


def with_value(value):
    """Every place that the functions below read is set to `value`."""
    global rate
    rate = place.rate = Constants.rate = METHOD.rate = CALLED.rate = rates[0] = value
    array[:] = value


METHOD, CALLED = Rate(), Rate()
READ = {
    "a global": from_function(lambda t, y, args: rate * y, [1.0]),
    "a global of a helper": from_function(lambda t, y, args: helper(y), [1.0]),
    "a global of an inner function": from_function(inner, [1.0]),
    "an attribute": from_function(lambda t, y, args: place.rate * y, [1.0]),
    "an attribute of a class": from_function(lambda t, y, args: Constants.rate * y, [1.0]),
    "an entry": from_function(lambda t, y, args: rates[0] * y, [1.0]),
    "an array": from_function(lambda t, y, args: array * y, [1.0]),
    "a closure": from_function(closing(rates), [1.0]),
    "a default": from_function(default, [1.0]),
    "a partial function": from_function(
        functools.partial(lambda by, t, y, args: by[0] * y, rates), [1.0]
    ),
    "a compiled function": from_function(jax.jit(lambda t, y, args: rate * y), [1.0]),
    "equinox's compiled function": from_function(
        eqx.filter_jit(lambda t, y, args: rate * y), [1.0]
    ),
    "a bound method": from_function(METHOD.field, [1.0]),
    "a callable object": from_function(CALLED, [1.0]),
    "a method": Own(),
    "a method's helper": Calls(),
    "an inherited method": Inherits(),
    "a property": Property(),
    "a piece": rd.systems.Piecewise(
        [from_function(lambda t, y, args: rate * y, [1.0]), Own()], [0.5]
    ),
}


@pytest.fixture
def forgotten(monkeypatch):
    """How often compiled programs are forgotten."""
    times = []
    monkeypatch.setattr(jax, "clear_caches", lambda: times.append(1))
    return times


@pytest.mark.parametrize("kind", READ)
def test_a_changed_value_is_noticed_once(kind, forgotten):
    global other
    with_value(0.0)
    outside.read_again(READ[kind])
    forgotten.clear()
    with_value(1.0)
    outside.read_again(READ[kind])
    assert len(forgotten) == 1
    other += 1.0  # which none of them reads
    outside.read_again(READ[kind])
    assert len(forgotten) == 1


OFTEN = ("a global", "a method")


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.slow if kind in OFTEN else pytest.mark.long)
        for kind in READ
    ],
)
def test_every_run_computes_with_the_values_of_its_time(kind):
    for value in (0.0, 1.0, 2.0):
        with_value(value)
        run = rd.simulate(READ[kind], [1.0])
        np.testing.assert_allclose(run.observables["y"], [[np.exp(value)]], rtol=1e-7)


DOORS = {
    "simulate": lambda system: rd.simulate(system, [1.0]),
    "solve": lambda system: rd.solve(system, [1.0]),
    "ensemble": lambda system: rd.ensemble(system, {"initial": np.ones((2, 1))}, [1.0]),
}


@pytest.mark.parametrize(
    "door",
    [
        pytest.param("simulate", marks=pytest.mark.slow),
        *(pytest.param(door, marks=pytest.mark.long) for door in ("solve", "ensemble")),
    ],
)
def test_loops_over_a_global(door):
    """As a script does it that was written for a loop of Euler's steps."""
    global rate
    system = from_function(lambda t, y, args: rate * y, [1.0])
    for rate in (0.0, 1.0):
        ends = np.asarray(DOORS[door](system).observables["y"])
        np.testing.assert_allclose(ends, np.full(ends.shape, np.exp(rate)), rtol=1e-7)


def test_crossings_and_optimisers_are_read_again(forgotten):
    global rate
    rate = 0.25
    line = from_function(lambda t, y, args: 1 + 0 * y, [0.0])
    crossings = {"level": lambda system, t, y: y[0] - rate}
    rd.simulate(line, [1.0], crossings=crossings)
    rate = 0.75
    forgotten.clear()
    outside.read_again(crossings)
    assert len(forgotten) == 1
    task = rd.tasks.hierarchy(items=2)
    network = rd.networks.chain(task, depth=1, width=1)
    schedule = optax.sgd(lambda step: 0.1 * rate)
    weights = {edge: np.zeros(network.shape(edge)) for edge in network.edges}
    for value in (0.25, 0.75):
        rate = value
        rd.train(network, task, weights, lr=None, steps=1, optimiser=schedule, progress=False)
    assert len(forgotten) == 2


def test_nothing_of_the_package_is_looked_at(forgotten):
    race = rd.systems.Pathways([1.0], (2,), 0.1, 0.1)
    for _ in range(2):
        outside.read_again(race, jax.random.key(0), {"a": np.ones(3)}, None)
    assert not forgotten and not list(outside._functions(race))


def test_two_methods_of_one_object_are_two(forgotten):
    for _ in range(2):
        forgotten.clear()
        outside.read_again(from_function(METHOD.field, [1.0]))
        outside.read_again(from_function(METHOD.__call__, [1.0]))
    assert not forgotten


class Refusing:
    def __getattr__(self, name):
        raise RuntimeError("not to be looked into")


def test_what_is_deep_or_refuses_to_be_looked_into_ends_nothing():
    deep = []
    for _ in range(10_000):
        deep = [deep]
    for value in (deep, Refusing(), [Refusing()]):
        function = closing([1.0, value])
        outside.read_again(function, value)
        assert outside.read(function) == outside.read(function)


class Table:
    """As pandas's: values that no attribute shows."""

    __slots__ = ("_values",)

    def __init__(self, values):
        self._values = memoryview(values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self._values, dtype)


def test_tables_of_other_libraries_are_read(forgotten):
    values = np.ones(2)
    function = closing([Table(values)])
    outside.read_again(function)
    outside.read_again(function)
    assert not forgotten
    values[:] = 2
    outside.read_again(function)
    assert forgotten


def test_what_refers_to_itself_is_read_once():
    loop = [1.0]
    loop.append(loop)
    function = closing(loop)
    outside.read_again(function, loop)
    before = outside.read(function)
    loop[0] = 2.0
    assert outside.read(function) != before


def test_what_a_task_has_computed_of_itself_is_no_change():
    """A sweep finds what it has computed, also after its task was asked for its modes."""
    task = rd.tasks.hierarchy(4)

    class Kept:
        scale = 1.0

        @functools.cached_property
        def total(self):
            return self.scale * task.Y.sum()

    kept = Kept()

    def size(x):
        return x * task.modes.S.sum() * kept.total

    before = outside.read(size)
    assert size(1.0) > 0 and "total" in vars(kept)
    assert outside.read(size) == before
    kept.scale = 2.0
    assert outside.read(size) != before
    task = rd.tasks.hierarchy(2)
    kept.scale = 1.0
    assert outside.read(size) != before
