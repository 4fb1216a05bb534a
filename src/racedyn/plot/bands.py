"""A measure of many runs along one of their axes: medians, and how far runs scatter."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn.plot import style
from racedyn.plot.cells import Along, Cells, cells_of, spans
from racedyn.plot.panels import MOST, labelled_edges, panels_of, scaled, ticked, titled

QUANTILES = (0.1, 0.5, 0.9)
_SHADE = 0.18


def bands(
    sweep: Any,
    measure: str,
    *,
    x: str,
    hue: str | None = None,
    select: Mapping[str, Any] | None = None,
    panels: str | None = None,
    ax: Any = None,
) -> Any:
    """A measure of many runs along one axis: the median over all axes that are not named as a line,
    and from its 10 % to its 90 % quantile a shade.

    Ticks are the true values; scales are logarithmic as in `phase_map`. Runs that failed are left
    out, and counted.

    **Arguments:**

    - `sweep`, `measure`, `select`, `panels`, `ax`: as in `phase_map`.
    - `x`: the name of an axis.
    - `hue`: an axis that has a line of its own colour for each of its values, at most 12.

    Returns the axes, with `panels` an array of them. Raises `ValueError` as `phase_map` does, and
    for too many lines.

        >>> sweep = rd.Labelled(
        ...     arrays={"share": np.random.default_rng(0).uniform(size=(4, 3))},
        ...     dims={"share": ("network.depth", "seed")},
        ...     coordinates={"network.depth": np.arange(2, 6)},
        ... )
        >>> ax = rd.plot.bands(sweep, "share", x="network.depth")
        >>> ax.get_title()
        'median and 10-90 % over seed (3)'
    """
    cells = cells_of(sweep, measure, {"panels": panels, "hue": hue, "x": x}, select)
    lines = len(cells.along["hue"].places) if hue is not None else 1
    if lines > MOST:
        but = f"there are {lines} along {hue!r}"
        fail("hue", f"have at most {MOST} values", but, "Pass `select`, or another axis.")
    shape = (-1, lines, len(cells.along["x"].places))
    quantiles = np.stack(
        [
            cells.reduced(lambda values, axis, q=q: np.nanquantile(values, q, axis=axis))
            for q in QUANTILES
        ]
    ).reshape(3, *shape)
    with style.context():
        axes, own = panels_of(cells, ax, height=2.5)
        colours = _colours(cells.along.get("hue"))
        for i, one in enumerate(axes):
            _draw(one, cells, quantiles[:, i], colours)
        if spans(quantiles):
            axes[0].set_yscale("log")
        notes = [_missing(each) for each in cells.values.reshape(len(axes), -1)]
        titled(cells, axes, own, cells.head("median and 10-90 %"), notes)
        labelled_edges(axes, cells.along["x"].label, cells.label)
        if hue is not None:
            handles = _handles(cells.along["hue"], colours)
            style.legend(axes, handles, own, style.name_text(cells.along["hue"].label))
        ticked(axes, {"x": cells.along["x"]})
    if panels is None:
        return axes[0]
    drawn = np.empty(len(axes), dtype=object)
    drawn[:] = axes
    return drawn


def _draw(ax: Any, cells: Cells, quantiles: np.ndarray, colours: list[Any]) -> None:
    along = cells.along["x"]
    scaled(ax.xaxis, along)
    for low, median, high, colour in zip(*quantiles, colours, strict=True):
        look = style.row_markers(along.places)
        ax.plot(along.places, median, color=colour, **look)
        if cells.values.shape[-1] > 1:
            ax.fill_between(
                along.places, low, high, color=colour, alpha=_SHADE, linewidth=0, zorder=1.5
            )


def _colours(hues: Along | None) -> list[Any]:
    """Numbers from dark to pale, names in the colours of the style as far as they go."""
    import matplotlib as mpl

    count = 1 if hues is None else len(hues.places)
    known = style.cycle()
    if hues is None or (not hues.numbers and count <= len(known)):
        return known[:count]
    return list(mpl.colormaps["viridis"](np.linspace(0.0, 0.88, count)))


def _handles(hues: Along, colours: list[Any]) -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=colour, label=style.shortened(text, 24))
        for colour, text in zip(colours, hues.texts, strict=True)
    ]


def _missing(values: np.ndarray) -> str:
    missing = int(np.isnan(values).sum())
    return f"{missing} of {values.size} values missing" if missing else ""
