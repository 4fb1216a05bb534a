"""Whether a training came to its end: how far its loss stayed above the least that the network can
reach. Of cross-entropy that is not known here: 0 is its bound.
"""

from typing import NamedTuple

import numpy as np

from racedyn.networks import Network
from racedyn.rules import Routed, goes_by_sums
from racedyn.systems import condense
from racedyn.tasks import RoutingTask, Task

ROUNDINGS = 32  # of a loss, below which nothing is left of it
PRINTED = 0.005  # half a unit of the second decimal, to which strengths and shares are printed


class Least(NamedTuple):
    """The least loss of a task in a network.

    **Fields:** `floor`: no weights go below it; `exact`: whether some weights reach it; `weakest`:
    what the weakest singular direction of the reachable targets adds to the loss while it is not
    learned (NaN if there is none)."""

    floor: float
    exact: bool
    weakest: float


BOUND = Least(0.0, False, float("nan"))  # no loss is below 0


def least_loss(network: Network, task: Task) -> Least:
    """The floor under the loss: 0 for a nonlinear network, where it is only a bound.

    In a linear one the residual of the least-squares fit by all paths' free maps. Weights reach it
    if hidden nodes have room for every path's map beside the others. A narrower network whose paths
    join one input to one output, without gates and shared edges, reaches the best map of its rank
    (Eckart and Young): singular values beyond it stay."""
    if not network.linear or network.unit_gated:
        return BOUND
    if goes_by_sums(task, network):
        return _least_of_routes(network, task)
    condensed = condense(network, task)
    targets = [live.rows for live in condensed.targets.values() if live.rows.size]
    parts = [np.linalg.svd(Y, compute_uv=False) for Y in targets]
    # 1/2 < |y|^2 > of each singular direction, falling within each output
    shares = [
        0.5 * condensed.weight * S[max(Y.shape) * np.finfo(float).eps * S[0] < S] ** 2
        for Y, S in zip(targets, parts, strict=True)
    ]
    floor, exact = condensed.floor, _has_room(network)
    if not exact and (rank := _rank(network)) is not None:
        (share,) = shares
        floor, shares, exact = floor + float(np.sum(share[rank:])), [share[:rank]], True
    return Least(
        floor, exact, float(min((np.min(share) for share in shares if share.size), default=np.nan))
    )


def _least_of_routes(network: Network, task: RoutingTask) -> Least:
    """The same by sums over domains: free maps fit each route as well as one of them can be fit."""
    known, data = task.structure, Routed.of(task, float)
    # 1/2 < |y|^2 > of each singular direction that can be fit, of one route.
    S = np.linalg.svd(np.asarray(data.targets), compute_uv=False)
    kept = S[max(data.targets.shape) * np.finfo(float).eps * S[0] < S]
    per_route = 0.5 * np.min(kept, initial=np.inf) ** 2 / data.num_examples
    fewest = min(count for count in known.routes.sum(axis=0) if count)
    weakest = float(fewest * per_route) if kept.size else np.nan
    return Least(float(data.floor), _has_room(network), weakest)


def _has_room(network: Network) -> bool:
    """Whether each path's map can be anything: every hidden node can hold all beginnings, or all
    endings, side by side.
    """
    sizes = []
    for ends, order, nearer in (
        (
            network.inputs,
            network.order,
            lambda node: [network.edges[edge][0] for edge in network.edges_into(node)],
        ),
        (
            network.outputs,
            network.order[::-1],
            lambda node: [network.edges[edge][1] for edge in network.edges_from(node)],
        ),
    ):
        size = {node: network.nodes[node].width for node in ends}
        for node in order:
            if node not in size:
                size[node] = sum(size[other] for other in nearer(node))
        sizes.append(size)
    hidden = [node for node in network.nodes if node not in (*network.inputs, *network.outputs)]
    return any(all(size[node] <= network.nodes[node].width for node in hidden) for size in sizes)


def _rank(network: Network) -> int | None:
    """The rank of the map that paths without common edges add up to; None where that is not the
    whole story.
    """
    if (
        len(network.inputs) != 1
        or len(network.outputs) != 1
        or network.node_gates
        or network.edge_gates
    ):
        return None
    hidden = [node for node in network.nodes if node not in (*network.inputs, *network.outputs)]
    if any(
        len(network.edges_into(node)) != 1 or len(network.edges_from(node)) != 1 for node in hidden
    ):
        return None
    ends = [network.nodes[node].width for node in (*network.inputs, *network.outputs)]
    return sum(
        min([*ends, *(network.nodes[network.edges[edge][1]].width for edge in path[:-1])])
        for path in network.paths()
    )


def converged_below(least: Least, dtype: np.dtype) -> float | None:
    """The largest loss of this dtype at which `judge` says 1; None where the floor is no more than
    a bound."""
    if not least.exact:
        return None
    weakest = 0.0 if np.isnan(least.weakest) else least.weakest
    loss = (least.floor + weakest * PRINTED**2) / (1 - ROUNDINGS * np.finfo(dtype).eps)
    return float(np.nextafter(dtype.type(loss), dtype.type(0)))


def judge(ts: np.ndarray, loss: np.ndarray, least: Least) -> dict[str, np.ndarray]:
    """What `stats` say of the end of one task's rows.

    `loss_floor`; `loss_left`: the loss above the floor, of what it was at most; `unlearned`: where
    the floor is exact the largest part of any singular direction of the targets that can still be
    missing, sqrt(left / weakest), else that of all of them, for what would still be learned if the
    loss went on falling for as long again as between the last two rows; `converged`: 1 if no second
    decimal of a strength can still change, 0 if it can, NaN where the floor is not known and the
    loss stands still above it: an end and a plateau look the same."""
    ts, values = np.asarray(ts, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    if not values.size or not np.isfinite(values).all():  # it diverged at the start
        ts, values = np.zeros(1), np.full(1, np.finfo(np.float64).max)
    rounding = ROUNDINGS * np.finfo(np.asarray(loss).dtype).eps * values[-1]
    over = np.maximum(values - least.floor - rounding, 0.0)
    last, most = float(over[-1]), float(over.max())
    if least.exact:
        unlearned = _part(last, least.weakest)
        converged = float(unlearned < PRINTED)
    else:
        # With fewer than three rows all of the loss may be what still falls.
        known = len(ts) > 2 and ts[-1] > ts[-2]
        fall = (
            abs(values[-2] - values[-1]) / (ts[-1] - ts[-2]) * (ts[-1] - ts[0]) if known else last
        )
        unlearned = _part(min(last, fall), most)
        converged = 0.0 if unlearned >= PRINTED else 1.0 if _part(last, most) < PRINTED else np.nan
    found = {
        "loss_floor": least.floor,
        "loss_left": _part(last, most) ** 2,
        "unlearned": unlearned,
        "converged": converged,
    }
    return {name: np.asarray(value, dtype=np.float64) for name, value in found.items()}


def _part(left: float, whole: float) -> float:
    """sqrt(left / whole), of a loss that is quadratic in what is missing; 0 where nothing is
    left.
    """
    return 0.0 if left == 0 else float(np.sqrt(left / whole)) if whole > 0 else np.nan
