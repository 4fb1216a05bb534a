"""From actual weights to (q0, p0): the pathway that has the network's strength and growth.

A pathway of the q/p equations has K = p q^(D-1) and grows as dK/ds = q^(2(D-1)) + (D-1) K^2 / q^2.
The network's own pathway has K = u^T W v and dK/ds = g = sum_l |G_l^T u|^2 |F_(l-1) v|^2 with F_l =
W_l ... W_1, G_l = W_D ... W_(l+1). Matching takes K and g from the network and solves for q0."""

from collections.abc import Sequence

import numpy as np

from racedyn._checks import check_name, fail
from racedyn.tasks import Modes

_ITERATIONS = 10_000  # of Newton's method, which halves its distance from a double root
BRANCHES = ("larger", "smaller")


def strength_and_growth(
    matrices: Sequence[np.ndarray], modes: Modes
) -> tuple[np.ndarray, np.ndarray, float]:
    """K and g of one pathway, (mode,) each, and the off-diagonal over diagonal norm of U^T W V.

    `matrices`: from input to output, (n_target, n_source). Raises `ValueError` where products of
    them leave the range of numbers."""
    # Powers of two taken out of each matrix and put back at the end, where one sees whether the
    # result is in range.
    exponents = np.array([np.frexp(np.abs(matrix).max())[1] for matrix in matrices])
    matrices = [
        np.ldexp(matrix, -exponent) for matrix, exponent in zip(matrices, exponents, strict=True)
    ]
    forward = [modes.V]
    for matrix in matrices:
        forward.append(matrix @ forward[-1])
    backward = [modes.U]
    for matrix in reversed(matrices):
        backward.append(matrix.T @ backward[-1])
    backward.reverse()  # backward[l] = G_l^T U
    terms = np.array(
        [
            np.sum(after**2, axis=0) * np.sum(before**2, axis=0)
            for after, before in zip(backward[1:], forward[:-1], strict=True)
        ]
    )
    path_map = modes.U.T @ forward[-1]
    diagonal = np.diagonal(path_map)
    norm = float(np.linalg.norm(diagonal))
    off_diagonal = float(np.linalg.norm(path_map - np.diag(diagonal))) / norm if norm else np.nan
    with np.errstate(over="ignore", under="ignore"):
        K = np.ldexp(diagonal, exponents.sum())
        growth = np.ldexp(terms, 2 * (exponents.sum() - exponents)[:, None]).sum(axis=0)
    small = (growth < np.finfo(float).tiny) & terms.any(axis=0)
    if small.any() or not (np.isfinite(K).all() and np.isfinite(growth).all()):
        fail(
            "weights",
            "have products along a pathway that float64 can hold",
            f"those of {len(matrices)} matrices are too {'small' if small.any() else 'large'}",
            "Scale the matrices, or pass another std to the law that draws them.",
        )
    return K, growth, off_diagonal


def match(
    K: np.ndarray, growth: np.ndarray, depth: int, branch: str = "larger"
) -> tuple[np.ndarray, np.ndarray]:
    """(q0, p0), (mode,) each, of a pathway of `depth` matrices with strength K and growth g.

    q0 > 0 solves q^(2(D-1)) + (D-1) K^2 / q^2 = g and p0 = K / q0^(D-1). Of the two roots, either
    side of |K|^(1/D), the larger has c = q^2 - p^2 >= 0 and is right for wide random weights; the
    smaller is taken only if asked for, and raises `ValueError` where K = 0. Exact for D = 2 up to
    the overlap between modes."""
    check_name("branch", branch, BRANCHES)
    if depth == 1:
        return np.ones_like(K), K
    if not (np.all(np.isfinite(K)) and np.all(np.isfinite(growth))):
        fail("K, growth", "be finite", "they are not")
    n = depth - 1
    # In x = q^2 / g^(1/n): x^n + kappa / x = 1. A balanced start is a double root: rounding must
    # not push kappa past it.
    with np.errstate(divide="ignore", invalid="ignore"):
        # In this order nothing overflows that is in range itself: K^2 <= (g/D)^(D/n).
        kappa = np.where(growth > 0, n * (K * growth ** (-depth / (2 * n))) ** 2, 0.0)
    double_root = depth ** (-1.0 / n)
    kappa = np.minimum(kappa, n * double_root**depth)
    if branch == "smaller" and np.any(kappa == 0):
        fail(
            "branch",
            "be 'larger' where a strength is zero",
            "it is 'smaller', whose root is q = 0 there",
        )
    # x^D - x + kappa is convex: Newton from outside its two roots comes in monotonically and never
    # steps past the root.
    x = np.ones_like(K) if branch == "larger" else kappa.copy()
    for _ in range(_ITERATIONS):
        slope = depth * x**n - 1
        step = np.divide(x**depth - x + kappa, slope, out=np.zeros_like(x), where=slope != 0)
        if branch == "larger":
            nearer = np.minimum(x, np.maximum(x - step, double_root))
        else:
            nearer = np.maximum(x, np.minimum(x - step, double_root))
        if np.array_equal(nearer, x):
            break
        x = nearer
    else:
        raise RuntimeError(
            f"Matching did not find the roots of depth {depth} in {_ITERATIONS} iterations."
        )
    q = np.sqrt(x * growth ** (1.0 / n))
    return q, np.divide(K, q**n, out=np.zeros_like(K), where=q > 0)
