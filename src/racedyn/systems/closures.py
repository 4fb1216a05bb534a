"""What functions of a user's carry beside their arguments: values that they close over, which no pytree shows."""

import functools
import types
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._types import PyTree
from racedyn.systems.base import FunctionSystem


def with_own_arrays(system: PyTree, args: Any) -> PyTree:
    """The same, but what its plain functions close over while JAX traces are arrays of its own, of which a stack can be made.

    `args`: what they are given beside time and state.
    """

    def own(part: Any) -> Any:
        if not isinstance(part, FunctionSystem):
            return part
        time = jnp.zeros((), jnp.result_type(*jax.tree.leaves(part.initial)))
        function = eqx.filter_closure_convert(part.function, time, part.initial, args)
        return eqx.tree_at(lambda system: system.function, part, function)

    return jax.tree.map(own, system, is_leaf=lambda part: isinstance(part, FunctionSystem))


def same_constant(one: Any, other: Any) -> bool:
    """Whether two values that are compiled into a solve mean the same: functions of the same code that close over the same."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    match one:
        case types.FunctionType():
            parts = [_parts_of(function) for function in (one, other)]
            return one.__code__ == other.__code__ and same_constant(*parts)
        case types.MethodType():
            return same_constant((one.__func__, one.__self__), (other.__func__, other.__self__))
        case functools.partial():
            return same_constant((one.func, one.args, one.keywords), (other.func, other.args, other.keywords))
        case tuple() | list():
            return len(one) == len(other) and all(map(same_constant, one, other))
        case dict():
            return one.keys() == other.keys() and all(same_constant(one[key], other[key]) for key in one)
        case np.ndarray() | jax.Array():
            return one.shape == other.shape and bool(np.all(np.asarray(one) == np.asarray(other)))
        case eqx.Module():
            return bool(eqx.tree_equal(one, other))
    return bool(one == other)


def _parts_of(function: types.FunctionType) -> tuple[Any, ...]:
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return cells, function.__defaults__, function.__kwdefaults__
