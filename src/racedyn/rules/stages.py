"""Training in stages: each group of edges descends what it and the groups before it leave, the
latter held constant.

The published gated networks of [Jarvis25] are trained so: the common pathway descends |Y -
yhat_common|^2 alone, the context pathways |Y - yhat_common - yhat_context|^2 with yhat_common held
constant. It is not descent on one loss."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp

from racedyn._checks import as_list, check_name, fail, shown
from racedyn._types import Weights
from racedyn.networks import Network

Tree = TypeVar("Tree")
Stages = tuple[tuple[str, ...], ...]


def check_stages(network: Network, stages: Sequence[Sequence[str]] | None) -> Stages:
    """Stages as tuples of edges; none stands for joint descent.

    Raises `ValueError` where an edge is unknown, in no stage or in two, or where edges of two
    stages meet at an inner node, so that a path would lie in both."""
    example = 'For example [["a1", "a2"], ["b1", "b2"]].'
    groups = [] if stages is None else as_list("stages", stages, "be groups of edges", example)
    if any(isinstance(stage, str) for stage in groups):
        fail(
            "stages", "be groups of edges", f"it holds the single name {shown(groups[0])}", example
        )
    groups = [as_list("stages", stage, "be groups of edges", example) for stage in groups]
    checked = tuple(
        tuple(check_name("stages", edge, network.edges) for edge in stage) for stage in groups
    )
    if not checked:
        return ()
    stage_of: dict[str, int] = {}
    for number, stage in enumerate(checked):
        for edge in stage:
            if edge in stage_of:
                fail("stages", "have each edge in one stage", f"{edge!r} is in two places")
            stage_of[edge] = number
    for edge in network.edges:
        if edge not in stage_of:
            fail("stages", "have every edge of the network", f"{edge!r} is missing")
    for node in network.order:
        touching = {
            stage_of[edge] for edge in (*network.edges_into(node), *network.edges_from(node))
        }
        if len(touching) > 1 and node not in (*network.inputs, *network.outputs):
            fail(
                "stages",
                "share no inner node",
                f"edges of stages {sorted(touching)} meet at {node!r}",
            )
    return checked


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
