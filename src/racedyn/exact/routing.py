"""Routing through shared pathways: all layers' singular values by one quadrature ([Saxe22] section
5, fig. 4e, f).
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from racedyn._checks import as_real, check_positive, check_positive_int, fail
from racedyn._text import brief
from racedyn._types import Array, ArrayLike, Times
from racedyn.exact.chain import chain
from racedyn.tasks import RoutingTask


class RoutingSolution(NamedTuple):
    """`loss` (time,); strengths of an input, a hidden and an output matrix, `first`, `hidden`,
    `last` (time, mode).
    """

    loss: Array
    first: Array
    hidden: Array
    last: Array

    def __repr__(self) -> str:
        return brief(self)


def routing(
    task: RoutingTask,
    start: ArrayLike,
    ts: Times,
    *,
    group: int | None = None,
    hidden_layers: int = 1,
) -> RoutingSolution:
    """Loss and singular values of a routing network from weights aligned with the task's modes.

    **Arguments:**

    - `task`: regular: each input is trained with K outputs and each output with K inputs; Sigma_x
      diagonal in the modes.
    - `start`: strength of all matrices at the start, or (first and last, hidden).
    - `ts`: flow times (time,) in units of tau, of at least 0, in any order. Infinity is the end.
    - `group`: G, where G input and G output domains share a pathway
      (`networks.routing(sharing=G)`); all M by default. Below M all routes must be trained, so that
      all pathways are alike.
    - `hidden_layers`: matrices between the first and the last.

    Per mode b1 (first, last) and b2 (hidden) with s, d of one route; G routes flow through an outer
    matrix of a pathway and G^2 through a hidden one: tau b1' = (G/M^2) b1 b2^L r, tau b2' = (G/M)^2
    b1^2 b2^(L-1) r, r = s - d b1^2 b2^L. Each over the root of its rate, the strengths are layers
    of one `chain`, a quadrature; G b1^2 - b2^2 is conserved. Raises `ValueError` for a task that is
    not such a one, a start that is not positive, or negative times."""
    if not isinstance(task, RoutingTask):
        fail("task", "be one of tasks.routing", f"it is {task}", error=TypeError)
    if not task.regular:
        per_input, per_output = task.routes.sum(axis=1), task.routes.sum(axis=0)
        fail(
            "task",
            "be regular to have a closed form: as many trained routes at every domain",
            f"inputs have {per_input.min()} to {per_input.max()}, outputs {per_output.min()} to "
            f"{per_output.max()}",
            'Use pattern="circulant" or "regular", or reduce(level="modes").',
        )
    domains = task.domains
    group = domains if group is None else check_positive_int("group", group)
    if domains % group:
        fail("group", f"divide the number of domains, {domains}", f"it is {group}")
    if group < domains and not task.routes.all():
        fail(
            "task",
            "have all routes trained where groups share pathways",
            f"{int((~task.routes).sum())} are not",
            'reduce(level="modes") takes any pattern.',
        )
    outer, hidden = (check_positive("start", float(b)) for b in _pair(start))
    layers = check_positive_int("hidden_layers", hidden_layers)
    # Means over the trained routes: of the K M a domain has K; of the M^2 where all are trained a
    # group's outer matrix has G.
    X, Y = task.items, task.features
    modes = task.pair_modes(*_some_route(task))
    s = np.einsum("ia,ij,ja->a", modes.U, Y @ X.T, modes.V) / X.shape[1]
    sigma_v = X @ (X.T @ modes.V) / X.shape[1]
    d = np.einsum("ia,ia->a", modes.V, sigma_v)
    off = np.linalg.norm(sigma_v - modes.V * d) / np.linalg.norm(sigma_v)
    if off > 1e3 * np.finfo(float).eps * len(X):
        fail(
            "task",
            "have inputs whose correlation is diagonal in the modes, as one-hot or whitened ones",
            f"{off:.2g} of Sigma_x V is off the diagonal",
            'reduce(level="matrix") takes any inputs.',
        )
    # With b_l = sqrt(rate_l) w_l and A = prod_l sqrt(rate_l): tau dw_l/dt = A (s - d A prod_m w_m)
    # prod_{m != l} w_m.
    roots = np.sqrt([group / domains**2] * 2 + [(group / domains) ** 2] * layers)
    A = np.prod(roots)
    found = chain(A * s, np.array([outer] * 2 + [hidden] * layers) / roots, A**2 * d, ts=ts).layers
    b1, b2 = (roots[l] * found[:, l] for l in (0, 2))
    missing = jnp.sum((s - d * b1**2 * b2**layers) ** 2 / (2 * d), axis=1)
    floor = 0.5 * (np.sum(Y**2) / X.shape[1] - np.sum(s**2 / d))
    return RoutingSolution(missing + max(floor, 0.0), b1, b2, b1)


def _pair(start: ArrayLike) -> np.ndarray:
    """Strength of the outer layers and of the hidden ones."""
    given = np.asarray(as_real("start", start))
    if given.shape not in ((), (1,), (2,)):
        fail(
            "start",
            "be one number, or one for outer and one for hidden layers",
            f"its shape is {given.shape}",
        )
    return np.broadcast_to(given, 2)


def _some_route(task: RoutingTask) -> tuple[str, str]:
    i, j = np.argwhere(task.routes)[0]
    return f"x{i + 1}", f"y{j + 1}"
