"""Orthogonal maps of a domain's coordinates: domains that are alike but for such a map.

A map is kept as it is cheapest to apply: a permutation as its indices, any other as its matrix.
"""

import math
from typing import Any

import numpy as np

from racedyn._arrays import as_real, check_finite, read_only
from racedyn._checks import check_name, check_positive_int, fail, shown
from racedyn.tasks.builders import generator_of, random_frame

KINDS = ("permutation", "rotation", "turn")
TURNS = 4
# Matrices worked out in float64 are orthogonal to about 1e-15 times their size, those rounded to
# float32 to 1e-7: these are refused, as what is exact for orthogonal maps would be off by as much.
ROUNDING = 1e-8


def transforms(kind: str, count: int, size: int, *, key: Any = None) -> np.ndarray:
    """Orthogonal maps x' = T x of a domain of `size` coordinates, `count` of them.

    **Arguments:**

    - `kind`: "permutation": (count, size) whole numbers; each row is a permutation p, drawn
      uniformly: x'[k] = x[p[k]]. "rotation": (count, size, size); each matrix is drawn uniformly
      (by Haar's measure) from all orthogonal ones, reflections among them. "turn": (count, size)
      whole numbers again, the permutations that turn a square image of `size` pixels in row-major
      order by 0, 90, 180 and 270 degrees counterclockwise, in this order.
    - `key`: a whole number or a jax.random.key, for the kinds that are drawn. More maps of one key
      begin with the same ones.

    The result is whole numbers or float64, and read-only. Raises `ValueError` for another kind, for
    more than the 4 turns, for turns of a size that is no square, and for turns with a key;
    `TypeError` where a kind that is drawn has none.

        >>> rd.tasks.transforms("turn", count=2, size=4).tolist()
        [[0, 1, 2, 3], [1, 3, 0, 2]]
        >>> image = np.array([1.0, 2.0, 3.0, 4.0])
        >>> image[rd.tasks.transforms("turn", count=2, size=4)[1]].reshape(2, 2).tolist()
        [[2.0, 4.0], [1.0, 3.0]]
        >>> T = rd.tasks.transforms("rotation", count=3, size=5, key=0)
        >>> T.shape, bool(np.allclose(T[2] @ T[2].T, np.eye(5)))
        ((3, 5, 5), True)
    """
    check_name("kind", kind, KINDS)
    count, size = check_positive_int("count", count), check_positive_int("size", size)
    if kind == "turn":
        return read_only(_turns(count, size, key))
    generator = generator_of(key, f'tasks.transforms("{kind}", {count}, {size}, key=0)')
    if kind == "permutation":
        return read_only(np.stack([generator.permutation(size) for _ in range(count)]))
    return read_only(np.stack([random_frame(generator, size, size) for _ in range(count)]))


def transformed(transform: Any, rows: Any) -> Any:
    """`rows` (size, P) of NumPy or JAX under one map: indices (size,), a matrix (size, size), or
    None for none.
    """
    if transform is None:
        return rows
    return rows[transform] if np.ndim(transform) == 1 else transform @ rows


def check_transforms(argument: str, given: Any, count: int, size: int) -> np.ndarray | None:
    """`count` maps of `size` coordinates as `transforms` returns them, read-only, or None where
    none are given. Raises `ValueError` for transforms that don't fit, naming the first that is
    neither a permutation nor orthogonal.
    """
    if given is None:
        return None
    must = (
        f"hold {count} permutations in the shape {(count, size)} or as many orthogonal matrices "
        f"in the shape {(count, size, size)}"
    )
    remedy = f'tasks.transforms("permutation", {count}, {size}, key=0) makes such.'
    maps = np.asarray(as_real(argument, given))
    if maps.shape == (count, size):
        if maps.dtype.kind not in "iu":
            if np.array_equal(maps, np.round(maps)):
                remedy = f"Give whole numbers: {argument}=maps.astype(int)."
            fail(argument, must, f"its indices are of dtype {maps.dtype}", remedy)
        bad = np.any(np.sort(maps, axis=1) != np.arange(size), axis=1)
        but = "[{}] is no permutation of the numbers from 0 to " + f"{size - 1}"
        maps = maps.astype(np.int64)
    elif maps.shape == (count, size, size):
        maps = maps.astype(np.float64)
        check_finite(argument, maps)
        off = np.abs(maps @ maps.swapaxes(1, 2) - np.eye(size)).max(axis=(1, 2))
        bad = off > ROUNDING
        but = "[{}] is not orthogonal: T T^T differs from 1 by " + f"{off[np.argmax(bad)]:.2g}"
        if off.max() < size * np.finfo(np.float32).eps:
            remedy = (
                "They look rounded to float32. The nearest orthogonal ones: U, _, Vt = "
                "np.linalg.svd(T.astype(float)), and U @ Vt."
            )
    else:
        fail(argument, must, f"its shape is {maps.shape}", remedy)
    if bad.any():
        fail(argument, must, argument + but.format(int(np.argmax(bad))), remedy)
    return read_only(maps)


def _turns(count: int, size: int, key: Any) -> np.ndarray:
    """The first quarter turns, as indices: those of an image whose pixels are its indices."""
    if key is not None:
        fail("key", 'be left out where `kind` is "turn"', f"it is {shown(key)}")
    if count > TURNS:
        fail("count", f"be at most {TURNS} for quarter turns", f"it is {count}", "There are four.")
    side = math.isqrt(size)
    if side**2 != size:
        fail("size", "be a square number for quarter turns", f"it is {size}", _nearest(side))
    image = np.arange(size).reshape(side, side)
    return np.stack([np.rot90(image, turns).ravel() for turns in range(count)])


def _nearest(side: int) -> str:
    return f"Try {side**2} or {(side + 1) ** 2}: pixels of a square image."
