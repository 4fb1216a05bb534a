"""Outcomes of points as labelled arrays: a part of a sweep, and all parts together."""

import json
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from racedyn.jobs.sweeps.configurations import ERROR, POINT, STATUS, Outcome, labels_of
from racedyn.jobs.sweeps.folder import Folder, missing_said, read_part
from racedyn.jobs.sweeps.measures import STATUS_MEANING, told
from racedyn.jobs.sweeps.plan import Plan
from racedyn.store import StoreError
from racedyn.trajectory import Labelled, Status, versions

_TOLD = {
    STATUS: (STATUS_MEANING, "1"),
    ERROR: (
        "why a configuration, or a theory beside it, has no values, or what they don't tell",
        "",
    ),
}
Place = tuple[int, ...]


def part_of(names: Sequence[str], outcomes: Sequence[Outcome]) -> Labelled:
    """The part file's arrays, along the axis of points."""
    places = [((i,), outcome) for i, outcome in enumerate(outcomes)]
    arrays, dims, labels = _filled((POINT,), (len(outcomes),), places)
    coordinates = {POINT: np.array(names, dtype=object), **labels}
    return Labelled(arrays, dims, coordinates, {}, {"version": versions()["racedyn"]})


def outcomes_of(part: Labelled) -> dict[str, Outcome]:
    """Name of a point -> its outcome, as a part file has it."""
    found = {}
    labels = {axis: labels_of(values) for axis, values in part.coordinates.items() if axis != POINT}
    for row, name in enumerate(part[POINT].tolist()):
        values = {
            key: (part.dims[key][1:], np.asarray(part[key])[row])
            for key in part
            if key not in (STATUS, ERROR)
        }
        status = Status(int(part[STATUS][row]))
        found[str(name)] = Outcome(status, str(part[ERROR][row]), values, labels)
    return found


def merged(folder: Folder, plan: Plan) -> Labelled:
    """All parts of a plan along its axes. Raises `StoreError` while parts are missing, and says
    which; warns of points that failed, or whose values don't tell all."""
    blocks = plan.blocks()
    if missing := [block.name for block in blocks if not folder.is_done(block.name)]:
        raise StoreError(
            f"{missing_said(missing)}. The same call, or `racedyn sweep` with the same arguments, "
            "computes them."
        )

    def places() -> Iterable[tuple[Place, Outcome]]:
        for block in blocks:
            found = outcomes_of(read_part(folder.part(block.name)))
            yield from ((point.index, found[point.name]) for point in block.points)

    arrays, dims, labels = _filled(tuple(plan.axes), plan.shape, places())
    if said := _first(arrays[ERROR]):
        warnings.warn(f"Of {arrays[ERROR].size} points: {said}", RuntimeWarning, stacklevel=3)
    coordinates = {name: coordinate(values) for name, values in plan.axes.items()} | labels
    # A function's own names mean what it says.
    told_of = {} if "function" in plan.base else {name: told(name) for name in arrays}
    meanings = told_of | _TOLD
    attributes = {
        "kind": "sweep",
        "base": dict(plan.base),
        "observe": list(plan.observe),
        "versions": versions(),
    }
    return Labelled(arrays, dims, coordinates, meanings, attributes)


def _first(errors: np.ndarray, most: int = 5) -> str:
    """Different errors, with how many points have each."""
    counts = Counter(str(text) for text in np.ravel(errors) if text)
    first = [f"{count} x {text}" for text, count in counts.most_common(most)]
    return "; ".join(first if len(counts) <= most else [*first, f"{len(counts) - most} others"])


def coordinate(values: Sequence[Any]) -> np.ndarray:
    """Values along an axis: numbers where all are, else their text."""
    if all(type(value) in (int, float) for value in values):
        return np.array(values)
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return np.array(texts, dtype=object)


def _filled(
    axes: tuple[str, ...], shape: Place, places: Iterable[tuple[Place, Outcome]]
) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]], dict[str, np.ndarray]]:
    """Arrays, their axes and the labels along them, of outcomes at their places. Where outcomes
    have axes of several lengths the shorter ones are filled up with NaN."""
    outcomes = list(places)
    sizes: dict[str, int] = {}
    dims: dict[str, tuple[str, ...]] = {STATUS: axes, ERROR: axes}
    labels: dict[str, set[tuple[Any, ...]]] = {}
    for _, outcome in outcomes:
        for name, (own, values) in outcome.values.items():
            dims[name] = (*axes, *own)
            for axis, size in zip(own, values.shape, strict=True):
                sizes[axis] = max(size, sizes.get(axis, 0))
        for axis, names in outcome.labels.items():
            labels.setdefault(axis, set()).add(tuple(names))
    arrays = {
        name: np.full((*shape, *(sizes[axis] for axis in dims[name][len(axes) :])), np.nan)
        for name in dims
        if name not in (STATUS, ERROR)
    }
    status = np.full(shape, int(Status.INTERRUPTED))
    errors = np.full(shape, "", dtype=object)
    for place, outcome in outcomes:
        status[place], errors[place] = int(outcome.status), outcome.error
        for name, (_, values) in outcome.values.items():
            within = tuple(map(slice, values.shape))
            arrays[name][place + within] = values
    known = {
        axis: coordinate(names)
        for axis, found in labels.items()
        if len(names := _common(found)) == sizes.get(axis)
    }
    return {STATUS: status, ERROR: errors, **arrays}, {**dims}, known


def _common(found: Collection[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Labels of an axis that outcomes have: the longest, where all others are its beginning; else
    none, as one name would stand for several things."""
    longest = max(found, key=len)
    return longest if all(longest[: len(names)] == names for names in found) else ()
