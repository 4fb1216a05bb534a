"""Compiling is counted apart from running, and said while it lasts."""

import io
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn import _compilation as compilation
from racedyn import store
from racedyn._compilation import Stopwatch
from racedyn._progress import Progress, compiling
from racedyn.trajectory import Provenance, Trajectory

TRACE, LOWER, XLA = (
    f"/jax/core/compile/{name}_duration"
    for name in ("jaxpr_trace", "jaxpr_to_mlir_module", "backend_compile")
)


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets, and a thread that has compiled nothing."""
    now = [100.0]
    monkeypatch.setattr(compilation.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(compilation, "_here", compilation._OfThisThread())
    return now


def stage(clock, event, end, seconds):
    clock[0] = end
    compilation._heard(event, seconds)


def test_stages_add_up_and_what_is_inside_another_is_counted_once(clock):
    watch = Stopwatch()
    stage(clock, TRACE, 102, 0.5)  # an inner function
    stage(clock, TRACE, 103, 0.25)  # and another
    stage(clock, TRACE, 104, 3.0)  # the outer one, from 101 on
    stage(clock, LOWER, 105, 1.0)
    stage(clock, "/jax/other", 106, 9.0)
    stage(clock, XLA, 109, 4.0)
    clock[0] = 120
    assert watch.compile_time == pytest.approx(8.0)
    assert watch.wall_time == pytest.approx(20.0)
    assert Stopwatch().compile_time == 0


def test_a_first_call_compiles_and_a_second_one_runs():
    @jax.jit
    def long(x):
        return jax.lax.fori_loop(0, 7, lambda i, y: jnp.sin(y) + i, x)

    times = []
    for _ in range(2):
        watch = Stopwatch()
        long(jnp.ones(3)).block_until_ready()
        times.append((watch.wall_time, watch.compile_time))
    assert 0 < times[0][1] <= times[0][0]
    assert times[1][1] == 0


def test_a_caller_who_clears_jaxs_listeners_still_gets_compile_times():
    Stopwatch()
    jax.monitoring.clear_event_listeners()
    watch = Stopwatch()
    jax.jit(lambda x: x * 4.5 + 2)(np.ones(2))
    assert watch.compile_time > 0


@pytest.mark.parametrize(("most", "again"), [("100", True), ("10000000", False)])
def test_programs_are_forgotten_before_memory_maps_run_out(monkeypatch, tmp_path, most, again):
    """Else XLA crashes the process, after some two hundred solves of different shapes."""
    (tmp_path / "most").write_text(most)
    monkeypatch.setattr(compilation, "_MOST_MAPPED", tmp_path / "most")
    monkeypatch.setattr(compilation, "_LOOK_EVERY", 3)
    kept = jax.jit(lambda x: x * 5.5 + 3)
    Stopwatch()
    for size in range(1, 4):
        kept(np.ones(size))
    watch = Stopwatch()
    kept(np.ones(3))
    assert (watch.compile_time > 0) == again


def test_another_threads_compiling_is_not_ours():
    watch = Stopwatch()
    thread = threading.Thread(target=lambda: jax.jit(lambda x: x * 3.25 + 1)(np.ones(2)))
    thread.start()
    thread.join()
    assert watch.compile_time == 0


def said(monkeypatch, seconds, *, label="simulate", show=True, patience=0.05):
    """What is said while XLA is at it for so long."""
    monkeypatch.setattr(compilation, "PATIENCE", patience)
    stream = io.StringIO()
    with compiling(label, show=show, stream=stream):
        compilation._heard(LOWER, 0.0)
        time.sleep(seconds)
        compilation._heard(XLA, seconds)
        time.sleep(0.02)
    return stream.getvalue()


def test_long_compiling_is_said_once_and_short_compiling_not_at_all(monkeypatch):
    assert said(monkeypatch, 0.3) == "simulate: compiling ...\n"
    assert said(monkeypatch, 0.0) == ""
    assert said(monkeypatch, 0.3, show=False) == ""


def test_running_is_not_called_compiling(monkeypatch):
    monkeypatch.setattr(compilation, "PATIENCE", 0.02)
    stream = io.StringIO()
    with compiling("simulate", stream=stream):
        time.sleep(0.1)
    compilation._heard(LOWER, 0.0)  # outside nobody listens
    time.sleep(0.05)
    assert stream.getvalue() == ""


def test_many_short_compilations_add_up(monkeypatch):
    monkeypatch.setattr(compilation, "PATIENCE", 0.15)
    stream = io.StringIO()
    with compiling("train", stream=stream):
        for _ in range(8):
            compilation._heard(LOWER, 0.0)
            time.sleep(0.04)
            compilation._heard(XLA, 0.04)
    assert stream.getvalue() == "train: compiling ...\n"


def test_a_bar_says_it_in_its_place_and_a_reader_that_went_away_ends_nothing(monkeypatch):
    monkeypatch.setattr(compilation, "PATIENCE", 0.0)

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    with Progress(10, "train", "steps", stream=stream) as shown:
        compilation._heard(LOWER, 0.0)
        time.sleep(0.1)
        assert "train: compiling ..." in stream.getvalue()
        time.sleep(0.1)
        shown.update(5)
        assert "compiling" not in stream.getvalue().rsplit("5 of 10", 1)[1]
    closed = io.StringIO()
    with compiling("train", stream=closed):
        closed.close()
        compilation._heard(LOWER, 0.0)
        time.sleep(0.1)


class Growth(rd.AbstractSystem):
    def y0(self):
        return jnp.array([1.0])

    def vector_field(self, t, y, args):
        return jnp.cos(t) * y


def test_a_trajectory_keeps_both_and_so_does_its_file(tmp_path):
    first, second = (rd.simulate(Growth(), [0.0, 1.0, 2.0]) for _ in range(2))
    assert 0 < first.provenance.compile_time < first.provenance.wall_time
    assert second.provenance.compile_time < 0.5 * first.provenance.compile_time
    assert (
        f"{first.provenance.run_time:.3g} s, after {first.provenance.compile_time:.3g} s of "
        "compiling" in str(first)
    )
    path = rd.save(tmp_path / "run.h5", run=first)
    assert rd.load(path).run.provenance.compile_time == first.provenance.compile_time
    assert "of compiling)" in store.info(path)


def test_what_was_not_counted_is_not_claimed():
    old = Provenance(kind="train", system="old", solver="gradient descent", wall_time=3.0)
    assert np.isnan(old.compile_time)
    run = Trajectory(ts=np.arange(2.0), observables={}, dims={}, provenance=old)
    assert "gradient descent  (3 s)" in str(run)
