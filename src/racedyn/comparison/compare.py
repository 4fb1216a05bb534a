"""Theory against simulation: how far apart two runs are, when each mode is learned, and which
pathway wins it.

Strengths are numbers in a basis: two runs whose bases are known to differ are refused, not
compared."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from racedyn._checks import check_is, check_positive, fail
from racedyn._types import MODE, PATH, TIME
from racedyn.comparison.comparable import (
    check_axes,
    check_comparable,
    modes_of,
    num_pairs_of,
    rules_of,
    start_of,
    text_of,
    times_of,
    unit_of,
)
from racedyn.comparison.result import Comparison, Error, OffDiagonal, Outcome
from racedyn.comparison.times import WITHIN, LearningTimes, first_reached
from racedyn.paths import largest_share, participation, shares
from racedyn.tasks import Modes
from racedyn.trajectory import OBSERVABLES, Status, Trajectory

SUM, GROUPS = "strength, sum over paths", "group_strength"
MISALIGNED = 1e-9  # far above rounding: a smaller off-diagonal of V^T Sigma_x V is none


def compare(theory: Trajectory, trained: Trajectory) -> Comparison:
    """Set a theory beside a trained run, on the flow times that both cover.

    Where the save times differ, the theory is interpolated linearly onto the trained ones. Every
    observable that both have with equal axes gets an `Error`; so do the strengths summed over
    pathways. A theory without `group_strength` (the norm of the block of U^T W_a V of each group of
    equal S) is given its own, from diagonal blocks. What is NaN throughout in both is padding.
    Half-learned times are those of each run's own save times, towards one target for both, and
    after a switch of tasks those of the last one, counted from it, as bounds where rows are too
    sparse (`learning_times`); where paths join several pairs of input and output, each with modes
    of its own, there are none, nor sums. Where all common times are the same, errors are those of
    that moment, and a note says so. Raises `ValueError` where the two are not the same quantities:
    other bases, paths, numbers of modes or units of time, no common time, no common observable.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(2, 2), width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> trained = rd.train(network, task, weights, lr=0.04, steps=1000, save_every=25)
        >>> theory = rd.simulate(rd.reduce(network, task, weights), ts=trained.ts)
        >>> comparison = rd.compare(theory, trained)
        >>> f"{comparison.errors['strength'].relative_l2:.2f}"
        '0.07'
    """
    checked = check_comparable(theory, trained)
    own_ts = times_of("theory", theory), times_of("trained", trained)
    ts, rows = _common_times(*own_ts)
    modes = modes_of(trained) or modes_of(theory)
    labels = {**theory.labels, **trained.labels} | ({} if modes is None else {MODE: modes.names})
    a = _resampled(theory, own_ts[0], ts)
    b = {name: _float(value)[rows] for name, value in trained.observables.items()}
    if GROUPS not in a and "strength" in a and modes is not None:
        a[GROUPS] = _group_norms(a["strength"], modes)
    dims = {**theory.dims, GROUPS: (TIME, *OBSERVABLES[GROUPS].axes)}
    shared = [
        name
        for name in a
        if name in b and dims[name] == trained.dims[name] and a[name].shape == b[name].shape
    ]
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
        errors={name: _error(a[name], b[name], ts, dims[name][1:], labels) for name in shared},
        notes=tuple(_notes(theory, trained, checked, ts, interpolated=not np.array_equal(*own_ts))),
        off_diagonal=_off_diagonal(b.get("off_diagonal"), ts, labels),
    )
    if "strength" not in shared or num_pairs_of(trained) > 1:
        return comparison

    a_strength, b_strength = a["strength"], b["strength"]
    num_paths, num_modes = b_strength.shape[1:]
    padding = _padding(a_strength) & _padding(b_strength)
    # Where the task switched, learning is counted from the last switch, and towards what the last
    # task has to learn.
    last = theory.segment(-1), trained.segment(-1)
    own_ts = times_of("theory", last[0]), times_of("trained", last[1])
    totals = [_fill(_float(run["strength"]), padding).sum(axis=1) for run in last]
    # One target for both: without modes, a run that stopped on a plateau must not set its own.
    target = 0.5 * (totals[1][-1] if modes is None else _targets(modes))
    outcomes = [
        Outcome(
            first_reached(own, total, target, start=start_of(run)),
            *_winners(_fill(strength[-1:], padding)[0]),
        )
        for run, own, total, strength in zip(
            last, own_ts, totals, (a_strength, b_strength), strict=True
        )
    ]
    sums = [_fill(strength, padding).sum(axis=1) for strength in (a_strength, b_strength)]
    groups = () if modes is None or GROUPS not in shared else modes.groups
    hidden = np.any([side.learning_times.between_rows for side in outcomes], axis=0)
    sparse = (
        f"{np.sum(hidden)} of {num_modes} modes are learned between two rows, "
        "where nothing is compared: save more rows"
    )
    return dataclasses.replace(
        comparison,
        notes=(*comparison.notes, *([sparse] if hidden.any() else [])),
        errors={**comparison.errors, SUM: _error(sums[0], sums[1], ts, (MODE,), labels)},
        modes=_names(labels, MODE, num_modes),
        paths=_names(labels, PATH, num_paths),
        S=np.full(num_modes, np.nan) if modes is None else modes.S,
        mode_errors=tuple(
            _error(a_strength[..., m], b_strength[..., m], ts, (PATH,), labels)
            for m in range(num_modes)
        ),
        group_errors={
            _group_name(group, modes): _error(
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
    strength = _float(trajectory["strength"])
    total = _fill(strength, _padding(strength)).sum(axis=1)
    modes = modes_of(trajectory)
    target = total[-1] if modes is None else _targets(modes)
    ts = times_of("trajectory", trajectory)
    return first_reached(ts, total, fraction * target, start=start_of(trajectory), within=within)


# Trajectories as host arrays


def _float(array: Any) -> np.ndarray:
    return np.asarray(array, dtype=np.float64)


def _names(labels: Mapping[str, Any], axis: str, size: int) -> tuple[str, ...]:
    """Names along an axis: its labels where there is one for each place, else counted from 1."""
    given = labels.get(axis, ())
    return (
        tuple(map(text_of, given))
        if len(given) == size
        else tuple(f"{axis} {i + 1}" for i in range(size))
    )


def _common_times(theory_ts: np.ndarray, ts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The trained times within the theory's span, and which rows they are."""
    slack = 1e-6 * (
        theory_ts[-1] - theory_ts[0]
    )  # times kept in float32 must not lose their last row
    rows = (ts >= theory_ts[0] - slack) & (ts <= theory_ts[-1] + slack)
    if not rows.any():
        fail(
            "theory",
            "cover some of the flow times of `trained`",
            f"it covers {theory_ts[0]:.4g} to "
            f"{theory_ts[-1]:.4g}, and the trained times are {ts[0]:.4g} to {ts[-1]:.4g}, "
            f"{len(ts)} of them",
            "Simulate with ts=trained.ts.",
        )
    return ts[rows], rows


def _resampled(theory: Trajectory, own: np.ndarray, ts: np.ndarray) -> dict[str, np.ndarray]:
    """The theory's observables at `ts`, linear between its own times."""
    values = {name: _float(value) for name, value in theory.observables.items()}
    if np.array_equal(own, ts):
        return values
    return {
        name: np.array(
            [np.interp(ts, own, lane) for lane in value.reshape(len(own), -1).T]
        ).T.reshape(len(ts), *value.shape[1:])
        for name, value in values.items()
    }


# Measures


def _padding(strength: np.ndarray) -> np.ndarray:
    """Where a path has no such mode: NaN at all times, (path, mode)."""
    return np.asarray(np.isnan(strength).all(axis=0))


def _fill(strength: np.ndarray, padding: np.ndarray) -> np.ndarray:
    """Zero for padding, so that sums over paths skip it; a mode that no path has stays NaN."""
    return np.where(padding & ~padding.all(axis=0), 0.0, strength)


def _error(
    a: np.ndarray, b: np.ndarray, ts: np.ndarray, axes: Sequence[str], labels: Mapping[str, Any]
) -> Error:
    """The error of a against b, both (time, *axes)."""
    shape = b.shape[1:]
    a, b = a.reshape(len(ts), -1), b.reshape(len(ts), -1)
    finite = np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0)
    bad = np.flatnonzero(~finite & ~(_padding(a) & _padding(b)))
    names = [_names(labels, axis, size) for axis, size in zip(axes, shape, strict=True)]
    places = [np.unravel_index(lane, shape) for lane in bad]
    failed = tuple(
        ", ".join(n[i] for n, i in zip(names, place, strict=True)) or "the whole run"
        for place in places
    )
    if not finite.any():
        return Error(float("nan"), float("nan"), failed)
    difference, b = (a - b)[:, finite], b[:, finite]
    weights = _time_weights(ts)
    distance, norm = _norm(difference, weights), _norm(b, weights)
    relative = distance / norm if norm else (0.0 if distance == 0 else float("inf"))
    return Error(relative, float(np.abs(difference).max()), failed)


def _targets(modes: Modes) -> np.ndarray:
    """S/d, where each mode ends; NaN where the inputs have nothing of it, as the task of another
    run may.
    """
    return np.divide(
        modes.S, modes.variances, out=np.full(modes.num, np.nan), where=modes.variances != 0
    )


def _time_weights(ts: np.ndarray) -> np.ndarray:
    """Of the trapezoid rule, in units of the whole span; equal ones where all times are the same,
    as there is no span.
    """
    span = ts[-1] - ts[0]
    if not span:
        return np.ones(len(ts))
    step = np.diff(ts) / span
    return (np.append(step, 0) + np.insert(step, 0, 0)) / 2


def _norm(values: np.ndarray, weights: np.ndarray) -> float:
    """sqrt(sum_t w_t |x_t|^2) of (time, entry), in units of the largest: squares of 1e-170 are 0,
    of 1e170 infinite.
    """
    unit = np.abs(values).max() or 1.0
    return float(unit * np.sqrt(weights @ np.sum((values / unit) ** 2, axis=1)))


def _winners(strength: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Winner, its share, the participation ratio, and whether it is a tie, of strengths (path,
    mode).
    """
    size = np.abs(strength).sum(axis=0)
    known = np.isfinite(size) & (size > 0)
    strength = np.where(known, strength, np.nan)
    winner = np.where(known, np.argmax(np.where(known, np.abs(strength), 0.0), axis=0), -1)
    printed = np.sort(np.round(np.nan_to_num(shares(strength)), 2), axis=0)
    tied = known & (len(printed) > 1) & (printed[-1] == printed[-2:][0])
    return winner, largest_share(strength), participation(strength), tied


def _group_norms(strength: np.ndarray, modes: Modes) -> np.ndarray:
    """`group_strength` (time, path, group) of a theory whose blocks are diagonal: all that q, p
    have.
    """
    norms = []
    for group in modes.groups:
        block = strength[..., list(group)]
        empty = _padding(block)
        block = np.where(empty, 0.0, block)
        unit = np.max(np.abs(block), initial=0.0, where=np.isfinite(block)) or 1.0  # see `_norm`
        norms.append(
            np.where(empty.all(axis=1), np.nan, unit * np.sqrt(np.sum((block / unit) ** 2, axis=2)))
        )
    return np.stack(norms, axis=2)


def _off_diagonal(
    values: np.ndarray | None, ts: np.ndarray, labels: Mapping[str, Any]
) -> OffDiagonal | None:
    if values is None or not np.isfinite(values).any():
        return None
    values = np.where(np.isfinite(values), values, np.nan).reshape(len(ts), -1)
    row, path = np.unravel_index(np.nanargmax(values), values.shape)
    names = _names(labels, PATH, values.shape[1])
    return OffDiagonal(
        float(np.nanmin(values)), float(np.nanmax(values)), float(ts[row]), names[int(path)]
    )


# Words


def _group_name(group: Sequence[int], modes: Modes) -> str:
    return f"modes {group[0] + 1}-{group[-1] + 1} (S = {modes.S[group[0]]:.4g})"


def _notes(
    theory: Trajectory, trained: Trajectory, checked: bool, ts: np.ndarray, *, interpolated: bool
) -> list[str]:
    notes = []
    if ts[0] == ts[-1]:
        notes.append(
            f"there is no common time but {ts[0]:.4g}: errors are those of that moment, not of a "
            "run"
        )
    pairs = num_pairs_of(trained)
    if not checked and pairs == 1 and "strength" in theory and "strength" in trained:
        lacking = " and ".join(
            n for n, t in (("theory", theory), ("trained", trained)) if modes_of(t) is None
        )
        notes.append(
            f"bases NOT checked ({lacking} without modes): strengths can agree only if read in the "
            "same one"
        )
    if pairs > 1:
        notes.append(
            f"the paths join {pairs} pairs of input and output, each with modes of its own, which "
            "are not checked to be the "
            "same: no sums over paths, learning times or winners"
        )
    if rules_of(theory) != rules_of(trained):
        notes.append(
            f"theory and training follow different rules: {rules_of(theory) or 'none'} and "
            f"{rules_of(trained) or 'none'}"
        )
    if trained.switches:
        times = ", ".join(f"{switch['time']:.4g}" for switch in trained.switches)
        notes.append(
            f"the task switches at {times} {unit_of(trained)}, last to "
            f"{trained.switches[-1]['task']}: learning times are "
            "counted from there, errors cover all tasks; run.segment(i) has one"
        )
    if np.ndim(trained.stats.get("converged", [])) == 0 and float(trained.stats["converged"]) == 0:
        notes.append(
            f"training ended before it had converged: {float(trained.stats['loss_left']):.2g} of "
            "the loss above its floor "
            "is left, so that strengths, shares and winners may still change"
        )
    if interpolated:
        notes.append(
            f"save times differ: theory interpolated linearly onto {len(ts)} trained times"
        )
    left_out = (
        0.0
        if theory.provenance is None
        else theory.provenance.validity.get("targets_off_diagonal", 0.0)
    )
    if left_out > MISALIGNED:
        notes.append(
            f"a task read in another's modes has {left_out:.2g} of its targets off their diagonal, "
            "which the q/p equations "
            "leave out: reduce(level='full') has it"
        )
    modes = modes_of(theory)
    if modes is not None and modes.misalignment > MISALIGNED:
        notes.append(
            "the inputs' correlation is not diagonal in these modes (off-diagonal "
            f"{modes.misalignment:.2g} of its norm): "
            "one number per mode leaves that out, and S/d, towards which half is learned, is not "
            "where training ends"
        )
    for name, trajectory in (("theory", theory), ("trained", trained)):
        status = np.atleast_1d(np.asarray(trajectory.status)).ravel()
        for item in sorted({Status(int(s)) for s in status}):
            if not item.ok:
                notes.append(
                    f"{name}: {np.sum(status == item)} of {len(status)} {item.name.lower()}: "
                    f"{item.message}"
                )
    return notes
