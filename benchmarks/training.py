"""One step of full-batch gradient descent, racedyn against plain PyTorch in the same run; a whole run against its theory.

    python benchmarks/training.py [--quick] [--torch-python OTHER_ENVIRONMENT/bin/python]

Two pathways of equal depth on the hierarchical task of 8 items, float32, nothing observed on either side, the same
initial weights, step size 0.01 on the sum of squares. racedyn runs what `train` runs (`racedyn.training.descent.advance`);
PyTorch runs chains of Linear(bias=False) whose outputs are summed, eagerly, with torch.optim.SGD.

Each (library, width, depth, threads) has a process of its own, pinned to as many cores before anything is imported, so
that threads and peak memory are its own. The two take turns, the ratio is the median over turns of the ratio within one
turn: what else the machine does then hits both. This process imports nothing but the standard library (on Linux a
child's ru_maxrss starts from its parent's).
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from training_worker import EPOCHS, SAVES

LIBRARIES = ("racedyn", "torch")
WORKER = Path(__file__).with_name("training_worker.py")
GAIN = 0.8  # std = GAIN / sqrt(width): the loss falls within the steps that are timed, at every depth
FEWEST_STEPS = 20  # per turn; `advance` computes one row and copies the weights once per call
PUBLISHED = {"width": 1000, "depth": 4, "std": 0.01}  # [Shi22]: entries N(0, 0.01^2)


class Process:
    """The near end of `training_worker.serve`."""

    def __init__(self, python: str, **job: Any):
        command = [python, str(WORKER), json.dumps(job)]
        self.library = job["library"]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.facts = self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit(f"the {self.library} process ended with status {self.child.wait()}")
        return json.loads(line)

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.child.stdin is not None
        print(json.dumps(request), file=self.child.stdin, flush=True)
        return self._answer()


@contextlib.contextmanager
def processes(options: argparse.Namespace, **job: Any) -> Iterator[dict[str, Process]]:
    """The libraries that are installed; racedyn first: it draws the weights that both start from."""
    with tempfile.TemporaryDirectory() as folder:
        running: dict[str, Process] = {}
        try:
            running["racedyn"] = Process(sys.executable, library="racedyn", folder=folder, full=options.full, **job)
            shapes = running["racedyn"].facts["shapes"]
            running["torch"] = Process(options.torch_python, library="torch", folder=folder, shapes=shapes, **job)
            yield running
        finally:
            for process in running.values():
                assert process.child.stdin is not None
                process.child.stdin.close()
                process.child.wait()


def measure(options: argparse.Namespace, width: int, depth: int, threads: int) -> dict[str, Any]:
    row: dict[str, Any] = {"width": width, "depth": depth, "threads": threads}
    with processes(options, width=width, depth=depth, threads=threads, std=GAIN / width**0.5) as running:
        for name in [name for name, process in running.items() if "missing" in process.facts]:
            row[name] = {"missing": running.pop(name).facts["missing"]}
        warm = [{name: process.facts for name, process in running.items()}]
        warm.append({name: process.ask(steps=3) for name, process in running.items()})
        n = max(FEWEST_STEPS, min(5000, round(options.seconds / max(side["seconds"] for side in warm[1].values()))))
        warm.append({name: process.ask(steps=n) for name, process in running.items()})
        turns: list[dict[str, Any]] = []
        for turn in range(options.repeats):
            names = list(running)[:: 1 if turn % 2 else -1]
            turns.append({name: running[name].ask(steps=n) for name in names})
        facts = running["racedyn"].facts
        moved = 4 * facts["weights_mib"] * 2**20
        row |= {"steps": n, "weights_mib": facts["weights_mib"], "loss_start": facts["loss"]}
        for name, process in running.items():
            seconds = [turn[name]["seconds"] for turn in turns]
            kept = {key: value for key, value in process.facts.items() if key != "shapes"}
            row[name] = {"step_s": median(seconds), "all_s": seconds, **process.ask(memory=True), **kept}
            row[name]["loss_end"] = turns[-1][name]["loss"]
        row["bound_s"] = moved / running["racedyn"].ask(other="bandwidth")["answer"]  # after its peak memory was read
    if "torch" in running:
        row["ratio"] = median(turn["racedyn"]["seconds"] / turn["torch"]["seconds"] for turn in turns)
        row["ratio_of_best"] = min(row["racedyn"]["all_s"]) / min(row["torch"]["all_s"])
        row["loss_difference"] = max(abs(turn["racedyn"]["loss"] - turn["torch"]["loss"]) for turn in warm + turns)
    return row


def whole_run(options: argparse.Namespace, step_s: float | None, threads: int, job: dict[str, Any]) -> dict[str, Any]:
    """The published training run over one reduced solve; the run extrapolated from `step_s` unless it was made."""
    with processes(options, threads=threads, **job) as running:
        racedyn = running["racedyn"]
        if step_s is None:
            racedyn.ask(steps=3)
            step_s = median(racedyn.ask(steps=FEWEST_STEPS)["seconds"] for _ in range(options.repeats))
        row = {**job, "threads": threads, "step_s": step_s, **racedyn.ask(other="whole_run")["answer"]}
    row["extrapolated"] = row["train_s"] is None
    row["train_s"] = row["train_s"] or EPOCHS * step_s
    return {**row, "ratio": row["train_s"] / row["solve_s"], "epochs": EPOCHS, "saves": SAVES}


HEADER = (
    f"{'width':>5}{'depth':>6}{'threads':>8}{'racedyn':>10}{'PyTorch':>10}{'ratio':>7}{'of best':>8}{'bound':>9}"
    f"{'loss from':>11}{'to':>9}{'differs by':>11}{'peak MiB (above imports)':>28}"
)


LEGEND = """\
ratio: racedyn / PyTorch, median over turns; of best: each one's quickest turn, which a busy machine disturbs least.
bound: what each step must move at least (a weight is read forward, read backward, read and written in the update:
16 bytes), at the speed of scaling as many numbers in place."""


def line(row: dict[str, Any]) -> str:
    ours, peer = row["racedyn"], row["torch"]
    memory = [
        f"{side['peak_mib']:.0f} ({side['peak_mib'] - side['imported_mib']:.0f})"
        for side in (ours, peer)
        if "missing" not in side
    ]
    nan = float("nan")
    theirs = "missing" if "missing" in peer else f"{peer['step_s'] * 1e3:.3f} ms"
    return (
        f"{row['width']:>5}{row['depth']:>6}{row['threads']:>8}{ours['step_s'] * 1e3:>7.3f} ms{theirs:>10}"
        f"{row.get('ratio', nan):>7.2f}{row.get('ratio_of_best', nan):>8.2f}{row['bound_s'] * 1e3:>6.2f} ms"
        f"{row['loss_start']:>11.3e}{ours['loss_end']:>9.1e}{row.get('loss_difference', nan):>11.1e}"
        f"  {' | '.join(memory):>26}"
    )


def machine(rows: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, str] = {"python": platform.python_version()}
    for side in (row[name] for row in rows for name in LIBRARIES):
        found |= side.get("versions", {})
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(text.split(":")[1].strip() for text in lines if text.startswith("model name"))
    devices = sorted({side["device"] for row in rows for side in (row[n] for n in LIBRARIES) if "device" in side})
    return {"system": platform.platform(), "cpu": cpu, "cores": cores, "devices": devices, "versions": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+")
    parser.add_argument("--depths", type=int, nargs="+")
    parser.add_argument("--threads", type=int, nargs="+")
    parser.add_argument("--repeats", type=int, help="turns of each library")
    parser.add_argument("--seconds", type=float, help="how long a turn should take")
    parser.add_argument("--quick", action="store_true", help="one size, one thread, few turns: under a minute")
    parser.add_argument("--full", action="store_true", help="make the published training run instead of extrapolating")
    parser.add_argument("--torch-python", default=sys.executable, help="the Python whose environment has torch")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark_training.json"))
    options = parser.parse_args()
    usual: dict[str, Any] = {"widths": [250, 500, 1000, 2000], "depths": [2, 3, 4, 7], "threads": [1, 2]}
    usual |= {"repeats": 9, "seconds": 0.3}
    quick = {"widths": [500], "depths": [3], "threads": [1], "repeats": 3, "seconds": 0.1}
    for name, value in (quick if options.quick else usual).items():
        if getattr(options, name) is None:
            setattr(options, name, value)

    rows = []
    print(HEADER)
    for width in options.widths:
        for depth in options.depths:
            for threads in options.threads:
                rows.append(measure(options, width, depth, threads))
                print(line(rows[-1]), flush=True)
    if "missing" in rows[0]["torch"]:
        print(f"PyTorch is not measured: {rows[0]['torch']['missing']} (pip install '.[bench]', or --torch-python)")
    print(LEGEND)
    for row in rows:
        if row["depth"] >= 3 and row.get("ratio", 0) > 0.8:
            print(
                f"width {row['width']}, depth {row['depth']}, {row['threads']} threads: ratio {row['ratio']:.2f}; racedyn "
                f"takes {row['racedyn']['step_s'] / row['bound_s']:.1f} times, PyTorch "
                f"{row['torch']['step_s'] / row['bound_s']:.1f} times what memory alone would."
            )

    threads, job = max(options.threads), dict(PUBLISHED)
    if options.quick:  # the first of the widths, so that a test takes seconds
        job |= {"width": options.widths[0], "std": GAIN / options.widths[0] ** 0.5}
    alike = [r for r in rows if (r["width"], r["depth"], r["threads"]) == (job["width"], job["depth"], threads)]
    run = whole_run(options, alike[0]["racedyn"]["step_s"] if alike else None, threads, job)
    how = (
        "EXTRAPOLATED from the time of one step, nothing observed" if run["extrapolated"] else "measured, with its rows"
    )
    print(
        f"\n{EPOCHS} epochs at width {run['width']}, depth {run['depth']}, {threads} threads: {run['train_s']:.1f} s ({how}).\n"
        f"One reduced solve at the same {SAVES} times: {run['solve_s'] * 1e3:.1f} ms (first call, with compilation: "
        f"{run['solve_first_s']:.1f} s). Ratio {run['ratio']:.0f}."
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": machine(rows), "steps": rows, "whole_run": run}, indent=1) + "\n")
    print("JSON:", options.out)


if __name__ == "__main__":
    main()
