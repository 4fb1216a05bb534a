"""A block of configurations, computed: weights drawn one by one as `racedyn run` draws them, one
training of them all, theories beside it.
"""

import dataclasses
import json
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn._types import AnyArray, Weights
from racedyn.config import Config, parse
from racedyn.jobs.build import build_law, build_network, build_task
from racedyn.jobs.levels import levels_beside, only_trained, reduced_to
from racedyn.jobs.sizes import check_network_size, check_numbers, check_run_size, check_task_size
from racedyn.jobs.sweeps.measures import (
    THEORY,
    Ran,
    measured,
    needs_theory,
    observed,
    remarks_on,
)
from racedyn.networks import Network
from racedyn.simulation import SolveError, ensemble, simulate
from racedyn.systems import AbstractSystem, observable_shapes
from racedyn.tasks import Task
from racedyn.training import Training
from racedyn.trajectory import Status, Trajectory

STATUS, ERROR, POINT = "status", "error", "configuration"
BESIDE = (STATUS, ERROR, POINT)  # names under which a sweep says what became of its points
Values = dict[str, tuple[tuple[str, ...], np.ndarray]]


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one point: `values`, name -> axes and array, none where it failed before there
    was any; `error`: why, or what its values don't tell, or ""; `labels` along axes."""

    status: Status
    error: str = ""
    values: Values = dataclasses.field(default_factory=dict)
    labels: Mapping[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)


def labels_of(values: np.ndarray) -> tuple[Any, ...]:
    """What stands along an axis: numbers or texts, to be compared and written down."""
    return tuple(values.tolist() if values.dtype.kind in "biuf" else map(str, values))


@dataclasses.dataclass(frozen=True, eq=False)
class _Ready:
    """A configuration that can be trained."""

    config: Config
    network: Network
    task: Task
    weights: Weights


def computed(settings: Sequence[Mapping[str, Any]], observe: Sequence[str]) -> list[Outcome]:
    """What becomes of these points, whose configurations differ in numbers alone."""
    outcomes: list[Outcome | _Ready] = [_ready(each) for each in settings]
    numbers = [i for i, each in enumerate(outcomes) if isinstance(each, _Ready)]
    ready = [each for each in outcomes if isinstance(each, _Ready)]
    done = _all(ready, observe) if ready else []
    for i, outcome in zip(numbers, done, strict=True):
        outcomes[i] = outcome
    return [each for each in outcomes if isinstance(each, Outcome)]


def _ready(settings: Mapping[str, Any]) -> "_Ready | Outcome":
    """Network, task and weights; or what is wrong with them."""
    config = parse({"name": "sweep", **settings["config"]})
    sections = {name: settings["config"][name] for name in ("task", "network")}
    try:
        network, task = _built(json.dumps(sections), settings["data"])
        check_run_size(config, network, task)
        weights = network.init(build_law(config.init), key=config.seed, task=task)
        check_numbers(config, network, task, weights)
    except (ValueError, TypeError, OSError, MemoryError) as error:
        return Outcome(Status.FAILED, _said(error))
    return _Ready(config, network, task, weights)


@cache
def _built(sections: str, data: str) -> tuple[Network, Task]:
    """Those of a task and a network, which many configurations have in common. `data`: a checksum
    of the file that the task is read from, as another one may lie there by now."""
    del data
    rest = {"init": {"kind": "gaussian", "std": 1.0}, "train": {"lr": 1.0, "steps": 1}}
    config = parse({"name": "sweep", **rest, **json.loads(sections)})
    check_task_size(config.task)
    check_network_size(config.network)
    task = build_task(config.task)
    return build_network(config.network, task), task


def _all(ready: Sequence[_Ready], observe: Sequence[str]) -> list[Outcome]:
    """Together where that can be, else one by one, so that each fails alone."""
    try:
        trained = _trained(ready, observe)
    except (ValueError, TypeError) as error:
        if len(ready) == 1:
            return [Outcome(Status.FAILED, _said(error))]
        return [_all([each], observe)[0] for each in ready]
    theories = _theories(ready, *trained) if needs_theory(observe) else [{} for _ in ready]
    return [
        _outcome(each, run, beside, observe)
        for each, run, beside in zip(ready, trained[0], theories, strict=True)
    ]


def _outcome(
    ready: _Ready, trained: Trajectory, beside: dict[str, Trajectory | str], observe: Sequence[str]
) -> Outcome:
    """What is kept of one configuration. `beside`: theories, or why there is none."""
    status = Status(int(trained.status))
    if not status.ok:
        return Outcome(status, f"the training {status.message}")
    remarks = [f"{name}: {theory}" for name, theory in beside.items() if isinstance(theory, str)]
    remarks += remarks_on(trained, observe)
    theories = {name: run for name, run in beside.items() if isinstance(run, Trajectory)}
    names = levels_beside(ready.config)
    try:
        values = measured(Ran(trained, theories), observe, names)
    except ValueError as error:
        return Outcome(Status.FAILED, _said(error))
    return Outcome(status, "; ".join(remarks), values, {**trained.labels, "theory": names})


def _trained(
    ready: Sequence[_Ready], observe: Sequence[str]
) -> tuple[list[Trajectory], list[np.ndarray]]:
    """All trainings, as one program, and the times of all rows that each of them may have."""
    first = ready[0]
    given = first.config.train
    until = [each.config.train.until for each in ready]
    members: dict[str, Any] = {
        "lr": np.array([each.config.train.lr for each in ready]),
        "weights": {
            edge: jnp.stack([each.weights[edge] for each in ready]) for edge in first.weights
        },
    }
    if given.weight_decay:
        members["weight_decay"] = np.array([each.config.train.weight_decay for each in ready])
    if isinstance(given.until, float | int):
        members["until"] = np.array(until, float)

    def member(own: Mapping[str, Any]) -> Training:
        return Training(
            first.network,
            first.task,
            own["weights"],
            lr=own["lr"],
            steps=given.steps,
            until=own.get("until", given.until),
            save_every=given.save_every,
            loss=given.loss,
            weight_decay=own.get("weight_decay", 0.0),
            dtype=given.dtype,
            observe=observed(observe),
        )

    with warnings.catch_warnings():  # of members that failed, each of which says so itself
        warnings.simplefilter("ignore", RuntimeWarning)
        run = _whole(ensemble(member, members))
    return [run.member(i) for i in range(len(ready))], [_times(run, i) for i in range(len(ready))]


def _times(run: Trajectory, i: int) -> np.ndarray:
    """Flow times of all rows of a member, however early it ended."""
    if run.provenance is not None and run.provenance.settings["time_unit"] == "tau":
        return np.asarray(run.ts)
    return np.asarray(run.step) * float(np.asarray(run.stats["time_per_step"])[i])


def _whole(run: Trajectory) -> Trajectory:
    """An ensemble, unless Ctrl-C ended it, which is not what becomes of a configuration."""
    if (np.asarray(run.status) == Status.INTERRUPTED).any():
        raise KeyboardInterrupt
    return run


def _theories(
    ready: Sequence[_Ready], trained: Sequence[Trajectory], times: Sequence[np.ndarray]
) -> list[dict[str, Trajectory | str]]:
    """Level -> its solution at the times of each training, or why there is none. `times`: of all
    rows that there may be: trainings that end apart are solved together, and then cut."""
    found: list[dict[str, Trajectory | str]] = [{} for _ in ready]
    if not ready[0].network.linear:
        return found
    if no_theory := only_trained(ready[0].config, ready[0].network):
        return [{THEORY: no_theory} for _ in ready]
    for level in levels_beside(ready[0].config):
        systems: dict[int, AbstractSystem] = {}
        for i, each in enumerate(ready):
            if trained[i].failed:
                continue
            try:
                systems[i] = reduced_to(level, each.config, each.network, each.task, each.weights)
            except ValueError as error:
                found[i][level] = _said(error)
        for numbers in _at_the_same_times(systems, times):
            rtol, ts = ready[numbers[0]].config.theory.rtol, times[numbers[0]]
            for i, solution in _solved(systems, numbers, ts, rtol).items():
                found[i][level] = _cut(solution, len(trained[i].ts))
    return found


def _cut(solution: Trajectory | str, rows: int) -> Trajectory | str:
    """Its first rows."""
    if isinstance(solution, str):
        return solution
    observables: dict[str, AnyArray] = {
        name: np.asarray(value)[:rows] for name, value in solution.observables.items()
    }
    return dataclasses.replace(
        solution, ts=np.asarray(solution.ts)[:rows], observables=observables, ys=None
    )


def _at_the_same_times(
    numbers: Sequence[int] | Mapping[int, Any], times: Sequence[np.ndarray]
) -> list[list[int]]:
    """Members that have the same times together."""
    groups: dict[bytes, list[int]] = {}
    for i in numbers:
        groups.setdefault(times[i].tobytes(), []).append(i)
    return list(groups.values())


def _solved(
    systems: Mapping[int, AbstractSystem], numbers: list[int], ts: Any, rtol: float | None
) -> dict[int, Trajectory | str]:
    """These systems' solutions: of one kind as one program, else one by one."""

    def of(k: Any) -> AbstractSystem:
        return systems[numbers[int(k)]]

    known = observable_shapes(of(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            names = [name for name in ("strength", "loss") if name in known]
            options: dict[str, Any] = {} if rtol is None else {"rtol": rtol}
            run = _whole(ensemble(of, len(numbers), ts, observe=names, **options))
        except (ValueError, TypeError):
            return {i: _alone(systems[i], ts, rtol) for i in numbers}
    return {i: _or_why(run.member(k)) for k, i in enumerate(numbers)}


def _or_why(solution: Trajectory) -> Trajectory | str:
    failed = solution.failed
    return f"it {Status(int(np.ravel(solution.status)[failed[0]])).message}" if failed else solution


def _alone(system: AbstractSystem, ts: Any, rtol: float | None) -> Trajectory | str:
    try:
        return simulate(system, ts, rtol=rtol)
    except SolveError as error:
        return _said(error)


def _said(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
