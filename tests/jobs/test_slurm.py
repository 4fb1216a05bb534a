"""Blocks in a job array: against a real Slurm, where it can be had, and what needs none."""

import os
import signal
import subprocess
import sys
import threading

import pytest

import parts
from racedyn.jobs import Work, execute, slurm
from racedyn.jobs.tally import Tally
from slurm_on_loopback import slurm as slurm_on_loopback
from slurm_on_loopback import why_not

BLOCKS = [f"block {n}" for n in range(7)]


def of(folder, function):
    return Work(str(folder), f"parts:{function}", parts.is_done(folder))


def queued():
    line = ["squeue", "--noheader", "--format=%F"]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.split()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A Slurm, found by the commands of this process; skipped with the reason where there is
    none.
    """
    pytest.importorskip("submitit")
    if why := why_not():
        pytest.skip(why)
    with (
        slurm_on_loopback(tmp_path_factory.mktemp("slurm")) as conf,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("SLURM_CONF", str(conf))
        yield


def test_a_machine_that_is_no_cluster(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    for name in ("sbatch", "srun"):
        script = tmp_path / "bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text("#!/bin/sh\necho no controller found >&2\nexit 1\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(RuntimeError, match=r"Slurm took no job: .*no controller found.*--shard"):
        execute(of(tmp_path, "compute"), BLOCKS, "slurm")


@pytest.mark.slow
def test_an_array_loses_a_job_to_a_kill_and_all_blocks_are_done(cluster, tmp_path):
    told, killed, errors = [], [], []

    def kill():
        """The first that begins; the others may go on then."""
        try:
            parts.until(lambda: parts.pids(tmp_path), 120, "a job runs")
            killed.append(parts.pids(tmp_path)[0])
            os.kill(killed[0], signal.SIGKILL)
        except BaseException as error:
            errors.append(error)
        (tmp_path / "go").touch()

    killer = threading.Thread(target=kill)
    killer.start()
    work, options = of(tmp_path, "compute_slowly"), {"slurm_time": 5, "array_parallelism": 2}
    missing = execute(work, BLOCKS, "slurm", jobs=3, options=options, report=told.append)
    killer.join()
    assert (missing, errors) == ([], []) and told[0] == 0 and told[-1] == 7
    words = {block: parts.path_of(tmp_path, block).read_text().split() for block in BLOCKS}
    assert {dtype for _, dtype, _ in words.values()} == {"float64"}
    assert str(killed[0]) not in {pid for pid, *_ in words.values()}
    arrays = {path.name.partition("_")[0] for path in (tmp_path / "slurm").glob("*_log.err")}
    assert len(arrays) == 2, "what was lost is submitted once more"


@pytest.mark.long
def test_a_block_that_fails_costs_itself_alone_and_is_named(cluster, tmp_path):
    blocks = ["a", "raised", "b", "c"]
    with pytest.warns(RuntimeWarning, match="1 of 4 blocks are missing .*: raised.") as warned:
        missing = execute(of(tmp_path, "compute_or_not"), blocks, "slurm", jobs=1)
    assert missing == ["raised"]
    assert "ZeroDivisionError: of this block" in str(warned[0].message)


@pytest.mark.long
def test_ctrl_c_takes_the_jobs_out_of_the_queue(cluster, tmp_path):
    code = (
        "import sys, parts; from racedyn.jobs import Work, execute\n"
        "work = Work(sys.argv[1], 'parts:compute_slowly', parts.is_done(sys.argv[1]))\n"
        "execute(work, sys.argv[2:], 'slurm')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), *BLOCKS],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stderr=subprocess.PIPE,
        text=True,
    )
    parts.until(lambda: parts.pids(tmp_path), 120, "a job runs")
    assert queued()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in err
    parts.until(lambda: not queued(), 60, "the queue is empty")
    parts.until(lambda: not any(map(parts.is_running, parts.pids(tmp_path))), 10, "workers end")


@pytest.mark.slow
def test_options_that_slurm_has_not_are_refused(cluster, tmp_path):
    with pytest.raises(ValueError, match=r"`options` must be options of submitit.*'tiem'"):
        execute(of(tmp_path, "compute"), BLOCKS, "slurm", options={"tiem": 3})


def test_without_submitit_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ImportError, match=r'pip install "racedyn\[slurm\]"'):
        execute(of(tmp_path, "compute"), BLOCKS, "slurm")


def test_bundles_have_all_blocks_once_and_are_even():
    assert slurm.bundles(list("abcdefg"), 3) == [["a", "d", "g"], ["b", "e"], ["c", "f"]]
    assert slurm.bundles(["a", "b"], 64) == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("code", "printed", "expected"),
    [(0, "12\n12\n7\n", True), (0, "7\n", False), (0, "", False), (1, "", None)],
)
def test_jobs_are_gone_only_where_slurm_says_so(code, printed, expected, tmp_path, monkeypatch):
    """A controller that does not answer has lost no job."""
    command = tmp_path / "squeue"
    command.write_text(f"#!/bin/sh\necho '{printed}'\nexit {code}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert slurm.still_queued({"12", "13"}) is expected


def test_a_queue_that_never_answers_is_given_up(monkeypatch):
    asked = []
    monkeypatch.setattr(slurm, "still_queued", lambda arrays: asked.append(arrays))
    monkeypatch.setattr(slurm.time, "sleep", lambda seconds: None)
    left = Tally(["a"], lambda block: False, lambda done: None)
    slurm.Slurm._wait(object(), left, {"12"})
    assert len(asked) == slurm.UNHEARD and left.missing == ["a"]
