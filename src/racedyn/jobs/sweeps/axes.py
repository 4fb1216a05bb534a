"""The axes of a sweep: which fields of a configuration take which values, in Python and in words of
a command line.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from racedyn._checks import fail, shown
from racedyn.config import suggest

MOST_POINTS = 10_000_000
EXAMPLE = 'For example {"seed": range(20), "init.std": [0.01, 0.1]}.'
WORDS = (
    "Values are a list, [0.1, 0.2] or [[2,2],[3,3]] or 0.1,0.2; a range of whole numbers, 0:20 or "
    "0:20:2; linspace(0, 1, 5), logspace(-3, -1, 5) or geomspace(0.001, 0.1, 5)."
)
_SPACES: dict[str, Any] = {f.__name__: f for f in (np.linspace, np.logspace, np.geomspace)}
_SPACE = re.compile(r"(\w+)\(([^()]*)\)")
_RANGE = re.compile(r"(-?\d+):(-?\d+)(?::(-?\d+))?")

Axes = dict[str, tuple[Any, ...]]


def check_axes(over: Any, known: Sequence[str] | None = None) -> Axes:
    """Name -> values, plain ones that JSON has. `known`: the names there are, None for any.

    Raises `ValueError` or `TypeError` for an unknown name (the nearest is named), no values, the
    same value twice, and too many points."""
    if not isinstance(over, Mapping) or not over:
        fail("over", "be a dict name -> values", f"it is {shown(over)}", EXAMPLE, TypeError)
    axes: Axes = {}
    for name, values in over.items():
        if not isinstance(name, str) or (known is not None and name not in known):
            remedy = suggest(str(name), known or ()).strip() or EXAMPLE
            fail("over", "name fields that can be swept", f"{shown(name)} is none", remedy)
        argument = f"over[{name!r}]"
        if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__iter__"):
            fail(argument, "be a list of values", f"it is {shown(values)}", EXAMPLE, TypeError)
        axes[name] = tuple(plain(value) for value in values)
        if not axes[name]:
            fail(argument, "have at least one value", "it is empty", EXAMPLE)
        counts = Counter(json.dumps(value) for value in axes[name])
        (text, count), *_ = counts.most_common(1)
        if count > 1:
            fail(argument, "have each value once", f"{text} is there twice")
    if (points := int(np.prod([len(values) for values in axes.values()], dtype=object))) > (
        MOST_POINTS
    ):
        fail("over", f"have at most {MOST_POINTS} points", f"there are {points}")
    return axes


def plain(value: Any) -> Any:
    """A number, string, flag, None or a list of them, as JSON has it."""
    if hasattr(value, "tolist"):  # NumPy's and JAX's
        value = value.tolist()
    if isinstance(value, list | tuple | range):
        return [plain(item) for item in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    fail(
        "over",
        "have numbers, strings and lists of them",
        f"one is {shown(value)}",
        EXAMPLE,
        TypeError,
    )


def axes_in_words(words: Sequence[str]) -> dict[str, list[Any]]:
    """What `--over NAME=VALUES` says, for each of these words.

    >>> axes_in_words(["seed=0:3", "init.std=logspace(-2, -1, 2)", "network.depths=[[2,2],[3,3]]"])
    {'seed': [0, 1, 2], 'init.std': [0.01, 0.1], 'network.depths': [[2, 2], [3, 3]]}
    """
    found: dict[str, list[Any]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            fail(
                "--over", "be NAME=VALUES", f"it is {shown(word)}", "For example --over seed=0:20."
            )
        if name in found:
            fail("--over", "name each axis once", f"{name!r} is there twice")
        found[name] = values_in_words(f"--over {name}", text.strip())
    return found


def values_in_words(argument: str, text: str) -> list[Any]:
    """The values that one word stands for. Raises `ValueError` for none."""
    values: list[Any] = []
    if match := _RANGE.fullmatch(text):
        start, stop, step = (int(part) if part else 1 for part in match.groups())
        if step == 0 or abs(stop - start) > abs(step) * MOST_POINTS:
            fail(argument, f"be at most {MOST_POINTS} values", f"it is {text!r}", WORDS)
        values = list(range(start, stop, step))
    elif match := _SPACE.fullmatch(text):
        values = _spaced(argument, text, *match.groups())
    else:
        values = _listed(argument, text)
    if not values:
        fail(argument, "have at least one value", f"{text!r} has none", WORDS)
    return values


def _spaced(argument: str, text: str, name: str, given: str) -> list[float]:
    try:
        start, stop, count = given.split(",")
        number = int(count)
        if name not in _SPACES or not 0 <= number <= MOST_POINTS:
            raise ValueError(name)
        with np.errstate(all="raise"):
            values: list[float] = _SPACES[name](float(start), float(stop), number).tolist()
    except (ValueError, FloatingPointError):
        fail(
            argument,
            f"be one of {', '.join(_SPACES)} of start, stop and how many",
            f"it is {text!r}",
            WORDS,
        )
    return values


def _listed(argument: str, text: str) -> list[Any]:
    try:
        found = json.loads(text if text.startswith("[") else f"[{text}]")
    except ValueError:
        # Words without quotes: relu,tanh
        found = [part.strip() for part in text.split(",")]
        if any(not re.fullmatch(r"[A-Za-z_][\w.]*", part) for part in found):
            fail(argument, "be values", f"{text!r} is none", WORDS)
    return list(found)
