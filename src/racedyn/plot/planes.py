"""The plane of any two observables of any system."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from racedyn._checks import check_name, fail
from racedyn.plot import seeds, style
from racedyn.trajectory import OBSERVABLES, Trajectory

_FEW = 10  # lines that are drawn at full width
# The name of an observable, or the name and a place, or a label, along each of its first axes.
Which: TypeAlias = str | tuple[str | int, ...]


def plane(
    *trajectories: Trajectory | Sequence[Trajectory],
    x: Which,
    y: Which,
    ax: Any = None,
    **named: Trajectory | Sequence[Trajectory],
) -> Any:
    """One observable against another, each run a line from a dot at its start.

    Runs may be of any system, trained or solved; keywords name them. Members of an ensemble, or
    runs of a list, are lines of one colour. Theories are dashed beside others.

    **Arguments:**

    - `x`, `y`: the name of an observable, or (name, i, ...), with its place, or its label, along
      the axes that follow time: ("strength", 0) is that of path 0 in every mode. Where axes are
      left, each place along them is a line; those of `x` and `y` go together as arrays do.

    Returns the axes. Raises `ValueError` for an observable or a place that is not there, and where
    what is left of `x` and `y` does not fit together.

        >>> spring = rd.from_function(
        ...     lambda t, y, k: {"place": y["speed"], "speed": -2.0 * y["place"]},
        ...     y0={"place": 1.0, "speed": 0.0},
        ... )
        >>> run = rd.simulate(spring, ts=np.linspace(0.0, 4.0, 41))
        >>> ax = rd.plot.plane(run, x="place", y="speed")
        >>> ax.get_xlabel(), ax.get_ylabel(), len(ax.lines)  # a line and its start
        ('place', 'speed', 2)
    """
    firsts = [given for given in trajectories if isinstance(given, Trajectory)]
    groups = [
        (style.name_of(runs[0], i, firsts) if len(firsts) > i else f"runs {i + 1}", runs)
        for i, runs in enumerate(map(_runs, trajectories))
    ] + [(name, _runs(given)) for name, given in named.items()]
    if not groups:
        fail("trajectories", "be at least one trajectory", "there is none")
    lines = [(name, runs[0], [_lines(run, x, y) for run in runs]) for name, runs in groups]
    count = sum(curve.shape[2] for _, _, curves in lines for curve in curves)
    width = 1.1 if count <= _FEW else 0.6
    with style.context():
        own = ax is None
        ax = style.new_axes(1, 1, (3.4, 2.9))[0] if own else ax
        colours, theories = style.cycle(), [style.kind(run) in style.THEORY for _, run, _ in lines]
        for number, (name, _, curves) in enumerate(lines):
            dashed = theories[number] and not all(theories)
            look = {"color": colours[number % len(colours)], "linewidth": width}
            for place, curve in enumerate(curves):
                drawn = ax.plot(*curve, linestyle="--" if dashed else "-", **look)
                if not place:
                    drawn[0].set_label(style.name_text(name))
                ax.plot(*curve[:, :1], "o", markersize=3 * width, color=look["color"])
        ax.set(xlabel=_label(lines[0][1], x), ylabel=_label(lines[0][1], y))
        if len(lines) > 1:
            ax.legend()
    return ax


def _runs(given: Trajectory | Sequence[Trajectory]) -> tuple[Trajectory, ...]:
    runs = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not runs or not all(isinstance(run, Trajectory) for run in runs):
        wrong = [type(run).__name__ for run in runs if not isinstance(run, Trajectory)]
        but = f"it is or holds {wrong[0]}" if wrong else "the list is empty"
        fail("trajectories", "be trajectories or lists of them", but, error=TypeError)
    return tuple(one for run in runs for one in seeds.one_by_one(run))


def _lines(run: Trajectory, x: Which, y: Which) -> np.ndarray:
    """(2, time, line)."""
    one, other = (_values(run, name, which) for name, which in (("x", x), ("y", y)))
    try:
        pair = np.broadcast_arrays(one, other)
    except ValueError:
        but = f"their shapes are {one.shape[1:]} and {other.shape[1:]}, without time"
        fail("x and y", "have axes that go together", but, "Name places along them: (name, i, j).")
    return np.stack(pair).reshape(2, len(one), -1)


def _values(run: Trajectory, argument: str, which: Which) -> np.ndarray:
    name, *places = (which,) if isinstance(which, str) else which
    check_name(argument, str(name), run.observables)
    values, axes = np.asarray(run[str(name)], float), run.dims[str(name)][1:]
    if len(places) > len(axes):
        but = f"{len(places)} are given, and after time it has {list(axes)}"
        fail(argument, f"name at most one place along each axis of {name!r}", but)
    for axis, place in zip(axes, places, strict=False):
        values = np.take(values, _place(run, argument, axis, place, values.shape[1]), axis=1)
    return values


def _place(run: Trajectory, argument: str, axis: str, place: str | int, count: int) -> int:
    known = run.labels.get(axis, ())
    if isinstance(place, str):
        return list(known).index(check_name(argument, place, known))
    if not -count <= place < count:
        fail(argument, f"name one of {count} places along {axis!r}", f"it is {place}")
    return int(place)


def _label(run: Trajectory, which: Which) -> str:
    name, *places = (which,) if isinstance(which, str) else which
    known = OBSERVABLES.get(str(name))
    head = style.name_text(str(name)) if known is None else known.label
    parts = [
        style.shortened(place, 24) if isinstance(place, str) else f"{axis} {place + 1}"
        for axis, place in zip(run.dims[str(name)][1:], places, strict=False)
    ]
    return ", ".join([head, *parts])
