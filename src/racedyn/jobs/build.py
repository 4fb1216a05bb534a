"""Task, network and law of the initial weights from a configuration; the data of a .npz file."""

import dataclasses
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from racedyn import config as configuration
from racedyn import networks, tasks
from racedyn._arrays import memory
from racedyn.networks import Network


def build_task(section: configuration.TaskSection) -> tasks.Task:
    """The task of a configuration. Raises `OSError` or `ValueError` for data that can't be read."""
    if isinstance(section, configuration.Arrays):
        return _arrays(section.path)
    if isinstance(section, configuration.Csv):
        return tasks.from_csv(**_settings(section))
    return getattr(tasks, section.kind)(**_settings(section))


def build_network(section: configuration.NetworkSection, task: tasks.Task) -> Network:
    """The network of a configuration, with the task's inputs and outputs. Raises `TypeError` for a
    task of another kind.
    """
    return getattr(networks, section.kind)(task, **_settings(section))


def build_law(section: configuration.InitSection) -> networks.init.AbstractLaw:
    """The law of the initial weights of a configuration."""
    return getattr(networks.init, section.kind.capitalize())(**_settings(section))


def fingerprint(task: tasks.Task) -> str:
    """A checksum of inputs, targets and contexts, by which data that lie elsewhere now are known
    again.
    """
    checksum = 0
    for node, array in (*task.inputs.items(), *task.targets.items(), ("context", task.context)):
        values = np.ascontiguousarray(array)
        checksum = zlib.crc32(
            values.tobytes(), zlib.crc32(f"{node} {values.shape} {values.dtype}".encode(), checksum)
        )
    return f"{checksum:08x}"


def _settings(section: Any) -> dict[str, Any]:
    """The fields of a section but its kind: a kind has the name and the arguments of its
    builder.
    """
    return {
        field.name: getattr(section, field.name)
        for field in dataclasses.fields(section)
        if field.name != "kind"
    }


def _arrays(path: str) -> tasks.Task:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as data:
            missing = [name for name in ("X", "Y") if name not in data]
            if missing:
                raise ValueError(
                    f"it has {', '.join(data) or 'nothing'}, but no {' and no '.join(missing)}"
                )
            for name in ("X", "Y"):
                _check_stored(data.zip, f"{name}.npy", name)
            return tasks.from_arrays(data["X"], data["Y"], name=Path(path).stem)
    except (
        ValueError,
        TypeError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        AttributeError,
    ) as error:
        # NumPy takes what is no .npz for a pickle, and advises to trust it; an array alone has no
        # names.
        foreign = isinstance(error, AttributeError) or "pickle" in str(error)
        why = "it is not one" if foreign else str(error)
        raise ValueError(
            f"`task.path` must be a .npz file with X and Y, but {path}: {why}"
        ) from error


def _check_stored(archive: zipfile.ZipFile, member: str, name: str) -> None:
    """Refuse an array whose header promises more than the archive holds, before NumPy makes room
    for it.
    """
    header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    held = archive.getinfo(member).file_size
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in header:
            raise ValueError(
                f"{name} is of version {version} of NumPy's format, and 1.0 and 2.0 are read"
            )
        shape, _, dtype = header[version](file)
        promised = math.prod(shape) * dtype.itemsize
        # Objects would run code, texts and dates would become some number or other.
        if dtype.kind not in "biuf":
            raise ValueError(f"{name} has the dtype {dtype}, and numbers are needed")
        if any(length < 0 for length in shape) or promised != held - file.tell():
            raise ValueError(
                f"{name} is damaged: its header says shape {shape} of {dtype}, and {held} bytes "
                "are there"
            )
    if promised > memory():
        raise ValueError(f"{name} has shape {shape} of {dtype}, more than this machine's memory")
