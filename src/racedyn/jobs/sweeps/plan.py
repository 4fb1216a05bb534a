"""The plan of a sweep: its points, what each is known by, the blocks in which they are computed.

A point is known by all that its result depends on, and a block by its points: so a longer range, or
another executor, finds what is there already."""

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from racedyn.config import Config, as_dict, keys, kinds_of, parse
from racedyn.jobs.sweeps.axes import Axes

CHUNK = 64  # points of a block: as many trainings as one program computes together
CALLS = 256  # blocks into which the calls of a function are cut, as far as there are so many
# Numbers that members of one program may differ in; whatever else differs makes another block.
NUMBERS = ("seed", "init.std", "init.scale", "train.lr", "train.weight_decay", "train.until")


@dataclasses.dataclass(frozen=True)
class Point:
    """One configuration: `settings`, all that its result depends on; `index`: its place along each
    axis; `alike`: what it has in common with those of its program."""

    settings: Mapping[str, Any]
    index: tuple[int, ...]
    alike: str

    @property
    def name(self) -> str:
        """By which its result is known."""
        return digest(self.settings)


@dataclasses.dataclass(frozen=True)
class Block:
    """Points that are computed together."""

    points: tuple[Point, ...]

    @property
    def name(self) -> str:
        return digest([point.name for point in self.points])


@dataclasses.dataclass(frozen=True)
class Plan:
    """`base`: the configuration, or the name of a function, as JSON has it; `axes`; `observe`:
    names of what is kept; `data`: path -> checksum of the files that configurations read."""

    base: Mapping[str, Any]
    axes: Axes
    observe: tuple[str, ...]
    data: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(map(len, self.axes.values()))

    def points(self) -> Iterator[Point]:
        """All of them, the last axis fastest."""
        for index in itertools.product(*map(range, self.shape)):
            given = {
                name: values[i] for (name, values), i in zip(self.axes.items(), index, strict=True)
            }
            yield self._point(given, index)

    def _point(self, given: Mapping[str, Any], index: tuple[int, ...]) -> Point:
        if "function" in self.base:
            return Point({**self.base, "given": dict(given)}, index, "")
        config = configured(self.base, given)
        settings = {key: value for key, value in as_dict(config).items() if key != "name"}
        data = self.data.get(settings["task"].get("path", ""), "")
        common = {"observe": list(self.observe), "data": data}
        return Point({"config": settings, **common}, index, digest(alike(settings)))

    def blocks(self) -> list[Block]:
        """Points of one program together, in their order, at most CHUNK of them; calls of a
        function, which may each take hours, by themselves, unless there are very many."""
        programs: dict[str, list[Point]] = {}
        for point in self.points():
            programs.setdefault(point.alike, []).append(point)
        number = math.prod(self.shape)
        size = -(-number // CALLS) if "function" in self.base else CHUNK
        return [
            Block(tuple(points[k : k + size]))
            for points in programs.values()
            for k in range(0, len(points), size)
        ]

    def as_json(self) -> str:
        """As a file keeps it."""
        return json.dumps(dataclasses.asdict(self), indent=1)


def plan_of(text: str) -> Plan:
    """The plan in a file."""
    given = json.loads(text)
    axes = {name: tuple(values) for name, values in given["axes"].items()}
    return Plan(given["base"], axes, tuple(given["observe"]), dict(given["data"]))


def digest(value: Any) -> str:
    """By which settings are known: 16 hexadecimal digits of a hash of their JSON."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def swept_keys(config: Config) -> list[str]:
    """Dotted keys of the fields that can be swept."""
    sections = {key.partition(".")[0] for key in keys(kinds_of(config)) if "." in key}
    return [
        key
        for key in keys(kinds_of(config))
        if key not in sections and key != "name" and not key.endswith(".kind")
    ]


def configured(base: Mapping[str, Any], given: Mapping[str, Any]) -> Config:
    """The configuration with these values of fields; None leaves a field out. Raises `ConfigError`
    for one that no configuration has."""
    data = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in base.items()
    }
    for key, value in given.items():
        section, _, field = key.rpartition(".")
        table = data.setdefault(section, {}) if section else data
        table[field] = value
        if value is None:
            del table[field]
    said = ", ".join(f"{key} = {json.dumps(value)}" for key, value in given.items())
    return parse(data, source=f"the sweep at {said}")


def alike(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What members of one program have in common: all but NUMBERS, of which only whether they are
    there, and above 0."""
    common = json.loads(json.dumps(settings))
    for key in NUMBERS:
        section, _, field = key.rpartition(".")
        table = common.get(section, {}) if section else common
        if isinstance(table.get(field), int | float):
            table[field] = bool(table[field] > 0) if key == "train.weight_decay" else "a number"
    return common
