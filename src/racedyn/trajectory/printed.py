"""A trajectory in words: what `print(run)` says."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

from racedyn.trajectory.parameters import parameter_axes
from racedyn.trajectory.provenance import Provenance
from racedyn.trajectory.status import Status

MOST_PARAMETERS = 6  # that have a place in the line


def describe(trajectory: Any) -> list[str]:
    """The lines of `print(trajectory)`: system, solver, steps, shapes, memory, drift."""
    host = jax.tree.map(np.asarray, (trajectory.ts, trajectory.observables, trajectory.stats))
    ts, observables, stats = host
    source = trajectory.provenance
    lines = ["Trajectory"]
    if source is not None:
        lines.append(f"  system       {source.system}")
        took = f"  ({_seconds(source)})" if np.isfinite(source.wall_time) else ""
        lines.append(f"  solver       {source.solver}{took}")
    unit = "tau" if source is None else source.settings.get("time_unit", "tau")
    span = (
        f"{ts.shape[-1]} times from {ts.min():.4g} to {ts.max():.4g} {unit}"
        if ts.size
        else "no times"
    )
    if trajectory.step is not None and ts.size:
        span += f", {int(np.max(np.asarray(trajectory.step)))} steps"
    lines.append(f"  time         {span}")
    for name in ("num_steps", "num_accepted_steps", "num_rejected_steps"):
        if name in stats:
            lines.append(
                f"  {name.replace('num_', '').replace('_', ' '):<14} {int(np.sum(stats[name]))}"
            )
    if "drift" in stats and np.isfinite(stats["drift"]).any():
        lines.append(
            f"  drift        {np.nanmax(stats['drift']):.2e} (largest, of conserved quantities, "
            "relative)"
        )
    if "accuracy" in stats and np.isfinite(stats["accuracy"]).any():
        lines.append(
            f"  accuracy     {np.nanmax(stats['accuracy']):.2g} (relative, of each mode: what "
            "tolerance and start allow)"
        )
    if np.ndim(stats.get("converged", [])) == 0:
        lines.append(f"  converged    {_end(stats)}")
    for name, value in observables.items():
        axes = ", ".join(
            f"{axis} {size}" for axis, size in zip(trajectory.dims[name], value.shape, strict=True)
        )
        own = trajectory.row(name).unit
        lines.append(f"  {name:<12} ({axes})" + (f"  {own}" if own not in ("", "1") else ""))
    if trajectory.parameters:
        lines.append(f"  parameters   {_parameters(trajectory)}")
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(eqx.filter(trajectory, eqx.is_array)))
    lines.append(f"  memory       {size / 2**20:.3g} MiB")
    for switch in trajectory.switches:
        lines.append(f"  switch       at {switch['time']:.4g} {unit} to {switch['task']}")
    return lines + statuses(trajectory)


def _parameters(trajectory: Any) -> str:
    """What members differ in: names with their axes, or of a single run's numbers what they are."""
    axes = parameter_axes(trajectory)
    shown = []
    for name, value in list(trajectory.parameters.items())[:MOST_PARAMETERS]:
        sizes = zip(axes[name], np.shape(value), strict=True)
        within = ", ".join(f"{axis} {size}" for axis, size in sizes)
        shown.append(f"{name} ({within})" if within else f"{name} {np.asarray(value).item():.6g}")
    more = len(trajectory.parameters) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _counts(trajectory: Any) -> dict[Status, int]:
    status = np.asarray(trajectory.status)
    return {Status(int(s)): int(np.sum(status == s)) for s in np.unique(status)}


def statuses(trajectory: Any) -> list[str]:
    """A line for each way in which lanes or members ended, with how many did."""
    return [
        f"  status       {count} x {item.message}" for item, count in _counts(trajectory).items()
    ]


def went(trajectory: Any) -> str:
    """DONE, or of many lanes or members how many are: 5 DONE, 1 NOT_FINITE."""
    many = np.size(trajectory.status) > 1
    return ", ".join(
        f"{count} {item.name}" if many else item.name for item, count in _counts(trajectory).items()
    )


def _seconds(source: Provenance) -> str:
    """Of running and of compiling, where the two are known apart."""
    if not np.isfinite(source.compile_time):
        return f"{source.wall_time:.3g} s"
    return f"{source.run_time:.3g} s, after {source.compile_time:.3g} s of compiling"


def _end(stats: Mapping[str, Any]) -> str:
    """Whether a training came to its end, in words; see `convergence.judge` for the numbers."""
    part, floor = float(stats["loss_left"]), float(stats["loss_floor"])
    left = f"{part:.2g} of the loss above its floor, {floor:.3g}, is left"
    if np.isnan(stats["converged"]):
        return f"not known: the loss stands still (an end, or a plateau); {left}"
    return f"yes: {left}" if stats["converged"] else f"no: {left}"
