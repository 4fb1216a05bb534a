"""Runs that went over to another task: which rows, settings and modes are those of one task."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from racedyn.tasks import Modes


class Segment(NamedTuple):
    """What a run has of one task.

    `rows`: their places; `time`, `step`: of the switch that they are counted from; `loss`: of this
    task in the first row, where the run has that of the task before, or None; `settings`, `modes`:
    its own; `last`: whether the run ended with it."""

    rows: np.ndarray
    time: float
    step: int
    loss: float | None
    settings: dict[str, Any]
    modes: Modes | None
    last: bool


def segment_of(
    ts: np.ndarray,
    switches: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    modes: Modes | None,
    index: int,
) -> Segment:
    """The segment `index`, from 0 on, of a run with these times, switches (one or more), settings
    and modes.
    """
    slack = (
        1e-9 * float(np.ptp(ts)) if ts.size else 0.0
    )  # the time of a switch may be known to rounding only
    low, high = -np.inf, np.inf
    first: Mapping[str, Any] = {}
    if index > 0:
        first = switches[index - 1]
        # Without the new task's loss at the switch, the row there is the old task's alone.
        low = float(first["time"]) + (slack if first.get("loss") is None else -slack)
    if last := index == len(switches):
        task = switches[-1]["task"]
    else:
        high = float(switches[index]["time"]) + slack
        before = switches[index].get("before", {})
        task, modes = before.get("task", "?"), _with_values(modes, before)
    rows = np.flatnonzero((ts >= low) & (ts <= high))
    start = float(first.get("time", 0.0))
    at_switch = rows.size and ts[rows[0]] <= start + slack
    own = _settings_within(settings, first, None if last else switches[index])
    if index > 0 and "t0" in own:
        own |= {"t0": 0.0}
    return Segment(
        rows=rows,
        time=start,
        step=int(first.get("step") or 0),
        loss=first.get("loss") if at_switch else None,
        settings=own | {"segment_of": task},
        modes=modes,
        last=last,
    )


def _settings_within(
    settings: Mapping[str, Any], start: Mapping[str, Any], stop: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The settings of one segment: those it ended with, and under `went_on_from` the earlier ones
    of its own.
    """
    begun = start.get("step") or 0
    ended = float("inf") if stop is None else stop.get("step") or 0
    past = [
        stretch for stretch in settings.get("went_on_from", ()) if begun < stretch["step"] <= ended
    ]
    here = {
        name: value for name, value in settings.items() if name not in ("switches", "went_on_from")
    }
    if stop is not None and past and past[-1]["step"] == ended:
        here |= {name: value for name, value in past.pop().items() if name not in ("step", "time")}
    return here | ({"went_on_from": past} if past else {})


def _with_values(modes: Modes | None, values: Mapping[str, Any]) -> Modes | None:
    """The same bases with the S and d of another task: NaN where not known."""
    if modes is None:
        return None
    unknown = np.full(modes.num, np.nan)
    S, variances = (
        np.asarray(values.get(name, unknown), dtype=np.float64) for name in ("S", "variances")
    )
    return dataclasses.replace(
        modes, S=S, variances=variances, floor=float("nan"), misalignment=float("nan")
    )
