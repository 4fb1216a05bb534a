"""Blocks computed here, by workers of this machine and by executors of others; losses and ends."""

import concurrent.futures
import contextlib
import doctest
import itertools
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import hypothesis.strategies as st
import jax
import pytest
from hypothesis import given

import parts
from racedyn.jobs import Work, execute, parse_shard, shard, submit_line, workers

FIVE = ["a", "b", "c", "d", 'ü "\n']
LOST = "blocks are missing after 2 tries"
SCRIPT = """
import sys, os
print("imported", flush=True)
import jax, parts
from racedyn.jobs import Work, execute
jax.config.update("jax_enable_x64", True)
folder = sys.argv[1]
work = Work(folder, "parts:" + sys.argv[2], parts.is_done(folder))
print(execute(work, ["a", "b", "c", "d"], "local", jobs=2), flush=True)
"""


def of(folder, function="compute"):
    return Work(str(folder), f"parts:{function}", parts.is_done(folder))


def found(folder):
    """Block -> the words of its part."""
    return {
        path.stem: path.read_text().split()
        for path in folder.glob("*.part")
        if not path.stem.startswith("pid ")
    }


@pytest.fixture
def script(tmp_path):
    """Begins a user's script, which lacks `if __name__ == "__main__"`, and kills it at the end."""
    (tmp_path / "script.py").write_text(SCRIPT)
    begun = []

    def start(folder, function):
        paths = os.pathsep.join(filter(None, sys.path))
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "script.py"), str(folder), function],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": paths},
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


# Here


def test_one_after_the_other_here_and_what_is_done_is_not_begun(tmp_path):
    told, work = [], of(tmp_path)
    (tmp_path / "b.part").write_text("as it was")
    assert execute(work, FIVE, report=told.append) == []
    assert told == [1, 2, 3, 4, 5]
    words = found(tmp_path)
    assert words.pop("b") == ["as", "it", "was"]
    assert {pid for pid, *_ in words.values()} == {str(os.getpid())} and len(words) == 4
    assert execute(work, FIVE, report=told.append) == [] and told[5:] == [5]


def test_what_a_block_raises_here_is_raised_and_what_was_finished_stays(tmp_path):
    with pytest.raises(ZeroDivisionError, match="of this block"):
        execute(of(tmp_path, "compute_or_not"), ["a", "raised", "b"])
    assert found(tmp_path).keys() == {"a"}


def test_wrong_arguments_are_refused_before_anything_is_computed(tmp_path):
    work = of(tmp_path)
    with pytest.raises(ValueError, match=r"`executor` must be one of .* Did you mean 'slurm'"):
        execute(work, FIVE, "slrum")
    with pytest.raises(TypeError, match=r"`executor` must be None, .* but it is 3 \(int\)"):
        execute(work, FIVE, 3)
    with pytest.raises(TypeError, match=r"`executor` .* Pass client\.get_executor\(\)"):
        execute(work, FIVE, SimpleNamespace(get_executor=lambda: None))
    with pytest.raises(ValueError, match="`jobs` must be a whole number of at least 1"):
        execute(work, FIVE, "local", jobs=0)
    with pytest.raises(ValueError, match=r"`jobs` must be left out unless .* executor='local'"):
        execute(work, FIVE, jobs=2)
    with pytest.raises(ValueError, match="`options` must be left out unless executor is 'slurm'"):
        execute(work, FIVE, "local", options={"time": 3})
    with pytest.raises(TypeError, match="`options` must be a dict"):
        execute(work, FIVE, "slurm", options=3)
    with pytest.raises(ValueError, match="`blocks` must be a list of names"):
        execute(work, "abc")
    for run in ("parts", "parts:nothing", "no_such_module:f", "parts.compute:", "parts:is_done"):
        with pytest.raises((ValueError, TypeError), match="`run` must name a function"):
            execute(Work(str(tmp_path), run, work.is_done), FIVE)
    assert found(tmp_path) == {}


# Workers of this machine


@pytest.mark.slow
def test_two_workers_compute_as_this_process_does(tmp_path):
    """Its float64, their share of the cores, each in one process for all of its blocks."""
    told, here = [], threading.get_ident()

    def report(number):
        told.append(number)
        assert threading.get_ident() == here

    blocks = [*FIVE, *map(str, range(10))]
    assert execute(of(tmp_path), blocks, "local", jobs=2, report=report) == []
    words = found(tmp_path)
    assert words.keys() == set(blocks) and told == list(range(16))
    assert 1 <= len({pid for pid, *_ in words.values()}) <= 2
    assert str(os.getpid()) not in {pid for pid, *_ in words.values()}
    assert {dtype for _, dtype, _ in words.values()} == {"float64"}
    share = {str(len(cores)) for cores in workers.shares(2)}
    assert {cores for *_, cores in words.values()} <= share
    assert not any(parts.is_running(int(pid)) for pid, *_ in words.values())


@pytest.mark.slow
def test_settings_of_a_with_are_those_of_its_workers(tmp_path):
    with jax.enable_x64(False):
        assert execute(of(tmp_path), ["a"], "local", jobs=1) == []
    assert found(tmp_path)["a"][1] == "float32"


@pytest.mark.slow
def test_a_lost_block_is_tried_once_more_and_given_up_then(tmp_path):
    blocks = ["a", "once", "killed", "raised", "b"]
    with pytest.warns(RuntimeWarning, match=f"2 of 5 {LOST}: killed, raised") as warned:
        missing = execute(of(tmp_path, "compute_or_not"), blocks, "local", jobs=2)
    assert missing == ["killed", "raised"]
    assert found(tmp_path).keys() == {"a", "b", "once"}
    (said,) = warned
    assert "ZeroDivisionError: of this block" in str(said.message)


@pytest.mark.slow
def test_workers_killed_at_random_moments_cost_nothing(tmp_path):
    """While they begin, compute, answer or wait."""
    draw, blocks, killed = random.Random(0), list(map(str, range(300))), []

    def kill(done):
        newest = max(tmp_path.glob("*.part"), key=lambda path: path.stat().st_mtime, default=None)
        if newest and len(killed) < 4 and draw.random() < 0.1:
            killed.append(int(newest.read_text().split()[0]))
            time.sleep(draw.random() * 0.04)
            with contextlib.suppress(ProcessLookupError):
                os.kill(killed[-1], signal.SIGKILL)

    work = of(tmp_path, "compute_in_a_moment")
    assert execute(work, blocks, "local", jobs=2, report=kill) == []
    assert len(killed) == 4 and found(tmp_path).keys() == set(blocks)
    assert len({pid for pid, *_ in found(tmp_path).values()}) > 3


@pytest.mark.slow
def test_a_worker_that_ends_while_it_waits_costs_no_try(tmp_path):
    with workers.Workers(str(tmp_path), "parts:compute", 1) as alone:
        for block in "abc":
            alone.submit(block).result()
            pid = int(found(tmp_path)[block][0])
            os.kill(pid, signal.SIGKILL)
            parts.until(lambda pid=pid: not parts.is_running(pid), 5, "it is gone")
    assert found(tmp_path).keys() == set("abc")


@pytest.mark.slow
def test_an_interrupted_script_leaves_no_worker_and_no_half_of_a_part(tmp_path, script):
    folder = tmp_path / "folder"
    folder.mkdir()
    process = script(folder, "compute_slowly")
    parts.until(lambda: len(parts.pids(folder)) == 2, 60, "two workers compute")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode in (1, -signal.SIGINT) and "KeyboardInterrupt" in err
    assert not any(map(parts.is_running, parts.pids(folder)))
    assert found(folder) == {}


@pytest.mark.slow
def test_a_killed_script_leaves_no_worker(tmp_path, script):
    folder = tmp_path / "folder"
    folder.mkdir()
    process = script(folder, "compute_slowly")
    parts.until(lambda: len(parts.pids(folder)) == 2, 60, "two workers compute")
    process.kill()
    process.wait()
    parts.until(lambda: not any(map(parts.is_running, parts.pids(folder))), 5, "workers end")
    assert found(folder) == {}


@pytest.mark.slow
def test_a_users_script_is_not_imported_again(tmp_path, script):
    folder = tmp_path / "folder"
    folder.mkdir()
    out, err = script(folder, "compute").communicate(timeout=120)
    assert (out, err) == ("imported\n[]\n", "")
    assert found(folder).keys() == {"a", "b", "c", "d"}


def test_cores_are_shared_out(monkeypatch):
    monkeypatch.setattr(workers, "_cores", lambda: [1, 3, 4, 8, 9])
    assert workers.shares(2) == [[1, 4, 9], [3, 8]]
    assert workers.shares(7) == [[1], [3], [4], [8], [9], [1], [3]]
    monkeypatch.setattr(workers, "_cores", lambda: [])
    assert workers.shares(2) == [[], []] and workers.available() == os.cpu_count()


# Executors of others


def test_threads_of_an_executor(tmp_path):
    told = []
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        assert execute(of(tmp_path), FIVE, executor, report=told.append) == []
        with pytest.warns(RuntimeWarning, match=f"1 of 2 {LOST}: raised.*\n.*of this block"):
            missing = execute(of(tmp_path, "compute_or_not"), ["late", "raised"], executor)
    assert missing == ["raised"] and told == list(range(6))
    assert found(tmp_path).keys() == {*FIVE, "late"}
    with pytest.warns(RuntimeWarning, match=f"1 of 1 {LOST}: f.*\n.*after shutdown"):
        assert execute(of(tmp_path), ["f"], executor) == ["f"]


@pytest.mark.slow
def test_processes_of_an_executor_that_breaks(tmp_path):
    """What is finished stays, what is not is named: a pool with a killed process takes no more."""
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=spawn) as executor:
        assert execute(of(tmp_path), FIVE, executor) == []
        assert {dtype for _, dtype, _ in found(tmp_path).values()} == {"float64"}
        blocks = [*FIVE, "killed", "e"]
        with pytest.warns(RuntimeWarning, match=f"of 7 {LOST}: killed.*\n.*(?s:.*)terminated"):
            missing = execute(of(tmp_path, "compute_or_not"), blocks, executor)
    assert missing[0] == "killed" and set(missing) <= {"killed", "e"}


@pytest.mark.slow
def test_a_cluster_of_dask(tmp_path):
    """What is late is tried once more, though calls that are equal are one to Dask."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            processes=True, n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        executor = client.get_executor()
        assert execute(of(tmp_path), FIVE, executor) == []
        assert {dtype for _, dtype, _ in found(tmp_path).values()} == {"float64"}
        with pytest.warns(RuntimeWarning, match=f"1 of 2 {LOST}: raised.*\n.*of this block"):
            missing = execute(of(tmp_path, "compute_or_not"), ["late", "raised"], executor)
    assert missing == ["raised"] and found(tmp_path).keys() == {*FIVE, "late"}


# Parts of a plan


@given(st.lists(st.text(max_size=3), unique=True), st.integers(1, 20))
def test_shards_are_the_plan_once_and_even(blocks, n):
    all_of_them = [shard(blocks, k, n) for k in range(1, n + 1)]
    assert sorted(itertools.chain(*all_of_them)) == sorted(blocks)
    sizes = list(map(len, all_of_them))
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_shard_is_read_as_it_is_written(k, n):
    k, n = min(k, n), max(k, n)
    assert parse_shard(f"{k}/{n}") == (k, n)


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "3/0", "-1/4", "1/2/3", "a/b", " 1/2", 3])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(ValueError, match="`shard` must be a part and their number"):
        parse_shard(text)


def test_examples_of_shards_print_what_they_say():
    tried = doctest.testmod(sys.modules["racedyn.jobs.shards"])
    assert tried.attempted > 2 and tried.failed == 0


def test_a_part_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="`k` must be one of 1 to 2, but it is 3"):
        shard(["a"], 3, 2)
    with pytest.raises(ValueError, match="`n` must be a whole number of at least 1"):
        shard(["a"], 1, 0)


def test_the_line_for_other_clusters_survives_its_shells(tmp_path):
    """One shell reads the line, another one what it wraps, in which the task's number stands."""
    argv = ["racedyn", "sweep", 'a "b" $HOME `c` \\d.toml', "--seed", "0:3"]
    line = submit_line(argv, 4).replace("sbatch", "printf '%s\\n'", 1)
    wrapped = subprocess.run(["bash", "-c", line], capture_output=True, text=True).stdout
    array, wrapped = wrapped.splitlines()
    assert array == "--array=1-4"
    again = ["bash", "-c", "printf '%s\\n' " + wrapped.removeprefix("--wrap=")]
    task = os.environ | {"SLURM_ARRAY_TASK_ID": "3"}
    words = subprocess.run(again, capture_output=True, text=True, env=task).stdout.splitlines()
    assert words == [*argv, "--shard", "3/4"]
