"""Kill `racedyn run`, and a process that writes an ensemble to a file, at random times; go on, and
hold the result against an uninterrupted one, bit for bit.

`python tests/kills.py 40` kills each 40 times and prints counts.
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
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from racedyn import store
from racedyn.trajectory import Status, Trajectory

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
[theory]
level = "pathway"
"""
CODE = """
from racedyn import cli
from racedyn.training import run
run.CHECKPOINT_SECONDS = 0.2
cli.command()
"""


ENSEMBLE = """
import sys, jax, numpy as np, racedyn as rd
jax.config.update("jax_enable_x64", True)
race, members = rd.systems.Pathways([3.0, 1.0], (3, 3), 1.0, 0.1), int(sys.argv[2])
starts = {"p": 0.05 * np.random.default_rng(0).standard_normal((members, 2, 2))}
rd.ensemble(race, starts, [1.0, 4.0], method="ode", path=sys.argv[1], block=4096)
"""


def start(
    folder: Path, *flags: str, devices: int = 1, temporary: Path | None = None
) -> subprocess.Popen:
    """`racedyn run` on the folder's configuration, with a checkpoint every 0.2 s and what it
    compiled before.
    """
    xla = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    more = {"XLA_FLAGS": xla}
    if temporary is not None:
        more["TMPDIR"] = str(temporary)
    return _process(folder, CODE, "run", str(folder / "small.toml"), *flags, **more)


def start_ensemble(folder: Path, path: Path, members: int) -> subprocess.Popen:
    """A user's script that writes so many races to a file, with what it compiled before."""
    return _process(folder, ENSEMBLE, str(path), str(members))


def _process(folder: Path, code: str, *arguments: str, **more: str) -> subprocess.Popen:
    compiled = {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | compiled | more,
    )


def prepare(folder: Path, steps: int) -> store.File:
    """Write the configuration, run it without an interruption, return its file."""
    (folder / "small.toml").write_text(CONFIG.format(steps=steps))
    process = start(folder, "--out", str(folder / "whole"), "--quiet")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, (process.returncode, err)
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
    """What is there after a kill: "nothing", "partial" or "finished"; raises where one looks like
    another or differs.
    """
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


def kill(
    folder: Path, times: int, *, seed: int, steps: int, longest: float = 4.0
) -> collections.Counter:
    """Kill so many runs, each `longest` seconds at most after its first checkpoint or its start;
    finish each chain.
    """
    draw, counts, out = random.Random(seed), collections.Counter(), folder / "runs"
    whole = prepare(folder, steps)
    killed = 0
    for _ in range(10 * times):
        if killed == times:
            break
        number = SIGNALS[killed % 3]
        before = (
            (out / "small.h5.partial").stat().st_mtime_ns
            if (out / "small.h5.partial").exists()
            else 0
        )
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
    assert killed == times, f"runs end before their kills: {dict(counts)}"
    process = start(folder, "--out", str(out), "--resume", "--quiet")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, (process.returncode, err)
    check_same(store.load(out / "small.h5"), whole)
    counts["results equal to the uninterrupted, bit for bit"] += 1
    return counts


def kill_ensemble(folder: Path, times: int, *, seed: int, members: int) -> collections.Counter:
    """Kill so many ensembles on their way to a file; finish each chain and compare it with one in
    one go.
    """
    draw, counts, path = random.Random(seed), collections.Counter(), folder / "many.h5"
    begun = time.monotonic()
    whole = _ensemble_in_one_go(folder, members)
    partial, killed, lasted = store.partial_path(path), 0, time.monotonic() - begun
    for _ in range(10 * times):
        if killed == times:
            break
        number, known = SIGNALS[killed % 3], _finished(partial)
        process = start_ensemble(folder, path, members)
        time.sleep(draw.random() * lasted)
        process.send_signal(number)
        process.communicate(timeout=120)
        if path.exists():
            counts["finished before its kill"] += process.returncode == 0
            _check_same_members(store.load(path).ensemble, whole, range(members))
            counts["results equal to the uninterrupted, bit for bit"] += 1
            path.unlink()
            continue
        killed += 1
        now = _finished(partial)
        assert set(known) <= set(now), "what was finished was lost"
        if now:
            _check_same_members(store.load(partial, partial=True).ensemble, whole, now)
        counts[
            f"{number.name}: exit {process.returncode}, "
            f"{'partial' if partial.exists() else 'nothing'}"
        ] += 1
        counts["kills with some members finished"] += 0 < len(now) < members
        counts["kills with all finished, but for the name"] += len(now) == members
    assert killed == times, f"runs end before their kills: {dict(counts)}"
    process = start_ensemble(folder, path, members)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, (process.returncode, err)
    _check_same_members(store.load(path).ensemble, whole, range(members))
    counts["results equal to the uninterrupted, bit for bit"] += 1
    return counts


def _ensemble_in_one_go(folder: Path, members: int) -> Trajectory:
    process = start_ensemble(folder, folder / "whole.h5", members)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, (process.returncode, err)
    return store.load(folder / "whole.h5").ensemble


def _finished(partial: Path) -> list[int]:
    """Members of an unfinished file that are there. Only one with all of them, killed before it got
    its name, says that it is complete."""
    if not partial.exists():
        return []
    found = np.flatnonzero(
        store.load(partial, partial=True).ensemble.status != Status.INTERRUPTED
    ).tolist()
    try:
        whole = store.load(partial).ensemble
        assert len(found) == len(whole.status), "an unfinished ensemble looked complete"
    except store.StoreError:
        pass
    return found


def _check_same_members(found: Trajectory, whole: Trajectory, members: Sequence[int]) -> None:
    for name, value in whole.observables.items():
        np.testing.assert_array_equal(
            found.observables[name][members], value[members], err_msg=name
        )


def clear(out: Path) -> None:
    for path in out.iterdir():
        path.unlink()


if __name__ == "__main__":
    times, steps = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
    with tempfile.TemporaryDirectory() as folder:
        print("racedyn run", json.dumps(kill(Path(folder), times, seed=0, steps=steps), indent=2))
    with tempfile.TemporaryDirectory() as folder:
        print(
            "ensemble",
            json.dumps(kill_ensemble(Path(folder), times, seed=0, members=200_000), indent=2),
        )
