"""The triple as one: checked once, taken by every door, unpacked into the three."""

import dataclasses

import jax
import numpy as np
import pytest

import racedyn as rd
from racedyn.networks import problem as module

TASK = rd.tasks.hierarchy(items=4)
NET = rd.networks.chain(TASK, depth=2, width=5)
WEIGHTS = NET.init(rd.init.Gaussian(std=0.1), key=0)
PROBLEM = rd.Problem(NET, TASK, WEIGHTS)
BASES = {name: np.eye(node.width) for name, node in NET.nodes.items()}

# name -> what a door gives, as arrays
DOORS = {
    "reduce": lambda *three: rd.reduce(*three, level="full").y0(),
    "reduce pathway": lambda *three: rd.reduce(*three).y0(),
    "train": lambda *three: rd.train(*three, lr=0.1, steps=2, observe=[], progress=False).end[
        "weights"
    ],
    "project": lambda *three: rd.project(*three, bases=BASES).weights,
    "activity": lambda *three: rd.representations.activity(*three, node=NET.order[1]),
    "tangent_kernel": rd.representations.tangent_kernel,
    "sharpness": rd.representations.sharpness,
}


@pytest.mark.parametrize("door", DOORS)
def test_every_door_takes_it_in_place_of_the_three(door, monkeypatch):
    apart = DOORS[door](NET, TASK, WEIGHTS)
    checks = []
    real = module.check_task
    monkeypatch.setattr(module, "check_task", lambda *given: checks.append(given) or real(*given))
    together = DOORS[door](PROBLEM)
    for one, other in zip(leaves(apart), leaves(together), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not any(given[0] is NET for given in checks), "it was checked when it was made"


@pytest.mark.parametrize("door", DOORS)
def test_doors_refuse_what_is_missing_or_twice(door):
    with pytest.raises(
        TypeError,
        match=r"must all be given, in this order, but without `task` and `weights`.*Problem",
    ):
        DOORS[door](NET)
    with pytest.raises(TypeError, match="but without `weights`"):
        DOORS[door](NET, TASK)
    with pytest.raises(
        ValueError, match=r"must be left out beside a Problem, which has them, but .*Task"
    ):
        DOORS[door](PROBLEM, TASK)


def test_it_unpacks_and_is_frozen():
    network, task, weights = PROBLEM
    assert network is NET and task is TASK and list(weights) == list(NET.edges)
    with pytest.raises(dataclasses.FrozenInstanceError):
        PROBLEM.task = TASK
    assert str(NET) in repr(PROBLEM) and "float64" in repr(PROBLEM)


def test_it_is_checked_when_it_is_made():
    with pytest.raises(ValueError, match="must have an array for every edge"):
        rd.Problem(NET, TASK, {})
    with pytest.raises(ValueError, match="`task` must have 4 rows at"):
        rd.Problem(NET, rd.tasks.hierarchy(items=8), WEIGHTS)
    with pytest.raises(TypeError, match="a Network and a Task, in this order"):
        rd.Problem(TASK, NET, WEIGHTS)
    with pytest.raises(ValueError, match="must be finite"):
        rd.Problem(NET, TASK, {edge: np.full(w.shape, np.nan) for edge, w in WEIGHTS.items()})


def test_what_projections_and_twins_return_the_next_function_takes():
    narrow = rd.project(PROBLEM, bases=BASES)
    run = rd.train(*narrow, lr=0.1, steps=2, progress=False)
    whole = rd.train(NET, TASK, WEIGHTS, lr=0.1, steps=2, progress=False)
    np.testing.assert_array_equal(run.observables["loss"], whole.observables["loss"])
    relu = rd.networks.chain(TASK, depth=2, width=5, activation="relu")
    twin = rd.gates.twin(rd.Problem(relu, TASK, WEIGHTS))
    assert twin.dead == rd.gates.twin(relu, TASK, WEIGHTS).dead
    assert isinstance(twin.problem, rd.Problem) and twin.network is twin.problem.network
    answers = rd.representations.activity(relu, TASK, WEIGHTS, node="output")
    np.testing.assert_allclose(
        rd.representations.activity(twin.problem, node="output"), answers, atol=1e-12
    )


def leaves(found):
    return jax.tree.leaves(found)
