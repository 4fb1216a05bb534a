"""Many systems of one kind as one: a stack, whose arrays have an axis of members in front."""

from collections.abc import Callable
from typing import Any, NoReturn

import equinox as eqx
import jax
import numpy as np

from racedyn._arrays import as_real
from racedyn._checks import check_mapping, check_positive_int, fail, shown
from racedyn._outside import checksum, read
from racedyn._types import PyTree
from racedyn.simulation.building import CHUNK, FIELD, Stacks, building
from racedyn.simulation.solve import arrays_at_the_door, cut, rows_of
from racedyn.systems import AbstractSystem
from racedyn.tasks import Modes
from racedyn.training import Training


class Builder:
    """Stacks of any members, by number.

    `build`: a function of one entry of `members`, or a system whose fields named in the dict
    `members` are replaced. `sample`: a chunk of members from the first to the last. `args`: what
    vector fields are given."""

    def __init__(
        self,
        build: AbstractSystem | Callable[[Any], AbstractSystem | Training],
        members: int | PyTree,
        args: Any = None,
    ):
        self.members = _as_members(members)
        self.count = len(jax.tree.leaves(self.members)[0])
        if isinstance(build, AbstractSystem):
            stack = _replacing(arrays_at_the_door(build), self.members)
            self._stacks = Stacks(stack, False, lambda: build.modes, None, {})
        elif callable(build) and not (
            isinstance(build, type) and not issubclass(build, AbstractSystem)
        ):
            self._stacks = building(build, self.members, args)
        else:
            fail(
                "build",
                "be a system, or a function of a member",
                f"it is {shown(build)}",
                error=TypeError,
            )
        self._reads = read(build)
        self.sample = self(np.linspace(0, self.count - 1, CHUNK).astype(int))
        if not jax.tree.leaves(eqx.filter(self.sample, eqx.is_array)):
            fail(
                "build",
                "return systems that have arrays or floats, in which they differ",
                "they have none",
                FIELD,
            )

    def __call__(self, numbers: np.ndarray) -> Any:
        """The stack of these members, of which there are whole chunks."""
        if not self._stacks.on_host:
            return self._stacks.stack(jax.tree.map(lambda leaf: leaf[numbers], self.members))
        once, back = np.unique(numbers, return_inverse=True)  # but for what fills up a chunk
        stack = self._stacks.stack(jax.tree.map(lambda leaf: leaf[once], self.members))
        return jax.tree.map(lambda leaf: leaf[back] if eqx.is_array(leaf) else leaf, stack)

    @property
    def noted(self) -> dict[Any, Any]:
        """What was found out of these members, for others of the same function and program."""
        return self._stacks.noted

    def apart(self, stack: Any) -> tuple[Any, Any]:
        """A stack without the arrays that no member can have another of, and these, without the
        axis of members."""
        of_all = self._stacks.shared
        if of_all is None or all(jax.tree.leaves(of_all)):  # some array has to have the axis
            return stack, jax.tree.map(lambda leaf: None, stack)
        arrays, static = eqx.partition(stack, eqx.is_array)
        own = jax.tree.map(lambda leaf, all_: None if all_ else leaf, arrays, of_all)
        shared = jax.tree.map(lambda leaf, all_: leaf[0] if all_ else None, arrays, of_all)
        return eqx.combine(own, static), shared

    @property
    def modes(self) -> Modes | None:
        """Those in which all members' strengths are read, as far as members were built."""
        return self._stacks.modes()

    def refuse_late(self, what: str) -> NoReturn:
        """Members that differ in what those of the sample have in common."""
        fail(
            "build",
            f"return members whose {what} are known to differ from a few of them",
            f"some have other {what} than {CHUNK} members that were tried",
            "Put one of another kind first or last; or run them as an ensemble of their own.",
        )

    def first(self) -> Any:
        """The first member."""
        return cut(rows_of, self.sample, 0)

    def fingerprint(self) -> str:
        """What tells this ensemble from others: a checksum of all that was given for members, of
        the sample's systems, and of the code and the values that their functions, and the one that
        builds them, read."""
        reads = repr(self._reads)
        return checksum((self.members, eqx.filter(self.sample, eqx.is_array), reads))


def _replacing(system: Any, members: PyTree) -> Callable[[PyTree], Any]:
    """Stacks of `system` with other values of its fields."""
    if not isinstance(members, dict):
        fail(
            "members",
            "be a dict of fields beside a system",
            f"it is {type(members).__name__}",
            "For example {'p': p} with p of (member, path, mode); or pass a function of a member.",
            TypeError,
        )
    for name, values in members.items():
        field: Any = getattr(system, name, None)
        if not eqx.is_array(field):
            known = [key for key, value in vars(system).items() if eqx.is_array(value)]
            fail(
                "members",
                f"name fields of the system that are arrays ({', '.join(known)})",
                f"{name!r} is none",
                "Else pass a function of a member, as lambda i: rd.reduce(network, task, "
                "weights_of(i)).",
            )
        if np.shape(values)[1:] != field.shape:
            fail(
                f"members[{name!r}]",
                f"have the shape {('member', *field.shape)}",
                f"it has {np.shape(values)}",
            )

    def stack(members: dict[str, Any]) -> Any:
        count = len(next(iter(members.values())))
        whole = jax.tree.map(
            lambda leaf: (
                np.broadcast_to(leaf, (count, *leaf.shape)) if eqx.is_array(leaf) else leaf
            ),
            system,
        )
        new = [
            np.asarray(as_real(f"members[{name!r}]", values), getattr(system, name).dtype)
            for name, values in members.items()
        ]
        return eqx.tree_at(lambda s: [getattr(s, name) for name in members], whole, new)

    return stack


def _as_members(members: int | PyTree) -> PyTree:
    if isinstance(members, int | np.integer) and not isinstance(members, bool):
        return np.arange(check_positive_int("members", members))
    if isinstance(members, list) and all(
        isinstance(item, int | float | np.generic) for item in members
    ):
        members = np.array(members)
    if isinstance(members, dict):
        check_mapping(
            "members", members, "be a dict name -> array with an axis of members in front"
        )
    members = jax.tree.map(
        lambda leaf: leaf if isinstance(leaf, jax.Array) else np.asarray(as_real("members", leaf)),
        members,
    )
    leaves = [np.shape(leaf) for leaf in jax.tree.leaves(members)]
    if (
        not leaves
        or any(not shape for shape in leaves)
        or len({shape[0] for shape in leaves}) != 1
        or not leaves[0][0]
    ):
        fail(
            "members",
            "be a number, or arrays whose first axis is that of members, all as long",
            f"their shapes are {leaves}",
            "For example {'p': p} with p of (member, path, mode).",
        )
    return members
