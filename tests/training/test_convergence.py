"""Whether a training says that it ended too early: floors against known least losses, and runs that
stop on the way.
"""

import numpy as np
import pytest

import racedyn as rd
from racedyn.training.convergence import Least, judge, least_loss

TASK = rd.tasks.hierarchy(4)
RNG = np.random.default_rng(0)


def train(network, task, std=0.3, **options):
    weights = network.init(rd.init.Gaussian(std), key=0)
    return rd.train(
        network, task, weights, **{"lr": 0.1, "steps": 40, "progress": False, **options}
    )


def test_floors_are_least_losses():
    """Of maps by least squares; of narrow networks by Eckart and Young; the weakest direction by
    the modes.
    """
    network = rd.networks.parallel(TASK, depths=(3, 2), width=8)
    shares = 0.5 * TASK.modes.S**2 / TASK.modes.variances
    assert least_loss(network, TASK) == pytest.approx((0, True, shares[-1]))
    noisy = rd.tasks.from_arrays(RNG.standard_normal((3, 20)), RNG.standard_normal((2, 20)))
    fit = np.linalg.lstsq(noisy.X.T, noisy.Y.T, rcond=None)[0].T @ noisy.X
    floor, exact, weakest = least_loss(rd.networks.chain(noisy, 2, 5), noisy)
    assert exact and floor == pytest.approx(0.5 * np.sum((noisy.Y - fit) ** 2) / 20)
    assert weakest == pytest.approx(0.5 * np.linalg.svd(fit, compute_uv=False)[1] ** 2 / 20)
    # Ranks of pathways add up: 1 + 1 of 4.
    floor, exact, weakest = least_loss(rd.networks.parallel(TASK, depths=(3, 2), width=1), TASK)
    assert (
        exact and floor == pytest.approx(shares[2:].sum()) and weakest == pytest.approx(shares[1])
    )


def test_where_the_floor_is_only_a_bound():
    tanh = rd.networks.chain(TASK, 2, 8, activation="tanh")
    assert least_loss(tanh, TASK)[:2] == (0, False)
    narrow = rd.Network(
        {"input": 4, "h": 1, "a": 1, "b": 1, "output": 7},
        {
            "in": ("input", "h"),
            "a1": ("h", "a"),
            "b1": ("h", "b"),
            "a2": ("a", "output"),
            "b2": ("b", "output"),
        },
    )
    assert not least_loss(narrow, TASK).exact, "two paths share a matrix of rank one"
    routes = rd.tasks.routing(domains=3, trained=2)
    assert least_loss(rd.networks.routing(routes, width=64), routes)[:2] == (0, True)
    with pytest.warns(UserWarning, match="can learn 2 of the 4 modes"):
        assert not least_loss(rd.networks.routing(routes, width=2), routes).exact


def test_a_run_that_ends_early_says_so():
    network = rd.networks.parallel(TASK, depths=(2, 2), width=8)
    early, late = train(network, TASK), train(network, TASK, steps=4000)
    assert early.stats["converged"] == 0 and late.stats["converged"] == 1
    floor, _, weakest = least_loss(network, TASK)
    for run in (early, late):
        left = run.observables["loss"][-1] - floor
        assert float(run.stats["loss_left"]) == pytest.approx(
            left / run.observables["loss"][0], rel=1e-9
        )
        # No mode lacks more of its S/d than the bound says.
        missing = (
            1 - run.observables["strength"][-1].sum(axis=0) * TASK.modes.variances / TASK.modes.S
        )
        assert np.abs(missing).max() <= float(run.stats["unlearned"]) + 1e-12
        assert float(run.stats["unlearned"]) == pytest.approx((left / weakest) ** 0.5, rel=1e-6)
    assert "converged    no: " in str(early) and "converged    yes: " in str(late)
    note = "training ended before it had converged"
    assert note in str(rd.compare(early, early)) and note not in str(rd.compare(late, late))


def test_a_plateau_is_not_an_end():
    """From small weights nothing falls for long: the floor says that this is no end."""
    network = rd.networks.parallel(TASK, depths=(2, 2), width=8)
    run = train(network, TASK, std=1e-6)
    loss = run.observables["loss"]
    assert abs(loss[-1] / loss[0] - 1) < 1e-8 and run.stats["converged"] == 0
    # Where a floor is only a bound, it is not known; and no alarm is raised.
    tanh = rd.networks.parallel(TASK, depths=(2, 2), width=8, activation="tanh")
    still, falling = train(tanh, TASK, std=1e-6), train(tanh, TASK)
    assert np.isnan(
        still.stats["converged"]
    ) and "not known: the loss stands still (an end, or a plateau)" in str(still)
    assert falling.stats["converged"] == 0


@pytest.mark.slow
def test_a_narrow_network_comes_to_its_own_floor():
    narrow = train(rd.networks.parallel(TASK, depths=(2, 2), width=1), TASK, steps=4000)
    assert narrow.stats["converged"] == 1 and narrow.observables["loss"][-1] == pytest.approx(
        float(narrow.stats["loss_floor"])
    )
    assert narrow.stats["loss_floor"] > 0.1


@pytest.mark.slow
def test_weight_decay_has_an_end_above_the_floor():
    network = rd.networks.parallel(TASK, depths=(2, 2), width=8)
    decayed = train(network, TASK, weight_decay=0.05, steps=2000)
    assert decayed.observables["loss"][-1] > 1e-3 and np.isnan(decayed.stats["converged"])
    assert train(network, TASK, weight_decay=0.05).stats["converged"] == 0


def test_after_a_switch_it_is_the_new_task_that_counts():
    network = rd.networks.parallel(TASK, depths=(2, 2), width=8)
    late = train(network, TASK, steps=4000)
    other = rd.Task(dict(TASK.inputs), {"output": -TASK.Y}, name="reversed")
    both = rd.train(network, other, late, lr=0.1, steps=40, modes=TASK, progress=False)
    assert both.stats["converged"] == 0
    segment = both.segment(1)
    whole = float(segment.observables["loss"].max())
    assert float(both.stats["loss_left"]) == pytest.approx(
        segment.observables["loss"][-1] / whole, rel=1e-9
    )


def test_judgement_of_few_rows():
    exact, bound = Least(1.0, True, 0.5), Least(0.0, False, np.nan)
    assert judge(np.zeros(1), np.full(1, 1.0), exact)["converged"] == 1, "it began at its floor"
    assert judge(np.arange(2.0), np.array([2.0, 1.5]), bound)["converged"] == 0, (
        "of two rows the second may fall"
    )
    flat = judge(np.arange(3.0), np.array([2.0, 1.0, 1.0]), bound)
    assert np.isnan(flat["converged"]) and flat["loss_left"] == pytest.approx(0.5)
    single = judge(np.arange(3.0), np.array([2, 1.5, 1 + 1e-7], np.float32), exact)
    assert single["converged"] == 1, "as near as single precision can say"
