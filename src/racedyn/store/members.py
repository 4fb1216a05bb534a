"""Where the members of an ensemble go, block by block: what a file of them and their place in
memory have in common, and the one in memory.
"""

import abc
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from racedyn._checks import fail
from racedyn._types import AnyArray
from racedyn.store.checksums import ROWS
from racedyn.trajectory import Provenance, Status, Trajectory

Whole = TypeVar("Whole", Path, Trajectory)


class AbstractBlocks(abc.ABC, Generic[Whole]):
    """Members of an ensemble, written block by block. Made of `empty`, the whole trajectory with
    nothing in it: arrays of one number repeated (`numpy.broadcast_to`), and a status of INTERRUPTED
    for every member. To be closed."""

    @abc.abstractmethod
    def status(self) -> np.ndarray:
        """`Status` of every member, (member,)."""

    @abc.abstractmethod
    def missing(self) -> np.ndarray:
        """Numbers of the members that are not there yet, or are not what was written."""

    @abc.abstractmethod
    def write(
        self,
        members: np.ndarray,
        observables: Mapping[str, np.ndarray],
        status: np.ndarray,
        stats: Mapping[str, np.ndarray],
    ) -> None:
        """Members that follow each other, in whole blocks of 64 as `missing` gives them. Raises
        `ValueError` for others.
        """

    @abc.abstractmethod
    def interrupted(self) -> None:
        """After Ctrl-C: raises `KeyboardInterrupt` where what is there stays, to be gone on with;
        returns where it would be lost.
        """

    @abc.abstractmethod
    def finish(self, provenance: Provenance) -> Whole:
        """The whole, and where it comes from. Nothing can be written from here on."""

    @abc.abstractmethod
    def close(self) -> None:
        """Give back what is held, whether it is finished or not."""


def as_blocks(members: np.ndarray, count: int) -> tuple[int, int]:
    """The first of these members and the one behind the last. Raises `ValueError` where they are no
    whole blocks.
    """
    first, stop = int(members[0]), int(members[-1]) + 1
    if first % ROWS or (stop % ROWS and stop != count) or stop - first != len(members):
        fail("members", f"be whole blocks of {ROWS}", f"they are {first} to {stop - 1}")
    return first, stop


class BlockMemory(AbstractBlocks[Trajectory]):
    """Members in memory, as `BlockFile` has them in a file."""

    def __init__(self, empty: Trajectory):
        def room(arrays: Mapping[str, AnyArray]) -> dict[str, np.ndarray]:
            return {name: np.array(values) for name, values in arrays.items()}

        self._empty, self._status = empty, np.array(empty.status)
        self._observables, self._stats = room(empty.observables), room(empty.stats)

    def status(self) -> np.ndarray:
        return self._status.copy()

    def missing(self) -> np.ndarray:
        return np.flatnonzero(self._status == Status.INTERRUPTED)

    def write(
        self,
        members: np.ndarray,
        observables: Mapping[str, np.ndarray],
        status: np.ndarray,
        stats: Mapping[str, np.ndarray],
    ) -> None:
        block = slice(*as_blocks(members, len(self._status)))
        for room, given in ((self._observables, observables), (self._stats, stats)):
            for name in room:
                room[name][block] = given[name]
        self._status[block] = status

    def interrupted(self) -> None:
        """Nothing is raised: what is there would be lost."""

    def finish(self, provenance: Provenance) -> Trajectory:
        """Members that are missing are NaN and INTERRUPTED."""
        return dataclasses.replace(
            self._empty,
            observables=dict[str, AnyArray](self._observables),
            status=self._status,
            stats=dict[str, AnyArray](self._stats),
            provenance=provenance,
        )

    def close(self) -> None:
        """Nothing is held."""
