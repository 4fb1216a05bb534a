"""Gated networks that route input domains to output domains ([Saxe22] section 5)."""

import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from racedyn._checks import as_list, check_name, check_positive_int, fail
from racedyn.networks.activations import ACTIVATIONS
from racedyn.networks.network import Network, Node
from racedyn.tasks import Task, routes_of


def routing(
    task: Task,
    width: int = 64,
    hidden_layers: int = 1,
    sharing: str | int | Sequence[str | int] = "shared",
    *,
    activation: str = "linear",
) -> Network:
    """Pathways from every input domain to every output domain, which routes share or not ([Saxe22]
    figs. 4b, 5a).

    **Arguments:**

    - `width`: units of each hidden node; `hidden_layers`: matrices between the first and the last
      of a pathway.
    - `sharing`: "shared": all routes through one chain; "dedicated": a pathway for each route; a
      number G that divides the number of domains M: each group of G input domains and G output
      domains shares a pathway, through which G^2 routes flow (M is "shared", 1 is "dedicated").
      Several of them, as in ("shared", "dedicated"), side by side in one network: they race (fig.
      5c).
    - `activation`: of hidden nodes: "linear", "relu" or "tanh". Training by sums over domains is of
      linear networks; others go by all examples, written out.

    Edges of a shared chain are "in1".."inM", "hidden" ("hidden1", ... where there are several) and
    "out1".."outM"; those of the pathway between input group a and output group b
    "<G>_<a>_<b>_in<i>" and so on. Gates open, in the context of a route, the nodes of its two
    domains and of its pathways. Raises `ValueError` for a group size that does not divide M.

        >>> task = rd.tasks.routing(domains=2)
        >>> print(rd.networks.routing(task, width=8))
        linear network (x1 4, x2 4, y1 7, y2 7, 2 hidden layers of 8 units), 5 edges, 4 contexts
        >>> print(rd.networks.routing(task, width=8, sharing="dedicated"))
        linear network (x1 4, x2 4, y1 7, y2 7, 8 hidden layers of 8 units), 12 edges, 4 contexts
    """
    routes = routes_of(task)
    rank = task.pair_modes("x1", "y1").num
    if check_positive_int("width", width) < rank:
        warnings.warn(
            f"A pathway of width {width} can learn {width} of the {rank} modes of a route.",
            UserWarning,
            stacklevel=2,
        )
    hidden_layers = check_positive_int("hidden_layers", hidden_layers)
    check_name("activation", activation, ACTIVATIONS)
    domains = routes.domains
    one = isinstance(sharing, str | int | np.integer)
    schemes = (
        [sharing]
        if one
        else as_list("sharing", sharing, "be a scheme, or a list of them", "For example 'shared'.")
    )
    sizes = [group_size(scheme, domains) for scheme in schemes]
    if not sizes or len(set(sizes)) < len(sizes):
        fail("sharing", "name at least one scheme, each once", f"it is {sharing!r}")
    contexts = np.arange(domains**2)
    at_input, at_output = contexts // domains, contexts % domains
    x, y = ([f"{letter}{i + 1}" for i in range(domains)] for letter in "xy")
    nodes = dict.fromkeys(x, Node(len(routes.items)))
    edges: dict[str, tuple[str, str]] = {}
    gates = {node: at_input == i for i, node in enumerate(x)} | {
        node: at_output == j for j, node in enumerate(y)
    }
    for size in sizes:
        groups = domains // size
        for a, b in np.ndindex(groups, groups):
            prefix = "" if size == domains else f"{size}_{a + 1}_{b + 1}_"
            chain = [f"{prefix}h{layer + 1}" for layer in range(hidden_layers + 1)]
            nodes |= dict.fromkeys(chain, Node(width, activation))
            edges |= {
                f"{prefix}in{i + 1}": (x[i], chain[0]) for i in range(a * size, (a + 1) * size)
            }
            for layer, ends in enumerate(pairwise(chain)):
                edges[f"{prefix}hidden{layer + 1 if hidden_layers > 1 else ''}"] = ends
            edges |= {
                f"{prefix}out{j + 1}": (chain[-1], y[j]) for j in range(b * size, (b + 1) * size)
            }
            if groups > 1:
                gates |= dict.fromkeys(chain, (at_input // size == a) & (at_output // size == b))
    return Network(
        nodes | dict.fromkeys(y, Node(len(routes.features))),
        edges,
        node_gates=gates,
        num_contexts=domains**2,
    )


def group_size(scheme: Any, domains: int) -> int:
    """Domains on each side of a pathway in this scheme of sharing."""
    if isinstance(scheme, str):
        return {"shared": domains, "dedicated": 1}[
            check_name("sharing", scheme, ("shared", "dedicated"))
        ]
    size = check_positive_int("sharing", scheme)
    if domains % size:
        divisors = [g for g in range(1, domains + 1) if domains % g == 0]
        fail("sharing", f"be group sizes that divide {domains}, {divisors}", f"it holds {size}")
    return size
