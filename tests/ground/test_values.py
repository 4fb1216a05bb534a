"""What is no number is refused by name, wherever arrays come in; what leaves the range of numbers
is said before any work.
"""

import datetime

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn import exact
from racedyn._arrays import as_real

MASKED = np.ma.masked_array([[1.0, 999.0], [0.0, 1.0]], [[0, 1], [0, 0]])
DATES = np.array([["2020-01-01", "2020-01-02"]] * 2, "M8[D]")
BAD = {
    "masked": (MASKED, ValueError, "without masked values, but 1 of its values are masked"),
    "list of masked": (
        list(MASKED),
        ValueError,
        "without masked values, but 1 of its values are masked",
    ),
    "dates": (DATES, TypeError, "array of numbers, but it holds dates"),
    "durations": (DATES - DATES[0, 0], TypeError, "array of numbers, but it holds durations"),
    "text": ([["1", "2"], ["3", "4"]], TypeError, "array of numbers, but it holds text"),
    "objects of text": (
        np.array([[1, "2"], [3, 4]], object),
        TypeError,
        r"it holds '2' \(str\) at \(0, 1\)",
    ),
    "a date": ([[datetime.date(2020, 1, 1)]], TypeError, r"it holds datetime\.date"),
    "complex": (np.eye(2) * 1j, ValueError, "real numbers, but it is complex"),
    "None": (None, TypeError, "array of numbers, but it is NoneType"),
    "None inside": ([[None, 1], [1, 1]], TypeError, r"it holds None \(NoneType\) at \(0, 0\)"),
    "ragged": ([[1, 2], [3]], ValueError, "rows of equal length"),
}
TASK = rd.tasks.from_arrays(np.eye(2), np.diag([2.0, 1.0]))
NETWORK = rd.networks.chain(TASK, depth=1, width=1)
DOORS = {
    "X": lambda bad: rd.tasks.from_arrays(bad, np.eye(2)),
    r"weights\['w1'\]": lambda bad: rd.networks.check_weights(NETWORK, {"w1": bad}),
    r"layers\['w'\]": lambda bad: rd.networks.from_layers(NETWORK, {"w": bad}),
    r"node_gates\['y'\]": lambda bad: rd.Network(
        {"x": 2, "y": 2}, {"w": ("x", "y")}, node_gates={"y": bad}
    ),
    "singular_values": lambda bad: rd.systems.Pathways(bad, (1,), 1.0, 0.1),
    "p": lambda bad: rd.systems.Pathways([2.0, 1.0], (1, 1), 1.0, bad),
    "y0": lambda bad: rd.from_function(lambda t, y, args: -y, bad),
    "a0": lambda bad: exact.two_layer(1.0, 1.0, bad, [1.0]),
    "ts": lambda bad: exact.shallow(1.0, 1.0, 0.1, bad),
    "layers": lambda bad: exact.chain([1.0, 1.0], bad, [1.0]),
    "q": lambda bad: exact.converged([1.0, 1.0], (2, 2), bad, 0.1),
    "first": lambda bad: exact.riccati(bad, np.eye(2), np.eye(2), [1.0]),
    "margin": lambda bad: exact.xor_statistics(bad, "xor"),
    "H": lambda bad: rd.representations.similarity(bad),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("argument", DOORS)
def test_what_is_no_number_is_refused_by_name(argument, kind):
    value, error, message = BAD[kind]
    name = {"X": r"inputs\['input'\]"}.get(argument, argument)
    with pytest.raises(error, match=f"Argument `{name}` must .*{message}"):
        DOORS[argument](value)


@pytest.mark.parametrize("kind", ["masked", "dates", "text", "None", "complex"])
def test_times_and_members_too(kind):
    value, error, message = BAD[kind]
    race = rd.systems.Pathways([1.0], (1,), 1.0, 0.1)
    value = value[0] if isinstance(value, np.ndarray | list) else value
    with pytest.raises(error, match=f"`ts` must .*{message}"):
        rd.simulate(race, value)
    if kind == "dates":
        with pytest.raises(error, match=r"`members` must .*dates"):
            rd.ensemble(race, {"singular_values": DATES[:, :1]})


def test_numbers_of_any_make_pass():
    for value in (
        [True, False],
        np.ma.masked_array([1.0, 0.0]),
        np.array([1, 0], object),
        jnp.array([1, 0]),
        (1, 0.0),
    ):
        np.testing.assert_array_equal(np.asarray(as_real("x", value), float), [1, 0])


def test_whole_numbers_are_not_cut_off():
    with pytest.raises(
        ValueError, match=r"`num_contexts` must be a whole number of at least 1, but it is 1\.5"
    ):
        rd.Task({"x": np.eye(2)}, {"y": np.eye(2)}, num_contexts=1.5)


@pytest.mark.parametrize(("std", "size"), [(1e100, "large"), (1e-100, "small")])
def test_products_out_of_range_are_refused_before_any_work(std, size):
    network = rd.networks.parallel(TASK, depths=(4, 4), width=3)
    weights = network.init(rd.init.Gaussian(std), key=0)
    with pytest.raises(
        ValueError, match=rf"products along a pathway that float64 can hold, .* too {size}"
    ):
        rd.reduce(network, TASK, weights)


def test_times_that_take_too_many_steps_are_refused():
    with pytest.raises(
        ValueError, match=r"`ts` must be at most 1e\+06 / sqrt\(S\^2 \+ \(d lambda/2\)\^2\) apart"
    ):
        exact.riccati([[0.1]], [[0.1]], [[1.0]], [1e12])


def test_layers_of_opposite_signs_never_pass_zero():
    ts = np.array([0.0, 1.0, 10.0, 100.0])
    expected = exact.two_layer_strength(1.0, 1.0, -0.01, ts)
    assert np.all(expected <= 0)
    found = exact.riccati([[0.1]], [[-0.1]], [[1.0]], ts).observables["map"][:, 0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize(
    ("bases", "message"),
    [
        (
            {("y", "x"): (np.eye(2), np.eye(2))},
            r"`bases` must have pairs \(input node, output node\) as keys, but one is \('y'",
        ),
        ({("x", "y"): (np.eye(2), None)}, r"must be \(U, V\), of both sides"),
        ({("x", "y"): np.eye(2)}, r"must be \(U, V\), of both sides, but it is ndarray"),
        ({("x", "y"): (2 * np.eye(2), np.eye(2) / 2)}, r"orthonormal columns, U\^T U = I"),
        ({("x", "y"): (np.eye(2)[:, :1], np.eye(2))}, r"be U \(2, mode\) and V \(2, mode\)"),
    ],
)
def test_bases_of_one_side_or_of_no_pair_are_refused(bases, message):
    with pytest.raises(ValueError, match=message):
        rd.Task({"x": np.eye(2)}, {"y": np.diag([2.0, 1.0])}, bases=bases)


TIMES = jnp.array([0.0, 0.5, 2.0])
INSIDE = {
    "chain": lambda x: exact.chain(x * jnp.ones(2), 0.3 * jnp.ones((2, 2)), TIMES).observables[
        "loss"
    ],
    "chain, layers": lambda x: exact.chain(jnp.ones(2), x * jnp.ones((2, 2)), TIMES).observables[
        "loss"
    ],
    "two_layer": lambda x: exact.two_layer(x, jnp.ones(()), jnp.asarray(0.1), TIMES).observables[
        "loss"
    ],
    "shallow": lambda x: exact.shallow(x, jnp.ones(()), jnp.asarray(0.1), TIMES).observables[
        "loss"
    ],
    "two_layer_time": lambda x: exact.two_layer_time(
        x, jnp.ones(()), jnp.asarray(0.1), jnp.asarray(0.4)
    ),
    "xor": lambda x: exact.xor(jnp.asarray(0.7), "xor", x, TIMES).observables["loss"],
    "xor_time": lambda x: exact.xor_time(jnp.asarray(0.7), "xor", x, jnp.asarray(0.3)),
    "riccati": lambda x: exact.riccati(
        0.1 * jnp.eye(2), 0.1 * jnp.eye(2), x * jnp.diag(TIMES[1:]), TIMES
    ).observables["loss"],
    "riccati, times": lambda x: exact.riccati(
        0.1 * jnp.eye(2), 0.1 * jnp.eye(2), jnp.eye(2), x * TIMES
    ).observables["loss"],
    "converged": lambda x: exact.converged(x, (3, 3), jnp.ones(2), TIMES[1:]).strength,
    "trajectory": lambda x: exact.trajectory(
        x, (3, 3), jnp.ones(2), 0.1 * TIMES[1:], TIMES
    ).observables["loss"],
}


@pytest.mark.parametrize("name", INSIDE)
def test_known_numbers_beside_traced_ones_are_checked_inside_jit(name):
    """JAX traces its own operations on the known ones too, so that no check may use them."""
    assert jax.eval_shape(INSIDE[name], jnp.asarray(0.8)).dtype == float


SIZE = 64  # large arrays are those that JAX takes over without copying them


def given(*shape):
    return np.abs(np.random.default_rng(0).standard_normal(shape))


def a_task(targets):
    return rd.tasks.from_arrays(np.eye(SIZE), targets)


CHAIN = rd.networks.chain(rd.tasks.from_arrays(np.eye(SIZE), np.eye(SIZE)), depth=2, width=SIZE)
MADE_OF = {
    "a task": lambda array: a_task(array).Y,
    "a system": lambda array: (
        rd.systems.Pathways(np.arange(SIZE, 0, -1.0), (2,) * SIZE, array, array).q
    ),
    "a function's start": lambda array: rd.from_function(lambda t, y, args: y, array).y0(),
    "a flow": lambda array: jax.tree.leaves(
        rd.reduce(
            CHAIN, a_task(np.eye(SIZE)), {edge: array for edge in CHAIN.edges}, level="full"
        ).y0()
    )[0],
    "gates": lambda array: rd.Network(
        {"x": 2, "h": SIZE, "y": 2},
        {"a": ("x", "h"), "b": ("h", "y")},
        node_gates={"h": array},
        num_contexts=SIZE,
    ).node_gates["h"],
    "a training": lambda array: rd.train(
        CHAIN,
        a_task(np.eye(SIZE)),
        {edge: array for edge in CHAIN.edges},
        lr=1e-9,
        steps=1,
        observe=["weights"],
        progress=False,
    ).ys[next(iter(CHAIN.edges))][0],
}


@pytest.mark.parametrize("kind", MADE_OF)
def test_what_is_given_may_be_written_into_afterwards(kind):
    """As in `Y *= -1; task_b = from_arrays(X, Y)`: the first task keeps its own."""
    array = given(SIZE, SIZE)
    before, made = array.copy(), MADE_OF[kind](array)
    array *= -1
    np.testing.assert_array_equal(np.asarray(made).reshape(-1, SIZE)[-SIZE:], before)


def test_what_was_computed_from_it_can_not_be_written_into():
    task = rd.tasks.hierarchy(items=4)
    for array in (task.X, task.Y, task.context, task.modes.U, task.modes.S, task.inputs["input"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
