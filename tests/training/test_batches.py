"""Mini-batches: each step by a NumPy loop, drawn evenly, and the same however a run is cut."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn.training.training import Training

RNG = np.random.default_rng(0)
TASK = rd.tasks.from_arrays(RNG.normal(size=(5, 12)), RNG.normal(size=(3, 12)))
NETWORK = rd.networks.chain(TASK, depth=3, width=4)
WEIGHTS = NETWORK.init(rd.init.Gaussian(std=0.5), key=0)
STEPS = {"lr": 0.05, "save_every": 1, "observe": ["weights"]}


def descent(batch_size=4, key=3, **options):
    return Training(
        NETWORK, TASK, WEIGHTS, lr=0.05, steps=1, batch_size=batch_size, key=key, **options
    ).descent


@pytest.mark.parametrize(
    "loss", ["mean", *(pytest.param(name, marks=pytest.mark.slow) for name in ("sum", "mse"))]
)
def test_steps_are_those_of_a_loop(loss):
    factor = {"mean": 1.0, "sum": 2.0 * 12, "mse": 2 / 3}[loss]
    given = {**STEPS, "lr": 0.05 / factor, "batch_size": 4, "key": 3, "loss": loss}
    run = rd.train(NETWORK, TASK, WEIGHTS, steps=6, **given)
    layers = [np.array(WEIGHTS[edge]) for edge in NETWORK.edges]
    for step in range(6):
        examples = np.asarray(descent().examples(jnp.asarray(step)))
        X, Y = TASK.X[:, examples], TASK.Y[:, examples]
        h = [X]
        for W in layers:
            h.append(W @ h[-1])
        delta, gradients = (h[-1] - Y) / 4, []
        for W, below in zip(layers[::-1], h[-2::-1], strict=True):
            gradients.append(delta @ below.T)
            delta = W.T @ delta
        layers = [W - 0.05 * G for W, G in zip(layers, gradients[::-1], strict=True)]
        for edge, W in zip(NETWORK.edges, layers, strict=True):
            np.testing.assert_allclose(run["weights"][edge][step + 1], W, rtol=1e-12, atol=1e-14)
    maps = np.linalg.multi_dot(layers[::-1])
    np.testing.assert_allclose(
        run["loss"][-1], 0.5 * np.mean(np.sum((TASK.Y - maps @ TASK.X) ** 2, axis=0)), rtol=1e-12
    )


def test_examples_are_drawn_evenly_and_none_twice():
    drawn = np.asarray(jax.vmap(descent().examples)(jnp.arange(600)))
    assert all(len({*row}) == 4 for row in drawn.tolist())
    counts = np.bincount(drawn.ravel(), minlength=12)
    # 600 draws of a third: mean 200, standard deviation sqrt(600 * 1/3 * 2/3)
    assert np.abs(counts - 200).max() < 4.5 * np.sqrt(600 * 2 / 9)
    both = np.mean([(3 in row) and (7 in row) for row in drawn.tolist()])
    assert abs(both - 4 * 3 / (12 * 11)) < 4.5 * np.sqrt(0.09 * 0.91 / 600)
    other = np.asarray(jax.vmap(descent(key=4).examples)(jnp.arange(20)))
    assert (other != drawn[:20]).any()


def test_a_batch_of_all_is_descent():
    whole = rd.train(NETWORK, TASK, WEIGHTS, steps=20, **STEPS)
    batch = rd.train(NETWORK, TASK, WEIGHTS, steps=20, batch_size=12, key=0, **STEPS)
    np.testing.assert_allclose(batch["loss"], whole["loss"], rtol=1e-12)


def test_a_run_in_two_parts_is_the_same_run():
    given = {"batch_size": 4, "key": 3, **STEPS}
    whole = rd.train(NETWORK, TASK, WEIGHTS, steps=15, **given)
    part = rd.train(NETWORK, TASK, WEIGHTS, steps=6, **given)
    both = rd.train(NETWORK, TASK, part, steps=9, **given)
    np.testing.assert_array_equal(both["loss"], whole["loss"])
    assert whole.provenance.settings["batch_size"] == 4
    other = rd.train(NETWORK, TASK, part, steps=9, **{**given, "key": 4})
    assert other.provenance.settings["went_on_from"][0]["key"] == [0, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 13, "key": 0}, "at most the number of examples, 12, but it is 13"),
        ({"batch_size": 0, "key": 0}, "`batch_size` must be a whole number of at least 1"),
        ({"batch_size": 4}, "`key` must be a whole number or a jax.random.key"),
        ({"key": 4}, "`key` must be left out without `batch_size`"),
    ],
)
def test_what_is_no_batch(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        rd.train(NETWORK, TASK, WEIGHTS, steps=3, lr=0.1, **options)
