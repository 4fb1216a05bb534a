"""Many members: each as it is alone, to the last bit whatever the blocks, the order, the devices
and the interruptions.
"""

import os
import subprocess
import sys
from types import SimpleNamespace

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn.simulation.blocks import Work
from racedyn.trajectory import Status

S, DEPTHS, TS = (3.0, 0.5), (2, 2), (0.0, 1.0, 4.0, 9.0)


def build(member):
    p = 0.1 * jax.random.normal(jax.random.fold_in(jax.random.key(0), member), (2, 2))
    return rd.systems.Pathways(jnp.array(S), DEPTHS, jnp.sqrt(0.3 + p**2), p)


class Decay(rd.AbstractSystem):
    rate: float
    start: jax.Array

    def y0(self):
        return self.start

    def vector_field(self, t, y, args):
        return -self.rate * y


def strengths(*args, **options):
    return np.asarray(rd.ensemble(*args, **options).observables["strength"])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["exact", "ode"])
def test_members_are_what_they_are_alone(method):
    many = rd.ensemble(build, 70, TS, method=method, rtol=1e-9, observe=("strength", "loss", "p"))
    assert many.dims["strength"] == ("member", "time", "path", "mode") and many.dims["loss"] == (
        "member",
        "time",
    )
    assert (
        many.observables["strength"].shape == (70, 4, 2, 2)
        and many.status.shape == (70,)
        and not many.failed
    )
    for i in (0, 63, 69):
        alone, own = rd.simulate(build(i), TS, method=method, rtol=1e-9), many.member(i)
        for name in ("strength", "loss", "p"):
            np.testing.assert_allclose(
                own.observables[name], alone.observables[name], rtol=1e-7, atol=1e-9
            )
        assert own.dims == {name: alone.dims[name] for name in own.dims}


@pytest.mark.slow
def test_the_end_is_where_trajectories_go():
    end = rd.ensemble(build, 10)
    assert np.isposinf(end.ts).all() and end.observables["strength"].shape == (10, 1, 2, 2)
    np.testing.assert_allclose(
        end.observables["strength"].sum(axis=2)[:, 0], np.tile(S, (10, 1)), rtol=1e-13
    )
    late = strengths(build, 10, [*TS[:3], 1e6])
    np.testing.assert_allclose(end.observables["strength"][:, 0], late[:, 3], rtol=1e-11)


@pytest.mark.parametrize("method", ["exact", pytest.param("ode", marks=pytest.mark.slow)])
def test_no_bit_depends_on_blocks_or_order(method):
    ts = TS if method == "ode" else None
    whole = strengths(build, 200, ts, method=method)
    np.testing.assert_array_equal(strengths(build, 200, ts, method=method, block=64), whole)
    order = np.random.default_rng(0).permutation(200)
    np.testing.assert_array_equal(
        strengths(build, order, ts, method=method, block=64), whole[order]
    )
    np.testing.assert_array_equal(strengths(build, order[:3], ts, method=method), whole[order[:3]])


class Sums(rd.AbstractSystem):
    """What it observes are sums, whose order XLA chooses by the size of a batch."""

    A: jax.Array

    def y0(self):
        return jnp.linspace(0.1, 1.0, 5)

    def vector_field(self, t, y, args):
        return -self.A @ y

    def observe(self, t, y):
        return {"sum": jnp.sum(jnp.sin(y)), "norm": jnp.linalg.norm(y)}


@pytest.mark.slow
def test_no_bit_of_what_is_observed_depends_on_blocks():
    A = np.eye(5) + 0.1 * np.random.default_rng(0).normal(size=(300, 5, 5))
    whole, parts = (
        rd.ensemble(Sums(jnp.eye(5)), {"A": A}, TS, block=block) for block in (None, 64)
    )
    for name in ("sum", "norm"):
        np.testing.assert_array_equal(whole[name], parts[name])


def interrupt_after(monkeypatch, blocks):
    real, done = Work.__call__, []

    def call(*args):
        if len(done) == blocks:
            raise KeyboardInterrupt
        done.append(1)
        return real(*args)

    monkeypatch.setattr(Work, "__call__", call)


@pytest.mark.slow
def test_an_interrupted_file_is_gone_on_with(tmp_path, monkeypatch):
    whole = rd.ensemble(build, 200, TS, block=64)
    path, partial = tmp_path / "many.h5", tmp_path / "many.h5.partial"
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            rd.ensemble(build, 200, TS, path=path, block=64)
    assert partial.exists() and not path.exists()
    so_far = rd.load(partial, partial=True).ensemble
    assert (so_far.status[:128] == 0).all() and (so_far.status[128:] == Status.INTERRUPTED).all()
    with pytest.raises(ValueError, match="`members` is 201 and was 200"):
        rd.ensemble(build, 201, TS, path=path)
    with monkeypatch.context() as patch:
        calls = []
        real = Work.__call__
        patch.setattr(Work, "__call__", lambda *args: calls.append(args[2]) or real(*args))
        assert rd.ensemble(build, 200, TS, path=path, block=64) == path
    assert np.concatenate(calls).min() == 128  # what was there is not computed again
    found = rd.load(path).ensemble
    np.testing.assert_array_equal(found.observables["strength"], whole.observables["strength"])
    assert not partial.exists() and (found.status == 0).all() and found.dims == whole.dims
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(path, group="ensemble") as data:
        assert data["strength"].dims == ("member", "time", "path", "mode") and data[
            "strength"
        ].shape == (200, 4, 2, 2)
    with pytest.raises(FileExistsError):
        rd.ensemble(build, 200, TS, path=path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(OSError, match="room"):
        rd.ensemble(build, 200, TS, path=tmp_path / "large.h5")


@pytest.mark.slow
def test_an_interrupted_run_in_memory_keeps_its_blocks(monkeypatch):
    interrupt_after(monkeypatch, 1)
    with pytest.warns(RuntimeWarning, match="136 of 200 members failed"):
        many = rd.ensemble(build, 200, TS, block=64)
    assert (
        np.isfinite(many.observables["strength"][:64]).all()
        and np.isnan(many.observables["strength"][64:]).all()
    )
    assert many.failed == list(range(64, 200))


@pytest.mark.parametrize("method", ["exact", pytest.param("ode", marks=pytest.mark.slow)])
def test_a_member_fails_alone(method):
    p = np.full((70, 2, 2), 0.1)
    p[5, 0, 1] = np.nan
    race = rd.systems.Pathways(S, DEPTHS, 0.5, 0.1)
    with pytest.warns(
        RuntimeWarning, match=r"1 of 70 members failed \(5\): 1 became infinite or NaN"
    ):
        many = rd.ensemble(race, {"p": p}, TS, method=method)
    assert many.stats["num_steps"].max() < 1000  # what can't begin takes no steps
    assert (
        many.failed == [5] and np.isfinite(np.delete(many.observables["strength"], 5, axis=0)).all()
    )
    assert np.isnan(many.observables["strength"][5, :, 0, 1]).all()


@pytest.mark.long
def test_what_is_never_learned_has_no_end_but_a_trajectory():
    q, p = (
        np.full((2, 1, 1), 0.4),
        np.array([0.5, -0.5]).reshape(2, 1, 1),
    )  # D = 3: from p < 0 < |q| < |p| it falls asleep
    race = rd.systems.Pathways([1.0], (3,), 1.0, 1.0)
    with pytest.warns(RuntimeWarning, match="no pathway can learn"):
        end = rd.ensemble(race, {"q": q, "p": p})
    assert (
        end.status.tolist() == [Status.DONE, Status.UNLEARNED]
        and np.isnan(end.observables["strength"][1]).all()
    )
    many = rd.ensemble(race, {"q": q, "p": p}, TS)
    alone = rd.simulate(rd.systems.Pathways([1.0], (3,), q[1], p[1]), TS)
    np.testing.assert_allclose(
        many.observables["strength"][1], alone.observables["strength"], atol=1e-7
    )


@pytest.mark.slow
def test_weight_decay_of_some_members_goes_to_the_solver():
    race = rd.systems.Pathways(S, DEPTHS, 0.5, 0.1)
    many = rd.ensemble(race, {"weight_decay": np.array([0.0, 0.1])}, TS)
    for i, decay in enumerate((0.0, 0.1)):
        alone = rd.simulate(rd.systems.Pathways(S, DEPTHS, 0.5, 0.1, weight_decay=decay), TS)
        np.testing.assert_allclose(
            many.observables["strength"][i], alone.observables["strength"], atol=1e-7
        )


@pytest.mark.long
def test_long_plateaus_take_a_solver_of_higher_order_and_rise_in_time():
    q = np.array([0.6, 0.1]).reshape(2, 1, 1)
    race = rd.systems.Pathways([1.0], (8,), 1.0, 1.0)
    exact = rd.ensemble(race, {"q": q, "p": q}, [0.0, 3.4, 166_667.0], method="exact")
    strength = exact.observables["strength"][..., 0, 0]
    assert 0.2 < strength[0, 1] < 0.8 and 0.2 < strength[1, 2] < 0.8
    many = rd.ensemble(race, {"q": q, "p": q}, exact.ts, method="ode", rtol=1e-9)
    np.testing.assert_allclose(
        many.observables["strength"], exact.observables["strength"], atol=1e-8
    )
    for i, solver in enumerate((dfx.Tsit5(), dfx.Dopri8())):
        alone = strengths(race, {"q": q, "p": q}, exact.ts, method="ode", rtol=1e-9, solver=solver)
        np.testing.assert_array_equal(many.observables["strength"][i], alone[i])
        assert not np.array_equal(many.observables["strength"][1 - i], alone[1 - i])


@pytest.mark.long
def test_systems_of_ones_own_with_a_stiff_member_for_the_second_solver():
    rates = np.array([0.5, 1e5, 2.0])
    many = rd.ensemble(
        Decay(1.0, jnp.ones(2)), {"rate": rates}, [1.0, 2.0], max_steps=3000, rtol=1e-7, atol=1e-9
    )
    assert many.observables["y"].shape == (3, 2, 2) and not many.failed
    expected = np.exp(-rates[:, None] * np.array([1.0, 2.0]))
    np.testing.assert_allclose(many.observables["y"][..., 0], expected, atol=1e-6)


@pytest.mark.slow
def test_a_builder_that_needs_the_host():
    task = rd.tasks.hierarchy(items=2)
    network = rd.networks.parallel(task, depths=(2, 2), width=8)

    def seed(member):
        return rd.reduce(
            network,
            task,
            network.init(rd.init.Gaussian(std=0.05), key=int(member)),
            level="pathway",
        )

    many = rd.ensemble(seed, 3, TS)
    for i in range(3):
        alone = rd.simulate(seed(i), TS, method="exact")
        np.testing.assert_allclose(
            many.observables["strength"][i], alone.observables["strength"], rtol=1e-12
        )


def growth(rate):
    matrix = np.diag([1.0, 2.0])
    return rd.from_function(lambda t, y, args: rate * args * (matrix @ y), jnp.ones(2))


def growth_and_decay(rate):
    return rd.systems.Piecewise([growth(rate), growth(-rate)], [0.75])


@pytest.mark.parametrize(
    ("build", "ends"),
    [
        pytest.param(growth, 1, marks=pytest.mark.slow),
        pytest.param(growth_and_decay, 0.5, marks=pytest.mark.long),
    ],
)
def test_functions_that_compute_with_the_member(build, ends):
    """What a system closes over is its member's own where JAX traces it, alone or as a piece."""
    rates = np.array([0.0, 1.0, 2.0])
    grown = rd.ensemble(build, rates, [1.0], args=jnp.array(0.5)).observables["y"][:, 0]
    np.testing.assert_allclose(grown, np.exp(ends * np.outer(0.5 * rates, [1, 2])), rtol=1e-7)


class Named(Decay):
    name: str
    power: int = 1

    def vector_field(self, t, y, args):
        return -self.rate * y**self.power * (2 if self.name == "twice" else 1)


def of_a_closure(member):
    rate = float(member)
    return rd.from_function(lambda t, y, args: -rate * y, [1.0])


def of_a_class(member):
    class Inner(Decay):
        def vector_field(self, t, y, args):
            return -member * y

    return Inner(1.0, jnp.ones(1))


def of_a_class_without_fields(member):
    class Inner(rd.AbstractSystem):
        def y0(self):
            return jnp.ones(1)

        def vector_field(self, t, y, args):
            return -member * y

    return Inner()


@pytest.mark.parametrize(
    "build, message",
    [
        (
            of_a_closure,
            "what of_a_closure.<locals>.<lambda> reads is another value, or other code, in each",
        ),
        (
            lambda member: Named(1.0, jnp.ones(1), "twice" if member else "once"),
            "'twice' where the first has 'once'",
        ),
        (
            lambda member: Named(1.0, jnp.ones(1), "once", int(member)),
            r"1 \(int\) where the first has 0",
        ),
        (of_a_class, "computes with what JAX traced elsewhere"),
        (of_a_class_without_fields, "they have none"),
    ],
)
def test_members_that_differ_in_what_is_compiled_are_refused(build, message):
    """Every one of them would be the first."""
    with pytest.raises(ValueError, match=message):
        rd.ensemble(build, np.array([0.0, 1.0, 2.0]), [1.0])


RATE, PLACE, VALUES = 1.0, SimpleNamespace(rate=1.0), np.ones(1)
ONE = rd.from_function(lambda t, y, args: -RATE * y, [1.0])


class OfAGlobal(Decay):
    def vector_field(self, t, y, args):
        return -RATE * y


def set_all(member):
    global RATE
    RATE = PLACE.rate = VALUES[0] = float(member)


SHARED = {
    "a global": lambda: rd.from_function(lambda t, y, args: -RATE * y, [1.0]),
    "an attribute": lambda: rd.from_function(lambda t, y, args: -PLACE.rate * y, [1.0]),
    "an array": lambda: rd.from_function(lambda t, y, args: -VALUES * y, [1.0]),
    "one system": lambda: ONE,
    "a method's global": lambda: OfAGlobal(1.0, jnp.ones(1)),
}


@pytest.mark.parametrize("kind", SHARED)
def test_what_building_a_member_changes_outside_of_it_is_refused(kind):
    """One function reads all: at the end it would be the last member's value, compiled in for
    everyone.
    """
    with pytest.raises(
        ValueError, match=r"differ in arrays or floats only, but what .* reads is another value"
    ):
        rd.ensemble(
            lambda member: (set_all(member), SHARED[kind]())[1], np.array([0.5, 1.0]), [1.0]
        )


@pytest.mark.slow
def test_traced_globals_and_defaults_are_the_members_own():
    def by_a_global(member):
        global RATE
        RATE = member
        return rd.from_function(lambda t, y, args: -RATE * y, [1.0])

    try:
        for build in (
            by_a_global,
            lambda member: rd.from_function(lambda t, y, args, k=member: -k * y, [1.0]),
        ):
            ends = rd.ensemble(build, [0.5, 1.0], [1.0]).observables["y"].ravel()
            np.testing.assert_allclose(ends, np.exp([-0.5, -1.0]), rtol=1e-7)
    finally:
        set_all(1.0)


@pytest.mark.parametrize("on_the_host", [False, True])
def test_draws_that_are_not_the_members_own_are_refused(on_the_host):
    """Traced, one draw would be everyone's."""
    draw = np.random.default_rng(0)

    def build(member):
        p = 0.1 * draw.standard_normal((2, 2)) + (float(member) if on_the_host else member)
        return rd.systems.Pathways(S, DEPTHS, 0.5, p)

    with pytest.raises(ValueError, match=r"return the same each time .* jax.random.fold_in"):
        rd.ensemble(build, 3, TS)


@pytest.mark.slow
def test_a_file_is_gone_on_with_by_the_same_functions_only(tmp_path, monkeypatch):
    """After an interruption: another closure, another global, other code."""
    path = tmp_path / "many.h5"
    made, stop = Work.__call__, [True]

    def interrupted(*args):
        if stop[0] and len(made_blocks):
            raise KeyboardInterrupt
        made_blocks.append(1)
        return made(*args)

    def run(build):
        return rd.ensemble(build, np.arange(130.0), [1.0], block=64, path=path)

    def by(factor):
        return lambda member: rd.from_function(
            lambda t, y, args: -RATE * factor * y, jnp.ones(1) * (1 + member)
        )

    def other_code(member):
        return rd.from_function(lambda t, y, args: -2 * RATE * y, jnp.ones(1) * (1 + member))

    made_blocks: list[int] = []
    monkeypatch.setattr(Work, "__call__", interrupted)
    set_all(1.0)
    with pytest.raises(KeyboardInterrupt, match="64 of 130"):
        run(by(1.0))
    stop[0] = False
    for build in (by(2.0), other_code):
        with pytest.raises(ValueError, match="settings: `fingerprint of build and members` is"):
            run(build)
    set_all(2.0)
    with pytest.raises(ValueError, match="settings: `fingerprint of build and members` is"):
        run(by(1.0))
    set_all(1.0)
    ends = rd.load(run(by(1.0))).ensemble.observables["y"].ravel()
    np.testing.assert_allclose(ends, np.exp(-1) * np.arange(1, 131), rtol=1e-7)


@pytest.mark.long
def test_what_is_known_of_each_lane_goes_to_the_file(tmp_path):
    """Accuracy, and crossings of members that have lanes; long plateaus are known less well, as in
    `simulate`.
    """
    race = rd.systems.Pathways([1.0], (9, 9), 0.01, [[0.01], [0.0099]])
    start = {
        "q": np.array([[[1.0], [1.0]], [[0.01], [0.01]]]),
        "p": np.array([[[0.1], [0.05]], [[0.01], [0.0099]]]),
    }
    path = rd.ensemble(
        race, start, [1.0], method="ode", crossings={"half": 0.5}, path=tmp_path / "many.h5"
    )
    stats = rd.load(path).ensemble.stats
    assert stats["accuracy"].shape == stats["crossing_half"].shape == (2, 1)
    assert stats["accuracy"][0] < 1e-6 and stats["accuracy"][1] > 0.1
    assert np.all(rd.ensemble(race, start, [1.0]).stats["accuracy"] == 1e-8)


@pytest.mark.slow
def test_functions_that_close_over_the_same_are_one():
    """`if` needs the host; what it makes is equal but for the start."""

    def build(member):
        by = 2.0 if member < 10 else 3.0
        return rd.from_function(lambda t, y, args: -by * y, [float(member)])

    ends = rd.ensemble(build, np.array([1.0, 2.0]), [1.0]).observables["y"].ravel()
    np.testing.assert_allclose(ends, np.exp(-2) * np.array([1, 2]), rtol=1e-7)


def test_bad_input():
    race = rd.systems.Pathways(S, DEPTHS, 0.5, 0.1)
    p = np.zeros((3, 2, 2))
    for bad, message in (
        (lambda: rd.ensemble(race, 3, TS), "dict of fields"),
        (lambda: rd.ensemble(race, {"r": p}, TS), "'r' is none"),
        (lambda: rd.ensemble(race, {"p": p[:, 0]}, TS), r"shape \('member', 2, 2\)"),
        (lambda: rd.ensemble(build, 0, TS), "at least 1"),
        (lambda: rd.ensemble(build, {"a": np.zeros(2), "b": np.zeros(3)}, TS), "all as long"),
        (lambda: rd.ensemble(lambda m: m, 3, TS), "return a system"),
        (lambda: rd.ensemble(3, 3, TS), "be a system, or a function"),
        (lambda: rd.ensemble(race, {"p": p}, [2.0, 1.0]), "rise"),
        (lambda: rd.ensemble(race, {"p": p}, TS, method="exakt"), "'exact'"),
        (lambda: rd.ensemble(race, {"p": p}, TS, observe="strenght"), "strength"),
        (lambda: rd.ensemble(lambda m: Decay(1.0, jnp.ones(2)), 3), "`ts` must be given"),
        (
            lambda: rd.ensemble(lambda m: Decay(1.0, jnp.ones(2)), 3, TS, method="exact"),
            "'ode' or 'auto'",
        ),
        (lambda: rd.ensemble(build, 3, TS, block=0), "block"),
        (
            lambda: rd.ensemble(lambda m: Decay(1.0, np.ones(int(m) + 1)), 3, TS),
            "one kind and size",
        ),
        (lambda: rd.simulate(Decay(1.0, jnp.ones(2)), TS).member(0), "ensemble"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            bad()


OVER_DEVICES = """
import jax, numpy as np, sys
jax.config.update("jax_enable_x64", True)
sys.path.insert(0, {tests!r})
import racedyn as rd
from test_ensemble import TS, Decay, build
assert len(jax.devices()) == 2
for ts, method in ((None, "exact"), (TS, "exact"), (TS, "ode")):
    two, one = (
        np.asarray(rd.ensemble(build, 300, ts, method=method, devices=some)["strength"])
        for some in (None, jax.devices()[:1])
    )
    np.testing.assert_array_equal(two, one)
rates = {{"rate": np.array([0.5, 1e5])}}
stiff = rd.ensemble(Decay(1.0, jax.numpy.ones(2)), rates, [1.0], max_steps=3000, atol=1e-9)
assert not stiff.failed
"""


@pytest.mark.long
def test_two_devices_give_the_same_bits():
    code = OVER_DEVICES.format(tests=os.path.dirname(__file__))
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    environment = {**os.environ, "XLA_FLAGS": flags}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


KILLED = """
import os, jax
jax.config.update("jax_enable_x64", True)
import sys
sys.path.insert(0, {tests!r})
import racedyn as rd
from racedyn.simulation.blocks import Work
from test_ensemble import TS, build
real, done = Work.__call__, []
def call(*args):
    if len(done) == 2:
        os.kill(os.getpid(), 9)
    done.append(1)
    return real(*args)
Work.__call__ = call
rd.ensemble(build, 200, TS, path={path!r}, block=64)
"""


@pytest.mark.long
def test_a_killed_run_is_gone_on_with(tmp_path):
    path = tmp_path / "many.h5"
    code = KILLED.format(tests=os.path.dirname(__file__), path=str(path))
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    rd.ensemble(build, 200, TS, path=path, block=64)
    np.testing.assert_array_equal(
        rd.load(path).ensemble.observables["strength"], strengths(build, 200, TS)
    )


@pytest.mark.long
def test_states_of_many_numbers_are_members_too():
    """Matrices of a network: a program for each number would not be compiled in an hour."""
    task = rd.tasks.hierarchy(items=4)
    network = rd.networks.parallel(task, depths=(3, 3), width=12)
    starts = [network.init(rd.init.Gaussian(std=0.3), key=k) for k in range(2)]
    ts = np.linspace(0, 20, 11)
    runs = rd.ensemble(lambda i: rd.reduce(network, task, starts[i], level="full"), 2, ts)
    for member, start in enumerate(starts):
        alone = rd.simulate(rd.reduce(network, task, start, level="full"), ts)
        np.testing.assert_allclose(runs["strength"][member], alone["strength"], atol=1e-7)


@pytest.mark.parametrize("door", [rd.simulate, rd.solve, rd.ensemble])
def test_crossings_that_are_no_dict_are_refused_by_name(door):
    """An array of several has no truth value, which was asked for before."""
    race = rd.systems.Pathways([1.0], (3, 3), q=1.0, p=[[0.1], [0.2]])
    ts = [0.0, 1.0]
    given = (lambda member: race, 2, ts) if door is rd.ensemble else (race, ts)
    with pytest.raises(TypeError, match="`crossings` must be a dict name"):
        door(*given, crossings=np.array([race, None], dtype=object))
