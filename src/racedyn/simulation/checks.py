"""The system, tolerances and options of a solve: what is refused before anything is compiled."""

from collections.abc import Mapping
from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_real, check_finite
from racedyn._checks import (
    check_is,
    check_names,
    check_not_negative,
    check_positive,
    check_positive_int,
    fail,
    shown,
)
from racedyn._jit import computed_by_jax
from racedyn._names import check_held, check_observed, check_tree
from racedyn._types import MEMBER, TIME, Array, Times
from racedyn.simulation.step_sizes import COARSEST_TOLERANCE, finest_tolerance
from racedyn.systems import observable_shapes
from racedyn.trajectory import Observable, Probe, remedy_for


def as_times(system: Any, ts: Times | float) -> Array:
    """Times (or tolerances) in the real dtype of the system's state."""
    return jnp.asarray(
        as_real("ts", ts), dtype=jnp.result_type(*jax.tree.leaves(jax.eval_shape(system.y0)))
    )


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


def check_solver(
    *,
    max_steps: Any,
    solver: Any,
    retry: Any = None,
    stepsize_controller: Any = None,
    event: Any = None,
    adjoint: Any = None,
    dt0: Any = None,
) -> None:
    """Refuse what a solver is told if it is no object of diffrax, or out of range; traced numbers
    are not looked at.
    """
    for name, value, kind, example in (
        ("solver", solver, dfx.AbstractSolver, "diffrax.Tsit5()"),
        ("retry", retry, dfx.AbstractSolver, "diffrax.Kvaerno5()"),
        (
            "stepsize_controller",
            stepsize_controller,
            dfx.AbstractStepSizeController,
            "diffrax.PIDController(1e-6, 1e-6)",
        ),
        ("adjoint", adjoint, dfx.AbstractAdjoint, "diffrax.ForwardMode()"),
        (
            "event",
            event,
            dfx.Event,
            "diffrax.Event(lambda t, y, args, **kwargs: y[0] - 1, optimistix.Newton(1e-8, 1e-8))",
        ),
    ):
        if value is not None:
            must = f"be an object of diffrax.{kind.__name__}"
            check_is(name, value, kind, must, f"For example {example}.")
    check_positive_int("max_steps", max_steps)
    if dt0 is not None and not isinstance(dt0, jax.core.Tracer):
        check_positive("dt0", dt0)


def steps_of(system: Any) -> list[Array]:
    """The steps of a system, or of the pieces of one, that goes by steps."""
    steps = [piece.step() for piece in (system.pieces() or ([system],))[0]]
    return [step for step in steps if step is not None]


def check_by_steps(system: Any, **given: Any) -> None:
    """Refuse what is for a solver beside a system that goes by steps; None was not given."""
    told = [name for name, value in given.items() if value is not None]
    if told and steps_of(system):
        fail(
            told[0],
            "be left out beside a system that goes by steps, in which nothing is chosen",
            f"it is {shown(given[told[0]])}",
            "Its flow takes it: descent.system.",
        )


def check_field(system: Any, args: Any) -> None:
    """Refuse a state that is not real, and a vector field whose shapes are not the state's."""
    y0 = jax.eval_shape(system.y0)
    if not jax.tree.leaves(y0) or not all(
        jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(y0)
    ):
        fail(
            "system", "have a state y0() of real numbers", f"it is {y0}", "For example jnp.ones(3)."
        )
    time = jax.ShapeDtypeStruct((), jnp.result_type(*jax.tree.leaves(y0)))
    with computed_by_jax("system"):
        dy = jax.eval_shape(system.vector_field, time, y0, args)
        # Names and axes that no file holds are refused here rather than by `save`, when the work is
        # done.
        observed = jax.eval_shape(system.observe, time, y0)
    if not isinstance(observed, Mapping) or not all(
        isinstance(leaf, jax.ShapeDtypeStruct) for leaf in observed.values()
    ):
        fail(
            "system",
            "have an observe() that returns a dict name -> array",
            f"it returns {type(observed).__name__}",
            'For example {"y": y}.',
            TypeError,
        )
    shapes = [jax.tree.map(lambda leaf: leaf.shape, tree) for tree in (y0, dy)]
    if shapes[0] != shapes[1]:
        fail(
            "system",
            f"have a vector field of the state's shape, {shapes[0]}",
            f"its shape is {shapes[1]}",
            "Its arguments are (t, y, args), in this order; of several numbers it returns "
            "jnp.stack([...]).",
        )
    named = system.dims()
    axes = {
        name: named.get(name, tuple(f"{name}_{i}" for i in range(leaf.ndim)))
        for name, leaf in observed.items()
    }
    for name, own in axes.items():
        for axis in {TIME, MEMBER}.intersection(own):
            fail(
                f"dims()[{name!r}]",
                "name the system's own axes",
                f"{axis!r} is that of the run",
                "Leave it out.",
            )
        check_held(f"observe()[{name!r}]", observed[name].dtype)
    sizes, _ = check_observed(
        {name: leaf.shape for name, leaf in observed.items()}, axes, system.labels()
    )
    check_tree("y0()", y0, {TIME, *sizes})


def check_observe(
    system: Any, observe: Any, others: tuple[str, ...] = ()
) -> tuple[str, ...] | None:
    """The observables asked for; None for all. Refuses by name what neither the
    system observes nor stands in `others`, and says where it can be had.
    """
    if observe is None:
        return None
    entries = observe if isinstance(observe, list | tuple) else [observe]
    if any(isinstance(entry, Observable | Probe) for entry in entries):
        fail(
            "observe",
            "be a list of names in theory",
            f"it is {shown(observe)}",
            "Probes and functions of weights are for `train`; a system of yours observes its own.",
        )
    names = (observe,) if isinstance(observe, str) else check_names("observe", observe)
    known = list(observable_shapes(system))
    for name in names:
        if name not in known and name not in others:
            must = f"hold what the system observes ({', '.join(known)})"
            fail("observe", must, f"it is {name!r}", remedy_for(name, known))
    return names
