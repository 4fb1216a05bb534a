"""Names from a file of anyone's are printed with their control characters escaped, wherever text
goes out.
"""

import io

import numpy as np
import pytest

import racedyn as rd
from racedyn import _progress as progress
from racedyn import store
from racedyn._checks import fail
from racedyn.cli import main
from racedyn.tasks.modes import Modes
from racedyn.trajectory import Provenance, Trajectory

RED = "a\x1b[31mb"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A race of two paths and two modes, all named in red."""
    ts = np.linspace(0, 10, 41)
    half = 1 / (1 + np.exp(5 - ts))
    modes = Modes(
        np.eye(2),
        np.array([2.0, 1.0]),
        np.eye(2),
        np.ones(2),
        0.0,
        0.0,
        (RED, RED + "2"),
        ((0,), (1,)),
    )
    run = Trajectory(
        ts=ts,
        observables={"strength": half[:, None, None] * np.array([[1.5, 0.7], [0.5, 0.3]])},
        dims={"strength": ("time", "path", "mode")},
        labels={"path": (RED, RED + "2"), "mode": modes.names},
        status=np.array(0),
        provenance=Provenance(kind="simulate", system=RED, solver=RED, settings={}, modes=modes),
    )
    return store.save(tmp_path_factory.mktemp("red") / "run.h5", theory=run, trained=run)


def sound(text: str) -> bool:
    return "\\x1b[31m" in text and all(line.isprintable() for line in text.split("\n"))


def test_comparisons_of_what_a_file_holds(path):
    file = store.load(path)
    assert file.theory.labels["mode"][0] == RED, "what is there is not changed"
    assert sound(str(rd.compare(file.theory, file.trained)))
    assert sound(repr(file.theory))
    assert sound(rd.compare(file.theory, file.trained)._repr_html_())


def test_commands(path, capsys):
    assert main(["info", str(path)]) == 0
    assert sound(capsys.readouterr().out)
    assert main(["cite", str(path)]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_tables_and_errors():
    stream = io.StringIO()
    progress.table((RED, "x"), [(RED, 1.0)], stream=stream)
    assert sound(stream.getvalue())
    with pytest.raises(ValueError, match="must") as caught:
        fail("mode", "be known", f"it is {RED}")
    assert sound(str(caught.value))
