"""The level "pathway": the q/p equations matched to actual weights."""

import numpy as np

from racedyn._checks import fail
from racedyn.networks import Network
from racedyn.reduction.assignment import Assignment
from racedyn.reduction.matching import match, strength_and_growth
from racedyn.reduction.validity import Validity
from racedyn.systems import Pathways


def pathway_race(assigned: Assignment, inexact: bool) -> Pathways:
    """One (q, p) per pathway and mode ([Shi22]), those of the task `modes` if given. It needs
    pathways that share no edge and carry no gates.

    Its `validity` has `misalignment` (off-diagonal of V^T Sigma_x V over its norm) and
    `off_diagonal` (path -> off-diagonal over diagonal norm of U^T W_a V at the start): what one
    number per mode leaves out. Never refused for that, `inexact` or not."""
    network, task, weight_decay = assigned.network, assigned.task, assigned.weight_decay
    check_apart(network, "pathway")
    paths = network.paths()
    ends = network.ends(paths[0])
    read = task.pair_modes(*ends) if assigned.other is None else assigned.modes[ends]
    left_out = {}
    if assigned.other is not None:
        outside = task.sigma_yx(*ends) - read.U * read.S @ read.V.T
        size = np.linalg.norm(task.sigma_yx(*ends))
        left_out = {"targets_off_diagonal": float(np.linalg.norm(outside) / size) if size else 0.0}
    q, p, off_diagonal = [], [], {}
    for name, path in zip(network.path_names(), paths, strict=True):
        K, growth, off = strength_and_growth([assigned.matrices[edge] for edge in path], read)
        q0, p0 = match(K, growth, len(path), assigned.branch)
        q.append(q0)
        p.append(p0)
        off_diagonal[name] = off
    return Pathways(
        read.S,
        [len(path) for path in paths],
        np.stack(q),
        np.stack(p),
        read.variances,
        loss_floor=read.floor,
        path_names=list(off_diagonal),
        mode_names=read.names,
        modes=read,
        weight_decay=weight_decay,
        validity=Validity(
            level="pathway",
            exact=False,
            reason="one number per mode and pathway",
            misalignment=read.misalignment,
            off_diagonal=off_diagonal,
            **left_out,
            **({"weight_decay": weight_decay} if weight_decay else {}),
        ),
    )


def check_apart(network: Network, level: str) -> None:
    """Refuse a network that is not pathways side by side from one input to one output."""
    paths = network.paths()
    if len({edge for path in paths for edge in path}) < sum(len(path) for path in paths):
        fail(
            "network",
            f"have pathways that share no edge at level {level!r}",
            "some edge lies on several paths",
        )
    if network.node_gates or network.edge_gates:
        fail(
            "network",
            f"have no gates at level {level!r}",
            f"{[*network.node_gates, *network.edge_gates]} are gated",
        )
    if len({network.ends(path) for path in paths}) > 1:
        fail(
            "network",
            f"have one input and one output at level {level!r}",
            f"it has {network.inputs}, {network.outputs}",
        )
