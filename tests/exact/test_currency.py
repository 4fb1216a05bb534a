"""Closed forms are Trajectories: each compares with, is drawn beside and saved with the run that it
is a theory of.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest

import racedyn as rd
from racedyn import Status, exact

TREE = rd.tasks.hierarchy(items=4)
TS = np.linspace(0, 40, 21)


def simulated(network, task, weights, level, **options):
    return rd.simulate(
        rd.reduce(network, task, weights, level=level, **options), TS, rtol=1e-10, progress=False
    )


def two_layer():
    network = rd.networks.chain(TREE, depth=2, width=6)
    weights = network.init(rd.init.Balanced(0.05), task=TREE, key=0)
    modes = TREE.modes
    a0 = np.einsum("ia,ij,ja->a", modes.U, weights["w2"] @ weights["w1"], modes.V)
    closed = exact.two_layer(modes.S, modes.variances, a0, TS, modes=modes)
    return closed, simulated(network, TREE, weights, "matrix")


def shallow():
    network = rd.networks.chain(TREE, depth=1, width=6)
    modes, b0 = TREE.modes, np.array([0.3, -0.2, 0.1, 0.0])
    weights = {"w1": (modes.U * b0) @ modes.V.T}
    return exact.shallow(modes.S, modes.variances, b0, TS, modes=modes), simulated(
        network, TREE, weights, "full"
    )


def chain():
    network = rd.networks.chain(TREE, depth=3, width=6)
    weights = network.init(rd.init.Aligned(0.4), task=TREE, key=0)
    modes = TREE.modes
    closed = exact.chain(modes.S, [0.4] * 3, TS, variances=modes.variances, modes=modes)
    return closed, simulated(network, TREE, weights, "modes")


def riccati():
    network = rd.networks.chain(TREE, depth=2, width=6)
    modes = TREE.modes
    rng = np.random.default_rng(0)
    frame = np.linalg.qr(rng.standard_normal((6, 4)))[0]
    turned = np.linalg.qr(rng.standard_normal((4, 4)))[
        0
    ]  # so that W2 W1 is not diagonal in the task's modes
    weights = {"w1": 0.2 * frame @ turned @ modes.V.T, "w2": 0.2 * modes.U @ frame.T}
    closed = exact.riccati(
        weights["w1"], weights["w2"], TREE.sigma_yx(), TS, variance=0.25, modes=modes
    )
    return closed, simulated(network, TREE, weights, "full")


def race():
    modes = TREE.modes
    given = modes.S, (2, 3), [[0.3], [0.6]], [[0.02], [0.01]]
    system = rd.systems.Pathways(*given, modes.variances, modes=modes, loss_floor=modes.floor)
    closed = exact.trajectory(*given, TS, variances=modes.variances, modes=modes)
    return closed, rd.simulate(system, TS, rtol=1e-11)


def xor(gating):
    task = rd.tasks.xor(0.8)
    network = rd.networks.xor(task, gating, width=4)
    weights = network.init(rd.init.Aligned(0.1, bases="paths"), task=task, key=0)
    return exact.xor(0.8, gating, 0.01, TS), simulated(network, task, weights, "matrix")


def routing():
    task = rd.tasks.routing(3, 2)
    network = rd.networks.routing(task, width=4)
    weights = network.init(rd.init.Aligned(0.3), task=task, key=0)
    return exact.routing(task, 0.3, TS), simulated(network, task, weights, "modes")


def contextual():
    """Trained in stages, from small random weights: the closed form is near throughout, and nearer
    at the end.
    """
    task = rd.tasks.contextual(items=4, contexts=3)
    network = rd.networks.contextual(task, width=8)
    weights = network.init(rd.init.Gaussian(std=1e-3), key=0)
    common = [edge for edge in network.edges if "common" in edge]
    stages = [common, [edge for edge in network.edges if edge not in common]]
    ts = np.array([0.0, 400.0, 800.0])
    flow = rd.reduce(network, task, weights, level="matrix", stages=stages)
    return exact.contextual(network, task, weights, ts), rd.simulate(
        flow, ts, rtol=1e-8, progress=False
    )


NATURAL = {
    "two_layer": two_layer,
    "shallow": shallow,
    "chain": chain,
    "riccati": riccati,
    "trajectory": race,
    "xor, linear": lambda: xor("linear"),
    "xor, xor": lambda: xor("xor"),
    "routing": routing,
    "contextual": contextual,
}


QUICK = {"xor", "shallow"}  # others compile for long


def marked(names):
    kinds = {
        name: pytest.mark.long
        if name in ("contextual", "xor, xor", "routing")
        else pytest.mark.slow
        for name in names
    }
    return [
        name if name in QUICK else pytest.param(name, marks=kind) for name, kind in kinds.items()
    ]


@pytest.mark.parametrize("name", marked(NATURAL))
def test_a_closed_form_compares_plots_saves_and_prints(name, tmp_path):
    closed, run = NATURAL[name]()
    assert (
        isinstance(closed, rd.Trajectory)
        and closed.provenance.kind == "exact"
        and not closed.failed
    )
    rows, far = (slice(1, None), 1e-2) if name == "contextual" else (slice(None), 1e-6)
    for observable in (
        {"loss", "strength", "edge_strength", "group_strength"}
        & {*closed.observables}
        & {*run.observables}
    ):
        assert closed.dims[observable] == run.dims[observable]
        np.testing.assert_allclose(
            closed.observables[observable][rows],
            run.observables[observable][rows],
            atol=far,
            err_msg=observable,
        )
    compared = rd.compare(closed, run)
    assert {"loss", "strength"} <= compared.errors.keys() and "closed" not in str(compared)
    assert not any("bas" in note for note in compared.notes) or name in (
        "xor, linear",
        "xor, xor",
        "routing",
        "contextual",
    )
    assert (
        len(rd.plot.race(closed, run)) >= 1 and rd.plot.loss(closed, run).get_legend() is not None
    )
    plt.close("all")
    path = rd.save(tmp_path / "closed.h5", closed=closed, run=run)
    again = rd.load(path)["closed"]
    assert (
        str(again) == str(closed)
        and again.labels == closed.labels
        and again.provenance.kind == "exact"
    )
    for observable, values in closed.observables.items():
        np.testing.assert_array_equal(again.observables[observable], values)
    assert "exact" in repr(closed) and "(time" in str(closed) and "nan" not in str(closed)


JITTED = {
    "two_layer": lambda x: exact.two_layer(x * jnp.ones(2), 1.0, 0.1, TS),
    "shallow": lambda x: exact.shallow(x * jnp.ones(2), 1.0, 0.1, TS),
    "chain": lambda x: exact.chain(x * jnp.ones(2), 0.3 * jnp.ones((3, 2)), TS),
    "riccati": lambda x: exact.riccati(
        0.1 * jnp.eye(2), 0.1 * jnp.eye(2), x * jnp.diag(jnp.array([2.0, 1.0])), TS
    ),
    "trajectory": lambda x: exact.trajectory(x * jnp.ones(2), (2, 3), 1.0, 0.1, TS),
    "xor": lambda x: exact.xor(x, "xor", 0.01, TS),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=pytest.mark.long if name in ("trajectory", "xor") else pytest.mark.slow
        )
        for name in JITTED
    ],
)
def test_they_work_inside_jit_grad_and_vmap(name):
    function = JITTED[name]
    inside = jax.jit(function)(0.8)
    assert isinstance(inside, rd.Trajectory) and inside.provenance is None
    outside = function(jnp.asarray(0.8))
    for observable, values in outside.observables.items():
        np.testing.assert_allclose(inside.observables[observable], values, rtol=1e-9, atol=1e-12)
    slope = jax.jit(jax.jacfwd(lambda x: function(x).observables["loss"][5]))(0.8)
    up, down = (
        float(function(jnp.asarray(x)).observables["loss"][5]) for x in (0.8 + 1e-6, 0.8 - 1e-6)
    )
    assert slope == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-9)
    many = jax.vmap(function)(jnp.array([0.5, 0.8]))
    np.testing.assert_allclose(
        many.observables["loss"][1], outside.observables["loss"], rtol=1e-9, atol=1e-12
    )


@pytest.mark.slow
def test_status_says_what_is_never_learned():
    found = exact.two_layer(
        [1.0, 1.0, -1.0, 0.0, 1.0], 1.0, [0.1, 0.0, 0.1, 0.1, -0.1], [0.0, np.inf]
    )
    never, learned = Status.UNLEARNED, Status.DONE
    assert [Status(int(x)) for x in found.status] == [learned, never, never, learned, never]
    np.testing.assert_allclose(found.observables["strength"][-1, 0], [1, 0, 0, 0, 0], atol=1e-70)
    as_chain = exact.chain([1.0, 1.0, -1.0, 0.0], np.sqrt([[0.1, 0.0, 0.1, 0.1]] * 2), [np.inf])
    np.testing.assert_array_equal(as_chain.status, found.status[:4])


def test_statuses_keep_their_numbers():
    """Files hold them."""
    names = "DONE SETTLED EVENT STEPS_EXHAUSTED NOT_FINITE FAILED INTERRUPTED UNLEARNED SYMMETRIC"
    assert [item.name for item in Status] == names.split() and [*Status] == [*range(9)]
    assert all(item.message for item in Status)


def test_modes_that_are_not_those():
    with pytest.raises(ValueError, match="`modes` must be the 2 that are solved, but there are 4"):
        exact.two_layer([1.0, 2.0], 1.0, 0.1, [0.0], modes=TREE.modes)
    with pytest.raises(TypeError, match="`modes` must be Modes"):
        exact.chain([1.0], [0.1], [0.0], modes=TREE)
    with pytest.raises(ValueError, match=r"`modes.U` must have 2 rows, but its shape is \(7, 4\)"):
        exact.riccati(np.eye(2), np.eye(2), np.eye(2), [0.0], modes=TREE.modes)
    with pytest.raises(ValueError, match=r"`margin` must be one number.*xor_loss"):
        exact.xor([0.5, 1.0], "xor", 0.1, [0.0])
    with pytest.raises(ValueError, match="`a0` must be a number, or one for each of 4 pathways"):
        exact.xor(0.5, "xor", [0.1, 0.1], [0.0])


def test_the_trained_run_is_not_the_theory():
    network = rd.networks.chain(TREE, depth=2, width=6)
    trained = rd.train(
        network, TREE, network.init(rd.init.Gaussian(0.1), key=0), lr=0.1, steps=4, progress=False
    )
    closed = exact.two_layer(TREE.modes.S, TREE.modes.variances, 0.1, trained.ts, modes=TREE.modes)
    with pytest.raises(ValueError, match="it is the trained run, and `trained` is the theory"):
        rd.compare(trained, closed)
    assert "strength" in rd.compare(closed, trained).errors
