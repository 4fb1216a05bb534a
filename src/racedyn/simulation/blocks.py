"""How one block of members of an ensemble is computed: exactly or by the solver, over all
devices, or all cores of a CPU.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from racedyn._checks import check_positive_int, fail
from racedyn._jit import lanes_at_a_time
from racedyn._outside import checksum
from racedyn._types import MEMBER, TIME, AnyArray, Array, PyTree
from racedyn.exact import has_end
from racedyn.simulation import stacks
from racedyn.simulation.building import CHUNK, FIELD
from racedyn.simulation.checks import check_observe, steps_of
from racedyn.simulation.cores import Cores
from racedyn.simulation.lane import Settings
from racedyn.simulation.lanes import LanesOfMany, Outcome, solve_lanes, worst
from racedyn.simulation.members import Builder
from racedyn.simulation.method import EXACT_ACCURACY
from racedyn.simulation.solve import told_of
from racedyn.systems import observe_named
from racedyn.tasks import Modes
from racedyn.trajectory import Provenance, Status, Trajectory, now, parameters_of, versions

AMPLIFIED = 1e3  # from this amplification on steps are so accurate that one of order 8 pays
BLOCK_BYTES = 2**26  # of states of one block of members
LARGEST_BLOCK = 2**16  # members

Rows = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Work:
    """What is done with each block. `like`: one member; `times` (time,), or None for the end;
    `exact`: whether by the systems' own solution; `settings`, and `long` for lanes whose errors are
    AMPLIFIED, of the solver; `retry`: of what uses up its steps; `args` of vector fields; `names`
    of observables; `modes`: those of all members; `mesh`: the devices; `cores`: how many calls at a
    time."""

    like: Any
    times: Array | None
    exact: bool
    settings: Settings
    long: Settings
    retry: Any
    args: Any
    names: tuple[str, ...]
    modes: Modes | None
    mesh: Mesh
    cores: Cores

    @property
    def rows(self) -> int:
        return 1 if self.times is None else len(self.times)

    @property
    def told(self) -> dict[str, np.dtype[Any]]:
        """What is told of each lane beside its states: name -> dtype."""
        names = [name for name, _ in self.settings.crossings]
        whole, real = np.dtype(np.int64), np.dtype(np.float64)
        crossings = {f"crossing_{name}": real for name in names} | {
            f"num_crossings_{name}": whole for name in names
        }
        return {"accuracy": real, **crossings}

    @property
    def chunk(self) -> int:
        """Members that are observed together."""
        return 1 if stacks.one_by_one(self.like) else lanes_at_a_time(CHUNK)

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
        asked, chunk = check_positive_int("block", asked), CHUNK * self.mesh.size
        # An equal part for each core, but where a part would be less than a chunk
        whole = chunk * max(1, min(self.cores.number, asked // chunk, -(-count // chunk)))
        largest = max(1, asked // whole) * whole
        blocks = -(-count // largest)
        return -(-count // (blocks * whole)) * whole

    def _parts(self, size: int) -> int:
        """Into how many equal parts so many members can be divided, each of whole chunks; at most
        one a core.
        """
        chunks = max(1, size // (min(self.chunk, CHUNK) * self.mesh.size))
        return stacks.equal_parts(chunks, self.cores.number)

    def empty(self, builder: Builder) -> Trajectory:
        """The trajectory with nothing in it; see `BlockFile`."""
        count = builder.count
        like, start = self.like, jnp.asarray(0.0)
        shapes = jax.eval_shape(lambda: observe_named(like, start, like.y0(), self.names))
        named = self.like.dims()
        dims = {
            name: (
                MEMBER,
                TIME,
                *named.get(name, tuple(f"{name}_{i}" for i in range(shapes[name].ndim))),
            )
            for name in self.names
        }
        observables: dict[str, AnyArray] = {
            name: np.broadcast_to(
                np.asarray(np.nan, shapes[name].dtype), (count, self.rows, *shapes[name].shape)
            )
            for name in self.names
        }
        settings = self.settings
        # Members may have steps of their own.
        by = "steps" if steps_of(self.like) else told_of(self.like, settings)
        provenance = Provenance(
            kind="ensemble",
            system=f"{count} x {self.like.describe()}",
            solver="exact" if self.exact else by,
            settings={
                "members": count,
                "fingerprint": builder.fingerprint(),
                "observe": self.names,
                "ts": None if self.times is None else np.asarray(self.times).tolist(),
                "exact": self.exact,
                "rtol": float(settings.rtol),
                "atol": None if settings.atol is None else float(settings.atol),
                "solver": repr(settings.solver),
                "max_steps": settings.max_steps,
                "jumps": None if settings.jumps is None else [float(t) for t in settings.jumps],
                "crossings": [name for name, _ in settings.crossings],
                "retry": repr(self.retry),
                "args": None if self.args is None else checksum(self.args),
                "time_unit": "tau",
            },
            modes=self.modes,
            versions=versions(),
            created=now(),
        )
        shape = (count,) if self.like.lanes is None else (count, self.like.lanes)
        told = {
            name: np.broadcast_to(np.asarray(np.nan if kind.kind == "f" else 0, kind), shape)
            for name, kind in self.told.items()
        }
        return Trajectory(
            ts=np.array([np.inf]) if self.times is None else np.asarray(self.times),
            observables=observables,
            dims=dims,
            labels=dict(self.like.labels()),
            status=np.broadcast_to(np.int32(Status.INTERRUPTED), (count,)),
            stats={"num_steps": np.broadcast_to(np.int64(0), (count,)), **told},
            parameters=dict[str, AnyArray](parameters_of(builder.members)),
            provenance=provenance,
        )

    def __call__(
        self, builder: Builder, numbers: np.ndarray, size: int, between: Callable[[], None]
    ) -> tuple[Rows, np.ndarray, Rows]:
        """Observables, status and stats of these members, of which there are at most `size`.
        `between` is called before each part of the work, and may raise."""
        between()
        # By this thread: who wrote `build` need not have thought of several.
        built = stacks.on_host(builder(np.resize(numbers, size)))
        if self.modes is not None and builder.modes is None:
            builder.refuse_late("modes")
        if self.chunk == 1:  # one by one: what fills up the only block takes room for nothing
            size = min(size, -(-builder.count // self.mesh.size) * self.mesh.size)
            built = jax.tree.map(lambda leaf: leaf[:size] if eqx.is_array(leaf) else leaf, built)
        stack, own = stacks.spread(built, self.mesh), stacks.parts(built, self._parts(size))
        times = jnp.asarray([jnp.inf]) if self.times is None else self.times
        try:
            block = self._nothing_yet(stack, states=not self.exact)
            if self.exact:
                block = self._exactly(block, own)
                between()
            block.left[len(numbers) :] = False  # what fills up the block
            # The end of what is never learned is not to be found by a solver either.
            if self.times is not None and block.left.any():
                number = self.cores.number
                lanes = LanesOfMany(stack, self.like, self.times, self.args, self.mesh, number)
                first = self._first(stack, block.left)
                block.put(solve_lanes(lanes, first, self.retry, self.cores))
                between()
            observables = self._observed(own, block.states, times)
        except jax.errors.UnexpectedTracerError:
            fail(
                "build",
                "return systems that compute with fields of theirs",
                f"{type(self.like).__name__} computes with what JAX traced elsewhere (the member?)",
                FIELD,
            )
        count = len(numbers)
        kept = {name: values[:count] for name, values in observables.items()}
        told = {"num_steps": block.steps.sum(axis=1)[:count]}
        for name, values in block.told.items():
            told[name] = (values if self.like.lanes is not None else values[:, 0])[:count]
        return kept, worst(block.status)[:count], told

    def _first(self, stack: Any, left: np.ndarray) -> list[tuple[np.ndarray, Settings]]:
        """Lanes that are `left`, by number, and what they are tried with first."""
        long = np.asarray(stacks.amplifications(stack)).reshape(len(left), -1) >= AMPLIFIED
        return [
            (np.flatnonzero(left & ~long), self.settings),
            (np.flatnonzero(left & long), self.long),
        ]

    def _observed(self, own: list[Any], states: PyTree, times: Array) -> dict[str, np.ndarray]:
        """What these parts of a block observe of their `states`, those of all."""

        def observe(given: tuple[Any, PyTree]) -> dict[str, Array]:
            part, reached = stacks.spread(given, self.mesh)
            return stacks.observe_members(part, reached, times, self.names, self.mesh, self.chunk)

        each = zip(own, stacks.parts(states, len(own)), strict=True)
        observed: dict[str, np.ndarray] = stacks.joined(
            [found for _, found in self.cores.each(observe, each)]
        )
        return observed

    def _exactly(self, block: "_Block", own: list[Any]) -> "_Block":
        """What the systems' own solution finds, part by part; what begins and has none is left."""

        def exact(part: Any) -> tuple[PyTree, Array]:
            return stacks.exact_states(part, self.times, self.mesh)

        states, ends = stacks.joined([found for _, found in self.cores.each(exact, own)])
        ends = np.asarray(ends)
        # What is learned by equal pathways is learned, too.
        ended = np.where(has_end(ends), int(Status.DONE), ends)
        status = np.where(block.left, ended, int(Status.NOT_FINITE))
        block.told["accuracy"] = np.where(status == Status.DONE, EXACT_ACCURACY, np.nan)
        return dataclasses.replace(
            block, states=states, status=status, left=block.left & (status != Status.DONE)
        )

    def _nothing_yet(self, stack: Any, states: bool) -> "_Block":
        """NaN, and all that can begin is left."""
        shape = stacks.length(stack), self.like.lanes or 1
        left = np.array(stacks.begins(stack, self.args)).reshape(shape)
        told = {
            name: np.full(shape, np.nan if kind.kind == "f" else 0, kind)
            for name, kind in self.told.items()
        }
        room = jax.tree.map(
            lambda leaf: np.full((shape[0], self.rows, *leaf.shape), np.nan, leaf.dtype),
            jax.eval_shape(self.like.y0) if states else None,
        )
        status = np.where(left, int(Status.DONE), int(Status.NOT_FINITE))
        return _Block(room, status, np.zeros(shape, int), told, left, self.like.lanes is not None)


@dataclasses.dataclass
class _Block:
    """A block of members: `states` (member, time, ..., lane where there are any), and `status`,
    `steps`, what is `told`, and whether it is `left` to a solver, each (member, lane)."""

    states: PyTree
    status: np.ndarray
    steps: np.ndarray
    told: Rows
    left: np.ndarray
    laned: bool

    def put(self, outcome: Outcome) -> None:
        """What a solver made of lanes, in their places."""
        at = np.divmod(outcome.numbers, self.left.shape[1])
        self.status[at], self.steps[at] = outcome.solved.status, outcome.steps
        for name, values in self.told.items():
            values[at] = outcome.solved.stats[name]

        def put(states: Any, solved: np.ndarray) -> np.ndarray:
            room = np.array(states)
            of_lanes = np.moveaxis(room, -1, 1) if self.laned else room[:, None]
            of_lanes[at] = solved
            return room

        self.states = jax.tree.map(put, self.states, outcome.solved.saved)


def observed(like: Any, asked: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the observables to keep. Raises `ValueError` where one is none of the system's."""
    if (names := check_observe(like, asked)) is not None:
        return names
    known = tuple(jax.eval_shape(lambda: like.observe(jnp.asarray(0.0), like.y0())))
    return ("strength",) if "strength" in known else known
