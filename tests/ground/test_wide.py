"""Functions that choose how they are compiled still work inside others, which JAX refuses by
itself.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from racedyn._jit import wide_jit
from racedyn.exact import converged

HERE = np.array([0.5, 1.5])


@wide_jit(static_argnums=1)
def scaled(x: jax.Array, times: int) -> jax.Array:
    return times * jnp.sin(x)


@pytest.mark.parametrize(
    "use",
    [
        lambda x: scaled(x, 3),
        jax.jit(lambda x: scaled(x, 3)),
        jax.vmap(lambda x: scaled(x, 3)),
        jax.jit(lambda x: scaled(HERE, 3) + 0 * x),
        lambda x: jax.lax.map(lambda x: scaled(x, 3), x),
        jax.vmap(jax.jit(lambda x: scaled(x, 3))),
        lambda x: jax.jvp(lambda x: scaled(x, 3), (x,), (x,))[0],
    ],
)
def test_a_wide_function_is_the_same_alone_and_inside_others(use):
    np.testing.assert_allclose(use(HERE), 3 * np.sin(HERE), rtol=1e-15)


def test_a_wide_function_has_derivatives():
    np.testing.assert_allclose(
        jax.grad(lambda x: scaled(x, 2).sum())(HERE), 2 * np.cos(HERE), rtol=1e-15
    )


@pytest.mark.slow
def test_ends_inside_another_jitted_function_are_those_outside():
    given = np.array([2.0, 1.0]), (3, 4), 0.3, np.array([[0.2, 0.1], [0.1, 0.2]])
    inside = jax.jit(lambda S, q, p: converged(S, (3, 4), q, p).strength)(given[0], *given[2:])
    np.testing.assert_allclose(inside, converged(*given).strength, rtol=1e-14)
