"""Arrays, axes and pytrees as HDF5 datasets, dimension scales and groups."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from racedyn._checks import fail
from racedyn._names import check_held, check_label, check_observed, children
from racedyn._types import MEMBER, TIME
from racedyn.trajectory import Status, Trajectory

STRING = h5py.string_dtype()


def as_array(argument: str, value: Any) -> np.ndarray:
    """`value` as an array that the file holds bit for bit. Raises `TypeError` for one that it
    can't.
    """
    array = np.asarray(value)
    check_held(argument, array.dtype)
    return array


def axes(
    trajectory: Trajectory, observables: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Axis -> its times, its labels or 0, 1, 2, ...; and the second name of a square array's axis
    -> the first.

    Raises `ValueError` where arrays and labels don't fit each other, or names collide.
    """
    ts = as_array("ts", trajectory.ts)
    if ts.ndim != 1:
        fail(
            "ts",
            "have one axis (time,) to be saved",
            f"its shape is {ts.shape}",
            "Save members one by one.",
        )
    shapes = {name: array.shape for name, array in observables.items()}
    sizes, second = check_observed(shapes, trajectory.dims, trajectory.labels)
    if sizes.setdefault(TIME, len(ts)) != len(ts):
        fail("ts", f"be as long as the observables, {sizes[TIME]}", f"there are {len(ts)} times")
    labels = trajectory.labels
    values: dict[str, np.ndarray] = {TIME: ts}
    for axis, size in sizes.items():
        named = labels.get(axis, labels.get(second.get(axis, axis)))
        values.setdefault(
            axis, np.arange(size) if named is None else as_strings(f"labels[{axis!r}]", named)
        )
    return values, second


def described(trajectory: Trajectory, name: str) -> dict[str, str]:
    """What an observable is and its unit, by the names that readers of netCDF show them under."""
    row = trajectory.row(name)
    known = {"long_name": row.meaning, "units": row.unit}
    return {attribute: text for attribute, text in known.items() if text}


def check_ends(trajectory: Trajectory) -> None:
    """Refuse statuses that are none, and steps and numbers of lanes or members that are not as many
    as there are of them.
    """
    ts, status = np.asarray(trajectory.ts), np.asarray(trajectory.status)
    if trajectory.step is not None and np.shape(trajectory.step) != ts.shape:
        fail(
            "step", f"have the shape of ts, {ts.shape}", f"its shape is {np.shape(trajectory.step)}"
        )
    if status.dtype.kind not in "iu" or not np.isin(status, [int(item) for item in Status]).all():
        fail("status", f"be numbers of Status, 0 to {max(Status)}", f"it is {status!r}"[:200])
    members = {
        size
        for name, axes in trajectory.dims.items()
        for axis, size in zip(axes, np.shape(trajectory.observables[name]), strict=True)
        if axis == MEMBER
    }
    if members and {*status.shape} != members:
        fail("status", f"be one for each of {members} members", f"its shape is {status.shape}")
    for name, value in trajectory.parameters.items():
        if members and np.shape(value)[:1] != status.shape:
            fail(
                f"parameters[{name!r}]",
                f"be one for each of {len(status)} members",
                f"its shape is {np.shape(value)}",
            )
    for name, value in trajectory.stats.items():
        shape = np.shape(value)
        of_lanes = (
            status.ndim == 1 and len(shape) == 2 and shape[:1] == status.shape
        )  # of each member
        if status.ndim and shape not in ((), status.shape) and not of_lanes:
            fail(
                f"stats[{name!r}]",
                f"be one number or one for each status, {status.shape}",
                f"its shape is {np.shape(value)}",
            )


def write_tree(
    parent: h5py.Group, name: str, tree: Any, *, room: bool = False
) -> Iterator[h5py.Dataset]:
    """A group per container (attribute `tree`), a dataset per array; yields the datasets. For what
    `check_tree` lets pass.

    Named tuples and dataclasses come back as dicts of their fields.
    """
    inside = children(tree)
    if inside is None:
        yield write(parent, name, np.asarray(tree), room=room)
        return
    group = make_group(parent, name)
    plain = isinstance(tree, tuple | list) and not hasattr(tree, "_fields")
    group.attrs["tree"] = "none" if tree is None else type(tree).__name__ if plain else "dict"
    for key, child in inside.items():
        yield from write_tree(group, key, child, room=room)


def make_group(parent: h5py.Group, name: str) -> h5py.Group:
    """A group whose members keep the order in which they were made."""
    return parent.create_group(name, track_order=True)


def write(group: h5py.Group, name: str, array: np.ndarray, *, room: bool = False) -> h5py.Dataset:
    """A dataset of the array's own dtype; bool as int8 with a note, which is how xarray knows it
    again.

    `room`: only the place for such an array, in one piece and without values, which are written
    behind HDF5's back."""
    options: dict[str, Any] = {"track_order": True}
    if room:
        options["dcpl"] = made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_layout(h5py.h5d.CONTIGUOUS)
        made.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        made.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        dataset = group.create_dataset(name, array.shape, _held(array.dtype), **options)
    else:
        if array.dtype == object:
            options["dtype"] = STRING
        elif array.size and array.ndim:  # scalars, strings and empty arrays take no filters
            options |= {
                "compression": "gzip",
                "compression_opts": 4,
                "shuffle": True,
                "fletcher32": True,
            }
        dataset = group.create_dataset(name, data=array.view(_held(array.dtype)), **options)
    if array.dtype == bool:
        dataset.attrs["dtype"] = "bool"
    return dataset


def _held(dtype: np.dtype) -> np.dtype:
    return np.dtype(np.int8) if dtype.kind == "b" else dtype


def attach(
    run: h5py.Group, dataset: h5py.Dataset, names: Sequence[str], taken: Collection[str] = ()
) -> None:
    """Give every axis of a dataset a dimension scale of its own by that name, see `_scale`."""
    taken = {*taken}
    for dimension, name, size in zip(dataset.dims, names, dataset.shape, strict=True):
        scale = _scale(run, name, size, taken)
        dimension.attach_scale(scale)
        taken.add(last_name(scale))


def _scale(run: h5py.Group, name: str, size: int, taken: Collection[str]) -> h5py.Dataset:
    """The axis `name` of a run if it is as long, or a new one without values.

    A name has one length in all groups of a run, and belongs to nothing but the axis, or xarray
    does not open the file: where it has another length or is `taken`, the length is added to it.
    """
    while name in taken or (
        name in run and not (is_scale(run[name]) and run[name].shape == (size,))
    ):
        name += f"_{size}"
    if name not in run:
        # What the netCDF library writes for a dimension that is not a variable.
        scale = run.create_dataset(name, shape=(size,), dtype=">f4", track_order=True)
        scale.make_scale(f"This is a netCDF dimension but not a netCDF variable.{size:10d}")
    return run[name]


def last_name(item: h5py.Dataset) -> str:
    """Its name without the groups that it lies in."""
    return str(item.name).rsplit("/", 1)[1]


def is_scale(item: h5py.Group | h5py.Dataset) -> bool:
    """Whether it holds the labels of an axis (an HDF5 dimension scale)."""
    return isinstance(item, h5py.Dataset) and bool(h5py.h5ds.is_scale(item.id))


def as_strings(argument: str, labels: Any) -> np.ndarray:
    """Labels as an array of objects, which is how h5py takes strings."""
    return np.array([check_label(argument, label) for label in labels], dtype=object)
