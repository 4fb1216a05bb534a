"""The store: trajectories in one HDF5 file that xarray and netCDF4 open as it is.

What lies where (format 1). Every axis of every dataset has a dimension scale, so all of them have
names::

    /                 format, format_version, complete (0 or 1), created, versions,
                      config (JSON), git_commit
    /trained          one group per trajectory; provenance (JSON)
      time            (time,) the save times; an axis of its own is also path, mode, ...: its
                      labels, or 0, 1, 2, ...
      strength, ...   the observables
      step  status    (time,); (), (lane,) or (member,)
      parameters      of members, each an array with its own name as attribute `parameter`
      stats/          the pytrees: a group per dict, tuple and list (attribute `tree`) and a
                      dataset per array
      ys/  end/
      modes/          U, S, V, variances, names; misalignment, floor, groups

A `Labelled` is saved alone, at the root, which says so (`holds`); `xarray.open_dataset` opens it::

    /                 as above; holds ("labelled"), attributes (JSON)
      network.depths  (network.depths,) the values along an axis: numbers or texts
      loss  ...       the arrays: numbers or texts, with long_name and units where known

Behind the HDF5 bytes stands a checksum of them, which readers of HDF5 ignore. A file that is
written block by block has one for each 64 members besides (an axis, `block checksums`) and says
last how long it took (`wall_time`). Later formats never make this one unreadable.

- `files`: save, load and checkpoint; a file is old, new, or says that it is partial.
- `opening`: a file opened once, inspected, its header read.
- `write`: from trajectories to the bytes of a file.
- `read`: from a file back to trajectories.
- `labelled`: labelled arrays at the root of a file, and back.
- `layout`: arrays, axes and pytrees as datasets, dimension scales and groups.
- `parameters`: what the members of an ensemble differ in, as coordinates of its arrays.
- `walk`: the inspection of a file before anything in it is read, as it may be foreign or damaged.
- `atomic`: bytes put on the disk all or not at all, with a checksum behind them.
- `report`: a file as a page of text.
- `frames`: trajectories and labelled arrays as an xarray Dataset or a pandas DataFrame.
- `blocks`: the file of an ensemble, which is written block by block.
- `members`: what such a file and the same in memory have in common, and the one in memory.
- `places`: at which byte the file of an ensemble has each array, and whether the disk has room.
- `checksums`: checksums of members, some at a time.
- `ledger`: what is done of an unfinished job: gone on from, refused, or begun anew.
"""

from racedyn.store.atomic import PARTIAL as PARTIAL
from racedyn.store.atomic import StoreError, check_target, partial_path
from racedyn.store.atomic import lock as lock
from racedyn.store.atomic import put_text as put_text
from racedyn.store.blocks import BlockFile
from racedyn.store.files import File, checkpoint, load, save
from racedyn.store.files import load_runs as load_runs
from racedyn.store.frames import as_labelled as as_labelled
from racedyn.store.frames import to_pandas, to_xarray
from racedyn.store.ledger import OVERWRITE as OVERWRITE
from racedyn.store.ledger import Difference as Difference
from racedyn.store.ledger import differences as differences
from racedyn.store.ledger import goes_on as goes_on
from racedyn.store.ledger import listed as listed
from racedyn.store.ledger import unfinished as unfinished
from racedyn.store.members import AbstractBlocks as AbstractBlocks
from racedyn.store.members import BlockMemory
from racedyn.store.report import info

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
    "to_pandas",
    "to_xarray",
]
