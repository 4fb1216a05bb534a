"""Gating patterns that many neurons share, found by clustering their activity ([Jarvis25]
Algorithm 1).
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import (
    as_key,
    as_list,
    check_flags,
    check_int,
    check_is,
    check_name,
    check_positive,
    fail,
    is_whole,
)
from racedyn.gates.found import Clusters, Found
from racedyn.gates.k_means import k_means
from racedyn.gates.neurons import by_context, relu_node, weights_at
from racedyn.networks import Network, check_task, check_weights, same_data, task_said
from racedyn.tasks import Task
from racedyn.trajectory import Trajectory

ROWS = ("raw", "unit")
BY = ("context", "example")
# Of the clustering itself: on 40 rows of one run, and on 830 of three, all keys that were tried
# have the same errors.
STARTS = 500
# How often it is repeated with neurons weighed at random, each time from fewer starts: as many in
# all, so that it takes as long again.
ROUNDS, STARTS_OF_ROUNDS = 10, 50


def find(
    network: Network,
    task: Task,
    runs: Trajectory | Sequence[Trajectory],
    *,
    k: int | Iterable[int] = range(2, 8),
    epochs: int | Iterable[int] | None = None,
    rows: str = "raw",
    by: str = "context",
    threshold: float = 0.5,
    pooled: bool = False,
    key: Any = 0,
) -> Found:
    """Gates of ReLU networks by k-means over their neurons ([Jarvis25] Algorithm 1, figs. 8, 9).

    Hidden activity of all runs is stacked, a row per neuron (neurons, examples), and rows that are
    not all 0 are clustered. A centroid says where the neurons of its cluster are active: where it
    exceeds the threshold, the pathway that the cluster stands for is open.

    **Arguments:**

    - `network`: inputs, one hidden ReLU node, outputs. `runs`: its trainings on `task` from
      different weights, with `observe=["weights"]`: a list, an ensemble of them, or one.
    - `k`: numbers of clusters, rising. `epochs`: steps of descent that all runs saved; the last
      one by default. Each is clustered by itself, unless `pooled`: then the neurons of all steps
      are, as the paper has it.
    - `rows`: "raw", activity as it is, as in the paper, so that neurons that learned weigh more; or
      "unit", each neuron's divided by its norm, so that those that learned nothing weigh as much.
    - `by`: what gates depend on: "context", centroids are averaged over each context's examples;
      or "example".
    - `threshold`: the part of its largest value above which a centroid is open. A half lies midway
      between contexts in which a cluster is silent and the one in which it is loudest.
    - `key`: of the starts of k-means, a whole number or a jax.random.key.

    **The error** of a gated linear network is that with the ReLU network's weights of the step, in
    which every neuron has its cluster's gates in place of its own: the mean over runs, outputs and
    examples of the squared difference of its outputs from the ReLU network's. Nothing is trained
    or fitted. The paper trains the gated network, which the study `jarvis2025.fig8` does too; the
    best fit of the pathways' maps to the outputs at one step would not tell gates apart, as it is
    exact as soon as the gates span the contexts. The **elbow** is the k whose error lies farthest
    below the straight line from the first k to the last; the first k where none lies below.

    **How far to trust it.** Clustering is repeated ten times, from other starts and with neurons
    weighed at random (by exponential weights, Rubin's bootstrap), as other neurons of the same kind
    would be. `found.agreement` says how often the same k and the same gates come out, and
    `print(found)` calls unstable what does not always; `found.margin`, how far the second best k
    lies behind.

    On the paper's data (that study) raw rows give its four pathways, and the elbow at four, once
    contexts are learned: from epoch 5000 of 8000 at width 700, 6000 at 300. Earlier or pooled steps
    don't, nor do rows of unit norm: their centroids favour one context of two.

    Needs scikit-learn (extra `gates`). Raises `ValueError` for another network, runs on another
    task, steps that were not saved, more clusters than there are different rows, and dead layers;
    `ImportError` without scikit-learn.

        >>> task = rd.tasks.xor(margin=0.5)
        >>> network = rd.networks.chain(task, depth=2, width=4, activation="relu")
        >>> w1 = np.array([[1.0, -1, 0], [1.1, -1, 0], [-1, 1, 0], [-1.2, 1, 0]])
        >>> weights = {"w1": w1, "w2": np.ones((1, 4))}  # two neurons on for +-, two for -+
        >>> run = rd.train(network, task, weights, lr=1e-3, steps=1, observe=["weights"])
        >>> found = rd.gates.find(network, task, run, k=(1, 2, 3))
        >>> found.chosen.tolist(), found.at().gates.astype(int).tolist()
        ([2], [[1, 0, 0, 0], [0, 1, 0, 0]])
        >>> found.errors.round(3).tolist()
        [[8.585, 0.012, 0.012]]
    """
    hidden = relu_node(network)
    check_task(network, task)
    trained = _runs(runs, task)
    k = _wholes("k", k, "numbers of clusters, rising", 1)
    epochs = _wholes(
        "epochs",
        [int(np.asarray(trained[0].step)[-1])] if epochs is None else epochs,
        "steps of descent, rising",
        0,
    )
    check_name("rows", rows, ROWS)
    check_name("by", by, BY)
    threshold = _part("threshold", threshold)
    check_flags(pooled=pooled)
    # 32 bits: JAX has more in float64 alone.
    seed = int(jax.random.bits(as_key(key, "gates.find(..., key=0)"), dtype=jnp.uint32))
    groups = [epochs] if pooled else [[epoch] for epoch in epochs]
    found = []
    for group in groups:
        layers = [_layer(network, task, run, hidden, epoch) for epoch in group for run in trained]
        activity = np.concatenate([np.maximum(drive, 0) for drive, _ in layers])
        _enough(activity[activity.any(axis=1)], k, hidden, group)
        found.append(_of_group(layers, activity, k, rows, seed, (task, by, threshold)))
    clusters, errors, chosen, margin, agreement = zip(*found, strict=True)
    return Found(
        np.array(groups),
        np.array(k),
        np.array(errors),
        np.array(chosen),
        np.array(margin),
        np.array(agreement),
        ROUNDS,
        clusters,
    )


class _Clustered(NamedTuple):
    """Clusters, and the error of their gates."""

    clusters: Clusters
    error: float


def _of_group(
    layers: Sequence[tuple[np.ndarray, np.ndarray]],
    activity: np.ndarray,
    k: Sequence[int],
    rows: str,
    seed: int,
    gates_by: tuple[Task, str, float],
) -> tuple[tuple[Clusters, ...], list[float], int, float, int]:
    """Of neurons that are clustered together: the clusters of each k, their errors, the k at the
    elbow, by how much, and in how many of the repetitions it comes out with the same gates.
    """
    task, by, _ = gates_by
    live = activity.any(axis=1)
    stacked, on = activity[live], activity[live] > 0
    if rows == "unit":
        stacked = stacked / np.linalg.norm(stacked, axis=1, keepdims=True)

    def clustered(weights: np.ndarray, starts: int, number: int) -> list[_Clustered]:
        of_k = []
        for count in k:
            # A number of clusters comes out as it does without any others.
            generator = np.random.default_rng((seed, number, count))
            centroids, label = k_means(stacked, weights, count, starts, generator)
            clusters = _clusters(centroids, label, on, *gates_by)
            gates = clusters.gates if by == "example" else clusters.gates[:, task.context]
            given = np.zeros(activity.shape)  # a neuron that is off has no gate, and answers 0
            given[live] = gates[label]
            of_k.append(_Clustered(clusters, _error(given, layers)))
        return of_k

    def said(of_k: Sequence[_Clustered]) -> tuple[int, set[tuple[bool, ...]]]:
        at, _ = elbow(k, [each.error for each in of_k])
        return at, set(of_k[k.index(at)].clusters.counts())

    best = clustered(np.ones(len(stacked)), STARTS, 0)
    drawn = np.random.default_rng(seed).exponential(size=(ROUNDS, len(stacked)))
    again = [clustered(w, STARTS_OF_ROUNDS, i) for i, w in enumerate(drawn, start=1)]
    errors = [each.error for each in best]
    agreement = sum(said(of_k) == said(best) for of_k in again)
    return tuple(each.clusters for each in best), errors, *elbow(k, errors), agreement


def elbow(k: Sequence[int], errors: Sequence[float]) -> tuple[int, float]:
    """The k whose error lies farthest below the straight line from the first to the last, and the
    part of that distance by which the second best lies behind; the first k and NaN where none lies
    below.
    """
    line = np.interp(k, [k[0], k[-1]], [errors[0], errors[-1]])
    below = line - np.asarray(errors)
    order = np.argsort(-below, kind="stable")
    if below[order[0]] <= 0:
        return k[0], np.nan
    return k[order[0]], float(1 - below[order[1]] / below[order[0]])


def _layer(
    network: Network, task: Task, run: Trajectory, hidden: str, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """What the hidden units are given before their nonlinearity (unit, example), and their weights
    to all outputs (n_out, unit).
    """
    weights = check_weights(network, weights_at(run, "epochs", epoch))
    given = {edge: np.asarray(matrix, np.float64) for edge, matrix in weights.items()}
    drive = sum(
        given[edge] @ task.inputs[network.edges[edge][0]] for edge in network.edges_into(hidden)
    )
    return np.asarray(drive), np.concatenate([given[edge] for edge in network.edges_from(hidden)])


def _clusters(
    centroids: np.ndarray, label: np.ndarray, on: np.ndarray, task: Task, by: str, threshold: float
) -> Clusters:
    """The clusters with gates by example or context; `on` (unit, example)."""
    loudness, share = centroids, on.astype(float)
    if by == "context":
        loudness, share = by_context(centroids, task), by_context(on, task)
    members = np.equal(label, np.arange(len(centroids))[:, None]).astype(float)  # (cluster, unit)
    sizes = members.sum(axis=1)
    return Clusters(
        loudness > threshold * loudness.max(axis=1, keepdims=True),
        centroids,
        members @ (share > 0.5) > 0.5 * sizes[:, None],
        sizes.astype(int),
    )


def _error(gates: np.ndarray, layers: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Mean squared difference of outputs, where neurons have `gates` (unit, example) for their
    own.
    """
    squares, start = [], 0
    for drive, out in layers:
        own = gates[start : (start := start + len(drive))]
        squares.append((out @ (own * drive - np.maximum(drive, 0))) ** 2)
    return float(np.mean(squares))


def _runs(runs: Any, task: Task) -> list[Trajectory]:
    """The runs one by one, refusing those without weights and those of other data."""
    given = [runs] if isinstance(runs, Trajectory) else as_list("runs", runs, "be trainings")
    found: list[Trajectory] = []
    for i, run in enumerate(given):
        name = "runs" if run is runs else f"runs[{i}]"
        check_is(name, run, Trajectory, "be a Trajectory of `train`")
        each = [run] if run.members is None else [run.member(m) for m in range(run.members)]
        if each[0].ys is None or each[0].step is None:
            fail(name, "have saved its weights", "it has not", 'train(..., observe=["weights"]).')
        said = {} if run.provenance is None else run.provenance.settings.get("task", {})
        if said and not same_data(said, task_said(task)):
            fail("task", "be the one of all runs", f"{name} was trained on other data")
        found += each
    if not found:
        fail("runs", "hold at least one training", "it is empty")
    return found


def _wholes(argument: str, values: Any, what: str, at_least: int) -> list[int]:
    """One whole number, or several that rise, as a list."""
    given = [values] if is_whole(values) else as_list(argument, values, f"be {what}")
    wholes = [check_int(argument, value, at_least) for value in given]
    if not wholes or wholes != sorted(set(wholes)):
        fail(argument, f"be {what}", f"it is {wholes}")
    return wholes


def _enough(rows: np.ndarray, k: Sequence[int], hidden: str, group: Sequence[int]) -> None:
    """Refuse more clusters than there are different rows."""
    if not len(rows):
        fail(
            "runs",
            f"have units of {hidden!r} that are on in some example",
            f"all are off at {', '.join(map(str, group))}",
            "Look at the initial weights and the step size.",
        )
    different = len(np.unique(rows, axis=0))
    if k[-1] > different:
        fail(
            "k",
            f"be at most {different}, as many different rows as live units of {hidden!r} have",
            f"it is {k[-1]}",
        )


def _part(argument: str, value: Any) -> float:
    """A number above 0 and below 1."""
    number = check_positive(argument, value)
    if number >= 1:
        fail(argument, "be below 1", f"it is {number:g}", "It is a part of the largest value.")
    return number
