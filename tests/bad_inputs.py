"""Bad inputs, by the kind of the argument. See `public_surface` and `test_fuzz`."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Bad:
    """One value of an argument. `never`: it may not be accepted; else it may, or be refused in the
    package's words.
    """

    label: str
    value: Any
    never: bool = True


@dataclasses.dataclass(frozen=True)
class Argument:
    """A value that is well and those that are bad; `given`: whether the call that is well has
    it.
    """

    well: Any
    bad: tuple[Bad, ...] = ()
    given: bool = True


class Kind:
    """A kind of argument: from a value that is well to what is bad in its place."""

    def __init__(self, bad: Callable[..., list[Bad]]):
        self.bad = bad

    def __call__(self, valid: Any) -> Argument:
        return Argument(valid, tuple(self.bad(valid)))


def or_none(argument: Argument) -> Argument:
    """The same where None, or an empty dict, says that there is none."""
    empty = [
        bad
        for bad in argument.bad
        if bad.value is None or (isinstance(bad.value, dict) and not bad.value)
    ]
    return dataclasses.replace(argument, bad=tuple(bad for bad in argument.bad if bad not in empty))


def unset(argument: Argument) -> Argument:
    """The same where the call that is well leaves it out, and None is what it then is."""
    return dataclasses.replace(or_none(argument), given=False)


class Thing:
    """Of no use to anything."""

    def __repr__(self) -> str:
        return "<thing>"


def not_numbers() -> list[Bad]:
    """What is no number, whatever is asked for."""
    return [
        Bad("None", None),
        Bad("text", "three"),
        Bad("text of digits", "3"),
        Bad("bytes", b"3"),
        Bad("object", Thing()),
        Bad("class", Thing),
        Bad("dict", {"a": 1.0}),
        Bad("set", {1.0}),
        Bad("generator", (i for i in range(2))),
        Bad("function", lambda: 1.0),
        Bad("complex", 1 + 2j),
        Bad("date", np.datetime64("2020-01-01")),
        Bad("duration", np.timedelta64(3, "D")),
        Bad("masked", np.ma.masked),
        Bad("NaN", float("nan")),
        Bad("NaN in float32", np.float32("nan")),
        Bad("list of None", [None]),
        Bad("list of texts", ["a", "b"]),
        Bad("ragged", [[1.0], [1.0, 2.0]]),
        Bad("array of objects", np.array([Thing(), None])),
    ]


@Kind
def count(valid: int) -> list[Bad]:
    """For a whole number of at least 1."""
    return [
        *not_numbers(),
        *(
            Bad(repr(value), value)
            for value in (
                0,
                -1,
                1.5,
                float("inf"),
                True,
                10**26,
                10**400,
                np.float64(2.5),
                np.int64(-3),
            )
        ),
        Bad("a fraction in an array", np.array(1.5)),
        Bad("empty", []),
        Bad("as a real", float(valid), False),
        Bad("one in a list", [valid], False),
        Bad("0-d array", np.array(valid), False),
        Bad("JAX array", jnp.asarray(valid), False),
    ]


@Kind
def whole(valid: int) -> list[Bad]:
    """For a whole number whose sign doesn't matter."""
    return [bad for bad in count.bad(valid) if bad.label not in ("0", "-1")]


@Kind
def number(valid: float, *more: float) -> list[Bad]:
    """For a real number; `more`: what is out of its range."""
    return [
        *not_numbers(),
        *(Bad(repr(value), value) for value in (True, float("inf"), 10**400, *more)),
        Bad("empty", [], False),
        Bad("one in a list", [valid], False),
        Bad("0-d array", np.array(valid), False),
    ]


@Kind
def positive(valid: float) -> list[Bad]:
    return number.bad(valid, 0, -1.0, np.float64(-2), float("-inf"))


@Kind
def real(valid: float) -> list[Bad]:
    """For a real number of either sign, where truth values pass for one as in arrays."""
    return [
        dataclasses.replace(bad, never=bad.never and bad.label != "True")
        for bad in number.bad(valid)
    ]


@Kind
def statused(valid: Any) -> list[Bad]:
    """For an array whose values that are not finite get a status of their own."""
    own = ("a NaN inside", "an infinity inside", "NaN")
    return [
        dataclasses.replace(bad, never=bad.never and bad.label not in own)
        for bad in array.bad(valid)
    ]


@Kind
def up_to_infinity(valid: Any) -> list[Bad]:
    """For an array whose values may be infinite, as a limit."""
    return [bad for bad in array.bad(valid) if bad.label != "an infinity inside"]


@Kind
def state(valid: Any) -> list[Bad]:
    """For the start of a system of one's own, which may be a dict."""
    return [bad for bad in array.bad(valid) if bad.label != "dict"]


@Kind
def not_negative(valid: float) -> list[Bad]:
    return number.bad(valid, -1.0, np.float64(-2), float("-inf"))


@Kind
def array(valid: Any) -> list[Bad]:
    """For an array, whose own values are made bad in turn."""
    array = np.asarray(valid, float)
    first = (0,) * array.ndim

    def at_first(value: Any, dtype: Any = float) -> np.ndarray:
        changed = array.astype(dtype)
        changed[first] = value
        return changed

    hidden = np.ma.array(at_first(999.0), mask=False)
    hidden[first] = np.ma.masked
    return [
        *(bad for bad in not_numbers() if bad.label != "NaN in float32"),
        Bad("a NaN inside", at_first(np.nan)),
        Bad("an infinity inside", at_first(np.inf)),
        Bad("a masked value inside", hidden),
        Bad("None inside", at_first(None, object)),
        Bad("a text inside", at_first("x", object)),
        Bad("as texts", array.astype(str)),
        Bad("as bytes", array.astype(bytes)),
        Bad("complex inside", at_first(1j, complex)),
        Bad("dates", array.astype(int).astype("datetime64[D]")),
        Bad("durations", array.astype(int).astype("timedelta64[D]")),
        Bad("as a list of texts", array.astype(str).tolist()),
        Bad("a record", np.zeros(2, [("a", float)])),
        Bad("a number of 400 digits", [10**400]),
        Bad("empty", np.zeros((0,) * array.ndim), False),
        Bad("one axis more", array[None], False),
        Bad("one row more", np.concatenate([np.atleast_1d(array)] * 2), False),
        Bad("as booleans", array != 0, False),
        Bad("a number", 1.0, False),
        Bad("a list", array.tolist(), False),
        Bad("no mask set", np.ma.array(array), False),
        Bad("float32", array.astype(np.float32), False),
    ]


@Kind
def choice(valid: str) -> list[Bad]:
    """For one of several words."""
    return [
        Bad("another word", valid + "x"),
        *(Bad(repr(value), value) for value in (3, 1.5, True, (), [], {}, b"x", {valid: 1})),
        Bad("in a list", [valid], False),
        *(
            Bad(bad.label, bad.value)
            for bad in not_numbers()
            if bad.label in ("None", "object", "class", "function")
        ),
        Bad("array of words", np.array([valid, "x"])),
        Bad("array", np.ones(2)),
    ]


@Kind
def label(valid: str) -> list[Bad]:
    """For a name that is free."""
    return [
        *(bad for bad in choice.bad(valid) if bad.label not in ("another word", "in a list")),
        *(Bad(repr(value), value) for value in ("", "a/b", "a\0b", [valid])),
    ]


@Kind
def key(valid: Any) -> list[Bad]:
    return [
        *not_numbers(),
        *(Bad(repr(value), value) for value in (1.5, True, float("inf"), 10**26, -(10**26))),
        Bad("several keys", jax.random.split(jax.random.key(0), 2)),
        Bad("an old key", jax.random.PRNGKey(0), False),
        Bad("a list", [0]),
        Bad("0-d array", np.array(3), False),
        Bad("JAX array", jnp.asarray(3), False),
    ]


@Kind
def names(valid: Any) -> list[Bad]:
    """For a list of names."""
    return [
        *(
            Bad(repr(value), value)
            for value in (3, 1.5, True, "text", b"x", [3], [None], [["a"]], {"a": 1}, [b"x"])
        ),
        Bad("unknown", ["no such name"]),
        *(
            Bad(bad.label, bad.value)
            for bad in not_numbers()
            if bad.label in ("object", "class", "function", "array of objects")
        ),
        Bad("array", np.ones(2)),
    ]


@Kind
def arrays(valid: Mapping[Any, Any]) -> list[Bad]:
    """For a dict of arrays."""
    first = next(iter(valid))

    def with_first(value: Any) -> dict[Any, Any]:
        return {**valid, first: value}

    return [
        *(Bad(repr(value), value) for value in (3, 1.5, True, "text", b"x", [], (), [None])),
        *(
            Bad(bad.label, bad.value)
            for bad in not_numbers()
            if bad.label in ("None", "object", "class", "generator")
        ),
        Bad("array", np.ones((2, 2))),
        Bad("its values alone", list(valid.values())),
        Bad("empty dict", {}),
        Bad("an unknown name", {**valid, "no such name": valid[first]}),
        Bad("a number as a name", {**valid, 3: valid[first]}),
        Bad("another name", {"no such name": valid[first]}),
        *(
            Bad(f"first: {bad.label}", with_first(bad.value), bad.never)
            for bad in array.bad(valid[first])
        ),
    ]


@Kind
def passed_on(valid: Mapping[str, Any]) -> list[Bad]:
    """For a dict of arrays whose values that are not finite come out again, or get a status of
    their own.
    """
    own = ("first: a NaN inside", "first: an infinity inside")
    return [
        dataclasses.replace(bad, never=bad.never and bad.label not in own)
        for bad in arrays.bad(valid)
    ]


@Kind
def state_dict(valid: Mapping[str, Any]) -> list[Bad]:
    return [
        dataclasses.replace(bad, never=bad.never and bad.label != "its values alone")
        for bad in arrays.bad(valid)
    ]


@Kind
def nodes(valid: Mapping[str, Any]) -> list[Bad]:
    """For a dict of arrays whose names are free."""
    free = ("an unknown name", "another name")
    return [
        dataclasses.replace(bad, never=bad.label not in free and bad.never)
        for bad in arrays.bad(valid)
    ]


@Kind
def path(valid: Any) -> list[Bad]:
    """For the path of a file."""
    return [
        *(Bad(repr(value), value) for value in (3, 1.5, True, [], {}, (), [None], "", "a\0b")),
        *(
            bad
            for bad in not_numbers()
            if bad.label in ("object", "class", "function", "generator", "complex", "NaN")
        ),
        Bad("array", np.ones((2, 2))),
    ]


@Kind
def instance(valid: Any) -> list[Bad]:
    """For an object of the package, or of a library."""
    return [
        *(Bad(repr(value), value) for value in (3, 1.5, True, "text", b"x", [], (), [None])),
        *(
            Bad(bad.label, bad.value)
            for bad in not_numbers()
            if bad.label in ("None", "object", "class", "function")
        ),
        Bad("array", np.ones((2, 2))),
        Bad("{}", {}, not isinstance(valid, Mapping)),
        Bad("its own class", type(valid)),
        Bad("several", [valid, valid], False),
    ]


@Kind
def listed(valid: Any) -> list[Bad]:
    """For an object, or a list of them that may be empty."""
    return [
        dataclasses.replace(bad, never=bad.never and bad.label not in ("[]", "()"))
        for bad in instance.bad(valid)
    ]


@Kind
def function(valid: Any) -> list[Bad]:
    return [
        bad
        for bad in instance.bad(valid)
        if bad.label not in ("class", "function", "its own class")
    ]


@Kind
def widths(valid: Any) -> list[Bad]:
    """For one whole number, or one per layer."""
    one = valid if isinstance(valid, int) else 3
    return [
        *(bad for bad in count.bad(one) if bad.label != "one in a list"),
        *(
            Bad(f"[{value!r}]", [value])
            for value in (None, "3", 1.5, 0, -1, True, 10**26, Thing(), [Thing()])
        ),
    ]


@Kind
def depths(valid: Any) -> list[Bad]:
    return [
        *not_numbers(),
        *(
            Bad(repr(value), value)
            for value in (3, True, [], [0], [-1], [1.5], [float("inf")], ["2", "2"], [True, True])
        ),
        *(Bad(f"[{value!r}]", [value]) for value in (10**26, Thing(), 2j)),
        Bad("a matrix", [[2, 2]]),
        Bad("an array", np.array([2, 2]), False),
    ]


@Kind
def flag(valid: bool) -> list[Bad]:
    """For True or False."""
    return [
        *(Bad(repr(value), value) for value in (2, 1.0, "no", b"", [], [True], {"a": 1})),
        *(
            bad
            for bad in not_numbers()
            if bad.label in ("None", "object", "class", "function", "NaN")
        ),
        Bad("array", np.array([True, False])),
        Bad("NumPy's", np.bool(valid), False),
        Bad("0", 0, False),
    ]


@Kind
def crossings(valid: Mapping[str, Any]) -> list[Bad]:
    """For a dict of functions and fractions."""
    return [
        *(
            Bad(repr(value), value)
            for value in (
                3,
                0.5,
                True,
                "half",
                b"x",
                [0.5],
                [("half", 0.5)],
                {3: 0.5},
                {"a b": 0.5},
            )
        ),
        *(
            bad
            for bad in not_numbers()
            if bad.label in ("object", "class", "function", "generator", "array of objects")
        ),
        *(
            Bad(f"half: {bad.label}", {"half": bad.value})
            for bad in number.bad(0.5, float("-inf"))
            if bad.label != "function" and bad.never
        ),
        Bad("a function of nothing", {"half": lambda: 1.0}),
        Bad("a function to a vector", {"half": lambda system, t, y: jnp.ones(2)}),
        Bad("a function to None", {"half": lambda system, t, y: None}),
        Bad("a function to text", {"half": lambda system, t, y: "x"}),
        Bad("a fraction in NumPy's", {"half": np.float32(0.5)}, False),
    ]


@Kind
def checkpoints(valid: Mapping[Any, Any]) -> list[Bad]:
    """For a dict time -> weights."""
    weights = next(iter(valid.values()))
    return [
        *(Bad(repr(value), value) for value in (3, 1.5, True, "text", b"x", [], {}, [(0, 1)])),
        *(bad for bad in not_numbers() if bad.label in ("None", "object", "class", "generator")),
        Bad("weights alone", weights),
        *(
            Bad(f"at {time!r}", {time: weights})
            for time in (
                None,
                "0",
                b"0",
                True,
                -1,
                1.5j,
                float("nan"),
                float("inf"),
                10**400,
                np.datetime64("2020-01-01"),
            )
        ),
        Bad("at a fraction of a step", {0.5: weights}),
        Bad("one time twice", {0: weights, "0": weights}),
        *(Bad(f"weights: {bad.label}", {0: bad.value}) for bad in arrays.bad(weights) if bad.never),
        Bad("a function to None", {0: lambda: None}),
        Bad("a function", {0: lambda: weights}, False),
    ]
