"""What a sweep shows at first sight: a map over two of its axes, or bands along one."""

from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn.plot.bands import bands
from racedyn.plot.cells import as_labelled
from racedyn.plot.phase_maps import phase_map
from racedyn.trajectory import Labelled

ROW, SEED, BESIDE = "row", "seed", ("status",)


def overview(sweep: Any) -> Any:
    """The first measure of many runs: a `phase_map` over the first two axes that were swept, or
    `bands` along the one that was.

    Axes of one value, and seeds, are not counted among them; of a measure that has rows in time it
    is the last row. Returns the axes. Raises `ValueError` where there is no measure with an axis.

        >>> sweep = rd.Labelled(
        ...     arrays={"share": np.random.default_rng(0).uniform(size=(4, 3))},
        ...     dims={"share": ("network.depth", "seed")},
        ...     coordinates={"network.depth": np.arange(2, 6)},
        ... )
        >>> rd.plot.overview(sweep).get_xlabel()
        'network.depth'
    """
    labelled = as_labelled(sweep)
    measure = _first(labelled)
    dims = labelled.dims[measure]
    select = {ROW: labelled.coordinates[ROW][-1]} if ROW in dims else None
    swept = [axis for axis in labelled.dims.get("status", dims) if axis in dims and axis != ROW]
    many = [axis for axis in swept if len(labelled.coordinates[axis]) > 1 and axis != SEED]
    if len(many) >= 2:
        return phase_map(labelled, measure, x=many[0], y=many[1], select=select)
    return bands(labelled, measure, x=[*many, *swept, *dims][0], select=select)


def _first(labelled: Labelled) -> str:
    """The first array of numbers with an axis; one without rows in time where there is one."""
    measures = [
        name
        for name, array in labelled.arrays.items()
        if np.asarray(array).dtype.kind in "biuf" and labelled.dims[name] and name not in BESIDE
    ]
    if not measures:
        fail("sweep", "have a measure: an array of numbers with an axis", "it has none")
    return next((name for name in measures if ROW not in labelled.dims[name]), measures[0])
