"""The clock of a quadrature: where one is at given times, if dt/dv is known on a way in v."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial import legendre

from racedyn._types import Array

_PANELS = 64
_ORDER = 16
_INVERSIONS = 12  # Newton steps inside a panel, more than are needed to get to rounding


def _in_powers(series: list[np.ndarray], size: int) -> np.ndarray:
    """Legendre series in powers of x, (series, size), the highest power first."""
    return np.stack([np.pad(legendre.leg2poly(one), (0, size))[:size][::-1] for one in series])


_NODES = legendre.leggauss(_ORDER)[0]
# From values at the nodes of [-1, 1] to Legendre coefficients; from these to powers of x, and to
# those of the integral from -1.
_TO_LEGENDRE = np.linalg.inv(legendre.legvander(_NODES, _ORDER - 1)).T
_TO_POWERS = _in_powers(list(np.eye(_ORDER)), _ORDER)
_INTEGRAL = _in_powers([legendre.legint(one, lbnd=-1) for one in np.eye(_ORDER)], _ORDER + 1)


def arrived(
    pace: Callable[[Array], Array], first: Array, last: Array, growth: Array, ts: Array
) -> Array:
    """v (time,) at the times since it was `first`: dt/dv is `pace`, and beyond `last` goes as
    e^(growth v).
    """
    half = (last - first) / (2 * _PANELS)
    centre = first + half * (2 * np.arange(_PANELS) + 1.0)
    series = half * pace(centre[:, None] + half * _NODES) @ _TO_LEGENDRE
    arrival = jnp.concatenate([jnp.zeros(1), jnp.cumsum(2 * series[:, 0])])
    panel = jnp.clip(
        jnp.searchsorted(arrival, ts, side="right", method="compare_all") - 1, 0, _PANELS - 1
    )
    slope, rise = (series @ _TO_POWERS)[panel].T, (series @ _INTEGRAL)[panel].T
    beyond = ts - arrival[-1]
    since = jnp.where(beyond > 0, 0.0, ts - arrival[panel])

    def step(x: Array, slope: Array, rise: Array, since: Array) -> Array:
        return x + (since - jnp.polyval(rise, x)) / jnp.polyval(slope, x)

    fixed = jax.lax.stop_gradient((slope, rise, since))
    x = jnp.zeros_like(ts)
    x = jax.lax.fori_loop(0, _INVERSIONS, lambda _, x: jnp.clip(step(x, *fixed), -1.0, 1.0), x)
    x = step(x, slope, rise, since)  # has the derivatives
    over = jnp.maximum(beyond, 0.0) / pace(last)
    later = jnp.where(
        growth > 0, jnp.log1p(growth * over) / jnp.where(growth > 0, growth, 1.0), over
    )
    return jnp.where(over > 0, last + later, centre[panel] + half * x)
