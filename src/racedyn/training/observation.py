"""What is read off weights: the observables of training and of checkpoints, one row at a time,
pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from racedyn._checks import check_is, check_mapping, check_name, check_names, fail, shown
from racedyn._names import check_label
from racedyn._types import MODE, PATH, TIME, Array, Path, Weights
from racedyn.networks import Network, check_task, constant_inputs, forward
from racedyn.paths import Pair, not_separable, observe_paths
from racedyn.tasks import Modes, Task


class Data(eqx.Module):
    """A task on the device: inputs and targets (n, P) per node, context (P,), and inputs (n,) that
    are always the same.
    """

    inputs: dict[str, Array]
    targets: dict[str, Array]
    context: Array
    constants: dict[str, Array]

    @classmethod
    def of(cls, task: Task, dtype: Any) -> "Data":
        inputs, targets, constants = (
            {node: jnp.asarray(array, dtype) for node, array in arrays.items()}
            for arrays in (task.inputs, task.targets, constant_inputs(task))
        )
        return cls(inputs, targets, jnp.asarray(task.context), constants)


def loss_of(network: Network, weights: Weights, data: Data) -> Array:
    """L = 1/2 < |y - yhat|^2 >: mean over examples, summed over outputs."""
    activity = forward(network, weights, data.inputs, data.context)
    misses = [jnp.sum((Y - activity[node]) ** 2) for node, Y in data.targets.items()]
    return 0.5 * sum(misses[1:], start=misses[0]) / data.context.shape[0]


class Observer(eqx.Module):
    """What is observed, of which network and task: options as `train` has them, one row at a
    time.
    """

    network: Network
    data: Data
    probes: tuple[Data, ...]
    modes: tuple[tuple[Pair, Modes], ...] = eqx.field(static=True)
    paths: tuple[Path, ...] = eqx.field(static=True)
    record: tuple[str, ...] = eqx.field(static=True)
    matrices: bool = eqx.field(static=True)
    data_strength: bool = eqx.field(static=True)

    def row(self, weights: Weights) -> dict[str, Array]:
        """The observables of one set of weights; names and axes as `train` documents them, without
        time.
        """
        data = self.data
        row = {"loss": loss_of(self.network, weights, data)}
        if self.paths:
            row |= observe_paths(
                self.network,
                weights,
                dict(self.modes),
                self.paths,
                matrices=self.matrices,
                inputs=data.inputs if self.data_strength else None,
                constants=data.constants,
            )
        if self.probes:
            row["probe_loss"] = jnp.stack(
                [loss_of(self.network, weights, probe) for probe in self.probes]
            )
        if self.record:
            activity = forward(self.network, weights, data.inputs, data.context)
            row |= {f"activity_{node}": activity[node] for node in self.record}
        return row


def observable_axes(
    task: Task,
    paths: Mapping[Path, str],
    modes: Mapping[Any, Any],
    record: Sequence[str],
    probes: Mapping[str, Task],
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Axis names of every observable, and names along axes."""
    dims: dict[str, tuple[str, ...]] = {"loss": (TIME,)}
    labels: dict[str, tuple[str, ...]] = {}
    if paths:
        dims |= {
            "strength": (TIME, PATH, MODE),
            "off_diagonal": (TIME, PATH),
            "group_strength": (TIME, PATH, "group"),
        }
        dims["strength_matrix"] = (TIME, PATH, "mode_out", "mode_in")
        dims["data_strength"] = (TIME, PATH, MODE)
        labels[PATH] = tuple(paths.values())
        if len(modes) == 1:
            labels[MODE] = next(iter(modes.values())).names
    if probes:
        dims["probe_loss"], labels["probe"] = (TIME, "probe"), tuple(probes)
    for node in record:
        dims[f"activity_{node}"] = (TIME, f"unit_{node}", "example")
    if record and task.item_names is not None:
        labels["example"] = task.item_names
    return dims, labels


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


def check_probes(network: Network, probes: Mapping[str, Task] | None) -> None:
    """Refuse probes that are not of the network, by name."""
    if probes is None:
        return
    check_mapping("probes", probes, "be a dict name -> Task")
    for name, probe in probes.items():
        check_label("probes", name)
        check_is(f"probes[{name!r}]", probe, Task, "be a Task")
        try:
            check_task(network, probe)
        except ValueError as error:
            raise ValueError(f"Probe {name!r}: {error}") from error


def check_record(network: Network, record: Sequence[str]) -> None:
    """Refuse what is no list of nodes of the network."""
    for node in check_names("record", record, "nodes"):
        check_name("record", node, network.nodes)


def check_data_strength(network: Network, task: Task, paths: Mapping[Path, str]) -> None:
    """Refuse paths that meet in a nonlinear layer: the output is then no sum over them, and none
    has a share.
    """
    if network.linear:
        return
    constants = constant_inputs(task)
    for path, name in paths.items():
        if (node := not_separable(network, path, constants)) is not None:
            fail(
                "data_strength",
                "be asked for paths whose answers add up to the network's",
                f"{name!r} meets another path at the nonlinear node {node!r}",
                "Name those that don't in `paths`.",
            )
