"""Shares of pathways without a basis: eigenvalues of the projectors, against flow time."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn.comparison import check_axes
from racedyn.plot import seeds, style, timing
from racedyn.trajectory import Trajectory

_MOST_PATHS = 8
_COLUMNS = 4
_NAME = "projector_eigenvalues"


def projectors(
    trajectory: Trajectory | Sequence[Trajectory],
    *,
    time: str = "auto",
    xlim: tuple[float, float] | None = None,
    axes: Any = None,
) -> np.ndarray:
    """One panel per pathway: the eigenvalues of P_a = M_a (sum_b M_b)^-1 against flow time, as
    `train(..., observe=["projector_eigenvalues"])` saves them.

    Each line is the share that the pathway has of a direction, a mixture of modes. Lines that run
    to 0 and 1 say that pathways own directions; at the grey line all share one equally. Soon after
    the start all lie between 0 and 1; what does not is outside the panel. At most 8 pathways: those
    with the largest sum of shares at the end, in the order of their index, as the figure then says.
    Of a list of runs, or of an ensemble, the median of each eigenvalue in falling order, with a
    shade, as in `race`, which has `time` and `xlim`, too. `axes`: as many as panels, to draw on.

    Returns the axes drawn on, (panel,). Raises `ValueError` where the eigenvalues were not saved,
    or there are too few axes.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(3, 3), width=16)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> asked = ["strength", "projector_eigenvalues"]
        >>> run = rd.train(network, task, weights, lr=0.04, steps=1000, observe=asked)
        >>> [len(ax.lines) for ax in rd.plot.projectors(run)]  # 4 eigenvalues, and 1/M
        [5, 5]
    """
    runs = seeds.as_seeds("trajectory", trajectory)
    for run in runs:
        check_axes("trajectory", run, _NAME)
    first, ts = runs[0], np.asarray(runs[0].ts)
    curves = np.stack([np.asarray(run[_NAME], dtype=np.float64) for run in runs])
    num_paths = curves.shape[2]
    if not len(ts):
        fail("trajectory", "have at least one saved row", "it has none")
    values = np.median(curves, axis=0)  # (time, path, eigenvalue)
    ends = np.nan_to_num(values[-1]).sum(axis=1)
    shown = sorted(int(a) for a in np.argsort(-ends, kind="stable")[:_MOST_PATHS])
    names = style.path_names([first], _NAME)
    with style.context():
        from matplotlib.lines import Line2D

        own, columns = axes is None, min(_COLUMNS, len(shown))
        panels = (
            _new_panels(len(shown), columns)
            if own
            else list(np.ravel(np.asarray(axes, dtype=object)))
        )
        if len(panels) < len(shown):
            but = f"there are {len(panels)}"
            fail("axes", f"be one per pathway, {len(shown)}", but, "Leave them out.")
        panels = panels[: len(shown)]
        colours = style.cycle()
        for i, (ax, path) in enumerate(zip(panels, shown, strict=True)):
            colour = colours[path % len(colours)]
            for number in range(values.shape[2]):
                seeds.draw(ax, ts, curves[:, :, path, number], color=colour, linewidth=1.0)
            ax.axhline(1 / num_paths, color=style.GREY, linewidth=0.6, zorder=1)
            style.mark_switches(ax, [first], named=i == 0)
            ax.set(ylim=(-0.04, 1.04), title=style.shortened(names[path], 24))
            if not own or i + columns >= len(shown):  # nothing below
                ax.set_xlabel(style.time_label(first))
                ax.tick_params(labelbottom=True)
            if not own or i % columns == 0:
                ax.set_ylabel("eigenvalues of $P_a$")
        handles = [
            Line2D([], [], color="0.3", linewidth=1.0, label="share of a mixture of modes"),
            Line2D([], [], color=style.GREY, linewidth=0.6, label="$1/M$: shared equally"),
        ]
        handles += seeds.range_handles(len(runs))
        timing.show(panels, ts, [values], time, xlim, own)
        most = f"{len(shown)} of {num_paths} pathways: those with the largest shares at the end"
        style.legend(panels, handles, own, most if len(shown) < num_paths else None)
    result = np.empty(len(panels), dtype=object)
    result[:] = panels
    return result


def _new_panels(count: int, columns: int) -> list[Any]:
    rows = -(-count // columns)
    # Two panels are as wide as a column of a page.
    width = style.WIDTH * min(1.0, columns / 4 if columns > 1 else 0.4)
    panels = style.new_axes(rows, columns, (width, 0.6 + 1.6 * rows))
    for spare in panels[count:]:
        spare.remove()
    return panels[:count]
