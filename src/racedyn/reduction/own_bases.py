"""The level "modes" in bases of each path's own: pathways that meet in an output with overlapping
directions ([Jarvis25]).

Path p has output directions U_p of its own and all share V; their overlaps U_p^T U_j are measured
and stand between what one path does and what another sees. In each mode the output is the space of
all paths' directions u_p, into which each path's last strength goes by a matrix that is fixed."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from racedyn._checks import fail
from racedyn._types import Path
from racedyn.networks import Network, Node
from racedyn.paths import Statistics
from racedyn.reduction.bases import Matrices, carried_frames, gated_alike
from racedyn.systems import Size

PerPath = Mapping[Path, np.ndarray]
PerPair = Mapping[tuple[Path, Path], np.ndarray]


class OwnBases(NamedTuple):
    """A network with all inner widths 1, in bases of its paths' own.

    **Fields:** `thin`: the network, in which each path ends in a node of its own before the output;
    `fixed`: edges from there, and their matrices `into` (k, 1, mode); `frames`: node -> (n, mode),
    at outputs (n, k, mode); `strengths`: edge -> (1, 1, mode); `size`: of the map to be learned,
    (mode,); `found`: what was measured, relative; `apart`, `together`: how much of what other paths
    bring in, sum_j U_j B_j D(j,p), lies outside U_p or joins different modes, path by path and for
    their sum at the start; `unlike`: how far the paths are from each other's mirror images;
    `overlaps` (path, path, mode): u_p . u_j."""

    thin: Network
    fixed: tuple[str, ...]
    into: dict[str, np.ndarray]
    frames: dict[str, np.ndarray]
    strengths: dict[str, np.ndarray]
    size: Size
    found: dict[str, float]
    apart: float
    together: float
    unlike: float
    overlaps: np.ndarray


def own_bases(network: Network, measured: Statistics, weights: Matrices) -> OwnBases:
    """Raises `ValueError` where a first or last edge belongs to several paths, or paths start at
    different nodes or read different directions of their input."""
    paths = measured.paths
    _check_own_ends(network, paths)
    U, s, V = measured.path_bases(paths)
    _check_common_directions(measured, s, V)
    ends = _ends(network, paths)
    frames = carried_frames(network, weights, {measured.classes[0].source: V})
    thin, into, outputs = _thin(network, ends, U)
    frames |= outputs
    strengths, off = _strengths(network, weights, {path[-1]: U[path] for path in paths}, frames)
    worst = max(off, key=off.__getitem__)
    # D(j,p) = V^T Sigma_x(j,p) V, (mode of j, mode of p): of paths that meet at their output.
    D = {
        (j, p): V.T @ measured.sigma_x(j, p) @ V for j in paths for p in paths if ends[j] == ends[p]
    }
    found = {
        "U_p^T U_p": max(_distance(U[path].T @ U[path], np.eye(V.shape[1])) for path in paths),
        "Sigma_x": max(_distance(block, np.diag(np.diagonal(block))) for block in D.values()),
        f"weights, most of all {worst!r}": off[worst],
    }
    apart, together = _brought_in(paths, strengths, U, D)
    own = np.stack([np.diagonal(D[path, path]) for path in paths])  # (path, mode)
    # u_p . u_j mode by mode, (p, j, mode): what path p sees of path j at their output.
    overlaps = np.stack([[np.einsum("na,na->a", U[p], U[j]) for j in paths] for p in paths])
    return OwnBases(
        thin=thin,
        fixed=tuple(into),
        into=into,
        frames=frames,
        strengths={edge: values[None, None] for edge, values in strengths.items()},
        size=Size(np.max(s / own, axis=0), np.max(own, axis=0)),
        found=found,
        apart=apart,
        together=together,
        unlike=_unlikeness(network, paths, strengths, s, D, overlaps),
        overlaps=overlaps,
    )


def _ends(network: Network, paths: tuple[Path, ...]) -> dict[Path, str]:
    return {path: network.edges[path[-1]][1] for path in paths}


def _check_own_ends(network: Network, paths: tuple[Path, ...]) -> None:
    counts = network.count_paths()
    for path in paths:
        shared = [edge for edge in (path[0], path[-1]) if counts[edge] > 1]
        if shared:
            fail(
                "bases",
                "be 'nodes' where paths share their first or last edge",
                f"{shared[0]!r} lies on several paths",
            )


def _check_common_directions(measured: Statistics, s: np.ndarray, V: np.ndarray) -> None:
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


def _thin(
    network: Network, ends: Mapping[Path, str], U: PerPath
) -> tuple[Network, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The network with inner widths 1 in which each path ends in a node of its own, the matrices
    (k, 1, mode) of the edges from there into the outputs, and the outputs' frames (n, k, mode).
    """
    nodes = {node: Node(1) for node in network.nodes}
    edges = dict(network.edges)
    into, frames = {}, {}
    for target in dict.fromkeys(ends.values()):
        those = [path for path in ends if ends[path] == target]
        directions = np.stack([U[path] for path in those], axis=1)  # (n, path, mode)
        # In each mode an orthonormal basis of the space of the paths' u_p: its coordinates k are
        # the output's. The u_p themselves overlap, and a loss summed over them would count twice
        # what two of them share.
        mode = range(directions.shape[2])
        Q = np.stack(
            [np.linalg.svd(directions[:, :, a], full_matrices=False)[0] for a in mode], axis=2
        )
        frames[target] = Q  # (n, k, mode)
        nodes[target] = Node(Q.shape[1])
        for path in those:
            end, read = f"end of {path[-1]}", f"{path[-1]} into {target}"
            nodes[end] = Node(1)
            edges[path[-1]] = (network.edges[path[-1]][0], end)
            edges[read] = (end, target)
            # Q_a^T u_p in each mode a, (k, 1, mode): from the one number that path p brings to the
            # k coordinates of the output.
            into[read] = np.einsum("nka,na->ka", Q, U[path])[:, None]
    return gated_alike(network, nodes, edges), into, frames


def _strengths(
    network: Network,
    weights: Matrices,
    last: Mapping[str, np.ndarray],
    frames: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Edge -> l_a^T W_e r_a, (mode,), of the directions after and before it, and the norm of what
    of W_e is not their sum, over its norm. `last`: last edge of a path -> its U_p.
    """
    strengths, off = {}, {}
    for edge, (source, target) in network.edges.items():
        # A frame at an output is (n, k, mode); but what ends there is the last edge of some path,
        # read in that path's own directions, (n, mode) like everywhere else.
        left, right = last.get(edge, frames[target]), frames[source]
        strengths[edge] = np.einsum("ia,ij,ja->a", left, weights[edge], right)
        norm = np.linalg.norm(weights[edge])
        off[edge] = (
            float(np.linalg.norm(weights[edge] - (left * strengths[edge]) @ right.T) / norm)
            if norm
            else 0.0
        )
    return strengths, off


def _brought_in(
    paths: tuple[Path, ...], strengths: Mapping[str, np.ndarray], U: PerPath, D: PerPair
) -> tuple[float, float]:
    """How much of what paths bring in where they meet lies outside the modes of each: at most, path
    by path, and for their sum.
    """
    B = {path: np.prod([strengths[edge] for edge in path], axis=0) for path in paths}  # (mode,)
    # U_j B_j D(j,p), (n, mode of p): what the gradient of path p has of path j. In step with path p
    # are the parts along its own u_p, mode by mode; all else would turn U_p or mix its modes.
    brought = {(j, p): (U[j] * B[j]) @ block for (j, p), block in D.items()}
    sums = {p: sum(brought[j, p] for j in paths if (j, p) in brought) for p in paths}
    apart = max(_outside(block, U[p]) for (_, p), block in brought.items())
    return apart, max(_outside(block, U[p]) for p, block in sums.items())


def _unlikeness(
    network: Network,
    paths: tuple[Path, ...],
    strengths: Mapping[str, np.ndarray],
    s: np.ndarray,
    D: PerPair,
    overlaps: np.ndarray,
) -> float:
    """How far the paths are from each other's mirror images; infinite where they share an edge or
    differ in depth.
    """
    counts = network.count_paths()
    steps = [np.stack([strengths[edge] for edge in path]) for path in paths]  # (step, mode) each
    alone = all(counts[edge] == 1 for path in paths for edge in path)
    if not alone or len({len(step) for step in steps}) > 1:
        return np.inf
    # The diagonals of D(j,p), (p, j, mode); 0 for paths that end at different outputs.
    none = np.zeros(s.shape[1])
    joint = np.stack([[np.diagonal(D.get((j, p), np.diag(none))) for j in paths] for p in paths])
    return max(_unlike(np.stack(steps)), _unlike(s), _unlike_pairs(joint), _unlike_pairs(overlaps))


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
