"""What the closed form of a contextual network depends on: its modes, and where they start."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from racedyn._checks import check_is, fail
from racedyn._text import brief
from racedyn._types import Path
from racedyn.exact.two_layer import two_layer_time
from racedyn.networks import Network
from racedyn.paths import statistics
from racedyn.tasks import Task, contexts_of

_ROUNDING = 1e4 * np.finfo(float).eps
_SMALL = 0.1
COMMON = ("item_common", "context_common", "common_output")


class ContextualModes(NamedTuple):
    """What the closed form depends on.

    Of the common pathway: `s`, `d` (mode,), `U` (n_out, mode), `V` (n + C, mode), items first. Of
    the context pathways `paths`, on what it leaves when it has converged: `residual_s`,
    `residual_d` (residual mode,), d as it acts on all together; `residual_U` (path, n_out, residual
    mode), `residual_V` (n, residual mode); `overlaps` (path, path, residual mode), u_p . u_j.
    `ahead` (path, mode, residual mode): v^T Sigma_x(common, p) v_p times s/d, what a context
    pathway sees of each mode that the common pathway has yet to learn."""

    s: np.ndarray
    d: np.ndarray
    U: np.ndarray
    V: np.ndarray
    paths: tuple[Path, ...]
    residual_s: np.ndarray
    residual_d: np.ndarray
    residual_U: np.ndarray
    residual_V: np.ndarray
    overlaps: np.ndarray
    ahead: np.ndarray

    def __repr__(self) -> str:
        return brief(self)


def contextual_modes(network: Network, task: Task) -> ContextualModes:
    """Modes of a contextual network and their overlaps, measured.

    `network`: of `networks.contextual(task, active=k)`, one k. Raises `ValueError` for another
    network, for several kinds of context pathways, and for structures that make the pathways differ
    (contexts of different ones, or "order", whose mean over items is not a mode):
    `reduce(level="matrix")` is exact there.

        >>> task = rd.tasks.contextual(items=4, contexts=2)
        >>> network = rd.networks.contextual(task, active=1, width=5)
        >>> modes = rd.exact.contextual_modes(network, task)
        >>> modes.s.round(3).tolist(), modes.residual_s.round(3).tolist()
        ([1.403, 0.661, 0.53, 0.306, 0.306], [0.153, 0.088, 0.088])
    """
    contexts_of(task)
    check_is("network", network, Network, "be one of networks.contextual")
    if not set(COMMON) <= network.edges.keys() or set(network.inputs) != {"item", "context"}:
        fail("network", "be one of networks.contextual", f"it is a {network}")
    common = [(edge, COMMON[2]) for edge in COMMON[:2]]
    paths = tuple(path for path in network.paths() if path not in common)
    kinds = {int(np.sum(network.node_gates[network.edges[path[0]][1]])) for path in paths}
    if len(kinds) != 1:
        fail(
            "network",
            "have context pathways of one kind",
            f"they are open in {sorted(kinds)} contexts",
            'reduce(level="matrix") takes them all.',
        )
    X = np.concatenate([task.inputs["item"], task.inputs["context"]])
    sigma_yx, sigma_x = task.Y @ X.T / task.num_examples, X @ X.T / task.num_examples
    d, V = _shared_eigenvectors(sigma_x, sigma_yx.T @ sigma_yx)
    s = np.linalg.norm(sigma_yx @ V, axis=0)
    U = sigma_yx @ V / s
    found = statistics(
        network,
        task,
        given={
            path: W for path, W in zip(common, split_inputs((U * s / d) @ V.T, task), strict=True)
        },
        paths=paths,
    )
    bases, residual, residual_V = found.path_bases(paths)
    residual_U = np.stack([bases[path] for path in paths])
    blocks = np.array(
        [[residual_V.T @ found.sigma_x(j, p) @ residual_V for p in paths] for j in paths]
    )
    overlaps = np.einsum("pna,jna->pja", residual_U, residual_U)
    acting = np.einsum("pja,jpaa->pa", overlaps, blocks)
    brought = np.einsum("jna,jpab->pnb", residual_U, blocks) - residual_U * acting[:, None]
    unlike = max(
        np.ptp(residual, axis=0).max() / residual.max(),
        np.ptp(acting, axis=0).max() / acting.max(),
        np.linalg.norm(brought) / np.linalg.norm(acting),
    )
    if unlike > _ROUNDING:
        fail(
            "task",
            "have blocks of one structure, so that context pathways are alike",
            f"they differ by {unlike:.2g}",
            'reduce(level="matrix") takes any.',
        )
    gates = np.stack(
        [network.node_gates[network.edges[path[0]][1]][task.context] for path in paths]
    )
    seen = np.einsum("ik,pk,jk->pij", X, gates, task.inputs["item"]) / task.num_examples
    ahead = np.einsum("ik,pij,ja->pka", V * (s / d), seen, residual_V)
    s_left, d_left = residual.mean(axis=0), acting.mean(axis=0)
    return ContextualModes(
        s, d, U, V, paths, s_left, d_left, residual_U, residual_V, overlaps, ahead
    )


def contextual_start(
    modes: ContextualModes, weights: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """The a0 that small random weights of a contextual network amount to: (mode,) and (residual
    mode,), see `contextual`.

    Raises `ValueError` where weights are not small, with a tenth of some common mode or all of a
    residual one, or zero.

        >>> task = rd.tasks.contextual(items=4, contexts=2)
        >>> network = rd.networks.contextual(task, active=1, width=5)
        >>> weights = network.init(rd.init.Gaussian(std=1e-3), key=0)
        >>> modes = rd.exact.contextual_modes(network, task)
        >>> common, context = rd.exact.contextual_start(modes, weights)
        >>> common.shape, context.shape, bool(common.max() < 1e-3)
        ((5,), (3,), True)
    """
    first, last = (
        np.concatenate([weights[edge] for edge in COMMON[:2]], axis=1),
        np.asarray(weights[COMMON[2]]),
    )
    common = np.sum(((first @ modes.V + last.T @ modes.U) / 2) ** 2, axis=0)
    part = common * modes.d / modes.s
    if not (part.min() > 0 and part.max() < _SMALL):
        fail(
            "start",
            "be small random weights: the head start is what they gain before they learn",
            f"they amount to {part.min():.2g} to {part.max():.2g} of a mode",
            'reduce(level="matrix") takes any.',
        )
    learned_at = np.asarray(two_layer_time(modes.s, modes.d, common))
    starts = np.empty((len(modes.paths), len(modes.residual_s)))
    for p, (into, out) in enumerate(modes.paths):
        for a, s in enumerate(modes.residual_s.tolist()):
            share = modes.ahead[p, :, a]
            seen = float(np.linalg.norm(share))  # U is orthonormal
            until = float(np.sum(share**2 * learned_at)) / seen**2
            grown = _growth(seen, s, until) @ np.stack(
                [
                    np.asarray(weights[into]) @ modes.residual_V[:, a],
                    np.asarray(weights[out]).T @ (modes.U @ share) / seen,
                    np.asarray(weights[out]).T @ modes.residual_U[p, :, a],
                ]
            )
            starts[p, a] = np.sum(((grown[0] + grown[2]) / 2) ** 2)
    ahead = starts * modes.residual_d / modes.residual_s
    if not (ahead.min() > 0 and ahead.max() < 1):
        fail(
            "start",
            "be small random weights",
            f"context pathways amount to {ahead.max():.2g} of a mode by the time that the "
            "common pathway has learned it",
            'reduce(level="matrix") takes any.',
        )
    return common, np.exp(np.log(starts).mean(axis=0))


def _growth(seen: float, s: float, until: float) -> np.ndarray:
    """How (W1 v, W2^T u_common, W2^T u) grow until then, over e^(s t), as if only s had been there:
    (3, 3).
    """
    drive = np.array([[0, seen, s], [seen, 0, 0], [s, 0, 0]])
    rates, vectors = np.linalg.eigh(drive)
    return (vectors * np.exp((rates - s) * until)) @ vectors.T


def _shared_eigenvectors(sigma_x: np.ndarray, driven: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues of Sigma_x and eigenvectors that Sigma_yx^T Sigma_yx has too, where it is not 0;
    largest S first.
    """
    d, V = np.linalg.eigh(sigma_x)
    ends = np.flatnonzero(np.diff(d) > _ROUNDING * d[-1]) + 1
    for group in np.split(np.arange(len(d)), ends):
        V[:, group] = V[:, group] @ np.linalg.eigh(V[:, group].T @ driven @ V[:, group])[1]
    found = V.T @ driven @ V
    off = np.linalg.norm(found - np.diag(np.diagonal(found))) / np.linalg.norm(found)
    if off > _ROUNDING:
        fail(
            "task",
            "have modes that the inputs share, as where blocks have one structure, a tree or a "
            "ring",
            f"{off:.2g} of them is off the diagonal",
            'reduce(level="matrix") takes any.',
        )
    order = [
        a
        for a in np.argsort(-np.diagonal(found), kind="stable")
        if found[a, a] > _ROUNDING * found.max()
    ]
    return d[order], V[:, order]


def split_inputs(matrix: np.ndarray, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Columns of items, and of contexts."""
    items = contexts_of(task).items
    return matrix[:, :items], matrix[:, items:]
