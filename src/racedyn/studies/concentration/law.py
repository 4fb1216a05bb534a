"""By mode, participation is a function of one variable, x = sqrt(N D) q0^(D-2) / (S/d)^((D-2)/D),
for each depth and number of pathways."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from racedyn.exact import concentration_variable, expected_participation, wide_q0
from racedyn.paths import basis_free_participation, participation
from racedyn.plot import GREY, cycle, new_figure
from racedyn.studies.concentration import cells, examples
from racedyn.studies.study import Finding, Job, Study, mean_and_error
from racedyn.tasks import hierarchy
from racedyn.trajectory import Labelled

SMALLEST, LARGEST = 0.05, 100.0  # of x: beyond them nothing changes any more
WIDE = 1e3  # from there on the next order in N^(-1/2) is small
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
        rows: dict[str, list[Cell]] = {task: [] for task in TASKS}
        for i, grid in enumerate(s[name]):
            over = dict(zip(AXES, grid, strict=True))
            found = job.sweep(f"{name}{i}", function, parallel=True, **over)
            for task in over["task"]:
                rows[task] += _of_maps(found, task)
        tables |= {f"{name}, {task}": each for task, each in rows.items() if each}
    panels = new_figure(1, 2, height=2.7)
    _draw(panels, tables)
    lines = [line for name, table in tables.items() for line in _lines(name, table)]
    return Finding(panels[0].figure, tuple(lines))


class Cell(NamedTuple):
    """What is compared in one cell: mean participation as found and as derived; `large`, q0^D /
    (S/d); `error`, the standard error of what was found; `free`, participation without a basis of
    networks of several modes."""

    x: float
    pathways: int
    depth: int
    width: float
    variance: float
    target: float
    found: float
    derived: float
    large: float
    error: float
    free: float

    @property
    def apart(self) -> float:
        return abs(self.found - self.derived)

    def __str__(self) -> str:
        free = f", without a basis {self.free:.2f}" if np.isfinite(self.free) else ""
        return (
            f"{self.found:.2f} +- {self.error:.2f} for {self.derived:.2f} at D = {self.depth}, N = "
            f"{self.width:.0f}, sigma^2 = {self.variance:g}, S/d = {self.target:.3g}{free}"
        )


def _cells(
    of: Sequence[float], target: float, found: tuple[float, float], free: float = np.nan
) -> list[Cell]:
    """The cell of these pathways, depth, width and variance, if x is in the range."""
    pathways, depth, width, variance = int(of[0]), int(of[1]), float(of[2]), float(of[3])
    x = float(concentration_variable(depth, width, variance, target))
    mean, error = found
    if not SMALLEST < x < LARGEST or not np.isfinite(mean):
        return []
    expected = float(expected_participation(x, depth, pathways))
    large = float(wide_q0(depth, variance)) ** depth / target
    given = (x, pathways, depth, width, variance, target, mean, expected, large, error, free)
    return [Cell(*given)]


def _of_races(found: Labelled) -> list[Cell]:
    """A cell for each of the sweep of races."""
    rows: list[Cell] = []
    values = [found[axis] for axis in found.dims["participation"]]
    for place, mean in np.ndenumerate(found["participation"]):
        of = [axis[i] for axis, i in zip(values, place, strict=True)]
        rows += _cells(of, 1.0, (float(mean), float(found["standard_error"][place])))
    return rows


def _of_maps(found: Labelled, task: str) -> list[Cell]:
    """A cell for each one and each strength that its task's modes are learned at."""
    modes = TASKS[task].modes
    targets = np.asarray(modes.S) / np.asarray(modes.variances)
    maps = found["maps"][found["task"].tolist().index(task)]
    R = len(targets)
    rows: list[Cell] = []
    for place in np.ndindex(*maps.shape[:4]):
        of = [found[axis][at].item() for axis, at in zip(AXES[1:], place, strict=True)]
        own = maps[place][:, : of[0], :R, :R]
        by_mode = participation(np.diagonal(own, axis1=-2, axis2=-1))
        free = float(np.nanmean(basis_free_participation(own))) if R > 1 else np.nan
        for target in np.unique(targets.round(9)):
            each = np.nanmean(by_mode[:, np.isclose(targets, target)], axis=1)  # (draw,)
            mean, error = map(float, mean_and_error(each))
            rows += _cells(of, float(target), (mean, error), free)
    return rows


def _lines(name: str, table: Sequence[Cell]) -> list[str]:
    """How far a kind of cells is from the derived curve."""
    if not table:
        return [f"{name}: no cell with {SMALLEST} < x < {LARGEST:g}"]
    said = []
    for M in sorted({cell.pathways for cell in table}):
        for where, small in (
            (f"{SMALLEST} < x < {LARGEST:g}", True),
            (f"but q0^D > {LARGE:g} S/d", False),
        ):
            some = [cell for cell in table if cell.pathways == M and (cell.large < LARGE) is small]
            if not some:
                continue
            apart = [cell.apart for cell in some]
            depths = sorted({cell.depth for cell in some})
            by_depth = ", ".join(
                f"{depth}: {max(cell.apart for cell in some if cell.depth == depth):.3f}"
                for depth in depths
            )
            wide = [cell.apart for cell in some if cell.width >= WIDE]
            said.append(
                f"{name}, M = {M}, {where}: {len(some)} cells, at most {max(apart):.3f} from the "
                f"derived mean participation, {np.mean(apart):.3f} on average (standard errors to "
                f"{max(cell.error for cell in some):.3f}); at most by depth {by_depth}"
                + (f"; from N = {WIDE:g} on at most {max(wide):.3f}" if wide else "")
                + f"; farthest {max(some, key=lambda cell: cell.apart)}"
            )
    return said


def _draw(panels: Sequence[Any], tables: Mapping[str, Sequence[Cell]]) -> None:
    """Left races of two pathways against x, right networks beside what is derived for each."""
    x = np.geomspace(SMALLEST, LARGEST, 60)
    left, right = panels
    shown = {
        name: [cell for cell in table if cell.pathways == 2 and cell.large < LARGE]
        for name, table in tables.items()
    }
    race = shown.pop("q/p")
    for depth, colour in zip(sorted({cell.depth for cell in race}), cycle(), strict=False):
        left.plot(x, expected_participation(x, depth, 2), color=colour, lw=0.8)
        at = [cell for cell in race if cell.depth == depth]
        style = {"ms": 3, "mfc": "none", "color": colour, "label": f"D = {depth}"}
        left.plot([cell.x for cell in at], [cell.found for cell in at], "o", **style)
    left.set(xscale="log", ylim=(0.95, 2.05), title="races (q/p) on derived curves")
    left.set_xlabel(r"$x = \sqrt{ND}\,q_0^{D-2} / (S/d)^{(D-2)/D}$")
    left.set_ylabel("mean participation by mode")
    right.plot([1, 2], [1, 2], color=GREY, lw=0.8)
    for (name, table), marker, colour in zip(shown.items(), "os^Dv<", cycle(), strict=False):
        style = {"ms": 3, "mfc": "none", "color": colour, "label": name}
        derived, found = [cell.derived for cell in table], [cell.found for cell in table]
        right.plot(derived, found, marker, **style)
    right.set(xlabel="derived", ylabel="networks", title="networks", ylim=(0.95, 2.05))
    for ax in panels:
        ax.legend()


STUDY = Study(
    name="concentration.law",
    source="racedyn",
    title="by mode, participation is a function of one variable",
    claim="how equal pathways share a mode depends on x, D and M alone, by a curve without a fit",
    published=FULL,
    quick=QUICK,
    make=figure,
)
