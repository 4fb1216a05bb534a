"""ReLU and gated networks on contextual tasks, and what is read from their runs: shared by figures
4, 5 and 8.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn._types import Weights
from racedyn.networks import Network, chain, contextual, forward, init
from racedyn.reduction import reduce
from racedyn.simulation import simulate
from racedyn.studies.study import Job, weights_of
from racedyn.tasks import Task
from racedyn.training import train
from racedyn.trajectory import Trajectory

RULES = ("staged", "joint")
OURS = ("rows", "weight_rows", "finer", "seeds")
# As published for figure 5; figures 4 and 8 take them over.
SETTINGS: dict[str, Any] = {
    "items": 8,
    "contexts": [3, 4, 5],
    "width": 700,
    "pathway_width": 100,
    # By number of contexts 0.0005 x 10 over 100 units in each of 7, 5 and 6 modules; of pathways
    # of some contexts x 20 where there are three.
    "stds": [0.005 / 700, 0.005 / 500, 0.005 / 600],
    "context_stds": [0.01 / 700, 0.005 / 500, 0.005 / 600],
    "lr": 0.001,
    "epochs": 8000,
    "rows": 400,
    "weight_rows": 40,
    "finer": [1, 2, 4],
    "seeds": [0, 1, 2],
}


def stds(job: Job, task: Task) -> tuple[float, float]:
    """Of entries of the ReLU network and the common pathway, and of other pathways."""
    at = job.settings["contexts"].index(task.num_contexts)
    return job.settings["stds"][at], job.settings["context_stds"][at]


def relu_network(job: Job, task: Task) -> Network:
    """The ReLU network of the settings' width."""
    return chain(task, 2, job.settings["width"], activation="relu")


def relu(job: Job, task: Task, seed: int, rows: int, *, whole: bool = False) -> Trajectory:
    """A ReLU network as trained, `rows` of it; with weights and hidden activity where `whole`."""
    network = relu_network(job, task)
    weights = network.init(init.Gaussian(stds(job, task)[0]), key=seed)
    name = f"relu_contexts{task.num_contexts}_seed{seed}{'_whole' if whole else ''}"
    return job.keep(
        name,
        lambda: descend(
            job, network, task, weights, rows, observe=["activity:h1", "weights"] if whole else []
        ),
    )


def gated_problem(
    job: Job, task: Task, active: int | Sequence[int], seed: int
) -> tuple[Network, Weights, dict[str, list[list[str]] | None]]:
    """The network, random weights with the scales of both kinds of pathway, and the `stages` of
    each rule.
    """
    network = contextual(task, active, job.settings["pathway_width"])
    common, of_contexts = stds(job, task)
    unit = network.init(init.Gaussian(1.0), key=seed)
    weights = {
        edge: (common if is_common(edge) else of_contexts) * matrix for edge, matrix in unit.items()
    }
    stages = [
        [edge for edge in network.edges if is_common(edge) is first] for first in (True, False)
    ]
    return network, weights, {"staged": stages, "joint": None}


def is_common(edge: str) -> bool:
    """Whether an edge belongs to the pathway that all contexts share."""
    return "common" in edge


def gated(
    job: Job,
    task: Task,
    active: int | Sequence[int],
    seed: int,
    rule: str,
    rows: int,
    *,
    finer: int = 1,
    with_weights: bool = False,
) -> Trajectory:
    """A gated network as trained by a rule, with the published step over `finer`."""
    network, weights, stages = gated_problem(job, task, active, seed)
    sizes = "_".join(str(k) for k in np.atleast_1d(active))
    name = (
        f"gated_contexts{task.num_contexts}_active{sizes}_{rule}_seed{seed}_finer{finer}_rows{rows}"
    )
    return job.keep(
        name,
        lambda: descend(
            job,
            network,
            task,
            weights,
            rows,
            finer=finer,
            stages=stages[rule],
            observe=["weights"] if with_weights else [],
        ),
    )


def theory(job: Job, task: Task, active: int, seed: int, rule: str, ts: np.ndarray) -> Trajectory:
    """The level "matrix" of the same network from the same weights."""
    network, weights, stages = gated_problem(job, task, active, seed)

    def solve() -> Trajectory:
        system = reduce(network, task, weights, level="matrix", stages=stages[rule], paths=[])
        return simulate(system, ts, progress=job.progress)

    return job.keep(f"theory_contexts{task.num_contexts}_active{active}_{rule}_seed{seed}", solve)


def descend(
    job: Job,
    network: Network,
    task: Task,
    weights: Mapping[str, Any],
    rows: int,
    *,
    epochs: int | None = None,
    finer: int = 1,
    **options: Any,
) -> Trajectory:
    """Descent at the published step over `finer`, for the published number of epochs or
    `epochs`.
    """
    steps = (job.settings["epochs"] if epochs is None else epochs) * finer
    return train(
        network,
        task,
        weights,
        lr=job.settings["lr"] / finer,
        steps=steps,
        save_every=max(1, steps // rows),
        loss="half_sum",
        progress=job.progress,
        **options,
    )


def half_sum(run: Trajectory, task: Task) -> np.ndarray:
    """The published loss, half the sum of squares, (time,)."""
    return np.asarray(run["loss"]) * task.num_examples


def distance(values: np.ndarray, reference: np.ndarray) -> float:
    """Relative L2."""
    return float(np.linalg.norm(values - reference) / np.linalg.norm(reference))


def epochs_of(run: Trajectory) -> np.ndarray:
    """Of the saved rows, in thousands, (time,)."""
    return np.asarray(run.step) / 1000


def answers(network: Network, task: Task, run: Trajectory) -> np.ndarray:
    """The prediction at every saved row, (time, n_out, P)."""
    inputs, context = (
        {node: jnp.asarray(X) for node, X in task.inputs.items()},
        jnp.asarray(task.context),
    )
    (output,) = network.outputs
    return np.stack(
        [
            forward(network, weights_of(run, row), inputs, context)[output]
            for row in range(len(np.asarray(run.ts)))
        ]
    )


def maps_by_kind(network: Network, task: Task, weights: Mapping[str, Any]) -> dict[int, np.ndarray]:
    """Number of contexts that open a pathway -> what all pathways of that number answer together,
    (n_out, P).
    """
    found: dict[int, np.ndarray] = {}
    for into, out in network.paths():
        source, node = network.edges[into]
        gate = network.node_gates.get(node, np.ones(task.num_contexts))
        part = gate[task.context] * np.asarray(weights[out] @ (weights[into] @ task.inputs[source]))
        found[int(gate.sum())] = found.get(int(gate.sum()), 0) + part
    return found


def shares(parts: Mapping[int, np.ndarray]) -> dict[int, float]:
    """Part of the sum of these maps that each carries along it; they add up to 1."""
    total = sum(parts.values(), start=np.zeros(1))
    return {kind: float(np.sum(part * total) / np.sum(total**2)) for kind, part in parts.items()}


def linear_part(task: Task) -> np.ndarray:
    """The projection (P, P) on what depends linearly on inputs: all that a common pathway can
    answer.
    """
    X = np.concatenate(list(task.inputs.values()))
    return np.asarray(np.linalg.pinv(X) @ X)
