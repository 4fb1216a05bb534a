"""What a race is made of: arguments checked and broadcast, modes taken some at a time."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_real
from racedyn._checks import check_depths, fail
from racedyn._jit import lanes_at_a_time
from racedyn._types import Array, ArrayLike
from racedyn.exact.races.depths import Depths, depths_of
from racedyn.trajectory import Status

MAX_DEPTH = 1000  # the tables' polynomials have forty terms, which are enough up to there


def has_end(status: Any) -> Any:
    """Whether modes of this status come to an end that was found."""
    return (status == Status.DONE) | (status == Status.SYMMETRIC)


def as_race(
    singular_values: ArrayLike,
    depths: Sequence[int],
    q: ArrayLike,
    p: ArrayLike,
    variances: ArrayLike,
) -> tuple[Array, Array, Array, Array, Depths]:
    """The arguments of `converged` and `trajectory`, checked: S, q, p, d as arrays and the
    depths.
    """
    S, at_q, at_p, d = as_arrays(singular_values=singular_values, q=q, p=p, variances=variances)
    remedy = "Depth counts weight matrices; systems.Pathways takes others, for a solver."
    whole = check_depths(depths, remedy)
    if max(whole) > MAX_DEPTH:
        fail("depths", f"be at most {MAX_DEPTH}", f"one is {max(whole)}", remedy)
    modes: tuple[int, ...] = ()
    try:
        modes = np.broadcast_shapes((1,), S.shape, d.shape)
        shape = np.broadcast_shapes(
            (*modes[:-1], 1, modes[-1]), at_q.shape, at_p.shape, (len(whole), 1)
        )
    except ValueError:
        shape = ()
    # A row is one number per mode: it does not make modes, beside those that S has, of what may be
    # pathways.
    named = max(S.ndim, d.ndim) > 0 and bool(modes)
    rows = named and any(x.ndim == 1 and x.shape[0] not in (1, modes[-1]) for x in (at_q, at_p))
    if len(shape) < 2 or shape[-2] != len(whole) or rows:
        fail(
            "q, p",
            f"be (..., path, mode) of {len(whole)} pathways and as many modes as S and d, or "
            "broadcast to it",
            f"their shapes are {at_q.shape} and {at_p.shape}, that of S {S.shape}, of d {d.shape}",
            "One number per pathway is a column: [[0.1], [0.2]].",
        )
    return S, at_q, at_p, d, depths_of(whole)


def as_arrays(**values: ArrayLike | Sequence[float]) -> tuple[Array, ...]:
    """Arrays of real numbers, by their arguments, without touching those that are on a device or
    traced.
    """
    return tuple(as_real(name, value).astype(float) for name, value in values.items())  # type: ignore[misc]


def given_arrays(
    singular_values: Array, q: Array, p: Array, variances: Array, depths: Depths
) -> tuple[Array, Array, Array, Array]:
    """S/d and d (..., mode), q and p (path, ..., mode)."""
    S, d = jnp.broadcast_arrays(jnp.atleast_1d(singular_values), jnp.atleast_1d(variances))
    shape = jnp.broadcast_shapes(S[..., None, :].shape, q.shape, p.shape, (len(depths), 1))
    q, p = (jnp.moveaxis(jnp.broadcast_to(x, shape), -2, 0) for x in (q, p))
    S, d = (jnp.broadcast_to(x, shape[:-2] + shape[-1:]) for x in (S, d))
    # Without variance of its inputs a mode never comes to rest, with a negative one it is driven
    # from there.
    return jnp.where(d > 0, S / jnp.where(d > 0, d, 1.0), jnp.nan), d, q, p


def by_lanes(
    solve: Callable[..., tuple[Array, ...]], size: int, *given: Array
) -> tuple[Array, ...]:
    """`solve` on `size` modes at a time, which stay in the cache of a CPU, and on more where there
    is none to mind; the last ones padded, so that no result depends on how many there are. `given`
    and what it returns have the modes' axes (...) last; the first of those given has no others."""
    shape = given[0].shape
    count = given[0].size
    size = lanes_at_a_time(size, count)
    blocks = -(-count // size)
    flat = (x.reshape(*x.shape[: x.ndim - len(shape)], count) for x in given)
    padded = (
        jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, blocks * size - count)], mode="edge")
        for x in flat
    )
    split = tuple(jnp.moveaxis(x.reshape(*x.shape[:-1], blocks, size), -2, 0) for x in padded)
    found = jax.lax.map(lambda block: solve(*block), split)
    joined = (jnp.moveaxis(x, 0, -2) for x in found)
    return tuple(
        x.reshape(*x.shape[:-2], -1)[..., :count].reshape(*x.shape[:-2], *shape) for x in joined
    )
