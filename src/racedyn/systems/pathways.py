"""The q/p equations of parallel pathways [Shi22], any mixture of depths."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_parameter, broadcast
from racedyn._checks import check_depths, check_names, fail, shown
from racedyn._text import clipped
from racedyn._types import MODE, PATH, Array, ArrayLike, HostOnly
from racedyn.exact import converged, race_states
from racedyn.paths import PROJECTORS, SHARES, observe_projectors, observe_shares
from racedyn.systems.base import AbstractSystem
from racedyn.tasks import Modes
from racedyn.trajectory import OBSERVABLES, Status

State = tuple[Array, Array]


class Pathways(AbstractSystem):
    """Pathways that compete for each mode, one (q, p) per pathway and mode ([Shi22]; depths may
    differ).

        dq_a/dt = q_a^(D_a - 2) p_a r,   dp_a/dt = q_a^(D_a - 1) r,
        r = S - d sum_a K_a,   K_a = p_a q_a^(D_a - 1)

    D_a counts weight matrices. D_a = 1 is a shallow pathway: K = p, dp/dt = r, and its q is unused.
    c_a = q_a^2 - p_a^2 is conserved. Modes don't interact: each is a lane. With weight decay each q
    and p decays besides, and c_a too.

    **Arguments:**

    - `singular_values`: S, (mode,).
    - `depths`: D_a, one per pathway: whole numbers; or others above 2, with q > 0, for which only a
      solver has the solution.
    - `q`, `p`: at time 0, (path, mode), or anything that broadcasts to it.
    - `variances`: d, (mode,) or a number.
    - `loss_floor`: the part of the loss outside the modes.
    - `weight_decay`: rate at which all matrices decay besides, in units of 1/tau.

    Observables: `strength`, `q`, `p` (path, mode), `loss` (); on request what shares tell of a
    mode (`participation`, `winner`, ...), the diagonal `strength_matrix` and the projectors made of
    it. Raises `ValueError` where shapes don't meet, a value is not finite, a variance below 0, or a
    depth neither whole and at least 1 nor above 2."""

    singular_values: Array
    variances: Array
    q: Array
    p: Array
    loss_floor: Array
    weight_decay: Array
    depths: tuple[float, ...] = eqx.field(static=True)
    path_names: tuple[str, ...] | None = eqx.field(static=True)
    mode_names: tuple[str, ...] | None = eqx.field(static=True)
    notes: HostOnly = eqx.field(static=True)

    def __init__(
        self,
        singular_values: ArrayLike | Sequence[float],
        depths: Sequence[float],
        q: ArrayLike | Sequence[Any],
        p: ArrayLike | Sequence[Any],
        variances: ArrayLike | Sequence[float] = 1.0,
        *,
        loss_floor: ArrayLike = 0.0,
        weight_decay: ArrayLike = 0.0,
        path_names: Sequence[str] | None = None,
        mode_names: Sequence[str] | None = None,
        modes: Modes | None = None,
        validity: Mapping[str, Any] | None = None,
    ):
        S = jnp.atleast_1d(as_parameter("singular_values", singular_values))
        self.depths = check_depths(depths, broken=True)
        shape = (len(self.depths), S.shape[0])
        if S.ndim != 1 or 0 in shape:
            fail(
                "singular_values",
                "be one number per mode, for at least one mode and pathway",
                f"it has shape {S.shape}",
            )
        self.singular_values = S
        self.variances = broadcast("variances", variances, shape[1:])
        if not isinstance(self.variances, jax.core.Tracer) and np.any(
            np.asarray(self.variances) < 0
        ):
            fail(
                "variances",
                "be of at least 0",
                f"the smallest is {np.min(np.asarray(self.variances)):g}",
            )
        self.q = broadcast("q", q, shape)
        self.p = broadcast("p", p, shape)
        for a, depth in enumerate(self.depths):
            if (
                depth % 1
                and not isinstance(self.q, jax.core.Tracer)
                and np.any(np.asarray(self.q[a]) <= 0)
            ):
                fail(
                    "q", f"be above 0 in a pathway of depth {depth}", f"that of pathway {a} is not"
                )
        self.loss_floor = as_parameter("loss_floor", loss_floor)
        self.weight_decay = as_parameter("weight_decay", weight_decay)
        if not isinstance(self.weight_decay, jax.core.Tracer) and np.any(
            np.asarray(self.weight_decay) < 0
        ):
            fail("weight_decay", "be of at least 0", f"it is {shown(weight_decay)}")
        self.path_names = None if path_names is None else check_names("path_names", path_names)
        self.mode_names = None if mode_names is None else check_names("mode_names", mode_names)
        for argument, names, count in (
            ("path_names", self.path_names, shape[0]),
            ("mode_names", self.mode_names, shape[1]),
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

    def y0(self) -> State:
        return self.q, self.p

    def at(self, y: State) -> "Pathways":
        return eqx.tree_at(lambda race: (race.q, race.p), self, y)

    def strength(self, y: State) -> Array:
        """K_a = p_a q_a^(D_a - 1), (path, mode)."""
        q, p = y
        return p * _powers(q, [depth - 1 for depth in self.depths])

    def residual(self, y: State) -> Array:
        """r = S - d sum_a K_a, (mode,): what drives every pathway of a mode."""
        return self.singular_values - self.variances * jnp.sum(self.strength(y), axis=0)

    def learned(self, y: State) -> Array:
        """d sum_a K_a / S: which part of each mode is learned, (mode,)."""
        return self.variances * jnp.sum(self.strength(y), axis=0) / self.singular_values

    def vector_field(self, t: Array, y: State, args: Any) -> State:
        q, p = y
        r = self.residual(y)
        deep = _per_path([depth > 1 for depth in self.depths], q)
        dq = jnp.where(deep, _powers(q, [max(depth - 2, 0) for depth in self.depths]) * p * r, 0)
        dp = _powers(q, [depth - 1 for depth in self.depths]) * r
        return dq - self.weight_decay * jnp.where(deep, q, 0), dp - self.weight_decay * p

    def observe(self, t: Array, y: State) -> dict[str, Array]:
        loss = 0.5 * jnp.sum(self.residual(y) ** 2 / self.variances) + self.loss_floor
        return {"strength": self.strength(y), "loss": loss, "q": y[0], "p": y[1]}

    def observe_on_request(self, t: Array, y: State) -> dict[str, Array]:
        strength = self.strength(y)
        matrices = strength[:, :, None] * jnp.eye(strength.shape[1], dtype=strength.dtype)
        shared = observe_shares(strength) | observe_projectors(matrices)
        return {"strength_matrix": matrices, **shared}

    def dims(self) -> Mapping[str, tuple[str, ...]]:
        return {
            name: OBSERVABLES[name].axes
            for name in ("strength", "q", "p", "strength_matrix", *SHARES, *PROJECTORS)
        }

    def labels(self) -> Mapping[str, tuple[str, ...]]:
        given = {PATH: self.path_names, MODE: self.mode_names}
        return {axis: names for axis, names in given.items() if names is not None}

    def describe(self) -> str:
        return f"Pathways of depths {self.depths}, {self.lanes} modes"

    @property
    def lanes(self) -> int:
        return self.singular_values.shape[-1]

    def rates(self) -> Array:
        """Growth rate of the fastest pathway at the start, S q^(D-2), or d in a shallow one."""
        return _rates(self.depths, self.singular_values, self.q, self.variances)

    def amplification(self) -> Array:
        """Length of the plateau times the rate at its end: a plateau turns an early error into a
        shift in time.

        A pathway leaves after about t S = 1 / (q^(D-3) sqrt(q^2 + p^2)) (D > 2), ln(1 + S/(d (q +
        p)^2)) (D = 2), or at once (D = 1), and then K moves at about the relaxation rate of a
        balanced pathway, D d (S/d)^(2-2/D). One that starts against S first falls to q^2 = c = q^2
        - p^2, of which an error is q^2 / c times that of q. The first to leave counts. At least the
        depth: an error in each of D factors is D times that in K."""
        reach = jnp.where(self.variances > 0, jnp.abs(self.singular_values) / self.variances, 1)
        ways = []
        for depth, signed, p in zip(self.depths, self.q, self.p, strict=True):
            q, towards = (
                jnp.abs(signed),
                jnp.sign(self.singular_values) * p * jnp.sign(signed) ** (depth - 1),
            )
            against, c = towards < 0, (q - jnp.abs(p)) * (q + jnp.abs(p))
            if depth == 1:
                plateau = jnp.ones_like(reach)
            elif depth == 2:
                lasting = jnp.abs(q + towards)
                plateau = jnp.log1p(reach / lasting**2) * jnp.where(against, q / lasting, 1)
            else:
                lowest = jnp.sqrt(jnp.maximum(c, 0))
                plateau = jnp.where(
                    against,
                    lowest ** (-depth) * q**2,
                    1 / (q ** (depth - 3.0) * jnp.sqrt(q**2 + p**2)),
                )
            ways.append(plateau * depth * reach ** (1 - 2 / depth if depth > 1 else 0))
        first = jnp.min(jnp.where(jnp.isnan(jnp.stack(ways)), jnp.inf, jnp.stack(ways)), axis=0)
        return jnp.maximum(max(self.depths), jnp.where(jnp.isfinite(first), first, 1))

    def settled(self, t: Array, y: State, tolerance: ArrayLike) -> Array:
        """Whether the residual is small beside S and what pathways cancel of each other; weight
        decay goes on there.
        """
        fitted = self.variances * jnp.sum(jnp.abs(self.strength(y)), axis=0)
        small = jnp.abs(self.residual(y)) <= tolerance * (jnp.abs(self.singular_values) + fitted)
        return (self.weight_decay == 0) & small

    @property
    def has_exact(self) -> bool:
        """In float64, with whole depths and without weight decay; of a stack, if some have none."""
        decay = self.weight_decay
        whole = all(depth % 1 == 0 for depth in self.depths)
        return (
            whole
            and self.q.dtype == jnp.float64
            and not isinstance(decay, jax.core.Tracer)
            and not np.all(np.asarray(decay))
        )

    def exact(self, ts: Array | None) -> tuple[State, Array]:
        """As `racedyn.exact.trajectory`, or `converged` where `ts` is None; FAILED with weight
        decay.
        """
        given = self.singular_values, tuple(map(int, self.depths)), self.q, self.p
        if ts is None:
            end = converged(*given, self.variances)
            q, p, status = end.q[..., None, :, :], end.p[..., None, :, :], end.status
        else:
            _, q, p, status = race_states(*given, ts, variances=self.variances)
        decay = self.weight_decay
        if not isinstance(decay, jax.core.Tracer) and not np.asarray(decay).any():
            return (q, p), status
        return (q, p), jnp.where(jnp.asarray(decay)[..., None] != 0, Status.FAILED, status)

    def drift(self, y: State, y0: State) -> Array:
        """Largest |c - c0| over q0^2 + p0^2, c = q^2 - p^2; shallow pathways conserve nothing,
        decay lets nothing stand.
        """
        (q, p), (q0, p0) = y, y0
        change = jnp.abs((q**2 - p**2) - (q0**2 - p0**2)) / (q0**2 + p0**2)
        deep = _per_path([depth > 1 for depth in self.depths], q)
        return jnp.where(self.weight_decay == 0, jnp.max(jnp.where(deep, change, 0.0)), jnp.nan)


@partial(jax.jit, static_argnums=0)
def _rates(depths: tuple[float, ...], S: Array, q: Array, variances: Array) -> Array:
    growth = _powers(jnp.abs(q), [max(depth - 2, 0) for depth in depths]) * S
    deep = _per_path([depth > 1 for depth in depths], q)
    return jnp.max(jnp.where(deep, growth, variances), axis=0)


def _powers(q: Array, exponents: Sequence[float]) -> Array:
    """q_a^n_a with one exponent per pathway; whole ones are exact for q of either sign."""
    if len(set(exponents)) == 1:
        return q ** exponents[0]
    return jnp.stack([q[a] ** n for a, n in enumerate(exponents)])


def _per_path(flags: Sequence[bool], q: Array) -> Array:
    return jnp.asarray(flags).reshape((-1,) + (1,) * (q.ndim - 1))
