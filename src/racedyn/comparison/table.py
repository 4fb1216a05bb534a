"""Comparisons as arrays with named axes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from racedyn._types import MODE, PATH
from racedyn.trajectory import OBSERVABLES, Labelled

OBSERVABLE = "observable"


def table_of(each: Sequence[Any], front: Mapping[str, Sequence[Any]]) -> Labelled:
    """What was found, as arrays: of one `Comparison`, or of several along the axis `front`, which
    has a name or a number for each.

    An error that one of several has not is NaN, as is the winner of a mode that has none."""
    first = each[0]
    observables = list(dict.fromkeys(name for found in each for name in found.errors))
    arrays: dict[str, np.ndarray] = {}
    dims: dict[str, tuple[str, ...]] = {}
    meanings: dict[str, tuple[str, str]] = {}

    def put(name: str, values: list[Any], axis: str, meaning: str, unit: str = "1") -> None:
        arrays[name] = np.stack(values) if front else np.asarray(values[0])
        dims[name], meanings[name] = (*front, axis), (meaning, unit)

    errors = [[found.errors.get(name) for name in observables] for found in each]
    for name, meaning, unit in (
        (
            "relative_l2",
            "distance of theory from training over the norm of training",
            "1",
        ),
        ("largest", "largest absolute difference of theory and training", ""),
    ):
        numbers = [[np.nan if e is None else getattr(e, name) for e in row] for row in errors]
        put(name, numbers, OBSERVABLE, meaning, unit)
    coordinates: dict[str, Any] = {**front, OBSERVABLE: observables}
    if all(found.modes for found in each):
        coordinates |= {MODE: first.modes, PATH: first.paths}
        arrays["S"], dims["S"] = np.asarray(first.S), (MODE,)
        meanings["S"] = ("singular value of the task", "y/x")
        by_mode = [[error.relative_l2 for error in found.mode_errors] for found in each]
        put("mode_error", by_mode, MODE, "relative L2 error of a mode's strengths in all paths")
        put("agree", [found.agree for found in each], MODE, "whether the same pathway wins")
        for side in ("theory", "trained"):
            outcomes = [_of_outcome(getattr(found, side)) for found in each]
            for name, (_, meaning, unit) in outcomes[0].items():
                values = [outcome[name][0] for outcome in outcomes]
                put(f"{side}_{name}", values, MODE, meaning, unit or first.time_unit)
    along = {axis: np.asarray(values) for axis, values in coordinates.items()}
    return Labelled(arrays, dims, along, meanings, {"time_unit": first.time_unit})


def _of_outcome(outcome: Any) -> dict[str, tuple[np.ndarray, str, str]]:
    """Of an `Outcome`: name -> what became of each mode, (mode,), its meaning and unit, "" for that
    of time.
    """
    times, winner = outcome.learning_times, outcome.winner
    found = {
        "learning_time": (times.times, "when sum_a K_a reaches half of S/d", ""),
        "earliest": (times.bounds[:, 0], "the earliest that it can be", ""),
        "latest": (times.bounds[:, 1], "the latest that it can be", ""),
    }
    for name, values in (
        ("winner", np.where(winner < 0, np.nan, winner)),
        ("share", outcome.share),
        ("participation", outcome.participation),
    ):
        meaning = OBSERVABLES["largest_share" if name == "share" else name].meaning
        found[name] = (np.asarray(values, float), meaning, "1")
    return found
