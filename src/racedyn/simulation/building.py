"""Stacks of the systems that a function of the user's returns: traced by JAX, or called for one
member after the other.
"""

import dataclasses
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from racedyn._checks import check_callable, fail, shown
from racedyn._jit import brief_jit, computed_by_jax
from racedyn._outside import read, read_value
from racedyn._types import PyTree
from racedyn.simulation.solve import arrays_at_the_door
from racedyn.systems import AbstractSystem, with_own_arrays
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


def building(
    build: Callable[[Any], AbstractSystem | Training], members: PyTree, args: Any
) -> tuple[Callable[[PyTree], Any], bool]:
    """What makes stacks of the systems that a function returns, and whether it builds them one by
    one on the host, as JAX can't trace the function."""

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
            return _Built(system := one(member), read(system))
        except Exception as error:
            error.add_note(f"(building the member {shown(member)})")
            raise

    def arrays(members: PyTree) -> list[Any]:
        def own(member: Any) -> list[Any]:
            return jax.tree.leaves(eqx.filter(with_own_arrays(one(member), args), eqx.is_array))

        return jax.lax.map(own, members, batch_size=CHUNK)

    check_callable("build", build, "be a function of one member", "member")
    first = jax.tree.map(lambda leaf: leaf[0], members)
    traceable = True
    try:
        eqx.filter_eval_shape(one, first)
    except Exception:
        # What JAX can't trace says so in many ways: in JAX's, by refusing a member that is no whole
        # number, by `if`. It is such a function if it can be called with a member as it is; else
        # that raises what is wrong with it.
        traceable = False
    if not traceable:
        like = on_host(members, 0)
        _check_repeats(*(eqx.filter(system, eqx.is_array) for system in (like.system, one(first))))

        def stacked(members: PyTree) -> Any:
            count = len(jax.tree.leaves(members)[0])
            return _stacked(like, [on_host(members, i) for i in range(count)])

        return stacked, True
    with computed_by_jax("build"):
        shape = eqx.filter_eval_shape(lambda member: with_own_arrays(one(member), args), first)
        program, again = (
            _program(lambda member: with_own_arrays(one(member), args), first) for _ in range(2)
        )
        _check_repeats(
            *((consts, re.sub(r"0x[0-9a-f]+", "", text)) for consts, text in (program, again))
        )
    kind, static = eqx.partition(shape, lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct))
    traced = _COMPILED.of(build, program, brief_jit()(arrays))
    # Only the leaves are those of another trace: its classes and functions may be others, defined
    # anew in each.
    return (
        lambda members: eqx.combine(
            jax.tree.unflatten(jax.tree.structure(kind), traced(members)), static
        ),
        False,
    )


def _program(function: Callable[[Any], Any], member: Any) -> tuple[list[Any], str]:
    """What JAX traces of a function: its constants, and its text."""
    traced = jax.make_jaxpr(lambda member: eqx.filter(function(member), eqx.is_array))(member)
    return list(traced.consts), str(traced.jaxpr)


class _Compiled:
    """What was compiled for functions of the user's, of the last few calls: the same function that
    JAX traces to the same program need not be compiled anew."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, Any, Callable[[PyTree], Any]]] = {}

    def of(
        self, build: Any, program: tuple[list[Any], str], compiled: Callable[[PyTree], Any]
    ) -> Callable[[PyTree], Any]:
        """What is known of this function and program, or `compiled`, which is then known."""
        held = read_value(program)
        _, was, known = self._known.pop(id(build), (None, None, compiled))
        found = known if was == held else compiled
        self._known[id(build)] = build, held, found  # its id is its own as long as it is held here
        if len(self._known) > MOST_COMPILED:
            del self._known[next(iter(self._known))]
        return found


MOST_COMPILED = 8
_COMPILED = _Compiled()


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
