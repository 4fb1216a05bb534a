"""Times at which a quantity changes its sign, recorded in the run that passes them, which goes
on.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp

from racedyn._arrays import as_real
from racedyn._checks import as_float, check_callable, check_positive, fail
from racedyn._jit import computed_by_jax
from racedyn._types import Array, PyTree

Quantity: TypeAlias = Callable[
    [Any, Array, PyTree], Any
]  # of a system (of a lane), a time and a state
Asked: TypeAlias = Mapping[str, float | Quantity]
Crossings: TypeAlias = tuple[tuple[str, Quantity], ...]

HALVINGS = 64  # of the step in which the sign changes: more than a double can tell
STEPS = 64  # into which that step may have to be taken apart when it is taken again

_EXAMPLE = "For example lambda system, t, y: y[0] - 1."


def none_if_empty(asked: Any) -> Any:
    """No crossings are none; what is no dict stays, for `check_crossings` to refuse."""
    return None if isinstance(asked, Mapping) and not asked else asked


def check_crossings(system: Any, asked: Mapping[str, Any]) -> Crossings:
    """Names with functions of (system, t, y); a number is the fraction of what there is to
    learn.
    """
    if not isinstance(asked, Mapping):
        fail(
            "crossings",
            "be a dict name -> function or number",
            f"it is {type(asked).__name__}",
            'For example {"half": 0.5}.',
            TypeError,
        )
    checked = []
    for name, quantity in asked.items():
        if not isinstance(name, str) or not name.isidentifier():
            fail("crossings", "have names made of letters, digits and _", f"one is {name!r}")
        given = f"crossings[{name!r}]"
        if not callable(quantity):
            fraction = as_float(
                given, "be a function of (system, t, y), or a number", quantity, _EXAMPLE
            )
            if not hasattr(system, "learned"):
                fail(
                    given,
                    "be a function of (system, t, y) for a system that does not say what there is "
                    "to learn",
                    f"it is {quantity!r}",
                    "systems.Pathways says it.",
                )
            quantity = _Fraction(
                check_positive(given, fraction, "It is a share of what there is to learn.")
            )
        else:
            check_callable(given, quantity, "be a function of (system, t, y)", "system", "t", "y")
        checked.append((name, quantity))
    return tuple(checked)


class _Fraction(eqx.Module):
    """Whether a fraction of what there is to learn is learned."""

    level: float = eqx.field(static=True)

    def __call__(self, system: Any, t: Array, y: PyTree) -> Array:
        return system.learned(y) - self.level


def _values(system: Any, crossings: Crossings, t: Array, y: PyTree) -> list[Array]:
    # A system whose state is taken apart says what it is a part of.
    whole, state = (
        (system.system, system.together(y)) if hasattr(system, "together") else (system, y)
    )
    found = []
    for name, quantity in crossings:
        with computed_by_jax(f"crossings[{name!r}]"):
            value = jnp.asarray(as_real(f"crossings[{name!r}]", quantity(whole, t, state)))
        if not jnp.issubdtype(value.dtype, jnp.floating):
            fail(
                f"crossings[{name!r}]",
                "give a number that changes its sign",
                f"it gives {value.dtype}",
                "For example y[0] - 0.5 for y[0] > 0.5.",
            )
        if value.ndim:
            fail(
                f"crossings[{name!r}]",
                "give one number",
                f"its shape is {value.shape}",
                "Of a laned system it is asked lane by lane.",
            )
        found.append(value)
    return found


class Recorder(dfx.AbstractAdaptiveStepSizeController[Any, Any]):
    """A controller that leaves everything to another, and keeps the first step over which each
    quantity changes its sign.
    """

    rtol: Any
    atol: Any
    norm: Callable[[PyTree], Any] = eqx.field(static=True)
    judge: Any
    system: Any
    crossings: Crossings = eqx.field(static=True)

    def __init__(self, judge: Any, system: Any, crossings: Crossings, rtol: Any):
        """`rtol`: what stands for tolerances beside a judge that has none, as one of constant
        steps.
        """
        self.rtol, self.atol = getattr(judge, "rtol", rtol), getattr(judge, "atol", rtol)
        self.norm = getattr(judge, "norm", jnp.abs)
        self.judge, self.system, self.crossings = judge, system, crossings

    def wrap(self, direction: Any) -> "Recorder":
        return Recorder(self.judge.wrap(direction), self.system, self.crossings, self.rtol)

    def init(
        self,
        terms: Any,
        t0: Any,
        t1: Any,
        y0: PyTree,
        dt0: Any,
        args: Any,
        func: Any,
        error_order: Any,
    ) -> tuple[Any, Any]:
        first, state = self.judge.init(terms, t0, t1, y0, dt0, args, func, error_order)
        nothing = (jnp.asarray(0), t0, t0, y0)
        return first, (state, [nothing for _ in self.crossings])

    def adapt_step_size(
        self,
        t0: Any,
        t1: Any,
        y0: PyTree,
        y1_candidate: PyTree,
        args: Any,
        y_error: Any,
        error_order: Any,
        state: Any,
    ) -> Any:
        inner, kept_so_far = state
        kept, next_t0, next_t1, jumped, inner, result = self.judge.adapt_step_size(
            t0, t1, y0, y1_candidate, args, y_error, error_order, inner
        )
        before = _values(self.system, self.crossings, t0, y0)
        after = _values(self.system, self.crossings, t1, y1_candidate)
        found = []
        for was, now, (count, *first) in zip(before, after, kept_so_far, strict=True):
            changed = kept & (((was < 0) & (now >= 0)) | ((was > 0) & (now <= 0)))
            is_first = changed & (count == 0)
            step = jax.tree.map(
                lambda new, old, at=is_first: jnp.where(at, new, old), (t0, t1, y0), tuple(first)
            )
            found.append((count + changed.astype(count.dtype), *step))
        return kept, next_t0, next_t1, jumped, (inner, found), result


def first_crossings(
    system: Any, crossings: Crossings, state: Any, args: Any, solver: dfx.AbstractSolver, judge: Any
) -> dict[str, Array]:
    """Times and numbers of the crossings that a `Recorder` has seen: the step is taken again, and
    halved along its own interpolation."""
    found: dict[str, Array] = {}
    for number, (name, _) in enumerate(crossings):
        count, t0, t1, y0 = jax.lax.stop_gradient(state[1][number])
        crossed = count > 0
        stop = jnp.where(crossed, t1, t0 + 1)  # some step has to be taken
        solution = dfx.diffeqsolve(
            dfx.ODETerm(system.vector_field),
            solver,
            t0,
            stop,
            stop - t0,
            y0,
            args,
            max_steps=STEPS,
            throw=False,
            saveat=dfx.SaveAt(dense=True),
            stepsize_controller=judge,
            adjoint=dfx.ForwardMode(),
        )
        time = _change_of_sign(partial(_along, solution, system, crossings, number), t0, stop)
        done = crossed & (solution.result == dfx.RESULTS.successful)
        found[f"crossing_{name}"] = _no_derivative(
            jnp.where(done, time, jnp.nan), eqx.filter(system, eqx.is_inexact_array)
        )
        found[f"num_crossings_{name}"] = count
    return found


def _along(
    solution: dfx.Solution, system: Any, crossings: Crossings, number: int, t: Array
) -> Array:
    return _values(system, crossings, t, solution.evaluate(t))[number]


def _change_of_sign(quantity: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Where a quantity leaves the sign that it has at `low`, before `high`."""
    sign = jnp.sign(quantity(low))

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = low + (high - low) / 2
        same = jnp.sign(quantity(middle)) == sign
        return jnp.where(same, middle, low), jnp.where(same, high, middle)

    return jax.lax.fori_loop(0, HALVINGS, halve, (low, high))[1]


@jax.custom_jvp
def _no_derivative(time: Array, of: PyTree) -> Array:
    return time


@_no_derivative.defjvp
def _refuse(primals: Any, tangents: Any) -> Any:
    raise ValueError(
        "Argument `crossings` must be left out where derivatives are taken, but it is given: times "
        "of crossings "
        "have none here."
    )
