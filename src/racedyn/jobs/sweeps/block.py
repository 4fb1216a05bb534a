"""One block of a sweep, computed by whatever process is told to."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from racedyn.jobs.sweeps import functions
from racedyn.jobs.sweeps.configurations import Outcome, computed
from racedyn.jobs.sweeps.folder import Folder, read_part
from racedyn.jobs.sweeps.merged import outcomes_of, part_of
from racedyn.jobs.sweeps.plan import Block, plan_of

RUN = f"{__name__}:run_block"
_HERE: list[Callable[..., Any]] = []  # the function that this very process was given


@contextlib.contextmanager
def here(function: Callable[..., Any] | None) -> Iterator[None]:
    """Within it `run_block` calls this function, where other processes read it from the folder; and
    what it knew of folders it finds anew."""
    _known.cache_clear()
    if function is not None:
        _HERE.append(function)
    try:
        yield
    finally:
        if function is not None:
            _HERE.pop()


def run_block(folder: str, block: str) -> None:
    """Compute one block of the sweep in a folder and put its part file there; nothing where that is
    there, or another process is at it."""
    place = Folder(folder)
    if place.is_done(block):
        return
    with place.claimed(block) as mine:
        if not mine:
            warnings.warn(
                f"Another process computes the block {block}.", RuntimeWarning, stacklevel=2
            )
        if not mine or place.is_done(block):
            return
        plan = place.plan()
        blocks, others = _known(folder, plan.as_json())
        points = blocks[block].points
        there: dict[str, Outcome] = {}
        for path in {others[point.name] for point in points if point.name in others}:
            there |= outcomes_of(read_part(path))
        new = [point for point in points if point.name not in there]
        settings = [point.settings for point in new]
        if "function" in plan.base:
            function = _HERE[-1] if _HERE else functions.found(place.function)
            outcomes = functions.called(function, settings)
        else:
            outcomes = computed(settings, plan.observe)
        there |= {point.name: outcome for point, outcome in zip(new, outcomes, strict=True)}
        names = [point.name for point in points]
        place.write(block, part_of(names, [there[name] for name in names]))


@cache
def _known(folder: str, plan: str) -> tuple[dict[str, Block], dict[str, Path]]:
    """Name -> block of a plan, and name -> part file of the points that an earlier plan has left: a
    worker finds them once for all that it computes."""
    blocks = {block.name: block for block in plan_of(plan).blocks()}
    return blocks, Folder(folder).others(blocks)
