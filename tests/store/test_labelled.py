"""Labelled arrays in a file of their own, and as tables: what goes in comes out, others read it."""

import dataclasses
import resource
import sys
import time
from pathlib import Path

import h5py
import hypothesis.strategies as st
import netCDF4
import numpy as np
import pandas
import pytest
import xarray
from hypothesis import given
from test_store import example

import racedyn as rd
from racedyn import store
from racedyn.trajectory import Labelled


def sweep() -> Labelled:
    """Two depths, three standard deviations and two seeds; one configuration failed."""
    shape = (2, 3, 2)
    axes = ("network.depths", "init.std", "seed")
    share = np.linspace(0.0, 1.0, 48).reshape(*shape, 4)
    share[1, 2, 0] = np.nan
    error = np.full(shape, "", dtype=object)
    error[1, 2, 0] = "Argument `std` must be ä,\nbut it is not."
    status = np.zeros(shape, np.int32)
    status[1, 2, 0] = 5
    return Labelled(
        arrays={
            "participation": share,
            "loss": np.ones((*shape, 5), np.float32),
            "alive": status == 0,
            "status": status,
            "error": error,
            "wall_time": np.ones(shape),
            "best": np.array("the first"),
            "overlap": np.eye(4),
        },
        dims={
            "participation": (*axes, "mode"),
            "loss": (*axes, "row"),
            "alive": axes,
            "status": axes,
            "error": axes,
            "wall_time": axes,
            "best": (),
            "overlap": ("mode", "mode"),
        },
        coordinates={
            "network.depths": np.array(["[2, 2]", "[2, 4]"]),
            "init.std": np.array([0.01, 0.1, 1.0]),
            "seed": np.array([3, 1]),
        },
        meanings={
            "participation": ("how many pathways share a mode", "1"),
            "wall_time": ("how long it took", "s"),
            "init.std": ("standard deviation of the weights", ""),
        },
        attributes={"config": {"name": "ä", "lr": 0.1}, "of": [1, None]},
    )


def assert_equal(found: Labelled, wanted: Labelled) -> None:
    assert list(found.arrays) == list(wanted.arrays) and found.dims == wanted.dims
    assert list(found.coordinates) == list(wanted.coordinates)
    assert dict(found.meanings) == dict(wanted.meanings)
    assert found.attributes == wanted.attributes
    for name in (*wanted.arrays, *wanted.coordinates):
        here, there = np.asarray(found[name]), np.asarray(wanted[name])
        if there.dtype.kind in "OU":
            assert here.dtype == object and here.tolist() == there.tolist()
        else:
            assert here.dtype == there.dtype
            np.testing.assert_array_equal(here, there)


@pytest.fixture
def saved(tmp_path):
    return rd.save(tmp_path / "sweep.h5", sweep(), config={"seed": 1})


def test_what_goes_in_comes_out(saved):
    assert_equal(rd.load(saved), sweep())


NAMES = st.text("aé. $", min_size=1, max_size=3).filter(lambda name: name != ".")
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
SIDES = st.integers(0, 3)


@given(st.data())
def test_any_shapes_names_and_texts_come_back(tmp_path_factory, data):
    axes = data.draw(st.dictionaries(NAMES.map("a{}".format), SIDES, max_size=3))
    coordinates = {
        axis: np.array(data.draw(st.lists(TEXTS, min_size=size, max_size=size)), dtype=object)
        for axis, size in axes.items()
        if data.draw(st.booleans())
    }
    shape, count = tuple(axes.values()), int(np.prod([*axes.values()], dtype=int))
    texts = np.array(data.draw(st.lists(TEXTS, min_size=count, max_size=count)), dtype=object)
    arrays = {"x": np.arange(count, dtype=float).reshape(shape), "y": texts.reshape(shape)}
    wanted = Labelled(arrays, {"x": tuple(axes), "y": tuple(axes)}, coordinates)
    path = tmp_path_factory.mktemp("any") / "any.h5"
    assert_equal(rd.load(rd.save(path, wanted)), wanted)


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray_opens_the_file_as_it_is(saved, engine):
    with xarray.open_dataset(saved, engine=engine) as found:
        made = rd.to_xarray(sweep())
        assert set(found.dims) == set(made.dims) == {*sweep().coordinates, "mode_2"}
        assert found["participation"].dims == sweep().dims["participation"]
        assert found["participation"].attrs["long_name"] == "how many pathways share a mode"
        assert found["wall_time"].attrs["units"] == "s"
        assert found["init.std"].attrs["long_name"] == "standard deviation of the weights"
        assert found["overlap"].dims == ("mode", "mode_2")
        assert list(found["network.depths"].values) == ["[2, 2]", "[2, 4]"]
        assert found["error"].values.tolist() == sweep()["error"].tolist()
        assert found["alive"].dtype == bool
        for name in made.variables:
            xarray.testing.assert_equal(found[name].astype(made[name].dtype), made[name])


def test_the_netcdf_library_opens_the_file(saved):
    with netCDF4.Dataset(saved) as file:
        assert file["error"].dimensions == ("network.depths", "init.std", "seed")
        assert file["error"][1, 2, 0] == sweep()["error"][1, 2, 0]


def test_info_is_a_page_about_the_arrays(saved):
    page = store.info(saved)
    for part in (
        "format       racedyn 1, complete",
        "config       seed  1",
        'config.name  "\\u00e4"',
    ):
        assert part in page
    assert "  init.std                      3  0.01, 0.1, 1" in page.splitlines()
    assert "(network.depths, init.std, seed) float64 [s]  how long it took" in page


def test_the_old_file_stays_where_the_new_one_is_refused(saved):
    before = saved.read_bytes()
    with pytest.raises(FileExistsError, match="be free"):
        rd.save(saved, sweep())
    wrong = dataclasses.replace(sweep(), attributes={}, meanings={})
    for arrays, words in (
        ({"x/y": np.ones(2)}, 'text without "/"'),
        ({"a": np.ones(2)}, "not have the name of an array, but 'a' is one"),
        ({"x": np.ones(2, complex)}, "hold float32, float64"),
        ({"x": np.array(["a", 3], dtype=object)}, "be text to be saved"),
        ({"x": np.array(["a", "\0b"])}, "be text to be saved"),
    ):
        bad = dataclasses.replace(
            wrong, arrays=arrays, dims={name: ("a",) for name in arrays}, coordinates={}
        )
        with pytest.raises((ValueError, TypeError), match=words):
            rd.save(saved, bad, overwrite=True)
    square = Labelled({"x": np.eye(2), "y": np.ones(2)}, {"x": ("a", "a"), "y": ("a_2",)})
    with pytest.raises(ValueError, match="the name of the second axis of a square array"):
        rd.save(saved, square, overwrite=True)
    assert saved.read_bytes() == before
    rd.save(saved, wrong, overwrite=True)
    assert_equal(rd.load(saved), wrong)


def test_labelled_arrays_are_saved_alone_and_trajectories_by_name(tmp_path):
    for alone, groups in (((sweep(), sweep()), {}), ((sweep(),), {"run": example()}), ((3,), {})):
        with pytest.raises(TypeError, match="be trajectories by name"):
            rd.save(tmp_path / "x.h5", *alone, **groups)
    with pytest.raises(TypeError, match="`sweep` must be a Trajectory"):
        rd.save(tmp_path / "x.h5", sweep=sweep())
    with pytest.raises(ValueError, match="have one axis, but their shape is"):
        Labelled({}, {}, {"a": np.ones((2, 2))})


def test_what_needs_runs_refuses_the_file(saved):
    with pytest.raises(store.StoreError, match=r"be a file of trajectories, but .*labelled arrays"):
        store.load_runs(saved)


# Files from strangers


def soft_link(file, _):
    file["theory"] = h5py.SoftLink("/loss")


def external(file, folder):
    (folder / "secret").write_bytes(np.arange(3.0).tobytes())
    del file["wall_time"]
    file.create_dataset("wall_time", (3,), "f8", external=[(str(folder / "secret"), 0, 24)])


def empty_axis(file, _):
    file.create_dataset("huge", (2**40,), ">f4").make_scale("huge")


def empty_texts(file, _):
    file.create_dataset("huge", (2**40,), h5py.string_dtype()).make_scale("huge")


def one_text_many_times(file, _):
    names = np.array([["x" * 60_000] + [""] * 99] * 100, dtype=object)
    made = file.create_dataset("much", data=names, dtype=h5py.string_dtype())
    file.flush()
    raw = made.id.get_offset()
    with open(file.filename, "r+b") as other:
        other.seek(raw)
        first = other.read(16)
        other.seek(raw)
        other.write(first * 10_000)
    made.id.refresh()


def group(file, _):
    file.create_group("run")


def no_axis(file, _):
    del file["wall_time"]
    file["wall_time"] = np.ones(3)


def square_axis(file, _):
    file.create_dataset("x", data=np.eye(2)).make_scale("x")


def half_a_letter(file, _):
    file["error"].id.write(h5py.h5s.ALL, h5py.h5s.ALL, np.full((2, 3, 2), b"\xff", dtype=object))


def attribute(place, name, value):
    def attack(file, _):
        file[place].attrs[name] = value

    return attack


ATTACKS = {
    "soft link": (soft_link, "soft link"),
    "external": (external, "lies in another file"),
    "empty axis": (empty_axis, "claims .* bytes and has 0"),
    "empty texts": (empty_texts, "claims .* bytes and has 0"),
    "one text many times": (one_text_many_times, "claims more text than"),
    "group": (group, "'run' is no array"),
    "no axis": (no_axis, "can't be read"),
    "square axis": (square_axis, "have one axis"),
    "half a letter": (half_a_letter, "can't be read: .*utf-8"),
    "another kind": (attribute("/", "holds", "\x1b[2J"), r"it holds '\\+x1b\[2J'"),
    "kind of a number": (attribute("/", "holds", 3), "holds' is not a text"),
    "attributes": (attribute("/", "attributes", "[1]"), "attributes have no names"),
    "no JSON": (attribute("/", "attributes", "{"), "can't be read"),
    "meaning": (attribute("loss", "long_name", [1.0] * 9), "long_name' is not a text"),
    "unit": (attribute("loss", "units", 2.0), "units' is not a text"),
    "same as itself": (attribute("mode_2", "same_as", "nothing"), "can't be read"),
}


@pytest.mark.parametrize(("attack", "words"), ATTACKS.values(), ids=ATTACKS)
def test_a_hostile_file_is_refused_at_once_and_in_little_room(saved, tmp_path, attack, words):
    with h5py.File(saved, "r+") as file:
        attack(file, tmp_path)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(store.StoreError, match=words) as caught:
        rd.load(saved)
    assert time.monotonic() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 2**10  # KiB
    assert str(caught.value).isprintable()


def test_long_texts_take_no_room_but_their_own(tmp_path):
    texts = np.array(["x" * 10**6, *[""] * 10_000], dtype=object)
    path = rd.save(tmp_path / "x.h5", Labelled({"x": texts}, {"x": ("a",)}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert rd.load(path)["x"].dtype == object
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 2**10  # KiB


# Tables


class Found:
    """A result that has labelled arrays."""

    def labelled(self) -> Labelled:
        return sweep()


def test_a_row_for_each_cell():
    table = rd.to_pandas(Found(), "wall_time")
    assert list(table.columns) == ["alive", "status", "error", "wall_time"]
    assert table.index.names == ["network.depths", "init.std", "seed"] and len(table) == 12
    failed = table.loc[("[2, 4]", 1.0, 3)]
    assert failed["status"] == 5 and failed["error"] == sweep()["error"][1, 2, 0]
    first = rd.to_pandas(sweep())
    assert list(first.columns) == ["participation"] and len(first) == 48
    pandas.testing.assert_frame_equal(
        first, rd.to_xarray(sweep())[["participation"]].to_dataframe(), check_index_type=False
    )
    assert rd.to_pandas(sweep(), "best").to_dict("list") == {"best": ["the first"]}
    assert rd.to_pandas(sweep(), "overlap").index.names == ["mode", "mode_2"]
    loss = rd.to_pandas(example(), "loss")
    assert loss.index.name == "time" and list(loss.index) == list(example().ts)


def test_tables_are_of_trajectories_and_labelled_arrays():
    for function in (rd.to_pandas, rd.to_xarray):
        for wrong in (3, "sweep.h5", Found, Path("x")):
            with pytest.raises(TypeError, match="`found` must be a Trajectory, a Labelled, or"):
                function(wrong)
    assert rd.to_xarray(Found()).sizes == rd.to_xarray(sweep()).sizes
    with pytest.raises(ValueError, match="Did you mean 'wall_time'"):
        rd.to_pandas(sweep(), "walltime")
    with pytest.raises(ValueError, match="have at least one array"):
        rd.to_pandas(Labelled({}, {}))


def test_to_pandas_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "racedyn\[pandas\]"'):
        rd.to_pandas(sweep())
