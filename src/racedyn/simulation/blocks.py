"""How one block of members of an ensemble is computed: exactly or by the solver, over all
devices.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from racedyn._checks import as_list, check_name, check_positive_int, fail, shown
from racedyn._jit import wide_jit
from racedyn._types import MEMBER, Array, PyTree
from racedyn.exact import has_end
from racedyn.simulation.lane import Settings
from racedyn.simulation.members import CHUNK, FIELD, Builder
from racedyn.simulation.simulate import EXACT_ACCURACY, METHODS
from racedyn.simulation.solve import can_spread, integrate_members
from racedyn.trajectory import Status

BATCH = 256  # lanes that a solver steps together on one device
BATCHES = (
    16  # at most, in one call of a device: a call takes the host as long as a batch of a few steps
)
AMPLIFIED = 1e3  # from this amplification on steps are so accurate that one of order 8 pays
BLOCK_BYTES = 2**26  # of states of one block of members
LARGEST_BLOCK = 2**16  # members

Rows = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Work:
    """What is done with each block. `like`: one member; `times` (time,), or None for the end;
    `names` of observables; `long`: the settings for lanes whose errors are AMPLIFIED, if others
    than `settings`."""

    like: Any
    times: Array | None
    exact: bool
    settings: Settings
    long: Settings
    retry: Any
    args: Any
    names: tuple[str, ...]
    mesh: Mesh

    @classmethod
    def of(
        cls,
        builder: Builder,
        times: Array | None,
        method: str,
        observe: Sequence[str] | None,
        args: Any,
        settings: Settings,
        long: Settings,
        retry: Any,
        devices: Sequence[Any] | None,
    ) -> "Work":
        like = builder.first()
        stops = settings.crossings or settings.jumps is not None
        exact = (
            check_name("method", method, METHODS) != "ode"
            and like.lanes is not None
            and builder.sample.has_exact
        )
        if exact and stops:
            if method == "exact":
                fail(
                    "method",
                    "be 'ode' or 'auto' where crossings or jumps are given",
                    "it is 'exact'",
                )
            exact = False
        if method == "exact" and not exact:
            fail(
                "method",
                "be 'ode' or 'auto' for a system without a solution of its own",
                "it is 'exact'",
                "systems.Pathways has one, in float64, of whole depths and without weight decay.",
            )
        if times is None and not exact:
            fail(
                "ts",
                "be given where a solver is to find the states",
                "it is left out, which means the end",
                "For example jnp.linspace(0, 10, 200).",
            )
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
        mesh = Mesh(np.array(used), (MEMBER,))
        return cls(like, times, exact, settings, long, retry, args, _observed(like, observe), mesh)

    @property
    def rows(self) -> int:
        return 1 if self.times is None else len(self.times)

    def block_size(self, asked: int | None, count: int) -> int:
        """Members of a block: whole chunks on every device, and blocks of one size, so that only
        one is compiled for.
        """
        if asked is None:
            state = sum(
                leaf.size * leaf.dtype.itemsize
                for leaf in jax.tree.leaves(jax.eval_shape(self.like.y0))
            )
            asked = max(1, min(LARGEST_BLOCK, BLOCK_BYTES // max(1, state * self.rows)))
        whole = CHUNK * self.mesh.size
        largest = max(1, check_positive_int("block", asked) // whole) * whole
        blocks = -(-count // largest)
        return -(-count // (blocks * whole)) * whole

    def __call__(
        self, builder: Builder, numbers: np.ndarray, size: int
    ) -> tuple[Rows, np.ndarray, Rows]:
        """Observables, status and stats of these members, of which there are at most `size`."""
        count = len(numbers)
        stack = _spread(builder(np.resize(numbers, size)), self.mesh)
        times = jnp.asarray([jnp.inf]) if self.times is None else self.times
        try:
            states, status, stats = self._states(stack)
            observables = _observe(stack, states, times, self.names, self.mesh)
        except jax.errors.UnexpectedTracerError:
            fail(
                "build",
                "return systems that compute with fields of theirs",
                f"{type(self.like).__name__} computes with what JAX traced elsewhere (the member?)",
                FIELD,
            )
        kept = {name: np.asarray(values)[:count] for name, values in observables.items()}
        told = {"num_steps": stats.pop("num_steps").sum(axis=1)}
        told |= {
            name: values if self.like.lanes is not None else values[:, 0]
            for name, values in stats.items()
        }
        return kept, _worst(status)[:count], {name: values[:count] for name, values in told.items()}

    @property
    def told(self) -> dict[str, np.dtype[Any]]:
        """What is told of each lane beside its states: name -> dtype."""
        names = [name for name, _ in self.settings.crossings]
        whole, real = np.dtype(np.int64), np.dtype(np.float64)
        crossings = {f"crossing_{name}": real for name in names} | {
            f"num_crossings_{name}": whole for name in names
        }
        return {"accuracy": real, **crossings}

    def _states(self, stack: Any) -> tuple[PyTree, np.ndarray, Rows]:
        """States (member, time, ..., lane), status (member, lane) and what is told of each lane
        (member, lane).
        """
        count = len(jax.tree.leaves(eqx.filter(stack, eqx.is_array))[0])
        lanes = self.like.lanes or 1
        stats: Rows = {"num_steps": np.zeros((count, lanes), int)}
        stats |= {
            name: np.full((count, lanes), np.nan if kind.kind == "f" else 0, kind)
            for name, kind in self.told.items()
        }
        begins = np.asarray(_begins(stack, self.args)).reshape(count, lanes)
        if not self.exact:
            shape = jax.eval_shape(self.like.y0)
            states = jax.tree.map(
                lambda leaf: np.full((count, self.rows, *leaf.shape), np.nan, leaf.dtype), shape
            )
            left, status = begins, np.where(begins, int(Status.DONE), int(Status.NOT_FINITE))
        else:
            found, ends = _exact(stack, self.times, self.mesh)
            ended = np.where(np.asarray(has_end(ends)), int(Status.DONE), np.asarray(ends))
            status = np.where(begins, ended, int(Status.NOT_FINITE))
            left = (status != Status.DONE) & begins
            stats["accuracy"] = np.where(status == Status.DONE, EXACT_ACCURACY, np.nan)
            if self.times is None or not left.any():
                return found, status, stats
            states = jax.tree.map(np.array, found)
        host = jax.tree.map(lambda leaf: np.asarray(leaf) if eqx.is_array(leaf) else leaf, stack)
        long = np.asarray(_amplifications(stack)).reshape(count, -1) >= AMPLIFIED
        for settings, some in (self.settings, left & ~long), (self.long, left & long):
            if some.any():
                self._solve(host, states, status, stats, some, settings)
        again = left & (status == Status.STEPS_EXHAUSTED)
        if again.any():
            settings = dataclasses.replace(self.settings, solver=self.retry, step_to_ts=True)
            self._solve(host, states, status, stats, again, settings)
        return _spread(states, self.mesh), status, stats

    def _solve(
        self,
        host: Any,
        states: PyTree,
        status: np.ndarray,
        stats: Rows,
        left: np.ndarray,
        settings: Settings,
    ) -> None:
        """Solve the lanes that are `left` and put what is found in its place; lanes of like speed
        step together.
        """
        members, lanes = np.nonzero(left)
        laned = self.like.lanes is not None

        def own(leaf: Any, at: tuple[np.ndarray, np.ndarray]) -> Any:
            if not eqx.is_array(leaf):
                return leaf
            return np.moveaxis(leaf, -1, 1)[at] if laned and leaf.ndim > 1 else leaf[at[0]]

        rates = _rates(_spread(host, self.mesh))
        order = (
            np.arange(len(members))
            if rates is None
            else np.argsort(-np.asarray(rates)[members, lanes], kind="stable")
        )
        mesh = self.mesh if can_spread(settings) else Mesh(self.mesh.devices[:1], (MEMBER,))
        batches = min(BATCHES, -(-left.size // (BATCH * mesh.size)))
        size = batches * mesh.size * BATCH
        # Devices take batches in turn, so that all have about the same to do.
        turns = np.arange(size).reshape(batches, mesh.size, BATCH).swapaxes(0, 1)
        back = np.argsort(turns, axis=None)
        for k in range(0, len(order), size):
            some = order[k : k + size]
            at = members[some], lanes[some]
            padded = np.resize(some, size)[turns.ravel()]
            wanted = turns[..., 0].ravel() < len(some)
            given = jax.tree.map(lambda leaf: own(leaf, (members[padded], lanes[padded])), host)  # noqa: B023
            given, wanted = _spread((given, wanted), mesh)
            solved = _integrate(given, wanted, self.times, self.args, settings, mesh)
            found = back[: len(some)]
            status[at] = np.asarray(solved.status)[found]
            stats["num_steps"][at] += np.asarray(solved.stats["num_steps"])[found]
            for name in self.told:
                stats[name][at] = np.asarray(solved.stats[name])[found]

            def put(place: np.ndarray, values: Array) -> None:
                of_lanes = np.moveaxis(place, -1, 1) if laned else place[:, None]
                of_lanes[at] = np.asarray(values)[found]  # noqa: B023

            jax.tree.map(put, states, solved.saved)


def _spread(tree: PyTree, mesh: Mesh) -> PyTree:
    place = NamedSharding(mesh, PartitionSpec(MEMBER))
    return jax.tree.map(
        lambda leaf: jax.device_put(leaf, place) if eqx.is_array(leaf) else leaf, tree
    )


def _over_devices(function: Any, mesh: Mesh, *members: PyTree) -> Any:
    """`function` of stacks, each device with its own members."""
    if mesh.size == 1:
        return function(*members)
    return jax.shard_map(
        function,
        mesh=mesh,
        in_specs=PartitionSpec(MEMBER),
        out_specs=PartitionSpec(MEMBER),
        check_vma=False,
    )(*members)


@wide_jit(eqx.filter_jit)
def _exact(stack: Any, times: Array | None, mesh: Mesh) -> tuple[PyTree, Array]:
    arrays, static = eqx.partition(stack, eqx.is_array)
    return _over_devices(lambda own: eqx.combine(own, static).exact(times), mesh, arrays)  # type: ignore[no-any-return]


@eqx.filter_jit
def _integrate(
    lanes: Any, wanted: Array, times: Any, args: Any, settings: Settings, mesh: Mesh
) -> Any:
    arrays, static = eqx.partition(lanes, eqx.is_array)

    def integrate(own: Any, wanted: Array) -> Any:
        return integrate_members(
            own, static, wanted, times, jnp.zeros_like(times[0]), args, settings
        )

    return _over_devices(integrate, mesh, arrays, wanted)


@eqx.filter_jit
def _observe(
    stack: Any, states: PyTree, times: Array, names: tuple[str, ...], mesh: Mesh
) -> dict[str, Array]:
    arrays, static = eqx.partition(stack, eqx.is_array)

    def one(own: Any, states: PyTree) -> dict[str, Array]:
        observed = jax.vmap(eqx.combine(own, static).observe)(times, states)
        return {name: observed[name] for name in names}

    return _over_devices(jax.vmap(one), mesh, arrays, states)  # type: ignore[no-any-return]


@eqx.filter_jit
def _begins(stack: Any, args: Any) -> Array:
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
def _amplifications(stack: Any) -> Array:
    arrays, static = eqx.partition(stack, eqx.is_array)
    return jax.vmap(lambda own: jnp.asarray(eqx.combine(own, static).amplification()))(arrays)


@eqx.filter_jit
def _rates(stack: Any) -> Array | None:
    arrays, static = eqx.partition(stack, eqx.is_array)
    return jax.vmap(lambda own: eqx.combine(own, static).rates())(arrays)  # type: ignore[no-any-return]


def _observed(like: Any, asked: Sequence[str] | None) -> tuple[str, ...]:
    known = list(jax.eval_shape(lambda: like.observe(jnp.asarray(0.0), like.y0())))
    if asked is None:
        return ("strength",) if "strength" in known else tuple(known)
    names = (asked,) if isinstance(asked, str) else tuple(asked)
    for name in names:
        check_name("observe", name, known)
    return names


def _worst(status: np.ndarray) -> np.ndarray:
    """Of each member: the failure with the largest number, or else the largest number."""
    bad = ~np.isin(status, [int(item) for item in Status if item.ok])
    return np.where(
        bad.any(axis=1), np.where(bad, status, -1).max(axis=1), status.max(axis=1)
    ).astype(np.int32)
