"""Ensembles on several cores: the same bits, compiled once, and ended as on one."""

import os
import signal
import sys
import threading
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn import _jit
from racedyn._compilation import Stopwatch
from racedyn.simulation import cores as of_cores
from racedyn.simulation import stacks
from racedyn.simulation.cores import Cores, cores_for
from racedyn.trajectory import Status

TS = (0.0, 1.0, 4.0, 9.0)


def race(member):
    p = 0.1 * jax.random.normal(jax.random.fold_in(jax.random.key(0), member), (2, 3))
    return rd.systems.Pathways(jnp.array([3.0, 1.0, 0.5]), (2, 2), jnp.sqrt(0.3 + p**2), p)


def check_same(one, other):
    one, other = ({**run.observables, "status": run.status, **run.stats} for run in (one, other))
    assert set(one) == set(other)
    for name, values in one.items():
        np.testing.assert_array_equal(other[name], values, err_msg=name)


@pytest.mark.parametrize(
    ("ts", "method"),
    [
        pytest.param(None, "exact", marks=pytest.mark.slow),
        pytest.param(TS, "exact", marks=pytest.mark.long),
        pytest.param(TS, "ode", marks=pytest.mark.long),
    ],
)
def test_no_bit_depends_on_cores(ts, method):
    """Parts of a block, and four batches of 900 lanes that are dealt out."""
    whole = rd.ensemble(race, 300, ts, method=method, cores=1)
    for options in ({"cores": 2}, {"cores": 3, "block": 128}):
        check_same(whole, rd.ensemble(race, 300, ts, method=method, **options))


@pytest.mark.parametrize(
    "by_steps",
    [pytest.param(False, marks=pytest.mark.long), pytest.param(True, marks=pytest.mark.slow)],
)
def test_large_members_are_computed_one_by_one_on_each_core(by_steps, monkeypatch):
    task = rd.tasks.hierarchy(items=4)
    network = rd.networks.parallel(task, depths=(2, 2), width=12)
    starts = [network.init(rd.init.Gaussian(std=0.3), key=key) for key in range(5)]
    lengths = []

    def member(i):
        flow = rd.reduce(network, task, starts[int(i)], level="full")
        return rd.systems.Descent(flow, 0.05) if by_steps else flow

    real = stacks.integrate_members
    monkeypatch.setattr(
        stacks,
        "integrate_members",
        lambda lanes, *rest: lengths.append(stacks.length(lanes)) or real(lanes, *rest),
    )
    check_same(*(rd.ensemble(member, 5, TS, cores=cores) for cores in (1, 2)))
    assert lengths == [5, 3, 3]


def test_results_come_in_order_and_no_more_than_the_cores_are_under_way():
    here, under_way, most, taken, threads = threading.get_ident(), [], [], [], set()
    both = threading.Barrier(2, timeout=60)

    def square(n):
        under_way.append(n)
        most.append(len(under_way))
        threads.add(threading.get_ident())
        if n in (1, 2):  # two at a time, or neither goes on
            both.wait()
        under_way.remove(n)
        return n * n

    with Cores(2) as cores:
        for done, found in enumerate(
            cores.each(square, map(lambda n: taken.append(n) or n, range(9)))
        ):
            assert found == (done, done**2) and len(taken) <= done + 3
    assert taken == list(range(9))
    assert max(most) == 2 and len(threads) == 2 and here not in threads


def test_threads_compute_as_the_one_that_asks_and_compile_nothing_anew():
    """float64, precision and promotion may be set for a thread alone."""
    traced = []

    @jax.jit
    def add(x):
        traced.append(_jit.chosen_precision())
        return x + 1.0

    with jax.enable_x64(False), jax.default_matmul_precision("highest"), Cores(2) as cores:
        add(jnp.asarray(np.float64(0)))
        found = [y.dtype for _, y in cores.each(lambda x: add(jnp.asarray(x)), np.arange(5.0))]
    assert found == [jnp.float32] * 5 and traced == ["highest"]


def test_what_threads_compile_is_counted_by_the_one_that_asks():
    watch = Stopwatch()
    with Cores(2) as cores:
        list(cores.each(jax.jit(lambda x: x * 3.75 + 1), [np.ones(2), np.ones(2)]))
    assert 0 < watch.compile_time <= watch.wall_time


def test_what_is_raised_in_a_thread_is_raised_and_nothing_more_is_begun():
    begun = []

    def fail(n):
        begun.append(n)
        if n == 1:
            raise ZeroDivisionError("of member 1")

    with pytest.raises(ZeroDivisionError, match="of member 1"), Cores(3) as cores:
        assert [n for n, _ in cores.each(fail, range(100))] == [0]
    assert max(begun) <= 3


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(MemoryError, marks=pytest.mark.long),
        pytest.param(KeyboardInterrupt, marks=pytest.mark.slow),
    ],
)
def test_finished_blocks_stay_whatever_ends_a_thread(how, monkeypatch, tmp_path):
    """The second block fails, or Ctrl-C comes while a thread computes it; the same call goes on."""
    path, calls, here = tmp_path / "many.h5", [], threading.get_ident()
    real = stacks.integrate_members

    def integrate(*args):
        calls.append(threading.get_ident() != here)
        if len(calls) == 3:
            if how is MemoryError:
                raise MemoryError("no room")
            os.kill(os.getpid(), signal.SIGINT)
        return real(*args)

    def run(**options):
        return rd.ensemble(race, 300, TS, method="ode", block=128, **options)

    with monkeypatch.context() as patch:
        patch.setattr(stacks, "integrate_members", integrate)
        with pytest.raises(how):
            run(cores=2, path=path)
    assert all(calls) and len(calls) in (3, 4)
    status = rd.load(path.with_suffix(".h5.partial"), partial=True).ensemble.status
    assert (status[:128] != Status.INTERRUPTED).all() and (status[128:] == Status.INTERRUPTED).all()
    check_same(run(cores=1), rd.load(run(cores=2, path=path)).ensemble)


def test_all_cores_that_a_process_may_use_unless_others_compute(monkeypatch):
    def mesh(*platforms):
        devices = np.array([SimpleNamespace(platform=name) for name in platforms])
        return SimpleNamespace(devices=devices, size=len(devices))

    monkeypatch.setattr(of_cores.os, "sched_getaffinity", lambda _: {3, 5, 8}, raising=False)
    assert cores_for(None, mesh("cpu")).number == 3
    monkeypatch.delattr(of_cores.os, "sched_getaffinity")
    monkeypatch.setattr(of_cores.os, "cpu_count", lambda: 7)
    assert cores_for(None, mesh("cpu")).number == 7
    assert cores_for(2, mesh("cpu")).number == 2
    for several in (mesh("gpu"), mesh("cpu", "cpu")):
        assert cores_for(None, several).number == cores_for(1, several).number == 1
        with pytest.raises(ValueError, match="`cores` must be 1 unless one CPU is the only device"):
            cores_for(2, several)
    with pytest.raises(ValueError, match="`cores` must be a whole number of at least 1"):
        cores_for(0, mesh("cpu"))


def test_a_gpu_is_given_many_lanes_at_a_time(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert _jit.lanes_at_a_time(256) == _jit.lanes_at_a_time(256, 10_000) == 256
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert _jit.lanes_at_a_time(256) == _jit.lanes_at_a_time(256, 10**6) == 64 * 256
    assert _jit.lanes_at_a_time(256, 600) == 3 * 256
    assert _jit.lanes_at_a_time(256, 1) == 256
    for device in ("cpu", jax.devices("cpu")[0]):
        with jax.default_device(device):
            assert _jit.lanes_at_a_time(256) == 256


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda: rd.ensemble(race, 300, TS, method="ode"), marks=pytest.mark.long),
        pytest.param(lambda: rd.simulate(race(0), TS, method="ode"), marks=pytest.mark.long),
    ],
    ids=["ensemble", "simulate"],
)
def test_results_do_not_depend_on_lanes_at_a_time(run, monkeypatch):
    """The sizes of a GPU, on this CPU: no more than rounding changes."""
    usual = run()
    jax.clear_caches()
    for module in ("lanes", "blocks", "solve"):
        monkeypatch.setattr(
            sys.modules[f"racedyn.simulation.{module}"],
            "lanes_at_a_time",
            lambda on_cpu, count=None: 4 * on_cpu,
        )
    other = run()
    np.testing.assert_allclose(other["strength"], usual["strength"], rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(other.status, usual.status)
