"""How long until the first result, in a fresh process: without kept programs, and with all of them.

A first call is mostly compilation. Each case is one call in a process of its own, timed after all
that it needs is imported; the command `racedyn run` is timed whole. `--against SRC`, the folder
`src` of another checkout, takes turns with this one.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from harness import Column, NotMeasured, Row, in_turns, pin, ratio, rows_of, tell

ROOT = Path(__file__).resolve().parents[1]
USUAL = {
    "turns": 3,
    "threads": 1,
    "against": "",
    "cases": ["import", "command", "races", "own", "train", "ensemble", "exact", "depths"],
}
QUICK = {"turns": 1, "cases": ["import", "own"]}
TASK = """
task = rd.tasks.hierarchy(items=8)
network = rd.networks.parallel(task, depths=(4, 4), width=200)
"""
RACE = """
S, q, p = np.linspace(1, 0.2, 7), np.full((2, 7), 0.3), np.full((2, 7), 0.01) * [[1], [2]]
ts = np.linspace(0, 60, 101)
"""
# What is imported and made before, and the call that is timed.
CASES = {
    "races": (
        f"rd.simulate{RACE}race = rd.systems.Pathways(S, (4, 4), q, p)",
        "rd.simulate(race, ts)",
    ),
    "own": (
        "rd.simulate; decay = rd.from_function(lambda t, y, args: -y, y0=np.ones(3))",
        "rd.simulate(decay, np.linspace(0, 1, 11))",
    ),
    "train": (
        f"rd.train{TASK}",
        "weights = network.init(rd.init.Gaussian(std=0.02), key=0)\n"
        "rd.train(network, task, weights, lr=0.04, steps=200)",
    ),
    "ensemble": (
        f"rd.ensemble{RACE}\n"
        "race_of = lambda member: rd.systems.Pathways(S, (4, 4), q + 0.001 * member, p)",
        "rd.ensemble(race_of, 64, ts)",
    ),
    "exact": (f"rd.exact.trajectory{RACE}", "rd.exact.trajectory(S, (4, 4), q, p, ts)"),
    "depths": (
        f"rd.ensemble{RACE}\n"
        "def race_of(depth):\n"
        "    return lambda member: rd.systems.Pathways(S, (depth,) * 2, q + 0.0001 * member, p)",
        "for depth in range(2, 10): rd.ensemble(race_of(depth), 1000, ts)",
    ),
}


def answer(case: str, threads: int, folder: str) -> Row:
    """In a process of its own: seconds of one case, and of what is imported before."""
    from time import perf_counter

    pin(threads)
    began = perf_counter()
    if case == "command":
        from racedyn.cli import main

        config = ROOT / "data" / "runs" / "hierarchy.toml"
        if main(["run", str(config), "--out", folder, "--overwrite"]):
            raise RuntimeError("the run failed")
        return {"seconds": perf_counter() - began}
    import racedyn as rd

    getattr(rd, "use_cache", lambda: None)()  # before equinox; commits before it keep nothing
    import jax
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    scope = {"rd": rd, "np": np}
    if case == "import":
        _ = rd.simulate, rd.train, rd.reduce, rd.compare
        return {"seconds": perf_counter() - began}
    before, call = CASES[case]
    exec(before, scope)
    ready = perf_counter()
    exec(call, scope)
    return {"seconds": perf_counter() - ready}


def first(source: Path, case: str, threads: int, cache: str) -> float:
    """Seconds of one case in a fresh process with this source, its programs in `cache`."""
    if not (source / "racedyn").is_dir():  # or the installed one would be timed in its place
        raise NotMeasured(f"there is no racedyn in {source}")
    path = os.pathsep.join([str(source), str(Path(__file__).parent)])
    environment = {name: text for name, text in os.environ.items() if not name.startswith("JAX_")}
    environment |= {"PYTHONPATH": path, "RACEDYN_CACHE": cache, "MPLBACKEND": "Agg"}
    with tempfile.TemporaryDirectory() as folder:
        job = json.dumps({"case": case, "threads": threads, "folder": folder})
        code = f"import json, first; print(json.dumps(first.answer(**json.loads({job!r}))))"
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
    if done.returncode:
        raise NotMeasured((done.stderr.strip().splitlines() or ["no message"])[-1])
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def measured(options: Any, case: str, warm: bool) -> Iterator[Row]:
    sources = {"this": ROOT / "src"}
    sources |= {"against": Path(options.against).resolve()} if options.against else {}
    with tempfile.TemporaryDirectory() as folder:
        sides = {
            name: partial(
                first, source, case, options.threads, f"{folder}/{name}" if warm else "off"
            )
            for name, source in sources.items()
        }
        if warm:
            for side in sides.values():
                side()
        turns = in_turns(sides, options.turns)
    row: Row = {f"{name}_s": median(turn[name] for turn in turns) for name in sides}
    row["all_s"] = turns
    yield row | ({"ratio": ratio(turns, "this", "against")} if options.against else {})


COLUMNS = [
    Column("case", "case"),
    Column("kept", "kept", width=6),
    Column("this, s", "this_s", ".2f"),
    Column("against, s", "against_s", ".2f", width=12),
    Column("ratio", "ratio", ".2f", width=7),
]
LEGEND = """the median over turns; kept: whether compiled programs are read from disk; ratio: this
source's time over the other's, the median of that within a turn. The command's time has its
imports in it, the other cases' have not."""


def rows(options: Any) -> Iterator[Row]:
    for case in options.cases:
        for warm in (False, True):
            if case != "import" or not warm:
                facts = {"case": case, "kept": "yes" if warm else "no"}
                yield from rows_of(facts, partial(measured, options, case, warm))


def main() -> None:
    tell(__doc__, USUAL, QUICK, "first", COLUMNS, rows, LEGEND)


if __name__ == "__main__":
    main()
