"""From a network, a task and weights to the reduced equations of their learning dynamics."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn._checks import check_name, fail
from racedyn.networks.fit import check_task, check_weights
from racedyn.networks.network import Network
from racedyn.systems.matching import match, strength_and_growth
from racedyn.systems.pathways import Pathways
from racedyn.tasks.task import Task

LEVELS = ("pathway",)


def reduce(
    network: Network, task: Task, weights: Mapping[str, Any], *, level: str = "pathway", branch: str = "larger"
) -> Pathways:
    """The reduced system of `network` learning `task` from `weights`.

    `level="pathway"`: the q/p equations of [Shi22], one (q, p) per pathway and mode, matched to the weights
    (`racedyn.systems.matching`; `branch` is its choice of root). It needs linear pathways that share no edge and carry
    no gates; it is never exact beyond what `validity` says, and refuses no weights.

    The result's `validity` has `exact` (False), `misalignment` (off-diagonal of V^T Sigma_x V over its norm),
    `off_diagonal` (path -> off-diagonal over diagonal norm of U^T W_a V at the start): what one number per mode leaves
    out.

    Raises `ValueError` for a nonlinear network, pathways that share an edge, gates, weights or a task that do not fit.
    """
    check_name("level", level, LEVELS)
    check_task(network, task)
    weights = check_weights(network, weights)
    paths = network.paths()
    if not network.linear:
        fail("network", "be linear to be reduced", f"it is a {network}", "Train it in full width and compare with the "
             "reduction of the linear network of the same shape.")  # fmt: skip
    if len({edge for path in paths for edge in path}) < sum(len(path) for path in paths):
        fail("network", "have pathways that share no edge at level 'pathway'", "some edge lies on several paths")
    if network.node_gates or network.edge_gates:
        fail("network", "have no gates at level 'pathway'", f"{[*network.node_gates, *network.edge_gates]} are gated")
    if len({network.ends(path) for path in paths}) > 1:
        fail(
            "network", "have one input and one output at level 'pathway'", f"it has {network.inputs}, {network.outputs}"
        )

    modes = task.pair_modes(*network.ends(paths[0]))
    q, p, off_diagonal = [], [], {}
    for name, path in zip(network.path_names(), paths, strict=True):
        K, growth, off = strength_and_growth([np.asarray(weights[edge], np.float64) for edge in path], modes)
        q0, p0 = match(K, growth, len(path), branch)
        q.append(q0)
        p.append(p0)
        off_diagonal[name] = off
    return Pathways(
        modes.S,
        [len(path) for path in paths],
        np.stack(q),
        np.stack(p),
        modes.variances,
        loss_floor=modes.floor,
        path_names=list(off_diagonal),
        mode_names=modes.names,
        modes=modes,
        validity={"level": level, "exact": False, "misalignment": modes.misalignment, "off_diagonal": off_diagonal},
    )
