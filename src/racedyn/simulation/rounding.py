"""How far rounding moves dy/dt, sampled: what tells an error that shorter steps would resolve from
one that none would.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._types import Array, PyTree

NUDGE = 4.0  # times the relative spacing of numbers: enough to round anew all that a field computes
# Multiples of it, less their whole parts, are spread evenly and never repeat
GOLDEN_RATIO = 0.6180339887498949


class Rounding(NamedTuple):
    """What is known of it: `change` (as y), the largest change of dy/dt seen of late, and the
    number of samples so far.
    """

    change: PyTree
    samples: Array


def nothing_known(y: PyTree) -> Rounding:
    """Before the first sample."""
    return Rounding(jax.tree.map(jnp.zeros_like, y), jnp.array(0))


def sampled(
    field: Callable[..., PyTree], t: Array, y: PyTree, args: Any, known: Rounding
) -> Rounding:
    """One sample more: dy/dt again, at entries that are each off by some of their last digits.

    A single one may be 0 by chance, as differences of last digits are few; so older ones count too,
    each half of the next."""

    leaves, kind = jax.tree.flatten(y)
    nudges, entry = [], 1
    for leaf in leaves:
        turns = GOLDEN_RATIO * np.arange(entry, entry + leaf.size).reshape(leaf.shape) % 1
        step = 2 * (jnp.asarray(turns, leaf.dtype) * (known.samples + 1).astype(leaf.dtype) % 1) - 1
        nudges.append(NUDGE * float(jnp.finfo(leaf.dtype).eps) * step * leaf)
        entry += leaf.size

    def moved(by: Array) -> PyTree:
        return field(
            t,
            jax.tree.unflatten(
                kind,
                [
                    leaf + by.astype(leaf.dtype) * nudge
                    for leaf, nudge in zip(leaves, nudges, strict=True)
                ],
            ),
            args,
        )

    fields = jax.lax.map(
        moved, jnp.array([0.0, 1.0], leaves[0].dtype)
    )  # so that it is compiled once
    change = jax.tree.map(
        lambda dy, old: jnp.maximum(jnp.abs(dy[1] - dy[0]), old / 2), fields, known.change
    )
    return Rounding(change, known.samples + 1)
