"""Training on many routes by sums over domains, beside training on all their examples, and beside
steps of the same size along the field of `reduce(level="full")`.

    python benchmarks/routes.py [--quick] [--domains 4 10 20 100] [--threads 1]

The digits of scikit-learn on routes of which two of five are trained, through one shared network of
width 32; float64, nothing observed but the loss. All sides take the same steps from the same
weights; the one by examples is left out where a third of this machine's memory does not hold them.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any

import jax
import numpy as np
from harness import (
    Column,
    NotMeasured,
    Row,
    Side,
    in_turns,
    peak_memory,
    ratio,
    rows_of,
    seconds_of,
    tell,
)
from inside import descent_steps, field_steps, loss_factor, memory

import racedyn as rd

USUAL: Row = {"domains": [4, 10, 20, 100], "threads": 1, "turns": 5, "steps": 10, "images": 1797}
QUICK: Row = {"domains": [4], "turns": 2, "steps": 3, "images": 200}
WIDTH, SHARE, STD = 32, 0.4, 0.1


def answers(job: Row) -> dict[str, Callable[..., Any]]:
    jax.config.update("jax_enable_x64", True)
    imported = peak_memory()
    digits, M = rd.tasks.images("digits"), job["domains"]
    X, Y = digits.X[:, : job["images"]], digits.Y[:, : job["images"]]
    task = rd.tasks.routing(M, max(1, round(SHARE * M)), X, Y)
    network = rd.networks.routing(task, WIDTH)
    weights = network.init(rd.init.Gaussian(STD), key=0)
    needed = 8 * task.num_examples * (sum(task.input_widths.values()) + len(Y) * M)
    if job["by"] == "examples":
        if needed > job["memory"]:
            raise NotMeasured(f"all examples take {needed / 2**30:.3g} GiB")
        task = rd.Task(task.inputs, task.targets, task.context, task.num_contexts)
    # On the sum over all examples: a step of tau.
    step = 0.5 / task.num_examples
    steps = (
        field_steps(network, task, weights, step * loss_factor(task, "sum"))
        if job["by"] == "reduced"
        else descent_steps(network, task, weights, step, "float64")
    )

    def taken(n: int) -> Row:
        seconds, loss = seconds_of(steps, n)
        return {"seconds": seconds / n, "loss": loss}

    return {
        "steps": taken,
        "facts": lambda: {
            "examples": task.num_examples,
            "examples_gib": needed / 2**30,
            "peak_mib": peak_memory(),
            "above_imports_mib": peak_memory() - imported,
        },
    }


def step_rows(options: Any, **job: Any) -> Iterator[Row]:
    with contextlib.ExitStack() as stack:
        sides: dict[str, Side] = {}
        warm: dict[str, list[Row]] = {}
        for by in ("sums", "reduced", "examples"):
            side = stack.enter_context(Side("routes", by=by, **job))
            try:
                warm[by] = [side.ask("steps", n=1), side.ask("steps", n=3)]
                sides[by] = side
            except NotMeasured as reason:
                yield {"by": by, "not_measured": str(reason)}
        calls = {by: partial(side.ask, "steps", n=options.steps) for by, side in sides.items()}
        turns = in_turns(calls, options.turns)
        seconds = [{by: answer["seconds"] for by, answer in turn.items()} for turn in turns]
        for by, side in sides.items():
            losses = {b: [a["loss"] for a in [*warm[b], *(t[b] for t in turns)]] for b in sides}
            apart = np.abs(np.subtract(losses[by], losses["sums"])) / losses["sums"]
            yield {
                "by": by,
                "step_s": median(turn[by] for turn in seconds),
                "ratio": ratio(seconds, by, "sums"),
                "first_call_s": warm[by][0]["seconds"],
                "difference": float(apart.max()),
                **side.ask("facts"),
            }


COLUMNS = [
    Column("domains", "domains", width=8),
    Column("by", "by", width=9),
    Column("examples", "examples", width=9),
    Column("they take, GiB", "examples_gib", ".3g", width=15),
    Column("step, ms", "step_s", ".2f", 1e3),
    Column("ratio", "ratio", ".1f", width=7),
    Column("first, s", "first_call_s", ".1f"),
    Column("differs", "difference", ".1e"),
    Column("peak, MiB", "peak_mib", ".0f"),
    Column("above imports", "above_imports_mib", ".0f", width=14),
]
LEGEND = """Time of a step over that by sums, the median of that within a turn; first: compiling and
one step; differs: the largest difference of a loss along the steps, of it."""


def rows(options: Any) -> Iterator[Row]:
    third = memory() / 3
    for domains in options.domains:
        job = {
            "domains": domains,
            "threads": options.threads,
            "images": options.images,
            "memory": third,
        }
        yield from rows_of({"domains": domains}, partial(step_rows, options, **job))


def main() -> None:
    tell(__doc__, USUAL, QUICK, "routes", COLUMNS, rows, LEGEND)


if __name__ == "__main__":
    main()
