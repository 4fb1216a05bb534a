"""A file as a page of text."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from racedyn._checks import as_path
from racedyn._text import printable
from racedyn.store.files import File, contents
from racedyn.store.opening import opened
from racedyn.store.write import FORMAT
from racedyn.trajectory import Labelled, Trajectory

LINE, SHORTEST = 100, 40  # letters of a line, and of a value however long its name is
MOST_FIELDS = 20  # of a mapping that is shown with a line for each


def info(path: str | os.PathLike[str]) -> str:
    """What a file holds: format, complete or not, each trajectory, modes, versions, seed, or each
    labelled array and axis, and every setting on a line of its own, clipped at an entry where it is
    longer.

    Reads everything, so a damaged file raises `StoreError` as in `load`; an incomplete one is
    described."""
    path = as_path("path", path)
    with opened(path, partial=True) as source:
        attrs, config = source.attrs, source.config
        found = contents(path, source)
    state = (
        "complete" if attrs["complete"] else "INCOMPLETE: a checkpoint, read it with partial=True"
    )
    lines = [f"{path}  ({path.stat().st_size / 2**20:.3g} MiB)"]
    lines.append(f"  format       {FORMAT} {attrs['format_version']}, {state}")
    lines.append(
        f"  created      {attrs['created']}, git commit {attrs.get('git_commit', 'unknown')}"
    )
    lines.append(
        "  versions     "
        f"{', '.join(f'{name} {version}' for name, version in attrs['versions'].items())}"
    )
    if isinstance(found, File):
        lines.append(f"  seed         {_seed(found)}")
    lines += _listed("config", config)
    if isinstance(found, Labelled):
        lines += _listed("attributes", found.attributes)
        lines += ["", *str(found).splitlines()]
    else:
        for name, trajectory in found.items():
            head, *rest = str(trajectory).splitlines()
            lines += ["", f"{name}: {head}", *rest, *_provenance(trajectory)]
    return "\n".join(map(printable, lines))


def _provenance(trajectory: Trajectory) -> list[str]:
    source = trajectory.provenance
    if source is None:
        return []
    lines = [f"  made by      {source.kind}, {source.created or 'no date'}"]
    lines += _listed("settings", source.settings)
    lines += _listed("validity", source.validity)
    if source.modes is not None:
        lines += [f"  {line}" for line in str(source.modes).splitlines()]
    return lines


def _seed(file: File) -> str:
    """The first seed or key that a trajectory's settings or the configuration name."""
    places = [t.provenance.settings for t in file.values() if t.provenance is not None]
    places.append(file.config if isinstance(file.config, Mapping) else {})
    found = [str(place[name]) for place in places for name in ("seed", "key") if name in place]
    return found[0] if found else "not recorded"


def _listed(title: str, settings: Any) -> Iterator[str]:
    """A line for each setting, under one title."""
    rows = list(_settings("", settings)) if settings else []
    width = max((len(name) for name, _ in rows), default=0)
    for number, (name, value) in enumerate(rows):
        start = f"  {title if number == 0 else '':<12} {name:<{width}}  "
        yield start + _clipped(json.dumps(value), max(LINE - len(start), SHORTEST))


def _settings(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """(dotted key, value); the ends of a thousand edges are one value rather than a thousand."""
    if isinstance(value, Mapping) and 0 < len(value) <= MOST_FIELDS:
        for key, inner in value.items():
            yield from _settings(f"{name}.{key}" if name else str(key), inner)
    else:
        yield name, value


def _clipped(text: str, width: int) -> str:
    """JSON in one line: whole, or up to the last entry that there is room for."""
    if len(text) <= width:
        return text
    shown = text[: width - len(" ...")]
    return f"{shown[: shown.rfind(', ') + 1] or shown} ..."
