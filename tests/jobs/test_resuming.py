"""What `--resume` compares: what the training depends on, and nothing else."""

import importlib

import numpy as np
import pytest

from racedyn import Status, config, store
from racedyn.cli import main

job = importlib.import_module("racedyn.jobs.run")  # the name is the function's

DATA = {
    "name": "mine",
    "network": {"kind": "parallel", "depths": [1, 2], "width": 3},
    "init": {"kind": "gaussian", "std": 0.3},
    "train": {"lr": 0.1, "steps": 20, "save_every": 10},
}


def settings(**changes):
    return config.parse(
        {"task": {"kind": "hierarchy", "items": 4}, "theory": {"level": "pathway"}} | DATA | changes
    )


def run(chosen, out, **options):
    return job.run(chosen, out=out, progress=False, **options)


def never(*_, **__):
    raise AssertionError("this must not be called")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished run on a table of data."""
    folder = tmp_path_factory.mktemp("done")
    np.savez(folder / "mine.npz", X=np.eye(3), Y=np.arange(6.0).reshape(2, 3))
    chosen = settings(task={"kind": "arrays", "path": str(folder / "mine.npz")})
    return folder, chosen, run(chosen, folder)


def left_by(result, out, **changes):
    """What would be there had the run been interrupted after its training."""
    out.mkdir(exist_ok=True)
    return store.checkpoint(
        out / "mine.h5", config=config.as_dict(result.config), trained=result.trained
    )


def test_a_finished_run_says_so(done, monkeypatch, capsys):
    folder, chosen, result = done
    monkeypatch.setattr(job, "train", never)
    monkeypatch.setattr(job, "simulate", never)
    again = run(chosen, folder, resume=True)
    assert again.notes == (
        f"this run is finished already: nothing was computed, {result.path} is as it was",
    )
    np.testing.assert_array_equal(
        again.trained.observables["loss"], result.trained.observables["loss"]
    )
    assert again.comparison is not None and again.figures == result.figures
    (folder / "mine.toml").write_text(config.as_toml(chosen))
    assert main(["run", str(folder / "mine.toml"), "--out", str(folder), "--resume"]) == 0
    out, err = capsys.readouterr()
    assert "note: this run is finished already" in out and err == ""


def test_a_finished_run_without_its_figures_draws_them(done, monkeypatch):
    folder, chosen, result = done
    monkeypatch.setattr(job, "train", never)
    result.figures[0].unlink()
    assert all(figure.exists() for figure in run(chosen, folder, resume=True).figures)


def test_a_finished_run_of_other_settings_is_not_replaced(done, monkeypatch):
    folder, chosen, _ = done
    monkeypatch.setattr(job, "train", never)
    other = config.parse(
        config.as_dict(chosen) | {"seed": 3, "theory": {"level": "pathway", "rtol": 1e-6}}
    )
    with pytest.raises(
        FileExistsError,
        match=r"is finished, with other settings: `seed` is 3 and was 0; `theory.rtol` is",
    ):
        run(other, folder, resume=True)


def test_another_theory_goes_on_from_the_same_training(done, tmp_path, monkeypatch):
    _, chosen, result = done
    left_by(result, tmp_path)
    monkeypatch.setattr(job, "train", never)
    other = config.parse(config.as_dict(chosen) | {"theory": {"level": "pathway", "rtol": 1e-6}})
    resumed = run(other, tmp_path, resume=True)
    assert resumed.theories["theory"].provenance.settings["rtol"] == 1e-6
    np.testing.assert_array_equal(
        resumed.trained.observables["loss"], result.trained.observables["loss"]
    )
    # The other way round: a finished run keeps its training, if it is to be replaced.
    back = run(chosen, tmp_path, resume=True, overwrite=True)
    assert back.theories["theory"].provenance.settings["rtol"] == 1e-8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, r"`seed` is 1 and was 0"),
        ({"train": DATA["train"] | {"lr": 0.2}}, r"`train.lr` is 0.2 and was 0.1"),
        ({"train": DATA["train"] | {"save_every": 5}}, r"`train.save_every` is 5 and was 10"),
        ({"train": {"lr": 0.1, "steps": 20}}, r"`train.save_every` is left out and was 10"),
        ({"train": DATA["train"] | {"steps": 10}}, r"`train.steps` is 10, and 20 are done"),
        ({"init": {"kind": "orthogonal"}}, r"`init.kind` is orthogonal and was gaussian"),
        ({"task": {"kind": "ring"}}, r"`task.kind` is ring and was arrays"),
    ],
)
def test_what_training_depends_on_is_named(changes, message, done, tmp_path, monkeypatch):
    _, chosen, result = done
    partial = left_by(result, tmp_path)
    before = partial.read_bytes()
    monkeypatch.setattr(job, "train", never)
    with pytest.raises(ValueError, match=r"of other settings: .*" + message):
        run(config.parse(config.as_dict(chosen) | changes), tmp_path, resume=True)
    assert partial.read_bytes() == before


def test_data_count_and_not_where_they_lie(done, tmp_path, monkeypatch):
    folder, chosen, result = done
    left_by(result, tmp_path)
    monkeypatch.setattr(job, "train", never)
    moved = tmp_path / "moved.npz"
    np.savez(moved, X=np.eye(3), Y=np.arange(6.0).reshape(2, 3) + 1e-9)
    other = config.parse(config.as_dict(chosen) | {"task": {"kind": "arrays", "path": str(moved)}})
    with pytest.raises(
        ValueError, match=r"`task.path` is data with the checksum \w{8} and was \w{8}"
    ):
        run(other, tmp_path, resume=True)
    moved.write_bytes((folder / "mine.npz").read_bytes())
    assert run(other, tmp_path, resume=True).config == other


@pytest.mark.slow
def test_more_steps_go_on_further(done, tmp_path):
    _, chosen, result = done
    left_by(result, tmp_path)
    further = config.parse(config.as_dict(chosen) | {"train": DATA["train"] | {"steps": 30}})
    resumed = run(further, tmp_path, resume=True)
    whole = run(further, tmp_path / "whole")
    np.testing.assert_array_equal(resumed.trained.step, [0, 10, 20, 30])
    for name, value in whole.trained.observables.items():
        np.testing.assert_array_equal(resumed.trained.observables[name], value, err_msg=name)


@pytest.mark.slow
def test_what_ended_at_its_loss_has_no_steps_left(tmp_path, monkeypatch):
    until = {"until": 2.0}
    chosen = settings(train=DATA["train"] | until)
    result = run(chosen, tmp_path)
    ended = result.trained.step.tolist()
    assert result.trained.status == Status.SETTLED and ended[-1] < chosen.train.steps
    assert result.theories["theory"].ts.shape == result.trained.ts.shape
    left_by(result, tmp_path / "left")
    monkeypatch.setattr(job, "train", never)
    further = settings(train=DATA["train"] | until | {"steps": 30})
    assert run(further, tmp_path / "left", resume=True).trained.step.tolist() == ended


def test_a_file_of_something_else_is_no_run(done, tmp_path):
    _, chosen, result = done
    store.checkpoint(tmp_path / "mine.h5", config={"study": "x"}, other=result.trained)
    with pytest.raises(
        ValueError, match=r"mine\.h5\.partial is not of `racedyn run`: there is no training in it"
    ):
        run(chosen, tmp_path, resume=True)


def test_a_theory_that_is_refused_late_says_what_is_kept(tmp_path, monkeypatch, capsys):
    def refused(*_, **__):
        raise ValueError("Argument `x` must be other.")

    monkeypatch.setattr(job, "simulate", refused)
    (tmp_path / "mine.toml").write_text(config.as_toml(settings()))
    assert main(["run", str(tmp_path / "mine.toml"), "--out", str(tmp_path)]) == 2
    # Where the machine is slow, that it compiles too; nothing else.
    *before, line = capsys.readouterr().err.splitlines()
    assert all(other.startswith("train: ") for other in before), before
    assert (
        "must be other" in line
        and "mine.h5.partial has what was trained: --resume goes on from it." in line
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"init": {"kind": "gaussian", "std": 1e308}},
            r"`init.std` must be such that float64 holds .* weight is inf",
        ),
        (
            {"init": {"kind": "orthogonal", "scale": 1e-320}},
            r"`init.scale` must be such that float64 holds",
        ),
        ({"train": DATA["train"] | {"lr": 1e-320}}, r"`train.lr` must be such that float64 holds"),
        (
            {"train": DATA["train"] | {"lr": 1e308}},
            r"`train.lr` .* all steps together take a flow time of inf",
        ),
        (
            {"train": DATA["train"] | {"lr": 1e-60, "dtype": "float32"}},
            r"`train.lr` must be such that float32 holds",
        ),
        (
            {"train": DATA["train"] | {"weight_decay": 1e-60, "dtype": "float32"}},
            r"`train.weight_decay` must be such",
        ),
        (
            {
                "init": {"kind": "gaussian", "std": 1e300},
                "train": DATA["train"] | {"dtype": "float32"},
            },
            r"`init.std` .* float32",
        ),
        (
            {"network": {"kind": "chain", "depth": 3, "width": 10**6}},
            r"`network.width` or `network.depth` .* fits into memory",
        ),
        (
            {"network": {"kind": "parallel", "depths": [1000] * 11, "width": 3}},
            r"`network.depths` must be at most 10000",
        ),
        (
            {"task": {"kind": "hierarchy", "items": 2**40}},
            r"`task.items` must be of a size that fits into memory",
        ),
        (
            {"task": {"kind": "grid", "rows": 10**9, "columns": 10**9}},
            r"`task.rows` or `task.columns` must be of a size",
        ),
        (
            {"task": {"kind": "clusters", "sizes": [10**12]}},
            r"`task.sizes` or `task.properties` must be of a size",
        ),
        (
            {"task": {"kind": "cross_cutting", "branches": 2**40}},
            r"`task.branches` or .* must be of a size",
        ),
        (
            {"task": {"kind": "contextual", "items": 10**9}},
            r"`task.items` or `task.contexts` must be of a size",
        ),
        ({"task": {"kind": "routing", "domains": 10**6}}, r"`task.domains` must be of a size"),
        (
            {"train": DATA["train"] | {"steps": 10**12, "save_every": 1}},
            r"`train.save_every` or `train.steps` must be",
        ),
    ],
)
def test_what_no_machine_or_number_holds_is_refused_before_training(
    changes, message, tmp_path, monkeypatch
):
    monkeypatch.setattr(job, "train", never)
    with pytest.raises(ValueError, match=message):
        run(settings(**changes), tmp_path)


@pytest.mark.slow
def test_saving_less_often_than_there_are_steps_saves_the_ends(tmp_path):
    result = run(settings(train=DATA["train"] | {"save_every": 10**9}), tmp_path)
    np.testing.assert_array_equal(result.trained.step, [0, 20])


def test_an_archive_whose_header_promises_more_than_it_holds(tmp_path):
    """Before NumPy makes room for 16 GiB."""
    import io
    import zipfile

    from numpy.lib import format as npy

    held, promised = io.BytesIO(), io.BytesIO()
    np.save(held, np.eye(3))
    npy.write_array_header_1_0(
        promised, {"descr": "<f8", "fortran_order": False, "shape": (2**31,)}
    )
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("X.npy", promised.getvalue())
        archive.writestr("Y.npy", held.getvalue())
    with pytest.raises(
        ValueError,
        match=r"huge\.npz: X is damaged: its header says shape \(2147483648,\) of float64",
    ):
        job.build_task(config.Arrays(path=str(tmp_path / "huge.npz")))
    np.savez(tmp_path / "date.npz", X=np.array([["2020-01-01"]], "M8[D]"), Y=np.eye(1))
    with pytest.raises(
        ValueError, match=r"date\.npz: X has the dtype datetime64\[D\], and numbers are needed"
    ):
        job.build_task(config.Arrays(path=str(tmp_path / "date.npz")))
