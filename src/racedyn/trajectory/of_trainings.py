"""One member of an ensemble of trainings, as `train` returns it."""

import dataclasses
from typing import Any

import numpy as np

from racedyn._types import TIME
from racedyn.trajectory.status import Status

WEIGHTS = "weights:"  # before the edge, among the observables of an ensemble


def weights_name(edge: str) -> str:
    """Under which an ensemble has the weights of an edge, where they are asked for."""
    return WEIGHTS + edge


def as_training(member: Any) -> Any:
    """This trajectory with its own flow times, where a step has one, with the rows up to its end
    where `until` ended it, and with the weights that it saved in `ys`.
    """
    if int(member.status) == Status.SETTLED:
        member = _cut(member, np.asarray(member.step) <= int(member.stats["num_steps"]))
    source, per_step = member.provenance, float(member.stats.get("time_per_step", np.nan))
    ts = member.ts
    if source is not None and np.isfinite(per_step) and source.settings["time_unit"] == "steps":
        ts = np.asarray(member.step) * per_step
        source = dataclasses.replace(source, settings={**source.settings, "time_unit": "tau"})
    saved = {
        name.removeprefix(WEIGHTS): value
        for name, value in member.observables.items()
        if name.startswith(WEIGHTS)
    }
    observables = {
        name: value for name, value in member.observables.items() if not name.startswith(WEIGHTS)
    }
    return dataclasses.replace(
        member,
        ts=ts,
        observables=observables,
        dims={name: member.dims[name] for name in observables},
        ys=saved or None,
        provenance=source,
    )


def _cut(member: Any, rows: np.ndarray) -> Any:
    """Of these rows alone."""
    observables = {
        name: value[rows] if member.dims[name][:1] == (TIME,) else value
        for name, value in member.observables.items()
    }
    ts, step = np.asarray(member.ts)[rows], np.asarray(member.step)[rows]
    return dataclasses.replace(member, ts=ts, step=step, observables=observables)
