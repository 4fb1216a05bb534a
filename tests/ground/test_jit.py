"""Functions that choose how they are compiled still work inside others, which JAX refuses by
itself.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from racedyn import _jit
from racedyn._jit import brief_jit, wide_jit
from racedyn.exact import converged

HERE = np.array([0.5, 1.5])


def three_sines(x: jax.Array, times: int) -> jax.Array:
    return times * jnp.sin(x)


KINDS = {
    "wide": wide_jit(static_argnums=1)(three_sines),
    "brief": brief_jit(static_argnums=1)(three_sines),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "use",
    [
        lambda f, x: f(x, 3),
        lambda f, x: jax.jit(lambda x: f(x, 3))(x),
        lambda f, x: jax.vmap(lambda x: f(x, 3))(x),
        lambda f, x: jax.jit(lambda x: f(HERE, 3) + 0 * x)(x),
        lambda f, x: jax.lax.map(lambda x: f(x, 3), x),
        lambda f, x: jax.vmap(jax.jit(lambda x: f(x, 3)))(x),
        lambda f, x: jax.jvp(lambda x: f(x, 3), (x,), (x,))[0],
    ],
)
def test_a_function_is_the_same_alone_and_inside_others(use, kind):
    np.testing.assert_allclose(use(KINDS[kind], HERE), 3 * np.sin(HERE), rtol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_has_derivatives(kind):
    np.testing.assert_allclose(
        jax.grad(lambda x: KINDS[kind](x, 2).sum())(HERE), 2 * np.cos(HERE), rtol=1e-15
    )


def test_an_option_that_xla_no_longer_knows_is_left_out(monkeypatch):
    monkeypatch.setattr(_jit, "_BRIEF", {"xla_of_another_year": 1})
    _jit._known_brief.cache_clear()
    try:
        assert brief_jit()(jnp.cos)(0.0) == 1.0
    finally:
        _jit._known_brief.cache_clear()


@pytest.mark.slow
def test_ends_inside_another_jitted_function_are_those_outside():
    given = np.array([2.0, 1.0]), (3, 4), 0.3, np.array([[0.2, 0.1], [0.1, 0.2]])
    inside = jax.jit(lambda S, q, p: converged(S, (3, 4), q, p).strength)(given[0], *given[2:])
    np.testing.assert_allclose(inside, converged(*given).strength, rtol=1e-14)
