"""The main job as one function: task -> network -> weights -> training -> theory -> comparison ->
file and figure.
"""

import dataclasses
import math
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn import config as configuration
from racedyn import networks, plot, store, tasks
from racedyn._types import Weights
from racedyn.comparison import Comparison, compare
from racedyn.config import Config
from racedyn.jobs.resuming import check_target, earlier_training, fingerprint, finished
from racedyn.jobs.sizes import check_network_size, check_run_size, check_task_size, memory
from racedyn.networks import Network
from racedyn.reduction import reduce
from racedyn.rules import as_loss
from racedyn.simulation import SolveError, simulate
from racedyn.store import partial_path
from racedyn.systems import AbstractSystem
from racedyn.training import train
from racedyn.trajectory import Status, Trajectory

FIGURES = (".png", ".pdf")


@dataclasses.dataclass(frozen=True, eq=False)
class RunResult:
    """What a run computed and where it lies.

    **Fields:** `config`; `trained`; `theory` and `comparison`, None where the network has no
    reduction or the training diverged; `path` of the results, `figures`; `notes`: what a reader
    must know before using them."""

    config: Config
    trained: Trajectory
    theory: Trajectory | None
    comparison: Comparison | None
    path: Path
    figures: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


class NotSavedError(OSError):
    """Results that could not be written where they belong; the text says where they are, `result`
    has them.
    """

    def __init__(self, message: str, result: RunResult):
        super().__init__(message)
        self.result = result


class Interrupted(KeyboardInterrupt):
    """Ctrl-C; the text says where what was computed lies."""


def run(
    config: Config,
    *,
    out: str | Path,
    force: bool = False,
    resume: bool = False,
    progress: bool = True,
) -> RunResult:
    """Train, solve the theory from the same weights at the same times, compare, save `out`/NAME.h5
    and figures.

    While it trains, NAME.h5.partial is renewed every 10 s or so; `resume` goes on from there (and
    starts anew if there is none). What the training depends on has to be the same: everything but
    `name`, `theory` and `train.steps`, of which there may be more; of data from a file the data
    count, and not where they lie. A run that was finished with the same settings is read and
    returned as it is. With `resume` and `force` a finished run is replaced by one of another theory
    or of more steps, and what was trained is kept. A nonlinear network has no reduction: it is
    trained only.

    Raises, before anything is computed, `FileExistsError` where results are in the way (unless
    `force`), `OSError` where `out` can't be written, `ValueError` for what does not fit together,
    into memory or into the numbers of `train.dtype`; `NotSavedError` where the results had to be
    put elsewhere; `Interrupted` on Ctrl-C."""
    if jnp.result_type(float) != np.float64:
        raise ValueError(
            'The theory needs float64: add jax.config.update("jax_enable_x64", True) at the start.'
        )
    target = Path(out) / f"{config.name}.h5"
    check_target(target, FIGURES, force, resume)
    check_task_size(config.task)
    check_network_size(config.network)
    task = build_task(config.task)
    data = (
        fingerprint(task)
        if isinstance(config.task, configuration.Arrays | configuration.Csv)
        else None
    )
    if resume and not force and target.exists():
        return _figures_drawn(_read_finished(config, finished(config, data, target)))
    earlier = earlier_training(config, data, target) if resume else None
    network = build_network(config.network, task)
    check_run_size(config, network, task)
    weights = network.init(build_law(config.init), key=config.seed, task=task)
    _check_numbers(config, network, task, weights)
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
        trained = _train(config, network, task, earlier or weights, target, data, progress)
        solved, notes = _theory(config, system, trained, progress)
        comparison, more = _compared(solved, trained)
        result = RunResult(config, trained, solved, comparison, target, notes=(*notes, *more))
        result = _save(result, force)
    except KeyboardInterrupt as stop:
        raise Interrupted(f"Interrupted. {_kept(target) or 'Nothing is kept.'}") from stop
    except NotSavedError:
        raise
    except Exception as error:
        if kept := _kept(target):
            error.add_note(kept)
        raise
    try:
        return _save_figures(result)
    except KeyboardInterrupt as stop:
        raise Interrupted(
            f"Interrupted. {target} has the results; --resume draws the figures."
        ) from stop


def _kept(target: Path) -> str:
    partial = partial_path(target)
    return f"{partial} has what was trained: --resume goes on from it." if partial.exists() else ""


def _read_finished(config: Config, file: store.File) -> RunResult:
    """A finished run from its file."""
    trained, theory = file["trained"], file.get("theory")
    comparison, notes = _compared(theory, trained)
    said = f"this run is finished already: nothing was computed, {file.path} is as it was"
    return RunResult(config, trained, theory, comparison, file.path, notes=(said, *notes))


def _figures_drawn(result: RunResult) -> RunResult:
    """The figures that are there, or, where a run was stopped before they were, drawn now."""
    figures = tuple(map(result.path.with_suffix, FIGURES))
    if all(figure.exists() for figure in figures):
        return dataclasses.replace(result, figures=figures)
    return _save_figures(result)


def build_task(section: configuration.TaskSection) -> tasks.Task:
    """The task of a configuration. Raises `OSError` or `ValueError` for data that can't be read."""
    if isinstance(section, configuration.Arrays):
        return _arrays(section.path)
    if isinstance(section, configuration.Csv):
        return tasks.from_csv(**_settings(section))
    return getattr(tasks, section.kind)(**_settings(section))


def _settings(section: Any) -> dict[str, Any]:
    """The fields of a section but its kind: a kind has the name and the arguments of its
    builder.
    """
    return {
        field.name: getattr(section, field.name)
        for field in dataclasses.fields(section)
        if field.name != "kind"
    }


def _arrays(path: str) -> tasks.Task:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as data:
            missing = [name for name in ("X", "Y") if name not in data]
            if missing:
                raise ValueError(
                    f"it has {', '.join(data) or 'nothing'}, but no {' and no '.join(missing)}"
                )
            for name in ("X", "Y"):
                _check_stored(data.zip, f"{name}.npy", name)
            return tasks.from_arrays(data["X"], data["Y"], name=Path(path).stem)
    except (
        ValueError,
        TypeError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        AttributeError,
    ) as error:
        # NumPy takes what is no .npz for a pickle, and advises to trust it; an array alone has no
        # names.
        foreign = isinstance(error, AttributeError) or "pickle" in str(error)
        why = "it is not one" if foreign else str(error)
        raise ValueError(
            f"`task.path` must be a .npz file with X and Y, but {path}: {why}"
        ) from error


def _check_stored(archive: zipfile.ZipFile, member: str, name: str) -> None:
    """Refuse an array whose header promises more than the archive holds, before NumPy makes room
    for it.
    """
    header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    held = archive.getinfo(member).file_size
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in header:
            raise ValueError(
                f"{name} is of version {version} of NumPy's format, and 1.0 and 2.0 are read"
            )
        shape, _, dtype = header[version](file)
        promised = math.prod(shape) * dtype.itemsize
        if (
            dtype.kind not in "biuf"
        ):  # objects would run code, texts and dates would become some number or other
            raise ValueError(f"{name} has the dtype {dtype}, and numbers are needed")
        if any(length < 0 for length in shape) or promised != held - file.tell():
            raise ValueError(
                f"{name} is damaged: its header says shape {shape} of {dtype}, and {held} bytes "
                "are there"
            )
    if promised > memory():
        raise ValueError(f"{name} has shape {shape} of {dtype}, more than this machine's memory")


def build_network(section: configuration.NetworkSection, task: tasks.Task) -> Network:
    """The network of a configuration, with the task's inputs and outputs. Raises `TypeError` for a
    task of another kind.
    """
    return getattr(networks, section.kind)(task, **_settings(section))


def build_law(section: configuration.InitSection) -> networks.init.AbstractLaw:
    """The law of the initial weights of a configuration."""
    return getattr(networks.init, section.kind.capitalize())(**_settings(section))


def draw(*runs: Trajectory) -> Any:
    """The race between a theory and training, or in one run alone; the losses where no strengths
    were saved. Its axes.

    There are none where no inputs and targets are correlated but behind gates (pure XoR), or where
    paths are too many."""
    return plot.race(*runs) if all("strength" in run for run in runs) else plot.loss(*runs)


def _check_numbers(config: Config, network: Network, task: tasks.Task, weights: Weights) -> None:
    """Refuse sizes that the training's precision takes for zero or infinity: it would learn
    nothing, without a word.
    """
    dtype = np.finfo(config.train.dtype)
    law = config.init
    key, given = (
        ("std", law.std) if isinstance(law, configuration.Gaussian) else ("scale", law.scale)
    )
    largest = max(float(np.max(np.abs(np.asarray(array)))) for array in weights.values())
    longest = config.train.lr * as_loss(config.train.loss).factor(task) * config.train.steps
    for name, value, what, size in (
        (f"init.{key}", given, "the largest weight is", largest),
        ("train.lr", config.train.lr, "it is", config.train.lr),
        ("train.weight_decay", config.train.weight_decay, "it is", config.train.weight_decay),
        ("train.lr", config.train.lr, "all steps together take a flow time of", longest),
    ):
        if not (value == 0 or float(dtype.tiny) <= size <= float(dtype.max)):
            raise configuration.ConfigError(
                f"`{name}` must be such that {config.train.dtype} holds what it leads to, but of "
                f"{value:g} {what} {size:g}."
            )


def _train(
    config: Config,
    network: Network,
    task: tasks.Task,
    start: Weights | Trajectory,
    target: Path,
    data: str | None,
    progress: bool,
) -> Trajectory:
    """The whole training, from weights or from what was trained before; kept as a checkpoint
    however it ended.
    """
    settings = configuration.as_dict(config)
    done, save_every = 0, config.train.save_every
    if isinstance(start, Trajectory):
        done = int(start.step[-1])  # type: ignore[index]
        if done == config.train.steps or int(start.status) == Status.NOT_FINITE:
            return start
        # Which `train` would choose for the remaining steps alone.
        save_every = start.provenance.settings["save_every"]  # type: ignore[union-attr]

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


def _theory(
    config: Config, system: AbstractSystem | None, trained: Trajectory, progress: bool
) -> tuple[Trajectory | None, tuple[str, ...]]:
    """The theory at the training's times, or None and why there is none: what was trained is kept
    in any case.
    """
    if system is None:
        return None, ("a nonlinear network has no reduction: it was only trained",)
    if trained.failed:
        return None, ("the training did not end well: there is nothing to compare a theory with",)
    try:
        return simulate(system, trained.ts, rtol=config.theory.rtol, progress=progress), ()
    except SolveError as error:
        return None, (f"no theory: {error}",)


def _compared(
    theory: Trajectory | None, trained: Trajectory
) -> tuple[Comparison | None, tuple[str, ...]]:
    """Both held against each other, or None and why not: it costs nobody a training."""
    if theory is None:
        return None, ()
    try:
        return compare(theory, trained), ()
    except ValueError as error:
        return None, (f"no comparison: {error}",)


def _save(result: RunResult, force: bool) -> RunResult:
    """Write the results; where that fails, into the system's temporary folder."""
    groups: dict[str, Any] = {} if result.theory is None else {"theory": result.theory}
    groups |= {"trained": result.trained, "config": configuration.as_dict(result.config)}
    try:
        store.save(result.path, overwrite=force, **groups)
        return result
    except OSError as error:
        try:
            elsewhere = store.save(
                Path(tempfile.mkdtemp(prefix="racedyn-")) / result.path.name, **groups
            )
        except OSError as second:
            kept = _kept(result.path) or "They are lost."
            raise OSError(
                f"The results could be written neither where they belong ({error}) nor elsewhere "
                f"({second}). {kept}"
            ) from error
        message = f"{result.path} could not be written: {error}. The results are in {elsewhere}."
        raise NotSavedError(message, dataclasses.replace(result, path=elsewhere)) from error


def _save_figures(result: RunResult) -> RunResult:
    """Draw the race beside the results."""
    axes = None
    try:
        axes = draw(*([] if result.theory is None else [result.theory]), result.trained)
        figures = tuple(
            plot.save_figure(axes, result.path.with_suffix(ending)) for ending in FIGURES
        )
    except Exception as error:  # also what a plot can't show: the results are in their file
        message = (
            f"The figure could not be written: {error}. `racedyn plot {result.path}` draws it."
        )
        raise NotSavedError(message, result) from error
    finally:
        if axes is not None:
            plot.close(axes)
    return dataclasses.replace(result, figures=figures)
