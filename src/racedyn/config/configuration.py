"""The configuration of a run: read, checked, changed on the line, and written again."""

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import Field, TypeAdapter, ValidationError

from racedyn._text import printable
from racedyn.config.fields import LARGEST_KEY, as_section
from racedyn.config.problems import (
    FILE_NAME,
    ConfigError,
    key_shown,
    kinds_in,
    problems,
    tables,
)
from racedyn.config.sections import InitSection, NetworkSection, Theory, Train
from racedyn.config.shelf import located
from racedyn.config.tasks import Arrays, Csv, TaskSection


@as_section
class Config:
    """One run: a task, a network, its initial weights, training, and the theory beside it."""

    name: Annotated[str, Field(pattern=FILE_NAME, max_length=200)]
    """Of the result files; the name of the configuration file if left out."""
    seed: Annotated[int, Field(ge=0, le=LARGEST_KEY)] = 0
    """From which the initial weights are drawn."""
    task: Annotated[TaskSection, Field(discriminator="kind")]
    """What is to be learned."""
    network: Annotated[NetworkSection, Field(discriminator="kind")]
    """The network that learns it."""
    init: Annotated[InitSection, Field(discriminator="kind")]
    """The law that its initial weights are drawn from; theory and training start from the same."""
    train: Train
    """Gradient descent at full width; time is steps times `lr`, in units of tau."""
    theory: Theory = dataclasses.field(default_factory=Theory)
    """The reduced equations that are solved beside it."""


_KINDS = kinds_in(Config)
LARGEST_FILE = 2**20
"""Bytes of a file of configuration that are read: the shipped ones have a thousandth of it."""
MOST_NESTED = 8
_DEEPEST = "A configuration has sections, their fields, and lists of values in them."


def read(path: str | Path) -> Config:
    """The configuration in a TOML file, or the one of this name that comes with the package;
    `name` is the file's if left out, a data path is relative to the file.

    Raises `ConfigError` for what is not TOML and for every unknown key and wrong value at once,
    `OSError` if the file can't be read."""
    path = located(Path(path))
    with open(path, "rb") as file:
        text = file.read(LARGEST_FILE + 1)
    if len(text) > LARGEST_FILE:
        raise ConfigError(
            f"{path} is not a TOML file of a run: it is larger than {LARGEST_FILE // 2**20} MiB."
        )
    try:
        data = tomllib.loads(
            text.decode("utf-8-sig")
        )  # some editors put a mark before the first letter
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not a TOML file: byte {error.start + 1} is not UTF-8. Save it as UTF-8."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not a TOML file: {error}") from error
    except ValueError as error:  # of more digits than Python reads
        raise ConfigError(
            f"{path} has a whole number of thousands of digits, and the largest is 2**63 - 1."
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply. {_DEEPEST}") from error
    config = parse({"name": path.stem, **data}, source=printable(str(path)))
    if isinstance(config.task, Arrays | Csv):
        where = (path.parent / config.task.path).absolute()
        config = dataclasses.replace(config, task=dataclasses.replace(config.task, path=str(where)))
    return config


def parse(data: Mapping[str, Any], *, source: str = "the configuration") -> Config:
    """The configuration in nested mappings, as TOML and JSON have them. Raises `ConfigError` with
    all problems.
    """
    for name, value in data.items():
        if _depth(value) > MOST_NESTED:
            raise ConfigError(f"In {source}: `{key_shown(name)}` is nested too deeply. {_DEEPEST}")
    try:
        # Strict JSON rules: a list is a tuple and 1 a float, but "1000" and true are no numbers.
        # (Strict Python rules refuse nested tables.) A TOML date becomes text.
        return TypeAdapter(Config).validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        given = {
            name: table.get("kind")
            for name, table in data.items()
            if name in _KINDS and isinstance(table, Mapping)
        }
        known = keys({name: str(kind) for name, kind in given.items() if str(kind) in _KINDS[name]})
        lines = list(problems(error, known, _KINDS))
        if len(lines) == 1:
            raise ConfigError(f"In {source}: {lines[0]}") from None
        raise ConfigError("\n  ".join([f"{len(lines)} problems in {source}:", *lines])) from None


def as_dict(config: Config) -> dict[str, Any]:
    """Nested dicts of what is set; `parse` reads them back to an equal configuration."""
    return json.loads(json.dumps(dataclasses.asdict(config, dict_factory=_without_none)))


def as_toml(config: Config) -> str:
    """The resolved configuration as TOML, defaults included."""
    return tomli_w.dumps(as_dict(config))


def as_json(config: Config) -> str:
    """The resolved configuration as JSON, defaults included."""
    return json.dumps(as_dict(config))


def keys(kinds: Mapping[str, str]) -> list[str]:
    """Every dotted key, sections included; of a section with kinds those of its kind in `kinds`, or
    of all kinds.
    """
    found = []
    for section in dataclasses.fields(Config):
        found.append(section.name)
        for kind, cls in tables(section.type):
            if kinds.get(section.name, kind) == kind or section.name not in _KINDS:
                found += [f"{section.name}.{field.name}" for field in dataclasses.fields(cls)]
    return list(dict.fromkeys(found))


def kinds_of(config: Config) -> dict[str, str]:
    """Section -> its kind."""
    return {section: getattr(config, section).kind for section in _KINDS}


def _depth(value: Any) -> int:
    """How deep lists and tables are nested; counted to `MOST_NESTED` and one more, without
    recursion.
    """
    level, depth = [value], 0
    while depth <= MOST_NESTED:
        level = [
            inner
            for outer in level
            if isinstance(outer, list | tuple | Mapping)
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
        ]
        if not level:
            break
        depth += 1
    return depth


def _without_none(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        key: value for key, value in items if value is not None
    }  # TOML has no null: what is not set is left out
