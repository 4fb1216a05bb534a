"""What a person sees of a run: a bar or log lines on stderr, and tables on stdout. The only home of
rich.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

from rich import progress as bars
from rich.console import Console
from rich.table import Table

from racedyn import _compilation as compilation
from racedyn._text import printable

REFRESH = 0.1  # seconds between two redraws of a bar
LOG_EVERY = (
    5.0  # seconds between two log lines where stderr is no terminal; a shorter run prints none
)


class _Console(Console):
    """rich's own ends the whole program when a pipe breaks."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError("the reader of a pipe went away")


class Progress:
    """Shows how far a long computation is: a bar where stderr is a terminal, otherwise a line every
    few seconds.

        with Progress(total=6000, label="train", unit="steps") as progress:
            progress.update(1200)

    `total`: how much there is to do, in `unit`; None where it is not known. `show=False` makes it
    silent. It draws from `update` alone, without a thread, but for the word that JAX is still
    compiling after 2 s of it; a reader that went away (a broken pipe) silences it: it never ends a
    run."""

    def __init__(
        self,
        total: float | None,
        label: str,
        unit: str = "",
        *,
        show: bool = True,
        stream: TextIO | None = None,
    ):
        self.total, self.label, self.unit = total, label, unit
        self._stream = (sys.stderr if stream is None else stream) if show else None
        self._bar: bars.Progress | None = None
        self._start = self._last = time.monotonic()
        self._done: float = 0
        self._logged = False
        self._watch = ExitStack()

    def __enter__(self) -> "Progress":
        self._start = self._last = time.monotonic()
        if self._stream is not None:
            self._watch.enter_context(compilation.watch(self._say_compiling))
        if self._stream is not None and self._guarded(self._stream.isatty):
            self._bar = bars.Progress(
                bars.TextColumn("{task.description}", markup=False),
                bars.BarColumn(),
                bars.TextColumn("{task.fields[count]}", markup=False),
                bars.TimeElapsedColumn(),
                bars.TimeRemainingColumn(),
                console=_Console(file=self._stream),
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._task = self._bar.add_task(self.label, total=self.total, count=self._count())
            self._guarded(self._bar.start)
        return self

    def update(self, done: float) -> None:
        """Say that `done` of `total` is done."""
        self._done, now = done, time.monotonic()
        if self._stream is None or now - self._last < (REFRESH if self._bar else LOG_EVERY):
            return
        self._last = now
        if self._bar is not None:
            self._bar.update(
                self._task, completed=done, count=self._count(), description=self.label
            )
            self._guarded(self._bar.refresh)
        else:
            self._log()

    def __exit__(self, *exc: object) -> None:
        self._watch.close()
        if self._bar is not None:
            self._guarded(self._bar.stop)
        elif self._logged and self._done != self.total:
            self._log()

    def _say_compiling(self) -> None:
        text = f"{self.label}: compiling ..."
        if (bar := self._bar) is not None:
            bar.update(self._task, description=text)
            self._guarded(bar.refresh)
        else:
            self._guarded(lambda: print(text, file=self._stream, flush=True))

    def _log(self) -> None:
        elapsed = time.monotonic() - self._start
        line = f"{self.label}: {self._count()}, {_duration(elapsed)}"
        if self.total and self._done:
            line += f", about {_duration(elapsed * (self.total / self._done - 1))} left"
        self._logged = True
        self._guarded(lambda: print(line, file=self._stream, flush=True))

    def _count(self) -> str:
        """1200 of 6000 steps."""
        whole = "" if self.total is None else f" of {self.total:g}"
        return f"{self._done:g}{whole} {self.unit}".rstrip()

    def _guarded(self, write: Any) -> Any:
        """Call `write`; fall silent for good if the stream is closed or broken (`ValueError`:
        closed in Python).
        """
        if self._stream is None:
            return None
        try:
            return write()
        except (OSError, ValueError):
            self._stream = self._bar = None
            return None


@contextmanager
def compiling(label: str, *, show: bool = True, stream: TextIO | None = None) -> Iterator[None]:
    """Say "LABEL: compiling ..." on stderr once JAX has been at it for 2 s; nothing else, and
    nothing of shorter ones.
    """
    if not show:
        yield
        return
    with compilation.watch(Progress(None, label, stream=stream)._say_compiling):
        yield


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str | float]], *, stream: TextIO | None = None
) -> None:
    """Print a table; numbers are right-aligned, with four digits. `stream`: stdout if left out."""
    stream = sys.stdout if stream is None else stream
    # What stands in it may come from a file of anyone's.
    rows = [[printable(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    grid = Table()
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], float | int) for row in rows)
        grid.add_column(printable(column), justify="right" if numeric else "left")
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, str) else f"{cell:.4g}" for cell in row))
    # Where nobody watches, lines are not cut to a terminal's width.
    width = None if stream.isatty() else 160
    _Console(file=stream, markup=False, emoji=False, highlight=False, width=width).print(grid)


def _duration(seconds: float) -> str:
    """12 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
