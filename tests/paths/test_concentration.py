"""Measures of concentration: their extremes, their invariances, padding and failures."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from racedyn.paths.concentration import entropy, largest_share, participation, shares

STRENGTHS = hnp.arrays(
    float, (3, 4), elements=st.floats(-5, 5).filter(lambda K: K == 0 or abs(K) > 1e-3)
)


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
