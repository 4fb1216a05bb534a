"""Bad inputs by kind of argument, and the public callables with arguments that are well. See `test_fuzz`."""

import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest import mock

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import racedyn as rd


@dataclasses.dataclass(frozen=True)
class Bad:
    """One value of an argument. `never`: it may not be accepted; else it may, or be refused in the package's words."""

    label: str
    value: Any
    never: bool = True


class Thing:
    """Of no use to anything."""

    def __repr__(self) -> str:
        return "<thing>"


def not_numbers() -> list[Bad]:
    """What is no number, whatever is asked for."""
    return [
        Bad("None", None),
        Bad("text", "three"),
        Bad("text of digits", "3"),
        Bad("bytes", b"3"),
        Bad("object", Thing()),
        Bad("class", Thing),
        Bad("dict", {"a": 1.0}),
        Bad("set", {1.0}),
        Bad("generator", (i for i in range(2))),
        Bad("function", lambda: 1.0),
        Bad("complex", 1 + 2j),
        Bad("date", np.datetime64("2020-01-01")),
        Bad("duration", np.timedelta64(3, "D")),
        Bad("masked", np.ma.masked),
        Bad("NaN", float("nan")),
        Bad("NaN in float32", np.float32("nan")),
        Bad("list of None", [None]),
        Bad("list of texts", ["a", "b"]),
        Bad("ragged", [[1.0], [1.0, 2.0]]),
        Bad("array of objects", np.array([Thing(), None])),
    ]


def counts(valid: int) -> list[Bad]:
    """For a whole number of at least 1."""
    return [
        *not_numbers(),
        *(
            Bad(repr(value), value)
            for value in (0, -1, 1.5, float("inf"), True, 10**26, 10**400, np.float64(2.5), np.int64(-3))
        ),
        Bad("a fraction in an array", np.array(1.5)),
        Bad("empty", []),
        Bad("as a real", float(valid), False),
        Bad("one in a list", [valid], False),
        Bad("0-d array", np.array(valid), False),
        Bad("JAX array", jnp.asarray(valid), False),
    ]


def whole(valid: int) -> list[Bad]:
    """For a whole number whose sign doesn't matter."""
    return [bad for bad in counts(valid) if bad.label not in ("0", "-1")]


def scalars(valid: float, *more: float) -> list[Bad]:
    """For a real number; `more`: what is out of its range."""
    return [
        *not_numbers(),
        *(Bad(repr(value), value) for value in (True, float("inf"), 10**400, *more)),
        Bad("empty", [], False),
        Bad("one in a list", [valid], False),
        Bad("0-d array", np.array(valid), False),
    ]


def positive(valid: float) -> list[Bad]:
    return scalars(valid, 0, -1.0, np.float64(-2), float("-inf"))


def reals(valid: float) -> list[Bad]:
    """For a real number of either sign, where truth values pass for one as in arrays."""
    return [dataclasses.replace(bad, never=bad.never and bad.label != "True") for bad in scalars(valid)]


def statused(valid: Any) -> list[Bad]:
    """For an array whose values that are not finite get a status of their own."""
    own = ("a NaN inside", "an infinity inside", "NaN")
    return [dataclasses.replace(bad, never=bad.never and bad.label not in own) for bad in arrays(valid)]


def states(valid: Any) -> list[Bad]:
    """For the start of a system of one's own, which may be a dict."""
    return [bad for bad in arrays(valid) if bad.label != "dict"]


def not_negative(valid: float) -> list[Bad]:
    return scalars(valid, -1.0, np.float64(-2), float("-inf"))


def arrays(valid: Any) -> list[Bad]:
    """For an array, whose own values are made bad in turn."""
    array = np.asarray(valid, float)
    first = (0,) * array.ndim

    def at_first(value: Any, dtype: Any = float) -> np.ndarray:
        changed = array.astype(dtype)
        changed[first] = value
        return changed

    hidden = np.ma.array(at_first(999.0), mask=False)
    hidden[first] = np.ma.masked
    return [
        *(bad for bad in not_numbers() if bad.label not in ("NaN in float32",)),
        Bad("a NaN inside", at_first(np.nan)),
        Bad("an infinity inside", at_first(np.inf)),
        Bad("a masked value inside", hidden),
        Bad("None inside", at_first(None, object)),
        Bad("a text inside", at_first("x", object)),
        Bad("as texts", array.astype(str)),
        Bad("as bytes", array.astype(bytes)),
        Bad("complex inside", at_first(1j, complex)),
        Bad("dates", array.astype(int).astype("datetime64[D]")),
        Bad("durations", array.astype(int).astype("timedelta64[D]")),
        Bad("as a list of texts", array.astype(str).tolist()),
        Bad("a record", np.zeros(2, [("a", float)])),
        Bad("a number of 400 digits", [10**400]),
        Bad("empty", np.zeros((0,) * array.ndim), False),
        Bad("one axis more", array[None], False),
        Bad("one row more", np.concatenate([np.atleast_1d(array)] * 2), False),
        Bad("as booleans", array != 0, False),
        Bad("a number", 1.0, False),
        Bad("a list", array.tolist(), False),
        Bad("no mask set", np.ma.array(array), False),
        Bad("float32", array.astype(np.float32), False),
    ]


def choices(valid: str) -> list[Bad]:
    """For one of several words."""
    return [
        Bad("another word", valid + "x"),
        *(Bad(repr(value), value) for value in (3, 1.5, True, (), [], {}, b"x", {valid: 1})),
        Bad("in a list", [valid], False),
        *(Bad(bad.label, bad.value) for bad in not_numbers() if bad.label in ("None", "object", "class", "function")),
        Bad("array of words", np.array([valid, "x"])),
        Bad("array", np.ones(2)),
    ]


def keys(valid: Any) -> list[Bad]:
    return [
        *(bad for bad in not_numbers()),
        *(Bad(repr(value), value) for value in (1.5, True, float("inf"), 10**26, -(10**26))),
        Bad("several keys", jax.random.split(jax.random.key(0), 2)),
        Bad("an old key", jax.random.PRNGKey(0), False),
        Bad("a list", [0]),
        Bad("0-d array", np.array(3), False),
        Bad("JAX array", jnp.asarray(3), False),
    ]


def names(valid: Any) -> list[Bad]:
    """For a list of names."""
    return [
        *(Bad(repr(value), value) for value in (3, 1.5, True, "text", b"x", [3], [None], [["a"]], {"a": 1}, [b"x"])),
        Bad("unknown", ["no such name"]),
        *(
            Bad(bad.label, bad.value)
            for bad in not_numbers()
            if bad.label in ("object", "class", "function", "array of objects")
        ),
        Bad("array", np.ones(2)),
    ]


def mappings(valid: Mapping[Any, Any]) -> list[Bad]:
    """For a dict of arrays."""
    key = next(iter(valid))

    def with_first(value: Any) -> dict[Any, Any]:
        return {**valid, key: value}

    return [
        *(Bad(repr(value), value) for value in (3, 1.5, True, "text", b"x", [], (), [None])),
        *(Bad(bad.label, bad.value) for bad in not_numbers() if bad.label in ("None", "object", "class", "generator")),
        Bad("array", np.ones((2, 2))),
        Bad("its values alone", list(valid.values())),
        Bad("empty dict", {}),
        Bad("an unknown name", {**valid, "no such name": valid[key]}),
        Bad("a number as a name", {**valid, 3: valid[key]}),
        Bad("another name", {"no such name": valid[key]}),
        *(Bad(f"first: {bad.label}", with_first(bad.value), bad.never) for bad in arrays(valid[key])),
    ]


def passed_on(valid: Mapping[str, Any]) -> list[Bad]:
    """For a dict of arrays whose values that are not finite come out again, or get a status of their own."""
    own = ("first: a NaN inside", "first: an infinity inside")
    return [dataclasses.replace(bad, never=bad.never and bad.label not in own) for bad in mappings(valid)]


def state_dicts(valid: Mapping[str, Any]) -> list[Bad]:
    return [dataclasses.replace(bad, never=bad.never and bad.label != "its values alone") for bad in mappings(valid)]


def nodes(valid: Mapping[str, Any]) -> list[Bad]:
    """For a dict of arrays whose names are free."""
    free = ("an unknown name", "another name")
    return [dataclasses.replace(bad, never=bad.label not in free and bad.never) for bad in mappings(valid)]


def paths(valid: Any) -> list[Bad]:
    """For the path of a file."""
    return [
        *(Bad(repr(value), value) for value in (3, 1.5, True, [], {}, (), [None], "", "a\0b")),
        *(bad for bad in not_numbers() if bad.label in ("object", "class", "function", "generator", "complex", "NaN")),
        Bad("array", np.ones((2, 2))),
    ]


def objects(valid: Any) -> list[Bad]:
    """For an object of the package, or of a library."""
    return [
        *(Bad(repr(value), value) for value in (3, 1.5, True, "text", b"x", [], (), [None])),
        *(Bad(bad.label, bad.value) for bad in not_numbers() if bad.label in ("None", "object", "class", "function")),
        Bad("array", np.ones((2, 2))),
        Bad("{}", {}, not isinstance(valid, Mapping)),
        Bad("its own class", type(valid)),
        Bad("several", [valid, valid], False),
    ]


def listed(valid: Any) -> list[Bad]:
    """For an object, or a list of them that may be empty."""
    return [dataclasses.replace(bad, never=bad.never and bad.label not in ("[]", "()")) for bad in objects(valid)]


def functions(valid: Any) -> list[Bad]:
    return [bad for bad in objects(valid) if bad.label not in ("class", "function", "its own class")]


def widths(valid: Any) -> list[Bad]:
    """For one whole number, or one per layer."""
    one = valid if isinstance(valid, int) else 3
    return [
        *(bad for bad in counts(one) if bad.label not in ("one in a list",)),
        *(Bad(f"[{value!r}]", [value]) for value in (None, "3", 1.5, 0, -1, True, 10**26, Thing(), [Thing()])),
    ]


def depths(valid: Any) -> list[Bad]:
    return [
        *(bad for bad in not_numbers()),
        *(
            Bad(repr(value), value)
            for value in (3, True, [], [0], [-1], [1.5], [float("inf")], ["2", "2"], [True, True])
        ),
        *(Bad(f"[{value!r}]", [value]) for value in (10**26, Thing(), 2j)),
        Bad("a matrix", [[2, 2]]),
        Bad("an array", np.array([2, 2]), False),
    ]


KINDS: Mapping[str, Callable[[Any], list[Bad]]] = {
    "count": counts, "whole": whole, "positive": positive, "not_negative": not_negative, "array": arrays, "choice": choices,
    "key": keys, "names": names, "dict": mappings, "object": objects, "function": functions, "widths": widths,
    "depths": depths, "number": scalars, "nodes": nodes, "path": paths, "listed": listed, "passed_on": passed_on, "state_dict": state_dicts, "real": reals, "statused": statused, "state": states,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Door:
    """A public callable, arguments that are well, and the kind of each that is tried; "?" where it may be None, "!" where
    it may be traced, as is then not tried."""

    name: str
    call: Callable[..., Any]
    well: Mapping[str, Any]
    kinds: Mapping[str, str]

    def bad(self) -> Iterator[tuple[str, Bad]]:
        """Each argument with each of its bad values."""
        for argument, kind in self.kinds.items():
            for bad in KINDS[kind.rstrip("?!")](self.well.get(argument, 1)):
                if not ("?" in kind and (bad.value is None or (isinstance(bad.value, dict) and not bad.value))):
                    yield argument, bad


@functools.cache
def doors() -> tuple[Door, ...]:
    """The public surface on the smallest problems."""
    tasks, networks, init, exact, plot = rd.tasks, rd.networks, rd.init, rd.exact, rd.plot
    represent = rd.representations
    task = tasks.hierarchy(2)
    routes, contexts, margin = tasks.routing(2, 1), tasks.contextual(2, 2), tasks.xor(1.0)
    chain, pair = networks.chain(task, 2, 3), networks.parallel(task, (2, 2), 3)
    routed, told, gated = (
        networks.routing(routes, 4),
        networks.contextual(contexts, 1, 4),
        networks.xor(margin, "xor", 4),
    )
    start = pair.init(init.Gaussian(0.1), key=0)
    layers = chain.init(init.Gaussian(0.1), key=0)
    ts = np.linspace(0.0, 1.0, 3)
    race = rd.systems.Pathways([2.0, 1.0], (2, 2), 0.1, 0.1)
    theory = rd.simulate(race, ts)
    trained = rd.train(pair, task, start, lr=0.1, steps=3, progress=False, record=["h1_1"], save_weights=True)
    relu = networks.chain(task, 2, 3, activation="relu")
    seen = rd.train(relu, task, layers, lr=0.1, steps=3, progress=False, record=["h1"], save_weights=True)
    flow = rd.reduce(pair, task, start)
    linear = rd.from_function(_decay, np.ones(2))
    S, q = np.array([2.0, 1.0]), np.array([[0.1, 0.1], [0.2, 0.2]])
    X, Y = np.eye(2), np.array([[1.0, 1.0], [1.0, 0.0]])
    path = pair.paths()[0]
    balanced = np.array([[1.0, 0.0], [0.0, 1.0]]) * 0.1
    graph = {"x": 2, "h": (3, "linear"), "y": 2}
    edges = {"a": ("x", "h"), "b": ("h", "y")}
    return tuple(
        Door(name, call, well, kinds)
        for name, call, well, kinds in (
            # tasks
            ("tasks.hierarchy", tasks.hierarchy, {"items": 2}, {"items": "count"}),
            ("tasks.order", tasks.order, {"items": 2}, {"items": "count"}),
            ("tasks.ring", tasks.ring, {"items": 3}, {"items": "count"}),
            ("tasks.grid", tasks.grid, {"rows": 2, "columns": 2}, {"rows": "count", "columns": "count"}),
            ("tasks.clusters", tasks.clusters, {"sizes": [2, 1], "properties": 1}, {"sizes": "depths", "properties": "count"}),
            ("tasks.cross_cutting", tasks.cross_cutting, {"branches": 2, "classes": 2, "properties": 1},
             {"branches": "count", "classes": "count", "properties": "count"}),
            ("tasks.contextual", tasks.contextual, {"items": 2, "contexts": 2, "structures": "tree"},
             {"items": "count", "contexts": "count", "structures": "choice"}),
            ("tasks.xor", tasks.xor, {"margin": 1.0}, {"margin": "not_negative"}),
            ("tasks.random", tasks.random, {"singular_values": [2.0, 1.0], "items": 3, "features": 3, "key": 0},
             {"singular_values": "array", "items": "count", "features": "count", "key": "key"}),
            ("tasks.routing", tasks.routing, {"domains": 2, "trained": 1, "inputs": X, "targets": Y, "pattern": "regular", "key": 0},
             {"domains": "count", "trained": "count?", "inputs": "array?", "targets": "array?", "key": "key", "pattern": "choice"}),
            ("tasks.from_arrays", tasks.from_arrays,
             {"X": X, "Y": Y, "name": "t", "item_names": ["a", "b"], "feature_names": ["c", "d"]},
             {"X": "array", "Y": "array", "item_names": "names?", "feature_names": "names?"}),
            ("Task", rd.Task, {"inputs": {"x": X}, "targets": {"y": Y}, "context": np.array([0, 1]), "num_contexts": 2},
             {"inputs": "nodes", "targets": "nodes", "context": "array?", "num_contexts": "count?"}),
            ("Task(bases)", lambda **given: rd.Task(**given).all_modes(),
             {"inputs": {"x": X}, "targets": {"y": X}, "bases": {("x", "y"): (X, X)}}, {"bases": "object"}),
            ("Task.sigma_yx", task.sigma_yx, {"source": "input", "target": "output"}, {"source": "choice?", "target": "choice?"}),
            ("Task.pair_modes", task.pair_modes, {"source": "input", "target": "output"}, {"source": "choice", "target": "choice"}),
            ("tasks.from_csv", tasks.from_csv, {"path": "no such file"}, {"path": "path"}),
            # networks
            ("Network", rd.Network, {"nodes": graph, "edges": edges, "num_contexts": 1, "node_gates": {"h": [1.0]},
             "edge_gates": {"a": [1.0]}, "edge_kinds": {"a": "relu"}},
             {"nodes": "object", "edges": "object", "num_contexts": "count", "node_gates": "dict?", "edge_gates": "dict?",
              "edge_kinds": "object?"}),
            ("Network(width)", lambda width: rd.Network({**graph, "h": width}, edges), {"width": 3}, {"width": "widths"}),
            ("Network(kind)", lambda kind: rd.Network({**graph, "h": (3, kind)}, edges), {"kind": "relu"}, {"kind": "choice"}),
            ("Network(ends)", lambda ends: rd.Network(graph, {**edges, "a": ends}), {"ends": ("x", "h")}, {"ends": "object"}),
            ("networks.chain", networks.chain, {"task": task, "depth": 2, "width": 3, "activation": "linear"},
             {"task": "object", "depth": "count", "width": "widths", "activation": "choice"}),
            ("networks.parallel", networks.parallel, {"task": task, "depths": (2, 2), "width": 3, "activation": "linear"},
             {"task": "object", "depths": "depths", "width": "widths", "activation": "choice"}),
            ("networks.routing", networks.routing, {"task": routes, "width": 4, "hidden_layers": 1, "sharing": "shared"},
             {"task": "object", "width": "count", "hidden_layers": "count", "sharing": "choice"}),
            ("networks.contextual", networks.contextual, {"task": contexts, "active": 1, "width": 3},
             {"task": "object", "active": "count?", "width": "count"}),
            ("networks.xor", networks.xor, {"task": margin, "gating": "xor", "width": 3},
             {"task": "object", "gating": "choice", "width": "count"}),
            ("networks.from_layers", networks.from_layers, {"network": chain, "layers": list(layers.values())},
             {"network": "object", "layers": "object"}),
            ("networks.from_layers(matrix)", lambda matrix: networks.from_layers(chain, [matrix, layers["w2"]]),
             {"matrix": np.asarray(layers["w1"])}, {"matrix": "array"}),
            ("networks.from_layers(state)", lambda state: networks.from_layers(chain, state), {"state": dict(layers)}, {"state": "state_dict"}),
            ("networks.check_weights", networks.check_weights, {"network": pair, "weights": start},
             {"network": "object", "weights": "dict"}),
            ("networks.check_task", networks.check_task, {"network": pair, "task": task}, {"network": "object", "task": "object"}),
            ("networks.split_units", networks.split_units, {"network": pair, "weights": start},
             {"network": "object", "weights": "dict"}),
            ("networks.forward", networks.forward, {"network": chain, "weights": layers, "inputs": {"input": jnp.eye(2)}},
             {"network": "object", "weights": "passed_on", "inputs": "passed_on"}),
            ("networks.path_maps", networks.path_maps,
             {"network": pair, "weights": start, "modes": task.all_modes(), "paths": [path]},
             {"network": "object", "weights": "passed_on", "modes": "object", "paths": "names"}),
            ("networks.observe_paths", networks.observe_paths,
             {"network": pair, "weights": start, "modes": task.all_modes(), "paths": [path]},
             {"network": "object", "weights": "passed_on", "modes": "object", "paths": "names"}),
            ("network.init", pair.init, {"law": init.Aligned(0.1), "key": 0, "task": task},
             {"law": "object", "key": "key", "task": "object"}),
            ("network.init(Gaussian)", pair.init, {"law": init.Gaussian(0.1), "key": 0}, {"key": "key"}),
            ("init.Gaussian", init.Gaussian, {"std": 0.1}, {"std": "positive"}),
            ("init.Orthogonal", init.Orthogonal, {"scale": 0.1}, {"scale": "positive"}),
            ("init.Aligned", init.Aligned, {"scale": 0.1, "bases": "nodes"}, {"scale": "positive", "bases": "choice"}),
            ("init.Balanced", init.Balanced, {"scale": 0.1}, {"scale": "positive"}),
            # training, reductions
            ("train", rd.train, {"network": pair, "task": task, "weights": start, "lr": 0.1, "steps": 2, "save_every": 1,
             "loss": "mean", "optimiser": optax.sgd(0.1), "weight_decay": 0.0, "stages": None, "dtype": "float64",
             "probes": {"other": task}, "record": ["h1_1"], "paths": [path], "checkpoint": print, "progress": False},
             {"network": "object", "task": "object", "weights": "dict", "lr": "positive?", "steps": "count",
              "save_every": "count?", "loss": "choice", "optimiser": "object?", "weight_decay": "not_negative", "stages": "names?",
              "dtype": "choice?", "probes": "object?", "record": "names", "paths": "names?", "checkpoint": "function?"}),
            ("reduce", rd.reduce, {"network": pair, "task": task, "weights": start, "level": "full", "weight_decay": 0.0,
             "bases": "nodes", "paths": [path]},
             {"network": "object", "task": "object", "weights": "dict", "level": "choice", "weight_decay": "not_negative",
              "stages": "names?", "bases": "choice", "paths": "names?"}),
            ("reduce(pathway)", rd.reduce, {"network": pair, "task": task, "weights": start, "branch": "larger"},
             {"weights": "dict", "branch": "choice"}),
            ("project", rd.project, {"network": pair, "task": task, "weights": start,
             "bases": {name: np.eye(node.width) for name, node in pair.nodes.items()}},
             {"network": "object", "task": "object", "weights": "dict", "bases": "dict"}),
            ("statistics", rd.statistics, {"network": routed, "task": routes, "paths": [routed.paths()[0]]},
             {"network": "object", "task": "object", "paths": "names?", "given": "object?"}),
            # systems and solves
            ("systems.Pathways", rd.systems.Pathways, {"singular_values": S, "depths": (2, 2), "q": q, "p": q, "variances": S,
             "loss_floor": 0.0, "weight_decay": 0.0, "path_names": ["a", "b"], "mode_names": ["a", "b"]},
             {"singular_values": "array", "depths": "depths", "q": "array", "p": "array", "variances": "array",
              "loss_floor": "real", "weight_decay": "real", "path_names": "names?", "mode_names": "names?"}),
            ("from_function", lambda **given: rd.simulate(rd.from_function(**given), ts),
             {"function": _decay, "y0": np.ones(2)}, {"function": "function", "y0": "state"}),
            ("simulate", rd.simulate, {"system": linear, "ts": ts, "t0": 0.0, "rtol": 1e-6, "atol": 1e-8, "max_steps": 64,
             "method": "ode", "solver": dfx.Tsit5(), "dt0": 0.1, "stepsize_controller": dfx.PIDController(1e-6, 1e-6),
             "adjoint": dfx.ForwardMode(), "event": dfx.Event(_never)},
             {"system": "object", "ts": "array", "t0": "number", "rtol": "positive", "atol": "not_negative?", "max_steps": "count",
              "method": "choice", "solver": "object?", "retry": "object?", "dt0": "positive?", "stepsize_controller": "object?",
              "adjoint": "object?", "event": "object?"}),
            ("solve", rd.solve, {"system": linear, "ts": ts, "t0": 0.0, "rtol": 1e-6, "max_steps": 64},
             {"system": "object", "ts": "array", "t0": "number", "rtol": "positive", "max_steps": "count", "solver": "object?"}),
            ("ensemble", rd.ensemble, {"build": linear, "members": {"initial": np.ones((2, 2))}, "ts": ts, "observe": ["y"],
             "method": "auto", "rtol": 1e-6, "max_steps": 64, "block": 2},
             {"build": "object", "members": "passed_on", "ts": "array?", "observe": "names?", "method": "choice", "rtol": "positive",
              "atol": "not_negative?", "max_steps": "count", "solver": "object?", "retry": "object?", "block": "count?",
              "devices": "object?", "path": "number?"}),
            ("ensemble(members)", lambda members: rd.ensemble(lambda i: linear, members, ts), {"members": 2}, {"members": "count"}),
            ("ensemble(build)", lambda build: rd.ensemble(lambda i: build, 2, ts), {"build": linear}, {"build": "object"}),
            # comparison, files
            ("compare", rd.compare, {"theory": theory, "trained": trained}, {"theory": "object", "trained": "object"}),
            ("learning_times", rd.learning_times, {"trajectory": theory, "fraction": 0.5},
             {"trajectory": "object", "fraction": "positive"}),
            ("Trajectory.member", theory.member, {"index": 0}, {"index": "whole"}),
            ("save", lambda run: rd.save("/no/such/folder/x.h5", run=run), {"run": theory}, {"run": "object"}),
            ("save(path)", lambda path: rd.save(path, run=theory), {"path": "/no/such/folder/x.h5"}, {"path": "path"}),
            ("load", rd.load, {"path": "no such file"}, {"path": "path"}),
            ("to_xarray", rd.to_xarray, {"trajectory": theory}, {"trajectory": "object"}),
            # closed forms
            ("exact.chain", exact.chain, {"singular_values": S, "layers": q, "variances": S, "ts": ts},
             {"singular_values": "array", "layers": "array", "variances": "array", "ts": "statused"}),
            ("exact.converged", _uncompiled(exact.converged, "_ends"), {"singular_values": S, "depths": (2, 2), "q": q, "p": q, "variances": S},
             {"singular_values": "statused", "depths": "depths", "q": "statused", "p": "statused", "variances": "statused"}),
            ("exact.trajectory", _uncompiled(exact.trajectory, "_unfold"), {"singular_values": S, "depths": (2, 2), "q": q, "p": q, "variances": S, "ts": ts},
             {"singular_values": "statused", "depths": "depths", "q": "statused", "p": "statused", "variances": "statused", "ts": "statused"}),
            ("exact.riccati", exact.riccati, {"first": balanced, "second": balanced, "sigma_yx": X, "ts": ts, "variance": 1.0},
             {"first": "array", "second": "array", "sigma_yx": "array", "ts": "statused", "variance": "positive"}),
            ("exact.two_layer", exact.two_layer, {"s": S, "d": S, "a0": S / 100, "ts": ts},
             {"s": "array", "d": "array", "a0": "array", "ts": "statused"}),
            ("exact.shallow", exact.shallow, {"s": S, "d": S, "b0": S / 100, "ts": ts},
             {"s": "array", "d": "array", "b0": "array", "ts": "statused"}),
            ("exact.two_layer_time", exact.two_layer_time, {"s": S, "d": S, "a0": S / 100, "fraction": 0.5},
             {"s": "array", "d": "array", "a0": "array", "fraction": "number"}),
            ("exact.xor", exact.xor, {"margin": 1.0, "gating": "xor", "a0": 0.01, "ts": ts},
             {"margin": "real", "gating": "choice", "a0": "real", "ts": "statused"}),
            ("exact.xor_time", exact.xor_time, {"margin": 1.0, "gating": "xor", "a0": 0.01, "fraction": 0.5},
             {"margin": "real", "gating": "choice", "a0": "real", "fraction": "real"}),
            ("exact.xor_statistics", exact.xor_statistics, {"margin": 1.0, "gating": "xor"},
             {"margin": "real", "gating": "choice"}),
            ("exact.xor_crossing", exact.xor_crossing, {"a0": 1e-4, "fraction": 0.5}, {"a0": "real", "fraction": "real"}),
            ("exact.early_pathways", exact.early_pathways,
             {"first": np.ones((3, 2)) * 0.1, "second": np.ones((1, 3)) * 0.1, "X": X, "Y": np.array([[1.0, -1.0]])},
             {"first": "array", "second": "array", "X": "array", "Y": "array"}),
            ("exact.routing", exact.routing, {"task": routes, "start": 0.1, "ts": ts, "group": 2, "hidden_layers": 1},
             {"task": "object", "start": "real", "ts": "statused", "group": "count?", "hidden_layers": "count"}),
            ("exact.contextual", exact.contextual, {"network": told, "task": contexts, "start": (0.1, 0.1), "ts": ts},
             {"network": "object", "task": "object", "start": "array", "ts": "statused"}),
            ("exact.contextual_modes", exact.contextual_modes, {"network": told, "task": contexts},
             {"network": "object", "task": "object"}),
            # gates, representations
            ("gates.patterns", rd.gates.patterns, {"run": seen, "task": task, "node": "h1"},
             {"run": "object", "task": "object", "node": "choice"}),
            ("gates.twin", rd.gates.twin, {"network": relu, "task": task, "run": seen, "by": "example", "at": 3},
             {"network": "object", "task": "object", "run": "object", "by": "choice", "at": "whole?", "gates_at": "whole?"}),
            ("representations.activity", represent.activity, {"network": pair, "weights": start, "task": task, "node": "h1_1"},
             {"network": "object", "weights": "dict", "task": "object", "node": "choice"}),
            ("representations.responses", represent.responses,
             {"network": gated, "weights": gated.init(init.Gaussian(0.1), key=0), "inputs": {"input": np.eye(3)},
              "node": "h_1", "context": 0},
             {"network": "object", "weights": "dict", "inputs": "dict", "node": "choice", "context": "whole?"}),
            ("representations.alignment", represent.alignment, {"network": pair, "weights": start},
             {"network": "object", "weights": "dict"}),
            ("representations.singular_values", represent.singular_values, {"weights": start}, {"weights": "object"}),
            ("representations.singular_values(array)", lambda matrix: represent.singular_values({"w": matrix}),
             {"matrix": X}, {"matrix": "array"}),
            ("representations.tangent_kernel", represent.tangent_kernel, {"network": pair, "weights": start, "task": task},
             {"network": "object", "weights": "dict", "task": "object"}),
            ("representations.open_outputs", represent.open_outputs, {"network": pair, "task": task},
             {"network": "object", "task": "object"}),
            ("representations.kernel_movement", represent.kernel_movement, {"first": X, "last": X}, {"first": "array", "last": "array"}),
            ("representations.mds", represent.mds, {"activities": [Y, Y], "dimensions": 2},
             {"activities": "array", "dimensions": "count"}),
            ("representations.similarity", represent.similarity, {"H": Y}, {"H": "array"}),
            ("representations.sharing", represent.sharing, {"similarities": np.eye(4), "size": 2},
             {"similarities": "statused", "size": "count"}),
            # figures
            ("plot.matrix", plot.matrix, {"values": Y}, {"values": "array"}),
            ("plot.network", plot.network, {"network": routed, "context": 0, "paths": [routed.paths()[0]]},
             {"network": "object", "context": "whole?", "paths": "names?"}),
            ("plot.race", plot.race, {"theory": theory, "trained": trained}, {"theory": "object", "trained": "object?"}),
            ("plot.loss", lambda run: plot.loss(run), {"run": trained}, {"run": "object"}),
            ("plot.strengths", plot.strengths, {"trajectory": theory}, {"trajectory": "object"}),
            ("plot.learning_times", lambda run: plot.learning_times(run), {"run": theory}, {"run": "object"}),
            ("plot.phase_plane", plot.phase_plane, {"depth": 3, "singular_value": 1.0, "variance": 1.0, "trajectories": theory},
             {"depth": "count", "singular_value": "positive", "variance": "positive", "trajectories": "listed?"}),
        )
    )  # fmt: skip


def _uncompiled(function: Callable[..., Any], jitted: str) -> Callable[..., Any]:
    """A function up to what it compiles: the races take a quarter of a minute."""

    def call(**given: Any) -> Any:
        with mock.patch.object(sys.modules[function.__module__], jitted, lambda *arrays: arrays[:4]):
            return function(**given)

    return call


def _decay(t: Any, y: Any, args: Any) -> Any:
    return -y


def _never(t: Any, y: Any, args: Any, **kwargs: Any) -> Any:
    return jnp.asarray(1.0)
