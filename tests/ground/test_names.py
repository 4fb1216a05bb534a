"""Names that a file can't hold are refused where they are given, not when hours of work are to be
saved.
"""

import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn.simulation.checks import check_field

BAD = ["enc/w1", "", ".", "a\0b", "\ud800"]
AXES = ["time", "mode", "path", "group", "probe", "example", "unit_h"]


def network(nodes=("x", "h", "y"), edges=("a", "b")):
    x, h, y = nodes
    return rd.Network({x: 2, h: 3, y: 2}, {edges[0]: (x, h), edges[1]: (h, y)})


@pytest.mark.parametrize("name", BAD)
def test_networks_and_tasks_refuse_them(name):
    words = 'names that are text without "/".*Rename it'
    with pytest.raises(ValueError, match=f"`nodes` must have {words}"):
        network(nodes=("x", name, "y"))
    with pytest.raises(ValueError, match=f"`edges` must have {words}"):
        network(edges=("a", name))
    with pytest.raises(ValueError, match=f"`inputs` must have {words}"):
        rd.Task({name: np.eye(2)}, {"y": np.eye(2)})
    with pytest.raises(ValueError, match=f"`targets` must have {words}"):
        rd.Task({"x": np.eye(2)}, {name: np.eye(2)})


@pytest.mark.parametrize("name", [3, None])
def test_they_refuse_what_is_no_text(name):
    for make in (
        lambda: network(nodes=("x", name, "y")),
        lambda: network(edges=("a", name)),
        lambda: rd.Task({name: np.eye(2)}, {"y": np.eye(2)}),
        lambda: rd.Task({"x": np.eye(2)}, {name: np.eye(2)}),
    ):
        with pytest.raises(
            (ValueError, TypeError), match=r"Argument `(nodes|edges|inputs|targets)` must .*but"
        ):
            make()


@pytest.mark.parametrize("name", AXES)
def test_edges_are_not_called_as_axes(name):
    with pytest.raises(
        ValueError,
        match=f"`edges` must not have the name of an axis of what is observed, but '{name}'",
    ):
        network(edges=("a", name))


@pytest.mark.parametrize("name", ["a\0b", "\ud800", 3])
def test_labels_are_text(name):
    with pytest.raises(ValueError, match="`item_names` must be text"):
        rd.Task({"x": np.eye(2)}, {"y": np.eye(2)}, item_names=("a", name))
    with pytest.raises(ValueError, match="`feature_names` must be text"):
        rd.Task({"x": np.eye(2)}, {"y": np.eye(2)}, feature_names=("a", name))
    with pytest.raises(ValueError, match=r"`mode_names\[.*\]` must be text"):
        rd.Task({"x": np.eye(2)}, {"y": np.eye(2)}, mode_names={("x", "y"): ("a", name)})
    task = rd.Task({"x": np.eye(2)}, {"y": np.eye(2)})
    weights = {"a": np.ones((3, 2)), "b": np.ones((2, 3))}
    with pytest.raises((ValueError, TypeError), match=r"`Probe\.name` must be"):
        rd.train(network(), task, weights, lr=0.1, steps=1, observe=[rd.Probe(name, task)])


class Own(rd.AbstractSystem):
    observed: str = "z"
    axes: tuple = ("unit",)
    names: tuple = ()

    def y0(self):
        return jnp.ones(2)

    def vector_field(self, t, y, args):
        return -y

    def observe(self, t, y):
        return {self.observed: y}

    def dims(self):
        return {self.observed: self.axes}

    def labels(self):
        return dict([self.names]) if self.names else {}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        *(({"observed": name}, "`observables` must have names that are text") for name in BAD[:4]),
        ({"observed": "status"}, "`observables` must not have the name of a part of the file"),
        ({"axes": ("a/b",)}, "`dims` must have names that are text"),
        ({"axes": ("z",)}, "`dims` must not have an axis with the name of an observable"),
        (
            {"axes": ("end",)},
            "`dims` must not have an axis with the name of an observable or of a part",
        ),
        ({"axes": ("time",)}, "name the system's own axes, but 'time' is that of the run"),
        ({"axes": ("member",)}, "name the system's own axes, but 'member' is that of the run"),
        ({"axes": ()}, r"`dims\['z'\]` must name the 1 axes"),
        ({"axes": ("a", "b")}, r"`dims\['z'\]` must name the 1 axes"),
        ({"names": ("unit", ("a",))}, "must have 1 along 'unit'"),
        ({"names": ("unit", ("a", 3))}, "must be text to be saved"),
        ({"names": ("time", ("a", "b"))}, "name any axis but time"),
    ],
)
def test_systems_refuse_them_before_they_are_solved(fields, words):
    with pytest.raises(ValueError, match=words):
        rd.simulate(Own(**fields), jnp.linspace(0, 1, 3))


def test_what_is_allowed_can_be_saved(tmp_path):
    check_field(Own(names=("unit", ("a", "é -> ü"))), None)
    names = {"item_names": ("time", ""), "mode_names": {("enc x", "y.1"): ("", "mode")}}
    task = rd.Task({"enc x": np.eye(2)}, {"y.1": np.eye(2)}, **names)
    net = rd.Network(
        {"enc x": 2, "time": 3, "y.1": 2}, {"0.weight": ("enc x", "time"), "step": ("time", "y.1")}
    )
    weights = {"0.weight": np.full((3, 2), 0.1), "step": np.full((2, 3), 0.1)}
    run = rd.train(
        net,
        task,
        weights,
        lr=0.1,
        steps=2,
        observe=["strength", "activity:time", rd.Probe("ys", task)],
        progress=False,
    )
    found = rd.load(rd.save(tmp_path / "run.h5", run=run)).run
    assert list(found.end["weights"]) == ["0.weight", "step"] and "activity:time" in found
