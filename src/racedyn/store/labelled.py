"""Labelled arrays at the root of a file, and back."""

import json
from typing import Any

import h5py
import numpy as np

from racedyn._names import check_file_name, distinct
from racedyn.store.layout import as_array, as_strings, attach, write
from racedyn.store.read import read_array, read_axes
from racedyn.store.write import bytes_of, plain, write_header
from racedyn.trajectory import Labelled

HOLDS = "holds"  # the attribute of the root that says what a file is of, where not trajectories
KIND = "labelled"


def labelled_image(labelled: Labelled, config: Any) -> bytes:
    """The whole file as bytes; made in memory, as `write.image` is.

    Raises `ValueError` or `TypeError` for names and arrays that a file can't hold."""
    coordinates, same_as = coordinates_of(labelled)
    arrays = {name: _held(f"arrays[{name!r}]", array) for name, array in labelled.arrays.items()}
    with h5py.File.in_memory(track_order=True) as file:
        write_header(file, config, complete=True)
        file.attrs[HOLDS] = KIND
        file.attrs["attributes"] = json.dumps(plain(labelled.attributes))
        for axis, values in coordinates.items():
            write(file, axis, values).make_scale(axis)
        for axis, first in same_as.items():
            file[axis].attrs["same_as"] = first
        for name, array in arrays.items():
            attach(file, write(file, name, array), distinct(labelled.dims[name]))
        for name in (*coordinates, *arrays):
            file[name].attrs.update(described(labelled, name))
        return bytes_of(file)


def read_labelled(file: h5py.File) -> Labelled:
    """What `labelled_image` made. Texts come back as objects. Raises whatever a damaged file leads
    to."""
    if file.attrs[HOLDS] != KIND:
        raise ValueError(f"it holds {file.attrs[HOLDS]!r}")
    if groups := [name for name, item in file.items() if not isinstance(item, h5py.Dataset)]:
        raise ValueError(f"{groups[0]!r} is no array")
    axes, dims = read_axes(file)
    attributes = json.loads(file.attrs["attributes"])
    if not isinstance(attributes, dict):
        raise ValueError("its attributes have no names")
    meanings = {}
    for name, item in file.items():
        if "long_name" in item.attrs or "units" in item.attrs:
            meanings[name] = (item.attrs.get("long_name", ""), item.attrs.get("units", ""))
    return Labelled(
        arrays={name: _values(file[name]) for name in dims},
        dims=dims,
        coordinates={
            name: _values(axis) for name, axis in axes.items() if "same_as" not in axis.attrs
        },
        meanings=meanings,
        attributes=attributes,
    )


def coordinates_of(labelled: Labelled) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Axis -> the values along it, as a file holds them; and the second name of a square array's
    axis -> the first, see `distinct`.

    Raises `ValueError` or `TypeError` for names and values that a file can't hold."""
    values = {
        axis: _held(f"coordinates[{axis!r}]", found) for axis, found in labelled.coordinates.items()
    }
    same_as: dict[str, str] = {}
    for axes in labelled.dims.values():
        same_as |= {
            own: axis for own, axis in zip(distinct(axes), axes, strict=True) if own != axis
        }
    for name in (*labelled.arrays, *values):
        check_file_name("dims", name, same_as, "the second axis of a square array")
    for axis in values:
        check_file_name("dims", axis, labelled.arrays, "an array")
    return values | {own: values[axis] for own, axis in same_as.items()}, same_as


def described(labelled: Labelled, name: str) -> dict[str, str]:
    """What an array is and its unit, by the names that readers of netCDF show them under."""
    meaning, unit = labelled.meanings.get(name, ("", ""))
    known = {"long_name": meaning, "units": unit}
    return {attribute: text for attribute, text in known.items() if text}


def _held(argument: str, values: Any) -> np.ndarray:
    """Numbers as they are, texts as objects, which is how h5py takes them."""
    array = np.asarray(values)
    if array.dtype.kind not in "OUT":
        return as_array(argument, array)
    return as_strings(argument, array.ravel()).reshape(array.shape)


def _values(dataset: h5py.Dataset) -> np.ndarray:
    """As objects, texts take no more room than their letters: as one of NumPy's dtypes each would
    take as much as the longest.
    """
    if dataset.dtype.kind != "O":
        return read_array(dataset)
    return np.asarray(dataset.asstr()[()], dtype=object)
