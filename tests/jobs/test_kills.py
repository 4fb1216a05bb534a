"""Kills, two processes on one path, a disk that is full, several devices. `tests/kills.py` has the
machinery.
"""

import subprocess

import numpy as np
import pytest

import kills
import sweep_kills
from racedyn import store


@pytest.mark.slow
def test_killed_runs_go_on_to_the_same_result(tmp_path):
    counts = kills.kill(tmp_path, 3, seed=1, steps=100_000, longest=2.0)
    print(dict(counts))
    assert counts["results equal to the uninterrupted, bit for bit"] >= 1


@pytest.mark.long
def test_killed_ensembles_go_on_to_the_same_result(tmp_path):
    counts = kills.kill_ensemble(tmp_path, 3, seed=1, members=60_000)
    print(dict(counts))
    assert counts["results equal to the uninterrupted, bit for bit"] >= 1


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with a configuration and what its run has compiled; the file of that run."""
    folder = tmp_path_factory.mktemp("prepared")
    return folder, kills.prepare(folder, 2_000)


@pytest.mark.long
def test_two_processes_on_one_path_leave_one_sound_file(prepared, tmp_path):
    folder, whole = prepared
    out = tmp_path / "runs"
    both = [kills.start(folder, "--out", str(out), "--quiet") for _ in range(2)]
    errors = [process.communicate(timeout=300)[1] for process in both]
    print([process.returncode for process in both], errors)
    assert 0 in [process.returncode for process in both]
    kills.check_same(store.load(out / "small.h5"), whole)
    for process, err in zip(both, errors, strict=True):
        # The second is refused, or finds the first's results in its way and puts its own elsewhere,
        # or agrees with it.
        assert process.returncode == 0 or "exists" in err or "unfinished run" in err, err
        assert "Traceback" not in err
    # The partial of one that ended last may be there; nothing else is.
    assert {path.name for path in out.iterdir()} <= {
        "small.h5",
        "small.png",
        "small.pdf",
        "small.h5.partial",
    }


@pytest.mark.slow
def test_a_file_system_that_is_full_is_said_and_the_results_are_elsewhere(prepared, tmp_path):
    folder, whole = prepared
    out, elsewhere = tmp_path / "small disk", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(out)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        process = kills.start(folder, "--out", str(out), "--quiet", temporary=elsewhere)
        _, err = process.communicate(timeout=300)
    finally:
        subprocess.run(["umount", str(out)], check=True)
    assert process.returncode == 1 and "Traceback" not in err, err
    assert "could not be written" in err and "No space left" in err and "The results are in" in err
    (found,) = elsewhere.glob("*/small.h5")
    kills.check_same(store.load(found), whole)


@pytest.mark.long
def test_four_devices_change_nothing(prepared, tmp_path):
    folder, whole = prepared
    process = kills.start(folder, "--out", str(tmp_path / "four"), "--quiet", devices=4)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    found = store.load(tmp_path / "four" / "small.h5")
    for name, value in whole.trained.observables.items():
        np.testing.assert_allclose(
            found.trained.observables[name], value, rtol=1e-12, atol=1e-14, err_msg=name
        )


@pytest.mark.slow
def test_a_killed_sweep_goes_on_to_the_same_arrays(tmp_path):
    counts = sweep_kills.kill(tmp_path, 1, seed=1)
    assert counts["equal to the uninterrupted, bit for bit"] == 1


@pytest.mark.long
def test_killed_sweeps_and_workers_go_on_to_the_same_arrays(tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "workers").mkdir()
    counts = sweep_kills.kill(tmp_path / "whole", 10, seed=1)
    assert counts["equal to the uninterrupted, bit for bit"] == 1
    counts = sweep_kills.kill_workers(tmp_path / "workers", 10, seed=1)
    assert counts["equal to the uninterrupted, bit for bit"] == 10
