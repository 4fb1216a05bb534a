"""A two-layer ReLU network while its weights are small: each neuron alone, exactly, until its gate
is settled.

While the prediction is small against the targets, tau dw/dt = a g(w) and tau da/dt = w . g(w) with
g(w) = < y x [w . x > 0] > for a neuron with incoming weights w and outgoing weight a. Where the set
of examples that it is active on does not change, g is constant and the solution is hyperbolic: with
e = g / |g|, s = |g|, (w . e + a) grows as e^(s t), (w . e - a) decays and the rest of w stays. So
each neuron joins one pathway, the examples it stays active on, and from then on grows as c e^(s t)
along e: it brings c^2 e^(2 s t) to that pathway's strength u^T W2 W1 v, from the start on as if it
had been there with c^2 = (c at the settling time)^2 e^(-2 s t)."""

from typing import Any, NamedTuple

import numpy as np

from racedyn._arrays import as_matrix
from racedyn._checks import fail
from racedyn._text import brief

_ROUNDING = 1e4 * np.finfo(float).eps
_EVENTS = 100  # per example; a neuron of a small data set settles after a few
_SWEEPS = 100  # over the gates at a kink, of which each settles the next


class EarlyPathways(NamedTuple):
    """Which pathway each neuron joins.

    `active` (neuron, example): the examples it stays active on, none where it dies; `rate` s
    (neuron,); `start` (neuron,): its share c^2 of that pathway's strength at time 0; `unique`
    (neuron,): False where the flow itself leaves it open which way the neuron goes, as its outgoing
    weight changed sign while its gate was held at a kink (it is taken to close).
    `strength(examples)` sums the shares of one pathway: the a0 of a gated linear network that
    starts as the ReLU network does."""

    active: np.ndarray
    rate: np.ndarray
    start: np.ndarray
    unique: np.ndarray

    def __repr__(self) -> str:
        return brief(self)

    def strength(self, examples: Any) -> float:
        """The a0 of the pathway that is open for these examples and no others: whole numbers from
        0, or a mask (P,).

        Raises `IndexError` for an example that there is not.
        """
        wanted = np.zeros(self.active.shape[1], bool)
        wanted[np.asarray(examples)] = True
        return float(self.start[(self.active == wanted).all(axis=1)].sum())


def early_pathways(
    first: np.ndarray, second: np.ndarray, X: np.ndarray, Y: np.ndarray
) -> EarlyPathways:
    """The pathways that neurons of a two-layer ReLU network join from small weights.

    `first` (n, n_in), `second` (1, n): weights; `X` (n_in, P), `Y` (1, P): one example per column.
    Raises `ValueError` for shapes that don't fit, and `RuntimeError` for a neuron that does not
    settle, or whose gates do not where several are at their kink at once.

        >>> task = rd.tasks.xor(margin=0.5)
        >>> first = 1e-3 * np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> found = rd.exact.early_pathways(first, np.full((1, 2), 1e-3), task.X, task.Y)
        >>> found.active.astype(int).tolist()  # one joins XoR gating, the other linear gating
        [[1, 0, 0, 0], [1, 1, 0, 0]]
    """
    first, second, X, Y = (
        as_matrix(name, a) for name, a in (("first", first), ("second", second), ("X", X), ("Y", Y))
    )
    if second.shape != (1, len(first)) or first.shape[1] != len(X) or Y.shape != (1, X.shape[1]):
        fail(
            "second, X, Y",
            f"have shapes (1, {len(first)}), ({first.shape[1]}, P) and (1, P)",
            f"they have {second.shape}, {X.shape} and {Y.shape}",
            "One output unit, one example per column.",
        )
    found = [_followed(w, a, X, Y[0]) for w, a in zip(first, second[0], strict=True)]
    return EarlyPathways(*(np.array(column) for column in zip(*found, strict=True)))


def _followed(
    w: np.ndarray, a: float, X: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, float, float, bool]:
    """One neuron: the examples it stays active on, its rate, its share of the strength at time 0,
    and whether that is all.
    """
    active, sliding = w @ X > 0, np.zeros(len(y), bool)
    elapsed, unique = 0.0, True
    for _ in range(_EVENTS * len(y)):
        g = _pull(X, y, active, sliding)
        s = float(np.linalg.norm(g))
        if s <= _ROUNDING * np.abs(X * y).max():
            return np.zeros_like(active), 0.0, 0.0, unique
        e = g / s
        along = float(w @ e)
        rest = w - along * e
        up, down = (along + a) / 2, (along - a) / 2
        z = min(
            (_root(r, c, up, down, on) for r, c, on in zip(rest @ X, e @ X, active, strict=True)),
            default=np.inf,
        )
        turns = up * down > up**2 > 0 and sliding.any() and down / up < z**2
        if turns:
            unique, z = (
                False,
                float(np.sqrt(down / up)),
            )  # a changes sign: what a gate slid on may open or close now
        if np.isinf(z):
            # In logarithms, as e^(2 s t) may be large.
            share = float(np.exp(2 * (np.log(abs(up)) - elapsed * s))) if up else 0.0
            return active, s, share, unique
        elapsed += float(np.log(z)) / s
        w, a = rest + (up * z + down / z) * e, 0.0 if turns else up * z - down / z
        size = np.linalg.norm(rest) + abs(up) * z + abs(down) / z
        touching = np.abs(w @ X) <= _ROUNDING * size * np.linalg.norm(X, axis=0)
        active, sliding = _gates(
            X, y, up * z + down / z if turns else a, active & ~touching, touching
        )
    raise RuntimeError(
        f"The gates of a neuron went on opening and closing, {_EVENTS} times per example."
    )


def _pull(X: np.ndarray, y: np.ndarray, active: np.ndarray, sliding: np.ndarray) -> np.ndarray:
    """g of the active examples, but for its part along examples that the gate slides on, w . x =
    0.
    """
    g = (X * y * active).sum(axis=1) / len(y)
    if sliding.any():
        Q = np.linalg.svd(X[:, sliding], full_matrices=False)
        kept = Q.U[:, _ROUNDING * Q.S[0] < Q.S]
        g = g - kept @ (kept.T @ g)
    return g


def _gates(
    X: np.ndarray, y: np.ndarray, a: float, active: np.ndarray, touching: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each `touching` example, at w . x = 0, opens, closes, or is held there as either
    would push it back.

    `a` has the sign that the outgoing weight is about to have.
    """
    sliding = touching.copy()
    for _ in range(_SWEEPS):  # until each is in keeping with the others
        before = active.copy(), sliding.copy()
        for k in np.flatnonzero(touching):
            active[k] = sliding[k] = False
            closed = a * (_pull(X, y, active, sliding) @ X[:, k])
            active[k] = True
            opened = a * (_pull(X, y, active, sliding) @ X[:, k])
            scale = _ROUNDING * abs(a) * (X[:, k] @ X[:, k])
            active[k], sliding[k] = (
                closed > scale and opened > -scale,
                closed > scale and opened <= -scale,
            )
        if np.array_equal(before[0], active) and np.array_equal(before[1], sliding):
            return active, sliding
    raise RuntimeError(
        f"{touching.sum()} gates of a neuron that are at their kink at once are not in keeping "
        "with each other after "
        f"{_SWEEPS} sweeps: which of them open is not told."
    )


def _root(rest: float, slope: float, up: float, down: float, active: bool) -> float:
    """The first z = e^(s t) > 1 at which rest + slope (up z + down / z) leaves its side, positive
    if `active`; or infinity.
    """
    side = 1.0 if active else -1.0
    coefficients = side * np.array([slope * up, rest, slope * down])
    if np.abs(coefficients[[0, 2]]).max() <= _ROUNDING * max(abs(up), abs(down)):
        return np.inf
    crossings = [
        float(z.real)
        for z in np.roots(coefficients)
        if abs(z.imag) <= _ROUNDING * abs(z)
        and z.real > 1 + _ROUNDING
        and side * slope * (up - down / z.real**2) < 0
    ]
    return min(crossings, default=np.inf)
