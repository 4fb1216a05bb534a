"""Checksums of members, some at a time, in a file that changes once it is there."""

import zlib
from collections.abc import Sequence

import numpy as np

# An axis to readers that don't know it: (1 + blocks,), the first of all but the members
CHECKSUMS = "block checksums"
ROWS = 64  # members of a block


def of_rows(rows: bytes, array: int) -> int:
    """What the rows of one block in the array with this number add (by exclusive or, so in any
    order) to its checksum.
    """
    return zlib.crc32(rows, array) if len(rows) else 0


def of_members(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The checksum of each block of members, (block,), of arrays whose first axis is that of
    members.
    """
    found = np.zeros(-(-len(arrays[0]) // ROWS), np.uint32)
    for number, array in enumerate(arrays):
        for block in range(len(found)):
            rows = np.ascontiguousarray(array[block * ROWS : (block + 1) * ROWS])
            found[block] ^= np.uint32(of_rows(rows.tobytes(), number))
    return found
