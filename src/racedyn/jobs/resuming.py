"""What an earlier run left, and whether this one may go on from it."""

import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from racedyn import store
from racedyn.config import Config, differences
from racedyn.store import PARTIAL, partial_path
from racedyn.tasks import Task
from racedyn.trajectory import Trajectory


def check_target(target: Path, figures: Sequence[str], force: bool, resume: bool) -> None:
    """Refuse now what would otherwise fail after the training: results in the way, and a folder
    that can't be written.
    """
    partial = partial_path(target)
    in_the_way = [] if resume and target.exists() else [target, *map(target.with_suffix, figures)]
    for path in in_the_way:
        if path.exists() and not force:
            raise FileExistsError(
                f"{path} exists. Pass --force (force=True) to replace it, or another --name."
            )
    if partial.exists() and not (force or resume):
        raise FileExistsError(
            f"{partial} is what an unfinished run left. Pass --resume (resume=True) to go on from "
            "it, or --force "
            "(force=True) to start anew."
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # The longest name that is written there: it must not be the disk that finds it too long.
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f"{target.name}.", suffix=PARTIAL
        ):
            pass
    except OSError as error:
        why = error.strerror or "it can't be written"
        raise OSError(
            error.errno,
            f"Results can't be kept there ({why}). Choose another --out",
            str(target.parent),
        ) from error


def fingerprint(task: Task) -> str:
    """A checksum of inputs, targets and contexts, by which data that lie elsewhere now are known
    again.
    """
    checksum = 0
    for node, array in (*task.inputs.items(), *task.targets.items(), ("context", task.context)):
        values = np.ascontiguousarray(array)
        checksum = zlib.crc32(
            values.tobytes(), zlib.crc32(f"{node} {values.shape} {values.dtype}".encode(), checksum)
        )
    return f"{checksum:08x}"


def finished(config: Config, data: str | None, target: Path) -> store.File:
    """The file of this very run, finished. Raises `FileExistsError` where it was made with other
    settings.
    """
    file = store.load(target)
    _trained(file)
    if changed := [_said(*item) for item in _changes(config, data, file, everything=True)]:
        raise FileExistsError(
            f"{target} is finished, with other settings: {'; '.join(changed)}. Pass --force beside "
            "--resume to replace it "
            "(what was trained is kept where `name`, `theory` and further `train.steps` alone "
            "differ), or another --name."
        )
    return file


def earlier_training(config: Config, data: str | None, target: Path) -> Trajectory | None:
    """What there is to go on from: of a run that was interrupted, else of a finished one; None if
    there is nothing.

    Raises `ValueError` where an interrupted run was trained with other settings, or further; a
    finished one is then left aside, as it is to be replaced."""
    partial = partial_path(target)
    if not partial.exists() and not target.exists():
        return None
    file = store.load(partial if partial.exists() else target, partial=True)
    changed = [_said(*item) for item in _changes(config, data, file, everything=False)]
    trained = _trained(file)
    done = int(np.asarray(trained.step)[-1])
    if done > config.train.steps:
        changed.append(f"`train.steps` is {config.train.steps}, and {done} are done")
    if not changed:
        return trained
    if not partial.exists():
        return None
    raise ValueError(
        f"{file.path} was trained with other settings: {'; '.join(changed)}. Restore them, give "
        "this run another --name, or "
        "pass --force (force=True) without --resume to start anew."
    )


def _trained(file: store.File) -> Trajectory:
    """The training in the file of a run. Raises `ValueError` for a file of anything else."""
    run = file.get("trained")
    source = None if run is None else run.provenance
    if (
        run is None
        or source is None
        or "save_every" not in source.settings
        or run.step is None
        or not np.size(run.step)
    ):
        raise ValueError(
            f"{file.path} is not of `racedyn run`: there is no training in it to go on from."
        )
    return run


def _changes(
    config: Config, data: str | None, file: store.File, *, everything: bool
) -> list[tuple[str, object, object]]:
    """(dotted key, value now, value then) of the settings that differ: of all, or of what the
    training depends on.
    """
    source = _trained(file).provenance
    then = None if source is None else source.settings.get("data")
    found = []
    for key, (now, was) in differences(config, file.config).items():
        free = key == "name" or (
            not everything and (key == "train.steps" or key.startswith("theory."))
        )
        if not free and not (key == "task.path" and data is not None):
            found.append((key, now, was))
    if data is not None and data != then:
        found.append(("task.path", f"data with the checksum {data}", then or "other data"))
    return found


def _said(key: str, now: object, was: object) -> str:
    return f"`{key}` is {_set(now)} and was {_set(was)}"


def _set(value: object) -> str:
    return "left out" if value is None else str(value) if isinstance(value, str) else repr(value)
