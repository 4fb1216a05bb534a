"""What is wrong with a configuration, in words that name the dotted key."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeAlias, get_args

from pydantic import ValidationError

from racedyn._text import printable

Kinds: TypeAlias = Mapping[str, Mapping[str, Any]]


class ConfigError(ValueError):
    """A configuration that can't be used. Its text has one line per problem, each with the dotted
    key.
    """


def suggest(key: str, known: Iterable[str]) -> str:
    """ " Did you mean `train.lr`?", or what is known in the same section."""
    known = list(known)
    section, _, last = key.rpartition(".")
    near = [name for name in known if name.rpartition(".")[2] == last] or get_close_matches(
        key, known, n=1
    )
    beside = [f"`{name}`" for name in known if name.rpartition(".")[0] == section]
    return (
        f" Did you mean `{near[0]}`?"
        if near
        else f" Known here: {', '.join(beside) or ', '.join(known)}."
    )


def kinds_in(cls: Any) -> dict[str, dict[str, Any]]:
    """Section -> kind -> class, for the fields of `cls` that are sections with several kinds."""
    return {
        field.name: kinds
        for field in dataclasses.fields(cls)
        if len(kinds := dict(tables(field.type))) > 1
    }


def tables(annotation: Any) -> Iterator[tuple[str, Any]]:
    """(kind, class) of each table that a field's annotation allows."""
    for option in (
        annotation,
        *get_args(annotation),
        *(b for a in get_args(annotation) for b in get_args(a)),
    ):
        if dataclasses.is_dataclass(option):
            default = next(
                (field.default for field in dataclasses.fields(option) if field.name == "kind"), ""
            )
            yield str(default), option


# pydantic's code of an error -> what was needed.
_NEEDED = {
    "int_type": "be a whole number",
    "int_from_float": "be a whole number",
    "float_type": "be a number",
    "finite_number": "be finite",
    "string_type": "be text",
    "bool_type": "be true or false",
    "tuple_type": "be a list",
    "dataclass_type": "be a table",
    "dict_type": "be a table",
    "literal_error": "be {expected}",
    "greater_than": "be greater than {gt:g}",
    "greater_than_equal": "be at least {ge:g}",
    "less_than": "be smaller than {lt:g}",
    "less_than_equal": "be at most {le:g}",
    "too_short": "have at least {min_length} entry",
    "string_too_long": "have at most {max_length} letters",
    "string_pattern_mismatch": "{pattern}",
    "int_parsing_size": "be at most 2**53",  # more digits than pydantic reads
}
FILE_NAME = r"^\w[\w.-]*$"
_PATTERNS = {FILE_NAME: "be letters, digits, '_', '-' and '.', as a file name has them"}
LONGEST = 60  # letters of a value or a key that are shown


def shown(value: Any) -> str:
    """A value in a message: on one line, cut where it is long."""
    try:
        text = printable(repr(value))
    except (
        RecursionError,
        ValueError,
    ):  # nested too deeply; a whole number of more digits than Python prints
        text = f"one that is too {'large' if isinstance(value, int) else 'deep'} to show"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 12]} ... {text[-8:]}"


def key_shown(key: str) -> str:
    """A key as it was written, without control characters and its middle left out where it is
    long.
    """
    return (
        printable(key)
        if len(key) <= LONGEST
        else f"{printable(key[: LONGEST - 12])} ... {printable(key[-8:])}"
    )


def problems(error: ValidationError, known: Iterable[str], kinds: Kinds) -> Iterator[str]:
    """One line per problem: the dotted key, what was needed, what was given. `known` are the keys
    that could be.
    """
    lines: dict[str, str] = {}
    needs: dict[str, str] = {}
    for item in error.errors(include_url=False):
        code, context = item["type"], item.get("ctx", {})
        unknown = code == "unexpected_keyword_argument"
        # pydantic's path also names the kind of a section with kinds, and which of a field's types
        # refused it.
        loc = [
            part for i, part in enumerate(item["loc"]) if not (i == 1 and item["loc"][0] in kinds)
        ]
        loc = [
            part
            for part in loc
            if unknown or isinstance(part, int) or (part.isidentifier() and part != "float")
        ]
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(
            "."
        )
        if unknown:
            lines[key] = f"`{key_shown(key)}` is not known.{suggest(key, known)}"
        elif code == "missing":
            lines[key] = f"`{key}` is missing."
        elif code in ("union_tag_not_found", "union_tag_invalid"):
            given, near = "it is missing", []
            if "tag" in context:
                given = f"it is {shown(context['tag'])}"
                near = get_close_matches(str(context["tag"]), kinds[key], n=1)
            lines[key] = (
                f"`{key}.kind` must be one of {', '.join(map(repr, kinds[key]))}, but {given}."
                + (f" Did you mean {near[0]!r}?" if near else "")
            )
        else:
            if "pattern" in context:
                context["pattern"] = _PATTERNS.get(
                    context["pattern"], "be text without zero bytes, and not empty"
                )
            needed = _NEEDED[code].format(**context) if code in _NEEDED else "be of another kind"
            option = needed.removeprefix("be ")
            if key not in needs:
                needs[key] = needed
            elif option not in needs[key]:
                needs[key] += f" or {option}"
            given = f"it is {shown(item['input'])} ({_word(item['input'])})"
            lines[key] = f"`{key}` must {needs[key]}, but {given}."
    # A list that might have been a single value: what is wrong inside it says more.
    yield from (
        line
        for key, line in lines.items()
        if not any(other.startswith(f"{key}[") for other in lines)
    )


def _word(value: Any) -> str:
    """TOML's kind of a value."""
    words = {
        bool: "a boolean",
        int: "a whole number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a table",
    }
    return words.get(type(value), type(value).__name__)
