"""Trajectories back from an HDF5 file, as NumPy arrays."""

import dataclasses
import json
from typing import Any

import h5py
import numpy as np

from racedyn._types import FrozenDict
from racedyn.store.layout import RESERVED, is_scale, last_name
from racedyn.tasks.modes import Modes
from racedyn.trajectory import Provenance, Trajectory


def read_trajectory(group: h5py.Group) -> Trajectory:
    """The trajectory of one group of format 1. Raises whatever a damaged group leads to."""
    axes = {name: item for name, item in group.items() if is_scale(item)}
    names = {name: axis.attrs.get("same_as", name) for name, axis in axes.items()}
    observables = [name for name in group if name not in axes and name not in RESERVED]
    return Trajectory(
        ts=_read(group["time"]),
        step=_read(group["step"]) if "step" in group else None,
        observables={name: _read(group[name]) for name in observables},
        dims=FrozenDict({name: tuple(names[last_name(dim[0])] for dim in group[name].dims) for name in observables}),
        labels=FrozenDict({name: tuple(axis.asstr()[()]) for name, axis in axes.items() if _is_labels(axis)}),
        status=_read(group["status"]),
        stats=_read_tree(group["stats"]),
        ys=_read_tree(group["ys"]) if "ys" in group else None,
        end=_read_tree(group["end"]) if "end" in group else None,
        provenance=_read_provenance(group) if "provenance" in group.attrs else None,
    )


def _read_provenance(group: h5py.Group) -> Provenance:
    known = {field.name for field in dataclasses.fields(Provenance)}
    fields = {name: value for name, value in json.loads(group.attrs["provenance"]).items() if name in known}
    return Provenance(**fields, modes=_read_modes(group["modes"]) if "modes" in group else None)


def _read_modes(group: h5py.Group) -> Modes:
    return Modes(
        **{name: _read(group[name]) for name in ("U", "S", "V", "variances")},
        misalignment=float(group.attrs["misalignment"]),
        floor=float(group.attrs["floor"]),
        names=tuple(group["names"].asstr()[()]),
        groups=tuple(tuple(members) for members in json.loads(group.attrs["groups"])),
    )


def _read_tree(item: h5py.Group | h5py.Dataset) -> Any:
    if isinstance(item, h5py.Dataset):
        return _read(item)
    children = {name: _read_tree(child) for name, child in item.items() if not is_scale(child)}
    kind = item.attrs["tree"]
    if kind == "none":
        return None
    return children if kind == "dict" else {"tuple": tuple, "list": list}[kind](children.values())


def _read(dataset: h5py.Dataset) -> np.ndarray:
    """The array as it was saved, dtype and byte order included: `dataset[()]` would lose a scalar's byte order."""
    array: np.ndarray = np.empty(dataset.shape, dataset.dtype)
    if array.size:
        dataset.read_direct(array)
    return array.view(np.bool_) if dataset.attrs.get("dtype") == "bool" else array


def _is_labels(axis: h5py.Dataset) -> bool:
    return "same_as" not in axis.attrs and h5py.check_string_dtype(axis.dtype) is not None
