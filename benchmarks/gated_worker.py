"""The far end of `gated.py`: one measurement in a process of its own, a row of JSON per line."""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from statistics import median
from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np

import racedyn as rd
from racedyn.networks.forward import forward
from racedyn.paths.strengths import path_maps
from racedyn.reduction.bases import closed_bases
from racedyn.reduction.validity import rounding
from racedyn.simulation.solve import arrays_at_the_door, as_times, integrate, settings_for
from racedyn.systems.gated import field
from racedyn.systems.gated.condensed import condense

jax.config.update("jax_enable_x64", True)

Row = dict[str, Any]
Field = Callable[[Any, Any], Any]  # of weights and data
LEARNED = 1e-4  # of the loss at the start
PROPERTIES = np.concatenate([[[6] * 4, [4, 4, 0, 0], [0, 0, 4, 4]], 3 * np.eye(4)])


def routing(domains: int, per_domain: int, width: int) -> tuple[rd.Network, rd.Task]:
    """Every input domain i through one chain to the output domains i, i + 1, ...: a context of four items per route."""
    routes = [(i, (i + k) % domains) for i in range(domains) for k in range(per_domain)]
    inputs = {f"x{i}": np.zeros((4, 4 * len(routes))) for i in range(domains)}
    targets = {f"y{j}": np.zeros((7, 4 * len(routes))) for j in range(domains)}
    gates = {node: np.zeros(len(routes)) for node in (*inputs, *targets)}
    for route, (i, j) in enumerate(routes):
        inputs[f"x{i}"][:, 4 * route : 4 * route + 4] = np.eye(4)
        targets[f"y{j}"][:, 4 * route : 4 * route + 4] = PROPERTIES
        gates[f"x{i}"][route] = gates[f"y{j}"][route] = 1
    U, _, Vt = np.linalg.svd(PROPERTIES, full_matrices=False)
    bases = {(x, y): (U, Vt.T) for x in inputs for y in targets}  # so that pairs that no context trains are read too
    edges = {f"in{i}": (f"x{i}", "h1") for i in range(domains)} | {"hidden": ("h1", "h2")}
    edges |= {f"out{j}": ("h2", f"y{j}") for j in range(domains)}
    nodes = {**dict.fromkeys(inputs, 4), "h1": width, "h2": width, **dict.fromkeys(targets, 7)}
    task = rd.Task(inputs, targets, np.repeat(np.arange(len(routes)), 4), len(routes), "routing", bases)
    return rd.Network(nodes, edges, node_gates=gates, num_contexts=len(routes)), task


def contextual(contexts: int, items: int, width: int) -> tuple[rd.Network, rd.Task]:
    """A common pathway from items and contexts, and a pathway from the items that is on in all contexts but one."""
    context = np.repeat(np.arange(contexts), items)
    own = np.eye(contexts)[context].T  # (context, example)
    active = np.concatenate([np.ones((1, len(context))), own])  # (block of properties, example)
    targets = (active[:, None] * np.tile(rd.tasks.hierarchy(items=items).Y, contexts)).reshape(-1, len(context))
    paths = [f"path{c}" for c in range(contexts)]
    edges = {"item_common": ("item", "common"), "context_common": ("context", "common"), "common_out": ("common", "y")}
    for path in paths:
        edges |= {f"item_{path}": ("item", path), f"{path}_out": (path, "y")}
    nodes = {"item": items, "context": contexts, "common": width, **dict.fromkeys(paths, width), "y": len(targets)}
    gates = {path: 1 - np.eye(contexts)[c] for c, path in enumerate(paths)}
    task = rd.Task({"item": np.tile(np.eye(items), contexts), "context": own}, {"y": targets}, context)
    return rd.Network(nodes, edges, node_gates=gates, num_contexts=contexts), task


NETWORKS = {"routing": routing, "contextual": contextual}


def initial(network: rd.Network, task: rd.Task, start: str) -> dict[str, Any]:
    """Aligned weights that symmetry joins ("equal"), or with a factor each, so that it joins none ("distinct")."""
    if start == "gaussian":
        return network.init(rd.init.Gaussian(0.05), key=0)
    weights = network.init(rd.init.Aligned(0.08), task=task, key=0)
    factors = np.linspace(1, 1.2, len(weights)) if start == "distinct" else np.ones(len(weights))
    return {edge: factor * W for factor, (edge, W) in zip(factors, weights.items(), strict=True)}


def seconds_of(call: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    result = jax.block_until_ready(call(*arguments))
    return time.perf_counter() - began, result


def repeated(field: Field) -> Callable[..., Any]:
    """Many evaluations, each at weights that the one before has moved: none can be taken out of the loop."""

    @jax.jit
    def run(n: Any, step: Any, y: Any, data: Any) -> Any:
        return jax.lax.fori_loop(0, n, lambda _, y: jax.tree.map(lambda w, f: w + step * f, y, field(y, data)), y)

    return lambda n, y, data: run(n, 1e-6, y, data)


def evaluations(sides: dict[str, tuple[Field, Any, Any]], job: Row) -> dict[str, list[float]]:
    """Seconds of one evaluation, turn by turn, of each (field, weights, data)."""
    runs = {name: (repeated(field), y, data) for name, (field, y, data) in sides.items()}
    counts, found = {}, {name: [] for name in sides}
    for name, (run, *at) in runs.items():
        seconds_of(run, 1, *at)  # compiles
        counts[name] = max(job["fewest"], round(20 * job["seconds"] / seconds_of(run, 20, *at)[0]))
    for turn in range(job["turns"]):
        for name in list(sides)[:: 1 if turn % 2 else -1]:
            run, *at = runs[name]
            found[name].append(seconds_of(run, counts[name], *at)[0] / counts[name])
    return found


def states(flow: Any) -> int:
    return sum(len(bundle.edges) for bundle in flow.work.plan.bundles)


def field_row(job: Row) -> Iterator[Row]:
    """The field against two gradients by JAX: of the plain grouped loss, and of our own loss on our own plan."""
    network, task = NETWORKS[job["network"]](*job["sizes"])
    weights = initial(network, task, job["start"])
    flow = rd.reduce(network, task, weights, level=job["level"])
    if job["level"] == "matrix":  # the peer gets the narrow network too
        bases = closed_bases(network, {e: np.asarray(W) for e, W in weights.items()}, rounding(np.float64)).bases
        network, task, weights = rd.project(network, task, weights, bases)
    condensed = condense(network, task)
    gates = condensed.gating
    grouped = rd.Network(network.nodes, network.edges, node_gates=gates.nodes, edge_gates=gates.edges,
                         num_contexts=gates.num_groups)  # fmt: skip

    def gain(weights: Any, data: Any) -> Any:
        X, Y, group = data
        h = forward(grouped, weights, X, group)
        return -0.5 * condensed.weight * sum(jnp.sum((Y[node] - h[node]) ** 2) for node in Y)

    ours, arrays = (lambda y, data: field.descent(flow.work.plan, y, *data)), (flow.work.inputs, flow.work.targets)
    columns = jax.tree.map(jnp.asarray, (condensed.inputs, condensed.targets, condensed.group))
    sides = {
        "ours": (ours, flow.y0(), arrays),
        "grouped": (jax.grad(gain), jax.tree.map(jnp.asarray, weights), columns),
        "planned": (jax.grad(lambda y, data: -field.missing(flow.work.plan, y, *data)), flow.y0(), arrays),
    }
    fields = {name: jax.jit(field)(*at) for name, (field, *at) in sides.items()}
    # A state that stands for n matrices has the gradient of all of them.
    stands_for = [np.zeros((len(stack), 1, 1)) for stack in flow.y0()]
    for bundle, place in flow.work.place.values():
        stands_for[bundle][place] += 1
    fields["planned"] = tuple(f / n for f, n in zip(fields["planned"], stands_for, strict=True))
    fields |= {name: flow.matrices(fields[name]) for name in ("ours", "planned")}
    edges = {edge: np.stack([fields[name][edge] for name in sides]) for edge in network.edges}
    seconds = evaluations(sides, job)
    yield {
        "matrices": len(network.edges),
        "states": states(flow),
        "columns": len(condensed.group),
        "seconds": seconds,
        "ratios": {name: median(o / p for o, p in zip(seconds["ours"], seconds[name], strict=True)) for name in sides},
        "difference": max(float(np.ptp(f, axis=0).max()) for f in edges.values()) / max(abs(f).max() for f in edges.values()),
    }  # fmt: skip


def level_rows(job: Row) -> Iterator[Row]:
    """A whole run at each level, over the same times."""
    network, task = routing(*job["sizes"])
    weights = initial(network, task, job["start"])
    flows = {level: rd.reduce(network, task, weights, level=level) for level in ("full", "matrix", "modes")}
    end, loss = 1.0, np.ones(1)
    for _ in range(60):  # doublings
        if loss[-1] <= LEARNED * loss[0]:
            break
        end *= 2
        loss = np.asarray(rd.simulate(flows["modes"], np.linspace(0, end, 400)).observables["loss"])
    ts = np.linspace(0, end * np.argmax(loss <= LEARNED * loss[0]) / 399, 200)  # not 400: `first` compiles

    def run(level: str) -> Any:
        made = rd.simulate(flows[level], ts)
        return made.observables["loss"], made.stats["num_steps"]

    def solve(level: str) -> Any:  # what `simulate` has compiled, without what it does on the host
        system = arrays_at_the_door(flows[level])
        at, start = as_times(system, ts), as_times(system, 0.0)
        return seconds_of(integrate, system, at, start, None, settings_for(system, adjoint=dfx.ForwardMode()))[0]

    first = {level: seconds_of(run, level)[0] for level in flows}
    turns = [{level: seconds_of(run, level) for level in list(flows)[:: 1 if turn % 2 else -1]}
             for turn in range(job["turns"])]  # fmt: skip
    solves = [{level: solve(level) for level in flows} for _ in range(job["turns"])]
    losses = {level: np.asarray(loss) for level, (_, (loss, _)) in turns[-1].items()}
    for level, flow in flows.items():
        yield {
            "level": level,
            "states": states(flow),
            "numbers": sum(stack.size for stack in flow.y0()),
            "end": ts[-1],
            "first_s": first[level],
            "second_s": median(turn[level][0] for turn in turns),
            "ratio": median(turn[level][0] / turn["full"][0] for turn in turns),
            "solve_s": median(turn[level] for turn in solves),
            "solve_ratio": median(turn[level] / turn["full"] for turn in solves),
            "steps": np.atleast_1d(turns[-1][level][1][1]).tolist(),
            "loss": [losses[level][0], losses[level][-1]],
            "difference": float(np.abs(losses[level] - losses["full"]).max()),
        }


def scaling_rows(job: Row) -> Iterator[Row]:
    """What grows with the number of routes: seconds to build, to compile and to run; memory."""
    began = time.perf_counter()
    network, task = routing(*job["sizes"])
    yield {"what": "task", "build_s": time.perf_counter() - began, **memory()}
    starts = {}
    for start in ("equal", "distinct"):
        build_s, starts[start] = seconds_of(initial, network, task, start)
        yield {"what": f"weights, {start}", "build_s": build_s, **memory()}
    for level in ("modes", "full"):
        for start, weights in starts.items():
            build_s, flow = seconds_of(lambda: rd.reduce(network, task, weights, level=level))  # noqa: B023

            def field(y: Any, flow: Any) -> Any:
                return flow.vector_field(jnp.zeros(()), y, None)

            row = {
                "what": f"{level}, {start}",
                "build_s": build_s,
                "states": states(flow),
                **compiling(field, flow.y0(), flow),
            }
            run_s = median(evaluations({"field": (field, flow.y0(), flow)}, job)["field"])
            yield {**row, "run_s": run_s, **memory()}
    modes, paths = task.all_modes(), network.paths()
    maps = jax.jit(lambda weights: path_maps(network, weights, modes, paths))
    row = {"what": f"{len(paths)} path maps", **compiling(maps, starts["distinct"])}
    seconds_of(maps, starts["distinct"])
    yield {**row, "run_s": median(seconds_of(maps, starts["distinct"])[0] for _ in range(job["turns"])), **memory()}


def compiling(function: Callable[..., Any], *arguments: Any) -> Row:
    """Seconds to trace and to compile."""
    began = time.perf_counter()
    lowered = jax.jit(function).lower(*arguments)
    traced = time.perf_counter()
    lowered.compile()
    return {"trace_s": traced - began, "compile_s": time.perf_counter() - traced}


def memory() -> Row:
    """The largest resident memory of this process so far."""
    return {
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    }


def main() -> None:
    job = json.loads(sys.argv[1])
    replies, sys.stdout = sys.stdout, sys.stderr  # what a library prints must not look like a row
    versions = {name: version(name) for name in ("racedyn", "jax", "jaxlib", "numpy")}
    found = {**job, "versions": versions, "device": jax.devices()[0].device_kind}
    try:
        for row in {"field": field_row, "levels": level_rows, "scaling": scaling_rows}[job["part"]](job):
            print(json.dumps({**found, **row}, default=float), file=replies, flush=True)
    except Exception as error:
        print(json.dumps({**found, "failed": f"{type(error).__name__}: {error}"}), file=replies, flush=True)


if __name__ == "__main__":
    main()
