"""Tasks from arrays, and from given singular values."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from racedyn._checks import as_key, as_list, check_names, check_positive, check_positive_int, fail
from racedyn.tasks.task import Task

INPUT, OUTPUT = "input", "output"


def from_arrays(
    X: Any,
    Y: Any,
    *,
    name: str = "data",
    item_names: Sequence[str] | None = None,
    feature_names: Sequence[str] | None = None,
) -> Task:
    """A task with one input and one output node from data.

    `X` (n_in, P) and `Y` (n_out, P), one example per column. Its modes are a canonical choice that
    depends on the data alone. Raises `ValueError` where shapes don't meet or a value is not finite.

        >>> task = rd.tasks.from_arrays(X=np.eye(2), Y=[[4.0, 0.0], [0.0, 2.0]])
        >>> print(task)
        data: 2 examples, input 2, output 2
        >>> task.modes.S.tolist()
        [2.0, 1.0]
    """
    return Task(
        inputs={INPUT: X},
        targets={OUTPUT: Y},
        name=name,
        item_names=None if item_names is None else check_names("item_names", item_names),
        feature_names=None
        if feature_names is None
        else check_names("feature_names", feature_names),
    )


def random(singular_values: Sequence[float], items: int, features: int, *, key: Any) -> Task:
    """One-hot items and targets with the given singular values of Sigma_yx and random modes.

    `singular_values` S (R,); `items` P and `features` n_out, both at least R; `key` a whole number
    or a jax.random.key. Inputs I_P, targets P U S V^T (n_out, P), with U and V drawn uniformly from
    the matrices with R orthonormal columns: they are the modes as they are, in the order of falling
    S. Raises `ValueError` where S is empty or not positive, or there are fewer items or features
    than values; `TypeError` for any other key.

        >>> task = rd.tasks.random(singular_values=(2.0, 1.0), items=4, features=3, key=0)
        >>> task.Y.shape, task.modes.S.round(3).tolist()
        ((3, 4), [2.0, 1.0])
    """
    given = as_list(
        "singular_values",
        singular_values,
        "be a list of positive numbers",
        "For example (2.0, 1.0).",
    )
    S = np.array([check_positive(f"singular_values[{i}]", value) for i, value in enumerate(given)])
    items, features = check_positive_int("items", items), check_positive_int("features", features)
    if not 1 <= len(S) <= min(items, features):
        fail(
            "singular_values",
            f"have 1 to {min(items, features)} entries, as {items} items and {features} features "
            "allow",
            f"it has {len(S)}",
        )
    generator = generator_of(key, "tasks.random(..., key=0)")
    U, V = (random_frame(generator, rows, len(S)) for rows in (features, items))
    return Task(
        inputs={INPUT: np.eye(items)},
        targets={OUTPUT: items * (U * S) @ V.T},
        name=f"random, rank {len(S)}",
        bases={(INPUT, OUTPUT): (U, V)},
    )


def generator_of(key: Any, example: str) -> np.random.Generator:
    """NumPy's draws in float64, of a whole number or a jax.random.key; `example` shows how to pass
    one.
    """
    return np.random.default_rng(np.asarray(jax.random.key_data(as_key(key, example))))


def random_frame(generator: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Uniformly random orthonormal columns: QR of a Gaussian matrix with the sign of R's diagonal
    taken out.
    """
    q, r = np.linalg.qr(generator.standard_normal((rows, columns)))
    return np.asarray(q * np.sign(np.diagonal(r)))
