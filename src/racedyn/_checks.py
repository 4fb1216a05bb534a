"""Argument checks with one wording: what was given, what was needed, the usual remedy."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np


def fail(argument: str, must: str, but: str, remedy: str = "", error: type[Exception] = ValueError) -> NoReturn:
    """Raise `error` in the package's wording."""
    raise error(f"Argument `{argument}` must {must}, but {but}." + (f" {remedy}" if remedy else ""))


def check_finite(argument: str, array: np.ndarray) -> None:
    """Refuse NaN and infinity, naming the first place."""
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        fail(argument, "be finite", f"{len(bad)} of its values are not, the first ({array[place]}) at {place}",
             "Remove or impute them first.")  # fmt: skip


def check_positive_int(argument: str, value: Any, remedy: str = "") -> int:
    """Return `value` as an int, refusing anything that is not a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        fail(argument, "be a whole number of at least 1", f"it is {value!r} ({type(value).__name__})", remedy)
    return int(value)


def check_positive(argument: str, value: Any, remedy: str = "") -> float:
    """Return `value` as a float, refusing anything that is not a positive, finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
        fail(argument, "be a positive number", f"it is {value!r} ({type(value).__name__})", remedy)
    return float(value)


def check_not_negative(argument: str, value: Any, remedy: str = "") -> float:
    """Return `value` as a float, refusing anything that is not a finite number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < np.inf:
        fail(argument, "be a number of at least 0", f"it is {value!r} ({type(value).__name__})", remedy)
    return float(value)


def check_name(argument: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is known; otherwise say which names are, the nearest first."""
    known = list(known)
    if name not in known:
        near = get_close_matches(str(name), known, n=1)
        fail(argument, f"be one of {', '.join(map(repr, known))}", f"it is {name!r}",
             f"Did you mean {near[0]!r}?" if near else "")  # fmt: skip
    return name


def as_key(key: Any, example: str) -> jax.Array:
    """A JAX key of a whole number or of a key; `example` shows how to pass one."""
    if isinstance(key, int) and not isinstance(key, bool):
        return jax.random.key(key)
    if not (isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 0):
        fail("key", "be a whole number or a jax.random.key", f"it is {key!r}", example, TypeError)
    return key


def as_matrix(argument: str, value: Any) -> np.ndarray:
    """Return `value` as a finite float64 matrix."""
    if np.iscomplexobj(value):
        fail(argument, "be an array of real numbers", "it is complex", "Pass its real and imaginary parts as rows.")
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"Argument `{argument}` must be an array of numbers, but it is {type(value).__name__}."
        ) from error
    if array.ndim != 2 or 0 in array.shape:
        fail(argument, "be a matrix with at least one row and one column", f"its shape is {array.shape}",
             "Rows are units, columns are examples.")  # fmt: skip
    check_finite(argument, array)
    return array
