"""Text for terminals and notebooks: objects in a few words, no array printed whole, nothing that
speaks to the terminal.
"""

import dataclasses
import html
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

WIDTH, MOST_LINES, MOST_ITEMS, MOST_NAMES = 100, 3, 4, 12


def printable(text: str, *, keep: str = "") -> str:
    """`text` for a terminal: what moves the cursor, colours or reorders is escaped ("\\x1b"), as
    are line breaks.

    For all that comes from a file, which a stranger may have written. `keep`: characters to leave
    as they are."""
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode()
        for char in text
    )


def brief(thing: Any) -> str:
    """Name(field=value, ...) on at most three lines, arrays as dtype and shape: a `__repr__`.

    Of dataclasses, named tuples and Equinox modules, traced or not.
    """
    if isinstance(thing, tuple):
        fields = dict(zip(type(thing)._fields, thing, strict=True))  # type: ignore[attr-defined]
    else:
        fields = {
            field.name: getattr(thing, field.name)
            for field in dataclasses.fields(thing)
            if field.repr
        }
    return clipped(
        "{}({})".format(
            type(thing).__name__, ", ".join(f"{n}={_value(v)}" for n, v in fields.items())
        )
    )


def some(names: Iterable[Any], most: int = MOST_NAMES) -> str:
    """Names in a row, of a long list some and the last: "x1, x2, ..., x40 (40 in all)"."""
    every = list(map(str, names))
    if len(every) <= most:
        return ", ".join(every)
    return f"{', '.join(every[: most // 2])}, ..., {every[-1]} ({len(every)} in all)"


def listed(names: Iterable[Any]) -> str:
    """As Python writes a list of names; of a long one some: "['x1', ..., 'x40'] (40 in all)"."""
    every = list(names)
    if len(every) <= MOST_NAMES:
        return str(every)
    first = ", ".join(map(repr, every[: MOST_NAMES // 2]))
    return f"[{first}, ..., {every[-1]!r}] ({len(every)} in all)"


def clipped(text: str) -> str:
    """At most three lines of a hundred letters, broken between words."""
    lines = textwrap.wrap(
        printable(text, keep="\n"), WIDTH, subsequent_indent="  ", break_on_hyphens=False
    )
    if len(lines) <= MOST_LINES:
        return "\n".join(lines)
    return "\n".join(
        [*lines[: MOST_LINES - 1], f"{lines[MOST_LINES - 1][: WIDTH - 5].rstrip(' ,')}, ...)"]
    )


def page(heading: str, status: Sequence[str], text: str) -> str:
    """HTML for a notebook: how it went first, then what it prints. No style of its own; text is
    escaped.
    """
    went = "".join(f"<br>{html.escape(line)}" for line in status)
    return f"<div><b>{html.escape(heading)}</b>{went}<pre>{html.escape(text)}</pre></div>"


def _value(value: Any, deep: bool = True) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype}[{','.join(map(str, value.shape))}]"
    if isinstance(value, str | int | float | complex | None):
        return textwrap.shorten(repr(value), 60, placeholder=" ...'")
    if isinstance(value, Mapping | list | tuple) and not hasattr(value, "_fields"):
        if not value or not deep:
            return f"{type(value).__name__} of {len(value)}" if value else repr(type(value)())
        named = isinstance(value, Mapping)
        items = (
            list(value.items()) if isinstance(value, Mapping) else [(None, item) for item in value]
        )
        shown = [
            f"{key!r}: {_value(item, False)}" if named else _value(item, False)
            for key, item in items[:MOST_ITEMS]
        ]
        more = [f"... {len(items)} in all"] if len(items) > MOST_ITEMS else []
        return ("{%s}" if named else "(%s)") % ", ".join(shown + more)
    return getattr(value, "__name__", None) or type(value).__name__
