"""Ensembles of trainings: each member as `train` trains it, whatever is beside it."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import racedyn as rd
from racedyn import Status
from racedyn.simulation.trainings import Trainings

TASK = rd.tasks.hierarchy(items=4)
NETWORK = rd.networks.parallel(TASK, depths=(2, 3), width=6)
LAW = rd.init.Gaussian(std=0.2)
STEPS = {"lr": 0.05, "steps": 70, "save_every": 30}
EVERYTHING = {"observe": ["strength", "weights"], **STEPS}


def drawn(seed, network=NETWORK):
    return network.init(LAW, key=seed)


def check_alone(run, member, training, network=NETWORK, task=TASK, rtol=1e-12):
    """That a member is what `train` makes of the same."""
    alone = rd.train(network, task, drawn(member, network), **training)
    mine = run.member(member)
    assert list(mine.step) == list(alone.step) and mine.status == alone.status
    np.testing.assert_allclose(mine.ts, alone.ts, rtol=1e-6 if rtol > 1e-9 else 1e-15)
    for name, values in alone.observables.items():
        scale = np.abs(values).max()
        np.testing.assert_allclose(mine[name], values, rtol=0, atol=rtol * scale, err_msg=name)
    for edge, values in (alone.ys or {}).items():
        np.testing.assert_allclose(mine["weights"][edge], values, rtol=0, atol=rtol)
    for name, value in alone.stats.items():
        # What is left of the loss is known to its rounding alone.
        np.testing.assert_allclose(mine.stats[name], value, rtol=100 * rtol, atol=1e-12)
    return alone


def gate(network, task, weights):
    return jnp.stack([jnp.linalg.norm(w) for w in weights.values()])


RELU = rd.networks.parallel(TASK, depths=(2, 2), width=5, activation="relu")
PROBE = rd.Probe("half", rd.tasks.from_arrays(TASK.X, TASK.Y / 2))
NORMS = rd.Observable("norms", axes=("edge",), function=gate)


@pytest.mark.parametrize(
    ("network", "options"),
    [
        (NETWORK, {}),
        (NETWORK, {"weight_decay": 0.1, "loss": "half_sum", "lr": 0.01}),
        (NETWORK, {"batch_size": 3, "key": 5}),
        pytest.param(
            RELU,
            {"observe": ["data_strength", "activity:h1_1", PROBE, NORMS, "sharpness"]},
            marks=pytest.mark.slow,
        ),
        pytest.param(NETWORK, {"optimiser": optax.adam(0.01), "lr": None}, marks=pytest.mark.slow),
        pytest.param(NETWORK, {"dtype": "float32"}, marks=pytest.mark.slow),
        pytest.param(
            NETWORK,
            {"stages": [["w1_1", "w1_2"], ["w2_1", "w2_2", "w2_3"]]},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            NETWORK, {"until": 0.5, "steps": 400, "save_every": 7}, marks=pytest.mark.slow
        ),
    ],
)
def test_members_are_what_train_makes_of_them(network, options):
    training = {**EVERYTHING, **options}
    run = rd.ensemble(lambda seed: rd.Training(network, TASK, drawn(seed, network), **training), 10)
    rtol = 1e-5 if options.get("dtype") == "float32" else 1e-12
    for member in (0, 3, 9):
        check_alone(run, member, training, network, rtol=rtol)
        if "until" in options:  # in the ensemble those that end keep their last row
            rows = len(run.member(member).ts)
            assert run.status[member] == Status.SETTLED and rows < len(run.ts)
            kept = run["loss"][member]
            np.testing.assert_array_equal(kept[rows:], kept[rows - 1])


def test_on_a_gpu_a_block_may_have_fewer_members_than_are_trained_together(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    run = rd.ensemble(member_of_seed, 70)  # a block of 128, and 2,048 would have room
    for member in (0, 69):
        check_alone(run, member, EVERYTHING)


@pytest.mark.parametrize(
    ("field", "values"), [("lr", [0.1, -0.1]), ("weight_decay", [0.1, np.nan]), ("until", [1.0, 0])]
)
def test_numbers_that_train_refuses_are_refused_of_members(field, values):
    def member(number):
        return rd.Training(NETWORK, TASK, drawn(0), **{**EVERYTHING, field: number})

    with pytest.raises(ValueError, match=rf"`{field} of a Training` .* for member 1"):
        rd.ensemble(member, np.array(values))


def member_of_seed(seed):
    return rd.Training(NETWORK, TASK, drawn(seed), **EVERYTHING)


def check_same(one, other):
    for name, values in one.observables.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)
    for name, values in one.stats.items():
        np.testing.assert_array_equal(values, other.stats[name], err_msg=name)
    np.testing.assert_array_equal(one.status, other.status)


@pytest.mark.parametrize(
    "width",
    [pytest.param(6, marks=pytest.mark.slow), pytest.param(40, marks=pytest.mark.long)],
)
def test_no_bit_depends_on_blocks_order_cores_and_what_is_beside(width):
    """At width 40 eight are trained together, not 64."""
    network = rd.networks.parallel(TASK, depths=(2, 3), width=width)

    def member(seed):
        return rd.Training(network, TASK, drawn(seed, network), **EVERYTHING)

    whole = rd.ensemble(member, 130, cores=1)
    assert len(whole.status) == 130
    for options in ({"block": 64}, {"cores": 2, "block": 128}):
        check_same(whole, rd.ensemble(member, 130, **options))
    order = np.random.default_rng(0).permutation(130)
    turned = rd.ensemble(member, order)
    for name, values in whole.observables.items():
        np.testing.assert_array_equal(values[order], turned[name])
    few = rd.ensemble(member, np.array([7, 129]))
    np.testing.assert_array_equal(few["loss"], whole["loss"][[7, 129]])


OVER_DEVICES = """
import sys, jax
jax.config.update("jax_enable_x64", True)
sys.path.insert(0, {tests!r})
import racedyn as rd
from test_trainings import check_same, member_of_seed
one, two = jax.devices()[:1], jax.devices()[:2]
assert len(two) == 2
check_same(*(rd.ensemble(member_of_seed, 70, devices=each) for each in (one, two)))
"""


@pytest.mark.slow
def test_no_bit_depends_on_devices():
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    code = OVER_DEVICES.format(tests=os.path.dirname(__file__))
    environment = {**os.environ, "XLA_FLAGS": flags}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.slow
def test_large_networks_are_trained_one_by_one():
    network = rd.networks.parallel(TASK, depths=(3, 3), width=80)
    training = {**STEPS, "steps": 20, "observe": ["strength", "weights"]}
    run = rd.ensemble(lambda i: rd.Training(network, TASK, drawn(i, network), **training), 3)
    for member in range(3):
        check_alone(run, member, training, network)


def test_a_member_that_diverges_fails_alone():
    """With its rows up to then, and whatever the others do."""
    rates = np.array([0.05, 50.0, 0.1, 1e30])

    def member(given):
        weights = drawn(given["seed"])
        return rd.Training(NETWORK, TASK, weights, lr=given["lr"], steps=60, save_every=5)

    with pytest.warns(RuntimeWarning, match="2 of 4 members failed"):
        run = rd.ensemble(member, {"seed": np.arange(4), "lr": rates})
    assert list(run.status) == [Status.DONE, Status.NOT_FINITE, Status.DONE, Status.NOT_FINITE]
    for i in (1, 3):
        with pytest.warns(RuntimeWarning, match="Training stopped"):
            alone = rd.train(NETWORK, TASK, drawn(i), lr=rates[i], steps=60, save_every=5)
        rows = len(alone.ts)
        assert run.stats["diverged_at"][i] == alone.stats["diverged_at"] > 0
        np.testing.assert_allclose(run["loss"][i, :rows], alone["loss"], rtol=1e-12)
        assert np.isnan(run["loss"][i, rows:]).all() and np.isnan(run["strength"][i, rows:]).all()
    np.testing.assert_allclose(
        run["loss"][2],
        rd.train(NETWORK, TASK, drawn(2), lr=0.1, steps=60, save_every=5)["loss"],
        rtol=1e-12,
    )


def test_members_with_step_sizes_of_their_own_count_steps():
    def member(given):
        return rd.Training(NETWORK, TASK, drawn(given["seed"]), **{**STEPS, "lr": given["lr"]})

    rates = np.array([0.02, 0.05, 0.1])
    run = rd.ensemble(member, {"seed": np.arange(3), "lr": rates})
    assert run.provenance.settings["time_unit"] == "steps" and list(run.ts) == [0, 30, 60, 70]
    np.testing.assert_array_equal(run.stats["time_per_step"], rates)
    for i, lr in enumerate(rates):
        alone = check_alone(run, i, {**STEPS, "lr": lr})
        assert run.member(i).provenance.settings["time_unit"] == "tau"
        np.testing.assert_allclose(run.member(i).ts, alone.ts, rtol=1e-15)
    same = rd.ensemble(member, {"seed": np.arange(3), "lr": np.full(3, 0.05)})
    assert same.provenance.settings["time_unit"] == "tau"
    np.testing.assert_allclose(same.ts, 0.05 * same.step, rtol=1e-15)


@pytest.mark.slow
def test_members_with_targets_of_their_own():
    """Which JAX can't trace: they are built one by one. Each is read in its own modes."""
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(3, 7, 4))

    def task_of(i):
        return rd.tasks.from_arrays(np.eye(4), targets[int(i)])

    def member(i):
        return rd.Training(NETWORK, task_of(i), drawn(int(i)), **EVERYTHING)

    run = rd.ensemble(member, 3)
    assert run.provenance.modes is None
    for i in range(3):
        check_alone(run, i, EVERYTHING, task=task_of(i))
    same = rd.ensemble(lambda i: rd.Training(NETWORK, task_of(1), drawn(i), **EVERYTHING), 3)
    assert same.provenance.modes.same_as(task_of(1).modes)


OBSERVED = ["strength"]


@pytest.mark.slow
def test_what_is_known_of_a_function_is_known_of_that_one_alone():
    """The same function that observes something else; others that JAX can't trace; and one that
    makes the same of all members."""

    def member(seed):
        return rd.Training(NETWORK, TASK, drawn(seed), **STEPS, observe=OBSERVED)

    assert set(rd.ensemble(member, 2).observables) == {"loss", "strength"}
    OBSERVED.append("sharpness")
    assert set(rd.ensemble(member, 2).observables) == {"loss", "strength", "sharpness"}
    for width in (3, 5):
        network = rd.networks.chain(TASK, depth=2, width=width)

        def on_host(i, network=network):
            weights = network.init(LAW, key=int(i))
            return rd.Training(network, TASK, weights, **STEPS, observe=["weights"])

        assert rd.ensemble(on_host, 2)["weights:w1"].shape == (2, 4, width, 4)
    same = rd.ensemble(lambda i: rd.Training(NETWORK, TASK, drawn(7), **STEPS), 3)
    np.testing.assert_array_equal(same["loss"], same["loss"][:1].repeat(3, axis=0))
    check_alone(rd.ensemble(member, 8), 7, {**STEPS, "observe": OBSERVED})
    np.testing.assert_allclose(same["loss"][0], rd.ensemble(member, 8)["loss"][7], rtol=1e-12)


@pytest.mark.slow
def test_an_interrupted_file_is_gone_on_with(tmp_path, monkeypatch):
    whole, path = rd.ensemble(member_of_seed, 130), tmp_path / "many.h5"
    real, done = Trainings.__call__, []

    def call(*args):
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(1)
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(Trainings, "__call__", call)
        with pytest.raises(KeyboardInterrupt, match="64 of 130"):
            rd.ensemble(member_of_seed, 130, path=path, block=64)
    with pytest.raises(ValueError, match="fingerprint of build and members"):
        rd.ensemble(
            lambda s: rd.Training(NETWORK, TASK, drawn(s), **{**EVERYTHING, "lr": 0.06}),
            130,
            path=path,
        )
    rd.ensemble(member_of_seed, 130, path=path, block=64)
    found = rd.load(path).ensemble
    check_same(whole, found)
    assert found.provenance.modes.same_as(TASK.modes) and list(found.step) == [0, 30, 60, 70]
    np.testing.assert_array_equal(found.member(3)["weights"]["w1_1"], whole["weights:w1_1"][3])
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(path, group="ensemble") as data:
        assert data["strength"].dims == ("member", "time", "path", "mode")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rd.ensemble(member_of_seed, 3, [0.0, 1.0]), "`ts` must be left out beside train"),
        (lambda: rd.ensemble(member_of_seed, 3, observe=["loss"]), "`observe` must be left out"),
        (lambda: rd.ensemble(member_of_seed, 3, rtol=1e-3), "`rtol` must be left out"),
        (lambda: rd.ensemble(member_of_seed(0), {"weights": 1.0}), "`members` must"),
        (
            lambda: rd.ensemble(
                lambda i: rd.Training(NETWORK, TASK, drawn(0), lr=0.1, steps=int(i) + 1), 3
            ),
            "(?s)one kind and size.* in 'steps'",
        ),
        (
            lambda: rd.ensemble(
                lambda i: rd.Training(NETWORK, TASK, drawn(i), lr=-1.0, steps=5), 3
            ),
            "`lr` must be a positive number",
        ),
        (
            lambda: rd.ensemble(
                lambda i: rd.Training(
                    rd.networks.parallel(TASK, depths=(2, 2 + int(i)), width=4),
                    TASK,
                    {},
                    lr=0.1,
                    steps=5,
                ),
                2,
            ),
            "weights",
        ),
    ],
)
def test_what_is_no_ensemble_of_trainings(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
