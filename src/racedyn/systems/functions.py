"""Systems made from a plain function."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_real, check_finite
from racedyn._checks import check_callable, fail, shown
from racedyn._types import Array, PyTree
from racedyn.systems.base import AbstractSystem


class FunctionSystem(AbstractSystem):
    """A system made from a plain function; see `from_function`."""

    function: Callable[[Array, PyTree, Any], PyTree]
    initial: PyTree

    def y0(self) -> PyTree:
        return self.initial

    def vector_field(self, t: Array, y: PyTree, args: Any) -> PyTree:
        return self.function(t, y, args)


def from_function(function: Callable[[Array, PyTree, Any], PyTree], y0: PyTree) -> AbstractSystem:
    """The system dy/dt = function(t, y, args) from `y0`: numbers (one array), or a tuple or dict of
    arrays.

        >>> system = rd.from_function(lambda t, y, args: -y, y0=1.0)
        >>> run = rd.simulate(system, ts=[0.0, 1.0])
        >>> run["y"].round(3).tolist()  # 1, 1 / e
        [1.0, 0.368]
    """
    check_callable("function", function, "be a function (t, y, args) -> dy/dt", "t", "y", "args")
    initial = y0 if isinstance(y0, tuple | dict) else jnp.asarray(as_real("y0", y0), float)
    start = jax.tree.map(lambda leaf: jnp.asarray(as_real("y0", leaf), float), initial)
    if not jax.tree.leaves(start) or any(leaf.size == 0 for leaf in jax.tree.leaves(start)):
        fail(
            "y0",
            "hold at least one number in each part",
            f"it is {shown(y0)}",
            "For example jnp.ones(3).",
        )
    for leaf in jax.tree.leaves(start):
        if not isinstance(leaf, jax.core.Tracer):
            check_finite("y0", np.asarray(leaf))
    return FunctionSystem(function, start)
