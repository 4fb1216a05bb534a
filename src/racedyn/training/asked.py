"""What `observe=` asks of a training or of checkpoints: names of the table, probes, functions of
the user's; checked once, before anything is computed.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax

from racedyn._checks import as_list, check_callable, check_is, check_name, check_names, fail, shown
from racedyn._jit import computed_by_jax
from racedyn._names import check_file_name, check_held, check_label, check_observed, check_tree
from racedyn._outside import read_again
from racedyn._types import MEMBER, MODE, PATH, TIME, Path, Weights
from racedyn.networks import (
    Network,
    bases_said,
    check_task,
    constant_inputs,
    gate_groups,
    task_said,
)
from racedyn.paths import (
    MAX_UNNAMED_PATHS,
    Pair,
    classes_of_paths,
    not_separable,
    observed_paths,
)
from racedyn.rules import Kind, check_classes
from racedyn.tasks import Modes, Task
from racedyn.training.going_on import OF_PATHS
from racedyn.trajectory import BY_DEFAULT, OBSERVABLES, Observable, Probe, remedy_for, row_of

MUST = "hold names of observables, rd.Probe(name, task) and rd.Observable(name, axes, function)"


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is observed, of which paths (with their names), in which modes (by pair of nodes).

    `names`: of the table, in its order. `given`: whether the user gave them."""

    names: tuple[str, ...]
    probes: dict[str, Task]
    own: tuple[Observable, ...]
    weights: bool
    given: bool
    paths: dict[Path, str] = dataclasses.field(default_factory=dict)
    modes: dict[Pair, Modes] = dataclasses.field(default_factory=dict)


def check_observe(network: Network, observe: Any) -> Asked:
    """Take `observe=` apart. Raises `ValueError` or `TypeError` for what can't be had of this
    network, by name.
    """
    if observe is None:
        return Asked(BY_DEFAULT, {}, (), False, False)
    names: list[str] = ["loss"]
    probes: dict[str, Task] = {}
    own: dict[str, Observable] = {}
    entries = [observe] if isinstance(observe, str) else as_list("observe", observe, MUST, EXAMPLE)
    for entry in entries:
        if isinstance(entry, Probe):
            _check_probe(network, entry, probes)
            probes[entry.name] = entry.task
        elif isinstance(entry, Observable):
            _check_own(entry, own)
            own[entry.name] = entry
        elif isinstance(entry, str):
            _check_name(network, entry)
            names.append(entry)
        else:
            fail("observe", MUST, f"it holds {shown(entry)}", EXAMPLE)
    read_again(tuple(row.function for row in own.values()))
    known = list(OBSERVABLES)
    order = sorted({*names} - {"weights"}, key=lambda name: known.index(name.partition(":")[0]))
    return Asked(tuple(order), probes, tuple(own.values()), "weights" in names, True)


EXAMPLE = 'For example ["strength", "activity:h1"].'


def _check_name(network: Network, name: str) -> None:
    row, (kind, _, node) = row_of(name), name.partition(":")
    if row is None and kind in OBSERVABLES and OBSERVABLES[kind].of_node:
        remedy = f"For example {kind + ':' + network.order[-1]!r}."
        fail("observe", f"say of which node the {kind} is", f"it is {name!r}", remedy)
    rows = [
        each for each in OBSERVABLES.values() if each.name != "probe_accuracy"
    ]  # of two entries
    known = [each.training for each in rows if each.training]
    if row is None or not row.training or row.training not in (name, f"{kind}:NODE"):
        remedy = remedy_for(name, known)
        fail("observe", f"hold what a training has ({', '.join(known)})", f"it is {name!r}", remedy)
    if row.of_node:
        check_name(f"observe={name!r}", node, network.nodes)


def _check_probe(network: Network, probe: Probe, others: Mapping[str, Task]) -> None:
    check_label("Probe.name", probe.name)
    if probe.name in others:
        fail("observe", "have one probe of a name", f"there are two {probe.name!r}", "Rename one.")
    check_is(f"Probe({probe.name!r}).task", probe.task, Task, "be a Task")
    try:
        check_task(network, probe.task)
    except ValueError as error:
        raise ValueError(f"Probe {probe.name!r}: {error}") from error


def _check_own(row: Observable, others: Mapping[str, Observable]) -> None:
    argument = f"Observable({row.name!r})"
    check_file_name("Observable.name", row.name)
    if row.name in others or row.name.partition(":")[0] in OBSERVABLES:
        taken = "another one" if row.name in others else "a row of the table"
        fail("Observable.name", "be a name of its own", f"{row.name!r} is that of {taken}")
    for axis in check_names(f"{argument}.axes", row.axes):
        if axis in (TIME, MEMBER):
            but = f"{axis!r} is that of the run"
            fail(f"{argument}.axes", "name its own axes", but, "Leave it out.")
    must = "be a function (network, task, weights) -> array"
    check_callable(f"{argument}.function", row.function, must, "network", "task", "weights")


def with_paths(
    asked: Asked,
    network: Network,
    task: Task,
    paths: Sequence[Path] | None,
    modes: Mapping[Pair, Modes],
) -> Asked:
    """With the paths whose strengths are asked for, and the modes in which they are read.

    `network` and `task` as the user gave them. Raises `ValueError` where strengths are asked for of
    no path, or in one basis of paths that have several."""
    found = observed_paths(network, paths, modes)
    wanted = [name for name in asked.names if name in OF_PATHS]
    if not wanted or (not found and not asked.given):
        names = tuple(name for name in asked.names if name not in OF_PATHS)
        return dataclasses.replace(asked, names=names)
    if not found:
        but, remedy = f"there are {network.num_paths}", "Name some in `paths`."
        if paths is not None:
            but = "`paths` is empty"
        elif network.num_paths <= MAX_UNNAMED_PATHS:
            but = "the inputs and targets that they join are not correlated"
            remedy = "Pass `modes`, in which they can be read."
        fail("observe", f"ask for {wanted[0]!r} of some path", but, remedy)
    read = {network.ends(path): modes[network.ends(path)] for path in found}
    names = asked.names
    together = [name for name in wanted if OBSERVABLES[name].one_pair]
    if len(read) > 1 and together:
        if asked.given:
            but = f"these join {len(read)} pairs of input and output"
            fail("observe", f"ask for {together[0]!r} of paths that join one pair", but)
        names = tuple(name for name in names if name not in together)
    return dataclasses.replace(asked, names=names, paths=found, modes=read)


def check_data_strength(network: Network, task: Task, asked: Asked) -> None:
    """Refuse paths that meet in a nonlinear layer: the output is then no sum over them, and none
    has a share.
    """
    if network.linear or "data_strength" not in asked.names:
        return
    constants = constant_inputs(task)
    for path, name in asked.paths.items():
        if (node := not_separable(network, path, constants)) is not None:
            fail(
                "observe",
                "ask for 'data_strength' of paths whose answers add up to the network's",
                f"{name!r} meets another path at the nonlinear node {node!r}",
                "Name those that don't in `paths`.",
            )


def check_targets(asked: Asked, task: Task, kind: Kind, dtype: Any) -> None:
    """Refuse targets that are no classes, of the task or a probe, where loss or accuracy is of
    classes.
    """
    if kind == "squared" and "accuracy" not in asked.names:
        return
    check_classes(task, dtype, kind)
    for name, probe in asked.probes.items():
        try:
            check_classes(probe, dtype, kind)
        except ValueError as error:
            raise ValueError(f"Probe {name!r}: {error}") from error


def check_functions(asked: Asked, network: Network, task: Task, weights: Weights) -> None:
    """Refuse functions that JAX can't trace, and results that no run or file can hold."""
    _, labels = axes_of(asked, task)
    for row in asked.own:
        argument = f"Observable({row.name!r})"
        with computed_by_jax(f"{argument}.function"):
            shape = jax.eval_shape(partial(row.function, network, task), weights)
        if not isinstance(shape, jax.ShapeDtypeStruct):
            must, but = "return one array", f"it returns {type(shape).__name__}"
            fail(f"{argument}.function", must, but, "For example jnp.stack([...]).", TypeError)
        check_held(f"{argument}.function", shape.dtype)
        if shape.ndim != len(row.axes):
            but = f"it returns {shape.ndim} axes, and `axes` are {row.axes}"
            fail(f"{argument}.function", "return an axis for each name in `axes`", but)
        named = {axis: names for axis, names in labels.items() if axis in row.axes}
        sizes, _ = check_observed({row.name: shape.shape}, {row.name: row.axes}, named)
        check_tree("weights", weights, {TIME, *sizes})


def axes_of(
    asked: Asked, task: Task
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Axis names of every observable, and names along axes."""
    dims = {name: (TIME, *row.axes) for name in asked.names if (row := row_of(name)) is not None}
    labels: dict[str, tuple[str, ...]] = {}
    if asked.paths:
        labels[PATH] = tuple(asked.paths.values())
        if len(asked.modes) == 1:
            labels[MODE] = next(iter(asked.modes.values())).names
    if asked.probes:
        dims |= {name: (TIME, *OBSERVABLES[name].axes) for name in of_probes(asked)}
        labels["probe"] = tuple(asked.probes)
    dims |= {row.name: (TIME, *row.axes) for row in asked.own}
    if task.item_names is not None and any("example" in axes for axes in dims.values()):
        labels["example"] = task.item_names
    return dims, labels


def of_probes(asked: Asked) -> tuple[str, ...]:
    """What is observed on every probe."""
    accuracy = ("probe_accuracy",) if "accuracy" in asked.names else ()
    return ("probe_loss", *accuracy) if asked.probes else ()


def _gates_differ(asked: Asked, network: Network) -> bool:
    """Whether the observed paths are open at different times, so that strengths don't add up."""
    if network.unit_gated or not asked.paths:
        return False
    gating = gate_groups(network, network.num_contexts)
    classes = classes_of_paths(network, gating, list(asked.paths))
    return len({(known.groups.tobytes(), known.values.tobytes()) for known in classes}) > 1


def said_of(asked: Asked, network: Network) -> dict[str, Any]:
    """What settings keep of what is observed: what a row's names stand for."""
    weights = ["weights"] if asked.weights else []
    return {
        "observe": [*asked.names, *of_probes(asked), *(row.name for row in asked.own), *weights],
        "own": {row.name: {"meaning": row.meaning, "unit": row.unit} for row in asked.own},
        "pairs": [list(pair) for pair in asked.modes],  # of nodes, that the observed paths join
        # Path by path, where there are several.
        "ends": [list(network.ends(p)) for p in asked.paths] if len(asked.modes) > 1 else [],
        "gates_differ": _gates_differ(asked, network),
        "bases": [bases_said(pair_modes) for pair_modes in asked.modes.values()],
        "probes": {name: task_said(probe) for name, probe in asked.probes.items()},
    }
