"""A matrix as an image."""

from typing import Any

import numpy as np

from racedyn._arrays import as_matrix
from racedyn.plot import style

_MOST_TICKS = 8


def matrix(
    values: Any, *, ax: Any = None, label: str | None = None, signed: bool | None = None
) -> Any:
    """A matrix as an image, rows downwards, both counted from 1; colour is symmetric about 0 where
    a value is negative.

    `signed` says so of several matrices that are to be compared. `label` stands at the colour bar;
    there is none without. Returns the axes. Raises `ValueError` for what is no finite matrix.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> ax = rd.plot.matrix(task.Y, label="property")
        >>> ax.images[0].get_array().shape
        (7, 4)
    """
    values = as_matrix("values", values)
    limit = float(np.abs(values).max()) or 1.0
    signed = values.min() < 0 if signed is None else signed
    with style.context():
        ax = style.new_axes(1, 1, (2.6, 2.2))[0] if ax is None else ax
        rows, columns = values.shape
        image = ax.imshow(
            values,
            cmap="RdBu_r" if signed else "Blues",
            vmin=-limit if signed else 0.0,
            vmax=limit,
            extent=(0.5, columns + 0.5, rows + 0.5, 0.5),
            interpolation="none",
        )
        ax.set(xticks=_ticks(columns), yticks=_ticks(rows))
        ax.tick_params(length=0)
        for spine in ax.spines.values():
            spine.set_visible(False)
        if label is not None:
            ax.figure.colorbar(image, ax=ax, shrink=0.8, label=label).outline.set_visible(False)
    return ax


def _ticks(count: int) -> np.ndarray:
    return np.arange(1, count + 1, -(-count // _MOST_TICKS))
