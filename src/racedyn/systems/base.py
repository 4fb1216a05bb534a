"""The interface of everything that `simulate` integrates."""

import abc
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from racedyn._text import brief
from racedyn._types import Array, ArrayLike, PyTree
from racedyn.tasks import Modes


class AbstractSystem(eqx.Module):
    """An ODE: `y0()` and `vector_field(t, y, args)`; the rest has defaults.

    The state y is any pytree of real arrays. Fields that are floats or arrays are its parameters:
    differentiable, and free to change without recompiling."""

    @abc.abstractmethod
    def y0(self) -> PyTree:
        """The state at t0."""

    @abc.abstractmethod
    def vector_field(self, t: Array, y: PyTree, args: Any) -> PyTree:
        """dy/dt, of the structure of y; t in units of tau."""

    def at(self, y: PyTree) -> Any:
        """The same system from the state `y`."""
        return _From(self, y)

    def jumps(self) -> ArrayLike | None:
        """Times at which the vector field jumps, (jump,), which no step of a solver then runs over;
        None for none.
        """
        return None

    def step(self) -> Array | None:
        """Flow time of one step, where it goes by steps y + step x field and not along the flow; by
        default None.
        """
        return None

    def pieces(self) -> tuple[Sequence[Any], Array] | None:
        """Systems that follow each other, and the times of the switches between them; None for one
        alone.
        """
        return None

    def observe(self, t: Array, y: PyTree) -> dict[str, Array]:
        """What is saved at each time: name -> array. By default the state itself: one entry per
        leaf.
        """
        if isinstance(y, Mapping) and all(isinstance(leaf, jax.Array) for leaf in y.values()):
            return dict(y)
        leaves = jax.tree.leaves(y)
        return (
            {"y": leaves[0]}
            if len(leaves) == 1
            else {f"y{i}": leaf for i, leaf in enumerate(leaves)}
        )

    def observe_on_request(self, t: Array, y: PyTree) -> dict[str, Array]:
        """What is computed and saved only where `observe=` names it: name -> array. By default
        nothing.
        """
        return {}

    def dims(self) -> Mapping[str, tuple[str, ...]]:
        """Axis names of observables (without time): name -> names. Unnamed axes get names of their
        own.
        """
        return {}

    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """Names along axes: axis -> names."""
        return {}

    def describe(self) -> str:
        """A few words for tables and files."""
        return type(self).__name__ + (f", {self.lanes} modes" if self.lanes is not None else "")

    def __repr__(self) -> str:
        return brief(self)

    @property
    def modes(self) -> Modes | None:
        """The modes in which its strengths are read. By default None: it has none."""
        return None

    @property
    def path_ends(self) -> Sequence[tuple[str, str]]:
        """Input and output node of each path, where paths join several pairs of them. By default
        none.
        """
        return ()

    @property
    def validity(self) -> Mapping[str, Any] | None:
        """What was measured of a system that stands for a network, as `racedyn.reduce` makes them:
        name -> value, `exact` among them. By default None.
        """
        return None

    @property
    def lanes(self) -> int | None:
        """None, or the number of independent modes.

        In a laned system the mode is the last axis of every state leaf and of every parameter that
        is not a scalar, and `y0`, `vector_field` and `settled` also work on one mode alone, where
        that axis is absent: each mode then steps on its own clock."""
        return None

    def rates(self) -> Array | None:
        """Predicted speed of each lane, (lanes,): only used to let lanes of like speed step
        together.
        """
        return None

    def amplification(self) -> ArrayLike:
        """By how much an early relative error of the state grows in what is observed (per lane); at
        least 1.

        Tolerances of a solve are divided by it, so that they mean the accuracy of the result. By
        default 1."""
        return 1.0

    def mixing(self) -> ArrayLike:
        """By how much less than the state's entries what is observed is known (per lane), as the
        start tells; at least 1.

        Not paid for by shorter steps, but said: `stats["accuracy"]` has it. By default 1.
        """
        return 1.0

    @property
    def known_to(self) -> float:
        """The relative error to which it stands for what it stands for, which a solve need not
        undercut by far: `rtol` is by default a tenth of it, and at least 1e-8. By default 0."""
        return 0.0

    def magnitudes(self, y: PyTree) -> PyTree:
        """The size of each part of the state, against which its error is judged: arrays that
        broadcast to those of y.

        By default each entry's own, so that small ones are as well known as large ones; in matrices
        (the last two axes) the smaller of the means of row and column, as a matrix has entries that
        are near zero by chance."""
        return jax.tree.map(entry_sizes, y)

    def settled(self, t: Array, y: PyTree, tolerance: ArrayLike) -> Array:
        """Whether what is left to change is below `tolerance`, relative: the solve stops and holds
        the value.

        Of the flow that is integrated, weight decay and all. Never a norm of dy/dt, which is small
        on a plateau too. By default never."""
        return jnp.asarray(False)

    @property
    def has_exact(self) -> bool:
        """Whether `exact` knows the states; asked on the host, of one system or of a stack of them.
        By default not.
        """
        return False

    def exact(self, ts: Array | None) -> tuple[PyTree, Array]:
        """States without a solver at `ts` (time,), counted from the start and of at least 0; None:
        the end, as one row.

        Leaves are (time, ...), with the `Status` of each lane, (lanes,): DONE
        or SYMMETRIC, or leaves are NaN. Parameters of a stack have an axis of members in front; so
        then have states and statuses. It is called as it stands, not jitted around."""
        raise NotImplementedError(f"{type(self).__name__} has no solution of its own")

    def drift(self, y: PyTree, y0: PyTree) -> Array:
        """Largest change of a conserved quantity since y0, relative to its scale; NaN where nothing
        is conserved.
        """
        return jnp.asarray(jnp.nan)


def observe_named(
    system: AbstractSystem, t: Array, y: PyTree, names: Collection[str] | None = None
) -> dict[str, Array]:
    """What a system observes: these names, or all that it has without being asked."""
    found = dict(system.observe(t, y))
    if names is None:
        return found
    if not found.keys() >= {*names}:
        found |= system.observe_on_request(t, y)
    return {name: found[name] for name in names}


def observable_shapes(system: AbstractSystem) -> dict[str, Any]:
    """Name -> shape and dtype of all that a system can observe, what it has on request last."""
    start = jnp.asarray(0.0)
    return {
        **jax.eval_shape(lambda: system.observe(start, system.y0())),
        **jax.eval_shape(lambda: system.observe_on_request(start, system.y0())),
    }


def entry_sizes(y: Array) -> Array:
    """Sizes of the entries of an array; see `AbstractSystem.magnitudes`."""
    sizes = jnp.abs(y)
    if y.ndim < 2:
        return sizes
    rows, columns = (jnp.mean(sizes, axis=axis, keepdims=True) for axis in (-1, -2))
    return jnp.minimum(rows, columns)


class Standing(AbstractSystem):
    """A system that stands for another, and is as that is but for what is said otherwise."""

    system: AbstractSystem

    def y0(self) -> PyTree:
        return self.system.y0()

    def vector_field(self, t: Array, y: PyTree, args: Any) -> PyTree:
        return self.system.vector_field(t, y, args)

    def step(self) -> Array | None:
        return self.system.step()

    def dims(self) -> Mapping[str, tuple[str, ...]]:
        return self.system.dims()

    def labels(self) -> Mapping[str, tuple[str, ...]]:
        return self.system.labels()

    def observe(self, t: Array, y: PyTree) -> dict[str, Array]:
        return self.system.observe(t, y)

    def observe_on_request(self, t: Array, y: PyTree) -> dict[str, Array]:
        return self.system.observe_on_request(t, y)

    def jumps(self) -> ArrayLike | None:
        return self.system.jumps()

    @property
    def modes(self) -> Modes | None:
        return self.system.modes

    @property
    def validity(self) -> Mapping[str, Any] | None:
        return self.system.validity

    @property
    def lanes(self) -> int | None:
        return self.system.lanes

    def amplification(self) -> ArrayLike:
        return self.system.amplification()

    @property
    def known_to(self) -> float:
        return self.system.known_to

    def magnitudes(self, y: PyTree) -> PyTree:
        return self.system.magnitudes(y)

    def mixing(self) -> ArrayLike:
        return self.system.mixing()

    def settled(self, t: Array, y: PyTree, tolerance: ArrayLike) -> Array:
        return self.system.settled(t, y, tolerance)

    def drift(self, y: PyTree, y0: PyTree) -> Array:
        return self.system.drift(y, y0)


class _From(Standing):
    """A system from another state."""

    start: PyTree

    def y0(self) -> PyTree:
        return self.start
