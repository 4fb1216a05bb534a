"""Depths of pathways as numbers of a compiled program, so that one program serves all depths of a
kind: a sweep over depths compiles it once.

What stays fixed in a program: which of depths 1, 2 and deeper there are, as the equations differ,
and a bound on the deepest, as powers and polynomials have so many terms. Where all pathways are of
one depth, and of three at most, that depth is fixed too: their powers are no work, and any others
would be."""

from functools import lru_cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._types import Array
from racedyn.exact.races.tables import Table, table

DEEP = 3  # and all above, as a kind
# Depths up to one of these are of one program, in which all tables are padded to so many terms of
# phi, and of above and below: what the longest needs
_BOUNDS = {3: (19, 3), 16: (16, 5), 64: (20, 7), 1024: (42, 16)}


class Depths(eqx.Module):
    """`D` (path,), whole numbers. `bits` (bit, path) of D - 2, the highest first. `tables`: a
    `Table` with a column for each pathway, (term, path), of depth 3 where one is less; None where
    all are. `kinds`: which of 1, 2 and `DEEP` are there. `same`: the depth of all, if that is at
    most three. `bound`: of D."""

    D: Array | np.ndarray
    bits: Array | np.ndarray
    tables: Table | None
    kinds: frozenset[int] = eqx.field(static=True)
    same: int | None = eqx.field(static=True)
    bound: int = eqx.field(static=True)

    def __len__(self) -> int:
        return len(self.D)

    @property
    def table(self) -> Table:
        return table(3) if self.tables is None else self.tables

    @property
    def deep(self) -> "Depths":
        """With 3 for depths below it."""
        same = 3 if self.bound == 3 else None
        D = jnp.maximum(self.D, 3)
        return Depths(D, self.bits, self.tables, frozenset({DEEP}), same, self.bound)

    def of(self, kind: int, like: Array) -> Any:
        """Whether pathways are of a kind, along the first axis of `like` (path, ...); one truth
        where none or all are."""
        if kind not in self.kinds:
            return False
        return len(self.kinds) == 1 or _along(jnp.minimum(self.D, DEEP) == kind, like)

    def even(self, like: Array) -> Any:
        """Whether D is even, likewise."""
        return self.same % 2 == 0 if self.same else _along(self.D % 2 == 0, like)

    def real(self, like: Array) -> float | Array:
        """D along the first axis of `like` (path, ...), as numbers of its kind."""
        return float(self.same) if self.same else shaped(self.D, like)

    def less_two(self, q: Array) -> Array:
        """q^(D - 2) (path, ...), 1 where D is less: by squaring, so that signs and zeros are kept
        and rounding is that of a few products."""
        if self.same:
            return q ** max(self.same - 2, 0)
        power = jnp.ones_like(q)
        for bit in self.bits:  # the highest first: nothing on the way is larger than the power
            power = power * power * jnp.where(_along(bit, q), q, 1.0)
        return power

    def less_one(self, q: Array) -> Array:
        """q^(D - 1)."""
        return jnp.where(self.of(1, q), 1.0, q * self.less_two(q))


@lru_cache
def depths_of(values: tuple[int, ...]) -> Depths:
    """The depths of pathways, whole numbers from 1 to the last bound."""
    deepest = max(values)
    bound = next(bound for bound in _BOUNDS if deepest <= bound)
    same = values[0] if len(set(values)) == 1 and deepest <= 3 else None
    tables = None if deepest <= 3 else _columns(tuple(max(depth, 3) for depth in values), bound)
    kinds = frozenset(min(depth, DEEP) for depth in values)
    D = np.array(values)
    bits = np.arange((bound - 2).bit_length())[::-1, None]
    return Depths(D, np.maximum(D - 2, 0) >> bits & 1 == 1, tables, kinds, same, bound)


@lru_cache
def _columns(depths: tuple[int, ...], bound: int) -> Table:
    """The tables of depths of at least 3, padded to what those of all up to `bound` have."""
    phi, quotient = _BOUNDS[bound]
    tables = [table(depth) for depth in depths]

    def columns(rows: list[np.ndarray], least: int) -> np.ndarray:
        longest = max(least, *(len(row) for row in rows))
        return np.stack([np.pad(row, (0, longest - len(row))) for row in rows], axis=1)

    return Table(
        columns([t.phi for t in tables], phi),
        np.stack([t.ends for t in tables], axis=1),
        columns([t.above for t in tables], quotient),
        columns([t.below for t in tables], quotient),
    )


def shaped(values: Any, like: Array) -> Any:
    """Numbers (path,), or one, as some of its kind, along the first axis of `like` (path, ...)."""
    return _along(jnp.asarray(values, like.dtype), like)


def _along(values: Any, like: Array) -> Any:
    if not values.ndim:
        return values
    return jax.lax.broadcast_in_dim(values, like.shape, (0,))


def horner(rows: Any, x: Array) -> Array:
    """Polynomials at x (path, ...): coefficients (term, path), or (term,) of all,
    from the constant on."""
    total = shaped(rows[-1], x) + jnp.zeros_like(x)
    for some in rows[-2::-1]:
        total = total * x + shaped(some, x)
    return total
