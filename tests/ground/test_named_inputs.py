"""Inputs that once ended in the words of Python, JAX or NumPy: each is refused by name with the way
that works, or works.
"""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn.simulation.members import Builder

TASK = rd.tasks.hierarchy(2)
NETWORK = rd.networks.chain(TASK, depth=2, width=3)
WEIGHTS = NETWORK.init(rd.init.Gaussian(0.1), key=0)
STACKED = {edge: np.stack([w, 2 * w]) for edge, w in WEIGHTS.items()}
SYSTEM = rd.from_function(lambda t, y, args: -y, np.ones(2))
SEVERAL = rd.Trajectory(
    ts=np.arange(2.0),
    observables={"x": np.ones((3, 2))},
    dims={"x": ("member", "time")},
    status=np.zeros(3, int),
)

REFUSED = {
    "t0 of NaN": (
        lambda: rd.simulate(SYSTEM, [0.0, 1.0], t0=float("nan")),
        "`t0` must be a finite number, but it is nan",
    ),
    "a solver's class": (
        lambda: rd.simulate(SYSTEM, [0.0, 1.0], solver=dfx.Tsit5),
        r"`solver` must be .*, but it is the class Tsit5\. Call it: Tsit5\(\)",
    ),
    "no nodes": (
        lambda: rd.Network(None, {"a": ("x", "y")}),
        "`nodes` must be a dict .*, but it is None",
    ),
    "ragged weights": (
        lambda: rd.reduce(NETWORK, TASK, {**WEIGHTS, "w1": [[1.0], [1.0, 2.0]]}),
        r"`weights\['w1'\]` must have rows of equal length",
    ),
    "a traced std": (
        lambda: jax.eval_shape(lambda std: NETWORK.init(rd.init.Gaussian(std), key=0), 0.1),
        "`std` must be a positive number, but JAX is tracing it. Draw the weights with 1.0 and "
        "multiply them",
    ),
    "reduce under vmap": (
        lambda: jax.vmap(lambda w: rd.reduce(NETWORK, TASK, w).y0())(STACKED),
        r"`weights\['w1'\]` must have values here, but JAX is tracing it. .*rd\.ensemble\(lambda "
        r"i: rd\.reduce",
    ),
    "an ensemble's weights": (
        lambda: rd.ensemble(SYSTEM, {"weights": STACKED["w1"]}, [0.0, 1.0]),
        "`members` must name fields of the system .*, but 'weights' is none. Else pass a function "
        "of a member",
    ),
    "a text as a flag": (
        lambda: rd.train(NETWORK, TASK, WEIGHTS, lr=0.1, steps=1, progress="no"),
        "`progress` must be True or False, but it is 'no'",
    ),
    "a number to observe": (
        lambda: rd.train(NETWORK, TASK, WEIGHTS, lr=0.1, steps=1, observe=3),
        r"`observe` must hold names of observables, .*, but it is 3 \(int\)",
    ),
    "a member that is none": (
        lambda: SEVERAL.member(None),
        "`index` must be a whole number, but it is None",
    ),
    "a member too many": (
        lambda: SEVERAL.member(3),
        "`index` must be that of one of 3 members, but it is 3",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_inputs_that_once_ended_in_other_words_are_refused_by_name(name):
    call, message = REFUSED[name]
    with pytest.raises((ValueError, TypeError, IndexError), match=f"Argument {message}"):
        call()


def test_whole_numbers_of_numpy_are_widths_depths_and_keys():
    network = rd.networks.chain(TASK, depth=np.int64(2), width=np.int32(3))
    found = network.init(rd.init.Gaussian(0.1), key=np.int64(0))
    assert all(np.array_equal(found[edge], WEIGHTS[edge]) for edge in WEIGHTS)


def test_a_member_that_cannot_be_traced_is_built_on_the_host_with_its_own_number_as_a_key():
    def build(i):
        return rd.reduce(NETWORK, TASK, NETWORK.init(rd.init.Gaussian(0.1), key=i), level="full")

    starts = Builder(build, 2)(np.array([0, 1])).y0()
    for i in range(2):
        jax.tree.map(
            lambda found, wanted, i=i: np.testing.assert_array_equal(found[i], wanted),
            starts,
            build(i).y0(),
        )


def test_an_error_in_a_traceable_member_is_said_once_in_its_own_words():
    def build(i):
        return rd.from_function(lambda t, y, args: -y, jnp.ones(2) * missing)  # noqa: F821

    with pytest.raises(NameError, match="'missing' is not defined") as raised:
        Builder(build, 2)
    assert raised.value.__context__ is None


def test_an_error_in_a_later_member_says_which():
    def build(i):
        if int(i) == 1:
            raise ValueError("no such file")
        return rd.from_function(lambda t, y, args: -y, np.ones(2))

    with pytest.raises(ValueError, match="no such file") as raised:
        Builder(build, 2)
    assert raised.value.__notes__ == ["(building the member np.int64(1) (int64))"]
