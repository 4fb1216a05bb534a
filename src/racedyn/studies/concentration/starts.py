"""Parts of a start, one by one: how signals of different modes overlap in each pathway.

A network learns at the level "signals" by what its start does to the modes: at hidden layer l of a
pathway arrive f = W_l .. W_1 v_alpha from below and b = W_(l+1)^T .. W_D^T u_beta from above. All
that their descent knows are inner products: b.f = K_(beta alpha), the same in every layer, f.f, b.b
and f.W b. Those of one mode alone are what q/p have; what couples modes are those of two."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from racedyn.networks import Network, parallel
from racedyn.tasks import Task, from_arrays

PARTS: Mapping[str, tuple[float, float]] = {
    "all": (1.0, 1.0),
    "forward with backward": (1.0, 0.0),
    "among forward, among backward": (0.0, 1.0),
    "none": (0.0, 0.0),
}
"""What is kept of inner products of two modes: of those between forward and backward signals, and
of those among each kind."""


def narrow(task: Task, pathways: int, depth: int) -> tuple[Network, Task]:
    """A network of 2R units a layer, and the task in its modes."""
    modes = task.modes
    S, d = np.asarray(modes.S), np.asarray(modes.variances)
    R = len(S)
    in_modes = from_arrays(np.diag(np.sqrt(R * d)), np.diag(S * np.sqrt(R / d)))
    return parallel(in_modes, [depth] * pathways, 2 * R), in_modes


def switched(
    network: Network, weights: Mapping[str, Any], task: Task, parts: tuple[float, float]
) -> dict[str, np.ndarray]:
    """Weights of the network `narrow` that has, of the inner products of two modes in `weights`,
    the given `parts`; all of those of one mode."""
    U, V = task.modes.U, task.modes.V
    found: dict[str, np.ndarray] = {}
    for path in network.paths():
        matrices = [np.asarray(weights[edge]) for edge in path]
        found |= dict(zip(path, _narrow(matrices, U, V, parts), strict=True))
    return found


def _narrow(
    matrices: Sequence[np.ndarray], U: np.ndarray, V: np.ndarray, parts: tuple[float, float]
) -> list[np.ndarray]:
    R = V.shape[1]
    forward, backward = [V], [U]
    for W in matrices:
        forward.append(W @ forward[-1])
    for W in matrices[::-1]:
        backward.insert(0, W.T @ backward[0])
    # Layers in bases of signals: matrices between them, and inner products, which make orthonormal
    # bases of them.
    kept = _mask(R, *parts)
    between, root = [], []
    for l, W in enumerate(matrices):
        below = np.hstack([forward[l], backward[l]]) if l else V
        above = np.hstack([forward[l + 1], backward[l + 1]]) if l + 1 < len(matrices) else U
        # What arrives at the output's modes is from backward signals, at the input's from forward.
        rows = slice(None) if l + 1 < len(matrices) else slice(R, None)
        columns = slice(None) if l else slice(R)
        between.append((above.T @ W @ below) * kept[rows, columns])
        if l + 1 < len(matrices):
            root.append(np.linalg.cholesky((above.T @ above) * kept))
    found = []
    for l, A in enumerate(between):
        if l:
            A = np.linalg.solve(root[l - 1], A.T).T
        if l + 1 < len(between):
            A = np.linalg.solve(root[l], A)
        found.append(A)
    return found


def _mask(R: int, mixed: float, alike: float) -> np.ndarray:
    """What is kept of inner products of signals (f, b) with each other, and of those through the
    matrix between two layers: W f is the next f, so that f.W f = f.f, b.W b = b.b, b.W f = K."""
    same = np.eye(R)
    of_mixed, of_alike = (same + part * (1 - same) for part in (mixed, alike))
    return np.block([[of_alike, of_mixed], [of_mixed, of_alike]])
