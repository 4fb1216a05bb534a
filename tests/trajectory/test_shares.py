"""How pathways share a mode, as observed of trainings and theories: what the functions make of
strengths, at every door.
"""

import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn.paths import SHARES, observe_shares
from racedyn.trajectory import OBSERVABLES

TASK = rd.tasks.hierarchy(4)
NET = rd.networks.parallel(TASK, depths=(2, 3), width=6)
START = NET.init(rd.init.Gaussian(0.3), key=0)
ALIGNED = NET.init(rd.init.Aligned(0.3), task=TASK, key=0)
TS = np.linspace(0.0, 2.0, 3)
ASKED = ["strength", *SHARES]


def check(run):
    """That a run has what the functions make of its strengths, by names and axes of the table."""
    for name, expected in observe_shares(np.asarray(run["strength"])).items():
        np.testing.assert_allclose(run[name], expected, rtol=1e-13, atol=1e-15, err_msg=name)
        assert run.dims[name][-len(OBSERVABLES[name].axes) :] == OBSERVABLES[name].axes
    assert np.isfinite(run["participation"]).all()


def test_a_training_observes_what_the_functions_say():
    run = rd.train(NET, TASK, START, lr=0.1, steps=40, observe=ASKED, progress=False)
    check(run)
    only = rd.train(NET, TASK, START, lr=0.1, steps=40, observe=["winner"], progress=False)
    assert sorted(only.observables) == ["loss", "winner"]
    np.testing.assert_array_equal(only["winner"], run["winner"])


@pytest.mark.parametrize("level", ["full", "matrix", "signals", "maps", "modes", "pathway"])
@pytest.mark.slow
def test_theories_observe_what_the_functions_say(level):
    weights = ALIGNED if level in ("modes", "maps") else START
    system = rd.reduce(NET, TASK, weights, level=level)
    at_start = jnp.asarray(0.0), system.y0()
    found = system.observe_on_request(*at_start)
    for name, expected in observe_shares(system.observe(*at_start)["strength"]).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-12, err_msg=name)
        assert system.dims()[name] == OBSERVABLES[name].axes


@pytest.mark.slow
def test_races_by_all_doors_observe_what_the_functions_say():
    race = rd.systems.Pathways([3.0, 1.0], depths=(3, 2), q=1.0, p=[[0.02, 0.01], [0.01, 0.03]])
    check(rd.simulate(race, TS, observe=ASKED))
    check(rd.solve(race, TS, observe=ASKED))
    ends = rd.ensemble(race, {"singular_values": np.array([[3.0, 1.0], [1.0, 3.0]])}, observe=ASKED)
    assert ends.dims["winner"] == ("member", "time", "mode")
    check(ends)
    default = rd.simulate(race, TS)
    assert {*SHARES}.isdisjoint(default.observables)


def test_paths_of_several_pairs_have_no_shares():
    routes = rd.tasks.routing(2, 1)
    net = rd.networks.routing(routes, 4)
    weights = net.init(rd.init.Aligned(0.1), task=routes, key=0)
    for level in ("full", "modes"):
        system = rd.reduce(net, routes, weights, level=level)
        with pytest.raises(ValueError, match="'participation' is had from"):
            rd.simulate(system, TS, observe=["participation"], progress=False)
    with pytest.raises(ValueError, match="'share' of paths that join one pair"):
        rd.train(net, routes, weights, lr=0.1, steps=1, observe=["share"], progress=False)


# A run that goes on


def went_on(observe, task, run=None, **options):
    given = {"lr": 0.1, "steps": 4, "save_every": 2, "progress": False, **options}
    return rd.train(NET, task, START if run is None else run, observe=observe, **given)


def test_on_a_task_of_the_same_modes_in_another_order_shares_turn_with_strengths():
    order = [2, 0, 3, 1]
    other = rd.tasks.from_arrays(TASK.X, -TASK.Y, name="turned")
    modes = TASK.modes
    turned = rd.tasks.Modes(
        U=-modes.U[:, order],
        S=modes.S[order],
        V=modes.V[:, order],
        variances=modes.variances[order],
        misalignment=modes.misalignment,
        floor=modes.floor,
        names=tuple(np.array(modes.names)[order]),
        groups=tuple((i,) for i in range(4)),
    )
    run = went_on(ASKED, other, went_on(ASKED, TASK), modes=turned)
    check(run)


@pytest.mark.slow
def test_shares_of_other_modes_are_read_anew_or_refused():
    mixed = TASK.Y @ np.array([[1, 2, 0, 0], [0, 1, -1, 0], [3, 0, 1, 1], [0, 0, 1, 2.0]])
    other = rd.tasks.from_arrays(TASK.X, mixed, name="other")
    check(went_on(ASKED, other, went_on([*ASKED, "weights"], TASK)))
    check(went_on(ASKED, other, went_on([*ASKED, "strength_matrix"], TASK), modes=other))
    with pytest.raises(ValueError, match="it kept neither its weights nor strength matrices"):
        went_on(ASKED, other, went_on(["participation"], TASK), modes=other)


def test_among_other_paths_shares_are_others():
    first, second = NET.paths()
    before = went_on(ASKED, TASK, paths=[second])
    run = went_on(ASKED, TASK, before, paths=[first])
    assert run.labels["path"] == ("pathway 2", "pathway 1")
    assert np.isnan(run["participation"][:2]).all() and (run["participation"][2:] == 1).all()
    assert (run["winner"][2:] == 1).all()  # the second name along the joined axis
    both = went_on(ASKED, TASK, before, paths=[first, second])
    assert both.labels["path"] == ("pathway 2", "pathway 1")
    largest = np.argmax(np.abs(both["strength"][3:]), axis=1)
    np.testing.assert_array_equal(both["winner"][3:], largest)
