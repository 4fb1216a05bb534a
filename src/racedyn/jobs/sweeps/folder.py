"""The folder of a sweep: its plan, one part file per block, the merged file.

plan.json           what is swept, and how
parts/NAME.h5       a block's results, named by what they depend on
function.pkl        the function that is swept, where other processes are to call it
sweep.h5            all results, once they are there
"""

import contextlib
import json
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from racedyn import store
from racedyn._checks import as_path, fail
from racedyn._text import printable
from racedyn.jobs.sweeps.configurations import POINT
from racedyn.jobs.sweeps.plan import Block, Plan, plan_of
from racedyn.store import StoreError
from racedyn.trajectory import Labelled, versions

LISTED = 10


class Folder:
    """`path`: the folder, which need not be there yet."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = as_path("out", path)
        self.merged = self.path / "sweep.h5"
        self.function = self.path / "function.pkl"
        self._plan = self.path / "plan.json"

    def begin(self, plan: Plan, *, overwrite: bool) -> None:
        """Put the plan there. One that differs in values along axes, or in axes, takes the place of
        what is there; one of another base is refused, unless `overwrite`: its parts stay, and those
        that are the same are found again.

        Raises `StoreError` for another plan, `OSError` where the folder can't be made."""
        if self._plan.exists() and not overwrite:
            there = self.plan()
            changed = store.differences(_settled(plan), _settled(there))
            store.goes_on(self._plan, changed, overwrite)
        if self.merged.exists() and not overwrite:
            try:
                store.load(self.merged)
            except StoreError as error:
                raise FileExistsError(f"{self.merged} is in the way: {error}") from error
        (self.path / "parts").mkdir(parents=True, exist_ok=True)
        store.put_text(self._plan, plan.as_json())

    def plan(self) -> Plan:
        """The plan that is there. Raises `ValueError` where there is none, or it can't be read."""
        try:
            return plan_of(self._plan.read_text(encoding="utf-8"))
        except FileNotFoundError:
            fail(
                "folder",
                "be that of a sweep",
                f"there is no {self._plan}",
                "`racedyn sweep CONFIG --over ... --out DIR` begins one.",
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"{self._plan} is no plan of a sweep: {error}") from error

    def part(self, block: str) -> Path:
        """Where the results of a block lie."""
        return self.path / "parts" / f"{block}.h5"

    def is_done(self, block: str) -> bool:
        """Whether its part file is there; see `check` for whether it holds what it should."""
        return self.part(block).exists()

    def check(self, blocks: Sequence[Block]) -> list[str]:
        """Take away part files of these blocks that are damaged or of another version, and say of
        each why it is computed again."""
        said = []
        for block in blocks:
            path = self.part(block.name)
            if path.exists() and (why := _wrong(path, block)):
                path.unlink(missing_ok=True)
                said.append(f"{printable(str(path))} is computed again: {why}")
        return said

    def others(self, blocks: Collection[str]) -> dict[str, Path]:
        """Name of a point -> the part file that has it, of this version and of other blocks than
        these: of a plan that was there before."""
        found: dict[str, Path] = {}
        for path in sorted((self.path / "parts").glob("*.h5")):
            if path.stem in blocks:
                continue
            with contextlib.suppress(StoreError, OSError):
                part = read_part(path)
                if part.attributes.get("version") == versions()["racedyn"]:
                    found |= dict.fromkeys(map(str, part[POINT].tolist()), path)
        return found

    def write(self, block: str, part: Labelled) -> None:
        """Put the results of a block there, whole or not at all."""
        _put(self.part(block), part)

    def written(self) -> int | None:
        """When the merged file was written; None where there is none."""
        return self.merged.stat().st_mtime_ns if self.merged.exists() else None

    def keep(self, found: Labelled, plan: Plan) -> Labelled:
        """Put the merged arrays there, unless it is they that are there. Returns them."""
        if not self.holds(found):
            _put(self.merged, found, config=plan.base)
        return found

    def holds(self, found: Labelled) -> bool:
        """Whether the merged file has these arrays."""
        try:
            there = store.load(self.merged)
        except (StoreError, OSError):
            return False
        return (
            isinstance(there, Labelled)
            and there.dims == found.dims
            and all(_equal(there[name], array) for name, array in found.arrays.items())
            and all(_equal(there[axis], values) for axis, values in found.coordinates.items())
        )

    @contextlib.contextmanager
    def claimed(self, block: str) -> Iterator[bool]:
        """Whether this process alone may compute a block; so long as the context lasts no other
        may."""
        path = self.part(block).with_suffix(".lock")
        with open(path, "ab") as file:
            mine = store.lock(file)
            try:
                yield mine
            finally:
                if mine:
                    path.unlink(missing_ok=True)


def read_part(path: Path) -> Labelled:
    """What a part file holds. Raises `StoreError` for one that is damaged, or something else."""
    found = store.load(path)
    if not isinstance(found, Labelled) or POINT not in found.coordinates:
        raise StoreError(f"{path} is no part of a sweep")
    return found


def _put(path: Path, found: Labelled, config: Any = None) -> None:
    """`store.save`; where the disk refuses it is the sweep that is to be called again."""
    try:
        store.save(path, found, overwrite=True, config=config)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        what = f"it could not be written ({reason}); parts that were finished stay."
        remedy = "Free some space and call the same sweep again, which goes on from there"
        raise OSError(error.errno, f"{what} {remedy}", str(path)) from error


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    nan = one.dtype.kind == "f" and other.dtype.kind == "f"
    return np.array_equal(one, other, equal_nan=nan)


def missing_said(missing: Sequence[str]) -> str:
    """Which blocks are missing, in a few words."""
    more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
    return f"{len(missing)} parts are missing: {', '.join(missing[:LISTED])}{more}"


def _wrong(path: Path, block: Block) -> str:
    """Why a part file is not that of this block, as this version computes it; "" where it is."""
    try:
        part = read_part(path)
    except (StoreError, OSError) as error:
        return str(error)
    if part.attributes.get("version") != versions()["racedyn"]:
        return f"it is of racedyn {part.attributes.get('version')}"
    if not np.array_equal(part[POINT], [point.name for point in block.points]):
        return "it has other configurations"
    return ""


def _settled(plan: Plan) -> dict[str, object]:
    """What sweeps in one folder have in common: all of the base but what is swept."""
    base = json.loads(json.dumps(plan.base))
    for key in ("name", *plan.axes):
        section, _, field = key.rpartition(".")
        (base.get(section, {}) if section else base).pop(field, None)
    data = {} if "task.path" in plan.axes else dict(plan.data)
    return {"base": base, "observe": list(plan.observe), "data": data}
