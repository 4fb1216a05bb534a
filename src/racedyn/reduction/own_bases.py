"""The level "modes" in bases of each path's own: pathways that meet in an output with overlapping
directions ([Jarvis25]).

Path p has output directions U_p of its own and all share V; their overlaps U_p^T U_j are measured
and stand between what one path does and what another sees. In each mode the output is the space of
all paths' directions u_p, into which each path's last strength goes by a matrix that is fixed."""

from typing import NamedTuple

import numpy as np

from racedyn._checks import fail
from racedyn.networks import Network, Node
from racedyn.paths import Statistics
from racedyn.reduction.bases import Matrices, carried_frames


class OwnBases(NamedTuple):
    """A network with all inner widths 1, in bases of its paths' own.

    **Fields:** `thin`: the network, in which each path ends in a node of its own before the output;
    `fixed`: edges from there, and their matrices `into` (k, 1, mode); `frames`: node -> (n, mode),
    at outputs (n, k, mode); `strengths`: edge -> (1, 1, mode); `reach`, `variance` (mode,) as in
    `GatedFlow`; `found`: what was measured, relative; `apart`, `together`: how much of what other
    paths bring in, sum_j U_j B_j D(j,p), lies outside U_p or joins different modes, path by path
    and for their sum at the start; `unlike`: how far the paths are from each other's mirror images;
    `overlaps` (path, path, mode): u_p . u_j."""

    thin: Network
    fixed: tuple[str, ...]
    into: dict[str, np.ndarray]
    frames: dict[str, np.ndarray]
    strengths: dict[str, np.ndarray]
    reach: np.ndarray
    variance: np.ndarray
    found: dict[str, float]
    apart: float
    together: float
    unlike: float
    overlaps: np.ndarray


def own_bases(network: Network, measured: Statistics, weights: Matrices) -> OwnBases:
    """Raises `ValueError` where a first or last edge belongs to several paths, or paths start at
    different nodes or read different directions of their input."""
    counts = network.count_paths()
    for path in measured.paths:
        shared = [edge for edge in (path[0], path[-1]) if counts[edge] > 1]
        if shared:
            fail(
                "bases",
                "be 'nodes' where paths share their first or last edge",
                f"{shared[0]!r} lies on several paths",
            )
    U, s, V = measured.path_bases(measured.paths)
    for path, own in zip(measured.paths, s, strict=True):
        rank = int(np.linalg.matrix_rank(measured.sigma_yx(path)))
        if np.count_nonzero(own > 1e3 * np.finfo(float).eps * s.max()) > rank:
            # Dependent directions U_p would count what they share several times, in the loss too.
            fail(
                "bases",
                "be 'nodes' where paths read different directions of the input",
                f"{path} has rank {rank} but a part in {V.shape[1]} common modes",
                "level='matrix' is exact.",
            )
    mode = np.arange(V.shape[1])
    ends = {path: network.edges[path[-1]][1] for path in measured.paths}
    frames = carried_frames(network, weights, {measured.classes[0].source: V})
    nodes = {node: Node(1) for node in network.nodes}
    edges = dict(network.edges)
    into, strengths = {}, {}
    for target in dict.fromkeys(ends.values()):
        those = [path for path in measured.paths if ends[path] == target]
        directions = np.stack([U[path] for path in those], axis=1)  # (n, path, mode)
        Q = np.stack(
            [np.linalg.svd(directions[:, :, a], full_matrices=False)[0] for a in mode], axis=2
        )
        frames[target] = Q
        nodes[target] = Node(Q.shape[1])
        for path in those:
            end, read = f"end of {path[-1]}", f"{path[-1]} into {target}"
            nodes[end] = Node(1)
            edges[path[-1]] = (network.edges[path[-1]][0], end)
            edges[read] = (end, target)
            into[read] = np.einsum("nka,na->ka", Q, U[path])[:, None]
    last = {path[-1]: U[path] for path in measured.paths}
    off = {}
    for edge, (source, target) in network.edges.items():
        left, right = last.get(edge, frames[target]), frames[source]
        strengths[edge] = np.einsum("ia,ij,ja->a", left, weights[edge], right)
        norm = np.linalg.norm(weights[edge])
        off[edge] = (
            float(np.linalg.norm(weights[edge] - (left * strengths[edge]) @ right.T) / norm)
            if norm
            else 0.0
        )
    worst = max(off, key=off.__getitem__)
    D = {
        (j, p): V.T @ measured.sigma_x(j, p) @ V
        for j in measured.paths
        for p in measured.paths
        if ends[j] == ends[p]
    }
    paths_strength = {
        path: np.prod([strengths[edge] for edge in path], axis=0) for path in measured.paths
    }
    found = {
        "U_p^T U_p": max(
            _distance(U[path].T @ U[path], np.eye(len(mode))) for path in measured.paths
        ),
        "Sigma_x": max(_distance(block, np.diag(np.diagonal(block))) for block in D.values()),
        f"weights, most of all {worst!r}": off[worst],
    }
    brought = {(j, p): (U[j] * paths_strength[j]) @ block for (j, p), block in D.items()}
    sums = {
        p: sum(brought[j, p] for j in measured.paths if (j, p) in brought) for p in measured.paths
    }
    thin = Network(
        nodes,
        edges,
        node_gates=network.node_gates,
        edge_gates=network.edge_gates,
        num_contexts=network.num_contexts,
    )
    own = np.stack([np.diagonal(D[path, path]) for path in measured.paths])
    overlaps = np.stack(
        [[np.einsum("na,na->a", U[p], U[j]) for j in measured.paths] for p in measured.paths]
    )
    joint = np.stack(
        [
            [np.diagonal(D[j, p]) if (j, p) in D else 0 * V[0] for j in measured.paths]
            for p in measured.paths
        ]
    )
    steps = [np.stack([strengths[edge] for edge in path]) for path in measured.paths]
    alone = all(counts[edge] == 1 for path in measured.paths for edge in path)
    alike = alone and len({len(step) for step in steps}) == 1
    unlike = (
        max(_unlike(np.stack(steps)), _unlike(s), _unlike_pairs(joint), _unlike_pairs(overlaps))
        if alike
        else np.inf
    )
    return OwnBases(
        thin=thin,
        fixed=tuple(into),
        into=into,
        frames=frames,
        strengths={edge: values[None, None] for edge, values in strengths.items()},
        reach=np.max(s / own, axis=0),
        variance=np.max(own, axis=0),
        found=found,
        apart=max(_outside(block, U[p]) for (_, p), block in brought.items()),
        together=max(_outside(block, U[p]) for p, block in sums.items()),
        unlike=unlike,
        overlaps=overlaps,
    )


def _unlike(values: np.ndarray) -> float:
    """How far the entries of the first axis are from being equal, relative to the largest."""
    return float(np.abs(values - values[0]).max() / max(np.abs(values).max(), 1e-300))


def _unlike_pairs(values: np.ndarray) -> float:
    """The same for a matrix over pairs of paths: its diagonal, and what is off it."""
    off = ~np.eye(len(values), dtype=bool)
    return max(_unlike(values[~off]), _unlike(values[off]) if off.any() else 0.0)


def _distance(matrix: np.ndarray, wanted: np.ndarray) -> float:
    norm = np.linalg.norm(matrix)
    return float(np.linalg.norm(matrix - wanted) / norm) if norm else 0.0


def _outside(brought: np.ndarray, U: np.ndarray) -> float:
    return _distance(brought, U * np.einsum("na,na->a", U, brought))
