"""Times as every function takes them, and checksums of what was given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from racedyn._arrays import check_times
from racedyn._outside import checksum


@pytest.mark.parametrize(
    ("ts", "t0", "in_order", "message"),
    [
        (1.0, 0.0, True, r"be a vector of finite times, but its shape is \(\)"),
        (np.ones((2, 2)), 0.0, False, r"be a vector of times, but its shape is \(2, 2\)"),
        ([], 0.0, False, r"be a vector of times, but its shape is \(0,\)"),
        ([0.0, np.inf], 0.0, True, "be a vector of finite times, but 1 of them are not finite"),
        ([0.0, np.nan], 0.0, False, "be a vector of times, but 1 of them are not numbers"),
        ([0.0, 2.0, 1.0], 0.0, True, "rise, but after 2 comes 1. Sort them"),
        (
            [0.0, 1.0],
            0.5,
            True,
            "start at t0 = 0.5 or later and end after it, but they go from 0 to 1",
        ),
        ([1.0], 1.0, True, "start at t0 = 1 or later and end after it"),
        (
            [2.0, 0.25],
            0.5,
            False,
            "be of at least 0.5, where the start is, but its smallest is 0.25",
        ),
        ("soon", 0.0, True, "be an array of numbers"),
    ],
)
def test_times_that_mean_nothing(ts, t0, in_order, message):
    with pytest.raises((ValueError, TypeError), match=f"Argument `ts` must {message}"):
        check_times(ts, t0, in_order=in_order)


def test_times_that_do():
    np.testing.assert_array_equal(check_times((0, 1, 1, 2)), [0, 1, 1, 2])
    np.testing.assert_array_equal(
        check_times([3.0, 1.0, np.inf], 1.0, in_order=False), [3, 1, np.inf]
    )
    traced = jax.jit(lambda ts, t0: check_times(ts, 0.0) + check_times(jnp.array([1.0, 2.0]), t0))
    np.testing.assert_array_equal(traced(jnp.array([-1.0, -2.0]), 5.0), [0, 0])


def test_a_checksum_tells_what_was_given():
    given = {"a": np.arange(3.0), "b": [1.0, "text"], "key": jax.random.key(0)}
    assert checksum(given) == checksum({**given, "a": jnp.arange(3.0)}), (
        "of values, whoever holds them"
    )
    for name, other in (
        ("a", np.arange(3.0) + 1e-15),
        ("b", [1.0, "texts"]),
        ("key", jax.random.key(1)),
    ):
        assert checksum({**given, name: other}) != checksum(given), name
