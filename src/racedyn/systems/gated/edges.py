"""Strengths of edges, and of paths from those of their edges."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from racedyn._types import Array, Path


def path_products(strengths: Array, edges: Sequence[str], paths: Sequence[Path]) -> Array:
    """Products along paths, (path, mode), of the strengths (edge, mode) of `edges`."""
    number = {edge: i for i, edge in enumerate(edges)}
    # Shorter paths go on through a further edge of strength 1, so that all have one length.
    one = len(number)
    longest = max(map(len, paths))
    along = np.asarray(
        [[*(number[edge] for edge in path), *[one] * (longest - len(path))] for path in paths]
    )  # (path, step): numbers of edges
    padded = jnp.concatenate([strengths, jnp.ones_like(strengths[:1])])
    return jnp.prod(padded[along], axis=1)


def largest_values(matrix: Array, size: int) -> Array:
    """The `size` largest singular values, falling; NaN where there are fewer."""
    values = jnp.linalg.svd(matrix, compute_uv=False)[:size]
    return jnp.pad(values, (0, size - len(values)), constant_values=jnp.nan)
