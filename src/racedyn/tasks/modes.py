"""Modes: one basis and one sign per task, in which every strength is read.

The compact SVD Sigma_yx = U S V^T leaves the basis free inside a degenerate group (equal values).
Builders pass analytic bases; for data this module makes a choice that depends on the data alone,
not on the SVD routine."""

import dataclasses

import numpy as np

from racedyn._arrays import as_matrix, read_only
from racedyn._checks import fail
from racedyn._types import Rebuilt


@dataclasses.dataclass(frozen=True, eq=False)
class Modes(Rebuilt):
    """The modes of one (input node, output node) pair. See `racedyn._types` for the symbols.

    **Fields:** `U` (n_out, mode), `S` (mode,) in falling order, `V` (n_in, mode), `variances`:
    d_alpha = v_alpha^T Sigma_x v_alpha (mode,), `misalignment`: off-diagonal norm of V^T Sigma_x V
    over its norm, `floor`: the part of the loss that no map U diag(K) V^T removes, `names`: one per
    mode, `groups`: the indices of each group of equal values, single modes included."""

    U: np.ndarray
    S: np.ndarray
    V: np.ndarray
    variances: np.ndarray
    misalignment: float
    floor: float
    names: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        for name in ("U", "S", "V", "variances"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def num(self) -> int:
        return len(self.S)

    @property
    def degenerate(self) -> tuple[tuple[int, ...], ...]:
        """The groups with more than one mode: inside each the basis is a convention."""
        return tuple(group for group in self.groups if len(group) > 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Modes) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    @property
    def _content(self) -> tuple[bytes, ...]:
        return self.U.tobytes(), self.S.tobytes(), self.V.tobytes(), self.variances.tobytes()

    def same_as(self, other: "Modes") -> bool:
        """Whether strengths read in both are the same numbers: equal bases, sign included, to
        rounding.
        """
        return (
            self.U.shape == other.U.shape
            and self.V.shape == other.V.shape
            and bool(
                np.allclose(self.U, other.U, atol=1e-9) and np.allclose(self.V, other.V, atol=1e-9)
            )
        )

    def __repr__(self) -> str:
        spread = f"S from {self.S[0]:.4g} to {self.S[-1]:.4g}"
        return f"Modes({self.num} modes, {spread}, {len(self.degenerate)} degenerate groups)"

    def __str__(self) -> str:
        lines = [f"{self.num} modes"]
        for group in self.groups:
            which = (
                f"mode {group[0] + 1}"
                if len(group) == 1
                else f"modes {group[0] + 1}-{group[-1] + 1} (degenerate)"
            )
            lines.append(
                f"  {which:<24} S = {self.S[group[0]]:.6g}   d = {self.variances[group[0]]:.6g}"
            )
        lines.append(f"  off-diagonal of V^T Sigma_x V: {self.misalignment:.2e} of its norm")
        return "\n".join(lines)


def modes_from_correlations(
    sigma_yx: np.ndarray,
    sigma_x: np.ndarray,
    power_y: float,
    *,
    bases: tuple[np.ndarray, np.ndarray] | None = None,
    names: tuple[str, ...] | None = None,
) -> Modes:
    """The modes of a correlation, in the given bases (U, V) or in the canonical ones.

    `sigma_yx` (n_out, n_in), `sigma_x` (n_in, n_in), `power_y` = < |y|^2 >. With given bases
    `sigma_yx` may be zero: a route that is never trained is read in them too, and has S = 0. Raises
    `ValueError` where the rank is 0 and there are none, or where they do not diagonalise
    `sigma_yx`."""
    sigma_yx = as_matrix("sigma_yx", sigma_yx)
    if bases is None:
        U, S, V = canonical_svd(sigma_yx)
    else:
        U, V = (as_matrix(name, basis) for name, basis in zip(("U", "V"), bases, strict=True))
        S = np.einsum("ia,ij,ja->a", U, sigma_yx, V)
        if sigma_yx.any():
            if np.linalg.norm(U * S @ V.T - sigma_yx) > 1e-10 * np.linalg.norm(sigma_yx) or np.any(
                S <= 0
            ):
                fail(
                    "bases",
                    "satisfy Sigma_yx = U S V^T with S > 0",
                    "they do not",
                    "Leave them out for the canonical ones.",
                )
            # Rounded, so that noise inside a degenerate group does not permute it.
            order = np.argsort(-np.round(S / S.max(), 12), kind="stable")
            U, S, V = U[:, order], S[order], V[:, order]
            names = None if names is None else tuple(names[i] for i in order)
    if names and len(names) != len(S):
        fail("mode_names", f"have {len(S)} names, one for each mode", f"there are {len(names)}")
    sigma_v = V.T @ sigma_x @ V
    variances = np.diagonal(sigma_v).copy()
    norm = np.linalg.norm(sigma_v)
    return Modes(
        U=U,
        S=S,
        V=V,
        variances=variances,
        misalignment=float(np.linalg.norm(sigma_v - np.diag(variances)) / norm) if norm else 0.0,
        floor=float(max(0.0, 0.5 * (power_y - np.sum(S**2 / np.where(S > 0, variances, 1.0))))),
        names=names or tuple(f"mode {i + 1}" for i in range(len(S))),
        groups=_equal_groups(S),
    )


def read_in(modes: Modes, sigma_yx: np.ndarray, sigma_x: np.ndarray, power_y: float) -> Modes:
    """The bases, names and groups of `modes` with the S, of either sign, and d of other
    correlations.
    """
    S, sigma_v = np.einsum("ia,ij,ja->a", modes.U, sigma_yx, modes.V), modes.V.T @ sigma_x @ modes.V
    # A mode that has nothing to learn has no target: rounding must not make one.
    S[np.abs(S) <= 1e3 * np.finfo(np.float64).eps * np.linalg.norm(sigma_yx)] = 0.0
    variances = np.diagonal(sigma_v).copy()
    norm = np.linalg.norm(sigma_v)
    learned = np.divide(S**2, variances, out=np.zeros_like(S), where=variances > 0)
    return dataclasses.replace(
        modes,
        S=S,
        variances=variances,
        misalignment=float(np.linalg.norm(sigma_v - np.diag(variances)) / norm) if norm else 0.0,
        floor=float(max(0.0, 0.5 * (power_y - np.sum(learned)))),
    )


def _equal_groups(S: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Runs of values that agree to the accuracy of an SVD (relative to the largest value)."""
    tolerance = 1e3 * np.finfo(np.float64).eps * S[0]
    groups: list[list[int]] = [[0]]
    for i in range(1, len(S)):
        if S[i - 1] - S[i] <= tolerance:
            groups[-1].append(i)
        else:
            groups.append([i])
    return tuple(tuple(group) for group in groups)


def canonical_svd(sigma_yx: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compact SVD whose basis depends on the matrix alone.

    Inside a group of equal values the right basis is taken from the group's projector: its columns
    are orthogonalised one by one, each the one with the largest remainder (the first of those that
    tie), so that a one-hot input that lies in the group is itself a mode. The sign makes the
    largest entry of v (the first of those that tie) positive."""
    _, S, Vt = np.linalg.svd(sigma_yx, full_matrices=False)
    noise = max(sigma_yx.shape) * np.finfo(np.float64).eps * S[0]
    rank = int(np.count_nonzero(noise < S))
    if S[0] == 0 or rank == 0:
        fail(
            "targets",
            "be correlated with the inputs",
            "Sigma_yx = Y X^T / P is zero (rank 0)",
            "There is nothing to learn: look at X and Y.",
        )
    S, V = S[:rank], Vt[:rank].T
    for group in _equal_groups(S):
        block = V[:, group]
        V[:, group] = _pivoted_basis(block) if len(group) > 1 else block
        S[list(group)] = np.mean(S[list(group)])
    V *= np.where(np.take_along_axis(V, _first_largest(np.abs(V))[None], axis=0)[0] < 0, -1.0, 1.0)
    return sigma_yx @ V / S, S, V


def _first_largest(values: np.ndarray) -> np.ndarray:
    """Per column, the first index whose value ties with the largest to rounding: argmax that noise
    cannot change.
    """
    return np.argmax(values >= values.max(axis=0) * (1 - 1e-9), axis=0)


def _pivoted_basis(block: np.ndarray) -> np.ndarray:
    """An orthonormal basis of span(block) by Gram-Schmidt with pivoting on the columns of its
    projector.
    """
    remainder = block @ block.T
    columns = []
    for _ in range(block.shape[1]):
        pivot = int(_first_largest(np.sqrt(np.maximum(np.diagonal(remainder), 0))[:, None])[0])
        column = remainder[:, pivot] / np.linalg.norm(remainder[:, pivot])
        columns.append(column)
        remainder = remainder - np.outer(column, column @ remainder)
        remainder = remainder - np.outer(remainder @ column, column)
    basis = np.stack(columns, axis=1)
    # Once more, so that the columns are orthonormal to rounding whatever the pivots were.
    q, r = np.linalg.qr(basis)
    return np.asarray(q * np.sign(np.diagonal(r)))
