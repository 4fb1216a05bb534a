"""What JAX is asked for, and what it says: registers, precision, and refusals in words of ours."""

import contextlib
from collections.abc import Callable, Iterator
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

import jax

_WIDE = {"xla_cpu_prefer_vector_width": 512}  # bits; narrower processors use what they have
_BRIEF = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}
_UNTRACEABLE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")


def wide_jit(
    jit: Any = jax.jit, **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: `jit` for arithmetic without memory traffic, with the widest registers of a CPU,
    of which XLA uses half.

    Inside another function that is jitted or differentiated, that one's compilation decides, as JAX
    lets only the outermost one choose."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        plain, wide = jit(function, **options), jit(function, compiler_options=_WIDE, **options)

        @wraps(function)
        def call(*args: Any) -> Any:
            if jax.default_backend() != "cpu" or _has_tracers(args):
                return plain(*args)
            if not is_traced():
                return wide(*args)
            # Constants of a function that is traced, which would be the outermost one. Not where
            # there is none: constants of ours would then be compiled one by one.
            with jax.ensure_compile_time_eval():
                return wide(*args)

        return call

    return decorate


def is_traced(*args: Any) -> bool:
    """Whether what is done with `args` here is traced, for a function of which they or this line
    are a part, and has no values yet.
    """
    return _has_tracers((args, jax.device_put(0)))


def _has_tracers(tree: Any) -> bool:
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))


@cache
def brief_compilation() -> dict[str, Any]:
    """Options for `jax.jit` under which XLA compiles for a CPU in two thirds of the time; for code
    that runs for not much longer. Empty where XLA knows them no more, or on another device.
    """
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda: 0, compiler_options=_BRIEF)()
    except jax.errors.JaxRuntimeError:
        return {}
    return _BRIEF


def full_precision(function: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Decorator: GPUs multiply matrices of float32 with ten bits of each number unless they are
    told not to.

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
    """What products are computed with where nothing else is said; None: whatever the device likes
    best.
    """
    return jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]


@contextlib.contextmanager
def computed_by_jax(argument: str) -> Iterator[None]:
    """Within it what JAX can't compute with says so by name, with the usual remedy; the line at
    fault is in the traceback.
    """
    try:
        yield
    except Exception as error:
        in_place = "immutable" in str(error) or "setting an array element" in str(error)
        if not (in_place or isinstance(error, _UNTRACEABLE)):
            raise
        message = (
            f"Argument `{argument}` must be computed by JAX, but it needs values that JAX does not "
            "know before it runs. Use "
            "jax.numpy: jnp.sin for np.sin or math.sin, jnp.where for `if`, y.at[i].set(v) for "
            "y[i] = v, no float() or int()."
        )
        raise TypeError(message) from error


@contextlib.contextmanager
def differentiated_by(argument: str) -> Iterator[None]:
    """Within it a derivative that the adjoint can't take says so by name, with the one that can."""
    try:
        yield
    except TypeError as error:
        if "forward-mode autodiff" not in str(error):
            raise
        message = (
            f"Argument `{argument}` must be diffrax.ForwardMode() for jvp and jacfwd, "
            "but it is one for grad and jacrev."
        )
        raise TypeError(message) from error
