"""What every study shares: its runs are kept as they end, so that an interrupted one goes on; its
finding is printed.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn import plot, store
from racedyn._checks import check_name
from racedyn._compilation import Stopwatch
from racedyn._types import Weights
from racedyn.jobs import sweep
from racedyn.plot import context
from racedyn.studies.references import REFERENCES
from racedyn.trajectory import Labelled, Status, Trajectory


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a study found: the figure, and the lines that set the paper's claim beside the
    number.
    """

    figure: Any
    lines: tuple[str, ...]


@dataclasses.dataclass
class Job:
    """One reproduction under way. `settings` are what its function is called with."""

    settings: Mapping[str, Any]
    path: Path
    progress: bool
    runs: dict[str, Trajectory] = dataclasses.field(default_factory=dict)
    tables: dict[str, Labelled] = dataclasses.field(default_factory=dict)

    def keep(self, name: str, make: Callable[[], Trajectory]) -> Trajectory:
        """The run of this name: made now, and kept on disk, unless an earlier try got as far.

        Weights at the end are left out: at width 1,000 they are a thousand times larger than what
        is plotted."""
        if name not in self.runs:
            self.runs[name] = dataclasses.replace(make(), end=None)
            store.checkpoint(self.path, config=dict(self.settings), **self.runs)
        return self.runs[name]

    def sweep(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        parallel: bool = False,
        **over: Sequence[Any],
    ) -> Labelled:
        """`function` at every point of the axes `over`, in a folder beside the study's file, so
        that what an earlier try has computed is there. `parallel`: by processes of this machine.
        Raises `RuntimeError` where every point failed."""
        found = sweep(
            function,
            over,
            out=self.path.with_suffix("") / name,
            executor="local" if parallel else None,
            overwrite=True,  # parts of other settings stay, and are found where they are the same
            progress=self.progress,
        )
        if (found["status"] == Status.FAILED).all():
            raise RuntimeError(f"Every point of {name!r} failed: {found['error'].flat[0]}")
        self.tables[name] = found
        return found


def _one_table(tables: Mapping[str, Labelled]) -> Labelled:
    """All tables as one, the names of arrays and axes with the table's in front."""
    arrays: dict[str, np.ndarray] = {}
    dims: dict[str, tuple[str, ...]] = {}
    coordinates: dict[str, np.ndarray] = {}
    for table, found in tables.items():
        coordinates |= {f"{table}_{axis}": values for axis, values in found.coordinates.items()}
        for name, values in found.arrays.items():
            arrays[f"{table}_{name}"] = values
            dims[f"{table}_{name}"] = tuple(f"{table}_{axis}" for axis in found.dims[name])
    return Labelled(arrays, dims, coordinates)


def weights_of(run: Trajectory, row: int) -> Weights:
    """The weights of a saved row of a run that observed "weights": edge -> (n_target, n_source)."""
    return {edge: jnp.asarray(matrices[row]) for edge, matrices in run.ys.items()}


def mean_and_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over draws, the last axis, and its standard error, of those that are numbers: NaN
    without one, and without two."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0).sum(axis=-1) / count
        squares = np.where(known, (values - mean[..., None]) ** 2, 0).sum(axis=-1)
        return mean, np.sqrt(squares / (count - 1) / count)


@dataclasses.dataclass(frozen=True)
class Study:
    """A published figure, or one of our own.

    **Fields:** `name` ("paper.figure"), `source` (a key of `REFERENCES`), `title`, `claim` (the
    paper's, in our words), `published` (or full) and `quick` settings, of the same keys, `make`
    (runs and draws it), `ours` (which of the published settings the paper has not; all of them in
    studies of our own)."""

    name: str
    source: str
    title: str
    claim: str
    published: Mapping[str, Any]
    quick: Mapping[str, Any]
    make: Callable[[Job], Finding]
    ours: Collection[str] = ()

    def __post_init__(self) -> None:
        check_name("source", self.source, REFERENCES)
        for name in self.ours:
            check_name("ours", name, self.published)

    def settings(self) -> str:
        """Which settings are the paper's, and which are ours, in one line."""
        own = self.source == "racedyn"
        sides = {"ours": [name for name in self.published if own or name in self.ours]}
        sides["published"] = [name for name in self.published if name not in sides["ours"]]
        return "settings " + "; ".join(
            f"{side}: {', '.join(names)}" for side, names in sides.items() if names
        )


@dataclasses.dataclass(frozen=True)
class Reproduced:
    """A study that has run: what it found, and where its runs and its figure lie; seconds in all
    and of compiling.
    """

    study: Study
    finding: Finding
    path: Path
    figure: Path
    wall_time: float
    compile_time: float

    def __str__(self) -> str:
        study = self.study
        head = (f"{study.name}: {study.title}", f"claim: {study.claim}", study.settings())
        return "\n".join((*head, *self.finding.lines))


def run_study(
    study: Study,
    *,
    out: str | Path = "runs",
    quick: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Reproduced:
    """Run `study` at its published settings, or at `quick` ones (a minute on two cores), into
    `out`/NAME.h5 and .png. The figure stays open in pyplot, as those of `racedyn.plot` do.

    What an interrupted try of the same settings left is gone on from. Raises `FileExistsError`
    where results are in the way, and `StoreError` where a try of other settings left something,
    naming those that differ; `overwrite` replaces both.

        >>> import dataclasses
        >>> study = rd.studies.STUDIES["shi2022.fig4"]
        >>> small = {**study.quick, "width": 20, "std": 0.1, "epochs": 20, "columns": 3}
        >>> own = dataclasses.replace(study, quick=small)  # settings of your own
        >>> done = rd.studies.run_study(own, quick=True, progress=False)
        >>> done.figure.name, list(rd.load(done.path))
        ('shi2022.fig4.quick.png', ['linear_4_seed0'])
    """
    watch = Stopwatch()
    settings = {"study": study.name, **(study.quick if quick else study.published)}
    target = Path(out) / f"{study.name}{'.quick' if quick else ''}.h5"
    target.parent.mkdir(parents=True, exist_ok=True)
    store.check_target(target, overwrite=overwrite)
    job = Job(settings, target, progress)
    job.runs.update(store.unfinished(target, settings, overwrite=overwrite) or {})
    with context():
        finding = study.make(job)
    if job.tables:
        store.save(target, _one_table(job.tables), overwrite=overwrite, config=settings)
    else:
        store.save(target, overwrite=overwrite, config=settings, **job.runs)
    figure = plot.save_figure(finding.figure, target.with_suffix(".png"))
    return Reproduced(study, finding, target, figure, watch.wall_time, watch.compile_time)
