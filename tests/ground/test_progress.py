import io
import os
import sys

import pytest

from racedyn import _progress as progress
from racedyn._progress import Progress, table


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def lines_of(clock, times, total=100, **options):
    stream = io.StringIO()
    with Progress(total, "train", "steps", stream=stream, **options) as shown:
        for when, done in times:
            clock[0] = when
            shown.update(done)
    return stream.getvalue().splitlines()


def test_a_short_run_logs_nothing(clock):
    assert lines_of(clock, [(1, 10), (4.9, 100)]) == []


def test_a_long_run_logs_a_line_now_and_then(clock):
    lines = lines_of(clock, [(1, 1), (6, 20), (7, 30), (12, 40), (13, 50)])
    assert lines == [
        "train: 20 of 100 steps, 6 s, about 24 s left",
        "train: 40 of 100 steps, 12 s, about 18 s left",
        "train: 50 of 100 steps, 13 s, about 13 s left",
    ]


def test_no_line_is_said_twice(clock):
    assert len(lines_of(clock, [(6, 100)])) == 1


def test_unknown_total_and_long_times(clock):
    assert lines_of(clock, [(3800, 7)], total=None)[0] == "train: 7 steps, 1 h 3 min"
    assert (
        lines_of(clock, [(3800 + 200, 50)])[0]
        == "train: 50 of 100 steps, 3 min 20 s, about 3 min 20 s left"
    )


def test_silent_if_asked(clock):
    assert lines_of(clock, [(6, 1), (20, 2)], show=False) == []


def test_a_bar_on_a_terminal(clock):
    stream = Terminal()
    with Progress(10, "theory [x]", "lanes", stream=stream) as shown:
        clock[0] = 1
        shown.update(5)
        drawn = stream.getvalue()
    assert "theory [x]" in drawn and "5 of 10 lanes" in drawn
    assert stream.getvalue().endswith("\x1b[2K")  # it wipes itself out


def test_a_bar_is_not_redrawn_all_the_time(clock):
    stream = Terminal()
    with Progress(10, "train", stream=stream) as shown:
        clock[0] = 1
        shown.update(1)
        size = len(stream.getvalue())
        shown.update(2)
        assert len(stream.getvalue()) == size


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("error", [BrokenPipeError, ValueError("I/O operation on closed file")])
def test_a_reader_that_went_away_ends_nothing(clock, is_terminal, error):
    class Broken(io.StringIO):
        writes = 0

        def isatty(self):
            return is_terminal

        def write(self, text):
            Broken.writes += 1
            raise error

    with Progress(10, "train", stream=Broken()) as shown:
        for when in range(10, 100, 10):
            clock[0] = when
            shown.update(when / 10)
    assert Broken.writes == 1  # and then it is left alone


def test_a_real_broken_pipe(clock):
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    with Progress(10, "train", stream=stream) as shown:
        clock[0] = 10
        shown.update(1)
    assert shown._stream is None
    with pytest.raises(BrokenPipeError, match="Broken pipe"):
        stream.close()


def test_without_stderr(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with Progress(10, "train") as shown:
        clock[0] = 10
        shown.update(1)
    assert shown._stream is None


def test_errors_inside_pass_through(clock):
    with pytest.raises(KeyboardInterrupt), Progress(10, "train", stream=Terminal()):
        raise KeyboardInterrupt


def test_table():
    stream = io.StringIO()
    table(("what", "number"), [("strength [path]", 1.23456), ("x", 2)], stream=stream)
    text = stream.getvalue()
    assert "strength [path]" in text and "│  1.235 │" in text and "│      2 │" in text
    assert max(map(len, text.splitlines())) < 40


def test_a_table_is_not_cut_where_nobody_watches():
    stream = io.StringIO()
    table(("what",), [("y" * 140,)], stream=stream)
    assert "y" * 140 in stream.getvalue()
