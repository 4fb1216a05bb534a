"""Argument checks with one wording: what was given, what was needed, the usual remedy."""

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._text import printable, some

LARGEST = (
    2**31 - 1
)  # of what counts or indexes: no array is longer, and JAX counts in 32 bits by default
LONGEST, MOST_NAMES = 60, 24  # characters of a value, and names, that a message shows
TRACED = "Call it outside of jit, vmap and grad, once for each value."


def fail(
    argument: str, must: str, but: str, remedy: str = "", error: type[Exception] = ValueError
) -> NoReturn:
    """Raise `error` in the package's wording."""
    said = f"Argument `{argument}` must {must}, but {but}." + (f" {remedy}" if remedy else "")
    raise error(
        printable(said, keep="\n")
    )  # names and values in it may come from a file of anyone's


class UnknownName(KeyError):
    """A name that something has not; its message is printed as it is, which `KeyError` quotes."""

    def __str__(self) -> str:
        return str(self.args[0])


def check_positive_int(argument: str, value: Any, remedy: str = "") -> int:
    """Return `value` as an int, refusing anything that is not a whole number of at least 1."""
    return check_int(argument, value, 1, remedy)


def check_int(argument: str, value: Any, at_least: int | None = None, remedy: str = "") -> int:
    """Return `value`, one of Python's or NumPy's whole numbers, as an int; what counts or indexes
    fits 32 bits.
    """
    whole = is_whole(value)
    range_ = "" if at_least is None else f" of at least {at_least}"
    if not whole or (at_least is not None and value < at_least):
        fail(argument, f"be a whole number{range_}", f"it is {shown(value)}", remedy)
    if abs(int(value)) > LARGEST:
        fail(
            argument, f"be a whole number{range_}, and below 2**31", f"it is {shown(value)}", remedy
        )
    return int(value)


def check_positive(argument: str, value: Any, remedy: str = "", *, traced: str = "") -> float:
    """Return `value` as a float, refusing anything that is not a positive, finite number; `traced`:
    what to do if it is.
    """
    number = as_float(argument, "be a positive number", value, remedy, traced)
    if not 0 < number < np.inf:
        fail(argument, "be a positive number", f"it is {shown(value)}", remedy)
    return number


def check_not_negative(argument: str, value: Any, remedy: str = "") -> float:
    """Return `value` as a float, refusing anything that is not a finite number of at least 0."""
    number = as_float(argument, "be a number of at least 0", value, remedy)
    if not 0 <= number < np.inf:
        fail(argument, "be a number of at least 0", f"it is {shown(value)}", remedy)
    return number


def check_number(argument: str, value: Any, remedy: str = "") -> float:
    """Return `value` as a float, refusing anything that is not a finite number."""
    number = as_float(argument, "be a finite number", value, remedy)
    if not np.isfinite(number):
        fail(argument, "be a finite number", f"it is {shown(value)}", remedy)
    return number


DEPTH = "Depth counts weight matrices: 1 is a shallow pathway, 2 has one hidden layer."


def check_depths(depths: Any, remedy: str = DEPTH, *, broken: bool = False) -> tuple[Any, ...]:
    """Depths of pathways, as a tuple: whole numbers of at least 1, as ints; with `broken` others
    above 2, too.
    """
    must = "be one whole number of at least 1 per pathway"
    must += ", or a number above 2" if broken else ""
    listed = as_list("depths", depths, must, "For two: depths=(4, 4).")
    if not listed:
        fail("depths", must, "it is empty", "For two: depths=(4, 4).")
    found: list[float] = []
    for depth in listed:
        number = as_float("depths", must, depth, remedy) if broken else depth
        if broken and 2 < number <= LARGEST and number % 1:
            found.append(number)
            continue
        whole = int(number) if broken and 1 <= number <= LARGEST and number % 1 == 0 else number
        if not is_whole(whole) or not 1 <= whole <= LARGEST:
            fail("depths", must, f"one is {shown(depth)}", remedy)
        found.append(int(whole))
    return tuple(found)


def is_whole(value: Any) -> bool:
    """Whether it is one of Python's or NumPy's whole numbers: neither a truth value nor a
    duration."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64)


def as_float(argument: str, must: str, value: Any, remedy: str = "", traced: str = "") -> float:
    """`value` as a float: one of Python's or NumPy's real numbers, or an array without axes that
    holds one.
    """
    if isinstance(value, jax.core.Tracer):
        fail(argument, must, "JAX is tracing it", traced or TRACED, TypeError)
    if (
        isinstance(value, np.ndarray | jax.Array)
        and value.ndim == 0
        and not isinstance(value, np.ma.MaskedArray)
    ):
        value = value[()]
    if isinstance(value, jax.Array):
        value = np.asarray(value)[()]
    # Truth values are integers to Python, and durations to NumPy.
    if isinstance(value, bool | np.bool | np.timedelta64) or not isinstance(
        value, int | float | np.integer | np.floating
    ):
        fail(argument, must, f"it is {shown(value)}", remedy)
    try:
        return float(value)
    except OverflowError:
        fail(argument, must, f"it is {shown(value)}, too large for a float", remedy)


def check_flags(**flags: Any) -> None:
    """Refuse what is neither True nor False: a text such as "no" would be taken for True."""
    for argument, value in flags.items():
        if not isinstance(value, bool | np.bool):
            fail(argument, "be True or False", f"it is {shown(value)}", error=TypeError)


def check_name(argument: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is known; otherwise say which names are, the nearest first."""
    known = list(known)
    if not isinstance(name, str) or name not in known:
        near = get_close_matches(name, known, n=1) if isinstance(name, str) else []
        listed = some(map(repr, known), MOST_NAMES)
        fail(
            argument,
            f"be one of {listed}",
            f"it is {shown(name)}",
            f"Did you mean {near[0]!r}?" if near else "",
        )
    return str(name)


def check_names(argument: str, names: Any, what: str = "names") -> tuple[str, ...]:
    """Return several texts as a tuple; a single text is not taken for its letters."""
    if isinstance(names, str):
        fail(
            argument,
            f"be a list of {what}",
            f"it is the text {names!r}",
            f"[{names!r}] is a list of one.",
        )
    names = as_list(argument, names, f"be a list of {what}")
    for name in names:
        if not isinstance(name, str):
            fail(argument, f"be a list of {what}", f"it holds {shown(name)}")
    return tuple(map(str, names))


def as_list(argument: str, values: Any, must: str, remedy: str = "") -> list[Any]:
    """The entries of a list, tuple, array or anything else of known length that has an order."""
    ordered = isinstance(values, Sequence | np.ndarray | jax.Array) and not isinstance(
        values, str | bytes
    )
    if not ordered or (hasattr(values, "ndim") and values.ndim == 0):
        fail(argument, must, f"it is {shown(values)}", remedy)
    return list(values)


def check_is(
    argument: str, value: Any, kind: type | tuple[type, ...], must: str, remedy: str = ""
) -> None:
    """Refuse what is no instance of `kind`; of a class in place of an instance it says so."""
    if not isinstance(value, kind):
        if isinstance(value, type) and issubclass(value, kind):
            remedy = f"Call it: {value.__name__}()."
        fail(argument, must, f"it is {shown(value)}", remedy, TypeError)


def check_callable(argument: str, value: Any, must: str, *arguments: str) -> None:
    """Refuse what can't be called with as many arguments as are named."""
    if not callable(value):
        fail(argument, must, f"it is {shown(value)}", error=TypeError)
    try:
        inspect.signature(value).bind(*arguments)
    except TypeError as error:
        fail(
            argument,
            must,
            f"it can't be called with ({', '.join(arguments)}): {error}",
            error=TypeError,
        )
    except ValueError:  # some builtins have no signature
        pass


def check_mapping(argument: str, value: Any, must: str, remedy: str = "") -> None:
    """Refuse what is no dict, and names in it that are no texts."""
    if not isinstance(value, Mapping):
        fail(argument, must, f"it is {shown(value)}", remedy, TypeError)
    for name in value:
        if not isinstance(name, str):
            fail(argument, must, f"it has {shown(name)} among its names", remedy, TypeError)


def as_path(argument: str, value: Any) -> Path:
    """Return the name of a file as a `Path`."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        fail(
            argument,
            "be the path of a file",
            f"it is {shown(value)}",
            "For example 'race.h5'.",
            TypeError,
        )
    if not Path(value).name or "\0" in os.fspath(value):
        fail(argument, "be the path of a file", f"it is {shown(value)}", "For example 'race.h5'.")
    return Path(value)


def shown(value: Any) -> str:
    """What was given, in a few words: the value where it is short, and its type."""
    if isinstance(value, jax.core.Tracer):
        return "traced by JAX"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, int) and abs(value) >= 10**20:
        return f"a number of {len(str(value)) if abs(value) < 10**4000 else 'over 4000'} digits"
    if isinstance(shape := getattr(value, "shape", None), tuple) and shape:
        return f"an array of shape {shape} and dtype {getattr(value, 'dtype', '?')}"
    text = repr(value)
    if len(text) > LONGEST:
        text = text[:LONGEST] + "..."
    return text if isinstance(value, str) or value is None else f"{text} ({type(value).__name__})"


def as_key(key: Any, example: str) -> jax.Array:
    """A JAX key of a whole number or of a key, traced ones as well; `example` shows how to pass
    one.
    """
    if isinstance(key, int | np.integer) and not isinstance(key, bool | np.timedelta64):
        if not -(2**63) <= int(key) < 2**63:
            fail(
                "key",
                "be a whole number of 64 bits or a jax.random.key",
                f"it is {shown(key)}",
                example,
            )
        return jax.random.key(int(key))
    if isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jnp.integer) and key.ndim == 0:
        return jax.random.key(key)
    if not (
        isinstance(key, jax.Array)
        and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
        and key.ndim == 0
    ):
        fail(
            "key",
            "be a whole number or a jax.random.key",
            f"it is {shown(key)}",
            example,
            TypeError,
        )
    return key
