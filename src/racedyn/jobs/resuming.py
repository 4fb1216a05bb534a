"""What an earlier run left, and whether this one may go on from it.

The policy is that of `racedyn.store.ledger`. A run's own: `resume` must be asked for; a finished
run is found again too; its name and theory may be others, and its steps more; data count, and not
where they lie."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from racedyn import store
from racedyn.config import Config, as_dict
from racedyn.store import OVERWRITE, PARTIAL, Difference, partial_path
from racedyn.trajectory import Trajectory


class Trained(NamedTuple):
    """The training in a file: as it was, its steps, the steps between two saves, and the checksum
    of its data.
    """

    trajectory: Trajectory
    done: int
    save_every: int
    data: str | None


def check_target(target: Path, figures: Sequence[str], overwrite: bool, resume: bool) -> None:
    """Refuse now what would otherwise fail after the training: results in the way, and a folder
    that can't be written.
    """
    partial = partial_path(target)
    in_the_way = [] if resume and target.exists() else [target, *map(target.with_suffix, figures)]
    for path in in_the_way:
        if path.exists() and not overwrite:
            raise FileExistsError(
                f"{path} exists. Pass {OVERWRITE} to replace it, or another --name."
            )
    if partial.exists() and not (overwrite or resume):
        raise FileExistsError(
            f"{partial} is what an unfinished run left. Pass resume=True (--resume) to go on from "
            f"it, or {OVERWRITE} to begin anew."
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


def finished(config: Config, data: str | None, target: Path) -> store.File:
    """The file of this very run, finished. Raises `FileExistsError` where it was made with other
    settings.
    """
    file = store.load_runs(target)
    if changed := _changed(config, data, file, _trained(file)):
        raise FileExistsError(
            f"{target} is finished, with other settings: {store.listed(changed)}. Pass "
            f"{OVERWRITE} beside --resume to replace it (what was trained is kept where `name`, "
            "`theory` and further `train.steps` alone differ), or another --name."
        )
    return file


def earlier_training(
    config: Config, data: str | None, target: Path, overwrite: bool
) -> Trained | None:
    """What there is to go on from: of a run that was interrupted, else of a finished one; None if
    there is nothing, or by `overwrite` only what other settings left.

    Raises `StoreError` where the training depends on other settings, or went further."""
    for path in (partial_path(target), target):
        if path.exists():
            file = store.load_runs(path, partial=True)
            trained = _trained(file)
            changed: list[object] = [
                found
                for found in _changed(config, data, file, trained)
                if found.key != "train.steps" and not found.key.startswith("theory.")
            ]
            if trained.done > config.train.steps:
                changed.append(
                    f"`train.steps` is {config.train.steps}, and {trained.done} are done"
                )
            if store.goes_on(path, changed, overwrite):
                return trained
    return None


def _trained(file: store.File) -> Trained:
    """The training in the file of a run. Raises `ValueError` for a file of anything else."""
    run = file.get("trained")
    settings = {} if run is None or run.provenance is None else run.provenance.settings
    if run is None or run.step is None or not np.size(run.step) or "save_every" not in settings:
        raise ValueError(
            f"{file.path} is not of `racedyn run`: there is no training in it to go on from."
        )
    done = int(np.asarray(run.step)[-1])
    return Trained(run, done, settings["save_every"], settings.get("data"))


def _changed(config: Config, data: str | None, file: store.File, then: Trained) -> list[Difference]:
    """Settings that differ from those of the file. Its name is the file's; of data from a file,
    whose checksum is `data`, the path is none.
    """
    free = {"name"} if data is None else {"name", "task.path"}
    found = store.differences(as_dict(config), file.config)
    changed = [each for each in found if each.key not in free]
    if data is not None and data != then.data:
        now = f"data with the checksum {data}"
        changed.append(Difference("task.path", now, then.data or "other data"))
    return changed
