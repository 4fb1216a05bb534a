"""Stacks of members, whose arrays have an axis of members in front, on all devices: what JAX
compiles for a block of them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from racedyn._checks import as_list, fail, shown
from racedyn._jit import platform
from racedyn._types import MEMBER, Array, PyTree
from racedyn.simulation.apart import Apart
from racedyn.simulation.lane import Settings, Solved, integrate_one
from racedyn.systems import observe_named

LARGEST_APART = 32  # numbers of a state


def mesh_of(devices: Sequence[Any] | None) -> Mesh:
    """These devices, or all, in a row. Raises `ValueError` or `TypeError` for what is no list of
    devices.
    """
    used = (
        jax.devices()
        if devices is None
        else as_list("devices", devices, "be a list of devices", "jax.devices()")
    )
    if not used or not all(isinstance(device, jax.Device) for device in used):
        fail(
            "devices",
            "be a list of JAX's devices",
            f"it is {shown(devices)}",
            "For example jax.devices()[:2].",
        )
    return Mesh(np.array(used), (MEMBER,))


def for_solver(mesh: Mesh, settings: Settings) -> Mesh:
    """The devices that may solve at once: linear solves inside `shard_map` are refused by their
    library.
    """
    implicit = isinstance(settings.solver, dfx.AbstractImplicitSolver)
    return Mesh(mesh.devices[:1], (MEMBER,)) if implicit else mesh


def spread(tree: PyTree, mesh: Mesh) -> PyTree:
    """Its arrays, whose first axis is shared out among the devices."""
    place = NamedSharding(mesh, PartitionSpec(MEMBER))
    return jax.tree.map(
        lambda leaf: jax.device_put(leaf, place) if eqx.is_array(leaf) else leaf, tree
    )


def on_host(stack: Any) -> Any:
    """The same in NumPy's arrays, without a copy where the device is a CPU."""
    return jax.tree.map(lambda leaf: np.asarray(leaf) if eqx.is_array(leaf) else leaf, stack)


def length(stack: Any) -> int:
    """How many members, or lanes, it has."""
    return len(jax.tree.leaves(eqx.filter(stack, eqx.is_array))[0])


def parts(tree: PyTree, number: int) -> list[PyTree]:
    """So many stacks of equal lengths, one behind the other, as NumPy has them: without copies."""
    arrays, static = eqx.partition(tree, eqx.is_array)
    size = length(arrays) // number
    return [
        eqx.combine(jax.tree.map(lambda leaf, k=k: leaf[k : k + size], arrays), static)
        for k in range(0, size * number, size)
    ]


def equal_parts(count: int, most: int) -> int:
    """Into how many equal parts so many things can be divided, `most` at most."""
    return max(n for n in range(1, 1 + min(most, count)) if count % n == 0)


def joined(stacks: Sequence[Any]) -> Any:
    """The opposite, in NumPy's arrays; what is no array is that of the first."""
    arrays = [on_host(eqx.filter(stack, eqx.is_array)) for stack in stacks]
    static = eqx.filter(stacks[0], eqx.is_array, inverse=True)
    if len(arrays) == 1:
        return eqx.combine(arrays[0], static)
    return eqx.combine(jax.tree.map(lambda *leaves: np.concatenate(leaves), *arrays), static)


def over_devices(function: Callable[..., Any], mesh: Mesh, *members: PyTree) -> Any:
    """`function` of stacks, each device with its own members."""
    if mesh.size == 1:
        return function(*members)
    # Nothing is exchanged between devices: with check_vma each adaptive step would ask all of them.
    return jax.shard_map(
        function,
        mesh=mesh,
        in_specs=PartitionSpec(MEMBER),
        out_specs=PartitionSpec(MEMBER),
        check_vma=False,
    )(*members)


def exact_states(stack: Any, times: Array | None, mesh: Mesh) -> tuple[PyTree, Array]:
    """States (member, time, ..., lane) and endings (member, lane) of the systems' own solution."""
    # What a system compiles serves systems of other depths, too, and has the same bits on each
    # device; a program around it would not.
    devices = mesh.devices.ravel()
    each = [
        spread(part, Mesh(np.array([device]), (MEMBER,)))
        for part, device in zip(parts(stack, len(devices)), devices, strict=True)
    ]
    found: tuple[PyTree, Array] = joined([part.exact(times) for part in each])
    return found


def is_large(system: Any) -> bool:
    """Whether the state of one lane has more numbers than may be taken apart."""
    state = jax.tree.leaves(jax.eval_shape(system.y0))
    return sum(leaf.size for leaf in state) // (system.lanes or 1) > LARGEST_APART


def one_by_one(system: Any) -> bool:
    """Whether members like this one are computed one after the other. Large ones a CPU does so: it
    multiplies matrices no faster in a batch, from some thousand numbers on four times slower; none
    waits for the slowest, and there is no room for members that are not there."""
    return is_large(system) and platform() == "cpu"


@eqx.filter_jit
def integrate_members(
    lanes: Any,
    wanted: Array,
    times: Array,
    args: Any,
    settings: Settings,
    mesh: Mesh,
    batch: int,
    large: bool,
) -> Solved:
    """Lanes of many systems, an axis of lanes in front of their arrays, so many of them together;
    `wanted` (lane,): those solved at all, but for the rest of a batch.

    A state of a few numbers is taken apart into them: two to six times faster than with an axis of
    a few pathways behind that of lanes. Of many numbers, as matrices have (`large`), that would
    take minutes to compile."""
    arrays, static = eqx.partition(lanes, eqx.is_array)
    t0 = jnp.zeros_like(times[0])

    def one(own: Any) -> Solved:
        system = eqx.combine(own, static)
        if large:
            return integrate_one(system, times, t0, args, settings, lambda now, t, y: y)
        given = Apart(system), times, t0, args, settings
        return integrate_one(*given, lambda now, t, y: now.together(y))

    def where_wanted(function: Callable[[Any], Solved]) -> Callable[[Any], Solved]:
        def solved(given: tuple[Any, Array]) -> Solved:
            own, wanted = given
            nothing = jax.tree.map(
                lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(function, own)
            )
            found: Solved = jax.lax.cond(wanted.any(), function, lambda _: nothing, own)
            return found

        return solved

    def on_device(own: Any, wanted: Array) -> Any:
        if batch == 1:
            return jax.lax.map(where_wanted(one), (own, wanted))
        # (lane, ...) -> (batch, lane of it, ...), and back behind the map over batches.
        batches = jax.tree.map(lambda leaf: leaf.reshape(-1, batch, *leaf.shape[1:]), (own, wanted))
        solved = jax.lax.map(where_wanted(jax.vmap(one)), batches)
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), solved)

    solved: Solved = over_devices(on_device, mesh, arrays, wanted)
    return solved


@eqx.filter_jit
def observe_members(
    stack: Any, states: PyTree, times: Array, names: tuple[str, ...], mesh: Mesh, chunk: int
) -> dict[str, Array]:
    """These observables, (member, time, ...), a chunk of members at a time whatever the block, as
    the size of a batch changes the last bits of sums and products."""
    arrays, static = eqx.partition(stack, eqx.is_array)

    def one(given: tuple[Any, PyTree]) -> dict[str, Array]:
        system = eqx.combine(given[0], static)
        return jax.vmap(lambda t, y: observe_named(system, t, y, names))(times, given[1])

    def on_device(*given: Any) -> dict[str, Array]:
        observed: dict[str, Array] = jax.lax.map(
            one, given, batch_size=None if chunk == 1 else chunk
        )
        return observed

    found: dict[str, Array] = over_devices(on_device, mesh, arrays, states)
    return found


@eqx.filter_jit
def begins(stack: Any, args: Any) -> Array:
    """Whether state and field are finite at the start, by lane where there are lanes."""
    arrays, static = eqx.partition(stack, eqx.is_array)

    def one(own: Any) -> Array:
        system = eqx.combine(own, static)
        y = system.y0()
        leaves = jax.tree.leaves((y, system.vector_field(jnp.asarray(0.0), y, args)))
        finite = [jnp.isfinite(leaf) for leaf in leaves]
        if system.lanes is None:
            return jnp.stack([jnp.all(leaf) for leaf in finite]).all()
        return jnp.stack(
            [jnp.all(leaf.reshape(-1, leaf.shape[-1]), axis=0) for leaf in finite]
        ).all(axis=0)

    return jax.vmap(one)(arrays)


@eqx.filter_jit
def amplifications(stack: Any) -> Array:
    """`amplification` of each member, or of each of its lanes."""
    arrays, static = eqx.partition(stack, eqx.is_array)
    return jax.vmap(lambda own: jnp.asarray(eqx.combine(own, static).amplification()))(arrays)


@eqx.filter_jit
def rates(stack: Any) -> Array | None:
    """`rates` of each member's lanes, (member, lane); None where none are predicted."""
    arrays, static = eqx.partition(stack, eqx.is_array)
    found: Array | None = jax.vmap(lambda own: eqx.combine(own, static).rates())(arrays)
    return found
