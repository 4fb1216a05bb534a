"""Sweeps: each configuration as `racedyn run` runs it, whatever is beside it and wherever it is
computed; what is there already is not computed again."""

import errno
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import racedyn as rd
from racedyn import Status, jobs, store
from racedyn.config import as_dict, override, parse
from racedyn.jobs.sweeps import Folder, axes_in_words, block, merged
from racedyn.jobs.sweeps.axes import check_axes, values_in_words
from racedyn.jobs.sweeps.measures import BY_DEFAULT
from racedyn.jobs.sweeps.plan import Plan
from racedyn.trajectory import Labelled

CONFIG = parse(
    {
        "name": "small",
        "task": {"kind": "hierarchy", "items": 4},
        "network": {"kind": "parallel", "depths": [2, 2], "width": 6},
        "init": {"kind": "gaussian", "std": 0.2},
        "train": {"lr": 0.2, "steps": 300, "save_every": 2},
        "theory": {"level": "pathway"},
    }
)
OVER = {"init.std": [0.1, 0.2], "seed": range(3)}


def swept(out, over=OVER, config=CONFIG, **options):
    return rd.sweep(config, over, out=out, progress=False, **options)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder with a whole sweep in it, and what it returned."""
    folder = tmp_path_factory.mktemp("done") / "sweep"
    return folder, swept(folder)


@pytest.fixture
def copy(done, tmp_path):
    """The same, to be damaged."""
    folder = tmp_path / "sweep"
    shutil.copytree(done[0], folder)
    return folder


def check_same(one, other):
    assert one.dims == other.dims
    for name in (*one, *one.coordinates):
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_each_configuration_is_what_a_run_makes_of_it(done, tmp_path):
    _, found = done
    assert found.dims["participation"] == ("init.std", "seed", "mode")
    assert (found["status"] == Status.DONE).all() and (found["error"] == "").all()
    for i, j in ((0, 0), (1, 2)):
        given = {"init.std": [str(OVER["init.std"][i])], "seed": [str(OVER["seed"][j])]}
        result = jobs.run(override(CONFIG, given), out=tmp_path / f"{i}{j}", progress=False)
        alone = result.comparison
        for name, values in {
            "final_loss": result.trained["loss"][-1],
            "learning_times": rd.learning_times(result.trained).times,
            "participation": alone.trained.participation,
            "largest_share": alone.trained.share,
            "winner": alone.trained.winner,
            "theory_error": [alone.errors["strength"].relative_l2],
            "theory_participation": [alone.theory.participation],
        }.items():
            np.testing.assert_allclose(found[name][i, j], values, rtol=1e-9, err_msg=name)


def test_the_file_opens_with_named_dimensions(done):
    xarray = pytest.importorskip("xarray")
    folder, found = done
    with xarray.open_dataset(folder / "sweep.h5") as data:
        assert dict(data.sizes) == {"init.std": 2, "seed": 3, "mode": 4, "theory": 1}
        np.testing.assert_array_equal(data["participation"], found["participation"])
        np.testing.assert_array_equal(data["init.std"], [0.1, 0.2])
        assert data["learning_times"].attrs["units"] == "tau"
    check_same(rd.load(folder / "sweep.h5"), found)


def counted(monkeypatch):
    """The configurations that are computed from here on, by seed and scale."""
    seen = []
    real = block.computed

    def computed(settings, observe):
        seen.extend((each["config"]["init"]["std"], each["config"]["seed"]) for each in settings)
        return real(settings, observe)

    monkeypatch.setattr(block, "computed", computed)
    return seen


def test_only_what_is_new_is_computed(copy, done, monkeypatch):
    seen = counted(monkeypatch)
    before = (copy / "sweep.h5").stat().st_mtime_ns
    check_same(swept(copy), done[1])
    assert not seen and (copy / "sweep.h5").stat().st_mtime_ns == before
    longer = swept(copy, {"init.std": [0.1, 0.2], "seed": range(5)})
    assert sorted(seen) == [(0.1, 3), (0.1, 4), (0.2, 3), (0.2, 4)]
    np.testing.assert_array_equal(longer["final_loss"][:, :3], done[1]["final_loss"])
    # Another order, another axis: the same configurations
    seen.clear()
    turned = swept(copy, {"seed": [2, 0], "init.std": [0.2]})
    np.testing.assert_array_equal(turned["final_loss"][:, 0], done[1]["final_loss"][1, [2, 0]])
    assert not seen


@pytest.mark.slow
def test_no_bit_depends_on_blocks_and_what_is_beside(done, tmp_path, monkeypatch):
    monkeypatch.setattr("racedyn.jobs.sweeps.plan.CHUNK", 2)
    block._known.cache_clear()
    check_same(swept(tmp_path / "parts"), done[1])
    assert len(list((tmp_path / "parts" / "parts").glob("*.h5"))) == 3
    block._known.cache_clear()


def test_damaged_parts_and_those_of_another_version_are_computed_again(copy, done, monkeypatch):
    (part,) = (copy / "parts").glob("*.h5")
    whole = part.read_bytes()
    for damaged in (whole[:-30] + b"x" + whole[-29:], whole[:400], b""):
        part.write_bytes(damaged)
        with pytest.warns(RuntimeWarning, match="is computed again: "):
            check_same(swept(copy), done[1])
    old = store.load(part)
    other = Labelled(old.arrays, old.dims, old.coordinates, old.meanings, {"version": "0.0.1"})
    store.save(part, other, overwrite=True)
    with pytest.warns(RuntimeWarning, match=r"is computed again: it is of racedyn 0.0.1"):
        check_same(swept(copy), done[1])


def test_a_configuration_that_fails_fails_alone(tmp_path):
    """One that can't be built, and one that diverges."""
    aligned = parse({**as_dict(CONFIG), "init": {"kind": "aligned", "scale": 0.2}})
    over, observe = {"network.width": [3, 6]}, ["final_loss", "strength"]
    with pytest.warns(RuntimeWarning, match="Of 2 points: 1 x .* at least as wide"):
        found = swept(tmp_path / "width", over, aligned, observe=observe)
    assert found["status"].tolist() == [Status.FAILED, Status.DONE]
    assert "at least as wide as the task has modes" in found["error"][0]
    assert np.isnan(found["final_loss"][0]) and found["final_loss"][1] < 1e-4
    assert found.dims["strength"] == ("network.width", "row", "path", "mode")
    np.testing.assert_allclose(found["flow_time"][1], 0.2 * np.arange(0, 301, 2), rtol=1e-12)
    with pytest.warns(RuntimeWarning, match="Of 2 points: 1 x the training became infinite"):
        rates = swept(tmp_path / "lr", {"train.lr": [0.2, 1e3]}, observe="final_loss")
    assert rates["status"].tolist() == [Status.DONE, Status.NOT_FINITE]
    assert "infinite or NaN" in rates["error"][1]
    alone = swept(tmp_path / "one", {"train.lr": [0.2]}, observe="final_loss")
    assert alone["final_loss"][0] == rates["final_loss"][0]


@pytest.mark.long
def test_paths_modes_and_levels_of_several_numbers_are_filled_up(tmp_path):
    found = swept(
        tmp_path / "depths",
        {
            "network.depths": [[2], [2, 3, 2]],
            "task.items": [2, 4],
            "theory.level": ["maps", "best"],
        },
        observe=["final_share", "theory_error", "converged"],
    )
    assert found["final_share"].shape == (2, 2, 2, 3, 4)
    assert np.isfinite(found["final_share"][0, 0, 0, 0, :2]).all()
    assert np.isnan(found["final_share"][0, 0, 0, 1:]).all()
    assert np.isnan(found["final_share"][0, 0, 0, :, 2:]).all()
    np.testing.assert_allclose(np.nansum(found["final_share"][1, 1, 0], axis=0), 1, rtol=1e-12)
    assert found["network.depths"].tolist() == ["[2]", "[2, 3, 2]"]


def test_two_shards_make_the_whole(tmp_path, done):
    over = {"network.width": [5, 6], **OVER}
    folder = tmp_path / "shards"
    assert swept(folder, over, shard=(1, 2)) is None
    with pytest.raises(store.StoreError, match=r"1 parts are missing: [0-9a-f]{16}"):
        merged(Folder(folder), Folder(folder).plan())
    assert swept(folder, over, shard=(2, 2)) is None
    found = merged(Folder(folder), Folder(folder).plan())
    np.testing.assert_array_equal(found["final_loss"][1], done[1]["final_loss"])


def test_another_sweep_in_the_folder_is_refused(copy):
    other = override(CONFIG, {"train.steps": ["200"]})
    with pytest.raises(store.StoreError, match=r"`base.train.steps` is 200 and was 300"):
        swept(copy, config=other)
    assert swept(copy, config=other, overwrite=True)["status"].shape == (2, 3)
    (copy / "sweep.h5").write_bytes(b"a thesis")
    with pytest.raises(FileExistsError, match="is in the way"):
        swept(copy, config=other)


def test_a_block_of_another_process_is_left_to_it(tmp_path):
    folder = Folder(tmp_path / "shared")
    (tmp_path / "shared" / "parts").mkdir(parents=True)
    with (
        pytest.raises(store.StoreError, match="parts are missing"),
        pytest.warns(RuntimeWarning, match="Another process computes the block"),
    ):
        name = Plan(as_dict(CONFIG), check_axes(OVER), BY_DEFAULT).blocks()[0].name
        with folder.claimed(name) as mine:
            assert mine
            swept(tmp_path / "shared")
    assert (swept(tmp_path / "shared")["status"] == Status.DONE).all()


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"network.widht": [1]}, "'network.widht' is none. Did you mean `network.width`"),
        ({"network.kind": ["chain"]}, "'network.kind' is none"),
        ({"name": ["x"]}, "'name' is none"),
        ({"seed": []}, "have at least one value"),
        ({"seed": range(0)}, "have at least one value"),
        ({"seed": 3}, "be a list of values"),
        ({"seed": "012"}, "be a list of values"),
        ({"seed": [1, 1]}, "have each value once, but 1 is there twice"),
        ({"seed": [1.5]}, "the sweep at seed = 1.5"),
        ({"seed": [-1]}, "the sweep at seed = -1"),
        ({"init.std": [0.1, np.nan]}, "init.std"),
        ({"seed": range(4000), "init.std": np.linspace(0.1, 1, 4000)}, "at most 10000000 points"),
        ({}, "be a dict name -> values"),
        ({"seed": [{"a": 1}]}, "numbers, strings and lists"),
    ],
)
def test_what_is_no_axis(over, message, tmp_path):
    with pytest.raises((ValueError, TypeError), match=message):
        swept(tmp_path / "none", over)
    assert not (tmp_path / "none" / "plan.json").exists()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0:4", [0, 1, 2, 3]),
        ("4:0:-2", [4, 2]),
        ("3,5", [3, 5]),
        ("0.5", [0.5]),
        ("[[2,2],[3,3]]", [[2, 2], [3, 3]]),
        ("linspace(0, 1, 3)", [0.0, 0.5, 1.0]),
        ("geomspace(1e-3, 1e-1, 3)", [0.001, 0.01, 0.1]),
        ("relu,tanh", ["relu", "tanh"]),
        ('["a b"]', ["a b"]),
    ],
)
def test_values_in_words(text, values):
    np.testing.assert_equal(values_in_words("--over x", text), values)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3:3",
        "0:5:0",
        "logspace(0,1)",
        "space(0,1,3)",
        "linspace(a,1,3)",
        "linspace(0,1,0)",
        "[1,",
        "1,,2",
        "geomspace(-1,1,3)",
        "0:99999999999",
        "a b",
        "[]",
    ],
)
def test_what_is_no_range(text):
    with pytest.raises(ValueError, match="--over x"):
        values_in_words("--over x", text)


@pytest.mark.parametrize("words", [["seed"], ["=3"], ["seed=1", "seed=2"]])
def test_what_is_no_axis_in_words(words):
    with pytest.raises(ValueError, match="--over"):
        axes_in_words(words)


@pytest.mark.parametrize("observe", ["partcipation", ["weights"], [], 3])
def test_what_is_not_measured(observe, tmp_path):
    with pytest.raises((ValueError, TypeError), match="observe"):
        swept(tmp_path / "none", observe=observe)


def test_labels_that_differ_are_left_out_and_none_stands_for_another(tmp_path):
    def of(kind, seed):
        names = {0: ["a", "b"], 1: ["a"], 2: ["c", "d"]}[kind]
        return Labelled({"x": np.arange(len(names)) + seed}, {"x": ("side",)}, {"side": names})

    given = {"progress": False}
    alike = rd.sweep(of, {"kind": [0, 1], "seed": [0, 1]}, out=tmp_path / "alike", **given)
    assert alike["side"].tolist() == ["a", "b"] and np.isnan(alike["x"][1, :, 1]).all()
    apart = rd.sweep(of, {"kind": [0, 1, 2], "seed": [0, 1]}, out=tmp_path / "apart", **given)
    assert apart["side"].tolist() == [0, 1] and apart["x"].shape == (3, 2, 2)


def test_numbers_along_an_axis_of_a_result_are_kept(tmp_path):
    """In the file of the sweep and in one that is gone on with; those that differ are left out."""

    def of(kind):
        width = np.array([0.5, 1.5]) + (kind == 2)
        return Labelled({"x": width**2}, {"x": ("width",)}, {"width": width})

    given = {"out": tmp_path / "sweep", "progress": False}
    for kinds in ([0], [0, 1]):
        alike = rd.sweep(of, {"kind": kinds}, **given, overwrite=True)
        assert alike["width"].tolist() == [0.5, 1.5]
    apart = rd.sweep(of, {"kind": [0, 2]}, **given, overwrite=True)
    assert apart["width"].tolist() == [0, 1] and apart["x"].shape == (2, 2)


def test_data_that_changed_are_computed_anew(tmp_path):
    """Of every file that is swept over."""
    rng = np.random.default_rng(0)
    paths = [str(tmp_path / f"{name}.npz") for name in "ab"]
    for path in paths:
        np.savez(path, X=np.eye(4), Y=rng.normal(size=(3, 4)))
    task = {"kind": "arrays", "path": paths[0]}
    config, over = parse({**as_dict(CONFIG), "task": task}), {"task.path": paths}
    first = swept(tmp_path / "sweep", over, config, observe="final_loss")
    np.savez(paths[1], X=np.eye(4), Y=rng.normal(size=(3, 4)))
    second = swept(tmp_path / "sweep", over, config, observe="final_loss")
    assert second["final_loss"][0] == first["final_loss"][0]
    assert second["final_loss"][1] != first["final_loss"][1]
    np.savez(paths[0], X=np.eye(4), Y=rng.normal(size=(3, 4)))
    swept(tmp_path / "seeds", {"seed": [0, 1]}, config, observe="final_loss")
    np.savez(paths[0], X=np.eye(4), Y=rng.normal(size=(3, 4)))
    with pytest.raises(store.StoreError, match="data"):
        swept(tmp_path / "seeds", {"seed": [0, 1]}, config, observe="final_loss")


@pytest.mark.slow
def test_what_ended_early_is_compared_as_a_run_is(tmp_path):
    """To its own end, not to that of others; what is not resolved or converged is said."""
    table = {**as_dict(CONFIG)["train"], "until": "converged"}
    config = parse({**as_dict(CONFIG), "train": table})
    found = swept(tmp_path / "sweep", {"init.std": [0.1, 0.3]}, config, observe=["theory_error"])
    assert found["status"].tolist() == [Status.SETTLED] * 2
    for i, std in enumerate((0.1, 0.3)):
        given = override(config, {"init.std": [str(std)]})
        alone = jobs.run(given, out=tmp_path / str(i), progress=False).comparison
        error = alone.errors["strength"].relative_l2
        np.testing.assert_allclose(found["theory_error"][i, 0], error, rtol=1e-6)
    few = {"train.steps": [20], "train.save_every": [5, 20]}
    with pytest.warns(RuntimeWarning, match="2 x the training ended before it had converged"):
        swept(tmp_path / "few", few, observe="final_loss")
    with pytest.warns(RuntimeWarning, match="between two saved rows"):
        swept(tmp_path / "rows", {"train.save_every": [100]}, observe="learning_times")


@pytest.mark.parametrize("shard", ["1/2", 2, (1,), (3, 2), (0.5, 2)])
def test_shards_that_are_none(shard, tmp_path):
    with pytest.raises((ValueError, TypeError), match=r"shard|`k`"):
        swept(tmp_path / "sweep", shard=shard)


def test_an_interruption_is_not_what_becomes_of_a_configuration(tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("racedyn.simulation.trainings.Trainings.__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            swept(tmp_path / "sweep")
    assert not list((tmp_path / "sweep" / "parts").iterdir())


@pytest.mark.parametrize(
    "full",
    [
        pytest.param("parts", marks=pytest.mark.slow),
        pytest.param("sweep.h5", marks=pytest.mark.long),
    ],
)
def test_a_full_disk_keeps_what_is_finished(full, tmp_path, monkeypatch):
    over = {"network.width": [5, 6], "init.std": [0.1, 0.2]}
    whole = swept(tmp_path / "whole", over)
    replace, left = os.replace, [1]

    def refusing(source, target):
        if full in str(target):
            left[0] -= full == "parts"
            if full == "sweep.h5" or left[0] < 0:  # there is room for one part, or for all
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    out = tmp_path / "full"
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", refusing)
        with pytest.raises(OSError, match=r"No space left.*call the same sweep again") as caught:
            swept(out, over)
    assert caught.value.errno == errno.ENOSPC and full in caught.value.filename
    parts = {path: path.stat().st_mtime_ns for path in (out / "parts").glob("*.h5")}
    assert len(parts) == (1 if full == "parts" else 2) and not list(out.glob("**/*.lock"))
    check_same(swept(out, over), whole)
    assert all(path.stat().st_mtime_ns == before for path, before in parts.items())


def product(a, b):
    if a == 3:
        raise ArithmeticError("three is refused")
    return {"product": a * b, "powers": [b, b**2]}


def test_a_function_is_swept(tmp_path):
    with pytest.warns(RuntimeWarning, match="Of 6 points: 2 x ArithmeticError: three is refused"):
        found = rd.sweep(
            product, {"a": [1, 2, 3], "b": [0.5, 4]}, out=tmp_path / "f", progress=False
        )
    assert len(list((tmp_path / "f" / "parts").glob("*.h5"))) == 6  # a call may take hours
    np.testing.assert_array_equal(found["product"], [[0.5, 4], [1, 8], [np.nan, np.nan]])
    assert found.dims["powers"] == ("a", "b", "powers_0")
    assert found["status"].tolist() == [[0, 0], [0, 0], [5, 5]]
    assert found["error"][2, 0] == "ArithmeticError: three is refused"
    number = rd.sweep(lambda a: a**2, {"a": [2]}, out=tmp_path / "g", progress=False)
    assert number["value"].tolist() == [4.0]
    labelled = rd.sweep(
        lambda a: Labelled({"x": np.arange(2) * a}, {"x": ("side",)}, {"side": ["left", "right"]}),
        {"a": [1, 2]},
        out=tmp_path / "h",
        progress=False,
    )
    assert labelled["side"].tolist() == ["left", "right"] and labelled.dims["x"] == ("a", "side")
    for function, message in (
        (lambda c: c, "can't be called so"),
        (lambda a: "text", "be numbers"),
        (lambda a: {"a": 1}, "that is an axis of the sweep"),
        (lambda a: {"status": 1}, "that is an axis of the sweep, or said by it"),
        (3, "be a configuration, its path, or a function"),
    ):
        over = {"a": [1]}
        if "axis of the sweep" in message or message == "be numbers":  # only its call tells
            out = tmp_path / str(len(message))
            with pytest.warns(RuntimeWarning, match="Of 1 points"):
                assert message in rd.sweep(function, over, out=out, progress=False)["error"][0]
        else:
            with pytest.raises(TypeError, match=message):
                rd.sweep(function, over, out=tmp_path / "none", progress=False)


def test_other_code_is_another_sweep(tmp_path):
    def made(factor):
        return lambda a: factor * a

    rd.sweep(made(2), {"a": [1]}, out=tmp_path / "f", progress=False)
    with pytest.raises(store.StoreError, match=r"base\.code"):
        rd.sweep(made(3), {"a": [1]}, out=tmp_path / "f", progress=False)
    found = rd.sweep(made(3), {"a": [1]}, out=tmp_path / "f", progress=False, overwrite=True)
    assert found["value"].tolist() == [3.0]


SCRIPT = """
import sys, racedyn as rd
print("imported", flush=True)
def cube(a):
    return a ** 3
found = rd.sweep(cube, {"a": list(range(200))}, out=sys.argv[1], executor="local", jobs=2)
print(int(found["value"].sum()))
"""


@pytest.mark.slow
def test_a_script_without_a_guard_is_not_imported_again(tmp_path):
    """Its function is known to other processes all the same."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, script, tmp_path / "out"], capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["imported", str(sum(a**3 for a in range(200)))]


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["local", "threads"])
def test_no_bit_depends_on_the_executor(executor, done, tmp_path):
    over = {"network.width": [5, 6], **OVER}
    with ThreadPoolExecutor(2) as threads:
        given = threads if executor == "threads" else executor
        found = swept(tmp_path / "wide", over, executor=given, jobs=None if given is threads else 2)
    for name in ("final_loss", "participation", "theory_error"):
        np.testing.assert_array_equal(found[name][1], done[1][name])


def racedyn(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "racedyn", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "RACEDYN_CACHE": "off"},
        **options,
    )


@pytest.mark.slow
def test_the_command(tmp_path, done):
    config = tmp_path / "small.toml"
    from racedyn.config import as_toml

    config.write_text(as_toml(CONFIG))
    line = ["sweep", config, "--over", "init.std=0.1,0.2", "--over", "seed=0:3", "--out"]
    out = tmp_path / "out"
    first = racedyn(*line, out, "--quiet")
    assert first.returncode == 0 and not first.stdout, first.stderr
    check_same(rd.load(out / "sweep.h5"), done[1])
    again = racedyn(*line, out)
    assert again.returncode == 0 and "finished already: nothing was computed" in again.stdout
    assert "6 configurations: 6 done" in again.stdout
    status = racedyn("sweep", out, "--status")
    assert "6 of 6 configurations are done, 1 of 1 parts" in status.stdout
    (out / "sweep.h5").unlink()
    assert racedyn("sweep", out, "--merge").returncode == 0
    check_same(rd.load(out / "sweep.h5"), done[1])
    part = racedyn(*line, tmp_path / "part", "--shard", "2/3")
    assert part.returncode == 0 and "sbatch --array=1-3" in part.stdout
    early = racedyn("sweep", tmp_path / "part", "--merge")
    assert early.returncode == 2 and "1 parts are missing" in early.stderr
    for words, message in (
        (["--over", "seed=3:3"], "at least one value"),
        (["--over", "sed=1"], "Did you mean"),
        ([], "be a dict"),
    ):
        wrong = racedyn("sweep", config, "--out", out, *words)
        assert wrong.returncode == 2 and message in wrong.stderr, wrong.stderr
    lost = racedyn("sweep", config, "--out", tmp_path / "lr", "--over", "train.lr=0.05,1e3")
    assert lost.returncode == 1 and "1 x the training became infinite" in lost.stderr


def test_a_plan_that_is_none(tmp_path):
    with pytest.raises(ValueError, match="there is no"):
        Folder(tmp_path).plan()
    for text in ("", "{}", "[1]", json.dumps({"base": {}, "axes": 3, "observe": [], "data": {}})):
        Path(tmp_path / "plan.json").write_text(text)
        with pytest.raises(store.StoreError, match="is no plan"):
            Folder(tmp_path).plan()
