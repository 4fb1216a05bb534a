"""A loop whose bound is met says so: nothing goes on with what it has by then."""

import sys

import numpy as np
import pytest

import racedyn as rd
from racedyn import exact
from racedyn.exact import early
from racedyn.reduction import matching
from racedyn.reduction.bases import closed_bases


def test_gates_of_which_no_state_is_in_keeping_with_the_others():
    """Two examples come to the kink at once; of the nine states of their gates none is pushed back
    to itself.
    """
    X = np.array([[-1.0, 1, 1, -1, 1, 0], [0, 1, 0, -1, -1, 0], [-1, 0, -1, -1, 0, 1]])
    Y = np.array([[1.0, -1, 1, -1, -1, -1]])
    with pytest.raises(
        RuntimeError,
        match=r"2 gates of a neuron .* not in keeping with each other after 100 sweeps",
    ):
        exact.early_pathways(np.array([[0.9, -0.8, 0.2]]), np.array([[1.3]]), X, Y)


def test_gates_for_which_there_are_too_few_sweeps(monkeypatch):
    task = rd.tasks.xor(0.0)
    start = np.array([[1.0, 1.0, 0.0]]), np.array([[3.0]])
    assert exact.early_pathways(*start, task.X, task.Y).start[0] == 0
    monkeypatch.setattr(early, "_SWEEPS", 1)
    with pytest.raises(RuntimeError, match="not in keeping with each other after 1 sweeps"):
        exact.early_pathways(*start, task.X, task.Y)


def test_roots_that_matching_does_not_find(monkeypatch):
    monkeypatch.setattr(matching, "_ITERATIONS", 2)
    with pytest.raises(RuntimeError, match="did not find the roots of depth 4 in 2 iterations"):
        matching.match(np.array([0.1]), np.array([1.0]), 4)


def test_bases_that_one_sweep_does_not_close_say_what_lies_outside():
    weights = {
        f"w{k}": np.random.default_rng(k).normal(size=shape)
        for k, shape in ((1, (9, 2)), (2, (9, 9)), (3, (2, 9)))
    }
    network = rd.networks.chain(rd.tasks.from_arrays(np.eye(2), np.eye(2)), 3, 9)
    assert closed_bases(network, weights, 1e-10).residual < 1e-9
    assert closed_bases(network, weights, 1e-10, sweeps=1).residual > 1e-3


def test_times_too_far_apart_for_the_steps_of_the_closed_form(monkeypatch):
    monkeypatch.setattr(sys.modules["racedyn.exact.riccati"], "MAX_STEPS", 8)
    with pytest.raises(
        ValueError, match=r"`ts` must be at most 8e\+00 / sqrt\(S\^2 \+ \(d lambda/2\)\^2\) apart"
    ):
        exact.riccati(np.eye(2), np.eye(2), np.eye(2), np.array([0.0, 9.0]))
