"""The table of commands. A function of `racedyn.cli.commands` is in it by `@register`, with its
help and its arguments.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from racedyn._text import printable

Function = Callable[[argparse.Namespace], int | None]


class Argument(NamedTuple):
    """What `argparse.ArgumentParser.add_argument` is called with."""

    names: tuple[str, ...]
    options: dict[str, Any]


class Command(NamedTuple):
    """`function` is called with what was given, and returns the exit code if it is not 0.

    `fields`: what is not among the `arguments` are fields of a configuration, `given.overrides`,
    and the function shows its help itself. `given.fail` says what is missing, and stops."""

    function: Function
    text: str
    arguments: tuple[Argument, ...]
    epilog: str | None
    fields: bool


COMMANDS: dict[str, Command] = {}


def register(
    text: str, *arguments: Argument, epilog: str | None = None, fields: bool = False
) -> Callable[[Function], Function]:
    """Put a function into the table, by its own name."""

    def put(function: Function) -> Function:
        function.__doc__ = function.__doc__ or text
        COMMANDS[function.__name__] = Command(function, text, arguments, epilog, fields)
        return function

    return put


def argument(*names: str, **options: Any) -> Argument:
    """One of a command's, as `add_argument` takes it."""
    return Argument(names, options)


def flag(name: str, text: str) -> Argument:
    """One that is there or not, with its help."""
    return Argument((name,), {"action": "store_true", "help": text})


def file(text: str) -> Path:
    """The path of a file, which is more than a folder's."""
    if not Path(text).name:
        raise argparse.ArgumentTypeError(f"it must name a file, but it is {text!r}")
    return Path(text)


def said(thing: object) -> str:
    """As it may be printed: names in it may come from a file of anyone's."""
    return printable(str(thing), keep="\n")
