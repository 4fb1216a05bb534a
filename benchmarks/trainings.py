"""Trainings as members of an ensemble beside the same one by one: time, memory, weights.

    python benchmarks/trainings.py [--quick] [--trainings 100] [--steps 100] [--turns 5] [--cores 2]

Two pathways on hierarchy of 8, float64, a seed for each training; all cores may be used by both.
ratio: time one by one over that as members, the median of that within a turn, both compiled;
distance: the largest of any weight at the end; memory: what the first call of the process added.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import Any

import jax
import numpy as np
from harness import Column, Row, Side, in_turns, peak_memory, ratio, rows_of, seconds_of, tell

import racedyn as rd

SIDES = ("members", "one by one")
CASES = {"2-16": ((2, 2), 16), "2-200": ((2, 2), 200), "4-200": ((4, 4), 200)}  # depths, width
TASK = rd.tasks.hierarchy(items=8)
USUAL: Row = {"trainings": 100, "steps": 100, "turns": 5, "cases": list(CASES)}
USUAL |= {"cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2}
QUICK: Row = {"trainings": 20, "steps": 50, "turns": 1, "cases": ["2-16"]}


def answers(job: Row) -> dict[str, Callable[..., Any]]:
    """The far end: one case on one side."""
    jax.config.update("jax_enable_x64", True)
    depths, width = CASES[job["case"]]
    network = rd.networks.parallel(TASK, depths=depths, width=width)
    steps = {"lr": 0.04, "steps": job["steps"], "save_every": job["steps"]}
    law = rd.init.Gaussian(std=0.05)

    def member(seed: Any) -> rd.Training:
        drawn = network.init(law, key=seed)
        return rd.Training(network, TASK, drawn, **steps, observe=["strength", "weights"])

    def alone(seed: int) -> rd.Trajectory:
        drawn = network.init(law, key=seed)
        return rd.train(network, TASK, drawn, **steps, observe=["strength"], progress=False)

    def together() -> list[list[float]]:
        runs = rd.ensemble(member, job["trainings"])
        ends = [runs[f"weights:{edge}"][:, -1] for edge in network.edges]
        return [some(rows) for rows in zip(*ends, strict=True)]

    def one_by_one() -> list[list[float]]:
        return [some(alone(seed).end["weights"].values()) for seed in range(job["trainings"])]

    run = together if job["side"] == "members" else one_by_one
    before = peak_memory()

    def first() -> Row:
        return {"first_s": seconds_of(run)[0], "memory": peak_memory() - before}

    return {"first": first, "seconds": lambda: seconds_of(run)[0], "weights": run}


def some(matrices: Any) -> list[float]:
    """The first numbers of each matrix, which tell as much as all."""
    return [float(x) for matrix in matrices for x in np.ravel(matrix)[:20]]


def rows(options: Any) -> Iterator[Row]:
    for case in options.cases:
        yield from rows_of({"case": case}, partial(rows_of_case, options, case))


def rows_of_case(options: Any, case: str) -> Iterator[Row]:
    with ExitStack() as stack:
        job = {"case": case, "trainings": options.trainings, "steps": options.steps}
        sides = {
            name: stack.enter_context(Side("trainings", threads=options.cores, side=name, **job))
            for name in SIDES
        }
        first = {name: side.ask("first") for name, side in sides.items()}
        ends = {name: np.array(side.ask("weights")) for name, side in sides.items()}
        calls = {name: partial(side.ask, "seconds") for name, side in sides.items()}
        turns = in_turns(calls, options.turns)
        for name in SIDES:
            yield {
                **{"side": name, "seconds": median(turn[name] for turn in turns)},
                **{"all_s": [turn[name] for turn in turns]},
                **{"ratio": ratio(turns, name, "members"), **first[name]},
                **{"distance": float(np.abs(ends[name] - ends["members"]).max())},
            }


COLUMNS = [
    Column("case", "case"),
    Column("side", "side", width=12),
    Column("seconds", "seconds", ".3f"),
    Column("ratio", "ratio", ".1f"),
    Column("distance", "distance", ".1e"),
    Column("memory, MiB", "memory", ".0f", width=12),
    Column("first, s", "first_s", ".1f"),
]
LEGEND = "case: depth and width; ratio: time over that of the members."


def main() -> None:
    tell(__doc__, USUAL, QUICK, "trainings", COLUMNS, rows, LEGEND)


if __name__ == "__main__":
    main()
