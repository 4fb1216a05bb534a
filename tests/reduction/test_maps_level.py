"""The level "maps" is the level "full" from balanced weights, over whole runs, and is refused
elsewhere.
"""

import numpy as np
import pytest

import racedyn as rd
from gated_examples import correlated_task

TASK = rd.tasks.hierarchy(4)
NAMES = ("loss", "strength", "group_strength", "off_diagonal")


def balanced(task, depths, width=6, scale=0.6, aligned=False):
    network = rd.networks.parallel(task, depths, width=width)
    weights = network.init(rd.init.Balanced(scale), key=0, task=task if aligned else None)
    return network, task, weights


def assert_maps_are_full(problem, t1=40.0, shape=None, **options):
    ts, runs = np.linspace(0.0, t1, 25), {}
    for level in ("maps", "full"):
        system = rd.reduce(*problem, level=level, **options)
        assert system.validity.exact
        runs[level] = rd.simulate(system, ts, rtol=1e-11)
        if level == "maps":
            assert shape is None or system.maps.shape[1:] == shape
    loss = runs["full"]["loss"]
    assert loss[-1] < 0.5 * loss[0], "the run must be one in which something is learned"
    for name in NAMES:
        difference = np.abs(runs["maps"][name] - runs["full"][name]).max()
        print(f"  {name}: {difference:.1e}")
        assert difference < 1e-8, name


DEPTHS = [
    *(pytest.param(depths, marks=pytest.mark.slow) for depths in ((2, 2), (1, 3))),
    *(pytest.param(depths, marks=pytest.mark.long) for depths in ((3, 4), (2, 3, 4))),
]


@pytest.mark.parametrize("depths", DEPTHS, ids=str)
def test_from_any_balanced_weights(depths):
    """Their maps leave the modes' span, so that the bases are completed."""
    assert_maps_are_full(balanced(TASK, depths), shape=(7, 4))


@pytest.mark.parametrize("depths", DEPTHS, ids=str)
def test_from_aligned_balanced_weights(depths):
    assert_maps_are_full(balanced(TASK, depths, scale=0.5, aligned=True), shape=(4, 4))


@pytest.mark.parametrize(
    "depths",
    [pytest.param(depths, marks=pytest.mark.long) for depths in ((3, 4), (2, 2))],
    ids=str,
)
def test_for_correlated_inputs(depths):
    problem = balanced(correlated_task(0), depths, width=8, scale=0.7)
    assert rd.reduce(*problem, level="maps").variances.ndim == 2
    assert_maps_are_full(problem, t1=20.0)


@pytest.mark.long
def test_through_a_layer_narrower_than_the_task_has_modes():
    """Rank 2 is kept: what rounding adds would grow as its power 1/D."""
    problem = balanced(TASK, (3, 4), width=2, scale=0.8)
    assert rd.reduce(*problem, level="maps").ranks == (2, 2)
    assert_maps_are_full(problem)


@pytest.mark.slow
def test_with_weight_decay():
    assert_maps_are_full(balanced(TASK, (3, 2)), weight_decay=0.02)


@pytest.mark.slow
def test_in_the_modes_of_another_task():
    other = rd.tasks.from_arrays(TASK.X, TASK.Y[::-1], name="other")
    assert_maps_are_full(balanced(TASK, (3, 2)), modes=other)


def test_the_floor_is_that_of_the_least_squares_fit():
    task = correlated_task(0)
    system = rd.reduce(*balanced(task, (2, 2)), level="maps")
    fit = task.Y @ np.linalg.pinv(task.X)
    floor = 0.5 * np.sum((task.Y - fit @ task.X) ** 2) / task.num_examples
    np.testing.assert_allclose(system.loss_floor, floor, rtol=1e-10)


def test_one_perturbed_entry_is_measured_and_refused():
    network, task, weights = balanced(TASK, (3, 2))
    off = weights | {"w1_2": weights["w1_2"].at[0, 0].add(1e-6)}
    with pytest.raises(
        ValueError,
        match=r"Level 'maps' is not exact here \(weights are not balanced, most of all those of "
        r"pathway 1: .* differ by \d.*e-0\d of their norms\), but level=.(full|matrix). is",
    ):
        rd.reduce(network, task, off, level="maps")
    system = rd.reduce(network, task, off, level="maps", inexact=True)
    assert not system.validity.exact and 1e-8 < system.validity["imbalance"]["pathway 1"] < 1e-5
    assert system.validity["imbalance"]["pathway 2"] < 1e-14
    assert "not exact, weights are not balanced" in str(system.validity)


@pytest.mark.slow
def test_any_start_goes_on_with_its_own_maps():
    network = rd.networks.parallel(TASK, (2, 2), width=6)
    weights = network.init(rd.init.Gaussian(0.1), key=0)
    with pytest.raises(ValueError, match="but level='matrix' is"):
        rd.reduce(network, TASK, weights, level="maps")
    system = rd.reduce(network, TASK, weights, level="maps", inexact=True)
    seen = rd.paths.observe_paths(network, weights, TASK.all_modes(), network.paths())
    observed = system.observe(0.0, system.y0())
    for name in ("strength", "off_diagonal", "group_strength"):
        np.testing.assert_allclose(observed[name], seen[name], rtol=1e-12)


@pytest.mark.parametrize("size", [1e-60, 1e60])
def test_balance_is_measured_whatever_the_size(size):
    network, task, weights = balanced(TASK, (2, 2))
    scaled = {edge: size * matrix for edge, matrix in weights.items()}
    assert rd.reduce(network, task, scaled, level="maps").validity.exact


@pytest.mark.slow
def test_other_graphs_are_refused():
    routes = rd.tasks.routing(2, 2)
    network = rd.networks.routing(routes, width=8)
    weights = network.init(rd.init.Gaussian(0.1), key=0)
    with pytest.raises(ValueError, match="share no edge at level 'maps'"):
        rd.reduce(network, routes, weights, level="maps")
    gated = rd.networks.xor(rd.tasks.xor(1.0), "xor", 4)
    start = gated.init(rd.init.Gaussian(0.1), key=0)
    with pytest.raises(ValueError, match="no gates at level 'maps'"):
        rd.reduce(gated, rd.tasks.xor(1.0), start, level="maps")
    network, task, weights = balanced(TASK, (2, 2))
    with pytest.raises(ValueError, match="`stages` must be left out at level 'maps'"):
        rd.reduce(network, task, weights, level="maps", stages=[["w1_1"], ["w1_2"]])
