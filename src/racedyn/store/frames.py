"""Trajectories and labelled arrays for others to read: an xarray Dataset, a pandas DataFrame."""

from typing import TYPE_CHECKING, Any

import numpy as np

from racedyn._checks import check_name, fail, shown
from racedyn._names import distinct
from racedyn._types import MEMBER, TIME
from racedyn.store.labelled import coordinates_of, described
from racedyn.store.layout import as_array, axes
from racedyn.store.layout import described as observed
from racedyn.store.parameters import coordinates_of as parameters_beside
from racedyn.trajectory import Labelled, Trajectory

if TYPE_CHECKING:
    import pandas
    import xarray


def to_xarray(found: Any) -> "xarray.Dataset":
    """A `Trajectory`, a `Labelled` or a result that has one as an `xarray.Dataset`: observables or
    arrays, with the values along axes as coordinates; of a run also steps, status, `stats` and what
    members differ in.

    `racedyn.save` needs no such step: `xarray.open_datatree(path)` opens its files as they are,
    `xarray.open_dataset(path)` that of a `Labelled`. Raises `ImportError` where xarray is not
    installed, `TypeError` for anything else.

        >>> race = rd.systems.Pathways([4.0, 3.0, 2.0, 1.0], depths=(2, 2), q=0.1, p=[[0.2], [0.1]])
        >>> run = rd.simulate(race, ts=np.linspace(0.0, 40.0, 41))
        >>> dict(rd.to_xarray(run)["strength"].sizes)
        {'time': 41, 'path': 2, 'mode': 4}
    """
    labelled = as_labelled("found", found)
    try:
        import xarray
    except ImportError as error:
        raise ImportError(
            '`to_xarray` needs xarray, which is not installed: pip install "racedyn[xarray]".'
        ) from error
    values, _ = coordinates_of(labelled)
    variables = {
        name: (distinct(labelled.dims[name]), array, described(labelled, name))
        for name, array in labelled.arrays.items()
    }
    coordinates: dict[str, Any] = {
        axis: (axis, value, described(labelled, axis)) for axis, value in values.items()
    }
    if isinstance(found, Trajectory):
        coordinates |= _beside(found, {*variables, *coordinates})
    return xarray.Dataset(variables, coordinates, dict(labelled.attributes))


def _beside(run: Trajectory, taken: set[str]) -> dict[str, Any]:
    """Further coordinates of a run: steps, parameters of members, status and stats."""
    parameters = parameters_beside(run, taken).items()
    found: dict[str, Any] = {name: (axes, values) for name, (_, axes, values) in parameters}
    if run.step is not None:
        found["step"] = (TIME, np.asarray(run.step))
    many = any(MEMBER in axes for axes in run.dims.values())
    for own, value in {"status": run.status, **run.stats}.items():
        array = np.asarray(value)
        lanes = distinct(["lane"] * array.ndim)
        name = f"stats.{own}" if own in (*taken, *found) else own
        found[name] = ((MEMBER, *lanes)[: array.ndim] if many else lanes, array)
    return found


def to_pandas(found: Any, name: str | None = None) -> "pandas.DataFrame":
    """A `Trajectory`, a `Labelled` or a result that has one as a `pandas.DataFrame` in long form: a
    row per cell, its place in the index, a column per array.

    The arrays are those that have the axes of the first, or of the one that is called `name`.

    Raises `ImportError` where pandas is not installed, `TypeError` for anything else, `ValueError`
    for a name that is none of its arrays.

        >>> race = rd.systems.Pathways([4.0, 3.0, 2.0, 1.0], depths=(2, 2), q=0.1, p=[[0.2], [0.1]])
        >>> run = rd.simulate(race, ts=np.linspace(0.0, 40.0, 41))
        >>> table = rd.to_pandas(run, "strength")
        >>> table.index.names, len(table)
        (FrozenList(['time', 'path', 'mode']), 328)
    """
    labelled = as_labelled("found", found)
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            '`to_pandas` needs pandas, which is not installed: pip install "racedyn[pandas]".'
        ) from error
    if not labelled.arrays:
        fail("found", "have at least one array", "it has none")
    name = next(iter(labelled)) if name is None else check_name("name", name, labelled)
    wanted = labelled.dims[name]
    columns = {
        other: np.ravel(array)
        for other, array in labelled.arrays.items()
        if labelled.dims[other] == wanted
    }
    values, _ = coordinates_of(labelled)
    named = distinct(wanted)
    index: pandas.Index | None = None
    if len(named) == 1:
        index = pandas.Index(values[named[0]], name=named[0])
    elif named:
        index = pandas.MultiIndex.from_product([values[axis] for axis in named], names=named)
    return pandas.DataFrame(columns, index=index)


def as_labelled(argument: str, found: Any) -> Labelled:
    """What is to be read as arrays with named axes, whatever it is."""
    if isinstance(found, Trajectory):
        return _of_trajectory(found)
    made = found if isinstance(found, Labelled) else _made(found)
    if not isinstance(made, Labelled):
        must = "be a Trajectory, a Labelled, or a result that has a method `labelled`"
        fail(argument, must, f"it is {shown(found)}", error=TypeError)
    return made


def _made(found: Any) -> Any:
    method = None if isinstance(found, type) else getattr(found, "labelled", None)
    return method() if callable(method) else None


def _of_trajectory(run: Trajectory) -> Labelled:
    """The observables of a run, and from where it is."""
    observables = {
        name: as_array(f"observables[{name!r}]", value) for name, value in run.observables.items()
    }
    values, _ = axes(run, observables)
    source = run.provenance
    told = {name: observed(run, name) for name in observables}
    return Labelled(
        arrays=observables,
        dims={name: distinct(run.dims[name]) for name in observables},
        coordinates=values,
        meanings={
            name: (text.get("long_name", ""), text.get("units", "")) for name, text in told.items()
        },
        attributes={}
        if source is None
        else {"kind": source.kind, "system": source.system, "solver": source.solver},
    )
