"""The command line: parse, call, print. Our own modules are imported where they are used, so that
help is quick.
"""

import argparse
import contextlib
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from racedyn._interruptions import ending_signals
from racedyn._text import printable
from racedyn.cli.failures import is_mistake, told

if TYPE_CHECKING:
    from racedyn.config import Config
    from racedyn.jobs import RunResult

ABOUT = "Learning dynamics of gated deep linear networks, in theory and in training."
FIELDS = """\
Any field of the file can be given on the line too, after CONFIG:
  racedyn run data/runs/hierarchy.toml --out runs --network.width 1000 --train.steps 100
  racedyn run data/runs/hierarchy.toml --help      lists them with their values
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns 0; 1 where a run failed or something unexpected happened; 2 for a mistake of the user's;
    130 after Ctrl-C, 143 and 129 after SIGTERM and SIGHUP, which end a run as Ctrl-C does. Errors
    are one line on stderr, and with --debug their traceback."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser, run_flags = _parser()
    own, overrides = _split(argv, run_flags) if argv[:1] == ["run"] else (argv, [])
    arguments = parser.parse_args(own)
    with warnings.catch_warnings(), ending_signals() as came:
        warnings.showwarning = lambda message, *_, **__: print(
            f"racedyn: warning: {_said(message)}", file=sys.stderr
        )
        try:
            if any("\0" in argument for argument in argv):
                raise ValueError("Arguments must not have zero bytes in them.")
            code = int(arguments.command(arguments, overrides))
            # So that a broken pipe is met here rather than at the interpreter's end
            sys.stdout.flush()
            return code
        except BrokenPipeError:  # the reader of stdout went away, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except KeyboardInterrupt as stop:
            print(f"racedyn: {_said(stop) or 'Interrupted.'}", file=sys.stderr)
            return 128 + came[0] if came else 130
        except Exception as error:
            if arguments.debug:
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
        self.exit(2, f"{self.prog}: error: {_said(message)} (`{self.prog} --help` says more.)\n")


def _parser() -> tuple[_Parser, set[str]]:
    """The frame of all commands, and the flags of `run` that are not fields of its
    configuration.
    """
    common = _Parser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = _Parser(prog="racedyn", description=ABOUT, allow_abbrev=False)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and stop")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, command: Any, text: str, **options: Any) -> _Parser:
        added = commands.add_parser(
            name,
            help=text,
            description=text,
            parents=[common],
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **options,
        )
        added.set_defaults(command=command)
        return added

    text = "train a network, solve the theory from the same weights, compare"
    run = add("run", _run, text, add_help=False, epilog=FIELDS)
    run.add_argument("config", metavar="CONFIG.toml", nargs="?", type=_file, help="what to run")
    run.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("runs"),
        help="where results go (default: runs)",
    )
    run.add_argument("--force", action="store_true", help="replace results that are there")
    run.add_argument(
        "--resume", action="store_true", help="go on from what an interrupted run left"
    )
    run.add_argument("--quiet", action="store_true", help="no progress and no table, only errors")
    run.add_argument(
        "-h", "--help", action="store_true", help="show this, and with CONFIG.toml its fields"
    )
    run.set_defaults(print_help=run.print_help, fail=run.error)
    flags = {flag for action in run._actions for flag in action.option_strings}

    info = add("info", _info, "say what a file of results holds")
    info.add_argument("file", metavar="FILE.h5", type=_file)
    plot = add("plot", _plot, "draw the race in a file of results")
    plot.add_argument("file", metavar="FILE.h5", type=_file)
    plot.add_argument(
        "--out",
        metavar="FIGURE",
        type=Path,
        help="its ending picks the format (default: FILE.png, FILE.race.png of a study)",
    )
    text = "reproduce a published figure, from scratch"
    reproduce = add(
        "reproduce", _reproduce, text, epilog="For example: racedyn reproduce shi2022.fig5 --quick"
    )
    reproduce.add_argument("name", metavar="NAME", nargs="?", help="which study; --list names them")
    reproduce.add_argument("--list", action="store_true", help="list the studies")
    reproduce.add_argument("--quick", action="store_true", help="smaller: a minute on two cores")
    reproduce.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("runs"), help="(default: runs)"
    )
    reproduce.add_argument("--force", action="store_true", help="replace results that are there")
    reproduce.add_argument("--quiet", action="store_true", help="no progress")
    reproduce.set_defaults(fail=reproduce.error)
    cite = add(
        "cite", _cite, "say which papers and solvers stand behind a study or a file of results"
    )
    cite.add_argument("what", metavar="FILE-or-NAME", type=_file)
    add("doctor", _doctor, "say what this installation can do: devices, precision, versions")
    return parser, flags


def _file(text: str) -> Path:
    """The path of a file, which is more than a folder's."""
    if not Path(text).name:
        raise argparse.ArgumentTypeError(f"it must name a file, but it is {text!r}")
    return Path(text)


class _Version(argparse.Action):
    """Looks the version up only when asked."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"racedyn {version('racedyn')}")
        parser.exit()


def _split(argv: list[str], flags: set[str]) -> tuple[list[str], list[str]]:
    """The frame's arguments, and what follows flags that are not the frame's: fields of the
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


def _run(arguments: argparse.Namespace, overrides: list[str]) -> int:
    if arguments.help:
        arguments.print_help()
    if arguments.config is None:
        if not arguments.help:
            arguments.fail(
                "CONFIG.toml is missing: which run? For example data/runs/hierarchy.toml."
            )
        return 0
    if arguments.help:
        _list_fields(arguments.config)
        return 0
    config = _configuration(arguments.config, overrides)
    _start_jax()
    from racedyn import jobs

    try:
        result = jobs.run(
            config,
            out=arguments.out,
            force=arguments.force,
            resume=arguments.resume,
            progress=not arguments.quiet,
        )
    except jobs.NotSavedError as error:
        if not arguments.quiet:
            _show(error.result)
        print(f"racedyn: error: {_said(error)}", file=sys.stderr)
        return 1
    if not arguments.quiet:
        _show(result)
    return 1 if result.trained.failed else 0


def _configuration(path: Path, overrides: list[str]) -> "Config":
    """The file's configuration with the fields given on the line."""
    from racedyn import config as configuration

    given: dict[str, list[str]] = {}
    words: list[str] = []
    for token in overrides:
        if token.startswith("--"):
            flag, equals, value = token[2:].partition("=")
            words = given[flag.replace("-", "_")] = [value] if equals else []
        else:
            words.append(token)
    return (
        configuration.override(configuration.read(path), given)
        if given
        else configuration.read(path)
    )


def _list_fields(path: Path) -> None:
    """Each field of the file's configuration, with its value and what it means."""
    import tyro

    from racedyn import config as configuration

    tyro.cli(
        configuration.Config,
        prog=f"racedyn run {path}",
        description="Fields of the configuration.",
        default=configuration.read(path),
        args=["--help"],
        use_underscores=True,
        config=(tyro.conf.AvoidSubcommands, tyro.conf.FlagConversionOff),
    )


def _show(result: "RunResult") -> None:
    from racedyn._progress import table

    if result.comparison is not None:
        print(_said(result.comparison), end="\n\n")
    rows = []
    for name, trajectory in (("training", result.trained), ("theory", result.theory)):
        source = None if trajectory is None else trajectory.provenance
        if source is not None:
            rows.append(
                (name, source.solver, source.compile_time, source.run_time, source.wall_time)
            )
    table(("", "solver", "compile (s)", "run (s)", "wall time (s)"), rows)
    for note in result.notes:
        print(_said(f"note: {note}"))
    print("results:", _said(result.path))
    if result.figures:
        print("figures:", *map(_said, result.figures))


def _info(arguments: argparse.Namespace, _: list[str]) -> int:
    from racedyn import store

    print(_said(store.info(arguments.file)))
    return 0


def _plot(arguments: argparse.Namespace, _: list[str]) -> int:
    _start_jax()
    from racedyn import jobs, plot, store

    file = store.load(arguments.file, partial=True)
    runs = [file[name] for name in ("theory", "trained") if name in file] or list(file.values())[:1]
    # A study has drawn its own figure under its own name.
    ending = ".race.png" if "study" in (file.config or {}) else ".png"
    print(
        _said(
            plot.save_figure(jobs.draw(*runs), arguments.out or arguments.file.with_suffix(ending))
        )
    )
    return 0


def _reproduce(arguments: argparse.Namespace, _: list[str]) -> int:
    _start_jax()
    from racedyn import studies

    if arguments.list:
        for study in studies.STUDIES.values():
            print(f"{study.name:<16} {study.title}")
        return 0
    if arguments.name is None:
        arguments.fail("NAME is missing: which study? --list names them.")
    done = studies.reproduce(
        arguments.name,
        out=arguments.out,
        quick=arguments.quick,
        force=arguments.force,
        progress=not arguments.quiet,
    )
    print(_said(done))
    print(f"wall time: {done.wall_time:.0f} s, {done.compile_time:.0f} s of it compiling")
    print("results:", _said(done.path))
    print("figure:", _said(done.figure))
    return 0


def _cite(arguments: argparse.Namespace, _: list[str]) -> int:
    from racedyn import store, studies

    if (name := str(arguments.what)) in studies.STUDIES:
        sources, solvers = [studies.STUDIES[name].source], ["Tsit5"]
    else:
        runs = store.load(arguments.what, partial=True).values()
        provenance = [run.provenance for run in runs if run.provenance is not None]
        solvers = [source.solver for source in provenance]
        behind = {"pathway": "Shi22", "modes": "Saxe22", "matrix": "Saxe22", "full": "Saxe22"}
        sources = [
            behind[level]
            for level in (source.validity.get("level") for source in provenance)
            if level in behind
        ]
    print(*map(_said, studies.cite(sources=sources, solvers=solvers)), sep="\n")
    return 0


def _doctor(arguments: argparse.Namespace, _: list[str]) -> int:
    _start_jax()
    from racedyn._progress import table
    from racedyn.cli import doctor

    table(("", "found"), doctor.report())
    return 0


def _said(thing: object) -> str:
    """As it may be printed: names in it may come from a file of anyone's."""
    return printable(str(thing), keep="\n")


def _start_jax() -> None:
    """float64, before anything else uses JAX; whole tracebacks, which tell whose an error is;
    figures into files.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_traceback_filtering", "off")
    os.environ["MPLBACKEND"] = "Agg"
