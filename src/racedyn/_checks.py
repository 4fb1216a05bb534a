"""Argument checks with one wording: what was given, what was needed, the usual remedy."""

from collections.abc import Iterable
from decimal import Decimal
from difflib import get_close_matches
from numbers import Real
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

_REAL = (jnp.floating, jnp.integer, jnp.bool_)


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


def as_real(argument: str, value: Any) -> np.ndarray | jax.Array:
    """`value` as an array of real numbers in a dtype of its own: the one door for arrays from outside.

    A JAX array, traced or not, stays as it is, also one among the entries of a list. Objects that are numbers become
    float64. NumPy would drop masks, count days for dates and read numbers in texts: those are refused, with `TypeError`
    for what is no number and `ValueError` for complex or masked ones and for rows of unequal lengths.
    """
    if isinstance(value, list | tuple) and any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(value)):
        entries = [jnp.asarray(as_real(argument, entry)) for entry in value]
        if len({entry.shape for entry in entries}) > 1:
            fail(argument, "have rows of equal length", f"their shapes are {[entry.shape for entry in entries]}")
        return jnp.stack(entries)
    if masked := _masked(value):
        fail(argument, "be an array without masked values", f"{masked} of its values are masked",
             "Fill them, or leave their examples out.")  # fmt: skip
    array = value if isinstance(value, jax.Array) else _as_array(argument, value)
    dtype = array.dtype
    if isinstance(array, np.ndarray) and dtype.kind == "O":
        return _numbers(argument, value, array)
    # A duration is one of NumPy's integers.
    if any(jnp.issubdtype(dtype, kind) for kind in _REAL) and dtype.kind != "m":
        return array
    if jnp.issubdtype(dtype, jnp.complexfloating):
        fail(argument, "be an array of real numbers", "it is complex", "Pass its real and imaginary parts as rows.")
    what = {"M": "dates", "m": "durations", "U": "text", "S": "text", "T": "text"}.get(getattr(dtype, "kind", ""))
    fail(argument, "be an array of numbers", f"it holds {what or 'something else'} (dtype {dtype})",
         "Convert it first.", TypeError)  # fmt: skip


def _as_array(argument: str, value: Any) -> np.ndarray:
    """What NumPy makes of `value`; of a PyTorch tensor on any device too."""
    try:
        return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    except Exception as error:  # whatever __array__ of a foreign object raises
        if isinstance(error, ValueError) and isinstance(value, list | tuple):
            fail(argument, "have rows of equal length", "NumPy finds no common shape", "Pass one array.")
        fail(argument, "be an array of numbers", f"NumPy can't read it as one ({type(value).__name__})", "", TypeError)


def _masked(value: Any) -> int:
    """How many values are masked, in an array or in a list of arrays."""
    if isinstance(value, list | tuple):
        return sum(map(_masked, value))
    return int(np.ma.count_masked(value)) if isinstance(value, np.ma.MaskedArray) else 0


def _numbers(argument: str, value: Any, objects: np.ndarray) -> np.ndarray:
    """An array of objects as float64, if every one of them is a real number."""
    for place, entry in np.ndenumerate(objects):
        if not isinstance(entry, Real | Decimal | np.bool) or isinstance(entry, np.timedelta64):
            what = f"{entry!r} ({type(entry).__name__}) at {place}" if place else f"{type(value).__name__}"
            fail(argument, "be an array of numbers", f"it {'holds' if place else 'is'} {what}", "", TypeError)
    try:
        return objects.astype(np.float64)
    except OverflowError:
        fail(argument, "be an array of numbers", "one is too large for float64")


def as_matrix(argument: str, value: Any) -> np.ndarray:
    """Return `value` as a finite float64 matrix."""
    array = np.asarray(as_real(argument, value), dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape:
        fail(argument, "be a matrix with at least one row and one column", f"its shape is {array.shape}",
             "Rows are units, columns are examples.")  # fmt: skip
    check_finite(argument, array)
    return array
