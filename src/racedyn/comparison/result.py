"""What `compare` found, and how it prints."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from racedyn._text import brief, clipped, page, printable
from racedyn.comparison.table import table_of
from racedyn.comparison.times import LearningTimes
from racedyn.trajectory import Labelled

_MOST_MODES, _MOST_NAMES, _WIDEST_NAME = 16, 4, 20


@dataclasses.dataclass(frozen=True)
class Error:
    """Distance of the theory, a, from the trained run, b.

    **Fields:** `relative_l2`: sqrt(int sum (a - b)^2 dt) / sqrt(int sum b^2 dt), trapezoids in flow
    time; `largest`: the largest absolute a - b; `failed`: names of the entries that are not finite
    somewhere in one or both, left out of the two numbers."""

    relative_l2: float
    largest: float
    failed: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """What became of each mode in one run; fields are (mode,), of an ensemble (member, mode).

    **Fields:** `learning_times`: when sum_a K_a reaches half of S/d (see `LearningTimes`); at the
    last common time, with w_a = abs(K_a) / sum_b abs(K_b): `winner`, the path with the largest w_a
    (-1 where all K_a are 0 or one is not finite), `share`, its w_a, and `participation`, 1 / sum_a
    w_a^2 (1: one pathway has the mode; M: all M share it), both NaN where there is no winner;
    `tied`: a second path has the same share, to the two decimals that are printed;
    `basis_free_participation`: a number, of an ensemble (member,), that of all modes together
    whatever their basis (`paths.basis_free_participation`), NaN where the run didn't keep it."""

    learning_times: LearningTimes
    winner: np.ndarray
    share: np.ndarray
    participation: np.ndarray
    tied: np.ndarray
    basis_free_participation: float | np.ndarray = float("nan")

    def __repr__(self) -> str:
        return brief(self)


@dataclasses.dataclass(frozen=True)
class OffDiagonal:
    """Range over times and paths of the off-diagonal norm of U^T W_a V over its diagonal one; where
    it is largest.
    """

    smallest: float
    largest: float
    time: float
    path: str


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """A theory beside a trained run; `print` it.

    **Fields:**

    - `ts`: the common flow times, (time,), in `time_unit`.
    - `errors`: observable -> `Error`.
    - `notes`: what a reader must know before trusting the numbers.
    - `off_diagonal`: of the trained run, or None.
    - `modes`, `paths`: names; empty without strengths, as all that follows.
    - `S`: singular values, (mode,), NaN where unknown.
    - `mode_errors`: one `Error` per mode, of its strengths in all paths.
    - `group_errors`: degenerate group -> `Error` of its norm, which no choice of basis inside the
      group changes.
    - `theory`, `trained`: an `Outcome` each, or None.
    """

    ts: np.ndarray
    time_unit: str
    errors: Mapping[str, Error]
    notes: tuple[str, ...] = ()
    off_diagonal: OffDiagonal | None = None
    modes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    S: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    mode_errors: tuple[Error, ...] = ()
    group_errors: Mapping[str, Error] = dataclasses.field(default_factory=dict)
    theory: Outcome | None = None
    trained: Outcome | None = None

    @property
    def agree(self) -> np.ndarray:
        """Whether the same pathway wins, (mode,); False where one side has no winner or a tie."""
        if self.theory is None or self.trained is None:
            return np.zeros(0, dtype=bool)
        same = (self.theory.winner == self.trained.winner) & (self.theory.winner >= 0)
        return np.asarray(same & ~self.theory.tied & ~self.trained.tied)

    def labelled(self) -> Labelled:
        """What was found as arrays with named axes: errors by observable, the rest by mode.

        `theory_` and `trained_` stand before the names of what is said of one side; numbers of
        `winner` count along the axis of paths.

            >>> race = rd.systems.Pathways([2.0, 1.0], (2, 2), q=0.1, p=[[0.2, 0.1], [0.1, 0.2]])
            >>> run = rd.simulate(race, ts=np.linspace(0.0, 10.0, 101))
            >>> table = rd.compare(run, run).labelled()
            >>> table.dims["theory_winner"], table["theory_winner"].tolist()
            (('mode',), [0.0, 1.0])
        """
        return table_of([self], {})

    def __repr__(self) -> str:
        errors = ", ".join(f"{name} {error.relative_l2:.2g}" for name, error in self.errors.items())
        return clipped(f"Comparison({self._went()}; relative L2: {errors})")

    def _repr_html_(self) -> str:
        return page(
            "Comparison of theory with trained",
            [self._went(), *(f"note: {note}" for note in self.notes)],
            str(self),
        )

    def _went(self) -> str:
        """In one line: what was compared, and who wins."""
        won = (
            f"; the same pathway wins in {np.sum(self.agree)} of {len(self.modes)} modes"
            if self.modes
            else ""
        )
        notes = f"; {len(self.notes)} notes" if self.notes else ""
        return f"{len(self.ts)} common times{won}{notes}"

    def __str__(self) -> str:
        lines = ["Comparison of theory with trained"]
        lines.append(
            f"  {len(self.ts)} common times from {self.ts[0]:.4g} to {self.ts[-1]:.4g} "
            f"{self.time_unit}"
        )
        lines += ["", f"  {'observable':<26}{'relative L2':>13}{'largest error':>15}"]
        for name, error in self.errors.items():
            lines.append(
                "  "
                f"{name:<26}{error.relative_l2:>13.2e}{error.largest:>15.2e}{_left_out(error.failed)}"
            )
        if self.theory is not None and self.trained is not None:
            lines += ["", *self._mode_lines(self.theory, self.trained)]
        tail = [
            f"degenerate: {name}, the basis is a convention; norm of the group: relative L2 "
            f"{error.relative_l2:.2e}"
            for name, error in list(self.group_errors.items())[:_MOST_NAMES]
        ]
        if len(self.group_errors) > _MOST_NAMES:
            tail.append(f"degenerate: and {len(self.group_errors) - _MOST_NAMES} more groups")
        tail += [*self.off_diagonal_line, *(f"note: {note}" for note in self.notes)]
        lines += [*([""] if tail else []), *(f"  {line}" for line in tail)]
        return "\n".join(map(printable, lines))  # names may come from a file of anyone's

    @property
    def off_diagonal_line(self) -> list[str]:
        """What couples modes inside a pathway of the trained run, where that is known."""
        if (off := self.off_diagonal) is None:
            return []
        return [
            f"off-diagonal norm over diagonal norm, trained: {off.smallest:.3g} to "
            f"{off.largest:.3g}, largest at {off.time:.4g} {self.time_unit} in {cell(off.path)}"
        ]

    @property
    def shown_modes(self) -> tuple[str, ...]:
        """Names of the modes that have a line."""
        return self.modes[:_MOST_MODES]

    def _mode_lines(self, theory: Outcome, trained: Outcome) -> list[str]:
        names = self.shown_modes
        wide = max(len("mode"), *(len(cell(name)) for name in names))
        path = max(len("trained"), *(len(cell(name)) for name in self.paths)) + 7
        halves = [
            [side.learning_times.text(m) for m in range(len(names))] for side in (theory, trained)
        ]
        first, second = (max(8, *map(len, texts)) for texts in halves)
        ratios = theory.learning_times.times / trained.learning_times.times
        title = f"half learned at ({self.time_unit})"
        lines = [
            f"  {'':<{wide}}{'':>10}{'relative':>10}  {title:<{first + second + 12}}winner, with "
            "its share",
            f"  {'mode':<{wide}}{'S':>10}{'L2':>10}  "
            f"{'theory':>{first}}{'trained':>{second + 2}}{'ratio':>8}  "
            f"{'theory':<{path}}trained",
        ]
        for m, name in enumerate(names):
            lines.append(
                f"  {cell(name):<{wide}}{number(self.S[m], '.4g'):>10}"
                f"{number(self.mode_errors[m].relative_l2, '.1e'):>10}  "
                f"{halves[0][m]:>{first}}{halves[1][m]:>{second + 2}}"
                f"{number(ratios[m], '.3f'):>8}  "
                f"{self.winner_text(theory, m):<{path}}{self.winner_text(trained, m):<{path}}"
                f"{'' if self.agree[m] or theory.tied[m] or trained.tied[m] else 'differ'}".rstrip()
            )
        if len(names) < len(self.modes):
            lines.append(f"  ... and {len(self.modes) - len(names)} more modes")
        tied = int(np.sum(theory.tied | trained.tied))
        ties = f"; {tied} tied" if tied else ""
        lines.append(
            f"  the same pathway wins in {np.sum(self.agree)} of {len(self.modes)} modes{ties}"
        )
        return [*lines, *_participation_lines(theory, trained)]

    def winner_text(self, side: Outcome, m: int) -> str:
        """The pathway that has a mode at the end, with its share."""
        if side.winner[m] < 0:
            return "-"
        return f"{'tie' if side.tied[m] else cell(self.paths[side.winner[m]])} {side.share[m]:.2f}"


def _participation_lines(theory: Outcome, trained: Outcome) -> list[str]:
    """By mode and without a basis, where both runs have both."""
    free = [float(side.basis_free_participation) for side in (theory, trained)]
    modes = [side.participation[~np.isnan(side.participation)] for side in (theory, trained)]
    if np.isnan(free).any() or not all(len(known) for known in modes):
        return []
    by_mode = [float(np.mean(known)) for known in modes]
    return [
        f"  participation at the end, {how}: theory {one:.2f}, trained {other:.2f}"
        for how, (one, other) in (("by mode (mean)", by_mode), ("without a basis", free))
    ]


def cell(name: str) -> str:
    """A name, no longer than a column."""
    return name if len(name) <= _WIDEST_NAME else name[: _WIDEST_NAME - 3] + "..."


def number(value: float, form: str) -> str:
    """A number, or a dash where there is none."""
    return format(value, form) if np.isfinite(value) else "-"


def _left_out(failed: tuple[str, ...]) -> str:
    """Names of failed entries, at the end of their observable's line."""
    if not failed:
        return ""
    more = f" and {len(failed) - _MOST_NAMES} more" if len(failed) > _MOST_NAMES else ""
    return f"   not finite, left out: {'; '.join(failed[:_MOST_NAMES])}{more}"
