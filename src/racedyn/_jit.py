"""What JAX is asked for, and what it says: registers, precision, and refusals in words of ours."""

import contextlib
from collections.abc import Callable, Iterator
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

import jax

_WIDE = {"xla_cpu_prefer_vector_width": 512}  # bits; narrower processors use what they have
_BRIEF = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}
# What a `with` sets for its own thread, and what is then compiled anew for it
_OF_A_THREAD = (
    "enable_x64",
    "default_matmul_precision",
    "default_device",
    "default_prng_impl",
    "numpy_dtype_promotion",
    "numpy_rank_promotion",
    "threefry_partitionable",
    "debug_nans",
    "debug_infs",
    "disable_jit",
)
_UNTRACEABLE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")


def wide_jit(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: `jax.jit` for arithmetic without memory traffic, with the widest registers of a
    CPU, of which XLA uses half.

    Inside another function that is jitted or differentiated, that one's compilation decides, as JAX
    lets only the outermost one choose."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        plain = jax.jit(function, **options)
        wide = jax.jit(function, compiler_options=_WIDE, **options)

        @wraps(function)
        def call(*args: Any) -> Any:
            if platform() != "cpu" or _has_tracers(args):
                return plain(*args)
            if not is_traced():
                return wide(*args)
            # Constants of a function that is traced, which would be the outermost one. Not where
            # there is none: constants of ours would then be compiled one by one.
            with jax.ensure_compile_time_eval():
                return wide(*args)

        return call

    return decorate


def brief_jit(
    jit: Any = jax.jit, **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: `jit` for what runs for not much longer than XLA compiles it with all that it has,
    and for what spends its time in products of matrices, which XLA calls and does not compile.

    Inside another function that is jitted or differentiated, that one's compilation decides."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        plain = jit(function, **options)

        @cache
        def brief() -> Callable[..., Any]:  # not before the first call: which options XLA knows
            compiled: Callable[..., Any] = jit(function, compiler_options=_known_brief(), **options)
            return compiled

        @wraps(function)
        def call(*args: Any) -> Any:
            return (plain if platform() != "cpu" or is_traced(args) else brief())(*args)

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
def _known_brief() -> dict[str, Any]:
    """Empty where XLA knows these options no more."""
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


def settings_of_this_thread() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """What makes contexts in which another thread computes as this one does now."""
    values = {name: getattr(jax.config, f"jax_{name}") for name in _OF_A_THREAD}

    @contextlib.contextmanager
    def same() -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for name, value in values.items():
                stack.enter_context(getattr(jax, name)(value))
            yield

    return same


def platform() -> str:
    """Where JAX computes: "cpu", "gpu", ..., by `jax.default_device` where that was set."""
    device: Any = jax.config.jax_default_device  # type: ignore[attr-defined]
    return jax.default_backend() if device is None else getattr(device, "platform", device)


def lanes_at_a_time(on_cpu: int, count: int | None = None) -> int:
    """How many lanes of `count`, if it is known, are computed together: `on_cpu`, what stays in a
    core's cache. On a GPU all up to 64 times as many, in multiples of `on_cpu`.

    A step of a batch takes a GPU about as long with one lane as with thousands: an instruction has
    to be launched, and there are ten thousand units that it keeps busy. 64 times the 256 lanes of
    a solver are as many, of some megabytes. Other numbers were not tried."""
    if platform() == "cpu":
        return on_cpu
    return on_cpu * (64 if count is None else max(1, min(64, -(-count // on_cpu))))


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
