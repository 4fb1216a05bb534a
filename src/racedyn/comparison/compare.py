"""Theory against simulation: how far apart two runs are, when each mode is learned, and which
pathway wins it.

Strengths are numbers in a basis: two runs whose bases are known to differ are refused, not
compared."""

import dataclasses
from collections.abc import Mapping
from typing import Any, overload

import numpy as np

from racedyn._checks import check_is, check_mapping, check_positive, fail
from racedyn._types import MODE, PATH, TIME
from racedyn.comparison.comparable import (
    check_axes,
    check_comparable,
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
    winners,
)
from racedyn.comparison.notes import notes_of
from racedyn.comparison.result import Comparison, Outcome
from racedyn.comparison.several import Comparisons
from racedyn.comparison.times import WITHIN, LearningTimes, first_reached
from racedyn.tasks import Modes
from racedyn.trajectory import OBSERVABLES, Trajectory

SUM, GROUPS = "strength, sum over paths", "group_strength"
BASIS_FREE = "basis_free_participation"


@overload
def compare(theory: Trajectory, trained: Trajectory) -> Comparison: ...


@overload
def compare(theory: Mapping[str, Trajectory], trained: Trajectory) -> Comparisons: ...


def compare(
    theory: Trajectory | Mapping[str, Trajectory], trained: Trajectory
) -> Comparison | Comparisons:
    """Set a theory beside a trained run, on the flow times that both cover; or several, as a dict
    name -> theory, in one table.

    Where the save times differ, the theory is interpolated linearly onto the trained ones. Every
    observable that both have with equal axes gets an `Error`; so do the strengths summed over
    pathways. A theory without `group_strength` (the norm of the block of U^T W_a V of each group of
    equal S) is given its own, from diagonal blocks. What is NaN throughout in both is padding.
    Half-learned times are those of each run's own save times, towards one target for both, and
    after a switch of tasks those of the last one, counted from it, as bounds where rows are too
    sparse (`learning_times`); where paths join several pairs of input and output, each with modes
    of its own, there are none, nor sums. Where both have `basis_free_participation`, the last is
    printed beside the mean of participation by mode. Where all common times are the same, errors
    are those of that moment, and a note says so. Raises `ValueError` where the two are not the same
    quantities: other bases, paths, numbers of modes or units of time, no common time, no common
    observable.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(2, 2), width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> trained = rd.train(network, task, weights, lr=0.04, steps=1000, save_every=25)
        >>> theory = rd.simulate(rd.reduce(network, task, weights), ts=trained.ts)
        >>> comparison = rd.compare(theory, trained)
        >>> f"{comparison.errors['strength'].relative_l2:.2f}"
        '0.07'
    """
    if isinstance(theory, Mapping):
        check_mapping("theory", theory, "be a Trajectory, or a dict name -> Trajectory")
        if not theory:
            fail("theory", "hold at least one theory", "it is empty")
        return Comparisons({name: _compared(one, trained) for name, one in theory.items()})
    return _compared(theory, trained)


def _compared(theory: Trajectory, trained: Trajectory) -> Comparison:
    """One theory beside a trained run."""
    checked = check_comparable(theory, trained)
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
    shared = [
        name
        for name in a
        if name in b and dims[name] == trained.dims[name] and a[name].shape == b[name].shape
    ]
    apart = not np.array_equal(*own_ts)
    if not shared:
        fail(
            "theory",
            "share an observable with `trained`, axes included",
            f"they have {list(a)} and {list(b)}",
            "Record the same observables in both.",
        )
    comparison = Comparison(
        ts=ts,
        time_unit=unit_of(theory),
        errors={name: error_of(a[name], b[name], ts, dims[name][1:], labels) for name in shared},
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
    groups = () if modes is None or GROUPS not in comparison.errors else modes.groups
    hidden = np.any([side.learning_times.between_rows for side in outcomes], axis=0)
    sparse = (
        f"{np.sum(hidden)} of {num_modes} modes are learned between two rows, "
        "where nothing is compared: save more rows"
    )
    return dataclasses.replace(
        comparison,
        notes=(*comparison.notes, *([sparse] if hidden.any() else [])),
        errors={**comparison.errors, SUM: error_of(sums[0], sums[1], ts, (MODE,), labels)},
        modes=names_along(labels, MODE, num_modes),
        paths=names_along(labels, PATH, num_paths),
        S=np.full(num_modes, np.nan) if modes is None else modes.S,
        mode_errors=tuple(
            error_of(a_strength[..., m], b_strength[..., m], ts, (PATH,), labels)
            for m in range(num_modes)
        ),
        group_errors={
            group_name(group, modes): error_of(
                a[GROUPS][..., g], b[GROUPS][..., g], ts, (PATH,), labels
            )
            for g, group in enumerate(groups)
            if modes is not None and len(group) > 1
        },
        theory=outcomes[0],
        trained=outcomes[1],
    )


def learning_times(
    trajectory: Trajectory, fraction: float = 0.5, *, within: float = WITHIN
) -> LearningTimes:
    """When each mode is learned: the flow time at which sum_a K_a first reaches `fraction` of S/d.

    In a run that switched tasks, of the last one: counted from its switch, towards its S/d;
    `learning_times(run.segment(0))` has those of the first. The time lies between two rows, and the
    rows beside them tell how narrowly: `bounds`. Where they are further apart than `within` (a
    share of the time since the start) the rows are too sparse to tell, `times` is NaN, and the
    printed table has the bounds. Without modes the target is `fraction` of the last value instead.
    Also NaN where the target is never reached, or already is at the first row. Raises `ValueError`
    where the trajectory has no strengths.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(2, 2), width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> theory = rd.simulate(rd.reduce(network, task, weights), ts=np.linspace(0.0, 40.0, 41))
        >>> print(rd.learning_times(theory))  # rows are 1 tau apart
        2.674-3, 3.234, 4.292, 3.305
    """
    check_is(
        "trajectory",
        trajectory,
        Trajectory,
        "be a Trajectory",
        "racedyn.simulate and racedyn.train return one.",
    )
    fraction = check_positive("fraction", fraction)
    within = check_positive("within", within)
    check_axes("trajectory", trajectory, "strength")
    trajectory = trajectory.segment(-1)
    strength = as_float64(trajectory["strength"])
    total = filled(strength, padding_of(strength)).sum(axis=1)
    modes = modes_of(trajectory)
    target = total[-1] if modes is None else targets(modes)
    ts = times_of("trajectory", trajectory)
    return first_reached(ts, total, fraction * target, start=start_of(trajectory), within=within)
