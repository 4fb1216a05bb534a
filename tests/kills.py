"""Kill `racedyn run` at random times, go on with --resume, and hold the result against an uninterrupted run, bit for bit.

`python tests/kills.py 40` kills 40 times and prints counts.
"""

import collections
import json
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

SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
CODES = {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}
CONFIG = """
[task]
kind = "hierarchy"
items = 4
[network]
kind = "parallel"
depths = [2, 3]
width = 6
[init]
kind = "gaussian"
std = 0.3
[train]
lr = 1e-6
steps = {steps}
save_every = 1000
"""
CODE = "import sys\nfrom racedyn import training, cli\ntraining.CHECKPOINT_SECONDS = 0.2\ncli.command()"


def start(folder: Path, *flags: str, devices: int = 1, temporary: Path | None = None) -> subprocess.Popen:
    """`racedyn run` on the folder's configuration, with a checkpoint every 0.2 s and what it compiled before."""
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
    }
    if temporary is not None:
        environment["TMPDIR"] = str(temporary)
    command = [sys.executable, "-c", CODE, "run", str(folder / "small.toml"), *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def prepare(folder: Path, steps: int) -> store.File:
    """Write the configuration, run it without an interruption, return its file."""
    (folder / "small.toml").write_text(CONFIG.format(steps=steps))
    process = start(folder, "--out", str(folder / "whole"), "--quiet")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return store.load(folder / "whole" / "small.h5")


def check_same(found: store.File, whole: store.File) -> None:
    """Every row, every observable, the weights at the end and the theory, bit for bit."""
    for name in ("trained", "theory"):
        ours, theirs = found[name], whole[name]
        np.testing.assert_array_equal(ours.ts, theirs.ts)
        for key, value in theirs.observables.items():
            np.testing.assert_array_equal(ours.observables[key], value, err_msg=key)
    for edge, value in whole.trained.end["weights"].items():
        np.testing.assert_array_equal(found.trained.end["weights"][edge], value)


def check_nothing_false(out: Path, whole: store.File) -> str:
    """What is there after a kill: "nothing", "partial" or "finished"; raises where one looks like another or differs."""
    target, partial = out / "small.h5", out / "small.h5.partial"
    if target.exists():
        check_same(store.load(target), whole)
        return "finished"
    if not partial.exists():
        return "nothing"
    try:
        store.load(partial)
        raise AssertionError("a checkpoint looked complete")
    except store.StoreError as error:
        assert "checkpoint of a run that was not finished" in str(error), error
    kept = store.load(partial, partial=True).trained
    rows = np.searchsorted(whole.trained.step, kept.step)
    np.testing.assert_array_equal(whole.trained.step[rows], kept.step)
    np.testing.assert_array_equal(whole.trained.observables["loss"][rows], kept.observables["loss"])
    return "partial"


def kill(folder: Path, times: int, *, seed: int, steps: int, longest: float = 4.0) -> collections.Counter:
    """Kill so many runs, each `longest` seconds at most after its first checkpoint or its start; finish each chain."""
    draw, counts, out = random.Random(seed), collections.Counter(), folder / "runs"
    whole = prepare(folder, steps)
    killed = 0
    while killed < times:
        number = SIGNALS[killed % 3]
        before = (out / "small.h5.partial").stat().st_mtime_ns if (out / "small.h5.partial").exists() else 0
        process = start(folder, "--out", str(out), "--resume", "--quiet")
        in_training, begun = draw.random() < 0.75, time.monotonic()
        while in_training and process.poll() is None and time.monotonic() - begun < 60:
            partial = out / "small.h5.partial"
            if partial.exists() and partial.stat().st_mtime_ns != before:
                break
            time.sleep(0.02)
        time.sleep(draw.random() * (longest / 4 if in_training else longest))
        process.send_signal(number)
        _, err = process.communicate(timeout=120)
        state = check_nothing_false(out, whole)
        if process.returncode == 0:
            counts["ended before its kill"] += 1
        else:
            killed += 1
            counts[f"{number.name}: exit {process.returncode}, {state}"] += 1
            if number != signal.SIGKILL and "Interrupted" not in err:
                counts[f"{number.name} before the command had begun"] += 1
            elif number != signal.SIGKILL:
                assert process.returncode == CODES[number], (process.returncode, err)
                assert "Traceback" not in err, err
        if state == "finished":
            clear(out)
            counts["results equal to the uninterrupted, bit for bit"] += 1
    process = start(folder, "--out", str(out), "--resume", "--quiet")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    check_same(store.load(out / "small.h5"), whole)
    counts["results equal to the uninterrupted, bit for bit"] += 1
    return counts


def clear(out: Path) -> None:
    for path in out.iterdir():
        path.unlink()


if __name__ == "__main__":
    times, steps = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(kill(Path(folder), times, seed=0, steps=steps), indent=2))
