"""A reference of numbers, to change the code's shape and nothing else: all that `reference_cases`
computes, bit for bit.

    python tests/reference_numbers.py write FILE.npz [GROUP ...]      all groups, or some
    python tests/reference_numbers.py compare BEFORE.npz AFTER.npz    exit 1 where they differ

Not of the test suite. Bits depend on the processor and on the versions of JAX, NumPy and BLAS:
write both files on the same machine. Every process computes in one thread, so that sums have one
order however many cores there are."""

import argparse
import dataclasses
import multiprocessing
import os
import re
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "MPLBACKEND": "Agg",
}
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|\b(?:nan|inf)\b")


def leaves(key: str, tree: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Key -> array of all that is a number in a tree: in a text too, so that what findings say is
    compared.
    """
    if tree is None or callable(tree):
        return
    if isinstance(tree, str):
        if found := NUMBER.findall(tree):
            yield key, np.array([float(number) for number in found])
        return
    if dataclasses.is_dataclass(tree):
        tree = {field.name: getattr(tree, field.name) for field in dataclasses.fields(tree)}
    elif isinstance(tree, tuple | list):
        tree = dict(enumerate(tree))
    if isinstance(tree, Mapping):
        for name, part in tree.items():
            name = " > ".join(map(str, name)) if isinstance(name, tuple) else name
            yield from leaves(f"{key}/{name}", part)
        return
    array = np.asarray(tree)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"{key} is no number: {tree!r}")
    yield key, array


def group_numbers(group: str) -> tuple[dict[str, np.ndarray], float, str]:
    """All numbers of one group, the seconds that they took, and the error at which it was broken
    off, if any.
    """
    from reference_cases import GROUPS
    from reference_spellings import FORMERLY, plain

    found: dict[str, np.ndarray] = {}
    error = ""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        try:
            for key, tree in GROUPS[group](Path(folder)):
                for name, array in leaves(f"{group}/{key}", plain(tree)):
                    name = "/".join(FORMERLY.get(part, part) for part in name.split("/"))
                    if name in found:
                        raise KeyError(f"Two arrays are called {name}.")
                    found[name] = array
        except Exception:  # the other groups go on
            error = traceback.format_exc()
    return found, time.process_time(), error


def write(path: Path, groups: list[str]) -> int:
    """Compute `groups`, two at a time, and write what there is of them; 1 if one was broken off."""
    os.environ.update(ONE_THREAD)  # before the workers import NumPy and JAX
    from reference_cases import GROUPS

    found: dict[str, np.ndarray] = {}
    failed = False
    if unknown := set(groups) - set(GROUPS):
        raise SystemExit(f"No group is called {', '.join(unknown)}: there are {', '.join(GROUPS)}.")
    with ProcessPoolExecutor(
        2, multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        jobs = {pool.submit(group_numbers, group): group for group in groups or GROUPS}
        for job in as_completed(jobs):
            arrays, seconds, error = job.result()
            found |= arrays
            failed |= bool(error)
            print(
                f"{jobs[job]:<20}{len(arrays):>7} arrays{seconds:>8.1f} s of CPU  {error}",
                flush=True,
            )
            np.savez_compressed(path, **dict(sorted(found.items())))  # what there is, if stopped
    print(f"{path}: {len(found)} arrays, {sum(array.size for array in found.values())} numbers")
    return int(failed)


def distance(before: np.ndarray, after: np.ndarray) -> str:
    """The largest difference, relative to the largest number before; or why there is none."""
    if before.shape != after.shape or before.dtype != after.dtype:
        return f"{before.dtype}{before.shape} was, {after.dtype}{after.shape} is"
    before, after = (np.asarray(array, np.result_type(array, float)) for array in (before, after))
    if not np.array_equal(np.isfinite(before), np.isfinite(after)):
        return "NaN or inf elsewhere"
    finite = np.isfinite(before)
    apart, size = np.abs(after - before)[finite], np.abs(before)[finite]
    return f"{apart.max(initial=0) / max(size.max(initial=0), np.finfo(float).tiny):.2e}"


def compare(before: Path, after: Path) -> int:
    """Print how two references differ; 1 if they do."""
    with np.load(before) as first, np.load(after) as second:
        old, new = dict(first), dict(second)
    common = [key for key in old if key in new]
    same = [key for key in common if _bits(old[key]) == _bits(new[key])]
    print(f"{len(common)} arrays compared, {len(same)} equal bit for bit")
    rows = [(key, distance(old[key], new[key])) for key in common if key not in set(same)]
    rows += [(key, "missing") for key in old if key not in new] + [
        (key, "new") for key in new if key not in old
    ]
    for key, what in rows:
        print(f"  {key:<80} {what}")
    return int(bool(rows))


def _bits(array: np.ndarray) -> tuple[Any, ...]:
    return array.dtype.str, array.shape, array.tobytes()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write", help="compute the reference")
    writing.add_argument("file", type=Path)
    writing.add_argument("groups", nargs="*", metavar="GROUP")
    comparing = commands.add_parser("compare", help="compare two, bit for bit")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    given = parser.parse_args()
    if given.command == "compare":
        return compare(given.before, given.after)
    return write(given.file, given.groups)


if __name__ == "__main__":
    sys.exit(main())
