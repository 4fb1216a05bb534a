"""How unevenly pathways share a mode: measures of concentration of the strengths K_a, per mode.

All take `strength` (..., path, mode) and reduce the path axis; w_a = |K_a| / sum_b |K_b|. NaN where
every K_a is 0; paths whose strength is NaN (padding) are left out."""

import numpy as np

from racedyn._arrays import as_real
from racedyn._types import ArrayLike


def shares(strength: ArrayLike) -> np.ndarray:
    """w_a, (..., path, mode).

    >>> rd.paths.shares([[3.0, 1.0], [1.0, 1.0]]).tolist()  # two paths, two modes
    [[0.75, 0.5], [0.25, 0.5]]
    """
    size = np.abs(np.asarray(as_real("strength", strength), dtype=np.float64))
    total = np.nansum(size, axis=-2, keepdims=True)
    return np.divide(size, total, out=np.full_like(size, np.nan), where=total > 0)


def largest_share(strength: ArrayLike) -> np.ndarray:
    """max_a w_a, (..., mode): 1 / M where M pathways share equally, 1 where one has all.

    >>> rd.paths.largest_share([[3.0, 1.0], [1.0, 1.0]]).tolist()  # two paths, two modes
    [0.75, 0.5]
    """
    w = shares(strength)
    return np.where(np.isnan(w).all(axis=-2), np.nan, np.max(np.nan_to_num(w), axis=-2))


def participation(strength: ArrayLike) -> np.ndarray:
    """1 / sum_a w_a^2, (..., mode): 1 where one pathway has the mode, M where M share it
    equally.

        >>> rd.paths.participation([[3.0, 1.0], [1.0, 1.0]]).tolist()  # two paths, two modes
        [1.6, 2.0]
    """
    w = shares(strength)
    total = np.nansum(w**2, axis=-2)
    return np.divide(1.0, total, out=np.full_like(total, np.nan), where=total > 0)


def entropy(strength: ArrayLike) -> np.ndarray:
    """-sum_a w_a ln w_a, (..., mode): 0 where one pathway has the mode, ln M where M share it
    equally.

        >>> rd.paths.entropy([[1.0, 1.0], [0.0, 1.0]]).round(3).tolist()  # two paths, two modes
        [0.0, 0.693]
    """
    w = shares(strength)
    terms = np.where(w > 0, -w * np.log(np.where(w > 0, w, 1.0)), 0.0)
    return np.where(np.isnan(w).all(axis=-2), np.nan, np.nansum(terms, axis=-2))
