"""Files that are old, new, or say that they are partial; never anything in between."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, BinaryIO

import h5py

from racedyn._checks import UnknownName, as_path, check_flags, fail
from racedyn._text import page, printable
from racedyn.store.atomic import PARTIAL, StoreError, lock, put, seal_holds
from racedyn.store.read import read_trajectory
from racedyn.store.walk import walk
from racedyn.store.write import FORMAT, FORMAT_VERSION, image
from racedyn.trajectory import Trajectory

# Root attributes that are read.
HEADER = ("format", "format_version", "complete", "created", "versions", "config", "git_commit")


class File(Mapping[str, Trajectory]):
    """What `load` returns: name -> `Trajectory`, also as attributes (`file.theory`).

    **Fields:** `path`, `config` (the resolved configuration, or None), `attrs` (format_version,
    complete, created, versions, git_commit if known)."""

    def __init__(
        self,
        path: Path,
        trajectories: Mapping[str, Trajectory],
        attrs: Mapping[str, Any],
        config: Any,
    ):
        self.path = path
        self.attrs = dict(attrs)
        self.config = config
        self._trajectories = dict(trajectories)

    def __getitem__(self, name: str) -> Trajectory:
        if name not in self._trajectories:
            near = get_close_matches(str(name), self, n=1)
            fail(
                "name",
                f"be a trajectory of this file ({', '.join(self) or 'it has none'})",
                f"it is {name!r}",
                f"Did you mean {near[0]!r}?" if near else "",
                UnknownName,
            )
        return self._trajectories[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._trajectories)

    def __len__(self) -> int:
        return len(self._trajectories)

    def __getattr__(self, name: str) -> Trajectory:
        # Not there yet while it is copied or unpickled.
        known: Mapping[str, Trajectory] = self.__dict__.get("_trajectories", {})
        if name not in known:
            has = printable(", ".join(known)) or "nothing"
            raise AttributeError(f"This file has no {name!r}; it has {has}.")
        return known[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        return f"File({str(self.path)!r}: {printable(', '.join(self))})"

    def _repr_html_(self) -> str:
        state = "complete" if self.attrs.get("complete", True) else "INCOMPLETE: a checkpoint"
        return page(
            str(self.path),
            [state],
            "\n".join(f"{name}: {trajectory!r}" for name, trajectory in self.items()),
        )


def save(
    path: str | os.PathLike[str],
    *unnamed: Trajectory,
    overwrite: bool = False,
    config: Any = None,
    **groups: Trajectory,
) -> Path:
    """Write trajectories to one HDF5 file, a group per keyword: `save("race.h5", theory=theory,
    trained=trained)`.

    The file is written beside `path`, brought to the disk and put in place in one step, so that a
    crash at any moment leaves the old file or the new one. `config`: a mapping or a dataclass, kept
    as JSON. The `PATH.partial` of `checkpoint` is removed. Returns the path.

    Raises `FileExistsError` unless `overwrite`, `ValueError` or `TypeError` for what the file can't
    hold or has no name in it, and `OSError` where the disk refuses; whatever was there is then
    untouched.

        >>> race = rd.systems.Pathways([4.0, 3.0, 2.0, 1.0], depths=(2, 2), q=0.1, p=[[0.2], [0.1]])
        >>> run = rd.simulate(race, ts=np.linspace(0.0, 40.0, 41))
        >>> path = rd.save("race.h5", theory=run)
        >>> list(rd.load(path))
        ['theory']
    """
    _check_named("save", unnamed)
    check_flags(overwrite=overwrite)
    target = check_target(path, overwrite=overwrite)
    put(
        Path(os.path.realpath(target)), _image(groups, config, complete=True)
    )  # a link stays a link
    with contextlib.suppress(OSError):  # what is saved is saved
        partial_path(target).unlink(missing_ok=True)
    return target


def checkpoint(
    path: str | os.PathLike[str], *unnamed: Trajectory, config: Any = None, **groups: Trajectory
) -> Path:
    """Write what there is so far to `PATH.partial`, which says that it is incomplete, replacing the
    one before it.

    Returns the path of that file; `load(..., partial=True)` reads it. Raises as `save` does, but
    not `FileExistsError`."""
    _check_named("checkpoint", unnamed)
    target = partial_path(path)
    # Nobody but us makes one, and so a link there is replaced: it might lead out of the folder.
    put(target, _image(groups, config, complete=False))
    return target


def load(path: str | os.PathLike[str], *, partial: bool = False) -> File:
    """Read a file of `save`, or with `partial=True` also one of `checkpoint`. Arrays come back as
    NumPy, bit for bit.

    A file may come from a stranger: nothing in it is followed or run, and memory is bounded by its
    size (1032 times it, which is how far arrays can be compressed). What another program has open
    for reading is read all the same. In the unfinished file of an ensemble members that are
    missing, or whose checksum differs, are NaN and INTERRUPTED.

    Raises `FileNotFoundError`, and `StoreError` (a `ValueError`) for a file that is damaged, not
    ours, incomplete, being written or written by a newer version, or that holds anything that
    `save` does not write.

        >>> race = rd.systems.Pathways([4.0, 3.0, 2.0, 1.0], depths=(2, 2), q=0.1, p=[[0.2], [0.1]])
        >>> run = rd.simulate(race, ts=np.linspace(0.0, 40.0, 41))
        >>> path = rd.save("race.h5", theory=run)
        >>> loaded = rd.load(path).theory
        >>> np.array_equal(loaded["strength"], run["strength"])
        True
    """
    path = as_path("path", path)
    if not path.is_file():
        remedy = ""
        if partial_path(path).is_file():
            remedy = f"There is an unfinished run: load({str(partial_path(path))!r}, partial=True)."
        fail("path", "be a file", f"there is none at {str(path)!r}", remedy, FileNotFoundError)
    # Opened once, so that what was checked is what is read; and not by name, as HDF5 refuses what
    # it has open otherwise.
    with open(path, "rb") as source:
        if path.suffix == PARTIAL and not path.stat().st_size:
            fail(
                "path",
                "be a file with something in it",
                f"{str(path)!r} is empty: its run was killed before it began",
                "Run it again, which goes on from there.",
                StoreError,
            )
        if not seal_holds(source):
            _refuse_damaged(path, "its checksum differs", source)
        try:
            with h5py.File(source, "r") as file:
                walk(file, os.fstat(source.fileno()).st_size)
                attrs = _check_header(
                    path, {name: file.attrs[name] for name in HEADER if name in file.attrs}, partial
                )
                config = json.loads(attrs.pop("config"))
                return File(
                    path,
                    {name: read_trajectory(group) for name, group in file.items()},
                    attrs,
                    config,
                )
        except StoreError:
            raise
        except Exception as error:  # whatever h5py makes of bytes that are not what was written
            _refuse_damaged(path, " ".join(str(error).split()) or type(error).__name__, source)
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
            else "racedyn.load reads it. Choose another name, or pass overwrite=True "
            "(--overwrite on the command line)."
        )
        fail("path", "be free", f"{str(path)!r} exists", remedy, FileExistsError)
    return path


def _check_named(function: str, unnamed: tuple[Any, ...]) -> None:
    """Refuse trajectories without the name of their group."""
    if unnamed:
        fail(
            "groups",
            "be trajectories by name",
            f"{len(unnamed)} without a name came after the path",
            f"For example {function}(path, trained=trained).",
            TypeError,
        )


def _image(groups: Mapping[str, Trajectory], config: Any, *, complete: bool) -> bytes:
    if not groups:
        fail(
            "groups",
            "name at least one trajectory",
            "there is none",
            "For example save(path, trained=trained).",
        )
    for name, trajectory in groups.items():
        if hasattr(File, name) or name in ("path", "attrs", "config"):
            fail(
                "groups",
                "not have the name of a field or method of a file",
                f"{name!r} is one",
                "Rename it.",
            )
        if not isinstance(trajectory, Trajectory):
            fail(name, "be a Trajectory", f"it is a {type(trajectory).__name__}", error=TypeError)
    return image(groups, config, complete=complete)


def _check_header(path: Path, attrs: dict[str, Any], partial: bool) -> dict[str, Any]:
    """The root attributes, decoded. Raises `StoreError` for a file that is not to be read."""
    if attrs.get("format") != FORMAT:
        fail(
            "path",
            "be a file written by racedyn",
            f"{str(path)!r} is another HDF5 file",
            error=StoreError,
        )
    found = int(attrs["format_version"])
    if not 1 <= found <= FORMAT_VERSION:
        by = json.loads(attrs.get("versions", "{}")).get("racedyn", "another version")
        fail(
            "path",
            f"have a format of at most {FORMAT_VERSION}",
            f"{str(path)!r} has format {found}, by racedyn {by}",
            "Update: pip install --upgrade racedyn.",
            StoreError,
        )
    complete = bool(attrs["complete"])
    if not complete and not partial:
        fail(
            "path",
            "be complete",
            f"{str(path)!r} is a checkpoint of a run that was not finished",
            "Pass partial=True to read what there is.",
            StoreError,
        )
    return {
        **attrs,
        "format_version": found,
        "complete": complete,
        "versions": json.loads(attrs["versions"]),
    }


def _refuse_damaged(path: Path, reason: str, source: BinaryIO) -> None:
    if not lock(source, shared=True):
        fail(
            "path",
            "be a file that nobody is writing",
            f"{str(path)!r} is open for writing elsewhere",
            "Close it there, or wait for the run that writes it.",
            StoreError,
        )
    fail(
        "path",
        "be an undamaged file of racedyn",
        f"{str(path)!r} can't be read: {printable(reason)}",
        "Restore it from a copy, or run it again.",
        StoreError,
    )
