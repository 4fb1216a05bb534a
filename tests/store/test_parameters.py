"""What the members of an ensemble differ in stays with what came of them: in memory, in files, and
for readers of files.
"""

import dataclasses
import warnings

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray

import racedyn as rd
from racedyn import store
from racedyn.trajectory import parameter_axes, parameters_of

RNG = np.random.default_rng(0)
COUNT = 70  # more than one block of 64
RACE = rd.systems.Pathways([2.0, 1.0], depths=(2, 2), q=0.1, p=[[0.2, 0.1], [0.1, 0.2]])
MEMBERS = {
    "singular_values": RNG.uniform(1, 3, (COUNT, 2)),
    "p": RNG.uniform(0.1, 0.2, (COUNT, 2, 2)),
}


class Spring(rd.AbstractSystem):
    """Three numbers: of place, speed and the way that was gone."""

    stiffness: jax.Array
    friction: jax.Array

    def y0(self):
        return jnp.array([1.0, 0.0, 0.0])

    def vector_field(self, t, y, args):
        return jnp.stack([y[1], -self.stiffness * y[0] - self.friction * y[1], y[1] ** 2])


@pytest.fixture(scope="module")
def ends():
    return rd.ensemble(RACE, MEMBERS)


def assert_kept(run, members=MEMBERS):
    assert list(run.parameters) == sorted(members)
    for name, values in members.items():
        assert run.parameters[name].dtype == values.dtype
        np.testing.assert_array_equal(run.parameters[name], values)


# Names


def test_members_are_named_by_their_places():
    keys = jax.random.split(jax.random.key(3), 4)
    found = parameters_of({"a": {"b": np.ones(4)}, "c": [np.zeros(4), keys], "h": np.ones(4, "f2")})
    assert list(found) == ["a.b", "c.0", "c.1", "h"]
    np.testing.assert_array_equal(found["c.1"], jax.random.key_data(keys))
    assert found["h"].dtype == np.float32
    assert list(parameters_of({"a.b": np.ones(4), "a": {"b": np.zeros(4)}})) == ["a.b", "a.b_2"]
    assert parameters_of(np.arange(4)) == {}
    np.testing.assert_array_equal(parameters_of(np.arange(4) / 2)["parameter"], np.arange(4) / 2)
    with pytest.raises(ValueError, match="`members` must be text to be saved"):
        parameters_of({"a\0": np.ones(4)})


def test_a_number_of_members_is_nothing_to_tell():
    many = rd.ensemble(lambda i: rd.systems.Pathways([1.0 + i], (2, 2), 0.1, [[0.2], [0.1]]), 3)
    assert many.parameters == {} and "parameters" not in str(many)


# In memory and in files


def test_a_member_has_its_own(ends):
    assert_kept(ends)
    one = ends.member(5)
    for name, values in MEMBERS.items():
        np.testing.assert_array_equal(one.parameters[name], values[5])
    assert parameter_axes(ends)["p"] == ("member", "path", "mode")
    assert parameter_axes(one)["singular_values"] == ("singular_values_0",)
    line = "parameters   p (member 70, path 2, mode 2), singular_values (member 70, singular_"
    assert line in str(ends)


def test_files_keep_them_bit_for_bit(ends, tmp_path):
    path = store.save(tmp_path / "ends.h5", ends=ends, one=ends.member(5))
    back = store.load(path)
    assert_kept(back.ends)
    assert_kept(back.one, {name: values[5] for name, values in MEMBERS.items()})
    assert back.ends.dims == ends.dims and back.ends.labels == ends.labels
    np.testing.assert_array_equal(back.ends["strength"], ends["strength"])
    assert "parameters   p (member 70, path 2, mode 2)" in store.info(path)


def test_a_file_by_blocks_has_them_from_the_beginning(ends, tmp_path, monkeypatch):
    path = tmp_path / "blocks.h5"
    write, written = store.BlockFile.write, []

    def killed(self, members, *rest):
        if written:
            raise KeyboardInterrupt
        written.append(members)
        write(self, members, *rest)

    monkeypatch.setattr(store.BlockFile, "write", killed)
    with pytest.raises(KeyboardInterrupt, match="64 of 70 members"):
        rd.ensemble(RACE, MEMBERS, path=path, block=64)
    assert_kept(store.load(f"{path}.partial", partial=True).ensemble)
    monkeypatch.setattr(store.BlockFile, "write", write)
    rd.ensemble(RACE, MEMBERS, path=path, block=64)
    whole = store.load(path).ensemble
    assert_kept(whole)
    np.testing.assert_array_equal(whole["strength"], ends["strength"])


def test_changed_parameters_of_an_unfinished_file_are_noticed(tmp_path, monkeypatch):
    path = tmp_path / "blocks.h5"
    monkeypatch.setattr(store.BlockFile, "write", lambda *given: (_ for _ in ()).throw(OSError()))
    with pytest.raises(OSError):
        rd.ensemble(RACE, MEMBERS, path=path)
    partial = path.with_name(path.name + ".partial")
    with h5py.File(partial, "r+") as file:
        file["ensemble/p"][3] += 1e-9
    with pytest.raises(store.StoreError, match="its checksum differs"):
        rd.ensemble(RACE, MEMBERS, path=path)


# Readers


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray_has_them_as_coordinates_of_members(engine, ends, tmp_path):
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    path = store.save(tmp_path / "ends.h5", ends=ends)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tree = xarray.open_datatree(path, engine=engine)
    for opened in (tree["ends"].to_dataset(), rd.to_xarray(ends)):
        assert opened["p"].dims == ("member", "path", "mode") and "p" in opened.coords
        np.testing.assert_array_equal(opened["p"], MEMBERS["p"])
        assert opened["status"].dims == ("member",)
    stats = tree["ends/stats"].to_dataset()
    beside = rd.to_xarray(ends)
    for name, axes in {"num_steps": ("member",), "accuracy": ("member", "lane")}.items():
        assert stats[name].dims == beside[name].dims == axes
        np.testing.assert_array_equal(stats[name], beside[name])


def test_names_that_are_taken_are_kept_apart(ends, tmp_path):
    """Of an observable, an axis, a coordinate, a part of the file, and an axis of another one."""
    odd = ["strength", "member", "time", "status", "lane", "a b", "a/b", "p_0", "block checksums"]
    values = {name: RNG.uniform(size=COUNT) for name in odd} | {"p": RNG.uniform(size=(COUNT, 5))}
    run = dataclasses.replace(ends, parameters=values)
    path = store.save(tmp_path / "odd.h5", run=run)
    back = store.load(path).run
    assert list(back.parameters) == list(values)
    for name, kept in values.items():
        np.testing.assert_array_equal(back.parameters[name], kept)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xarray.open_datatree(path)["run"].to_dataset()
        beside = rd.to_xarray(run)
    for dataset in (opened, beside):
        np.testing.assert_array_equal(dataset["parameter.strength"], values["strength"])
        np.testing.assert_array_equal(dataset["a_b"], values["a b"])
        np.testing.assert_array_equal(dataset["parameter.a_b"], values["a/b"])
        np.testing.assert_array_equal(dataset["p"], values["p"])
        assert {"parameter.member", "parameter.status", "a_b"} <= {*dataset.coords}


def test_parameters_of_another_number_of_members_are_refused(ends, tmp_path):
    run = dataclasses.replace(ends, parameters={"p": np.ones(3)})
    with pytest.raises(ValueError, match=r"parameters\['p'\]` must be one for each of 70"):
        store.save(tmp_path / "x.h5", run=run)
    path = store.save(tmp_path / "ends.h5", ends=ends)
    with h5py.File(path, "r+") as file:
        file["ends/p"].attrs["parameter"] = 3
    with pytest.raises(store.StoreError):
        store.load(path)


@pytest.mark.slow
def test_outcome_against_parameter_of_ten_thousand_members(tmp_path):
    count = 10_000
    members = {"stiffness": np.geomspace(0.1, 10, count), "friction": np.full(count, 0.1)}
    path = rd.ensemble(
        lambda m: Spring(**m), members, np.array([1.0, 2.0]), path=tmp_path / "springs.h5"
    )
    springs = xarray.open_datatree(path)["ensemble"].to_dataset()
    place = springs["y"].isel(time=-1, y_0=0)
    np.testing.assert_array_equal(place["stiffness"], members["stiffness"])
    decay, k = 0.05, members["stiffness"]
    w = np.sqrt(k - decay**2)
    expected = np.exp(-decay * 2) * (np.cos(2 * w) + decay / w * np.sin(2 * w))
    np.testing.assert_allclose(place, expected, atol=1e-5)
    stiff = place.swap_dims(member="stiffness").sel(stiffness=1.0, method="nearest")
    assert stiff == pytest.approx(expected[np.argmin(abs(k - 1))], abs=1e-5)
