"""Checkpoints of a training that ran elsewhere, read as `train` reads its own: weights in, a
Trajectory out.
"""

import dataclasses
import math
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

import equinox as eqx
import jax
import numpy as np

from racedyn._checks import check_flags, check_name, check_positive, fail, shown
from racedyn._jit import full_precision
from racedyn._progress import Progress
from racedyn._types import Path, Weights
from racedyn.networks import (
    Network,
    check_task,
    network_said,
    read_weights,
    task_said,
    warn_of_closed_gates,
    with_biases,
)
from racedyn.paths import modes_asked_for
from racedyn.rules import Loss, as_loss
from racedyn.tasks import Modes, Task
from racedyn.training.asked import (
    axes_of,
    check_data_strength,
    check_functions,
    check_observe,
    check_targets,
    said_of,
    with_paths,
)
from racedyn.training.observation import Observer, as_dtype
from racedyn.trajectory import Observable, Probe, Provenance, Status, Trajectory, now, versions


@full_precision
def observe(
    network: Network,
    task: Task,
    checkpoints: Mapping[Any, Any],
    *,
    lr: float | None = None,
    loss: str | Loss = "mean",
    time_unit: str | None = None,
    biases: bool = False,
    dtype: Any = None,
    observe: Sequence[str | Probe | Observable] | None = None,
    paths: Sequence[Path] | None = None,
    modes: Task | Modes | Mapping[tuple[str, str], Modes] | None = None,
    progress: bool = True,
) -> Trajectory:
    """Read weights that were saved along a training of your own: what `train` would have recorded
    of them.

    In a PyTorch loop over Sequential(Linear, ReLU, Linear), every so many steps,
    `states[step] = {name: w.clone() for name, w in model.state_dict().items()}`, and afterwards
    `rd.observe(network, task, states, lr=0.01, loss="mse", biases=True)`, with the loop's MSELoss
    and step size; `network` has `activation="relu"`.

    **Arguments:**

    - `checkpoints`: time -> weights, in any order: a dict edge -> (n_target, n_source), lists of
      matrices or a PyTorch state dict (`networks.read_weights`), or a function without arguments
      that returns one, called when its turn comes. One checkpoint is held at a time; a Mapping of
      your own may load them.
    - `time_unit`: what the times are: "tau" (flow time, by default), or "steps".
    - `lr`: times are steps of descent with this step size on the loss of convention `loss` (as for
      `train`), and become flow time, factor x lr x step.
    - `biases`: take biases as a constant input (`networks.with_biases`); without it, those that are
      not zero are refused. Paths, their names and modes stay those of `network`; `ys` and `end`
      have the edges "<edge>_bias" too.
    - `dtype`: of weights and data; by default that of the first checkpoint, float32 at least.
    - `observe`, `paths`, `modes`: as for `train`.

    **Returns** a Trajectory with the observables of `train`, at rising times, `step` where times
    are steps, and the last weights in `end`. `status` is DONE, or NOT_FINITE where the loss of some
    checkpoint overflows: rows from there on are left out.

    Raises `ValueError` for no checkpoint, times that are no numbers, negative or infinite, and,
    naming its time, for a checkpoint that does not fit the network. Warns where all checkpoints are
    the same: a state dict holds references to weights that training goes on changing, so that its
    tensors have to be copied.

        >>> task = rd.tasks.clusters(sizes=(2, 1))
        >>> network = rd.networks.chain(task, depth=1, width=1)
        >>> states = {0: {"0.weight": 0.1 * task.Y}, 100: {"0.weight": 0.9 * task.Y}}  # by step
        >>> run = rd.observe(network, task, states, lr=0.01)
        >>> run.ts.tolist(), run["strength"][:, 0].round(3).tolist()
        ([0.0, 1.0], [[0.141, 0.1], [1.273, 0.9]])
    """
    start = time.perf_counter()
    check_task(network, task)
    warn_of_closed_gates(network, task)
    check_flags(biases=biases, progress=progress)
    asked = check_observe(network, observe)
    keys = _in_order(checkpoints)
    own_unit = "tau" if lr is None else "steps"
    if lr is not None:
        check_positive("lr", lr)
        if isinstance(time_unit, str) and time_unit == "tau":
            fail(
                "lr",
                "be left out where times are flow time",
                f"it is {lr}",
                'It is for steps: time_unit="steps".',
            )
    keys_in = (
        check_name("time_unit", time_unit, ("tau", "steps")) if time_unit is not None else own_unit
    )
    convention = as_loss(loss)
    if lr is None and convention.name != "mean" and convention.kind == "squared":
        fail(
            "lr",
            "be given with a loss, as the two make steps flow time",
            f"loss is {convention.name!r} and lr is left out",
        )
    times = np.array([*keys.values()])
    if keys_in == "steps" and (odd := times[times != np.floor(times)]).size:
        fail("checkpoints", "be at whole numbers of steps", f"one is at {odd[0]}")

    asked = with_paths(asked, network, task, paths, modes_asked_for(network, task, modes))
    whole, fed = network, task
    if biases:
        whole, fed = with_biases(network, task)
        probes = {name: with_biases(network, probe)[1] for name, probe in asked.probes.items()}
        asked = dataclasses.replace(asked, probes=probes)
    check_data_strength(whole, fed, asked)

    rows: list[dict[str, np.ndarray]] = []
    kept: list[dict[str, np.ndarray]] = []
    observer: Observer | None = None
    last: Weights = {}
    with Progress(total=len(keys), label="observe", unit="checkpoints", show=progress) as bar:
        for weights in _each(network, checkpoints, keys, biases):
            if observer is None:
                dtype = as_dtype(dtype, weights)
                check_targets(asked, fed, convention.kind, dtype)
                observer = Observer.of(asked, whole, fed, dtype, convention.kind)
                check_functions(asked, whole, fed, weights)
            last = {edge: weights[edge].astype(dtype) for edge in whole.edges}
            rows.append(jax.tree.map(np.asarray, _row(observer, last)))
            if asked.weights:
                kept.append(jax.tree.map(np.asarray, last))
            bar.update(len(rows))
    if len(rows) > 1 and all(_equal(row, rows[0]) for row in rows[1:]):
        warnings.warn(
            f"All {len(rows)} checkpoints give the same numbers. If they are state dicts, they may "
            "all hold references to "
            "the weights at the end: copy each tensor when you save it ({name: t.clone() for name, "
            "t in ...}).",
            UserWarning,
            stacklevel=3,
        )

    observables, ys = _stacked(rows), _stacked(kept) if kept else None
    finite = np.isfinite(observables["loss"])
    num = len(keys) if finite.all() else int(np.argmin(finite))
    if num < len(keys):
        warnings.warn(
            f"The loss of the checkpoint at {list(keys)[num]} is not finite: rows from there on "
            "are left out.",
            RuntimeWarning,
            stacklevel=3,
        )
    factor = convention.factor(task)
    unit = "tau" if lr is not None else keys_in
    dims, labels = axes_of(asked, fed)
    return Trajectory(
        ts=(times if lr is None else factor * lr * times)[:num],
        step=times[:num].astype(np.int64) if keys_in == "steps" else None,
        observables={name: array[:num] for name, array in observables.items()},
        dims={name: dims[name] for name in observables},
        labels=labels,
        ys=jax.tree.map(lambda array: array[:num], ys),
        status=np.asarray(int(Status.DONE if num == len(keys) else Status.NOT_FINITE)),
        end={"weights": jax.tree.map(np.asarray, last), "optimiser": ()},
        provenance=Provenance(
            kind="observe",
            system=f"{whole}, on {fed.name}",
            solver=f"{len(keys)} checkpoints",
            settings={
                "task": task_said(fed),
                "network": network_said(whole),
                "lr": lr,
                "loss": convention.name,
                "loss_kind": convention.kind,
                "loss_factor": factor,
                **said_of(asked, whole),
                "modes": "own" if modes is None or modes is task else "given",
                "weight_decay": None,  # not known, as what else was done between two checkpoints
                "stages": None,
                "schedule": None,
                "biases": biases,
                "dtype": str(dtype),
                "time_unit": unit,
                "edges": {edge: list(ends) for edge, ends in whole.edges.items()},
            },
            modes=next(iter(asked.modes.values())) if len(asked.modes) == 1 else None,
            versions=versions(),
            wall_time=time.perf_counter() - start,
            created=now(),
        ),
    )


_row = eqx.filter_jit(Observer.row)


def _in_order(checkpoints: Mapping[Any, Any]) -> dict[Any, float]:
    """Key -> time, rising."""
    if not isinstance(checkpoints, Mapping):
        fail(
            "checkpoints",
            "be a dict time -> weights",
            f"it is {type(checkpoints).__name__}",
            "Of pairs dict(...) makes one; of a run with weights {t: {edge: w[i] for edge, w in "
            "run.ys.items()} for i, t in "
            "enumerate(run.ts)}.",
            TypeError,
        )
    times: dict[Any, float] = {}
    for key in checkpoints:
        if isinstance(key, bool) or not isinstance(key, Real):
            fail(
                "checkpoints",
                "have numbers as times",
                f"one is {key!r} ({type(key).__name__})",
                "For example {0: ..., 100: ...}.",
                TypeError,
            )
        try:
            time = float(key)
        except OverflowError:
            time = math.inf
        if not 0 <= time < math.inf or time in times.values():
            fail(
                "checkpoints",
                "be at different finite times of at least 0",
                f"one is at {key}",
                "0 is the start.",
            )
        times[key] = time
    if not times:
        fail("checkpoints", "hold at least one", "it is empty")
    return dict(sorted(times.items(), key=lambda item: item[1]))


def _each(
    network: Network, checkpoints: Mapping[Any, Any], keys: Iterable[Any], biases: bool
) -> Iterator[Weights]:
    """The weights of each, read when its turn comes; errors name its time."""
    names: set[Any] | None = None
    for key in keys:
        try:
            held = checkpoints[key]
            # A module can be called too, but holds its weights itself.
            held = held() if callable(held) and not hasattr(held, "state_dict") else held
            held = held.state_dict() if hasattr(held, "state_dict") else held
            if isinstance(held, Mapping):
                # A bias that is left out is zero: then it is left out at all times.
                names = set(held) if names is None else names
                if odd := names ^ set(held):
                    fail(
                        "weights",
                        "have the names of the first checkpoint",
                        f"only one of the two has {shown(sorted(odd))}",
                    )
            yield read_weights(network, held, biases=biases)
        except (ValueError, TypeError) as error:
            raise type(error)(f"Checkpoint at {key}: {error}") from error
        except Exception as error:
            error.add_note(f"(reading the checkpoint at {key})")
            raise


def _stacked(rows: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _equal(row: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(row[name], other[name], equal_nan=True) for name in row)
