"""One chain of layers per mode, any depth and layers unequal: its flow is a quadrature in one
scalar ([Saxe22] eq. 11).

    tau dw_l/dt = r prod_{m != l} w_m,   r = S - d K,   K = prod_l w_l,   w_l^2 - w_m^2 conserved.

Signs of the start are taken out and put back, so that all layers begin positive and K is to become
`goal`, S/d times these signs. Let y be the smallest layer: the others are sqrt(y^2 + a_l), rising
a_1 <= a_2 ..., and only y may change its sign. u = y + sqrt(y^2 + a_1) is positive on both sides, y
= (u - a_1/u) / 2, and z = log u obeys

    dz/dt = r H,   H = prod_{l > 1} sqrt(y^2 + a_l),

with branch points of H in z at distance pi/2 or so from all real z, however many scales the a_l
have. Towards the end u* the time is counted in v with |z* - z| = log(1 + e^-v) / stretch: dt/dv is
smooth from the plateau to where only rounding is left.

Without an end is the decay of a chain whose smallest layers tie, a_1 = 0, where goal <= 0: y falls
to 0 and never passes it, at the end as a power of t or an exponential. There z = z0 - v / stretch.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_real, check_finite, check_shape
from racedyn._checks import fail
from racedyn._types import EDGE, MODE, PATH, Array, ArrayLike, Times
from racedyn.exact.clock import arrived
from racedyn.exact.solution import flow_times, loss_of, solution
from racedyn.exact.two_layer import shallow_strength
from racedyn.tasks import Modes
from racedyn.trajectory import Status, Trajectory


def chain(
    singular_values: ArrayLike,
    layers: ArrayLike,
    ts: Times,
    *,
    variances: ArrayLike = 1.0,
    modes: Modes | None = None,
) -> Trajectory:
    """Strength and layers of a chain in every mode, without an ODE: tau dw_l/dt = (S - d K) prod_{m
    != l} w_m.

    **Arguments:**

    - `singular_values` S, `variances` d > 0: (mode,) or numbers; S of either sign.
    - `layers`: w_l at time 0, (layer, mode), or (layer,) for all modes alike. As many as the chain
      has weight matrices, of any signs.
    - `ts`: flow times (time,) in units of tau, of at least 0, in any order. Infinity is the end.
    - `modes`: those that S and d are of; they give names and the floor of the loss, and `compare`
      then checks bases.

    Observables: `strength` (time, path, mode), of one path; `edge_strength` w (time, edge, mode),
    of the edges "w1", "w2", ... as in `networks.chain`; `loss` (time,). `status` (mode,): UNLEARNED
    where K tends to 0 and stays there although S is not 0, FAILED (and NaN) for numbers that are
    not finite.

    A layer far smaller than the largest is known to the rounding of that one, its sign included,
    and K with it. The cost does not depend on `ts`, on S or on the length of plateaus: 64 Gauss
    panels of order 16 per mode. Two layers of 0 never move. Works under `jit` and `vmap`;
    derivatives are those of the solution, which has none at the end of a mode that is never
    learned. Raises `ValueError` for shapes that don't fit, numbers that are not finite, variances
    that are not positive and negative times (traced ones are not looked at).

        >>> layers = [[0.1, 0.2], [0.3, 0.2], [0.2, 0.4]]  # (layer, mode)
        >>> run = rd.exact.chain([3.0, 1.0], layers, ts=[0.0, 5.0, 50.0])
        >>> run["strength"][:, 0].round(3).tolist()
        [[0.006, 0.016], [3.0, 0.997], [3.0, 1.0]]
    """
    S, w, d = _checked(singular_values, layers, variances)
    t = flow_times(ts)
    K, w, status = _chains(S, d, w, t)
    return solution(
        f"chain of {w.shape[1]} layers, {len(S)} modes",
        t,
        {"strength": K[:, None], "loss": loss_of(S, d, K, modes), "edge_strength": w},
        {"strength": (PATH, MODE), "edge_strength": (EDGE, MODE)},
        solver="quadrature over the smallest layer",
        labels={EDGE: [f"w{layer}" for layer in range(1, w.shape[1] + 1)]},
        status=status,
        modes=modes,
    )


def chain_layers(
    singular_values: ArrayLike, layers: ArrayLike, ts: Times, *, variances: ArrayLike = 1.0
) -> Array:
    """The layers w (time, layer, mode) of `chain` as plain numbers.

    >>> w = rd.exact.chain_layers([8.0, 1.0], 0.1 * np.ones((3, 2)), ts=[0.0, 1.0, np.inf])
    >>> w.shape  # (time, layer, mode)
    (3, 3, 2)
    >>> w[-1].round(3).tolist()  # of products 8 and 1
    [[2.0, 1.0], [2.0, 1.0], [2.0, 1.0]]
    """
    S, w, d = _checked(singular_values, layers, variances)
    return _chains(S, d, w, flow_times(ts))[1]


def _checked(
    singular_values: ArrayLike, layers: ArrayLike, variances: ArrayLike
) -> tuple[Array, Array, Array]:
    """S (mode,), w (layer, mode) and d (mode,)."""
    S, d, w = (
        jnp.asarray(as_real(name, x), float)
        for name, x in (
            ("singular_values", singular_values),
            ("variances", variances),
            ("layers", layers),
        )
    )
    w = w[:, None] if w.ndim == 1 else w
    must = "be (layer, mode), or (layer,), with at least one layer and mode"
    check_shape("layers", w, (None, None), must)
    try:
        (modes,) = jnp.broadcast_shapes(S.shape, d.shape, w.shape[1:])
    except ValueError:
        fail(
            "singular_values, variances, layers",
            "have as many modes, (mode,), (mode,) and (layer, mode)",
            f"their shapes are {S.shape}, {d.shape} and {w.shape}",
        )
    for name, array in (("singular_values", S), ("layers", w), ("variances", d)):
        if not isinstance(array, jax.core.Tracer):
            check_finite(name, np.asarray(array))
    if not isinstance(d, jax.core.Tracer) and not (least := np.asarray(d).min()) > 0:
        fail("variances", "be positive", f"the smallest is {least:g}")
    S, d = (jnp.broadcast_to(x, (modes,)) for x in (S, d))
    return S, jnp.broadcast_to(w, (len(w), modes)), d


@jax.jit
@partial(jax.vmap, in_axes=(0, 0, 1, None), out_axes=(1, 2, 0))
def _chains(S: Array, d: Array, w: Array, t: Array) -> tuple[Array, Array, Array]:
    """K (time,), layers (time, layer) and status of one mode, w (layer,)."""
    at_t, never = (
        _deep(S, d, w, t) if len(w) > 1 else (shallow_strength(S, d, w, t), jnp.asarray(False))
    )
    status = jnp.where(never, Status.UNLEARNED, Status.DONE)
    known = jnp.isfinite(S) & jnp.isfinite(d) & (d > 0) & jnp.all(jnp.isfinite(w))
    status = jnp.where(known, status, Status.FAILED).astype(jnp.int32)
    at_t = jnp.where(known, at_t, jnp.nan)
    return jnp.prod(at_t, axis=1), at_t, status


def _deep(S: Array, d: Array, w: Array, t: Array) -> tuple[Array, Array]:
    """Layers (time, layer), and whether K stays 0 for ever although S is not."""
    signs = jnp.where(w < 0, -1.0, 1.0)
    order = jnp.argsort(jnp.abs(w))
    x = jnp.abs(w)[order]
    stuck = x[1] == 0
    x = jnp.where(stuck, 1.0, x)
    goal = S / d * jnp.prod(signs)
    course = _Course.of(x[0], (x[1:] - x[0]) * (x[1:] + x[0]), goal, d)
    ended = jnp.isinf(t)
    v = arrived(course.pace, course.first, course.last, course.growth, jnp.where(ended, 0.0, t))
    y, others = course.layers(jnp.where(ended, jnp.inf, v))
    moved = signs * jnp.concatenate([y[:, None], others], axis=1)[:, jnp.argsort(order)]
    return jnp.where(stuck, w, moved), jnp.where(stuck, goal != 0, course.decays & (goal < 0))


class _Course(NamedTuple):
    """The way of one mode in v, from `first` to `last`, beyond which dt/dv goes as e^(growth v).

    `u` is that of the end, at `y_end`, or where it `decays` without one that of the start, and
    `y_end` filled in. `side` is the sign of z* - z, and what is left of it is `off` times what v
    says: 0 for a start at the end, with the derivatives of one next to it, else 1."""

    a: Array
    goal: Array
    d: Array
    decays: Array
    u: Array
    y_end: Array
    side: Array
    off: Array
    first: Array
    last: Array
    growth: Array
    stretch: float

    @classmethod
    def of(cls, y: Array, a: Array, goal: Array, d: Array) -> "_Course":
        stretch = (
            1 + (len(a) - 1) / 4
        )  # H is at most as e^((L - 2) z), so that dt/dv is at most as e^(4 v)
        decays = (a[0] == 0) & (goal <= 0)
        y_end = _end(a, jnp.where(decays, 1.0, goal))
        u, u_end = _u(y, a[0]), _u(y_end, a[0])
        # log(1 + e^-first) = stretch |z* - z|. A start that is at the end is taken to be next to
        # it.
        eps, next_to = jnp.finfo(y.dtype).eps, jnp.finfo(y.dtype).tiny ** 0.4
        side = jnp.where(u < u_end, 1.0, -1.0)
        apart = stretch * side * jnp.log(u_end / u)
        off = jnp.where((apart < next_to) & ~decays, apart / next_to, 1.0)
        apart = jnp.maximum(apart, next_to)
        first = jnp.where(decays, 0.0, -apart - jnp.log(-jnp.expm1(-apart)))
        # A decay is a power of y once y is small against what does not tie with it, and K against
        # the goal.
        ties = 1 + jnp.sum(jnp.where(a == 0, 1.0, 0.0))
        untied = jnp.min(jnp.where(a > 0, a, jnp.inf))
        K = y * jnp.prod(_others(y, a))
        small = jnp.minimum(
            eps * untied / y**2, jnp.where(goal < 0, eps * jnp.abs(goal) / K, jnp.inf)
        )
        fallen = jnp.maximum(-stretch / 2 * jnp.log(jax.lax.stop_gradient(small)), 1.0)
        last = jnp.where(decays, fallen, jnp.maximum(first, 0.0) - jnp.log(eps))
        growth = jnp.where(decays, jnp.where(goal < 0, ties - 2, 2 * ties - 2) / stretch, 0.0)
        return cls(
            a,
            goal,
            d,
            decays,
            jnp.where(decays, u, u_end),
            y_end,
            side,
            off,
            first,
            last,
            growth,
            stretch,
        )

    def lag(self, v: Array, off: ArrayLike = 1.0) -> Array:
        """z* - z, or z0 - z of a decay."""
        return jnp.where(self.decays, v, off * self.side * jnp.logaddexp(0.0, -v)) / self.stretch

    def layers(self, v: Array) -> tuple[Array, Array]:
        """y (time,) and all others (time, layer - 1)."""
        y = self.place(self.lag(v, self.off))
        return y, _others(y, self.a)

    def place(self, lag: Array) -> Array:
        """y where this is left of z."""
        u = self.u * jnp.exp(-lag)
        return (u - self.a[0] / jnp.where(u > 0, u, 1.0)) / 2

    def pace(self, v: Array) -> Array:
        """dt/dv."""
        lag, y_end = self.lag(v), self.y_end
        y = self.place(lag)
        others, Q_end = _others(y, self.a), jnp.prod(_others(y_end, self.a))
        H = jnp.prod(others[..., 1:], axis=-1)
        Q = others[..., 0] * H
        # K* - K = (y* - y) slope without differences, which would cancel near the end: of y from
        # that of u, and of Q^2 = prod (y^2 + a_l) by Horner's rule for divided differences, in
        # which all terms are positive.
        to_go = -jnp.expm1(-lag) * (self.u + self.a[0] / (self.u * jnp.exp(-lag))) / 2
        total, difference = jnp.ones_like(y), jnp.zeros_like(y)
        for a_l in self.a:
            total, difference = total * (y**2 + a_l), difference * (y_end**2 + a_l) + total
        slope = Q_end + y * (y_end + y) * difference / (Q_end + Q)
        dv_dt = (
            self.d
            * H
            * jnp.where(
                self.decays, y * Q - self.goal, self.side * to_go * slope * (1 + jnp.exp(v))
            )
        )
        # A plateau longer than numbers are long has not ended at any time.
        return jnp.minimum(1 / (self.stretch * dv_dt), jnp.finfo(y.dtype).max * 1e-8)


def _end(a: Array, goal: Array) -> Array:
    """y where K = y prod_l sqrt(y^2 + a_l) = goal.

    In log y^2 the logarithm of K is convex and rises: Newton's method falls to the root from above,
    where y^(all layers) = goal. It needs a step or two for each scale of the a_l. One in y itself
    has the derivatives."""
    layers = jax.lax.stop_gradient(jnp.concatenate([jnp.zeros(1), a]))
    wanted = jax.lax.stop_gradient(jnp.log(jnp.where(goal == 0, 1.0, jnp.abs(goal))))

    def step(_: int, place: Array) -> Array:
        square = jnp.exp(place)
        miss = jnp.sum(jnp.log(square + layers)) / 2 - wanted
        return place - miss / (jnp.sum(square / (square + layers)) / 2)

    place = jax.lax.fori_loop(0, 2 * len(layers) + 8, step, 2 * wanted / len(layers))
    y = jax.lax.stop_gradient(jnp.sign(goal)) * jnp.exp(place / 2)
    Q = jnp.prod(_root(y**2 + a))
    return y - (y * Q - goal) / (Q * (1 + jnp.sum(y**2 / (y**2 + a))))


def _others(y: Array, a: Array) -> Array:
    """All layers but the smallest, (..., layer - 1)."""
    return _root(y[..., None] ** 2 + a)


def _u(y: Array, a: Array) -> Array:
    """y + sqrt(y^2 + a) without cancellation."""
    root = _root(y**2 + a)
    return jnp.where(y < 0, a / (root + jnp.abs(y)), root + y)


def _root(x: Array) -> Array:
    """sqrt(x), and 0 at 0 without its infinite derivative."""
    return jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1.0)), 0.0)
