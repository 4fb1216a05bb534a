"""Activations of units: what a node, or an edge before the sum, does to what it is given."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from racedyn._types import Array

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda h: h,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
}
"""Name -> function of each entry. A configuration knows the same names (`config`, without JAX)."""
