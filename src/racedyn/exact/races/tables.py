"""The gap to a pole and the way back from it as polynomials, fitted once for each depth."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev

LOWEST = -0.2  # of w, for polynomials
_ROUGH = 1e-5  # of the logarithm of the gap: a step of third order from there is at rounding


class Table(NamedTuple):
    """Polynomials of one depth, coefficients from the constant on, in variables that run from -1 to
    1: Phi over w from LOWEST to 1; E / y^(1/(D-2)) = above / below over c y^(2/(D-2)) between
    `ends`."""

    phi: np.ndarray
    ends: np.ndarray
    above: np.ndarray
    below: np.ndarray


@lru_cache
def table(depth: int) -> Table:
    """Fitted to Phi(w) = int_0^1 x^(D-3) ((1 + w) / (1 + w x^2))^(D-2) dx, by Gauss quadrature."""
    n = depth - 2
    x, weights = np.polynomial.legendre.leggauss(100)
    x, weights = (x[:, None] + 1) / 2, weights / 2

    def phi(w: np.ndarray) -> np.ndarray:
        return weights @ (x ** (n - 1) * ((1 + w) / (1 + w * x**2)) ** n)

    def ratio(w: np.ndarray) -> np.ndarray:  # E / y^(1/(D-2))
        return (1 + w) / 2 * phi(w) ** (-1 / n)

    def in_range(x: np.ndarray) -> np.ndarray:
        return (1 + LOWEST) / 2 + (1 - LOWEST) / 2 * x

    points = chebyshev.chebpts1(41)
    series = chebyshev.chebfit(points, phi(in_range(points)), 40)
    kept = np.flatnonzero(np.abs(series) > 3e-15 * np.abs(series).max())[-1] + 1
    w = in_range(chebyshev.chebpts2(400))
    scaled = w / ratio(w) ** 2
    ends = scaled[[0, -1]]
    at = (2 * scaled - ends.sum()) / (ends[1] - ends[0])
    for degree in range(2, 16):
        above, below, error = _quotient(at, ratio(w), degree)
        if n * error < _ROUGH:
            break
    return Table(_monomials(series[:kept]), ends, above, below)


def _quotient(
    x: np.ndarray, values: np.ndarray, degree: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Polynomials whose quotient is nearest to the values, by least squares of the linear problem,
    weighted anew.
    """
    basis = chebyshev.chebvander(x, degree)
    below = np.ones_like(x)
    for _ in range(8):
        rows = np.hstack([basis / values[:, None], -basis[:, 1:]]) / below[:, None]
        found = np.linalg.lstsq(rows, 1 / below, rcond=None)[0]
        top, bottom = found[: degree + 1], np.concatenate([[1.0], found[degree + 1 :]])
        below = basis @ bottom
    error = np.max(np.abs(basis @ top / below / values - 1)) if np.all(below > 0) else np.inf
    return _monomials(top), _monomials(bottom), float(error)


def _monomials(series: np.ndarray) -> np.ndarray:
    return np.asarray(chebyshev.cheb2poly(series))
