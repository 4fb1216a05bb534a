"""Routing through shared pathways: all layers' singular values by one quadrature ([Saxe22] section
5, fig. 4e, f).
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn import networks
from racedyn._arrays import as_real
from racedyn._checks import check_positive, check_positive_int, fail
from racedyn._types import EDGE, MODE, PATH, ArrayLike, Times
from racedyn.exact.chain import chain_layers
from racedyn.exact.solution import flow_times, solution
from racedyn.networks import group_size
from racedyn.paths import observed_paths
from racedyn.tasks import Task, routes_of
from racedyn.trajectory import Trajectory


def routing(
    task: Task,
    start: ArrayLike,
    ts: Times,
    *,
    sharing: str | int = "shared",
    hidden_layers: int = 1,
) -> Trajectory:
    """Loss and singular values of a routing network from weights aligned with the task's modes.

    **Arguments:**

    - `task`: regular: each input is trained with K outputs and each output with K inputs; Sigma_x
      diagonal in the modes.
    - `start`: strength of all matrices at the start, or (first and last, hidden).
    - `ts`: flow times (time,) in units of tau, of at least 0, in any order. Infinity is the end.
    - `sharing`: the scheme, one of those of `networks.routing`: "shared", "dedicated", or a number
      G of input and of output domains that share a pathway. Below M all routes must be trained, so
      that all pathways are alike.
    - `hidden_layers`: matrices between the first and the last.

    Observables, named as the network's at the level "modes": `edge_strength` (time, edge, mode),
    `strength` (time, path, mode) where there are at most 1,000 paths, and `loss` (time,).

    Per mode b1 (first, last) and b2 (hidden) with s, d of one route; G routes flow through an outer
    matrix of a pathway and G^2 through a hidden one: tau b1' = (G/M^2) b1 b2^L r, tau b2' = (G/M)^2
    b1^2 b2^(L-1) r, r = s - d b1^2 b2^L. Each over the root of its rate, the strengths are layers
    of one `chain`, a quadrature; G b1^2 - b2^2 is conserved. Raises `ValueError` for a task that is
    not such a one, a start that is not positive, or negative times.

        >>> run = rd.exact.routing(rd.tasks.routing(domains=2), 0.1, ts=[0.0, np.inf])
        >>> run["strength"].shape  # (time, route, mode)
        (2, 4, 4)
        >>> f"{run['loss'][0]:.2f}"
        '30.49'
    """
    known = routes_of(task)
    routes, domains = known.routes, known.domains
    if not known.regular:
        per_input, per_output = routes.sum(axis=1), routes.sum(axis=0)
        fail(
            "task",
            "be regular to have a closed form: as many trained routes at every domain",
            f"inputs have {per_input.min()} to {per_input.max()}, outputs {per_output.min()} to "
            f"{per_output.max()}",
            'Use pattern="circulant" or "regular", or reduce(level="modes").',
        )
    group = group_size(sharing, domains)
    if group < domains and not routes.all():
        fail(
            "task",
            "have all routes trained where groups share pathways",
            f"{int((~routes).sum())} are not",
            'reduce(level="modes") takes any pattern.',
        )
    outer, hidden = (check_positive("start", float(b)) for b in _pair(start))
    layers = check_positive_int("hidden_layers", hidden_layers)
    # Means over the trained routes: of the K M a domain has K; of the M^2 where all are trained a
    # group's outer matrix has G.
    X, Y = known.items, known.features
    modes = task.pair_modes(*_some_route(routes))
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
    t = flow_times(ts)
    found = chain_layers(
        A * s, np.array([outer] * 2 + [hidden] * layers) / roots, t, variances=A**2 * d
    )
    b1, b2 = (roots[l] * found[:, l] for l in (0, 2))
    missing = jnp.sum((s - d * b1**2 * b2**layers) ** 2 / (2 * d), axis=1)
    floor = 0.5 * (np.sum(Y**2) / X.shape[1] - np.sum(s**2 / d))
    network = networks.routing(task, modes.num, layers, sharing)
    ends = {*network.inputs, *network.outputs}
    edges = [b1 if ends & {*joined} else b2 for joined in network.edges.values()]
    observables = {
        "loss": missing + max(floor, 0.0),
        "edge_strength": jnp.stack(edges, axis=1),
    }
    labels: dict[str, Any] = {EDGE: list(network.edges), MODE: modes.names}
    if names := list(observed_paths(network, None).values()):
        K = b1**2 * b2**layers
        observables["strength"] = jnp.broadcast_to(K[:, None], (len(t), len(names), modes.num))
        labels[PATH] = names
    return solution(
        f"{task.name}, {sharing!r}, {layers + 2} layers",
        t,
        observables,
        {"strength": (PATH, MODE), "edge_strength": (EDGE, MODE)},
        solver="quadrature over the smallest layer",
        labels=labels,
        settings={"pairs": [[x, y] for x in task.inputs for y in task.targets]},
    )


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


def _some_route(routes: np.ndarray) -> tuple[str, str]:
    i, j = np.argwhere(routes)[0]
    return f"x{i + 1}", f"y{j + 1}"
