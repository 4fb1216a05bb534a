"""Functions of a user's as parts of a stack: what they close over while JAX traces, which no pytree
shows, as arrays.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from racedyn._types import PyTree
from racedyn.systems.functions import FunctionSystem


def with_own_arrays(system: PyTree, args: Any) -> PyTree:
    """The same, but what its plain functions close over, or have as defaults, is theirs as arrays,
    if JAX traces it.

    `args`: what they are given beside time and state.
    """

    def own(part: Any) -> Any:
        if not isinstance(part, FunctionSystem):
            return part
        time = jnp.zeros((), jnp.result_type(*jax.tree.leaves(part.initial)))
        # Equinox looks into functions with a closure only.
        function = eqx.filter_closure_convert(
            lambda t, y, args: part.function(t, y, args), time, part.initial, args
        )
        return eqx.tree_at(lambda system: system.function, part, function)

    return jax.tree.map(own, system, is_leaf=lambda part: isinstance(part, FunctionSystem))
