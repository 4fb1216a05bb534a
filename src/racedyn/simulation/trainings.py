"""How one block of an ensemble of trainings is computed: many descents of one shape as one
program, over all devices, or all cores of a CPU.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from racedyn._checks import check_positive_int, fail
from racedyn._jit import lanes_at_a_time
from racedyn._types import MEMBER, TIME, AnyArray, Array, PyTree
from racedyn.simulation import stacks
from racedyn.simulation.blocks import BLOCK_BYTES, LARGEST_BLOCK, Rows
from racedyn.simulation.building import CHUNK
from racedyn.simulation.cores import Cores
from racedyn.simulation.member_rows import TOLD, MemberRows, named
from racedyn.simulation.members import Builder
from racedyn.training import State, Training, advance, block_size, calls, settings_of
from racedyn.trajectory import (
    Provenance,
    Status,
    Trajectory,
    now,
    parameters_of,
    versions,
    weights_name,
)

# So many networks are trained together where they have at most so many weights: matrices of more
# are multiplied no faster in a batch.
TOGETHER = {32: 2_000, 8: 10_000}


@dataclasses.dataclass(frozen=True)
class Trainings:
    """What is done with each block. `like`: one member; `mesh`: the devices; `cores`: how many
    calls at a time; `one_clock`: whether a step is the same flow time for all, `one_basis`: whether
    all are read in the same modes; `row`: shapes and dtypes of a saved row."""

    like: Training
    mesh: Mesh
    cores: Cores
    one_clock: bool
    one_basis: bool
    row: dict[str, Any]

    @classmethod
    def of(cls, builder: Builder, mesh: Mesh, cores: Cores) -> "Trainings":
        """As the builder's sample has them."""
        like, sample = builder.first(), builder.sample
        one_clock, one_basis = (_alike(part(sample), part(like)) for part in (_clock, _bases))
        # Of one program different things may be observed.
        kind = jax.tree.structure(eqx.filter(like, eqx.is_array))
        if kind not in builder.noted:
            builder.noted[kind] = _row_of(like)
        return cls(like, mesh, cores, one_clock, one_basis, builder.noted[kind])

    @property
    def steps(self) -> np.ndarray:
        """Numbers of the steps after which a row is saved, (time,)."""
        training = self.like
        saved = np.arange(0, training.steps + 1, training.save_every)
        return saved if saved[-1] == training.steps else np.append(saved, training.steps)

    @property
    def together(self) -> int:
        """How many members are trained by one step of the program: on a GPU more, if small ones."""
        size = sum(leaf.size for leaf in jax.tree.leaves(self.like.weights))
        on_cpu = next((n for n, most in TOGETHER.items() if size <= most), 1)
        return max(on_cpu, min(lanes_at_a_time(on_cpu), BLOCK_BYTES // _bytes(self.like.weights)))

    def block_size(self, asked: int | None, count: int) -> int:
        """Members of a block: whole chunks on every device, and blocks of one size, so that only
        one is compiled for.
        """
        if asked is None:
            size = len(self.steps) * _bytes(self.row) + _bytes(self.like)
            asked = max(1, min(LARGEST_BLOCK, BLOCK_BYTES // size))
        asked, chunk = check_positive_int("block", asked), CHUNK * self.mesh.size
        largest = max(1, asked // chunk) * chunk
        blocks = -(-count // largest)
        return -(-count // (blocks * chunk)) * chunk

    def empty(self, builder: Builder) -> Trajectory:
        """The trajectory with nothing in it; see `BlockFile`."""
        count, training, steps = builder.count, self.like, self.steps
        made, row = training.made_of.value, self.row
        axes, labels = made.axes()
        for edge, (source, target) in made.network.edges.items():
            axes[weights_name(edge)] = (TIME, f"unit_{target}", f"unit_{source}")
        in_tau = training.in_flow_time and self.one_clock
        settings = settings_of(training)
        for own in ("lr", "until", "weight_decay", "key", "task", "probes", "bases", "modes"):
            del settings[own]  # of each member
        settings |= {
            "members": count,
            "fingerprint": builder.fingerprint(),
            "observe": list(row),
            "steps": training.steps,
            "time_unit": "tau" if in_tau else "steps",
        }
        provenance = Provenance(
            kind="ensemble",
            system=f"{count} x {training.describe()}",
            solver=training.solver,
            settings=settings,
            modes=made.modes if self.one_basis else None,
            versions=versions(),
            created=now(),
        )
        return Trajectory(
            ts=steps * (self._time_per_step if in_tau else 1.0),
            step=steps,
            observables={
                name: np.broadcast_to(np.asarray(np.nan, of.dtype), (count, len(steps), *of.shape))
                for name, of in row.items()
            },
            dims={name: (MEMBER, *axes[name]) for name in row},
            labels=labels,
            status=np.broadcast_to(np.int32(Status.INTERRUPTED), (count,)),
            stats={name: np.broadcast_to(np.zeros((), of), (count,)) for name, of in TOLD.items()},
            parameters=dict[str, AnyArray](parameters_of(builder.members)),
            provenance=provenance,
        )

    @property
    def _time_per_step(self) -> float:
        """As `train` has it, where the step size is known here."""
        made = self.like.made_of.value
        if made.lr is None:
            return float(self.like.time_per_step)
        return float(made.lr * made.loss.factor(made.task))

    def __call__(
        self, builder: Builder, numbers: np.ndarray, size: int, between: Callable[[], None]
    ) -> tuple[Rows, np.ndarray, Rows]:
        """Observables, status and stats of these members, of which there are at most `size`.
        `between` is called before each call of the program, and may raise."""
        built = stacks.on_host(builder(np.resize(numbers, size)))
        _check_numbers(built, numbers)
        for alike, part, what in (
            (self.one_clock, _clock, "step sizes"),
            (self.one_basis, _bases, "modes"),
        ):
            if alike and not _alike(part(built), part(self.like)):
                builder.refuse_late(what)
        batch = self.together * self.mesh.size
        # What fills up the only block takes room for nothing.
        size = min(size, -(-builder.count // batch) * batch)
        built = jax.tree.map(lambda leaf: leaf[:size] if eqx.is_array(leaf) else leaf, built)
        apart, shared = builder.apart(built)
        number = stacks.equal_parts(max(1, size // batch), self.cores.number)
        own = [stacks.spread(part, self.mesh) for part in stacks.parts(apart, number)]
        states, most = [_start(part, shared) for part in own], block_size(self.like.descent)
        rows = MemberRows(len(numbers), self.steps)
        for num_saves, every in calls(self.like.steps, self.like.save_every, most):
            between()
            num, between_rows = jnp.asarray(num_saves), jnp.asarray(every)

            def ahead(
                part: tuple[Any, State], num: Array = num, every: Array = between_rows
            ) -> Any:
                return _advance(
                    part[0], shared, part[1], most, num, every, self.mesh, self.together
                )

            each = self.cores.each(ahead, zip(own, states, strict=True))
            moved = [new for _, new in each]
            states = [state for state, _, _ in moved]
            if not rows.add(num_saves, *stacks.joined(moved)):
                break
        return rows.found(np.asarray(built.time_per_step), built.least)


def _check_numbers(built: Training, numbers: np.ndarray) -> None:
    """Refuse what `train` refuses, of members whose numbers JAX traced."""
    made, descent = built.made_of.value, built.descent
    for name, own, values, smallest in (
        ("lr", made.lr, descent.lr if built.in_flow_time else None, np.nextafter(0, 1)),
        ("weight_decay", made.weight_decay, descent.weight_decay, 0.0),
        ("until", made.until, descent.until, np.nextafter(0, 1)),
    ):
        if own is not None or values is None:  # seen when it was built, or there is none
            continue
        each = np.asarray(values)[: len(numbers)]
        wrong = np.flatnonzero(~((each >= smallest) & np.isfinite(each)))
        if len(wrong):
            must = (
                f"be a {'positive number' if smallest else 'number of at least 0'} for each member"
            )
            but = f"it is {each[wrong[0]]:g} for member {numbers[wrong[0]]}"
            fail(f"{name} of a Training", must, but)


def _clock(training: Training) -> list[Array]:
    return [training.time_per_step]


def _bases(training: Training) -> list[Array]:
    return jax.tree.leaves(training.descent.observer.bases)


def _alike(stack: list[Array], one: list[Array]) -> bool:
    """Whether all members have these arrays as the one has them."""
    pairs = zip(stack, one, strict=True)
    return all(bool(np.all(np.asarray(many) == np.asarray(first))) for many, first in pairs)


def _row_of(training: Training) -> dict[str, Any]:
    """Observables of a row, and weights where they are asked for."""
    weights, descent = training.weights, training.descent
    row = dict(jax.eval_shape(descent.observe, weights))
    return row | (named(jax.eval_shape(lambda: weights)) if descent.save_weights else {})


def _bytes(tree: PyTree) -> int:
    arrays = jax.tree.leaves(eqx.filter(tree, lambda leaf: hasattr(leaf, "dtype")))
    return sum(int(np.prod(leaf.shape)) * leaf.dtype.itemsize for leaf in arrays)


@eqx.filter_jit
def _start(stack: Any, shared: Any) -> State:
    """The states of these trainings before their first step. `shared`: arrays that all of them
    have, without an axis of members, and the stack doesn't."""
    arrays, static = eqx.partition(stack, eqx.is_array)

    def one(own: Any) -> State:
        training = eqx.combine(own, shared, static)
        state: State = training.descent.start(training.weights, None, 0)
        return state

    return jax.vmap(one)(arrays)


@eqx.filter_jit
def _advance(
    stack: Any,
    shared: Any,
    states: State,
    size: int,
    num_saves: Array,
    save_every: Array,
    mesh: Mesh,
    batch: int,
) -> tuple[State, Array, Any]:
    """`advance` of each of these trainings, so many of them together. `shared`: as of `_start`:
    products with one matrix of all members are one product."""
    own, static = eqx.partition(stack, eqx.is_array)

    def one(given: tuple[Any, State]) -> tuple[State, Array, Any]:
        descent = eqx.combine(given[0], shared, static).descent
        moved: tuple[State, Array, Any] = advance(descent, given[1], size, num_saves, save_every)
        return moved

    def on_device(*given: PyTree) -> Any:
        return jax.lax.map(one, given, batch_size=None if batch == 1 else batch)

    moved: tuple[State, Array, Any] = stacks.over_devices(on_device, mesh, own, states)
    return moved
