"""The gated flow: its field against gradients by JAX, its levels against each other, and what grows with the routes.

    python benchmarks/gated.py [field|levels|scaling] [--quick] [--json FILE]

Routing networks learn K routes from each of M input domains (4 items) to as many output domains (7 properties), through
one shared chain of two hidden layers; the contextual network has a common pathway and one that is off in each context.
Starts: "equal", aligned weights (scale 0.08), of which symmetry joins many into one state; "distinct", the same with a
factor of its own for each matrix, so that it joins none; "gaussian". float64, one core unless --threads says otherwise.

- field: one evaluation of the field, and the Euler step that makes the next one wait for it, in a loop inside one jitted
  function; against `jax.grad` of the plain loss grouped by contexts, and against `jax.grad` of our own loss on our own plan.
- levels: a whole run at each level, over the same 200 times until the loss is 1e-4 of what it was.
- scaling: K = M; one evaluation of the field at two levels, and all paths' maps from matrices of full width.

Every measurement has a process of its own. Sides take turns; ratios are medians over turns of the ratio within one turn:
what else the machine does then hits both. This process imports nothing but the standard library (on Linux a child's
ru_maxrss starts from its parent's).
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

WORKER = Path(__file__).with_name("gated_worker.py")
Row = dict[str, Any]
CONTEXTUAL = ("contextual", (4, 8, 100))  # contexts, items, width


def measured(part: str, options: argparse.Namespace, **job: Any) -> Iterator[Row]:
    """The rows of a worker. One that dies leaves a row that says so."""
    job |= {"part": part, "turns": options.turns, "seconds": options.seconds, "fewest": options.fewest}
    child = subprocess.Popen([sys.executable, str(WORKER), json.dumps(job)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        yield json.loads(line)
    if child.wait():
        yield {**job, "failed": f"its process ended with status {child.returncode}"}


def field(options: argparse.Namespace) -> Iterator[Row]:
    for network, sizes in [("routing", (domains, 4, 64)) for domains in options.domains] + [CONTEXTUAL]:
        for start in ("equal", "distinct") if network == "routing" else ("gaussian",):
            for level in ("full", "matrix"):
                yield from measured("field", options, network=network, sizes=sizes, start=start, level=level)


def levels(options: argparse.Namespace) -> Iterator[Row]:
    for start in options.starts:
        yield from measured("levels", options, sizes=(10, 4, 64), start=start)


def scaling(options: argparse.Namespace) -> Iterator[Row]:
    for routes in options.routes:
        yield from measured("scaling", options, sizes=(routes, routes, 64))


def field_line(row: Row) -> str:
    first, second, width = row["sizes"]
    shape = f"M={first} K={second}" if row["network"] == "routing" else f"C={first} items={second}"
    title = f"{row['network']} {shape} width {width}"
    head = f"{title:<33}{row['start']:<10}{row['level']:<8}"
    if "failed" in row:
        return f"{head}failed: {row['failed']}"
    states = f"{row['states']} of {row['matrices']}"
    seconds = {name: f"{1e6 * median(some):.1f}" for name, some in row["seconds"].items()}
    return (
        f"{head}{states:>9}{row['columns']:>8}{seconds['ours']:>9}{seconds['grouped']:>9}"
        f"{row['ratios']['grouped']:>7.3f}{seconds['planned']:>9}{row['ratios']['planned']:>7.2f}{row['difference']:>12.1e}"
    )


def levels_line(row: Row) -> str:
    if "failed" in row:
        return f"{row['start']:<10}failed: {row['failed']}"
    steps = "/".join(str(n) for n in row["steps"])
    return (
        f"{row['start']:<10}{row['level']:<8}{row['states']:>6}{row['numbers']:>9}{row['end']:>8.1f}{row['first_s']:>8.1f} s"
        f"{row['second_s'] * 1e3:>8.1f} ms{row['ratio']:>7.2f}{row['solve_s'] * 1e3:>8.1f} ms{row['solve_ratio']:>7.2f}"
        f"{steps:>18}{row['loss'][0]:>10.2f}{row['loss'][1]:>10.1e}{row['difference']:>12.1e}"
    )


def scaling_line(row: Row) -> str:
    head = f"{row['sizes'][0]:>4}{row['sizes'][0] * row['sizes'][1]:>8}  "
    if "failed" in row:
        return f"{head}failed: {row['failed']}"
    times = "".join(f"{f'{row[name]:.3f}' if name in row else '-':>10}" for name in ("build_s", "trace_s", "compile_s"))
    run = f"{row['run_s'] * 1e6:.2f}" if "run_s" in row else "-"
    return f"{head}{row['what']:<20}{row.get('states', '-'):>7}{times}{run:>14}{row['peak_mib']:>10.0f}"


class Part(NamedTuple):
    rows: Callable[[argparse.Namespace], Iterator[Row]]
    line: Callable[[Row], str]
    header: str


PARTS = {
    "field": Part(field, field_line, "\n".join([
        "One evaluation, in microseconds. grouped: jax.grad of the plain loss, examples condensed and grouped by contexts;",
        "planned: jax.grad of our loss on our plan. ratio: ours over theirs. differ: of all three, to the largest entry.",
        f"{'network':<33}{'start':<10}{'level':<8}{'states':>9}{'columns':>8}{'ours':>9}{'grouped':>9}{'ratio':>7}"
        f"{'planned':>9}{'ratio':>7}{'differ':>12}",
    ])),
    "levels": Part(levels, levels_line, "\n".join([
        "A whole run of routing M=10 K=4 width 64. first: with compilation; solve: what of the second is the solver.",
        "ratio: to level full; steps: of each lane.",
        f"{'start':<10}{'level':<8}{'states':>6}{'numbers':>9}{'tau':>8}{'first':>10}{'second':>11}{'ratio':>7}"
        f"{'solve':>11}{'ratio':>7}{'steps':>18}{'loss from':>10}{'to':>10}{'differs by':>12}",
    ])),
    "scaling": Part(scaling, scaling_line, "\n".join([
        "Seconds to build (reduce, where there is a level), to trace and to compile; microseconds to run; peak MiB so far.",
        f"{'M':>4}{'routes':>8}  {'what':<20}{'states':>7}{'build':>10}{'trace':>10}{'compile':>10}{'run':>14}{'peak':>10}",
    ])),
}  # fmt: skip


def machine(rows: list[Row], cores: int) -> Row:
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(text.split(":")[1].strip() for text in lines if text.startswith("model name"))
    worker = next(({name: row[name] for name in ("versions", "device")} for row in rows if "versions" in row), {})
    return {"system": platform.platform(), "python": platform.python_version(), "cpu": cpu, "cores": cores, **worker}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="|".join(PARTS), help="all if none is named")
    parser.add_argument("--quick", action="store_true", help="the smaller sizes and few turns: two minutes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, default=Path("runs/benchmark_gated.json"))
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"parts are {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    usual: Row = {"turns": 9, "seconds": 0.2, "fewest": 300, "domains": (10, 40), "routes": (4, 20, 100)}
    usual |= {"starts": ("equal", "distinct")}
    quick = {"turns": 3, "seconds": 0.05, "fewest": 100, "domains": (10,), "routes": (4, 20), "starts": ("equal",)}
    for name, value in (quick if options.quick else usual).items():
        setattr(options, name, value)
    if hasattr(os, "sched_setaffinity"):  # workers inherit it; JAX makes as many threads as there are cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])

    found: dict[str, list[Row]] = {}
    for name in options.parts or PARTS:
        print(f"{name}\n{PARTS[name].header}", flush=True)
        found[name] = []
        for row in PARTS[name].rows(options):
            found[name].append(row)
            print(PARTS[name].line(row), flush=True)
        print()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    facts = machine([row for rows in found.values() for row in rows], options.threads)
    options.json.write_text(json.dumps({"machine": facts, **found}, indent=1) + "\n")
    print("JSON:", options.json)


if __name__ == "__main__":
    main()
