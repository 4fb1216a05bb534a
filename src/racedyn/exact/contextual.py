"""Contextual tasks whose blocks all have one structure: common and context pathways in closed form
([Jarvis25] App. F, G).

The common pathway is a two-layer linear network of its own. The context pathways, open in k of C
contexts each, learn what it leaves; they are alike, so that in each mode all have one strength a,
which obeys tau a' = 2 a (s - d a) with d = sum_j (u_p . u_j) (v . Sigma_x(j,p) v), overlaps as
measured: (C-1)/(C n) / (C-1) where k = C-1. Any k has this form.

From random weights the a0 of all modes follow from the weights. A mode of a small two-layer network
grows as g = (W1 v + W2^T u) / 2, and a0 = |g|^2. A context pathway sees two targets in its item
mode v: until the common pathway has learned this mode, at its half-loss time, also what that
pathway is still to learn, in another output direction. It gains a head start, many times its own
a0: the growth of (W1 v, W2^T u_common, W2^T u) under the two, one after the other."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_real
from racedyn._checks import check_positive, fail
from racedyn._types import MODE, PATH, Array, ArrayLike, Times
from racedyn.exact.contextual_modes import (
    ContextualModes,
    contextual_modes,
    contextual_start,
    split_inputs,
)
from racedyn.exact.solution import flow_times, solution
from racedyn.exact.two_layer import two_layer_strength
from racedyn.networks import Network, Problem, the_three
from racedyn.tasks import Task
from racedyn.trajectory import Trajectory


def contextual(
    network: Network | Problem,
    task: Task | None = None,
    start: Mapping[str, Any] | tuple[ArrayLike, ArrayLike] | None = None,
    ts: Times | None = None,
) -> Trajectory:
    """Loss and strengths of a contextual network in closed form.

    Observables: `loss` (time,); `strength` (time, path, mode) of all paths of the network, read in
    the modes of each path's input and output as in `train`; and what they are made of, in the modes
    of `contextual_modes`: `common_strength` (time, common_mode), u^T W2 W1 v of the common pathway,
    and `context_strength` (time, residual_mode), of each context pathway. At time 0 these two are
    the a0.

    **Arguments:**

    - `network`, `task`: as in `contextual_modes`; or a Problem in place of them and of `start`,
      beside `ts=`.
    - `start`: weights of the network, small and random, from which the a0 are derived; or (common,
      context): strengths u^T W2 W1 v of both kinds of pathway at the start, numbers or one per
      mode, positive, that of the context pathways as if the common one had converged already.
    - `ts`: flow times in units of tau. Infinity is the end.

    From aligned weights it is exact for the common pathway, and for the others once that has
    converged. From random weights it is an approximation, the better, the smaller they are: of
    training in stages, the common pathway first, and of joint training, to which it is mostly
    closer. It leaves out the overlap of modes and pathways at the start, differences between
    context pathways, that the common pathway takes a while to learn a mode, and what the context
    pathways have of it by then (the more, the more contexts there are); the head start is there
    from time 0 on. Raises `ValueError` as `contextual_modes` and `contextual_start` do, and for a
    start or times that do not fit.

        >>> task = rd.tasks.contextual(items=4, contexts=2)
        >>> network = rd.networks.contextual(task, active=1, width=5)
        >>> run = rd.exact.contextual(network, task, start=(1e-3, 1e-3), ts=[0.0, np.inf])
        >>> run["strength"].shape  # (time, path, mode)
        (2, 4, 4)
        >>> abs(run["loss"]).round(3).tolist()
        [2.996, 0.0]
    """
    if isinstance(network, Problem) or isinstance(start, Mapping):
        network, task, start = the_three(network, task, start)
    if task is None or start is None or ts is None:
        fail(
            "network, task, start, ts",
            "all be given, in this order",
            "not all are",
            "Or pass a Problem and ts=.",
            TypeError,
        )
    modes = contextual_modes(network, task)
    if isinstance(start, Mapping):
        common_start, context_start = contextual_start(modes, start)
    else:
        common_start, context_start = _given_start(start, modes)
    t = flow_times(ts)
    a, b = (
        two_layer_strength(modes.s, modes.d, common_start, t),
        two_layer_strength(modes.residual_s, modes.residual_d, context_start, t),
    )
    unlearned = 0.5 * np.sum(task.Y**2) / task.num_examples
    learned = jnp.sum(modes.s * a - 0.5 * modes.d * a**2, axis=-1)
    learned += len(modes.paths) * jnp.sum(
        modes.residual_s * b - 0.5 * modes.residual_d * b**2, axis=-1
    )
    pairs = list(dict.fromkeys(map(network.ends, network.paths())))
    return solution(
        f"{task.name}, {len(modes.paths)} context pathways",
        t,
        {
            "loss": unlearned - learned,
            "strength": _strengths(network, task, modes, a, b),
            "common_strength": a,
            "context_strength": b,
        },
        {
            "strength": (PATH, MODE),
            "common_strength": ("common_mode",),
            "context_strength": ("residual_mode",),
        },
        labels={PATH: network.path_names()},
        settings={"pairs": [list(pair) for pair in pairs]},
    )


def _strengths(network: Network, task: Task, modes: ContextualModes, a: Array, b: Array) -> Array:
    """Strengths of all paths, each in the modes of its input and output, (time, path, mode), padded
    with NaN: those of maps U a V^T, of which the common pathway has a part on each input."""
    parts = dict(zip(network.inputs, split_inputs(modes.V.T, task), strict=True))
    read = []
    for path in network.paths():
        source, target = network.ends(path)
        known = task.pair_modes(source, target)
        U, V, own = modes.U, parts[source].T, a
        if path in modes.paths:
            U, V, own = modes.residual_U[modes.paths.index(path)], modes.residual_V, b
        read.append(own @ ((known.U.T @ U) * (known.V.T @ V)).T)
    most = max(strength.shape[1] for strength in read)
    padding = [((0, 0), (0, most - strength.shape[1])) for strength in read]
    return jnp.stack(
        [
            jnp.pad(strength, pad, constant_values=np.nan)
            for strength, pad in zip(read, padding, strict=True)
        ],
        axis=1,
    )


def _given_start(start: Any, modes: ContextualModes) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(start, tuple | list) or len(start) != 2:
        fail(
            "start",
            "be weights, or (common, context)",
            f"it is {type(start).__name__}",
            "For example (1e-9, 1e-4).",
        )
    found = []
    for a0, s in zip(start, (modes.s, modes.residual_s), strict=True):
        try:
            found.append(np.broadcast_to(np.asarray(as_real("start", a0), float), s.shape))
        except ValueError:
            fail(
                "start",
                f"have a number, or one for each of {modes.s.size} common and "
                f"{modes.residual_s.size} residual modes",
                f"one is {a0!r}",
            )
        check_positive("start", float(found[-1].min()))
    return found[0], found[1]
