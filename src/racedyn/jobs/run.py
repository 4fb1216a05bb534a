"""The main job as one function: task -> network -> weights -> training -> theory -> comparison ->
file and figure.
"""

import dataclasses
import warnings
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from racedyn import config as configuration
from racedyn import store, tasks
from racedyn._types import Weights
from racedyn.comparison import Comparison, Comparisons, MemberComparison, compare
from racedyn.config import Config
from racedyn.jobs.build import build_law, build_network, build_task, fingerprint
from racedyn.jobs.levels import levels_beside, only_trained, reduced_to
from racedyn.jobs.remarks import remarks
from racedyn.jobs.results import (
    FIGURES,
    NotSavedError,
    RunResult,
    by_level,
    draw_figures,
    find_figures,
    kept_of,
    saved,
)
from racedyn.jobs.resuming import Trained, check_target, earlier_training, finished
from racedyn.jobs.sizes import check_network_size, check_numbers, check_run_size, check_task_size
from racedyn.networks import Network
from racedyn.simulation import SolveError, simulate
from racedyn.store import partial_path
from racedyn.systems import AbstractSystem
from racedyn.training import train
from racedyn.trajectory import Status, Trajectory


class Interrupted(KeyboardInterrupt):
    """Ctrl-C; the text says where what was computed lies."""


def run(
    config: Config,
    *,
    out: str | Path,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool = True,
) -> RunResult:
    """Train, solve the theory from the same weights at the same times, compare, save `out`/NAME.h5
    and figures.

    While it trains, NAME.h5.partial is renewed every 10 s or so; `resume` goes on from there (and
    starts anew if there is none). What the training depends on has to be the same: everything but
    `name`, `theory` and `train.steps`, of which there may be more; of data from a file the data
    count, and not where they lie. A run that was finished with the same settings is read and
    returned as it is. Of other settings, each of which is named, both are refused. `overwrite`
    replaces what is there; with `resume` beside it what was trained is kept, where a run of another
    theory or of more steps takes the place of a finished one. A nonlinear network and
    cross-entropy have no reduction: they are trained only.

    Raises, before anything is computed, `FileExistsError` where results are in the way (unless
    `overwrite`), `StoreError` where an interrupted run was of other settings, `OSError` where `out`
    can't be written, `ValueError` for what does not fit together, into memory or into the numbers
    of `train.dtype`; `NotSavedError` where the results had to be put elsewhere; `Interrupted` on
    Ctrl-C."""
    if jnp.result_type(float) != np.float64:
        raise ValueError(
            'The theory needs float64: add jax.config.update("jax_enable_x64", True) at the start.'
        )
    target = Path(out) / f"{config.name}.h5"
    check_target(target, FIGURES, overwrite, resume)
    check_task_size(config.task)
    check_network_size(config.network)
    task = build_task(config.task)
    data = (
        fingerprint(task)
        if isinstance(config.task, configuration.Arrays | configuration.Csv)
        else None
    )
    if resume and not overwrite and target.exists():
        return find_figures(_read_finished(config, finished(config, data, target)))
    earlier = earlier_training(config, data, target, overwrite) if resume else None
    network = build_network(config.network, task)
    check_run_size(config, network, task)
    weights = network.init(build_law(config.init), key=config.seed, task=task)
    check_numbers(config, network, task, weights)
    # Before the training, so that whatever can't be reduced is refused before it costs hours.
    systems = _reduced(config, network, task, weights)
    no_theory = only_trained(config, network)

    if earlier is None:  # then only `overwrite` lets one be there
        partial_path(target).unlink(missing_ok=True)
    try:
        trained = _train(config, network, task, weights, earlier, target, data, progress)
        solved, notes = _theories(config, systems, no_theory, trained, progress)
        comparison, more = _compared(solved, trained)
        result = RunResult(config, trained, solved, comparison, target, notes=(*notes, *more))
        result = saved(result, overwrite)
    except KeyboardInterrupt as stop:
        raise Interrupted(f"Interrupted. {kept_of(target) or 'Nothing is kept.'}") from stop
    except NotSavedError:
        raise
    except Exception as error:
        if kept := kept_of(target):
            error.add_note(kept)
        raise
    try:
        return draw_figures(result)
    except KeyboardInterrupt as stop:
        raise Interrupted(
            f"Interrupted. {target} has the results; --resume draws the figures."
        ) from stop


def _read_finished(config: Config, file: store.File) -> RunResult:
    """A finished run from its file."""
    trained = file["trained"]
    theories = {name: run for name, run in file.items() if name != "trained"}
    comparison, notes = _compared(theories, trained)
    said = f"this run is finished already: nothing was computed, {file.path} is as it was"
    return RunResult(config, trained, theories, comparison, file.path, notes=(said, *notes))


def _reduced(
    config: Config, network: Network, task: tasks.Task, weights: Weights
) -> dict[str, AbstractSystem]:
    """Name of the theory -> its system, that of `theory.level` first: "theory", and levels beside
    it by their names. Empty where it is only trained.
    """
    if only_trained(config, network):
        return {}
    first, *others = levels_beside(config)
    systems = {"theory": reduced_to(first, config, network, task, weights)}
    for level in others:
        try:
            system = reduced_to(level, config, network, task, weights)
        except ValueError:
            if config.theory.beside is not None:
                raise
            continue
        # "best" may be a level that stands beside it: a table has one column for each.
        if _level_of(system) not in map(_level_of, systems.values()):
            systems[level] = system
    return systems


def _level_of(system: AbstractSystem) -> str:
    return str((system.validity or {}).get("level", ""))


def _train(
    config: Config,
    network: Network,
    task: tasks.Task,
    weights: Weights,
    earlier: Trained | None,
    target: Path,
    data: str | None,
    progress: bool,
) -> Trajectory:
    """The whole training, from `weights` or from what was trained earlier; kept as a checkpoint
    however it ended.
    """
    settings = configuration.as_dict(config)
    start: Weights | Trajectory = weights
    done, save_every = 0, config.train.save_every
    if earlier is not None:
        start, done = earlier.trajectory, earlier.done
        ended = Status(int(start.status)) in (Status.SETTLED, Status.NOT_FINITE)
        if done == config.train.steps or ended:
            return start
        # Which `train` would choose for the remaining steps alone.
        save_every = earlier.save_every

    def keep(trajectory: Trajectory) -> None:
        try:
            store.checkpoint(target, config=settings, trained=_with_data(trajectory, data))
        # A full disk now may have room later, and the training is worth more than its copy
        except OSError as error:
            warnings.warn(f"No checkpoint was written: {error}", RuntimeWarning, stacklevel=2)

    trained = train(
        network,
        task,
        start,
        lr=config.train.lr,
        steps=config.train.steps - done,
        until=config.train.until,
        save_every=save_every,
        dtype=config.train.dtype,
        loss=config.train.loss,
        weight_decay=config.train.weight_decay,
        checkpoint=keep,
        progress=progress,
    )
    keep(trained)
    if int(trained.status) == Status.INTERRUPTED:
        raise KeyboardInterrupt
    return _with_data(trained, data)


def _with_data(trajectory: Trajectory, data: str | None) -> Trajectory:
    """With the fingerprint of its data among its settings, by which `resume` knows them again."""
    source = trajectory.provenance
    if source is None or data is None:
        return trajectory
    return dataclasses.replace(
        trajectory,
        provenance=dataclasses.replace(source, settings={**source.settings, "data": data}),
    )


def _theories(
    config: Config,
    systems: dict[str, AbstractSystem],
    no_theory: str,
    trained: Trajectory,
    progress: bool,
) -> tuple[dict[str, Trajectory], tuple[str, ...]]:
    """The theories at the training's times, and why one is missing (`no_theory`: why all are): what
    was trained is kept in any case.
    """
    if no_theory:
        return {}, (no_theory,)
    if trained.failed:
        return {}, ("the training did not end well: there is nothing to compare a theory with",)
    solved, notes = {}, []
    for name, system in systems.items():
        try:
            solved[name] = simulate(system, trained.ts, rtol=config.theory.rtol, progress=progress)
        except SolveError as error:
            notes.append(f"no {name}: {error}")
        else:
            notes += remarks(system, trained, progress)
    return solved, tuple(notes)


def _compared(
    theories: dict[str, Trajectory], trained: Trajectory
) -> tuple[Comparison | Comparisons | MemberComparison | None, tuple[str, ...]]:
    """All held against the training, or None and why not: it costs nobody a training."""
    if not theories:
        return None, ()
    try:
        return compare(by_level(theories), trained), ()
    except ValueError as error:
        return None, (f"no comparison: {error}",)
