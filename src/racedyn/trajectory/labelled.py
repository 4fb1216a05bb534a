"""Arrays whose axes have names and values along them: what tables of many runs are kept in."""

import dataclasses
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np

from racedyn._checks import UnknownName, fail
from racedyn._text import clipped, page, printable
from racedyn._types import FrozenDict


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
    """Arrays with named axes: `found["participation"]`, or all of them by `racedyn.to_xarray` and
    `racedyn.to_pandas`.

    **Fields:**

    - `arrays`: name -> array of numbers.
    - `dims`: name -> names of its axes.
    - `coordinates`: axis -> values along it, numbers or strings; an axis without any counts from 0.
    - `meanings`: name -> (what it is, its unit), where they are known.
    - `attributes`: what else is to be said of all, as JSON has it.

    Raises `ValueError` where an array has other axes than `dims` says, or two have one axis of two
    lengths, or what lies along an axis is no list.

        >>> found = rd.Labelled(
        ...     arrays={"loss": np.array([[0.5, 0.3], [0.2, 0.1]])},
        ...     dims={"loss": ("init.std", "seed")},
        ...     coordinates={"init.std": np.array([0.01, 0.1])},
        ... )
        >>> found
        Labelled(init.std 2, seed 2; loss)
    """

    arrays: Mapping[str, np.ndarray]
    dims: Mapping[str, tuple[str, ...]]
    coordinates: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    meanings: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        coordinates = {axis: np.asarray(values) for axis, values in self.coordinates.items()}
        for axis, values in coordinates.items():
            if values.ndim != 1:
                fail(f"coordinates[{axis!r}]", "have one axis", f"their shape is {values.shape}")
        sizes = {axis: len(values) for axis, values in coordinates.items()}
        for name, array in self.arrays.items():
            shape, axes = np.shape(array), self.dims[name]
            if len(shape) != len(axes):
                but = f"its shape is {shape}, and its axes are {axes}"
                fail(f"arrays[{name!r}]", "have an axis for each name in `dims`", but)
            for axis, size in zip(axes, shape, strict=True):
                if sizes.setdefault(axis, size) != size:
                    must = f"be {sizes[axis]} long on the axis {axis!r}, as others are"
                    fail(f"arrays[{name!r}]", must, f"it is {size} long")
        for axis, size in sizes.items():
            coordinates.setdefault(axis, np.arange(size))
        object.__setattr__(self, "arrays", FrozenDict(self.arrays))
        object.__setattr__(self, "dims", FrozenDict({n: tuple(self.dims[n]) for n in self.arrays}))
        object.__setattr__(self, "coordinates", FrozenDict(coordinates))

    def __getitem__(self, name: str) -> np.ndarray:
        """An array by its name, or the values along an axis."""
        if name in self.arrays:
            return self.arrays[name]
        if name in self.coordinates:
            return self.coordinates[name]
        known = [*self.arrays, *self.coordinates]
        near = get_close_matches(str(name), known, n=1)
        must, remedy = f"be one of {', '.join(known)}", f"Did you mean {near[0]!r}?" if near else ""
        fail("name", must, f"it is {name!r}", remedy, UnknownName)

    def __contains__(self, name: object) -> bool:
        return name in self.arrays or name in self.coordinates

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __repr__(self) -> str:
        axes = ", ".join(f"{axis} {len(values)}" for axis, values in self.coordinates.items())
        return clipped(f"Labelled({axes}; {', '.join(self.arrays) or 'nothing'})")

    def _repr_html_(self) -> str:
        return page("Labelled arrays", [], str(self))

    def __str__(self) -> str:
        lines = ["Labelled arrays"]
        for axis, values in self.coordinates.items():
            lines.append(f"  {axis:<24} {len(values):>6}  {_shown(values)}")
        for name, array in self.arrays.items():
            meaning, unit = self.meanings.get(name, ("", ""))
            unit = f" [{unit}]" if unit not in ("", "1") else ""
            axes = ", ".join(self.dims[name])
            lines.append(f"  {name:<24} ({axes}) {np.asarray(array).dtype}{unit}  {meaning}")
        return "\n".join(printable(line.rstrip()) for line in lines)


def _shown(values: np.ndarray, most: int = 6) -> str:
    """The values along an axis, the middle ones left out where they are many."""
    texts = [f"{value:g}" if values.dtype.kind in "iuf" else str(value) for value in values]
    if len(texts) > most:
        texts = [*texts[: most - 2], "...", texts[-1]]
    return ", ".join(texts)
