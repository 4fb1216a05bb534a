"""Times, tolerances and options of a solve: what is refused before anything is compiled."""

from difflib import get_close_matches
from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import (
    as_real,
    check_finite,
    check_flags,
    check_is,
    check_not_negative,
    check_number,
    check_positive,
    check_positive_int,
    check_shape,
    fail,
)
from racedyn._types import Array, ArrayLike, Times
from racedyn.simulation.step_sizes import COARSEST_TOLERANCE, finest_tolerance

OPTIONS = (
    "rtol",
    "atol",
    "max_steps",
    "solver",
    "retry",
    "jumps",
    "crossings",
    "event",
    "save_ys",
    "stepsize_controller",
    "adjoint",
    "dt0",
)


def as_times(system: Any, ts: Times | float) -> Array:
    """Times (or tolerances) in the real dtype of the system's state."""
    return jnp.asarray(
        as_real("ts", ts), dtype=jnp.result_type(*jax.tree.leaves(jax.eval_shape(system.y0)))
    )


def check_times(system: Any, ts: Times, t0: ArrayLike) -> Array:
    """Times as an array, refused where they don't rise from t0 on; traced ones are not looked
    at.
    """
    given, example = as_real("ts", ts), "For example jnp.linspace(0, 10, 200)."
    check_shape("ts", given, (None,), "be a vector of finite times", example)
    if not isinstance(t0, jax.core.Tracer):
        t0 = check_number("t0", t0)
    if not isinstance(given, jax.core.Tracer):
        times = np.asarray(given, dtype=np.float64)
        if not np.all(np.isfinite(times)):
            fail(
                "ts",
                "be a vector of finite times",
                f"{np.sum(~np.isfinite(times))} of them are not finite",
                example,
            )
        if np.any(falls := np.diff(times) < 0):
            at = int(np.argmax(falls))
            fail("ts", "rise", f"after {times[at]:g} comes {times[at + 1]:g}", "Sort them.")
        if not isinstance(t0, jax.core.Tracer) and (times[0] < t0 or times[-1] <= t0):
            fail(
                "ts",
                f"start at t0 = {t0:g} or later and end after it",
                f"they go from {times[0]:g} to {times[-1]:g}",
            )
    return as_times(system, given)


def check_tolerances(system: Any, rtol: Any, atol: Any) -> None:
    """Refuse tolerances that mean nothing, or that the dtype of the state can't meet; traced ones
    are not looked at.
    """
    if isinstance(rtol, jax.core.Tracer) or isinstance(atol, jax.core.Tracer):
        return
    rtol, atol = (
        value.item() if isinstance(value, jax.Array) and not value.ndim else value
        for value in (rtol, atol)
    )
    check_positive("rtol", rtol)
    if atol is not None:
        check_not_negative("atol", atol)
    if rtol >= COARSEST_TOLERANCE:
        fail(
            "rtol",
            f"be below {COARSEST_TOLERANCE:g}",
            f"it is {rtol:g}, with which steps are not judged at all",
            "It is the relative accuracy asked for; 1e-8 by default.",
        )
    dtype = jnp.result_type(*jax.tree.leaves(jax.eval_shape(system.y0)))
    finest = finest_tolerance(dtype)
    if rtol < finest:
        remedy = (
            ""
            if dtype == jnp.float64
            else 'Add jax.config.update("jax_enable_x64", True) at the start.'
        )
        fail("rtol", f"be at least {finest:.1e}, which {dtype} can meet", f"it is {rtol:g}", remedy)


def checked_jumps(jumps: Any) -> np.ndarray:
    """Times at which the field jumps, (jump,), in units of tau. Raises an error by name for what is
    no such vector.
    """
    times = np.asarray(as_real("jumps", jumps), dtype=np.float64)
    if times.ndim != 1:
        fail(
            "jumps",
            "be a vector of times",
            f"its shape is {times.shape}",
            "For example [3.0, 5.0].",
        )
    check_finite("jumps", times)
    return times


def check_options(**options: Any) -> None:
    """Refuse options of a solve that are unknown, no objects of diffrax, or out of range; traced
    numbers are not looked at.
    """
    for name in options:
        if name not in OPTIONS:
            near = get_close_matches(name, OPTIONS, n=1)
            remedy = f"Did you mean {near[0]!r}?" if near else ""
            fail(
                name,
                f"be an option of a solve ({', '.join(OPTIONS)})",
                "there is none of this name",
                remedy,
                TypeError,
            )
    for name, kind, example in (
        ("solver", dfx.AbstractSolver, "diffrax.Tsit5()"),
        ("retry", dfx.AbstractSolver, "diffrax.Kvaerno5()"),
        (
            "stepsize_controller",
            dfx.AbstractStepSizeController,
            "diffrax.PIDController(1e-6, 1e-6)",
        ),
        ("adjoint", dfx.AbstractAdjoint, "diffrax.ForwardMode()"),
        ("event", dfx.Event, "diffrax.Event(lambda t, y, args, **kwargs: y[0] - 1)"),
    ):
        if options.get(name) is not None:
            check_is(
                name,
                options[name],
                kind,
                f"be an object of diffrax.{kind.__name__}",
                f"For example {example}.",
            )
    if "save_ys" in options:
        check_flags(save_ys=options["save_ys"])
    if "max_steps" in options:
        check_positive_int("max_steps", options["max_steps"])
    dt0 = options.get("dt0")
    if dt0 is not None and not isinstance(dt0, jax.core.Tracer):
        check_positive("dt0", dt0)
