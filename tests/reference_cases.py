"""What the reference of numbers holds: groups of small problems, each a key and what the package
computes of it.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import racedyn as rd
from gated_examples import correlated_task, random_problem, routing
from paths.test_path_bases import contextual as contexts_of_their_own
from racedyn.config.shelf import FOLDER as SHIPPED
from reference_spellings import (
    BY_DEFAULT,
    EVERYTHING,
    STUDIES,
    chain_as_before,
    closed_bases,
    concentration,
    contexts_as_before,
    ended_as_before,
    file_of,
    job,
    observed,
    plain,
    race_as_before,
    reduced,
    riccati_as_before,
    routing_as_before,
    solved,
    study,
    trained,
    value,
)

Cases = Iterator[tuple[str, Any]]


# --- jobs and studies


JOBS = {
    "hierarchy": ("--network.width", "40", "--train.steps", "1500"),
    "animals": ("--network.width", "30", "--train.steps", "300"),
    "routing": ("--network.width", "16", "--train.steps", "100"),
    "xor": ("--network.width", "16", "--train.steps", "200"),
}


def jobs(folder: Path) -> Cases:
    for path in sorted(SHIPPED.glob("*.toml")):
        yield path.stem, file_of(job(path, folder, *JOBS.get(path.stem, ())))


LINEAR = {"width": 12, "std": 0.3, "lr": 0.01}
ROUTES = {"domains": 3, "trained": 2, "width": 16, "steps": 60, "rows": 20, "seeds": [0]}
CONTEXTS = {
    "items": 4,
    "contexts": [2],
    "width": 40,
    "pathway_width": 20,
    "stds": [1e-3],
    "context_stds": [2e-3],
    "lr": 0.01,
    "epochs": 200,
    "rows": 40,
    "weight_rows": 20,
    "seeds": [0],
}
TINY: dict[str, dict[str, Any]] = {
    "shi2022.fig3": {"starts": 3, "depths": [2, 8]},
    "shi2022.fig4": {**LINEAR, "epochs": 20, "columns": 3, "depth": 3},
    "shi2022.fig5": {**LINEAR, "seeds": [0], "depths": [2, 3]},
    "shi2022.fig6": {**LINEAR, "depth": 3},
    "shi2022.fig7": {**LINEAR, "seeds": [0], "depths": [2, 3]},
    "shi2022.fig8": {**LINEAR, "seeds": [0], "depths": [2, 3]},
    "saxe2019.structures": {"width": 40, "lr": 0.1},
    "saxe2022.fig3": {"width": 16, "lr": 0.05, "seeds": [0]},
    "saxe2022.fig4": ROUTES,
    "saxe2022.fig5": {
        **ROUTES,
        "domains": 2,
        "trained": [1, 2],
        "groups": [1, 2],
        "time": 20.0,
        "end": 40.0,
    },
    "saxe2022.fig6": {**ROUTES, "scales": [0.3, 2.0]},
    "jarvis2025.fig2": {"lr": 0.05, "margins": [0.0, 0.8], "shown": [0.8], "seeds": [0]},
    "jarvis2025.fig4": {**CONTEXTS, "structures": ["tree", "ring", "tree"], "hand_overs": [0, 60]},
    "jarvis2025.fig5": {**CONTEXTS, "contexts": [3], "finer": [1, 2]},
    "jarvis2025.fig8": {
        **CONTEXTS,
        "structures": ["tree", "graded_ring", "crossed_tree"],
        "rows": 4,
        "at": [100, 200],
        "k": [2, 3, 4],
    },
}


def paper(prefix: str) -> Any:
    def cases(folder: Path) -> Cases:
        for name in STUDIES:
            if name.startswith(prefix):
                path, lines = study(name, TINY.get(name, {}), folder)
                yield name, {"file": file_of(path), "finding": lines}

    return cases


# --- problems


def started(network: Any, task: Any, law: Any) -> tuple[Any, Any, Any]:
    return network, task, network.init(law, task=task, key=0)


def pathways(depths: Any, law: Any, width: int = 6, **options: Any) -> tuple[Any, Any, Any]:
    task = rd.tasks.hierarchy(4)
    return started(rd.networks.parallel(task, depths, width, **options), task, law)


def contexts(active: int = 2, law: Any = None) -> tuple[Any, Any, Any]:
    task = rd.tasks.contextual(4, 3)
    return started(rd.networks.contextual(task, active, 8), task, law or rd.init.Gaussian(0.05))


def groups_of_contexts(network: Any) -> list[list[str]]:
    return [
        [edge for edge in network.edges if ("common" in edge) == first] for first in (True, False)
    ]


def shared_edges() -> tuple[Any, Any, Any]:
    task = rd.tasks.hierarchy(4)
    nodes = {"input": 4, "a": 5, "b": 5, "c": 5, "output": 7}
    edges = {
        "w": ("input", "a"),
        "u": ("a", "b"),
        "v": ("a", "c"),
        "p": ("b", "output"),
        "q": ("c", "output"),
    }
    return started(
        rd.Network(nodes, {**edges, "skip": ("input", "output")}), task, rd.init.Aligned(0.3)
    )


def margins(gating: str, bases: str = "paths") -> tuple[Any, Any, Any]:
    task = rd.tasks.xor(0.6)
    return started(rd.networks.xor(task, gating, 8), task, rd.init.Aligned(0.2, bases=bases))


ALIGNED, SMALL = rd.init.Aligned(0.3), rd.init.Gaussian(0.1)
LEVELS: dict[str, tuple[Any, tuple[str, ...], dict[str, Any]]] = {
    "pathways": (lambda: pathways((2, 2), ALIGNED), ("pathway", "modes", "matrix", "full"), {}),
    "unequal": (lambda: pathways((3, 1, 2), ALIGNED), ("pathway", "modes", "matrix", "full"), {}),
    "random": (lambda: pathways((2, 2), SMALL, 14), ("pathway", "matrix", "full"), {}),
    "inexact": (lambda: pathways((3,), SMALL, 14), ("modes", "matrix"), {"inexact": True}),
    "balanced": (lambda: pathways((4,), rd.init.Balanced(0.5), 10), ("matrix",), {}),
    "decay": (
        lambda: pathways((2, 2), ALIGNED),
        ("pathway", "modes", "matrix", "full"),
        {"weight_decay": 0.02},
    ),
    "xor": (lambda: margins("xor"), ("matrix", "full"), {}),
    "xor_both": (lambda: margins("both"), ("matrix", "full"), {"weight_decay": 0.01}),
    "xor_paths": (lambda: margins("linear"), ("modes",), {"bases": "paths"}),
    "routing": (lambda: started(*routing(3, 2), ALIGNED), ("modes", "matrix", "full"), {}),
    "shared": (shared_edges, ("modes", "matrix", "full"), {}),
    "contextual": (contexts, ("matrix", "full"), {}),
    "context_paths": (lambda: contexts_of_their_own(3, 0.1)[:3], ("modes", "matrix"), {}),
    "correlated": (lambda: _correlated(), ("matrix", "full"), {}),
    **{
        f"graph{seed}": (lambda seed=seed: random_problem(seed), ("full",), {}) for seed in range(4)
    },
    "graph_matrix": (lambda: random_problem(0), ("matrix",), {"inexact": True}),
}


def _correlated() -> tuple[Any, Any, Any]:
    task = correlated_task(0)
    return started(rd.networks.parallel(task, (2, 1), 12), task, rd.init.Aligned(0.1))


def levels(folder: Path) -> Cases:
    for name, (make, some, options) in LEVELS.items():
        problem = make()
        for level in some:
            own = {"bases": "paths"} if name == "context_paths" and level == "modes" else {}
            yield f"{name}/{level}", solved(reduced(problem, level, **options, **own))
    problem = contexts()
    for level in ("matrix", "full"):
        flow = reduced(problem, level, stages=groups_of_contexts(problem[0]), paths=[])
        yield f"staged/{level}", solved(flow)
    network, task, weights = pathways((2, 2), SMALL)
    other = rd.Task({"input": task.X}, {"output": task.Y[::-1]})
    for level in ("pathway", "full"):
        parts = [
            reduced((network, t, weights), level, modes=task, inexact=True) for t in (task, other)
        ]
        yield f"piecewise/{level}", solved(rd.systems.Piecewise(parts, [5.0], names=["a", "b"]))


# --- solves


class Decay(rd.AbstractSystem):
    """A system of one's own, with an observable of its own."""

    rate: jax.Array

    def y0(self):
        return jnp.ones(3)

    def vector_field(self, t, y, args):
        return -self.rate * y

    def observe(self, t, y):
        return {"y": y, "size": jnp.sum(y**2)}


def brusselator(t, y, args):
    return jnp.stack([1 + y[0] ** 2 * y[1] - 4 * y[0], 3 * y[0] - y[0] ** 2 * y[1]])


def race(depths=(3, 5), p=((0.2, 0.1), (0.1, 0.3)), **options):
    return rd.systems.Pathways([3.0, 1.0], depths, 1.0, p, **options)


def simulations(folder: Path) -> Cases:
    for method, some in {
        "ode": ((1, 2), (3, 5), (8, 8)),
        "exact": ((1, 2), (3, 5)),
        "auto": ((3, 5),),
    }.items():
        for depths in some:
            yield f"race/{method}/{depths[0]}_{depths[1]}", solved(race(depths), method=method)
    yield "race/decay", solved(race(weight_decay=0.1))
    yield "race/variances", solved(race(variances=[0.5, 2.0], loss_floor=0.25))
    yield "race/real_depths", solved(race((2.5, 3.0)))
    yield "race/crossings", solved(race(), crossings={"half": 0.5}, rtol=1e-6, jumps=[0.5])
    yield (
        "race/plateau",
        solved(race(p=((2e-3, 1e-3), (1e-3, 3e-3)), depths=(2, 2)), np.linspace(0, 40, 9)),
    )
    yield (
        "race/states",
        rd.solve(race(), jnp.linspace(0, 3, 5), observe=["strength", "loss", "q", "p", "states"]),
    )
    yield "decay", solved(Decay(jnp.asarray(0.3)))
    yield "decay/t0", solved(Decay(jnp.asarray(0.3)), t0=-1.0)
    yield "function", solved(rd.from_function(brusselator, [1.0, 1.0]))
    yield (
        "function/steps",
        solved(rd.from_function(brusselator, [1.0, 1.0]), max_steps=16, throw=False),
    )
    level = {"level": lambda system, t, y: y[0] - 1.5}
    yield "function/crossings", solved(rd.from_function(brusselator, [1.0, 1.0]), crossings=level)
    stiff = rd.from_function(lambda t, y, args: -1e6 * (y - jnp.cos(t)), [0.0])
    yield "function/stiff", solved(stiff, max_steps=1024)

    def final_strength(p):
        return value(rd.solve(race(p=p), jnp.linspace(0, 3, 9)), "strength")[-1, 0, 0]

    at = jnp.array([[0.2, 0.1], [0.1, 0.3]])
    yield "gradient", {"value": final_strength(at), "slope": jax.jit(jax.grad(final_strength))(at)}


def draws(member):
    """The p of one member, of four orders of size."""
    keys = jax.random.split(jax.random.fold_in(jax.random.key(0), member), 2)
    return 10 ** jax.random.uniform(keys[0], (2, 3), minval=-2, maxval=0) * jax.random.normal(
        keys[1], (2, 3)
    )


def ensembles(folder: Path) -> Cases:
    ts = np.linspace(0, 10, 6)
    for depths, method in itertools.product(((2, 2), (3, 5), (6, 6)), ("exact", "ode")):

        def race_of(member, depths=depths):
            return rd.systems.Pathways([3.0, 2.0, 1.0], depths, 1.0, draws(member))

        name = f"{depths[0]}_{depths[1]}/{method}"
        yield f"{name}/times", rd.ensemble(race_of, 200, ts, method=method)
        if method == "exact":
            yield f"{name}/end", rd.ensemble(race_of, 200, method=method)
    rates = {"rate": jnp.linspace(0.1, 2, 50)}
    yield "decay", rd.ensemble(Decay(jnp.asarray(1.0)), rates, ts)
    yield (
        "decay/blocks",
        rd.ensemble(Decay(jnp.asarray(1.0)), rates, ts, block=16, observe=["size"]),
    )
    yield (
        "crossings",
        rd.ensemble(
            race(),
            {"p": jnp.stack([0.1 * np.ones((2, 2)), 0.3 * np.ones((2, 2))])},
            ts,
            method="ode",
            crossings={"half": 0.5},
        ),
    )
    yield "member", rd.ensemble(Decay(jnp.asarray(1.0)), rates, ts).member(7)
    yield "file", file_of(rd.ensemble(Decay(jnp.asarray(1.0)), rates, ts, path=folder / "many.h5"))


# --- training


# What there is of paths that join several pairs: no groups.
ROUTED = GRAPH = [name for name in EVERYTHING if name != "group_strength"]


def training(folder: Path) -> Cases:
    problem = pathways((3, 2), SMALL, 8)
    network, task, _ = problem
    other = rd.Task({"input": task.X}, {"output": task.Y[::-1]})
    first = trained(
        problem, observe=[*EVERYTHING, "activity:h1_1", "activity:h2_1", rd.Probe("other", other)]
    )
    yield "everything", first
    yield "decay", trained(problem, weight_decay=0.1)
    yield "float32", trained(problem, dtype="float32")
    yield "paths", trained(problem, paths=[network.paths()[1]], modes=other.modes)
    yield "adam", trained(problem, lr=None, optimiser=optax.adam(1e-2))
    yield "diverged", trained(problem, lr=40.0, steps=60)
    for loss in ("mean", "half_sum", "sum", "mse"):
        yield f"loss/{loss}", trained(problem, lr=0.01, loss=loss)
    routes = rd.tasks.routing(3, 2)
    routed = started(rd.networks.routing(routes, 8), routes, rd.init.Orthogonal(0.3))
    yield (
        "loss/routes",
        trained(
            routed,
            loss="routes",
            observe=[*ROUTED, rd.Probe("untrained", routes.structure.untrained())],
        ),
    )
    for kind, last in itertools.product(("relu", "tanh"), (False, True)):
        nonlinear = pathways((2, 3), rd.init.Gaussian(0.5), 8, activation=kind, activate_last=last)
        yield (
            f"{kind}/{last}",
            trained(nonlinear, observe=[*BY_DEFAULT, "data_strength", "activity:h1_1", "weights"]),
        )
    told = contexts()
    yield "stages", trained(told, stages=groups_of_contexts(told[0]), weight_decay=0.05)
    for seed in range(3):
        yield f"graph{seed}", trained(random_problem(seed), lr=0.01, observe=GRAPH)

    yield "longer", trained((network, task, first), steps=20, observe=EVERYTHING)
    both = trained(
        (network, other, first), steps=200, lr=0.1, modes=task, observe=[*BY_DEFAULT, "weights"]
    )
    yield "switched", both
    for i in range(2):
        yield (
            f"segment/{i}",
            {"run": both.segment(i), "times": rd.learning_times(both.segment(i), within=10.0)},
        )
    yield "file", file_of(_saved(folder / "runs.h5", first=first, both=both))

    steps = np.asarray(first.step)
    saved = {
        int(step): {edge: rows[i] for edge, rows in first.ys.items()}
        for i, step in enumerate(steps)
    }
    yield "observed/tau", observed(network, task, saved)
    yield (
        "observed/steps",
        observed(
            network,
            task,
            saved,
            lr=0.05,
            loss="sum",
            observe=[*EVERYTHING, "activity:h1_1", rd.Probe("other", other)],
        ),
    )
    chain = rd.networks.chain(task, 2, 6, activation="relu")
    rng = np.random.default_rng(0)
    states = {
        step: {
            f"{i}.{part}": rng.standard_normal(shape)
            for i, n, m in ((0, 6, 4), (2, 7, 6))
            for part, shape in (("weight", (n, m)), ("bias", (n,)))
        }
        for step in (0, 10)
    }
    yield "observed/biases", observed(chain, task, states, lr=0.1, biases=True, observe=EVERYTHING)
    biased, constant = rd.networks.with_biases(network, task)
    yield (
        "biased",
        trained(
            started(biased, constant, SMALL), observe=["strength", "off_diagonal", "data_strength"]
        ),
    )

    wide = trained(pathways((2, 2), SMALL, 12), lr=0.1, steps=400)
    theory = solved(reduced(pathways((2, 2), SMALL, 12), "pathway"), wide.ts)
    found = rd.compare(theory, wide)
    yield "compared", {"found": found, "text": str(found), "agree": found.agree}
    yield (
        "learning_times",
        {
            "theory": rd.learning_times(theory, within=1.0),
            "early": rd.learning_times(wide, 0.1, within=1.0),
        },
    )


def _saved(path: Path, **runs: Any) -> Path:
    rd.save(path, **runs)
    return path


# --- what is measured


def measures(folder: Path) -> Cases:
    t = rd.tasks
    tasks = {
        "hierarchy": t.hierarchy(8),
        "order": t.order(5),
        "ring": t.ring(7),
        "grid": t.grid(3, 2),
        "clusters": t.clusters([3, 2, 1], 2),
        "cross_cutting": t.cross_cutting(2, 3, 2),
        "xor": t.xor(0.7),
        "contextual": t.contextual(4, 3, ["tree", "ring", "tree", "tree"]),
        "routing": t.routing(4, 2),
        "untrained": t.routing(3, 2).structure.untrained(),
        "random": t.random([2.0, 1.0, 0.5], 5, 6, key=0),
        "csv": t.example("animals"),
        "correlated": correlated_task(0),
    }
    yield "tasks", tasks
    chain = rd.networks.chain(tasks["hierarchy"], 3, 10)
    laws = {
        "gaussian": SMALL,
        "orthogonal": rd.init.Orthogonal(0.3),
        "aligned": ALIGNED,
        "aligned_paths": rd.init.Aligned(0.3, bases="paths"),
        "balanced": rd.init.Balanced(0.3),
    }
    yield (
        "init",
        {name: chain.init(law, key=3, task=tasks["hierarchy"]) for name, law in laws.items()},
    )
    problems = {name: make() for name, (make, *_) in LEVELS.items()}
    for name, (network, task, weights) in problems.items():
        known = rd.statistics(network, task)
        yield f"statistics/{name}", {"known": known, "text": str(known)}
        yield f"weights/{name}", weights
        if name not in ("unequal", "xor_both", "routing", "shared", "contextual", "graph0"):
            continue
        inputs = {node: jnp.asarray(X) for node, X in task.inputs.items()}
        yield (
            f"forward/{name}",
            rd.networks.forward(network, weights, inputs, jnp.asarray(task.context)),
        )
        modes = task.all_modes()
        readable = [path for path in network.paths() if network.ends(path) in modes]
        maps = rd.paths.observe_paths(network, weights, modes, readable, matrices=True)
        yield f"paths/{name}", maps
        r = rd.representations
        kernel = r.tangent_kernel(network, task, weights)
        moved = r.tangent_kernel(
            network, task, {edge: 1.1 * w + 0.01 for edge, w in weights.items()}
        )
        yield (
            f"representations/{name}",
            {
                "kernel": kernel,
                "movement": r.kernel_movement(kernel, moved),
                "open": r.open_outputs(network, task),
                "alignment": r.alignment(network, weights),
                "values": r.singular_values(weights),
            },
        )
    network, task, weights = problems["random"]
    given = {network.paths()[0]: 0.1 * np.ones((7, 4))}
    yield "statistics/residual", rd.statistics(network, task, given=given)
    matrices = {edge: np.asarray(w) for edge, w in weights.items()}
    small, narrow, few = rd.project(
        *problems["random"], bases=closed_bases(network, matrices, 1e-12).bases
    )
    yield "projected", {"task": narrow, "weights": few, "run": trained((small, narrow, few))}
    own = rd.statistics(*problems["context_paths"][:2])
    yield "path_bases", own.path_bases(own.paths)
    network, task, weights = problems["routing"]
    answers = rd.representations.responses(
        network, weights, {f"x{i}": np.eye(4) for i in range(3)}, "h2"
    )
    alike = rd.representations.similarity(answers)
    held = rd.representations.activity(network, task, weights, node="h1")
    yield (
        "hidden",
        {
            "responses": answers,
            "similarity": alike,
            "sharing": rd.representations.sharing(alike, 4),
            "activity": held,
            "mds": rd.representations.mds([held, held[::-1] ** 2]),
        },
    )
    strength = np.random.default_rng(0).standard_normal((5, 3, 4))
    strength[0, :, 0], strength[1, 2] = 0, np.nan
    yield (
        "concentration",
        {
            name: getattr(concentration, name)(strength)
            for name in ("shares", "largest_share", "participation", "entropy")
        },
    )

    task = rd.tasks.contextual(4, 2)
    relu = rd.networks.chain(rd.tasks.xor(0.5), 2, 8, activation="relu")
    nodes, edges = (
        dict(item=4, context=2, h1=(12, "relu"), output=len(task.Y)),
        {"item_h": ("item", "h1"), "context_h": ("context", "h1"), "h_output": ("h1", "output")},
    )
    relu = started(rd.Network(nodes, edges), task, rd.init.Gaussian(0.3))
    run = trained(relu, steps=60, observe=["strength", "off_diagonal", "activity:h1", "weights"])
    yield "patterns", rd.gates.patterns(run, task)
    for name, options in {
        "end": {},
        "start": {"at": 0, "gates_at": 60},
        "context": {"by": "context"},
    }.items():
        twin = rd.gates.twin(relu[0], task, run, **options)
        yield (
            f"twin/{name}",
            {**plain(twin.problem), "dead": twin.dead, "disagreement": twin.disagreement},
        )
        if name != "context":
            yield f"twin/{name}/pathways", rd.networks.split_units(twin.network, twin.weights)[1]


# --- closed forms


def exact(folder: Path) -> Cases:
    e, ts = rd.exact, np.linspace(0, 8, 9)
    S, d, ends = np.array([2.0, 1.0]), np.array([0.5, 1.5]), np.array([0.0, 0.3, 5.0, 1e4, np.inf])
    for layers in ([[0.1, 0.2]] * 2, [[0.1, 0.2], [0.3, 0.1], [0.2, 0.5]], [[0.3, 0.2]] * 6):
        yield (
            f"chain/{len(layers)}",
            chain_as_before(e.chain(S, np.array(layers), ends, variances=d)),
        )
    q, p = np.array([[1.0, 0.5], [0.3, 1.0]]), np.array([[0.1, -0.2], [0.2, 0.05]])
    for depths in ((1, 2), (3, 3), (4, 7)):
        name = f"{depths[0]}_{depths[1]}"
        yield f"converged/{name}", ended_as_before(e.converged(S, depths, q, p, d))
        yield f"trajectory/{name}", race_as_before(e.trajectory(S, depths, q, p, ts, variances=d))
    rng = np.random.default_rng(0)
    balanced = 0.3 * rng.standard_normal((3, 3))
    left, values, right = np.linalg.svd(balanced)
    yield (
        "riccati",
        riccati_as_before(
            e.riccati(
                (left * values) @ right,
                np.eye(3) @ (left * values) @ left.T,
                balanced,
                ts,
                variance=0.5,
            )
        ),
    )
    yield "two_layer", e.two_layer(S, d, S / 100, ts)["strength"][:, 0]
    yield "shallow", e.shallow(S, d, S / 100, ts)["strength"][:, 0]
    yield "two_layer_time", e.two_layer_time(S, d, S / 100, 0.9)
    for gating in ("linear", "xor"):
        yield (
            f"xor/{gating}",
            {
                "loss": e.xor(0.8, gating, 0.01, ts)["loss"],
                "time": e.xor_time(0.8, gating, 0.01, 0.5),
                "statistics": e.xor_statistics(0.8, gating),
            },
        )
    yield "xor/crossing", e.xor_crossing(1e-4, 0.5)
    first, second = 1e-3 * rng.standard_normal((20, 3)), 1e-3 * rng.standard_normal((1, 20))
    task = rd.tasks.xor(0.6)
    early = e.early_pathways(first, second, task.X, task.Y)
    yield "early", {"found": early, "first": early.strength([0])}
    routes, all_routes = rd.tasks.routing(7, 4), rd.tasks.routing(4, 4)
    yield "routing", routing_as_before(e.routing(routes, 0.08, ends))
    yield (
        "routing/two_scales",
        routing_as_before(e.routing(routes, (0.08, 0.2), ts, hidden_layers=2)),
    )
    yield "routing/groups", routing_as_before(e.routing(all_routes, 0.1, ts, sharing=2))
    network, task, weights = contexts(law=rd.init.Gaussian(1e-3))
    modes = e.contextual_modes(network, task)
    yield "contextual/modes", modes
    yield "contextual/start", e.contextual_start(modes, weights)
    yield "contextual/weights", contexts_as_before(e.contextual(network, task, weights, ends))
    yield "contextual/strengths", contexts_as_before(e.contextual(network, task, (1e-3, 1e-4), ts))


PAPERS = ("shi2022", "saxe2019", "saxe2022", "jarvis2025")
GROUPS: dict[str, Any] = {
    **{f"studies_{name}": paper(f"{name}.") for name in PAPERS},
    "training": training,
    "levels": levels,
    "measures": measures,
    "jobs": jobs,
    "ensembles": ensembles,
    "simulations": simulations,
    "exact": exact,
}
