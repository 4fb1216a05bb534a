"""The frame around all commands: the parser, signals, errors and exit codes. It imports nothing
heavy, so that help is quick.
"""

import argparse
import contextlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from racedyn._interruptions import ending_signals
from racedyn.cli import commands as commands  # they put themselves into the table
from racedyn.cli.failures import is_mistake, told
from racedyn.cli.table import COMMANDS, said

ABOUT = "Learning dynamics of gated deep linear networks, in theory and in training."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns 0; 1 where a run failed or something unexpected happened; 2 for a mistake of the user's;
    130 after Ctrl-C, 143 and 129 after SIGTERM and SIGHUP, which end a run as Ctrl-C does. Errors
    are one line on stderr, and with --debug their traceback."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser, own_flags = _parser()
    flags = own_flags.get(argv[0]) if argv else None
    own, overrides = (argv, []) if flags is None else _split(argv, flags)
    given = parser.parse_args(own)
    given.overrides = overrides
    with warnings.catch_warnings(), ending_signals() as came:
        warnings.showwarning = lambda message, *_, **__: print(
            f"racedyn: warning: {said(message)}", file=sys.stderr
        )
        try:
            if any("\0" in argument for argument in argv):
                raise ValueError("Arguments must not have zero bytes in them.")
            code = given.function(given) or 0
            # So that a broken pipe is met here rather than at the interpreter's end
            sys.stdout.flush()
            return int(code)
        except BrokenPipeError:  # the reader of stdout went away, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except KeyboardInterrupt as stop:
            print(f"racedyn: {said(stop) or 'Interrupted.'}", file=sys.stderr)
            return 128 + came[0] if came else 130
        except Exception as error:
            if given.debug:
                raise
            print(f"racedyn: error: {told(error)}", file=sys.stderr)
            return 2 if is_mistake(error) else 1


def command() -> NoReturn:
    """`main` as a process of its own, which ends at once.

    What was interrupted may still be computing in JAX's threads, and an interpreter that ends
    meanwhile crashes; and a signal in the second that it takes to take JAX apart would make a
    failure of a run that is done."""
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without control characters."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {said(message)} (`{self.prog} --help` says more.)\n")


def _parser() -> tuple[_Parser, dict[str, set[str]]]:
    """The parser of all commands in the table; and of each that takes fields of a configuration
    the flags that are not fields.
    """
    common = _Parser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = _Parser(prog="racedyn", description=ABOUT, allow_abbrev=False)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and stop")
    added = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    flags: dict[str, set[str]] = {}
    for name, command in COMMANDS.items():
        one = added.add_parser(
            name,
            help=command.text,
            description=command.text,
            parents=[common],
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog=command.epilog,
            add_help=not command.fields,
        )
        for names, options in command.arguments:
            one.add_argument(*names, **options)
        one.set_defaults(function=command.function, fail=one.error, print_help=one.print_help)
        if command.fields:
            flags[name] = {
                "--debug",
                *(flag for names, _ in command.arguments for flag in names if flag[0] == "-"),
            }
    return parser, flags


class _Version(argparse.Action):
    """Looks the version up only when asked."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"racedyn {version('racedyn')}")
        parser.exit()


def _split(argv: list[str], flags: set[str]) -> tuple[list[str], list[str]]:
    """The command's own arguments, and what follows flags that are not: fields of the
    configuration.
    """
    own: list[str] = []
    overrides: list[str] = []
    into = own
    for token in argv:
        if token.startswith("--") or token in flags:
            into = own if token.partition("=")[0] in flags else overrides
        into.append(token)
    return own, overrides
