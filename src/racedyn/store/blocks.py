"""A trajectory of many members that is written block by block: the only file that changes once it is there."""

import contextlib
import json
import os
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from racedyn._checks import fail
from racedyn.store.files import SEAL, StoreError, _image, _put, _sync_directory, check_target, partial_path
from racedyn.store.write import provenance_text
from racedyn.trajectory import Provenance, Status, Trajectory

GROUP = "ensemble"


def _check_space(directory: Path, needed: int) -> None:
    """Before the run rather than in the middle of it."""
    directory.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(directory).free
    if needed > free:
        what = f"the members need {needed / 2**30:.3g} GiB and {free / 2**30:.3g} GiB are free"
        fail("path", "be where there is room", what, "Free some, save fewer times or observables.", OSError)


class BlockFile:
    """`PATH.partial` while members are missing, `path` once all are there.

    `empty`: the whole trajectory with nothing in it: arrays of one number repeated (`numpy.broadcast_to`), and a status of
    INTERRUPTED for every member, which is what tells members that are missing from those that are done. What is there of the
    same ensemble, by `settings` and versions of its provenance, is gone on with.
    """

    def __init__(self, path: str | os.PathLike[str], empty: Trajectory, *, overwrite: bool = False):
        self.path = Path(os.path.realpath(check_target(path, overwrite=overwrite)))
        self._partial = partial_path(self.path)
        if not self._partial.exists():
            _check_space(self._partial.parent, sum(np.asarray(values).nbytes for values in empty.observables.values()))
            _put(self._partial, _image({GROUP: empty}, None, complete=False))
        try:
            self._file = h5py.File(self._partial, "r+")
            self._group = self._file[GROUP]
            found = json.loads(self._group.attrs["provenance"])
        except (OSError, KeyError, ValueError) as error:
            fail("path", "have beside it what an ensemble left, or nothing", f"{str(self._partial)!r} can't be read: {error}",
                 "Remove it, or wait for the run that writes it.", StoreError)  # fmt: skip
        wanted = json.loads(provenance_text(empty.provenance))  # type: ignore[arg-type]
        different = [name for name in ("settings", "versions") if found[name] != wanted[name]]
        if different:
            self._file.close()
            fail("path", "have beside it what the same ensemble left, or nothing",
                 f"{str(self._partial)!r} is of one with other {' and '.join(different)}",
                 "Remove it, or choose another name.", StoreError)  # fmt: skip

    def status(self) -> np.ndarray:
        """`Status` of every member, (member,)."""
        return np.asarray(self._group["status"][()])

    def missing(self) -> np.ndarray:
        """Numbers of the members that are not there yet."""
        return np.flatnonzero(self.status() == Status.INTERRUPTED)

    def write(self, members: np.ndarray, observables: Mapping[str, np.ndarray], status: np.ndarray,
              stats: Mapping[str, np.ndarray]) -> None:  # fmt: skip
        """Members that follow each other. Their status comes last, when all else is on its way to the disk."""
        rows = slice(int(members[0]), int(members[-1]) + 1)
        for name, values in observables.items():
            self._group[name][rows] = values
        for name, values in stats.items():
            self._group["stats"][name][rows] = values
        self._file.flush()
        self._group["status"][rows] = status
        self._file.flush()

    def finish(self, provenance: Provenance) -> Path:
        """Call it complete, seal it and put it in place."""
        self._group.attrs["provenance"] = provenance_text(provenance)
        self._file.attrs["complete"] = np.int8(True)
        self.close()
        checksum = 0
        with open(self._partial, "r+b") as file:
            while block := file.read(2**24):
                checksum = zlib.crc32(block, checksum)
            file.write(SEAL % checksum)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._partial, self.path)
        _sync_directory(self.path.parent)
        return self.path

    def close(self) -> None:
        with contextlib.suppress(ValueError):
            self._file.close()
