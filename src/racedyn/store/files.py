"""Files that are old, new, or say that they are partial; never anything in between."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from racedyn._checks import UnknownName, as_path, check_flags, fail
from racedyn._text import page, printable
from racedyn.store.atomic import StoreError, check_target, finish, partial_path, put
from racedyn.store.labelled import HOLDS, labelled_image, read_labelled
from racedyn.store.opening import Opened, opened
from racedyn.store.read import read_trajectory
from racedyn.store.write import image
from racedyn.trajectory import Labelled, Trajectory


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
    *alone: Labelled,
    overwrite: bool = False,
    config: Any = None,
    **groups: Trajectory,
) -> Path:
    """Write trajectories to one HDF5 file, a group per keyword: `save("race.h5", theory=theory,
    trained=trained)`; or one `Labelled` alone: `save("sweep.h5", found)`.

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
    labelled = len(alone) == 1 and not groups and isinstance(alone[0], Labelled)
    if not labelled:
        _check_named("save", alone)
    check_flags(overwrite=overwrite)
    target = check_target(path, overwrite=overwrite)
    made = labelled_image(alone[0], config) if labelled else _image(groups, config, complete=True)
    finish(target, made)
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


def load(path: str | os.PathLike[str], *, partial: bool = False) -> File | Any:
    """Read a file of `save`, or with `partial=True` also one of `checkpoint`. Arrays come back as
    NumPy, bit for bit.

    Returns a `File` of trajectories, or the `Labelled` that was saved alone.

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
    with opened(path, partial=partial) as source:
        return contents(path, source)


def load_runs(path: str | os.PathLike[str], *, partial: bool = False) -> File:
    """As `load`, of a file of trajectories alone: any other is refused with `StoreError`."""
    found = load(path, partial=partial)
    if not isinstance(found, File):
        fail(
            "path",
            "be a file of trajectories",
            f"{os.fspath(path)!r} holds labelled arrays",
            "racedyn.load and `racedyn plot` read it.",
            StoreError,
        )
    return found


def contents(path: Path, source: Opened) -> File | Labelled:
    """What an opened file holds."""
    if source.attrs.get(HOLDS):
        return read_labelled(source.file)
    runs = {name: read_trajectory(group) for name, group in source.file.items()}
    return File(path, runs, source.attrs, source.config)


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
