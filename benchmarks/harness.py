"""What all benchmarks share: processes that take turns, ratios within a turn, tables, JSON.

A side is a module with `answers(job)`: name -> a function that answers a request by what JSON can
hold. Its process is pinned to as many cores as it may have threads before anything is imported, so
that threads, compiled code and peak memory are its own. What can't be measured leaves a row that
says why, and the others go on.

Only the standard library is imported here: the environment of a side may have nothing else.
"""

import argparse
import contextlib
import importlib
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

Row = dict[str, Any]
PACKAGES = ("racedyn", "jax", "jaxlib", "numpy", "diffrax", "scipy", "numba", "heyoka", "torch")


class NotMeasured(RuntimeError):
    """There is no number, and this is why."""


class Side:
    """The near end of a process that answers requests; `serve` is the far end.

    `ask` raises `NotMeasured` where a module is missing, where it fails, and where the process
    has died.
    """

    def __init__(self, module: str, *, threads: int, python: str = sys.executable, **job: Any):
        job |= {"module": module, "threads": threads}
        command, pipe = [python, __file__, json.dumps(job)], subprocess.PIPE
        self.child = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def __enter__(self) -> "Side":
        return self

    def __exit__(self, *_: Any) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.close()
        self.child.wait()
        self.child.stdout.close()

    def ask(self, request: str, **arguments: Any) -> Any:
        line = ""
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps([request, arguments]), file=self.child.stdin, flush=True)
            line = self.child.stdout.readline()
        if not line:
            raise NotMeasured(f"its process ended with status {self.child.wait()}")
        reply = json.loads(line)
        if "not_measured" in reply:
            raise NotMeasured(reply["not_measured"])
        return reply["answer"]


def serve(job: Row) -> None:
    """In a process of its own: read a request per line, answer each with a line."""
    pin(job["threads"])
    replies, sys.stdout = (
        sys.stdout,
        sys.stderr,
    )  # what a library prints must not look like an answer
    answers: Mapping[str, Callable[..., Any]] = {}
    for line in sys.stdin:
        request, arguments = json.loads(line)
        try:
            answers = answers or importlib.import_module(job["module"]).answers(job)
            reply = {"answer": answers[request](**arguments)}
        except Exception as error:
            reply = {"not_measured": why(error)}
        print(json.dumps(reply, default=lambda array: array.tolist()), file=replies, flush=True)


def why(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"{error} (pip install '.[bench]')"
    return f"{type(error).__name__}: {error}"


def pin(threads: int) -> None:
    """To the last cores, where the system can: JAX makes as many threads as there are cores."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # BLAS: two on one core wait for each other
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def peak_memory() -> float:
    """The largest resident memory of this process so far, in MiB."""
    with contextlib.suppress(OSError, StopIteration):  # ru_maxrss on Linux starts from the parent's
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 2**10
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def seconds_of(
    call: Callable[..., Any], *arguments: Any, at_least: float = 0.0
) -> tuple[float, Any]:
    """Seconds of a call, and its result, which is waited for.

    The mean over as many calls as take `at_least` so long.
    """
    ready = sys.modules["jax"].block_until_ready if "jax" in sys.modules else lambda result: result
    began, calls, result = time.perf_counter(), 0, None
    while not calls or time.perf_counter() - began < at_least:
        result = ready(call(*arguments))
        calls += 1
    return (time.perf_counter() - began) / calls, result


def in_turns(sides: Mapping[str, Callable[[], Any]], turns: int) -> list[Row]:
    """What every side returns, turn by turn; each goes first as often.

    What else the machine does in a turn hits all.
    """
    return [
        {name: sides[name]() for name in list(sides)[:: 1 if turn % 2 else -1]}
        for turn in range(turns)
    ]


def ratio(turns: Iterable[Mapping[str, float]], side: str, peer: str) -> float:
    """The median over turns of the ratio within one turn."""
    return median(turn[side] / turn[peer] for turn in turns)


def rows_of(facts: Row, ask: Callable[[], Iterable[Row]]) -> Iterator[Row]:
    """The rows that are asked for, with `facts`; where they can't be had, one that says why."""
    try:
        for row in ask():
            yield {**facts, **row}
    except NotMeasured as reason:
        yield {**facts, "not_measured": str(reason)}


class Column(NamedTuple):
    """What a table shows of rows: `scale` times what they have under `key`, formatted by `form`."""

    title: str
    key: str
    form: str = ""
    scale: float = 1
    width: int = 10

    def cell(self, row: Row) -> str:
        value = row.get(self.key)
        if value is None:
            return "-"
        return format(value if self.scale == 1 else self.scale * value, self.form)


def options_of(doc: str, usual: Row, quick: Row) -> argparse.Namespace:
    """The command line: an option for each of the `usual` settings; --quick takes the `quick`."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes and few turns")
    name = Path(sys.argv[0]).stem
    parser.add_argument("--json", type=Path, default=Path(f"runs/benchmark_{name}.json"))
    for name, value in usual.items():
        many = isinstance(value, list)
        kind = type(value[0] if many else value)
        how = {"action": argparse.BooleanOptionalAction} if kind is bool else {"type": kind}
        how |= {"nargs": "+"} if many else {}
        parser.add_argument(f"--{name.replace('_', '-')}", help=f"usually {value}", **how)
    options = parser.parse_args()
    for name, value in (usual | (quick if options.quick else {})).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


class Report:
    """Tables as their rows come, and a JSON file of all, with machine, versions and settings."""

    def __init__(self, options: argparse.Namespace):
        self.options, self.tables, self.machine = options, {}, machine()
        versions = " ".join(
            f"{name} {version}" for name, version in self.machine["versions"].items()
        )
        print(f"{self.machine['cpu']}, {self.machine['cores']} cores; {versions}")

    def table(
        self, name: str, columns: Iterable[Column], rows: Iterable[Row], legend: str
    ) -> list[Row]:
        columns = list(columns)
        print(
            f"\n{name}: {legend}\n" + "".join(f"{c.title:>{c.width}}" for c in columns), flush=True
        )
        kept = self.tables.setdefault(name, [])
        for row in rows:
            kept.append(row)
            reason = f"  not measured: {row['not_measured']}" if "not_measured" in row else ""
            print("".join(f"{c.cell(row):>{c.width}}" for c in columns) + reason, flush=True)
        return kept

    def write(self) -> None:
        path = self.options.json
        path.parent.mkdir(parents=True, exist_ok=True)
        found = {"machine": self.machine, "options": vars(self.options), **self.tables}
        path.write_text(json.dumps(found, indent=1, default=str) + "\n", encoding="utf-8")
        print("\nJSON:", path)


def tell(
    doc: str,
    usual: Row,
    quick: Row,
    name: str,
    columns: Iterable[Column],
    rows: Callable[[argparse.Namespace], Iterable[Row]],
    legend: str,
) -> None:
    """A script of one table."""
    options = options_of(doc, usual, quick)
    report = Report(options)
    report.table(name, columns, rows(options), legend)
    report.write()


def machine() -> Row:
    """Of this process; a side's device, and another environment's versions, are in its rows."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {"system": platform.platform(), "cpu": cpu, "cores": cores, "versions": versions}


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
