"""One walk over a file before anything in it is read: it may come from a stranger, or from a disk
that fails.

HDF5 follows what a file says: links and arrays that lie in other files, filters that load
libraries, room for values that were never written. None of that is in what `save` writes, so all of
it is refused; what is left can be read in a time and memory that the file's own size bounds."""

import itertools
import math
from collections.abc import Iterator

import h5py
import numpy as np

from racedyn._names import DTYPES, MAX_DEPTH
from racedyn._text import printable

# Arrays are compressed by deflate, which writes at least 2 bits for what stands for 258 bytes: 1032
# times as much at most.
MULTIPLE = 1032
UNWRITTEN = 2**16  # bytes of an array that has none in the file, and is its fill value
OBJECT_BYTES = 64  # an object takes more
PIECE = 2**26  # bytes of texts read at once

FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
# Attributes that are read; those of other programs are left alone.
TEXTS = (
    "format",
    "versions",
    "config",
    "created",
    "git_commit",
    "provenance",
    "tree",
    "same_as",
    "parameter",
    "groups",
    "dtype",
    "holds",
    "attributes",
    "long_name",
    "units",
)
NUMBERS = ("format_version", "complete", "misalignment", "floor", "wall_time")
LINKS = {h5py.h5l.TYPE_SOFT: "a soft link", h5py.h5l.TYPE_EXTERNAL: "a link to another file"}


def walk(file: h5py.File, size: int) -> None:
    """Raise `ValueError` for anything in a file of `size` bytes that `save` does not write."""
    stored = text = 0
    seen = {h5py.h5o.get_info(file.id).addr}
    groups = [(file["/"], "", 0)]
    while groups:
        group, place, depth = groups.pop()
        names: list[bytes] = []
        group.id.links.iterate(names.append)
        for name in names:
            where = printable(f"{place}/{name.decode(errors='replace')}")
            if name in (b"", b".") or b"/" in name:
                _refuse(where, "has a name that no path leads to")
            if (kind := group.id.links.get_info(name).type) != h5py.h5l.TYPE_HARD:
                _refuse(where, f"is {LINKS.get(kind, 'a link of an unknown kind')}")
            found = h5py.h5o.open(group.id, name)
            # Links that meet again would make a tree out of few bytes that takes for ever to walk.
            if (address := h5py.h5o.get_info(found).addr) in seen:
                _refuse(where, "is a second link to one thing")
            seen.add(address)
            if len(seen) * OBJECT_BYTES > size:
                _refuse(where, f"is one of more things than {size} bytes can hold")
            if isinstance(found, h5py.h5g.GroupID):
                if depth == MAX_DEPTH:
                    _refuse(where, f"lies more than {MAX_DEPTH} groups deep")
                item = h5py.Group(found)
                groups.append((item, where, depth + 1))
            elif isinstance(found, h5py.h5d.DatasetID):
                item = h5py.Dataset(found)
                stored += _check_dataset(item, where, size)
                text += _text_along(item, where, size) if item.dtype.kind == "O" else 0
            else:
                _refuse(where, "is neither a group nor an array")
            text += _check_attributes(item, where)
            if stored > size or text > size:
                _refuse(where, f"claims more room than the {size} bytes of the file")
    _check_attributes(file, "/")


def _refuse(where: str, reason: str) -> None:
    raise ValueError(f"{where!r} {reason}, as nothing that racedyn writes")


def _check_dataset(dataset: h5py.Dataset, where: str, size: int) -> int:
    """Refuse what would lie elsewhere, run something, or take more room than it may. Returns its
    bytes in the file.
    """
    made = dataset.id.get_create_plist()
    layout, stored = made.get_layout(), dataset.id.get_storage_size()
    if layout not in (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED):
        _refuse(where, "is put together from other arrays or files")
    if made.get_external_count():
        _refuse(where, "lies in another file")
    if any(made.get_filter(i)[0] not in FILTERS for i in range(made.get_nfilters())):
        _refuse(where, "is packed by an unknown filter")
    kind = dataset.id.get_type()
    if dataset.shape is None:
        _refuse(where, "has no values")
    if kind.get_class() == h5py.h5t.STRING:
        known = kind.is_variable_str()
    else:
        known = (
            kind.get_class() in (h5py.h5t.INTEGER, h5py.h5t.FLOAT)
            and _code(dataset.dtype) in DTYPES
        )
    if not known:
        _refuse(where, "is neither numbers nor texts")
    if layout == h5py.h5d.CHUNKED and any(
        n > max(m, 1) for n, m in zip(made.get_chunk(), dataset.shape, strict=True)
    ):
        _refuse(where, "has pieces larger than itself")
    logical = math.prod(dataset.shape) * dataset.dtype.itemsize
    if layout == h5py.h5d.CONTIGUOUS and stored and (dataset.id.get_offset() or 0) + stored > size:
        _refuse(where, "reaches beyond the end of the file")
    # An axis without values of its own has a length alone; nobody reads it, in a trajectory.
    numbers = kind.get_class() != h5py.h5t.STRING
    empty_axis = not stored and numbers and h5py.h5ds.is_scale(dataset.id)
    empty_axis &= where.count("/") > 1 and not where.endswith("/time")
    if logical > MULTIPLE * stored + UNWRITTEN and not empty_axis:
        _refuse(
            where,
            f"claims {logical} bytes and has {stored}, of which there may be {MULTIPLE} times as "
            "many",
        )
    return int(stored)


def _code(dtype: np.dtype) -> str:
    return f"{dtype.kind}{dtype.itemsize}"


def _text_along(dataset: h5py.Dataset, where: str, size: int) -> int:
    """Bytes of the texts of an array: two of them may lie at one place, so that few bytes could be
    many texts.
    """
    found = 0
    for block in _blocks(dataset.shape, max(1, PIECE // size)):
        found += sum(map(len, np.ravel(dataset[block])))
        if found > size:
            _refuse(where, f"claims more text than the {size} bytes of the file")
    return found


def _blocks(shape: tuple[int, ...], most: int) -> Iterator[tuple[slice, ...]]:
    """Blocks that cover an array of this shape, of at most so many entries each."""
    sides = []
    for length in reversed(shape):
        sides.append(max(1, min(length, most)))
        most //= sides[-1]
    cuts = [
        [slice(k, k + side) for k in range(0, length, side)]
        for length, side in zip(shape, reversed(sides), strict=True)
    ]
    return itertools.product(*cuts)


def _check_attributes(item: h5py.Group | h5py.Dataset, where: str) -> int:
    """Refuse attributes of another kind than is read. Returns the bytes of their texts."""
    text = 0
    for name in (*TEXTS, *NUMBERS):
        if not h5py.h5a.exists(item.id, name.encode()):
            continue
        found = h5py.h5a.open(item.id, name.encode())
        classes = (h5py.h5t.STRING,) if name in TEXTS else (h5py.h5t.INTEGER, h5py.h5t.FLOAT)
        if (
            found.shape != ()
            or found.get_type().get_class() not in classes
            or found.get_storage_size() > 2**16
        ):
            _refuse(f"{where}:{name}", f"is not a {'text' if name in TEXTS else 'number'}")
        if name in TEXTS:
            text += len(item.attrs[name])
    return text
