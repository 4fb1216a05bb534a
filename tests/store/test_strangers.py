"""Files from strangers: nothing outside is read or written, nothing takes longer or more room than
the file's size allows.
"""

import json
import os
import resource
import time

import h5py
import numpy as np
import pytest
from test_store import assert_same, example

from racedyn import store
from racedyn._text import printable
from racedyn.store.atomic import SEAL_LENGTH
from racedyn.trajectory import Trajectory

SECRET = np.arange(5.0) + 0.125


@pytest.fixture
def saved(tmp_path):
    return store.save(tmp_path / "run.h5", trained=example())


def elsewhere(folder):
    """A file of another user's, with what must not be read."""
    path = folder / "secret.h5"
    with h5py.File(path, "w") as file:
        file["trained/loss"] = SECRET
    return path


def external_link(file, folder):
    del file["trained/loss"]
    file["trained/loss"] = h5py.ExternalLink(str(elsewhere(folder)), "/trained/loss")


def external_group(file, folder):
    file["theory"] = h5py.ExternalLink(str(elsewhere(folder)), "/trained")


def soft_link(file, _):
    file["theory"] = h5py.SoftLink("/trained")


def dangling_link(file, _):
    file["trained/x"] = h5py.SoftLink("/nothing")


def replaced(file, **options):
    """`trained/loss` anew, with its axis."""
    del file["trained/loss"]
    made = file["trained"].create_dataset("loss", **options)
    made.dims[0].attach_scale(file["trained/time"])


def external_storage(file, folder):
    (folder / "secret").write_bytes(SECRET.tobytes())
    replaced(file, shape=(5,), dtype="f8", external=[(str(folder / "secret"), 0, 40)])


def virtual(file, folder):
    layout = h5py.VirtualLayout((5,), "f8")
    layout[:] = h5py.VirtualSource(str(elsewhere(folder)), "trained/loss", (5,))
    del file["trained/loss"]
    made = file["trained"].create_virtual_dataset("loss", layout)
    made.dims[0].attach_scale(file["trained/time"])


def chain(file, _):
    group = file["trained/end"]
    for _ in range(40):
        inner = group.create_group("a", track_order=True)
        inner.attrs["tree"] = "dict"
        group["b"] = inner
        group = inner


def loop(file, _):
    file["trained/end/weights/again"] = file["trained/end"]


def deep(file, _):
    group = file["trained/end"]
    for _ in range(2000):
        group = group.create_group("a")
        group.attrs["tree"] = "dict"


def never_written(file, _):
    file["trained/end"].create_dataset("huge", (2**27,), "f8", fillvalue=1.0)


def never_written_pieces(file, _):
    file["trained/end"].create_dataset(
        "huge", (2**27,), "f8", fillvalue=1.0, chunks=(2**20,), compression="gzip"
    )


def never_written_texts(file, _):
    file["trained"].create_dataset("huge", (2**40,), h5py.string_dtype()).make_scale("huge")


def labels_of_two_axes(file, _):
    names = np.array([["a", "b"]], dtype=object)
    file["trained"].create_dataset("two", data=names, dtype=h5py.string_dtype()).make_scale("two")


def one_text_many_times(file, _):
    names = ["x" * 60_000] + [""] * 9_999
    made = file["trained"].create_dataset("unused2", data=names, dtype=h5py.string_dtype())
    made.make_scale("unused2")
    file.flush()
    raw = made.id.get_offset()
    with open(file.filename, "r+b") as other:
        other.seek(raw)
        first = other.read(16)
        other.seek(raw)
        other.write(first * 10_000)
    made.id.refresh()


def filtered(file, _):
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((5,))
    made.set_scaleoffset(h5py.h5z.SO_INT, 0)
    space, kind = h5py.h5s.create_simple((5,)), h5py.h5t.NATIVE_INT64
    h5py.h5d.create(file["trained/end"].id, b"x", kind, space, made)


def of_dtype(dtype):
    def attack(file, _):
        file["trained/end"].create_dataset("x", (3,), dtype)

    return attack


def named_type(file, _):
    file["trained/end/x"] = np.dtype("f8")


def no_values(file, _):
    file["trained/end/x"] = h5py.Empty("f8")


def short(name):
    def attack(file, _):
        del file[f"trained/{name}"]
        file[f"trained/{name}"] = np.arange(3)

    return attack


def short_observable(file, _):
    replaced(file, data=np.arange(3.0))


def no_axis(file, _):
    del file["trained/loss"]
    file["trained/loss"] = np.arange(5.0)


def axis_of_another(file, _):
    del file["trained/loss"]
    file["trained/loss"] = np.arange(2.0)
    file["trained/end"].create_dataset("axis", data=np.arange(2.0)).make_scale("time")
    file["trained/loss"].dims[0].attach_scale(file["trained/end/axis"])


def status_99(file, _):
    file["trained/status"][0] = 99


def text_status(file, _):
    del file["trained/status"]
    file["trained"].create_dataset("status", data=["done"], dtype=h5py.string_dtype())


def odd_bool(file, _):
    file["trained/alive"][0, 0] = 7


def two_parameters(file, _):
    for name in ("strength", "alive"):
        file["trained"][name].attrs["parameter"] = "rate"


def few_modes(file, _):
    del file["trained/modes/S"]
    file["trained/modes/S"] = np.ones(3)


def attribute(place, name, value):
    def attack(file, _):
        file[place].attrs[name] = value

    return attack


ATTACKS = {
    "external link": (external_link, "link to another file"),
    "external group": (external_group, "link to another file"),
    "soft link": (soft_link, "soft link"),
    "dangling link": (dangling_link, "soft link"),
    "external storage": (external_storage, "lies in another file"),
    "virtual": (virtual, "put together from other arrays or files"),
    "chain": (chain, "second link to one thing"),
    "loop": (loop, "second link to one thing"),
    "deep": (deep, "groups deep"),
    "never written": (never_written, "claims 1073741824 bytes and has 0"),
    "never written pieces": (never_written_pieces, "claims 1073741824 bytes and has 0"),
    "never written texts": (never_written_texts, "claims .* bytes and has 0"),
    "labels of two axes": (labels_of_two_axes, "a list of names and has 2 axes"),
    "one text many times": (one_text_many_times, "claims more text than"),
    "filter": (filtered, "packed by an unknown filter"),
    "complex": (of_dtype("c16"), "neither numbers nor"),
    "compound": (of_dtype([("a", "f8")]), "neither numbers nor"),
    "reference": (of_dtype(h5py.ref_dtype), "neither numbers nor"),
    "opaque": (of_dtype("V8"), "neither numbers nor"),
    "ragged": (of_dtype(h5py.vlen_dtype("f8")), "neither numbers nor"),
    "half": (of_dtype("f2"), "neither numbers nor"),
    "fixed text": (of_dtype("S8"), "neither numbers nor"),
    "enumeration": (of_dtype(h5py.enum_dtype({"a": 1})), "neither numbers nor"),
    "named type": (named_type, "neither a group nor an array"),
    "no values": (no_values, "has no values"),
    "short steps": (short("step"), "`step` must have the shape of ts"),
    "short stats": (short("stats/num_steps"), "one for each status"),
    "short observable": (short_observable, "'loss' has 3 along 'time'"),
    "no axis": (no_axis, "run.h5' can't be read"),
    "axis of another": (axis_of_another, "run.h5' can't be read"),
    "status": (status_99, "numbers of Status"),
    "text status": (text_status, "text where numbers belong|neither numbers nor"),
    "odd bool": (odd_bool, "true or false"),
    "few modes": (few_modes, "modes don't meet"),
    "tree": (attribute("trained/end", "tree", 3), "'/trained/end:tree' is not a text"),
    "parameter": (attribute("trained/strength", "parameter", 3), "parameter' is not a text"),
    "parameters": (two_parameters, "two of its parameters have one name"),
    "provenance": (
        attribute("trained", "provenance", json.dumps({"kind": 3})),
        "provenance has no kind",
    ),
    "wall time": (
        attribute("trained", "provenance", json.dumps({"kind": "", "wall_time": "now"})),
        "provenance has no wall_time",
    ),
    "complete": (attribute("/", "complete", "yes"), "complete' is not a number"),
    "escape": (attribute("trained/path", "same_as", "\x1b[2J"), r"can't be read: .*\\x1b\[2J"),
}


@pytest.mark.parametrize(("attack", "words"), ATTACKS.values(), ids=ATTACKS)
def test_a_hostile_file_is_refused_at_once_and_in_little_room(saved, tmp_path, attack, words):
    with h5py.File(saved, "r+") as file:
        attack(file, tmp_path)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(store.StoreError, match=f"Argument `path` must be .*{words}") as caught:
        store.load(saved, partial=True)
    assert time.monotonic() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 2**10  # KiB
    assert str(caught.value).isprintable()


def test_what_is_never_written_may_be_small(saved):
    with h5py.File(saved, "r+") as file:
        file["trained/end"].create_dataset("zeros", (8000,), "f8", fillvalue=2.0)
    np.testing.assert_array_equal(store.load(saved).trained.end["zeros"], np.full(8000, 2.0))


def test_constants_compress_a_thousandfold_and_are_read(tmp_path):
    run = Trajectory(
        ts=np.zeros(3), observables={"x": np.zeros((3, 10**6))}, dims={"x": ("time", "unit")}
    )
    path = store.save(tmp_path / "run.h5", run=run)
    with h5py.File(path) as file:
        assert run.observables["x"].nbytes > 500 * file["run/x"].id.get_storage_size()
    assert_same(store.load(path).run, Trajectory(**{**vars(run), "status": np.array(0)}))


def test_a_repeated_number_is_saved_like_any(tmp_path):
    repeated = np.broadcast_to(3.0, (3, 10**6))
    run = Trajectory(
        ts=np.zeros(3),
        observables={"x": repeated},
        dims={"x": ("time", "unit")},
        status=np.array(0),
    )
    found = store.load(store.save(tmp_path / "run.h5", run=run)).run
    np.testing.assert_array_equal(found.observables["x"], repeated)


NASTY = "a\x1b[31mb\x9b2J\u202ec\nd\re"


def test_control_characters_are_shown_and_not_sent(tmp_path):
    source = store.load(store.save(tmp_path / "a.h5", run=example())).run.provenance
    given = {name: getattr(source, name) for name in ("kind", "settings", "wall_time")}
    run = Trajectory(
        ts=np.zeros(3),
        observables={NASTY: np.zeros((3, 2))},
        dims={NASTY: ("time", NASTY + "2")},
        status=np.array(0),
        provenance=type(source)(
            system=NASTY, solver=NASTY, validity={NASTY: NASTY}, created=NASTY, **given
        ),
    )
    path = store.save(tmp_path / "run.h5", config={"seed": NASTY}, **{NASTY: run})
    file = store.load(path)
    assert list(file) == [NASTY] and list(file[NASTY].observables) == [
        NASTY
    ]  # what is there is not changed
    for text in (store.info(path), str(file[NASTY]), repr(file)):
        assert "\\x1b[31m" in text and all(line.isprintable() for line in text.split("\n"))
    assert "\nd" not in store.info(path)
    assert printable("é ü -> 漢") == "é ü -> 漢"


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_a_file_that_xarray_has_open_is_read(saved, engine):
    xarray = pytest.importorskip("xarray")
    with xarray.open_datatree(saved, engine=engine):
        assert_same(store.load(saved).trained, example())
    with h5py.File(saved, "r"):
        assert_same(store.load(saved).trained, example())


def test_a_file_that_is_open_for_writing_is_not_called_damaged(saved):
    with (
        h5py.File(saved, "r+") as file,
        pytest.raises(
            store.StoreError,
            match=r"nobody is writing, but .* is open for writing elsewhere\. Close",
        ),
    ):
        file["trained"].attrs["note"] = "x" * 1000
        store.load(saved)
    assert_same(store.load(saved).trained, example())


@pytest.mark.parametrize("kind", [os.symlink, os.link])
def test_a_planted_link_is_not_written_through(tmp_path, kind):
    (tmp_path / "letter.txt").write_text("mine")
    (tmp_path / "runs").mkdir()
    kind(tmp_path / "letter.txt", tmp_path / "runs" / "run.h5.partial")
    partial = store.checkpoint(tmp_path / "runs" / "run.h5", trained=example())
    assert (tmp_path / "letter.txt").read_text() == "mine" and not partial.is_symlink()
    assert_same(store.load(partial, partial=True).trained, example())


def test_every_flipped_bit_of_a_checkpoint_is_noticed(tmp_path):
    partial = store.checkpoint(tmp_path / "run.h5", trained=example())
    whole = partial.read_bytes()
    for place in np.random.default_rng(1).integers(0, len(whole) - SEAL_LENGTH, 100):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        partial.write_bytes(damaged)
        with pytest.raises(store.StoreError, match="its checksum differs"):
            store.load(partial, partial=True)
