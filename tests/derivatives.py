"""Derivatives of a scalar function of arrays against finite differences of fourth order."""

import jax
import numpy as np
import pytest


def assert_derivatives(measure, given, rel, h=1e-4):
    """Reverse mode = forward mode = difference quotients, entry by entry of the arrays `given`."""
    which = tuple(range(len(given)))
    reverse, forward = jax.grad(measure, which)(*given), jax.jacfwd(measure, which)(*given)
    for number, (back, ahead) in enumerate(zip(reverse, forward, strict=True)):
        np.testing.assert_allclose(back, ahead, rtol=1e-9, atol=1e-12)
        for place in np.ndindex(back.shape):
            near, far = (
                [
                    float(
                        measure(
                            *(
                                x.at[place].add(step) if k == number else x
                                for k, x in enumerate(given)
                            )
                        )
                    )
                    for step in (size, -size)
                ]
                for size in (h, 2 * h)
            )
            slope = (8 * (near[0] - near[1]) - (far[0] - far[1])) / (12 * h)
            assert float(back[place]) == pytest.approx(slope, rel=rel, abs=1e-8)
