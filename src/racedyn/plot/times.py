"""When each mode is learned, against how strong it is."""

from typing import Any

import numpy as np

from racedyn._checks import check_is, fail
from racedyn.comparison import learning_times as times_of
from racedyn.plot import style
from racedyn.tasks.modes import Modes
from racedyn.trajectory import Trajectory

_MARKERS = "osD^vP*X"
_MOST_TICKS = 6


def learning_times(*trajectories: Trajectory, ax: Any = None, **named: Trajectory) -> Any:
    """Flow time at which each mode is half learned (`racedyn.learning_times`) against its S, both axes logarithmic.

    One marker per trajectory, named by keyword; those of theories are open, over the filled ones of training. Modes
    of equal S stand side by side, in the order of their index, each at the same place for every trajectory. Modes that
    are never half learned, or are from the start, have no marker: the legend counts them.

    Returns the axes. Raises `ValueError` for a trajectory without strengths or without modes, or times in different
    units.
    """
    for run in (*trajectories, *named.values()):
        check_is("trajectories", run, Trajectory, "be Trajectories")
    curves = [(style.name_of(t, i, trajectories), t) for i, t in enumerate(trajectories)] + list(named.items())
    if not curves:
        fail("trajectories", "be at least one trajectory", "there is none")
    label = style.common_time_label([run for _, run in curves])
    modes = [_modes(name, run) for name, run in curves]
    with style.context():
        ax = style.new_axes(1, 1, (3.4, 2.6))[0] if ax is None else ax
        # Rounded: two tasks may give one value of S up to the last digits.
        levels = np.exp(np.unique(np.round(np.log(np.concatenate([m.S for m in modes])), 6)))
        colours = style.cycle()
        for i, ((name, run), own) in enumerate(zip(curves, modes, strict=True)):
            times = times_of(run)
            missing = int(np.sum(~np.isfinite(times)))
            colour, theory = colours[i % len(colours)], style.kind(run) == "simulate" and len(curves) > 1
            ax.loglog(
                _places(own, levels),
                times,
                linestyle="none",
                marker=_MARKERS[i % len(_MARKERS)],
                markersize=5 if theory else 4,
                markerfacecolor="none" if theory else colour,
                markeredgecolor=colour,
                markeredgewidth=0.9 if theory else 0,
                zorder=3 if theory else 2,
                label=name + (f" ({missing} of {len(times)} modes not learned)" if missing else ""),
            )
        _mark(ax, levels)
        ax.set(xlabel="singular value $S$", ylabel=f"half learned, {label}")
        ax.legend()
    return ax


def _modes(name: str, run: Trajectory) -> Modes:
    modes = None if run.provenance is None else run.provenance.modes
    if modes is None:
        fail("trajectories", "know their modes, which have the S of the axis", f"{name!r} has none",
             "Train on a task of one input and output, `reduce` it, or pass Pathways(..., modes=task.modes).")  # fmt: skip
    return modes


def _places(modes: Modes, levels: np.ndarray) -> np.ndarray:
    """Where each mode stands: its S, modes of one group spread over less than half the way to the next level."""
    gap = np.min(np.diff(np.log(levels)), initial=np.inf)
    places = np.log(modes.S)
    for group in modes.degenerate:
        spread = min(0.2 * gap, 0.03 * (len(group) - 1))
        places[list(group)] += np.linspace(-spread, spread, len(group))
    return np.exp(places)


def _mark(ax: Any, levels: np.ndarray) -> None:
    """Ticks that say numbers: the values of S themselves where they are few, else as many as there is room for."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

    plain = FuncFormatter(lambda value, _: f"{value:.3g}")
    for axis in (ax.xaxis, ax.yaxis):
        low, high = axis.get_view_interval()
        axis.set_major_locator(LogLocator(subs=(1, 2, 3, 4, 5, 6, 8) if high < 10 * low else (1, 2, 5)))
        axis.set_major_formatter(plain)
        axis.set_minor_formatter(NullFormatter())
    if len(levels) <= _MOST_TICKS:
        ax.xaxis.set_major_locator(FixedLocator(list(levels)))
        ax.xaxis.set_minor_locator(NullLocator())
        for level in levels:
            ax.axvline(level, color="0.9", linewidth=0.6, zorder=0)
