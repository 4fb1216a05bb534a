"""The file: bit for bit, readable by others, and never half of anything.

`python tests/store/test_store.py` writes tests/archive/format-<version>.h5, an old file that every
later version must read."""

import copy
import dataclasses
import errno
import json
import os
import stat
import subprocess
import sys
import time
import warnings
from pathlib import Path

import h5py
import hypothesis
import hypothesis.strategies as st
import jax.numpy as jnp
import netCDF4
import numpy as np
import pytest
import xarray
from hypothesis import HealthCheck, given, settings
from hypothesis.extra import numpy as hnp

from racedyn import store
from racedyn._names import PARTS
from racedyn.store import files, write
from racedyn.store.atomic import SEAL_LENGTH
from racedyn.tasks import hierarchy
from racedyn.trajectory import Provenance, Status, Trajectory

ARCHIVE = Path(__file__).parents[1] / "archive"


def example(num_times: int = 5, offset: float = 0.0) -> Trajectory:
    """A trajectory that uses every field. Written into the archive: what it returns must not
    change.
    """
    weights = {
        "w1": np.arange(16, dtype=np.float32).reshape(2, 8),
        "w2": np.arange(30.0).reshape(15, 2) + offset,
        "a -> b é": np.array(3, np.int64),
    }
    strength = np.arange(num_times * 16.0).reshape(num_times, 2, 8) / 7 + offset
    strength[:, 1, 3:] = np.nan
    return Trajectory(
        ts=np.linspace(0, 1, num_times),
        step=100 * np.arange(num_times),
        observables={
            "strength": strength,
            "loss": np.arange(num_times, dtype=np.float32),
            "activity_input": np.ones((num_times, 8, 3)),
            "matrix": np.arange(num_times * 64.0).reshape(num_times, 8, 8),
            "alive": strength[..., 0] > 1,
            "nothing": np.zeros((num_times, 0, 2)),
        },
        dims={
            "strength": ("time", "path", "mode"),
            "loss": ("time",),
            "activity_input": ("time", "unit_input", "example"),
            "matrix": ("time", "mode", "mode"),
            "alive": ("time", "path"),
            "nothing": ("time", "probe", "path"),
        },
        labels={"path": ("1", "second path ü"), "probe": (), "unused": ("", "x")},
        ys={
            "w1": np.zeros((num_times, 2, 8)),
            "none": None,
            "empty": (),
            "list": [np.arange(3), {}],
        },
        status=np.zeros(8, np.int32),
        stats={"num_steps": np.arange(8), "drift": np.float64(1e-9)},
        end={"weights": weights, "optimiser": (np.array(3, np.int32), [np.ones(3)], None)},
        provenance=Provenance(
            kind="train",
            system="a network",
            solver="gradient descent",
            settings={
                "seed": 3,
                "edges": {"w1": ["input", "h"], "w2": ["h", "output"]},
                "nan": float("nan"),
            },
            modes=hierarchy(8).pair_modes("input", "output"),
            validity={"exact": False, "off_diagonal": {"1": 0.25}},
            versions={"racedyn": "0"},
            wall_time=1.5,
            created="2026-11-21T00:00:00+00:00",
        ),
    )


def canonical(value):
    """A value in which equal means: the same bits, dtypes, shapes, types of container and order of
    names.
    """
    if dataclasses.is_dataclass(value):
        return [
            type(value).__name__,
            {f.name: canonical(getattr(value, f.name)) for f in dataclasses.fields(value)},
        ]
    if isinstance(value, dict):
        return [(key, canonical(item)) for key, item in value.items()]
    if isinstance(value, tuple | list):
        return [type(value).__name__, [canonical(item) for item in value]]
    if isinstance(value, np.ndarray | np.generic):
        return str(value.dtype), value.shape, value.tobytes()
    return repr(value)


def assert_same(found: Trajectory, given: Trajectory) -> None:
    for field in dataclasses.fields(Trajectory):
        assert canonical(getattr(found, field.name)) == canonical(getattr(given, field.name)), (
            field.name
        )


@pytest.fixture
def saved(tmp_path):
    return store.save(tmp_path / "run.h5", trained=example(), config={"lr": 0.1})


# --- round trip


def test_every_field_comes_back_bit_for_bit(tmp_path):
    path = store.save(
        tmp_path / "run.h5", theory=example(3), trained=example(5), config={"a": [1, {"b": None}]}
    )
    file = store.load(path)
    assert list(file) == ["theory", "trained"]
    assert_same(file.theory, example(3))
    assert_same(file["trained"], example(5))
    assert file.config == {"a": [1, {"b": None}]}
    assert file.attrs["format_version"] == 1 and file.attrs["complete"] is True
    assert set(file.attrs["versions"]) >= {"racedyn", "jax", "numpy", "h5py"}
    assert isinstance(file.theory.observables["strength"], np.ndarray)


def test_the_barest_trajectory_comes_back(tmp_path):
    bare = Trajectory(ts=np.zeros(0), observables={}, dims={}, status=np.array(0))
    assert_same(store.load(store.save(tmp_path / "run.h5", run=bare))["run"], bare)


def test_jax_arrays_and_python_numbers_come_back_as_numpy(tmp_path):
    run = Trajectory(
        ts=jnp.arange(2.0),
        observables={"x": jnp.ones((2, 3), jnp.float32)},
        dims={"x": ("time", "unit")},
        status=jnp.asarray(1),
        stats={"n": 3, "rate": 0.5},
        end=jnp.ones(3),
    )
    found = store.load(store.save(tmp_path / "run.h5", run=run))["run"]
    assert found.observables["x"].dtype == np.float32
    assert (found.stats["n"].dtype, found.stats["rate"].dtype) == (np.int64, np.float64)
    assert type(found.end) is np.ndarray and found.status == 1


def test_settings_that_json_does_not_know_are_kept_as_text(tmp_path):
    settings = {"f": np.sin, "n": np.int32(3), "x": jnp.ones(2), "t": (1, 2), 5: None}
    source = Provenance("train", "", "", settings)
    run = dataclasses.replace(example(), provenance=source)
    found = store.load(
        store.save(tmp_path / "run.h5", run=run, config=source)
    ).run.provenance.settings
    assert found == {"f": str(np.sin), "n": 3, "x": [1.0, 1.0], "t": [1, 2], "5": None}


def test_a_large_configuration_fits(tmp_path):
    config = {"text": "x" * 1_000_000}  # an attribute of fixed length ends at 64 KiB
    assert (
        store.load(store.save(tmp_path / "run.h5", run=example(), config=config)).config == config
    )


dtypes = st.sampled_from(
    ["?", "i1", "i2", "<i4", "<i8", "u1", "u2", "<u4", "<u8", "<f4", "<f8", ">f8", ">f4"]
)
sizes = {"time": 3, "path": 2, "mode": 4, "none": 0}
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=8
).filter(lambda name: name != "." and name not in (*sizes, "mode_2", *PARTS))


@st.composite
def arrays(draw, shape=hnp.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4)):
    """Any bits at all: NaNs with every payload and sign, denormal numbers, negative zero."""
    dtype, shape = (
        np.dtype(draw(dtypes)),
        draw(shape) if isinstance(shape, st.SearchStrategy) else shape,
    )
    number = int(np.prod(shape))
    if dtype.kind == "b":
        return np.array(
            draw(st.lists(st.booleans(), min_size=number, max_size=number)), bool
        ).reshape(shape)
    size = number * dtype.itemsize
    return np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype).reshape(shape).copy()


trees = st.recursive(
    st.none() | arrays(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(names | st.sampled_from(["x", "x_0", "0_0", "lane"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def trajectories(draw):
    square = st.just(("time", "mode", "mode"))
    axes = st.lists(st.sampled_from(list(sizes)[1:]), max_size=3, unique=True).map(
        lambda rest: ("time", *rest)
    )
    dims = draw(st.dictionaries(names, axes | square, max_size=3))
    labels = {
        axis: tuple(draw(st.lists(texts, min_size=n, max_size=n)))
        for axis, n in sizes.items()
        if axis != "time" and draw(st.booleans())
    }
    shape, dtype = draw(st.sampled_from([(), (4,), (2, 2)])), draw(st.sampled_from(["i4", "u1"]))
    status = np.full(shape, draw(st.sampled_from(Status)), dtype)
    return Trajectory(
        ts=draw(arrays((3,))),
        observables={
            name: draw(arrays(tuple(sizes[axis] for axis in axes))) for name, axes in dims.items()
        },
        dims=dims,
        labels=labels,
        step=draw(st.none() | arrays((3,))),
        ys=draw(trees),
        status=status,
        stats=draw(
            st.dictionaries(
                names | st.just("lane"), arrays(st.sampled_from([(), status.shape])), max_size=2
            )
        ),
        end=draw(trees),
    )


def small(status=0, **fields):
    return Trajectory(ts=np.zeros(3), observables={}, dims={}, status=np.asarray(status), **fields)


# Names that other readers stumble over if axes are named without care.
@hypothesis.example(small(status=np.zeros((2, 2), int), stats={"lane": np.array(1)}))
@hypothesis.example(small(end={"x": np.ones(3), "deeper": {"x_0": np.array(1)}}))
@hypothesis.example(
    small(end=[[None, np.ones(0)], np.ones(1)], ys={"x": np.ones((3, 2)), "x_0": np.ones(2)})
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(run=trajectories())
def test_anything_comes_back_bit_for_bit_and_opens_elsewhere(tmp_path_factory, run):
    path = store.save(tmp_path_factory.mktemp("any") / "run.h5", run=run)
    found = store.load(path)["run"]
    assert {**found.labels} == {**run.labels}  # in whatever order
    assert_same(dataclasses.replace(found, labels=run.labels), run)
    with xarray.open_datatree(path, engine="h5netcdf") as tree, h5py.File(path, "r") as file:
        assert list(tree["run"].data_vars)[: len(run.observables)] == list(run.observables)
        for node in tree.load().subtree:
            for name, array in node.data_vars.items():
                assert array.shape == file[f"{node.path}/{name}"].shape


# --- other readers


@pytest.mark.parametrize("engine", [None, "h5netcdf", "netcdf4"])
def test_xarray_opens_the_file_as_it_is(saved, engine):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xarray.open_datatree(saved, engine=engine) as tree:
            tree.load()
    run, given = tree["trained"], example()
    assert run["strength"].dims == ("time", "path", "mode")
    assert run["matrix"].dims == ("time", "mode", "mode_2")
    assert run["step"].dims == ("time",) and run["status"].dims == ("lane",)
    np.testing.assert_array_equal(run["time"], given.ts)
    assert list(run["path"].values) == ["1", "second path ü"]
    assert list(run["mode"].values) == list(range(8))  # no labels
    assert run["alive"].dtype == bool
    np.testing.assert_array_equal(run["strength"], given.observables["strength"])
    # States: units of the nodes where the edges are known, the axes of the run where they are as
    # long, else own names.
    assert run["end/weights/w1"].dims == ("unit_h", "unit_input")
    assert run["end/weights/w2"].dims == ("unit_output", "unit_h")
    assert run["ys/w1"].dims == ("time", "unit_h", "unit_input")
    assert run["ys/list/0"].dims == ("0_0",)
    assert run["modes/U"].dims == ("unit_output", "mode") and run["modes/V"].dims == (
        "unit_input",
        "mode",
    )


def test_the_netcdf_library_opens_the_file(saved):
    with netCDF4.Dataset(saved) as file:
        run = file["trained"]
        assert run["strength"].dimensions == ("time", "path", "mode")
        assert [*run["path"][:]] == ["1", "second path ü"]
        assert run["end/weights/w1"].dimensions == ("unit_h", "unit_input")
        np.testing.assert_array_equal(np.asarray(run["loss"][:]), example().observables["loss"])
        assert json.loads(file.config) == {"lr": 0.1}


def test_numbers_are_compressed_and_checked_and_in_order(saved):
    with h5py.File(saved, "r") as file:
        strength = file["trained/strength"]
        assert (
            strength.compression,
            strength.compression_opts,
            strength.shuffle,
            strength.fletcher32,
        ) == (
            "gzip",
            4,
            True,
            True,
        )
        assert file["trained/stats/drift"].chunks is None and file["trained/path"].chunks is None
        assert (
            file["trained/alive"].dtype == np.int8
            and file["trained/alive"].attrs["dtype"] == "bool"
        )
        names = [name for name in file["trained"] if name in example().observables]
        assert names == list(example().observables) and names != sorted(names)
        assert list(file["trained/status"].attrs)[:2] == ["flag_values", "flag_meanings"]


def test_to_xarray_gives_what_the_file_gives(saved):
    dataset = store.to_xarray(example())
    assert dataset.attrs["kind"] == "train" and "step" in dataset.coords
    with xarray.open_datatree(saved) as tree:
        for name in dataset.data_vars:
            beside = dataset[name].reset_coords(drop=True)  # step, status, stats
            xarray.testing.assert_equal(beside, tree["trained"][name])


def test_to_xarray_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ImportError, match=r'pip install "racedyn\[xarray\]"'):
        store.to_xarray(example())


# --- what load gives and info says


def test_a_file_is_a_mapping_with_attributes(saved):
    file = store.load(saved)
    assert "trained" in dir(file) and repr(file).endswith("run.h5': trained)")
    with pytest.raises(AttributeError, match="no 'theory'; it has trained"):
        _ = file.theory
    assert_same(copy.copy(file).trained, example())


def test_info_is_a_page_about_the_file(saved):
    page = store.info(saved)
    for part in (
        "racedyn 1, complete",
        "seed         3",
        "config       lr  0.1",
        'edges.w1  ["input", "h"]',
        "trained: Trajectory",
        "5 times from 0 to 1",
        "(time 5, path 2, mode 8)",
        "8 modes",
        "jax ",
        "gradient descent",
    ):
        assert part in page
    assert "INCOMPLETE" in store.info(store.checkpoint(saved, trained=example()))


def test_info_shows_every_setting_whole_or_up_to_an_entry(tmp_path):
    config = {
        "train": {"lr": 0.1, "loss": "mean"},
        "ends": {f"w{i}": ["a", "b"] for i in range(50)},
        "ts": [0.125] * 99,
    }
    page = store.info(store.save(tmp_path / "run.h5", config=config, run=example())).splitlines()
    first = next(i for i, line in enumerate(page) if line.startswith("  config"))
    assert page[first] == "  config       train.lr    0.1"
    assert page[first + 1 : first + 3] == [
        '               train.loss  "mean"',
        '               ends        {"w0": ["a", "b"], "w1": ["a", "b"], "w2": ["a", "b"], '
        '"w3": ["a", ...',
    ]
    assert (
        page[first + 3].endswith("0.125, 0.125, ...")
        and max(map(len, page[first : first + 4])) <= 100
    )


@pytest.mark.parametrize("write", [store.save, store.checkpoint])
def test_a_trajectory_without_a_name_is_refused(write, tmp_path):
    with pytest.raises(
        TypeError,
        match=r"`groups` must be trajectories by name, .* For example \w+\(path, trained=",
    ):
        write(tmp_path / "run.h5", example())
    assert not list(tmp_path.iterdir())


# --- old, new, or partial


def test_an_existing_file_is_refused(saved):
    before = saved.read_bytes()
    with pytest.raises(
        FileExistsError, match=r"Argument `path` must be free, but .* exists.* overwrite=True"
    ):
        store.save(saved, trained=example())
    with pytest.raises(FileExistsError, match="overwrite=True"):
        store.check_target(saved)
    with pytest.raises(FileExistsError, match="Choose another name"):
        store.save(saved.parent, trained=example(), overwrite=True)
    assert saved.read_bytes() == before
    store.save(saved, trained=example(2), overwrite=True)
    assert_same(store.load(saved).trained, example(2))


def test_a_checkpoint_says_that_it_is_partial_and_goes_when_the_run_is_saved(tmp_path):
    path = tmp_path / "runs" / "run.h5"  # folders are made
    store.checkpoint(path, trained=example(2))
    partial = store.checkpoint(path, trained=example(3), config={"a": 1})
    assert partial == tmp_path / "runs" / "run.h5.partial" and os.listdir(partial.parent) == [
        "run.h5.partial"
    ]
    with pytest.raises(
        FileNotFoundError, match=r"unfinished run: load\(.*run.h5.partial', partial=True\)"
    ):
        store.load(path)
    with pytest.raises(
        store.StoreError, match=r"^Argument `path` must be complete, but .* partial=True"
    ):
        store.load(partial)
    file = store.load(partial, partial=True)
    assert_same(file.trained, example(3))
    assert file.attrs["complete"] is False and file.config == {"a": 1}
    store.save(path, trained=example(4))
    assert os.listdir(path.parent) == ["run.h5"]


def test_permissions_follow_the_umask_and_a_link_stays_a_link(tmp_path):
    store.save(tmp_path / "real.h5", run=example())
    (tmp_path / "plain").write_text("")
    assert stat.S_IMODE((tmp_path / "real.h5").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "plain").stat().st_mode
    )
    (tmp_path / "link.h5").symlink_to("real.h5")
    store.save(tmp_path / "link.h5", run=example(2), overwrite=True)
    assert (tmp_path / "link.h5").is_symlink()
    assert_same(store.load(tmp_path / "real.h5").run, example(2))


KILLED = """
import glob, itertools, os, random, sys, time, warnings
import numpy as np
from racedyn import store
from racedyn.store import files
from racedyn.trajectory import Trajectory

warnings.simplefilter("ignore")  # JAX dislikes forks; it is not used here
path = os.path.join(sys.argv[1], "run.h5")
noise = np.random.default_rng(0).normal(size=(3, 40_000))

def run(k):
    return Trajectory(ts=np.arange(3.0), observables={"x": noise + k}, dims={"x": ("time", "unit")})

# The bytes are made beforehand, so that the kill meets the disk rather than gzip.
images = {
    (k, c): files.image({"run": run(k)}, None, complete=c)
    for k in (0, 1) for c in (False, True)
}
now = 0
files.image = lambda groups, config, complete: images[now, complete]
store.save(path, run=run(0))
seen, rng = set(), random.Random(0)
for attempt in range(20):
    child = os.fork()
    if not child:
        for now in itertools.cycle((1, 0)):
            store.checkpoint(path, run=run(0))
            store.save(path, run=run(0), overwrite=True)
    time.sleep(rng.uniform(0.0, 0.1))
    os.kill(child, 9)
    os.waitpid(child, 0)
    for name in [path, *glob.glob(path + "*.partial")]:
        try:
            file = store.load(name)
        except store.StoreError as error:
            assert name != path, error
            if not os.path.getsize(name):  # the kill came before the first byte
                assert "killed before it began" in str(error), error
                os.remove(name)
                continue
            assert "be complete" in str(error) or "be an undamaged file" in str(error), error
            if name == path + ".partial":
                assert store.load(name, partial=True).attrs["complete"] is False
            seen.add("partial that says so")
        else:
            k = [k for k in (0, 1) if np.array_equal(file.run.observables["x"], noise + k)]
            seen.add(f"whole {k}")
        if name != path:
            os.remove(name)
print(sorted(seen))
"""


def in_a_process(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_kill_9_leaves_the_old_file_the_new_one_or_a_partial_that_says_so(tmp_path):
    done = in_a_process(KILLED, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['partial that says so', 'whole [0]', 'whole [1]']"


# --- a disk that refuses

FULL = """
import resource, sys
import numpy as np
from racedyn import store
from racedyn.trajectory import Trajectory

path, save = sys.argv[1], {"save": store.save, "checkpoint": store.checkpoint}[sys.argv[2]]
old = Trajectory(ts=np.arange(3.0), observables={}, dims={})
new = Trajectory(ts=np.random.default_rng(0).normal(size=100_000), observables={}, dims={})
if sys.argv[2] == "save":
    store.save(path, run=old)
else:
    store.checkpoint(path, run=old)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
for attempt in range(2):
    try:
        save(path, run=new, **({"overwrite": True} if sys.argv[2] == "save" else {}))
    except OSError as error:
        print(error.errno, error)
"""


@pytest.mark.parametrize(("how", "name"), [("save", "run.h5"), ("checkpoint", "run.h5.partial")])
def test_a_full_disk_is_an_error_that_destroys_nothing(tmp_path, how, name):
    done = in_a_process(FULL, tmp_path / "run.h5", how, PYTHONWARNINGS="error::ResourceWarning")
    assert done.returncode == 0 and not done.stderr, done
    for line in done.stdout.splitlines():
        assert (
            line.startswith(f"{errno.EFBIG} ")
            and "MiB could not be written (File too large)" in line
        )
        assert "untouched. Free some space" in line and repr(str(tmp_path / name)) in line
    assert len(done.stdout.splitlines()) == 2
    assert os.listdir(tmp_path) == [name]
    np.testing.assert_array_equal(store.load(tmp_path / name, partial=True).run.ts, np.arange(3.0))


@pytest.mark.parametrize(
    ("call", "code"), [("fsync", errno.ENOSPC), ("replace", errno.EROFS), ("fsync", errno.EIO)]
)
def test_an_error_at_any_step_leaves_the_old_file(saved, monkeypatch, call, code):
    def refuse(*args):
        raise OSError(code, os.strerror(code))

    before = saved.read_bytes()
    monkeypatch.setattr(files.os, call, refuse)
    with pytest.raises(
        OSError, match=f"{os.strerror(code)}.*untouched.*save again: '.*run.h5'"
    ) as caught:
        store.save(saved, trained=example(2), overwrite=True)
    assert caught.value.errno == code
    assert saved.read_bytes() == before and os.listdir(saved.parent) == ["run.h5"]


def test_a_place_where_no_file_can_be(saved):
    with pytest.raises(
        OSError, match=r"could not be written .*choose a directory that can be written to"
    ):
        store.save(saved / "run.h5", trained=example())


# --- files that are not what they should be


def test_a_future_version_is_refused_with_the_reason(saved):
    with h5py.File(saved, "r+") as file:
        file.attrs["format_version"] = np.int32(2)
        file.attrs["versions"] = '{"racedyn": "9.1"}'
    reason = (
        r"^Argument `path` must have a format of at most 1, but .*run.h5' has format 2, "
        r"by racedyn 9\.1\. Update: "
    )
    with pytest.raises(store.StoreError, match=reason):
        store.load(saved)


def test_a_truncated_file_is_refused(saved):
    whole = saved.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 100):
        saved.write_bytes(whole[:length])
        with pytest.raises(
            store.StoreError, match=r"undamaged file of racedyn, but '.*run.h5' can't be read: "
        ):
            store.load(saved)


def test_every_flipped_bit_is_noticed(saved):
    whole = saved.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole) - SEAL_LENGTH, 200):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        saved.write_bytes(damaged)
        with pytest.raises(store.StoreError, match=r"run.h5' can't be read: its checksum differs"):
            store.load(saved)


def test_a_flipped_bit_in_an_array_is_noticed_by_hdf5_too(saved):
    with h5py.File(saved, "r+") as file:  # which drops our own checksum
        place = file["trained/strength"].id.get_chunk_info(0).byte_offset
    damaged = bytearray(saved.read_bytes())
    damaged[place + 10] ^= 1
    saved.write_bytes(damaged)
    with pytest.raises(
        store.StoreError, match=r"run.h5' can't be read: .*(fletcher|checksum|filter)"
    ):
        store.load(saved)


def test_a_file_changed_by_another_program_is_read(saved):
    with h5py.File(saved, "r+") as file:
        file["trained"].attrs["note"] = "looked at"
    assert_same(store.load(saved).trained, example())


def test_a_file_with_a_part_missing_is_refused(saved):
    with h5py.File(saved, "r+") as file:
        del file["trained/time"]
    with pytest.raises(store.StoreError, match=r"run.h5' can't be read: .*time"):
        store.load(saved)


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "foreign"
    path.write_text("loss,step\n")
    with pytest.raises(store.StoreError, match=r"foreign' can't be read: .*signature not found"):
        store.load(path)
    with h5py.File(path, "w") as file:
        file["x"] = 1.0
    with pytest.raises(
        store.StoreError, match=r"written by racedyn, but .*foreign' is another HDF5 file"
    ):
        store.load(path)
    xarray.Dataset({"x": ("time", np.ones(3))}).to_netcdf(path, engine="netcdf4")
    with pytest.raises(store.StoreError, match="foreign' is another HDF5 file"):
        store.load(path)
    with pytest.raises(
        FileNotFoundError, match="Argument `path` must be a file, but there is none at"
    ):
        store.load(tmp_path / "nothing.h5")


# --- what can't be saved


def changed(**fields):
    """A trajectory of one observable x (time 3, mode 2), with some fields changed."""
    usual = {
        "ts": np.arange(3.0),
        "observables": {"x": np.ones((3, 2))},
        "dims": {"x": ("time", "mode")},
    }
    return Trajectory(**{**usual, **fields})


def only(name):
    return changed(observables={name: np.ones(3)}, dims={name: ("time",)})


@pytest.mark.parametrize(
    ("run", "error", "match"),
    [
        (only("a/b"), ValueError, "text without \"/\".*one is 'a/b'"),
        (only("."), ValueError, "one is '.'"),
        (only("step"), ValueError, "part of the file .*'step' is"),
        (
            changed(dims={"x": ("time", "x")}),
            ValueError,
            "axis with the name of an observable .*'x' is one",
        ),
        (changed(dims={"x": ("time", "end")}), ValueError, "part of the file, but 'end' is one"),
        (changed(dims={"x": ("time", "a/b")}), ValueError, "`dims` must have names .*'a/b'"),
        (
            changed(dims={"x": ("time",)}),
            ValueError,
            r"`dims\['x'\]` must name the 2 axes .*it is \('time',\)",
        ),
        (changed(dims={}), ValueError, r"`dims\['x'\]` must name the 2 axes"),
        (changed(labels={"mode": ("a",)}), ValueError, r"must have 1 along 'mode'.*it has 2"),
        (
            changed(labels={"mode": (1, 2)}),
            ValueError,
            r"`labels\['mode'\]` must be text .*one label is 1",
        ),
        (changed(labels={"mode": ("a", "b\0")}), ValueError, r"one label is 'b\\x00'"),
        (changed(labels={"time": ("a", "b", "c")}), ValueError, "any axis but time"),
        (changed(ts=np.ones((3, 1))), ValueError, r"one axis \(time,\).*its shape is \(3, 1\)"),
        (
            changed(
                observables={"x": np.ones((3, 3)), "y": np.ones((3, 3))},
                dims={"x": ("mode", "mode"), "y": ("time", "mode_2")},
            ),
            ValueError,
            "leave the name 'mode_2' to the second axis",
        ),
        (
            changed(observables={"x": np.ones((3, 2), np.float16)}),
            TypeError,
            r"`observables\['x'\]`.*dtype is float16",
        ),
        (
            changed(observables={"x": jnp.ones((3, 2), jnp.bfloat16)}),
            TypeError,
            "dtype is bfloat16",
        ),
        (
            changed(end={"a": np.ones(2) * 1j}),
            TypeError,
            "`end/a` must .*dtype is complex128. Cast it",
        ),
        (changed(end={"a": "text"}), TypeError, "`end/a` must hold"),
        (changed(ys={"a/b": np.ones(2)}), ValueError, "`ys` must have names .*'a/b'"),
        (changed(ys={"mode": None}), ValueError, "`ys/mode` must not have the name of an axis"),
        (changed(ys={3: np.ones(2)}), ValueError, "`ys` must have names .*one is 3"),
    ],
)
def test_what_the_file_cannot_hold_is_refused_before_anything_is_written(
    tmp_path, run, error, match
):
    with pytest.raises(error, match=match):
        store.save(tmp_path / "run.h5", run=run)
    assert not os.listdir(tmp_path)


def test_groups_must_be_trajectories_with_free_names(tmp_path):
    path = tmp_path / "run.h5"
    with pytest.raises(ValueError, match="name at least one trajectory"):
        store.save(path)
    with pytest.raises(ValueError, match=r"'keys' is one. Rename it"):
        store.save(path, keys=example())
    with pytest.raises(ValueError, match="one is 'a/b'"):
        store.save(path, **{"a/b": example()})
    with pytest.raises(
        TypeError, match="Argument `weights` must be a Trajectory, but it is a dict"
    ):
        store.save(path, weights={})


# --- git


def fake_git(folder: Path, script: str) -> None:
    (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "git").chmod(0o755)


def test_the_commit_is_kept_and_git_may_be_absent_broken_or_asleep(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(write, "GIT_SECONDS", 0.3)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    (tmp_path / "bin").mkdir()
    found, start = {}, time.monotonic()
    for name, script in {
        "commit": "echo 0a1b2c",
        "broken": "echo no >&2; exit 128",
        "asleep": "exec sleep 30",
    }.items():
        fake_git(tmp_path / "bin", script)
        file = store.load(store.save(tmp_path / "run.h5", run=example(), overwrite=True))
        found[name] = file.attrs.get("git_commit")
    monkeypatch.setenv("PATH", str(tmp_path))
    found["absent"] = store.load(
        store.save(tmp_path / "run.h5", run=example(), overwrite=True)
    ).attrs.get("git_commit")
    assert found == {"commit": "0a1b2c", "broken": None, "asleep": None, "absent": None}
    assert time.monotonic() - start < 20 and capfd.readouterr().err == ""


# --- old files


def test_a_file_of_format_1_still_loads():
    file = store.load(ARCHIVE / "format-1.h5")
    assert file.attrs["format_version"] == 1 and file.config == {"task": "hierarchy"}
    assert_same(file.trained, example())


if __name__ == "__main__":
    store.save(
        ARCHIVE / f"format-{write.FORMAT_VERSION}.h5",
        config={"task": "hierarchy"},
        trained=example(),
    )
