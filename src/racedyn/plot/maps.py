"""Matrices U^T W_a V of the pathways: how diagonal they are, and when."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn.comparison import check_axes
from racedyn.plot import style
from racedyn.trajectory import OBSERVABLES, Trajectory

_MOST_PATHS = 8
_MOST_TICKS = 10
_COLUMNS = 4


def strength_maps(
    trajectory: Trajectory, *, at: float | Sequence[float] = -1, axes: Any = None
) -> np.ndarray:
    """U^T W_a V of every pathway, as `train(..., observe=["strength_matrix"])` saves them;
    colour is symmetric about 0.

    On the diagonal are the strengths K_a; what is off it couples modes, and is what the q/p
    equations leave out. Thin squares frame groups of equal S, inside which the basis is a
    convention. At most 8 pathways: those with the largest norm at the last of the times, in the
    order of their index, as the figure then says.

    **Arguments:**

    - `at`: a flow time, or several; the saved row nearest to each is drawn, and its time said. A
      negative whole number counts saved rows from the end: -1 is the last.
    - `axes`: as many as panels (times x pathways, pathway by pathway), to draw on.

    Returns the axes drawn on: (panel,) for one time, (path, time) for several. Raises `ValueError`
    where the matrices were not saved, there is no such row, or there are too few axes.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(2, 2), width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> run = rd.train(network, task, weights, lr=0.04, steps=1000, observe=["strength_matrix"])
        >>> axes = rd.plot.strength_maps(run, at=[0.0, 10.0, 40.0])
        >>> axes.shape  # pathways x times
        (2, 3)
    """
    matrices = _matrices(trajectory)
    rows = [
        _row(trajectory, one) for one in (at if isinstance(at, Sequence | np.ndarray) else [at])
    ]
    if not rows:
        fail("at", "be a flow time, or several", "it is empty")
    paths = _shown(matrices[rows[-1]])
    limit = np.nanmax(np.abs(matrices[np.ix_(rows, paths)]), initial=0.0) or 1.0
    names = style.path_names([trajectory], "strength_matrix")
    modes = None if trajectory.provenance is None else trajectory.provenance.modes
    with style.context():
        own = axes is None
        columns = min(_COLUMNS, len(paths)) if len(rows) == 1 else len(rows)
        count = len(paths) * len(rows)
        panels = (
            _new_panels(count, columns) if own else list(np.ravel(np.asarray(axes, dtype=object)))
        )
        if len(panels) < count:
            fail(
                "axes",
                f"be one per pathway and time, {count}",
                f"there are {len(panels)}",
                "Leave them out.",
            )
        panels = panels[:count]
        wanted = [(path, row) for path in paths for row in rows]
        for i, (ax, (path, row)) in enumerate(zip(panels, wanted, strict=True)):
            image = _draw(ax, matrices[row, path], limit, modes)
            ax.set_title(f"{style.shortened(names[path], 20)}\n{style.time_text(trajectory, row)}")
            if not own or i + columns >= count:
                ax.set_xlabel("mode in")
                ax.xaxis.set_tick_params(labelbottom=True)
            if not own or i % columns == 0:
                ax.set_ylabel("mode out")
        bar = (
            panels[0]
            .get_figure()
            .colorbar(image, ax=panels, shrink=0.8, label=OBSERVABLES["strength_matrix"].symbol)
        )
        bar.outline.set_visible(False)
        if own and len(paths) < matrices.shape[1]:
            panels[0].get_figure().suptitle(
                f"{len(paths)} of {matrices.shape[1]} pathways: those with the largest norm",
                fontsize=8,
            )
    result = np.empty(count, dtype=object)
    result[:] = panels
    return result if len(rows) == 1 else result.reshape(len(paths), len(rows))


def _matrices(trajectory: Trajectory) -> np.ndarray:
    check_axes("trajectory", trajectory, "strength_matrix")
    matrices = np.asarray(trajectory["strength_matrix"], dtype=np.float64)
    if not len(matrices):
        fail("trajectory", "have at least one saved row", "it has none")
    return matrices


def _row(trajectory: Trajectory, at: Any) -> int:
    """The saved row that is meant: the nearest in time, or counted from the end."""
    ts = np.asarray(trajectory.ts, dtype=np.float64)
    if isinstance(at, bool) or not isinstance(at, int | float | np.number) or not np.isfinite(at):
        fail("at", "be a finite flow time, or several", f"it holds {at!r}")
    if isinstance(at, int | np.integer) and at < 0:
        if -at > len(ts):
            fail("at", f"be at least -{len(ts)}, the first saved row", f"it is {at}")
        return len(ts) + int(at)
    return int(np.argmin(np.abs(ts - at)))


def _shown(matrices: np.ndarray) -> list[int]:
    norms = np.sqrt(np.nansum(matrices**2, axis=(1, 2)))
    return sorted(int(a) for a in np.argsort(-norms, kind="stable")[:_MOST_PATHS])


def _new_panels(count: int, columns: int) -> list[Any]:
    rows = -(-count // columns)
    width = min(style.WIDTH, 0.9 + 1.7 * columns)
    panels = style.new_axes(rows, columns, (width, 0.4 + rows * (0.35 + (width - 1.2) / columns)))
    for spare in panels[count:]:
        spare.remove()
    return panels[:count]


def _draw(ax: Any, matrix: np.ndarray, limit: float, modes: Any) -> Any:
    from matplotlib.patches import Rectangle

    size = len(matrix)
    edges = np.arange(size + 1) + 0.5  # mode numbers count from 1
    image = ax.imshow(
        matrix,
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        extent=(0.5, size + 0.5, size + 0.5, 0.5),
        interpolation="none",
    )
    ax.set_facecolor("0.9")  # where a pair has fewer modes, and the matrix is padded with NaN
    for group in () if modes is None or modes.num != size else modes.degenerate:
        corner, side = edges[group[0]], len(group)
        ax.add_patch(
            Rectangle((corner, corner), side, side, fill=False, edgecolor=style.GREY, linewidth=0.5)
        )
    step = -(-size // _MOST_TICKS)
    ticks = np.arange(1, size + 1, step)
    ax.set(xticks=ticks, yticks=ticks)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return image
