"""Two modalities with a covariance of their own, and a target that is linear in both."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn._arrays import as_real, check_finite
from racedyn._checks import fail
from racedyn.tasks.task import Task

_ROUNDING = 1e4 * np.finfo(float).eps  # of roots and products, against the largest eigenvalue
_COVARIANCE = "be a number, variances (n,) or a covariance (n, n)"
_VARIANCES = "A covariance is symmetric and has no negative eigenvalue."


def multimodal(
    sigma_A: Any = 1.0,
    sigma_B: Any = 1.0,
    correlation: Any = 0.0,
    *,
    sigma_AB: Any = None,
    map_A: Any = 1.0,
    map_B: Any = 1.0,
) -> Task:
    """Inputs "A" and "B" of a given joint covariance, and the target map_A x_A + map_B x_B
    ([Zhang24] section 2).

    **Arguments:**

    - `sigma_A`, `sigma_B`: covariance < x_A x_A^T > of each modality: a number (one component),
      variances (n_A,) of uncorrelated ones, or a matrix (n_A, n_A).
    - `correlation` C: a number, between each component of A and that of the same place in B; or
      (n_A, n_B). Sigma_AB = Sigma_A^(1/2) C Sigma_B^(1/2), whatever the covariances are.
    - `sigma_AB`: < x_A x_B^T > itself, (n_A, n_B), in place of `correlation`.
    - `map_A`, `map_B`: what the target "output" is of each: a number for every component, (n_A,)
      for one target, or (n_out, n_A).

    Covariances are means over examples, about 0, and exact in n_A + n_B examples, one for each
    direction: the columns of (P Sigma)^(1/2). Raises `ValueError` for what is no covariance and for
    shapes that don't meet.

        >>> task = rd.tasks.multimodal(sigma_A=1.0, sigma_B=[0.5, 0.3], correlation=0.4)
        >>> print(task)
        two modalities: 3 examples, A 1, B 2, output 1
        >>> task.sigma_x("B").round(3).tolist()
        [[0.5, 0.0], [0.0, 0.3]]
        >>> task.sigma_yx("A", "output").round(3).tolist()  # 1 + 0.4 sqrt(0.5)
        [[1.283]]
    """
    A, B = (_covariance(n, s) for n, s in (("sigma_A", sigma_A), ("sigma_B", sigma_B)))
    shape = len(A), len(B)
    if sigma_AB is None:
        given, C = "correlation", _between("correlation", correlation, shape)
        AB = _root("sigma_A", A) @ C @ _root("sigma_B", B)
    elif np.any(as_real("correlation", correlation)):
        fail("sigma_AB", "be left out where a correlation is given", "both are given")
    else:
        given, AB = "sigma_AB", _between("sigma_AB", sigma_AB, shape)
    X = np.sqrt(sum(shape)) * _root(given, np.block([[A, AB], [AB.T, B]]))
    inputs = {"A": X[: len(A)], "B": X[len(A) :]}
    W_A, W_B = _map("map_A", map_A, len(A)), _map("map_B", map_B, len(B))
    if len(W_A) != len(W_B):
        fail("map_B", f"have a row for each of the {len(W_A)} targets", f"it has {len(W_B)}")
    Y = W_A @ inputs["A"] + W_B @ inputs["B"]
    return Task(inputs, {"output": Y}, name="two modalities", bases=_of_one_target(inputs, Y))


def _of_one_target(
    inputs: Mapping[str, np.ndarray], Y: np.ndarray
) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """Modes of correlations that are vectors: V carries the sign and U is 1 for both, so that laws
    of aligned weights have one basis at the output. None of what is correlated by rounding alone.
    """
    if len(Y) > 1:
        return {}
    correlations = {node: Y @ X.T for node, X in inputs.items()}
    norms = {node: np.linalg.norm(correlation) for node, correlation in correlations.items()}
    return {
        (node, "output"): (np.eye(1), correlations[node].T / norm)
        for node, norm in norms.items()
        if norm > _ROUNDING * np.linalg.norm(Y) * np.linalg.norm(inputs[node])
    }


def _numbers(argument: str, value: Any) -> np.ndarray:
    array = np.asarray(as_real(argument, value), float)
    check_finite(argument, array)
    return array


def _covariance(argument: str, value: Any) -> np.ndarray:
    """The covariance of one modality, (n, n)."""
    array = _numbers(argument, value)
    if array.ndim < 2:
        array = np.diag(np.atleast_1d(array))
    if array.ndim > 2 or array.shape[0] != array.shape[1] or not array.size:
        fail(argument, _COVARIANCE, f"its shape is {np.shape(value)}")
    if not np.allclose(array, array.T, rtol=_ROUNDING, atol=_ROUNDING * np.abs(array).max()):
        fail(argument, "be symmetric", "it is not", _VARIANCES)
    return (array + array.T) / 2


def _between(argument: str, value: Any, shape: tuple[int, int]) -> np.ndarray:
    """What relates the modalities, (n_A, n_B); a number relates components of the same place."""
    array = _numbers(argument, value)
    if array.ndim == 0:
        return array * np.eye(*shape)
    if array.shape != shape:
        fail(argument, f"be a number or of shape {shape}", f"its shape is {array.shape}")
    return array


def _root(argument: str, covariance: np.ndarray) -> np.ndarray:
    """The symmetric square root: unlike a triangular one it prefers no component."""
    values, directions = np.linalg.eigh(covariance)
    if values[0] < -_ROUNDING * np.abs(values).max():
        fail(
            argument,
            "make a covariance",
            f"the smallest eigenvalue of that is {values[0]:.3g}",
            "Correlations have singular values of at most 1."
            if argument == "correlation"
            else _VARIANCES,
        )
    return np.asarray((directions * np.sqrt(np.maximum(values, 0))) @ directions.T)


def _map(argument: str, value: Any, size: int) -> np.ndarray:
    """(n_out, n) of a number, a row or a matrix."""
    array = _numbers(argument, value)
    array = np.full((1, size), array) if array.ndim == 0 else np.atleast_2d(array)
    if array.ndim > 2 or array.shape[1] != size or not array.size:
        fail(
            argument,
            f"be a number, ({size},) or (n_out, {size})",
            f"its shape is {np.shape(value)}",
        )
    return array
