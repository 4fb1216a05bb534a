"""What grows with the number of routes: seconds to build, to trace, to compile and to run, and
memory.

    python benchmarks/gated_scaling.py [--quick] [--threads 1] [--routes 4 20 100]

K = M: all routes between M input and M output domains, width 64; float64. One evaluation of the
field at two levels from two starts (gated.py), and all paths' maps from matrices of full width.
Built is the level by `reduce`, where there is one.
"""

import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from statistics import median
from typing import Any

import jax
from gated import evaluations, initial, routing, states
from harness import (
    Column,
    Row,
    Side,
    in_turns,
    peak_memory,
    rows_of,
    seconds_of,
    tell,
)

import racedyn as rd

USUAL: Row = {"threads": 1, "turns": 9, "seconds": 0.2, "fewest": 300, "routes": [4, 20, 100]}
QUICK: Row = {"turns": 3, "seconds": 0.05, "fewest": 100, "routes": [4, 20]}
STARTS = ("equal", "distinct")


def answers(job: Row) -> dict[str, Callable[..., Row]]:
    """One answer after another, so that those before a failure are kept."""
    jax.config.update("jax_enable_x64", True)
    problem = cache(partial(seconds_of, routing, job["routes"], job["routes"], 64))

    @cache
    def weights(start: str) -> tuple[float, Any]:
        return seconds_of(initial, *problem()[1], start)

    def level(level: str, start: str) -> Row:
        given = *problem()[1], weights(start)[1]
        build_s, flow = seconds_of(partial(rd.reduce, *given, level=level))
        return {"build_s": build_s, "states": states(flow), **field_row(flow, job)}

    return {
        "task": lambda: {"build_s": problem()[0], **memory()},
        "weights": lambda start: {"build_s": weights(start)[0], **memory()},
        "level": level,
        "maps": lambda: maps_row(*problem()[1], weights("distinct")[1], job["turns"]),
    }


def field_row(flow: Any, job: Row) -> Row:
    def field(y: Any, flow: Any) -> Any:
        return flow.vector_field(0.0, y, None)

    row = compiling(field, flow.y0(), flow)
    turns = evaluations({"field": (field, flow.y0(), flow)}, job)
    return {**row, "run_s": median(turn["field"] for turn in turns), **memory()}


def maps_row(network: rd.Network, task: rd.Task, weights: Any, turns: int) -> Row:
    modes, paths = task.all_modes(), network.paths()
    maps = jax.jit(lambda weights: rd.paths.path_maps(network, weights, modes, paths))
    row = {"paths": len(paths), **compiling(maps, weights)}
    seconds_of(maps, weights)
    taken = in_turns({"maps": lambda: seconds_of(maps, weights)[0]}, turns)
    return {**row, "run_s": median(turn["maps"] for turn in taken), **memory()}


def compiling(function: Callable[..., Any], *arguments: Any) -> Row:
    """Seconds to trace and to compile."""
    began = time.perf_counter()
    lowered = jax.jit(function).lower(*arguments)
    traced = time.perf_counter()
    lowered.compile()
    return {"trace_s": traced - began, "compile_s": time.perf_counter() - traced}


def memory() -> Row:
    return {"peak_mib": peak_memory(), "device": jax.devices()[0].device_kind}


COLUMNS = [
    Column("M", "domains", width=5),
    Column("routes", "routes", width=8),
    Column("what", "what", width=20),
    Column("states", "states", width=8),
    Column("build, s", "build_s", ".3f"),
    Column("trace, s", "trace_s", ".3f"),
    Column("compile, s", "compile_s", ".3f", width=12),
    Column("run, us", "run_s", ".2f", 1e6, 14),
    Column("peak, MiB", "peak_mib", ".0f", width=11),
]
LEGEND = "states: matrices that symmetry does not join; peak: of memory so far."


def rows(options: Any) -> Iterator[Row]:
    job = {name: getattr(options, name) for name in ("threads", "turns", "seconds", "fewest")}
    asked = [("task", "task", {})]
    asked += [(f"weights, {start}", "weights", {"start": start}) for start in STARTS]
    for level in ("modes", "full"):
        for start in STARTS:
            asked.append((f"{level}, {start}", "level", {"level": level, "start": start}))
    for domains in options.routes:
        with Side("gated_scaling", routes=domains, **job) as side:
            for what, request, given in [*asked, ("all path maps", "maps", {})]:
                facts = {"domains": domains, "routes": domains**2, "what": what}
                yield from rows_of(facts, lambda s=side, r=request, g=given: [s.ask(r, **g)])


def main() -> None:
    tell(__doc__, USUAL, QUICK, "scaling", COLUMNS, rows, LEGEND)


if __name__ == "__main__":
    main()
