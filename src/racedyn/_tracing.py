"""What JAX says of functions that it can't trace, in words that name the argument and the remedy."""

import contextlib
from collections.abc import Iterator

import jax

_UNTRACEABLE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


@contextlib.contextmanager
def computed_by_jax(argument: str) -> Iterator[None]:
    """Within it what JAX can't compute with says so by name, with the usual remedy; the line at fault is in the traceback."""
    try:
        yield
    except Exception as error:
        in_place = "immutable" in str(error) or "setting an array element" in str(error)
        if not (in_place or isinstance(error, _UNTRACEABLE)):
            raise
        message = (
            f"Argument `{argument}` must be computed by JAX, but it needs values that JAX does not know before it runs. Use "
            "jax.numpy: jnp.sin for np.sin or math.sin, jnp.where for `if`, y.at[i].set(v) for y[i] = v, no float() or int()."
        )
        raise TypeError(message) from error
