"""Measures of how far two runs are apart, and of how pathways share each mode at the end."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn._types import PATH
from racedyn.comparison.comparable import text_of
from racedyn.comparison.result import Error, OffDiagonal
from racedyn.paths import observe_shares
from racedyn.tasks import Modes
from racedyn.trajectory import Trajectory

# Trajectories as host arrays


def as_float64(array: Any) -> np.ndarray:
    """An array of a run, on the host and in the precision of measures."""
    return np.asarray(array, dtype=np.float64)


def names_along(labels: Mapping[str, Any], axis: str, size: int) -> tuple[str, ...]:
    """Names along an axis: its labels where there is one for each place, else counted from 1."""
    given = labels.get(axis, ())
    return (
        tuple(map(text_of, given))
        if len(given) == size
        else tuple(f"{axis} {i + 1}" for i in range(size))
    )


def common_times(theory_ts: np.ndarray, ts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def resampled(theory: Trajectory, own: np.ndarray, ts: np.ndarray) -> dict[str, np.ndarray]:
    """The theory's observables at `ts`, linear between its own times."""
    values = {name: as_float64(value) for name, value in theory.observables.items()}
    if np.array_equal(own, ts):
        return values
    return {
        name: np.array(
            [np.interp(ts, own, lane) for lane in value.reshape(len(own), -1).T]
        ).T.reshape(len(ts), *value.shape[1:])
        for name, value in values.items()
    }


# Measures


def padding_of(strength: np.ndarray) -> np.ndarray:
    """Where a path has no such mode: NaN at all times, (path, mode)."""
    return np.asarray(np.isnan(strength).all(axis=0))


def filled(strength: np.ndarray, padding: np.ndarray) -> np.ndarray:
    """Zero for padding, so that sums over paths skip it; a mode that no path has stays NaN."""
    return np.where(padding & ~padding.all(axis=0), 0.0, strength)


def error_of(
    a: np.ndarray,
    b: np.ndarray,
    weights: np.ndarray,
    axes: Sequence[str],
    labels: Mapping[str, Any],
) -> Error:
    """The error of a against b, both (time, *axes); `weights` (time,) are `time_weights`."""
    shape = b.shape[1:]
    a, b = a.reshape(len(weights), -1), b.reshape(len(weights), -1)
    finite = np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0)
    failed: tuple[str, ...] = ()
    if not finite.all():
        bad = np.flatnonzero(~finite & ~(padding_of(a) & padding_of(b)))
        names = [names_along(labels, axis, size) for axis, size in zip(axes, shape, strict=True)]
        failed = tuple(_place(names, np.unravel_index(lane, shape)) for lane in bad)
    if not finite.any():
        return Error(float("nan"), float("nan"), failed)
    difference, b = (a - b)[:, finite], b[:, finite]
    distance, norm = _norm(difference, weights), _norm(b, weights)
    relative = distance / norm if norm else (0.0 if distance == 0 else float("inf"))
    return Error(relative, float(np.abs(difference).max()), failed)


def _place(names: Sequence[Sequence[str]], place: Sequence[Any]) -> str:
    """Of an entry, by the names along its axes."""
    return ", ".join(n[i] for n, i in zip(names, place, strict=True)) or "the whole run"


def targets(modes: Modes) -> np.ndarray:
    """S/d, where each mode ends; NaN where the inputs have nothing of it, as the task of another
    run may.
    """
    return np.divide(
        modes.S, modes.variances, out=np.full(modes.num, np.nan), where=modes.variances != 0
    )


def time_weights(ts: np.ndarray) -> np.ndarray:
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


def winners(strength: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Winner, its share, the participation ratio, and whether it is a tie, of strengths (path,
    mode).
    """
    size = np.abs(strength).sum(axis=0)
    known = np.isfinite(size) & (size > 0)
    found = observe_shares(np.where(known, strength, np.nan))
    winner = np.where(known, found["winner"], -1).astype(int)
    printed = np.sort(np.round(np.nan_to_num(found["share"]), 2), axis=0)
    tied = known & (len(printed) > 1) & (printed[-1] == printed[-2:][0])
    return winner, found["largest_share"], found["participation"], tied


def group_norms(strength: np.ndarray, modes: Modes) -> np.ndarray:
    """`group_strength` (time, path, group) of a theory whose blocks are diagonal: all that q, p
    have.
    """
    norms = []
    for group in modes.groups:
        block = strength[..., list(group)]
        empty = padding_of(block)
        block = np.where(empty, 0.0, block)
        unit = np.max(np.abs(block), initial=0.0, where=np.isfinite(block)) or 1.0  # see `_norm`
        norms.append(
            np.where(empty.all(axis=1), np.nan, unit * np.sqrt(np.sum((block / unit) ** 2, axis=2)))
        )
    return np.stack(norms, axis=2)


def off_diagonal(
    values: np.ndarray | None, ts: np.ndarray, labels: Mapping[str, Any]
) -> OffDiagonal | None:
    """The smallest and largest of `off_diagonal` (time, path), and when and where the latter."""
    if values is None or not np.isfinite(values).any():
        return None
    values = np.where(np.isfinite(values), values, np.nan).reshape(len(ts), -1)
    row, path = np.unravel_index(np.nanargmax(values), values.shape)
    names = names_along(labels, PATH, values.shape[1])
    return OffDiagonal(
        float(np.nanmin(values)), float(np.nanmax(values)), float(ts[row]), names[int(path)]
    )


def group_name(group: Sequence[int], modes: Modes) -> str:
    """A group of equal S, for tables: modes 3-4 (S = 0.2165)."""
    return f"modes {group[0] + 1}-{group[-1] + 1} (S = {modes.S[group[0]]:.4g})"
