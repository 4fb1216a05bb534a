"""The race of maps: balanced pathways, each one matrix ([Arora18] for a single chain)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_parameter, broadcast, check_shape
from racedyn._checks import as_list, check_depths, check_names, fail, is_whole, shown
from racedyn._text import clipped
from racedyn._types import MODE, PATH, Array, ArrayLike, HostOnly
from racedyn.paths import PROJECTORS, SHARES, observe_maps, observe_projectors, observe_shares
from racedyn.systems.base import AbstractSystem
from racedyn.tasks import Modes
from racedyn.trajectory import OBSERVABLES


class Maps(AbstractSystem):
    """Balanced pathways that compete for a task, one matrix M_a = U^T W_a V per pathway.

        tau dM_a/dt = sum_(l=1..D_a) (M_a M_a^T)^((l-1)/D_a) E (M_a^T M_a)^((D_a-l)/D_a),
        E = S - (sum_b M_b) d

    D_a counts weight matrices; D_a = 1 is E itself. It is the flow of W_a = W_D ... W_1 itself
    where W_(l+1)^T W_(l+1) = W_l W_l^T at every inner layer of every pathway ([Arora18] theorem 1;
    several pathways share E). Diagonal maps are those of `Pathways` with q = p = M^(1/D).

    **Arguments:**

    - `singular_values`: S, (mode,); or U^T Sigma_yx V whole, (n_out, n_in), in any bases U, V.
    - `depths`: D_a, one whole number per pathway.
    - `maps`: M_a at time 0, (path, n_out, n_in).
    - `variances`: d, a number or (n_in,); or V^T Sigma_x V whole, (n_in, n_in).
    - `weight_decay`: rate at which all matrices decay besides, in units of 1/tau; they stay
      balanced, and M_a decays at D_a times this rate.
    - `loss_floor`: the part of the loss that no maps remove.
    - `ranks`: of each M_a, all singular values by default. The flow of deep pathways keeps ranks,
      rounding does not: singular values beyond count as zero in powers.
    - `modes`: in which strengths are read, those of the first rows and columns of M_a.

    Observables: `strength` (path, mode), `off_diagonal` (path,), `strength_matrix` (path, mode_out,
    mode_in), `loss` (), and with `modes` `group_strength` (path, group). Raises `ValueError` where
    shapes don't meet, a value is not finite, a depth not whole or below 1, or the variances are no
    correlation.

        >>> maps = 0.1 * np.array([[[1.0, 0.5], [0.2, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])
        >>> race = rd.systems.Maps([2.0, 1.0], depths=(3, 3), maps=maps)
        >>> run = rd.simulate(race, ts=[0.0, 20.0])
        >>> run["strength"][-1].sum(axis=0).round(3).tolist()  # S/d
        [2.0, 1.0]
    """

    singular_values: Array
    variances: Array
    maps: Array
    weight_decay: Array
    loss_floor: Array
    depths: tuple[int, ...] = eqx.field(static=True)
    ranks: tuple[int, ...] = eqx.field(static=True)
    num_modes: int = eqx.field(static=True)
    groups: tuple[tuple[int, ...], ...] | None = eqx.field(static=True)
    path_names: tuple[str, ...] | None = eqx.field(static=True)
    mode_names: tuple[str, ...] | None = eqx.field(static=True)
    notes: HostOnly = eqx.field(static=True)

    def __init__(
        self,
        singular_values: ArrayLike | Sequence[Any],
        depths: Sequence[int],
        maps: ArrayLike | Sequence[Any],
        variances: ArrayLike | Sequence[Any] = 1.0,
        *,
        weight_decay: ArrayLike = 0.0,
        loss_floor: ArrayLike = 0.0,
        ranks: Sequence[int] | None = None,
        path_names: Sequence[str] | None = None,
        mode_names: Sequence[str] | None = None,
        modes: Modes | None = None,
        validity: Mapping[str, Any] | None = None,
    ):
        S = jnp.atleast_1d(as_parameter("singular_values", singular_values))
        if S.ndim > 2 or 0 in S.shape:
            fail(
                "singular_values",
                "be one number per mode, or a matrix (n_out, n_in)",
                f"it has shape {S.shape}",
            )
        self.singular_values = S
        self.depths = check_depths(depths)
        shape = S.shape if S.ndim == 2 else (S.shape[0], S.shape[0])
        self.maps = as_parameter("maps", maps)
        wanted = (len(self.depths), *shape)
        check_shape("maps", self.maps, wanted, f"be (path, n_out, n_in), {wanted}")
        self.variances = _as_variances(variances, shape[1])
        self.ranks = _as_ranks(ranks, len(self.depths), min(shape))
        self.weight_decay = as_parameter("weight_decay", weight_decay)
        if not isinstance(self.weight_decay, jax.core.Tracer) and np.any(
            np.asarray(self.weight_decay) < 0
        ):
            fail("weight_decay", "be of at least 0", f"it is {shown(weight_decay)}")
        self.loss_floor = as_parameter("loss_floor", loss_floor)
        self.num_modes = min(shape) if modes is None else modes.num
        if self.num_modes > min(shape):
            fail("modes", f"be at most {min(shape)}, as maps are {shape}", f"it has {modes}")
        self.groups = None if modes is None else modes.groups
        self.path_names = None if path_names is None else check_names("path_names", path_names)
        self.mode_names = None if mode_names is None else check_names("mode_names", mode_names)
        for argument, names, count in (
            ("path_names", self.path_names, len(self.depths)),
            ("mode_names", self.mode_names, self.num_modes),
        ):
            if names is not None and len(names) != count:
                fail(argument, f"have {count} names", f"it has {len(names)}")
        self.notes = HostOnly({"modes": modes, "validity": validity})

    def __repr__(self) -> str:
        return clipped(self.describe())

    @property
    def modes(self) -> Modes | None:
        return self.notes.value["modes"]

    @property
    def validity(self) -> Mapping[str, Any] | None:
        return self.notes.value["validity"]

    @property
    def sigma_yx(self) -> Array:
        """S as a matrix, (n_out, n_in)."""
        S = self.singular_values
        return S if S.ndim == 2 else jnp.diag(S)

    @property
    def sigma_x(self) -> Array:
        """d as a matrix, (n_in, n_in)."""
        return self.variances if self.variances.ndim == 2 else jnp.diag(self.variances)

    def y0(self) -> Array:
        return self.maps

    def at(self, y: Array) -> "Maps":
        return eqx.tree_at(lambda race: race.maps, self, y)

    def residual(self, y: Array) -> Array:
        """E = S - (sum_a M_a) d, (n_out, n_in): what drives every pathway."""
        return self.sigma_yx - jnp.sum(y, axis=0) @ self.sigma_x

    def vector_field(self, t: Array, y: Array, args: Any) -> Array:
        E = self.residual(y)
        flow = [
            _driven(M, E, depth, rank)
            for M, depth, rank in zip(y, self.depths, self.ranks, strict=True)
        ]
        rates = self.weight_decay * jnp.asarray(self.depths, y.dtype)
        return jnp.stack(flow) - rates[:, None, None] * y

    def observe(self, t: Array, y: Array) -> dict[str, Array]:
        maps = y[:, : self.num_modes, : self.num_modes]
        observed = {"loss": self._missing(y) + self.loss_floor}
        return observed | observe_maps(maps, self.groups)

    def observe_on_request(self, t: Array, y: Array) -> dict[str, Array]:
        maps = y[:, : self.num_modes, : self.num_modes]
        shared = observe_shares(jnp.diagonal(maps, axis1=1, axis2=2)) | observe_projectors(maps)
        return {"strength_matrix": maps, **shared}

    def _missing(self, y: Array) -> Array:
        """The loss above its floor, tr(E d^+ E^T) / 2."""
        E = self.residual(y)
        return 0.5 * jnp.sum(E @ jnp.linalg.pinv(self.sigma_x, hermitian=True) * E)

    def dims(self) -> Mapping[str, tuple[str, ...]]:
        known = ("strength", "off_diagonal", "group_strength", "strength_matrix")
        return {name: OBSERVABLES[name].axes for name in (*known, *SHARES, *PROJECTORS)}

    def labels(self) -> Mapping[str, tuple[str, ...]]:
        given = {PATH: self.path_names, MODE: self.mode_names}
        return {axis: names for axis, names in given.items() if names is not None}

    def describe(self) -> str:
        rows, columns = self.maps.shape[-2:]
        return f"Maps of depths {self.depths}, {rows} x {columns}"

    def amplification(self) -> Array:
        """As of `Pathways` with q = p: the plateau of the first pathway to leave, from the root
        mean square of its singular values, times the rate at which the largest mode relaxes."""
        size = jnp.sqrt(jnp.sum(self.maps**2, axis=(1, 2)) / min(self.maps.shape[1:]))
        end = self.sigma_yx @ jnp.linalg.pinv(self.sigma_x, hermitian=True)
        gain = jnp.linalg.norm(end, ord=2) / jnp.where(size > 0, size, jnp.nan)
        ways = [
            jnp.ones_like(gain[a])
            if depth == 1
            else 2 * jnp.log1p(gain[a] / 4)
            if depth == 2
            else depth / jnp.sqrt(2.0) * gain[a] ** (1 - 2 / depth)
            for a, depth in enumerate(self.depths)
        ]
        first = jnp.nanmin(jnp.stack(ways))
        return jnp.maximum(max(self.depths), jnp.where(jnp.isfinite(first), first, 1))

    def settled(self, t: Array, y: Array, tolerance: ArrayLike) -> Array:
        """Whether the part of the maps still missing is below `tolerance` of the weakest mode: the
        loss, quadratic in it, near its least; weight decay goes on there.
        """
        whitened = self.sigma_yx @ jnp.linalg.pinv(self.sigma_x, hermitian=True) @ self.sigma_yx.T
        powers = jnp.linalg.eigvalsh(whitened)
        some = powers > powers.shape[0] * jnp.finfo(y.dtype).eps * powers[-1]
        least = jnp.min(jnp.where(some, powers, powers[-1]))
        return (self.weight_decay == 0) & (self._missing(y) <= 0.5 * tolerance**2 * least)


def _driven(M: Array, E: Array, depth: int, rank: int) -> Array:
    """sum_l (M M^T)^((l-1)/D) E (M^T M)^((D-l)/D): how E drives the product of D balanced
    matrices.
    """
    if depth == 1:
        return E
    left, right = roots(M, depth, rank)
    total = power = E
    for _ in range(depth - 1):
        power = left @ power
        total = total @ right + power
    return total


# From singular values, and not from the eigenvalues of M M^T: those lose all below 1e-8 of the
# largest, and a mode that waits while others are learned is often smaller.
@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def roots(M: Array, depth: int, rank: int) -> tuple[Array, Array]:
    """(M M^T)^(1/D) and (M^T M)^(1/D), of the `rank` largest singular values of M."""
    A, m, B = _svd(M, rank)
    r = m ** (2 / depth)
    return (A * r) @ A.T, (B * r) @ B.T


@roots.defjvp
def _(
    depth: int, rank: int, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """By Daleckii and Krein: d(P^(1/D)) = f[x_i, x_j] dP_ij in the eigenbasis of P. The divided
    difference is 1 / sum_k r_i^(D-1-k) r_j^k with r = x^(1/D), so that equal eigenvalues are like
    any. Where both are 0 a map has no derivative, and a rank that is kept needs none: 0.
    """
    (M,), (dM,) = primals, tangents
    A, m, B = _svd(M, rank)
    size = jnp.where(m[0] > 0, m[0], 1)
    m, scale = m / size, size ** (2 / depth - 1)  # in range, whatever the size of M
    r = m ** (2 / depth)
    sums = jnp.sum(jnp.stack([jnp.outer(r ** (depth - 1 - k), r**k) for k in range(depth)]), axis=0)
    inverse = jnp.where(sums > 0, 1 / jnp.where(sums > 0, sums, 1), 0)
    to_zero = jnp.where(m > 0, jnp.where(m > 0, m, 1) ** (2 / depth - 1), 0)
    N = A.T @ dM @ B

    def turned(basis: Array, inner: Array, outer: Array) -> Array:
        """`inner` within the basis, `outer` between it and what is orthogonal to it."""
        out = (outer - basis @ (basis.T @ outer)) * to_zero @ basis.T
        return scale * (basis @ (inner * inverse) @ basis.T + out + out.T)

    of_left = turned(A, N * m + (N * m).T, dM @ B)
    of_right = turned(B, N.T * m + (N.T * m).T, dM.T @ A)
    return roots(M, depth, rank), (of_left, of_right)


def _svd(M: Array, rank: int) -> tuple[Array, Array, Array]:
    """A, m, B of M = A m B^T, the singular values beyond `rank` as 0."""
    A, m, Bt = jnp.linalg.svd(M, full_matrices=False)
    return A, jnp.where(jnp.arange(len(m)) < rank, m, 0), Bt.T


def _as_variances(value: Any, columns: int) -> Array:
    """d, (n_in,), or a correlation, (n_in, n_in)."""
    d = as_parameter("variances", value)
    if d.ndim < 2:
        d = broadcast("variances", d, (columns,))
    check_shape("variances", d, (columns,) * d.ndim, f"be ({columns},), or a matrix of these sides")
    if isinstance(d, jax.core.Tracer):
        return d
    known = np.asarray(d)
    if known.ndim == 2 and not np.allclose(known, known.T, rtol=0, atol=1e-10 * abs(known).max()):
        fail("variances", "be symmetric, V^T Sigma_x V", "they are not")
    least = known.min() if known.ndim == 1 else np.linalg.eigvalsh(known)[0]
    if least < -1e-10 * abs(known).max():
        what = "number" if known.ndim == 1 else "eigenvalue"
        fail("variances", "be of at least 0", f"the smallest {what} is {least:g}")
    return d


def _as_ranks(ranks: Any, count: int, largest: int) -> tuple[int, ...]:
    if ranks is None:
        return (largest,) * count
    must = f"be {count} whole numbers from 0 to {largest}, one per pathway"
    given = as_list("ranks", ranks, must)
    if len(given) != count or not all(is_whole(r) and 0 <= r <= largest for r in given):
        fail("ranks", must, f"they are {shown(ranks)}")
    return tuple(map(int, given))
