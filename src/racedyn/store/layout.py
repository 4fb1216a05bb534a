"""Arrays, axes and pytrees as HDF5 datasets, dimension scales and groups."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from racedyn._checks import fail
from racedyn._types import TIME, FrozenDict
from racedyn.trajectory import Trajectory

RESERVED = ("step", "status", "stats", "ys", "end", "modes")  # what lies beside the observables in a group
STRING = h5py.string_dtype()
# Half precision is missing on purpose: the netCDF C library crashes the process that opens it.
DTYPES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8")


def as_array(argument: str, value: Any) -> np.ndarray:
    """`value` as an array that the file holds bit for bit. Raises `TypeError` for one that it can't."""
    array = np.asarray(value)
    if f"{array.dtype.kind}{array.dtype.itemsize}" not in DTYPES:
        fail(argument, "hold float32, float64, whole numbers or bool to be saved", f"its dtype is {array.dtype}",
             "Cast it, or leave it out: dataclasses.replace(trajectory, ...).", TypeError)  # fmt: skip
    return array


def distinct(axes: Sequence[str]) -> tuple[str, ...]:
    """The axes of a square array by two names: ("mode", "mode") as ("mode", "mode_2"). Readers take no name twice."""
    seen = [list(axes[: i + 1]).count(axis) for i, axis in enumerate(axes)]
    return tuple(axis if n == 1 else f"{axis}_{n}" for axis, n in zip(axes, seen, strict=True))


def axes(trajectory: Trajectory, observables: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Axis -> its times, its labels or 0, 1, 2, ...; and the second name of a square array's axis -> the first.

    Raises `ValueError` where arrays and labels don't fit each other, or names collide.
    """
    ts = as_array("ts", trajectory.ts)
    if ts.ndim != 1:
        fail("ts", "have one axis (time,) to be saved", f"its shape is {ts.shape}", "Save members one by one.")
    values: dict[str, np.ndarray] = {TIME: ts}
    for axis, labels in trajectory.labels.items():
        if axis == TIME:
            fail("labels", "name any axis but time", "it names that one", "The times are `ts`.")
        values[axis] = as_strings(f"labels[{axis!r}]", labels)
    first: dict[str, str] = {}
    for name, array in observables.items():
        named = trajectory.dims.get(name, ())
        if len(named) != array.ndim:
            fail(f"dims[{name!r}]", f"name the {array.ndim} axes of the observable", f"it is {named!r}")
        for axis, own, size in zip(named, distinct(named), array.shape, strict=True):
            here = values.setdefault(own, values.get(axis, np.arange(size)))
            if len(here) != size:
                fail(f"observables[{name!r}]", f"have {len(here)} along {axis!r}, as other arrays or labels do",
                     f"it has {size}", "Name another axis.")  # fmt: skip
            if first.setdefault(own, axis) != axis:
                fail("dims", f"leave the name {own!r} to the second axis of a square array", "it is an axis, too",
                     "Rename it.")  # fmt: skip
    for name in observables:
        if checked_name("observables", name) in RESERVED:
            fail("observables", f"not have the name of a part of the file ({', '.join(RESERVED)})", f"{name!r} is one",
                 "Rename it.")  # fmt: skip
    for axis in values:
        if checked_name("dims", axis) in (*observables, *RESERVED):
            fail("dims", "not have an axis with the name of an observable or of a part of the file", f"{axis!r} is one",
                 "Rename it.")  # fmt: skip
    return values, {own: axis for own, axis in first.items() if own != axis}


def write_tree(parent: h5py.Group, name: str, tree: Any, axes: Collection[str]) -> Iterator[h5py.Dataset]:
    """A group per dict, tuple, list and None (attribute `tree`), a dataset per array; yields the datasets.

    `axes`: names that nothing in the tree may have; xarray does not open a file where something else than the axis has.
    """
    place = f"{parent.name}/{name}".split("/", 2)[2]  # without the trajectory's group
    if name in axes:
        fail(place, "not have the name of an axis", f"{name!r} is one", "Rename it.")
    kinds: dict[type, str] = {dict: "dict", FrozenDict: "dict", tuple: "tuple", list: "list", type(None): "none"}
    kind = kinds.get(type(tree))
    if kind is None:
        if isinstance(tree, tuple | list | dict):  # a named tuple, say: it would come back as another type
            fail(place, "be built of plain dicts, tuples, lists and arrays", f"it is a {type(tree).__name__}",
                 "Turn it into a dict, or leave it out: dataclasses.replace(trajectory, ...).", TypeError)  # fmt: skip
        yield write(parent, name, as_array(place, tree))
        return
    group = make_group(parent, name)
    group.attrs["tree"] = kind
    children = tree.items() if kind == "dict" else ((str(i), item) for i, item in enumerate(tree or ()))
    for key, child in children:
        yield from write_tree(group, checked_name(place, key), child, axes)


def make_group(parent: h5py.Group, name: str) -> h5py.Group:
    return parent.create_group(name, track_order=True)


def write(group: h5py.Group, name: str, array: np.ndarray) -> h5py.Dataset:
    """A dataset of the array's own dtype; bool as int8 with a note, which is how xarray knows it again.

    One number repeated (`numpy.broadcast_to`, without memory of its own) is room for what comes later, and filled with it.
    """
    options: dict[str, Any] = {"track_order": True}
    if array.size > 1 and not any(array.strides):
        return group.create_dataset(name, array.shape, array.dtype, fillvalue=array.flat[0], **options)
    if array.dtype == object:
        options["dtype"] = STRING
    elif array.size and array.ndim:  # scalars, strings and empty arrays take no filters
        options |= {"compression": "gzip", "compression_opts": 4, "shuffle": True, "fletcher32": True}
    dataset = group.create_dataset(name, data=array.view(np.int8) if array.dtype == bool else array, **options)
    if array.dtype == bool:
        dataset.attrs["dtype"] = "bool"
    return dataset


def attach(run: h5py.Group, dataset: h5py.Dataset, names: Sequence[str], taken: Collection[str] = ()) -> None:
    """Give every axis of a dataset a dimension scale of its own by that name, see `_scale`."""
    taken = {*taken}
    for dimension, name, size in zip(dataset.dims, names, dataset.shape, strict=True):
        scale = _scale(run, name, size, taken)
        dimension.attach_scale(scale)
        taken.add(last_name(scale))


def _scale(run: h5py.Group, name: str, size: int, taken: Collection[str]) -> h5py.Dataset:
    """The axis `name` of a run if it is as long, or a new one without values.

    A name has one length in all groups of a run, and belongs to nothing but the axis, or xarray does not open the file:
    where it has another length or is `taken`, the length is added to it.
    """
    while name in taken or (name in run and not (is_scale(run[name]) and run[name].shape == (size,))):
        name += f"_{size}"
    if name not in run:
        # What the netCDF library writes for a dimension that is not a variable.
        scale = run.create_dataset(name, shape=(size,), dtype=">f4", track_order=True)
        scale.make_scale(f"This is a netCDF dimension but not a netCDF variable.{size:10d}")
    return run[name]


def last_name(item: h5py.Dataset) -> str:
    return str(item.name).rsplit("/", 1)[1]


def is_scale(item: h5py.Group | h5py.Dataset) -> bool:
    return isinstance(item, h5py.Dataset) and bool(h5py.h5ds.is_scale(item.id))


def checked_name(argument: str, name: Any) -> str:
    """`name` if HDF5 can have it as one name. Raises `ValueError` otherwise."""
    if not isinstance(name, str) or name in ("", ".") or "/" in name or "\0" in name:
        fail(argument, 'have names that are text without "/" to be saved', f"one is {name!r}", "Rename it.")
    return str(name)


def as_strings(argument: str, labels: Any) -> np.ndarray:
    """Labels as an array of objects, which is how h5py takes strings."""
    for label in labels:
        if not isinstance(label, str) or "\0" in label:
            fail(argument, "be text to be saved", f"one label is {label!r}", "Use str(...).")
    return np.array([str(label) for label in labels], dtype=object)
