"""Arrays of users: real numbers, finite, of a shape, in order; in the wording of `_checks`."""

import math
import os
from collections.abc import Iterator, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import check_number, fail

_REAL = (jnp.floating, jnp.integer, jnp.bool_)


def check_finite(argument: str, array: np.ndarray) -> None:
    """Refuse NaN and infinity, naming the first place."""
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        fail(
            argument,
            "be finite",
            f"{len(bad)} of its values are not, the first ({array[place]}) at {place}",
            "Remove or impute them first.",
        )


def check_shape(
    argument: str, array: Any, shape: Sequence[int | None], must: str, remedy: str = ""
) -> None:
    """Refuse an array of another shape; None stands for any length but 0."""
    given = np.shape(array)
    fits = len(given) == len(shape) and all(
        size == wanted if wanted is not None else size > 0
        for size, wanted in zip(given, shape, strict=True)
    )
    if not fits:
        fail(argument, must, f"its shape is {given}", remedy)


def as_real(argument: str, value: Any) -> np.ndarray | jax.Array:
    """`value` as an array of real numbers in a dtype of its own: the one door for arrays from
    outside.

    A JAX array, traced or not, stays as it is, also one among the entries of a list; any other is
    copied. Objects that are numbers become float64. NumPy would drop masks, count days for dates
    and read numbers in texts: those are refused, with `TypeError` for what is no number and
    `ValueError` for complex or masked ones and for rows of unequal lengths."""
    leaves = list(_leaves(argument, value))
    if isinstance(value, list | tuple) and any(
        isinstance(leaf, jax.core.Tracer) for leaf in leaves
    ):
        entries = [jnp.asarray(as_real(argument, entry)) for entry in value]
        if len({entry.shape for entry in entries}) > 1:
            fail(
                argument,
                "have rows of equal length",
                f"their shapes are {[entry.shape for entry in entries]}",
            )
        return jnp.stack(entries)
    masked = sum(
        int(np.ma.count_masked(leaf)) for leaf in leaves if isinstance(leaf, np.ma.MaskedArray)
    )
    if masked:
        fail(
            argument,
            "be an array without masked values",
            f"{masked} of its values are masked",
            "Fill them, or leave their examples out.",
        )
    array = value if isinstance(value, jax.Array) else _as_array(argument, value)
    dtype = array.dtype
    if isinstance(array, np.ndarray) and dtype.kind == "O":
        return _numbers(argument, value, array)
    # A duration is one of NumPy's integers.
    if any(jnp.issubdtype(dtype, kind) for kind in _REAL) and dtype.kind != "m":
        return array
    if jnp.issubdtype(dtype, jnp.complexfloating):
        fail(
            argument,
            "be an array of real numbers",
            "it is complex",
            "Pass its real and imaginary parts as rows.",
        )
    what = {"M": "dates", "m": "durations", "U": "text", "S": "text", "T": "text"}.get(
        getattr(dtype, "kind", "")
    )
    fail(
        argument,
        "be an array of numbers",
        f"it holds {what or 'something else'} (dtype {dtype})",
        "Convert it first.",
        TypeError,
    )


def as_matrix(argument: str, value: Any) -> np.ndarray:
    """Return `value` as a finite float64 matrix."""
    array = np.asarray(as_real(argument, value), dtype=np.float64)
    check_shape(
        argument,
        array,
        (None, None),
        "be a matrix with at least one row and one column",
        "Rows are units, columns are examples.",
    )
    check_finite(argument, array)
    return array


def as_parameter(argument: str, value: Any) -> jax.Array:
    """`value` as a JAX array of real numbers, finite ones where JAX does not trace it."""
    array = jnp.asarray(as_real(argument, value), dtype=float)
    if not isinstance(array, jax.core.Tracer) and not np.all(np.isfinite(np.asarray(array))):
        fail(argument, "be finite", "it holds NaN or infinity")
    return array


def broadcast(argument: str, value: Any, shape: tuple[int, ...]) -> jax.Array:
    """A parameter per path and mode, or per mode."""
    array = as_parameter(argument, value)
    try:
        return jnp.broadcast_to(array, shape)
    except ValueError:
        fail(
            argument,
            f"broadcast to {shape}",
            f"its shape is {array.shape}",
            "Axes are (path, mode).",
        )


def check_times(ts: Any, t0: Any = 0.0, *, in_order: bool = True) -> np.ndarray | jax.Array:
    """Flow times as an array (time,), none of them before `t0`; traced ones are not looked at.

    `in_order`: also finite, rising, and with an end after t0, as a solver needs them; closed forms
    take them in any order, infinity among them."""
    given, example = as_real("ts", ts), "For example jnp.linspace(0, 10, 200)."
    must = "be a vector of finite times" if in_order else "be a vector of times"
    if given.ndim != 1 or given.size == 0:
        fail("ts", must, f"its shape is {given.shape}", example)
    if not isinstance(t0, jax.core.Tracer):
        t0 = check_number("t0", t0)
    if isinstance(given, jax.core.Tracer):
        return given
    # With NumPy: inside a function that JAX traces, its own operations on known numbers are traced.
    times = np.asarray(given, dtype=np.float64)
    bad = ~np.isfinite(times) if in_order else np.isnan(times)
    if np.any(bad):
        but = f"{np.sum(bad)} of them are not {'finite' if in_order else 'numbers'}"
        fail("ts", must, but, example)
    if in_order and np.any(falls := np.diff(times) < 0):
        at = int(np.argmax(falls))
        fail("ts", "rise", f"after {times[at]:g} comes {times[at + 1]:g}", "Sort them.")
    if isinstance(t0, jax.core.Tracer):
        return given
    if in_order and (times[0] < t0 or times[-1] <= t0):
        but = f"they go from {times[0]:g} to {times[-1]:g}"
        fail("ts", f"start at t0 = {t0:g} or later and end after it", but)
    if times.min() < t0:
        fail("ts", f"be of at least {t0:g}, where the start is", f"its smallest is {times.min():g}")
    return given


def read_only(array: Any) -> Any:
    """The same NumPy array, which can't be written into: what was computed from it would silently
    be of another one.
    """
    if not isinstance(array, np.ndarray):
        return array
    array = array.view()
    array.flags.writeable = False
    return array


def _as_array(argument: str, value: Any) -> np.ndarray:
    """What NumPy makes of `value`; of a PyTorch tensor on any device too. A copy: whoever gave it
    goes on writing into it.
    """
    try:
        return np.array(value.detach().cpu() if hasattr(value, "detach") else value)
    except Exception as error:  # whatever __array__ of a foreign object raises
        if isinstance(error, ValueError) and isinstance(value, list | tuple):
            fail(
                argument,
                "have rows of equal length",
                "NumPy finds no common shape",
                "Pass one array.",
            )
        fail(
            argument,
            "be an array of numbers",
            f"NumPy can't read it as one ({type(value).__name__})",
            "",
            TypeError,
        )


def _leaves(argument: str, value: Any, depth: int = 64) -> Iterator[Any]:
    """What lists in lists hold, down to as many axes as an array may have."""
    if not isinstance(value, list | tuple):
        yield value
    elif depth == 0:
        fail(argument, "be an array", "its lists are nested more than 64 deep")
    else:
        for entry in value:
            yield from _leaves(argument, entry, depth - 1)


def _numbers(argument: str, value: Any, objects: np.ndarray) -> np.ndarray:
    """An array of objects as float64, if every one of them is a real number."""
    for place, entry in np.ndenumerate(objects):
        if not isinstance(entry, Real | Decimal | np.bool) or isinstance(entry, np.timedelta64):
            what = (
                f"{entry!r} ({type(entry).__name__}) at {place}"
                if place
                else f"{type(value).__name__}"
            )
            fail(
                argument,
                "be an array of numbers",
                f"it {'holds' if place else 'is'} {what}",
                "",
                TypeError,
            )
    try:
        return objects.astype(np.float64)
    except OverflowError:
        fail(argument, "be an array of numbers", "one is too large for float64")


def memory() -> float:
    """Bytes of this machine's memory; infinite where it doesn't tell."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return math.inf
