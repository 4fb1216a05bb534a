"""Theory against simulation: how far apart two runs are, when each mode is learned, and which pathway wins it.

Strengths are numbers in a basis: two runs whose bases are known to differ are refused, not compared.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from racedyn._checks import check_is, check_positive, fail
from racedyn._types import MODE, PATH, TIME
from racedyn.comparison.comparable import (
    STRENGTH_DIMS,
    check_comparable,
    modes_of,
    num_pairs_of,
    rules_of,
    text_of,
    times_of,
    unit_of,
)
from racedyn.comparison.result import Comparison, Error, OffDiagonal, Outcome
from racedyn.concentration import largest_share, participation, shares
from racedyn.tasks.modes import Modes
from racedyn.trajectory import Status, Trajectory

SUM, GROUPS = "strength, sum over paths", "group_strength"
MISALIGNED = 1e-9  # far above rounding: a smaller off-diagonal of V^T Sigma_x V is none


def compare(theory: Trajectory, trained: Trajectory) -> Comparison:
    """Set a theory beside a trained run, on the flow times that both cover.

    Where the save times differ, the theory is interpolated linearly onto the trained ones. Every observable that both
    have with equal axes gets an `Error`; so do the strengths summed over pathways. A theory without `group_strength`
    (the norm of the block of U^T W_a V of each group of equal S) is given its own, from diagonal blocks. What is NaN
    throughout in both is padding. Half-learned times are those of each run's own save times, towards one target for
    both; where paths join several pairs of input and output, each with modes of its own, there are none, nor sums. Raises
    `ValueError` where the two are not the same quantities: other bases, paths, numbers of modes or units
    of time, no common time, no common observable.
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
    dims = {**theory.dims, GROUPS: (TIME, PATH, "group")}
    shared = [name for name in a if name in b and dims[name] == trained.dims[name] and a[name].shape == b[name].shape]
    if not shared:
        fail("theory", "share an observable with `trained`, axes included", f"they have {list(a)} and {list(b)}",
             "Record the same observables in both.")  # fmt: skip
    comparison = Comparison(
        ts=ts,
        time_unit=unit_of(theory),
        errors={name: _error(a[name], b[name], ts, dims[name][1:], labels) for name in shared},
        notes=tuple(_notes(theory, trained, checked, 0 if np.array_equal(*own_ts) else len(ts))),
        off_diagonal=_off_diagonal(b.get("off_diagonal"), ts, labels),
    )
    if "strength" not in shared or num_pairs_of(trained) > 1:
        return comparison

    a_strength, b_strength = a["strength"], b["strength"]
    num_paths, num_modes = b_strength.shape[1:]
    padding = _padding(a_strength) & _padding(b_strength)
    totals = [_fill(_float(run.observables["strength"]), padding).sum(axis=1) for run in (theory, trained)]
    # One target for both: without modes, a run that stopped on a plateau must not set its own.
    target = 0.5 * (totals[1][-1] if modes is None else modes.S / modes.variances)
    outcomes = [
        Outcome(_first_reached(own, total, target), *_winners(_fill(strength[-1:], padding)[0]))
        for own, total, strength in zip(own_ts, totals, (a_strength, b_strength), strict=True)
    ]
    sums = [_fill(strength, padding).sum(axis=1) for strength in (a_strength, b_strength)]
    groups = () if modes is None or GROUPS not in shared else modes.groups
    return dataclasses.replace(
        comparison,
        errors={**comparison.errors, SUM: _error(sums[0], sums[1], ts, (MODE,), labels)},
        modes=_names(labels, MODE, num_modes),
        paths=_names(labels, PATH, num_paths),
        S=np.full(num_modes, np.nan) if modes is None else modes.S,
        mode_errors=tuple(
            _error(a_strength[..., m], b_strength[..., m], ts, (PATH,), labels) for m in range(num_modes)
        ),
        group_errors={
            _group_name(group, modes): _error(a[GROUPS][..., g], b[GROUPS][..., g], ts, (PATH,), labels)
            for g, group in enumerate(groups)
            if modes is not None and len(group) > 1
        },
        theory=outcomes[0],
        trained=outcomes[1],
    )


def learning_times(trajectory: Trajectory, fraction: float = 0.5) -> np.ndarray:
    """When each mode is learned, (mode,): the flow time at which sum_a K_a first reaches `fraction` of S/d.

    Linear between saves. Without modes the target is `fraction` of the last value instead. NaN where the target is
    never reached, or already is at the first save. Raises `ValueError` where the trajectory has no strengths.
    """
    check_is("trajectory", trajectory, Trajectory, "be a Trajectory", "racedyn.simulate and racedyn.train return one.")
    fraction = check_positive("fraction", fraction)
    if trajectory.dims.get("strength") != STRENGTH_DIMS:
        fail("trajectory", f"have an observable 'strength' with axes {STRENGTH_DIMS}",
             f"its axes are {trajectory.dims.get('strength')}", "Pick one member of an ensemble first.")  # fmt: skip
    strength = _float(trajectory.observables["strength"])
    total = _fill(strength, _padding(strength)).sum(axis=1)
    modes = modes_of(trajectory)
    target = total[-1] if modes is None else modes.S / modes.variances
    return _first_reached(times_of("trajectory", trajectory), total, fraction * target)


# Trajectories as host arrays


def _float(array: Any) -> np.ndarray:
    return np.asarray(array, dtype=np.float64)


def _names(labels: Mapping[str, Any], axis: str, size: int) -> tuple[str, ...]:
    """Names along an axis: its labels where there is one for each place, else counted from 1."""
    given = labels.get(axis, ())
    return tuple(map(text_of, given)) if len(given) == size else tuple(f"{axis} {i + 1}" for i in range(size))


def _common_times(theory_ts: np.ndarray, ts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The trained times within the theory's span, and which rows they are."""
    slack = 1e-6 * (theory_ts[-1] - theory_ts[0])  # times kept in float32 must not lose their last row
    rows = (ts >= theory_ts[0] - slack) & (ts <= theory_ts[-1] + slack)
    if not rows.any():
        fail("theory", "cover some of the flow times of `trained`", f"it covers {theory_ts[0]:.4g} to "
             f"{theory_ts[-1]:.4g}, and the trained times are {ts[0]:.4g} to {ts[-1]:.4g}, {len(ts)} of them",
             "Simulate with ts=trained.ts.")  # fmt: skip
    return ts[rows], rows


def _resampled(theory: Trajectory, own: np.ndarray, ts: np.ndarray) -> dict[str, np.ndarray]:
    """The theory's observables at `ts`, linear between its own times."""
    values = {name: _float(value) for name, value in theory.observables.items()}
    if np.array_equal(own, ts):
        return values
    return {
        name: np.array([np.interp(ts, own, lane) for lane in value.reshape(len(own), -1).T])
        .T.reshape(len(ts), *value.shape[1:])
        for name, value in values.items()
    }  # fmt: skip


# Measures


def _padding(strength: np.ndarray) -> np.ndarray:
    """Where a path has no such mode: NaN at all times, (path, mode)."""
    return np.asarray(np.isnan(strength).all(axis=0))


def _fill(strength: np.ndarray, padding: np.ndarray) -> np.ndarray:
    """Zero for padding, so that sums over paths skip it; a mode that no path has stays NaN."""
    return np.where(padding & ~padding.all(axis=0), 0.0, strength)


def _error(a: np.ndarray, b: np.ndarray, ts: np.ndarray, axes: Sequence[str], labels: Mapping[str, Any]) -> Error:
    """The error of a against b, both (time, *axes)."""
    shape = b.shape[1:]
    a, b = a.reshape(len(ts), -1), b.reshape(len(ts), -1)
    finite = np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0)
    bad = np.flatnonzero(~finite & ~(_padding(a) & _padding(b)))
    names = [_names(labels, axis, size) for axis, size in zip(axes, shape, strict=True)]
    places = [np.unravel_index(lane, shape) for lane in bad]
    failed = tuple(", ".join(n[i] for n, i in zip(names, place, strict=True)) or "the whole run" for place in places)
    if not finite.any():
        return Error(float("nan"), float("nan"), failed)
    difference, b = (a - b)[:, finite], b[:, finite]
    step = np.diff(ts)
    weights = (np.append(step, 0) + np.insert(step, 0, 0)) / 2 if len(ts) > 1 else np.ones(1)
    distance, norm = (float(np.sqrt(weights @ np.sum(x**2, axis=1))) for x in (difference, b))
    relative = distance / norm if norm else (0.0 if distance == 0 else float("inf"))
    return Error(relative, float(np.abs(difference).max()), failed)


def _first_reached(ts: np.ndarray, total: np.ndarray, target: np.ndarray) -> np.ndarray:
    """When each column of `total` (time, mode) first reaches `target` (mode,), from the side of zero."""
    # A sum that ends below zero is followed downwards; a target of 0 is no target.
    reached = (total * np.sign(target) >= np.abs(target)) & (target != 0)
    after = np.argmax(reached, axis=0)
    columns = np.flatnonzero(reached.any(axis=0) & (after > 0))
    after = after[columns]
    low, high = total[after - 1, columns], total[after, columns]
    times = np.full(total.shape[1], np.nan)
    times[columns] = ts[after - 1] + (ts[after] - ts[after - 1]) * (target[columns] - low) / (high - low)
    return times


def _winners(strength: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Winner, its share, the participation ratio, and whether it is a tie, of strengths (path, mode)."""
    size = np.abs(strength).sum(axis=0)
    known = np.isfinite(size) & (size > 0)
    strength = np.where(known, strength, np.nan)
    winner = np.where(known, np.argmax(np.where(known, np.abs(strength), 0.0), axis=0), -1)
    printed = np.sort(np.round(np.nan_to_num(shares(strength)), 2), axis=0)
    tied = known & (len(printed) > 1) & (printed[-1] == printed[-2:][0])
    return winner, largest_share(strength), participation(strength), tied


def _group_norms(strength: np.ndarray, modes: Modes) -> np.ndarray:
    """`group_strength` (time, path, group) of a theory whose blocks are diagonal: all that q, p have."""
    norms = [
        np.where(empty.all(axis=1), np.nan, np.sqrt(np.sum(np.where(empty, 0.0, block) ** 2, axis=2)))
        for block in (strength[..., list(group)] for group in modes.groups)
        for empty in (_padding(block),)
    ]
    return np.stack(norms, axis=2)


def _off_diagonal(values: np.ndarray | None, ts: np.ndarray, labels: Mapping[str, Any]) -> OffDiagonal | None:
    if values is None or not np.isfinite(values).any():
        return None
    values = np.where(np.isfinite(values), values, np.nan).reshape(len(ts), -1)
    row, path = np.unravel_index(np.nanargmax(values), values.shape)
    names = _names(labels, PATH, values.shape[1])
    return OffDiagonal(float(np.nanmin(values)), float(np.nanmax(values)), float(ts[row]), names[int(path)])


# Words


def _group_name(group: Sequence[int], modes: Modes) -> str:
    return f"modes {group[0] + 1}-{group[-1] + 1} (S = {modes.S[group[0]]:.4g})"


def _notes(theory: Trajectory, trained: Trajectory, checked: bool, interpolated: int) -> list[str]:
    notes = []
    pairs = num_pairs_of(trained)
    if not checked and pairs == 1 and "strength" in theory.observables and "strength" in trained.observables:
        lacking = " and ".join(n for n, t in (("theory", theory), ("trained", trained)) if modes_of(t) is None)
        notes.append(f"bases NOT checked ({lacking} without modes): strengths can agree only if read in the same one")
    if pairs > 1:
        notes.append(
            f"the paths join {pairs} pairs of input and output, each with modes of its own, which are not checked to be the "
            "same: no sums over paths, learning times or winners"
        )
    if rules_of(theory) != rules_of(trained):
        notes.append(
            f"theory and training follow different rules: {rules_of(theory) or 'none'} and {rules_of(trained) or 'none'}"
        )
    if interpolated:
        notes.append(f"save times differ: theory interpolated linearly onto {interpolated} trained times")
    modes = modes_of(theory)
    if modes is not None and modes.misalignment > MISALIGNED:
        notes.append(
            f"the inputs' correlation is not diagonal in these modes (off-diagonal {modes.misalignment:.2g} of its norm): "
            "one number per mode leaves that out, and S/d, towards which half is learned, is not where training ends"
        )
    for name, trajectory in (("theory", theory), ("trained", trained)):
        status = np.atleast_1d(np.asarray(trajectory.status)).ravel()
        for item in sorted({Status(int(s)) for s in status}):
            if not item.ok:
                notes.append(f"{name}: {np.sum(status == item)} of {len(status)} {item.name.lower()}: {item.message}")
    return notes
