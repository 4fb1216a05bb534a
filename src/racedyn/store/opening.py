"""A file opened once: its seal, its inspection and its header, before anything in it is read."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import h5py

from racedyn._checks import fail
from racedyn._text import printable
from racedyn.store.atomic import PARTIAL, StoreError, lock, partial_path, seal_holds
from racedyn.store.walk import walk
from racedyn.store.write import FORMAT, FORMAT_VERSION

# Root attributes that are read.
HEADER = (
    "format",
    "format_version",
    "complete",
    "created",
    "versions",
    "config",
    "git_commit",
    "holds",
)


class Opened(NamedTuple):
    """A file of ours: `attrs` of its root, decoded, and its configuration."""

    file: h5py.File
    attrs: dict[str, Any]
    config: Any


@contextmanager
def opened(path: Path, *, partial: bool = False) -> Iterator[Opened]:
    """The file at `path` for reading, inspected. Whatever goes wrong while it is read is a
    `StoreError`.

    Raises `FileNotFoundError` and `StoreError` as `load` does."""
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
                yield Opened(file, attrs, config)
        except StoreError:
            raise
        except Exception as error:  # whatever h5py makes of bytes that are not what was written
            _refuse_damaged(path, " ".join(str(error).split()) or type(error).__name__, source)
            raise


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
