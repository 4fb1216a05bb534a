"""Descent as a system: training's own steps, alone and as members of an ensemble, and its limit."""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn.systems import Descent

TASK = rd.tasks.hierarchy(items=4)
NETWORK = rd.networks.parallel(TASK, depths=(2, 3), width=12)
LAW = rd.init.Gaussian(std=0.15)
RACE = rd.systems.Pathways([4.0, 2.0], depths=(3, 3), q=0.3, p=[[0.2], [0.1]])


def weights(key):
    return NETWORK.init(LAW, key=key)


def flow(key=0, **more):
    return rd.reduce(NETWORK, TASK, weights(key), level="full", **more)


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ({}, {}),
        ({"weight_decay": 0.01}, {"weight_decay": 0.01}),
        pytest.param(*2 * [{"stages": (("w1_1", "w1_2"), ("w2_1", "w2_2", "w2_3"))}], id="stages"),
    ],
)
def test_descent_of_a_network_is_its_training(settings, more):
    trained = rd.train(NETWORK, TASK, weights(0), lr=0.1, steps=200, save_every=50, **settings)
    run = rd.simulate(Descent(flow(**more), 0.1), ts=trained.ts)
    for name in ("strength", "loss", "off_diagonal"):
        np.testing.assert_allclose(run[name], trained[name], atol=1e-12)
    assert run.stats["num_steps"] == 200 and run.provenance.solver == "steps of 0.1"


def test_of_a_gated_network_with_another_convention_of_the_loss():
    task = rd.tasks.routing(domains=2, trained=1)
    network = rd.networks.routing(task, width=6)
    start = network.init(rd.init.Gaussian(std=0.2), key=0)
    trained = rd.train(network, task, start, lr=0.05, steps=100, save_every=100, loss="routes")
    lr = trained.ts[1] / 100
    run = rd.simulate(Descent(rd.reduce(network, task, start, level="full"), lr), ts=trained.ts)
    np.testing.assert_allclose(run["strength"], trained["strength"], atol=1e-12)


@pytest.mark.slow
def test_of_the_qp_equations_it_is_a_loop_and_tends_to_the_flow():
    S, depths = np.array([4.0, 2.0]), 3

    def by_hand(lr, steps):
        q, p = np.full((2, 1), 0.3) * np.ones((2, 2)), np.array([[0.2], [0.1]]) * np.ones((2, 2))
        for _ in range(steps):
            E = S - (q ** (depths - 1) * p).sum(axis=0)
            q, p = q + lr * q ** (depths - 2) * p * E, p + lr * q ** (depths - 1) * E
        return q ** (depths - 1) * p

    ts = np.array([0.0, 1.0, 3.0])
    exact = rd.simulate(RACE, ts=ts, method="exact")["strength"]
    off = []
    for lr in (0.02, 0.01):
        run = rd.simulate(Descent(RACE, lr), ts=ts)
        right = [by_hand(lr, round(t / lr)) for t in ts]
        np.testing.assert_allclose(run["strength"], right, rtol=1e-12)
        off.append(np.abs(run["strength"] - exact).max())
    assert off[0] / off[1] == pytest.approx(2.0, rel=0.1)


@pytest.mark.slow
def test_members_differ_in_weights_and_steps_and_one_that_diverges_fails_alone():
    steps = [0.1, 0.05, 5.0]

    def build(i):
        return Descent(flow(int(i)), steps[int(i) % 3])

    ts = np.array([0.0, 100.0, 200.0])
    with pytest.warns(RuntimeWarning, match="2 of 6 members failed"):
        many = rd.ensemble(build, 6, ts)
    assert (many.status == [0, 0, rd.Status.NOT_FINITE] * 2).all()
    for i in (0, 1, 3, 4):
        lr = steps[i % 3]
        trained = rd.train(
            NETWORK, TASK, weights(i), lr=lr, steps=round(200 / lr), save_every=round(100 / lr)
        )
        np.testing.assert_allclose(many["strength"][i], trained["strength"], atol=1e-12)
    assert np.isfinite(many["strength"][2, 0]).all() and np.isnan(many["strength"][2, 2]).all()


@pytest.mark.long
def test_no_bit_of_a_member_depends_on_blocks_or_order():
    def build(i):
        return Descent(flow(int(i)), 0.1)

    ts = np.array([0.0, 10.0])
    whole = rd.ensemble(build, 100, ts)["strength"]
    np.testing.assert_array_equal(rd.ensemble(build, 100, ts, block=64)["strength"], whole)
    order = np.random.default_rng(0).permutation(100)
    np.testing.assert_array_equal(rd.ensemble(build, order, ts)["strength"], whole[order])


@pytest.mark.slow
def test_drawn_networks_descend_as_members():
    network = rd.networks.parallel(TASK, depths=(3, 3), width=10**8)
    law = rd.init.Gaussian(std=3e-5)
    drawn = [rd.compress(network, TASK, law, key=k, lr=0.1, steps=400) for k in range(2)]
    problems = rd.reduction.of_one_shape(drawn)
    many = rd.ensemble(
        lambda i: Descent(rd.reduce(problems[i], level="full"), 0.1), 2, ts=[0.0, 20.0, 40.0]
    )
    for one, own in zip(drawn, many["strength"], strict=True):
        alone = rd.train(one.problem, lr=0.1, steps=400, save_every=200)["strength"]
        np.testing.assert_allclose(own, alone, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_after_a_switch_it_goes_on_from_where_it_was():
    other = Descent(rd.systems.Pathways([-4.0, 2.0], depths=(3, 3), q=1.0, p=1.0), 0.1)
    both = rd.systems.Piecewise([Descent(RACE, 0.1), other], switches=[5.0])
    run = rd.simulate(both, ts=[0.0, 5.0, 9.0], observe=["strength", "states"])
    at = jax.tree.map(lambda leaf: jnp.asarray(leaf[1]), run.ys)
    later = rd.simulate(other.at(at), ts=[0.0, 4.0])
    np.testing.assert_allclose(run["strength"][2], later["strength"][1], rtol=1e-12)
    assert run.provenance.solver == "steps of 0.1, 0.1"


def test_steps_are_bounded_and_said():
    with pytest.raises(rd.simulation.SolveError, match="used up its steps") as failed:
        rd.simulate(Descent(RACE, 0.1), ts=[0.0, 1.0, 5.0], max_steps=20)
    run = failed.value.trajectory
    assert np.isfinite(run["strength"][:2]).all() and np.isnan(run["strength"][2]).all()
    assert (np.asarray(run.stats["num_steps"]) == 20).all()  # and are not tried by another solver


@pytest.mark.parametrize("lr", [0.0, -0.1, [0.1, 0.2], np.nan, "fast"])
def test_a_step_that_is_none_is_refused(lr):
    with pytest.raises((ValueError, TypeError), match="`lr`"):
        Descent(RACE, lr)


def test_what_is_no_flow_is_refused_and_so_is_what_is_for_a_solver():
    descent = Descent(RACE, 0.1)
    for system in (descent, "race", rd.systems.Piecewise([RACE, RACE], switches=[1.0])):
        with pytest.raises(TypeError, match="`system`"):
            Descent(system, 0.1)
    for name, value in (("rtol", 1e-6), ("jumps", [1.0]), ("crossings", {"half": 0.5})):
        for door in (rd.simulate, rd.solve):
            with pytest.raises(ValueError, match=f"`{name}` must be left out beside a system that"):
                door(descent, ts=[0.0, 1.0], **{name: value})
    for name in ("retry", "adjoint"):
        value = {"retry": dfx.Kvaerno5(), "adjoint": dfx.ForwardMode()}[name]
        with pytest.raises(ValueError, match=f"`{name}` must be left out beside a system that"):
            rd.simulate(descent, ts=[0.0, 1.0], **{name: value})
    with pytest.raises(ValueError, match="`rtol` must be left out"):
        rd.ensemble(descent, {"lr": np.array([0.1, 0.2])}, [0.0, 1.0], rtol=1e-6)
    many = rd.ensemble(descent, {"lr": np.array([0.1, 0.05])}, [0.0, 1.0])
    assert many.provenance.solver == "steps"  # each its own
    alone = rd.simulate(Descent(RACE, 0.05), ts=[0.0, 1.0])
    np.testing.assert_allclose(many["strength"][1], alone["strength"], rtol=1e-12)
