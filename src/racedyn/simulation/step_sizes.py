"""Step sizes by relative errors: each part of a state is judged against its own size, however small
beside the others.
"""

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp

from racedyn._types import Array, PyTree
from racedyn.simulation.rounding import Rounding, nothing_known, sampled

COARSEST_TOLERANCE = 0.1  # from there on an error as large as the state passes for none
NOISE = 100.0
"""Times rounding's change of dy/dt over a step: an error up to that is noise. Not derived but
tried, at the NUDGE of 4: weights in modes' coordinates (`tests/simulation/test_step_sizes.py`)
still end with 30, and no longer with 10. Of a part that moves by itself it hides at most 400
roundings a step, and only where a step doesn't resolve the part, or two steps in a row failed."""


def finest_tolerance(dtype: Any) -> float:
    """The smallest relative tolerance that rounding lets a solver keep."""
    return 10 * float(jnp.finfo(dtype).eps)


class RelativeSteps(dfx.AbstractAdaptiveStepSizeController[Any, Any]):
    """A PID controller whose error of an entry is at most `atol` + `rtol` times its size, summed
    over both ends of a step.

    The size is `magnitudes` of the state (as the state, or broadcasting to it). At both ends, so
    that zeros may be crossed; of nothing before, so that what shrinks is known relative to what is
    left of it.

    An error of no more than what rounding makes of dy/dt is none: no step is short enough for it.

    **Arguments:** `rtol`; `atol`, absolute, None for none at all; `system`: its `magnitudes` and
    `vector_field`; `y0`."""

    rtol: Array
    atol: (
        Array  # only what diffrax's root finders take it for: where an implicit solve has converged
    )
    norm: Callable[[PyTree], Array] = eqx.field(static=True)
    floor: Array
    system: Any

    def __init__(self, rtol: Array, atol: Array | None, system: Any, y0: PyTree):
        self.rtol, self.norm, self.system = rtol, _largest_mean, _still(system)
        self.floor = jnp.zeros_like(rtol) if atol is None else atol
        sizes = [
            jnp.where(size > 0, size, jnp.inf)
            for size in jax.tree.leaves(self.system.magnitudes(y0))
        ]
        smallest = reduce(jnp.minimum, [jnp.min(size) for size in sizes]).astype(rtol.dtype)
        self.atol = rtol * jnp.where(jnp.isfinite(smallest), smallest, 1) if atol is None else atol

    def wrap(self, direction: Any) -> "RelativeSteps":
        return self

    def init(
        self,
        terms: Any,
        t0: Any,
        t1: Any,
        y0: PyTree,
        dt0: Any,
        args: Any,
        func: Any,
        error_order: Any,
    ) -> tuple[Any, Any]:
        sizes = self.system.magnitudes(y0)
        largest = _largest(sizes)
        # The first step is chosen in units of each entry's size; what is zero has none yet.
        units = jax.tree.map(
            lambda size: jnp.where(size > 0, size, jnp.where(largest > 0, largest, 1)), sizes
        )

        def field(terms: Any, t: Any, y: PyTree, args: Any) -> PyTree:
            dy = func(terms, t, jax.tree.map(jnp.multiply, y, units), args)
            return jax.tree.map(jnp.divide, dy, units)

        pid = dfx.PIDController(rtol=self.rtol, atol=self.rtol)
        y0 = jax.tree.map(jnp.divide, y0, units)
        first, state = pid.init(terms, t0, t1, y0, dt0, args, field, error_order)
        return first, (state, nothing_known(y0), jnp.array(False))

    def adapt_step_size(
        self,
        t0: Any,
        t1: Any,
        y0: PyTree,
        y1_candidate: PyTree,
        args: Any,
        y_error: Any,
        error_order: Any,
        state: Any,
    ) -> Any:
        y0, y1, errors = jax.lax.stop_gradient((y0, y1_candidate, y_error))
        sizes = jax.tree.map(jnp.add, self.system.magnitudes(y0), self.system.magnitudes(y1))
        allowed = jax.tree.map(lambda size: self.floor + self.rtol * size, sizes)
        pid_state, known, shortened = state

        def unresolved(start: Array, end: Array, error: Array, allowed: Array) -> Array:
            """Too large, and no more surely the part's own motion than noise is: next to what the
            part has moved, or as a step that was shortened has not mended it.
            """
            error = jnp.abs(error)
            by_far = error > jnp.sqrt(self.rtol) * jnp.abs(end - start)
            return (error > allowed) & (by_far | shortened)

        suspects = jax.tree.map(unresolved, y0, y1, errors, allowed)
        rounding = self._rounding(suspects, t0, y0, args, known)
        noise = jax.tree.map(lambda change: NOISE * (t1 - t0) * change, rounding.change)

        def relative(error: Array, allowed: Array, suspect: Array, noise: Array) -> Array:
            error = jnp.abs(error)
            return error / jnp.where((suspect & (error <= noise)) | (error == 0), jnp.inf, allowed)

        error = _largest_mean(jax.tree.map(relative, errors, allowed, suspects, noise))
        error = jnp.where(jnp.isfinite(error) & jnp.isfinite(_largest(sizes)), error, jnp.inf)
        pid = dfx.PIDController(rtol=1.0, atol=0.0, norm=jnp.abs)
        one = jnp.ones_like(error)
        *step, pid_state, result = pid.adapt_step_size(
            t0, t1, one, one, args, error, error_order, pid_state
        )
        accepted, *_ = step
        return *step, (pid_state, rounding, jnp.logical_not(accepted)), result

    def _rounding(
        self, suspects: PyTree, t: Any, y: PyTree, args: Any, known: Rounding
    ) -> Rounding:
        """Of a lane that has suspects, sampled; of others nothing. Where no lane has any, the field
        is not evaluated.
        """
        own = reduce(jnp.logical_or, [jnp.any(leaf) for leaf in jax.tree.leaves(suspects)])

        def sample() -> Rounding:
            new = sampled(self.system.vector_field, t, y, _still(args), known)
            return jax.tree.map(lambda value: jnp.where(own, value, jnp.zeros_like(value)), new)

        return jax.lax.cond(_any_lane(own), sample, lambda: nothing_known(y))


@jax.custom_batching.custom_vmap
def _any_lane(own: Array) -> Array:
    """Whether any of the lanes that are stepped together: one truth for all, so that `vmap` leaves
    a branch on it a branch.
    """
    return own


@_any_lane.def_vmap
def _(axis_size: int, is_batched: list[bool], own: Array) -> tuple[Array, bool]:
    return _any_lane(jnp.any(own)), False


def _still(tree: PyTree) -> PyTree:
    """The same without derivatives, which steps have none of."""
    arrays, rest = eqx.partition(tree, eqx.is_inexact_array)
    return eqx.combine(jax.lax.stop_gradient(arrays), rest)


def _largest(sizes: PyTree) -> Array:
    return _maximum(jnp.max(leaf) for leaf in jax.tree.leaves(sizes))


def _largest_mean(tree: PyTree) -> Array:
    """The largest root mean square of a vector or a matrix of the tree: none is lost among larger
    ones.
    """
    return _maximum(_mean(leaf) for leaf in jax.tree.leaves(tree))


def _maximum(numbers: Iterable[Array]) -> Array:
    """One after the other: of flat lanes this is arithmetic on whole registers, where stacking them
    would move memory.
    """
    return reduce(jnp.maximum, numbers)


def _mean(leaf: Array) -> Array:
    if leaf.ndim == 0:
        return jnp.abs(leaf)
    return jnp.max(jnp.sqrt(jnp.mean(leaf**2, axis=tuple(range(-min(leaf.ndim, 2), 0)))))
