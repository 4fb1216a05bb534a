"""A trajectory of many members that is written block by block: the only file that changes once it
is there.
"""

import contextlib
import io
import os
import stat
import zlib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import h5py
import numpy as np

from racedyn._checks import fail
from racedyn._text import printable
from racedyn.store.atomic import (
    SEAL,
    SEAL_LENGTH,
    StoreError,
    check_target,
    lock,
    name_beside,
    partial_path,
    sync_directory,
)
from racedyn.store.checksums import CHECKSUMS, ROWS, of_rows
from racedyn.store.layout import write
from racedyn.store.ledger import goes_on
from racedyn.store.members import AbstractBlocks, as_blocks
from racedyn.store.places import changes, check_space, place_of, size_of
from racedyn.store.read import read_names
from racedyn.store.walk import walk
from racedyn.store.write import fill
from racedyn.trajectory import Provenance, Status, Trajectory

GROUP = "ensemble"
PIECE = 2**24  # bytes read at once


class BlockFile(AbstractBlocks[Path]):
    """`PATH.partial` while members are missing, `path` once all are there.

    What is there of the same ensemble as `empty`, by all settings and versions of its provenance,
    by its times, names and shapes, is gone on with.

    HDF5 makes the file and knows where arrays lie; members are put there by plain writes, so that a
    full disk is a plain error and nothing but this one file is ever written to. Each 64 members
    have a checksum, and so has all that is not theirs: what was half written, or has changed since,
    is computed again. Another process can't have the same file.

    Raises `FileExistsError`, `OSError` where there is no room, and `StoreError` where what is there
    is not this ensemble's."""

    def __init__(self, path: str | os.PathLike[str], empty: Trajectory, *, overwrite: bool = False):
        self.path = Path(os.path.realpath(check_target(path, overwrite=overwrite)))
        self._partial = partial_path(self.path)
        if not os.path.lexists(self._partial):
            check_space(
                self._partial.parent,
                sum(np.asarray(values).nbytes for values in empty.observables.values()),
            )
        self._file, self._done = self._claimed(), 0
        try:
            if not os.fstat(self._file.fileno()).st_size:  # new, or its maker was killed at once
                self._begin(empty)
            self._open(empty, overwrite)
        except BaseException:
            self.close()
            raise

    def status(self) -> np.ndarray:
        offset, shape, dtype = self._places["status"]
        return np.frombuffer(self._read(offset, shape[0] * dtype.itemsize), dtype).copy()

    def missing(self) -> np.ndarray:
        blocks, _, _ = self._passed()
        wrong = np.repeat(blocks != self._table[1:], ROWS)[: self._count]
        missing = np.flatnonzero(wrong | (self.status() == Status.INTERRUPTED))
        self._done = self._count - len(missing)
        return missing

    def write(
        self,
        members: np.ndarray,
        observables: Mapping[str, np.ndarray],
        status: np.ndarray,
        stats: Mapping[str, np.ndarray],
    ) -> None:
        """Raises `OSError` for a full disk besides."""
        first, stop = as_blocks(members, self._count)
        given = {
            **observables,
            "status": status,
            **{f"stats/{name}": values for name, values in stats.items()},
        }
        blocks = np.zeros(-(-(stop - first) // ROWS), np.uint32)
        for number, (name, (offset, shape, dtype)) in enumerate(self._places.items()):
            rows = np.ascontiguousarray(given[name], dtype)
            self._write(offset + first * dtype.itemsize * int(np.prod(shape[1:])), rows.tobytes())
            for block in range(len(blocks)):
                blocks[block] ^= np.uint32(
                    of_rows(rows[block * ROWS : (block + 1) * ROWS].tobytes(), number)
                )
        self._note(1 + first // ROWS, blocks)
        self._done += len(members)

    def interrupted(self) -> None:
        raise KeyboardInterrupt(
            f"{self._done} of {self._count} members are in the file; the same call goes on"
        ) from None

    def finish(self, provenance: Provenance) -> Path:
        """Call it complete, seal it and put it in place. Raises `StoreError` where members are not
        what was written.
        """
        blocks, _, _ = self._passed()
        self._refuse_changed(blocks)
        # From here on what is not the members' changes, until the seal is there.
        self._note(0, np.zeros(1, np.uint32))
        os.fsync(self._file.fileno())
        with h5py.File(self._file, "r+") as file:
            file[GROUP].attrs.modify("wall_time", np.float64(provenance.wall_time))
            file.attrs.modify("complete", np.int8(True))
        blocks, _, whole = self._passed()  # what is sealed is what is read here
        self._refuse_changed(blocks)
        self._write(self._size, SEAL % whole)
        os.fsync(self._file.fileno())
        os.replace(self._partial, self.path)
        self.close()
        sync_directory(self.path.parent)
        return self.path

    def close(self) -> None:
        self._file.close()

    def _claimed(self) -> io.FileIO:
        """The partial file, an empty one if there is none, locked."""
        try:
            flags = (
                os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            )
            file = io.FileIO(os.open(self._partial, flags, 0o666), "r+")
        except OSError as error:
            if self._partial.is_symlink() or self._partial.is_dir():
                self._refuse("is a link or a folder", error)
            raise
        found = os.fstat(file.fileno())
        # What is written here would be written under the other name, too.
        odd = not stat.S_ISREG(found.st_mode) or found.st_nlink > 1
        if odd or not lock(file) or not self._is_there(file):
            file.close()
            self._refuse("has other names" if odd else "is being written")
        return file

    def _is_there(self, file: io.FileIO) -> bool:
        """Whether an open file is still the one of that name: another process may have finished it
        meanwhile.
        """
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(file.fileno()), os.lstat(self._partial))
        return False

    def _begin(self, empty: Trajectory) -> None:
        """Make the file beside, in whatever time, and put it in place in one step, locked by
        then.
        """
        beside = name_beside(self.path)
        count = np.shape(empty.status)[0]
        try:
            with h5py.File(beside, "x", track_order=True) as made:
                fill(made, {GROUP: empty}, None, complete=False, room=True)
                group = made[GROUP]
                group.attrs["wall_time"] = np.float64(np.nan)
                table = np.broadcast_to(np.uint32(0), (1 + -(-count // ROWS),))
                write(group, CHECKSUMS, table, room=True).make_scale(CHECKSUMS)
            file = io.FileIO(os.open(beside, os.O_RDWR | getattr(os, "O_BINARY", 0)), "r+")
            claimed, self._file = self._file, file
            lock(file)
            with h5py.File(file, "r") as made:
                self._find(made)
            self._write(self._places["status"][0], np.asarray(empty.status).tobytes())
            self._table = np.zeros(1 + -(-count // ROWS), np.uint32)
            self._note(0, np.array([self._passed()[1]], np.uint32))
            os.fsync(file.fileno())
            os.replace(beside, self._partial)
            claimed.close()
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
                if not os.path.getsize(self._partial):
                    self._partial.unlink()
            raise

    def _open(self, empty: Trajectory, overwrite: bool = False) -> None:
        """Find the places of all arrays in a file that is this ensemble's; refuse another, or by
        `overwrite` begin anew.
        """
        try:
            with h5py.File(self._file, "r") as file:
                walk(file, os.fstat(self._file.fileno()).st_size)
                self._find(file)
                changed = changes(file[GROUP], empty)
        except Exception as error:  # whatever h5py makes of bytes that are not what was written
            self._refuse(f"can't be read: {printable(' '.join(str(error).split()))}", error)
        if not goes_on(self._partial, changed, overwrite):
            self._begin(empty)
            return self._open(empty)
        offset, shape, _ = self._table_place
        self._table = np.frombuffer(self._read(offset, 4 * shape[0]), np.uint32).copy()
        if not self._table[0]:  # it was being sealed
            self._file.truncate(self._size)
        elif self._table[0] != self._passed()[1]:
            self._refuse("can't be read: its checksum differs")

    def _find(self, file: h5py.File) -> None:
        """Where which array lies: name -> offset, shape, dtype."""
        group, end = file[GROUP], file.id.get_filesize()
        names, _ = read_names(group)
        arrays = {**{name: group[name] for name in names}, "status": group["status"]}
        arrays |= {f"stats/{name}": item for name, item in group["stats"].items() if item.ndim}
        self._count = group["status"].shape[0]
        self._places = {name: place_of(item, self._count) for name, item in arrays.items()}
        self._table_place = place_of(group[CHECKSUMS], 1 + -(-self._count // ROWS))
        used = sorted(
            (o, o + size_of(s, d)) for o, s, d in (*self._places.values(), self._table_place)
        )
        if any(before > after for (_, before), (after, _) in pairwise(used)):
            raise ValueError("its arrays overlap")
        seal = self._read(max(0, end - SEAL_LENGTH), SEAL_LENGTH) if end >= SEAL_LENGTH else b""
        self._size = end - SEAL_LENGTH if seal[:8] == SEAL[:8] else end

    def _passed(self) -> tuple[np.ndarray, int, int]:
        """One pass over the file: the checksums of each block of members, of all that is not
        theirs, and of the whole.
        """
        blocks, rest, whole = np.zeros(len(self._table) - 1, np.uint32), 0, 0
        for number, block, piece in self._pieces():
            whole = zlib.crc32(piece, whole)
            if number is None:
                rest = zlib.crc32(piece, rest)
            elif block is not None:
                blocks[block] ^= np.uint32(of_rows(piece, number))
        return blocks, rest, whole

    def _pieces(self) -> Iterator[tuple[int | None, int | None, bytes]]:
        """All bytes in order, as (array, block of members, bytes); array None for the rest, block
        None for the checksums.
        """
        places = sorted(
            [*enumerate(self._places.values()), (-1, self._table_place)],
            key=lambda item: item[1][0],
        )
        at = 0
        for number, (offset, shape, dtype) in [
            *places,
            (None, (self._size, (0,), np.dtype(np.int8))),
        ]:
            for start in range(at, offset, PIECE):
                yield None, None, self._read(start, min(PIECE, offset - start))
            if number is not None:
                step = size_of((ROWS, *shape[1:]), dtype) if number >= 0 else PIECE
                at = offset + size_of(shape, dtype)
                for block, start in enumerate(range(offset, at, step) if step else ()):
                    yield (
                        number,
                        (block if number >= 0 else None),
                        self._read(start, min(step, at - start)),
                    )

    def _refuse_changed(self, blocks: np.ndarray) -> None:
        if wrong := int(np.sum(blocks != self._table[1:])):
            self._refuse(f"has {wrong} blocks of members that are missing or not what was written")

    def _note(self, first: int, checksums: np.ndarray) -> None:
        """Put these checksums in the table."""
        self._table[first : first + len(checksums)] = checksums
        self._write(self._table_place[0] + 4 * first, checksums.tobytes())

    def _read(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        data = b""
        while len(data) < size and (more := self._file.read(size - len(data))):
            data += more
        return data

    def _write(self, offset: int, data: bytes) -> None:
        try:
            self._file.seek(offset)
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            what = f"members could not be written ({reason}); those before them stay in the file."
            remedy = "Free some space and call it again, which goes on from there"
            raise OSError(error.errno, f"{what} {remedy}", str(self._partial)) from error

    def _refuse(self, what: str, cause: Exception | None = None) -> NoReturn:
        try:
            fail(
                "path",
                "have beside it what an ensemble left, or nothing",
                f"{str(self._partial)!r} {what}",
                "Remove it, or wait for the run that writes it.",
                StoreError,
            )
        except StoreError as error:
            raise error from cause
