"""A system whose state is taken apart into numbers: what a solver keeps of many lanes are then
flat arrays.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from racedyn._types import Array, ArrayLike, PyTree


class Apart(eqx.Module):
    """The same system, its state a tuple of numbers; `together` puts them back in their places."""

    system: Any

    def y0(self) -> tuple[Array, ...]:
        return self._apart(self.system.y0())

    def at(self, y: tuple[Array, ...]) -> "Apart":
        return Apart(self.system.at(self.together(y)))

    def jumps(self) -> ArrayLike | None:
        return self.system.jumps()

    def step(self) -> Array | None:
        return self.system.step()

    def pieces(self) -> tuple[Sequence[Any], Array] | None:
        pieces = self.system.pieces()
        return None if pieces is None else ([Apart(piece) for piece in pieces[0]], pieces[1])

    def _apart(self, y: PyTree) -> tuple[Array, ...]:
        return tuple(number for leaf in jax.tree.leaves(y) for number in leaf.ravel())

    def together(self, numbers: tuple[Array, ...]) -> PyTree:
        shape, left = jax.eval_shape(self.system.y0), list(numbers)
        leaves, kind = jax.tree.flatten(shape)
        made = [
            jnp.stack([left.pop(0) for _ in range(leaf.size)]).reshape(leaf.shape)
            for leaf in leaves
        ]
        return jax.tree.unflatten(kind, made)

    def vector_field(self, t: Array, y: tuple[Array, ...], args: Any) -> tuple[Array, ...]:
        return self._apart(self.system.vector_field(t, self.together(y), args))

    def settled(self, t: Array, y: tuple[Array, ...], tolerance: ArrayLike) -> Array:
        return self.system.settled(t, self.together(y), tolerance)

    def amplification(self) -> ArrayLike:
        return self.system.amplification()

    def mixing(self) -> ArrayLike:
        return self.system.mixing()

    def magnitudes(self, y: tuple[Array, ...]) -> tuple[Array, ...]:
        sizes, whole = self.system.magnitudes(self.together(y)), self.together(y)
        return self._apart(
            jax.tree.map(lambda size, leaf: jnp.broadcast_to(size, leaf.shape), sizes, whole)
        )
