"""A task condensed to what moves weights: few columns per group of contexts, and targets that the network can reach.

Within a group of contexts a gated linear network is one linear map, so its loss depends on the group's examples through
correlations alone. Rotating the examples of a group leaves these as they are, and as many columns as the inputs have
rank hold all of them. Targets are replaced by their least-squares fit on what the paths carry, g_p x: the rest is
orthogonal to all that any path can do. It never enters a gradient, and is the floor of the loss.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from racedyn.networks.gating import Gating, PathClass, gate_groups, path_classes
from racedyn.networks.network import Network
from racedyn.tasks.task import Task


class Condensed(NamedTuple):
    """Columns that give the same gradient as all examples: L = 1/2 sum_c |y_c - h_c|^2 / P + floor.

    **Fields:** `inputs`, `targets`: node -> (n, column), unscaled; `group` (column,): of contexts, in `gating`;
    `weight`: 1/P; `floor`: the part of the loss that no weights remove if paths are free.
    """

    gating: Gating
    inputs: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    group: np.ndarray
    weight: float
    floor: float


def condense(network: Network, task: Task) -> Condensed:
    """Condense `task` for `network`, whose gates say which contexts are alike."""
    gating = gate_groups(network, task.num_contexts)
    group = gating.group_of[task.context]
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    blocks = np.split(order, starts[1:])
    full = [_rotation({node: X[:, block] for node, X in task.inputs.items()}) for block in blocks]
    power = sum(float(np.sum(Y**2)) for Y in task.targets.values())
    if all(rotation is None for rotation in full):
        inputs, targets, column_group = dict(task.inputs), dict(task.targets), group
    else:
        parts = [np.eye(len(block)) if turn is None else turn for block, turn in zip(blocks, full, strict=True)]
        inputs, targets = (
            {node: np.concatenate([A[:, block] @ turn for block, turn in zip(blocks, parts, strict=True)], axis=1)
             for node, A in arrays.items()}
            for arrays in (task.inputs, task.targets)
        )  # fmt: skip
        column_group = np.concatenate([np.full(turn.shape[1], group[block[0]])
                                       for block, turn in zip(blocks, parts, strict=True)])  # fmt: skip
    targets = fit_targets(network, gating, inputs, targets, column_group)
    reached = sum(float(np.sum(Y**2)) for Y in targets.values())
    weight = 1.0 / task.num_examples
    # A fit to rounding must not leave a floor: what is left is compared with what there was.
    left = power - reached
    floor = 0.5 * weight * left if left > _NOISE * power else 0.0
    return Condensed(gating, inputs, targets, column_group, weight, floor)


_NOISE = 1e3 * np.finfo(np.float64).eps


def _rotation(inputs: dict[str, np.ndarray]) -> np.ndarray | None:
    """(P, r): examples to the r columns that hold all of their inputs' correlation; None where that saves nothing."""
    X = np.concatenate([rows for rows in inputs.values() if rows.any()] or [np.zeros((1, 1))])
    if X.shape[1] == 1 and X.any():
        return None
    _, S, Vt = np.linalg.svd(X, full_matrices=False)
    rank = int(np.count_nonzero(max(X.shape) * np.finfo(float).eps * S[0] < S)) if S[0] > 0 else 0
    return None if rank == X.shape[1] else np.ascontiguousarray(Vt[:rank].T)


def fit_targets(
    network: Network,
    gating: Gating,
    inputs: dict[str, np.ndarray],
    targets: dict[str, np.ndarray],
    group: np.ndarray,
) -> dict[str, np.ndarray]:
    """The least-squares fit of `targets` by sums over paths of g_p W_p x with free W_p: node -> (n, column).

    Groups of contexts that no class of paths has in common are fitted on their own.
    """
    columns_of = _columns_of_groups(group, gating.num_groups)
    fitted = {}
    for node, classes in path_classes(network, gating).items():
        Y = targets[node]
        fit = np.zeros_like(Y)
        for members in _connected(classes):
            groups = np.unique(np.concatenate([known.groups for known in members]))
            columns = np.concatenate([columns_of[g] for g in groups])
            if not len(columns):
                continue
            features = np.concatenate([_gated(known, inputs, gating.num_groups, group, columns) for known in members])
            features = features[np.any(features != 0, axis=1)]
            if not len(features):
                continue
            _, S, Vt = np.linalg.svd(features, full_matrices=False)
            rank = int(np.count_nonzero(max(features.shape) * np.finfo(float).eps * S[0] < S))
            fit[:, columns] = Y[:, columns] if rank == len(columns) else (Y[:, columns] @ Vt[:rank].T) @ Vt[:rank]
        fitted[node] = fit
    return fitted


def _columns_of_groups(group: np.ndarray, num_groups: int) -> list[np.ndarray]:
    order = np.argsort(group, kind="stable")
    return np.split(order, np.searchsorted(group[order], np.arange(1, num_groups)))


def _gated(
    known: PathClass, inputs: dict[str, np.ndarray], num_groups: int, group: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """g_p x of these columns, (n_in, column)."""
    at = np.searchsorted(known.groups, group[columns])
    at[at == len(known.groups)] = 0
    gate = np.where(known.groups[at] == group[columns], known.values[at], 0.0)
    return inputs[known.source][:, columns] * gate


def _connected(classes: list[PathClass]) -> list[list[PathClass]]:
    """Classes of paths split so that two parts share no group of contexts."""
    owner: dict[int, int] = {}
    parent = list(range(len(classes)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for i, known in enumerate(classes):
        for g in known.groups.tolist():
            parent[root(i)] = root(owner.setdefault(g, i))
    parts: dict[int, list[PathClass]] = {}
    for i, known in enumerate(classes):
        parts.setdefault(root(i), []).append(known)
    return list(parts.values())


def condense_modes(network: Network, condensed: Condensed, frames: Mapping[str, np.ndarray]) -> Condensed:
    """The condensed task read in one direction per mode and node: arrays (1, column, mode).

    `frames`: node -> (n, mode), orthonormal. In each mode a group of contexts needs as many columns as it has inputs.
    """
    group = condensed.group
    X = {node: frames[node].T @ columns for node, columns in condensed.inputs.items()}  # (mode, column)
    Y = {node: frames[node].T @ columns for node, columns in condensed.targets.items()}
    columns_of = _columns_of_groups(group, condensed.gating.num_groups)
    parts: list[tuple[int, dict[str, np.ndarray], np.ndarray, np.ndarray]] = []
    for number, columns in enumerate(columns_of):
        live = [node for node, rows in X.items() if len(columns) and rows[:, columns].any()]
        if live:
            block = np.stack([X[node][:, columns] for node in live], axis=1)  # (mode, input, column)
            turn, reduced = np.linalg.qr(np.swapaxes(block, 1, 2))
            parts.append((number, {node: reduced[:, :, i] for i, node in enumerate(live)}, columns, turn))
    inputs, targets = {}, {}
    for node, rows in X.items():
        zero = np.zeros((len(rows), 1))
        inputs[node] = np.concatenate(
            [reduced.get(node, np.broadcast_to(zero, turn.shape[::2])) for _, reduced, _, turn in parts], axis=1
        )
    for node, rows in Y.items():
        targets[node] = np.concatenate(
            [np.einsum("ac,acr->ar", rows[:, columns], turn) for _, _, columns, turn in parts], axis=1
        )
    group = np.concatenate([np.full(turn.shape[2], number) for number, _, _, turn in parts])
    for mode in range(len(next(iter(X.values())))):
        fitted = fit_targets(
            network,
            condensed.gating,
            {node: rows[mode : mode + 1] for node, rows in inputs.items()},
            {node: rows[mode : mode + 1] for node, rows in targets.items()},
            group,
        )
        for node, rows in fitted.items():
            targets[node][mode] = rows[0]
    whole, kept = (sum(float(np.sum(rows**2)) for rows in arrays.values()) for arrays in (condensed.targets, targets))
    left = whole - kept
    floor = condensed.floor + (0.5 * condensed.weight * left if left > _NOISE * whole else 0.0)
    inputs, targets = (
        {node: np.ascontiguousarray(rows.T[None]) for node, rows in arrays.items()} for arrays in (inputs, targets)
    )
    return Condensed(condensed.gating, inputs, targets, group, condensed.weight, floor)
