"""Pathways racing for modes, in terms of their drive: where they start, how far poles are, where all are at a given s."""

import enum
from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import check_positive_int
from racedyn._types import Array, ArrayLike
from racedyn.exact.drive import Course, course, gap, position, power, turn


class Ending(enum.IntEnum):
    """How a mode ends. LEARNED; SYMMETRIC: learned, by pathways that are exactly equal and in front, so that any
    difference would decide; NEVER: no pathway can bring it there; FAILED: not found, or a number that is not finite."""

    LEARNED = 0
    SYMMETRIC = 1
    NEVER = 2
    FAILED = 3


class Turned(NamedTuple):
    """A race, and the signs that turn its K, q and p (path, ...) back: those of the modes given."""

    race: "Race"
    strength: Array
    q: Array
    p: Array


def given_arrays(
    singular_values: ArrayLike, depths: Sequence[int], q: ArrayLike, p: ArrayLike, variances: ArrayLike
) -> tuple[Array, Array, Array, Array, tuple[int, ...]]:
    """S/d and d (..., mode), q and p (path, ..., mode), and depths, checked."""
    depths = tuple(check_positive_int("depths", depth, "Depth counts weight matrices.") for depth in depths)
    S, d = jnp.broadcast_arrays(*(jnp.atleast_1d(jnp.asarray(x, float)) for x in (singular_values, variances)))
    q, p = (jnp.asarray(x, float) for x in (q, p))
    shape = jnp.broadcast_shapes(S[..., None, :].shape, q.shape, p.shape, (len(depths), 1))
    q, p = (jnp.moveaxis(jnp.broadcast_to(x, shape), -2, 0) for x in (q, p))
    S, d = (jnp.broadcast_to(x, shape[:-2] + shape[-1:]) for x in (S, d))
    return S / d, d, q, p, depths


def set_out(target: Array, q: Array, p: Array, depths: tuple[int, ...]) -> Turned:
    """The race to sum K = `target` (...) from `q`, `p` (path, ...) of any signs.

    q of either sign is q > 0 with p of sign(q)^(D-1) times its own; a mode that unlearns is one that learns, mirrored.
    """
    D = column(np.array(depths), target)
    below = jnp.asarray(D > 1) & (q < 0)
    mirror, sign = jnp.where(below, -1.0, 1.0), jnp.where(below & (D % 2 == 0), -1.0, 1.0)
    begun = jnp.sum(p * power(q, D - 1), axis=0)
    sense = jnp.where(target >= begun, 1.0, -1.0)
    return Turned(Race.start(sense * target, mirror * q, sense * sign * p, depths), sense, mirror, sense * sign)


def column(values: np.ndarray, like: Array) -> np.ndarray:
    return values.reshape((-1,) + (1,) * like.ndim)


class Race(eqx.Module):
    """All pathways of a batch of modes, so turned that q >= 0 and the sum of K has to rise to `goal`.

    `q`, `p` (path, ...) at the start. `way`, `start_kappa` and `start_gap` are those of pathways deeper than two; the others'
    are filled in. `stuck`: deeper than two with q = 0. `start_behind`: where p < 0 < c, the drive since the pole on that
    side; a pathway near to that one is measured from there, as next to the whole way between the poles nothing would be
    left of its motion.
    """

    goal: Array
    q: Array
    p: Array
    stuck: Array
    way: Course
    start_kappa: Array
    start_gap: Array
    start_behind: Array
    depths: tuple[int, ...] = eqx.field(static=True)

    @classmethod
    def start(cls, goal: Array, q: Array, p: Array, depths: tuple[int, ...]) -> "Race":
        D = column(np.array(depths), goal)
        stuck = jnp.asarray(D > 2) & (q == 0)
        moving = (D > 2) & ~stuck
        way, kappa = course(jnp.where(moving, q, 1.0), jnp.where(moving, p, 0.0))
        start_gap = start_behind = jnp.ones_like(q)
        if max(depths) > 2:
            at_q, at_p = position(way, kappa)
            start_gap, start_behind = (gap(way, at_q, side, np.maximum(D, 3)) for side in (at_p, jnp.abs(at_p)))
        return cls(goal, q, p, stuck, way, kappa, start_gap, start_behind, depths)

    @property
    def D(self) -> np.ndarray:
        return column(np.array(self.depths), self.goal)

    @property
    def moving(self) -> Array:
        """Pathways deeper than two that move at all."""
        return jnp.asarray(self.D > 2) & ~self.stuck

    @property
    def first_gap(self) -> Array:
        """Drive at which the first pathway reaches its pole; infinite where none does."""
        return jnp.min(jnp.where(self.moving & (self.way.forward > 0), self.start_gap, jnp.inf), axis=0)

    @property
    def begun(self) -> Array:
        return jnp.sum(self.p * power(self.q, self.D - 1), axis=0)

    @property
    def reachable(self) -> Array:
        """Whether the sum of K gets to the goal: without a pathway that grows for ever it stays below 0."""
        grows = jnp.any(jnp.asarray(self.D == 1) | (jnp.asarray(self.D == 2) & (self.q + self.p != 0)), axis=0)
        grows |= jnp.isfinite(self.first_gap)
        return grows | (self.goal < 0) | (self.goal == self.begun)

    @property
    def latest(self) -> Array:
        """A bound on s: no pathway's K falls, so that none of depth 1 or 2 rises by more than what is missing."""
        missing = self.goal - self.begun
        bound = jnp.full_like(self.goal, jnp.inf)
        for depth, q, p in zip(self.depths, self.q, self.p, strict=True):
            if depth == 1:
                bound = jnp.minimum(bound, missing)
            if depth == 2:
                moves = q + p != 0
                grown = jnp.log1p(4 * missing / jnp.where(moves, q + p, 1.0) ** 2) / 2
                bound = jnp.minimum(bound, jnp.where(moves, grown, jnp.inf))
        return bound

    def at(self, s: Array, y: Array, kappa: Array) -> "Place":
        """Where all pathways are at the drive s, `y` before the first pole, if deep ones are at `kappa`."""
        zeros = jnp.zeros_like(self.q)
        place = Place(zeros, zeros, zeros, self.q, self.p, zeros, zeros + 1, zeros)
        if max(self.depths) > 2:
            place = self._deep(s, y, kappa)
        K, k, q, p = place.K, place.k, place.q, place.p
        if 2 in self.depths:
            two = self.D == 2
            up, down = (
                jnp.where(two, x, 0.0) for x in ((self.q + self.p) * jnp.exp(s), (self.q - self.p) * jnp.exp(-s))
            )
            q, p = jnp.where(two, (up + down) / 2, q), jnp.where(two, (up - down) / 2, p)
            K, k = jnp.where(two, (up**2 - down**2) / 4, K), jnp.where(two, (up**2 + down**2) / 2, k)
        if 1 in self.depths:
            one = self.D == 1
            p, k = jnp.where(one, self.p + s, p), jnp.where(one, 1.0, k)
            K = jnp.where(one, p, K)
        return place._replace(K=K, k=k, q=q, p=p)

    def _deep(self, s: Array, y: Array, kappa: Array) -> "Place":
        deep = np.maximum(self.D, 3)
        q, p = position(self.way, kappa)
        # Or XLA computes it anew for everything that is made of it.
        q, p, now = jax.lax.optimization_barrier((q, p, gap(self.way, q, jnp.abs(p), deep)))
        speed = turn(self.way, q, p, deep)
        slope = power(q, 2 * deep - 4) * (q**2 + (deep - 1.0) * p**2)
        K, k, speed = (jnp.where(self.moving, x, 0.0) for x in (p * power(q, deep - 1), slope, speed))
        q, p = jnp.where(self.moving, q, self.q), jnp.where(self.moving, p, self.p)
        side = jnp.where((self.way.c > 0) & (p < 0), -1.0, 1.0)
        place = Place(
            K, k, speed, q, p, jnp.where(self.moving, side * jnp.abs(speed) * now, 0.0), now, jnp.zeros_like(K)
        )
        return jax.lax.optimization_barrier(place._replace(error=self.error(place, s, y)))

    def error(self, place: "Place", s: Array, y: Array) -> Array:
        """How far kappa is from where it should be at s, to first order in the logarithm of the gap."""
        first = self.first_gap
        behind = jnp.where(jnp.isfinite(first), self.start_gap - first, 0.0)
        wanted = jnp.where(self.way.forward > 0, y + behind, self.start_gap + s)
        wanted = jnp.where((self.way.c > 0) & (place.p < 0), self.start_behind + s, wanted)
        return place.lever * jnp.log(place.now / jnp.where(self.moving, wanted, place.now))

    def arrived(self, s: Array, y: Array, kappa: Array) -> tuple[Array, Array, "Place"]:
        """One more step from the solution: s, y, the place. It alone has derivatives, by the implicit function theorem."""
        first = self.first_gap
        moved = jnp.where(jnp.isfinite(first), first - jax.lax.stop_gradient(first), 0.0)
        place = self.at(s + moved, y, kappa)
        slope = jnp.sum(place.k, axis=0)
        step = (self.goal - jnp.sum(place.K, axis=0) - place.ahead) / jnp.where(slope > 0, slope, 1.0)
        step = jnp.where(self.goal == self.begun, 0.0, step)
        s, y = s + moved + step, y - step
        return s, y, self.at(s, y, kappa + self.error(place, s, y))

    def ending(self, K: Array) -> Array:
        """LEARNED, or SYMMETRIC where pathways deeper than two that are equal to the foremost one are in front with it."""
        front = jnp.argmax(jnp.abs(K), axis=0)[None]
        alike = jnp.broadcast_to(self.moving, K.shape)
        for values in (jnp.broadcast_to(self.D, K.shape), self.q, self.p):
            alike &= values == jnp.take_along_axis(values, front, axis=0)
        return jnp.where(jnp.sum(alike, axis=0) > 1, Ending.SYMMETRIC, Ending.LEARNED)


class Place(NamedTuple):
    """K, k = dK/ds, speed = dkappa/ds, q, p (path, ...); the gap `now`, `lever` dkappa/dlog(wanted gap), `error` of kappa."""

    K: Array
    k: Array
    speed: Array
    q: Array
    p: Array
    lever: Array
    now: Array
    error: Array

    @property
    def ahead(self) -> Array:
        """What the errors, mended, add to the sum of K."""
        per_kappa = jnp.where(self.speed == 0, 0.0, self.k / jnp.where(self.speed == 0, 1.0, self.speed))
        return jnp.sum(per_kappa * self.error, axis=0)
