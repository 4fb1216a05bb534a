"""Small multiples along an axis of many runs: panels, true values at the ticks, labels, notes."""

import textwrap
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from racedyn._checks import as_list, fail
from racedyn.plot import style
from racedyn.plot.cells import Along, Cells

MOST = 12  # panels, or lines in one
LETTER, LINE = 0.057, 0.13  # inches: how wide and high a letter is at 7 pt
LETTERS = 15  # to an inch at 8 pt


def panels_of(cells: Cells, ax: Any, height: float) -> tuple[list[Any], bool]:
    """The axes to draw on, one for each value along `panels`, and whether the figure is our own."""
    count = len(cells.along["panels"].places) if "panels" in cells.along else 1
    if count > MOST:
        but = f"there are {count} along {cells.along['panels'].axis!r}"
        fail("panels", f"have at most {MOST} values", but, "Pass `select`, or another axis.")
    if ax is None:
        return _new_panels(count, height), True
    given = [ax] if hasattr(ax, "plot") else as_list("ax", ax, "be axes of matplotlib")
    if len(given) != count:
        fail("ax", f"be one for each panel, {count}", f"there are {len(given)}", "Leave them out.")
    return list(given), False


def _new_panels(count: int, height: float) -> list[Any]:
    columns = count if count <= 3 else 2 if count == 4 else 3
    rows = -(-count // columns)
    width = (3.4, 5.2, style.WIDTH)[columns - 1]
    panels = style.new_axes(rows, columns, (width, 0.6 + rows * (height - 0.6)))
    for spare in panels[count:]:
        spare.remove()
    for above in panels[count - columns : count]:  # also where the panel below was spare
        above.xaxis.set_tick_params(labelbottom=True)
    return panels[:count]


def titled(cells: Cells, panels: list[Any], own: bool, head: str, notes: list[str]) -> None:
    """What all panels show, which value each is of, and what is missing in it."""
    along = cells.along.get("panels")
    figure = panels[0].get_figure(root=True)
    shared = own and along is not None and head
    if shared:
        figure.suptitle(wrapped(head, int(LETTERS * figure.get_figwidth())), fontsize="small")
    for i, (ax, note) in enumerate(zip(panels, notes, strict=True)):
        letters = int(LETTERS * _inches(ax)[0]) + 8  # it may reach beyond the axes
        name = "" if along is None else wrapped(f"{along.axis} = {along.texts[i]}", letters)
        small = wrapped(note if shared else f"{head}\n{note}", letters)
        if text := "\n".join(filter(None, (name, small))):
            ax.set_title(text, fontsize="small")


def labelled_edges(panels: list[Any], x: str, y: str) -> None:
    """Labels of the axes below the lowest panels and beside the first ones."""
    for ax in panels:
        grid = ax.get_subplotspec()
        if ax.xaxis.get_tick_params()["labelbottom"]:
            ax.set_xlabel(style.name_text(x))
        if grid is None or grid.is_first_col():
            ax.set_ylabel(wrapped(y, int(LETTERS * _inches(ax)[1]), most=3))


def wrapped(text: str, letters: int, most: int | None = None) -> str:
    """A text in lines of at most so many letters, where it has spaces; the end left out where lines
    are more than `most`.
    """
    lines = [
        line
        for part in text.split("\n")
        for line in textwrap.wrap(part, max(letters, 12), max_lines=most, placeholder=" …")
    ]
    return "\n".join(map(style.name_text, lines))


def scaled(axis: Any, along: Along) -> None:
    """The scale of an axis; the longest of its texts stands for all until room is known."""
    from matplotlib.ticker import NullLocator

    if along.log:
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    texts = _short(along)
    longest = max(range(len(texts)), key=lambda i: len(texts[i]))
    axis.set_minor_locator(NullLocator())
    axis.set_ticks([along.places[longest]], [texts[longest]])


def ticked(panels: list[Any], along: Mapping[str, Along]) -> None:
    """True values at the ticks of the axes "x" and "y", as many as there is room for."""
    figure = panels[0].get_figure(root=True)
    if (engine := figure.get_layout_engine()) is not None:  # only then is known what room there is
        engine.execute(figure)
    for ax in panels:
        for which in {"x", "y"} & {*along}:
            _tick(ax.xaxis if which == "x" else ax.yaxis, along[which])


def _tick(axis: Any, along: Along) -> None:
    texts, across, ax = _short(along), axis.axis_name == "x", axis.axes
    ends = axis.get_transform().transform(np.array(axis.get_view_interval()))
    length = (ax.bbox.width if across else ax.bbox.height) / ax.get_figure(root=True).dpi
    places = axis.get_transform().transform(along.places)
    at = (places - ends.min()) / np.ptp(ends) * length
    size = axis.get_major_ticks(1)[0].label1.get_fontsize() / 7
    room = [size * (LETTER * len(text) if across else LINE) for text in texts]
    shown = _fitting(at, room)
    turned = across and not along.numbers and len(shown) < len(texts)
    if turned:  # names are rather turned than left out
        shown = _fitting(at, [size * LINE] * len(texts))
    axis.set_ticks(along.places[shown], [texts[i] for i in shown])
    if turned:
        axis.set_tick_params(rotation=90)


def _short(along: Along) -> list[str]:
    return [style.shortened(text, 16) for text in along.texts]


def _fitting(at: np.ndarray, room: list[float]) -> list[int]:
    """Which of the texts at these places, in inches, are shown: every n-th where places are even,
    else each that has room beside the one before it.
    """
    count = len(at)
    if count > 2 and np.ptp(np.diff(at)) < 0.1 * np.diff(at).mean():
        steps = (range(0, count, step) for step in range(1, count + 1))
        return list(
            next(shown for shown in steps if all(_apart(at, room, *two) for two in pairwise(shown)))
        )
    beside = [0]
    for i in range(1, count):
        if _apart(at, room, beside[-1], i):
            beside.append(i)
    return beside


def _apart(at: np.ndarray, room: list[float], i: int, j: int) -> bool:
    return bool(at[j] - at[i] >= (room[i] + room[j]) / 2 + LETTER)


def _inches(ax: Any) -> tuple[float, float]:
    """How wide and high the axes are, about as much as labels and a colour bar leave of them."""
    place, figure = ax.get_position(), ax.get_figure(root=True)
    return 0.9 * place.width * figure.get_figwidth(), 0.9 * place.height * figure.get_figheight()
