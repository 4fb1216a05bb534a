"""Bytes on the disk: old, new, or not there; with a checksum behind them; and where they may go."""

import contextlib
import errno
import os
import secrets
import zlib
from pathlib import Path
from typing import BinaryIO

from racedyn._checks import as_path, fail

try:
    import fcntl
except ImportError:  # not a POSIX system: files are not locked there
    fcntl = None  # type: ignore[assignment]

PARTIAL = ".partial"
SEAL = b"racedyn:%08x"  # what follows the HDF5 bytes: a checksum of them
SEAL_LENGTH = len(SEAL % 0)


class StoreError(ValueError):
    """A file that can't be read as what `save` writes: damaged, incomplete, from a newer version,
    or not ours.
    """


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


def seal_holds(file: BinaryIO) -> bool:
    """Whether the HDF5 bytes are those that were written, by the checksum behind them, which
    readers of HDF5 ignore.

    HDF5's own (fletcher32) covers arrays only: of 100 single bits flipped anywhere, about one came
    back as another label or number without an error, and one file with 20 flipped bits kept HDF5
    busy for ever. So it must not see them. A file that another program has changed has lost the
    checksum and is read without."""
    left = max(0, os.fstat(file.fileno()).st_size - SEAL_LENGTH)
    file.seek(0)
    checksum = 0
    while block := file.read(min(left, 2**20)):
        checksum = zlib.crc32(block, checksum)
        left -= len(block)
    seal = file.read()
    return seal == SEAL % checksum or seal[:8] != SEAL[:8]


def put(path: Path, data: bytes) -> None:
    """Put `data` and their checksum at `path` in one step: write beside it, bring it to the disk,
    rename.
    """
    beside = name_beside(path)
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
        size = f"{len(data) / 2**20:.3g} MiB"
        what = f"{size} could not be written ({reason}); what was there before is untouched."
        remedy = "Free some space, or choose a directory that can be written to, and save again"
        raise OSError(error.errno, f"{what} {remedy}", str(path)) from error
    sync_directory(path.parent)


def finish(target: Path, data: bytes) -> None:
    """`put` a finished file, and remove what `checkpoint` left of it."""
    put(Path(os.path.realpath(target)), data)  # a link stays a link
    with contextlib.suppress(OSError):  # what is saved is saved
        partial_path(target).unlink(missing_ok=True)


def put_text(path: Path, text: str) -> None:
    """Put a small text at `path` in one step, without a checksum: it is for people to read, too."""
    beside = name_beside(path)
    try:
        with open(beside, "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def name_beside(path: Path) -> Path:
    """A name of its own, so that two processes with the same target don't write into each other's
    file.
    """
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL}")


def sync_directory(directory: Path) -> None:
    """Bring the new name to the disk, too. Not all systems can; the file itself is safe by then."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def lock(file: BinaryIO, *, shared: bool = False) -> bool:
    """Lock an open file until it is closed, as HDF5 does. False where another program has; true
    where locks are unknown.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(file.fileno(), (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:  # some cluster file systems have no locks
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True
