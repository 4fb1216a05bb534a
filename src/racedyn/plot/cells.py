"""A measure of many runs as cells along named axes: which are meant, what lies along an axis."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from racedyn import store
from racedyn._checks import as_float, check_mapping, check_name, fail
from racedyn.trajectory import Labelled, Status

OPTIONAL = ("panels", "hue")
FACTOR = 30.0  # values that span more are drawn on a logarithmic scale


class Along(NamedTuple):
    """An axis: its `label`, `places` of its values in rising order with a text each, and whether
    they are numbers, spaced by a factor.
    """

    axis: str
    label: str
    places: np.ndarray
    texts: tuple[str, ...]
    numbers: bool
    log: bool


@dataclasses.dataclass(frozen=True)
class Cells:
    """A measure along the axes that are drawn.

    **Fields:** `values`, with an axis for each of `along` and a last one for all that is left, NaN
    where a run failed; `along`: argument -> its axis; `label`: what the measure is, and its unit;
    `over`: what the last axis stands for; `at`: what was selected."""

    values: np.ndarray
    along: Mapping[str, Along]
    label: str
    over: str
    at: str

    def head(self, statistic: str) -> str:
        """What is drawn: at which values, and by which statistic over what else there is."""
        return "\n".join(filter(None, (self.at, self.over and f"{statistic} over {self.over}")))

    def reduced(self, statistic: Any) -> np.ndarray:
        """A NumPy statistic that skips NaN over the last axis; NaN where nothing else is."""
        empty = np.isnan(self.values).all(axis=-1)
        return np.where(empty, np.nan, statistic(np.where(empty[..., None], 0, self.values), -1))


def cells_of(
    sweep: Any, measure: str, named: Mapping[str, Any], select: Mapping[str, Any] | None
) -> Cells:
    """A measure of a `Labelled`, or of the file of one, along the axes `named` (argument -> axis;
    None leaves out one that is optional), at the selected values of others.

    Raises `ValueError` for names that it has not, an axis that is named twice, a value that is not
    on its axis, and a measure that is no number; `TypeError` and `StoreError` for what holds no
    labelled arrays."""
    labelled = as_labelled(sweep)
    values, dims = _numbers(labelled, measure)
    drawn: dict[str, str] = {}
    for argument, axis in named.items():
        if axis is None and argument in OPTIONAL:
            continue
        check_name(argument, axis, dims)
        if axis in drawn.values():
            fail(argument, "be an axis of its own", f"{axis!r} is drawn already")
        drawn[argument] = axis
    chosen = {} if select is None else select
    check_mapping("select", chosen, "be axis -> value, for example {'seed': 0}")
    for axis, value in chosen.items():
        free = [name for name in dims if name not in drawn.values()]
        check_name("select", axis, free)
        values = values.take(_index(labelled, axis, value), axis=dims.index(axis))
        dims.remove(axis)
    along = {argument: _along(labelled, axis) for argument, axis in drawn.items()}
    for argument, axis in drawn.items():
        if along[argument].numbers:
            order = np.argsort(labelled.coordinates[axis], kind="stable")
            values = values.take(order, axis=dims.index(axis))
    values = np.moveaxis(values, [dims.index(axis) for axis in drawn.values()], range(len(drawn)))
    rest = [axis for axis in dims if axis not in drawn.values()]
    over = ", ".join(f"{axis} ({len(labelled.coordinates[axis])})" for axis in rest)
    at = ", ".join(f"{axis} = {_text(value)}" for axis, value in chosen.items())
    values = values.reshape(*values.shape[: len(drawn)], -1)
    return Cells(values, along, label_of(labelled, measure), over, at)


def as_labelled(sweep: Any) -> Labelled:
    """The labelled arrays of a file, of a result, or as they are."""
    return store.as_labelled(
        "sweep", store.load(sweep) if isinstance(sweep, str | os.PathLike) else sweep
    )


def label_of(labelled: Labelled, name: str) -> str:
    """What an array or an axis is, with its unit."""
    meaning, unit = labelled.meanings.get(name, ("", ""))
    unit = r"$\tau$" if unit == "tau" else unit
    return (meaning or name) + (f" ({unit})" if unit not in ("", "1") else "")


def spans(values: np.ndarray) -> bool:
    """Whether numbers that are there are positive and so far apart, but for a few, that a logarithm
    tells more.
    """
    found = values[np.isfinite(values)]
    if not found.size or found.min() <= 0:
        return False
    low, high = np.quantile(found, [0.05, 0.95])
    return bool(high >= FACTOR * low)


def _numbers(labelled: Labelled, measure: str) -> tuple[np.ndarray, list[str]]:
    """A measure and its axes, NaN where it is not finite or a run failed."""
    numbers = [name for name in labelled if np.asarray(labelled[name]).dtype.kind in "biuf"]
    check_name("measure", measure, numbers)
    values, dims = np.array(labelled[measure], dtype=np.float64), list(labelled.dims[measure])
    if not values.size:
        fail(
            "measure",
            "have a value along every axis",
            f"the shape of {measure!r} is {values.shape}",
        )
    if len({*dims}) < len(dims):
        but = f"those of {measure!r} are {', '.join(dims)}"
        fail("measure", "have each of its axes once", but, "rd.plot.matrix draws a matrix.")
    values[~np.isfinite(values)] = np.nan
    swept = labelled.dims.get("status")
    if swept is not None and measure != "status" and set(swept) <= set(dims):
        ok = [status for status in Status if status.ok]
        by_run = np.moveaxis(values, [dims.index(axis) for axis in swept], range(len(swept)))
        by_run[~np.isin(labelled["status"], ok)] = np.nan
    return values, dims


def _index(labelled: Labelled, axis: str, value: Any) -> int:
    """Where a value lies on an axis: an equal text, or an equal number."""
    known = labelled.coordinates[axis]
    argument = f"select[{axis!r}]"
    if known.dtype.kind not in "iuf":
        texts = [*map(str, known)]
        return texts.index(check_name(argument, _text(value), texts))
    must = f"be one of {', '.join(map(_text, known[:12]))}{', ...' if len(known) > 12 else ''}"
    number = as_float(argument, must, value)
    (found,) = np.nonzero(np.isclose(known, number, rtol=1e-9, atol=0.0))
    if not len(found):
        near = known[np.argmin(np.abs(known - number))] if np.isfinite(number) else known[0]
        fail(argument, must, f"it is {value!r}", f"The nearest is {_text(near)}.")
    return int(found[0])


def _along(labelled: Labelled, axis: str) -> Along:
    values, label = labelled.coordinates[axis], label_of(labelled, axis)
    numbers = values.dtype.kind in "iuf" and bool(np.isfinite(values).all())
    if not numbers or len(np.unique(values)) < len(values):
        places = np.arange(float(len(values)))
        return Along(axis, label, places, _texts(values), numbers=False, log=False)
    values = np.sort(values)
    places = values.astype(np.float64)
    return Along(axis, label, places, _texts(values), True, _geometric(places))


def _geometric(places: np.ndarray) -> bool:
    """Whether rising numbers are spaced by a factor rather than by a distance."""
    if len(places) < 2 or places[0] <= 0:
        return False
    if len(places) == 2:
        return bool(places[1] >= 10 * places[0])
    steps, factors = np.diff(places), np.diff(np.log(places))
    return bool(np.std(factors) / np.mean(factors) < 0.5 * np.std(steps) / np.mean(steps))


def _texts(values: np.ndarray) -> tuple[str, ...]:
    """Values along an axis, as ticks say them: in as few digits as tell them apart."""
    texts: tuple[str, ...] = ()
    for digits in (3, 6, 17):
        texts = tuple(_text(value, digits) for value in values)
        if len({*texts}) == len(texts):
            break
    return texts


def _text(value: Any, digits: int = 6) -> str:
    return f"{value:.{digits}g}" if isinstance(value, float | np.floating) else str(value)
