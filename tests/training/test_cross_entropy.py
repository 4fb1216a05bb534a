"""Cross-entropy and accuracy: against plain NumPy loops, a closed form and optax; what is not
compared, and what is refused.
"""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import logsumexp

import racedyn as rd
from racedyn import config, jobs
from racedyn.rules import Data, accuracy_of, batch_of, loss_and_gradient, loss_of

RNG = np.random.default_rng(0)
LABELS = np.array([0, 2, 1, 1, 0, 2, 2])
X = RNG.normal(size=(5, 7))
TASK = rd.tasks.from_arrays(X, np.eye(3)[:, LABELS], name="classes")
NET = rd.networks.chain(TASK, depth=2, width=4)
START = NET.init(rd.init.Gaussian(0.5), key=0)
ROUTES = rd.tasks.routing(3, 2, inputs=np.eye(3), targets=np.eye(3)[:, [2, 0, 1]])
ROUTED = rd.networks.routing(ROUTES, 5)
BY_CLASSES = {"loss": "cross_entropy", "progress": False}
RELU = rd.networks.chain(TASK, depth=2, width=4, activation="relu")


@jax.jit
def routed(weights, data):
    """Loss and gradient of the routed network."""
    return loss_and_gradient(ROUTED, weights, data, (), None, kind="cross_entropy")


def train(task=TASK, network=NET, start=START, **options):
    given = {"lr": 0.3, "steps": 20, "save_every": 1, **BY_CLASSES}
    return rd.train(network, task, start, **{**given, **options})


def numpy_loss(Y_hat, labels):
    return np.mean(logsumexp(Y_hat, axis=0) - Y_hat[labels, np.arange(len(labels))])


def numpy_descent(act, slope, lr, steps):
    """Softmax regression on one hidden layer, gradients by hand; losses and accuracies of rows."""
    W1, W2 = (np.array(START[edge]) for edge in NET.edges)
    losses, accuracies = [], []
    for step in range(steps + 1):
        pre = W1 @ X
        Y_hat = W2 @ act(pre)
        losses.append(numpy_loss(Y_hat, LABELS))
        accuracies.append(np.mean(Y_hat.argmax(axis=0) == LABELS))
        if step == steps:
            return (W1, W2), losses, accuracies
        delta = (np.exp(Y_hat - logsumexp(Y_hat, axis=0)) - np.eye(3)[:, LABELS]) / len(LABELS)
        W1, W2 = W1 - lr * (W2.T @ delta * slope(pre)) @ X.T, W2 - lr * delta @ act(pre).T


# What is descended


@pytest.mark.parametrize(
    ("network", "act", "slope"),
    [
        (NET, lambda h: h, np.ones_like),
        (RELU, lambda h: np.maximum(h, 0), lambda h: (h > 0).astype(float)),
    ],
    ids=["linear", "relu"],
)
def test_against_a_plain_numpy_loop(network, act, slope):
    run = train(network=network, observe=["accuracy"])
    layers, losses, accuracies = numpy_descent(act, slope, 0.3, 20)
    for edge, W in zip(network.edges, layers, strict=True):
        np.testing.assert_allclose(run.end["weights"][edge], W, rtol=0, atol=1e-12)
    np.testing.assert_allclose(run["loss"], losses, rtol=0, atol=1e-12)
    np.testing.assert_allclose(run["accuracy"], accuracies, rtol=0, atol=1e-15)
    assert losses[-1] < losses[0] - 0.3 and accuracies[-1] > accuracies[0], "it learns"
    np.testing.assert_allclose(run.ts, 0.3 * np.arange(21), rtol=1e-14)


@pytest.mark.parametrize("n", [2, 5])
def test_descent_tends_to_the_closed_form_of_one_layer(n):
    """One example per class, one layer from 0: by symmetry all is one margin m of the right logit
    over any other, m' = 1 / (e^m + n - 1), so that e^m - 1 + (n - 1) m = t.
    """
    task = rd.tasks.from_arrays(np.eye(n), np.eye(n))
    network = rd.networks.chain(task, depth=1, width=1)
    start = {edge: jnp.zeros((n, n)) for edge in network.edges}
    errors = []
    for lr in (0.2, 0.1, 0.05):
        run = train(task, network, start, lr=lr, steps=round(40 / lr), observe=["weights"])
        (W,) = run.ys.values()
        margin = W[:, 0, 0] - W[:, 0, 1]
        t = np.exp(margin) - 1 + (n - 1) * margin
        errors.append(np.max(np.abs(t - run.ts) / (1 + run.ts)))
        np.testing.assert_allclose(run["loss"], np.log1p((n - 1) * np.exp(-margin)), rtol=1e-12)
        np.testing.assert_allclose(np.log(n), run["loss"][0], rtol=1e-14)
    assert errors[-1] < 0.02
    np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 2, atol=0.15)


def test_loss_and_gradient_are_those_of_optax():
    """At nodes where some examples have no class."""
    data = Data.of(ROUTES, float)
    weights = ROUTED.init(rd.init.Gaussian(0.7), key=1)

    def by_optax(weights):
        held = rd.networks.forward(ROUTED, weights, data.inputs, data.context)
        each = [optax.softmax_cross_entropy(held[node].T, Y.T) for node, Y in data.targets.items()]
        return sum(jnp.sum(node) for node in each) / ROUTES.num_examples

    expected, found = jax.jit(jax.value_and_grad(by_optax))(weights), routed(weights, data)
    assert sum((Y == 0).all(axis=0).sum() for Y in ROUTES.targets.values()) > 0
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-14), found, expected)


def test_targets_count_by_their_class_alone():
    """Centred or scaled one-hot columns are the same classes; permuted ones permute all."""
    run = train()
    Y = TASK.Y
    for other in (Y - Y.mean(axis=1, keepdims=True), 7 * Y, Y - 3):
        again = train(rd.tasks.from_arrays(X, other), observe=())
        np.testing.assert_array_equal(again["loss"], run["loss"])
    order = [2, 0, 1]
    w1, w2 = NET.edges
    turned = {w1: START[w1], w2: START[w2][np.array(order)]}
    other = train(rd.tasks.from_arrays(X, Y[order]), start=turned, observe=())
    np.testing.assert_allclose(other["loss"], run["loss"], rtol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_logits_do_not_overflow(dtype):
    network = rd.networks.chain(TASK, depth=1, width=1)
    (edge,) = network.edges
    weights = {edge: jnp.asarray(1e4 * RNG.normal(size=(3, 5)), dtype)}
    run = train(TASK, network, weights, steps=3, lr=1e-3, observe=["accuracy"])
    Y_hat = np.asarray(weights[edge], float) @ X
    assert np.abs(Y_hat).max() > 1e4 and run.status == rd.Status.DONE
    tolerance = {"float32": 1e-5, "float64": 1e-13}[dtype]
    np.testing.assert_allclose(run["loss"][0], numpy_loss(Y_hat, LABELS), rtol=tolerance)
    assert run["loss"].dtype == run["accuracy"].dtype == dtype


def test_float32_descends_as_float64():
    np.testing.assert_allclose(train(dtype="float32")["loss"], train()["loss"], rtol=1e-5)


def test_batches_are_unbiased():
    """The mean over all batches is the whole, with examples that have no class at some nodes."""
    data = Data.of(ROUTES, float)
    weights = ROUTED.init(rd.init.Gaussian(0.7), key=1)
    batches = jnp.array(list(itertools.combinations(range(ROUTES.num_examples), 2)))
    each = jax.jit(jax.vmap(lambda examples: routed(weights, batch_of(data, examples))))(batches)
    mean, whole = jax.tree.map(lambda of: of.mean(axis=0), each), routed(weights, data)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-13), mean, whole)
    run = train(batch_size=3, key=0)
    assert run["loss"][-1] < run["loss"][0]
    weights_at_end = {edge: jnp.asarray(w) for edge, w in run.end["weights"].items()}
    of_all = loss_of(NET, weights_at_end, Data.of(TASK, float), "cross_entropy")
    np.testing.assert_allclose(run["loss"][-1], of_all, rtol=1e-13)


def test_stages_descend_what_earlier_ones_leave():
    network = rd.networks.parallel(TASK, depths=(2, 2), width=4)
    start = network.init(rd.init.Gaussian(0.5), key=0)
    first, second = network.paths()
    run = train(network=network, start=start, stages=[first, second])
    alone = dict(zip(NET.edges, (start[edge] for edge in first), strict=True))
    by_itself = train(start=alone)
    for edge, of_chain in zip(first, NET.edges, strict=True):
        expected = by_itself.end["weights"][of_chain]
        np.testing.assert_allclose(run.end["weights"][edge], expected, rtol=0, atol=1e-13)
    data, one = (
        Data.of(TASK, float),
        train(network=network, start=start, stages=[first, second], steps=1),
    )
    gradient = jax.grad(lambda w: loss_of(network, w, data, "cross_entropy"))(start)
    for edge in second:  # of both together, the first held constant
        moved = start[edge] - 0.3 * gradient[edge]
        np.testing.assert_allclose(one.end["weights"][edge], moved, rtol=0, atol=1e-14)
    whole = {edge: jnp.asarray(w) for edge, w in run.end["weights"].items()}
    of_both = loss_of(network, whole, data, "cross_entropy")
    np.testing.assert_allclose(run["loss"][-1], of_both, rtol=1e-13)


@pytest.mark.slow
def test_stages_may_share_a_layer():
    """A shared edge moves by the sum of what each stage descends through its own path."""
    edges = {
        "shared": ("input", "first"),
        "one": ("first", "h1"),
        "one_out": ("h1", "output"),
        "two": ("first", "h2"),
        "two_out": ("h2", "output"),
    }
    network = rd.Network({"input": 5, "first": 4, "h1": 4, "h2": 4, "output": 3}, edges)
    start = network.init(rd.init.Gaussian(0.7), key=0)
    stages = [["shared", "one", "one_out"], ["shared", "two", "two_out"]]
    run = train(network=network, start=start, stages=stages, steps=1)

    def answer(weights, stage):
        first, inner, out = (weights[edge] for edge in stages[stage])
        return out @ inner @ first @ X

    def of(Y_hat):
        return optax.softmax_cross_entropy_with_integer_labels(Y_hat.T, LABELS).mean()

    alone = jax.grad(lambda w: of(answer(w, 0)))(start)
    added = jax.grad(lambda w: of(answer(start, 0) + answer(w, 1)))(start)
    for edge, w in start.items():
        moved = w - 0.3 * (alone[edge] + added[edge])
        np.testing.assert_allclose(run.end["weights"][edge], moved, rtol=0, atol=1e-14)


# Accuracy


@pytest.mark.slow
def test_accuracy_on_images_and_on_a_probe():
    pytest.importorskip("sklearn")
    whole = rd.tasks.images("digits")
    seen, unseen = (
        rd.tasks.from_arrays(whole.X[:, part], whole.Y[:, part])
        for part in (slice(0, 150), slice(150, 250))
    )
    network = rd.networks.chain(seen, depth=2, width=8)
    start = network.init(rd.init.Gaussian(0.1), key=0)
    asked = ["accuracy", "weights", rd.Probe("unseen", unseen)]
    run = train(seen, network, start, lr=5.0, steps=60, save_every=20, observe=asked)
    w1, w2 = (run.ys[edge] for edge in network.edges)
    for task, found in ((seen, run["accuracy"]), (unseen, run["probe_accuracy"][:, 0])):
        answers = (w2 @ w1 @ task.X).argmax(axis=1)
        expected = (answers == task.Y.argmax(axis=0)).mean(axis=1)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)
    probe = [numpy_loss(W @ unseen.X, unseen.Y.argmax(axis=0)) for W in w2 @ w1]
    np.testing.assert_allclose(run["probe_loss"][:, 0], probe, rtol=1e-12)
    assert run.dims["probe_accuracy"] == ("time", "probe")
    assert run["accuracy"][-1] > 0.8 > 0.3 > run["accuracy"][0]


@pytest.mark.parametrize("loss", ["mean", "cross_entropy"])
def test_accuracy_counts_the_nodes_that_have_a_class(loss):
    start = ROUTED.init(rd.init.Gaussian(0.5), key=3)
    run = train(ROUTES, ROUTED, start, loss=loss, lr=0.5, observe=["accuracy"])
    for row, weights in ((0, start), (-1, run.end["weights"])):
        weights = {edge: jnp.asarray(w) for edge, w in weights.items()}
        inputs = {node: jnp.asarray(x) for node, x in ROUTES.inputs.items()}
        held = rd.networks.forward(ROUTED, weights, inputs, jnp.asarray(ROUTES.context))
        right = [
            np.argmax(held[node][:, p]) == np.argmax(Y[:, p])
            for node, Y in ROUTES.targets.items()
            for p in range(ROUTES.num_examples)
            if Y[:, p].any()
        ]
        assert len(right) == ROUTES.num_examples  # each has a target at one node
        np.testing.assert_allclose(run["accuracy"][row], np.mean(right), rtol=1e-14)
    assert run["accuracy"][-1] > run["accuracy"][0]


def test_accuracy_is_not_observed_unless_asked_for():
    run = train(observe=[rd.Probe("same", TASK)])
    assert "accuracy" not in run and "probe_accuracy" not in run
    np.testing.assert_allclose(run["probe_loss"][:, 0], run["loss"], rtol=1e-14)


def test_accuracy_before_a_switch_is_that_of_the_task_before():
    """Rows that did not observe it stay NaN, though their weights are known."""
    other = rd.tasks.from_arrays(X, TASK.Y[::-1], name="other")
    first = train(steps=3, observe=["weights"])
    both = train(other, start=first, steps=2, observe=["accuracy", rd.Probe("first", TASK)])
    assert np.isnan(both["accuracy"][:4]).all() and np.isfinite(both["accuracy"][4:]).all()
    assert np.isfinite(both["probe_accuracy"]).all()
    start = accuracy_of(NET, START, Data.of(TASK, float))
    np.testing.assert_allclose(both["probe_accuracy"][0, 0], start, rtol=1e-14)


# What carries the kind of loss


def test_a_run_in_two_parts_is_the_same_run():
    whole, part = train(steps=12), train(steps=5)
    both = train(start=part, steps=7)
    np.testing.assert_array_equal(both["loss"], whole["loss"])
    told = r"`loss` must be of the kind of the run to go on from, but the two are"
    with pytest.raises(ValueError, match=told + " 'cross_entropy' and 'squared'"):
        train(start=part, loss="mean")
    with pytest.raises(ValueError, match=told + " 'squared' and 'cross_entropy'"):
        train(start=train(loss="mse"))
    # Older files do not say: all of them are of squared error.
    old = train(loss="mean", steps=2)
    settings = {k: v for k, v in old.provenance.settings.items() if k != "loss_kind"}
    old = dataclasses.replace(
        old, provenance=dataclasses.replace(old.provenance, settings=settings)
    )
    with pytest.raises(ValueError, match=told + " 'squared' and 'cross_entropy'"):
        train(start=old)
    assert len(train(start=old, loss="mean", steps=2)["loss"]) == 5


@pytest.mark.slow
def test_an_ensemble_and_checkpoints_have_it_too():
    def member(seed):
        start = NET.init(rd.init.Gaussian(0.5), key=seed)
        given = {"lr": 0.3, "steps": 20, "save_every": 10, "loss": "cross_entropy"}
        return rd.Training(NET, TASK, start, observe=["accuracy"], **given)

    many = rd.ensemble(member, 3, progress=False)
    one = train(start=NET.init(rd.init.Gaussian(0.5), key=2), save_every=10, observe=["accuracy"])
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(many.member(2)[name], one[name], rtol=1e-12)
    assert many.provenance.settings["loss_kind"] == "cross_entropy"
    run = train(save_every=10, observe=["accuracy", "weights"])
    states = {int(s): {e: w[i] for e, w in run.ys.items()} for i, s in enumerate(run.step)}
    seen = rd.observe(NET, TASK, states, lr=0.3, observe=["accuracy"], **BY_CLASSES)
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(seen[name], run[name], rtol=1e-12)
    np.testing.assert_allclose(seen.ts, run.ts)
    in_tau = rd.observe(NET, TASK, states, observe=(), **BY_CLASSES)
    np.testing.assert_allclose(in_tau["loss"], run["loss"], rtol=1e-12)


def test_a_file_and_a_table_say_which_loss_it_is(tmp_path):
    for loss, unit, words in (("mean", "y^2", "yhat|^2"), ("cross_entropy", "1", "log softmax")):
        run = train(loss=loss, steps=1, observe=[rd.Probe("same", TASK)])
        back = rd.load(rd.save(tmp_path / f"{loss}.h5", run=run))["run"]
        assert back.row("loss").unit == back.row("probe_loss").unit == unit
        assert words in back.row("loss").meaning
        assert back.row("strength").unit == "y/x"


@pytest.mark.slow
def test_sharpness_is_that_of_the_loss_that_is_descended():
    run = train(steps=1, observe=["sharpness"])
    flat, unravel = jax.flatten_util.ravel_pytree(START)
    data = Data.of(TASK, float)
    hessian = jax.hessian(lambda v: loss_of(NET, unravel(v), data, "cross_entropy"))(flat)
    np.testing.assert_allclose(run["sharpness"][0], np.linalg.eigvalsh(hessian)[-1], rtol=1e-6)


# What is not known, and not compared


def test_the_floor_is_only_a_bound():
    run = train(steps=50)
    assert run.stats["loss_floor"] == 0 and run.stats["converged"] != 1
    with pytest.raises(ValueError, match=r"`until` must be a loss here, .* by cross-entropy"):
        train(until="converged")
    ended = train(until=float(run["loss"][10]))
    assert ended.status == rd.Status.SETTLED and ended.step[-1] == 10


def test_losses_of_two_kinds_are_not_compared():
    run, plain = train(), train(loss="mean")
    found = rd.compare(plain, run)
    assert "loss" not in found.errors and "strength" in found.errors
    told = "the theory's loss is squared error and the run's is cross-entropy: losses are not"
    assert any(note.startswith(told) for note in found.notes)
    for one, other in ((plain, train(loss="mse")), (run, train(lr=0.15, steps=40))):
        beside = rd.compare(one, other)
        assert "loss" in beside.errors
        assert not any("cross-entropy" in note for note in beside.notes)
    with pytest.raises(ValueError, match="whose losses are squared error and cross-entropy"):
        rd.compare(train(loss="mean", observe=()), train(observe=()))
    with pytest.raises(ValueError, match="losses of one kind, but they are cross-entropy and squ"):
        rd.plot.loss(plain, run)
    assert rd.plot.loss(run).get_ylabel() == "loss $L$"
    with pytest.raises(ValueError, match=r"`loss` must be of squared error, but it is 'cross_en"):
        rd.compress(NET, TASK, START, lr=0.1, steps=10, loss="cross_entropy")


@pytest.mark.slow
def test_a_theory_is_of_squared_error():
    run = train()
    theory = rd.simulate(rd.reduce(NET, TASK, START, level="full"), run.ts, progress=False)
    found = rd.compare(theory, run)
    assert "loss" not in found.errors and "cross-entropy" in str(found)


SETTINGS = {
    "name": "classes",
    "task": {"kind": "clusters", "sizes": [1, 2, 1]},
    "network": {"kind": "parallel", "depths": [2, 2], "width": 6},
    "init": {"kind": "gaussian", "std": 0.3},
    "train": {"lr": 0.2, "steps": 40, "save_every": 10, "loss": "cross_entropy"},
}


@pytest.mark.slow
def test_the_main_job_only_trains(tmp_path):
    result = jobs.run(config.parse(SETTINGS), out=tmp_path, progress=False)
    assert result.comparison is None and not result.theories
    assert result.notes[0] == "theories are of squared error: by cross-entropy it was only trained"
    trained = rd.load(result.path)["trained"]
    assert trained.provenance.settings["loss_kind"] == "cross_entropy"
    again = jobs.run(config.parse(SETTINGS), out=tmp_path, progress=False, resume=True)
    np.testing.assert_array_equal(again.trained["loss"], trained["loss"])


@pytest.mark.slow
def test_a_sweep_says_why_it_has_no_theory(tmp_path):
    with pytest.warns(RuntimeWarning, match="theories are of squared error"):
        found = rd.sweep(
            config.parse(SETTINGS),
            {"train.loss": ["mean", "cross_entropy"]},
            out=tmp_path / "sweep",
            observe=["final_loss", "theory_error", "accuracy"],
            progress=False,
        )
    assert np.isfinite(found["theory_error"][0]).any()
    assert np.isnan(found["theory_error"][1]).all()
    assert "theories are of squared error" in found["error"][1]
    assert "theories are of squared error" not in found["error"][0]
    alone = jobs.run(config.parse(SETTINGS), out=tmp_path, progress=False)
    np.testing.assert_allclose(found["final_loss"][1], alone.trained["loss"][-1], rtol=1e-9)
    assert found["accuracy"].shape == (2, 5) and found["accuracy"][:, -1].min() > 0.9


# Bad input


TIED = TASK.Y.copy()
TIED[1, 4] = 1.0


@pytest.mark.parametrize("options", [{}, {"loss": "mean", "observe": ["accuracy"]}])
@pytest.mark.parametrize(
    ("Y", "message"),
    [
        (TIED, r"`task` .* example 4 \(from 0\) has 1 in 2 places at node 'output'"),
        (np.where(TASK.Y > 0, -1.0, 0.0), r"example 0 \(from 0\) has 0 in 2 places"),
        (np.where(TASK.Y > 0, -1.0, -0.0), r"example 0 \(from 0\) has 0 in 2 places"),
        (TASK.Y[:1], "node 'output' has one unit"),
        (0 * TASK.Y, "all are zero"),
    ],
)
def test_targets_that_are_no_classes_are_refused(Y, message, options):
    task = rd.tasks.from_arrays(X, Y)
    network = rd.networks.chain(task, depth=2, width=4)
    start = network.init(rd.init.Gaussian(0.5), key=0)
    with pytest.raises(ValueError, match=message):
        train(task, network, start, modes=None, paths=(), **options)


def test_classes_are_told_apart_in_the_numbers_of_the_run():
    Y = TASK.Y.copy()
    Y[1, 0] = 1 - 1e-9  # equal to 1 in float32
    task = rd.tasks.from_arrays(X, Y)
    assert np.isfinite(train(task)["loss"]).all()
    with pytest.raises(ValueError, match=r"example 0 .* in 2 places"):
        train(task, dtype="float32")


def test_a_probe_of_no_classes_is_named():
    probe = rd.Probe("tied", rd.tasks.from_arrays(X, TIED))
    for options in ({}, {"loss": "mean", "observe": ["accuracy", probe]}):
        with pytest.raises(ValueError, match=r"Probe 'tied': .* example 4 \(from 0\)"):
            train(**{"observe": [probe], **options})
    assert "probe_loss" in train(loss="mean", observe=[probe]).observables
    with pytest.raises(ValueError, match=r"'probe_accuracy' is had from train .*'accuracy', rd"):
        train(observe=["probe_accuracy"])


def test_soft_targets_are_refused():
    """Probabilities of several classes: cross-entropy would learn the largest's class alone."""
    soft = 0.9 * TASK.Y + 0.1 / len(TASK.Y)
    task = rd.tasks.from_arrays(X, soft / soft.sum(axis=0))
    with pytest.raises(
        ValueError, match=r"example 0 \(from 0\) has probabilities of several at no"
    ):
        train(task, modes=None, paths=())
    assert "accuracy" in train(task, loss="mean", observe=["accuracy"]).observables


def test_examples_without_a_class():
    """They add nothing to cross-entropy, whose mean is over all, and do not count in accuracy."""
    Y = TASK.Y.copy()
    Y[:, 0] = 0
    part = rd.tasks.from_arrays(X[:, 1:], Y[:, 1:])
    whole = rd.tasks.from_arrays(X, Y)
    runs = [train(task, observe=["accuracy"]) for task in (whole, part)]
    size = whole.num_examples
    assert runs[0]["loss"][0] * size == pytest.approx(runs[1]["loss"][0] * (size - 1), rel=1e-12)
    assert runs[0]["accuracy"][0] == runs[1]["accuracy"][0]
