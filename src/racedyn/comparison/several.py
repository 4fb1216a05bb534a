"""Several theories beside one trained run: one table."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from racedyn._text import clipped, page, printable
from racedyn.comparison.result import Comparison, cell, number
from racedyn.comparison.table import table_of
from racedyn.trajectory import Labelled


@dataclasses.dataclass(frozen=True, eq=False)
class Comparisons:
    """Several theories beside one trained run; `print` it, or take one: `found["pathway"]`.

    **Fields:** `each`: name of a theory -> `Comparison`, in the order given.
    """

    each: Mapping[str, Comparison]

    def __getitem__(self, name: str) -> Comparison:
        return self.each[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.each)

    def __len__(self) -> int:
        return len(self.each)

    def labelled(self) -> Labelled:
        """What was found as arrays with named axes, the names of theories in front: `relative_l2`
        (theory, observable), `theory_participation` (theory, mode), ...; see `Comparison.labelled`.
        """
        return table_of(list(self.each.values()), {"theory": list(self.each)})

    def __repr__(self) -> str:
        said = "; ".join(f"{name}: {found!r}" for name, found in self.each.items())
        return clipped(f"Comparisons({said})")

    def _repr_html_(self) -> str:
        notes = [f"note: {note}" for note in self._notes()]
        return page(f"Comparison of {', '.join(self.each)} with trained", notes, str(self))

    def _notes(self) -> list[str]:
        """What a reader must know, once, with the theory's name where it is not of all."""
        said: dict[str, list[str]] = {}
        for name, found in self.each.items():
            for note in found.notes:
                said.setdefault(note, []).append(name)
        return [
            note if len(names) == len(self.each) else f"{', '.join(names)}: {note}"
            for note, names in said.items()
        ]

    def __str__(self) -> str:
        first = next(iter(self.each.values()))
        wide = max(12, *(len(name) + 2 for name in self.each))
        lines = [
            f"Comparison of {', '.join(self.each)} with trained",
            f"  {len(first.ts)} common times from {first.ts[0]:.4g} to {first.ts[-1]:.4g} "
            f"{first.time_unit}",
            "",
            f"  {'relative L2 of':<26}" + "".join(f"{name:>{wide}}" for name in self.each),
        ]
        for name in dict.fromkeys(name for found in self.each.values() for name in found.errors):
            errors = [found.errors.get(name) for found in self.each.values()]
            lines.append(
                f"  {name:<26}"
                + "".join(
                    f"{'-' if error is None else format(error.relative_l2, '.2e'):>{wide}}"
                    for error in errors
                )
            )
        if all(found.modes for found in self.each.values()):
            lines += ["", *self._mode_lines(first)]
        tail = [*first.off_diagonal_line, *(f"note: {note}" for note in self._notes())]
        lines += [*([""] if tail else []), *(f"  {line}" for line in tail)]
        return "\n".join(map(printable, lines))

    def _mode_lines(self, first: Comparison) -> list[str]:
        """Half-learned times and winners of each mode, a column per theory and one of training."""
        names = first.shown_modes
        wide = max(len("mode"), *(len(cell(name)) for name in names))
        titles = [*self.each, "trained"]
        sides = [*(found.theory for found in self.each.values()), first.trained]
        times = [
            [side.learning_times.text(m) if side else "-" for m in range(len(names))]
            for side in sides
        ]
        late = max(8, *(len(text) for texts in times for text in texts), *map(len, titles)) + 2
        winners = [
            [first.winner_text(side, m) if side else "-" for m in range(len(names))]
            for side in sides
        ]
        won = max(*(len(text) for texts in winners for text in texts), *map(len, titles)) + 2
        heading = f"half learned at ({first.time_unit})"
        lines = [
            f"  {'':<{wide}}{'':>10}  {heading:<{late * len(sides)}}winner, with its share",
            f"  {'mode':<{wide}}{'S':>10}  "
            + "".join(f"{title:<{late}}" for title in titles)
            + "".join(f"{title:<{won}}" for title in titles).rstrip(),
        ]
        for m, name in enumerate(names):
            lines.append(
                f"  {cell(name):<{wide}}{number(first.S[m], '.4g'):>10}  "
                + "".join(f"{texts[m]:<{late}}" for texts in times)
                + "".join(f"{texts[m]:<{won}}" for texts in winners).rstrip()
            )
        if len(names) < len(first.modes):
            lines.append(f"  ... and {len(first.modes) - len(names)} more modes")
        for name, found in self.each.items():
            lines.append(
                f"  {name}: the same pathway wins in {np.sum(found.agree)} of {len(found.modes)} "
                "modes"
            )
        return lines
