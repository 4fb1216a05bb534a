"""Checkpoints in, trajectory out: against training, and against loops of NumPy with biases and
nonlinear layers.
"""

import dataclasses
import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn.networks import constant_inputs, read_weights, with_biases
from racedyn.paths.strengths import data_maps, not_separable, path_maps
from racedyn.trajectory import BY_DEFAULT, Status

TASK = rd.tasks.hierarchy(4)
NET = rd.networks.parallel(TASK, depths=(3, 2), width=6)
START = NET.init(rd.init.Gaussian(0.3), key=0)
MODES = TASK.modes
ACTIVATIONS = {"linear": lambda z: z, "relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}
observe = functools.partial(rd.observe, progress=False)


def correlated_task(examples=12, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(5, 5)) @ rng.normal(size=(5, examples)) + 0.5
    return rd.tasks.from_arrays(X, rng.normal(size=(3, 5)) @ X)


def ends(network):
    return network.ends(network.paths()[0])


def both_maps(network, task):
    """Of weights: response to unit inputs, and strength on the examples, (path, mode_out, mode_in)
    each.
    """
    modes, paths = {ends(network): task.modes}, network.paths()

    @jax.jit
    def maps(weights, X):
        unit = path_maps(network, weights, modes, paths)
        return unit, data_maps(network, weights, modes, paths, {ends(network)[0]: X})

    return lambda weights: maps(weights, jnp.asarray(task.X))


OBSERVED = [
    *BY_DEFAULT,
    "strength_matrix",
    "data_strength",
    "activity:h1_1",
    rd.Probe("again", TASK),
]


@pytest.fixture(scope="module")
def trained():
    return rd.train(
        NET,
        TASK,
        START,
        lr=0.05,
        steps=400,
        save_every=50,
        observe=[*OBSERVED, "weights"],
        progress=False,
    )


def saved(run, times):
    return {
        t: {edge: w[i] for edge, w in run.ys.items()}
        for i, t in enumerate(np.asarray(times).tolist())
    }


@pytest.fixture(scope="module")
def observed(trained):
    given = saved(trained, trained.ts)
    shuffled = {t: given[t] for t in sorted(given, key=lambda t: np.sin(1e3 * t))}
    assert list(shuffled) != sorted(shuffled)
    return observe(NET, TASK, shuffled, observe=[*OBSERVED, "weights"])


def test_the_rows_are_those_of_training(trained, observed):
    """The saved weights of a run of `train`, given in any order, give its own rows back."""
    np.testing.assert_array_equal(observed.ts, trained.ts)
    assert (
        set(observed.observables) == set(trained.observables)
        and "data_strength" in observed.observables
    )
    for name, values in trained.observables.items():
        np.testing.assert_allclose(
            observed.observables[name], values, rtol=0, atol=1e-14, err_msg=name
        )
        assert observed.dims[name] == trained.dims[name]
    for edge, matrices in trained.ys.items():
        np.testing.assert_array_equal(observed.ys[edge], matrices)
        np.testing.assert_array_equal(observed.end["weights"][edge], matrices[-1])
    assert (
        observed.labels == trained.labels and observed.provenance.modes == trained.provenance.modes
    )
    assert (
        observed.status == Status.DONE
        and observed.step is None
        and observed.provenance.kind == "observe"
    )


def test_it_compares_plots_and_saves_like_training(trained, observed, tmp_path):
    weaker = {name: 0.9 * np.asarray(values) for name, values in trained.observables.items()}
    source = dataclasses.replace(trained.provenance, kind="simulate")
    theory = dataclasses.replace(trained, observables=weaker, provenance=source)
    assert str(rd.compare(theory, observed)) == str(rd.compare(theory, trained))
    np.testing.assert_array_equal(rd.learning_times(observed), rd.learning_times(trained))
    lines = [
        [line.get_ydata() for ax in rd.plot.race(theory, run) for line in ax.get_lines()]
        for run in (observed, trained)
    ]
    for ours, theirs in zip(*lines, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-14)
    with pytest.raises(ValueError, match=r"`theory` must be the theory, but it is the trained run"):
        rd.compare(observed, theory)
    rd.save(tmp_path / "run.h5", observed=observed)
    kept = rd.load(tmp_path / "run.h5").observed
    for name, values in observed.observables.items():
        np.testing.assert_array_equal(kept.observables[name], values)
    assert kept.provenance.modes == MODES and kept.provenance.settings["biases"] is False
    np.testing.assert_array_equal(kept.ys["w1_2"], observed.ys["w1_2"])
    assert "9 checkpoints" in str(kept)


def test_steps_become_flow_time_by_the_step_size(trained):
    given = saved(trained, trained.step)
    few = {int(t): given[t] for t in (400, 0, 100)}
    plain = observe(NET, TASK, few, time_unit="steps")
    assert plain.provenance.settings["time_unit"] == "steps"
    np.testing.assert_array_equal(plain.ts, [0, 100, 400])
    for loss, lr in (
        ("mean", 0.05),
        ("half_sum", 0.05 / TASK.num_examples),
        ("mse", 0.05 * TASK.Y.shape[0] / 2),
    ):
        run = observe(NET, TASK, few, lr=lr, loss=loss)
        np.testing.assert_allclose(run.ts, [0, 5, 20])
        np.testing.assert_array_equal(run.step, [0, 100, 400])
        assert run.provenance.settings["time_unit"] == "tau"
    at = [int(np.flatnonzero(trained.step == step)[0]) for step in (0, 100, 400)]
    np.testing.assert_allclose(
        run.observables["strength"], trained.observables["strength"][at], rtol=0, atol=1e-14
    )


class Loading(Mapping):
    """A mapping that opens one checkpoint at a time."""

    def __init__(self, path, times):
        self.path, self.times, self.opened = path, times, []

    def __getitem__(self, time):
        self.opened.append(time)
        return dict(np.load(self.path / f"{time}.npz"))

    def __iter__(self):
        return iter(self.times)

    def __len__(self):
        return len(self.times)


def test_checkpoints_are_opened_when_their_turn_comes(trained, observed, tmp_path):
    given = saved(trained, trained.ts)
    for time, weights in given.items():
        np.savez(tmp_path / f"{time}.npz", **weights)
    files = Loading(tmp_path, list(given)[::-1])
    opened = []
    run = observe(NET, TASK, files)
    assert files.opened == sorted(given)
    np.testing.assert_array_equal(run.observables["loss"], observed.observables["loss"])
    calls = {time: lambda time=time: opened.append(time) or given[time] for time in files}
    run = observe(NET, TASK, calls)
    assert opened == sorted(given)
    np.testing.assert_array_equal(run.observables["loss"], observed.observables["loss"])


def test_one_checkpoint_and_nested_lists(trained):
    run = observe(NET, TASK, {3: [[START[edge] for edge in path] for path in NET.paths()]})
    assert run.ts.shape == (1,) and run.observables["strength"].shape == (1, 2, 4)
    np.testing.assert_allclose(
        run.observables["strength"][0], trained.observables["strength"][0], atol=1e-14
    )


# Biases and nonlinear layers


def numpy_training(X, Y, widths, activation, lr, steps, every, seed=0):
    """Descent on the mean over examples and outputs of (y - yhat)^2, with biases; step -> a state
    dict as PyTorch has it.

    Layers are numbered as in torch.nn.Sequential(Linear, activation, Linear, ...).
    """
    rng = np.random.default_rng(seed)
    f = ACTIVATIONS[activation]
    slope = {
        "linear": np.ones_like,
        "relu": lambda z: (z > 0) * 1.0,
        "tanh": lambda z: 1 - np.tanh(z) ** 2,
    }[activation]
    W = [rng.normal(scale=0.5, size=shape) for shape in zip(widths[1:], widths[:-1], strict=True)]
    b = [rng.normal(scale=0.3, size=n) for n in widths[1:]]
    checkpoints = {}
    for step in range(steps + 1):
        if step % every == 0:
            checkpoints[step] = {}
            for l, (matrix, bias) in enumerate(zip(W, b, strict=True)):
                checkpoints[step] |= {
                    f"{2 * l}.weight": matrix.copy(),
                    f"{2 * l}.bias": bias.copy(),
                }
        h, z = [X], []
        for l, (matrix, bias) in enumerate(zip(W, b, strict=True)):
            z.append(matrix @ h[-1] + bias[:, None])
            h.append(f(z[-1]) if l < len(W) - 1 else z[-1])
        back = 2 * (h[-1] - Y) / Y.size
        for l in reversed(range(len(W))):
            change = back @ h[l].T, back.sum(axis=1)
            back = (W[l].T @ back) * slope(z[l - 1]) if l else None
            W[l], b[l] = W[l] - lr * change[0], b[l] - lr * change[1]
    return checkpoints


def numpy_output(state, X, activation):
    h, num = X, len(state) // 2
    for l in range(num):
        h = state[f"{2 * l}.weight"] @ h + state[f"{2 * l}.bias"][:, None]
        h = ACTIVATIONS[activation](h) if l < num - 1 else h
    return h


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
def test_biased_networks_are_read_as_numpy_computes_them(activation):
    """Loss, response to unit inputs and strength on the examples, of a network with biases trained
    elsewhere.
    """
    task = correlated_task()
    network = rd.networks.chain(task, depth=3, width=7, activation=activation)
    states = numpy_training(task.X, task.Y, [5, 7, 7, 3], activation, lr=0.02, steps=600, every=200)
    run = observe(
        network,
        task,
        states,
        lr=0.02,
        loss="mse",
        biases=True,
        observe=["strength", "data_strength", "weights"],
    )
    U, V, d, P = task.modes.U, task.modes.V, task.modes.variances, task.num_examples
    for row, state in enumerate(states.values()):
        out = functools.partial(numpy_output, state, activation=activation)
        silence = out(np.zeros((5, 1)))
        loss = 0.5 * np.sum((task.Y - out(task.X)) ** 2) / P
        unit = U.T @ (out(np.eye(5)) - silence) @ V
        on_data = U.T @ ((out(task.X) - silence) @ task.X.T / P) @ V / d
        np.testing.assert_allclose(run.observables["loss"][row], loss, rtol=1e-12)
        np.testing.assert_allclose(
            run.observables["strength"][row, 0], np.diagonal(unit), atol=1e-12
        )
        np.testing.assert_allclose(
            run.observables["data_strength"][row, 0], np.diagonal(on_data), atol=1e-12
        )
    assert run.observables["loss"][-1] < 0.5 * run.observables["loss"][0], "it learned"
    np.testing.assert_allclose(run.ts, 2 / 3 * 0.02 * np.array([0, 200, 400, 600]))
    assert run.provenance.modes == task.modes and run.labels["path"] == ("pathway 1",)
    np.testing.assert_array_equal(
        run.ys["w2_bias"][:, :, 0], [state["2.bias"] for state in states.values()]
    )
    if activation == "linear":
        matrices = {
            step: [state[f"{2 * l}.weight"] for l in range(3)] for step, state in states.items()
        }
        alone = observe(network, task, matrices)
        np.testing.assert_allclose(
            run.observables["strength"], alone.observables["strength"], atol=1e-13
        )


def test_training_with_biases_is_what_was_trained_elsewhere():
    """`with_biases` learns as a plain loop with biases does, and its rows are those of its
    checkpoints.
    """
    task = correlated_task()
    network = rd.networks.chain(task, depth=2, width=6, activation="relu")
    states = numpy_training(task.X, task.Y, [5, 6, 3], "relu", lr=0.02, steps=200, every=100)
    biased, fed = with_biases(network, task)
    start = read_weights(network, states[0], biases=True)
    run = rd.train(
        biased,
        fed,
        start,
        lr=0.02,
        loss="mse",
        steps=200,
        save_every=100,
        paths=network.paths(),
        progress=False,
    )
    seen = observe(network, task, states, lr=0.02, loss="mse", biases=True)
    assert fed.pair_modes(*ends(network)) == task.modes == run.provenance.modes
    for name in ("loss", "strength", "off_diagonal"):
        np.testing.assert_allclose(
            run.observables[name], seen.observables[name], rtol=0, atol=1e-11, err_msg=name
        )
    np.testing.assert_allclose(
        run.end["weights"]["w1_bias"][:, 0], states[200]["0.bias"], atol=1e-12
    )


def test_a_network_with_biases_takes_them_from_a_state_and_names_its_paths_as_without():
    """One path has one name: of the network, with biases, and of a run that goes on from what
    `observe` read.
    """
    task = correlated_task()
    network = rd.networks.chain(task, depth=2, width=6, activation="relu")
    states = numpy_training(task.X, task.Y, [5, 6, 3], "relu", lr=0.02, steps=200, every=100)
    biased, fed = with_biases(network, task)
    assert biased.path_names() == (
        "pathway 1",
        "w1_bias > w2",
        "w2_bias",
    ) and network.path_names() == ("pathway 1",)
    seen = observe(network, task, states, lr=0.02, loss="mse", biases=True)
    whole = observe(biased, fed, states, lr=0.02, loss="mse")
    assert whole.labels["path"] == biased.path_names()
    np.testing.assert_array_equal(
        whole.observables["strength"][:, :1], seen.observables["strength"]
    )
    on = rd.train(biased, fed, seen, lr=0.02, loss="mse", steps=100, save_every=100, progress=False)
    assert (
        on.labels["path"] == biased.path_names()
        and np.isnan(on.observables["strength"][:2, 1:]).all()
    )
    np.testing.assert_array_equal(on.observables["strength"][:3, :1], seen.observables["strength"])
    assert np.isfinite(on.observables["strength"][-1, 0]).all()
    with pytest.raises(ValueError, match=r"only one has .*w1_bias > w2.*with_biases"):
        rd.compare(seen, whole)
    one = with_biases(network, task, edges=["w2"])[0]
    with pytest.raises(ValueError, match="that of 'w1_bias' is not zero"):
        read_weights(one, states[100])
    with pytest.raises(ValueError, match="`biases` must be left out"):
        read_weights(biased, states[100], biases=True)


def test_a_bias_that_one_checkpoint_lacks_is_not_taken_for_zero():
    task = correlated_task()
    network = rd.networks.chain(task, depth=2, width=6, activation="relu")
    states = numpy_training(task.X, task.Y, [5, 6, 3], "relu", lr=0.02, steps=200, every=100)
    del states[100]["2.bias"]
    with pytest.raises(
        ValueError, match=r"Checkpoint at 100: .*only one of the two has \['2.bias'\]"
    ):
        observe(network, task, states, lr=0.02, loss="mse", biases=True)


def test_gates_hold_a_bias_with_their_matrix():
    """A bias is off where its matrix, or its layer, is; the loss is that of a plain forward
    pass.
    """
    X, Y = np.tile(np.eye(3), 2), np.random.default_rng(0).normal(size=(2, 6))
    task = rd.Task({"x": X}, {"y": Y}, context=[0, 0, 0, 1, 1, 1])
    network = rd.Network(
        {"x": 3, "a": (4, "relu"), "b": 4, "y": 2},
        {"a1": ("x", "a"), "a2": ("a", "y"), "b1": ("x", "b"), "b2": ("b", "y")},
        node_gates={"b": [0, 1]},
        edge_gates={"a2": [1, 0.5], "b2": [0, 1]},
        num_contexts=2,
    )
    rng = np.random.default_rng(1)
    w = {edge: rng.normal(size=network.shape(edge)) for edge in network.edges}
    b = {f"{edge}_bias": rng.normal(size=network.shape(edge)[0]) for edge in network.edges}
    run = observe(network, task, {0: w | b}, biases=True, observe=["strength", "data_strength"])

    def affine(edge, h):
        return w[edge] @ h + b[f"{edge}_bias"][:, None]

    g, on = np.where(task.context == 1, 0.5, 1.0), (task.context == 1) * 1.0
    yhat = g * affine("a2", np.maximum(affine("a1", X), 0)) + on * affine(
        "b2", on * affine("b1", X)
    )
    np.testing.assert_allclose(run.observables["loss"], 0.5 * np.sum((Y - yhat) ** 2) / 6)
    U, V = task.modes.U, task.modes.V
    linear = U.T @ w["b2"] @ w["b1"] @ V
    np.testing.assert_allclose(run.observables["strength"][0, 1], np.diagonal(linear), atol=1e-13)
    np.testing.assert_allclose(
        run.observables["data_strength"][0, 1], np.diagonal(linear), atol=1e-13
    )


@pytest.mark.long
def test_a_biased_linear_network_reduces():
    """The reduced flow of network and bias, read in the modes of the inputs, is what descent tends
    to.
    """
    network = rd.networks.chain(TASK, depth=2, width=5)
    biased, fed = with_biases(network, TASK)
    assert constant_inputs(fed) == {"bias": np.ones(1)} and constant_inputs(TASK) == {}
    weights = network.init(rd.init.Gaussian(0.3), key=0)
    start = {edge: weights.get(edge, jnp.full(biased.shape(edge), 0.1)) for edge in biased.edges}
    theory = rd.simulate(
        rd.reduce(biased, fed, start, level="full", paths=network.paths()), ts=np.linspace(0, 8, 5)
    )
    run = rd.train(
        biased,
        fed,
        start,
        lr=0.002,
        steps=4000,
        save_every=1000,
        observe=["strength", "off_diagonal", "weights"],
        paths=network.paths(),
        progress=False,
    )
    again = observe(biased, fed, saved(run, run.ts), paths=network.paths())
    np.testing.assert_array_equal(again.observables["strength"], run.observables["strength"])
    assert rd.compare(theory, again).errors["strength"].relative_l2 < 0.01
    end = again.observables["strength"][-1, 0] * MODES.variances / MODES.S
    assert end[0] < 0.1 < 0.5 < end[1], "what all items share is learned by the bias alone"


# The two strengths of a path


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
def test_both_strengths_agree_on_one_hot_inputs(activation):
    network = rd.networks.parallel(TASK, depths=(1, 2, 3), width=5, activation=activation)
    weights = network.init(rd.init.Gaussian(0.5), key=1)
    unit, on_data = both_maps(network, TASK)(weights)
    np.testing.assert_allclose(on_data, unit, atol=1e-14)
    assert np.abs(unit).max() > 0.1


def test_both_strengths_agree_on_whitened_inputs_of_linear_networks_alone():
    rng = np.random.default_rng(0)
    X = np.sqrt(20) * np.linalg.qr(rng.normal(size=(20, 4)))[0].T  # X X^T / P = 1
    task = rd.tasks.from_arrays(X, rng.normal(size=(3, 4)) @ X)
    for activation, agree in (("linear", True), ("tanh", False)):
        network = rd.networks.chain(task, depth=2, width=5, activation=activation)
        weights = network.init(rd.init.Gaussian(0.5), key=1)
        unit, on_data = both_maps(network, task)(weights)
        assert np.allclose(unit, on_data, atol=1e-13) == agree


def test_on_correlated_inputs_they_differ_by_what_the_docstring_says():
    task = correlated_task()
    network = rd.networks.chain(task, depth=2, width=6)
    weights = network.init(rd.init.Gaussian(0.5), key=1)
    maps = both_maps(network, task)
    (unit,), (on_data,) = maps(weights)
    U, V, d = task.modes.U, task.modes.V, task.modes.variances
    sigma_x, W = task.sigma_x(), np.asarray(weights["w2"] @ weights["w1"])
    outside = U.T @ W @ (np.eye(5) - V @ V.T) @ sigma_x @ V / d
    np.testing.assert_allclose(on_data, unit @ (V.T @ sigma_x @ V) / d + outside, atol=1e-13)
    # The same diagonal of S/d is reached by the least-squares map, which `strength` does not read
    # as S/d.
    solution = task.sigma_yx() @ np.linalg.inv(sigma_x)
    weights = {
        "w1": jnp.asarray(np.pad(np.eye(5), ((0, 1), (0, 0)))),
        "w2": jnp.asarray(np.pad(solution, ((0, 0), (0, 1)))),
    }
    (unit,), (on_data,) = maps(weights)
    np.testing.assert_allclose(np.diagonal(on_data), task.modes.S / d, rtol=1e-9)
    assert np.abs(np.diagonal(unit) - task.modes.S / d).max() > 0.1 * task.modes.S[0] / d[0]


def test_pathways_of_a_nonlinear_network_add_up():
    """sum_a K_a on the examples is U^T < (yhat - yhat(0)) x^T > V / d of the whole network."""
    task = correlated_task()
    network = rd.networks.parallel(
        task, depths=(2, 3), width=6, activation="relu", activate_last=True
    )
    weights = network.init(rd.init.Gaussian(0.5), key=1)
    source, target = ends(network)
    _, maps = both_maps(network, task)(weights)
    yhat = rd.networks.forward(network, weights, {source: jnp.asarray(task.X)})[target]
    whole = (
        task.modes.U.T @ (yhat @ task.X.T / task.num_examples) @ task.modes.V / task.modes.variances
    )
    np.testing.assert_allclose(maps.sum(axis=0), whole, atol=1e-12)


def test_paths_that_meet_in_a_nonlinear_layer_have_no_share():
    X = np.eye(4)
    task = rd.Task({"x": X[:2], "z": X[2:]}, {"y": np.arange(12.0).reshape(3, 4)})
    linear, relu = (
        rd.networks.chain(task, depth=2, width=4, activation=kind) for kind in ("linear", "relu")
    )
    with pytest.raises(
        ValueError,
        match=r"`observe` must ask for 'data_strength' .*'w1_x > w2' meets another .* 'h1'",
    ):
        rd.train(
            relu,
            task,
            relu.init(rd.init.Gaussian(0.1), key=0),
            lr=0.1,
            steps=1,
            observe=["data_strength"],
            progress=False,
        )
    assert all(not_separable(linear, path) is None for path in linear.paths())
    skip = rd.Network(
        {"x": 2, "h": (3, "relu"), "y": 2}, {"a": ("x", "h"), "b": ("h", "y"), "skip": ("x", "y")}
    )
    assert all(not_separable(skip, path) is None for path in skip.paths())
    curved = rd.Network(skip.nodes, skip.edges, edge_kinds={"b": "relu"})
    assert all(not_separable(curved, path) is None for path in curved.paths())
    two = rd.Network(
        {"x": 2, "z": 2, "h": 3, "y": 2},
        {"a": ("x", "h"), "c": ("z", "h"), "b": ("h", "y")},
        edge_kinds={"b": "relu"},
    )
    assert not_separable(two, ("a", "b")) == "h" and not_separable(two, ("a", "b"), ["z"]) is None
    assert not_separable(two, ("c", "b"), ["z"]) == "h", "what a constant does is not its own"


# What is refused


SHAPE = r"^Checkpoint at 2.5: Argument `weights\['w1_1'\]` must have shape \(6, 4\)"


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, ValueError, r"`checkpoints` must hold at least one, but it is empty"),
        (
            [(0, START)],
            TypeError,
            r"`checkpoints` must be a dict time -> weights, but it is list\..*dict\(\.\.\.\)",
        ),
        (
            {float("nan"): START},
            ValueError,
            r"`checkpoints` must be at different finite times .* but one is at nan",
        ),
        ({float("inf"): START}, ValueError, r"finite times of at least 0, but one is at inf"),
        ({10**400: START}, ValueError, r"finite times of at least 0, but one is at 1000"),
        (
            {-1: START, 0: START},
            ValueError,
            r"finite times of at least 0, but one is at -1\. 0 is the start",
        ),
        ({2**53: START, 2**53 + 1: START}, ValueError, r"at different finite times"),
        ({"epoch 1": START}, TypeError, r"have numbers as times, but one is 'epoch 1' \(str\)"),
        ({True: START}, TypeError, r"have numbers as times, but one is True \(bool\)"),
        ({1 + 2j: START}, TypeError, r"have numbers as times, but one is \(1\+2j\) \(complex\)"),
        ({0: START, 2.5: START | {"w1_1": np.ones((4, 6))}}, ValueError, SHAPE),
        (
            {2.5: START | {"w1_1": np.full((6, 4), np.nan)}},
            ValueError,
            r"^Checkpoint at 2.5: .*must be fin",
        ),
        ({1: {"w1_1": START["w1_1"]}}, ValueError, r"^Checkpoint at 1: .*'w1_2' is missing"),
        (
            {1: {"model": START, "epoch": 3}},
            ValueError,
            r"^Checkpoint at 1: .*but 'epoch' of shape \(\) is neither",
        ),
        ({1: [list(START.values())[:2]]}, ValueError, r"^Checkpoint at 1: "),
        (
            {1: START | {"w1_1_bias": np.ones(6)}},
            ValueError,
            r"^Checkpoint at 1: .*'w1_1_bias' is not zero.*biases=True",
        ),
        ({1: START | {"other": np.ones(6)}}, ValueError, r"'other' of shape \(6,\) is neither"),
        (
            {1: START | {"w1_1_bias": "none"}},
            TypeError,
            r"`weights\['w1_1_bias'\]` must be an array of numbers",
        ),
        (
            {1: START | {"w1_1_bias": [np.nan] * 6}},
            ValueError,
            r"`weights\['w1_1_bias'\]` must be finite",
        ),
    ],
)
def test_what_is_no_checkpoint_is_refused_by_its_time(given, error, message):
    with pytest.raises(error, match=message):
        observe(NET, TASK, given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"lr": 0.1, "time_unit": "tau"},
            r"`lr` must be left out where times are flow time.*time_unit=\"steps\"",
        ),
        ({"lr": -0.1}, r"`lr` must be a positive number"),
        ({"time_unit": "epochs"}, r"`time_unit` must be one of 'tau', 'steps', but it is 'epochs'"),
        ({"lr": 0.1}, r"`checkpoints` must be at whole numbers of steps, but one is at 0.5"),
        ({"loss": "msq"}, r"`loss` must be one of .* Did you mean 'mse'"),
        ({"dtype": "int32"}, r"`dtype` must be float32 or float64, but it is int32"),
        (
            {"observe": "activity:h1_9"},
            r"`observe='activity:h1_9'` must be one of 'input'.*Did you mean",
        ),
        ({"paths": [("w1_1", "w2_2")]}, r"`paths` must name paths of the network"),
        ({"observe": [rd.Probe("other", rd.tasks.hierarchy(2))]}, r"Probe 'other': "),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        observe(NET, TASK, {0: START, 0.5: START}, **options)


def test_biases_that_have_no_place_are_refused():
    network = rd.networks.parallel(
        TASK, depths=(2, 2), width=3, activation="relu", activate_last=True
    )
    weights = network.init(rd.init.Gaussian(0.1), key=0)
    read = functools.partial(read_weights, network, biases=True)
    assert set(read(weights)) == {*network.edges, "w1_1_bias", "w2_1_bias"}
    with pytest.raises(
        ValueError, match=r"no bias inside an activation .* 'w1_2_bias' is that of 'w1_2'"
    ):
        read(weights | {"w1_2_bias": np.ones(7)})
    with pytest.raises(
        ValueError, match=r"`weights\['w1_1_bias'\]` must have 3 entries, .* \(4,\)"
    ):
        read(weights | {"w1_1_bias": np.ones(4)})
    with pytest.raises(
        ValueError, match=r"`edges` must have no activation of their own.*'w1_2' is relu"
    ):
        with_biases(network, TASK, edges=["w1_2"])
    with pytest.raises(
        ValueError, match=r"`node` must be a new name, but the network has a node 'h1_1'"
    ):
        with_biases(network, TASK, node="h1_1")
    with pytest.raises(ValueError, match=r"`edges` must be one of .* but it is 'w9'"):
        with_biases(network, TASK, edges=["w9"])
    with pytest.raises(
        ValueError,
        match=r"`edges` must leave the names of biases free, but there is an edge 'w_bias'",
    ):
        with_biases(
            rd.Network({"x": 4, "y": 7}, {"w": ("x", "y"), "w_bias": ("x", "y")}),
            rd.Task({"x": TASK.X}, {"y": TASK.Y}),
        )
    assert list(with_biases(network, TASK, edges=["w1_1"])[0].edges)[-1] == "w1_1_bias"


def test_biases_of_zero_pass_and_are_none():
    zero = START | {"w1_1_bias": np.zeros(6), "num_batches": np.array(0)}
    assert set(read_weights(NET, zero)) == set(NET.edges)
    assert not any(
        value.any()
        for edge, value in read_weights(NET, zero, biases=True).items()
        if "bias" in edge
    )


def test_references_to_one_set_of_weights_are_seen():
    """What a loop that saves `model.state_dict()` without copying hands over: the same weights at
    all times.
    """
    with pytest.warns(
        UserWarning, match=r"All 3 checkpoints give the same numbers.*copy each tensor"
    ):
        observe(NET, TASK, dict.fromkeys((0, 1, 2), START))


def test_a_loss_that_overflows_ends_the_run():
    big = {edge: np.asarray(w) * 1e150 for edge, w in START.items()}
    with pytest.warns(
        RuntimeWarning, match=r"loss of the checkpoint at 2 is not finite: rows from there on"
    ):
        run = observe(
            NET, TASK, {0: START, 1: START | {"w1_1": START["w1_1"] * 2}, 2: big, 3: START}
        )
    assert run.status == Status.NOT_FINITE and run.failed == [0]
    np.testing.assert_array_equal(run.ts, [0, 1])
    assert all(len(values) == 2 for values in run.observables.values())


def test_an_error_of_the_loader_says_which_checkpoint():
    def broken():
        raise OSError("no such file")

    with pytest.raises(OSError, match="no such file") as info:
        observe(NET, TASK, {0: START, 7: broken})
    assert info.value.__notes__ == ["(reading the checkpoint at 7)"]


def test_modes_of_another_task_and_going_on():
    """Strengths in modes asked for are those of training in them; a run read from checkpoints goes
    on where they end.
    """
    other = rd.tasks.from_arrays(
        TASK.X, np.random.default_rng(0).normal(size=TASK.Y.shape), name="other"
    )
    other = dataclasses.replace(other, inputs=TASK.inputs, targets={ends(NET)[1]: other.Y})
    options = {
        "lr": 0.05,
        "save_every": 20,
        "observe": ["strength", "data_strength", "weights"],
        "progress": False,
    }
    whole = rd.train(NET, TASK, START, steps=40, modes=other, **options)
    few = {
        int(step): {edge: w[i] for edge, w in whole.ys.items()}
        for i, step in enumerate(whole.step[:2])
    }
    run = observe(NET, TASK, few, lr=0.05, modes=other, observe=options["observe"])
    assert run.provenance.modes == whole.provenance.modes != MODES
    np.testing.assert_allclose(
        run.observables["strength"], whole.observables["strength"][:2], atol=1e-14
    )
    more = rd.train(NET, TASK, run, steps=20, **options)
    for edge, matrix in whole.end["weights"].items():
        np.testing.assert_array_equal(more.end["weights"][edge], matrix)
    np.testing.assert_allclose(
        more.observables["data_strength"], whole.observables["data_strength"], atol=1e-14
    )


def test_strengths_on_examples_are_not_those_of_another_task():
    """After a switch the earlier rows of `data_strength` are NaN where inputs or bases are others,
    and kept where not.
    """
    options = {
        "lr": 0.05,
        "steps": 2,
        "save_every": 2,
        "observe": ["strength", "data_strength"],
        "progress": False,
    }
    first = rd.train(NET, TASK, START, **options)
    scaled = dataclasses.replace(TASK, inputs={ends(NET)[0]: 2 * TASK.inputs[ends(NET)[0]]})
    both = rd.train(NET, scaled, first, modes=TASK, **options)
    assert np.isnan(both.observables["data_strength"][0]).all()
    assert (
        np.isfinite(both.observables["data_strength"][1:]).all()
        and np.isfinite(both.observables["strength"]).all()
    )
    half = dataclasses.replace(
        TASK, targets={ends(NET)[1]: 0.5 * TASK.targets[ends(NET)[1]]}, bases={}
    )
    kept = rd.train(NET, half, first, modes=TASK, **options)
    np.testing.assert_array_equal(
        kept.observables["data_strength"][:2], first.observables["data_strength"]
    )
