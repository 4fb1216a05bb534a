"""How long JAX compiles: counted apart from what it then runs, and told while it lasts."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import jax

PATIENCE = 2.0  # seconds of compiling that nobody wonders about

# Tracing, lowering and XLA each report how long they took when they end. XLA, the longest, begins
# where lowering ends.
_STAGES = "/jax/core/compile/"
_XLA_BEGINS, _XLA_ENDS = (
    f"{_STAGES}jaxpr_to_mlir_module_duration",
    f"{_STAGES}backend_compile_duration",
)
_ARE_WE_HEARD = "/racedyn/listening"

# A compiled solve maps some 320 pieces of memory, and XLA crashes the process where Linux gives no
# more: after two hundred.
_MAPPED, _MOST_MAPPED = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
_LOOK_EVERY = 25  # programs


class _Record:
    """What was compiled by one thread, and by those that compute for it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.stages: list[tuple[float, float]] = []  # when each began and ended, disjoint
        self.watching: list[_Watch] = []
        self.listening = False
        self.programs = 0  # compiled since there was last looked whether there is room for more
        self._one_at_a_time = threading.Lock()

    def add(self, begin: float, end: float) -> None:
        """Count a stage. A function that is traced inside another one has ended before it, and is
        counted but once; so is what threads compile at the same time.
        """
        with self._one_at_a_time:
            while self.stages and self.stages[-1][0] >= begin:
                inner = self.stages.pop()
                self.seconds -= inner[1] - inner[0]
            begin = max(begin, self.stages[-1][1]) if self.stages else begin
            self.stages.append((begin, end))
            self.seconds += end - begin


class _OfThisThread(threading.local):
    """JAX compiles in the thread that calls it."""

    def __init__(self) -> None:
        self.record = _Record()


_here = _OfThisThread()


class Stopwatch:
    """Seconds since it was made, and those of them in which this thread's JAX compiled.

    `wall_time`, all of it, and `compile_time`, the part of it: the fields of a `Provenance`.
    """

    def __init__(self) -> None:
        _listen()
        _make_room()
        self._start, self._compiled = time.perf_counter(), _here.record.seconds

    @property
    def wall_time(self) -> float:
        return time.perf_counter() - self._start

    @property
    def compile_time(self) -> float:
        return _here.record.seconds - self._compiled


def counted_here() -> Callable[[], AbstractContextManager[None]]:
    """What makes contexts in which what another thread compiles is counted, and told of, as if
    this one did.
    """
    record = _here.record

    @contextmanager
    def here() -> Iterator[None]:
        own, _here.record = _here.record, record
        try:
            yield
        finally:
            _here.record = own

    return here


@contextmanager
def watch(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell`, once and from another thread, when what runs inside has compiled for `PATIENCE`
    seconds.
    """
    _listen()
    mine = _Watch(tell)
    _here.record.watching.append(mine)
    try:
        yield
    finally:
        _here.record.watching.remove(mine)
        mine.stop()


class _Watch:
    def __init__(self, tell: Callable[[], None]):
        self._tell, self._from, self._told = tell, _here.record.seconds, False
        self._timer: threading.Timer | None = None

    def start(self) -> None:
        if not self._told and self._timer is None:
            self._timer = threading.Timer(
                max(0.0, PATIENCE - (_here.record.seconds - self._from)), self._late
            )
            self._timer.daemon = True
            self._timer.start()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._told = True
        self._tell()


def _listen() -> None:
    """Not before something is timed: importing the package changes nothing in JAX. And not once for
    all: whoever clears JAX's listeners clears ours too, and every later compile time would be a
    silent 0."""
    _here.record.listening = False
    jax.monitoring.record_event_duration_secs(_ARE_WE_HEARD, 0.0)
    if not _here.record.listening:
        jax.monitoring.register_event_duration_secs_listener(_heard)


def _make_room() -> None:
    """Forget JAX's compiled programs before there are too many of them: they are compiled again
    where they are needed.
    """
    if _here.record.programs < _LOOK_EVERY:
        return
    _here.record.programs = 0
    with suppress(OSError):  # not Linux
        if _MAPPED.read_bytes().count(b"\n") > int(_MOST_MAPPED.read_text()) // 2:
            jax.clear_caches()


def _heard(event: str, duration_secs: float, **_: Any) -> None:
    if event == _ARE_WE_HEARD:
        _here.record.listening = True
    if not event.startswith(_STAGES):
        return
    now = time.perf_counter()
    _here.record.add(now - duration_secs, now)
    _here.record.programs += event == _XLA_ENDS
    for each in _here.record.watching:
        if event == _XLA_BEGINS:
            each.start()
        elif event == _XLA_ENDS:
            each.stop()
