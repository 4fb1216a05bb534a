"""Trajectories into the bytes of an HDF5 file."""

import dataclasses
import json
import subprocess
from collections.abc import Collection, Mapping
from typing import Any

import h5py
import numpy as np

from racedyn._names import check_file_name, check_tree, distinct
from racedyn._types import MEMBER, MODE, TIME
from racedyn.store.layout import (
    as_array,
    as_strings,
    attach,
    axes,
    check_ends,
    described,
    last_name,
    make_group,
    write,
    write_tree,
)
from racedyn.store.parameters import write_parameters
from racedyn.tasks import Modes
from racedyn.trajectory import Provenance, Status, Trajectory, now, versions

FORMAT, FORMAT_VERSION = "racedyn", 1
GIT_SECONDS = 2.0  # on a sleeping network drive git may not answer at all


def image(trajectories: Mapping[str, Trajectory], config: Any, *, complete: bool) -> bytes:
    """The whole file as bytes, one group per trajectory.

    It is made in memory because h5py crashes the process (a segmentation fault in `close`) or
    swallows the error where the disk fills up under it; the same bytes in a plain `write` give a
    plain `OSError`."""
    with h5py.File.in_memory(track_order=True) as file:
        fill(file, trajectories, config, complete=complete)
        return bytes_of(file)


def bytes_of(file: h5py.File) -> bytes:
    """What a file in memory would be on the disk."""
    file.flush()
    made: bytes = file.id.get_file_image()
    return made


def fill(
    file: h5py.File,
    trajectories: Mapping[str, Trajectory],
    config: Any,
    *,
    complete: bool,
    room: bool = False,
) -> None:
    """Write into a new file. `room`: of observables, status and stats only the places, see
    `layout.write`.
    """
    write_header(file, config, complete=complete)
    for name, trajectory in trajectories.items():
        _write_trajectory(make_group(file, check_file_name("group", name)), trajectory, room)


def write_header(file: h5py.File, config: Any, *, complete: bool) -> None:
    """The attributes of the root: the format, whether all is there, versions, date, settings."""
    file.attrs["format"] = FORMAT
    file.attrs["format_version"] = np.int32(FORMAT_VERSION)
    file.attrs["complete"] = np.int8(complete)
    file.attrs["created"] = now()
    file.attrs["versions"] = json.dumps(versions())
    file.attrs["config"] = json.dumps(plain(config))
    if commit := _git_commit():
        file.attrs["git_commit"] = commit


def _write_trajectory(group: h5py.Group, trajectory: Trajectory, room: bool) -> None:
    observables = {
        name: as_array(f"observables[{name!r}]", value)
        for name, value in trajectory.observables.items()
    }
    values, second = axes(trajectory, observables)
    check_ends(trajectory)
    for axis, value in values.items():
        write(group, axis, value).make_scale(axis)
    for axis, same in second.items():
        group[axis].attrs["same_as"] = same
    for name, array in observables.items():
        dataset = write(group, name, array, room=room)
        attach(group, dataset, distinct(trajectory.dims[name]))
        for attribute, text in described(trajectory, name).items():
            dataset.attrs[attribute] = text
    if trajectory.step is not None:
        attach(group, write(group, "step", as_array("step", trajectory.step)), (TIME,))
    status = write(group, "status", as_array("status", trajectory.status), room=room)
    status.attrs["flag_values"] = np.array([int(item) for item in Status], np.int32)
    status.attrs["flag_meanings"] = " ".join(item.name.lower() for item in Status)

    beside = write_parameters(group, trajectory, {*values, *observables})

    # All arrays first: the name of an axis must not be taken from one that is still to come.
    parts = {"stats": dict(trajectory.stats), "ys": trajectory.ys, "end": trajectory.end}
    parts = {name: tree for name, tree in parts.items() if tree is not None}
    for name, tree in parts.items():
        check_tree(name, tree, values)
    leaves = {
        name: list(write_tree(group, name, tree, room=room and name == "stats"))
        for name, tree in parts.items()
    }
    taken = {last_name(leaf) for part in leaves.values() for leaf in part}
    source = trajectory.provenance
    edges = {} if source is None else source.settings.get("edges", {})
    many = any(MEMBER in axes for axes in trajectory.dims.values())
    for leaf in (status, *leaves["stats"]):
        lanes = distinct(["lane"] * leaf.ndim)
        attach(group, leaf, (MEMBER, *lanes)[: leaf.ndim] if many else lanes, taken)
    for parameter, axis_names in beside:
        attach(group, parameter, axis_names, taken)
    for leaf in leaves.get("ys", []):
        attach(group, leaf, _state_axes(leaf, edges, num_times=len(values[TIME])), taken)
    for leaf in leaves.get("end", []):
        attach(group, leaf, _state_axes(leaf, edges), taken)
    if source is not None:
        group.attrs["provenance"] = provenance_text(source)
        if source.modes is not None:
            _write_modes(group, source.modes, taken)


def provenance_text(source: Provenance) -> str:
    """JSON of all but its modes, which are arrays of the file."""
    return json.dumps(
        plain(
            {
                f.name: getattr(source, f.name)
                for f in dataclasses.fields(Provenance)
                if f.name != "modes"
            }
        )
    )


def _write_modes(run: h5py.Group, modes: Modes, taken: Collection[str]) -> None:
    group = make_group(run, "modes")
    group.attrs["misalignment"] = np.float64(modes.misalignment)
    group.attrs["floor"] = np.float64(modes.floor)
    group.attrs["groups"] = json.dumps(plain(modes.groups))
    named = {
        "U": ("unit_output", MODE),
        "S": (MODE,),
        "V": ("unit_input", MODE),
        "variances": (MODE,),
    }
    for name, axis_names in named.items():
        attach(
            run,
            write(group, name, as_array(f"modes.{name}", getattr(modes, name))),
            axis_names,
            taken,
        )
    attach(run, write(group, "names", as_strings("modes.names", modes.names)), (MODE,), taken)


def _state_axes(leaf: h5py.Dataset, edges: Any, num_times: int | None = None) -> list[str]:
    """The axes of an array in a state: the units of its edge's nodes, where known, else named after
    itself.
    """
    name = last_name(leaf)
    leading = [TIME] if num_times is not None and leaf.shape[:1] == (num_times,) else []
    rest = leaf.ndim - len(leading)
    ends = edges.get(name) if isinstance(edges, Mapping) else None
    if rest == 2 and isinstance(ends, tuple | list) and len(ends) == 2:
        source, target = (str(node).replace("/", "_") for node in ends)
        return [*leading, f"unit_{target}", f"unit_{source}"]
    return [*leading, *(f"{name}_{i}" for i in range(rest))]


def plain(value: Any) -> Any:
    """`value` as JSON has it: arrays and tuples are lists, and what JSON does not know is its
    `str`.

    So hours of work are never refused for a function among the settings. NaN and infinity stay, as
    Python writes them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # arrays and scalars of NumPy and JAX
        return plain(value.tolist())
    return value if value is None or type(value) in (bool, int, float, str) else str(value)


def _git_commit() -> str:
    """The commit of the working directory, or "": no repository, no git, or one that does not
    answer.
    """
    command, quiet = ["git", "rev-parse", "HEAD"], subprocess.DEVNULL
    try:
        found = subprocess.run(
            command,
            stdin=quiet,
            stderr=quiet,
            stdout=subprocess.PIPE,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.decode(errors="replace").strip()
