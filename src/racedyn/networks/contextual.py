"""Gated networks for contextual tasks: a common pathway, and those that contexts switch ([Jarvis25]
section 4).
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from racedyn._checks import check_positive_int, fail
from racedyn.networks.network import Network
from racedyn.tasks import Task, contexts_of


def contextual(task: Task, active: int | Sequence[int] | None = None, width: int = 100) -> Network:
    """A common pathway, and one for each set of `active` contexts, two layers each ([Jarvis25]
    figs. 3, 5).

    **Arguments:**

    - `active`: k, how many contexts open a context pathway: 1, or C - 1 (the default), or any;
      several numbers, as in (1, 2), for pathways of each kind side by side, which race.
    - `width`: hidden units of each pathway.

    The common pathway is always open and reads items and contexts: edges "item_common",
    "context_common", "common_output", hidden node "common". A context pathway reads items alone:
    "item_1_2", "1_2_output" and hidden node "h_1_2" are those of the pathway open in contexts 1 and
    2. Raises `ValueError` for a number of contexts that the task has not.

        >>> task = rd.tasks.contextual(items=4, contexts=3)
        >>> network = rd.networks.contextual(task, active=1, width=5)
        >>> {node: table.astype(int).tolist() for node, table in network.node_gates.items()}
        {'h_1': [1, 0, 0], 'h_2': [0, 1, 0], 'h_3': [0, 0, 1]}
    """
    contexts_of(task)
    width, contexts = check_positive_int("width", width), task.num_contexts
    sizes: list[int] = [contexts - 1]
    if active is not None:
        sizes = list(active) if isinstance(active, list | tuple) else [active]  # type: ignore[list-item]
    for size in sizes:
        if check_positive_int("active", size) >= contexts:
            fail(
                "active",
                f"be below the number of contexts, {contexts}",
                f"it holds {size}",
                "The common pathway is open in all of them already.",
            )
    if len(set(sizes)) < len(sizes) or not sizes:
        fail("active", "name at least one number of contexts, each once", f"it is {active!r}")
    nodes = {node: len(X) for node, X in task.inputs.items()} | {"common": width}
    edges = {f"{node}_common": (node, "common") for node in task.inputs} | {
        "common_output": ("common", "output")
    }
    gates = {}
    for opened in (group for size in sizes for group in combinations(range(contexts), size)):
        name = "_".join(str(c + 1) for c in opened)
        nodes[f"h_{name}"] = width
        edges |= {f"item_{name}": ("item", f"h_{name}"), f"{name}_output": (f"h_{name}", "output")}
        gates[f"h_{name}"] = np.isin(np.arange(contexts), opened)
    return Network(nodes | {"output": len(task.Y)}, edges, node_gates=gates, num_contexts=contexts)
