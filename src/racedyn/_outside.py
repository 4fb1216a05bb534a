"""What functions of a user's read beside their arguments. JAX compiles it in; here it is noticed
when it has changed.
"""

import dataclasses
import functools
import sys
import types
import weakref
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._types import PyTree

MOST_VALUES = 10_000  # that are looked at in one call
DEEPEST = 100  # containers and objects in each other
LIBRARIES = {
    "racedyn",
    "jax",
    "jaxlib",
    "numpy",
    "scipy",
    "equinox",
    "diffrax",
    "optax",
    "optimistix",
    "lineax",
}
LIBRARIES |= sys.stdlib_module_names
STUDIES = "racedyn.studies."

_last_read: "weakref.WeakKeyDictionary[Any, dict[Any, Any]]" = weakref.WeakKeyDictionary()


def read_again(*given: Any) -> None:
    """Forget compiled programs if a function among `given` reads another value than it did when it
    was last given.

    Seen are numbers, texts, arrays, containers and plain objects that functions and methods name as
    globals, close over, or have as defaults, and the functions that they call, except those of
    libraries; not what they look up by other ways, as in a file or in `os.environ`, nor what the
    caller has compiled around it, nor more than MOST_VALUES containers, DEEPEST deep."""
    changed = False
    for owner, function in _functions(given):
        now, before = _Reader().of(function), _last_read.setdefault(owner, {})
        method = getattr(function, "__func__", None)  # an object may have several
        changed |= method in before and before[method] != now
        before[method] = now
    if changed:
        jax.clear_caches()


def read(*given: Any) -> list[Any]:
    """What the functions among `given` are and read, as plain data: equal, in its `repr` too, if
    they compute the same.
    """
    return [_Reader().of(function) for _, function in _functions(given)]


def read_value(value: Any) -> Any:
    """What a value is, as plain data; see `read`."""
    return _Reader().of(value)


def checksum(tree: PyTree) -> str:
    """Of the leaves of a pytree, in order: of the bytes of arrays and numbers, of the text of what
    is neither.
    """
    found = 0
    for leaf in jax.tree.leaves(tree):
        found = zlib.crc32(_bytes(_array(leaf)), found)
    return f"{found:08x}"


def _functions(given: Any) -> Iterator[tuple[Any, Any]]:
    """The user's own functions in pytrees, and the methods of the user's own classes, each after
    the object to know it by.
    """
    nodes: list[Any] = [given]
    seen: set[int] = set()
    while nodes and len(seen) < MOST_VALUES:
        node = nodes.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        match node:
            case types.FunctionType() | functools.partial():
                yield node, node
            case types.MethodType():
                if _known_by_itself(node.__self__):
                    yield node.__self__, node
            case tuple() | list():
                nodes += node
            case Mapping():
                nodes += node.values()
            case _ if callable(_attribute(node, "__wrapped__")):
                nodes.append(_attribute(node, "__wrapped__"))
            case np.ndarray() | jax.Array() | str() | int() | float() | types.ModuleType() | None:
                pass
            case _:
                if callable(node) and _known_by_itself(node) and not _of_library(type(node)):
                    yield node, node
                nodes += _inside(node).values()
                for owner in type(node).__mro__:
                    if not _of_library(owner):
                        nodes += [_plain(value) for value in vars(owner).values()]


class _Reader:
    """Snapshots that compare equal as long as what they are of means the same to a compiled
    program, in any process.
    """

    def __init__(self) -> None:
        self.seen: dict[
            int, Any
        ] = {}  # with what it is of: a new object may get the number of one that is gone
        self.depth = 0

    def of(self, value: Any) -> Any:
        self.depth += 1
        try:
            return _name(type(value)) if self.depth > DEEPEST else self._of(value)
        except Exception:  # a user's object may refuse to be looked into, in any way
            return _name(type(value))
        finally:
            self.depth -= 1

    def _of(self, value: Any) -> Any:
        if value is None or isinstance(
            value, str | bytes | bool | int | float | complex | np.generic
        ):
            return _name(type(value)), repr(value)  # so that nan equals nan, and 1 is not True
        if id(value) in self.seen or len(self.seen) >= MOST_VALUES:
            return _name(type(value))
        self.seen[id(value)] = value
        match value:
            case jax.core.Tracer():
                return _name(type(value))
            case np.ndarray() | jax.Array():
                return _data(value)
            case types.FunctionType():
                return self._of_function(value)
            case types.CodeType():
                return (
                    value.co_code.hex(),
                    value.co_names,
                    value.co_varnames,
                    [self.of(item) for item in value.co_consts],
                )
            case types.MethodType():
                return self.of(value.__func__), self.of(value.__self__)
            case functools.partial():
                return self.of(value.func), self.of(value.args), self.of(value.keywords)
            case tuple() | list():
                return [self.of(item) for item in value]
            case set() | frozenset():
                return sorted(map(repr, value))
            case Mapping():
                return [(repr(key), self.of(item)) for key, item in value.items()]
            case type():
                own = (
                    {}
                    if _of_library(value)
                    else {name: item for name, item in vars(value).items() if name[:2] != "__"}
                )
                return _name(value), [(name, self.of(_plain(item))) for name, item in own.items()]
            case types.ModuleType():
                return value.__name__
            case _ if callable(wrapped := getattr(value, "__wrapped__", None)):
                return self.of(wrapped)
            case _ if hasattr(value, "__array__"):  # tables and tensors of other libraries
                return _data(value)
        return self.of(type(value)), [
            (name, self.of(item)) for name, item in _inside(value).items()
        ]

    def _of_function(self, function: types.FunctionType) -> Any:
        cells = [self._cell(cell) for cell in function.__closure__ or ()]
        given = function.__defaults__, function.__kwdefaults__, vars(function).get("__wrapped__")
        names = {} if _of_library(function) else self._globals(function)
        return self.of(function.__code__), cells, [self.of(value) for value in given], names

    def _globals(self, function: types.FunctionType) -> dict[str, Any]:
        names: set[str] = set()
        codes = [function.__code__]
        while codes:  # the functions that stand inside it
            code = codes.pop()
            names |= set(code.co_names)
            codes += [
                constant for constant in code.co_consts if isinstance(constant, types.CodeType)
            ]
        found: dict[str, Any] = {}
        for name in sorted(names & function.__globals__.keys()):
            value = function.__globals__[name]
            if isinstance(value, types.ModuleType):
                own = () if _of_library(value) else sorted(names & vars(value).keys())
                found[name] = [(attribute, self.of(getattr(value, attribute))) for attribute in own]
            else:
                found[name] = self.of(value)
        return found

    def _cell(self, cell: types.CellType) -> Any:
        try:
            return self.of(cell.cell_contents)
        except ValueError:  # a name that is not yet bound
            return None


def _attribute(thing: Any, name: str) -> Any:
    try:
        return getattr(thing, name, None)
    except Exception:  # whatever a property of a user's raises
        return None


def _data(value: Any) -> Any:
    array = _array(value)
    return array.shape, str(array.dtype), zlib.crc32(_bytes(array))


def _array(value: Any) -> np.ndarray:
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    return np.asarray(value)


def _bytes(array: np.ndarray) -> bytes:
    if array.dtype == object:  # its bytes are addresses
        return repr(array.tolist()).encode()
    return np.ascontiguousarray(array).tobytes()


def _inside(value: Any) -> dict[str, Any]:
    """The attributes of an object, those in slots too; not what it has computed of itself and
    keeps, as a task its modes."""
    whole = type(value)
    slots = [name for kind in whole.__mro__ for name in _names(vars(kind).get("__slots__", ()))]
    found = {name: _attribute(value, name) for name in slots if name[:2] != "__"}
    found |= vars(value) if hasattr(value, "__dict__") else {}
    if dataclasses.is_dataclass(whole) and _of_library(whole):
        given = {field.name for field in dataclasses.fields(whole) if field.init}
        found = {name: item for name, item in found.items() if name in given}
    kept = functools.cached_property
    return {n: item for n, item in found.items() if not isinstance(_attribute(whole, n), kept)}


def _names(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _name(kind: type) -> str:
    """Not the type itself, which would keep its methods alive, and with them what was read by
    them.
    """
    return f"{kind.__module__}.{kind.__qualname__}"


def _known_by_itself(thing: Any) -> bool:
    """Whether a dictionary tells it from all others, equal ones too."""
    has: Any = type(thing).__hash__
    return bool(has is object.__hash__)


def _plain(value: Any) -> Any:
    """The function of a property, or of a static or class method."""
    if isinstance(value, property):
        return value.fget
    return getattr(value, "__func__", value)


def _of_library(thing: Any) -> bool:
    name = (
        thing.__name__
        if isinstance(thing, types.ModuleType)
        else getattr(thing, "__module__", None) or ""
    )
    # Studies use the package as a user does: what they compute by changes while they are written.
    return name.partition(".")[0] in LIBRARIES and not name.startswith(STUDIES)
