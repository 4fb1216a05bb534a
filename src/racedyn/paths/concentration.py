"""How unevenly pathways share a mode: measures of concentration of the strengths K_a, per mode.

All take `strength` (..., path, mode) and reduce the path axis; w_a = |K_a| / sum_b |K_b|. NaN where
every K_a is 0 or one is infinite; paths whose strength is NaN (padding) are left out. Arrays of JAX
give arrays of JAX, traced or not, in their own precision; all others NumPy's, in float64. A
strength without these two axes raises `ValueError`.

Every one of them is an observable of its own name in trainings and theories, `share` among them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_real
from racedyn._checks import fail
from racedyn._types import ArrayLike

SHARES = ("share", "largest_share", "participation", "entropy", "winner")


def shares(strength: ArrayLike) -> Any:
    """w_a = |K_a| / sum_b |K_b|, (..., path, mode).

    >>> rd.paths.shares([[3.0, 1.0], [1.0, 1.0]]).tolist()  # two paths, two modes
    [[0.75, 0.5], [0.25, 0.5]]
    """
    K, xp = _as_floats(strength)
    padding = xp.isnan(K)
    size = xp.where(padding, 0.0, xp.abs(K))
    largest = xp.max(size, axis=-2, keepdims=True)
    known = (largest > 0) & xp.isfinite(largest)
    # In units of the largest: a sum of numbers near 1e308 is not infinite.
    size = xp.where(known, size, 1.0) / xp.where(known, largest, 1.0)
    w = size / xp.where(known, xp.sum(size, axis=-2, keepdims=True), 1.0)
    return xp.where(known & ~padding, w, xp.nan)


def largest_share(strength: ArrayLike) -> Any:
    """max_a w_a, (..., mode): 1 / M where M pathways share equally, 1 where one has all.

    >>> rd.paths.largest_share([[3.0, 1.0], [1.0, 1.0]]).tolist()  # two paths, two modes
    [0.75, 0.5]
    """
    return _of_shares(shares(strength))["largest_share"]


def participation(strength: ArrayLike) -> Any:
    """1 / sum_a w_a^2, (..., mode): 1 where one pathway has the mode, M where M share it
    equally.

        >>> rd.paths.participation([[3.0, 1.0], [1.0, 1.0]]).tolist()  # two paths, two modes
        [1.6, 2.0]
    """
    return _of_shares(shares(strength))["participation"]


def entropy(strength: ArrayLike) -> Any:
    """-sum_a w_a ln w_a, (..., mode): 0 where one pathway has the mode, ln M where M share it
    equally.

        >>> rd.paths.entropy([[1.0, 1.0], [0.0, 1.0]]).round(3).tolist()  # two paths, two modes
        [0.0, 0.693]
    """
    return _of_shares(shares(strength))["entropy"]


def winner(strength: ArrayLike) -> Any:
    """argmax_a w_a, (..., mode): the number of the path with the largest share, the first of equal
    ones.

    A float, as it is NaN where no path has a share: a file and its readers have one kind of missing
    number.

        >>> rd.paths.winner([[3.0, 1.0, 0.0], [1.0, -2.0, 0.0]]).tolist()  # two paths, three modes
        [0.0, 1.0, nan]
    """
    return _of_shares(shares(strength))["winner"]


def observe_shares(strength: ArrayLike) -> dict[str, Any]:
    """All five of them, by their names in the table of observables."""
    w = shares(strength)
    return {"share": w, **_of_shares(w)}


def _of_shares(w: Any) -> dict[str, Any]:
    """What shares (..., path, mode) tell of each mode; what is not used is not computed in jit."""
    xp = jnp if isinstance(w, jax.Array) else np
    none = xp.isnan(w).all(axis=-2)
    w = xp.where(xp.isnan(w), 0.0, w)
    terms = w * xp.log(xp.where(w > 0, w, 1.0))
    found = {
        "largest_share": xp.max(w, axis=-2),
        "participation": 1 / xp.where(none, 1.0, xp.sum(w**2, axis=-2)),
        "entropy": xp.abs(xp.sum(terms, axis=-2)),  # of numbers below 0; never -0
        "winner": xp.argmax(w, axis=-2).astype(w.dtype),
    }
    return {name: xp.where(none, xp.nan, value) for name, value in found.items()}


def _as_floats(strength: ArrayLike) -> tuple[Any, Any]:
    """Strengths as real numbers with a fraction, and the NumPy in which they are computed with."""
    K = as_real("strength", strength)
    if K.ndim < 2:
        fail("strength", "have axes (..., path, mode)", f"its shape is {K.shape}")
    if not isinstance(K, jax.Array):
        return np.asarray(K, dtype=np.float64), np
    return (K if jnp.issubdtype(K.dtype, jnp.floating) else K.astype(float)), jnp
