"""What all figures share: the style, one colour per pathway, axis labels, saving."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn._text import printable
from racedyn.trajectory import Trajectory

GREY = "0.55"
WIDTH = 7.0  # inches, both columns of a page
FEW_ROWS = 30  # markers of 2.5 pt still stand apart in a panel of 1.7 in


@contextmanager
def context() -> Iterator[None]:
    """The package's style, for a `with` block.

    Afterwards what the style sets is as it was before, and nothing else: a notebook's backend is
    loaded with the first figure and switches interactive drawing on, which matplotlib's own context
    would switch off again, for good."""
    import matplotlib as mpl

    ours = mpl.rc_params_from_file(
        Path(__file__).with_name("racedyn.mplstyle"), use_default_template=False
    )
    before = {name: mpl.rcParams[name] for name in ours}
    try:
        mpl.rcParams.update(ours)
        yield
    finally:
        mpl.rcParams.update(before)


def new_axes(
    rows: int, columns: int, size: tuple[float, float], *, sharey: bool = True
) -> list[Any]:
    """A figure of panels that share both axes, or that of x alone, row by row; call it inside
    `context()`.
    """
    import matplotlib.pyplot as plt

    _, panels = plt.subplots(
        rows,
        columns,
        figsize=size,
        sharex=True,
        sharey=sharey,
        squeeze=False,
        layout="constrained",
    )
    return list(panels.ravel())


def new_figure(rows: int, columns: int, *, height: float) -> list[Any]:
    """Panels of their own axes, row by row, on a figure as wide as a page and `height` inches
    high.
    """
    import matplotlib.pyplot as plt

    with context():
        _, panels = plt.subplots(
            rows, columns, figsize=(WIDTH, height), squeeze=False, layout="constrained"
        )
    return list(panels.ravel())


def share_legend(panels: Sequence[Any], columns: int = 3) -> None:
    """One legend under the figure, that of the first panel which has one, instead of one on
    each.
    """
    legends = [legend for legend in (ax.get_legend() for ax in panels) if legend is not None]
    if not legends:
        return
    handles, labels = (
        legends[0].legend_handles,
        [text.get_text() for text in legends[0].get_texts()],
    )
    for legend in legends:
        legend.remove()
    with context():
        panels[0].get_figure(root=True).legend(
            handles, labels, loc="outside lower center", ncols=columns
        )


def time_unit(trajectory: Trajectory) -> str:
    """The unit of its times, as figures write it."""
    source = trajectory.provenance
    unit = "tau" if source is None else str(source.settings.get("time_unit", "tau"))
    return r"$\tau$" if unit == "tau" else unit


def time_label(trajectory: Trajectory) -> str:
    """What an axis of its times is called."""
    unit = time_unit(trajectory)
    return f"{'flow time' if unit.startswith('$') else 'time'} ({unit})"


def time_text(trajectory: Trajectory, row: int) -> str:
    """The time of one saved row, as a title says it."""
    return f"$t$ = {float(np.asarray(trajectory.ts)[row]):.4g} {time_unit(trajectory)}"


def mark_switches(ax: Any, runs: Sequence[Trajectory], *, named: bool = True) -> None:
    """A vertical line where a run goes over to another task, with its name; one line where several
    runs do at once.
    """
    seen: dict[str, str] = {}
    for run in runs:
        for switch in run.switches:
            seen.setdefault(f"{float(switch['time']):.6g}", str(switch["task"]))
    for time, task in seen.items():
        ax.axvline(float(time), color=GREY, linewidth=0.8, linestyle=":", zorder=1)
        if named:
            ax.annotate(
                shortened(task, 24),
                (float(time), 1.0),
                xycoords=ax.get_xaxis_transform(),
                xytext=(2, -3),
                textcoords="offset points",
                rotation=90,
                ha="left",
                va="top",
                fontsize="small",
                color="0.35",
            )


def row_markers(ts: Any) -> dict[str, Any]:
    """Where saved rows are few, each has a marker: the line between two of them is drawn, not
    computed.
    """
    return {"marker": "o", "markersize": 2.5} if len(ts) <= FEW_ROWS else {}


THEORY = {"simulate", "exact"}  # kinds of runs


def kind(trajectory: Trajectory) -> str:
    """Where it comes from: "simulate" (theory), "exact" (closed form), "train" (trained), ...;
    "run" where that is not known.
    """
    return "run" if trajectory.provenance is None else trajectory.provenance.kind


def name_of(trajectory: Trajectory, index: int, all_of_them: Sequence[Trajectory]) -> str:
    """What a curve is called that was given no name: its kind, with a number where several are of
    that kind.
    """
    same = [other for other in all_of_them if kind(other) == kind(trajectory)]
    number = sum(kind(other) == kind(trajectory) for other in all_of_them[: index + 1])
    words = {"simulate": "theory", "exact": "closed form", "train": "trained"}
    word = words.get(kind(trajectory), kind(trajectory))
    return word if len(same) == 1 else f"{word} {number}"


def common_time_label(runs: Sequence[Trajectory]) -> str:
    """The label of the time axis. Raises `ValueError` where the runs' units differ."""
    labels = {time_label(run) for run in runs}
    if len(labels) > 1:
        fail("trajectories", "share a unit of time", f"they have {sorted(labels)}")
    return labels.pop()


def path_names(trajectories: Sequence[Trajectory], observable: str = "strength") -> Sequence[str]:
    """Labels of the paths from the first trajectory that has them, else counted from 1."""
    num_paths = np.shape(trajectories[0].observables[observable])[1]
    given = next((run.labels["path"] for run in trajectories if "path" in run.labels), ())
    return given if len(given) == num_paths else [f"path {a + 1}" for a in range(num_paths)]


def name_text(name: str) -> str:
    """A name, which may come from a file of anyone's, as figures write it: formulas between dollars
    where they are some, else letter by letter."""
    from matplotlib.cbook import is_math_text
    from matplotlib.mathtext import MathTextParser

    text = printable(name, keep="\n")
    try:
        formula = is_math_text(text) and MathTextParser("agg").parse(text) is not None
    except ValueError:
        formula = False
    text = text if formula else text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text  # which legends would leave out


def shortened(text: str, most: int) -> str:
    """A name of at most so many letters, the middle left out: both ends of a path say where it
    goes.
    """
    half = (most - 1) // 2
    return name_text(
        text if len(text) <= most else f"{text[: most - 1 - half].rstrip()}…{text[-half:].lstrip()}"
    )


def cycle() -> list[Any]:
    """The style's colours; call it inside `context()`."""
    import matplotlib as mpl

    return list(mpl.rcParams["axes.prop_cycle"].by_key()["color"])


def path_colours(strength: np.ndarray) -> list[Any]:
    """One colour per path of `strength` (time, path, mode); grey for those that end weakest where
    colours run out.
    """
    known = cycle()
    num_paths = strength.shape[1]
    if num_paths <= len(known):
        return known[:num_paths]
    ends = np.nan_to_num(np.abs(strength[-1])).max(axis=1)
    colours: list[Any] = [GREY] * num_paths
    for path, colour in zip(
        sorted(np.argsort(-ends, kind="stable")[: len(known) - 1]), known, strict=False
    ):
        colours[path] = colour
    return colours


def paths_of(runs: Sequence[Trajectory], strength: np.ndarray) -> tuple[list[Any], Sequence[str]]:
    """Colour and name of every path of `strength` (time, path, mode): by itself, or by the pair of
    input and output that it joins where these are several, with shades for the paths of a pair.
    """
    names = path_names(runs)
    ends = next((found for run in runs if (found := _ends(run, len(names)))), None)
    pairs = list(dict.fromkeys(ends or ()))
    if len(pairs) < 2:
        return path_colours(strength), names
    assert ends is not None
    members = {pair: [a for a, other in enumerate(ends) if other == pair] for pair in pairs}
    sums = np.stack([strength[:, members[pair]].sum(axis=1) for pair in pairs], axis=1)
    colours, said = [GREY] * len(names), list(names)
    for pair, colour in zip(pairs, path_colours(sums), strict=True):
        own = members[pair]
        for place, a in enumerate(own):
            colours[a] = colour if colour == GREY else _paler(colour, place / len(own))
            said[a] = f"{pair[0]} to {pair[1]}" + (f": {names[a]}" if len(own) > 1 else "")
    return colours, said


def _ends(run: Trajectory, num_paths: int) -> list[tuple[str, str]] | None:
    """The input and the output that each path joins, where the run says so."""
    settings = {} if run.provenance is None else run.provenance.settings
    ends = [(str(source), str(target)) for source, target in settings.get("ends", ())]
    return ends if len(ends) == num_paths else None


def _paler(colour: Any, by: float) -> Any:
    """A colour with so much white, up to three quarters."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = (1 - (1 - part) * (1 - 0.75 * by) for part in to_rgb(colour))
    return to_hex((red, green, blue))


def drawing_order(colours: Sequence[Any]) -> list[int]:
    """Grey paths first, so that coloured ones lie over them."""
    return sorted(range(len(colours)), key=lambda path: colours[path] != GREY)


def path_handles(names: Sequence[str], colours: Sequence[Any]) -> list[Any]:
    """Legend entries: a line per coloured path, and one for all that are grey."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=c, label=name_text(name))
        for name, c in zip(names, colours, strict=True)
        if c != GREY
    ]
    others = sum(c == GREY for c in colours)
    return handles + (
        [Line2D([], [], color=GREY, label=f"{others} other pathways")] if others else []
    )


def legend(axes: Sequence[Any], handles: list[Any], own: bool, title: str | None = None) -> None:
    """One legend: below the panels of our own figure, where it hides nothing, else in the first of
    the axes given.
    """
    if not own:
        axes[0].legend(handles=handles, title=title)
        return
    figure = axes[0].get_figure()
    longest = max(len(handle.get_label()) for handle in handles)
    fitting = int(
        18 * figure.get_figwidth() / (longest + 8)
    )  # 18 letters to an inch at 7 pt, 8 for the line
    figure.legend(
        handles=handles,
        title=title,
        loc="outside lower center",
        ncols=min(len(handles), max(1, fitting)),
    )


def save_figure(figure: Any, path: str | os.PathLike[str]) -> Path:
    """Save a figure, or the figure that some axes are on, in the package's style: text stays text
    in PDF and SVG.

    The ending of `path` picks the format, PNG where it has none. In a folder (one that is there, or
    a path that ends with a slash) it is figure.png, or figure-2.png, ... where there is one
    already. Folders that are missing are made. Returns the file's path. Raises `TypeError` where
    `figure` is neither, `ValueError` for an ending that is no format of figures.

        >>> ax = rd.plot.matrix(np.eye(4))
        >>> path = rd.plot.save_figure(ax, "figures/unit.pdf")
        >>> path.name, path.exists()
        ('unit.pdf', True)
    """
    root = _figure_of(figure)
    target = Path(path)
    if target.is_dir() or os.fspath(path).endswith(("/", os.sep)):
        target = _free(target)
    formats = root.canvas.get_supported_filetypes()
    target = target if target.suffix else target.with_name(f"{target.name}.png")
    if (ending := target.suffix[1:].lower()) not in formats:
        fail(
            "path",
            f"end with a format of figures: {', '.join(sorted(formats))}",
            f"it is {str(path)!r}",
            "Trajectories are saved by racedyn.save."
            if ending == "h5"
            else "For example race.pdf.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with context():
        root.savefig(target)
    return target


def keep_layout(figure: Any) -> None:
    """Panels stay where they stood when the figure was last saved: files of other formats are not
    laid out again, which takes a third of the time.
    """
    _figure_of(figure).set_layout_engine("none")


def _free(directory: Path) -> Path:
    """figure.png, or the first number that is free: a folder is not a name, so that nothing is to
    be replaced.
    """
    taken = {item.name for item in directory.iterdir()} if directory.is_dir() else set()
    names = ("figure.png", *(f"figure-{number}.png" for number in range(2, len(taken) + 3)))
    return directory / next(name for name in names if name not in taken)


def close(figure: Any) -> None:
    """Let go of a figure, or of the one that some axes are on: pyplot keeps each until it is
    closed.

        >>> from matplotlib import pyplot
        >>> figure = rd.plot.matrix(np.eye(4)).figure
        >>> rd.plot.close(figure)
        >>> pyplot.fignum_exists(figure.number)
        False
    """
    import matplotlib.pyplot as plt

    plt.close(_figure_of(figure))


def _figure_of(figure: Any) -> Any:
    first = np.asarray(figure, dtype=object).ravel()[:1]
    root: Any = (
        first[0].get_figure(root=True) if first.size and hasattr(first[0], "get_figure") else None
    )
    if root is None:
        fail("figure", "be a figure or axes", f"it is {type(figure).__name__}", error=TypeError)
    return root
