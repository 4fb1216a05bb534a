"""The same network in fewer dimensions: W_e = R_target B_e R_source^T ([Saxe22] section 3, theory
of matrix reductions).
"""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn._arrays import as_matrix
from racedyn._checks import check_mapping, check_name, fail
from racedyn.networks import Network, Node, Problem, refuse_unit_gates, the_three
from racedyn.paths import Pair
from racedyn.reduction.bases import gated_alike
from racedyn.tasks import Modes, Task


def project(
    network: Network | Problem,
    task: Task | None = None,
    weights: Mapping[str, Any] | None = None,
    *,
    bases: Mapping[str, Any],
) -> Problem:
    """`network`, `task` and `weights` in the coordinates of `bases`: node -> orthonormal columns
    (n, k).

    The result unpacks into network, task and weights. It is a network like any other, of width k at
    each node, that trains and is simulated like one: B_e = R_t^T W_e R_s, inputs R^T x, targets R^T
    y. It learns exactly as the whole network does where the bases are complete at inputs and
    outputs and closed under the initial matrices (`reduce(level="matrix")` finds such bases).
    Strengths of its paths, read in its own task's modes, are those of the whole network; a pair of
    nodes where a basis does not hold all its modes is read in modes of what is left of the task,
    and warned of by name.

    Raises `ValueError` for a node without a basis, a basis that is not orthonormal, or a nonlinear
    network, which does not commute with rotations.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.chain(task, depth=2, width=100)
        >>> weights = network.init(rd.init.Gaussian(std=0.01), key=0)
        >>> both = np.hstack([weights["w1"], weights["w2"].T])  # what 4 inputs and 7 outputs see
        >>> bases = {"input": np.eye(4), "h1": np.linalg.qr(both)[0], "output": np.eye(7)}
        >>> print(rd.project(network, task, weights, bases=bases).network)
        linear network (input 4, output 7, 1 hidden layers of 11 units), 2 edges
    """
    network, task, weights = the_three(network, task, weights)
    if not network.linear:
        fail(
            "network",
            "be linear to be projected",
            f"it is a {network}",
            "A nonlinear layer does not commute with bases.",
        )
    refuse_unit_gates(network)
    R = _checked_bases(network, bases)
    narrow, matrices = narrowed(network, weights, R)
    read = readable(task, R)
    small = Task(
        inputs={node: R[node].T @ X for node, X in task.inputs.items()},
        targets={node: R[node].T @ Y for node, Y in task.targets.items()},
        context=task.context,
        num_contexts=task.num_contexts,
        name=task.name,
        bases={
            pair: (R[pair[1]].T @ modes.U, R[pair[0]].T @ modes.V) for pair, modes in read.items()
        },
        mode_names={pair: modes.names for pair, modes in read.items()},
        item_names=task.item_names,
    )
    return Problem(narrow, small, matrices)


def narrowed(
    network: Network, weights: Mapping[str, Any], R: Mapping[str, np.ndarray]
) -> tuple[Network, dict[str, Any]]:
    """The network and its weights in the coordinates of R: node -> orthonormal columns (n, k)."""
    nodes = {node: Node(R[node].shape[1]) for node in network.nodes}
    matrices = {
        edge: R[t].T @ np.asarray(weights[edge]) @ R[s] for edge, (s, t) in network.edges.items()
    }
    return gated_alike(network, nodes, network.edges), matrices


def _checked_bases(network: Network, bases: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Node -> R, (n, k), orthonormal columns."""
    check_mapping("bases", bases, "be a dict node -> orthonormal columns (n, k)")
    for node in bases:
        check_name("bases", node, network.nodes)
    R = {}
    for node, (width, _) in network.nodes.items():
        if node not in bases:
            fail(
                "bases",
                "have one for every node",
                f"{node!r} has none",
                "np.eye(n) leaves a node as it is.",
            )
        R[node] = as_matrix(f"bases[{node!r}]", bases[node])
        if R[node].shape[0] != width:
            fail(
                f"bases[{node!r}]",
                f"have {width} rows, as the node has units",
                f"its shape is {R[node].shape}",
            )
        if not np.allclose(R[node].T @ R[node], np.eye(R[node].shape[1]), atol=1e-10):
            fail(
                f"bases[{node!r}]",
                "have orthonormal columns",
                "they are not",
                "np.linalg.qr makes them so.",
            )
    return R


def readable(task: Task, R: Mapping[str, np.ndarray]) -> dict[Pair, Modes]:
    """The modes of each pair that its bases hold, with a warning of those that they do not."""
    read = {}
    for pair, modes in task.all_modes().items():
        without = [
            node
            for node, basis in zip(pair, (modes.V, modes.U), strict=True)
            if not _holds(R[node], basis)
        ]
        if without:
            warnings.warn(
                f"The bases at {' and '.join(map(repr, without))} do not hold all modes of "
                f"{pair!r}: strengths of the "
                "projected network are read in modes of what is left of the task, not in those of "
                "the whole one.",
                UserWarning,
                stacklevel=3,
            )
        else:
            read[pair] = modes
    return read


def projected_modes(modes: Modes, R: Mapping[str, np.ndarray], pair: tuple[str, str]) -> Modes:
    """The same modes in the coordinates of R."""
    return dataclasses.replace(modes, U=R[pair[1]].T @ modes.U, V=R[pair[0]].T @ modes.V)


def _holds(basis: np.ndarray, directions: np.ndarray) -> bool:
    return bool(np.allclose(basis @ (basis.T @ directions), directions, atol=1e-10))
