"""Files and trajectories for others to read: a page of text, an xarray Dataset."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from racedyn._checks import check_is
from racedyn._names import distinct
from racedyn._text import printable
from racedyn._types import TIME
from racedyn.store.files import File, load
from racedyn.store.layout import as_array, axes, described
from racedyn.store.write import FORMAT
from racedyn.trajectory import Trajectory

if TYPE_CHECKING:
    import xarray

LINE, SHORTEST = 100, 40  # letters of a line, and of a value however long its name is
MOST_FIELDS = 20  # of a mapping that is shown with a line for each


def info(path: str | os.PathLike[str]) -> str:
    """What a file holds: format, complete or not, each trajectory, modes, versions, seed, and every
    setting on a line of its own, clipped at an entry where it is longer.

    Reads everything, so a damaged file raises `StoreError` as in `load`; an incomplete one is
    described."""
    file = load(path, partial=True)
    attrs = file.attrs
    state = (
        "complete" if attrs["complete"] else "INCOMPLETE: a checkpoint, read it with partial=True"
    )
    lines = [f"{file.path}  ({file.path.stat().st_size / 2**20:.3g} MiB)"]
    lines.append(f"  format       {FORMAT} {attrs['format_version']}, {state}")
    lines.append(
        f"  created      {attrs['created']}, git commit {attrs.get('git_commit', 'unknown')}"
    )
    lines.append(
        "  versions     "
        f"{', '.join(f'{name} {found}' for name, found in attrs['versions'].items())}"
    )
    lines.append(f"  seed         {_seed(file)}")
    lines += _listed("config", file.config)
    for name, trajectory in file.items():
        head, *rest = str(trajectory).splitlines()
        lines += ["", f"{name}: {head}", *rest, *_provenance(trajectory)]
    return "\n".join(map(printable, lines))


def to_xarray(trajectory: Trajectory) -> "xarray.Dataset":
    """The observables as an `xarray.Dataset`, with times, steps, status and labels as coordinates.

    `racedyn.save` needs no such step: `xarray.open_datatree(path)` opens its files as they are.
    Raises `ImportError` where xarray is not installed.

        >>> race = rd.systems.Pathways([4.0, 3.0, 2.0, 1.0], depths=(2, 2), q=0.1, p=[[0.2], [0.1]])
        >>> run = rd.simulate(race, ts=np.linspace(0.0, 40.0, 41))
        >>> dict(rd.to_xarray(run)["strength"].sizes)
        {'time': 41, 'path': 2, 'mode': 4}
    """
    check_is("trajectory", trajectory, Trajectory, "be a Trajectory")
    try:
        import xarray
    except ImportError as error:
        raise ImportError(
            '`to_xarray` needs xarray, which is not installed: pip install "racedyn[xarray]".'
        ) from error
    observables = {
        name: as_array(f"observables[{name!r}]", value)
        for name, value in trajectory.observables.items()
    }
    values, _ = axes(trajectory, observables)
    variables = {
        name: (distinct(trajectory.dims[name]), array, described(trajectory, name))
        for name, array in observables.items()
    }
    coordinates: dict[str, Any] = {axis: (axis, value) for axis, value in values.items()}
    if trajectory.step is not None:
        coordinates["step"] = (TIME, np.asarray(trajectory.step))
    source = trajectory.provenance
    attrs = (
        {}
        if source is None
        else {"kind": source.kind, "system": source.system, "solver": source.solver}
    )
    return xarray.Dataset(variables, coordinates, attrs)


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
