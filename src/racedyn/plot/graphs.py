"""The graph of a network: its pathways, and what a context opens."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from racedyn._checks import as_list, check_is, fail
from racedyn._types import Path
from racedyn.networks import Network
from racedyn.plot import style
from racedyn.plot.layout import Layout, layered

_FAINT = "0.82"
_STRONG = "0.25"
_LABEL_ROOM = (0.62, 0.27)  # inches that a label of two lines needs, across and down
_GATES_ROOM = 0.12  # that a third line needs, down
_MOST_SQUARES = 12
_MOST_COLOURS = 8


def network(
    network: Network,
    *,
    context: int | None = None,
    paths: Sequence[Path] | None = None,
    edge_labels: bool = False,
    ax: Any = None,
) -> Any:
    """The graph from inputs (left) to outputs (right); nodes carry name, width and kind where there
    is room.

    A node's column is its longest distance from an input. Inputs and outputs have a grey box.
    Pathways that share no edge have the colours of `race`. Where nodes are too many for labels,
    they are dots.

    A gated node or edge shows its gates, a square per context: filled where the gate is 1, empty
    where it is 0, dotted for other factors and where it is so of some units alone; of more than 12
    contexts in how many it is open.

    **Arguments:**

    - `context`: what it opens is drawn strong, the rest faint. Open is what lies on a path from an
      input to an output along which no gate, of nodes or edges, is 0.
    - `paths`: tuples of edge names (as in `network.paths()`) to draw strong, those that `context`
      closes left out; by default all.
    - `edge_labels`: name edges, with their kind where they are not linear.

    Returns the axes. Raises `ValueError` for an unknown context or path.

        >>> network = rd.networks.parallel(rd.tasks.hierarchy(items=4), depths=(2, 3), width=8)
        >>> ax = rd.plot.network(network)
        >>> [text.get_text().split()[0] for text in ax.texts]
        ['input', 'h1_1', 'h2_1', 'h2_2', 'output']
    """
    check_is("network", network, Network, "be a Network")
    strong = _open_edges(network, _check_context(network, context))
    listed = (
        None
        if paths is None
        else as_list("paths", paths, "be a list of paths", "network.paths() lists them.")
    )
    chosen = None if listed is None else [_check_path(network, path) for path in listed]
    if chosen is not None:
        chosen = [path for path in chosen if strong.issuperset(path)]
        strong &= {edge for path in chosen for edge in path}
    layout = layered(network)
    columns = 1 + max(column for column, _ in layout.nodes.values())
    heights = [height for points in layout.edges.values() for _, height in points]
    low, high = min(heights), max(heights)
    gated = bool(network.node_gates or network.edge_gates)
    with style.context():
        if ax is None:
            size = (
                np.clip((1.4 if edge_labels else 1.05) * columns, 2.2, style.WIDTH),
                np.clip(0.3 + (0.54 if gated else 0.42) * (1 + high - low), 0.9, 6.0),
            )
            ax = style.new_axes(1, 1, (float(size[0]), float(size[1])))[0]
        ax.set(
            xlim=(-0.5, columns - 0.5), ylim=(high + 0.6, low - 0.6)
        )  # the first pathway at the top
        ax.set_axis_off()
        room = _room(ax)
        labelled = (
            room[0] / columns >= _LABEL_ROOM[0]
            and room[1] / (1.2 + high - low) >= _LABEL_ROOM[1] + _GATES_ROOM * gated
        )
        colours = _colours(network, chosen)
        for edge, points in _bowed(network, layout).items():
            colour, width = (colours.get(edge, _STRONG), 1.4) if edge in strong else (_FAINT, 0.7)
            _draw_edge(
                ax,
                points,
                colour,
                width if labelled else width / 2,
                zorder=2 if edge in strong else 1,
            )
            if labelled and (edge_labels or edge in network.edge_gates):
                _label_edge(ax, network, edge, points, edge in strong, edge_labels)
        alive = {node for edge in strong for node in network.edges[edge]}
        for node, (column, height) in layout.nodes.items():
            _draw_node(ax, network, node, (column, height), node in alive, labelled)
        if context is not None:
            ax.set_title(f"context {context}")
    return ax


# What is open


def _check_context(network: Network, context: int | None) -> int | None:
    if context is None:
        return None
    if (
        isinstance(context, bool | np.timedelta64)
        or not isinstance(context, int | np.integer)
        or not 0 <= context < network.num_contexts
    ):
        fail(
            "context",
            f"be a whole number from 0 to {network.num_contexts - 1}, or None",
            f"it is {context!r}",
        )
    return int(context)


def _check_path(network: Network, path: Any) -> Path:
    path = tuple(path) if isinstance(path, tuple | list) else (path,)
    known = bool(path) and all(isinstance(edge, str) and edge in network.edges for edge in path)
    ends = [network.edges[edge] for edge in path] if known else []
    whole = known and ends[0][0] in network.inputs and ends[-1][1] in network.outputs
    if not whole or any(one[1] != other[0] for one, other in pairwise(ends)):
        fail(
            "paths",
            "be edges from an input to an output, each from where the last one ends",
            f"one is {path!r}",
            "network.paths() lists them.",
        )
    return path


def _open_edges(network: Network, context: int | None) -> set[str]:
    """Edges on a path that no gate closes: reached from an open input, and leading to an open
    output.
    """

    def gate(tables: dict[str, np.ndarray], name: str) -> bool:
        return context is None or name not in tables or bool(np.any(tables[name][context] != 0))

    passing = {edge for edge in network.edges if gate(network.edge_gates, edge)}
    nodes = {node for node in network.nodes if gate(network.node_gates, node)}
    reached = {node for node in network.inputs if node in nodes}
    for node in network.order:
        if node in nodes and any(
            edge in passing and network.edges[edge][0] in reached
            for edge in network.edges_into(node)
        ):
            reached.add(node)
    leading = {node for node in network.outputs if node in nodes}
    for node in reversed(network.order):
        if node in nodes and any(
            edge in passing and network.edges[edge][1] in leading
            for edge in network.edges_from(node)
        ):
            leading.add(node)
    return {
        edge
        for edge in passing
        if network.edges[edge][0] in reached and network.edges[edge][1] in leading
    }


# Drawing


def _room(ax: Any) -> tuple[float, float]:
    """Inches that the axes have now, across and down."""
    box = ax.get_window_extent()
    return box.width / ax.get_figure().dpi, box.height / ax.get_figure().dpi


def _colours(network: Network, paths: Sequence[Path] | None) -> dict[str, Any]:
    """Edge -> colour of its pathway, where each edge has one and there are colours for all."""
    counts = network.count_paths()
    if paths is None:
        if max(counts.values()) > 1:
            return {}
        paths = network.paths()
    owners = [edge for path in paths for edge in path]
    if not 1 < len(paths) <= _MOST_COLOURS or len(set(owners)) < len(owners):
        return {}
    # As in `race`: by place among all paths, where that is known without listing too many.
    order = network.paths() if sum(counts.values()) < 10_000 else tuple(paths)
    place = {path: a for a, path in enumerate(order)}
    colours = style.cycle()
    if max(place[path] for path in paths) >= len(colours):
        place = {path: a for a, path in enumerate(paths)}
    return {edge: colours[place[path]] for path in paths for edge in path}


def _bowed(network: Network, layout: Layout) -> dict[str, list[tuple[float, float]]]:
    """Routes of edges, those side by side between neighbouring columns bent apart: else one would
    hide the other.
    """
    beside: dict[tuple[str, str], list[str]] = {}
    for edge, ends in network.edges.items():
        beside.setdefault(ends, []).append(edge)
    result: dict[str, list[tuple[float, float]]] = {}
    for edge, points in layout.edges.items():
        route: list[tuple[float, float]] = list(points)
        same = beside[network.edges[edge]]
        if len(points) == 2 and len(same) > 1:
            (x0, y0), (x1, y1) = points
            shift = 0.5 * (same.index(edge) - (len(same) - 1) / 2)
            route.insert(1, ((x0 + x1) / 2, (y0 + y1) / 2 + shift))
        result[edge] = route
    return result


def _draw_edge(
    ax: Any, points: Sequence[tuple[float, float]], colour: Any, width: float, zorder: int
) -> None:
    """A curve that runs level through every point."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    vertices, codes = [points[0]], [Curve.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (x0 + x1) / 2
        vertices += [(middle, y0), (middle, y1), (x1, y1)]
        codes += [Curve.CURVE4] * 3
    curve = Curve(vertices, codes)
    ax.add_patch(
        PathPatch(
            curve, fill=False, edgecolor=colour, linewidth=width, zorder=zorder, capstyle="butt"
        )
    )


def _draw_node(
    ax: Any, network: Network, node: str, place: tuple[int, float], alive: bool, labelled: bool
) -> None:
    colour, end = _STRONG if alive else _FAINT, node in (*network.inputs, *network.outputs)
    if not labelled:
        ax.plot(
            *place,
            marker="o",
            markersize=3.5 if alive else 2.5,
            color=colour,
            linestyle="none",
            zorder=3,
        )
        return
    units = network.nodes[node]
    ax.text(
        *place,
        f"{style.shortened(node, 12)}\n{units.width} {units.kind}"
        + (f"\n{gates_text(network.node_gates[node])}" if node in network.node_gates else ""),
        ha="center",
        va="center",
        fontsize=6,
        linespacing=1.15,
        color="black" if alive else "0.65",
        zorder=4,
        bbox={
            "boxstyle": "round,pad=0.3",
            "facecolor": "0.93" if end else "white",
            "edgecolor": colour,
            "linewidth": 0.8 if alive else 0.5,
        },
    )


def _label_edge(
    ax: Any,
    network: Network,
    edge: str,
    points: Sequence[tuple[float, float]],
    strong: bool,
    named: bool,
) -> None:
    """Halfway along its first stretch; what a gap between two boxes has room for."""
    (x0, y0), (x1, y1) = points[:2]
    at = (x1, y1) if len(points) == 3 and x1 != round(x1) else ((x0 + x1) / 2, (y0 + y1) / 2)
    kind = network.edge_kinds.get(edge, "linear")
    lines = [style.shortened(edge, 8), "" if kind == "linear" else kind] if named else []
    if edge in network.edge_gates:
        lines.append(gates_text(network.edge_gates[edge]))
    ax.text(
        *at,
        "\n".join(filter(None, lines)),
        fontsize=5,
        ha="center",
        va="center",
        color="black" if strong else "0.65",
        zorder=3,
        bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
    )


def gates_text(gates: np.ndarray) -> str:
    """Gates of a node or an edge (context[, unit]) in a few letters."""
    table = np.asarray(gates, float).reshape(len(gates), -1)
    if len(table) > _MOST_SQUARES:
        return f"open in {np.count_nonzero(table.any(axis=1))} of {len(table)}"
    rows = ("■" if np.all(row == 1) else "▣" if row.any() else "□" for row in table)
    return "".join(rows)
