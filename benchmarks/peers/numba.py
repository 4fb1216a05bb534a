"""numba: Tsit5 written out and compiled, for groups of lanes that share a clock."""

from collections.abc import Callable
from functools import cache, partial

import diffrax
import jax.numpy as jnp
import numba as nb
import numpy as np

from peers.races import LONGEST, PATHS, Array, Peer, clock, ordered, power, rate, stretch

WIDTH = 8  # lanes of a group, so that loops over them are in vector registers


def races(depth: int) -> list[Peer]:
    return [Peer("numba", partial(ends, depth), partial(points, depth))]


def ends(depth: int, values: Array, q: Array, p: Array) -> Array:
    order, start = grouped(values, q, p)
    k, begin, length = clock(depth, values, q, p)
    par = in_groups(np.stack([k * length, begin, length]), order)
    rtols = np.full(len(start), 1e-7)
    return solved(depth, np.array([0.0, 1.0]), order, start, par, rtols, True)[-1]


def points(depth: int, values: Array, q: Array, p: Array, ts: Array) -> Array:
    order, start = grouped(values, q, p)
    par = in_groups(np.stack([rate(depth, values, q, p)] * 3), order)
    grown = stretch(depth, values, q, p)[order].reshape(-1, WIDTH).max(axis=1)
    rtols = np.minimum(1e-7, 1e-5 / grown)
    return solved(depth, np.asarray(ts, float), order, start, par, rtols, False)


def grouped(values: Array, q: Array, p: Array) -> tuple[Array, Array]:
    """Lanes in order, and the state (group, (p0, p1, q0, q1, w), lane)."""
    order = ordered(values, p, WIDTH)
    return order, in_groups(np.concatenate([p, q, np.zeros((1, p.shape[1]))]), order)


def in_groups(rows: Array, order: Array) -> Array:
    """(group, row, lane) of (row, lane)."""
    return rows[:, order].reshape(len(rows), -1, WIDTH).swapaxes(0, 1).copy()


def solved(
    depth: int, ts: Array, order: Array, start: Array, par: Array, rtols: Array, end: bool
) -> Array:
    """K (time, path, lane), `ts` along z for an `end`; NaN where a group did not get."""
    found = np.full((len(start), len(ts), PATHS, WIDTH), np.nan)
    found[:, 0] = start[:, :2] * power(start[:, 2:4], depth - 1)
    solver(depth)(ts, start, par, end, rtols, found)
    out = np.empty((len(ts), PATHS, order.max() + 1))
    out[:, :, order] = found.transpose(1, 2, 0, 3).reshape(len(ts), PATHS, -1)
    return out


def tsit5() -> tuple[Array, Array, Array, Array]:
    """Tsitouras 2011: c, a, weights of the error, and the free interpolant, (stage, power - 1)."""
    tableau, theta = diffrax.Tsit5.tableau, np.linspace(0.25, 1.0, 4)
    a = np.zeros((7, 7))
    for i, row in enumerate(tableau.a_lower):
        a[i + 1, : i + 1] = row
    inside = diffrax.Tsit5.interpolation_cls(t0=0.0, t1=1.0, y0=jnp.zeros(7), y1=None, k=jnp.eye(7))
    weights = np.stack([np.asarray(inside.evaluate(x)) for x in theta])
    powers = np.linalg.solve(theta[:, None] ** np.arange(1, 5), weights).T
    return np.append(0.0, tableau.c), a, tableau.b_error, powers


@cache
def solver(depth: int) -> Callable[..., None]:
    """Compiled for one depth, so that its powers are loops of a known length."""
    jit = nb.njit(fastmath=True, inline="always")
    c, a, b_error, inside = tsit5()

    @jit
    def field(x: float, y: Array, par: Array, drive: Array, out: Array, end: bool) -> None:
        for i in range(WIDTH):  # a loop of calls: beside them nothing is vectorised
            drive[i] = par[0, i] * (np.cosh(par[1, i] + par[2, i] * x) if end else np.exp(-y[4, i]))
        for i in range(WIDTH):
            p0, p1, q0, q1 = y[0, i], y[1, i], y[2, i], y[3, i]
            f0 = f1 = 1.0
            for _ in range(depth - 2):
                f0, f1 = f0 * q0, f1 * q1
            dp0, dp1, dq0, dq1 = f0 * q0, f1 * q1, f0 * p0, f1 * p1
            g = dp0 * dp0 + dp1 * dp1 + (depth - 1.0) * (dq0 * dq0 + dq1 * dq1)
            r = drive[i] / g if end else drive[i]
            out[0, i], out[1, i], out[2, i], out[3, i] = r * dp0, r * dp1, r * dq0, r * dq1
            out[4, i] = 0.0 if end else g

    @jit
    def combine(w: Array, k: Array, base: Array, h: float, out: Array) -> None:
        """base + h sum_j w_j k_j: all seven terms, as no sum of varying length is vectorised."""
        for i in range(base.size):
            early = w[0] * k[0, i] + w[1] * k[1, i] + w[2] * k[2, i] + w[3] * k[3, i]
            late = w[4] * k[4, i] + w[5] * k[5, i] + w[6] * k[6, i]
            out[i] = base[i] + h * (early + late)

    @nb.njit(fastmath=True)
    def solve(ts: Array, start: Array, par: Array, end: bool, rtols: Array, found: Array) -> None:
        """Every group of lanes; K at ts[1:] goes to `found` (group, time, path, lane)."""
        k, drive, weights = np.zeros((7, 5 * WIDTH)), np.empty(WIDTH), np.empty(7)
        y, stage = np.empty(5 * WIDTH), np.empty(5 * WIDTH)
        error, zero = np.empty(5 * WIDTH), np.zeros(5 * WIDTH)
        slope = k.reshape(7, 5, WIDTH)
        for group in range(len(start)):
            y[:], rtol = start[group].reshape(5 * WIDTH), rtols[group]
            x, saved, h = ts[0], 1, 1e-3 * (ts[-1] - ts[0])
            field(x, y.reshape(5, WIDTH), par[group], drive, slope[0], end)
            for _ in range(LONGEST):
                if saved == len(ts):
                    break
                if end:
                    h = min(h, ts[-1] - x)
                for s in range(1, 7):
                    combine(a[s], k, y, h, stage)
                    field(x + c[s] * h, stage.reshape(5, WIDTH), par[group], drive, slope[s], end)
                combine(b_error, k, zero, h, error)
                worst = 1e-4
                for i in range(4 * WIDTH):
                    worst = max(worst, abs(error[i]) / (rtol * (1e-2 + abs(y[i]))))
                if worst < 1.0:
                    while saved < len(ts) and ts[saved] <= x + h * (1 + 1e-12):
                        theta = (ts[saved] - x) / h
                        for j in range(7):
                            b = inside[j]
                            late = b[2] + theta * b[3]
                            weights[j] = theta * (b[0] + theta * (b[1] + theta * late))
                        combine(weights, k, y, h, error)
                        for i in range(2 * WIDTH):
                            strength = error[i]
                            for _ in range(depth - 1):
                                strength *= error[2 * WIDTH + i]
                            found[group, saved, i // WIDTH, i % WIDTH] = strength
                        saved += 1
                    x += h
                    y[:], k[0] = stage, k[6]
                h *= min(5.0, max(0.2, 0.9 * worst**-0.2))

    return solve
