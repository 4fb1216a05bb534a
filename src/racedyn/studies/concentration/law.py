"""By mode, participation is a function of one variable, x = sqrt(N D) q0^(D-2) / (S/d)^((D-2)/D),
for each depth and number of pathways."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from racedyn.exact import concentration_variable, expected_participation, wide_q0
from racedyn.paths import participation
from racedyn.plot import GREY, cycle, new_figure
from racedyn.studies.concentration import cells, examples
from racedyn.studies.study import Finding, Job, Study
from racedyn.tasks import hierarchy
from racedyn.trajectory import Labelled

SMALLEST, LARGEST = 0.05, 100.0  # of x: beyond them nothing changes any more
LARGE = 0.5  # q0^D / (S/d): from there on weights are not small beside what is learned

FULL: Mapping[str, Any] = {
    "pathways": [2, 3, 5],
    "depths": [3, 4, 5, 6, 8, 10, 12],
    "widths": [10**n for n in range(2, 10)],
    "variances": [0.02, 0.1, 0.3, 1.0, 2.0],
    "draws": 10**4,
    "drawn": [  # task, pathways, depths, widths, variances: every combination in a row
        [["one mode"], [2, 3], [3, 4, 5], [300, 10**4], [0.1, 0.3]],
        [["hierarchy"], [2], [3, 4, 5], [300, 10**4], [0.1, 0.3]],
        [["random"], [2], [3, 4], [300, 10**4], [0.1, 0.3]],
    ],
    "drawn_draws": 50,
    "trained": [
        [["one mode"], [2, 3], [3, 4, 5], [100, 200], [0.1, 0.3]],
        [["one mode"], [2], [3], [500, 2000], [0.1, 0.3]],
        [["hierarchy", "random"], [2], [3, 4], [100], [0.1, 0.3]],
    ],
    "trained_draws": 10,
}
QUICK: Mapping[str, Any] = {
    **FULL,
    "depths": [3, 4, 7],
    "widths": [10**2, 10**4, 10**6],
    "variances": [0.1, 0.3],
    "draws": 1000,
    "drawn": [[["one mode", "hierarchy"], [2], [3, 4], [10**5], [0.1]]],
    "drawn_draws": 4,
    "trained": [[["one mode", "hierarchy"], [2], [3], [50], [0.3]]],
    "trained_draws": 4,
}
AXES = ("task", "pathways", "depth", "width", "variance")


TASKS = {
    "one mode": examples.one_mode(),
    "hierarchy": hierarchy(8),
    "random": examples.drawn_modes(6, key=0),
}


def figure(job: Job) -> Finding:
    """Mean participation against x: races, drawn and trained networks, and the derived curve."""
    s = job.settings

    def race(pathways: int, depth: int, width: int, variance: float) -> Any:
        return cells.race(pathways, depth, width, variance, s["draws"])

    def drawn(task: str, pathways: int, depth: int, width: int, variance: float) -> Any:
        return cells.drawn(TASKS[task], pathways, depth, width, variance, s["drawn_draws"])

    def trained(task: str, pathways: int, depth: int, width: int, variance: float) -> Any:
        return cells.trained(TASKS[task], pathways, depth, width, variance, s["trained_draws"])

    found = job.sweep(
        "race",
        race,
        pathways=s["pathways"],
        depth=s["depths"],
        width=s["widths"],
        variance=s["variances"],
    )
    tables = {"q/p": _of_races(found)}
    for name, function in (("drawn", drawn), ("trained", trained)):
        rows: dict[str, list[np.ndarray]] = {task: [] for task in TASKS}
        for i, grid in enumerate(s[name]):
            over = dict(zip(AXES, grid, strict=True))
            found = job.sweep(f"{name}{i}", function, parallel=True, **over)
            for task in over["task"]:
                rows[task].append(_of_maps(found, task))
        tables |= {f"{name}, {task}": np.concatenate(each) for task, each in rows.items() if each}
    panels = new_figure(1, 2, height=2.7)
    _draw(panels, tables)
    lines = tuple(_line(name, table) for name, table in tables.items())
    return Finding(panels[0].figure, lines)


def _row(
    pathways: int,
    depth: int,
    width: float,
    variance: float,
    target: float,
    found: tuple[float, float],
) -> tuple[float, ...]:
    """What is compared in one cell: x, M, D, the mean that was `found`, the derived one, q0^D /
    (S/d), and the standard error of the first."""
    x = float(concentration_variable(depth, width, variance, target))
    mean, error = found
    if not SMALLEST < x < LARGEST or not np.isfinite(mean):
        return ()
    expected = float(expected_participation(x, depth, pathways))
    large = float(wide_q0(depth, variance)) ** depth / target
    return x, pathways, depth, mean, expected, large, error


def _table(rows: Sequence[tuple[float, ...]]) -> np.ndarray:
    return np.array([row for row in rows if row]).reshape(-1, 7)


def _of_races(found: Labelled) -> np.ndarray:
    """A row for each cell of the sweep of races."""
    rows = []
    values = [found[axis] for axis in found.dims["participation"]]
    for place, mean in np.ndenumerate(found["participation"]):
        M, D, N, variance = (axis[i] for axis, i in zip(values, place, strict=True))
        of = float(mean), float(found["standard_error"][place])
        rows.append(_row(int(M), int(D), float(N), float(variance), 1.0, of))
    return _table(rows)


def _of_maps(found: Labelled, task: str) -> np.ndarray:
    """A row for each cell and each strength that its task's modes are learned at."""
    modes = TASKS[task].modes
    targets = np.asarray(modes.S) / np.asarray(modes.variances)
    maps = found["maps"][found["task"].tolist().index(task)]
    rows = []
    for place in np.ndindex(*maps.shape[:4]):
        M, D, N, variance = (
            found[axis][at].item() for axis, at in zip(AXES[1:], place, strict=True)
        )
        R = len(targets)
        strength = np.diagonal(maps[place][:, :M, :R, :R], axis1=-2, axis2=-1)
        by_mode = participation(strength)
        for target in np.unique(targets.round(9)):
            each = np.nanmean(by_mode[:, np.isclose(targets, target)], axis=1)  # (draw,)
            mean, error = map(float, cells.mean_and_error(each))
            rows.append(_row(M, D, N, variance, float(target), (mean, error)))
    return _table(rows)


def _line(name: str, table: np.ndarray) -> str:
    """How far a kind of cells is from the derived curve."""
    if not len(table):
        return f"{name}: no cell with {SMALLEST} < x < {LARGEST:g}"
    apart, small = np.abs(table[:, 3] - table[:, 4]), table[:, 5] < LARGE
    said = []
    for M in np.unique(table[:, 1]):
        for where, kept in (
            (f"{SMALLEST} < x < {LARGEST:g}", small & (table[:, 1] == M)),
            (f"but q0^D > {LARGE:g} S/d", ~small & (table[:, 1] == M)),
        ):
            if kept.any():
                said.append(
                    f"M = {M:g}, {where}: {kept.sum()} cells, at most {apart[kept].max():.3f} from "
                    f"the derived mean participation, {apart[kept].mean():.3f} on average "
                    f"(standard errors to {table[kept, 6].max():.3f})"
                )
    return f"{name}: {'; '.join(said)}"


def _draw(panels: Sequence[Any], tables: Mapping[str, np.ndarray]) -> None:
    """Left races of two pathways against x, right networks beside what is derived for each."""
    x = np.geomspace(SMALLEST, LARGEST, 60)
    left, right = panels
    race = tables["q/p"]
    race = race[(race[:, 1] == 2) & (race[:, 5] < LARGE)]
    for depth, colour in zip(np.unique(race[:, 2]), cycle(), strict=False):
        left.plot(x, expected_participation(x, int(depth), 2), color=colour, lw=0.8)
        at = race[race[:, 2] == depth]
        left.plot(at[:, 0], at[:, 3], "o", ms=3, mfc="none", color=colour, label=f"D = {depth:g}")
    left.set(xscale="log", ylim=(0.95, 2.05), title="races (q/p) on derived curves")
    left.set_xlabel(r"$x = \sqrt{ND}\,q_0^{D-2} / (S/d)^{(D-2)/D}$")
    left.set_ylabel("mean participation by mode")
    right.plot([1, 2], [1, 2], color=GREY, lw=0.8)
    networks = list(tables.items())[1:]
    for (name, table), marker, colour in zip(networks, "os^Dv<", cycle(), strict=False):
        if len(table):
            at = table[(table[:, 1] == 2) & (table[:, 5] < LARGE)]
            right.plot(at[:, 4], at[:, 3], marker, ms=3, mfc="none", color=colour, label=name)
    right.set(xlabel="derived", ylabel="networks", title="networks", ylim=(0.95, 2.05))
    for ax in panels:
        ax.legend(fontsize=6)


STUDY = Study(
    name="concentration.law",
    source="racedyn",
    title="by mode, participation is a function of one variable",
    claim="how equal pathways share a mode depends on x, D and M alone, by a curve without a fit",
    published=FULL,
    quick=QUICK,
    make=figure,
)
