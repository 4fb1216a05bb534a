"""What users hold can be copied and pickled: equal, and no more writable than before."""

import copy
import dataclasses
import inspect
import pickle

import jax
import numpy as np
import pytest

import racedyn as rd
from racedyn.networks import network_said, task_said

CSV = "item,flies,swims\nowl,1,0\ntuna,0,1\n"
GIVEN = {
    "from_arrays": lambda: rd.tasks.from_arrays(np.eye(3), np.arange(6.0).reshape(2, 3)),
    "random": lambda: rd.tasks.random([3.0, 1.0], 4, 3, key=0),
    "clusters": lambda: rd.tasks.clusters((3, 2)),
    "images": lambda: rd.tasks.images("digits"),
    "example": lambda: rd.tasks.example("animals"),
    "routing": lambda: rd.tasks.routing(
        3, 2, input_transforms=rd.tasks.transforms("rotation", 3, 4, key=0)
    ),
}
KEPT_APART = ("transforms",)  # no task
TASKS = [name for name in rd.tasks.__all__ if name[0].islower() and name not in KEPT_APART]
NETWORKS = {
    "chain": lambda: rd.networks.chain(rd.tasks.hierarchy(4), 2, 5, activation="relu"),
    "parallel": lambda: rd.networks.parallel(rd.tasks.hierarchy(4), (2, 3), 5),
    "fusion": lambda: rd.networks.fusion(rd.tasks.multimodal(), 3, 2, 5),
    "xor": lambda: rd.networks.xor(rd.tasks.xor(margin=0.5)),
    "routing": lambda: rd.networks.routing(rd.tasks.routing(3, 2), 8),
    "contextual": lambda: rd.networks.contextual(rd.tasks.contextual(4, 3)),
}
WAYS = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


def task_of(name, tmp_path):
    if name == "from_csv":
        (tmp_path / "items.csv").write_text(CSV)
        return rd.tasks.from_csv(tmp_path / "items.csv")
    if name in GIVEN:
        return GIVEN[name]()
    builder = getattr(rd.tasks, name)
    needed = {
        p.name: 4 for p in inspect.signature(builder).parameters.values() if p.default is p.empty
    }
    return builder(**needed)


def arrays_of(thing):
    """All NumPy arrays in it, however deep, in order."""
    if isinstance(thing, np.ndarray):
        return [thing]
    if isinstance(thing, dict):
        return [array for value in thing.values() for array in arrays_of(value)]
    if isinstance(thing, tuple | list):
        return [array for value in thing for array in arrays_of(value)]
    if dataclasses.is_dataclass(thing):
        fields = dataclasses.fields(thing)
        return [a for f in fields if f.init for a in arrays_of(getattr(thing, f.name))]
    return []


def check_equal(one, other):
    arrays = arrays_of(one), arrays_of(other)
    assert len(arrays[0]) == len(arrays[1]) > 0
    for a, b in zip(*arrays, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a.dtype, a.flags.writeable) == (b.dtype, b.flags.writeable)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", TASKS)
def test_tasks(name, way, tmp_path):
    task = task_of(name, tmp_path)
    again = WAYS[way](task)
    assert type(again) is type(task) and str(again) == str(task)
    assert task_said(again) == task_said(task)
    check_equal(task, again)
    assert not any(array.flags.writeable for array in (*again.inputs.values(), again.context))
    for pair, modes in task.all_modes().items():
        check_equal(modes, again.all_modes()[pair])
        check_equal(modes, WAYS[way](modes))


def test_all_networks_are_here():
    from_tasks = {"chain", "parallel", "fusion", "xor", "routing", "contextual"}
    assert set(NETWORKS) == from_tasks <= set(rd.networks.__all__)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name, way):
    network = NETWORKS[name]()
    again = WAYS[way](network)
    assert (again.nodes, again.edges, again.order) == (network.nodes, network.edges, network.order)
    assert network_said(again) == network_said(network) and repr(again) == repr(network)
    tables = {**again.node_gates, **again.edge_gates}
    assert not any(table.flags.writeable for table in tables.values())
    assert jax.tree.structure(again) == jax.tree.structure(network)


@pytest.mark.parametrize("way", WAYS)
def test_runs_and_systems(way):
    task = rd.tasks.hierarchy(items=4)
    network = rd.networks.chain(task, 2, 5)
    weights = network.init(rd.init.Gaussian(0.1), key=0)
    system = rd.reduce(network, task, weights, level="full")
    theory = rd.simulate(system, ts=[0.0, 1.0, 2.0])
    for run in (rd.train(network, task, weights, lr=0.1, steps=20, progress=False), theory):
        again = WAYS[way](run)
        assert again.dims == run.dims and again.labels == run.labels
        leaves = jax.tree.leaves(again), jax.tree.leaves(run)
        for a, b in zip(*leaves, strict=True):
            np.testing.assert_array_equal(a, b)
        said = [dataclasses.asdict(r.provenance) | {"modes": None} for r in (again, run)]
        assert str(said[0]) == str(said[1])
        check_equal(again.provenance.modes, run.provenance.modes)
    copied = rd.simulate(WAYS[way](system), ts=[0.0, 1.0, 2.0])
    np.testing.assert_array_equal(copied["loss"], theory["loss"])


def test_a_new_name_is_no_new_task():
    """`dataclasses.replace` of many routes: with a new name they stay many routes, with new data
    they are a task like any other.
    """
    task = rd.tasks.routing(3, 2)
    named = dataclasses.replace(task, name="mine")
    assert type(named) is type(task) and named.name == named.structure.name == "mine"
    assert task_said(named) == task_said(task) | {"name": "mine"}
    network = rd.networks.routing(task, 8)
    weights = network.init(rd.init.Gaussian(0.1), key=0)
    run = rd.train(network, task, weights, lr=0.1, steps=4, progress=False)
    further = rd.train(network, named, run, lr=0.1, steps=8, progress=False)
    assert further.provenance.settings["task"]["name"] == "mine"
    other = dataclasses.replace(task, targets={n: 2 * Y for n, Y in task.targets.items()})
    assert type(other) is rd.Task
