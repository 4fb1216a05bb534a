"""Loss curves."""

from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn.plot import style
from racedyn.trajectory import Trajectory


def loss(*trajectories: Trajectory, ax: Any = None, **named: Trajectory) -> Any:
    """Loss against flow time, log scale. Keywords name their curve; simulations of a theory are dashed.

    Returns the axes. Raises `ValueError` for a trajectory without a loss, or times in different units.
    """
    curves = [(_name(t, i, trajectories), t) for i, t in enumerate(trajectories)] + list(named.items())
    if not curves:
        fail("trajectories", "be at least one trajectory", "there is none")
    for name, trajectory in curves:
        if trajectory.dims.get("loss") != ("time",):
            fail("trajectories", "have a loss with axes ('time',)", f"{name!r} has {trajectory.dims.get('loss')}")
    units = {style.time_label(trajectory) for _, trajectory in curves}
    if len(units) > 1:
        fail("trajectories", "share a unit of time", f"they have {sorted(units)}")
    with style.context():
        ax = style.new_axes(1, 1, (3.4, 2.4))[0] if ax is None else ax
        for name, trajectory in curves:
            dashed = _kind(trajectory) == "simulate" and len(curves) > 1
            ax.semilogy(
                np.asarray(trajectory.ts),
                np.asarray(trajectory.observables["loss"]),
                linestyle="--" if dashed else "-",
                zorder=3 if dashed else 2,
                label=name,
            )
        ax.set(xlabel=units.pop(), ylabel="loss $L$")
        ax.legend()
    return ax


def _kind(trajectory: Trajectory) -> str:
    return "run" if trajectory.provenance is None else trajectory.provenance.kind


def _name(trajectory: Trajectory, index: int, all_of_them: tuple[Trajectory, ...]) -> str:
    """What a curve is called that was given no name: its kind, with a number where several are of that kind."""
    words = {"simulate": "theory", "train": "simulation"}
    kind = _kind(trajectory)
    number = sum(_kind(other) == kind for other in all_of_them[: index + 1])
    word = words.get(kind, kind)
    return word if sum(_kind(other) == kind for other in all_of_them) == 1 else f"{word} {number}"
