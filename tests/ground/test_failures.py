"""What the command line says of errors that nobody foresaw, and of signals."""

import json
import os
import signal

import numpy as np
import pytest

import racedyn as rd
from racedyn import config
from racedyn._interruptions import ending_signals, never_lost
from racedyn._text import printable
from racedyn.cli import main
from racedyn.cli.failures import told
from racedyn.cli.table import COMMANDS
from racedyn.simulation import blocks as work
from racedyn.training import descent


@pytest.fixture
def raising(monkeypatch):
    """`racedyn doctor` raises this error."""

    def use(error):
        def command(*_):
            raise error

        monkeypatch.setitem(COMMANDS, "doctor", COMMANDS["doctor"]._replace(function=command))

    return use


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (MemoryError(), 1, "There is not enough memory for this: make it smaller."),
        (
            MemoryError("Unable to allocate 16 GiB\nmore"),
            1,
            "memory for this (Unable to allocate 16 GiB): make it smaller.",
        ),
        (
            RecursionError("maximum recursion depth exceeded"),
            1,
            "RecursionError, which racedyn did not expect, in test_fai",
        ),
        (OverflowError("Python int too large"), 1, "OverflowError, which racedyn did not expect"),
        (
            KeyError("x"),
            1,
            "KeyError, which racedyn did not expect, in test_failures: 'x'. --debug shows where",
        ),
        (
            ZeroDivisionError(),
            1,
            "ZeroDivisionError, which racedyn did not expect, in test_failures: no message.",
        ),
        (
            ValueError("wrong"),
            2,
            "ValueError, which racedyn did not expect, in test_failures: wrong.",
        ),
        (
            OSError(28, "No space left on device", "a\x1b[31mb"),
            2,
            "'a\\x1b[31mb': No space left on device.",
        ),
    ],
)
def test_an_error_is_one_line_and_with_debug_itself(error, code, said, raising, capsys):
    raising(error)
    assert main(["doctor"]) == code
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == "" and line.startswith("racedyn: error: ") and said in line
    with pytest.raises(type(error)):
        main(["doctor", "--debug"])


def test_whose_words_they_are():
    def of(call):
        with pytest.raises(ValueError) as caught:
            call()
        caught.value.add_note("This is kept.")
        return told(caught.value)

    assert of(lambda: config.parse({})).startswith(
        "5 problems in the configuration:\n  `name` is missing."
    )
    foreign = of(lambda: json.loads("{"))
    assert foreign.startswith("JSONDecodeError, which racedyn did not expect, in json.decoder: ")
    assert foreign.endswith("--debug shows where it arose. This is kept.")


def test_control_characters_are_escaped():
    assert printable("a\x1b[31m\x07\udcff\nü", keep="\n") == "a\\x1b[31m\\x07\\udcff\nü"


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_end_a_command_as_ctrl_c_does(name, code, monkeypatch, capsys):
    number = getattr(signal, name)

    def command(*_):
        os.kill(os.getpid(), number)
        raise AssertionError("it went on")

    monkeypatch.setitem(COMMANDS, "doctor", COMMANDS["doctor"]._replace(function=command))
    before = signal.getsignal(number)
    signal.signal(number, signal.SIG_DFL)
    try:
        assert main(["doctor"]) == code
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert capsys.readouterr().err == "racedyn: Interrupted.\n"


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with ending_signals() as came:
            os.kill(os.getpid(), signal.SIGHUP)
        assert came == []
    finally:
        signal.signal(signal.SIGHUP, before)


class Dropping:
    """What Python runs where no exception can be raised."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)  # of this thread, whatever others there are
        for _ in range(1000):  # until the signal is handled, here
            pass


@pytest.fixture
def interruptible():
    """Ctrl-C as Python has it, which a shell turns off for what it runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_that_python_drops_is_raised_later(interruptible):
    with never_lost() as interruption:
        interruption()
        Dropping()
        with pytest.raises(KeyboardInterrupt):
            interruption()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_that_raises_nothing_ends_nothing():
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        with never_lost() as interruption:
            os.kill(os.getpid(), signal.SIGINT)
            interruption()
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_dropped_interruption_ends_training_and_ensembles(monkeypatch, tmp_path, interruptible):
    """As if it had come while the garbage was collected: after the first block that is computed."""

    def dropping(compute):
        def computed(*arguments):
            found = compute(*arguments)
            Dropping()
            return found

        return computed

    race = rd.systems.Pathways([1.0], (2,), 0.1, 0.1)
    with monkeypatch.context() as patch:
        patch.setattr(work.Work, "__call__", dropping(work.Work.__call__))
        with pytest.warns(RuntimeWarning, match="66 was interrupted"):
            run = rd.ensemble(race, {"p": np.full((130, 1, 1), 0.1)}, [1.0], block=64)
        assert [
            np.sum(run.status == status) for status in (rd.Status.DONE, rd.Status.INTERRUPTED)
        ] == [64, 66]
        with pytest.raises(KeyboardInterrupt, match="64 of 130 members are in the file"):
            rd.ensemble(
                race, {"p": np.full((130, 1, 1), 0.1)}, [1.0], block=64, path=tmp_path / "many.h5"
            )
    task = rd.tasks.hierarchy(items=2)
    network = rd.networks.chain(task, depth=2, width=2)
    monkeypatch.setattr(descent, "_block", dropping(descent._block))
    weights = network.init(rd.init.Gaussian(0.1), key=0)
    with pytest.warns(RuntimeWarning, match="Training stopped"):
        run = rd.train(network, task, weights, lr=0.01, steps=10_000, save_every=1, progress=False)
    assert run.status == rd.Status.INTERRUPTED and int(run.step[-1]) < 10_000
