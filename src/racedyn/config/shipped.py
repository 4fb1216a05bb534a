"""Configurations that come with the package, by name: found, listed, and written out to be changed.

Each is a file of `examples/`: how to run it and what it shows in its first lines, then the values
alone. What fields mean is written beside them by `commented`."""

import shlex
import tomllib
from pathlib import Path

from racedyn._text import printable
from racedyn.config.commented import commented
from racedyn.config.configuration import parse
from racedyn.config.problems import ConfigError, shown, suggest
from racedyn.config.shelf import FOLDER, names


def titles() -> dict[str, str]:
    """Name -> what it is, in its first line."""
    files = {name: FOLDER / f"{name}.toml" for name in names()}
    return {
        name: file.read_text("utf-8").partition("\n")[0].removeprefix("# ")
        for name, file in files.items()
    }


def write_new(path: str | Path, kind: str = "hierarchy") -> list[Path]:
    """Write the shipped configuration `kind` with a comment on every field, and the table that it
    needs beside it; return the files.

    Raises `ConfigError` for another kind and for a name that no result may have, `FileExistsError`
    where one of the files is there."""
    if kind not in names():
        raise ConfigError(
            f"`--kind` must be one of {', '.join(names())}, but it is {shown(kind)}."
            + (near if "?" in (near := suggest(kind, names())) else "")
        )
    path = Path(path)
    path = path if path.suffix == ".toml" else path.with_name(f"{path.name}.toml")
    text = (FOLDER / f"{kind}.toml").read_text("utf-8")
    data = tomllib.loads(text)
    table, beside = FOLDER / f"{kind}.csv", path.with_suffix(".csv")
    if table.exists():
        data["task"]["path"] = beside.name
    config = parse({"name": path.stem, **data}, source=printable(str(path)))
    named = _header(text).replace("CONFIG", shlex.quote(printable(str(path))))
    files = {path: commented(config, named)}
    if table.exists():
        files[beside] = table.read_text("utf-8")
    for file in files:
        if file.exists():
            raise FileExistsError(
                f"{file} exists, and `racedyn new` replaces nothing: choose another name."
            )
    for file, content in files.items():
        with file.open("x", encoding="utf-8") as opened:
            opened.write(content)
    return list(files)


def _header(text: str) -> str:
    """The comment that a file begins with."""
    return text.partition("\n\n")[0]
