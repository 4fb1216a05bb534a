"""What a run computed, its file and its figures."""

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from racedyn import config as configuration
from racedyn import plot, store
from racedyn.comparison import Comparison, Comparisons, MemberComparison
from racedyn.config import Config
from racedyn.store import partial_path
from racedyn.trajectory import Trajectory

FIGURES = (".png", ".pdf")


@dataclasses.dataclass(frozen=True, eq=False)
class RunResult:
    """What a run computed and where it lies.

    **Fields:** `config`; `trained`; `theories`: "theory", the level that was asked for,
    and others by their level, none where the network has no reduction or the training diverged;
    `comparison`, None where there is none; `path` of the results, `figures`; `notes`: what a reader
    must know before using them."""

    config: Config
    trained: Trajectory
    theories: Mapping[str, Trajectory]
    comparison: Comparison | Comparisons | MemberComparison | None
    path: Path
    figures: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


class NotSavedError(OSError):
    """Results that could not be written where they belong; the text says where they are, `result`
    has them.
    """

    def __init__(self, message: str, result: RunResult):
        super().__init__(message)
        self.result = result


def saved(result: RunResult, overwrite: bool) -> RunResult:
    """Write the results; where that fails, into the system's temporary folder."""
    groups: dict[str, Any] = dict(result.theories)
    groups |= {"trained": result.trained, "config": configuration.as_dict(result.config)}
    try:
        store.save(result.path, overwrite=overwrite, **groups)
        return result
    except OSError as error:
        try:
            elsewhere = store.save(
                Path(tempfile.mkdtemp(prefix="racedyn-")) / result.path.name, **groups
            )
        except OSError as second:
            kept = kept_of(result.path) or "They are lost."
            raise OSError(
                f"The results could be written neither where they belong ({error}) nor elsewhere "
                f"({second}). {kept}"
            ) from error
        message = f"{result.path} could not be written: {error}. The results are in {elsewhere}."
        raise NotSavedError(message, dataclasses.replace(result, path=elsewhere)) from error


def draw_figures(result: RunResult) -> RunResult:
    """Draw the race beside the results."""
    axes = None
    try:
        axes = draw(result.theories, result.trained)
        figures = []
        for ending in FIGURES:
            figures.append(plot.save_figure(axes, result.path.with_suffix(ending)))
            plot.keep_layout(axes)
    except Exception as error:  # also what a plot can't show: the results are in their file
        message = (
            f"The figure could not be written: {error}. `racedyn plot {result.path}` draws it."
        )
        raise NotSavedError(message, result) from error
    finally:
        if axes is not None:
            plot.close(axes)
    return dataclasses.replace(result, figures=tuple(figures))


def find_figures(result: RunResult) -> RunResult:
    """The figures that are there, or, where a run was stopped before they were, drawn now."""
    figures = tuple(map(result.path.with_suffix, FIGURES))
    if all(figure.exists() for figure in figures):
        return dataclasses.replace(result, figures=figures)
    return draw_figures(result)


def by_level(theories: Mapping[str, Trajectory]) -> Trajectory | dict[str, Trajectory]:
    """One theory as it is; several by their levels, as they are called in tables and figures."""
    if len(theories) == 1:
        return next(iter(theories.values()))
    levels = {
        name: name if run.provenance is None else str(run.provenance.validity.get("level", name))
        for name, run in theories.items()
    }
    # "pathway" beside "pathway 1" would be taken for one.
    return {"q/p" if levels[name] == "pathway" else levels[name]: theories[name] for name in levels}


def draw(theories: Mapping[str, Trajectory], trained: Trajectory | None) -> Any:
    """The race between theories and training, or in one of them alone; the losses where no
    strengths were saved. Its axes.

    There are none where no inputs and targets are correlated but behind gates (pure XoR), or where
    paths are too many."""
    runs = [*theories.values(), *([] if trained is None else [trained])]
    if not all("strength" in run.observables for run in runs):
        return plot.loss(*runs)
    return plot.race(by_level(theories), trained) if theories else plot.race(runs[0])


def kept_of(target: Path) -> str:
    """What an error says of the training that is kept beside `target`; "" where none is."""
    partial = partial_path(target)
    return f"{partial} has what was trained: --resume goes on from it." if partial.exists() else ""
