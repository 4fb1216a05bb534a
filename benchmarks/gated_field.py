"""One evaluation of the gated field beside gradients by JAX of the same loss.

    python benchmarks/gated_field.py [--quick] [--threads 1] [--domains 10 40]

The evaluation, and the Euler step that makes the next one wait for it, in a loop inside one jitted
function. Peers: "grouped", `jax.grad` of the plain loss, examples condensed and grouped by
contexts, in the narrow network too where ours has it; "planned", `jax.grad` of our own loss as the
flow has it. float64. Networks and starts: gated.py.
"""

from collections.abc import Iterator
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gated import NETWORKS, evaluations, initial, states
from harness import Column, Row, Side, ratio, rows_of, tell
from inside import condense, narrow

import racedyn as rd

USUAL: Row = {"threads": 1, "turns": 9, "seconds": 0.2, "fewest": 300, "domains": [10, 40]}
QUICK: Row = {"turns": 3, "seconds": 0.05, "fewest": 100, "domains": [10]}
CONTEXTUAL = ("contextual", (4, 8, 100))  # contexts, items, width


def answers(job: Row) -> dict[str, Any]:
    jax.config.update("jax_enable_x64", True)
    return {"field": lambda: list(field_rows(job))}


def field_rows(job: Row) -> Iterator[Row]:
    network, task = NETWORKS[job["network"]](*job["sizes"])
    weights = initial(network, task, job["start"])
    flow = rd.reduce(network, task, weights, level=job["level"])
    if job["level"] == "matrix":
        network, task, weights = narrow(network, task, weights)
    sides = {
        "ours": (lambda y, flow: flow.vector_field(0.0, y, None), flow.y0(), flow),
        "grouped": grouped(network, task, weights),
        "planned": (planned_gradient, flow.y0(), flow),
    }
    far = difference(flow, sides)
    turns = evaluations(sides, job)
    for name in sides:
        yield {
            "side": name,
            "matrices": len(network.edges),
            "states": states(flow),
            "evaluation_s": median(turn[name] for turn in turns),
            "ratio": ratio(turns, "ours", name),
            "difference": far[name],
            "device": jax.devices()[0].device_kind,
        }


def grouped(network: rd.Network, task: rd.Task, weights: Any) -> tuple[Any, Any, Any]:
    """The gradient of minus the loss on condensed examples, its weights and its data."""
    condensed = condense(network, task)
    gates = condensed.gating
    alike = rd.Network(
        network.nodes,
        network.edges,
        node_gates=gates.nodes,
        edge_gates=gates.edges,
        num_contexts=gates.num_groups,
    )

    def gain(weights: Any, data: Any) -> Any:
        X, Y, group = data
        h = rd.networks.forward(alike, weights, X, group)
        return -0.5 * condensed.weight * sum(jnp.sum((Y[node] - h[node]) ** 2) for node in Y)

    every = np.arange(len(condensed.group))
    inputs, targets = (
        {node: live.on(every) for node, live in arrays.items()}
        for arrays in (condensed.inputs, condensed.targets)
    )
    columns = inputs, targets, condensed.group
    return jax.grad(gain), *jax.tree.map(jnp.asarray, (weights, columns))


def planned_gradient(y: Any, flow: Any) -> Any:
    return jax.grad(lambda y: -flow.observe(0.0, y)["loss"])(y)


def difference(flow: Any, sides: dict[str, tuple[Any, Any, Any]]) -> dict[str, float]:
    """The largest from ours, to ours' largest entry."""
    fields = {name: jax.jit(field)(*at) for name, (field, *at) in sides.items()}
    # A state that stands for n matrices has the gradient of all of them.
    stands_for = [np.zeros((len(stack), 1, 1)) for stack in flow.y0()]
    for bundle, place in flow.work.place.values():
        stands_for[bundle][place] += 1
    shared = zip(fields["planned"], stands_for, strict=True)
    ours = flow.matrices(fields["ours"])
    by_edge = {
        "ours": ours,
        "grouped": fields["grouped"],
        "planned": flow.matrices(tuple(f / n for f, n in shared)),
    }
    largest = max(float(abs(f).max()) for f in ours.values())
    return {
        name: max(float(abs(f[edge] - ours[edge]).max()) for edge in ours) / largest
        for name, f in by_edge.items()
    }


COLUMNS = [
    Column("network", "network", width=11),
    Column("sizes", "sizes", width=15),
    Column("start", "start"),
    Column("level", "level", width=8),
    Column("matrices", "matrices"),
    Column("states", "states", width=8),
    Column("side", "side"),
    Column("us", "evaluation_s", ".1f", 1e6),
    Column("ratio", "ratio", ".3f", width=8),
    Column("differs", "difference", ".1e"),
]
LEGEND = "ratio: ours over theirs, within a turn; differs: from ours, to the largest entry."


def rows(options: Any) -> Iterator[Row]:
    routing = [("routing", (domains, 4, 64)) for domains in options.domains]
    settings = {name: getattr(options, name) for name in ("threads", "turns", "seconds", "fewest")}
    for network, sizes in [*routing, CONTEXTUAL]:
        for start in ("equal", "distinct") if network == "routing" else ("gaussian",):
            for level in ("full", "matrix"):
                what = {"network": network, "sizes": sizes, "start": start, "level": level}
                with Side("gated_field", **settings, **what) as side:
                    what["sizes"] = " x ".join(map(str, sizes))
                    yield from rows_of(what, lambda side=side: side.ask("field"))


def main() -> None:
    tell(__doc__, USUAL, QUICK, "field", COLUMNS, rows, LEGEND)


if __name__ == "__main__":
    main()
