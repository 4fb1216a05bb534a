"""One theory beside one trained run: what they have in common, and what became of each mode."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn._text import listed
from racedyn._types import MODE, PATH, TIME
from racedyn.comparison.comparable import (
    kind_of_loss,
    modes_of,
    num_pairs_of,
    start_of,
    times_of,
    unit_of,
)
from racedyn.comparison.measures import (
    as_float64,
    common_times,
    error_of,
    filled,
    group_name,
    group_norms,
    names_along,
    off_diagonal,
    padding_of,
    resampled,
    targets,
    time_weights,
    winners,
)
from racedyn.comparison.notes import notes_of
from racedyn.comparison.result import Comparison, Outcome
from racedyn.comparison.times import first_reached
from racedyn.tasks import Modes
from racedyn.trajectory import OBSERVABLES, Trajectory

LOSSES = ("loss", "probe_loss")
SUM, GROUPS = "strength, sum over paths", "group_strength"
BASIS_FREE = "basis_free_participation"


def compared(theory: Trajectory, trained: Trajectory, checked: bool) -> Comparison:
    """One theory beside a trained run. `checked`: as `check_comparable` found of the two."""
    # First: whatever both observe, as it is.
    own_ts = times_of("theory", theory), times_of("trained", trained)
    ts, rows = common_times(*own_ts)
    modes = modes_of(trained) or modes_of(theory)
    labels = {**theory.labels, **trained.labels} | ({} if modes is None else {MODE: modes.names})
    a = resampled(theory, own_ts[0], ts)
    b = {name: as_float64(value)[rows] for name, value in trained.observables.items()}
    if GROUPS not in a and "strength" in a and modes is not None:
        a[GROUPS] = group_norms(a["strength"], modes)
    dims = {**theory.dims, GROUPS: (TIME, *OBSERVABLES[GROUPS].axes)}
    losses = kind_of_loss(theory), kind_of_loss(trained)
    same_loss = losses[0] == losses[1]
    shared = [
        name
        for name in a
        if name in b
        and name != "winner"  # the number of a path: no distance
        and (same_loss or name not in LOSSES)
        and dims[name] == trained.dims[name]
        and a[name].shape == b[name].shape
    ]
    apart = not np.isin(ts, own_ts[0]).all()
    if not shared:
        fail(
            "theory",
            "share an observable with `trained`, axes included",
            f"they have {listed(a)} and {listed(b)}"
            + ("" if same_loss else f", whose losses are {' and '.join(losses)}"),
            "Record the same observables in both.",
        )
    weights = time_weights(ts)
    comparison = Comparison(
        ts=ts,
        time_unit=unit_of(theory),
        errors={
            name: error_of(a[name], b[name], weights, dims[name][1:], labels) for name in shared
        },
        notes=tuple(notes_of(theory, trained, checked, ts, interpolated=apart)),
        off_diagonal=off_diagonal(b.get("off_diagonal"), ts, labels),
    )
    # Then, where strengths are of one set of modes: each mode's time, winner and error.
    if "strength" not in shared or num_pairs_of(trained) > 1:
        return comparison
    return _by_mode(comparison, theory, trained, a, b, labels, modes)


def _by_mode(
    comparison: Comparison,
    theory: Trajectory,
    trained: Trajectory,
    a: Mapping[str, np.ndarray],
    b: Mapping[str, np.ndarray],
    labels: Mapping[str, Any],
    modes: Modes | None,
) -> Comparison:
    """The comparison with what strengths (time, path, mode) say of each mode; `a` and `b` are the
    observables of theory and trained at the common times.
    """
    ts, (a_strength, b_strength) = comparison.ts, (a["strength"], b["strength"])
    num_paths, num_modes = b_strength.shape[1:]
    padding = padding_of(a_strength) & padding_of(b_strength)
    # Where the task switched, learning is counted from the last switch, and towards what the last
    # task has to learn.
    last = theory.segment(-1), trained.segment(-1)
    own_ts = times_of("theory", last[0]), times_of("trained", last[1])
    totals = [filled(as_float64(run["strength"]), padding).sum(axis=1) for run in last]
    # One target for both: without modes, a run that stopped on a plateau must not set its own.
    target = 0.5 * (totals[1][-1] if modes is None else targets(modes))
    outcomes = [
        Outcome(
            first_reached(own, total, target, start=start_of(run)),
            *winners(filled(strength[-1:], padding)[0]),
            float(side[BASIS_FREE][-1]) if BASIS_FREE in comparison.errors else float("nan"),
        )
        for run, own, total, strength, side in zip(
            last, own_ts, totals, (a_strength, b_strength), (a, b), strict=True
        )
    ]
    sums = [filled(strength, padding).sum(axis=1) for strength in (a_strength, b_strength)]
    weights = time_weights(ts)
    groups = () if modes is None or GROUPS not in comparison.errors else modes.groups
    hidden = np.any([side.learning_times.between_rows for side in outcomes], axis=0)
    sparse = (
        f"{np.sum(hidden)} of {num_modes} modes are learned between two rows, "
        "where nothing is compared: save more rows"
    )
    return dataclasses.replace(
        comparison,
        notes=(*comparison.notes, *([sparse] if hidden.any() else [])),
        errors={**comparison.errors, SUM: error_of(sums[0], sums[1], weights, (MODE,), labels)},
        modes=names_along(labels, MODE, num_modes),
        paths=names_along(labels, PATH, num_paths),
        S=np.full(num_modes, np.nan) if modes is None else modes.S,
        mode_errors=tuple(
            error_of(a_strength[..., m], b_strength[..., m], weights, (PATH,), labels)
            for m in range(num_modes)
        ),
        group_errors={
            group_name(group, modes): error_of(
                a[GROUPS][..., g], b[GROUPS][..., g], weights, (PATH,), labels
            )
            for g, group in enumerate(groups)
            if modes is not None and len(group) > 1
        },
        theory=outcomes[0],
        trained=outcomes[1],
    )
