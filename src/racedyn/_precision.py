"""Products in the precision of their numbers, on every device."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import jax

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")


def full_precision(function: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Decorator: GPUs multiply matrices of float32 with ten bits of each number unless they are told not to.

    What the caller chose (`jax_default_matmul_precision`) stands.
    """

    @wraps(function)
    def call(*args: _Given.args, **kwargs: _Given.kwargs) -> _Returned:
        if chosen_precision() is not None:
            return function(*args, **kwargs)
        with jax.default_matmul_precision("highest"):
            return function(*args, **kwargs)

    return call


def chosen_precision() -> str | None:
    """What products are computed with where nothing else is said; None: whatever the device likes best."""
    return jax.config.jax_default_matmul_precision  # type: ignore[attr-defined,no-any-return]
