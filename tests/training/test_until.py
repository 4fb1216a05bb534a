"""A training that ends when its loss is small enough: where, and what is said."""

import jax
import numpy as np
import optax
import pytest

import racedyn as rd
from racedyn import Status
from racedyn.training.convergence import judge, least_loss

TASK = rd.tasks.hierarchy(items=4)
NETWORK = rd.networks.parallel(TASK, depths=(2, 3), width=8)
WEIGHTS = NETWORK.init(rd.init.Gaussian(std=0.2), key=0)


def trained(steps=4000, network=NETWORK, weights=WEIGHTS, **options):
    return rd.train(network, TASK, weights, **{"lr": 0.04, "save_every": 5, **options}, steps=steps)


@pytest.mark.parametrize(
    "options",
    [
        {},
        *(
            pytest.param(o, marks=pytest.mark.slow)
            for o in ({"dtype": "float32"}, {"observe": ["weights"]})
        ),
    ],
)
def test_it_ends_at_the_first_row_that_is_converged(options):
    """Wherever blocks of rows begin and end, of which there are many here."""
    run, whole = trained(until="converged", **options), trained(**options)
    rows = len(run.ts)
    assert run.status == Status.SETTLED and not run.failed and 64 < rows < len(whole.ts)
    for name, values in run.observables.items():
        np.testing.assert_array_equal(values, whole[name][:rows])
    assert run.stats["num_steps"] == run.step[-1] and run.stats["converged"] == 1
    least = least_loss(NETWORK, TASK)
    before = judge(run.ts[:-1], run["loss"][:-1], least)
    assert before["converged"] == 0
    again = trained(steps=int(run.step[-1]), **options)
    for edge, matrix in run.end["weights"].items():
        np.testing.assert_array_equal(matrix, again.end["weights"][edge])


def test_it_ends_at_a_loss():
    whole = trained()
    asked = float(whole["loss"][37])
    run = trained(until=asked)
    assert run.status == Status.SETTLED and run.step[-1] == whole.step[37]
    assert run.stats["converged"] == 0 and "converged    no" in str(run)
    assert run.provenance.settings["until"] == asked
    at_start = trained(until=10.0)
    assert at_start.status == Status.SETTLED and at_start.step.tolist() == [0]
    never = trained(steps=100, until=1e-9)
    assert never.status == Status.DONE and never.step[-1] == 100 and "converged    no" in str(never)


@pytest.mark.parametrize(
    "optimiser", [None, pytest.param(optax.adam(1e-2), marks=pytest.mark.slow)]
)
def test_going_on_is_as_if_it_had_never_ended(optimiser):
    first = trained(until=0.5, optimiser=optimiser)
    for until in (0.5, 0.6):  # it is there
        assert trained(weights=first, until=until, optimiser=optimiser).step[-1] == first.step[-1]
    both = trained(weights=first, until=0.1, optimiser=optimiser)
    alone = trained(until=0.1, optimiser=optimiser)
    np.testing.assert_array_equal(both["loss"], alone["loss"])
    np.testing.assert_array_equal(both.step, alone.step)
    assert both.status == alone.status == Status.SETTLED


def test_another_task_ends_at_its_own_floor():
    other = rd.Task(TASK.inputs, {"output": -TASK.targets["output"]})
    first = trained(until="converged")
    both = rd.train(NETWORK, other, first, lr=0.04, steps=4000, save_every=5, until="converged")
    assert both.status == Status.SETTLED and both.step[-1] > first.step[-1]
    sums = both.segment(1)["strength"][-1].sum(axis=0)
    np.testing.assert_allclose(np.abs(sums), first["strength"][-1].sum(axis=0), atol=0.01)


def test_a_run_that_diverges_says_so_whatever_was_asked_for():
    with pytest.warns(RuntimeWarning, match="infinite or NaN"):
        run = trained(lr=100.0, until=1e-3)
    assert run.status == Status.NOT_FINITE


def test_what_can_not_be_known_or_is_no_loss():
    relu = rd.networks.parallel(TASK, depths=(2,), width=8, activation="relu")
    for network, options in ((relu, {}), (NETWORK, {"weight_decay": 0.1})):
        weights = network.init(rd.init.Gaussian(std=0.2), key=0)
        with pytest.raises(ValueError, match="`until` must be a loss here"):
            trained(network=network, weights=weights, until="converged", **options)
    with pytest.raises(ValueError, match="Did you mean 'converged'"):
        trained(until="convergd")
    for wrong in (0.0, -1.0, float("nan"), float("inf"), [0.1], jax):
        with pytest.raises((ValueError, TypeError), match="`until` must"):
            trained(until=wrong)
