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


class Live(NamedTuple):
    """What a node has where it is not silent: `rows` (n, live[, mode]), in columns `at` (live,),
    rising. Of ten thousand routes a domain sees a hundred.
    """

    at: np.ndarray
    rows: np.ndarray

    def on(self, columns: np.ndarray) -> np.ndarray:
        """What it has in these columns, (n, column[, mode])."""
        if not len(self.at):
            return np.zeros((len(self.rows), len(columns), *self.rows.shape[2:]))
        place = np.minimum(np.searchsorted(self.at, columns), len(self.at) - 1)
        live = (self.at[place] == columns).reshape(-1, *(1,) * (self.rows.ndim - 2))
        return np.where(live, self.rows[:, place], 0.0)


Arrays = Mapping[str, Live]


class Condensed(NamedTuple):
    """Columns that give the same gradient as all examples: L = 1/2 sum_c |y_c - h_c|^2 / P + floor.

    **Fields:** `inputs`, `targets`: node -> what it has, (n, live), unscaled; `group` (column,): of
    contexts, in `gating`; `weight`: 1/P; `floor`: the part of the loss that no weights remove if
    paths are free."""

    gating: Gating
    inputs: Arrays
    targets: Arrays
    group: np.ndarray
    weight: float
    floor: float


def condense(network: Network, task: Task) -> Condensed:
    """Condense `task` for `network`, whose gates say which contexts are alike."""
    power = sum(map(task.power, task.output_widths)) * task.num_examples
    weight = 1.0 / task.num_examples
    if isinstance(task, RoutingTask):  # all routes turn alike
        (turn,) = _rotations([[task.structure.items]], [task.structure.items.shape[1]])
        task = task if turn is None else task.fewer_columns(turn)
    gating = gate_groups(network, task.num_contexts)
    inputs = {node: Live(*task.live(node)) for node in task.input_widths}
    targets = {node: Live(*task.live(node)) for node in task.output_widths}
    return _fitted(network, gating, inputs, targets, gating.group_of[task.context], weight, power)


def in_bases(network: Network, condensed: Condensed, bases: Mapping[str, np.ndarray]) -> Condensed:
    """The condensed task of `network`, the same one in the coordinates of `bases`: node ->
    orthonormal columns (n, k). What outputs lose by it goes into the floor.
    """
    inputs, targets = (
        {node: Live(at, bases[node].T @ rows) for node, (at, rows) in arrays.items()}
        for arrays in (condensed.inputs, condensed.targets)
    )
    given = condensed.gating, inputs, targets, condensed.group, condensed.weight
    found = _fitted(network, *given, _power(condensed.targets))
    return found._replace(floor=condensed.floor + found.floor)


def _fitted(
    network: Network,
    gating: Gating,
    inputs: Arrays,
    targets: Arrays,
    group: np.ndarray,
    weight: float,
    power: float,
) -> Condensed:
    """As few columns as these have rank, with targets that can be reached. `power`: sum of squares
    of the targets before anything was taken off them.
    """
    inputs, targets, group = _turned(inputs, targets, group, gating.num_groups)
    targets = fit_targets(
        _independent_parts(network, gating), inputs, targets, group, gating.num_groups
    )
    # A fit to rounding must not leave a floor: what is left is compared with what there was.
    left = power - _power(targets)
    floor = 0.5 * weight * left if left > _NOISE * power else 0.0
    return Condensed(gating, inputs, targets, group, weight, floor)


_NOISE = 1e3 * np.finfo(np.float64).eps


def _power(arrays: Arrays) -> float:
    return sum(float(np.sum(live.rows**2)) for live in arrays.values())


def _turned(
    inputs: Arrays, targets: Arrays, group: np.ndarray, num_groups: int
) -> tuple[Arrays, Arrays, np.ndarray]:
    """Inputs and targets in as many columns per group of contexts as its inputs have rank, and the
    group of each column.
    """
    blocks = _columns_of_groups(group, num_groups)
    given = [
        [inputs[node].on(block) for node in nodes]
        for block, nodes in zip(blocks, _live_nodes(inputs, group, num_groups), strict=True)
    ]
    turns = _rotations(given, [len(block) for block in blocks])
    if all(turn is None for turn in turns):
        return inputs, targets, group
    sizes = [
        len(block) if turn is None else turn.shape[1]
        for block, turn in zip(blocks, turns, strict=True)
    ]
    starts = np.cumsum([0, *sizes])

    def turned(live: Live) -> Live:
        at, rows = [np.zeros(0, int)], [np.zeros((len(live.rows), 0))]
        for number in np.unique(group[live.at]).tolist():
            own, turn = live.on(blocks[number]), turns[number]
            rows.append(own if turn is None else own @ turn)
            at.append(np.arange(starts[number], starts[number + 1]))
        return Live(np.concatenate(at), np.concatenate(rows, axis=1))

    return (
        {node: turned(live) for node, live in inputs.items()},
        {node: turned(live) for node, live in targets.items()},
        np.repeat(np.arange(num_groups), sizes),
    )


def _rotations(inputs: list[list[np.ndarray]], examples: list[int]) -> list[np.ndarray | None]:
    """Per group of contexts (P, r): examples to the r columns that hold all of their inputs'
    correlation; None where that saves nothing.

    `inputs`: those that are not silent, (n, P) each.
    """
    seen: dict[bytes, np.ndarray | None] = {}  # groups of equal inputs turn alike
    turns: list[np.ndarray | None] = []
    for arrays, number in zip(inputs, examples, strict=True):
        if not arrays or number == 1:
            turns.append(np.zeros((number, 0)) if number and not arrays else None)
            continue
        X = np.concatenate(arrays)
        key = X.tobytes() if len(inputs) > 1 else b""
        if key not in seen:
            rank, Vt = _row_space(X)
            seen[key] = None if rank == number else np.ascontiguousarray(Vt[:rank].T)
        turns.append(seen[key])
    return turns


def _row_space(X: np.ndarray) -> tuple[int, np.ndarray]:
    """The rank of X and its right singular vectors."""
    _, S, Vt = np.linalg.svd(X, full_matrices=False)
    return int(np.count_nonzero(max(X.shape) * np.finfo(float).eps * S[0] < S)), Vt


def _live_nodes(arrays: Arrays, group: np.ndarray, num_groups: int) -> list[list[str]]:
    """Per group of contexts the nodes that are not silent in it."""
    nodes: list[list[str]] = [[] for _ in range(num_groups)]
    for node, (at, _) in arrays.items():
        for number in np.unique(group[at]).tolist():
            nodes[number].append(node)
    return nodes


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
    parts: Parts, inputs: Arrays, targets: Arrays, group: np.ndarray, num_groups: int
) -> dict[str, Live]:
    """The least-squares fit of `targets` by sums over paths of g_p W_p x with free W_p, part by
    part: node -> (n, column).
    """
    columns_of = _columns_of_groups(group, num_groups)
    seen: dict[bytes, tuple[int, np.ndarray]] = {}  # parts of equal signals can do as much
    fitted = {}
    for node, Y in targets.items():
        at, fits = [np.zeros(0, int)], [np.zeros((len(Y.rows), 0))]
        for members, groups in parts[node]:
            columns = np.concatenate([columns_of[g] for g in groups])
            if not len(columns):
                continue
            signals = np.concatenate([_gated(known, inputs, group, columns) for known in members])
            signals = signals[np.any(signals != 0, axis=1)]
            if not len(signals):
                continue
            key = f"{signals.shape}".encode() + signals.tobytes()
            if key not in seen:
                seen[key] = _row_space(signals)
            (rank, Vt), wanted = seen[key], Y.on(columns)
            fits.append(wanted if rank == len(columns) else (wanted @ Vt[:rank].T) @ Vt[:rank])
            at.append(columns)
        places = np.concatenate(at)
        order = np.argsort(places)
        fitted[node] = Live(places[order], np.concatenate(fits, axis=1)[:, order])
    return fitted


def _columns_of_groups(group: np.ndarray, num_groups: int) -> list[np.ndarray]:
    order = np.argsort(group, kind="stable")
    return np.split(order, np.searchsorted(group[order], np.arange(1, num_groups)))


def _gated(known: PathClass, inputs: Arrays, group: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """g_p x of these columns, (n_in, column)."""
    at = np.searchsorted(known.groups, group[columns])
    at[at == len(known.groups)] = 0
    gate = np.where(known.groups[at] == group[columns], known.values[at], 0.0)
    return inputs[known.source].on(columns) * gate


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
    X = {  # (mode, live)
        node: Live(at, frames[node].T @ rows) for node, (at, rows) in condensed.inputs.items()
    }
    # A frame (n, mode) is one of k = 1 directions: (mode, k, live) either way.
    Y = {
        node: Live(
            at,
            np.einsum(
                "nka,nc->akc",
                frames[node] if frames[node].ndim == 3 else frames[node][:, None],
                rows,
            ),
        )
        for node, (at, rows) in condensed.targets.items()
    }
    inputs, wanted, group = _turned_by_mode(X, Y, condensed.group, num_groups)
    parts = _independent_parts(network, condensed.gating)
    by_mode = [
        fit_targets(
            parts,
            {node: Live(at, rows[mode][None]) for node, (at, rows) in inputs.items()},
            {node: Live(at, rows[mode]) for node, (at, rows) in wanted.items()},
            group,
            num_groups,
        )
        for mode in range(len(next(iter(X.values())).rows))
    ]
    # From here on the mode is the last axis, as in every array of a laned system.
    inputs = {
        node: Live(at, np.ascontiguousarray(rows.T[None])) for node, (at, rows) in inputs.items()
    }
    targets = {
        node: Live(by_mode[0][node].at, np.stack([fitted[node].rows for fitted in by_mode], -1))
        for node in wanted
    }
    whole = _power(condensed.targets)
    left = whole - _power(targets)
    floor = condensed.floor + (0.5 * condensed.weight * left if left > _NOISE * whole else 0.0)
    return Condensed(condensed.gating, inputs, targets, group, condensed.weight, floor)


def _turned_by_mode(
    X: Arrays, Y: Arrays, old: np.ndarray, num_groups: int
) -> tuple[dict[str, Live], dict[str, Live], np.ndarray]:
    """Inputs (mode, live) and targets (mode, k, live) in as few columns per group of contexts as it
    has inputs, and the group of each.

    In one mode the columns of a group are a matrix (column, input) = turn @ reduced with
    orthonormal columns of `turn`. Columns turned by it have the same correlations, and a group has
    the same number of them in every mode, so that the modes are one array."""
    columns_of = _columns_of_groups(old, num_groups)
    given, wanted = _live_nodes(X, old, num_groups), _live_nodes(Y, old, num_groups)
    sizes = [
        min(len(nodes), len(columns)) for nodes, columns in zip(given, columns_of, strict=True)
    ]
    parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {node: [] for node in (*X, *Y)}
    place = 0
    for columns, size, sources, sinks in zip(columns_of, sizes, given, wanted, strict=True):
        if size:
            block = np.stack([X[node].on(columns) for node in sources], axis=2)
            # (mode, column, input) = (mode, column, size) @ (mode, size, input): in the new columns
            # input i is reduced[:, :, i].
            turn, reduced = np.linalg.qr(block)
            at = np.arange(place, place + size)
            for i, node in enumerate(sources):
                parts[node].append((at, reduced[:, :, i]))
            for node in sinks:
                rows = np.moveaxis(Y[node].rows, 1, 2)  # (mode, live, k)
                own = Live(Y[node].at, rows).on(columns)
                parts[node].append((at, np.moveaxis(own, 2, 1) @ turn))
            place += size

    def joined(node: str, live: Live) -> Live:
        empty = np.zeros(0, int), np.zeros((*live.rows.shape[:-1], 0))
        at, rows = zip(empty, *parts[node], strict=True)
        return Live(np.concatenate(at), np.concatenate(rows, axis=-1))

    return (
        {node: joined(node, live) for node, live in X.items()},
        {node: joined(node, live) for node, live in Y.items()},
        np.repeat(np.arange(num_groups), sizes),
    )
