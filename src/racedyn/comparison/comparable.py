"""What two runs say of themselves, and whether they can be compared."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from racedyn._checks import fail, shown
from racedyn._types import MEMBER, MODE, PATH, TIME, AnyArray
from racedyn.tasks import Modes
from racedyn.trajectory import OBSERVABLES, Trajectory


def check_comparable(theory: Trajectory, trained: Trajectory) -> bool:
    """Refuse runs whose strengths or times are not the same quantities; return whether their bases
    could be checked.
    """
    for name, run, other in (("theory", theory, "simulate"), ("trained", trained, "train")):
        if not isinstance(run, Trajectory):
            fail(
                name,
                "be a Trajectory",
                f"it is {type(run).__name__}",
                f"racedyn.{other} returns one.",
                TypeError,
            )
    kinds = [None if run.provenance is None else run.provenance.kind for run in (theory, trained)]
    if kinds[0] in ("train", "observe") and kinds[1] in ("simulate", "exact"):
        fail(
            "theory",
            "be the theory",
            "it is the trained run, and `trained` is the theory",
            "compare(theory, trained)",
        )
    if unit_of(theory) != unit_of(trained):
        fail(
            "theory",
            "have the unit of time of `trained`",
            f"they are in {unit_of(theory)!r} and {unit_of(trained)!r}",
            "An optimiser other than plain gradient descent has no flow time.",
        )
    check_same_switches(theory, trained)
    sizes = []
    for name, trajectory in (("theory", theory), ("trained", trained)):
        if "strength" in trajectory.dims:
            check_axes(name, trajectory, "strength")
            sizes.append(np.shape(trajectory["strength"])[1:])
    named = [[text_of(x) for x in t.labels[PATH]] for t in (theory, trained) if PATH in t.labels]
    for axis, counts in zip((PATH, MODE), zip(*sizes, strict=True), strict=False):
        if len(set(counts)) > 1:
            only = sorted(set(named[0]) ^ set(named[1])) if axis == PATH and len(named) == 2 else []
            alone = f"; only one has {shown(only)}" if only else ""
            fail(
                "theory",
                f"have the {axis}s of `trained`",
                f"they have {counts[0]} and {counts[1]} of them{alone}",
                "Reduce the network that was trained, on the same task; where it has biases, "
                "train and observe it as "
                "`networks.with_biases` gives it, and name in `paths` what is to be compared.",
            )
    if len(named) == 2 and named[0] != named[1]:
        fail(
            "theory",
            "have the paths of `trained`, in the same order",
            f"they are {named[0]} and {named[1]}",
            "Reduce the network that was trained.",
        )
    bases = modes_of(theory), modes_of(trained)
    if bases[0] is None or bases[1] is None:
        return False
    if not bases[0].same_as(bases[1]):
        fail(
            "theory",
            "be read in the modes of `trained`",
            "their bases differ, and strengths depend on the basis: "
            "inside a degenerate group (equal singular values) every rotation is a basis, with "
            "other K_a(t)",
            "Give both the same task.",
        )
    return True


def check_same_switches(theory: Trajectory, trained: Trajectory) -> None:
    """Refuse two runs that do not go over to another task at the same times: they learn different
    things.
    """
    one, other = times = [
        np.asarray([float(switch["time"]) for switch in run.switches]) for run in (theory, trained)
    ]
    slack = 1e-6 * float(np.ptp(np.asarray(trained.ts))) if np.size(trained.ts) else 0.0
    if one.shape != other.shape or not np.allclose(one, other, rtol=0, atol=slack):
        said = [
            "at no time" if not len(at) else f"at {', '.join(f'{t:.4g}' for t in at)}"
            for at in times
        ]
        fail(
            "theory",
            "go over to another task when `trained` does",
            f"it does {said[0]}, and `trained` {said[1]}",
            "Compare one task alone: run.segment(0) has the rows of the first, run.segment(-1) "
            "those of the last, "
            "with times counted from its switch.",
        )


def check_axes(argument: str, trajectory: Trajectory, observable: str) -> None:
    """Refuse a trajectory without this observable of the table, or with other axes, and say how it
    comes to have it.
    """
    row = OBSERVABLES[observable]
    given, dims = trajectory.dims.get(observable), (TIME, *row.axes)
    if given == dims:
        return
    but = (
        f"it has {', '.join(trajectory.observables) or 'none'}"
        if given is None
        else f"its axes are {given}"
    )
    axes = f" and its axes in `dims`: {{{observable!r}: {dims[1:]}}}" if dims[1:] else ""
    remedy = f"It is had from {row.where}. In a system of your own, name it in `observe`{axes}."
    if given is not None and MEMBER in given:
        remedy = "Pick one member of an ensemble first: trajectory.member(0)."
    fail(argument, f"have an observable {observable!r} with axes {dims}", but, remedy)


def num_members(trajectory: Any) -> int | None:
    """How many members an ensemble has; None for one run, and for what is no run."""
    return trajectory.members if isinstance(trajectory, Trajectory) else None


def members_of(trajectory: Trajectory) -> Iterator[Trajectory]:
    """The members of an ensemble in turn, without their states, as NumPy arrays."""
    observables, stats, parameters = (
        {name: np.asarray(value) for name, value in each.items()}
        for each in (trajectory.observables, trajectory.stats, trajectory.parameters)
    )
    whole = dataclasses.replace(  # once: members are views of it
        trajectory,
        ts=np.asarray(trajectory.ts),
        observables=dict[str, AnyArray](observables),
        status=np.asarray(trajectory.status),
        stats=dict[str, AnyArray](stats),
        parameters=dict[str, AnyArray](parameters),
        ys=None,
        end=None,
    )
    return (whole.member(i) for i in range(num_members(trajectory) or 0))


def start_of(trajectory: Trajectory) -> float:
    """The time at which the run began."""
    source = trajectory.provenance
    return 0.0 if source is None else float(source.settings.get("t0", 0.0))


def text_of(label: Any) -> str:
    """A label as text: of a path, its edges joined by dots."""
    return (
        label
        if isinstance(label, str)
        else ".".join(map(str, label))
        if isinstance(label, Sequence)
        else str(label)
    )


def unit_of(trajectory: Trajectory) -> str:
    """The unit of its times: "tau" or "steps"."""
    source = trajectory.provenance
    return "tau" if source is None else str(source.settings.get("time_unit", "tau"))


def num_pairs_of(trained: Trajectory) -> int:
    """How many pairs of input and output the observed paths join: each has modes of its own."""
    return (
        1 if trained.provenance is None else len(trained.provenance.settings.get("pairs", [None]))
    )


def gates_differ(trained: Trajectory) -> bool:
    """Whether the observed paths of a run are not open together."""
    source = trained.provenance
    return source is not None and bool(source.settings.get("gates_differ", False))


def kind_of_loss(trajectory: Trajectory) -> str:
    """Which loss was descended, in words; theories are of squared error."""
    source = trajectory.provenance
    kind = "squared" if source is None else str(source.settings.get("loss_kind", "squared"))
    return {"squared": "squared error", "cross_entropy": "cross-entropy"}.get(kind, kind)


def rules_of(trajectory: Trajectory) -> dict[str, Any]:
    """Weight decay, stages and their schedule of a run, where it has any."""
    names = ("weight_decay", "stages", "schedule")
    source = trajectory.provenance
    said = {} if source is None else {**source.settings, **source.validity}
    rules = {name: said[name] for name in names if said.get(name)}
    # A run that went on under other rules has several: that of its end is not that of the whole.
    past = [
        {name: stretch[name] for name in names if stretch.get(name)}
        for stretch in said.get("went_on_from", ())
    ]
    return rules if all(other == rules for other in past) else {"in turn": [*past, rules]}


def modes_of(trajectory: Trajectory) -> Modes | None:
    """The modes in which strengths were read, if known; refused where they are not as many."""
    modes = None if trajectory.provenance is None else trajectory.provenance.modes
    if modes is not None and "strength" in trajectory:
        num = np.shape(trajectory["strength"])[-1]
        if num != modes.num:
            fail(
                "trajectory",
                "have one strength per mode of its provenance",
                f"it has {num} and {modes.num}",
            )
    return modes


def times_of(argument: str, trajectory: Trajectory) -> np.ndarray:
    """The times of one run. Raises `ValueError` where they don't rise or are not finite."""
    ts = np.asarray(trajectory.ts, dtype=np.float64)
    if ts.ndim != 1 or not ts.size or not np.all(np.diff(ts) >= 0) or not np.isfinite(ts).all():
        fail(
            argument,
            "be one run at rising, finite flow times",
            f"its times have shape {ts.shape}"
            + ("" if ts.ndim != 1 else f" and go from {ts[:1]} to {ts[-1:]}"),
            "Pick one member of an ensemble first.",
        )
    return ts
