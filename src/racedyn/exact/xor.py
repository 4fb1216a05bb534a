"""XoR with a margin, learned by gated two-layer networks ([Jarvis25] App. C): all pathways of a
gating are alike.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx

from racedyn._checks import as_real, check_finite, check_name, check_positive, fail
from racedyn._types import Array, ArrayLike, Times
from racedyn.exact.two_layer import check_fraction, two_layer, two_layer_time

GATINGS = ("linear", "xor")


def xor_statistics(margin: ArrayLike, gating: str) -> tuple[Array, Array]:
    """Singular value s and input variance d of every pathway, of the shape of `margin`.

    "linear", a pathway for each label: s = Delta / 2, d = Delta^2 / 2. "xor", one for each example:
    s = sqrt(2 + Delta^2) / 4, d = (2 + Delta^2) / 4. Their rates s are equal at Delta = sqrt(2/3).
    Raises `ValueError` for a margin below 0."""
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


def xor(margin: ArrayLike, gating: str, a0: ArrayLike, ts: Times) -> Array:
    """Loss of the whole network, (time,) or (time, margin): 1/2 (1 - a(t) d/s)^2 ([Jarvis25] eq.
    22, 23).

    `a0`: strength u^T W2 W1 v of every pathway at the start (balanced); `ts` in units of tau. With
    linear gating at margin 0 nothing is learned and the loss stays 1/2."""
    s, d = xor_statistics(margin, gating)
    _not_negative("a0", jnp.asarray(as_real("a0", a0), float))
    a = two_layer(s, d, a0, ts)
    return 0.5 * (1 - a * jnp.where(s == 0, 0.0, d / jnp.where(s == 0, 1.0, s))) ** 2


def xor_time(margin: ArrayLike, gating: str, a0: ArrayLike, fraction: ArrayLike = 0.5) -> Array:
    """Flow time at which the loss has fallen to `fraction` of 1/2, that of a network that answers
    0.

    Infinite with linear gating at margin 0.
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
    margin. Raises `ValueError` where a0 is so large that there is none."""
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
