"""The level "maps": of each balanced pathway its end-to-end map alone."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from racedyn.reduction.assignment import Assignment
from racedyn.reduction.bases import closed_bases
from racedyn.reduction.pathway import check_apart
from racedyn.reduction.validity import Validity, refuse
from racedyn.systems import FULL, MATRIX, Maps


def maps_race(assigned: Assignment, inexact: bool) -> Maps:
    """One matrix per pathway, in the task's modes, or those of `modes` if given: R x R where
    nothing leaves them, else in bases completed by what is orthogonal to them. It needs pathways
    that share no edge and carry no gates.

    Its `validity` has `imbalance` (path -> largest |W_(l+1)^T W_(l+1) - W_l W_l^T| of an inner
    node, over the norms of both)."""
    network, task = assigned.network, assigned.task
    check_apart(network, "maps")
    paths = network.paths()
    chains = [[assigned.matrices[edge] for edge in path] for path in paths]
    imbalance = dict(zip(network.path_names(), map(_imbalance, chains), strict=True))
    worst = max(imbalance, key=imbalance.__getitem__)
    validity = Validity(level="maps", exact=imbalance[worst] <= assigned.tolerance)
    if not validity.exact:
        validity["reason"] = (
            f"weights are not balanced, most of all those of {worst}: W_(l+1)^T W_(l+1) and "
            f"W_l W_l^T differ by {imbalance[worst]:.2g} of their norms"
        )
        if not inexact:
            closed = closed_bases(network, assigned.matrices, assigned.tolerance)
            refuse(validity, (FULL if closed.grown else MATRIX).name)

    ends = network.ends(paths[0])
    read = task.pair_modes(*ends) if assigned.other is None else assigned.modes[ends]
    products = [_product(chain) for chain in chains]
    sigma_yx, sigma_x = task.sigma_yx(*ends), task.sigma_x(ends[0])
    tolerance = assigned.tolerance
    U = _completed(read.U, [sigma_yx, *products], tolerance)
    V = _completed(read.V, [sigma_yx.T, *[M.T for M in products], sigma_x @ read.V], tolerance)
    S, d = U.T @ sigma_yx @ V, V.T @ sigma_x @ V
    power = np.sum(task.targets[ends[1]] ** 2) / task.num_examples
    least = np.sum(S @ np.linalg.pinv(d, hermitian=True) * S)
    validity["imbalance"] = imbalance
    validity["dimensions"] = f"{len(S)} x {len(d)} for {read.num} modes"
    if assigned.weight_decay:
        validity["weight_decay"] = assigned.weight_decay
    return Maps(
        _diagonal(S, tolerance),
        [len(path) for path in paths],
        np.stack([U.T @ M @ V for M in products]),
        _diagonal(d, tolerance),
        weight_decay=assigned.weight_decay,
        loss_floor=max(0.0, 0.5 * (power - least)),
        ranks=[_rank(M) for M in products],
        path_names=list(imbalance),
        mode_names=read.names,
        modes=read,
        validity=validity,
    )


def _imbalance(chain: Sequence[np.ndarray]) -> float:
    """Largest |W_(l+1)^T W_(l+1) - W_l W_l^T| over the norms of both; 0 where there is no inner
    node.
    """
    worst = 0.0
    for before, after in pairwise(chain):
        # Each by its own largest entry, so that squares of small ones stay in range.
        size = max(np.abs(before).max(), np.abs(after).max())
        if size:
            left, right = before / size, after / size
            into, out = left @ left.T, right.T @ right
            norms = np.linalg.norm(into) + np.linalg.norm(out)
            worst = max(worst, float(np.linalg.norm(out - into) / norms))
    return worst


def _product(chain: Sequence[np.ndarray]) -> np.ndarray:
    """W_D ... W_1."""
    product = chain[0]
    for matrix in chain[1:]:
        product = matrix @ product
    return product


def _rank(M: np.ndarray) -> int:
    """How many singular values of a product are more than its rounding."""
    values = np.linalg.svd(M, compute_uv=False)
    return int(np.sum(values > max(M.shape) * np.finfo(np.float64).eps * values[0]))


def _completed(basis: np.ndarray, matrices: Sequence[np.ndarray], tolerance: float) -> np.ndarray:
    """`basis` where it spans the columns of these matrices, else with an orthonormal basis of what
    is orthogonal to it.
    """
    for matrix in matrices:
        outside = matrix - basis @ (basis.T @ matrix)
        if np.linalg.norm(outside) > tolerance * np.linalg.norm(matrix):
            rest = np.linalg.svd(basis)[0][:, basis.shape[1] :]
            return np.concatenate([basis, rest], axis=1)
    return basis


def _diagonal(matrix: np.ndarray, tolerance: float) -> np.ndarray:
    """The diagonal of a square matrix that has nothing else, or the matrix."""
    if matrix.shape[0] != matrix.shape[1]:
        return matrix
    diagonal = np.diagonal(matrix)
    rest = np.linalg.norm(matrix - np.diag(diagonal))
    return diagonal if rest <= tolerance * np.linalg.norm(matrix) else matrix
