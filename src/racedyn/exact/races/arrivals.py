"""When a race gets where, and back: time as a quadrature over the drive, from the plateau to
convergence, panel by panel (`panels`).

The last coefficients tell the error; a mode where it is too large gets twice as many panels. Beyond
the last one it relaxes as a logistic does. Neither the end time nor stiffness costs anything."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._types import Array
from racedyn.exact.races.panels import End, Panel, evaluated, gap_of
from racedyn.exact.races.race import Race

_LEAST_TERMS, _MOST_TERMS = 16, 40  # of a panel
_TAIL = 4  # of them tell the error: they oscillate, and two may be small by chance
_MOST = 32  # panels
_DERIVED = 16  # panels from which derivatives are taken

_Known = tuple[Array, Array, Array, Array]


@partial(jax.custom_jvp, nondiff_argnums=(5,))
def arrivals(
    race: Race, end: End, asked: Array, d: Array, t: Array, tolerance: float
) -> tuple[Array, Array, Array]:
    """s and what is left of it to s* (time, ...) at the times t (time, ...) for the modes `asked`
    (...), and the error (...) of the sum of K, relative to what the mode learns, that the last
    coefficients tell."""
    v, passed, error = _resolved(race, end, asked, d * t, tolerance)
    s, left = end.at(v)
    gap, _ = gap_of(race)
    # Beyond the panels r is dK/ds x (1 - bend x), x = s* - s.
    last, rest = end.at(end.last)
    relaxed = float(np.log(jnp.finfo(s.dtype).max)) / 2  # then nothing is left but what has a log
    over = jnp.clip((d * t - last / gap - passed) * end.slope, 0.0, relaxed)
    relaxing = rest / ((1 - end.bend * rest) * jnp.exp(over) + end.bend * rest)
    beyond = over > 0
    return jnp.where(beyond, end.s - relaxing, s), jnp.where(beyond, relaxing, left), error


@arrivals.defjvp
def _(tolerance: float, given: Any, along: Any) -> Any:
    """By the implicit function theorem: T(v) = d t for all v."""
    s, left, error = arrivals(*given, tolerance)
    race, end, *_ = given
    v = end.when(left)
    r = race.goal - jnp.sum(race.along.at(s, end.y + left).K, axis=0)
    r = jnp.where(v > end.last, end.slope * left * (1 - end.bend * left), r)

    def missing(race: Race, end: End, asked: Array, d: Array, t: Array) -> Array:
        return d * t - _time_at(race, end, v)

    _, moved = jax.jvp(missing, given, along)
    pace = end.pace(s, left)
    moved = jnp.where(~given[2], 0.0, moved * r / jnp.where(pace > 0, pace, 1.0))
    _, (s_moved, left_moved) = jax.jvp(End.at, (end, v), (along[1], moved))
    return (s, left, error), (s_moved, left_moved, jnp.zeros_like(error))


def _terms(tolerance: float) -> int:
    """As many of a panel as are enough for most races on one: each digit takes four."""
    return int(np.clip(np.ceil(-4 * np.log10(tolerance)), _LEAST_TERMS, _MOST_TERMS))


def _resolved(
    race: Race, end: End, asked: Array, T: Array, tolerance: float
) -> tuple[Array, Array, Array]:
    """v (time, ...) at T, where a panel has it, else at the end of the panels; P there and the
    error of all (...)."""
    gap, _ = gap_of(race)
    panel = Panel(_terms(tolerance))

    def finer(known: _Known) -> _Known:
        """From twice as many panels; modes that are good enough stay as they are, whoever else is
        here."""
        v, passed, error, panels = known
        width = end.last / panels
        open_ = ~(error <= tolerance)

        def one(k: Array, state: _Known) -> _Known:
            v, passed, missed, worst = state
            series, speed = panel.series(race, end, k * width, width)
            # What is missed on a panel makes late all that comes after it.
            missed = missed + jnp.sum(jnp.abs(series[-_TAIL:]), axis=0)
            worst = jnp.maximum(worst, missed * speed)
            after = passed + jnp.sum(series, axis=0)
            since, until = (
                end.at(x * width)[0] / gap + rest for x, rest in ((k, passed), (k + 1, after))
            )
            here = (since <= T) & (until > T) & open_ & (worst <= tolerance)

            def found(v: Array) -> Array:
                given = end, gap, series, k * width, width, T - passed, here, v, tolerance
                return panel.inverted(*given)

            return jax.lax.cond(jnp.any(here), found, lambda v: v, v), after, missed, worst

        none = jnp.zeros_like(end.s)
        v, after, _, worst = jax.lax.fori_loop(0, panels, one, (v, none, none, none))
        return v, jnp.where(open_, after, passed), jnp.where(open_, worst, error), 2 * panels

    nothing = (
        jnp.broadcast_to(end.last, T.shape),
        jnp.zeros_like(end.s),
        jnp.where(asked, jnp.inf, jnp.zeros_like(end.s)),
        jnp.asarray(1),
    )
    *known, _ = jax.lax.while_loop(
        lambda known: (known[3] <= _MOST) & jnp.any(~(known[2] <= tolerance)), finer, nothing
    )
    return tuple(known)  # type: ignore[return-value]


def _time_at(race: Race, end: End, v: Array) -> Array:
    """T at v (time, ...), from so many panels that nothing is chosen: it has derivatives."""
    gap, _ = gap_of(race)
    width = end.last / _DERIVED
    panel = Panel(_MOST_TERMS)

    def one(total: Array, k: Array) -> tuple[Array, None]:
        series, _ = panel.series(race, end, k * width, width)
        x = jnp.clip(2 * (v - k * width) / width - 1, -1.0, 1.0)
        return total + evaluated(series, x)[0], None

    inside = jnp.minimum(v, end.last)
    T = end.at(inside)[0] / gap
    T, _ = jax.lax.scan(one, T, jnp.arange(_DERIVED, dtype=v.dtype))
    last, left = end.at(end.last)[1], end.at(jnp.maximum(v, end.last))[1]
    # Not the logarithm of a quotient: its derivative has left^2 in it, which is below all numbers.
    rates = jnp.log(last) - jnp.log(left)
    rates = rates + jnp.log1p(-end.bend * left) - jnp.log1p(-end.bend * last)
    return T + rates / jnp.where(end.slope > 0, end.slope, 1.0)
