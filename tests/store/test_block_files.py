"""An ensemble's file while it is written: killed, damaged, planted, full, shared."""

import dataclasses
import errno
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from racedyn import store
from racedyn.store import blocks
from racedyn.trajectory import Provenance, Status, Trajectory

COUNT = 200
RNG = np.random.default_rng(0)
X = RNG.normal(size=(COUNT, 3, 2))
ALIVE = X[..., 0] > 0


def empty(count=COUNT, **settings):
    """What an ensemble is before it has members."""
    return Trajectory(
        ts=np.arange(3.0),
        observables={
            "x": np.broadcast_to(np.nan, (count, 3, 2)),
            "alive": np.broadcast_to(False, (count, 3)),
            "none": np.broadcast_to(0.0, (count, 3, 0)),
        },
        dims={
            "x": ("member", "time", "path"),
            "alive": ("member", "time"),
            "none": ("member", "time", "probe"),
        },
        labels={"path": ("a", "b")},
        status=np.broadcast_to(np.int32(Status.INTERRUPTED), (count,)),
        stats={"num_steps": np.broadcast_to(np.int64(0), (count,))},
        provenance=Provenance("ensemble", "a system", "exact", {"rtol": 1e-8, **settings}),
    )


def write(file, members):
    """These members as they are to be."""
    observables = {"x": X[members], "alive": ALIVE[members], "none": np.zeros((len(members), 3, 0))}
    file.write(members, observables, np.zeros(len(members), np.int32), {"num_steps": members})


def complete(path, size=64):
    """Go on with whatever is there, as `ensemble` does."""
    file = store.BlockFile(path, empty())
    try:
        missing = file.missing()
        for run in np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1):
            for k in range(0, len(run), size):
                write(file, run[k : k + size])
        return file.finish(dataclasses.replace(empty().provenance, wall_time=2.5))
    finally:
        file.close()


def begun(path, members=128):
    """The file of a run that was killed after so many members."""
    file = store.BlockFile(path, empty())
    if members:
        write(file, np.arange(members))
    file.close()
    return path.with_name(path.name + ".partial")


def is_right(path):
    run = store.load(path).ensemble
    return (
        all(
            np.array_equal(run.observables[name], value)
            for name, value in (("x", X), ("alive", ALIVE))
        )
        and not run.status.any()
        and np.array_equal(run.stats["num_steps"], np.arange(COUNT))
        and run.labels == {"path": ("a", "b")}
        and np.array_equal(run.ts, np.arange(3.0))
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "many.h5"


def test_a_finished_file_is_right_and_opens_elsewhere(path):
    complete(path)
    assert is_right(path) and os.listdir(path.parent) == ["many.h5"]
    run = store.load(path).ensemble
    assert run.provenance.wall_time == 2.5 and list(run.observables) == ["x", "alive", "none"]
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(path, group="ensemble") as data:
        np.testing.assert_array_equal(data["x"], X)
        assert data["x"].dims == ("member", "time", "path") and data["alive"].dtype == bool


@pytest.fixture(params=["file", "memory"])
def blocks_of(request, path):
    """What makes the place of so many members, in a file or in memory: the loop of `ensemble` never
    asks which.
    """
    return (
        (lambda count: store.BlockFile(path, empty(count)))
        if request.param == "file"
        else (lambda count: store.BlockMemory(empty(count)))
    )


def whole(finished):
    return finished if isinstance(finished, Trajectory) else store.load(finished).ensemble


@pytest.mark.parametrize("count", [1, 63, 64, 65])
def test_any_number_of_members(blocks_of, count):
    kept = blocks_of(count)
    np.testing.assert_array_equal(kept.missing(), np.arange(count))
    assert (kept.status() == Status.INTERRUPTED).all()
    write(kept, np.arange(count))
    assert not kept.status().any() and not len(kept.missing())
    run = whole(kept.finish(dataclasses.replace(empty(count).provenance, wall_time=2.5)))
    kept.close()
    assert (
        run.provenance.wall_time == 2.5
        and run.dims == empty().dims
        and run.labels == empty().labels
    )
    for name, values in (("x", X), ("alive", ALIVE)):
        np.testing.assert_array_equal(run.observables[name], values[:count])
    np.testing.assert_array_equal(run.stats["num_steps"], np.arange(count))


def test_blocks_in_any_order(blocks_of):
    kept = blocks_of(COUNT)
    write(kept, np.arange(64, 192))
    np.testing.assert_array_equal(kept.missing(), np.r_[0:64, 192:COUNT])
    for first, stop in ((1, 64), (0, 63), (64, 130)):
        with pytest.raises(ValueError, match="`members` must be whole blocks of 64"):
            write(kept, np.arange(first, stop))
    with pytest.raises(ValueError, match="whole blocks"):
        write(kept, np.r_[0:32, 64:128])
    for members in (np.arange(192, COUNT), np.arange(64)):
        write(kept, members)
    np.testing.assert_array_equal(whole(kept.finish(empty().provenance)).observables["x"], X)
    kept.close()


def test_an_interruption_is_raised_where_members_stay(path):
    file, memory = store.BlockFile(path, empty()), store.BlockMemory(empty())
    for kept in (file, memory):
        assert len(kept.missing()) == COUNT
        write(kept, np.arange(64))
    with pytest.raises(
        KeyboardInterrupt, match="64 of 200 members are in the file; the same call goes on"
    ):
        file.interrupted()
    file.close()
    memory.interrupted()
    run = memory.finish(empty().provenance)
    np.testing.assert_array_equal(run.observables["x"][:64], X[:64])
    assert np.isnan(run.observables["x"][64:]).all() and run.failed == list(range(64, COUNT))


@pytest.mark.parametrize("members", [0, 64])
def test_members_that_are_missing_are_nan_and_interrupted(path, members):
    found = store.load(begun(path, members), partial=True).ensemble
    np.testing.assert_array_equal(found.observables["x"][:members], X[:members])
    assert np.isnan(found.observables["x"][members:]).all()
    assert (
        found.status == np.repeat([Status.DONE, Status.INTERRUPTED], [members, COUNT - members])
    ).all()
    assert "INCOMPLETE" in store.info(path.with_name("many.h5.partial"))
    complete(path)
    assert is_right(path)


def test_an_empty_partial_file_is_begun(path):
    partial = path.with_name("many.h5.partial")
    partial.write_bytes(b"")
    with pytest.raises(store.StoreError, match="is empty: its run was killed before it began"):
        store.load(partial, partial=True)
    complete(path)
    assert is_right(path)


def test_no_flipped_bit_is_sealed(path):
    whole = begun(path).read_bytes()
    refused = 0
    places = np.random.default_rng(0).integers(0, len(whole), 30)
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        partial = path.with_name("many.h5.partial")
        partial.write_bytes(damaged)
        try:
            complete(path)
            assert is_right(path), place
            path.unlink()
        except store.StoreError as error:
            refused += 1
            assert "can't be read" in str(error), error
            partial.unlink()
    assert refused < 30


def test_every_member_that_changed_is_computed_again(path):
    whole = begun(path)
    with h5py.File(whole, "r") as file:
        places = {
            name: file[f"ensemble/{name}"].id.get_offset()
            for name in ("x", "alive", "status", "stats/num_steps")
        }
    data = whole.read_bytes()
    for name, size in {"x": 48, "alive": 3, "status": 4, "stats/num_steps": 8}.items():
        damaged = bytearray(data)
        damaged[places[name] + 70 * size] ^= 2
        whole.write_bytes(damaged)
        file = store.BlockFile(path, empty())
        assert list(file.missing()) == list(range(64, COUNT)), name
        file.close()
        found = store.load(whole, partial=True).ensemble
        assert (found.status[64:] == Status.INTERRUPTED).all() and np.isnan(
            found.observables["x"][64:]
        ).all()


def test_a_bit_that_flips_before_the_seal_is_not_sealed(path):
    partial = begun(path, COUNT)
    file = store.BlockFile(path, empty())
    with open(partial, "r+b") as other:
        other.seek(file._places["x"][0] + 7)
        other.write(b"!")
    with pytest.raises(
        store.StoreError, match="1 blocks of members that are missing or not what was written"
    ):
        file.finish(empty().provenance)
    file.close()
    assert not path.exists()
    complete(path)
    assert is_right(path)


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_a_run_killed_while_it_seals_is_sealed_again(path, monkeypatch, at):
    begun(path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def kill(*_):
            raise KeyboardInterrupt

        patch.setattr(blocks.os, at, kill)
        complete(path)
    complete(path)
    assert is_right(path)


@pytest.mark.parametrize(
    "settings", [{"rtol": 1e-9}, {"retry": "Kvaerno5()"}, {"args": "12345678"}]
)
def test_another_ensemble_is_not_gone_on_with(path, settings):
    begun(path)
    with pytest.raises(
        store.StoreError, match=f"of other settings: `.*{next(iter(settings))}` is "
    ):
        store.BlockFile(path, empty(**settings))
    for changes in ({"ts": np.arange(3.0) + 1}, {"labels": {"path": ("b", "a")}}):
        with pytest.raises(store.StoreError, match="settings: times, names or shapes are others"):
            store.BlockFile(path, dataclasses.replace(empty(), **changes))
    complete(path)


# --- planted files


@pytest.mark.parametrize("kind", [os.symlink, os.link])
def test_a_planted_link_is_refused(path, tmp_path, kind):
    (tmp_path / "letter.txt").write_text("mine")
    kind(tmp_path / "letter.txt", tmp_path / "many.h5.partial")
    with pytest.raises(
        store.StoreError, match=r"many.h5.partial' (is a link|has other names).*Remove it"
    ):
        store.BlockFile(path, empty())
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_planted_file_writes_nowhere_else(path, tmp_path):
    partial = begun(path)
    letter = tmp_path / "letter.txt"
    letter.write_bytes(b"mine" * 4000)
    with h5py.File(partial, "r+") as file:
        del file["ensemble/x"]
        file["ensemble"].create_dataset(
            "x", (COUNT, 3, 2), "f8", external=[(str(letter), 0, COUNT * 48)]
        )
        for i, axis in enumerate(("member", "time", "path")):
            file["ensemble/x"].dims[i].attach_scale(file[f"ensemble/{axis}"])
    with pytest.raises(store.StoreError, match="lies in another file"):
        complete(path)
    partial.write_text("no HDF5 file")
    with pytest.raises(store.StoreError, match=r"can't be read: .*Remove it"):
        complete(path)
    assert letter.read_bytes() == b"mine" * 4000


def test_a_file_that_is_being_written_is_left_alone(path):
    first = store.BlockFile(path, empty())
    with pytest.raises(
        store.StoreError, match=r"is being written\. Remove it, or wait for the run"
    ):
        store.BlockFile(path, empty())
    assert (
        store.load(path.with_name("many.h5.partial"), partial=True).ensemble.status
        == Status.INTERRUPTED
    ).all()
    write(first, np.arange(COUNT))
    first.finish(empty().provenance)
    assert is_right(path)


# --- a disk that fills up


def test_a_disk_that_fills_up_keeps_what_there_is(path, monkeypatch):
    begun(path, 64)
    file = store.BlockFile(path, empty())

    class Full:
        def __init__(self, file):
            self.left, self.file = 1000, file

        def write(self, data):
            if not self.left:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = self.file.write(data[: self.left])  # a disk takes what still fits
            self.left -= written
            return written

        def __getattr__(self, name):
            return getattr(self.file, name)

    file._file = Full(file._file)
    with pytest.raises(
        OSError, match=r"No space left on device.*Free some space and call it again"
    ) as caught:
        write(file, np.arange(64, COUNT))
    assert caught.value.errno == errno.ENOSPC
    file.close()
    file = store.BlockFile(path, empty())
    assert list(file.missing()) == list(range(64, COUNT))
    file.close()
    complete(path)
    assert is_right(path)


# --- 40 kills

KILLED = """
import collections, os, random, signal, sys, time, warnings
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_block_files as here

warnings.simplefilter("ignore")  # JAX dislikes forks; it is not used here
path, counts, rng = Path(sys.argv[2]), collections.Counter(), random.Random(0)
partial = path.with_name(path.name + ".partial")
for attempt in range(40):
    how = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)[attempt % 3]
    child = os.fork()
    if not child:
        try:
            while True:
                here.complete(path)
                path.unlink()
        except BaseException:  # an interrupt, or what HDF5 made of it
            os._exit(130)
    time.sleep(rng.uniform(0.0, 0.1))
    for again in range(100):  # Python loses an interrupt that comes while it collects garbage
        os.kill(child, how)
        time.sleep(0.05)
        found, ended = os.waitpid(child, os.WNOHANG)
        if found:
            break
    assert os.WIFSIGNALED(ended) if how != signal.SIGINT else os.WEXITSTATUS(ended) == 130, ended
    left = "whole" if path.exists() else "partial" if partial.exists() else "nothing"
    if left == "partial" and partial.stat().st_size:
        here.store.load(partial, partial=True)  # however early, it is not damaged
    if left != "whole":
        here.complete(path)
    assert here.is_right(path)
    path.unlink()
    for other in path.parent.iterdir():
        assert other.name.startswith("many.h5.") and other.name.endswith(".partial"), other
        other.unlink()
    counts[f"{how.name} {left}"] += 1
print(dict(counts))
"""


@pytest.mark.slow
def test_forty_kills_leave_a_file_that_goes_on(path):
    """SIGKILL, SIGINT and SIGTERM at any moment of making, writing and sealing, in a process that
    does nothing else.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED, os.path.dirname(__file__), str(path)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    print("", done.stdout)
    assert "partial" in done.stdout
