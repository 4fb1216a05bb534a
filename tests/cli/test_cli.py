import importlib
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from racedyn import config, jobs, plot, store
from racedyn.cli import commands as cli
from racedyn.cli import main
from racedyn.cli.table import COMMANDS, argument, register

job = importlib.import_module("racedyn.jobs.run")  # the name is the function's

ARCHIVE = Path(__file__).parents[1] / "archive"
SMALL = """
[task]
kind = "hierarchy"
items = 4
[network]
kind = "parallel"
depths = [2, 2]
width = 6
[init]
kind = "gaussian"
std = 0.3
[train]
lr = 0.1
steps = 40
[theory]
level = "pathway"
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return str(path)


@pytest.fixture
def configured(monkeypatch):
    """What `jobs.run` is called with, instead of running it."""
    calls = []

    def run(settings, **options):
        calls.append((settings, options))
        raise OSError("stopped here")

    monkeypatch.setattr(jobs, "run", run)
    return calls


def failure(capsys, *arguments):
    """The one line that a mistake leaves on stderr."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    (line,) = err.splitlines()
    return line


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["--version"], ["info", "-h"]]
)
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\nfrom racedyn.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as e: assert not e.code, e\n"
        "print([m for m in ('jax', 'numpy', 'pydantic', 'tyro', 'rich', 'h5py', 'matplotlib') if m "
        "in sys.modules])"
    )
    command = [sys.executable, "-c", code, *arguments]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.splitlines()[-1] == "[]"
    assert "racedyn" in printed


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.startswith("racedyn 0.")


@pytest.mark.slow
def test_a_run_from_the_file_to_the_figure(small, tmp_path, capsys):
    out = tmp_path / "runs"
    assert (
        main(["run", small, "--out", str(out), "--network.width", "5", "--train.save_every=20"])
        == 0
    )
    printed, err = capsys.readouterr()
    # Where the machine is slow, that it trains, or compiles; nothing else.
    assert all(line.startswith(("train: ", "simulate: compiling")) for line in err.splitlines())
    for expected in (
        "relative L2",
        "strength",
        "half learned at",
        "training",
        "theory",
        "wall time",
        "small.h5",
        "small.png",
    ):
        assert expected in printed
    file = store.load(out / "small.h5")
    assert file.config["network"]["width"] == 5
    assert list(file.trained.step) == [0, 20, 40]

    assert main(["info", str(out / "small.h5")]) == 0
    assert "trained: Trajectory" in capsys.readouterr().out
    assert main(["plot", str(out / "small.h5"), "--out", str(out / "again.svg")]) == 0
    assert capsys.readouterr().out.strip() == str(out / "again.svg")
    assert (out / "again.svg").read_text().startswith("<?xml")
    assert main(["plot", str(out / "small.h5")]) == 0
    assert capsys.readouterr().out.strip() == str(out / "small.png")

    assert "small.h5 exists" in failure(capsys, "run", small, "--out", str(out))
    assert main(["run", small, "--out", str(out), "--overwrite", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_plot_and_info_of_what_is_unfinished(small, tmp_path, capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "simulate", stop)
    assert main(["run", small, "--out", str(tmp_path)]) == 130
    assert (
        "small.h5.partial has what was trained: --resume goes on from it" in capsys.readouterr().err
    )
    partial = str(tmp_path / "small.h5.partial")
    assert main(["info", partial]) == 0
    assert "INCOMPLETE" in capsys.readouterr().out
    assert main(["plot", partial, "--out", str(tmp_path / "a.png")]) == 0


def test_fields_on_the_line(small, configured, capsys):
    line = [
        "--out",
        "x",
        "--overwrite",
        "--network.depths",
        "2",
        "3",
        "4",
        "--resume",
        "--init.std",
        "0.5",
        "--quiet",
    ]
    line += [
        "--train.dtype",
        "float32",
        "--network.activate-last",
        "True",
        "--name",
        "other",
        "--train.lr=1e-2",
    ]
    main(["run", small, *line])
    ((settings, options),) = configured
    assert options == {"out": Path("x"), "overwrite": True, "resume": True, "progress": False}
    assert settings.network == config.Parallel(depths=(2, 3, 4), width=6, activate_last=True)
    assert settings.init == config.Gaussian(std=0.5)
    assert settings.train == config.Train(lr=0.01, steps=40, dtype="float32")
    assert (settings.name, settings.task) == ("other", config.Hierarchy(items=4))


def test_without_overrides_the_run_is_the_file(small, configured):
    main(["run", small])
    assert configured == [
        (
            config.read(small),
            {"out": Path("runs"), "overwrite": False, "resume": False, "progress": True},
        )
    ]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--train.stps", "3"], "`--train.stps` is not known. Did you mean `--train.steps`?"),
        (["--steps", "3"], "`--steps` is not known. Did you mean `--train.steps`?"),
        (
            ["--network.depth", "3"],
            "`--network.depth` is not known. Did you mean `--network.depths`?",
        ),
        (["--network.kind", "chain"], "`--network.kind` must be changed in "),
        (["--network", "chain"], "`--network` is not known."),
        (["--train.steps", "0"], "`train.steps` must be at least 1, but it is 0 (a whole number)"),
        (
            ["--train.steps", "1.5"],
            "`train.steps` must be a whole number, but it is 1.5 (a number)",
        ),
        (["--train.lr", "fast"], "`train.lr` must be a number, but it is 'fast' (text)"),
        (["--train.lr", "1e400"], "`train.lr` must be finite, but it is inf"),
        (
            ["--seed", "1", "stray"],
            "`seed` must be a whole number, but it is [1, 'stray'] (a list)",
        ),
        (
            ["--network.depths", "2", "x"],
            "`network.depths[1]` must be a whole number, but it is 'x'",
        ),
        (
            ["--theory.inexact", "maybe"],
            "`theory.inexact` must be true or false, but it is 'maybe'",
        ),
        (["--seed"], "`--seed` needs a value"),
    ],
)
def test_unknown_fields_and_wrong_values_on_the_line(flags, message, small, configured, capsys):
    assert message in failure(capsys, "run", small, *flags)
    assert configured == []


def test_mistakes_are_one_line(small, tmp_path, capsys):
    assert "nothing.toml" in failure(capsys, "run", "nothing.toml")
    assert "nothing.h5" in failure(capsys, "info", "nothing.h5")
    assert "small.toml" in failure(capsys, "plot", small)
    Path(small).write_text("[train\n")
    assert "is not a TOML file" in failure(capsys, "run", small)


def test_several_problems_are_all_said(small, capsys):
    Path(small).write_text(SMALL.replace("width = 6", 'widht = "6"'))
    assert main(["run", small]) == 2
    err = capsys.readouterr().err
    assert (
        "2 problems in" in err
        and "`network.width` is missing" in err
        and "`network.widht` is not known" in err
    )


def test_debug_shows_where_an_error_arose(capsys):
    with pytest.raises(FileNotFoundError, match=r"nothing\.toml"):
        main(["run", "nothing.toml", "--debug"])


def test_a_missing_command_or_file(capsys):
    for arguments, message in (
        ([], "required: COMMAND"),
        (["run"], r"CONFIG is missing"),
        (["rum"], "invalid choice"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
        assert message in capsys.readouterr().err


def test_help_with_a_file_lists_its_fields(small, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["run", small, "--help"])
    out = capsys.readouterr().out.replace("│", " ")
    assert (
        "--resume" in out
        and "--network.depths" in out
        and "pathway. (default: 2 2)" in " ".join(out.split())
    )


def test_a_failed_save_is_said_after_the_results(small, tmp_path, capsys, monkeypatch):
    def full(axes, path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(plot, "save_figure", full)
    assert main(["run", small, "--out", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "relative L2" in out and "small.h5" in out
    assert (
        "racedyn: error: The figure could not be written: [Errno 28] No space left on device" in err
    )


def test_a_diverged_training_is_a_failure_and_warnings_are_one_line(small, tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert (
            main(["run", small, "--out", str(tmp_path), "--train.lr", "50", "--train.steps", "400"])
            == 1
        )
    out, err = capsys.readouterr()
    assert "small.h5" in out
    assert err.startswith("racedyn: warning: Training stopped at step") and err.count("\n") == 1


def test_interrupted_before_it_began(small, capsys, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_configuration", stop)
    assert main(["run", small]) == 130
    assert capsys.readouterr().err == "racedyn: Interrupted.\n"


def test_doctor_finds_that_float64_is_on():
    """In a process of its own, where no test has turned it on."""
    command = [sys.executable, "-m", "racedyn", "doctor"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "device 0" in out and "float64" in out and "jaxlib" in out and "OFF" not in out


@pytest.mark.parametrize(
    "arguments", [["doctor"], ["info", str(min(ARCHIVE.glob("*.h5")))]], ids=["doctor", "info"]
)
def test_a_reader_that_goes_away_is_no_error(arguments):
    command = [sys.executable, "-m", "racedyn", *arguments]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_command_is_a_function_with_its_help_and_arguments(monkeypatch, capsys):
    """Once it is in the table it is in the frame: in its help, with its exit code and its errors in
    one line.
    """
    monkeypatch.setitem(COMMANDS, "letters", None)  # what is put there goes when the test ends

    @register("count letters", argument("word"))
    def letters(given):
        if not given.word.isalpha():
            raise ValueError("A word has letters only.")
        print(len(given.word))
        return 1

    assert main(["letters", "race"]) == 1 and capsys.readouterr().out == "4\n"
    assert "A word has letters only." in failure(capsys, "letters", "r2d2")
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "count letters" in capsys.readouterr().out
