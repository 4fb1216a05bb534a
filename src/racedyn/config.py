"""The configuration of a run: frozen, typed, and strict about unknown keys and wrong types. The only home of pydantic.

The text under each field is its help on the command line. This module imports no JAX, so that help stays quick.
"""

import dataclasses
import functools
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, dataclass_transform, get_args

import tomli_w
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

T = TypeVar("T")
WholePositive: TypeAlias = Annotated[int, Field(ge=1)]
Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Activation: TypeAlias = Literal["linear", "relu", "tanh"]


class ConfigError(ValueError):
    """A configuration that can't be used. Its text has one line per problem, each with the dotted key."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
def _section(cls: type[T]) -> type[T]:
    """A frozen, strict pydantic dataclass whose errors are `ConfigError`s."""
    checked: Any = dataclass(cls, frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
    init = checked.__init__
    known = [field.name for field in dataclasses.fields(checked)]

    @functools.wraps(init)
    def __init__(self: Any, **values: Any) -> None:
        try:
            init(self, **values)
        except ValidationError as error:
            raise ConfigError("\n".join(_problems(error, values, known))) from None

    checked.__init__ = __init__
    return checked


@_section
class Hierarchy:
    """`racedyn.tasks.hierarchy`."""

    kind: Literal["hierarchy"] = "hierarchy"
    items: WholePositive = 8
    """Number of items, a power of two."""


@_section
class Arrays:
    """`racedyn.tasks.from_arrays`."""

    kind: Literal["arrays"] = "arrays"
    path: str
    """A .npz file with X (n_in, P) and Y (n_out, P); in a file of configuration relative to that file."""


@_section
class Parallel:
    """`racedyn.networks.parallel`."""

    kind: Literal["parallel"] = "parallel"
    depths: Annotated[tuple[WholePositive, ...], Field(min_length=1)]
    """Number of weight matrices of each pathway."""
    width: WholePositive
    """Units of every hidden layer."""
    activation: Activation = "linear"
    """Of the hidden layers."""
    activate_last: bool = False
    """Whether each pathway's last matrix is followed by the activation too, before the sum."""


@_section
class Chain:
    """`racedyn.networks.chain`."""

    kind: Literal["chain"] = "chain"
    depth: WholePositive
    """Number of weight matrices."""
    width: WholePositive
    """Units of every hidden layer."""
    activation: Activation = "linear"
    """Of the hidden layers."""


@_section
class Gaussian:
    """`racedyn.init.Gaussian`."""

    kind: Literal["gaussian"] = "gaussian"
    std: Positive
    """Standard deviation of each weight."""


@_section
class Orthogonal:
    """`racedyn.init.Orthogonal`."""

    kind: Literal["orthogonal"] = "orthogonal"
    scale: Positive = 1.0
    """Factor on orthonormal rows or columns."""


@_section
class Aligned:
    """`racedyn.init.Aligned`."""

    kind: Literal["aligned"] = "aligned"
    scale: Positive
    """Strength of every weight matrix in each of the task's modes."""


@_section
class Balanced:
    """`racedyn.init.Balanced`."""

    kind: Literal["balanced"] = "balanced"
    scale: Positive
    """Strength of the weakest weight matrix in each mode."""


@_section
class Train:
    """`racedyn.train`."""

    lr: Positive
    """Size of a descent step on the loss named by `loss`."""
    steps: WholePositive
    """Number of descent steps."""
    save_every: WholePositive | None = None
    """Steps between two saves; chosen by `racedyn.train` if left out."""
    dtype: Literal["float32", "float64"] = "float64"
    """Precision of the training; the theory is always float64."""
    loss: Literal["mean", "half_sum", "sum", "routes"] = "mean"
    """Whose normalisation of the loss `lr` belongs to (`racedyn.conventions`)."""


@_section
class Theory:
    """`racedyn.reduce` and `racedyn.simulate`."""

    level: Literal["pathway"] = "pathway"
    """The reduction to solve."""
    rtol: Positive = 1e-8
    """Relative tolerance of the solver."""


@_section
class Config:
    """One run: a task, a network, its initial weights, training, and the theory beside it."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
    """Of the result files; the name of the configuration file if left out."""
    seed: Annotated[int, Field(ge=0)] = 0
    """From which the initial weights are drawn."""
    task: Annotated[Hierarchy | Arrays, Field(discriminator="kind")]
    network: Annotated[Parallel | Chain, Field(discriminator="kind")]
    init: Annotated[Gaussian | Orthogonal | Aligned | Balanced, Field(discriminator="kind")]
    train: Train
    theory: Theory = dataclasses.field(default_factory=Theory)


def read(path: str | Path) -> Config:
    """The configuration in a TOML file; `name` is the file's if left out, a data path is relative to the file.

    Raises `ConfigError` for what is not TOML and for every unknown key and wrong value at once, `OSError` if the file
    can't be read.
    """
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # not TOML, or not text
        raise ConfigError(f"{path} is not a TOML file: {error}") from error
    config = parse({"name": path.stem, **data}, source=str(path))
    if isinstance(config.task, Arrays):
        where = (path.parent / config.task.path).absolute()
        config = dataclasses.replace(config, task=dataclasses.replace(config.task, path=str(where)))
    return config


def parse(data: Mapping[str, Any], *, source: str = "the configuration") -> Config:
    """The configuration in nested mappings, as TOML and JSON have them. Raises `ConfigError` with all problems."""
    try:
        # Strict JSON rules: a list is a tuple and 1 a float, but "1000" and true are no numbers. (Strict Python rules
        # refuse nested tables.) A TOML date becomes text.
        return TypeAdapter(Config).validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        problems = list(_problems(error, data))
        count = f"{len(problems)} problem{'s' * (len(problems) > 1)}"
        raise ConfigError("\n  ".join([f"{count} in {source}:", *problems])) from None


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
    """Every dotted key, sections included; of a section with kinds those of its kind in `kinds`, or of all kinds."""
    found = []
    for section in dataclasses.fields(Config):
        found.append(section.name)
        for kind, cls in _tables(section.type):
            if kinds.get(section.name, kind) == kind or section.name not in _KINDS:
                found += [f"{section.name}.{field.name}" for field in dataclasses.fields(cls)]
    return list(dict.fromkeys(found))


def kinds_of(config: Config) -> dict[str, str]:
    """Section -> its kind."""
    return {section: getattr(config, section).kind for section in _KINDS}


def suggest(key: str, known: Iterable[str]) -> str:
    """ " Did you mean `train.lr`?", or what is known in the same section."""
    known = list(known)
    section, _, last = key.rpartition(".")
    near = [name for name in known if name.rpartition(".")[2] == last] or get_close_matches(key, known, n=1)
    beside = [f"`{name}`" for name in known if name.rpartition(".")[0] == section]
    return f" Did you mean `{near[0]}`?" if near else f" Known here: {', '.join(beside) or ', '.join(known)}."


def _tables(annotation: Any) -> Iterator[tuple[str, Any]]:
    """(kind, class) of each table that a field's annotation allows."""
    for option in (annotation, *get_args(annotation), *(b for a in get_args(annotation) for b in get_args(a))):
        if dataclasses.is_dataclass(option):
            default = next((field.default for field in dataclasses.fields(option) if field.name == "kind"), "")
            yield str(default), option


_KINDS = {field.name: kinds for field in dataclasses.fields(Config) if len(kinds := dict(_tables(field.type))) > 1}

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
    "greater_than_equal": "be at least {ge}",
    "too_short": "have at least {min_length} entry",
    "string_pattern_mismatch": "be letters, digits, '_', '-' and '.', as a file name has them",
}


def _problems(error: ValidationError, data: Mapping[str, Any], known: list[str] | None = None) -> Iterator[str]:
    """One line per problem: the dotted key, what was needed, what was given."""
    kinds = {section: str(data[section].get("kind")) for section in _KINDS if isinstance(data.get(section), Mapping)}
    for item in error.errors(include_url=False):
        code, context = item["type"], item.get("ctx", {})
        # Inside a section with kinds, pydantic's path names the kind too.
        loc = [part for i, part in enumerate(item["loc"]) if not (i == 1 and item["loc"][0] in _KINDS)]
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
        if code == "unexpected_keyword_argument":
            usable = {section: kind for section, kind in kinds.items() if kind in _KINDS[section]}
            yield f"`{key}` is not known.{suggest(key, known or keys(usable))}"
        elif code == "missing":
            yield f"`{key}` is missing."
        elif code in ("union_tag_not_found", "union_tag_invalid"):
            given = f"it is {context['tag']!r}" if "tag" in context else "it is missing"
            yield f"`{key}.kind` must be one of {', '.join(map(repr, _KINDS[key]))}, but {given}."
        else:
            needed = _NEEDED.get(code, item["msg"].removeprefix("Input should ")).format(**context)
            yield f"`{key}` must {needed}, but it is {item['input']!r} ({_word(item['input'])})."


def _word(value: Any) -> str:
    """TOML's kind of a value."""
    words = {bool: "a boolean", int: "a whole number", float: "a number", str: "text", list: "a list", dict: "a table"}
    return words.get(type(value), type(value).__name__)


def _without_none(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in items if value is not None}  # TOML has no null: what is not set is left out
