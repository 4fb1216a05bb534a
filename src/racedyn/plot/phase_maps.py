"""A measure of many runs over two of their axes, as a map."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from racedyn._checks import check_name
from racedyn.plot import style
from racedyn.plot.cells import Along, Cells, cells_of, spans
from racedyn.plot.panels import labelled_edges, panels_of, scaled, ticked, titled, wrapped

AVERAGES = {"mean": np.nanmean, "median": np.nanmedian}
_LEVELS = 5  # contours at most


def phase_map(
    sweep: Any,
    measure: str,
    *,
    x: str,
    y: str,
    average: str = "mean",
    select: Mapping[str, Any] | None = None,
    panels: str | None = None,
    ax: Any = None,
) -> Any:
    """A measure of many runs over two axes, as colour: its mean over all other axes.

    Ticks are the true values; an axis whose values are spaced by a factor is logarithmic, and so is
    colour where it spans more than a factor of 30. Thin lines are contours, where both axes are
    numbers. Cells in which every run failed or has no value are hatched and counted.

    **Arguments:**

    - `sweep`: a `Labelled`, a result that has one, or the path of a file of one.
    - `measure`: which of its arrays.
    - `x`, `y`: names of the axes.
    - `average`: "mean" or "median", over the axes that are not named.
    - `select`: axis -> value, for those that are to be at one value: {"seed": 0}.
    - `panels`: an axis that has a panel for each of its values, at most 12, with one scale.
    - `ax`: axes to draw on, with `panels` as many as there are.

    Returns the axes, with `panels` an array of them. Raises `ValueError` for names that are
    unknown, an axis that is named twice, values that are not on their axis, and too many panels.

        >>> std, seed = np.geomspace(0.001, 1.0, 4), np.arange(3)
        >>> share = np.random.default_rng(0).uniform(size=(4, 5, 3))
        >>> sweep = rd.Labelled(
        ...     arrays={"share": share},
        ...     dims={"share": ("init.std", "network.depth", "seed")},
        ...     coordinates={"init.std": std, "network.depth": np.arange(2, 7)},
        ... )
        >>> ax = rd.plot.phase_map(sweep, "share", x="init.std", y="network.depth")
        >>> ax.get_xscale(), [text.get_text() for text in ax.get_xticklabels()]
        ('log', ['0.001', '0.01', '0.1', '1'])
    """
    statistic = AVERAGES[check_name("average", average, AVERAGES)]
    cells = cells_of(sweep, measure, {"panels": panels, "y": y, "x": x}, select)
    colour = cells.reduced(statistic)
    maps = colour if panels is not None else colour[None]
    with style.context():
        axes, own = panels_of(cells, ax, height=2.7)
        norm, colours = _scale(colour)
        for one, values in zip(axes, maps, strict=True):
            mesh = _draw(one, cells, values, norm, colours)
        rows = len({ax.get_position().y0 for ax in axes})
        bar = (
            axes[0]
            .get_figure()
            .colorbar(mesh, ax=axes, aspect=20 * rows, label=wrapped(cells.label, 32, most=3))
        )
        bar.outline.set_visible(False)
        notes = [_missing(values, each) for values, each in _by_panel(cells, maps)]
        titled(cells, axes, own, cells.head(average), notes)
        labelled_edges(axes, cells.along["x"].label, cells.along["y"].label)
        ticked(axes, cells.along)
    if panels is None:
        return axes[0]
    drawn = np.empty(len(axes), dtype=object)
    drawn[:] = axes
    return drawn


def _by_panel(cells: Cells, maps: np.ndarray) -> Sequence[tuple[np.ndarray, np.ndarray]]:
    values = cells.values if "panels" in cells.along else cells.values[None]
    return list(zip(maps, values, strict=True))


def _draw(ax: Any, cells: Cells, values: np.ndarray, norm: Any, colours: str) -> Any:
    along = cells.along["x"], cells.along["y"]
    for axis, one in zip((ax.xaxis, ax.yaxis), along, strict=True):
        scaled(axis, one)
    x, y = map(_edges, along)
    mesh = ax.pcolormesh(x, y, np.ma.masked_invalid(values), norm=norm, cmap=colours)
    ax.patch.set(facecolor="0.94", edgecolor="0.6", hatch="/////", linewidth=0)
    found = values[np.isfinite(values)]
    numbers = along[0].numbers and along[1].numbers
    if numbers and min(values.shape) > 1 and found.size and np.ptp(found) > 0:
        _contours(ax, along, values, norm)
    ax.set(xlim=x[[0, -1]], ylim=y[[0, -1]])  # contours cut the first cell of a logarithmic axis
    for spine in ax.spines.values():
        spine.set_visible(False)
    return mesh


def _contours(ax: Any, along: tuple[Along, Along], values: np.ndarray, norm: Any) -> None:
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import LogLocator, MaxNLocator

    locator = LogLocator() if isinstance(norm, LogNorm) else MaxNLocator(_LEVELS)
    drawn = ax.contour(
        along[0].places,
        along[1].places,
        np.ma.masked_invalid(values),
        levels=locator.tick_values(norm.vmin, norm.vmax),
        colors="0.2" if norm.vmin < 0 else "white",
        linewidths=0.7,
        linestyles="solid",
    )
    ax.clabel(drawn, fontsize=6, fmt="%g")


def _scale(values: np.ndarray) -> tuple[Any, str]:
    """One scale of colour for all panels: logarithmic where values span decades, symmetric about 0
    where one is negative.
    """
    from matplotlib.colors import LogNorm, Normalize

    found = values[np.isfinite(values)]
    if spans(found):
        return LogNorm(found.min(), found.max()), "viridis"
    if found.size and found.min() < 0:
        return Normalize(-np.abs(found).max(), np.abs(found).max()), "RdBu_r"
    low, high = (found.min(), found.max()) if found.size else (0.0, 1.0)
    return Normalize(low, high if high > low else low + 1.0), "viridis"


def _edges(along: Along) -> np.ndarray:
    """Where the cells of an axis begin and end: halfway between its places, on their scale."""
    places = np.log(along.places) if along.log else along.places
    if len(places) == 1:
        return np.array([places[0] - 0.5, places[0] + 0.5])
    between = (places[1:] + places[:-1]) / 2
    edges = np.array([2 * places[0] - between[0], *between, 2 * places[-1] - between[-1]])
    return np.exp(edges) if along.log else edges


def _missing(cells: np.ndarray, values: np.ndarray) -> str:
    """What a panel says of cells without a value, and of those where some runs have none."""
    empty = np.isnan(cells)
    partly = np.isnan(values).any(axis=-1) & ~empty
    said = []
    if empty.any():
        said.append(f"no value in {empty.sum()} of {empty.size} cells (hatched)")
    if partly.any():
        said.append(f"some runs missing in {partly.sum()} of {empty.size} cells")
    return ", ".join(said)
