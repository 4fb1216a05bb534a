"""Routing through shared pathways: all layers' singular values by one quadrature ([Saxe22] section 5, fig. 4e, f)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import check_positive, check_positive_int, fail
from racedyn._types import Array, ArrayLike
from racedyn.tasks.routing import RoutingTask

_PANELS = 96
_ORDER = 10
# Newton steps, many more than are needed to get to rounding: for the end, and inside a panel.
_NEWTON_STEPS, _INVERSIONS = 60, 10


class RoutingSolution(NamedTuple):
    """`loss` (time,); strengths of an input, a hidden and an output matrix, `first`, `hidden`, `last` (time, mode)."""

    loss: Array
    first: Array
    hidden: Array
    last: Array


class _Race(NamedTuple):
    """One mode: b1' = alpha b1 b2^L r, b2' = beta b1^2 b2^(L-1) r, r = s - d b1^2 b2^L; b1^2 = (alpha/beta) (b2^2 + c).

    The smaller one leads, in units in which c separates them: b2 where c >= 0, else b1. The other then stays away from 0.
    """

    s: Array
    d: Array
    alpha: float
    beta: float
    c: float
    layers: int

    def both(self, leading: Array) -> tuple[Array, Array]:
        """b1 and b2 where the leading one is this."""
        share = self.alpha / self.beta
        if self.c >= 0:
            return jnp.sqrt(share * (leading**2 + self.c)), leading
        return leading, jnp.sqrt(leading**2 / share - self.c)

    def end(self) -> Array:
        """The leading strength when the route is learned, b1^2 b2^L = s/d."""
        wanted = self.s / self.d * self.beta / self.alpha

        def step(_: int, b: Array) -> Array:
            """Newton for (b^2 + c) b^L = wanted in b2: convex, from above."""
            value = (b**2 + self.c) * b**self.layers - wanted
            slope = (self.layers + 2) * b ** (self.layers + 1) + self.c * self.layers * b ** (self.layers - 1)
            return b - value / slope

        upper = max(-self.c, 0.0) ** 0.5 + wanted ** (1 / (self.layers + 2))
        b2 = jax.lax.fori_loop(0, _NEWTON_STEPS, step, upper)
        return b2 if self.c >= 0 else jnp.sqrt(self.s / self.d / b2**self.layers)

    def pace(self, u: Array, sign: Array, end: Array) -> Array:
        """dt/du where the leading strength is end / (1 + sign e^-u): smooth and bounded, also towards the end."""
        leading = _leading(u, sign, end)
        (b1, b2), (_, b2_end) = self.both(leading), self.both(end)
        # r / (d (end - leading)) without the difference, which would cancel near the end.
        powers = sum((b2_end**i * b2 ** (self.layers - 1 - i) for i in range(self.layers)), start=jnp.zeros_like(b2))
        slope = self.alpha / self.beta * (b2_end + b2) * b2_end**self.layers + b1**2 * powers
        if self.c >= 0:
            return b2 / (end * self.beta * b1**2 * b2 ** (self.layers - 1) * self.d * slope)
        slope *= self.beta / self.alpha * (end + leading) / (b2_end + b2)
        return 1 / (end * self.alpha * b2**self.layers * self.d * slope)


def _leading(u: Array, sign: Array, end: Array) -> Array:
    return end / (1 + sign * jnp.exp(-u))


def routing(
    task: RoutingTask, start: ArrayLike, ts: ArrayLike, *, group: int | None = None, hidden_layers: int = 1
) -> RoutingSolution:
    """Loss and singular values of a routing network from weights aligned with the task's modes.

    **Arguments:**

    - `task`: regular: each input is trained with K outputs and each output with K inputs; Sigma_x diagonal in the modes.
    - `start`: strength of all matrices at the start, or (first and last, hidden); `ts` in units of tau.
    - `group`: G, where G input and G output domains share a pathway (`networks.routing(sharing=G)`); all M by default.
      Below M all routes must be trained, so that all pathways are alike.
    - `hidden_layers`: matrices between the first and the last.

    Per mode b1 (first, last) and b2 (hidden) with s, d of one route; G routes flow through an outer matrix of a pathway and
    G^2 through a hidden one: tau b1' = (G/M^2) b1 b2^L r, tau b2' = (G/M)^2 b1^2 b2^(L-1) r, r = s - d b1^2 b2^L.
    G b1^2 - b2^2 is conserved, so that t is a quadrature over one strength: 96 Gauss panels of order 10, inverted by Newton
    steps. `ts` of at least 0, in any order. Raises `ValueError` for a task that is not such a one, or a start
    that is not positive.
    """
    if not isinstance(task, RoutingTask):
        fail("task", "be one of tasks.routing", f"it is {task}", error=TypeError)
    if not task.regular:
        per_input, per_output = task.routes.sum(axis=1), task.routes.sum(axis=0)
        fail("task", "be regular to have a closed form: as many trained routes at every domain",
             f"inputs have {per_input.min()} to {per_input.max()}, outputs {per_output.min()} to {per_output.max()}",
             'Use pattern="circulant" or "regular", or reduce(level="modes").')  # fmt: skip
    domains = task.domains
    group = domains if group is None else check_positive_int("group", group)
    if domains % group:
        fail("group", f"divide the number of domains, {domains}", f"it is {group}")
    if group < domains and not task.routes.all():
        fail("task", "have all routes trained where groups share pathways", f"{int((~task.routes).sum())} are not",
             'reduce(level="modes") takes any pattern.')  # fmt: skip
    outer, hidden = (check_positive("start", float(b)) for b in np.broadcast_to(np.asarray(start, float), 2))
    layers = check_positive_int("hidden_layers", hidden_layers)
    # Means over the trained routes: of the K M a domain has K; of the M^2 where all are trained a group's outer matrix has G.
    X, Y = task.items, task.features
    modes = task.pair_modes(*_some_route(task))
    s = np.einsum("ia,ij,ja->a", modes.U, Y @ X.T, modes.V) / X.shape[1]
    sigma_v = X @ (X.T @ modes.V) / X.shape[1]
    d = np.einsum("ia,ia->a", modes.V, sigma_v)
    off = np.linalg.norm(sigma_v - modes.V * d) / np.linalg.norm(sigma_v)
    if off > 1e3 * np.finfo(float).eps * len(X):
        fail("task", "have inputs whose correlation is diagonal in the modes, as one-hot or whitened ones",
             f"{off:.2g} of Sigma_x V is off the diagonal", 'reduce(level="matrix") takes any inputs.')  # fmt: skip
    alpha, beta = group / domains**2, (group / domains) ** 2
    c = outer**2 * beta / alpha - hidden**2
    t = jnp.asarray(ts, float)
    if not isinstance(t, jax.core.Tracer) and t.size and t.min() < 0:
        fail("ts", "be of at least 0, where the start is", f"its smallest is {float(t.min()):g}")

    def one_mode(s: Array, d: Array) -> tuple[Array, Array]:
        race = _Race(s, d, alpha, beta, c, layers)
        return race.both(_trajectory(race, jnp.asarray(hidden if c >= 0 else outer, float), t))

    b1, b2 = jax.vmap(one_mode, out_axes=1)(jnp.asarray(s), jnp.asarray(d))
    missing = jnp.sum((s - d * b1**2 * b2**layers) ** 2 / (2 * d), axis=1)
    floor = 0.5 * (np.sum(Y**2) / X.shape[1] - np.sum(s**2 / d))
    return RoutingSolution(missing + max(floor, 0.0), b1, b2, b1)


def _some_route(task: RoutingTask) -> tuple[str, str]:
    i, j = np.argwhere(task.routes)[0]
    return f"x{i + 1}", f"y{j + 1}"


def _trajectory(race: _Race, start: Array, ts: Array) -> Array:
    """The leading strength at the times, (time,)."""
    end = race.end()
    sign = jnp.where(start < end, 1.0, -1.0)
    nodes, weights = (jnp.asarray(x) for x in np.polynomial.legendre.leggauss(_ORDER))
    # From the start to where only rounding is left, beyond which dt/du is constant.
    tiny, eps = jnp.finfo(start.dtype).tiny, jnp.finfo(start.dtype).eps
    first = -jnp.log(jnp.maximum(jnp.abs(end - start) / start, tiny))
    edges = jnp.linspace(first, jnp.maximum(first, 0) - jnp.log(eps), _PANELS + 1)

    def integral(low: Array, high: Array) -> Array:
        half = (high - low)[..., None] / 2
        return jnp.sum(weights * half * race.pace(low[..., None] + half * (1 + nodes), sign, end), axis=-1)

    arrival = jnp.concatenate([jnp.zeros(1), jnp.cumsum(integral(edges[:-1], edges[1:]))])
    panel = jnp.clip(jnp.searchsorted(arrival, ts, side="right") - 1, 0, _PANELS - 1)
    low = edges[panel]
    high = jnp.where(panel < _PANELS - 1, edges[panel + 1], jnp.inf)

    def step(_: int, u: Array) -> Array:
        late = arrival[panel] + integral(low, u) - ts
        return jnp.clip(u - late / race.pace(u, sign, end), low, high)

    return _leading(jax.lax.fori_loop(0, _INVERSIONS, step, low), sign, end)
