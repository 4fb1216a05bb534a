"""The store: trajectories in one HDF5 file that xarray and netCDF4 open as it is.

What lies where (format 1). Every axis of every dataset has a dimension scale, so all of them have
names::

    /                 format, format_version, complete (0 or 1), created, versions,
                      config (JSON), git_commit
    /trained          one group per trajectory; provenance (JSON)
      time            (time,) the save times; an axis of its own is also path, mode, ...: its
                      labels, or 0, 1, 2, ...
      strength, ...   the observables
      step  status    (time,); () or (lane,)
      stats/          the pytrees: a group per dict, tuple and list (attribute `tree`) and a
                      dataset per array
      ys/  end/
      modes/          U, S, V, variances, names; misalignment, floor, groups

Behind the HDF5 bytes stands a checksum of them, which readers of HDF5 ignore. A file that is
written block by block has one for each 64 members besides (an axis, `block checksums`) and says
last how long it took (`wall_time`). Later formats never make this one unreadable.

- `files`: save, load and checkpoint; a file is old, new, or says that it is partial.
- `write`: from trajectories to the bytes of a file.
- `read`: from a file back to trajectories.
- `layout`: arrays, axes and pytrees as datasets, dimension scales and groups.
- `walk`: the inspection of a file before anything in it is read, as it may be foreign or damaged.
- `atomic`: bytes put on the disk all or not at all, with a checksum behind them.
- `report`: a file as a page of text, a trajectory as an xarray Dataset.
- `blocks`: the file of an ensemble, which is written block by block.
- `members`: what such a file and the same in memory have in common, and the one in memory.
- `places`: at which byte the file of an ensemble has each array, and whether the disk has room.
- `checksums`: checksums of members, some at a time.
- `ledger`: what is done of an unfinished job: gone on from, refused, or begun anew.
"""

from racedyn.store.atomic import PARTIAL as PARTIAL
from racedyn.store.atomic import StoreError
from racedyn.store.blocks import BlockFile
from racedyn.store.files import File, check_target, checkpoint, load, partial_path, save
from racedyn.store.ledger import OVERWRITE as OVERWRITE
from racedyn.store.ledger import Difference as Difference
from racedyn.store.ledger import differences as differences
from racedyn.store.ledger import goes_on as goes_on
from racedyn.store.ledger import listed as listed
from racedyn.store.ledger import unfinished as unfinished
from racedyn.store.members import AbstractBlocks as AbstractBlocks
from racedyn.store.members import BlockMemory
from racedyn.store.report import info, to_xarray

__all__ = [
    "BlockFile",
    "BlockMemory",
    "File",
    "StoreError",
    "check_target",
    "checkpoint",
    "info",
    "load",
    "partial_path",
    "save",
    "to_xarray",
]
