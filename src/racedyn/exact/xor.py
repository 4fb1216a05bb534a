"""XoR with a margin, learned by gated two-layer networks ([Jarvis25] App. C): all pathways of a
gating are alike.
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx

from racedyn import networks, tasks
from racedyn._arrays import as_real, check_finite
from racedyn._checks import check_name, check_positive, fail
from racedyn._types import MODE, PATH, Array, ArrayLike, Times
from racedyn.exact.solution import flow_times, solution
from racedyn.exact.two_layer import check_fraction, two_layer_strength, two_layer_time
from racedyn.trajectory import Trajectory

GATINGS = ("linear", "xor")


def xor_statistics(margin: ArrayLike, gating: str) -> tuple[Array, Array]:
    """Singular value s and input variance d of every pathway, of the shape of `margin`.

    "linear", a pathway for each label: s = Delta / 2, d = Delta^2 / 2. "xor", one for each example:
    s = sqrt(2 + Delta^2) / 4, d = (2 + Delta^2) / 4. Their rates s are equal at Delta = sqrt(2/3).
    Raises `ValueError` for a margin below 0.

        >>> s, d = rd.exact.xor_statistics(1.0, "linear")
        >>> f"{s:.3f}, {d:.3f}"
        '0.500, 0.500'
        >>> s, d = rd.exact.xor_statistics(1.0, "xor")
        >>> f"{s:.3f}, {d:.3f}"  # sqrt(3) / 4, 3 / 4
        '0.433, 0.750'
    """
    margin = jnp.asarray(as_real("margin", margin), float)
    if not isinstance(margin, jax.core.Tracer):
        check_finite("margin", np.asarray(margin))
    _not_negative("margin", margin)
    if check_name("gating", gating, GATINGS) == "linear":
        return margin / 2, margin**2 / 2
    return jnp.sqrt(2 + margin**2) / 4, (2 + margin**2) / 4


def _not_negative(argument: str, array: Array) -> None:
    if (
        not isinstance(array, jax.core.Tracer)
        and array.size
        and (least := np.asarray(array).min()) < 0
    ):
        fail(argument, "be of at least 0", f"its smallest is {least:g}")


def xor(margin: ArrayLike, gating: str, a0: ArrayLike, ts: Times) -> Trajectory:
    """The gated network of `networks.xor(tasks.xor(margin), gating)` in closed form.

    `margin`: a number. `a0`: strength u_p^T W2 W1 v_p of every pathway at the start, in its own
    mode, a number or (path,); the layers are balanced. `ts`: flow times (time,) in units of tau.

    Observables: `strength` (time, path, mode), in the one mode of the task, as `train` and `reduce`
    read it: a(t) itself with linear gating, a(t) Delta / sqrt(2 + Delta^2) with XoR gating, where a
    pathway's own mode is an example; and `loss` (time,). At margin 0 the task has no mode, and
    strengths there are 0 with XoR gating. Raises `ValueError` for a margin or a0 below 0.

        >>> run = rd.exact.xor(1.0, "xor", a0=1e-3, ts=[0.0, 10.0, 40.0])
        >>> run["loss"].round(3).tolist()
        [0.498, 0.004, 0.0]
    """
    if jnp.ndim(as_real("margin", margin)):
        fail("margin", "be one number", "it has axes", "xor_loss takes several.")
    xor_statistics(margin, gating)
    names = _path_names(gating)
    a0 = jnp.asarray(as_real("a0", a0), float)
    if a0.shape not in ((), (len(names),)):
        fail("a0", f"be a number, or one for each of {len(names)} pathways", f"it is {a0}")
    t, margin = flow_times(ts), jnp.asarray(as_real("margin", margin), float)
    a0 = jnp.broadcast_to(a0, (len(names),))
    losses = xor_loss(margin, gating, a0, t)
    seen = 1.0 if gating == "linear" else margin / jnp.sqrt(2 + margin**2)
    own = two_layer_strength(*xor_statistics(margin, gating), a0, t)
    traced = isinstance(margin, jax.core.Tracer)
    return solution(
        f"XoR, {gating} gating" + ("" if traced else f", margin {margin:g}"),
        t,
        {"strength": (seen * own)[..., None], "loss": jnp.mean(losses, axis=1)},
        {"strength": (PATH, MODE)},
        labels={PATH: names},
    )


def xor_loss(margin: ArrayLike, gating: str, a0: ArrayLike, ts: Times) -> Array:
    """Loss of pathways that all start from a0, 1/2 (1 - a(t) d/s)^2 ([Jarvis25] eq. 22, 23), as
    plain numbers: (time, ...) for margins and a0 that broadcast to (...).

    With linear gating at margin 0 nothing is learned and the loss stays 1/2. That of a network
    whose pathways start from several a0 is the mean over them.

        >>> rd.exact.xor_loss(1.0, "linear", a0=1e-3, ts=[0.0, 10.0, 40.0]).round(3).tolist()
        [0.499, 0.001, 0.0]
    """
    s, d = xor_statistics(margin, gating)
    _not_negative("a0", jnp.asarray(as_real("a0", a0), float))
    a = two_layer_strength(s, d, a0, ts)
    return 0.5 * (1 - a * jnp.where(s == 0, 0.0, d / jnp.where(s == 0, 1.0, s))) ** 2


@cache
def _path_names(gating: str) -> tuple[str, ...]:
    return networks.xor(tasks.xor(1.0), gating, 1).path_names()


def xor_time(margin: ArrayLike, gating: str, a0: ArrayLike, fraction: ArrayLike = 0.5) -> Array:
    """Flow time at which the loss has fallen to `fraction` of 1/2, that of a network that answers
    0.

    Infinite with linear gating at margin 0.

        >>> margins = np.array([0.5, 1.0])
        >>> rd.exact.xor_time(margins, "linear", a0=1e-3).round(2).tolist()
        [13.44, 6.03]
        >>> rd.exact.xor_time(margins, "xor", a0=1e-3).round(2).tolist()
        [7.49, 6.32]
    """
    s, d = xor_statistics(margin, gating)
    safe = jnp.where(s == 0, 1.0, s), jnp.where(s == 0, 1.0, d)
    part = jnp.asarray(as_real("fraction", fraction), float)
    check_fraction(part)
    return jnp.where(s == 0, jnp.inf, two_layer_time(*safe, a0, 1 - jnp.sqrt(part)))


def xor_crossing(a0: float, fraction: float = 0.5) -> float:
    """The margin at which both gatings take equally long to `fraction` of the loss from the same
    `a0`.

    Below it XoR gating is faster. Tends to sqrt(2/3), where the rates are equal, as a0 goes to 0:
    what is to be learned, s/d, is twice as much with linear gating, so that it needs the larger
    margin. Raises `ValueError` where a0 is so large that there is none.

        >>> margin = rd.exact.xor_crossing(a0=1e-3)
        >>> times = [rd.exact.xor_time(margin, gating, a0=1e-3) for gating in ("linear", "xor")]
        >>> f"{margin:.3f}: {times[0]:.3f}, {times[1]:.3f}"
        '0.941: 6.470, 6.470'
    """
    a0, fraction = check_positive("a0", a0), check_positive("fraction", fraction)

    def lag(margin: Any, _: Any) -> Array:
        return xor_time(margin, "linear", a0, fraction) - xor_time(margin, "xor", a0, fraction)

    equal_rates = np.sqrt(2 / 3)
    # At twice the rate linear gating has won, unless it starts beyond what it is to learn.
    upper = 2 * equal_rates
    if not (jnp.isfinite(lag(upper, None)) and lag(equal_rates, None) > 0 > lag(upper, None)):
        fail("a0", "be small against what the pathways learn, s/d", f"it is {a0}")
    solver: Any = optx.Bisection(rtol=1e-12, atol=1e-12)  # type: ignore[call-arg]
    options = {"lower": equal_rates, "upper": upper}
    found: Any = optx.root_find(
        lag, solver, jnp.asarray((equal_rates + upper) / 2), options=options, max_steps=100
    )
    return float(found.value)
