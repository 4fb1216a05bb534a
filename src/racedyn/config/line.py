"""Fields of a configuration in the words of a command line."""

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

from racedyn.config.configuration import Config, as_dict, parse
from racedyn.config.problems import ConfigError, key_shown, suggest


def override(config: Config, given: Mapping[str, Sequence[str]]) -> Config:
    """The configuration with fields replaced: dotted key -> the words that follow it on a command
    line.

    Values are written as in the file, lists also as several words; "none" leaves a field out.
    Raises `ConfigError` for an unknown key and for a value that the file couldn't have."""
    data = as_dict(config)
    known = {
        key: annotation
        for key, annotation in _annotations(config).items()
        if not key.endswith("kind")
    }
    for key, words in given.items():
        if key.endswith(".kind"):
            raise ConfigError(
                f"`--{key_shown(key)}` must be changed in the file: other fields depend on it."
            )
        if key not in known:
            near = (
                suggest(key, known).replace("`", "`--", 1)
                if "?" in suggest(key, known)
                else suggest(key, known)
            )
            raise ConfigError(f"`--{key_shown(key)}` is not known.{near}")
        if not words:
            raise ConfigError(f"`--{key}` needs a value.")
        section, _, field = key.rpartition(".")
        table = data[section] if section else data
        table[field] = value_of(known[key], words)
        if table[field] is None:
            del table[field]
    return parse(data, source="the command line")


def value_of(annotation: Any, words: Sequence[str]) -> Any:
    """What `words` say for a field of this type: text as it is, numbers and true/false as numbers
    where it may have them.

    None for "none" where the field may be left out. What they must be is not judged here: a word
    that is no number stays text, and is refused as such."""
    kinds = list(_kinds(annotation))
    if type(None) in kinds and [word.lower() for word in words] == ["none"]:
        return None
    if tuple in kinds and len(words) == 1 and words[0].startswith("["):
        with contextlib.suppress(ValueError):
            return json.loads(words[0])
    values = [_value(kinds, word) for word in words]
    only_a_list = tuple in kinds and not any(_is_scalar(option) for option in _options(annotation))
    return values if only_a_list or len(values) > 1 else values[0]


def _value(kinds: Sequence[Any], word: str) -> Any:
    if bool in kinds and word.lower() in ("true", "false"):
        return word.lower() == "true"
    for kind in (int, float):
        if (kind in kinds or (kind is int and float in kinds)) and word.isascii():
            try:
                return kind(word)
            except ValueError:  # also of more digits than Python reads
                pass
    if int in kinds and float not in kinds and word.isascii():
        try:
            return float(word)  # so that 1.5 steps are refused as a number rather than as text
        except ValueError:
            pass
    return word


def _options(annotation: Any) -> Iterator[Any]:
    """The alternatives of a union, without what is annotated to them."""
    if get_origin(annotation) is Annotated:
        yield from _options(get_args(annotation)[0])
    elif get_origin(annotation) in (None, Literal, tuple):
        yield annotation
    else:
        for option in get_args(annotation):
            yield from _options(option)


def _is_scalar(option: Any) -> bool:
    return get_origin(option) is not tuple and option is not type(None)


def _kinds(annotation: Any) -> Iterator[Any]:
    """int, float, bool, str, None's type and tuple, as they occur anywhere in a type."""
    for option in _options(annotation):
        if get_origin(option) is tuple:
            yield tuple
            yield from _kinds(get_args(option)[0])
        elif get_origin(option) is Literal:
            yield str
        else:
            yield option


def _annotations(config: Config) -> dict[str, Any]:
    """Dotted key -> its annotation, of every field that this configuration has."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(Config):
        section = getattr(config, field.name)
        if dataclasses.is_dataclass(section):
            found |= {
                f"{field.name}.{inner.name}": inner.type for inner in dataclasses.fields(section)
            }
        else:
            found[field.name] = field.type
    return found
