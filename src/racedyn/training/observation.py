"""What is read off weights: the observables of training and of checkpoints, one row at a time,
pure.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from racedyn._checks import fail, shown
from racedyn._types import Array, Path, Weights
from racedyn.networks import Network, forward
from racedyn.paths import (
    PROJECTORS,
    SHARES,
    Bases,
    Pair,
    observe_paths,
    observe_projectors,
    observe_shares,
)
from racedyn.representations import kernel_of, kernel_rows, largest_curvature, similarity
from racedyn.rules import Data, Kind, Routed, accuracy_of, data_of, loss_of
from racedyn.tasks import Task
from racedyn.training.asked import Asked
from racedyn.trajectory import BY_DEFAULT, Observable


class Observer(eqx.Module):
    """What is observed, of which network and task, one row at a time; see `asked.Asked`."""

    network: Network
    data: Data | Routed
    examples: Data | None  # one by one, where they are asked for
    probes: tuple[Data | Routed, ...]
    kernel_rows: Any  # of the tangent kernel, where it is asked for
    bases: tuple[Bases, ...]  # of each of the `pairs` of nodes that the paths join
    names: tuple[str, ...] = eqx.field(static=True)
    pairs: tuple[Pair, ...] = eqx.field(static=True)
    paths: tuple[Path, ...] = eqx.field(static=True)
    own: tuple[Observable, ...] = eqx.field(static=True)
    task: Task | None = eqx.field(static=True)  # for functions of the user's alone
    kind: Kind = eqx.field(static=True)  # of the loss

    @classmethod
    def of(cls, asked: Asked, network: Network, task: Task, dtype: Any, kind: Kind) -> "Observer":
        """`network` and `task` as they are trained, biases included."""
        return cls(
            network=network,
            data=(data := data_of(network, task, dtype)),
            examples=_one_by_one(asked, task, data, dtype),
            probes=tuple(data_of(network, probe, dtype) for probe in asked.probes.values()),
            kernel_rows=kernel_rows(network, task) if "tangent_kernel" in asked.names else None,
            bases=tuple(map(Bases.of, asked.modes.values())),
            names=asked.names,
            pairs=tuple(asked.modes),
            paths=tuple(asked.paths),
            own=asked.own,
            task=task if asked.own else None,
            kind=kind,
        )

    def loss(self, weights: Weights, data: Data | Routed) -> Array:
        """On this data, of the kind that is descended."""
        return loss_of(self.network, weights, data, self.kind)

    def row(self, weights: Weights) -> dict[str, Array]:
        """The observables of one set of weights; names and axes as the table has them."""
        data = self.data
        row = {"loss": self.loss(weights, data)}
        if self.paths:
            projectors = not {*self.names}.isdisjoint(PROJECTORS)
            found = observe_paths(
                self.network,
                weights,
                dict(zip(self.pairs, self.bases, strict=True)),
                self.paths,
                matrices=projectors or "strength_matrix" in self.names,
                inputs=self._inputs_asked_for(),
                constants=data.constants,
            )
            if projectors:
                found |= observe_projectors(found["strength_matrix"])
            if not {*self.names}.isdisjoint(SHARES):
                found |= observe_shares(found["strength"])
            row |= {name: value for name, value in found.items() if name in self.names}
        if self.probes:
            row["probe_loss"] = jnp.stack([self.loss(weights, probe) for probe in self.probes])
        row |= self._of_classes(weights) | self._of_nodes(weights) | self._of_all(weights)
        # What is left out by default where a network has no such thing is left out here, too.
        if lacking := {*self.names} - {*row, *BY_DEFAULT}:
            raise NotImplementedError(f"Nothing here computes {sorted(lacking)} of the table")
        return row

    def _inputs_asked_for(self) -> dict[str, Array] | None:
        if "data_strength" not in self.names:
            return None
        assert self.examples is not None
        return self.examples.inputs

    def _of_classes(self, weights: Weights) -> dict[str, Array]:
        """Accuracy, on the probes too."""
        if "accuracy" not in self.names:
            return {}
        row = {"accuracy": accuracy_of(self.network, weights, self.data)}
        if self.probes:
            each = [accuracy_of(self.network, weights, probe) for probe in self.probes]
            row["probe_accuracy"] = jnp.stack(each)
        return row

    def _of_nodes(self, weights: Weights) -> dict[str, Array]:
        """What is asked for as "activity:h1"."""
        asked = [(name, *name.split(":", 1)) for name in self.names if ":" in name]
        if not asked:
            return {}
        assert self.examples is not None
        held = forward(self.network, weights, self.examples.inputs, self.examples.context)
        return {
            name: held[node] if kind == "activity" else similarity(held[node])
            for name, kind, node in asked
        }

    def _of_all(self, weights: Weights) -> dict[str, Array]:
        """What is of all weights together."""
        row = {}
        if "tangent_kernel" in self.names:
            assert self.examples is not None
            inputs, context = self.examples.inputs, self.examples.context
            row["tangent_kernel"] = kernel_of(
                self.network, weights, inputs, context, *self.kernel_rows
            )
        if "sharpness" in self.names:
            row["sharpness"] = largest_curvature(lambda at: self.loss(at, self.data), weights).value
        for own in self.own:
            value = jnp.asarray(own.function(self.network, self.task, weights))
            real = jnp.issubdtype(value.dtype, jnp.floating)  # rows that lack it are NaN
            row[own.name] = value if real else value.astype(jnp.result_type(*weights.values()))
        return row


def _one_by_one(asked: Asked, task: Task, data: Data | Routed, dtype: Any) -> Data | None:
    """The examples themselves, where something is observed of each of them."""
    each = any(name in OF_EXAMPLES or ":" in name for name in asked.names)
    if not each:
        return None
    return data if isinstance(data, Data) else Data.of(task, dtype)


OF_EXAMPLES = ("data_strength", "tangent_kernel")


def as_dtype(dtype: Any, weights: Weights) -> Any:
    """`dtype`, or that of the weights, float32 at least.

    Raises `ValueError` for any but float32 and float64, which a file can hold, and for one that JAX
    has not switched on; `TypeError` for what is no dtype."""
    if dtype is None:
        dtype = max((w.dtype for w in weights.values()), key=lambda held: jnp.finfo(held).bits)
        dtype = dtype if jnp.finfo(dtype).bits >= 32 else jnp.float32
    must, remedy = "be float32 or float64", "For example 'float32'."
    try:
        known = jnp.dtype(dtype)
    except Exception:  # NumPy has several, by what is given
        fail("dtype", must, f"it is {shown(dtype)}", remedy, TypeError)
    if known not in (jnp.float32, jnp.float64):
        fail("dtype", must, f"it is {known}", remedy)
    if jax.dtypes.canonicalize_dtype(known) != known:
        fail(
            "dtype",
            "be one that JAX has switched on",
            f"it is {known}",
            'Add jax.config.update("jax_enable_x64", True) at the start.',
        )
    return known
