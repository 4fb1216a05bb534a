"""What the members of an ensemble differ in, as coordinates of its arrays."""

import re
from collections.abc import Collection
from typing import Any, NamedTuple

import h5py
import numpy as np

from racedyn._names import PARTS
from racedyn.store.checksums import CHECKSUMS
from racedyn.store.layout import as_array, write
from racedyn.trajectory import Trajectory, parameter_axes

OWN_NAME = "parameter"  # attribute of an array that is one: its name in the trajectory


class Coordinate(NamedTuple):
    """A parameter for readers of files: its own `name`, its `axes` and `values`."""

    name: str
    axes: tuple[str, ...]
    values: np.ndarray


def coordinates_of(trajectory: Trajectory, taken: Collection[str]) -> dict[str, Coordinate]:
    """Name in a file -> parameter. What has a name that is `taken` is "parameter.NAME" there.

    Readers separate names of coordinates by blanks, and groups by "/": both are "_" there.
    """
    taken = {"", ".", CHECKSUMS, *PARTS, *taken}
    named = {}
    for own in trajectory.parameters:
        name = re.sub(r"[/\s]", "_", own)
        while name in taken:
            name = f"parameter.{name}"
        taken.add(name)
        named[own] = name
    return {
        named[own]: Coordinate(own, axes, as_array(f"parameters[{own!r}]", values))
        for (own, values), axes in zip(
            trajectory.parameters.items(), parameter_axes(trajectory).values(), strict=True
        )
    }


def write_parameters(
    group: h5py.Group, trajectory: Trajectory, taken: Collection[str]
) -> list[tuple[h5py.Dataset, tuple[str, ...]]]:
    """The arrays of a group that are parameters, with their axes, which are not attached yet.

    The group says which arrays are coordinates, as CF has it."""
    found = coordinates_of(trajectory, taken)
    if found:
        group.attrs["coordinates"] = " ".join(found)
    written = []
    for name, (own, axes, values) in found.items():
        dataset = write(group, name, values)
        dataset.attrs[OWN_NAME] = own
        written.append((dataset, axes))
    return written


def is_parameter(item: Any) -> bool:
    """Whether an array of a file is one."""
    return isinstance(item, h5py.Dataset) and OWN_NAME in item.attrs
