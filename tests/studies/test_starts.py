"""Parts of a start: narrow networks in the modes."""

import numpy as np
import pytest

import racedyn as rd
from racedyn.studies.concentration.starts import PARTS, narrow, switched

TASK = rd.tasks.order(items=4)  # all outputs are in the modes, as in the narrow network


def _start(depth, parts):
    wide = rd.networks.parallel(TASK, [depth, depth], 60)
    weights = wide.init(rd.init.Gaussian(std=0.1), key=0)
    small, in_modes = narrow(TASK, 2, depth)
    return wide, weights, small, in_modes, switched(wide, weights, TASK, PARTS[parts])


def _maps(network, weights):
    """W_a, (path, n_out, n_in)."""
    paths = [[np.asarray(weights[edge]) for edge in path[::-1]] for path in network.paths()]
    return np.array([np.linalg.multi_dot(path) for path in paths])


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_strengths_of_the_start_are_kept(depth):
    """U^T W_a V of the whole start; its diagonal where parts of two modes are left out."""
    maps = {}
    for parts in PARTS:
        wide, weights, small, _, kept = _start(depth, parts)
        maps[parts] = _maps(small, kept)
    U, V = TASK.modes.U, TASK.modes.V
    whole = U.T @ _maps(wide, weights) @ V
    np.testing.assert_allclose(maps["all"], whole, atol=1e-12)
    diagonal = np.diagonal(maps["none"], axis1=1, axis2=2)
    np.testing.assert_allclose(diagonal, np.diagonal(whole, axis1=1, axis2=2), atol=1e-12)
    assert np.abs(maps["none"] - diagonal[:, None] * np.eye(4)).max() < 1e-12


@pytest.mark.long
def test_the_whole_start_learns_as_the_level_of_signals_does():
    wide, weights, small, in_modes, kept = _start(3, "all")
    ends = []
    for system in (
        rd.reduce(wide, TASK, weights, level="signals"),
        rd.reduce(small, in_modes, kept, level="full"),
    ):
        run = rd.simulate(system, [0.0, 4.0, 40.0], observe=["strength_matrix"])
        ends.append(run["strength_matrix"])
    np.testing.assert_allclose(ends[1], ends[0], atol=1e-5)
    *_, alone = _start(3, "none")
    run = rd.simulate(rd.reduce(small, in_modes, alone, level="full"), [0.0, 40.0])
    assert run["off_diagonal"].max() < 1e-6  # modes that don't know each other
