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
    "draws": 1000,
    "drawn_pathways": [2, 3],
    "drawn_depths": [3, 4, 5],
    "drawn_widths": [300, 10**4],
    "drawn_variances": [0.1, 0.3],
    "drawn_draws": 50,
    "trained_depths": [3, 4, 5],
    "trained_widths": [100, 200, 500],
    "trained_variances": [0.1, 0.3],
    "trained_draws": 10,
}
QUICK: Mapping[str, Any] = {
    **FULL,
    "depths": [3, 4, 7],
    "widths": [10**2, 10**4, 10**6],
    "variances": [0.1, 0.3],
    "drawn_pathways": [2],
    "drawn_depths": [3, 4],
    "drawn_widths": [10**5],
    "drawn_variances": [0.1],
    "drawn_draws": 4,
    "trained_depths": [3],
    "trained_widths": [50],
    "trained_variances": [0.3],
    "trained_draws": 4,
}


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

    def trained(task: str, depth: int, width: int, variance: float) -> Any:
        return cells.trained(TASKS[task], 2, depth, width, variance, s["trained_draws"])

    found = job.sweep(
        "race",
        race,
        pathways=s["pathways"],
        depth=s["depths"],
        width=s["widths"],
        variance=s["variances"],
    )
    tables = {"q/p": _of_races(found)}
    for name, function, more in (
        ("drawn", drawn, {"pathways": s["drawn_pathways"]}),
        ("trained", trained, {}),
    ):
        over = {
            "task": list(TASKS),
            **more,
            "depth": s[f"{name}_depths"],
            "width": s[f"{name}_widths"],
            "variance": s[f"{name}_variances"],
        }
        found = job.sweep(name, function, parallel=True, **over)
        tables |= {f"{name}, {task}": _of_maps(found, task) for task in TASKS}
    panels = new_figure(1, 2, height=2.7)
    _draw(panels, tables)
    lines = tuple(_line(name, table) for name, table in tables.items())
    return Finding(panels[0].figure, lines)


def _row(
    pathways: int, depth: int, width: float, variance: float, target: float, mean: float
) -> tuple[float, ...]:
    """What is compared in one cell: x, M, D, mean, the derived one, and q0^D / (S/d)."""
    x = float(concentration_variable(depth, width, variance, target))
    if not SMALLEST < x < LARGEST or not np.isfinite(mean):
        return ()
    expected = float(expected_participation(x, depth, pathways))
    return x, pathways, depth, mean, expected, float(wide_q0(depth, variance)) ** depth / target


def _of_races(found: Labelled) -> np.ndarray:
    """A row for each cell of the sweep of races."""
    rows = []
    values = [found[axis] for axis in found.dims["participation"]]
    for place, mean in np.ndenumerate(found["participation"]):
        M, D, N, variance = (axis[i] for axis, i in zip(values, place, strict=True))
        rows.append(_row(int(M), int(D), float(N), float(variance), 1.0, float(mean)))
    return np.array([row for row in rows if row])


def _of_maps(found: Labelled, task: str) -> np.ndarray:
    """A row for each cell and each strength that its task's modes are learned at."""
    modes = TASKS[task].modes
    targets = np.asarray(modes.S) / np.asarray(modes.variances)
    axes = found.dims["maps"]
    maps = found["maps"][found["task"].tolist().index(task)]
    if "pathways" not in axes:
        maps, M_values = maps[None], np.array([2])
    else:
        M_values = found["pathways"]
    rows = []
    for i, j, k, l in np.ndindex(*maps.shape[:4]):
        M, R = int(M_values[i]), len(targets)
        strength = np.diagonal(maps[i, j, k, l][:, :M, :R, :R], axis1=-2, axis2=-1)
        by_mode = participation(strength)
        D, N, variance = (
            float(found[axis][n]) for axis, n in zip(axes[-7:-4], (j, k, l), strict=True)
        )
        for target in np.unique(targets.round(9)):
            of = by_mode[:, np.isclose(targets, target)]
            mean = float(np.nanmean(of))
            rows.append(_row(M, int(D), N, variance, float(target), mean))
    return np.array([row for row in rows if row])


def _line(name: str, table: np.ndarray) -> str:
    """How far a kind of cells is from the derived curve."""
    if not len(table):
        return f"{name}: no cell with {SMALLEST} < x < {LARGEST:g}"
    apart, small = np.abs(table[:, 3] - table[:, 4]), table[:, 5] < LARGE
    said = []
    for M in np.unique(table[:, 1]):
        for where, these in (
            (f"{SMALLEST} < x < {LARGEST:g}", apart[small & (table[:, 1] == M)]),
            (f"but q0^D > {LARGE:g} S/d", apart[~small & (table[:, 1] == M)]),
        ):
            if len(these):
                said.append(
                    f"M = {M:g}, {where}: {len(these)} cells, at most {these.max():.3f} from the "
                    f"derived mean participation, {these.mean():.3f} on average"
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
