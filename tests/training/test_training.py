"""Training: against a plain NumPy loop, conventions, going on, divergence, interruption, what is
recorded.
"""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import racedyn as rd
from racedyn.rules.losses import LOSSES
from racedyn.training import run as training
from racedyn.trajectory import BY_DEFAULT, Status

TASK = rd.tasks.hierarchy(4)
NET = rd.networks.parallel(TASK, depths=(3, 2), width=12)
START = NET.init(rd.init.Gaussian(0.3), key=0)


def train(**options):
    return rd.train(NET, TASK, START, **{"lr": 0.05, "steps": 40, "progress": False, **options})


def numpy_descent(task, weights, lr, steps):
    """Two pathways, W -= lr * grad of 1/2 < |y - yhat|^2 >, gradients by hand; strengths and loss
    before each step.
    """
    w = {edge: np.array(array) for edge, array in weights.items()}
    X, Y, P, modes = task.X, task.Y, task.num_examples, task.modes
    paths = NET.paths()
    strengths, losses = [], []
    for step in range(steps + 1):
        hidden = []
        for path in paths:
            signals = [X]
            for edge in path:
                signals.append(w[edge] @ signals[-1])
            hidden.append(signals)
        error = Y - sum(signals[-1] for signals in hidden)
        losses.append(0.5 * np.sum(error**2) / P)
        maps = [np.linalg.multi_dot([w[edge] for edge in reversed(path)]) for path in paths]
        strengths.append([np.diagonal(modes.U.T @ m @ modes.V) for m in maps])
        if step == steps:
            return w, np.array(strengths), np.array(losses)
        change = {}
        for path, signals in zip(paths, hidden, strict=True):
            back = error / P
            for edge, signal in zip(reversed(path), reversed(signals[:-1]), strict=True):
                change[edge] = back @ signal.T
                back = w[edge].T @ back
        for edge in w:
            w[edge] += lr * change[edge]


def test_against_a_plain_numpy_loop():
    run = train(steps=400, save_every=1)
    w, strengths, losses = numpy_descent(TASK, START, 0.05, 400)
    np.testing.assert_allclose(run.observables["strength"], strengths, rtol=0, atol=1e-10)
    np.testing.assert_allclose(run.observables["loss"], losses, rtol=0, atol=1e-10)
    for edge in w:
        np.testing.assert_allclose(run.end["weights"][edge], w[edge], rtol=0, atol=1e-10)
    assert losses[-1] < 0.1 * losses[0], (
        "the network learns: a comparison of constants would prove nothing"
    )
    np.testing.assert_allclose(run.ts, 0.05 * np.arange(401))


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.kind == "squared"])
def test_published_step_sizes_give_the_same_curve(name):
    """[Shi22] sum, [Jarvis25] half sum, PyTorch mse, [Saxe22] routes: factor x step size is what
    counts.
    """
    factor = {
        "mean": 1,
        "half_sum": TASK.num_examples,
        "sum": 2 * TASK.num_examples,
        "mse": 2 / TASK.Y.shape[0],
        "routes": 2 / TASK.Y.shape[0],
    }[name]
    base, other = train(), train(lr=0.05 / factor, loss=name)
    np.testing.assert_allclose(other.observables["loss"], base.observables["loss"], rtol=1e-12)
    np.testing.assert_allclose(other.ts, base.ts, rtol=1e-12)
    assert other.provenance.settings["loss_factor"] == pytest.approx(factor)


def test_rows_at_the_start_at_the_end_and_every_so_often():
    run = train(steps=10, save_every=4)
    np.testing.assert_array_equal(run.step, [0, 4, 8, 10])
    dense = train(steps=10, save_every=1)
    np.testing.assert_array_equal(
        run.observables["strength"], dense.observables["strength"][run.step]
    )
    assert len(train(steps=1300).ts) == 651, "about 500 rows unless asked otherwise"


def test_observables_are_those_of_the_weights_at_each_row():
    run = train(steps=6, save_every=2, observe=[*BY_DEFAULT, "strength_matrix", "weights"])
    modes = TASK.modes
    for row in range(4):
        w = {edge: array[row] for edge, array in run.ys.items()}
        m = modes.U.T @ w["w1_3"] @ w["w1_2"] @ w["w1_1"] @ modes.V
        np.testing.assert_allclose(run.observables["strength"][row, 0], np.diagonal(m), atol=1e-14)
        np.testing.assert_allclose(run.observables["strength_matrix"][row, 0], m, atol=1e-14)
        off = np.linalg.norm(m - np.diag(np.diagonal(m))) / np.linalg.norm(np.diagonal(m))
        assert run.observables["off_diagonal"][row, 0] == pytest.approx(off)
        group = run.observables["group_strength"][row, 0]
        assert group[2] == pytest.approx(np.linalg.norm(m[2:, 2:])) and group[0] == pytest.approx(
            abs(m[0, 0])
        )
    assert run.dims["group_strength"] == ("time", "path", "group") and run.labels["path"] == (
        "pathway 1",
        "pathway 2",
    )
    np.testing.assert_array_equal(run.ys["w2_1"][-1], run.end["weights"]["w2_1"])


@pytest.mark.parametrize(
    "optimiser",
    [None, optax.sgd(0.05, momentum=0.9), optax.adam(1e-2)],
    ids=["gd", "momentum", "adam"],
)
def test_going_on_is_the_same_as_never_having_stopped(optimiser):
    whole = train(steps=30, save_every=5, optimiser=optimiser)
    half = train(steps=15, save_every=5, optimiser=optimiser)
    on = rd.train(
        NET, TASK, half, lr=0.05, steps=15, save_every=5, optimiser=optimiser, progress=False
    )
    np.testing.assert_array_equal(on.step, whole.step)
    np.testing.assert_allclose(on.ts, whole.ts, rtol=1e-14)
    for name, rows in whole.observables.items():
        np.testing.assert_array_equal(on.observables[name], rows)
    for edge, array in whole.end["weights"].items():
        np.testing.assert_array_equal(on.end["weights"][edge], array)


def test_an_optimiser_that_is_plain_descent_is_plain_descent():
    np.testing.assert_allclose(
        train(optimiser=optax.sgd(0.05)).observables["loss"],
        train().observables["loss"],
        rtol=1e-12,
    )
    steps = train(lr=None, optimiser=optax.adam(1e-2))
    assert steps.provenance.settings["time_unit"] == "steps"
    np.testing.assert_array_equal(steps.ts, steps.step)


def test_divergence_is_a_status_with_its_step():
    with pytest.warns(
        RuntimeWarning, match=r"Training stopped at step \d+: it became infinite or NaN: lower lr"
    ):
        run = train(lr=50.0, steps=300, save_every=1)
    at = int(run.stats["diverged_at"])
    assert run.status == Status.NOT_FINITE and 0 < at < 300 and run.step[-1] == at - 1
    assert np.isfinite(run.observables["loss"]).all()
    with pytest.raises(ValueError, match=r"`weights` must be finite to go on from"):
        rd.train(NET, TASK, run, lr=0.05, steps=3, progress=False)


def test_control_c_leaves_what_was_computed(monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    seen = []

    def stop_at_the_third(trajectory):
        seen.append(len(trajectory.ts))
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.warns(RuntimeWarning, match=r"Training stopped: it .*interrupted"):
        run = train(steps=400, save_every=10, checkpoint=stop_at_the_third)
    assert run.status == Status.INTERRUPTED and len(run.ts) == seen[-1] < 41
    on = rd.train(
        NET, TASK, run, lr=0.05, steps=400 - int(run.step[-1]), save_every=10, progress=False
    )
    np.testing.assert_array_equal(
        on.observables["strength"], train(steps=400, save_every=10).observables["strength"]
    )


def test_an_interruption_before_the_first_row_is_passed_on(monkeypatch):
    def compiling(*args, **options):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("racedyn.training.run.blocks", compiling)
    task = rd.tasks.hierarchy(items=4)
    network = rd.networks.parallel(task, depths=(2, 2), width=8)
    weights = network.init(rd.init.Gaussian(std=0.1), key=0)
    with pytest.raises(KeyboardInterrupt):
        rd.train(network, task, weights, lr=0.1, steps=10, progress=False)


def test_probes_and_recorded_activity():
    other = rd.tasks.from_arrays(2 * TASK.X, TASK.Y)
    observe = [rd.Probe("itself", TASK), rd.Probe("doubled", other), "activity:h1_2", "weights"]
    run = train(steps=4, save_every=2, observe=observe)
    np.testing.assert_allclose(
        run.observables["probe_loss"][:, 0], run.observables["loss"], rtol=1e-13
    )
    assert not np.allclose(run.observables["probe_loss"][:, 1], run.observables["loss"])
    np.testing.assert_allclose(
        run.observables["activity:h1_2"][1],
        run.ys["w1_2"][1] @ run.ys["w1_1"][1] @ TASK.X,
        atol=1e-14,
    )
    assert run.dims["activity:h1_2"] == ("time", "unit_h1_2", "example") and run.labels[
        "probe"
    ] == (
        "itself",
        "doubled",
    )


def test_several_outputs_and_contexts():
    """Two outputs, one gated off in context 1: descent on the sum of both losses."""
    net = rd.Network(
        {"x": 2, "h": 5, "y": 2, "z": 1},
        {"in": ("x", "h"), "y": ("h", "y"), "z": ("h", "z")},
        node_gates={"z": [1, 0]},
        num_contexts=2,
    )
    rng = np.random.default_rng(0)
    X, context = rng.standard_normal((2, 6)), np.array([0, 0, 0, 1, 1, 1])
    task = rd.Task(
        {"x": X}, {"y": rng.standard_normal((2, 6)), "z": np.where(context, 0.0, X[:1])}, context
    )
    w = net.init(rd.init.Gaussian(0.5), key=0)
    run = rd.train(net, task, w, lr=0.1, steps=3, save_every=1, progress=False)
    h = w["in"] @ X
    misses = np.sum((task.targets["y"] - w["y"] @ h) ** 2) + np.sum(
        (task.targets["z"] - (1 - context) * np.asarray(w["z"] @ h)) ** 2
    )
    assert run.observables["loss"][0] == pytest.approx(misses / 12)
    assert np.all(np.diff(run.observables["loss"]) < 0)
    assert (
        run.dims["strength"] == ("time", "path", "mode") and "group_strength" not in run.observables
    )
    assert np.isnan(run.observables["strength"][0, 1, 1]), (
        "path z has one mode, the other is padding"
    )


def test_relu_and_tanh_networks_train():
    for activation in ("relu", "tanh"):
        net = rd.networks.parallel(
            TASK, depths=(2, 2), width=12, activation=activation, activate_last=True
        )
        run = rd.train(
            net, TASK, net.init(rd.init.Gaussian(0.5), key=0), lr=0.1, steps=300, progress=False
        )
        assert run.observables["loss"][-1] < 0.5 * run.observables["loss"][0]


@pytest.mark.long
def test_halving_the_step_halves_the_distance_to_the_flow():
    """From balanced two-layer weights the q/p equations are the flow itself; descent tends to it at
    first order.
    """
    net = rd.networks.parallel(TASK, depths=(2, 2), width=8)
    w = net.init(rd.init.Balanced(0.3), key=0, task=TASK)
    distances, end = [], 12.0
    for halvings in range(5):
        steps = 60 * 2**halvings
        run = rd.train(
            net, TASK, w, lr=end / steps, steps=steps, save_every=2**halvings, progress=False
        )
        flow = rd.simulate(rd.reduce(net, TASK, w), run.ts, rtol=1e-11)
        distances.append(
            float(jnp.abs(flow.observables["strength"] - run.observables["strength"]).max())
        )
    ratios = np.array(distances[:-1]) / distances[1:]
    np.testing.assert_allclose(ratios, 2, atol=0.12)


def test_single_precision_is_kept():
    run = train(dtype="float32", steps=10)
    assert (
        run.observables["loss"].dtype == np.float32
        and run.end["weights"]["w1_1"].dtype == np.float32
    )
    np.testing.assert_allclose(
        run.observables["loss"], train(steps=10).observables["loss"], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0.0}, r"`lr` must be a positive number"),
        ({"lr": None}, r"`lr` must be given for plain descent"),
        ({"steps": 0}, r"`steps` must be a whole number of at least 1"),
        ({"steps": 2.5}, r"`steps` must be a whole number of at least 1, but it is 2.5"),
        ({"save_every": 0}, r"`save_every` must be a whole number"),
        (
            {"loss": "huber"},
            r"`loss` must be one of 'mean', 'half_sum', 'sum', 'mse', 'routes', 'cross_entropy', "
            r"but it is 'huber'",
        ),
        ({"observe": ["activity:h9"]}, r"`observe='activity:h9'` must be one of .* but it is 'h9'"),
        ({"paths": [("w1_1",)]}, r"`paths` must name paths of the network"),
        (
            {"observe": [rd.Probe("big", rd.tasks.hierarchy(8))]},
            r"Probe 'big': Argument `task` must have 4 rows",
        ),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        train(**options)


def test_going_on_with_another_step_size_says_so():
    first = train(steps=10)
    on = rd.train(NET, TASK, first, lr=0.02, steps=10, progress=False)
    settings = on.provenance.settings
    assert settings["lr"] == 0.02 and settings["went_on_from"][0]["lr"] == 0.05
    np.testing.assert_allclose(on.ts[[10, -1]], [0.5, 0.7])


def test_going_on_needs_the_same_kind_of_run():
    flow = rd.simulate(rd.reduce(NET, TASK, START), [1.0])
    with pytest.raises(ValueError, match=r"`weights` must come from `train` to go on from"):
        rd.train(NET, TASK, flow, lr=0.1, steps=1, progress=False)
    with pytest.raises(
        ValueError, match=r"`lr` must be given, or not, as in the run to go on from"
    ):
        rd.train(
            NET, TASK, train(steps=1), lr=None, optimiser=optax.sgd(0.1), steps=1, progress=False
        )
    with pytest.raises(ValueError, match=r"`optimiser` must be the one that the earlier run had"):
        rd.train(
            NET, TASK, train(steps=1), lr=0.1, optimiser=optax.adam(0.1), steps=1, progress=False
        )
