"""Ensembles on all cores against one: time, and that no bit differs.

    python benchmarks/cores.py [--quick] [--members 4000] [--turns 5] [--cores 2] [--cases ends ode]

Two pathways and eight modes, S = 4 ... 0.125, float64: where they end (depth 6), their exact
trajectories at 64 times (depth 3), the same by a solver; and few members that are large: weights of
a network by the solver, and descents of it in steps. Each side is a process of its own, and all of
them may use the same cores: "one" with `cores=1`; "all" as it is by default; "devices" as it was
done before there was `cores`, with XLA's flag that makes a device of each core. ratio: time over
that of "one", the median of that within a turn; of best: each one's quickest turn, which what else
the machine does disturbs least; differ: numbers, of all that is returned, that are not those of
"one" to the last bit.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import Any

import jax
import numpy as np
from harness import Column, Row, Side, in_turns, ratio, rows_of, seconds_of, tell

import racedyn as rd

SIDES = ("one", "all", "devices")
CASES = ["ends", "exact", "ode", "large", "descents"]
USUAL: Row = {"members": 4000, "large": 12, "turns": 5, "cases": CASES}
USUAL |= {"cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2}
QUICK: Row = {"members": 300, "large": 3, "turns": 1, "cases": ["ends", "descents"]}

S = np.array([4.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.125])
TS = np.linspace(0, 20, 64)


def answers(job: Row) -> dict[str, Callable[..., Any]]:
    """The far end: one case on one side."""
    if job["side"] == "devices":
        jax.config.update("jax_num_cpu_devices", job["threads"])
    jax.config.update("jax_enable_x64", True)
    options = {"cores": 1} if job["side"] == "one" else {}
    run = partial(large if job["case"] in ("large", "descents") else races, job, options)
    return {"seconds": lambda: seconds_of(run)[0], "checksums": lambda: checksums(run())}


def races(job: Row, options: Row) -> rd.Trajectory:
    depth = 6 if job["case"] == "ends" else 3
    p = 0.01 * np.random.default_rng(0).standard_normal((job["members"], 2, len(S)))
    one = rd.systems.Pathways(S, (depth, depth), 1.0, 0.1)
    ts = None if job["case"] == "ends" else TS
    method = "ode" if job["case"] == "ode" else "exact"
    return rd.ensemble(one, {"q": np.sqrt(1 + p**2), "p": p}, ts, method=method, **options)


def large(job: Row, options: Row) -> rd.Trajectory:
    task = rd.tasks.hierarchy(items=8)
    network = rd.networks.parallel(task, depths=(3, 3), width=40)
    starts = [network.init(rd.init.Gaussian(std=0.05), key=key) for key in range(job["large"])]

    def member(i: Any) -> rd.AbstractSystem:
        flow = rd.reduce(network, task, starts[int(i)], level="full")
        return rd.systems.Descent(flow, 0.02) if job["case"] == "descents" else flow

    return rd.ensemble(member, job["large"], TS[::8], **options)


def checksums(run: rd.Trajectory) -> dict[str, str]:
    """Of each member's share of everything."""
    found = {**run.observables, **run.stats, "status": run.status}
    return {
        f"{name}, member {member}": hashlib.sha256(np.asarray(row).tobytes()).hexdigest()
        for name, values in found.items()
        for member, row in enumerate(np.asarray(values))
    }


def rows(options: Any) -> Iterator[Row]:
    for case in options.cases:
        yield from rows_of({"case": case}, partial(rows_of_case, options, case))


def rows_of_case(options: Any, case: str) -> Iterator[Row]:
    with ExitStack() as stack:
        job = {"case": case, "members": options.members, "large": options.large}
        sides = {
            name: stack.enter_context(Side("cores", threads=options.cores, side=name, **job))
            for name in SIDES
        }
        first = {name: side.ask("seconds") for name, side in sides.items()}
        found = {name: side.ask("checksums") for name, side in sides.items()}
        calls = {name: partial(side.ask, "seconds") for name, side in sides.items()}
        turns = in_turns(calls, options.turns)
        best = {name: min(turn[name] for turn in turns) for name in SIDES}
        for name in SIDES:
            alike = [found[name][key] == value for key, value in found["one"].items()]
            yield {
                **{"side": name, "cores": 1 if name == "one" else options.cores},
                **{"seconds": median(turn[name] for turn in turns), "first_s": first[name]},
                **{"all_s": [turn[name] for turn in turns], "ratio": ratio(turns, name, "one")},
                **{"of_best": best[name] / best["one"], "differ": len(alike) - sum(alike)},
            }


COLUMNS = [
    Column("case", "case"),
    Column("side", "side"),
    Column("cores", "cores", width=7),
    Column("seconds", "seconds", ".3f"),
    Column("ratio", "ratio", ".2f"),
    Column("of best", "of_best", ".2f"),
    Column("differ", "differ", width=8),
    Column("first, s", "first_s", ".1f"),
]
LEGEND = "time over that of one core; differ: rows of members that have other bits."


def main() -> None:
    tell(__doc__, USUAL, QUICK, "cores", COLUMNS, rows, LEGEND)


if __name__ == "__main__":
    main()
