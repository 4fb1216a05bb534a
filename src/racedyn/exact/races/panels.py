"""Time on a panel, and back.

With s* the drive at the end, v = log((s + e) / (s* - s)) makes dt/dv smooth and bounded: on a
plateau it falls with s* - s, near the end it is one over the rate at which the mode relaxes, and e,
how far behind the nearest pole lies, resolves a start near one. T = d t is s / gap, as long as K
stands still, and a rest P, which is a series of Chebyshev's polynomials on each panel in v. A cubic
between its nodes brings back v for T, and Newton's method polishes it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial import chebyshev

from racedyn._types import Array
from racedyn.exact.races.race import Place, Race

_LEFT = 1e-4  # of what a mode learns, beyond the last panel: there r is a parabola in s
_INVERSIONS = 60  # by Newton's method; one or two as a rule


class End(NamedTuple):
    """Drive s and gap y at the end, with derivatives, dK/ds there and half of its own slope
    relative to it; `behind`, the e of v; where panels end in v, which counts from the start: all
    (...)."""

    s: Array
    y: Array
    slope: Array
    bend: Array
    behind: Array
    last: Array

    @classmethod
    def of(cls, race: Race, s: Array, y: Array, last: Place) -> "End":
        slope = jnp.sum(last.k, axis=0)
        s = jnp.where(race.goal == race.begun, 0.0, s)
        behind = jax.lax.stop_gradient(jnp.where(s > 0, s, 1.0))
        behind = jnp.minimum(
            behind, jnp.min(jnp.where(race.moving & (race.p < 0), race.since, jnp.inf), axis=0)
        )
        if 2 in race.depths.kinds:
            behind = jnp.minimum(behind, 1.0)
        # What is left of K is about the slope times s* - s: _LEFT of what the mode learns.
        rest = _LEFT * (jnp.abs(race.goal) + jnp.abs(race.begun))
        steep = jnp.where(slope > 0, slope, 1.0)
        bends = jnp.sum(jnp.abs(last.bend), axis=0) / (2 * steep)
        left = jnp.minimum(
            jnp.minimum(rest / steep, s / 2), _LEFT / jnp.where(bends > 0, bends, 1.0)
        )
        end = cls(
            s, y, slope, jnp.sum(last.bend, axis=0) / (2 * steep), jax.lax.stop_gradient(behind), s
        )
        return end._replace(last=jax.lax.stop_gradient(end.when(jnp.where(left > 0, left, 1.0))))

    @property
    def begin(self) -> Array:
        """e^v at the start."""
        return self.behind / jnp.where(self.s > 0, self.s, 1.0)

    def at(self, v: Array) -> tuple[Array, Array]:
        """s, and what is left of it to s*, at v (k, ...), which counts from the start."""
        rest = jnp.exp(-v)
        share = 1 / (rest + self.begin)
        return self.behind * (1 - rest) * share, (self.s + self.behind) * rest * share

    def pace(self, s: Array, left: Array) -> Array:
        """ds/dv."""
        return left * ((s + self.behind) / (self.s + self.behind))

    def when(self, left: Array) -> Array:
        """v at which this is left of the drive."""
        return jnp.log(((self.s + self.behind) / left - 1) / self.begin)


class Panel:
    """What all panels of so many terms share. `nodes`; `integral`: from rates there to the series
    of their integral, which is 0 where the panel begins; `knots`: some nodes, and the panel's ends;
    `at_knots`, `rates`: from the series to itself and its slopes there."""

    def __init__(self, terms: int):
        self.nodes = np.sort(chebyshev.chebpts1(terms))
        to_series = np.linalg.inv(chebyshev.chebvander(self.nodes, terms - 1))
        columns = [chebyshev.chebint(column, lbnd=-1) for column in to_series.T]
        self.integral = np.stack(columns, axis=1)
        self.knots = np.concatenate([[-1.0], self.nodes[1:-1:2], [1.0]])
        self.at_knots = chebyshev.chebvander(self.knots, terms)
        to_slopes = chebyshev.chebder(np.eye(terms + 1))
        self.rates = chebyshev.chebvander(self.knots, terms - 1) @ to_slopes

    def series(self, race: Race, end: End, begin: Array, width: Array) -> tuple[Array, Array]:
        """The series of P (term, ...) on the panel that begins there, and how fast the sum of K
        goes on it at most, relative to what the mode learns."""
        v = begin + width * ((1 + self.nodes) / 2).reshape((-1,) + (1,) * end.s.ndim)
        s, left = end.at(v)
        place = race.along.at(s, end.y + left)
        K = jnp.sum(place.K, axis=0)
        r = race.goal - K
        gap, stands = gap_of(race)
        moves = r > 0
        rates = end.pace(s, left) * (K - stands) / (jnp.where(moves, r, 1.0) * gap)
        speed = jnp.abs(jnp.sum(place.k, axis=0) * r) / (jnp.abs(race.goal) + jnp.abs(race.begun))
        series = product(self.integral, jnp.where(moves, rates, 0.0)) * width / 2
        return series, jnp.max(speed, axis=0)

    def inverted(
        self,
        end: End,
        gap: Array,
        series: Array,
        begin: Array,
        width: Array,
        T: Array,
        here: Array,
        v: Array,
        tolerance: float,
    ) -> Array:
        """v (time, ...) where T, of this panel alone, is `here`; elsewhere as given: from the cubic
        between its knots."""
        knots = begin + width * ((1 + self.knots) / 2).reshape((-1,) + (1,) * end.s.ndim)
        s, left = end.at(knots)
        at = s / gap + product(self.at_knots, series)
        rate = end.pace(s, left) / gap + product(self.rates, series) * 2 / width
        apart, step = jnp.diff(at, axis=0), jnp.diff(knots, axis=0)
        apart = jnp.where(apart > 0, apart, 1.0)
        first, last = (apart / jnp.where(x > 0, x, 1.0) for x in (rate[:-1], rate[1:]))
        square, cubic = 3 * step - 2 * first - last, first + last - 2 * step
        each = 1 / apart
        guess = jnp.zeros_like(T)
        for k in range(len(self.knots) - 1):
            x = jnp.clip((T - at[k]) * each[k], 0.0, 1.0)
            guess = guess + x * (first[k] + x * (square[k] + x * cubic[k]))
        small = np.sqrt(tolerance) / 3  # Newton's next step would be its square

        def newton(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            v, open_, k = state
            s, left = end.at(v)
            value, slope = evaluated(series, 2 * (v - begin) / width - 1)
            rate = end.pace(s, left) / gap + slope * 2 / width
            step = (T - s / gap - value) / jnp.where(rate > 0, rate, 1.0)
            new = jnp.clip(v + step, begin, begin + width)
            return jnp.where(open_, new, v), open_ & (jnp.abs(step) > small), k + 1

        v, *_ = jax.lax.while_loop(
            lambda state: (state[2] < _INVERSIONS) & jnp.any(state[1]),
            newton,
            (jnp.where(here, begin + guess, v), here, jnp.asarray(0)),
        )
        return v


def product(matrix: np.ndarray, values: Array) -> Array:
    """Of a matrix with values (term, ...), with all digits on a GPU, too."""
    return jnp.tensordot(matrix, values, 1, precision="highest")


def gap_of(race: Race) -> tuple[Array, Array]:
    """r as long as K stands still, and the K at which it would: 0, or that at the start where the
    way from there is the shorter one."""
    stands = jnp.where(race.goal > -race.begun, 0.0, race.begun)
    gap = race.goal - stands
    return jnp.where(gap > 0, gap, 1.0), stands


def evaluated(series: Array, x: Array) -> tuple[Array, Array]:
    """The series (term, ...) at x (k, ...), and its derivative, by Clenshaw's recurrence."""
    one = two = slope_one = slope_two = jnp.zeros_like(x)
    for coefficient in series[:0:-1]:
        slope_one, slope_two = 2 * (x * slope_one + one) - slope_two, slope_one
        one, two = coefficient + 2 * x * one - two, one
    return series[0] + x * one - two, one + x * slope_one - slope_two
