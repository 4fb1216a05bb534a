"""Multidimensional scaling of hidden activities, those of several networks on common axes
([Jarvis25] fig. 4c).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from racedyn._arrays import as_matrix
from racedyn._checks import as_list, check_positive_int, fail
from racedyn._text import brief
from racedyn._types import ArrayLike


class Scaled(NamedTuple):
    """`coordinates` (activity, column, dimension); `kept` (activity,): part of all squared
    distances that the axes show; `apart` (activity,): what rotation leaves between an activity and
    the first one, in all dimensions, over the first's norm."""

    coordinates: np.ndarray
    kept: np.ndarray
    apart: np.ndarray

    def __repr__(self) -> str:
        return brief(self)


def mds(activities: Sequence[ArrayLike], dimensions: int = 2) -> Scaled:
    """Classical multidimensional scaling: distances between columns in a few dimensions, as well as
    a linear map can.

    `activities`: (units, columns) each, with the same columns and any number of units. Each is
    centred and turned (rotated or reflected, never scaled) onto the first one as closely as it can
    be; the axes are then the principal ones of all together, the widest first, the first activity's
    largest entry on each positive. Raises `ValueError` for none, for activities of different
    columns or without a difference between them, and for more dimensions than columns.

        >>> corners = np.array([[0.0, 4.0, 4.0, 0.0], [0.0, 0.0, 1.0, 1.0]])  # of a rectangle
        >>> scaled = rd.representations.mds([corners], dimensions=1)
        >>> scaled.coordinates.shape, f"{scaled.kept[0]:.3f}"  # 16 / 17
        ((1, 4, 1), '0.941')
    """
    if hasattr(activities, "ndim") and activities.ndim == 2:
        fail("activities", "be a list of matrices", "it is one matrix", "[H] scales one alone.")
    activities = as_list("activities", activities, "be a list of matrices", "[H] scales one alone.")
    arrays = [as_matrix(f"activities[{k}]", activity) for k, activity in enumerate(activities)]
    if not arrays:
        fail("activities", "hold at least one activity", "it is empty")
    columns = arrays[0].shape[1]
    if check_positive_int("dimensions", dimensions) > columns:
        fail("dimensions", f"be at most the number of columns, {columns}", f"it is {dimensions}")
    points: list[np.ndarray] = []
    for k, activity in enumerate(arrays):
        if activity.shape[1] != columns:
            fail(
                f"activities[{k}]",
                f"have {columns} columns, as the first has",
                f"it has {activity.shape[1]}",
            )
        centred = (activity - activity.mean(axis=1, keepdims=True)).T
        if np.linalg.norm(centred) <= 1e-14 * np.linalg.norm(activity):
            fail(f"activities[{k}]", "differ between columns", "all of its columns are equal")
        left, values, _ = np.linalg.svd(centred, full_matrices=False)
        own = np.zeros((columns, columns))
        own[:, : len(values)] = (
            left * values
        )  # all distances, in as many dimensions as there are columns
        if points:
            turn, _, back = np.linalg.svd(own.T @ points[0])
            own = own @ turn @ back
        points.append(own)
    axes = np.linalg.svd(np.concatenate(points), full_matrices=False)[2][:dimensions].T
    shown = np.stack(points) @ axes
    signs = np.take_along_axis(shown[0], np.abs(shown[0]).argmax(axis=0)[None], axis=0)
    shown = shown * np.where(signs < 0, -1.0, 1.0)
    sizes = np.array([np.linalg.norm(own) for own in points])
    return Scaled(
        shown,
        np.sum(shown**2, axis=(1, 2)) / sizes**2,
        np.array([np.linalg.norm(own - points[0]) for own in points]) / sizes[0],
    )
