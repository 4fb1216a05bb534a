"""A block of calls of a function of the user's."""

import inspect
import pickle
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from racedyn._checks import fail, shown
from racedyn._outside import read
from racedyn.jobs.sweeps.configurations import BESIDE, Outcome, labels_of
from racedyn.jobs.sweeps.plan import digest
from racedyn.trajectory import Labelled, Status


def named(function: Callable[..., Any], names: Sequence[str]) -> dict[str, str]:
    """What a plan keeps of a function of these names: which it is, and a checksum of its code and
    of what it reads. Raises `TypeError` for one that can't be called so."""
    try:
        inspect.signature(function).bind(**dict.fromkeys(names))
    except (TypeError, ValueError) as error:  # ValueError: a builtin that does not say
        must = f"be a function of {', '.join(names)}"
        fail("what", must, f"it can't be called so: {error}", error=TypeError)
    name = f"{function.__module__}.{getattr(function, '__qualname__', type(function).__name__)}"
    return {"function": name, "code": digest(repr(read(function)))}


def kept(function: Callable[..., Any], path: Path) -> None:
    """Put a function where other processes find it. Raises `ImportError` without cloudpickle, which
    knows functions of scripts and notebooks."""
    try:
        import cloudpickle
    except ImportError as error:
        raise ImportError(
            "Other processes need cloudpickle to call a function, and it is not installed: "
            "pip install cloudpickle."
        ) from error
    path.write_bytes(cloudpickle.dumps(function))


def found(path: Path) -> Callable[..., Any]:
    """The function that `kept` put there. It runs what the file says: for folders of one's own."""
    function: Callable[..., Any] = pickle.loads(path.read_bytes())
    return function


def called(function: Callable[..., Any], settings: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """What the function makes of each of these. An error that it raises is its point's alone."""
    return [_called(function, each["given"]) for each in settings]


def _called(function: Callable[..., Any], given: Mapping[str, Any]) -> Outcome:
    try:
        return _outcome(function(**given), given)
    except Exception as error:  # whatever a user's function raises
        text = " ".join(str(error).split())
        return Outcome(Status.FAILED, f"{type(error).__name__}: {text}")


def _outcome(result: Any, taken: Collection[str]) -> Outcome:
    """A number, arrays by name, or labelled arrays; `taken`: names that are axes already."""
    if isinstance(result, Labelled):
        labels = {axis: labels_of(values) for axis, values in result.coordinates.items()}
        values = {name: (result.dims[name], np.asarray(result[name], float)) for name in result}
        _check_names((*values, *result.coordinates), taken)
        return Outcome(Status.DONE, "", values, labels)
    by_name = result if isinstance(result, Mapping) else {"value": result}
    _check_names(by_name, taken)
    values = {}
    for name, value in by_name.items():
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            fail(
                f"the result {name!r}",
                "be numbers",
                f"it is {shown(value)}",
                "A function that is swept returns a number, a dict name -> array, or Labelled.",
                TypeError,
            )
        axes = tuple(f"{name}_{i}" for i in range(array.ndim))
        values[str(name)] = axes, array.astype(float)
    return Outcome(Status.DONE, "", values)


def _check_names(names: Iterable[str], taken: Collection[str]) -> None:
    """Refuse a result that is called as an axis of the sweep, or as what a sweep says of its
    points."""
    for name in names:
        if name in taken or name in BESIDE:
            must, but = "have a name of its own", "that is an axis of the sweep, or said by it"
            fail(f"the result {name!r}", must, but, "Rename it.")
