"""A task condensed to what moves weights: few columns per group of contexts, and targets that the
network can reach.

Within a group of contexts a gated linear network is one linear map, so its loss depends on the
group's examples through correlations alone. Rotating the examples of a group leaves these as they
are, and as many columns as the inputs have rank hold all of them. Targets are replaced by their
least-squares fit on what the paths carry, g_p x: the rest is orthogonal to all that any path can
do. It never enters a gradient, and is the floor of the loss."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from racedyn.networks import Gating, Network, gate_groups
from racedyn.paths import PathClass, path_classes
from racedyn.tasks import RoutingTask, Task


class Condensed(NamedTuple):
    """Columns that give the same gradient as all examples: L = 1/2 sum_c |y_c - h_c|^2 / P + floor.

    **Fields:** `inputs`, `targets`: node -> (n, column), unscaled; `group` (column,): of contexts,
    in `gating`; `weight`: 1/P; `floor`: the part of the loss that no weights remove if paths are
    free."""

    gating: Gating
    inputs: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    group: np.ndarray
    weight: float
    floor: float


def condense(network: Network, task: Task) -> Condensed:
    """Condense `task` for `network`, whose gates say which contexts are alike."""
    power = sum(map(task.power, task.output_widths)) * task.num_examples
    weight = 1.0 / task.num_examples
    if isinstance(task, RoutingTask):  # all routes turn alike
        turn = _rotation([task.structure.items], task.structure.items.shape[1])
        task = task if turn is None else task.fewer_columns(turn)
    gating = gate_groups(network, task.num_contexts)
    group = gating.group_of[task.context]
    blocks = _columns_of_groups(group, gating.num_groups)
    live = _live_nodes(task.inputs, group, gating.num_groups)
    turns = [
        _rotation([task.inputs[node][:, block] for node in nodes], len(block))
        for block, nodes in zip(blocks, live, strict=True)
    ]
    if all(turn is None for turn in turns):
        inputs, targets, column_group = dict(task.inputs), dict(task.targets), group
    else:
        whole = [
            np.eye(len(block)) if turn is None else turn
            for block, turn in zip(blocks, turns, strict=True)
        ]
        inputs, targets = (
            {
                node: np.concatenate(
                    [A[:, block] @ turn for block, turn in zip(blocks, whole, strict=True)], axis=1
                )
                for node, A in arrays.items()
            }
            for arrays in (task.inputs, task.targets)
        )
        column_group = np.repeat(np.arange(gating.num_groups), [turn.shape[1] for turn in whole])
    targets = fit_targets(
        _independent_parts(network, gating), inputs, targets, column_group, gating.num_groups
    )
    reached = sum(float(np.sum(Y**2)) for Y in targets.values())
    # A fit to rounding must not leave a floor: what is left is compared with what there was.
    left = power - reached
    floor = 0.5 * weight * left if left > _NOISE * power else 0.0
    return Condensed(gating, inputs, targets, column_group, weight, floor)


_NOISE = 1e3 * np.finfo(np.float64).eps


def _rotation(inputs: list[np.ndarray], examples: int) -> np.ndarray | None:
    """(P, r): examples to the r columns that hold all of their inputs' correlation; None where that
    saves nothing.

    `inputs`: those that are not silent, (n, P) each.
    """
    if not inputs:
        return np.zeros((examples, 0)) if examples else None
    X = np.concatenate(inputs)
    if X.shape[1] == 1:
        return None
    _, S, Vt = np.linalg.svd(X, full_matrices=False)
    rank = int(np.count_nonzero(max(X.shape) * np.finfo(float).eps * S[0] < S))
    return None if rank == X.shape[1] else np.ascontiguousarray(Vt[:rank].T)


def _live_nodes(
    arrays: Mapping[str, np.ndarray], group: np.ndarray, num_groups: int
) -> list[list[str]]:
    """Per group of contexts the nodes that are not silent in it."""
    live: list[list[str]] = [[] for _ in range(num_groups)]
    for node, rows in arrays.items():
        for number in np.unique(group[rows.reshape(-1, len(group)).any(axis=0)]).tolist():
            live[number].append(node)
    return live


Parts = Mapping[str, list[tuple[list[PathClass], np.ndarray]]]


def _independent_parts(network: Network, gating: Gating) -> Parts:
    """Output node -> classes of the paths that end there, in parts that share no group of contexts,
    and the groups of each.
    """
    return {
        node: [
            (part, np.unique(np.concatenate([known.groups for known in part])))
            for part in _connected(classes)
        ]
        for node, classes in path_classes(network, gating).items()
    }


def fit_targets(
    parts: Parts,
    inputs: Mapping[str, np.ndarray],
    targets: Mapping[str, np.ndarray],
    group: np.ndarray,
    num_groups: int,
) -> dict[str, np.ndarray]:
    """The least-squares fit of `targets` by sums over paths of g_p W_p x with free W_p, part by
    part: node -> (n, column).
    """
    columns_of = _columns_of_groups(group, num_groups)
    fitted = {}
    for node, Y in targets.items():
        fit = np.zeros_like(Y)
        for members, groups in parts[node]:
            columns = np.concatenate([columns_of[g] for g in groups])
            if not len(columns):
                continue
            features = np.concatenate([_gated(known, inputs, group, columns) for known in members])
            features = features[np.any(features != 0, axis=1)]
            if not len(features):
                continue
            _, S, Vt = np.linalg.svd(features, full_matrices=False)
            rank = int(np.count_nonzero(max(features.shape) * np.finfo(float).eps * S[0] < S))
            fit[:, columns] = (
                Y[:, columns] if rank == len(columns) else (Y[:, columns] @ Vt[:rank].T) @ Vt[:rank]
            )
        fitted[node] = fit
    return fitted


def _columns_of_groups(group: np.ndarray, num_groups: int) -> list[np.ndarray]:
    order = np.argsort(group, kind="stable")
    return np.split(order, np.searchsorted(group[order], np.arange(1, num_groups)))


def _gated(
    known: PathClass, inputs: Mapping[str, np.ndarray], group: np.ndarray, columns: np.ndarray
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


def condense_modes(
    network: Network, condensed: Condensed, frames: Mapping[str, np.ndarray]
) -> Condensed:
    """The condensed task read in one direction per mode and node: arrays (1, column, mode).

    `frames`: node -> (n, mode), orthonormal; at an output also (n, k, mode), k directions per mode,
    whose targets are then (k, column, mode). In each mode a group of contexts needs as many columns
    as it has inputs."""
    num_groups = condensed.gating.num_groups
    X = {
        node: frames[node].T @ columns for node, columns in condensed.inputs.items()
    }  # (mode, column)
    # A frame (n, mode) is one of k = 1 directions: (mode, k, column) either way.
    Y = {
        node: np.einsum(
            "nka,nc->akc",
            frames[node] if frames[node].ndim == 3 else frames[node][:, None],
            columns,
        )
        for node, columns in condensed.targets.items()
    }
    inputs, targets, group = _turned_by_mode(X, Y, condensed.group, num_groups)
    parts = _independent_parts(network, condensed.gating)
    for mode in range(len(next(iter(X.values())))):
        own = {node: rows[mode][None] for node, rows in inputs.items()}
        fitted = fit_targets(
            parts, own, {node: rows[mode] for node, rows in targets.items()}, group, num_groups
        )
        for node, rows in fitted.items():
            targets[node][mode] = rows
    whole, kept = (
        sum(float(np.sum(rows**2)) for rows in arrays.values())
        for arrays in (condensed.targets, targets)
    )
    left = whole - kept
    floor = condensed.floor + (0.5 * condensed.weight * left if left > _NOISE * whole else 0.0)
    # From here on the mode is the last axis, as in every array of a laned system.
    inputs = {node: np.ascontiguousarray(rows.T[None]) for node, rows in inputs.items()}
    targets = {
        node: np.ascontiguousarray(rows.transpose(1, 2, 0)) for node, rows in targets.items()
    }
    return Condensed(condensed.gating, inputs, targets, group, condensed.weight, floor)


def _turned_by_mode(
    X: Mapping[str, np.ndarray], Y: Mapping[str, np.ndarray], old: np.ndarray, num_groups: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Inputs (mode, column) and targets (mode, k, column) in as few columns per group of contexts
    as it has inputs, and the group of each.

    In one mode the columns of a group are a matrix (column, input) = turn @ reduced with
    orthonormal columns of `turn`. Columns turned by it have the same correlations, and a group has
    the same number of them in every mode, so that the modes are one array."""
    columns_of = _columns_of_groups(old, num_groups)
    given, wanted = _live_nodes(X, old, num_groups), _live_nodes(Y, old, num_groups)
    sizes = [
        min(len(nodes), len(columns)) for nodes, columns in zip(given, columns_of, strict=True)
    ]
    group = np.repeat(np.arange(num_groups), sizes)
    inputs, targets = (
        {node: np.zeros((*rows.shape[:-1], len(group))) for node, rows in arrays.items()}
        for arrays in (X, Y)
    )
    place = 0
    for columns, size, sources, sinks in zip(columns_of, sizes, given, wanted, strict=True):
        if size:
            block = np.stack(
                [X[node][:, columns] for node in sources], axis=2
            )  # (mode, column, input)
            # (mode, column, size) and (mode, size, input): in the new columns input i is
            # reduced[:, :, i].
            turn, reduced = np.linalg.qr(block)
            for i, node in enumerate(sources):
                inputs[node][:, place : place + size] = reduced[:, :, i]
            for node in sinks:
                targets[node][..., place : place + size] = Y[node][..., columns] @ turn
            place += size
    return inputs, targets, group
