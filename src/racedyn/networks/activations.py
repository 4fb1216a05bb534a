"""Activations of units: what a node, or an edge before the sum, does to what it is given."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from racedyn._types import Array

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda h: h,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
}
"""Name -> function of each entry. `config.Activation` has the same names: it knows no JAX."""


@functools.cache
def is_silent(kind: str) -> bool:
    """Whether units of this kind that get nothing give nothing: f(0) = 0."""
    with jax.ensure_compile_time_eval():
        return float(ACTIVATIONS[kind](jnp.zeros(()))) == 0.0
