"""Network: a directed acyclic graph of layers, with gates over contexts."""

import math
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from racedyn._arrays import as_real, check_finite, memory, read_only
from racedyn._checks import check_is, check_mapping, check_name, check_positive_int, fail, shown
from racedyn._names import AXES, check_file_name
from racedyn._text import clipped
from racedyn._types import FrozenDict, Path, Weights
from racedyn.networks.activations import ACTIVATIONS
from racedyn.tasks import Task

MAX_PATHS = 100_000


class Node(NamedTuple):
    """A layer: its number of units and its kind ("linear", "relu" or "tanh")."""

    width: int
    kind: str = "linear"


class Network(eqx.Module):
    """Nodes are layers, edges are weight matrices, gates switch both by context ([Saxe22] section
    2).

    **Arguments:**

    - `nodes`: name -> width or (width, kind). Input nodes have no incoming edge, output nodes no
      outgoing one.
    - `edges`: name -> (source, target); the weights of an edge have shape (width of target, width
      of source).
    - `node_gates`, `edge_gates`: name -> table (num_contexts,) of factors, 0/1 or real; 1 where
      left out. A node may also have one per unit, (num_contexts, width): such a network trains, and
      reduces once `split_units` has made nodes of units with equal gates.
    - `num_contexts`: the length of the tables.
    - `edge_kinds`: name -> kind, an activation on what the edge carries, before the sum ([Shi22]'s
      last layer).

    The activity of a node is h_v = g_v f_v(sum over its edges of g_e f_e(W_e h_s)), and h_v = g_v
    x_v at inputs.

    Raises `ValueError` for a cycle, an unknown node, a width below 1, a table that does not fit, or
    a name that a file can't hold: text without "/", and for edges, whose weights lie in files by
    name, none that is an axis there ("time", "mode")."""

    nodes: FrozenDict = eqx.field(static=True)
    edges: FrozenDict = eqx.field(static=True)
    edge_kinds: FrozenDict = eqx.field(static=True)
    num_contexts: int = eqx.field(static=True)
    order: tuple[str, ...] = eqx.field(static=True)
    node_gates: dict[str, np.ndarray]
    edge_gates: dict[str, np.ndarray]

    def __init__(
        self,
        nodes: Mapping[str, Any],
        edges: Mapping[str, tuple[str, str]],
        *,
        node_gates: Mapping[str, Any] | None = None,
        edge_gates: Mapping[str, Any] | None = None,
        num_contexts: int = 1,
        edge_kinds: Mapping[str, str] | None = None,
    ):
        check_mapping(
            "nodes",
            nodes,
            "be a dict name -> width or (width, kind)",
            'For example {"x": 8, "h": (50, "relu")}.',
        )
        check_mapping(
            "edges", edges, "be a dict name -> (source, target)", 'For example {"w": ("x", "y")}.'
        )
        if not edges:
            fail("edges", "name at least one edge", "it is empty", 'For example {"w": ("x", "y")}.')
        self.nodes = FrozenDict(
            {check_file_name("nodes", name): _as_node(name, given) for name, given in nodes.items()}
        )
        axes = (*AXES, *(f"unit_{node}" for node in nodes))
        for name, ends in edges.items():
            check_file_name("edges", name, axes, "an axis of what is observed")
            if not isinstance(ends, tuple | list) or len(ends) != 2:
                fail("edges", "give (source, target) for each edge", f"{name!r} has {shown(ends)}")
            for node in ends:
                check_name(f"edges[{name!r}]", node, self.nodes)
        self.edges = FrozenDict(
            {name: (str(source), str(target)) for name, (source, target) in edges.items()}
        )
        self.order = _topological_order(self.nodes, self.edges)
        self.num_contexts = check_positive_int("num_contexts", num_contexts)
        widths = {name: node.width for name, node in self.nodes.items()}
        self.node_gates = _as_tables("node_gates", node_gates, widths, self.num_contexts)
        self.edge_gates = _as_tables(
            "edge_gates", edge_gates, dict.fromkeys(self.edges, None), self.num_contexts
        )
        if edge_kinds is not None:
            check_mapping(
                "edge_kinds", edge_kinds, "be a dict edge -> kind", 'For example {"w": "relu"}.'
            )
        for edge, kind in (edge_kinds or {}).items():
            check_name("edge_kinds", edge, self.edges)
            check_name(f"edge_kinds[{edge!r}]", kind, ACTIVATIONS)
        self.edge_kinds = FrozenDict(edge_kinds or {})

    def __setstate__(self, state: dict[str, Any]) -> None:
        """As copies and pickles have it: their tables can't be written into either."""
        for name, value in state.items():
            tables = name in ("node_gates", "edge_gates")
            value = {key: read_only(table) for key, table in value.items()} if tables else value
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        gated = len(self.node_gates) + len(self.edge_gates)
        gates = f", {gated} gates over {self.num_contexts} contexts" if gated else ""
        sizes = ", ".join(f"{name} {node.width}" for name, node in self.nodes.items())
        return clipped(f"Network({len(self.edges)} edges{gates}; nodes {sizes})")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Nodes without an incoming edge, in the order given."""
        targets = {target for _, target in self.edges.values()}
        return tuple(node for node in self.nodes if node not in targets)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Nodes without an outgoing edge, in the order given."""
        sources = {source for source, _ in self.edges.values()}
        return tuple(node for node in self.nodes if node not in sources)

    @property
    def linear(self) -> bool:
        """Whether every node and edge is linear, so that reductions apply."""
        return all(node.kind == "linear" for node in self.nodes.values()) and all(
            kind == "linear" for kind in self.edge_kinds.values()
        )

    @property
    def unit_gated(self) -> tuple[str, ...]:
        """Nodes whose units have gates of their own."""
        return tuple(node for node, table in self.node_gates.items() if table.ndim == 2)

    def edges_into(self, node: str) -> list[str]:
        return [edge for edge, (_, target) in self.edges.items() if target == node]

    def edges_from(self, node: str) -> list[str]:
        return [edge for edge, (source, _) in self.edges.items() if source == node]

    def shape(self, edge: str) -> tuple[int, int]:
        """(n_target, n_source) of an edge's weights."""
        source, target = self.edges[edge]
        return self.nodes[target].width, self.nodes[source].width

    def distances(self) -> dict[str, int]:
        """Node -> number of edges of the longest way to it from an input."""
        found: dict[str, int] = {}
        for node in self.order:
            found[node] = max(
                (1 + found[self.edges[edge][0]] for edge in self.edges_into(node)), default=0
            )
        return found

    def count_paths(self) -> dict[str, int]:
        """Edge -> number of input-to-output paths through it, without listing them."""
        before = {node: 1 for node in self.inputs}
        for node in self.order:
            before.setdefault(node, sum(before[self.edges[e][0]] for e in self.edges_into(node)))
        after = {node: 1 for node in self.outputs}
        for node in reversed(self.order):
            after.setdefault(node, sum(after[self.edges[e][1]] for e in self.edges_from(node)))
        return {
            edge: before[source] * after[target] for edge, (source, target) in self.edges.items()
        }

    @property
    def num_paths(self) -> int:
        """How many paths there are from an input to an output node, without listing them."""
        counts = self.count_paths()
        return sum(counts[edge] for node in self.inputs for edge in self.edges_from(node))

    def paths(self) -> tuple[Path, ...]:
        """Every path from an input to an output node, as a tuple of edge names.

        Raises `ValueError` where there are more than 100,000.
        """
        total = self.num_paths
        if total > MAX_PATHS:
            raise ValueError(
                f"This network has {total} paths, more than the {MAX_PATHS} that can be listed one "
                "by one."
            )
        onward_of = {node: self.edges_from(node) for node in self.nodes}
        found: list[Path] = []
        stack: list[tuple[str, Path]] = [(node, ()) for node in reversed(self.inputs)]
        while stack:
            node, path = stack.pop()
            onward = onward_of[node]
            if not onward and path:
                found.append(path)
            stack.extend((self.edges[edge][1], (*path, edge)) for edge in reversed(onward))
        return tuple(found)

    def is_path(self, path: Path) -> bool:
        """Whether these edges lead one after the other from an input to an output node."""
        if not path or any(edge not in self.edges for edge in path):
            return False
        joined = all(self.edges[a][1] == self.edges[b][0] for a, b in pairwise(path))
        source, target = self.edges[path[0]][0], self.edges[path[-1]][1]
        return joined and source in self.inputs and target in self.outputs

    @property
    def biases(self) -> dict[str, str]:
        """Edge -> the edge that is its bias: "<edge>_bias", into the same node from an input of one
        unit (`with_biases`).
        """
        named = {edge: bias for edge in self.edges if (bias := bias_of(edge)) in self.edges}
        return {
            edge: bias
            for edge, bias in named.items()
            if self.edges[bias][1] == self.edges[edge][1]
            and self.edges[bias][0] in self.inputs
            and self.shape(bias)[1] == 1
        }

    def path_names(self) -> tuple[str, ...]:
        """A name per path: "pathway 1", ... where no edge is shared, else its edges joined by " >
        ".

        Paths from biases have the latter, and the others the names that they have without biases.
        """
        paths, biases = self.paths(), set(self.biases.values())
        others = [path for path in paths if path[0] not in biases]
        names = {path: " > ".join(path) for path in paths}
        if len({edge for path in others for edge in path}) == sum(len(path) for path in others):
            names |= {path: f"pathway {a}" for a, path in enumerate(others, start=1)}
        return tuple(names[path] for path in paths)

    def ends(self, path: Path) -> tuple[str, str]:
        """The (input, output) nodes of a path."""
        return self.edges[path[0]][0], self.edges[path[-1]][1]

    def init(self, law: Any, *, key: Any = None, task: Any = None) -> Weights:
        """Draw weights: edge -> (n_target, n_source).

        `law` is one of `racedyn.init`; `key` a whole number or a JAX key, required wherever
        something is drawn; `task` is needed by laws that are read in its modes. Each edge has a key
        of its own, made from its name."""
        if isinstance(law, type) or not hasattr(law, "draw"):
            fail(
                "law",
                "be one of racedyn.init",
                f"it is {shown(law)}",
                "For example init.Gaussian(std=0.02).",
                TypeError,
            )
        if task is not None:
            check_is("task", task, Task, "be a Task")
        itemsize = jax.dtypes.canonicalize_dtype(float).itemsize
        needed = itemsize * sum(math.prod(self.shape(edge)) for edge in self.edges)
        if needed > memory():
            fail(
                "network",
                "have weights that fit into memory",
                f"they take {needed / 2**30:.3g} GiB of {memory() / 2**30:.3g}",
                "racedyn.compress draws a narrow network of a law, whatever the width.",
            )
        return law.draw(self, key=key, task=task)

    def __str__(self) -> str:
        gates = f", {self.num_contexts} contexts" if self.num_contexts > 1 else ""
        widths = {name: str(node.width) for name, node in self.nodes.items()}
        ends = [f"{name} {widths.pop(name)}" for name in (*self.inputs, *self.outputs)]
        if len(ends) > 4:
            ends = [f"{len(self.inputs)} inputs", f"{len(self.outputs)} outputs"]
        hidden = (
            f", {len(widths)} hidden layers of {'/'.join(dict.fromkeys(widths.values()))} units"
            if widths
            else ""
        )
        kinds = sorted({node.kind for node in self.nodes.values()} | set(self.edge_kinds.values()))
        return (
            f"{'/'.join(kinds)} network ({', '.join(ends)}{hidden}), {len(self.edges)} edges{gates}"
        )


def bias_of(edge: str) -> str:
    """The name of the edge that carries the bias of this one."""
    return f"{edge}_bias"


def _as_node(name: str, given: Any) -> Node:
    pair = given if isinstance(given, tuple | list) else (given, "linear")
    if len(pair) != 2:
        fail(
            f"nodes[{name!r}]",
            "be a width or (width, kind)",
            f"it is {shown(given)}",
            'For example (50, "relu").',
        )
    width, kind = pair
    return Node(
        check_positive_int(f"nodes[{name!r}]", width),
        check_name(f"nodes[{name!r}]", kind, ACTIVATIONS),
    )


def _as_tables(
    argument: str,
    tables: Mapping[str, Any] | None,
    widths: Mapping[str, int | None],
    num_contexts: int,
) -> dict[str, np.ndarray]:
    """Checked tables. `widths`: of everything that has a name, None where units have no gates of
    their own.
    """
    result: dict[str, np.ndarray] = {}
    if tables is None:
        return result
    check_mapping(
        argument, tables, "be a dict name -> table of factors", 'For example {"h": [1, 0]}.'
    )
    for name, table in tables.items():
        check_name(argument, name, widths)
        array = np.asarray(as_real(f"{argument}[{name!r}]", table), dtype=np.float64)
        if array.shape != (num_contexts,) and (
            widths[name] is None or array.shape != (num_contexts, widths[name])
        ):
            fail(
                f"{argument}[{name!r}]",
                f"have one factor per context, {num_contexts}",
                f"its shape is {array.shape}",
                "Pass num_contexts= if there are more; a node may have a factor per context and "
                "unit.",
            )
        check_finite(f"{argument}[{name!r}]", array)
        result[name] = read_only(array)
    return result


def _topological_order(
    nodes: Mapping[str, Node], edges: Mapping[str, tuple[str, str]]
) -> tuple[str, ...]:
    before: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in edges.values():
        before[target].append(source)
    try:
        order = tuple(TopologicalSorter(before).static_order())
    except CycleError as error:
        fail("edges", "form no cycle", f"{' -> '.join(error.args[1])} is one")
    for node in nodes:
        if not before[node] and all(node != source for source, _ in edges.values()):
            fail("edges", "touch every node", f"none touches {node!r}")
    return order
