"""`jit` for arithmetic without memory traffic: with the widest registers of a CPU, of which XLA uses half by default."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax

_OPTIONS = {"xla_cpu_prefer_vector_width": 512}  # bits; narrower processors use what they have


def wide_jit(jit: Any = jax.jit, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: `jit` with these options. Inside another function that is jitted or differentiated, that one's compilation
    decides, as JAX lets only the outermost one choose."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        plain, wide = jit(function, **options), jit(function, compiler_options=_OPTIONS, **options)

        @wraps(function)
        def call(*args: Any) -> Any:
            if jax.default_backend() != "cpu" or any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(args)):
                return plain(*args)
            with jax.ensure_compile_time_eval():  # or the function that we are in, if any, would be the outermost
                return wide(*args)

        return call

    return decorate
