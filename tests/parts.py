"""Blocks for tests of executors: functions of a folder and a block that write a part file, and what
befalls some of them. Workers import this module by its name.
"""

import os
import signal
import time
from pathlib import Path

import jax
import numpy as np


def path_of(folder: str | Path, block: str) -> Path:
    return Path(folder) / f"{block}.part"


def is_done(folder: str | Path):
    return lambda block: path_of(folder, block).exists()


def compute(folder: str, block: str) -> None:
    """The part has the process that wrote it, and what it computes with."""
    if path_of(folder, block).exists():
        return
    print("blocks may print to stdout")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    _put(folder, block, f"{os.getpid()} {np.asarray(jax.numpy.ones(())).dtype} {cores}")


def compute_or_not(folder: str, block: str) -> None:
    """`killed` kills its worker, `once` does so once; `raised` raises an error, `late` once."""
    if block == "killed" or (block == "once" and _first_time(folder, block)):
        os.kill(os.getpid(), signal.SIGKILL)
    if block == "raised" or (block == "late" and _first_time(folder, block)):
        raise ZeroDivisionError("of this block")
    compute(folder, block)


def compute_in_a_moment(folder: str, block: str) -> None:
    time.sleep(0.02)
    compute(folder, block)


def compute_slowly(folder: str, block: str) -> None:
    """Says which process it is, and takes its time: a minute where nothing `go`es on before."""
    _put(folder, f"pid {block}", str(os.getpid()))
    for _ in range(1200):
        if (Path(folder) / "go").exists():
            break
        time.sleep(0.05)
    compute(folder, block)


def pids(folder: str | Path) -> list[int]:
    """The processes that have begun a slow block."""
    return [int(path.read_text()) for path in sorted(Path(folder).glob("pid *.part"))]


def is_running(pid: int) -> bool:
    """Whether a thread of it is neither gone nor dead, as all are of one that nobody has waited for
    yet.
    """
    try:
        threads = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:  # it went while it was looked at
        return is_running(pid)
    return any(text.rpartition(")")[2].split()[0] not in "ZX" for text in threads)


def until(condition, seconds: float, what: str) -> None:
    """Wait until the condition holds, and fail where it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def _put(folder: str, name: str, text: str) -> None:
    target = path_of(folder, name)
    unfinished = target.with_suffix(f".{os.getpid()}")
    unfinished.write_text(text)
    unfinished.replace(target)


def _first_time(folder: str, block: str) -> bool:
    try:
        (Path(folder) / f"{block}.begun").touch(exist_ok=False)
        return True
    except FileExistsError:
        return False
