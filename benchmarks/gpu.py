"""What a GPU makes of races, ensembles, training and compression: time, memory, and whether the
numbers are those of the CPU.

    python benchmarks/gpu.py [--quick] [--seconds 240] [--members 65536] [--widths 250 1000 4000]

Each row is computed twice by this process, in float64 or float32: by the first device of JAX, and
by the CPU. Cases of exact.py: where races end and their trajectories at 64 points, exactly, and
by an ensemble with a solver; steps of descent of training.py (depth 3, two pathways);
`rd.compress` of a wide network. The CPU computes fewer members, as each is computed alone: times
are per member. differs: the largest difference of the two over the largest number, of those that
both have; NaN: the share that the device has not; MiB: the most that it has held so far, where it
says so. A second table has the steps beside PyTorch's, where that is installed.

A row that would not fit into --seconds, by the row of the same kind before it, is left out, and
says so. Without a GPU both columns are the CPU.
"""

import os

# PyTorch in a process beside this one needs memory, too; and JAX must read this before it begins.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
from harness import Column, Report, Row, options_of, rows_of, seconds_of, why
from inside import descent_steps
from peers.steps import LR

import racedyn as rd
from exact import Race
from training import GAIN, step_rows

USUAL: Row = {"members": 65536, "of_cpu": 256, "cases": ["c1-3", "c1-5", "c0-5"]}
USUAL |= {"widths": [250, 1000, 4000], "compress": [4000], "steps": 100, "seconds": 240.0}
QUICK: Row = {"members": 64, "of_cpu": 16, "cases": ["c1-2"], "widths": [50], "compress": [80]}
QUICK |= {"steps": 5}
DTYPES = ("float64", "float32")
NO_GPU = "no GPU here: both columns are the CPU"

Side = Callable[[Any, str, int], tuple[float, np.ndarray]]
"""Of a device, a dtype and a number of members: seconds of a second call, and what it found, the
first members first."""


def ends(race: Race, device: Any, dtype: str, members: int) -> tuple[float, np.ndarray]:
    race = first(race, members)
    values, q, p = (np.asarray(x, dtype) for x in race.start)
    return timed(lambda: rd.exact.converged(values, race.depths, q, p).strength)


def points(race: Race, device: Any, dtype: str, members: int) -> tuple[float, np.ndarray]:
    return timed(partial(first(race, members).exact, times(race.case)))


def solver(race: Race, device: Any, dtype: str, members: int) -> tuple[float, np.ndarray]:
    few, ts = first(race, members), times(race.case)
    rtol = 1e-8 if dtype == "float64" else 1e-5
    return timed(lambda: few.ensemble(ts, rtol, devices=[device]))


def first(race: Race, members: int) -> Race:
    """The first members of a race, which one of fewer would draw otherwise."""
    few = Race(race.case, members)
    few.__dict__["start"] = race.first(members)
    return few


@cache
def times(case: str) -> np.ndarray:
    with jax.default_device(cpu()), jax.enable_x64(True):
        return Race(case, 16).ts


def descent(width: int, steps: int, device: Any, dtype: str, _: int) -> tuple[float, np.ndarray]:
    """The losses after each of three calls, of which the last is timed."""
    task = rd.tasks.hierarchy(items=8)
    network = rd.networks.parallel(task, depths=(3, 3), width=width)
    drawn = network.init(rd.init.Gaussian(GAIN / width**0.5), key=0)
    weights = {edge: jax.numpy.asarray(W, dtype) for edge, W in drawn.items()}
    step = descent_steps(network, task, weights, LR, dtype)
    losses = [step(1), step(steps)]
    seconds, last = seconds_of(step, steps)
    return seconds / steps, np.array([*losses, last])


def compress(width: int, device: Any, dtype: str, _: int) -> tuple[float, np.ndarray]:
    """The losses of the narrow network, by its own training."""
    task = rd.tasks.hierarchy(items=8)
    network = rd.networks.parallel(task, depths=(3, 3), width=width)
    drawn = network.init(rd.init.Gaussian((0.1 / width) ** 0.5), key=0)
    weights = {edge: np.asarray(W, dtype) for edge, W in drawn.items()}
    how = {"lr": 0.1, "steps": 1000}
    began = time.perf_counter()
    narrow = rd.compress(network, task, weights, **how)
    seconds = time.perf_counter() - began  # with what compiles: one compresses once
    return seconds, np.asarray(rd.train(narrow.problem, **how, progress=False)["loss"])


def timed(run: Callable[[], Any]) -> tuple[float, np.ndarray]:
    jax.block_until_ready(run())  # compiles
    seconds, found = seconds_of(run)
    return seconds, np.asarray(found)


def cpu() -> Any:
    return jax.devices("cpu")[0]


def both(side: Side, dtype: str, members: int, of_cpu: int) -> Row:
    """One row: the device, then the CPU."""
    found, taken = [], []
    for device, number in ((jax.devices()[0], members), (cpu(), min(members, of_cpu))):
        with jax.default_device(device), jax.enable_x64(dtype == "float64"):
            seconds, numbers = side(device, dtype, number)
        found.append(numbers)
        taken.append(seconds / number)
    few = found[1].shape[-1]  # lanes are last, and those of the first members first
    apart = np.nanmax(np.abs(found[0][..., :few] - found[1])) / np.nanmax(np.abs(found[1]))
    stats = jax.devices()[0].memory_stats() or {}
    peak = stats.get("peak_bytes_in_use")
    return {
        **{"members": members, "device_s": taken[0], "cpu_s": taken[1]},
        **{"ratio": taken[0] / taken[1], "differs": float(apart)},
        "nan": float(np.mean(np.isnan(found[0]))),
        "mib": None if peak is None else peak / 2**20,
    }


def rows(options: Any, began: float) -> Iterator[Row]:
    """Kinds take turns, so that what is left out is the largest of each."""
    many = [
        (name, race.case, partial(kind, race), options.members, float(race.depth))
        for race in (Race(case, options.members) for case in options.cases)
        for name, kind in (("ends", ends), ("points", points), ("solver", solver))
    ]
    steps = [
        ("step", f"width {N}", partial(descent, N, options.steps), 1, N**2.0)
        for N in options.widths
    ]
    wide = [("compress", f"width {N}", partial(compress, N), 1, N**2.0) for N in options.compress]
    last: dict[tuple[str, str], tuple[float, float]] = {}
    for name, case, side, members, work in [*steps[:1], *many[:3], *wide, *steps[1:], *many[3:]]:
        for dtype in DTYPES:
            facts = {"what": name, "case": case, "dtype": dtype}
            seconds, before = last.get((name, dtype), last.get((name, "float64"), (20.0, work)))
            needed, left = seconds * work / before, options.seconds - time.perf_counter() + began
            if needed > left:
                yield facts | {"not_measured": f"left out, {left:.0f} s were left for {needed:.0f}"}
                continue
            start = time.perf_counter()
            try:
                yield facts | both(side, dtype, members, options.of_cpu)
            except Exception as error:
                yield facts | {"not_measured": why(error)}
            last[name, dtype] = time.perf_counter() - start, work


def beside(options: Any, began: float) -> Iterator[Row]:
    """The steps beside PyTorch's, each in a process of its own, float32."""
    few = SimpleNamespace(torch_python=os.sys.executable, seconds=0.1, turns=3)
    for width in options.widths:
        if time.perf_counter() - began > 0.8 * options.seconds:
            yield {"width": width, "not_measured": "left out, no time was left"}
            continue
        job = {"width": width, "depth": 3, "threads": 1}
        yield from rows_of({"width": width}, lambda job=job: list(step_rows(few, **job)))


COLUMNS = [
    Column("what", "what"),
    Column("case", "case", width=12),
    Column("dtype", "dtype", width=9),
    Column("members", "members", width=9),
    Column("device, us", "device_s", ".4g", 1e6, 12),
    Column("CPU, us", "cpu_s", ".4g", 1e6, 12),
    Column("ratio", "ratio", ".3g"),
    Column("differs", "differs", ".0e", width=9),
    Column("NaN, %", "nan", ".3g", 100, 8),
    Column("MiB", "mib", ".0f", width=8),
]
BESIDE = [
    Column("width", "width", width=6),
    Column("side", "side"),
    Column("device", "device", width=24),
    Column("step, ms", "step_s", ".3f", 1e3),
    Column("ratio", "ratio", ".2f"),
    Column("differs", "difference", ".0e"),
    Column("device, MiB", "device_mib", ".0f", width=13),
]


def main() -> None:
    began = time.perf_counter()
    warnings.simplefilter("ignore")
    options = options_of(__doc__, USUAL, QUICK)
    report = Report(options)
    device = jax.devices()[0]
    where = NO_GPU if device.platform == "cpu" else f"device: {device.device_kind}"
    report.table("device", COLUMNS, rows(options, began), f"{where}; us: of a member, or a step.")
    report.table("beside", BESIDE, beside(options, began), "racedyn's time of a step over theirs.")
    print(f"\n{where}; {time.perf_counter() - began:.0f} of {options.seconds:.0f} s")
    report.write()


if __name__ == "__main__":
    main()
