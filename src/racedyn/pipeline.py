"""The main job as one function: task -> network -> weights -> training -> theory -> comparison -> file and figure."""

import dataclasses
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn import config as configuration
from racedyn import networks, plot, store, tasks
from racedyn._types import Weights
from racedyn.comparison import Comparison, compare
from racedyn.config import Config
from racedyn.networks import Network
from racedyn.reduction import reduce
from racedyn.simulation import SolveError, simulate
from racedyn.store.files import partial_path
from racedyn.systems import AbstractSystem
from racedyn.training import train
from racedyn.trajectory import Status, Trajectory

FIGURES = (".png", ".pdf")


@dataclasses.dataclass(frozen=True, eq=False)
class RunResult:
    """What a run computed and where it lies.

    **Fields:** `config`; `trained`; `theory` and `comparison`, None where the network has no reduction or the training
    diverged; `path` of the results, `figures`; `notes`: what a reader must know before using them.
    """

    config: Config
    trained: Trajectory
    theory: Trajectory | None
    comparison: Comparison | None
    path: Path
    figures: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


class NotSavedError(OSError):
    """Results that could not be written where they belong; the text says where they are, `result` has them."""

    def __init__(self, message: str, result: RunResult):
        super().__init__(message)
        self.result = result


class Interrupted(KeyboardInterrupt):
    """Ctrl-C; the text says where what was computed lies."""


def run(
    config: Config, *, out: str | Path, force: bool = False, resume: bool = False, progress: bool = True
) -> RunResult:
    """Train, solve the theory from the same weights at the same times, compare, save `out`/NAME.h5 and figures.

    While it trains, NAME.h5.partial is renewed every 10 s or so; `resume` goes on from there if it is of the same
    configuration (and starts anew if there is none). A nonlinear network has no reduction: it is trained only.

    Raises, before anything is computed, `FileExistsError` where results are in the way (unless `force`), `OSError`
    where `out` can't be written, `ValueError` for what does not fit together; `NotSavedError` where the results had to
    be put elsewhere; `Interrupted` on Ctrl-C.
    """
    if jnp.result_type(float) != np.float64:
        raise ValueError('The theory needs float64: add jax.config.update("jax_enable_x64", True) at the start.')
    target = Path(out) / f"{config.name}.h5"
    _check_target(target, force, resume)
    task = build_task(config.task)
    network = build_network(config.network, task)
    weights = network.init(build_law(config.init), key=config.seed, task=task)
    # Before the training, so that whatever can't be reduced is refused before it costs hours.
    decay, theory = config.train.weight_decay, config.theory
    system = (
        reduce(network, task, weights, level=theory.level, force=theory.force, weight_decay=decay)
        if network.linear
        else None
    )

    if not resume:  # then only `force` lets one be there
        partial_path(target).unlink(missing_ok=True)
    try:
        trained = _train(config, network, task, weights, target, progress)
        solved, notes = _theory(config, system, trained, progress)
    except KeyboardInterrupt as stop:
        partial = partial_path(target)
        kept = f"{partial} has what was trained: --resume goes on from it." if partial.exists() else "Nothing is kept."
        raise Interrupted(f"Interrupted. {kept}") from stop

    result = RunResult(
        config=config,
        trained=trained,
        theory=solved,
        comparison=None if solved is None else compare(solved, trained),
        path=target,
        notes=notes,
    )
    return _save_figures(_save(result, force))


def build_task(section: configuration.TaskSection) -> tasks.Task:
    """The task of a configuration. Raises `OSError` or `ValueError` for data that can't be read."""
    if isinstance(section, configuration.Arrays):
        return _arrays(section.path)
    if isinstance(section, configuration.Csv):
        return tasks.from_csv(**_settings(section))
    return getattr(tasks, section.kind)(**_settings(section))


def _settings(section: Any) -> dict[str, Any]:
    """The fields of a section but its kind: a kind has the name and the arguments of its builder."""
    return {field.name: getattr(section, field.name) for field in dataclasses.fields(section) if field.name != "kind"}


def _arrays(path: str) -> tasks.Task:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as data:
            missing = [name for name in ("X", "Y") if name not in data]
            if missing:
                raise ValueError(f"it has {', '.join(data) or 'nothing'}, but no {' and no '.join(missing)}")
            return tasks.from_arrays(data["X"], data["Y"], name=Path(path).stem)
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        # NumPy takes what is no .npz for a pickle, and advises to trust it.
        why = "it is not one" if "allow_pickle" in str(error) or "pickle" in str(error) else str(error)
        raise ValueError(f"`task.path` must be a .npz file with X and Y, but {path}: {why}") from error


def build_network(section: configuration.NetworkSection, task: tasks.Task) -> Network:
    """The network of a configuration, with the task's inputs and outputs. Raises `TypeError` for a task of another kind."""
    return getattr(networks, section.kind)(task, **_settings(section))


def build_law(section: configuration.InitSection) -> networks.init.AbstractLaw:
    """The law of the initial weights of a configuration."""
    return getattr(networks.init, section.kind.capitalize())(**_settings(section))


def draw(*runs: Trajectory) -> Any:
    """The race between a theory and training, or in one run alone; the losses where no strengths were saved. Its axes.

    There are none where no inputs and targets are correlated but behind gates (pure XoR), or where paths are too many.
    """
    return plot.race(*runs) if all("strength" in run.observables for run in runs) else plot.loss(*runs)


def _check_target(target: Path, force: bool, resume: bool) -> None:
    """Refuse now what would otherwise fail after the training."""
    partial = partial_path(target)
    for path in (target, *map(target.with_suffix, FIGURES)):
        if path.exists() and not force:
            raise FileExistsError(f"{path} exists. Pass --force (force=True) to replace it, or another --name.")
    if partial.exists() and not (force or resume):
        raise FileExistsError(
            f"{partial} is what an unfinished run left. Pass --resume (resume=True) to go on from it, or --force "
            "(force=True) to start anew."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=target.parent):
        pass


def _train(
    config: Config, network: Network, task: tasks.Task, weights: Weights, target: Path, progress: bool
) -> Trajectory:
    """The whole training, from a checkpoint if there is one to go on from; kept as a checkpoint however it ended."""
    settings = configuration.as_dict(config)
    start: Any = weights
    done, save_every = 0, config.train.save_every
    if partial_path(target).exists():
        start = _resumed(target, settings)
        done = int(start.step[-1])
        if done >= config.train.steps or int(start.status) == Status.NOT_FINITE:
            return start
        save_every = start.provenance.settings["save_every"]  # which `train` would choose for the remaining steps alone

    def keep(trajectory: Trajectory) -> None:
        try:
            store.checkpoint(target, config=settings, trained=trajectory)
        except OSError as error:  # a full disk now may have room later, and the training is worth more than its copy
            warnings.warn(f"No checkpoint was written: {error}", RuntimeWarning, stacklevel=2)

    trained = train(
        network,
        task,
        start,
        lr=config.train.lr,
        steps=config.train.steps - done,
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
    return trained


def _theory(
    config: Config, system: AbstractSystem | None, trained: Trajectory, progress: bool
) -> tuple[Trajectory | None, tuple[str, ...]]:
    """The theory at the training's times, or None and why there is none: what was trained is kept in any case."""
    if system is None:
        return None, ("a nonlinear network has no reduction: it was only trained",)
    if trained.failed:
        return None, ("the training did not end well: there is nothing to compare a theory with",)
    try:
        return simulate(system, trained.ts, rtol=config.theory.rtol, progress=progress), ()
    except SolveError as error:
        return None, (f"no theory: {error}",)


def _resumed(target: Path, settings: dict[str, Any]) -> Trajectory:
    """What an unfinished run of the same configuration had trained."""
    file = store.load(partial_path(target), partial=True)
    if file.config != settings:
        raise ValueError(
            f"{file.path} is of another configuration, {file.config}. Give this run another name, restore the "
            "configuration, or pass --force (force=True) without --resume to start anew."
        )
    return file["trained"]


def _save(result: RunResult, force: bool) -> RunResult:
    """Write the results; where that fails, into the system's temporary folder."""
    groups: dict[str, Any] = {} if result.theory is None else {"theory": result.theory}
    groups |= {"trained": result.trained, "config": configuration.as_dict(result.config)}
    try:
        store.save(result.path, overwrite=force, **groups)
        return result
    except OSError as error:
        elsewhere = store.save(Path(tempfile.mkdtemp(prefix="racedyn-")) / result.path.name, **groups)
        message = f"{result.path} could not be written: {error}. The results are in {elsewhere}."
        raise NotSavedError(message, dataclasses.replace(result, path=elsewhere)) from error


def _save_figures(result: RunResult) -> RunResult:
    """Draw the race beside the results."""
    axes = draw(*([] if result.theory is None else [result.theory]), result.trained)
    try:
        figures = tuple(plot.save_figure(axes, result.path.with_suffix(ending)) for ending in FIGURES)
    except OSError as error:
        message = f"The figure could not be written: {error}. `racedyn plot {result.path}` draws it."
        raise NotSavedError(message, result) from error
    finally:
        plot.close(axes)
    return dataclasses.replace(result, figures=figures)
