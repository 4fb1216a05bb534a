"""When each mode is learned, against how strong it is."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn.comparison import learning_times as times_of
from racedyn.plot import seeds, style
from racedyn.tasks import Modes
from racedyn.trajectory import Trajectory

_MARKERS = "osD^vP*X"
_MOST_TICKS = 6


def learning_times(
    *trajectories: Trajectory | Sequence[Trajectory],
    ax: Any = None,
    **named: Trajectory | Sequence[Trajectory],
) -> Any:
    """Flow time at which each mode is half learned (`racedyn.learning_times`) against its S, both
    axes logarithmic.

    One marker per trajectory, named by keyword; those of theories are open, over the filled ones of
    training. Modes of equal S stand side by side, in the order of their index, each at the same
    place for every trajectory. A mode that is half learned between two rows too far apart to tell
    when has a bar from the earliest to the latest time, without a lower end where that is the
    start. Modes that are never half learned, or are from the start, have none: the legend counts
    them. Of a run that switched tasks it shows the last one, from its switch on; `run.segment(i)`
    has the others. S of a task read in another's modes may be negative: its size counts, and where
    it is 0 there is nothing to learn.

    Of a list, several seeds of one run, or of an ensemble the marker is the median of those that
    learn the mode, with a bar from the lowest to the highest, of more than ten over the inner 80 %.

    Returns the axes. Raises `ValueError` for a trajectory without strengths or without modes, or
    times in different units.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(2, 2), width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> theory = rd.simulate(rd.reduce(network, task, weights), ts=np.linspace(0.0, 40.0, 41))
        >>> ax = rd.plot.learning_times(theory)
        >>> ax.get_xlabel(), ax.get_xscale()
        ('singular value $S$', 'log')
    """
    unnamed = [seeds.as_seeds("trajectories", given) for given in trajectories]
    firsts = [runs[0] for runs in unnamed]
    curves = [(style.name_of(runs[0], i, firsts), runs) for i, runs in enumerate(unnamed)]
    curves += [(name, seeds.as_seeds(name, given)) for name, given in named.items()]
    if not curves:
        fail("trajectories", "be at least one trajectory", "there is none")
    label = style.common_time_label([run for _, runs in curves for run in runs])
    modes = [_modes(name, runs[0]) for name, runs in curves]
    with style.context():
        ax = style.new_axes(1, 1, (3.4, 2.6))[0] if ax is None else ax
        # Rounded: two tasks may give one value of S up to the last digits.
        levels = np.exp(np.unique(np.round(np.log(np.concatenate([_sizes(m) for m in modes])), 6)))
        colours = style.cycle()
        bars: list[tuple[Any, bool, float, float, float]] = []
        for i, ((name, runs), own) in enumerate(zip(curves, modes, strict=True)):
            middle, bounds, missing, vague = _over(runs)
            places = _places(own, levels)
            colour, theory = (
                colours[i % len(colours)],
                style.kind(runs[0]) in style.THEORY and len(curves) > 1,
            )
            ax.loglog(
                places,
                middle,
                linestyle="none",
                marker=_MARKERS[i % len(_MARKERS)],
                markersize=5 if theory else 4,
                markerfacecolor="none" if theory else colour,
                markeredgecolor=colour,
                markeredgewidth=0.9 if theory else 0,
                zorder=3 if theory else 2,
                label=seeds.counted(name, len(runs)) + _counted(missing, vague, len(middle)),
            )
            bars += [
                (colour, theory, place, *ends)
                for place, ends in zip(places, bounds, strict=True)
                if np.isfinite(ends).all()
            ]
        _draw_bars(ax, bars)
        _mark(ax, levels)
        ax.set(xlabel="singular value $S$", ylabel=f"half learned, {label}")
        ax.legend()
    return ax


def _over(runs: Sequence[Trajectory]) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Of each mode the time, (mode,), and the ends of its bar, (mode, 2), NaN where there is none;
    how many modes are not learned, and how many between two rows.
    """
    found = [times_of(run) for run in runs]
    if len(found) == 1:
        (times,) = found
        vague = times.between_rows
        bounds = np.where(vague[:, None], times.bounds, np.nan)
        return times.times, bounds, int(np.sum(~times.known & ~vague)), int(np.sum(vague))
    every = np.stack([np.where(times.known, times.times, np.nan) for times in found])
    low, middle, high = seeds.band(every)
    return middle, np.stack([low, high], axis=1), int(np.isnan(middle).sum()), 0


def _modes(name: str, run: Trajectory) -> Modes:
    modes = None if run.provenance is None else run.provenance.modes
    if modes is None:
        fail(
            "trajectories",
            "know their modes, which have the S of the axis",
            f"{name!r} has none",
            "Train on a task of one input and output, `reduce` it, or pass Pathways(..., "
            "modes=task.modes).",
        )
    return modes


def _sizes(modes: Modes, *, keep: bool = False) -> np.ndarray:
    """|S| of the modes that have something to learn; with `keep` NaN for the others."""
    sizes = np.abs(modes.S)
    learns = np.isfinite(sizes) & (sizes > 0)
    return np.where(learns, sizes, np.nan) if keep else sizes[learns]


def _counted(missing: int, vague: int, num: int) -> str:
    """What the legend says of modes without a marker."""
    parts = [f"{missing} of {num} modes not learned"] if missing else []
    parts += [f"{vague} of {num} between rows"] if vague else []
    return f" ({', '.join(parts)})" if parts else ""


def _draw_bars(ax: Any, bars: list[tuple[Any, bool, float, float, float]]) -> None:
    """From the earliest to the latest time of each mode; 0 is nowhere on a logarithmic axis, so
    those bars leave it.
    """
    shown = [time for *_, earliest, latest in bars for time in (earliest, latest) if time > 0]
    if shown:
        low, high = ax.get_ylim() if np.isfinite(ax.dataLim.y0) else (min(shown), max(shown))
        ax.set_ylim(min(low, min(shown) / 1.5), max(high, max(shown) * 1.2))
    for colour, theory, place, earliest, latest in bars:
        look = {"color": colour, "linewidth": 0.9 if theory else 1.8, "zorder": 3 if theory else 2}
        ax.plot(
            [place] * 2,
            [earliest if earliest > 0 else ax.get_ylim()[0], latest],
            marker="_",
            markersize=4,
            **look,
        )


def _places(modes: Modes, levels: np.ndarray) -> np.ndarray:
    """Where each mode stands: its S, modes of one group spread over less than half the way to the
    next level.
    """
    gap = np.min(np.diff(np.log(levels)), initial=np.inf)
    places = np.log(_sizes(modes, keep=True))
    for group in modes.degenerate:
        spread = min(0.2 * gap, 0.03 * (len(group) - 1))
        places[list(group)] += np.linspace(-spread, spread, len(group))
    return np.exp(places)


def _mark(ax: Any, levels: np.ndarray) -> None:
    """Ticks that say numbers: the values of S themselves where they are few, else as many as there
    is room for.
    """
    from matplotlib.ticker import (
        FixedLocator,
        FuncFormatter,
        LogLocator,
        NullFormatter,
        NullLocator,
    )

    plain = FuncFormatter(lambda value, _: f"{value:.3g}")
    for axis in (ax.xaxis, ax.yaxis):
        low, high = axis.get_view_interval()
        axis.set_major_locator(
            LogLocator(subs=(1, 2, 3, 4, 5, 6, 8) if high < 10 * low else (1, 2, 5))
        )
        axis.set_major_formatter(plain)
        axis.set_minor_formatter(NullFormatter())
    if len(levels) <= _MOST_TICKS:
        ax.xaxis.set_major_locator(FixedLocator(list(levels)))
        ax.xaxis.set_minor_locator(NullLocator())
        for level in levels:
            ax.axvline(level, color="0.9", linewidth=0.6, zorder=0)
