"""What each level of `reduce` costs and how far it is off, from several laws of initial weights.

    python benchmarks/levels.py [--quick] [--items 8] [--depths 2 4] [--starts gaussian ...]

Two pathways of a depth learn the hierarchical task, until the time that is 40 / S of the smallest
mode; float64. off: relative L2 of all strengths over the run, against level "full", so that the
step of a descent has no part in it. A level that `reduce` refuses has a row that says so.
With `--train` a descent of as many tau, step `--lr`, stands beside them.
"""

from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import Any

import jax
import numpy as np
from harness import Column, Row, Side, in_turns, ratio, rows_of, seconds_of, tell

import racedyn as rd

USUAL: Row = {"threads": 1, "turns": 3, "items": 8, "depths": [2, 4], "width": 200}
USUAL |= {"starts": ["gaussian", "balanced", "aligned"], "lr": 0.04, "train": True}
QUICK: Row = {"turns": 1, "items": 2, "depths": [2], "width": 40, "lr": 0.1}
LEVELS = ("full", "pathway", "modes", "maps", "matrix", "signals", "compressed")
STARTS = {
    "gaussian": rd.init.Gaussian(std=0.02),
    "balanced": rd.init.Balanced(0.3),
    "aligned": rd.init.Aligned(0.3),  # in the task's modes, as balanced weights are with a task
}


def answers(job: Row) -> dict[str, Any]:
    jax.config.update("jax_enable_x64", True)
    return {"levels": lambda: list(level_rows(job))}


def level_rows(job: Row) -> Iterator[Row]:
    task = rd.tasks.hierarchy(items=job["items"])
    network = rd.networks.parallel(task, (job["depth"],) * 2, job["width"])
    aligned = {"task": task} if job["start"] == "aligned" else {}
    weights = network.init(STARTS[job["start"]], **aligned, key=0)
    ts = np.linspace(0, 40 / float(task.modes.S[-1]), 400)
    runs, rows = {}, {}
    for level in LEVELS:
        reducing, flow = reduced(network, task, weights, level)
        if flow is None:
            rows[level] = {"refused": "refused"}
            continue
        runs[level] = partial(rd.simulate, flow, ts)
        rows[level] = {"numbers": numbers(flow.y0()), "reduce_s": reducing}
    if job["train"]:
        steps = round(ts[-1] / job["lr"])
        options = {"lr": job["lr"], "steps": steps, "progress": False}
        runs["train"] = partial(rd.train, network, task, weights, **options)
        rows["train"] = {"numbers": numbers(weights)}
    found = {}
    for level, run in runs.items():
        rows[level]["first_s"], found[level] = seconds_of(run)
    turns = in_turns(
        {level: lambda run=run: seconds_of(run)[0] for level, run in runs.items()}, job["turns"]
    )
    whole = np.asarray(found["full"]["strength"])
    for level, row in rows.items():
        if level in runs:
            row["second_s"] = median(turn[level] for turn in turns)
            row["ratio"] = ratio(turns, level, "full")
        if level in runs and level != "train":
            strength = np.asarray(found[level]["strength"])
            row["off"] = float(np.linalg.norm(strength - whole) / np.linalg.norm(whole))
        yield {"level": level, **row}


def numbers(tree: Any) -> int:
    return sum(part.size for part in jax.tree.leaves(tree))


def reduced(network: Any, task: Any, weights: Any, level: str) -> tuple[float, Any]:
    """Seconds, and the level's system, or None where it is refused."""
    try:
        return seconds_of(lambda: rd.reduce(network, task, weights, level=level))
    except ValueError:
        return 0.0, None


COLUMNS = [
    Column("start", "start"),
    Column("depth", "depth", width=6),
    Column("level", "level", width=11),
    Column("", "refused", width=8),
    Column("numbers", "numbers"),
    Column("reduce, s", "reduce_s", ".2f", width=10),
    Column("first, s", "first_s", ".1f"),
    Column("second, ms", "second_s", ".1f", 1e3, 12),
    Column("ratio", "ratio", ".3f", width=8),
    Column("off, %", "off", ".2g", 1e2, 9),
]
LEGEND = "ratio: second run to level full's, within a turn; off: strengths, to level full."


def rows(options: Any) -> Iterator[Row]:
    names = ("threads", "turns", "items", "width", "lr", "train")
    job = {name: getattr(options, name) for name in names}
    for depth in options.depths:
        for start in options.starts:
            facts = {"start": start, "depth": depth}
            with Side("levels", **facts, **job) as side:
                yield from rows_of(facts, lambda side=side: side.ask("levels"))


def main() -> None:
    tell(__doc__, USUAL, QUICK, "levels", COLUMNS, rows, LEGEND)


if __name__ == "__main__":
    main()
