"""Races by general ODE solvers: what all peers are given, each in the best arrangement that is
known of (../exact.py).

A lane is one mode with two pathways of depth D: dq_a/dt = r q_a^(D-2) p_a, dp_a/dt = r q_a^(D-1), r
= S - sum_a K_a. As it stands this is stiff once the mode has converged, and a solver spends its
life there. All peers but the plain ones are given what takes that away, with G = d(sum_a K_a)/ds:

* ends: K = sum_a K_a as the clock, dp_a/dK = q_a^(D-1) / G, from K(0) to S: a finite way, and no
  stop to detect. In z, K = k sinh z, steps are as even as singularities allow: K = 0 where c = 0,
  about K = +-i k where c sets the scale.
* points: r = r(0) e^-w, with w as one more state, dw/dt = G. An error of p and q reaches r through
  G alone: nothing is stiff. At c = 0 a long plateau precedes a short rise, whose time is right to
  the tolerance times the plateau: see `stretch`.

Lanes are sorted, so that those which step together are alike. Tolerances are about the loosest with
errors of K below 1e-6 S. A second call with the same shapes compiles nothing. All in float64.

Each peer has a file with `races(depth)`, a list of `Peer`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray
PATHS = 2
LONG = 1e3  # of `stretch`
LONGEST = (
    2**14
)  # steps, after which a peer gives up and says NaN: the plain arrangement would take 3e8 for c0-8


@dataclass(frozen=True)
class Peer:
    """`ends(values, q, p)`: K (path, lane) when all has settled; `points(values, q, p, ts)`:
    K (time, path, lane).

    `ends` is None where a peer has none. `most` members are timed, where more would take for ever.
    """

    name: str
    ends: Callable[[Array, Array, Array], Array] | None
    points: Callable[[Array, Array, Array, Array], Array]
    most: int | None = None


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
    """Lanes by S, then by the leading pathway; the last again until groups of `width` are full."""
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
    """How an early error grows: length of the plateau times rate of the rise; at least D."""
    lead = q.max(axis=0)
    length = np.log1p(values / lead**2) if depth == 2 else lead ** (2.0 - depth)
    return np.maximum(depth, length * depth * values ** (1 - 2 / depth))


def plateau(q: Array, p: Array) -> bool:
    """Whether a lane has c = 0 and so escapes late, which takes a smaller tolerance."""
    return bool(((q * q - p * p) < 1e-3 * q * q).any())
