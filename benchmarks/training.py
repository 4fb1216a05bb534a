"""One step of full-batch gradient descent beside PyTorch and a NumPy loop; a whole run against its
theory.

    python benchmarks/training.py [--quick] [--torch-python OTHER_ENVIRONMENT/bin/python] [--full]

Two pathways of equal depth on the hierarchical task of 8 items, float32, nothing observed on any
side, the same initial weights, step size 0.01 on the sum of squares. racedyn runs what `train`
runs; the others are peers/torch.py and peers/numpy.py. The whole run is the published one (10,000
epochs at width 1000, depth 4), its time extrapolated from that of a step unless --full makes it,
over one solve of the q/p equations at the same 500 times.
"""

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from harness import (
    Column,
    NotMeasured,
    Report,
    Row,
    Side,
    in_turns,
    options_of,
    peak_memory,
    ratio,
    rows_of,
    seconds_of,
)
from inside import descent_steps, loss_factor
from peers.steps import LR, step_answers

import racedyn as rd

USUAL: Row = {"widths": [250, 500, 1000, 2000], "depths": [2, 3, 4, 7], "threads": [1, 2]}
USUAL |= {"turns": 9, "seconds": 0.3, "full": False, "torch_python": sys.executable}
QUICK: Row = {"widths": [500], "depths": [3], "threads": [1], "turns": 3, "seconds": 0.1}
GAIN = (
    0.8  # std = GAIN / sqrt(width): the loss falls within the steps that are timed, at every depth
)
FEWEST_STEPS = 20  # per turn; a call computes one row and copies the weights once
PUBLISHED: Row = {"width": 1000, "depth": 4, "std": 0.01}  # [Shi22]: entries N(0, 0.01^2)
EPOCHS, SAVES = 10_000, 500


def answers(job: Row) -> dict[str, Callable[..., Any]]:
    """The far end: racedyn, which draws the weights that all start from."""
    device = jax.devices()[0]
    if (
        device.platform != "cpu"
    ):  # PyTorch multiplies in full float32 unless told otherwise; JAX on a GPU does not
        jax.config.update("jax_default_matmul_precision", "highest")
    imported = peak_memory()
    task = rd.tasks.hierarchy(items=8)
    network = rd.networks.parallel(task, depths=(job["depth"],) * 2, width=job["width"])
    weights = drawn(network, job["std"])
    arrays = {"X": task.X, "Y": task.Y, **weights}
    for name, array in arrays.items():
        np.asarray(array, np.float32).tofile(Path(job["folder"], name))
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    facts = {
        "device": device.device_kind if device.platform != "cpu" else "cpu",
        "imported_mib": imported,
        "weights_mib": sum(W.nbytes for W in weights.values()) / 2**20,
        "shapes": shapes,
    }
    steps = descent_steps(network, task, weights, LR)
    del weights, arrays  # the state has them, and moves them

    def device_mib() -> float | None:
        return (device.memory_stats() or {}).get("peak_bytes_in_use", 0) / 2**20 or None

    return {
        **step_answers(steps, facts, device_mib),
        "bandwidth": lambda: bandwidth([shapes[edge] for edge in network.edges]),
        "whole_run": partial(whole_run, network, task, job["std"]),
    }


def drawn(network: rd.Network, std: float) -> dict[str, jax.Array]:
    weights = network.init(rd.init.Gaussian(std), key=0)
    return {edge: jnp.asarray(weights[edge], "float32") for edge in network.edges}


def bandwidth(shapes: list[list[int]]) -> float:
    """Bytes per second of scaling in place as many numbers as there are weights."""

    @jax.jit
    def scale(many: Any, n: Any) -> Any:
        return jax.lax.fori_loop(0, n, lambda _, many: [a * 0.9999999 for a in many], many)

    many = [jnp.ones(shape, "float32") for shape in shapes]
    num_bytes = 2 * sum(array.nbytes for array in many)
    n = max(3, int(1e9 / num_bytes))
    return n * num_bytes / min(seconds_of(scale, many, n)[0] for _ in range(6))


def whole_run(network: rd.Network, task: rd.Task, std: float, full: bool) -> Row:
    """Theory of the published run at the same save times (and, where asked for, the run itself)."""
    jax.config.update("jax_enable_x64", True)
    start = network.init(rd.init.Gaussian(std), key=0)
    ts = loss_factor(task, "sum") * LR * np.linspace(0, EPOCHS, SAVES + 1)
    system = rd.reduce(network, task, start, level="pathway")
    first, *later = (seconds_of(lambda: rd.simulate(system, ts).ts)[0] for _ in range(6))
    found = {"solve_s": median(later), "solve_first_s": first}
    if full:
        run = partial(rd.train, network, task, start, lr=LR, steps=EPOCHS, loss="sum")
        found["train_s"], _ = seconds_of(lambda: run(dtype="float32", progress=False).ts)
    return found


@contextlib.contextmanager
def sides_of(options: Any, **job: Any) -> Iterator[dict[str, Side]]:
    """racedyn first: it writes the weights."""
    with contextlib.ExitStack() as stack:
        job["folder"] = stack.enter_context(tempfile.TemporaryDirectory())
        sides = {"racedyn": stack.enter_context(Side("training", **job))}
        job["shapes"] = sides["racedyn"].ask("facts")["shapes"]
        for name, python in (("torch", options.torch_python), ("numpy", sys.executable)):
            sides[name] = stack.enter_context(Side(f"peers.{name}", python=python, **job))
        yield sides


def step_rows(options: Any, **job: Any) -> Iterator[Row]:
    with sides_of(options, std=GAIN / job["width"] ** 0.5, **job) as sides:
        warm: dict[str, list[Row]] = {}
        for name, side in list(sides.items()):
            try:
                warm[name] = [side.ask("steps", n=1), side.ask("steps", n=3)]
            except NotMeasured as reason:
                del sides[name]
                yield {"side": name, "not_measured": str(reason)}
        slowest = max(found[1]["seconds"] for found in warm.values())
        n = max(FEWEST_STEPS, min(5000, round(options.seconds / slowest)))
        calls = {name: partial(side.ask, "steps", n=n) for name, side in sides.items()}
        for name, call in calls.items():
            warm[name].append(call())
        turns = in_turns(calls, options.turns)
        facts = {name: {**side.ask("facts"), **side.ask("memory")} for name, side in sides.items()}
        # A weight is read forward, read backward, read and written in the update. The bandwidth
        # is measured after peak memory was read.
        moved = 4 * facts["racedyn"]["weights_mib"] * 2**20
        bound = moved / sides["racedyn"].ask("bandwidth")
        yield from (step_row(name, n, warm, turns, bound, facts[name]) for name in sides)


def step_row(name: str, n: int, warm: Any, turns: list[Row], bound: float, facts: Row) -> Row:
    seconds = [{side: answer["seconds"] for side, answer in turn.items()} for turn in turns]
    losses = {side: [a["loss"] for a in [*warm[side], *(t[side] for t in turns)]] for side in warm}
    best = {side: min(turn[side] for turn in seconds) for side in warm}
    apart = [abs(a - b) for a, b in zip(losses[name], losses["racedyn"], strict=True)]
    step_s = median(turn[name] for turn in seconds)
    facts = {key: value for key, value in facts.items() if key != "shapes"}
    return {
        **{"side": name, "steps": n, "step_s": step_s, "all_s": [turn[name] for turn in seconds]},
        **{"ratio": ratio(seconds, "racedyn", name), "of_best": best["racedyn"] / best[name]},
        **{"bound_s": bound, "times_bound": step_s / bound},
        **{"loss_start": losses[name][0], "loss_end": losses[name][-1], "difference": max(apart)},
        **{"first_call_s": warm[name][0]["seconds"], **facts},
        "above_imports_mib": facts["peak_mib"] - facts["imported_mib"],
    }


def published(options: Any, found: list[Row]) -> Iterator[Row]:
    """The published run; --quick takes the first of the widths, so that a test takes seconds."""
    job, threads, width = dict(PUBLISHED), max(options.threads), options.widths[0]
    job |= {"width": width, "std": GAIN / width**0.5} if options.quick else {}
    size = {"width": job["width"], "depth": job["depth"], "threads": threads, "side": "racedyn"}
    alike = [row["step_s"] for row in found if size.items() <= row.items()]
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        side = stack.enter_context(Side("training", threads=threads, folder=folder, **job))
        steps = partial(side.ask, "steps", n=FEWEST_STEPS)
        steps()  # compiles
        step_s = alike[0] if alike else median(steps()["seconds"] for _ in range(options.turns))
        run = {"step_s": step_s, **side.ask("whole_run", full=options.full)}
    train_s = run.get("train_s", EPOCHS * step_s)
    how = "made" if options.full else "extrapolated"
    yield {**size, **run, "how": how, "train_s": train_s, "ratio": train_s / run["solve_s"]}


SIZE = [Column("width", "width", width=6), Column("depth", "depth", width=6)]
SIZE += [Column("threads", "threads", width=8)]
STEPS = [
    *SIZE,
    Column("side", "side"),
    Column("step, ms", "step_s", ".3f", 1e3),
    Column("ratio", "ratio", ".2f", width=7),
    Column("of best", "of_best", ".2f", width=8),
    Column("x bound", "times_bound", ".1f", width=8),
    Column("loss from", "loss_start", ".3e", width=11),
    Column("to", "loss_end", ".1e", width=9),
    Column("differs", "difference", ".1e"),
    Column("peak, MiB", "peak_mib", ".0f"),
    Column("above imports", "above_imports_mib", ".0f", width=14),
]
STEPS_LEGEND = """racedyn's time over theirs, the median of that within a turn (of best: each one's
quickest turn, which a busy machine disturbs least); bound: what a step must move at least, 16 bytes
a weight, at the speed of scaling as many numbers in place; differs: the loss, from racedyn's."""
RUN = [
    *SIZE,
    Column("training, s", "train_s", ".1f", width=12),
    Column("how", "how", width=14),
    Column("solve, ms", "solve_s", ".1f", 1e3, 11),
    Column("first, s", "solve_first_s", ".1f"),
    Column("ratio", "ratio", ".0f", width=7),
]
RUN_LEGEND = f"{EPOCHS} epochs over one solve at {SAVES} times; extrapolated: steps alone, no rows."


def rows(options: Any) -> Iterator[Row]:
    for width in options.widths:
        for depth in options.depths:
            for threads in options.threads:
                job = {"width": width, "depth": depth, "threads": threads}
                yield from rows_of(job, partial(step_rows, options, **job))


def main() -> None:
    options = options_of(__doc__, USUAL, QUICK)
    report = Report(options)
    found = report.table("steps", STEPS, rows(options), STEPS_LEGEND)
    report.table("whole_run", RUN, rows_of({}, partial(published, options, found)), RUN_LEGEND)
    report.write()


if __name__ == "__main__":
    main()
