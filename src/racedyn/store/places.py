"""Where the arrays of an ensemble's file lie, whether it is of the same ensemble, and whether there
is room for it.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from racedyn._checks import fail
from racedyn.store.ledger import differences
from racedyn.store.read import read_names
from racedyn.store.write import provenance_text
from racedyn.trajectory import Trajectory

Place = tuple[int, tuple[int, ...], np.dtype]


def place_of(item: h5py.Dataset, count: int) -> Place:
    """Where an array of so many members lies: its offset, shape and dtype. Raises `ValueError`
    where it is not in one piece.
    """
    if item.shape[:1] != (count,):
        raise ValueError(f"{item.name!r} is not as long as there are members")
    offset = item.id.get_offset()
    if size_of(item.shape, item.dtype) and (
        offset is None or item.id.get_storage_size() != size_of(item.shape, item.dtype)
    ):
        raise ValueError(f"{item.name!r} is not in one piece")
    return offset or 0, item.shape, item.dtype


def size_of(shape: tuple[int, ...], dtype: np.dtype) -> int:
    """In bytes."""
    return int(np.prod(shape, dtype=object)) * dtype.itemsize


def changes(group: h5py.Group, empty: Trajectory) -> list[object]:
    """In what a file is not the one of this ensemble; each item prints what it is."""
    if empty.provenance is None:
        return ["there are no settings to know it by"]

    def asked(provenance: dict[str, Any]) -> dict[str, Any]:
        settings = dict(provenance["settings"])
        for name, of in {"fingerprint": "build and members", "args": "args"}.items():
            settings[f"fingerprint of {of}"] = settings.pop(name, None)
        return {**{name: provenance[name] for name in ("system", "solver", "versions")}, **settings}

    wanted = asked(json.loads(provenance_text(empty.provenance)))
    different: list[object] = [*differences(wanted, asked(json.loads(group.attrs["provenance"])))]
    dims, labels = read_names(group)

    def shapes(arrays: Mapping[str, Any]) -> list[tuple[str, tuple[int, ...], np.dtype]]:
        held = {
            name: np.asarray(value) if not isinstance(value, h5py.Dataset) else value
            for name, value in arrays.items()
        }
        return [
            (name, value.shape, np.dtype(np.int8) if value.dtype == bool else value.dtype)
            for name, value in held.items()
        ]

    stats = {name: value for name, value in group["stats"].items() if name in empty.stats}
    same = (
        dims == dict(empty.dims)
        and labels == dict(empty.labels)
        and np.array_equal(group["time"][()], np.asarray(empty.ts))
        and shapes({name: group[name] for name in dims}) == shapes(empty.observables)
        and shapes({"status": group["status"]}) == shapes({"status": empty.status})
        and shapes(stats) == shapes(empty.stats)
    )
    if not same:
        different.append("times, names or shapes are others")
    return different


def check_space(directory: Path, needed: int) -> None:
    """Refuse a full disk before the run rather than in the middle of it."""
    directory.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(directory).free
    if needed > free:
        what = f"the members need {needed / 2**30:.3g} GiB and {free / 2**30:.3g} GiB are free"
        fail(
            "path",
            "be where there is room",
            what,
            "Free some, save fewer times or observables.",
            OSError,
        )
