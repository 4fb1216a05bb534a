"""Worker processes on this machine: fresh ones of the package's own module.

Never multiprocessing: a spawned process imports the user's script once more, and JAX's threads
don't live through a fork."""

import contextlib
import json
import os
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import IO

from racedyn.jobs.calls import command, environment

PREALLOCATE = "XLA_PYTHON_CLIENT_PREALLOCATE"
TAIL = 20  # lines of a worker's stderr that are kept


class WorkerLost(RuntimeError):
    """A worker that ended before its block was done; the text has the last lines that it wrote."""


class Workers:
    """So many processes that compute blocks; a context, on whose end none of them is left.

    A process is begun when it is first needed, and a fresh one after it was lost. Each has its
    share of the cores, where the system lets it: XLA makes as many threads as it finds cores."""

    def __init__(self, folder: str, run: str, number: int):
        self._lock = threading.Lock()
        self._stopped = False
        line, given = command(folder, run), environment()  # settings may be this thread's alone
        if number > 1:  # each takes three quarters of a GPU's memory otherwise
            given[PREALLOCATE] = os.environ.get(PREALLOCATE, "false")
        self._all = [_Worker(line, given, cores) for cores in shares(number)]
        self._free: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._all:
            self._free.put(worker)
        self._pool = ThreadPoolExecutor(number, "racedyn worker")

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._stopped = True
            for worker in self._all:
                worker.kill()
        self._pool.shutdown(cancel_futures=True)  # who waits for an answer waits no more
        for worker in self._all:
            worker.end()

    def submit(self, block: str) -> Future[None]:
        """Have a worker compute a block: the result is None, or raises `WorkerLost`."""
        return self._pool.submit(self._compute, block)

    def _compute(self, block: str) -> None:
        worker = self._free.get()  # there are as many as there are threads
        try:
            with self._lock:
                if self._stopped:
                    return
                worker.begin()
            worker.compute(block)
        finally:
            self._free.put(worker)


def available() -> int:
    """How many cores this process may use."""
    return len(_cores()) or os.cpu_count() or 1


def shares(number: int) -> list[list[int]]:
    """The cores of each of so many workers: all are given, none twice where there are enough.
    Empty where the system doesn't tell.
    """
    cores = _cores()
    return [cores[n::number] or cores[n % max(len(cores), 1) :][:1] for n in range(number)]


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


class _Worker:
    """One process at a time."""

    def __init__(self, line: Sequence[str], given: Mapping[str, str], cores: Sequence[int]):
        self._line, self._environment, self._cores = line, os.environ | given, cores
        self._process: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """Begin a process if there is none, or if it ended while it had nothing to do."""
        if self._process is not None and self._process.poll() is None:
            return
        self.end()
        self._process = process = subprocess.Popen(
            self._line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            text=True,
            errors="replace",
        )
        if self._cores:  # long before it makes threads, which have those of the first
            with contextlib.suppress(OSError):
                os.sched_setaffinity(process.pid, self._cores)
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._drain = threading.Thread(target=_keep, args=(process.stderr, self._tail), daemon=True)
        self._drain.start()

    def compute(self, block: str) -> None:
        """Have it compute a block; wait until it has."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError):  # it has ended: there will be no answer
            process.stdin.write(json.dumps(block) + "\n")
            process.stdin.flush()
        if process.stdout.readline():
            return
        code = self.end()
        ended = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        raise WorkerLost(f"the worker of block {block!r} ended {ended}.\n{''.join(self._tail)}")

    def kill(self) -> None:
        """End its process at once."""
        if self._process is not None:
            self._process.kill()

    def end(self) -> int:
        """Wait for the end of its process, if there is one, and take leave of it; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        code = process.wait()
        self._drain.join(1.0)  # what it wrote last; what it began itself may write on
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        return code


def _keep(stream: IO[str], tail: "deque[str]") -> None:
    """Read a stream to its end, and keep the last lines."""
    with stream:
        while line := stream.readline(4096):
            tail.append(line)
