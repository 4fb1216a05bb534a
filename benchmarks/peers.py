"""Races by general ODE solvers, each in the best arrangement we know of, to hold the closed forms against (exact.py).

A lane is one mode with two pathways of depth D: dq_a/dt = r q_a^(D-2) p_a, dp_a/dt = r q_a^(D-1), r = S - sum_a K_a. As
it stands this is stiff once the mode has converged, and a solver spends its life there. All peers but the plain one are
given what takes that away, with G = d(sum_a K_a)/ds:

* ends: K = sum_a K_a as the clock, dp_a/dK = q_a^(D-1) / G, from K(0) to S: a finite way, and no stop to detect. In z,
  K = k sinh z, steps are as even as singularities allow: K = 0 where c = 0, about K = +-i k where c sets the scale.
* points: r = r(0) e^-w, with w as one more state, dw/dt = G. An error of p and q reaches r through G alone: nothing is
  stiff. At c = 0 a long plateau precedes a short rise, whose time is right to the tolerance times the plateau: see `stretch`.

Lanes are sorted, so that those which step together are alike. Tolerances are about the loosest with errors of K below
1e-6 S. A second call with the same shapes compiles nothing. All in float64, which JAX must be told to allow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

Array = np.ndarray
PATHS = 2
LONG = 1e3  # of `stretch`
LONGEST = 2**14  # steps, after which we give up and say NaN: the plain arrangement would take 3e8 for c0-8


@dataclass(frozen=True)
class Peer:
    """`ends(values, q, p)` is K (path, lane) when all has settled, `points(values, q, p, ts)` K (time, path, lane)."""

    name: str
    ends: Callable[[Array, Array, Array], Array]
    points: Callable[[Array, Array, Array, Array], Array]


def power(x: Any, n: int) -> Any:
    """x^n in products, so that no tool falls back on a general power."""
    if n == 0:
        return 1.0
    half = power(x, n // 2)
    return (half if n > 1 else 1.0) * half * x if n % 2 else half * half


def growth(depth: int, q: Any, p: Any) -> tuple[list[Any], list[Any], Any]:
    """dp_a/ds, dq_a/ds and G = d(sum_a K_a)/ds = sum_a (dp_a/ds)^2 + (D-1) (dq_a/ds)^2."""
    front = [power(x, depth - 2) for x in q]
    dp = [f * x for f, x in zip(front, q, strict=True)]
    dq = [f * x for f, x in zip(front, p, strict=True)]
    return dp, dq, sum(a * a for a in dp) + (depth - 1.0) * sum(a * a for a in dq)


def ordered(values: Array, p: Array, width: int) -> Array:
    """Lanes by S, then by the leading pathway; the last is repeated until groups of `width` are full."""
    order = np.lexsort((p.max(axis=0), values))
    return np.append(order, np.repeat(order[-1:], -len(order) % width))


def clock(depth: int, values: Array, q: Array, p: Array) -> tuple[Array, Array, Array]:
    """k, z(0) and z(1) - z(0) of K = k sinh z (see above); x in [0, 1] goes along z."""
    strength = p * power(q, depth - 1)
    scale = np.sqrt(power(np.abs(q * q - p * p), depth) / depth)
    k = 0.6 * scale.sum(axis=0) + 0.5 * np.abs(strength).max(axis=0)
    start = np.arcsinh(strength.sum(axis=0) / k)
    return k, start, np.arcsinh(values / k) - start


def rate(depth: int, values: Array, q: Array, p: Array) -> Array:
    return values - (p * power(q, depth - 1)).sum(axis=0)


def stretch(depth: int, values: Array, q: Array, p: Array) -> Array:
    """By how much an early error of a lane grows: the length of its plateau times the rate of the rise; at least D."""
    lead = q.max(axis=0)
    length = np.log1p(values / lead**2) if depth == 2 else lead ** (2.0 - depth)
    return np.maximum(depth, length * depth * values ** (1 - 2 / depth))


def plateau(q: Array, p: Array) -> bool:
    """Whether a lane has c = 0 and so escapes late: the same error of K in time then takes a smaller tolerance."""
    return bool(((q * q - p * p) < 1e-3 * q * q).any())


def grouped(values: Array, q: Array, p: Array, copies: int, width: int) -> tuple[Array, Array]:
    """Lanes (group, copy, clock) and the state (group, (p0, p1, q0, q1) * copy, clock)."""
    order = ordered(values, p, copies * width).reshape(-1, width, copies).swapaxes(1, 2)
    return order, np.concatenate([p, q])[:, order].swapaxes(0, 1).reshape(len(order), -1, width)


def strength(depth: int, y: Array, copies: int) -> Array:
    """K (..., path, copy, clock) of such a state."""
    blocks = np.arange(2 * PATHS * copies).reshape(2 * PATHS, copies)
    return y[..., blocks[:PATHS], :] * power(y[..., blocks[PATHS:], :], depth - 1)


def by_heyoka(depth: int) -> Peer | None:
    """Taylor's method, compiled. Keeping a clock costs more than a lane's arithmetic, above all at saved times:
    `copies` lanes share one, and an integrator has as many clocks as a register has numbers. Not after long plateaus: errors
    are relative to the largest number of a clock, which is that of a lane that has settled."""
    try:
        import heyoka as hy
    except ImportError:
        return None
    width = hy.recommended_simd_size()

    @cache
    def integrator(saved: bool, copies: int, tol: float) -> Any:
        equations = []
        for i in range(copies):
            p0, p1, q0, q1, w = hy.make_vars(*(f"{name}_{i}" for name in ("p0", "p1", "q0", "q1", "w")))
            dp, dq, g = growth(depth, (q0, q1), (p0, p1))
            if saved:
                drive = hy.par[i] * hy.exp(-w)
            else:
                drive = hy.par[i] * hy.cosh(hy.par[copies + i] + hy.par[2 * copies + i] * hy.time) / g
            slopes = [drive * slope for slope in (*dp, *dq)] + [g]
            equations += list(zip((p0, p1, q0, q1, w), slopes, strict=True))[: 5 if saved else 4]
        equations.sort(key=lambda equation: str(equation[0]).split("_")[0])  # all p0, all p1, ...
        start = np.ones((len(equations), width))
        return hy.taylor_adaptive_batch(equations, start, tol=tol, fast_math=True, force_avx512=True)

    def ends(values: Array, q: Array, p: Array) -> Array:
        copies, to_end = 4, integrator(False, 4, 5e-6)
        order, start = grouped(values, q, p, copies, width)
        k, begin, length = clock(depth, values, q, p)
        par = np.concatenate([(k * length)[order], begin[order], length[order]], axis=1)
        last = np.empty_like(start)
        for i in range(len(order)):
            to_end.set_time(0.0)
            to_end.state[:], to_end.pars[:] = start[i], par[i]
            to_end.propagate_until(1.0)
            last[i] = to_end.state
        found = np.empty_like(p)
        found[:, order] = strength(depth, last, copies).swapaxes(0, 1)
        return found

    def points(values: Array, q: Array, p: Array, ts: Array) -> Array:
        grown = stretch(depth, values, q, p).max()
        copies = 1 if grown > LONG else 4
        over_time = integrator(True, copies, min(3e-7, 5e-6 / grown))
        order, start = grouped(values, q, p, copies, width)
        par = rate(depth, values, q, p)[order]
        grid = np.repeat(np.asarray(ts)[:, None], width, axis=1)
        found = np.empty((len(ts), *p.shape))
        for i in range(len(order)):
            over_time.set_time(grid[0])
            over_time.state[:], over_time.pars[:] = 0.0, par[i]
            over_time.state[: start.shape[1]] = start[i]
            found[:, :, order[i]] = strength(depth, over_time.propagate_grid(grid)[1], copies)
        return found

    return Peer("heyoka", ends, points)


def by_heyoka_plain(depth: int) -> Peer | None:
    """The same for q and p in time, as one would write them. An end is looked for after 16 steps and then every 6, for
    all groups at once: a callback in Python or an event of heyoka's costs more than the steps it saves.
    Late escapes, from D = 4 on, have a clock a lane: one that has settled is stiff while it waits for the others."""
    try:
        import heyoka as hy
    except ImportError:
        return None
    width = hy.recommended_simd_size()
    first, burst, settled = 16, 6, 9e-7

    def integrator(copies: int, tol: float) -> Any:
        equations = []
        for i in range(copies):
            p0, p1, q0, q1 = hy.make_vars(*(f"{name}_{i}" for name in ("p0", "p1", "q0", "q1")))
            dp, dq, _ = growth(depth, (q0, q1), (p0, p1))
            r = hy.par[i] - p0 * dp[0] - p1 * dp[1]
            equations += list(zip((p0, p1, q0, q1), [r * slope for slope in (*dp, *dq)], strict=True))
        equations.sort(key=lambda equation: str(equation[0]).split("_")[0])  # all p0, all p1, ...
        start = np.ones((len(equations), width))
        return hy.taylor_adaptive_batch(equations, start, tol=tol, fast_math=True, force_avx512=True)

    alike = integrator(4, 1e-6)
    to_end = {False: alike, True: integrator(4 if depth < 4 else 1, 1e-7)}
    in_time = {False: alike, True: integrator(4, 1e-7 if depth < 4 else 1e-9)}

    def ends(values: Array, q: Array, p: Array) -> Array:
        until = to_end[plateau(q, p)]
        copies = len(until.pars)
        order, y = grouped(values, q, p, copies, width)
        y, state, par = y.copy(), until.state, until.pars
        last = np.full_like(y, np.nan)
        active, taken, steps = np.arange(len(order)), 0, first
        while len(active) and taken < LONGEST:
            for i in active:
                until.set_time(0.0)
                state[:], par[:] = y[i], values[order[i]]
                until.propagate_until(1e300, max_steps=steps)
                y[i] = state
            total = strength(depth, y[active], copies).sum(axis=1)
            done = (np.abs(1 - total / values[order[active]]) < settled).all(axis=(1, 2))
            last[active[done]] = y[active[done]]
            active, taken, steps = active[~done], taken + steps, burst
        found = np.empty_like(p)
        found[:, order] = strength(depth, last, copies).swapaxes(0, 1)
        return found

    def points(values: Array, q: Array, p: Array, ts: Array) -> Array:
        over_time = in_time[plateau(q, p)]
        copies = len(over_time.pars)
        order, start = grouped(values, q, p, copies, width)
        grid = np.repeat(np.asarray(ts)[:, None], width, axis=1)
        found = np.empty((len(ts), *p.shape))
        for i in range(len(order)):
            over_time.set_time(grid[0])
            over_time.state[:], over_time.pars[:] = start[i], values[order[i]]
            y = over_time.propagate_grid(grid, max_steps=LONGEST)[1]  # NaN where it did not get
            found[:, :, order[i]] = strength(depth, y, copies)
        return found

    return Peer("heyoka, q/p equations", ends, points)


def by_diffrax_plain(depth: int, rtol: float = 1e-7) -> Peer:
    """What one writes first: q and p in time, Tsit5 under vmap, stopped when r is small; NaN if that takes too long."""

    def field(_: Any, y: jax.Array, value: jax.Array) -> jax.Array:
        q, p = y
        r = value - jnp.sum(p * q ** (depth - 1))
        return r * jnp.stack([q ** (depth - 2) * p, q ** (depth - 1)])

    def settled(_: Any, y: jax.Array, value: jax.Array, **__: Any) -> jax.Array:
        return jnp.abs(value - jnp.sum(y[1] * y[0] ** (depth - 1))) < 3e-7 * value

    def solve(value: jax.Array, q: jax.Array, p: jax.Array, t1: Any, **options: Any) -> jax.Array:
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field), diffrax.Tsit5(), 0.0, t1, None, jnp.stack([q, p]), args=value, throw=False,
            stepsize_controller=diffrax.PIDController(rtol, 1e-3 * rtol), max_steps=LONGEST, **options,
        )  # fmt: skip
        done = (solution.result == diffrax.RESULTS.successful) | (solution.result == diffrax.RESULTS.event_occurred)
        q, p = jnp.moveaxis(solution.ys, 1, 0)
        return jnp.where(done, p * q ** (depth - 1), jnp.nan)

    @jax.jit
    @lambda one: jax.vmap(one, (0, 1, 1), 1)
    def ends(value: jax.Array, q: jax.Array, p: jax.Array) -> jax.Array:
        return solve(value, q, p, jnp.inf, event=diffrax.Event(settled))[-1]

    @jax.jit
    @lambda one: jax.vmap(one, (0, 1, 1, None), 2)
    def points(value: jax.Array, q: jax.Array, p: jax.Array, ts: jax.Array) -> jax.Array:
        return solve(value, q, p, ts[-1], saveat=diffrax.SaveAt(ts=ts))

    return Peer("diffrax, plain", *(lambda *args, run=run: np.asarray(run(*args)) for run in (ends, points)))


def by_diffrax(depth: int, width: int = 512) -> Peer:
    """Tsit5, or Dopri8 after long plateaus, a clock and a tolerance for every lane; `width` lanes at a time, so that stages
    stay in cache; the state a tuple of numbers, as a trailing axis of length 2 keeps the loops from being vectorised."""

    def ends_field(x: jax.Array, y: tuple[Any, ...], args: tuple[Any, ...]) -> tuple[Any, ...]:
        k, start, length = args
        dp, dq, g = growth(depth, y[PATHS:], y[:PATHS])
        drive = k * length * jnp.cosh(start + length * x) / g
        return tuple(drive * slope for slope in (*dp, *dq))

    def points_field(_: Any, y: tuple[Any, ...], r: jax.Array) -> tuple[Any, ...]:
        dp, dq, g = growth(depth, y[PATHS : 2 * PATHS], y[:PATHS])
        drive = r * jnp.exp(-y[-1])
        return (*(drive * slope for slope in (*dp, *dq)), g)

    def solve(
        field: Callable[..., Any],
        t1: Any,
        y0: tuple[Any, ...],
        args: Any,
        rtol: Any,
        saveat: diffrax.SaveAt,
        solver: diffrax.AbstractSolver,
    ) -> jax.Array:
        y = diffrax.diffeqsolve(
            diffrax.ODETerm(field), solver, 0.0, t1, None, y0, args=args, saveat=saveat, throw=False,
            stepsize_controller=diffrax.PIDController(rtol, 1e-2 * rtol), max_steps=LONGEST,
            adjoint=diffrax.ForwardMode(),
        ).ys  # fmt: skip
        return jnp.stack([y[a] * power(y[PATHS + a], depth - 1) for a in range(PATHS)])

    @jax.jit
    def end_batches(args: tuple[Any, ...], y0: tuple[Any, ...]) -> jax.Array:
        one = jax.vmap(
            lambda args, y0: solve(ends_field, 1.0, y0, args, 1e-7, diffrax.SaveAt(t1=True), diffrax.Tsit5())
        )
        return jax.lax.map(lambda batch: one(*batch), (args, y0))

    @partial(jax.jit, static_argnums=4)
    def point_batches(r: jax.Array, y0: tuple[Any, ...], rtol: jax.Array, ts: jax.Array, long: bool) -> jax.Array:
        solver = diffrax.Dopri8() if long else diffrax.Tsit5()
        one = jax.vmap(lambda r, y0, rtol: solve(points_field, ts[-1], y0, r, rtol, diffrax.SaveAt(ts=ts), solver))
        return jax.lax.map(lambda batch: one(*batch), (r, y0, rtol))

    def batched(order: Array, *rows: Array) -> tuple[Array, ...]:
        return tuple(row[order].reshape(-1, min(width, len(order))) for row in rows)

    def ends(values: Array, q: Array, p: Array) -> Array:
        order = ordered(values, p, min(width, len(values)))
        found = end_batches(batched(order, *clock(depth, values, q, p)), batched(order, *p, *q))
        out = np.empty_like(p)
        out[:, order] = np.asarray(found)[..., 0].reshape(len(order), PATHS).T
        return out

    def points(values: Array, q: Array, p: Array, ts: Array) -> Array:
        order = ordered(values, p, min(width, len(values)))
        grown = stretch(depth, values, q, p)
        long = bool(grown.max() > LONG)
        r, rtol = batched(order, rate(depth, values, q, p), np.minimum(2e-7, (1e-4 if long else 8e-6) / grown))
        found = point_batches(r, (*batched(order, *p, *q), np.zeros_like(r)), np.maximum(rtol, 3e-15), ts, long)
        out = np.empty((len(ts), *p.shape))
        out[:, :, order] = np.asarray(found).reshape(len(order), PATHS, len(ts)).transpose(2, 1, 0)
        return out

    return Peer("diffrax, best", ends, points)


def tsit5() -> tuple[Array, Array, Array, Array]:
    """Tsitouras 2011: c, a, the weights of the error, and the free interpolant of order 4, (stage, power - 1)."""
    tableau, theta = diffrax.Tsit5.tableau, np.linspace(0.25, 1.0, 4)
    a = np.zeros((7, 7))
    for i, row in enumerate(tableau.a_lower):
        a[i + 1, : i + 1] = row
    inside = diffrax.Tsit5.interpolation_cls(t0=0.0, t1=1.0, y0=jnp.zeros(7), y1=None, k=jnp.eye(7))
    weights = np.stack([np.asarray(inside.evaluate(x)) for x in theta])
    return np.append(0.0, tableau.c), a, tableau.b_error, np.linalg.solve(theta[:, None] ** np.arange(1, 5), weights).T


def by_numba(depth: int, width: int = 8) -> Peer | None:
    """Tsit5 written out and compiled; `width` lanes share a clock, so that loops over them are in vector registers."""
    try:
        import numba as nb
    except ImportError:
        return None
    jit = nb.njit(fastmath=True, inline="always")
    c, a, b_error, inside = tsit5()

    @jit
    def field(x: float, y: Array, par: Array, drive: Array, out: Array, end: bool) -> None:
        for i in range(width):  # on its own: exp and cosh are calls, beside which nothing is vectorised
            drive[i] = par[0, i] * (np.cosh(par[1, i] + par[2, i] * x) if end else np.exp(-y[4, i]))
        for i in range(width):
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
        """base + h sum_j w_j k_j: all seven terms, as a sum of a length that varies is not vectorised over lanes."""
        for i in range(base.size):
            total = w[0] * k[0, i] + w[1] * k[1, i] + w[2] * k[2, i] + w[3] * k[3, i] + w[4] * k[4, i] + w[5] * k[5, i]
            out[i] = base[i] + h * (total + w[6] * k[6, i])

    @nb.njit(fastmath=True)
    def solve(ts: Array, start: Array, par: Array, end: bool, rtols: Array, found: Array) -> None:
        """From ts[0] on, every group of lanes; K goes to `found` (group, time, path, lane) at ts[1:]."""
        k, drive, weights = np.zeros((7, 5 * width)), np.empty(width), np.empty(7)
        y, stage, error, zero = np.empty(5 * width), np.empty(5 * width), np.empty(5 * width), np.zeros(5 * width)
        slope = k.reshape(7, 5, width)
        for group in range(len(start)):
            y[:], rtol = start[group].reshape(5 * width), rtols[group]
            x, saved, h = ts[0], 1, 1e-3 * (ts[-1] - ts[0])
            field(x, y.reshape(5, width), par[group], drive, slope[0], end)
            for _ in range(LONGEST):
                if saved == len(ts):
                    break
                if end:
                    h = min(h, ts[-1] - x)
                for s in range(1, 7):
                    combine(a[s], k, y, h, stage)
                    field(x + c[s] * h, stage.reshape(5, width), par[group], drive, slope[s], end)
                combine(b_error, k, zero, h, error)
                worst = 1e-4
                for i in range(4 * width):
                    worst = max(worst, abs(error[i]) / (rtol * (1e-2 + abs(y[i]))))
                if worst < 1.0:
                    while saved < len(ts) and ts[saved] <= x + h * (1 + 1e-12):
                        theta = (ts[saved] - x) / h
                        for j in range(7):
                            b = inside[j]
                            weights[j] = theta * (b[0] + theta * (b[1] + theta * (b[2] + theta * b[3])))
                        combine(weights, k, y, h, error)
                        for i in range(2 * width):
                            strength = error[i]
                            for _ in range(depth - 1):
                                strength *= error[2 * width + i]
                            found[group, saved, i // width, i % width] = strength
                        saved += 1
                    x += h
                    y[:], k[0] = stage, k[6]
                h *= min(5.0, max(0.2, 0.9 * worst**-0.2))

    def run(values: Array, q: Array, p: Array, ts: Array, end: bool) -> Array:
        order = ordered(values, p, width)
        start = np.concatenate([p, q, np.zeros((1, p.shape[1]))])[:, order].reshape(5, -1, width).swapaxes(0, 1)
        rows = clock(depth, values, q, p) if end else [rate(depth, values, q, p)] * 3
        par = np.stack(rows)[:, order].reshape(3, -1, width).swapaxes(0, 1).copy()
        if end:
            par[:, 0] *= par[:, 2]
        found = np.full((len(start), len(ts), PATHS, width), np.nan)
        found[:, 0] = start[:, :2] * power(start[:, 2:4], depth - 1)
        grown = stretch(depth, values, q, p)[order].reshape(-1, width).max(axis=1)
        rtol = np.full(len(start), 1e-7) if end else np.minimum(1e-7, 1e-5 / grown)
        solve(ts, start.copy(), par, end, rtol, found)
        out = np.empty((len(ts), *p.shape))
        out[:, :, order] = found.transpose(1, 2, 0, 3).reshape(len(ts), PATHS, -1)
        return out

    return Peer(
        "numba",
        lambda values, q, p: run(values, q, p, np.array([0.0, 1.0]), True)[-1],
        lambda values, q, p, ts: run(values, q, p, np.asarray(ts, float), False),
    )


BUILDERS: tuple[Callable[[int], Peer | None], ...] = (
    by_heyoka,
    by_heyoka_plain,
    by_diffrax_plain,
    by_diffrax,
    by_numba,
)
