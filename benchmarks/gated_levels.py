"""Whole runs of a routing network at each level, over the same 200 times until the loss is 1e-4 of
what it was.

    python benchmarks/gated_levels.py [--quick] [--threads 1] [--starts equal distinct]

Seven properties of four items, 10 input and 10 output domains, 4 routes from each input; float64.
The first run compiles. The solve is `solve` under jit: what a run is without what `simulate` does
on the host. Starts: gated.py.
"""

from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import numpy as np
from gated import initial, routing, states
from harness import Column, Row, Side, in_turns, ratio, rows_of, seconds_of, tell

import racedyn as rd

USUAL: Row = {"threads": 1, "turns": 9, "starts": ["equal", "distinct"], "domains": 10}
QUICK: Row = {"turns": 3, "starts": ["equal"]}
LEARNED = 1e-4  # of the loss at the start


def answers(job: Row) -> dict[str, Any]:
    jax.config.update("jax_enable_x64", True)
    return {"levels": lambda: list(level_rows(job))}


def level_rows(job: Row) -> Iterator[Row]:
    network, task = routing(job["domains"], 4, 64)
    weights = initial(network, task, job["start"])
    flows = {
        level: rd.reduce(network, task, weights, level=level)
        for level in ("full", "matrix", "modes")
    }
    ts = np.linspace(0, learned_at(flows["modes"]), 200)
    runs = {level: partial(rd.simulate, flow, ts) for level, flow in flows.items()}
    first = {level: seconds_of(run)[0] for level, run in runs.items()}
    turns = in_turns({level: partial(timed, run) for level, run in runs.items()}, job["turns"])
    taken = [{level: seconds for level, (seconds, _) in turn.items()} for turn in turns]
    found = {level: run for level, (_, run) in turns[-1].items()}
    solves = solved(flows, ts, job["turns"])
    whole = np.asarray(found["full"].observables["loss"])
    for level, flow in flows.items():
        loss = np.asarray(found[level].observables["loss"])
        steps = np.atleast_1d(found[level].stats["num_steps"]).tolist()
        yield {
            "level": level,
            "states": states(flow),
            "numbers": sum(stack.size for stack in flow.y0()),
            "end": ts[-1],
            "first_s": first[level],
            "second_s": median(turn[level] for turn in taken),
            "ratio": ratio(taken, level, "full"),
            "solve_s": median(turn[level] for turn in solves),
            "solve_ratio": ratio(solves, level, "full"),
            "steps": "/".join(map(str, steps)),
            "loss_start": loss[0],
            "loss_end": loss[-1],
            "difference": float(np.abs(loss - whole).max()),
            "device": jax.devices()[0].device_kind,
        }


def learned_at(flow: Any) -> float:
    """When the loss is `LEARNED`, to a four hundredth of the time that is tried."""
    end, loss = 1.0, np.ones(1)
    for _ in range(60):  # doublings
        if loss[-1] <= LEARNED * loss[0]:
            break
        end *= 2
        loss = np.asarray(rd.simulate(flow, np.linspace(0, end, 400)).observables["loss"])
    return end * float(np.argmax(loss <= LEARNED * loss[0])) / 399


def timed(run: Any) -> tuple[float, Any]:
    seconds, made = seconds_of(lambda: (made := run(), made.observables["loss"]))
    return seconds, made[0]


def solved(flows: dict[str, Any], ts: np.ndarray, turns: int) -> list[dict[str, float]]:
    solve = eqx.filter_jit(partial(rd.solve, adjoint=dfx.ForwardMode()))
    calls = {level: partial(solve, flow, ts) for level, flow in flows.items()}
    for call in calls.values():
        seconds_of(call)  # compiles
    return in_turns(
        {level: lambda c=call: seconds_of(c)[0] for level, call in calls.items()}, turns
    )


COLUMNS = [
    Column("start", "start"),
    Column("level", "level", width=8),
    Column("states", "states", width=8),
    Column("numbers", "numbers"),
    Column("tau", "end", ".1f", width=8),
    Column("first, s", "first_s", ".1f"),
    Column("second, ms", "second_s", ".1f", 1e3, 12),
    Column("ratio", "ratio", ".2f", width=7),
    Column("solve, ms", "solve_s", ".1f", 1e3, 11),
    Column("ratio", "solve_ratio", ".2f", width=7),
    Column("steps", "steps", width=18),
    Column("loss from", "loss_start", ".2f"),
    Column("to", "loss_end", ".1e", width=9),
    Column("differs", "difference", ".1e"),
]
LEGEND = "ratio: to level full, within a turn; steps: of each lane; differs: the loss."


def rows(options: Any) -> Iterator[Row]:
    job = {name: getattr(options, name) for name in ("threads", "turns", "domains")}
    for start in options.starts:
        with Side("gated_levels", start=start, **job) as side:
            yield from rows_of({"start": start}, lambda side=side: side.ask("levels"))


def main() -> None:
    tell(__doc__, USUAL, QUICK, "levels", COLUMNS, rows, LEGEND)


if __name__ == "__main__":
    main()
