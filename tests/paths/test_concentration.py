"""Measures of concentration: their extremes, their invariances, padding and failures."""

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from racedyn.paths.concentration import (
    entropy,
    largest_share,
    observe_shares,
    participation,
    shares,
    winner,
)

STRENGTHS = hnp.arrays(
    float, (3, 4), elements=st.floats(-5, 5).filter(lambda K: K == 0 or abs(K) > 1e-3)
)

compiled = jax.jit(observe_shares)


def test_one_pathway_and_all_alike():
    alone, alike = np.array([[0.0], [-2.0], [0.0]]), np.array([[1.5], [-1.5], [1.5]])
    assert (participation(alone), largest_share(alone), entropy(alone)) == (1, 1, 0)
    assert participation(alike)[0] == pytest.approx(3) and largest_share(alike)[0] == pytest.approx(
        1 / 3
    )
    assert entropy(alike)[0] == pytest.approx(np.log(3))
    # Two to one: w = (2/3, 1/3).
    assert participation([[2.0], [1.0]])[0] == pytest.approx(9 / 5)


@given(STRENGTHS, st.permutations(range(3)), st.floats(0.1, 10))
def test_neither_order_nor_sign_nor_scale_matters(strength, order, scale):
    for measure in (participation, largest_share, entropy):
        np.testing.assert_allclose(
            measure(-scale * strength[list(order)]), measure(strength), rtol=1e-9, atol=1e-12
        )


@given(STRENGTHS)
def test_bounds(strength):
    known = np.abs(strength).sum(axis=0) > 0
    assert (
        np.isnan(participation(strength)[~known]).all()
        and np.isnan(entropy(strength)[~known]).all()
    )
    assert np.isnan(largest_share(strength)[~known]).all()
    ratio, share, disorder = (
        measure(strength)[known] for measure in (participation, largest_share, entropy)
    )
    assert np.all((ratio >= 1 - 1e-12) & (ratio <= 3 + 1e-12)) and np.all(share >= 1 / 3 - 1e-12)
    # The participation ratio lies between the inverse of the largest share and e^entropy (Renyi
    # entropies fall).
    assert np.all(ratio >= 1 / share - 1e-9) and np.all(ratio <= np.exp(disorder) + 1e-9)


def test_padding_is_left_out_and_time_stays():
    strength = np.array([[[2.0, np.nan], [1.0, np.nan]], [[1.0, 1.0], [0.0, np.nan]]])
    np.testing.assert_allclose(participation(strength), [[9 / 5, np.nan], [1, 1]])
    assert shares(strength).shape == strength.shape


def test_the_winner_is_the_largest_in_size_and_nobody_without_strength():
    strength = [[1.0, 0.0, np.nan, 2.0, np.inf], [-3.0, 0.0, np.nan, -2.0, 1.0]]
    np.testing.assert_array_equal(winner(strength), [1, np.nan, np.nan, 0, np.nan])
    for measure in (participation, largest_share, entropy):
        np.testing.assert_array_equal(np.isnan(measure(strength)), [False, True, True, False, True])


@given(st.floats(-300, 300), st.integers(1, 6))
def test_any_scale_of_numbers_has_the_same_shares(decade, count):
    strength = np.arange(1.0, 1 + count)[:, None]
    scaled = strength * 10.0**decade
    for measure in (participation, largest_share, entropy, winner):
        np.testing.assert_allclose(measure(scaled), measure(strength), rtol=1e-12)


def test_the_largest_numbers_have_a_sum():
    np.testing.assert_array_equal(shares([[1.5e308], [1.5e308], [0.0]])[:, 0], [0.5, 0.5, 0.0])


@given(STRENGTHS)
def test_traced_arrays_have_the_numbers_of_numpy(strength):
    strength[0, 0] = np.nan
    traced = compiled(strength)
    for name, expected in observe_shares(strength).items():
        assert isinstance(expected, np.ndarray) and traced[name].dtype == jnp.float64
        np.testing.assert_allclose(traced[name], expected, rtol=1e-13, atol=1e-15, err_msg=name)


def test_arrays_of_jax_stay_what_they_are():
    for dtype, kept in ((jnp.float32, jnp.float32), (jnp.int32, jnp.float64)):
        found = participation(jnp.ones((2, 1), dtype))
        assert isinstance(found, jax.Array) and found.dtype == kept and found[0] == 2
    # A derivative: of 1 / sum w^2 at (1, 1) it is 0, of the share of the first 1/4.
    assert jax.grad(lambda K: shares(K)[0, 0])(jnp.ones((2, 1)))[0, 0] == 0.25


@pytest.mark.parametrize("of_shares", [shares, participation, winner])
def test_a_strength_without_paths_is_refused(of_shares):
    with pytest.raises(ValueError, match=r"`strength` must have axes .* shape is \(3,\)"):
        of_shares([1.0, 2.0, 3.0])
