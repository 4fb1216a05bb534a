"""Ensembles side by side, member by member: what was found of each, and how it prints."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat

import numpy as np

from racedyn._checks import check_int, fail
from racedyn._text import clipped, page, printable
from racedyn._types import MEMBER, AnyArray
from racedyn.comparison.comparable import check_comparable, members_of, num_members
from racedyn.comparison.notes import notes_of
from racedyn.comparison.pair import compared
from racedyn.comparison.result import Comparison, Outcome, cell, number
from racedyn.comparison.table import table_of
from racedyn.comparison.times import spread, stacked_times
from racedyn.trajectory import Labelled, Trajectory


@dataclasses.dataclass(frozen=True, eq=False)
class MemberComparison:
    """An ensemble of theories, or one theory, beside an ensemble of trained runs; `print` it.

    What is said of a member that failed, in theory or training, is NaN, and its winner -1.

    **Fields:**

    - `each`: a `Comparison` per member; `found.member(i)` is one of them.
    - `failed`: whether the member failed, (member,).
    - `errors`: observable -> relative L2, (member,), see `Error`.
    - `notes`: what a reader must know before trusting the numbers.
    - `theory`, `trained`: an `Outcome` each, with fields (member, mode); None without strengths.
    - `parameters`: what the trained members differ in, or the theories where that is not known.
    """

    each: tuple[Comparison, ...]
    failed: np.ndarray
    errors: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = ()
    theory: Outcome | None = None
    trained: Outcome | None = None
    parameters: Mapping[str, AnyArray] = dataclasses.field(default_factory=dict)

    @property
    def agree(self) -> np.ndarray:
        """Whether the same pathway wins, (member, mode); see `Comparison.agree`."""
        won = np.stack([found.agree for found in self.each])
        return np.asarray(won & ~self.failed[:, None])

    @property
    def modes(self) -> tuple[str, ...]:
        """Their names; empty without strengths."""
        return self.each[0].modes

    @property
    def paths(self) -> tuple[str, ...]:
        """Their names; empty without strengths."""
        return self.each[0].paths

    def member(self, index: int) -> Comparison:
        """What was found of one member, failed or not. Raises `IndexError` beyond the last one."""
        index = check_int("index", index)
        if not -len(self) <= index < len(self):
            but = f"it is {index}"
            fail("index", f"be that of one of {len(self)} members", but, error=IndexError)
        return self.each[index]

    def labelled(self) -> Labelled:
        """What was found as arrays with named axes, members in front: `relative_l2` (member,
        observable), `trained_participation` (member, mode), ..., see `Comparison.labelled`; and
        `failed` (member,), with what members differ in where that is one number each.
        """
        found = table_of(self.each, {MEMBER: range(len(self))})
        arrays = dict(found.arrays)
        for name, values in found.arrays.items():
            if found.dims[name][0] == MEMBER and values.dtype.kind == "f":
                arrays[name] = _unless(self.failed, values)
        if self.modes:
            arrays["agree"] = self.agree
        beside = {"failed": self.failed} | {
            name: np.asarray(values)
            for name, values in self.parameters.items()
            if np.ndim(values) == 1 and name not in (*found.arrays, *found.coordinates)
        }
        return dataclasses.replace(
            found,
            arrays={**arrays, **beside},
            dims={**found.dims, **{name: (MEMBER,) for name in beside}},
        )

    def __len__(self) -> int:
        return len(self.each)

    def __iter__(self) -> Iterator[Comparison]:
        return iter(self.each)

    def __repr__(self) -> str:
        return clipped(f"MemberComparison({self._went()})")

    def _repr_html_(self) -> str:
        notes = [f"note: {note}" for note in self.notes]
        return page("Comparison of ensembles", [self._went(), *notes], str(self))

    def _went(self) -> str:
        failed = f", {np.sum(self.failed)} failed" if self.failed.any() else ""
        agreed = f"; {self._agreed()}" if self.modes else ""
        return f"{len(self)} members{failed}{agreed}"

    def _agreed(self) -> str:
        """In how many members and modes the same pathway wins, of those that didn't fail."""
        known = int(np.sum(~self.failed)) * len(self.modes)
        return f"the same pathway wins in {np.sum(self.agree)} of {known} (member, mode)"

    def __str__(self) -> str:
        lines = [
            "Comparison of theory with trained, member by member",
            f"  {len(self)} members, of which {np.sum(self.failed)} failed",
            "",
            f"  {'relative L2 of':<26}{'median':>10}{'smallest':>12}{'largest':>12}",
        ]
        for name, values in self.errors.items():
            known = values[np.isfinite(values)]
            ends = (np.median, np.min, np.max) if len(known) else ()
            found = [number(float(end(known)), ".2e") for end in ends] or ["-"] * 3
            lines.append(f"  {name:<26}{found[0]:>10}{found[1]:>12}{found[2]:>12}")
        if self.theory is not None and self.trained is not None:
            lines += ["", *self._mode_lines(self.theory, self.trained)]
        tail = [f"  note: {note}" for note in self.notes]
        return "\n".join(map(printable, [*lines, *([""] if tail else []), *tail]))

    def _mode_lines(self, theory: Outcome, trained: Outcome) -> list[str]:
        """Of each mode the median and range of half-learned times, and how often winners agree."""
        first = self.each[0]
        names = first.shown_modes
        shown = range(len(names))
        wide = max(len("mode"), *(len(cell(name)) for name in names))
        # Medians of the same members: of others they would differ by the members alone.
        both = theory.learning_times.known & trained.learning_times.known
        halves = [
            [spread(np.where(both[:, m], side.learning_times.times[:, m], np.nan)) for m in shown]
            for side in (theory, trained)
        ]
        one, other = (max(8, *map(len, texts)) for texts in halves)
        agreed = np.sum(self.agree, axis=0)
        lines = [
            f"  {'':<{wide}}  half learned at ({first.time_unit}): median (smallest to largest)",
            f"  {'mode':<{wide}}  {'theory':<{one}}  {'trained':<{other}}  winners agree in",
            *(
                f"  {cell(name):<{wide}}  {halves[0][m]:<{one}}  {halves[1][m]:<{other}}  "
                f"{agreed[m]}"
                for m, name in enumerate(names)
            ),
        ]
        if len(names) < len(self.modes):
            lines.append(f"  ... and {len(self.modes) - len(names)} more modes")
        return [*lines, f"  {self._agreed()}"]


def compared_members(theory: Trajectory, trained: Trajectory) -> MemberComparison:
    """A `Comparison` of each member, and all of them as arrays. Raises `ValueError` where the
    ensembles have not as many members, or only the theory is one.
    """
    counts = num_members(theory), num_members(trained)
    count = counts[1]
    if count is None:
        fail(
            "trained",
            "be an ensemble, as `theory` is",
            "it is one run",
            "Pick one member of the theory first: theory.member(0).",
        )
    if counts[0] not in (None, count):
        fail(
            "theory",
            f"have as many members as `trained`, {count}, or be one run",
            f"it has {counts[0]}",
        )
    theories = repeat(theory, count) if counts[0] is None else members_of(theory)
    pairs = list(zip(theories, members_of(trained), strict=True))
    checked = check_comparable(*pairs[0])  # what is asked there is the same for all
    each = tuple(compared(one, other, checked) for one, other in pairs)
    failed = np.zeros(count, bool)
    failed[trained.failed] = True
    failed[theory.failed if counts[0] is not None else slice(count if theory.failed else 0)] = True
    sides = [
        _stacked([side for side in sides if side is not None], failed)
        for sides in ([found.theory for found in each], [found.trained for found in each])
    ]
    apart = any(
        not np.isin(found.ts, one.ts).all() for found, (one, _) in zip(each, pairs, strict=True)
    )
    notes = notes_of(theory, trained, checked, each[0].ts, interpolated=apart)
    return MemberComparison(
        each=each,
        failed=failed,
        errors={
            name: _unless(failed, np.array([found.errors[name].relative_l2 for found in each]))
            for name in each[0].errors
        },
        notes=(*notes, *_sparse([side for side in sides if side is not None])),
        theory=sides[0],
        trained=sides[1],
        parameters=trained.parameters or theory.parameters,
    )


def _unless(failed: np.ndarray, values: np.ndarray) -> np.ndarray:
    """NaN for members that failed, (member, ...)."""
    return np.where(failed.reshape(-1, *[1] * (values.ndim - 1)), np.nan, values)


def _stacked(each: Sequence[Outcome], failed: np.ndarray) -> Outcome | None:
    """What became of each mode in all members; None where strengths are not compared."""
    if not each:
        return None
    times = stacked_times([side.learning_times for side in each])
    share, participation, basis_free = (
        _unless(failed, np.stack([np.asarray(getattr(side, name)) for side in each]))
        for name in ("share", "participation", "basis_free_participation")
    )
    winner, tied = (np.stack([getattr(side, name) for side in each]) for name in ("winner", "tied"))
    return Outcome(
        dataclasses.replace(
            times, times=_unless(failed, times.times), bounds=_unless(failed, times.bounds)
        ),
        np.where(failed[:, None], -1, winner),
        share,
        participation,
        tied & ~failed[:, None],
        basis_free,
    )


def _sparse(sides: Sequence[Outcome]) -> list[str]:
    """A note where rows are too far apart to tell when modes are learned."""
    hidden = np.any([side.learning_times.between_rows.any(axis=1) for side in sides], axis=0)
    if not np.any(hidden):
        return []
    return [
        f"modes of {np.sum(hidden)} of {np.size(hidden)} members are learned between two rows, "
        "where nothing is compared: save more rows"
    ]
