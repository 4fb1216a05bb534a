"""How pathways share what is learned, whatever the basis: the projectors that depth makes of them.

With M_a = U^T W_a V, what pathway a carries between all modes,

    P_a = M_a (sum_b M_b)^-1,    sum_a P_a = 1

is what a has of what the pathways do together. Its eigenvalues are a's shares of directions that
are mixtures of modes; where no mode is coupled to another they are the modes' own K_a / sum_b K_b.
From small weights the end maps M_a are nearly symmetric and positive, and sum to S/d. P_a is then
similar to the symmetric (S/d)^(-1/2) M_a (S/d)^(-1/2): its eigenvalues are real and in [0, 1], and
where depth concentrates they are near 0 and 1, so that P_a is an (oblique) projector.
`concentration` reads shares mode by mode, and hides this where pathways own mixtures.

All take `matrices` (..., path, mode_out, mode_in), "strength_matrix" of a run, of paths that join
one pair, and are traceable. Padding is left out: a mode of which all M_a have NaN, and a path that
has NaN of all modes. All is NaN where sum_b M_b is singular: its least singular value is within
rounding of what is summed. At the start the M_a are what the weights drew, not symmetric:
eigenvalues may be complex and outside [0, 1], and participation of either sign."""

from typing import Any

import jax
import jax.numpy as jnp

from racedyn._arrays import as_real
from racedyn._checks import fail
from racedyn._types import Array, ArrayLike

PROJECTORS = ("projectors", "projector_eigenvalues", "basis_free_participation")


def projectors(matrices: ArrayLike) -> Array:
    """P_a = M_a (sum_b M_b)^-1, (..., path, mode_out, mode_in): what pathway a has of an output, in
    the task's U.

    Raises `ValueError` for another shape.

        >>> shared = [[[2.0, 1.0], [1.0, 2.0]], [[2.0, -1.0], [-1.0, 2.0]]]  # two pathways
        >>> rd.paths.projectors(shared).round(3).tolist()
        [[[0.5, 0.25], [0.25, 0.5]], [[0.5, -0.25], [-0.25, 0.5]]]
    """
    return _padded(*_projectors(_checked(matrices)))


def projector_eigenvalues(matrices: ArrayLike) -> Array:
    """The eigenvalues of every P_a, (..., path, direction), falling: shares of a pathway without a
    basis.

    Real parts. A complex pair, two equal numbers here, is there only where maps are far from
    symmetric: at the start, and from large weights. Raises `ValueError` for
    another shape.

        >>> shared = [[[2.0, 1.0], [1.0, 2.0]], [[2.0, -1.0], [-1.0, 2.0]]]  # two pathways
        >>> rd.paths.projector_eigenvalues(shared).round(3).tolist()  # by mode 0.5 each
        [[0.75, 0.25], [0.75, 0.25]]
    """
    return _eigenvalues(*_projectors(_checked(matrices)))


def basis_free_participation(matrices: ArrayLike) -> Array:
    """R / sum_a tr(P_a^2) of R modes, (...): 1 where every direction belongs to one pathway, M
    where M share all equally.

    No rotation of the task's modes changes it. Raises `ValueError` for another shape.

        >>> turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
        >>> one, other = np.outer(turn[0], turn[0]), np.outer(turn[1], turn[1])
        >>> rd.paths.basis_free_participation([one, other]).round(3).item()
        1.0
        >>> rd.paths.participation([np.diag(one), np.diag(other)]).round(3).tolist()  # by mode
        [2.0, 2.0]
    """
    return _participation(*_projectors(_checked(matrices))[:2])


def observe_projectors(matrices: ArrayLike) -> dict[str, Array]:
    """All three of them, by their names in the table of observables."""
    found = _projectors(_checked(matrices))
    return {
        "projectors": _padded(*found),
        "projector_eigenvalues": _eigenvalues(*found),
        "basis_free_participation": _participation(*found[:2]),
    }


def _checked(matrices: Any) -> Array:
    M = jnp.asarray(as_real("matrices", matrices))
    if M.ndim < 3 or M.shape[-1] != M.shape[-2] or 0 in M.shape[-3:]:
        fail(
            "matrices",
            "have axes (..., path, mode_out, mode_in), as many modes out as in",
            f"its shape is {M.shape}",
            'For example run["strength_matrix"].',
        )
    if not jnp.issubdtype(M.dtype, jnp.floating) or jnp.finfo(M.dtype).bits < 32:
        M = M.astype(float)  # LAPACK has no half precision
    return M


@jax.jit
def _projectors(M: Array) -> tuple[Array, Array, Array]:
    """P_a, 0 in what is padding and NaN where the sum is singular; which modes are known, (...,
    mode), and which paths, (..., path).
    """
    missing = jnp.isnan(jnp.diagonal(M, axis1=-2, axis2=-1))
    known, paths = ~missing.all(axis=-2), ~missing.all(axis=-1)
    both = known[..., :, None] & known[..., None, :]
    M = jnp.where(both[..., None, :, :] & paths[..., None, None], M, 0)
    # Shapes are static, so padding stays in the matrix: as a unit matrix beside the sum, which is
    # scaled to entries of that size.
    scale = jnp.max(jnp.abs(M), axis=(-3, -2, -1), keepdims=True)
    M = M / jnp.where(scale > 0, scale, 1)
    total = jnp.where(both, jnp.sum(M, axis=-3), jnp.eye(M.shape[-1], dtype=M.dtype))
    least = jnp.linalg.svd(total, compute_uv=False)[..., -1]
    # Rounding of the sum, of which pathways that cancel each other have more.
    size = jnp.sum(jnp.sqrt(jnp.sum(M**2, axis=(-2, -1))), axis=-1)
    singular = ~(least > M.shape[-1] * float(jnp.finfo(M.dtype).eps) * size)
    transposed = jnp.swapaxes(total, -2, -1)[..., None, :, :]
    P = jnp.swapaxes(jnp.linalg.solve(transposed, jnp.swapaxes(M, -2, -1)), -2, -1)
    return jnp.where(singular[..., None, None, None], jnp.nan, P), known, paths


def _padded(P: Array, known: Array, paths: Array) -> Array:
    both = known[..., None, :, None] & known[..., None, None, :]
    return jnp.where(both & paths[..., None, None], P, jnp.nan)


@jax.jit
def _eigenvalues(P: Array, known: Array, paths: Array) -> Array:
    finite = jnp.isfinite(P).all(axis=(-2, -1), keepdims=True)
    P = jnp.where(finite, P, 0)  # LAPACK may not end on NaN
    # Padding becomes one eigenvalue below all others, and so the last ones.
    below = -1 - jnp.sqrt(jnp.sum(P**2, axis=(-2, -1)))
    padding = jnp.where(known[..., None, :], 0, below[..., None])
    P = P + padding[..., None] * jnp.eye(P.shape[-1], dtype=P.dtype)
    # Of the general matrix, not of a symmetric form: that has the same eigenvalues only as far as
    # the maps are symmetric. JAX computes them on the CPU and on GPUs, there by cuSOLVER or, on the
    # host, LAPACK.
    values = -jnp.sort(-jnp.real(jnp.linalg.eigvals(P)), axis=-1)
    place = jnp.arange(P.shape[-1]) < jnp.sum(known, axis=-1)[..., None, None]
    return jnp.where(place & paths[..., None] & finite[..., 0], values, jnp.nan)


@jax.jit
def _participation(P: Array, known: Array) -> Array:
    num = jnp.sum(known, axis=-1).astype(P.dtype)
    squares = jnp.einsum("...aij,...aji->...", P, P)
    return jnp.where(num > 0, num / squares, jnp.nan)
