"""Pathways racing for modes, in terms of their drive: where they start, how far poles are, where
all are at a given s.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from racedyn._types import Array
from racedyn.exact.races.depths import DEEP, Depths
from racedyn.exact.races.drive import (
    Course,
    course,
    gap,
    half_way,
    reach,
)
from racedyn.trajectory import Status

# Drive: e^s is still a number. A pathway of depth 2 goes on for so long only if it dies out
_LATEST = 700.0
_SHORT = 1e-4  # of q^D: a race for so little is over before q has moved, and from the start on ...
_NEAR = 1e-3  # ... a series in log(q + p), of fourth order, is at rounding


class Turned(NamedTuple):
    """A race, and the signs that turn its K, q and p (path, ...) back: those of the modes given."""

    race: "Race"
    strength: Array
    q: Array
    p: Array


def set_out(target: Array, q: Array, p: Array, depths: Depths) -> Turned:
    """The race to sum K = `target` (...) from `q`, `p` (path, ...) of any signs.

    q of either sign is q > 0 with p of sign(q)^(D-1) times its own; a mode that unlearns is one
    that learns, mirrored."""
    below = jnp.logical_not(depths.of(1, q)) & (q < 0)
    mirror, sign = jnp.where(below, -1.0, 1.0), jnp.where(below & depths.even(q), -1.0, 1.0)
    begun = jnp.sum(p * depths.less_one(q), axis=0)
    sense = jnp.where(target >= begun, 1.0, -1.0)
    return Turned(
        Race.start(sense * target, mirror * q, sense * sign * p, depths),
        sense,
        mirror,
        sense * sign,
    )


class Race(eqx.Module):
    """All pathways of a batch of modes, so turned that q >= 0 and the sum of K has to rise to
    `goal`.

    `q`, `p` (path, ...) at the start. `stuck`: deeper than two with q = 0. `first`: the drive at
    which the first pathway reaches its pole, infinite where none does. The others are of pathways
    deeper than two, filled in elsewhere. `way`: their constants. `ahead`: the gap to the pole at
    the start less `first`, or all of it where a pathway falls asleep. Where p < 0 < c, `since` is
    the drive since the pole on that side, and `half` the gap at p = 0: until then a pathway is
    measured from there, as next to the whole way between the poles nothing would be left of its
    motion. `short`: the race is for so little that next to any gap nothing would be left of it."""

    goal: Array
    q: Array
    p: Array
    stuck: Array
    way: Course
    first: Array
    ahead: Array
    since: Array
    half: Array
    short: Array
    depths: Depths

    @classmethod
    def start(cls, goal: Array, q: Array, p: Array, depths: Depths) -> "Race":
        stuck = depths.of(DEEP, q) & (q == 0)
        moving = depths.of(DEEP, q) & ~stuck
        at_q, at_p = jnp.where(moving, q, 1.0), jnp.where(moving, p, 0.0)
        way = course(at_q, at_p)
        since = half = ahead = jnp.ones_like(q)
        first = jnp.full_like(goal, jnp.inf)
        if DEEP in depths.kinds:
            deep = depths.deep
            since, half = gap(way.c, at_q, at_p, deep), half_way(way.c, deep)
            ahead = jnp.where((at_p < 0) & (way.c > 0), 2 * half - since, since)
            racing = moving & (way.forward > 0)
            first = jnp.min(jnp.where(racing, ahead, jnp.inf), axis=0)
            ahead = jnp.where(racing, ahead - jnp.where(jnp.isfinite(first), first, 0.0), ahead)
        whole = jnp.max(jnp.where(moving, jnp.abs(q) * depths.less_one(q), 0.0), axis=0)
        begun = jnp.sum(jnp.abs(p) * depths.less_one(q), axis=0)
        short = jnp.abs(goal) + begun < _SHORT * whole
        return cls(goal, q, p, stuck, way, first, ahead, since, half, short, depths)

    @property
    def one(self) -> Any:
        """Pathways of depth 1, and ..."""
        return self.depths.of(1, self.q)

    @property
    def two(self) -> Any:
        """... of depth 2."""
        return self.depths.of(2, self.q)

    @property
    def along(self) -> "Race":
        """The same with an axis in front of the modes, for many places of each."""
        path = {"q", "p", "stuck", "way", "ahead", "since", "half"}
        return Race(
            **{
                name: jax.tree.map(
                    lambda x, name=name: x[:, None] if name in path else x[None], value
                )
                for name, value in self.__dict__.items()
                if name != "depths"
            },
            depths=self.depths,
        )

    @property
    def moving(self) -> Array:
        """Pathways deeper than two that move at all."""
        return self.depths.of(DEEP, self.q) & ~self.stuck

    @property
    def begun(self) -> Array:
        return jnp.sum(self.p * self.depths.less_one(self.q), axis=0)

    @property
    def reachable(self) -> Array:
        """Whether the sum of K gets to the goal: without a pathway that grows for ever it stays
        below 0.
        """
        grows = jnp.any(self.one | (self.two & (self.q + self.p != 0)), axis=0)
        grows |= jnp.isfinite(self.first)
        return grows | (self.goal < 0) | (self.goal == self.begun)

    @property
    def latest(self) -> Array:
        """A bound on s: no pathway's K falls, so that none of depth 1 or 2 rises by more than what
        is missing.
        """
        missing = self.goal - self.begun
        bound = jnp.full_like(self.q, jnp.inf)
        if 1 in self.depths.kinds:
            bound = jnp.where(self.one, missing, bound)
        if 2 in self.depths.kinds:
            moves = self.two & (self.q + self.p != 0)
            grown = jnp.log1p(4 * missing / jnp.where(moves, self.q + self.p, 1.0) ** 2) / 2
            bound = jnp.where(moves, grown, bound)
        return jnp.min(bound, axis=0)

    def at(self, s: Array, y: Array, rough: bool = False) -> "Place":
        """Where all pathways are at the drive s, `y` before the first pole; `rough`: to about five
        digits, no derivatives.
        """
        zeros = jnp.zeros_like(self.q)
        place = Place(zeros, zeros, zeros, self.q, self.p)
        if DEEP in self.depths.kinds:
            place = self._deep(s, y, rough)
        K, k, bend, q, p = place
        if 2 in self.depths.kinds:
            two, grown = self.two, jnp.expm1(jnp.minimum(s, _LATEST))
            rise, plus, minus = 1 + grown, self.q + self.p, self.q - self.p
            up, down = (jnp.where(two, x, 0.0) for x in (plus * rise, minus / rise))
            # Of a small s nothing would be left in the difference.
            soon = self.p + (plus * grown + minus * grown / rise) / 2
            little = jnp.where(s < 1, soon, (up - down) / 2)
            q, p = jnp.where(two, (up + down) / 2, q), jnp.where(two, little, p)
            K, k = jnp.where(two, p * q, K), jnp.where(two, (up**2 + down**2) / 2, k)
            bend = jnp.where(two, 4 * p * q, bend)
        if 1 in self.depths.kinds:
            one = self.one
            p, k = jnp.where(one, self.p + s, p), jnp.where(one, 1.0, k)
            K = jnp.where(one, p, K)
        return Place(K, k, bend, q, p)

    def _deep(self, s: Array, y: Array, rough: bool) -> "Place":
        deep, c = self.depths.deep, self.way.c
        since = self.since + s
        behind = (c > 0) & (self.p < 0) & (since < self.half)
        left = jnp.where(self.way.forward > 0, y, s) + self.ahead
        left = jnp.where(behind, since, left)
        q, p = reach(c, jnp.where(self.moving, left, 1.0), deep, rough)
        q, p = self._unless_near(s, q, jnp.where(behind, -p, self.way.forward * p))
        # d(q^n) = n q^(n-1) q^(D-2) p ds
        D, rise = deep.real(q), deep.less_two(q)
        k = rise**2 * (q**2 + (D - 1) * p**2)
        bend = rise * p / q * (2 * (D - 2) * k + 2 * D * (rise * q) ** 2)
        K, k, bend = (jnp.where(self.moving, x, 0.0) for x in (p * q * rise, k, bend))
        return Place(
            K, k, bend, jnp.where(self.moving, q, self.q), jnp.where(self.moving, p, self.p)
        )

    def _unless_near(self, s: Array, q: Array, p: Array) -> tuple[Array, Array]:
        """q, p (path, ...), but where a short race has hardly begun from the start on."""
        near = self.short & self.moving & (self.depths.less_two(self.q) * s < _NEAR)

        def closer(far: tuple[Array, Array]) -> tuple[Array, Array]:
            q, p = _moved(
                self.depths, jnp.where(near, self.q, 1.0), jnp.where(near, self.p, 0.0), s
            )
            return jnp.where(near, q, far[0]), jnp.where(near, p, far[1])

        return jax.lax.cond(jnp.any(near), closer, lambda far: far, (q, p))

    def step(self, place: "Place") -> Array:
        """Step of s towards the goal, by Halley's method: of third order."""
        total, slope, bend = (jnp.sum(x, axis=0) for x in (place.K, place.k, place.bend))
        slope = jnp.maximum(slope, jnp.finfo(total.dtype).tiny)
        newton = (self.goal - total) / slope
        return newton / jnp.maximum(1 + newton * bend / (2 * slope), 0.1)

    def arrived(self, s: Array, y: Array) -> tuple[Array, Array, "Place"]:
        """Last step to the solution: s, y, the place. It alone has derivatives, by the implicit
        function theorem.
        """
        moved = jnp.where(
            jnp.isfinite(self.first), self.first - jax.lax.stop_gradient(self.first), 0.0
        )
        place = self.at(s + moved, y)
        step = jnp.where(self.goal == self.begun, 0.0, self.step(place))
        return s + moved + step, y - step, self.further(place, step)

    def further(self, place: "Place", step: Array) -> "Place":
        """The place after a small step, to fourth order; c is kept."""
        _, k, bend, q, p = place
        new_q, new_p = _moved(self.depths, q, p, step)
        frozen = self.one | self.stuck
        new_q, new_p = (
            jnp.where(frozen, q, new_q),
            jnp.where(frozen, p + jnp.where(self.one, step, 0.0), new_p),
        )
        return Place(new_p * self.depths.less_one(new_q), k + bend * step, bend, new_q, new_p)

    def ending(self, K: Array) -> Array:
        """DONE, or SYMMETRIC where several pathways deeper than two are in front, equal to the
        last digit.
        """
        size = jnp.abs(K)
        front = (size == jnp.max(size, axis=0)) & self.moving
        equal = jnp.maximum(jnp.sum(front & (K > 0), axis=0), jnp.sum(front & (K < 0), axis=0))
        return jnp.where(equal > 1, Status.SYMMETRIC, Status.DONE)


def _moved(depths: Depths, q: Array, p: Array, step: Array) -> tuple[Array, Array]:
    """q, p after a small step of the drive, by a series of log(q + p), whose slope is q^(D-2)."""
    ratio, n = p / jnp.where(q == 0, 1.0, q), depths.real(q) - 2
    x = depths.less_two(q) * step
    turn = x * (1 + n * x / 2 * (ratio + x / 3 * (1 + (2 * n - 1) * ratio**2)))
    up, down = turn * (1 + turn**2 / 6), turn**2 / 2 * (1 + turn**2 / 12)
    return q + q * down + p * up, p + p * down + q * up


class Place(NamedTuple):
    """K, k = dK/ds, bend = dk/ds, q, p (path, ...)."""

    K: Array
    k: Array
    bend: Array
    q: Array
    p: Array
