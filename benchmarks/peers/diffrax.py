"""diffrax: as one writes it first, and in the best arrangement."""

from collections.abc import Callable
from functools import partial
from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
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
    power,
    rate,
    stretch,
)

FEW = 16  # members of the plain arrangement
RTOL = 1e-7
WIDTH = 512  # lanes at a time, so that stages stay in cache
# A number each for p0, p1, q0, q1: a last axis of length 2 keeps loops from being vectorised.
Numbers = tuple[Any, ...]


def races(depth: int) -> list[Peer]:
    return [
        Peer(
            "diffrax, plain",
            on_host(partial(plain_ends, depth)),
            on_host(partial(plain_points, depth)),
            FEW,
        ),
        Peer("diffrax, best", partial(ends, depth), partial(points, depth)),
    ]


def on_host(run: Callable[..., jax.Array]) -> Callable[..., Array]:
    return lambda *arguments: np.asarray(run(*arguments))


# What one writes first: q and p in time, Tsit5 under vmap, stopped when r is small; NaN if that
# takes too long.


def plain_field(depth: int, y: jax.Array, value: Any) -> jax.Array:
    q, p = y
    r = value - jnp.sum(p * q ** (depth - 1))
    return r * jnp.stack([q ** (depth - 2) * p, q ** (depth - 1)])


def plain_solve(depth: int, value: Any, q: Any, p: Any, t1: Any, **options: Any) -> jax.Array:
    solution = dfx.diffeqsolve(
        dfx.ODETerm(lambda _, y, value: plain_field(depth, y, value)),
        dfx.Tsit5(),
        t0=0.0,
        t1=t1,
        dt0=None,
        y0=jnp.stack([q, p]),
        args=value,
        stepsize_controller=dfx.PIDController(RTOL, 1e-3 * RTOL),
        max_steps=LONGEST,
        throw=False,
        **options,
    )
    done = solution.result == dfx.RESULTS.successful
    done |= solution.result == dfx.RESULTS.event_occurred
    q, p = jnp.moveaxis(solution.ys, 1, 0)
    return jnp.where(done, p * q ** (depth - 1), jnp.nan)


@partial(jax.jit, static_argnums=0)
def plain_ends(depth: int, values: Array, q: Array, p: Array) -> jax.Array:
    def settled(_: Any, y: jax.Array, value: jax.Array, **__: Any) -> jax.Array:
        return jnp.abs(value - jnp.sum(y[1] * y[0] ** (depth - 1))) < 3e-7 * value

    def one(value: Any, q: Any, p: Any) -> jax.Array:
        return plain_solve(depth, value, q, p, jnp.inf, event=dfx.Event(settled))[-1]

    return jax.vmap(one, (0, 1, 1), 1)(values, q, p)


@partial(jax.jit, static_argnums=0)
def plain_points(depth: int, values: Array, q: Array, p: Array, ts: Array) -> jax.Array:
    def one(value: Any, q: Any, p: Any) -> jax.Array:
        return plain_solve(depth, value, q, p, ts[-1], saveat=dfx.SaveAt(ts=ts))

    return jax.vmap(one, (0, 1, 1), 2)(values, q, p)


# The best arrangement: Tsit5, or Dopri8 after long plateaus; each lane its clock and tolerance.


def ends(depth: int, values: Array, q: Array, p: Array) -> Array:
    order = ordered(values, p, min(WIDTH, len(values)))
    drive = batched(order, *clock(depth, values, q, p))
    return unordered(order, end_batches(depth, drive, batched(order, *p, *q)), 1)[0]


def points(depth: int, values: Array, q: Array, p: Array, ts: Array) -> Array:
    order = ordered(values, p, min(WIDTH, len(values)))
    grown = stretch(depth, values, q, p)
    long = bool(grown.max() > LONG)
    rtol = np.minimum(2e-7, (1e-4 if long else 8e-6) / grown)
    r, rtol = batched(order, rate(depth, values, q, p), np.maximum(rtol, 3e-15))
    start = (*batched(order, *p, *q), np.zeros_like(r))
    return unordered(order, point_batches(depth, long, r, start, rtol, ts), len(ts))


def batched(order: Array, *rows: Array) -> tuple[Array, ...]:
    return tuple(row[order].reshape(-1, min(WIDTH, len(order))) for row in rows)


def unordered(order: Array, found: jax.Array, num_times: int) -> Array:
    """K (time, path, lane) of (batch, lane, path, time); lanes that fill a batch are copies."""
    out = np.empty((num_times, PATHS, order.max() + 1))
    out[:, :, order] = np.asarray(found).reshape(len(order), PATHS, num_times).transpose(2, 1, 0)
    return out


@partial(jax.jit, static_argnums=0)
def end_batches(depth: int, drive: Numbers, start: Numbers) -> jax.Array:
    def field(x: Any, y: Numbers, args: Numbers) -> Numbers:
        k, begin, length = args
        dp, dq, g = growth(depth, y[PATHS:], y[:PATHS])
        speed = k * length * jnp.cosh(begin + length * x) / g
        return tuple(speed * slope for slope in (*dp, *dq))

    def one(drive: Numbers, start: Numbers) -> jax.Array:
        return solve(depth, field, 1.0, start, drive, RTOL, dfx.SaveAt(t1=True), dfx.Tsit5())

    return jax.lax.map(lambda batch: jax.vmap(one)(*batch), (drive, start))


@partial(jax.jit, static_argnums=(0, 1))
def point_batches(depth: int, long: bool, r: Any, start: Numbers, rtol: Any, ts: Any) -> jax.Array:
    solver = dfx.Dopri8() if long else dfx.Tsit5()

    def field(_: Any, y: Numbers, r: Any) -> Numbers:
        dp, dq, g = growth(depth, y[PATHS : 2 * PATHS], y[:PATHS])
        speed = r * jnp.exp(-y[-1])
        return (*(speed * slope for slope in (*dp, *dq)), g)

    def one(r: Any, start: Numbers, rtol: Any) -> jax.Array:
        return solve(depth, field, ts[-1], start, r, rtol, dfx.SaveAt(ts=ts), solver)

    return jax.lax.map(lambda batch: jax.vmap(one)(*batch), (r, start, rtol))


def solve(
    depth: int,
    field: Callable[..., Numbers],
    t1: Any,
    start: Numbers,
    args: Any,
    rtol: Any,
    saveat: dfx.SaveAt,
    solver: dfx.AbstractSolver,
) -> jax.Array:
    """K (path, time) of one lane."""
    y = dfx.diffeqsolve(
        dfx.ODETerm(field),
        solver,
        t0=0.0,
        t1=t1,
        dt0=None,
        y0=start,
        args=args,
        saveat=saveat,
        stepsize_controller=dfx.PIDController(rtol, 1e-2 * rtol),
        max_steps=LONGEST,
        adjoint=dfx.ForwardMode(),
        throw=False,
    ).ys
    return jnp.stack([y[a] * power(y[PATHS + a], depth - 1) for a in range(PATHS)])
