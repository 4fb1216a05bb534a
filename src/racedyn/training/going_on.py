"""What a training run goes on from: whether that means anything, and its rows made ready for what
is recorded now.

A row is never read as something else: what a name stood for (task, network, bases, probes) travels
in the run's settings as fingerprints, and what a row does not have is NaN."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn._types import MODE, PATH
from racedyn.networks import Network, network_said, same, same_data, task_said
from racedyn.paths import PROJECTORS, SHARES, Pair, Turn
from racedyn.tasks import Modes, Task
from racedyn.trajectory import OBSERVABLES, Status, Trajectory

ANEW = 'To start a new run from those weights, pass run.end["weights"].'
# Of paths, and so read in modes; and those of them that saved matrices turn into other modes.
OF_PATHS = tuple(
    n for n, row in OBSERVABLES.items() if row.training and (row.turns or PATH in row.axes)
)
TURNED = tuple(name for name in OF_PATHS if OBSERVABLES[name].turns)
# What may differ between two stretches of one run: each change is recorded.
STRETCH = (
    "lr",
    "loss",
    "loss_factor",
    "weight_decay",
    "batch_size",
    "key",
    "stages",
    "schedule",
    "dtype",
    "modes",
)


def same_task(run: Trajectory, task: Task) -> bool:
    """Whether `run` was last trained on this task, its name aside. Raises `ValueError` where the
    run doesn't say.
    """
    return same_data(_settings(run)["task"], task_said(task))


def weights_at_the_end(run: Trajectory) -> Mapping[str, Any]:
    """The weights to go on from. Raises `ValueError` where the run has none, or they are not
    finite.
    """
    if run.step is None or not isinstance(run.end, Mapping) or "weights" not in run.end:
        fail(
            "weights",
            "come from `train` to go on from",
            "this trajectory has no steps or no weights at its end",
        )
    if not Status(int(run.status)).ok and run.status != Status.INTERRUPTED:
        fail("weights", "be finite to go on from", f"that run {Status(int(run.status)).message}")
    return run.end["weights"]


def check_same_network(run: Trajectory, network: Network) -> None:
    """Refuse a network that only has the edges of the one that was trained: rows would mean two
    things.
    """
    said, now = _settings(run)["network"], network_said(network)
    edges = {edge: list(ends) for edge, ends in network.edges.items()}
    found = []
    for part, was, is_ in (
        ("nodes", said["nodes"], now["nodes"]),
        ("edges", _settings(run)["edges"], edges),
        ("edge_kinds", said["edge_kinds"], now["edge_kinds"]),
    ):
        # JSON has lists for tuples
        differ = [
            name for name in {**was, **is_} if list(was.get(name, ())) != list(is_.get(name, ()))
        ]
        found += [f"{part}[{name!r}] is {is_.get(name)} and was {was.get(name)}" for name in differ]
    for name in {**said["gates"], **now["gates"]}:
        if not (
            name in said["gates"]
            and name in now["gates"]
            and same(said["gates"][name], now["gates"][name])
        ):
            found.append(f"it has other gates at {name!r}")
    if found:
        more = f" (and {len(found) - 1} more differences)" if len(found) > 1 else ""
        fail("network", "be that of the run to go on from", found[0] + more, ANEW)


def _settings(run: Trajectory) -> Mapping[str, Any]:
    settings = {} if run.provenance is None else run.provenance.settings
    if "task" not in settings or "network" not in settings:
        fail(
            "weights",
            "say which task and network it was trained on, to go on from",
            "this run does not: it is of an older version, or has no provenance",
            ANEW,
        )
    return settings


@dataclasses.dataclass(frozen=True)
class Past:
    """A run to go on from, its rows made ready.

    **Fields:** `observables`, `dims`: what of its rows means the same in the run to come; `labels`:
    of both; `from_weights`: whether the rest can be computed from the weights it saved; `switched`:
    whether the task is another; `settings`: those of the run to come that have a past; `modes`: the
    bases of its strengths, or None."""

    run: Trajectory
    observables: dict[str, np.ndarray]
    dims: dict[str, tuple[str, ...]]
    labels: dict[str, tuple[str, ...]]
    from_weights: bool
    switched: bool
    settings: dict[str, Any]
    modes: Modes | None


def past_of(
    run: Trajectory,
    task: Task,
    settings: Mapping[str, Any],
    modes: Mapping[Pair, Modes],
    dims: Mapping[str, tuple[str, ...]],
    labels: Mapping[str, tuple[str, ...]],
) -> Past:
    """Make `run` ready to go on as `settings`, `dims` and `labels` of the run to come say, read in
    `modes`.

    Raises `ValueError` where a probe is not what it was under that name, or strengths can't be read
    in `modes`."""
    said = _settings(run)
    for name, probe in settings["probes"].items():
        if name in said["probes"] and not same_data(probe, said["probes"][name]):
            fail(
                "observe",
                "have under each name the probe that it was",
                f"{name!r} has other data",
                "Give it another name: rows that have no such probe are NaN.",
            )
    for name in dims:
        if (was := tuple(run.dims.get(name, dims[name]))) != tuple(dims[name]):
            must = f"have of {name!r} the axes that it had, {was[1:]}"
            fail("observe", must, f"they are {dims[name][1:]}", "Give it another name.")
    switched = not same_task(run, task)
    same_inputs = all(
        same(said["task"][part], settings["task"][part]) for part in ("inputs", "context")
    )
    from_weights = _has_all_weights(run)
    observables = {name: np.asarray(rows) for name, rows in run.observables.items()}
    if not same_inputs:  # then they are responses to other examples
        on_examples = ("activity:", "similarity:", "data_strength", "tangent_kernel")
        observables = {
            name: rows for name, rows in observables.items() if not name.startswith(on_examples)
        }

    old_modes = run.provenance.modes if run.provenance is not None else None
    new_modes = next(iter(modes.values())) if len(modes) == 1 else None
    old_bases = {
        tuple(pair): bases for pair, bases in zip(said["pairs"], said["bases"], strict=True)
    }
    new_bases = {
        tuple(pair): bases for pair, bases in zip(settings["pairs"], settings["bases"], strict=True)
    }
    shared = [pair for pair in new_bases if pair in old_bases]
    turn = None
    recorded = any(name in dims for name in OF_PATHS)
    if recorded and any(name in observables for name in OF_PATHS):
        kept = {name: observables.pop(name) for name in TURNED if name in observables}
        if not all(same(old_bases[pair], new_bases[pair]) for pair in shared):
            for name in set(OF_PATHS) - set(TURNED):
                observables.pop(name, None)
            if old_modes is not None and new_modes is not None:
                turn = Turn(old_modes, new_modes)
            turned = None if from_weights or turn is None else turn.rows(kept)
            if turned is None and kept and not from_weights:
                fail(
                    "modes",
                    "be bases in which the rows of the run to go on from can be read, too",
                    f"those of {task.name!r} are others than theirs, and it kept neither its "
                    "weights nor strength matrices",
                    "Pass modes= what its rows are read in (the task trained before, say); or "
                    'train it with observe=["strength", "weights"]. ' + ANEW,
                )
            kept = {name: rows for name, rows in (turned or {}).items() if name in (*kept, *dims)}
        elif (
            old_modes is not None and new_modes is not None and old_modes.groups != new_modes.groups
        ):
            kept.pop("group_strength", None)
        if run.labels.get(PATH) != labels.get(PATH):  # then they are of other paths together
            kept = {name: kept[name] for name in kept if name not in (*SHARES, *PROJECTORS)}
        observables |= kept
    had = any(name in observables for name in OF_PATHS)
    joined = {**old_bases, **new_bases} if had else new_bases
    modes_now = new_modes if recorded else old_modes if had else None
    return Past(
        run=run,
        observables=observables,
        dims={
            name: tuple(run.dims[name]) if name in run.dims else tuple(dims[name])
            for name in observables
        },
        labels=_joined_labels(run.labels, labels, observables, len(joined) == 1),
        from_weights=from_weights,
        switched=switched,
        settings={
            "pairs": [list(pair) for pair in joined],
            "bases": list(joined.values()),
            "probes": {**said["probes"], **settings["probes"]},
            "modes": settings["modes"] if recorded else said["modes"],
            **_history(run, settings, switched, _values_before(run, turn, modes_now, same_inputs)),
        },
        modes=modes_now if len(joined) == 1 else None,
    )


def _has_all_weights(run: Trajectory) -> bool:
    """Whether every row has its weights: a run that saved them in some rows only has NaN in the
    others.
    """
    return isinstance(run.ys, Mapping) and all(
        len(array) == np.size(run.ts) and bool(np.isfinite(np.asarray(array)[:, 0, 0]).all())
        for array in run.ys.values()
    )


def _joined_labels(
    old: Mapping[str, Any], new: Mapping[str, Any], kept: Mapping[str, Any], one_pair: bool
) -> dict[str, tuple[str, ...]]:
    """Names along axes: of paths and probes those of before and, after them, new ones; else those
    of now.
    """
    labels = {axis: tuple(names) for axis, names in {**old, **new}.items()}
    for axis, observables in ((PATH, OF_PATHS), ("probe", ("probe_loss",))):
        before = tuple(old.get(axis, ())) if any(name in kept for name in observables) else ()
        if names := (*before, *(name for name in new.get(axis, ()) if name not in before)):
            labels[axis] = names
    if (
        not any(name.startswith(("activity:", "similarity:")) for name in kept)
        and "example" not in new
    ):
        labels.pop("example", None)
    if not one_pair:
        labels.pop(MODE, None)
    return labels


def _values_before(
    run: Trajectory, turn: Turn | None, modes: Modes | None, same_inputs: bool
) -> list[dict[str, Any]]:
    """S and d of each task so far, the last included, in the modes of the run to come; NaN where
    not known.
    """
    past = [dict(switch.get("before", {})) for switch in run.switches]
    own = None if run.provenance is None else run.provenance.modes
    values = [(step.get("S"), step.get("variances")) for step in past]
    values.append((None, None) if own is None else (own.S, own.variances))
    found: list[dict[str, Any]] = []
    for S, variances in values:
        if S is None or variances is None or modes is None:
            found.append({})
        elif turn is None:
            found.append({"S": list(map(float, S)), "variances": list(map(float, variances))})
        else:
            turned = turn.values(S, signed=True), turn.values(variances, signed=False)
            found.append({"S": turned[0].tolist(), "variances": turned[1].tolist()})
    if (
        turn is not None
        and not turn.one_to_one
        and run.provenance is not None
        and modes is not None
    ):
        # The last task's own modes hold all of its correlation, so that it can be read in any
        # others.
        if run.provenance.settings["modes"] == "own":
            found[-1]["S"] = np.einsum("ab,b,ba->a", turn.Q, turn.old.S, turn.R).tolist()
        if same_inputs:
            found[-1]["variances"] = modes.variances.tolist()
    return found


def _history(
    run: Trajectory, settings: Mapping[str, Any], switched: bool, values: list[dict[str, Any]]
) -> dict[str, Any]:
    """`switches` of the task, and `went_on_from`: the settings of each earlier stretch, where they
    changed.
    """
    said = _settings(run)
    at = {"time": float(np.asarray(run.ts)[-1]), "step": int(np.asarray(run.step)[-1])}
    switches = [
        {**switch, "before": {"task": switch["before"]["task"], **known}}
        for switch, known in zip(run.switches, values, strict=False)
    ]
    if switched:
        before = {"task": said["task"]["name"], **values[-1]}
        switches.append(
            {**at, "row": np.size(run.ts) - 1, "task": settings["task"]["name"], "before": before}
        )
    past = list(said.get("went_on_from", ()))
    if switched or any(said.get(name) != settings[name] for name in STRETCH):
        stretch = {name: said.get(name) for name in STRETCH}
        past.append({**at, **stretch, "task": said["task"]["name"]})
    return ({"switches": switches} if switches else {}) | ({"went_on_from": past} if past else {})
