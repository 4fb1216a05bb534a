"""Runs of routing networks, and what is read from them: shared by the figures of Saxe et al.
2022.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn.networks import Network, forward, routing
from racedyn.representations import responses, similarity
from racedyn.studies.study import Job, weights_of
from racedyn.tasks import Task, routes_of
from racedyn.training import train
from racedyn.trajectory import Probe, Trajectory


def trained_routing(
    job: Job, task: Task, law: Any, seed: int, lr: float, tag: str = "", *, finer: int = 1
) -> Trajectory:
    """The shared network as trained on [Saxe22]'s loss, with weights of every saved row and
    untrained routes as a probe; `finer`: as many steps more, of `lr` over it.
    """
    network, routes = routing(task, job.settings["width"]), routes_of(task)
    probes = [] if routes.routes.all() else [Probe("untrained", routes.untrained())]
    steps = job.settings["steps"] * finer
    tag += f"_finer{finer}" if finer > 1 else ""
    return job.keep(
        f"{type(law).__name__.lower()}_scale{law.scale:g}{tag}_seed{seed}",
        lambda: train(
            network,
            task,
            network.init(law, task=task, key=seed),
            lr=lr / finer,
            steps=steps,
            save_every=max(1, steps // job.settings["rows"]),
            loss="routes",
            observe=["strength", "off_diagonal", "weights", *probes],
            progress=job.progress,
        ),
    )


def blank_loss(task: Task) -> float:
    """The loss of answering 0 on any route."""
    features = routes_of(task).features
    return float(0.5 * np.sum(features**2) / features.shape[1])


def similarity_of_domains(
    network: Network, task: Task, run: Trajectory, row: int = -1
) -> np.ndarray:
    """Cosines between the first hidden layer's responses to all items of all domains, (M items, M
    items).
    """
    items = dict.fromkeys(task.inputs, routes_of(task).items)
    return np.asarray(similarity(responses(network, weights_of(run, row), items, "h1")))


def outputs(network: Network, task: Task, run: Trajectory) -> np.ndarray:
    """Answers of all M^2 routes: (output domain x feature, input domain x item)."""
    routes = routes_of(task)
    domains, items = routes.domains, routes.items.shape[1]
    weights = weights_of(run, -1)
    answers = np.zeros((domains, len(routes.features), domains, items))
    contexts = np.arange(domains**2)
    for i in range(domains):
        # All routes that start at domain i: its items in M contexts.
        inputs = {
            f"x{k + 1}": jnp.asarray(np.tile(routes.items if k == i else 0 * routes.items, domains))
            for k in range(domains)
        }
        context = jnp.asarray(np.repeat(contexts[i * domains : (i + 1) * domains], items))
        activity = forward(network, weights, inputs, context)
        for j in range(domains):
            answers[j, :, i] = activity[f"y{j + 1}"][:, j * items : (j + 1) * items]
    return answers.reshape(domains * len(routes.features), domains * items)
