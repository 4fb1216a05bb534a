"""What the command line says of an error, and the signals that end a command as Ctrl-C does. Imports nothing heavy."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from racedyn._text import printable

OURS = "racedyn"
ENDING = ("SIGTERM", "SIGHUP")  # what batch systems and closed terminals send; Windows has no SIGHUP


def told(error: BaseException) -> str:
    """One paragraph for a person: our own words as they are, others' with their type and where they come from.

    Notes of the error (`add_note`), as of what is kept of a run, follow.
    """
    text = str(error).strip()
    module = _raised_in(error)
    if isinstance(error, MemoryError):
        said = f"There is not enough memory for this{f' ({_first_line(text)})' if text else ''}: make it smaller."
    elif isinstance(error, OSError) and error.strerror and error.filename is not None:
        said = f"{str(error.filename)!r}: {error.strerror.rstrip('.')}."
    elif module.partition(".")[0] == OURS and isinstance(error, ValueError | TypeError | OSError | RuntimeError):
        said = text or type(error).__name__
    else:
        said = (
            f"{type(error).__name__}, which racedyn did not expect, in {module}: {_first_line(text) or 'no message'}. "
            "--debug shows where it arose."
        )
    return printable(" ".join([said, *getattr(error, "__notes__", [])]), keep="\n")


def is_mistake(error: BaseException) -> bool:
    """Whether the error is about what the user gave, rather than about this program or machine."""
    return isinstance(error, ValueError | TypeError | OSError)


@contextlib.contextmanager
def ending_signals() -> Iterator[list[int]]:
    """Within it SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does; the list has the number of one that came.

    One that is ignored already, as by nohup, stays so. Outside the main thread, where none can be handled, nothing changes.
    """
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


def _raised_in(error: BaseException) -> str:
    """The module of the line that raised it."""
    trace = error.__traceback__
    if trace is None:
        return OURS
    while trace.tb_next is not None:
        trace = trace.tb_next
    return str(trace.tb_frame.f_globals.get("__name__", "an unknown module"))


def _first_line(text: str) -> str:
    return text.splitlines()[0][:200].rstrip(".") if text else ""
