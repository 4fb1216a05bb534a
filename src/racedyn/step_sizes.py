"""Step sizes by relative errors: each part of a state is judged against its own size, however small beside the others."""

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp

from racedyn._types import Array, PyTree

COARSEST_TOLERANCE = 0.1  # from there on an error as large as the state passes for none


def finest_tolerance(dtype: Any) -> float:
    """The smallest relative tolerance that rounding lets a solver keep."""
    return 10 * float(jnp.finfo(dtype).eps)


class RelativeSteps(dfx.AbstractAdaptiveStepSizeController[Any, Any]):
    """A PID controller whose error of an entry is at most `atol` + `rtol` times its size, summed over both ends of a step.

    The size is `magnitudes` of the state (as the state, or broadcasting to it). At both ends, so that zeros may be crossed; of
    nothing before, so that what shrinks is known relative to what is left of it.

    **Arguments:** `rtol`; `atol`, absolute, None for none at all; `magnitudes`: of `AbstractSystem`; `y0`.
    """

    rtol: Array
    atol: Array  # only what diffrax's root finders take it for: where an implicit solve has converged
    norm: Callable[[PyTree], Array] = eqx.field(static=True)
    floor: Array
    magnitudes: Callable[[PyTree], PyTree]

    def __init__(self, rtol: Array, atol: Array | None, magnitudes: Callable[[PyTree], PyTree], y0: PyTree):
        self.rtol, self.norm = rtol, _largest_mean
        self.floor = jnp.zeros_like(rtol) if atol is None else atol
        sizes = [jnp.where(size > 0, size, jnp.inf) for size in jax.tree.leaves(magnitudes(y0))]
        smallest = reduce(jnp.minimum, [jnp.min(size) for size in sizes]).astype(rtol.dtype)
        self.atol = rtol * jnp.where(jnp.isfinite(smallest), smallest, 1) if atol is None else atol
        self.magnitudes = magnitudes

    def wrap(self, direction: Any) -> "RelativeSteps":
        return self

    def init(
        self, terms: Any, t0: Any, t1: Any, y0: PyTree, dt0: Any, args: Any, func: Any, error_order: Any
    ) -> tuple[Any, Any]:
        sizes = self.magnitudes(y0)
        largest = _largest(sizes)
        # The first step is chosen in units of each entry's size; what is zero has none yet.
        units = jax.tree.map(lambda size: jnp.where(size > 0, size, jnp.where(largest > 0, largest, 1)), sizes)

        def field(terms: Any, t: Any, y: PyTree, args: Any) -> PyTree:
            dy = func(terms, t, jax.tree.map(jnp.multiply, y, units), args)
            return jax.tree.map(jnp.divide, dy, units)

        pid = dfx.PIDController(rtol=self.rtol, atol=self.rtol)
        y0 = jax.tree.map(jnp.divide, y0, units)
        first, state = pid.init(terms, t0, t1, y0, dt0, args, field, error_order)
        return first, state

    def adapt_step_size(
        self, t0: Any, t1: Any, y0: PyTree, y1_candidate: PyTree, args: Any, y_error: Any, error_order: Any, state: Any
    ) -> Any:
        y0, y1, errors = jax.lax.stop_gradient((y0, y1_candidate, y_error))
        sizes = jax.tree.map(jnp.add, self.magnitudes(y0), self.magnitudes(y1))
        largest = _largest(sizes)
        rounding = finest_tolerance(self.rtol.dtype) * largest

        def relative(size: Array, start: Array, end: Array, error: Array) -> Array:
            error, change = jnp.abs(error), jnp.abs(end - start)
            # What moves by less than the rounding of the largest entry, and no more surely in short steps than in long
            # ones, is moved by rounding: no step is short enough for it.
            noise = (jnp.maximum(error, change) <= rounding) & (error > jnp.sqrt(self.rtol) * change)
            return error / jnp.where(noise | (error == 0), jnp.inf, self.floor + self.rtol * size)

        error = _largest_mean(jax.tree.map(relative, sizes, y0, y1, errors))
        error = jnp.where(jnp.isfinite(error) & jnp.isfinite(largest), error, jnp.inf)
        pid = dfx.PIDController(rtol=1.0, atol=0.0, norm=jnp.abs)
        one = jnp.ones_like(error)
        return pid.adapt_step_size(t0, t1, one, one, args, error, error_order, state)


def _largest(sizes: PyTree) -> Array:
    return _maximum(jnp.max(leaf) for leaf in jax.tree.leaves(sizes))


def _largest_mean(tree: PyTree) -> Array:
    """The largest root mean square of a vector or a matrix of the tree: none is lost among larger ones."""
    return _maximum(_mean(leaf) for leaf in jax.tree.leaves(tree))


def _maximum(numbers: Iterable[Array]) -> Array:
    """One after the other: of flat lanes this is arithmetic on whole registers, where stacking them would move memory."""
    return reduce(jnp.maximum, numbers)


def _mean(leaf: Array) -> Array:
    if leaf.ndim == 0:
        return jnp.abs(leaf)
    return jnp.max(jnp.sqrt(jnp.mean(leaf**2, axis=tuple(range(-min(leaf.ndim, 2), 0)))))
