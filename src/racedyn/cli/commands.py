"""The commands: a function each. Our own modules are imported where they are used, so that help is
quick.
"""

import argparse
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from racedyn.cli.table import argument, file, flag, register, said

if TYPE_CHECKING:
    from racedyn.config import Config
    from racedyn.jobs import RunResult

FIELDS = """\
CONFIG is a file, or the name of a configuration that comes with racedyn (racedyn new --list).
Any field can be given on the line too, after CONFIG:
  racedyn run hierarchy --out runs --network.width 1000 --train.steps 100
  racedyn run hierarchy --help      lists them with their values
"""
SWEEPS = """\
For example:
  racedyn sweep hierarchy --out runs/seeds --over seed=0:20 \\
    --over init.std=logspace(-3,-1,5) --over network.depths=[[2,2],[3,3]] --jobs 2
  racedyn sweep runs/seeds --status
Values are a list, a range (0:20, 0:20:2), linspace, logspace or geomspace (start, stop, number).
Any field of CONFIG can be given on the line too: --network.width 100
The same call goes on from whatever a killed one has left; a longer range computes what is new.
"""
OUT = argument(
    "--out", metavar="DIR", type=Path, default=Path("runs"), help="where results go (default: runs)"
)
OVERWRITE = flag("--overwrite", "replace what is there")
RESULTS = argument("file", metavar="FILE.h5", type=file)


@register(
    "train a network, solve the theory from the same weights, compare",
    argument("config", metavar="CONFIG", nargs="?", type=file, help="what to run"),
    OUT,
    OVERWRITE,
    flag("--resume", "go on from what an interrupted run left"),
    flag("--quiet", "no progress and no table, only errors"),
    argument("-h", "--help", action="store_true", help="show this, and with CONFIG its fields"),
    epilog=FIELDS,
    fields=True,
)
def run(given: argparse.Namespace) -> int:
    if given.help:
        given.print_help()
    if given.config is None:
        if not given.help:
            given.fail("CONFIG is missing: which run? For example hierarchy.")
        return 0
    if given.help:
        _list_fields(given.config)
        return 0
    config = _configuration(given.config, given.overrides)
    _start_jax()
    from racedyn import jobs

    try:
        result = jobs.run(
            config,
            out=given.out,
            overwrite=given.overwrite,
            resume=given.resume,
            progress=not given.quiet,
        )
    except jobs.NotSavedError as error:
        if not given.quiet:
            _show(error.result)
        print(f"racedyn: error: {said(error)}", file=sys.stderr)
        return 1
    if not given.quiet:
        _show(result)
    return 1 if result.trained.failed else 0


@register(
    "run a configuration at every point of several axes, into one file",
    argument("what", metavar="CONFIG-or-DIR", nargs="?", type=file, help="what to run; or a sweep"),
    argument(
        "--over", metavar="KEY=VALUES", action="append", default=[], help="an axis, once for each"
    ),
    argument("--observe", metavar="NAME", nargs="+", help="what is kept of each configuration"),
    argument("--out", metavar="DIR", type=Path, help="the folder of the sweep"),
    argument("--jobs", metavar="N", type=int, help="processes of this machine, or jobs of Slurm"),
    argument("--executor", choices=("local", "slurm"), help="where blocks are computed"),
    argument("--option", metavar="KEY=VALUE", action="append", default=[], help="of Slurm"),
    argument("--shard", metavar="K/N", help="the K-th of N parts alone, for any other cluster"),
    flag("--status", "of the sweep in DIR: what is done"),
    flag("--merge", "of the sweep in DIR: all parts into one file"),
    flag("--overwrite", "replace the plan and the merged file of another sweep"),
    flag("--quiet", "no progress, only errors"),
    argument("-h", "--help", action="store_true", help="show this, and with CONFIG its fields"),
    epilog=SWEEPS,
    fields=True,
)
def sweep(given: argparse.Namespace) -> int:
    if given.help:
        given.print_help()
        if given.what is not None:
            _list_fields(given.what)
        return 0
    if given.what is None:
        given.fail("CONFIG is missing: what is to be swept? Or DIR: which sweep?")
    _start_jax()
    from racedyn.cli import sweeps

    if given.what.is_dir():
        return sweeps.told(given.what, merge=given.merge)
    if given.status or given.merge:
        given.fail("--status and --merge are for the folder of a sweep.")
    if given.out is None:
        given.fail("--out is missing: the folder of the sweep.")
    return sweeps.swept(_configuration(given.what, given.overrides), given)


@register(
    "write a configuration with a comment on every field, to be changed and run",
    argument("name", metavar="NAME", nargs="?", type=file, help="of the file, NAME.toml"),
    argument("--kind", metavar="KIND", default="hierarchy", help="of what (default: hierarchy)"),
    flag("--list", "list the kinds: the configurations that come with racedyn"),
    epilog="For example: racedyn new mine --kind table",
)
def new(given: argparse.Namespace) -> None:
    from racedyn import config as configuration

    if given.list:
        for kind, title in configuration.titles().items():
            print(f"{kind:<15} {title}")
        return
    if given.name is None:
        given.fail("NAME is missing: of which file? --list names the kinds.")
    for path in configuration.write_new(given.name, given.kind):
        print(said(path))
    print("Its first lines say how to run it.")


@register("say what a file of results holds", RESULTS)
def info(given: argparse.Namespace) -> None:
    from racedyn import store

    print(said(store.info(given.file)))


@register(
    "draw the race in a file of results, or what the merged file of a sweep shows at first sight",
    RESULTS,
    argument(
        "--out",
        metavar="FIGURE",
        type=Path,
        help="its ending picks the format (default: FILE.png, FILE.race.png of a study)",
    ),
)
def plot(given: argparse.Namespace) -> None:
    _start_jax()
    from racedyn import jobs, plot, store

    found, ending = store.load(given.file, partial=True), ".png"
    if isinstance(found, store.File):
        trained = found.get("trained")
        names = [name for name in found if name != "trained"]
        theories = {name: found[name] for name in names if trained is not None or name == names[0]}
        # A study has drawn its own figure under its own name.
        ending = ".race.png" if "study" in (found.config or {}) else ".png"
        axes = jobs.draw(theories, trained)
    else:
        axes = plot.overview(found)
    print(said(plot.save_figure(axes, given.out or given.file.with_suffix(ending))))


@register(
    "make a figure from scratch, a published one or our own",
    argument("name", metavar="NAME", nargs="?", help="which study; --list names them"),
    flag("--list", "list the studies"),
    flag("--quick", "smaller: a minute on two cores"),
    OUT,
    OVERWRITE,
    flag("--quiet", "no progress"),
    epilog="For example: racedyn reproduce shi2022.fig5 --quick",
)
def reproduce(given: argparse.Namespace) -> None:
    _start_jax()
    from racedyn import studies

    if given.list:
        for study in studies.STUDIES.values():
            print(f"{study.name:<25} {study.title}")
        return
    if given.name is None:
        given.fail("NAME is missing: which study? --list names them.")
    done = studies.reproduce(
        given.name,
        out=given.out,
        quick=given.quick,
        overwrite=given.overwrite,
        progress=not given.quiet,
    )
    print(said(done))
    print(f"wall time: {done.wall_time:.0f} s, {done.compile_time:.0f} s of it compiling")
    print("results:", said(done.path))
    print("figure:", said(done.figure))


@register(
    "say which papers and solvers stand behind a study or a file of results",
    argument("what", metavar="FILE-or-NAME", type=file),
)
def cite(given: argparse.Namespace) -> None:
    from racedyn import store, studies
    from racedyn.reduction import LEVELS

    if (name := str(given.what)) in studies.STUDIES:
        # Which solvers are behind it, its file says once it has run.
        sources, solvers = [studies.STUDIES[name].source], []
    else:
        runs = store.load_runs(given.what, partial=True).values()
        provenance = [run.provenance for run in runs if run.provenance is not None]
        solvers = [source.solver for source in provenance]
        levels = {source.validity.get("level") for source in provenance}
        sources = [known.source for name, known in LEVELS.items() if name in levels]
    print(*map(said, studies.cite(sources=sources, solvers=solvers)), sep="\n")


@register("say what this installation can do: devices, precision, versions")
def doctor(given: argparse.Namespace) -> None:
    _start_jax()
    from racedyn._progress import table
    from racedyn.cli import doctor

    table(("", "found"), doctor.report())


@register(
    "show the folder of compiled programs, or empty it",
    argument("action", nargs="?", choices=("show", "clear"), default="show"),
)
def cache(given: argparse.Namespace) -> None:
    from racedyn import _cache

    held = _cache.clear() if given.action == "clear" else _cache.kept()
    if held is None:
        print(f"racedyn keeps no programs: {_cache.VARIABLE} is off")
    else:
        cleared = "removed " if given.action == "clear" else ""
        print(f"{said(held.folder)}: {cleared}{held}")


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
    config = configuration.read(path)
    return configuration.override(config, given) if given else config


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
        print(said(result.comparison), end="\n\n")
    rows = []
    for name, trajectory in {"training": result.trained, **result.theories}.items():
        source = trajectory.provenance
        if source is not None:
            rows.append(
                (name, source.solver, source.compile_time, source.run_time, source.wall_time)
            )
    table(("", "solver", "compile (s)", "run (s)", "wall time (s)"), rows)
    for note in result.notes:
        print(said(f"note: {note}"))
    print("results:", said(result.path))
    if result.figures:
        print("figures:", *map(said, result.figures))


def _start_jax() -> None:
    """float64, before anything else uses JAX; whole tracebacks, which tell whose an error is;
    figures into files; compiled programs kept, before equinox is imported.
    """
    import jax

    from racedyn import use_cache

    try:
        use_cache()
    except ValueError as error:  # a home that can't be written to
        warnings.warn(str(error), stacklevel=1)
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_traceback_filtering", "off")
    os.environ["MPLBACKEND"] = "Agg"
