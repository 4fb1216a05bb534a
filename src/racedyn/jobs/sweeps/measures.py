"""What a sweep keeps of each configuration: measures of a run and of the theories beside it."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from racedyn import paths
from racedyn._checks import check_names, fail
from racedyn._types import MODE, PATH, TIME
from racedyn.comparison import Comparison, compare, learning_times
from racedyn.trajectory import OBSERVABLES, Status, Trajectory, remedy_for, row_of

THEORY, ROW = "theory", "row"
FLOW_TIME = "flow_time"
BASIS_FREE = "basis_free_participation"


@dataclasses.dataclass(frozen=True, eq=False)
class Ran:
    """What became of one configuration: `trained`, and name -> theory beside it."""

    trained: Trajectory
    theories: Mapping[str, Trajectory]

    def last(self) -> np.ndarray:
        """Strengths at the end of the training, (path, mode)."""
        return np.asarray(self.trained["strength"])[-1]

    def compared(self, name: str) -> Comparison | None:
        """With a theory; None where the two can't be compared."""
        try:
            found = compare(self.theories[name], self.trained)
        except ValueError:
            return None
        return found if isinstance(found, Comparison) else None


@dataclasses.dataclass(frozen=True, eq=False)
class Measure:
    """A row of the table: axes, meaning and unit of what `of` makes of a run. `of_theory`: what it
    makes of one theory beside it, along an axis of theories in front. `needs`: what has to be
    observed for it."""

    axes: tuple[str, ...]
    meaning: str
    unit: str
    of: Callable[[Ran], Any] | None = None
    of_theory: Callable[[Comparison], Any] | None = None
    needs: tuple[str, ...] = ("strength",)


def _error(name: str) -> Callable[[Comparison], float]:
    return lambda found: found.errors[name].relative_l2 if name in found.errors else np.nan


def _side(name: str) -> Callable[[Comparison], Any]:
    return lambda found: getattr(found.theory, name) if found.theory is not None else np.nan


MEASURES = {
    "final_loss": Measure(
        (),
        "loss at the end; a pure number where it is cross-entropy",
        "y^2",
        lambda ran: ran.trained["loss"][-1],
    ),
    "converged": Measure(
        (),
        "1 where the loss came down to its floor, 0 where not, NaN where that is not known",
        "1",
        lambda ran: ran.trained.stats["converged"],
    ),
    "num_steps": Measure(
        (), "steps that were made", "1", lambda ran: ran.trained.stats["num_steps"]
    ),
    "learning_times": Measure(
        (MODE,),
        "flow time at which sum_a K_a reaches half of S/d; NaN where it does not, or between rows "
        "that are too far apart (see error)",
        "tau",
        lambda ran: learning_times(ran.trained).times,
    ),
    "final_strength": Measure((PATH, MODE), "K_a at the end", "y/x", lambda ran: ran.last()),
    "final_share": Measure(
        (PATH, MODE),
        "w_a = |K_a| / sum_b |K_b| at the end",
        "1",
        lambda ran: paths.shares(ran.last()),
    ),
    "largest_share": Measure(
        (MODE,),
        "largest share max_a w_a at the end",
        "1",
        lambda ran: paths.largest_share(ran.last()),
    ),
    "participation": Measure(
        (MODE,),
        "participation 1 / sum_a w_a^2 at the end",
        "1",
        lambda ran: paths.participation(ran.last()),
    ),
    "entropy": Measure(
        (MODE,), "entropy -sum_a w_a ln w_a at the end", "1", lambda ran: paths.entropy(ran.last())
    ),
    "winner": Measure(
        (MODE,),
        "the path with the largest w_a at the end",
        "1",
        lambda ran: paths.winner(ran.last()),
    ),
    BASIS_FREE: Measure(
        (),
        OBSERVABLES[BASIS_FREE].meaning + ", at the end",
        "1",
        lambda ran: ran.trained[BASIS_FREE][-1],
        needs=("strength", BASIS_FREE),
    ),
    "theory_error": Measure(
        (), "relative L2 distance of a theory's strengths", "1", of_theory=_error("strength")
    ),
    "theory_loss_error": Measure(
        (), "relative L2 distance of a theory's loss", "1", of_theory=_error("loss")
    ),
    "theory_learning_times": Measure(
        (MODE,),
        "learning times of a theory",
        "tau",
        of_theory=lambda found: found.theory.learning_times.times if found.theory else np.nan,
    ),
    "theory_largest_share": Measure(
        (MODE,), "largest share max_a w_a of a theory at the end", "1", of_theory=_side("share")
    ),
    "theory_participation": Measure(
        (MODE,),
        "participation 1 / sum_a w_a^2 of a theory at the end",
        "1",
        of_theory=_side("participation"),
    ),
    "same_winner": Measure(
        (MODE,),
        "1 where the same pathway wins in a theory and in the training, 0 where not",
        "1",
        of_theory=lambda found: found.agree.astype(float),
    ),
}
BY_DEFAULT = (
    "final_loss",
    "converged",
    "learning_times",
    "largest_share",
    "participation",
    "winner",
    "theory_error",
    "theory_learning_times",
    "theory_participation",
)


def check_observe(observe: Any) -> tuple[str, ...]:
    """Names of measures, or of what a training observes at its rows. Raises `ValueError` for
    others, with the nearest."""
    if observe is None:
        return BY_DEFAULT
    names = (observe,) if isinstance(observe, str) else check_names("observe", observe)
    if not names:
        fail("observe", "name something", "it is empty", f"For example {list(BY_DEFAULT)[:3]}.")
    for name in names:
        row = row_of(name)
        if name not in MEASURES and (row is None or not row.training or name == "weights"):
            must = f"hold measures ({', '.join(MEASURES)}) or what a training observes"
            fail("observe", must, f"it is {name!r}", remedy_for(name, list(MEASURES)))
    return tuple(dict.fromkeys(names))


def observed(names: Sequence[str]) -> list[str]:
    """What the training has to observe for these."""
    needed = [part for name in names if name in MEASURES for part in MEASURES[name].needs]
    return list(dict.fromkeys([*needed, *(name for name in names if name not in MEASURES)]))


def needs_theory(names: Sequence[str]) -> bool:
    """Whether any of these is of a theory."""
    return any(name in MEASURES and MEASURES[name].of_theory is not None for name in names)


def measured(
    ran: Ran, names: Sequence[str], theories: Sequence[str]
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Name -> axes and values. `theories`: the names along that axis, in this order; NaN where
    there is no such theory, or the training failed."""
    found: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    compared = {name: ran.compared(name) for name in ran.theories} if needs_theory(names) else {}
    num_modes = np.shape(ran.trained.observables.get("strength", np.zeros((0, 0, 0))))[-1]
    for name in names:
        if name not in MEASURES:
            axes = tuple(ROW if axis == TIME else axis for axis in ran.trained.dims[name])
            found[name] = axes, np.asarray(ran.trained[name], float)
            found[FLOW_TIME] = (ROW,), np.asarray(ran.trained.ts, float)
            continue
        measure = MEASURES[name]
        if measure.of is not None:
            found[name] = measure.axes, np.asarray(measure.of(ran), float)
        elif measure.of_theory is not None:
            shape = tuple(num_modes for _ in measure.axes)
            values = [
                np.full(shape, np.nan)
                if (one := compared.get(theory)) is None
                else np.broadcast_to(np.asarray(measure.of_theory(one), float), shape)
                for theory in theories
            ]
            found[name] = (THEORY, *measure.axes), np.stack(values)
    return found


def remarks_on(trained: Trajectory, names: Sequence[str]) -> list[str]:
    """What a reader of the measures of one training must know beside their numbers."""
    remarks = []
    if float(trained.stats["converged"]) == 0:
        remarks.append("the training ended before it had converged")
    if "learning_times" in names and learning_times(trained).between_rows.any():
        remarks.append(
            "modes are learned between two saved rows that are too far apart to tell when "
            "(lower train.save_every)"
        )
    return remarks


def told(name: str) -> tuple[str, str]:
    """Meaning and unit of what a sweep keeps under a name."""
    if name == FLOW_TIME:
        return "flow time of each saved row", "tau"
    if name in MEASURES:
        return MEASURES[name].meaning, MEASURES[name].unit
    row = row_of(name)
    return ("", "") if row is None else (row.meaning, row.unit)


STATUS_MEANING = "how the training ended: " + ", ".join(
    f"{int(status)} {status.name.lower()}" for status in Status
)
