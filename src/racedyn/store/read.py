"""Trajectories back from an HDF5 file, as NumPy arrays."""

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from racedyn._names import PARTS
from racedyn._types import AnyArray, FrozenDict
from racedyn.store.checksums import CHECKSUMS, ROWS, of_members
from racedyn.store.layout import as_array, check_ends, is_scale
from racedyn.store.parameters import OWN_NAME, is_parameter
from racedyn.tasks import Modes
from racedyn.trajectory import Provenance, Status, Trajectory


def read_trajectory(group: h5py.Group) -> Trajectory:
    """The trajectory of one group of format 1. Raises whatever a damaged group leads to."""
    if missing := [name for name in ("time", "status", "stats") if name not in group]:
        raise ValueError(f"it has no {' and no '.join(missing)}")
    dims, labels = read_names(group)
    run = Trajectory(
        ts=read_array(group["time"]),
        step=read_array(group["step"]) if "step" in group else None,
        observables={name: read_array(group[name], checked=CHECKSUMS in group) for name in dims},
        dims=dims,
        labels=labels,
        status=read_array(group["status"]),
        stats=_read_tree(group["stats"]),
        parameters=_read_parameters(group),
        ys=_read_tree(group["ys"]) if "ys" in group else None,
        end=_read_tree(group["end"]) if "end" in group else None,
        provenance=_read_provenance(group) if "provenance" in group.attrs else None,
    )
    if np.ndim(run.ts) != 1 or not isinstance(run.stats, dict):
        raise ValueError("its times are no list, or its stats no names")
    if CHECKSUMS in group:
        run = _checked(
            run, read_array(group[CHECKSUMS]), complete=bool(group.file.attrs["complete"])
        )
    check_ends(run)
    return run


def read_names(group: h5py.Group) -> tuple[FrozenDict, FrozenDict]:
    """Observable -> its axes, and axis -> the names along it."""
    axes, dims = read_axes(group, besides=(*PARTS, CHECKSUMS))
    return FrozenDict(dims), FrozenDict(
        {name: _labels(axis) for name, axis in axes.items() if _is_labels(axis)}
    )


def read_axes(
    group: h5py.Group, besides: Collection[str] = ()
) -> tuple[dict[str, h5py.Dataset], dict[str, tuple[str, ...]]]:
    """Axis -> what lies along it, and array -> its axes, `besides` other things of a group."""
    axes = {name: item for name, item in group.items() if is_scale(item) and name not in besides}
    at = {h5py.h5o.get_info(axis.id).addr: name for name, axis in axes.items()}
    dims = {}
    for name, item in group.items():
        if name in axes or name in besides or is_parameter(item):
            continue
        named = []
        for dimension, size in zip(item.dims, item.shape, strict=True):
            axis = at[h5py.h5o.get_info(dimension[0].id).addr]
            if axes[axis].shape != (size,):
                raise ValueError(
                    f"{name!r} has {size} along {axis!r}, which is {axes[axis].shape} long"
                )
            first = axes[axis].attrs.get("same_as", axis)
            if axes[first].shape != (size,):
                raise ValueError(f"{axis!r} is not as long as {first!r}")
            named.append(first)
        dims[name] = tuple(named)
    return axes, dims


def _checked(run: Trajectory, written: np.ndarray, *, complete: bool) -> Trajectory:
    """Members of a file that is written block by block: those that are missing, or not what was
    written, are NaN.
    """
    status = np.array(run.status)
    found = of_members(
        [as_array("", value) for value in (*run.observables.values(), status, *run.stats.values())]
    )
    if written.shape != (1 + len(found),):
        raise ValueError("its checksums are not as many as its members")
    wrong = np.repeat(found != written[1:], ROWS)[: len(status)]
    if complete and wrong.any():
        raise ValueError(f"the checksum of {wrong.sum()} members differs")
    status[wrong] = Status.INTERRUPTED
    for name, values in run.observables.items():
        values = np.asarray(values)
        values[status == Status.INTERRUPTED] = np.nan if values.dtype.kind == "f" else 0
        _check_bool(name, values)
    return dataclasses.replace(run, status=status)


def _read_parameters(group: h5py.Group) -> dict[str, AnyArray]:
    items = [item for item in group.values() if is_parameter(item) and not is_scale(item)]
    found: dict[str, AnyArray] = {str(item.attrs[OWN_NAME]): read_array(item) for item in items}
    if len(found) < len(items):
        raise ValueError("two of its parameters have one name")
    return found


def _read_provenance(group: h5py.Group) -> Provenance:
    kinds = {
        "settings": Mapping,
        "validity": Mapping,
        "versions": Mapping,
        "wall_time": int | float,
        "compile_time": int | float,
    }
    fields = {}
    given = json.loads(group.attrs["provenance"])
    for field in dataclasses.fields(Provenance):
        if field.name == "modes" or field.name not in given:
            continue
        if not isinstance(given[field.name], kinds.get(field.name, str)):
            raise ValueError(f"its provenance has no {field.name}")
        fields[field.name] = given[field.name]
    if "wall_time" in group.attrs:  # of a file that is written block by block: known last
        fields["wall_time"] = float(group.attrs["wall_time"])
    return Provenance(**fields, modes=_read_modes(group["modes"]) if "modes" in group else None)


def _read_modes(group: h5py.Group) -> Modes:
    U, S, V, variances = (read_array(group[name]) for name in ("U", "S", "V", "variances"))
    names = _labels(group["names"])
    groups: Sequence[Sequence[int]] = json.loads(group.attrs["groups"])
    lengths = {U.shape[1:], V.shape[1:], S.shape, variances.shape, (len(names),)}
    if (
        (U.ndim, V.ndim) != (2, 2)
        or len(lengths) != 1
        or sorted(i for one in groups for i in one) != list(range(len(S)))
    ):
        raise ValueError("the arrays of its modes don't meet")
    return Modes(
        U=U,
        S=S,
        V=V,
        variances=variances,
        misalignment=float(group.attrs["misalignment"]),
        floor=float(group.attrs["floor"]),
        names=names,
        groups=tuple(tuple(members) for members in groups),
    )


def _read_tree(item: h5py.Group | h5py.Dataset) -> Any:
    if isinstance(item, h5py.Dataset):
        return read_array(item)
    children = {name: _read_tree(child) for name, child in item.items() if not is_scale(child)}
    kind = item.attrs["tree"]
    if kind == "none":
        return None
    return children if kind == "dict" else {"tuple": tuple, "list": list}[kind](children.values())


def read_array(dataset: h5py.Dataset, *, checked: bool = False) -> np.ndarray:
    """The array as it was saved, dtype and byte order included: `dataset[()]` would lose a scalar's
    byte order.

    `checked`: what it holds is looked at later, when members that are missing are known.
    """
    if dataset.dtype.kind == "O":
        raise ValueError(f"{dataset.name!r} is text where numbers belong")
    array: np.ndarray = np.empty(dataset.shape, dataset.dtype)
    if array.size:
        dataset.read_direct(array)
    if dataset.attrs.get("dtype") != "bool":
        return array
    if array.dtype != np.int8:
        raise ValueError(f"{dataset.name!r} is to be true or false and is {array.dtype}")
    if not checked:
        _check_bool(dataset.name, array.view(np.bool_))
    return array.view(np.bool_)


def _check_bool(name: str, values: np.ndarray) -> None:
    if values.dtype == bool and (values.view(np.int8) & ~1).any():
        raise ValueError(f"{name!r} is to be true or false and is neither")


def _labels(axis: h5py.Dataset) -> tuple[str, ...]:
    if axis.ndim != 1:
        raise ValueError(f"{axis.name!r} is to be a list of names and has {axis.ndim} axes")
    return tuple(axis.asstr()[()])


def _is_labels(axis: h5py.Dataset) -> bool:
    return "same_as" not in axis.attrs and h5py.check_string_dtype(axis.dtype) is not None
