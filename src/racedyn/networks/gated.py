"""Gated networks of [Saxe22] and [Jarvis25]: pathways that contexts switch."""

import warnings
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from racedyn._checks import as_list, check_is, check_name, check_positive_int, fail, shown
from racedyn.networks.network import Network
from racedyn.tasks.contextual import ContextualTask
from racedyn.tasks.routing import RoutingTask
from racedyn.tasks.task import Task

GATINGS = ("linear", "xor", "both")


def xor(task: Task, gating: str = "xor", width: int = 128) -> Network:
    """Two-layer pathways side by side, each open for some of the labels y = +-1 of `task` ([Jarvis25] fig. 2b, c).

    `gating`: "linear": one pathway for the positive examples and one for the negative ones; "xor": one for each example;
    "both": the two kinds together, which race. Each has `width` hidden units. Edges "in_<examples>", "out_<examples>" and
    hidden nodes "h_<examples>", examples counted from 1. Warns where linear gating learns nothing, as at margin 0 (the mean
    positive input is 0). Raises `ValueError` for a task without one label and one context per example.
    """
    check_is("task", task, Task, "be a Task", "tasks.xor(margin=1).")
    check_name("gating", gating, GATINGS)
    width = check_positive_int("width", width)
    labels = next(iter(task.targets.values()))
    if len(task.inputs) != 1 or len(task.targets) != 1 or len(labels) != 1 or not np.all(np.abs(labels) == 1):
        fail(
            "task", "have one input node and one label of +1 or -1 per example", f"it is {task}", "tasks.xor(margin=1)."
        )
    if not np.array_equal(np.sort(task.context), np.arange(task.num_contexts)):
        fail("task", "have a context for each example", f"it has {task.num_contexts} contexts of {task.num_examples}")
    groups = [task.context[labels[0] == sign] for sign in (1, -1)] if gating != "xor" else []
    if groups and all(np.allclose(task.X[:, np.isin(task.context, group)].sum(axis=1), 0) for group in groups):
        warnings.warn("Linear gating can't learn this task: inputs of one label sum to zero (no margin).", UserWarning,
                      stacklevel=2)  # fmt: skip
    groups += [np.array([context]) for context in task.context] if gating != "linear" else []
    ((source, sink),) = zip(task.inputs, task.targets, strict=True)
    names = ["_".join(str(c + 1) for c in group) for group in groups]
    return Network(
        {source: len(task.X), **{f"h_{name}": width for name in names}, sink: 1},
        {f"in_{name}": (source, f"h_{name}") for name in names}
        | {f"out_{name}": (f"h_{name}", sink) for name in names},
        node_gates={
            f"h_{name}": np.isin(np.arange(task.num_contexts), group) for name, group in zip(names, groups, strict=True)
        },
        num_contexts=task.num_contexts,
    )


def contextual(task: ContextualTask, active: int | Sequence[int] | None = None, width: int = 100) -> Network:
    """A common pathway, and one for each set of `active` contexts, two layers each ([Jarvis25] figs. 3, 5).

    **Arguments:**

    - `active`: k, how many contexts open a context pathway: 1, or C - 1 (the default), or any; several numbers, as in
      (1, 2), for pathways of each kind side by side, which race.
    - `width`: hidden units of each pathway.

    The common pathway is always open and reads items and contexts: edges "item_common", "context_common", "common_output",
    hidden node "common". A context pathway reads items alone: "item_1_2", "1_2_output" and hidden node "h_1_2" are those
    of the pathway open in contexts 1 and 2. Raises `ValueError` for a number of contexts that the task has not.
    """
    if not isinstance(task, ContextualTask):
        fail("task", "be one of tasks.contextual", f"it is {shown(task)}", error=TypeError)
    width, contexts = check_positive_int("width", width), task.num_contexts
    sizes: list[int] = [contexts - 1]
    if active is not None:
        sizes = list(active) if isinstance(active, list | tuple) else [active]  # type: ignore[list-item]
    for size in sizes:
        if check_positive_int("active", size) >= contexts:
            fail("active", f"be below the number of contexts, {contexts}", f"it holds {size}",
                 "The common pathway is open in all of them already.")  # fmt: skip
    if len(set(sizes)) < len(sizes) or not sizes:
        fail("active", "name at least one number of contexts, each once", f"it is {active!r}")
    nodes = {node: len(X) for node, X in task.inputs.items()} | {"common": width}
    edges = {f"{node}_common": (node, "common") for node in task.inputs} | {"common_output": ("common", "output")}
    gates = {}
    for opened in (group for size in sizes for group in combinations(range(contexts), size)):
        name = "_".join(str(c + 1) for c in opened)
        nodes[f"h_{name}"] = width
        edges |= {f"item_{name}": ("item", f"h_{name}"), f"{name}_output": (f"h_{name}", "output")}
        gates[f"h_{name}"] = np.isin(np.arange(contexts), opened)
    return Network(nodes | {"output": len(task.Y)}, edges, node_gates=gates, num_contexts=contexts)


def routing(
    task: RoutingTask, width: int = 64, hidden_layers: int = 1, sharing: str | int | Sequence[str | int] = "shared"
) -> Network:
    """Pathways from every input domain to every output domain, which routes share or not ([Saxe22] figs. 4b, 5a).

    **Arguments:**

    - `width`: units of each hidden node; `hidden_layers`: matrices between the first and the last of a pathway.
    - `sharing`: "shared": all routes through one chain; "dedicated": a pathway for each route; a number G that divides the
      number of domains M: each group of G input domains and G output domains shares a pathway, through which G^2 routes
      flow (M is "shared", 1 is "dedicated"). Several of them, as in ("shared", "dedicated"), side by side in one network:
      they race (fig. 5c).

    Edges of a shared chain are "in1".."inM", "hidden" ("hidden1", ... where there are several) and "out1".."outM"; those of
    the pathway between input group a and output group b "<G>_<a>_<b>_in<i>" and so on. Gates open, in the context of a
    route, the nodes of its two domains and of its pathways. Raises `ValueError` for a group size that does not divide M.
    """
    if not isinstance(task, RoutingTask):
        fail("task", "be one of tasks.routing", f"it is {shown(task)}", error=TypeError)
    rank = task.pair_modes("x1", "y1").num
    if check_positive_int("width", width) < rank:
        warnings.warn(f"A pathway of width {width} can learn {width} of the {rank} modes of a route.", UserWarning,
                      stacklevel=2)  # fmt: skip
    hidden_layers = check_positive_int("hidden_layers", hidden_layers)
    domains = task.domains
    one = isinstance(sharing, str | int | np.integer)
    schemes = (
        [sharing] if one else as_list("sharing", sharing, "be a scheme, or a list of them", "For example 'shared'.")
    )
    sizes = [_group_size(scheme, domains) for scheme in schemes]
    if not sizes or len(set(sizes)) < len(sizes):
        fail("sharing", "name at least one scheme, each once", f"it is {sharing!r}")
    contexts = np.arange(domains**2)
    at_input, at_output = contexts // domains, contexts % domains
    x, y = ([f"{letter}{i + 1}" for i in range(domains)] for letter in "xy")
    nodes = dict.fromkeys(x, len(task.items))
    edges: dict[str, tuple[str, str]] = {}
    gates = {node: at_input == i for i, node in enumerate(x)} | {node: at_output == j for j, node in enumerate(y)}
    for size in sizes:
        groups = domains // size
        for a, b in np.ndindex(groups, groups):
            prefix = "" if size == domains else f"{size}_{a + 1}_{b + 1}_"
            chain = [f"{prefix}h{layer + 1}" for layer in range(hidden_layers + 1)]
            nodes |= dict.fromkeys(chain, width)
            edges |= {f"{prefix}in{i + 1}": (x[i], chain[0]) for i in range(a * size, (a + 1) * size)}
            for layer, ends in enumerate(pairwise(chain)):
                edges[f"{prefix}hidden{layer + 1 if hidden_layers > 1 else ''}"] = ends
            edges |= {f"{prefix}out{j + 1}": (chain[-1], y[j]) for j in range(b * size, (b + 1) * size)}
            if groups > 1:
                gates |= dict.fromkeys(chain, (at_input // size == a) & (at_output // size == b))
    return Network(nodes | dict.fromkeys(y, len(task.features)), edges, node_gates=gates, num_contexts=domains**2)


def _group_size(scheme: Any, domains: int) -> int:
    """Domains on each side of a pathway."""
    if isinstance(scheme, str):
        return {"shared": domains, "dedicated": 1}[check_name("sharing", scheme, ("shared", "dedicated"))]
    size = check_positive_int("sharing", scheme)
    if domains % size:
        divisors = [g for g in range(1, domains + 1) if domains % g == 0]
        fail("sharing", f"be group sizes that divide {domains}, {divisors}", f"it holds {size}")
    return size
