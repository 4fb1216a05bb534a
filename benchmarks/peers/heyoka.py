"""heyoka: Taylor's method, compiled; in the best arrangement, and for q and p in time as one would
write them.

Keeping a clock costs more than a lane's arithmetic, above all at saved times: some copies of a lane
share one, and an integrator has as many clocks as a register has numbers.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import heyoka as hy
import numpy as np

from peers.races import (
    LONG,
    LONGEST,
    PATHS,
    Array,
    Peer,
    clock,
    growth,
    ordered,
    plateau,
    power,
    rate,
    stretch,
)

FINER = 1e-3  # of the tolerances for errors of 1e-6: for 1e-9
FEW = 128  # members of the plain arrangement
COPIES = 4  # of a lane on one clock
FIRST, BURST, SETTLED = 16, 6, 9e-7  # steps before an end is looked for, and between looks


def races(depth: int) -> list[Peer]:
    return [
        Peer("heyoka", partial(ends, depth), partial(points, depth)),
        Peer(
            "heyoka, q/p equations",
            partial(plain_ends, depth),
            partial(plain_points, depth),
            FEW,
        ),
        Peer("heyoka, 1e-9", None, partial(points, depth, finer=FINER)),
        Peer("heyoka, q/p equations, 1e-9", None, partial(plain_points, depth, finer=FINER), FEW),
    ]


# The best arrangement. After long plateaus each lane has its own clock: errors are relative to the
# largest number of a clock, which is that of a lane that has settled.


def ends(depth: int, values: Array, q: Array, p: Array) -> Array:
    to_end = integrator(depth, "end", COPIES, 5e-6)
    order, start = grouped(values, q, p, COPIES)
    k, begin, length = clock(depth, values, q, p)
    par = np.concatenate([(k * length)[order], begin[order], length[order]], axis=1)
    last = np.empty_like(start)
    for i in range(len(order)):
        to_end.set_time(0.0)
        to_end.state[:], to_end.pars[:] = start[i], par[i]
        to_end.propagate_until(1.0)
        last[i] = to_end.state
    return unordered(depth, p, order, last, COPIES)


def points(
    depth: int, values: Array, q: Array, p: Array, ts: Array, *, finer: float = 1.0
) -> Array:
    grown = stretch(depth, values, q, p).max()
    copies = 1 if grown > LONG else COPIES
    over_time = integrator(depth, "drive", copies, finer * min(3e-7, 5e-6 / grown))
    r = rate(depth, values, q, p)
    return on_grid(depth, over_time, copies, values, q, p, ts, r)


# For q and p in time. Late escapes, from D = 4 on, have a clock a lane: one that has settled is
# stiff while it waits for the others.


def plain_ends(depth: int, values: Array, q: Array, p: Array) -> Array:
    """Ends are looked for in all groups at once: an event costs more than the steps it saves."""
    late = plateau(q, p)
    copies = 1 if late and depth >= 4 else COPIES
    until = integrator(depth, "plain", copies, 1e-7 if late else 1e-6)
    order, y = grouped(values, q, p, copies)
    y, last = y.copy(), np.full_like(y, np.nan)
    state, par = until.state, until.pars
    active, taken, steps = np.arange(len(order)), 0, FIRST
    while len(active) and taken < LONGEST:
        for i in active:
            until.set_time(0.0)
            state[:], par[:] = y[i], values[order[i]]
            until.propagate_until(1e300, max_steps=steps)
            y[i] = state
        total = strength(depth, y[active], copies).sum(axis=1)
        done = (np.abs(1 - total / values[order[active]]) < SETTLED).all(axis=(1, 2))
        last[active[done]] = y[active[done]]
        active, taken, steps = active[~done], taken + steps, BURST
    return unordered(depth, p, order, last, copies)


def plain_points(
    depth: int, values: Array, q: Array, p: Array, ts: Array, *, finer: float = 1.0
) -> Array:
    tol = (1e-7 if depth < 4 else 1e-9) if plateau(q, p) else 1e-6
    over_time = integrator(depth, "plain", COPIES, finer * tol)
    return on_grid(depth, over_time, COPIES, values, q, p, ts, values, max_steps=LONGEST)


@cache
def integrator(depth: int, kind: str, copies: int, tol: float) -> Any:
    """All p0, all p1, ...: "end" along z, "drive" in time with w, "plain" in time."""
    equations = []
    for i in range(copies):
        names = ("p0", "p1", "q0", "q1", "w")
        p0, p1, q0, q1, w = hy.make_vars(*(f"{name}_{i}" for name in names))
        dp, dq, g = growth(depth, (q0, q1), (p0, p1))
        speed = SPEEDS[kind](i, copies, p0 * dp[0], p1 * dp[1], w, g)
        equations += zip((p0, p1, q0, q1), [speed * slope for slope in (*dp, *dq)], strict=True)
        equations += [(w, g)] if kind == "drive" else []
    equations.sort(key=lambda equation: str(equation[0]).split("_")[0])
    start = np.ones((len(equations), hy.recommended_simd_size()))
    return hy.taylor_adaptive_batch(equations, start, tol=tol, fast_math=True, force_avx512=True)


def _along_z(i: int, copies: int, K0: Any, K1: Any, w: Any, g: Any) -> Any:
    return hy.par[i] * hy.cosh(hy.par[copies + i] + hy.par[2 * copies + i] * hy.time) / g


def _driven(i: int, copies: int, K0: Any, K1: Any, w: Any, g: Any) -> Any:
    return hy.par[i] * hy.exp(-w)


def _missing(i: int, copies: int, K0: Any, K1: Any, w: Any, g: Any) -> Any:
    return hy.par[i] - K0 - K1


SPEEDS: dict[str, Callable[..., Any]] = {"end": _along_z, "drive": _driven, "plain": _missing}


def on_grid(
    depth: int,
    over_time: Any,
    copies: int,
    values: Array,
    q: Array,
    p: Array,
    ts: Array,
    par: Array,
    **options: Any,
) -> Array:
    """K (time, path, lane); NaN where it did not get."""
    order, start = grouped(values, q, p, copies)
    grid = np.repeat(np.asarray(ts)[:, None], hy.recommended_simd_size(), axis=1)
    found = np.empty((len(ts), *p.shape))
    for i in range(len(order)):
        over_time.set_time(grid[0])
        over_time.state[:], over_time.pars[:] = 0.0, par[order[i]]
        over_time.state[: start.shape[1]] = start[i]
        y = over_time.propagate_grid(grid, **options)[1]
        found[:, :, order[i]] = strength(depth, y, copies)
    return found


def grouped(values: Array, q: Array, p: Array, copies: int) -> tuple[Array, Array]:
    """Lanes (group, copy, clock) and the state (group, (p0, p1, q0, q1) * copy, clock)."""
    width = hy.recommended_simd_size()
    order = ordered(values, p, copies * width).reshape(-1, width, copies).swapaxes(1, 2)
    return order, np.concatenate([p, q])[:, order].swapaxes(0, 1).reshape(len(order), -1, width)


def strength(depth: int, y: Array, copies: int) -> Array:
    """K (..., path, copy, clock) of such a state."""
    blocks = np.arange(2 * PATHS * copies).reshape(2 * PATHS, copies)
    return y[..., blocks[:PATHS], :] * power(y[..., blocks[PATHS:], :], depth - 1)


def unordered(depth: int, p: Array, order: Array, last: Array, copies: int) -> Array:
    """K (path, lane) of the groups' states."""
    found = np.empty_like(p)
    found[:, order] = strength(depth, last, copies).swapaxes(0, 1)
    return found
