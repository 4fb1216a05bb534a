"""Training in stages: each group of edges descends what it and the groups before it leave, the
latter held constant.

The published gated networks of [Jarvis25] are trained so: the common pathway descends |Y -
yhat_common|^2 alone, the context pathways |Y - yhat_common - yhat_context|^2 with yhat_common held
constant. It is not descent on one loss. Where stages share layers each path belongs to one of them,
and a shared edge moves by the sum of what each stage descends through its own paths. A stage may
begin later than others."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import jax
import jax.numpy as jnp

from racedyn._checks import as_list, check_int, check_name, fail, shown
from racedyn._types import Array, Weights
from racedyn.networks import Network

Tree = TypeVar("Tree")
Stages = tuple[tuple[str, ...], ...]
Groups: TypeAlias = Sequence[Sequence[str]] | Mapping[str, Sequence[str]]
_EXAMPLE = 'For example [["a1", "a2"], ["b1", "b2"]].'


def check_stages(network: Network, stages: Groups | None, *, may_share: bool = False) -> Stages:
    """Stages as tuples of edges, of a list or of a mapping name -> edges; none stands for joint
    descent.

    Raises `ValueError` where an edge is unknown or in no stage. Unless stages `may_share` layers,
    also where an edge is in two of them, or edges of two stages meet at an inner node, so that a
    path would lie in both; else where a path lies in no stage, or in two, and where an inner node
    that stages share is nonlinear and what comes in is not the same in all of them."""
    given = list(stages.values()) if isinstance(stages, Mapping) else stages
    groups = [] if given is None else as_list("stages", given, "be groups of edges", _EXAMPLE)
    if any(isinstance(stage, str) for stage in groups):
        fail(
            "stages", "be groups of edges", f"it holds the single name {shown(groups[0])}", _EXAMPLE
        )
    groups = [as_list("stages", stage, "be groups of edges", _EXAMPLE) for stage in groups]
    checked = tuple(
        tuple(check_name("stages", edge, network.edges) for edge in stage) for stage in groups
    )
    if not checked:
        return ()
    for stage in checked:
        if len(set(stage)) < len(stage):
            twice = next(edge for k, edge in enumerate(stage) if edge in stage[:k])
            fail("stages", "have an edge once in a stage", f"{twice!r} is in two places of one")
    for edge in network.edges:
        if not any(edge in stage for stage in checked):
            fail("stages", "have every edge of the network", f"{edge!r} is missing")
    met = shared_nodes(network, checked)
    if may_share and met:
        _check_paths(network, checked, met)
        return checked
    for edge in network.edges:
        if sum(edge in stage for stage in checked) > 1:
            fail(
                "stages",
                "have each edge in one stage",
                f"{edge!r} is in two",
                "`train` alone takes stages that share layers.",
            )
    for node, numbers in met.items():
        fail("stages", "share no inner node", f"edges of stages {numbers} meet at {node!r}")
    return checked


def check_schedule(stages: Groups | None, schedule: Mapping[Any, Any] | None) -> tuple[int, ...]:
    """The step that each stage begins at, none where it is 0 for all: `schedule`, stage -> step, of
    those that begin later. Stages are known by their number, or by their name where they are a
    mapping. Raises `ValueError` for stages that are not there, and where there are none."""
    if schedule is None:
        return ()
    if not isinstance(schedule, Mapping):
        fail(
            "schedule", "be a dict stage -> the step that it begins at", f"it is {shown(schedule)}"
        )
    if not stages:
        fail("schedule", "be left out where there are no stages", f"it is {shown(schedule)}")
    known = list(stages) if isinstance(stages, Mapping) else list(range(len(stages)))
    for stage in schedule:
        if stage not in known:
            fail("schedule", f"name stages, which are {known}", f"it names {shown(stage)}")
    starts = tuple(
        check_int(f"schedule[{stage!r}]", schedule.get(stage, 0), at_least=0) for stage in known
    )
    return starts if any(starts) else ()


def shared_nodes(network: Network, stages: Stages) -> dict[str, list[int]]:
    """Inner node -> the stages whose edges meet there, of those where several do."""
    ends = (*network.inputs, *network.outputs)
    found = {}
    for node in network.order:
        touching = {*network.edges_into(node), *network.edges_from(node)}
        numbers = [k for k, stage in enumerate(stages) if touching & set(stage)]
        if len(numbers) > 1 and node not in ends:
            found[node] = numbers
    return found


def _check_paths(network: Network, stages: Stages, met: Mapping[str, list[int]]) -> None:
    used: list[set[str]] = [set() for _ in stages]
    for path in network.paths():
        holding = [k for k, stage in enumerate(stages) if set(path) <= set(stage)]
        if len(holding) != 1:
            where = f"in stages {holding}" if holding else "in none"
            fail("stages", "have each path in one stage", f"{path} lies {where}")
        used[holding[0]].update(path)
    for k, (stage, edges) in enumerate(zip(stages, used, strict=True)):
        if idle := [edge for edge in stage if edge not in edges]:
            fail("stages", "hold edges of their own paths", f"{idle[0]!r} is on none of stage {k}")
    for node, numbers in met.items():
        into = network.edges_into(node)
        linear = network.nodes[node].kind == "linear"
        if not linear and any(set(into) - set(stages[k]) for k in numbers):
            fail(
                "stages",
                "share nonlinear nodes with all that comes in",
                f"edges into {node!r} are not in all of the stages {numbers} that meet there",
            )


def copies(stages: Stages) -> tuple[Stages, dict[str, str]]:
    """Stages whose edges are their own, and the edge that each of these is a copy of."""
    own = tuple(tuple(f"{edge}, stage {k}" for edge in stage) for k, stage in enumerate(stages))
    copy_of = {
        name: edge
        for names, stage in zip(own, stages, strict=True)
        for name, edge in zip(names, stage, strict=True)
    }
    return own, copy_of


def with_copies(network: Network, stages: Stages) -> Network | None:
    """The network in which each stage has edges and inner nodes of its own; none where stages share
    no inner node."""
    if not shared_nodes(network, stages):
        return None
    ends = (*network.inputs, *network.outputs)
    nodes = {node: network.nodes[node] for node in network.nodes if node in ends}
    edges, node_gates, edge_gates, kinds = {}, {}, {}, {}
    for k, (names, stage) in enumerate(zip(copies(stages)[0], stages, strict=True)):
        for name, edge in zip(names, stage, strict=True):
            source, target = (
                node if node in ends else f"{node}, stage {k}" for node in network.edges[edge]
            )
            edges[name] = source, target
            for copy, node in zip((source, target), network.edges[edge], strict=True):
                nodes[copy] = network.nodes[node]
                if node in network.node_gates:
                    node_gates[copy] = network.node_gates[node]
            if edge in network.edge_gates:
                edge_gates[name] = network.edge_gates[edge]
            if edge in network.edge_kinds:
                kinds[name] = network.edge_kinds[edge]
    return Network(
        nodes,
        edges,
        node_gates=node_gates,
        edge_gates=edge_gates,
        num_contexts=network.num_contexts,
        edge_kinds=kinds,
    )


def stage_masks(stages: Stages, weights: Weights) -> list[tuple[Weights, Weights]]:
    """Per stage, 1 for its own edges and 1 for those of it and the stages before; edge -> ()."""
    masks = []
    for number, stage in enumerate(stages):
        so_far = {edge for before in stages[: number + 1] for edge in before}
        masks.append(
            tuple(
                {edge: jnp.asarray(edge in edges, w.dtype) for edge, w in weights.items()}
                for edges in (set(stage), so_far)
            )
        )
    return masks  # type: ignore[return-value]


def staged(
    gradient: Callable[[Tree], Tree], weights: Tree, masks: Sequence[tuple[Tree, Tree]]
) -> Tree:
    """The gradient by stages. `masks`: per stage, 1 on its own weights, and 1 on those of it and
    the stages before.
    """
    if not masks:
        return gradient(weights)
    parts = []
    for own, so_far in masks:
        parts.append(
            jax.tree.map(jnp.multiply, own, gradient(jax.tree.map(jnp.multiply, so_far, weights)))
        )
    return jax.tree.map(lambda *leaves: sum(leaves[1:], start=leaves[0]), *parts)


def begun(
    masks: Sequence[tuple[Weights, Weights]], starts: Sequence[int], step: Array | None
) -> list[tuple[Weights, Weights]]:
    """The masks at a step: a stage that begins later has none of its own weights yet."""
    if not starts or step is None:
        return list(masks)
    return [
        (jax.tree.map(lambda one, start=start: jnp.where(step >= start, one, 0), own), so_far)
        for (own, so_far), start in zip(masks, starts, strict=True)
    ]


def moving(
    weights: Weights, stages: Stages, starts: Sequence[int], step: Array | None
) -> dict[str, Array]:
    """Edge -> 1 where some stage moves it at a step already, () each."""
    found = {edge: jnp.ones((), w.dtype) for edge, w in weights.items()}
    if starts and step is not None:
        for edge, one in found.items():
            first = min(at for at, stage in zip(starts, stages, strict=True) if edge in stage)
            found[edge] = jnp.where(step >= first, one, 0)
    return found
