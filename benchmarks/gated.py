"""What the questions on gated flows share: networks, starts, the timing of one evaluation.

Routing networks learn K routes from each of M input domains (4 items) to as many output domains (7
properties), through one shared chain of two hidden layers; the contextual network has a common
pathway and one that is off in each context. Starts: "equal", aligned weights (scale 0.08), of which
symmetry joins many into one state; "distinct", the same with a factor of its own for each matrix,
so that it joins none; "gaussian".
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from harness import Row, in_turns, seconds_of

import racedyn as rd

Field = Callable[[Any, Any], Any]  # of weights and data


def routing(domains: int, per_domain: int, width: int) -> tuple[rd.Network, rd.Task]:
    task = rd.tasks.routing(domains, per_domain)
    return rd.networks.routing(task, width=width), task


def contextual(contexts: int, items: int, width: int) -> tuple[rd.Network, rd.Task]:
    task = rd.tasks.contextual(items=items, contexts=contexts)
    return rd.networks.contextual(task, width=width), task


NETWORKS = {"routing": routing, "contextual": contextual}


def initial(network: rd.Network, task: rd.Task, start: str) -> dict[str, Any]:
    if start == "gaussian":
        return network.init(rd.init.Gaussian(0.05), key=0)
    weights = network.init(rd.init.Aligned(0.08), task=task, key=0)
    factors = np.linspace(1, 1.2, len(weights)) if start == "distinct" else np.ones(len(weights))
    return {edge: c * W for c, (edge, W) in zip(factors, weights.items(), strict=True)}


def states(flow: Any) -> int:
    """How many matrices the state has, those that symmetry joins counted once."""
    return len(set(flow.work.place.values()))


def evaluations(sides: dict[str, tuple[Field, Any, Any]], job: Row) -> list[dict[str, float]]:
    """Seconds of one evaluation, turn by turn, of each (field, weights, data)."""
    calls = {}
    for name, (field, *at) in sides.items():
        run = repeated(field)
        seconds_of(run, 1, *at)  # compiles
        count = max(job["fewest"], round(20 * job["seconds"] / seconds_of(run, 20, *at)[0]))
        calls[name] = lambda run=run, n=count, at=at: seconds_of(run, n, *at)[0] / n
    return in_turns(calls, job["turns"])


def repeated(field: Field) -> Callable[..., Any]:
    """Many evaluations, each where the one before has moved to: none can leave the loop."""

    @jax.jit
    def run(n: Any, step: Any, y: Any, data: Any) -> Any:
        def euler(_: Any, y: Any) -> Any:
            return jax.tree.map(lambda w, f: w + step * f, y, field(y, data))

        return jax.lax.fori_loop(0, n, euler, y)

    return lambda n, y, data: run(n, 1e-6, y, data)
