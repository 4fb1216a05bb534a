"""Tasks of these studies."""

import jax
import numpy as np

from racedyn.tasks import Task, from_arrays, random

RANGE = 5.0  # between the largest and the smallest singular value of random tasks
SPREAD = 4.0  # and between the variances of correlated inputs


def one_mode() -> Task:
    """A task of one mode, S = d = 1: nothing that modes could do to each other."""
    return diagonal([1.0], "one mode")


def two_modes(second: float) -> Task:
    """A task of two modes, S = 1 and `second`, d = 1."""
    return diagonal([1.0, second], "two modes")


def separated(modes: int) -> Task:
    """S_k = 2^-k, d = 1: each mode on its plateau long after the one before is learned."""
    return diagonal(2.0 ** -np.arange(modes), "separated modes")


def one_strength(modes: int, ratio: float) -> Task:
    """A task of modes with S_k = ratio^k that are all learned at S/d = 1: learned one after the
    other, and of one strength."""
    root = np.sqrt(modes * ratio ** np.arange(modes))
    return from_arrays(np.diag(root), np.diag(root))


def diagonal(S: np.ndarray | list[float], name: str) -> Task:
    """A task of these singular values, d = 1, whose modes are single inputs and outputs."""
    size = np.sqrt(len(S))
    return from_arrays(size * np.eye(len(S)), size * np.diag(S), name=name)


def drawn_modes(modes: int, key: int) -> Task:
    """Random singular vectors, and S/d drawn log-uniformly from 1 / RANGE to 1; d = 1 / `modes`."""
    K = _log_uniform(modes, RANGE, key)
    return random((K / modes).tolist(), items=modes, features=modes, key=key)


def correlated(modes: int, key: int) -> Task:
    """S drawn as in `drawn_modes`, and inputs of variances from 1 / SPREAD to 1 along random
    directions, which know nothing of the modes of Sigma_yx."""
    keys = jax.random.split(jax.random.key(key), 4)
    S = _log_uniform(modes, RANGE, key)
    U, V, Q = (np.asarray(jax.random.orthogonal(k, modes), float) for k in keys[:3])
    root = np.sqrt(_log_uniform(modes, SPREAD, key + 1))
    # One example along each direction: Sigma_x = Q diag(root^2) Q^T and Sigma_yx = U S V^T.
    X = np.sqrt(modes) * Q * root
    return from_arrays(X, np.sqrt(modes) * (U * S) @ V.T @ Q / root, name="correlated inputs")


def in_few_examples(task: Task) -> Task:
    """The same Sigma_x and Sigma_yx, which are all that linear networks know of a task, in one
    example for each direction of the inputs, and without what no linear map can answer."""
    values, directions = np.linalg.eigh(task.sigma_x())
    rank = np.linalg.matrix_rank(task.sigma_x(), hermitian=True)
    values, directions = values[-rank:], directions[:, -rank:]
    root = np.sqrt(rank * values)
    answers = task.sigma_yx() @ directions * (rank / root)
    return from_arrays(directions * root, answers, name=task.name)


def _log_uniform(count: int, ratio: float, key: int) -> np.ndarray:
    """Numbers from 1 / ratio to 1, the largest 1, falling."""
    drawn = np.random.default_rng(key).uniform(size=count)
    logs = np.sort(drawn)[::-1]
    return np.asarray(ratio ** (logs - logs[0]))
