"""A configuration as a file for people: what each field is, and what else it may be.

Words and bounds are those of the sections themselves, so that a file can't tell of others."""

import ast
import dataclasses
import inspect
import json
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args, get_origin

from racedyn.config.configuration import Config
from racedyn.config.problems import tables

WIDTH = 100
LARGEST_SHOWN = 1e6
"""Bounds above this keep arithmetic sound, and tell a reader nothing."""
WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
LEGEND = (
    "Below, every field with what it may be. `# field = ...` is one that is left out. Any field "
    "can be given on the line too: --train.steps 100"
)


def commented(config: Config, header: str) -> str:
    """The configuration as TOML, after a header of comment lines; `name` is left to the file's."""
    texts = said(Config)
    lines = [header, *_comment(LEGEND)]
    for field in dataclasses.fields(Config):
        value = getattr(config, field.name)
        if not dataclasses.is_dataclass(value):
            lines += ["", *_field(field, None if field.name == "name" else value, texts)]
            continue
        lines += ["", *_comment(f"{texts[field.name]} {_kinds(field.type, value)}")]
        lines += [f"[{field.name}]"]
        words = said(type(value))
        for inner in dataclasses.fields(value):
            lines += _field(inner, getattr(value, inner.name), words)
    return "\n".join([*lines, ""])


def _field(field: Any, value: Any, texts: dict[str, str]) -> Iterator[str]:
    """Its comment, and its value, which TOML writes as JSON does."""
    if field.name != "kind":
        yield from _comment(f"{texts[field.name]} ({allowed(field.type)})")
    yield f"# {field.name} = ..." if value is None else f"{field.name} = {json.dumps(value)}"


def _kinds(annotation: Any, section: Any) -> str:
    """What the section's kind is, and which others there are, each with its fields."""
    own = (inspect.getdoc(type(section)) or "").replace("`", "")
    others = [
        f"{kind} ({', '.join(fields)})" if fields else kind
        for kind, cls in tables(annotation)
        if cls is not type(section)
        for fields in [[field.name for field in dataclasses.fields(cls) if field.name != "kind"]]
    ]
    return f"{own} Other kinds, with their fields: {', '.join(others)}." if others else own


def said(section: type) -> dict[str, str]:
    """Field -> the text under it in the source, which no object keeps."""
    body = ast.parse(textwrap.dedent(inspect.getsource(section))).body[0].body  # type: ignore[attr-defined]
    return {
        ast.unparse(field.target): " ".join(ast.literal_eval(text.value).split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


def allowed(annotation: Any) -> str:
    """What a field may be, in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = " ".join(_bounds(inner[1]))
        return f"{allowed(inner[0])} {bounds}".rstrip()
    if origin is Literal:
        return _joined([json.dumps(value) for value in inner])
    if origin is tuple:
        return f"a list, each entry {allowed(inner[0])}"
    if inner:
        return _joined([allowed(option) for option in inner if option is not type(None)])
    return WORDS[annotation]


def _bounds(constraints: Any) -> Iterator[str]:
    words = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    for constraint in constraints.metadata:
        for bound, word in words.items():
            value = getattr(constraint, bound, None)
            if value is not None and abs(value) < LARGEST_SHOWN:
                yield f"{word} {value:g}"


def _joined(options: list[str]) -> str:
    return " or ".join([", ".join(options[:-1]), options[-1]] if len(options) > 1 else options)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text.strip(),
        WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_on_hyphens=False,
    )
