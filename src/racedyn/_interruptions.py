"""Signals that end a computation as Ctrl-C does, none of which is lost. Imports nothing heavy."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

ENDING = (
    "SIGTERM",
    "SIGHUP",
)  # what batch systems and closed terminals send; Windows has no SIGHUP


@contextlib.contextmanager
def ending_signals() -> Iterator[list[int]]:
    """Within it SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does; the list has the number
    of one that came.

    One that is ignored already, as by nohup, stays so. Outside the main thread, where none can be
    handled, nothing changes."""
    came: list[int] = []

    def end(number: int, _: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt

    before = {}
    for name in ENDING:
        number = getattr(signal, name, None)
        with contextlib.suppress(ValueError):
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, end)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def never_lost() -> Iterator[Callable[[], None]]:
    """Within it a Ctrl-C (or an ending signal) that Python drops is raised by the function it
    gives, to be called now and then.

    Python drops exceptions in what the garbage collector calls, and it calls JAX. Elsewhere they
    are raised at once, as without it. Outside the main thread nothing changes."""
    came: list[int] = []
    before = {}
    for name in ("SIGINT", *ENDING):
        number = getattr(signal, name, None)
        handler = None if number is None else signal.getsignal(number)
        if number is not None and callable(handler):
            with contextlib.suppress(ValueError):
                before[number] = signal.signal(number, _noting(came, handler))

    def check() -> None:
        if came:
            raise KeyboardInterrupt

    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _noting(
    came: list[int], handler: Callable[[int, FrameType | None], object]
) -> Callable[[int, FrameType | None], None]:
    def note(number: int, frame: FrameType | None) -> None:
        try:
            handler(number, frame)
        except KeyboardInterrupt:
            came.append(number)
            raise

    return note
