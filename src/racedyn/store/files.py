"""Files that are old, new, or say that they are partial; never anything in between."""

import contextlib
import json
import os
import secrets
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py

from racedyn._checks import as_path, fail
from racedyn.store.read import read_trajectory
from racedyn.store.write import FORMAT, FORMAT_VERSION, image
from racedyn.trajectory import Trajectory

PARTIAL = ".partial"
SEAL = b"racedyn:%08x"  # what follows the HDF5 bytes: a checksum of them
SEAL_LENGTH = len(SEAL % 0)


class StoreError(ValueError):
    """A file that can't be read as what `save` writes: damaged, incomplete, from a newer version, or not ours."""


class File(Mapping[str, Trajectory]):
    """What `load` returns: name -> `Trajectory`, also as attributes (`file.theory`).

    **Fields:** `path`, `config` (the resolved configuration, or None), `attrs` (format_version, complete, created,
    versions, git_commit if known).
    """

    def __init__(self, path: Path, trajectories: Mapping[str, Trajectory], attrs: Mapping[str, Any], config: Any):
        self.path = path
        self.attrs = dict(attrs)
        self.config = config
        self._trajectories = dict(trajectories)

    def __getitem__(self, name: str) -> Trajectory:
        return self._trajectories[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._trajectories)

    def __len__(self) -> int:
        return len(self._trajectories)

    def __getattr__(self, name: str) -> Trajectory:
        known = self.__dict__.get("_trajectories", {})  # not there yet while it is copied or unpickled
        if name not in known:
            raise AttributeError(f"This file has no {name!r}; it has {', '.join(known) or 'nothing'}.")
        return known[name]  # type: ignore[no-any-return]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        return f"File({str(self.path)!r}: {', '.join(self)})"


def save(path: str | os.PathLike[str], *, overwrite: bool = False, config: Any = None, **groups: Trajectory) -> Path:
    """Write trajectories to one HDF5 file, a group per keyword: `save("race.h5", theory=theory, trained=trained)`.

    The file is written beside `path`, brought to the disk and put in place in one step, so that a crash at any moment
    leaves the old file or the new one. `config`: a mapping or a dataclass, kept as JSON. The `PATH.partial` of
    `checkpoint` is removed. Returns the path.

    Raises `FileExistsError` unless `overwrite`, `ValueError` or `TypeError` for what the file can't hold, and `OSError`
    where the disk refuses; whatever was there is then untouched.
    """
    target = check_target(path, overwrite=overwrite)
    _put(target, _image(groups, config, complete=True))
    partial_path(target).unlink(missing_ok=True)
    return target


def checkpoint(path: str | os.PathLike[str], *, config: Any = None, **groups: Trajectory) -> Path:
    """Write what there is so far to `PATH.partial`, which says that it is incomplete, replacing the one before it.

    Returns the path of that file; `load(..., partial=True)` reads it. Raises as `save` does, but not `FileExistsError`.
    """
    target = partial_path(path)
    _put(target, _image(groups, config, complete=False))
    return target


def load(path: str | os.PathLike[str], *, partial: bool = False) -> File:
    """Read a file of `save`, or with `partial=True` also one of `checkpoint`. Arrays come back as NumPy, bit for bit.

    Raises `FileNotFoundError`, and `StoreError` (a `ValueError`) for a file that is damaged, not ours, incomplete or
    written by a newer version.
    """
    path = as_path("path", path)
    if not path.is_file():
        remedy = ""
        if partial_path(path).is_file():
            remedy = f"There is an unfinished run: load({str(partial_path(path))!r}, partial=True)."
        fail("path", "be a file", f"there is none at {str(path)!r}", remedy, FileNotFoundError)
    if not _seal_holds(path):
        _refuse_damaged(path, "its checksum differs")
    try:
        # No lock: files are only ever replaced, never changed, and locks fail on some cluster file systems.
        with h5py.File(path, "r", locking=False) as file:
            attrs = _check_header(path, dict(file.attrs), partial)
            config = json.loads(attrs.pop("config"))
            return File(path, {name: read_trajectory(group) for name, group in file.items()}, attrs, config)
    except StoreError:
        raise
    except Exception as error:  # whatever h5py makes of bytes that are not what was written
        _refuse_damaged(path, " ".join(str(error).split()) or type(error).__name__)
        raise


def partial_path(path: str | os.PathLike[str]) -> Path:
    """Where `checkpoint` writes."""
    return Path(path).with_name(Path(path).name + PARTIAL)


def check_target(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """The path, if `save` may write there. For asking before a long run rather than after it.

    Raises `FileExistsError` where a file is there already and `overwrite` is False.
    """
    path = as_path("path", path)
    if path.is_dir() or (path.exists() and not overwrite):
        remedy = (
            "Choose another name."
            if path.is_dir()
            else "Choose another name, or pass overwrite=True (--force on the command line)."
        )
        fail("path", "be free", f"{str(path)!r} exists", remedy, FileExistsError)
    return path


def _image(groups: Mapping[str, Trajectory], config: Any, *, complete: bool) -> bytes:
    if not groups:
        fail("groups", "name at least one trajectory", "there is none", "For example save(path, trained=trained).")
    for name, trajectory in groups.items():
        if hasattr(File, name) or name in ("path", "attrs", "config"):
            fail("groups", "not have the name of a field or method of a file", f"{name!r} is one", "Rename it.")
        if not isinstance(trajectory, Trajectory):
            fail(name, "be a Trajectory", f"it is a {type(trajectory).__name__}", error=TypeError)
    return image(groups, config, complete=complete)


def _check_header(path: Path, attrs: dict[str, Any], partial: bool) -> dict[str, Any]:
    """The root attributes, decoded. Raises `StoreError` for a file that is not to be read."""
    if attrs.get("format") != FORMAT:
        fail("path", "be a file written by racedyn", f"{str(path)!r} is another HDF5 file", error=StoreError)
    found = int(attrs["format_version"])
    if not 1 <= found <= FORMAT_VERSION:
        by = json.loads(attrs.get("versions", "{}")).get("racedyn", "another version")
        fail("path", f"have a format of at most {FORMAT_VERSION}", f"{str(path)!r} has format {found}, by racedyn {by}",
             "Update: pip install --upgrade racedyn.", StoreError)  # fmt: skip
    complete = bool(attrs["complete"])
    if not complete and not partial:
        fail("path", "be complete", f"{str(path)!r} is a checkpoint of a run that was not finished",
             "Pass partial=True to read what there is.", StoreError)  # fmt: skip
    return {**attrs, "format_version": found, "complete": complete, "versions": json.loads(attrs["versions"])}


def _refuse_damaged(path: Path, reason: str) -> None:
    fail("path", "be an undamaged file of racedyn", f"{str(path)!r} can't be read: {reason}",
         "Restore it from a copy, or run it again.", StoreError)  # fmt: skip


def _seal_holds(path: Path) -> bool:
    """Whether the HDF5 bytes are those that were written, by the checksum behind them, which readers of HDF5 ignore.

    HDF5's own (fletcher32) covers arrays only: of 100 single bits flipped anywhere, about one came back as another
    label or number without an error, and one file with 20 flipped bits kept HDF5 busy for ever. So it must not see
    them. A file that another program has changed has lost the checksum and is read without.
    """
    with open(path, "rb") as file:
        left = max(0, os.fstat(file.fileno()).st_size - SEAL_LENGTH)
        checksum = 0
        while block := file.read(min(left, 2**20)):
            checksum = zlib.crc32(block, checksum)
            left -= len(block)
        seal = file.read()
    return seal == SEAL % checksum or seal[:8] != SEAL[:8]


def _put(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one step: write beside it, bring it to the disk, rename."""
    path = Path(os.path.realpath(path))  # a link stays a link
    # A name of its own, so that two processes with the same target don't write into each other's file.
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(beside, "xb") as file:
                file.write(data)
                file.write(SEAL % zlib.crc32(data))
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        what = f"{len(data) / 2**20:.3g} MiB could not be written ({reason}); what was there before is untouched."
        remedy = "Free some space, or choose a directory that can be written to, and save again"
        raise OSError(error.errno, f"{what} {remedy}", str(path)) from error
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    """Bring the new name to the disk, too. Not all systems can; the file itself is safe by then."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
