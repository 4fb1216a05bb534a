"""Kill sweeps, and single workers of theirs, at random times; go on, and hold the merged arrays
against those of an uninterrupted one, bit for bit.

`python tests/sweep_kills.py 10` kills each 10 times and prints counts.
"""

import collections
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from racedyn import store
from racedyn.trajectory import Labelled

CONFIG = """
[task]
kind = "hierarchy"
items = 4
[network]
kind = "parallel"
depths = [2, 2]
width = 6
[init]
kind = "gaussian"
std = 0.2
[train]
lr = 0.05
steps = 2000
save_every = 10
[theory]
level = "pathway"
"""
OVER = ["network.width=4:10", "init.std=0.1,0.2", "seed=0:4"]  # six blocks of eight


def start(folder: Path, out: Path) -> subprocess.Popen[str]:
    """`racedyn sweep` by two workers, in a group of its own, with what was compiled before."""
    (folder / "small.toml").write_text(CONFIG)
    over = [word for axis in OVER for word in ("--over", axis)]
    line = ["sweep", str(folder / "small.toml"), "--out", str(out), "--jobs", "2", "--quiet"]
    return subprocess.Popen(
        [sys.executable, "-m", "racedyn", *line, *over],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"RACEDYN_CACHE": str(folder / "compiled")},
    )


def in_one_go(folder: Path) -> tuple[Labelled, float]:
    """The merged arrays of an uninterrupted sweep, and how many seconds one takes that finds what
    was compiled."""
    for name in ("first", "whole"):
        begun = time.monotonic()
        process = start(folder, folder / name)
        _, err = process.communicate(timeout=500)
        assert process.returncode == 0, (process.returncode, err)
    return store.load(folder / "whole" / "sweep.h5"), time.monotonic() - begun


def check_same(found: Labelled, whole: Labelled) -> None:
    """Every array and coordinate, bit for bit."""
    assert found.dims == whole.dims
    for name in (*whole, *whole.coordinates):
        np.testing.assert_array_equal(found[name], whole[name], err_msg=name)


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Processes that a sweep has begun, by number."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # it may be over
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


def _finish(folder: Path, out: Path, whole: Labelled) -> None:
    process = start(folder, out)
    _, err = process.communicate(timeout=500)
    assert process.returncode == 0, (process.returncode, err)
    check_same(store.load(out / "sweep.h5"), whole)


def kill(folder: Path, times: int, *, seed: int) -> collections.Counter[str]:
    """Kill so many sweeps, as a whole; finish each chain."""
    draw, counts = random.Random(seed), collections.Counter[str]()
    whole, lasted = in_one_go(folder)
    out, killed = folder / "killed", 0
    while killed < times and counts["ended before its kill"] < 10 * times:
        process = start(folder, out)
        time.sleep(draw.random() * lasted)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=120)
        if process.returncode == 0:
            check_same(store.load(out / "sweep.h5"), whole)
            counts["ended before its kill"] += 1
            out = folder / f"killed after {killed}"
            continue
        killed += 1
        done = len(list((out / "parts").glob("*.h5"))) if out.exists() else 0
        counts[f"killed with {done} of 6 parts"] += 1
    _finish(folder, out, whole)
    counts["equal to the uninterrupted, bit for bit"] += 1
    return counts


def kill_workers(folder: Path, times: int, *, seed: int) -> collections.Counter[str]:
    """Kill one worker of each of so many sweeps, each of which goes on by itself; others, whose
    workers had ended by their moment, are counted."""
    draw, counts = random.Random(seed), collections.Counter[str]()
    whole, lasted = in_one_go(folder)
    for number in range(4 * times):
        if counts["a worker was killed"] == times:
            break
        out = folder / f"workers {number}"
        process = start(folder, out)
        until_there = time.monotonic() + lasted
        while not workers_of(process) and time.monotonic() < until_there:
            time.sleep(0.05)
        time.sleep(draw.random() * lasted / 2)
        workers = workers_of(process)
        if workers:
            os.kill(draw.choice(workers), signal.SIGKILL)
        counts["a worker was killed" if workers else "no worker was there"] += 1
        _, err = process.communicate(timeout=500)
        assert process.returncode == 0, (process.returncode, err)
        check_same(store.load(out / "sweep.h5"), whole)
        counts["equal to the uninterrupted, bit for bit"] += 1
    return counts


if __name__ == "__main__":
    number = int(sys.argv[1])
    for job in (kill, kill_workers):
        with tempfile.TemporaryDirectory() as temporary:
            print(job.__name__, dict(job(Path(temporary), number, seed=0)), flush=True)
