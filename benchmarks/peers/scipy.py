"""SciPy: LSODA as a peer and at tight tolerance as the reference of points, DOP853 as that of
rises.
"""

import numpy as np
from scipy.integrate import solve_ivp

from peers.races import PATHS, Array, Peer

FEW = 2  # members: a loop in Python over lanes


def races(depth: int) -> list[Peer]:
    def points(values: Array, q: Array, p: Array, ts: Array) -> Array:
        return lsoda(depth, values, q, p, ts, 1e-7)

    return [Peer("scipy LSODA", None, points, FEW)]


def lsoda(depth: int, values: Array, q: Array, p: Array, ts: Array, rtol: float) -> Array:
    """K (time, path, lane) of q and p in time, as one would write them."""

    def field(_: float, y: Array, value: float) -> Array:
        q, p = y[:PATHS], y[PATHS:]
        r = value - np.sum(p * q ** (depth - 1))
        return r * np.concatenate([q ** (depth - 2) * p, q ** (depth - 1)])

    found = np.empty((len(ts), *p.shape))
    for lane, value in enumerate(values):
        start = np.concatenate([q[:, lane], p[:, lane]])
        y = solve_ivp(
            field,
            (0, ts[-1]),
            start,
            method="LSODA",
            t_eval=ts,
            rtol=rtol,
            atol=1e-3 * rtol,
            args=(value,),
        ).y
        found[..., lane] = y[PATHS:].T * y[:PATHS].T ** (depth - 1)
    return found


def rises(
    depth: int, value: float, q: Array, p: Array, levels: tuple[float, ...]
) -> tuple[Array, Array]:
    """When a mode has come to `levels` of its way (level,), and K there (level, path).

    With K for a clock.
    """

    def field(total: float, y: Array) -> Array:
        q, p = y[:PATHS], y[PATHS : 2 * PATHS]
        dq, dp = q ** (depth - 2) * p, q ** (depth - 1)
        growth = np.sum(dp**2 + (depth - 1) * dq**2)
        return np.concatenate([dq, dp, [1 / (value - total)]]) / growth

    begun = np.sum(p * q ** (depth - 1))
    ends = begun + np.array(levels) * (value - begun)
    start = np.concatenate([q, p, [0.0]])
    solved = solve_ivp(
        field, (begun, ends[-1]), start, method="DOP853", t_eval=ends, rtol=3e-14, atol=1e-20
    )
    q, p, when = solved.y[:PATHS], solved.y[PATHS : 2 * PATHS], solved.y[-1]
    return when, (p * q ** (depth - 1)).T
