"""Configurations that come with the package: found by name, written out, and run as they stand."""

import dataclasses
import re
import shlex
from pathlib import Path
from typing import get_args

import pytest

from racedyn import config
from racedyn.cli import main
from racedyn.config import ConfigError
from racedyn.config.commented import allowed, commented, said
from racedyn.config.shelf import names

COMMAND = re.compile(r"^#     (racedyn .*)$", flags=re.MULTILINE)


def commands(file):
    """What its first lines say to run."""
    return [shlex.split(line)[1:] for line in COMMAND.findall(file.read_text())]


@pytest.mark.parametrize("kind", names())
def test_written_out_it_is_the_same_run(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written, *tables = config.write_new("mine", kind)
    read, shipped = config.read(written), config.read(kind)
    assert (read.name, shipped.name) == ("mine", kind)
    if tables:
        assert Path(read.task.path).read_text() == Path(shipped.task.path).read_text()
        read = dataclasses.replace(read, task=shipped.task)
    assert dataclasses.replace(read, name=kind) == shipped


@pytest.mark.parametrize("kind", names())
def test_every_field_has_its_comment(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (written, *_) = config.write_new("mine", kind)
    text = written.read_text()
    assert [line for line in text.splitlines() if len(line) > 100] == []
    assert "CONFIG" not in text
    read = config.read(written)
    for section in ("task", "network", "init", "train", "theory"):
        part = text.partition(f"[{section}]\n")[2].partition("\n\n")[0]
        for field in dataclasses.fields(getattr(read, section)):
            found = re.search(rf"(^# .*\))?\n(# )?{field.name} = ", f"\n{part}", re.MULTILINE)
            assert found and (found[1] or field.name == "kind"), f"{section}.{field.name}"


def test_words_and_bounds_are_those_of_the_sections():
    given = {
        "name": "x",
        "task": {"kind": "xor"},
        "network": {"kind": "routing"},
        "init": {"kind": "aligned", "scale": 0.5},
        "train": {"lr": 1, "steps": 1},
    }
    text = " ".join(commented(config.parse(given), "# x").replace("\n# ", " ").split())
    for words in (
        "is pure XoR. (a number from 0) margin = 0.0",
        "pathway. (a whole number from 1 to 1000) hidden_layers = 1",
        '(a whole number from 1, "shared" or "dedicated" or a list, each entry',
        'or each path\'s own, for paths that share no edge (as in "xor"). ("nodes" or "paths")',
        "Other kinds, with their fields: gaussian (std), orthogonal (scale), balanced",
        '("converged" or a number above 0) until = ...',
        "racedyn.networks.routing",
    ):
        assert words in text, words


def test_every_field_of_every_kind_has_words():
    sections = [config.Train, config.Theory]
    for kinds in (config.TaskSection, config.NetworkSection, config.InitSection):
        sections += get_args(kinds)
    for section in sections:
        texts = said(section)
        for field in dataclasses.fields(section):
            if field.name != "kind":
                assert texts[field.name].endswith(".") and allowed(field.type), field.name


def test_a_file_comes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config.write_new("other", "xor")[0].rename("hierarchy")
    assert config.read("hierarchy").task.kind == "xor"


def test_what_is_there_is_never_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text("precious")
    with pytest.raises(FileExistsError, match=r"mine.csv exists.*another name"):
        config.write_new("mine", "table")
    assert not Path("mine.toml").exists() and Path("mine.csv").read_text() == "precious"
    config.write_new("mine.toml", "xor")
    with pytest.raises(FileExistsError, match=r"mine.toml exists.*another name"):
        config.write_new("mine", "xor")


def test_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"one of animals, .*it is 'tabel'. Did you mean `table`"):
        config.write_new(tmp_path / "mine", "tabel")
    with pytest.raises(ConfigError, match=r"`name` must be letters, .* but it is 'a b'"):
        config.write_new(tmp_path / "a b")
    with pytest.raises(FileNotFoundError, match=r"no file 'heirarchy', and .* hierarchy, routing"):
        config.read("heirarchy")


def test_on_the_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == names()
    assert all(len(line) <= 110 for line in listed)
    assert main(["new", "mine", "--kind", "table"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["mine.toml", "mine.csv"]
    assert main(["new", "mine"]) == 2
    assert "mine.toml exists" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["new"])
    assert "NAME is missing" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("kind", names())
def test_runs_as_its_first_lines_say(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "mine", "--kind", kind]) == 0
    lines = commands(Path("mine.toml"))
    assert "mine.toml" in lines[0]
    if kind == "sweep":
        lines.append(["run", "mine.toml", "--out", "runs"])
    for line in lines:
        assert main(line) == 0, line
    assert Path("runs/mine.h5").exists()
