"""What all figures share: the style, one colour per pathway, axis labels, saving."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn.trajectory import Trajectory

GREY = "0.55"
WIDTH = 7.0  # inches, both columns of a page


def context() -> AbstractContextManager[None]:
    """The package's style, for a `with` block."""
    import matplotlib.style

    return matplotlib.style.context("racedyn.plot.racedyn")


def new_axes(rows: int, columns: int, size: tuple[float, float]) -> list[Any]:
    """A figure of panels that share both axes, row by row; call it inside `context()`."""
    import matplotlib.pyplot as plt

    _, panels = plt.subplots(rows, columns, figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained")
    return list(panels.ravel())


def time_label(trajectory: Trajectory) -> str:
    source = trajectory.provenance
    unit = "tau" if source is None else source.settings.get("time_unit", "tau")
    return r"flow time ($\tau$)" if unit == "tau" else f"time ({unit})"


def path_colours(strength: np.ndarray) -> list[Any]:
    """One colour per path of `strength` (time, path, mode); grey for those that end weakest where colours run out."""
    import matplotlib as mpl

    cycle: list[Any] = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
    num_paths = strength.shape[1]
    if num_paths <= len(cycle):
        return cycle[:num_paths]
    ends = np.nan_to_num(np.abs(strength[-1])).max(axis=1)
    colours: list[Any] = [GREY] * num_paths
    for path, colour in zip(sorted(np.argsort(-ends, kind="stable")[: len(cycle) - 1]), cycle, strict=False):
        colours[path] = colour
    return colours


def drawing_order(colours: Sequence[Any]) -> list[int]:
    """Grey paths first, so that coloured ones lie over them."""
    return sorted(range(len(colours)), key=lambda path: colours[path] != GREY)


def path_handles(names: Sequence[str], colours: Sequence[Any]) -> list[Any]:
    """Legend entries: a line per coloured path, and one for all that are grey."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=c, label=name) for name, c in zip(names, colours, strict=True) if c != GREY]
    others = sum(c == GREY for c in colours)
    return handles + ([Line2D([], [], color=GREY, label=f"{others} other pathways")] if others else [])


def legend(axes: Sequence[Any], handles: list[Any], own: bool, title: str | None = None) -> None:
    """One legend: below the panels of our own figure, where it hides nothing, else in the first of the axes given."""
    if not own:
        axes[0].legend(handles=handles, title=title)
        return
    figure = axes[0].get_figure()
    longest = max(len(handle.get_label()) for handle in handles)
    fitting = int(18 * figure.get_figwidth() / (longest + 8))  # 18 letters to an inch at 7 pt, 8 for the line
    figure.legend(handles=handles, title=title, loc="outside lower center", ncols=min(len(handles), max(1, fitting)))


def save_figure(figure: Any, path: str | os.PathLike[str]) -> Path:
    """Save a figure, or the figure that some axes are on, in the package's style: text stays text in PDF and SVG.

    The ending of `path` picks the format. Raises `TypeError` where `figure` is neither.
    """
    root = _figure_of(figure)
    with context():
        root.savefig(path)
    return Path(path)


def close(figure: Any) -> None:
    """Let go of a figure, or of the one that some axes are on: pyplot keeps each until it is closed."""
    import matplotlib.pyplot as plt

    plt.close(_figure_of(figure))


def _figure_of(figure: Any) -> Any:
    first = np.asarray(figure, dtype=object).ravel()[:1]
    root: Any = first[0].get_figure(root=True) if first.size and hasattr(first[0], "get_figure") else None
    if root is None:
        fail("figure", "be a figure or axes", f"it is {type(figure).__name__}", error=TypeError)
    return root
