"""What `racedyn sweep` does and says."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from racedyn._checks import fail, shown
from racedyn.cli.table import said
from racedyn.config import Config
from racedyn.jobs import Folder, axes_in_words, merged, parse_shard, submit_line, sweep
from racedyn.trajectory import Labelled, Status


def swept(config: Config, given: argparse.Namespace) -> int:
    """Run the sweep that the line asks for; 1 where configurations failed."""
    over = axes_in_words(given.over)
    folder = Folder(given.out)
    shard = None if given.shard is None else parse_shard(given.shard)
    executor = given.executor or ("local" if given.jobs is not None else None)
    before = folder.written()
    found = sweep(
        config,
        over,
        out=given.out,
        observe=given.observe,
        executor=executor,
        jobs=given.jobs,
        options=_options(given.option),
        shard=shard,
        overwrite=given.overwrite,
        progress=not given.quiet,
    )
    if found is None:
        if not given.quiet and shard is not None:
            print("all parts as a job array:", said(submit_line(_without_shard(), shard[1])))
            print(f"then: racedyn sweep {said(given.out)} --merge")
        return 0
    return _ended(folder, found, before == folder.written(), quiet=given.quiet)


def told(path: Path, *, merge: bool) -> int:
    """Say what is done of the sweep in a folder, or merge it."""
    folder = Folder(path)
    plan = folder.plan()
    blocks = plan.blocks()
    if merge:
        return _ended(folder, folder.keep(merged(folder, plan), plan), finished=False, quiet=False)
    done = [block for block in blocks if folder.is_done(block.name)]
    points = sum(len(block.points) for block in blocks)
    there = sum(len(block.points) for block in done)
    for name, values in plan.axes.items():
        print(said(f"{name:<24} {len(values)} values"))
    print(f"{there} of {points} configurations are done, {len(done)} of {len(blocks)} parts")
    print("merged:", said(folder.merged) if folder.merged.exists() else "not yet")
    return 0


def _ended(folder: Folder, found: Labelled, finished: bool, *, quiet: bool) -> int:
    """Say how a sweep ended."""
    statuses = np.ravel(found["status"])
    failed = [int(status) for status in statuses if not Status(int(status)).ok]
    if not quiet:
        if finished:
            print("this sweep is finished already: nothing was computed")
        counts = {status: int(np.sum(statuses == int(status))) for status in Status}
        ways = ", ".join(f"{n} {status.name.lower()}" for status, n in counts.items() if n)
        print(f"{statuses.size} configurations: {ways}")
        print("results:", said(folder.merged))
    return 1 if failed else 0


def _options(words: Sequence[str]) -> dict[str, str | int] | None:
    """What `--option KEY=VALUE` says."""
    found: dict[str, str | int] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            fail("--option", "be KEY=VALUE", f"it is {shown(word)}", "As in --option time=60.")
        found[key] = int(value) if value.isdecimal() else value
    return found or None


def _without_shard() -> list[str]:
    """This command line but for `--shard`."""
    words = ["racedyn", *sys.argv[1:]]
    kept = []
    skip = False
    for word in words:
        if skip or word.startswith("--shard="):
            skip = False
        elif word == "--shard":
            skip = True
        else:
            kept.append(word)
    return kept
