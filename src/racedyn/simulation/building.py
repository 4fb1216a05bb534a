"""Stacks of the systems that a function of the user's returns: traced by JAX, or called for one
member after the other.
"""

import dataclasses
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.extend.core
import numpy as np

from racedyn._checks import check_callable, fail, shown
from racedyn._jit import brief_jit, computed_by_jax
from racedyn._outside import read, read_value
from racedyn._types import PyTree
from racedyn.simulation.solve import arrays_at_the_door
from racedyn.systems import AbstractSystem, with_own_arrays
from racedyn.tasks import Modes
from racedyn.training import Training

# Members are built so many at a time whatever is asked for, because the size of a batch changes the
# last bits of a result.
CHUNK = 64
DIFFERENCES = "return systems that differ in arrays or floats only"
FIELD = (
    "Make what differs a field of an AbstractSystem, a float or an array; or, with from_function, "
    "let JAX trace `build`: "
    "no float(), int() or `if` of a member."
)


class Known(NamedTuple):
    """What is known of a function and the program that JAX traces of it: `compiled`, which makes
    arrays of members; `noted`, whatever else others found out of it."""

    compiled: Callable[[PyTree], Any]
    noted: dict[Any, Any]


class Stacks(NamedTuple):
    """What makes stacks of members: `stack` of some of them; `on_host`: whether it builds them one
    by one, as JAX can't trace the function; `modes`: those of all systems built so far, None where
    they have none, or several; `shared`: of each array whether no member can have another, as the
    function makes it of none; `noted`: what others found out of all this."""

    stack: Callable[[PyTree], Any]
    on_host: bool
    modes: Callable[[], Modes | None]
    shared: PyTree
    noted: dict[Any, Any]


def building(
    build: Callable[[Any], AbstractSystem | Training], members: PyTree, args: Any
) -> Stacks:
    """What makes stacks of the systems that a function returns."""

    def one(member: Any) -> Any:
        built = build(member)
        if not isinstance(built, AbstractSystem | Training):
            fail(
                "build",
                "return a system or a Training",
                f"it returns {type(built).__name__}",
                "See racedyn.AbstractSystem and racedyn.Training.",
                TypeError,
            )
        return arrays_at_the_door(built)

    def on_host(members: PyTree, i: int) -> _Built:
        member = jax.tree.map(lambda leaf: leaf[i], members)
        try:
            built = _Built(system := one(member), read(system))
            seen.add(getattr(system, "modes", None))
            return built
        except Exception as error:
            error.add_note(f"(building the member {shown(member)})")
            raise

    def arrays(members: PyTree) -> list[Any]:
        def own(member: Any) -> list[Any]:
            return jax.tree.leaves(eqx.filter(with_own_arrays(one(member), args), eqx.is_array))

        return jax.lax.map(own, members, batch_size=CHUNK)

    seen: set[Modes | None] = set()
    check_callable("build", build, "be a function of one member", "member")
    first = jax.tree.map(lambda leaf: leaf[0], members)

    def of_member(member: Any) -> Any:
        return with_own_arrays(one(member), args)

    trace = None
    try:
        trace = _traced(of_member, first)
    except Exception:
        # What JAX can't trace says so in many ways: in JAX's, by refusing a member that is no whole
        # number, by `if`. It is such a function if it can be called with a member as it is; else
        # that raises what is wrong with it. But where JAX can trace it, it is what its systems
        # compute that is at fault.
        if _is_traceable(one, first):
            with computed_by_jax("build"):
                trace = _traced(of_member, first)
    if trace is None:
        like = on_host(members, 0)
        _check_repeats(*(eqx.filter(system, eqx.is_array) for system in (like.system, one(first))))

        def stacked(members: PyTree) -> Any:
            count = len(jax.tree.leaves(members)[0])
            return _stacked(like, [on_host(members, i) for i in range(count)])

        return Stacks(stacked, True, lambda: next(iter(seen)) if len(seen) == 1 else None, None, {})
    known = _KNOWN.of(build, trace)
    if known is None:
        _check_repeats(*(each.in_any_process() for each in (trace, _traced(of_member, first))))
        known = _KNOWN.put(build, trace, brief_jit()(arrays))

    # Only the leaves are those of another trace: its classes and functions may be others, defined
    # anew in each.
    def whole(members: PyTree) -> Any:
        leaves = jax.tree.unflatten(jax.tree.structure(trace.kind), known.compiled(members))
        return eqx.combine(leaves, trace.static)

    modes = getattr(eqx.combine(trace.kind, trace.static), "modes", None)  # traced: those of all
    return Stacks(whole, False, lambda: modes, trace.shared, known.noted)


class _Trace(NamedTuple):
    """What JAX traces of a function: shapes of the arrays that it returns, which of them it makes
    of no member, and all else that it returns; constants of its program, and the text of that."""

    kind: Any
    shared: Any
    static: Any
    consts: list[Any]
    text: str

    def in_any_process(self) -> tuple[list[Any], str]:
        """Its program without addresses."""
        return self.consts, re.sub(r"0x[0-9a-f]+", "", self.text)


def _traced(function: Callable[[Any], Any], member: Any) -> _Trace:
    traced, kind, static = eqx.filter_make_jaxpr(function)(member)
    of_member = set(traced.jaxpr.invars)
    for equation in traced.jaxpr.eqns:
        if any(
            isinstance(given, jax.extend.core.Var) and given in of_member
            for given in equation.invars
        ):
            of_member.update(equation.outvars)
    shared = [
        not isinstance(out, jax.extend.core.Var) or out not in of_member
        for out in traced.jaxpr.outvars
    ]
    structure = jax.tree.structure(kind)
    return _Trace(
        kind, jax.tree.unflatten(structure, shared), static, list(traced.consts), str(traced.jaxpr)
    )


def _is_traceable(function: Callable[[Any], Any], member: Any) -> bool:
    try:
        eqx.filter_eval_shape(function, member)
    except Exception:
        return False
    return True


class _KnownPrograms:
    """What is known of functions of the user's, of the last few calls: the same function that JAX
    traces to the same program need not be compiled anew."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, Any, Known]] = {}

    def of(self, build: Any, trace: _Trace) -> Known | None:
        """What is known of this function and program."""
        _, program, known = self._known.get(id(build), (None, None, None))
        return known if program == read_value((trace.consts, trace.text)) else None

    def put(self, build: Any, trace: _Trace, compiled: Callable[[PyTree], Any]) -> Known:
        """From now on that is known."""
        self._known.pop(id(build), None)
        known = Known(compiled, {})
        # Its id is its own as long as it is held here.
        self._known[id(build)] = build, read_value((trace.consts, trace.text)), known
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return known


MOST_KNOWN = 8
_KNOWN = _KnownPrograms()


def _check_repeats(one: Any, other: Any) -> None:
    """Refuse what is drawn anew: where JAX traces `build` there would be one draw for all, and no
    run could be gone on with.
    """
    if read_value(one) != read_value(other):
        fail(
            "build",
            "return the same each time it is called with the same member",
            "it returns something else",
            "Draw by the member: with jax.random.fold_in(key, member), or "
            "np.random.default_rng(int(member)).",
        )


def _stacked(like: "_Built", systems: "list[_Built]") -> Any:
    """Systems built one by one: their arrays. In all else each has to be as `like`, the first
    member, whose rest stands for that of all."""
    arrays, rest = eqx.partition(like.system, eqx.is_array)
    for built in systems:
        own, others = eqx.partition(built.system, eqx.is_array)
        if not _same_kind(arrays, own):
            fail(
                "build",
                "return systems of one kind and size",
                f"{built.system!r} is of another than "
                f"{like.system!r}{_differing(like.system, built.system)}",
                "Run one ensemble for each.",
            )
        for one, other in zip(jax.tree.leaves(rest), jax.tree.leaves(others), strict=True):
            if not callable(other) and read_value(one) != read_value(other):
                fail(
                    "build",
                    DIFFERENCES,
                    f"one has {shown(other)} where the first has {shown(one)}",
                    FIELD,
                )
        if built.reads != like.reads:
            names = [
                getattr(leaf, "__qualname__", "")
                for leaf in jax.tree.leaves(others)
                if callable(leaf)
            ]
            what = next(filter(None, names), type(built.system).__name__)
            fail(
                "build",
                DIFFERENCES,
                f"what {what} reads is another value, or other code, in each",
                FIELD,
            )
    stack = [eqx.filter(built.system, eqx.is_array) for built in systems]
    return eqx.combine(jax.tree.map(lambda *leaves: np.stack(leaves), *stack), rest)


class _Built(NamedTuple):
    """A system, and what its functions read when it had just been built."""

    system: Any
    reads: list[Any]


def _same_kind(one: Any, other: Any) -> bool:
    def kind(arrays: Any) -> tuple[Any, list[tuple[int, ...]]]:
        return jax.tree.structure(arrays), [leaf.shape for leaf in jax.tree.leaves(arrays)]

    return kind(one) == kind(other)


def _differing(one: Any, other: Any) -> str:
    """The fields by which two systems are of two kinds, in words; none where their classes are
    two.
    """
    if type(one) is not type(other):
        return ""
    values = {
        field.name: (getattr(one, field.name), getattr(other, field.name))
        for field in dataclasses.fields(one)
    }
    names = [
        name
        for name, pair in values.items()
        if not _same_kind(*(eqx.filter((part,), eqx.is_array) for part in pair))
    ]
    static = {field.name for field in dataclasses.fields(one) if field.metadata.get("static")}
    names += [name for name, (own, its) in values.items() if name in static and own != its]
    return f" in {', '.join(map(repr, names))}" if names else ""
