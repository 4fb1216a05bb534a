import dataclasses
import errno
import importlib
import os

import jax
import numpy as np
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine

from racedyn import config, jobs, networks, plot, store, tasks
from racedyn.jobs.sizes import check_task_size
from racedyn.simulation.simulate import SolveError
from racedyn.training import run as training

job = importlib.import_module("racedyn.jobs.run")  # the name is the function's

SMALL = {
    "name": "small",
    "task": {"kind": "hierarchy", "items": 4},
    "network": {"kind": "parallel", "depths": [2, 3], "width": 6},
    "init": {"kind": "gaussian", "std": 0.3},
    "train": {"lr": 0.1, "steps": 40, "save_every": 10},
    "theory": {"level": "pathway"},
}


def small(**changes):
    """The small run with sections replaced."""
    return config.parse(SMALL | changes)


def run(settings, out, **options):
    return job.run(settings, out=out, progress=False, **options)


def never(*_, **__):
    raise AssertionError("this must not be called")


@pytest.fixture
def finished(tmp_path):
    return run(small(), tmp_path / "whole")


def run_until(steps, patch, settings, out):
    """Run until a checkpoint at so many steps or later, where Ctrl-C comes."""
    checkpoint, came = store.checkpoint, []

    def interrupting(path, **options):
        checkpoint(path, **options)
        if options["trained"].step[-1] >= steps and not came:
            came.append(True)
            raise KeyboardInterrupt

    patch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    patch.setattr(store, "checkpoint", interrupting)
    with (
        pytest.warns(RuntimeWarning, match="Training stopped"),
        pytest.raises(job.Interrupted, match=r"small\.h5\.partial has what was trained: --resume"),
    ):
        run(settings, out)
    assert (
        steps
        <= store.load(out / "small.h5.partial", partial=True).trained.step[-1]
        < settings.train.steps
    )


@pytest.mark.slow
def test_a_level_of_the_flow_is_the_theory_of_its_decaying_training(tmp_path):
    settings = small(
        network={"kind": "parallel", "depths": [2, 2], "width": 6},
        train={"lr": 0.002, "steps": 4000, "save_every": 400, "weight_decay": 0.05},
        theory={"level": "matrix", "beside": []},
    )
    result = run(settings, tmp_path)
    assert (
        result.theories["theory"].provenance.validity["exact"]
        and result.theories["theory"].provenance.validity["level"] == "matrix"
    )
    assert result.comparison.errors["strength"].relative_l2 < 1e-3
    kept = store.load(result.path).theory.observables["edge_strength"]
    np.testing.assert_array_equal(kept, result.theories["theory"].observables["edge_strength"])
    with pytest.raises(
        ValueError, match=r"Level 'modes' is not exact here .* but level='matrix' is"
    ):
        run(
            small(theory={"level": "modes"}, network={"kind": "chain", "depth": 2, "width": 6}),
            tmp_path / "refused",
        )
    assert not (tmp_path / "refused" / "small.h5").exists()


def test_a_run_leaves_its_results_and_figures_and_nothing_else(finished, tmp_path):
    assert sorted(path.name for path in (tmp_path / "whole").iterdir()) == [
        "small.h5",
        "small.pdf",
        "small.png",
    ]
    file = store.load(finished.path)
    assert config.parse(file.config) == small() == finished.config
    assert set(file) == {"theory", "trained"}
    np.testing.assert_array_equal(file.theory.ts, file.trained.ts)
    np.testing.assert_allclose(file.trained.ts, 0.1 * np.arange(0, 41, 10), rtol=1e-12)
    assert finished.notes == ()
    assert np.isfinite(finished.comparison.errors["strength"].relative_l2)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {
                "network": {"kind": "chain", "depth": 3, "width": 6},
                "init": {"kind": "orthogonal", "scale": 0.5},
            },
            marks=pytest.mark.slow,
        ),
        {"init": {"kind": "aligned", "scale": 0.5}},
        {"init": {"kind": "balanced", "scale": 0.5}},
    ],
    ids=["chain, orthogonal", "aligned", "balanced"],
)
def test_every_kind_runs(changes, tmp_path):
    result = run(small(**changes), tmp_path)
    assert result.comparison is not None and not result.trained.failed


@pytest.mark.slow
def test_a_task_without_modes_is_compared_and_drawn_by_its_loss(tmp_path):
    """Steps are small enough that theory and training are one."""
    settings = small(
        task={"kind": "xor"},
        network={"kind": "xor", "width": 3},
        init={"kind": "aligned", "scale": 0.3, "bases": "paths"},
        theory={"level": "matrix", "beside": []},
        train={"lr": 0.002, "steps": 200, "save_every": 50},
    )
    result = run(settings, tmp_path)
    assert result.theories["theory"].provenance.validity["exact"]
    assert (
        "strength" not in result.comparison.errors
        and result.comparison.errors["loss"].relative_l2 < 1e-3
    )
    file = store.load(result.path)
    axes = np.ravel(jobs.draw({"theory": file.theory}, file.trained))
    assert axes[0].get_ylabel() == "loss $L$"
    assert all(figure.exists() for figure in result.figures)


@pytest.mark.slow
def test_every_setting_arrives(finished, tmp_path):
    train = {"lr": 0.01, "steps": 30, "save_every": 15, "dtype": "float32", "loss": "sum"}
    result = run(small(train=train, theory={"level": "pathway", "rtol": 1e-6}, seed=1), tmp_path)
    settings = result.trained.provenance.settings
    assert {name: settings[name] for name in ("lr", "save_every", "dtype", "loss")} == {
        name: train[name] for name in ("lr", "save_every", "dtype", "loss")
    }
    assert list(result.trained.step) == [0, 15, 30]
    assert result.theories["theory"].provenance.settings["rtol"] == 1e-6
    assert not np.isclose(
        result.trained.observables["loss"][0], finished.trained.observables["loss"][0]
    )
    assert "hierarchy of 4" in result.trained.provenance.system


@pytest.mark.slow
def test_by_default_the_best_level_is_solved_with_qp_beside_it(tmp_path):
    network = {"kind": "parallel", "depths": [3, 3], "width": 60}
    chosen = small(theory={}, network=network, init={"kind": "gaussian", "std": 0.08})
    result = run(chosen, tmp_path)
    assert set(store.load(result.path)) == {"theory", "pathway", "trained"}
    assert result.theories["theory"].provenance.validity["level"] == "compressed"
    assert list(result.comparison) == ["compressed", "q/p"]
    better, qp = (result.comparison[name].errors["strength"] for name in result.comparison)
    assert better.relative_l2 < qp.relative_l2
    again = run(chosen, tmp_path, resume=True)
    assert str(again.comparison) == str(result.comparison)


@pytest.mark.slow
def test_a_level_beside_that_is_refused_says_so_where_it_was_asked_for(tmp_path):
    routes = {
        "task": {"kind": "routing", "domains": 3, "trained": 2},
        "network": {"kind": "routing", "width": 4},
    }
    with pytest.raises(ValueError, match="share no edge at level 'pathway'"):
        run(small(theory={"level": "full", "beside": ["pathway"]}, **routes), tmp_path)
    assert list(run(small(theory={"level": "full"}, **routes), tmp_path).theories) == ["theory"]


def test_a_nonlinear_network_is_trained_without_a_theory(tmp_path):
    network = {
        "kind": "parallel",
        "depths": [2, 3],
        "width": 6,
        "activation": "relu",
        "activate_last": True,
    }
    result = run(small(network=network), tmp_path)
    assert (result.theories, result.comparison) == ({}, None)
    assert result.notes[0] == "a nonlinear network has no reduction: it was only trained"
    assert set(store.load(result.path)) == {"trained"}
    assert all(figure.exists() for figure in result.figures)


def test_a_theory_that_cannot_be_solved_does_not_lose_the_training(tmp_path, monkeypatch, finished):
    def failing(*_, **__):
        raise SolveError("The solve failed: it used up its steps.", finished.theories["theory"])

    monkeypatch.setattr(job, "simulate", failing)
    result = run(small(), tmp_path)
    assert not result.theories and result.notes == (
        "no theory: The solve failed: it used up its steps.",
    )
    assert set(store.load(result.path)) == {"trained"}


@pytest.mark.parametrize("ending", [".h5", ".png", ".pdf"])
def test_what_is_there_is_not_replaced(ending, tmp_path, monkeypatch):
    there = tmp_path / f"small{ending}"
    there.write_text("precious")
    with monkeypatch.context() as patch:
        patch.setattr(job, "train", never)
        with pytest.raises(
            FileExistsError, match=rf"small\{ending} exists. Pass overwrite=True \(--overwrite"
        ):
            run(small(), tmp_path)
        assert there.read_text() == "precious"
    run(small(), tmp_path, overwrite=True)
    assert set(store.load(tmp_path / "small.h5")) == {"theory", "trained"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {
                "init": {"kind": "aligned", "scale": 0.1},
                "network": {"kind": "chain", "depth": 2, "width": 1},
            },
            "as wide as",
        ),
        ({"task": {"kind": "hierarchy", "items": 6}}, "power of two"),
        ({"task": {"kind": "arrays", "path": "nothing.npz"}}, r"nothing\.npz"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(changes, message, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "train", never)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run(small(**changes), tmp_path)


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "train", never)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        run(small(), tmp_path / "file" / "runs")

    def read_only(*, dir, **_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(dir))

    monkeypatch.setattr("tempfile.NamedTemporaryFile", read_only)
    with pytest.raises(
        OSError, match=r"Results can't be kept there \(Read-only file system\)\..*'.*runs'"
    ):
        run(small(), tmp_path / "runs")


def test_float64_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "train", never)
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64"):
        run(small(), tmp_path)


@pytest.mark.slow
def test_resuming_an_interrupted_run_gives_the_same_result(tmp_path, monkeypatch):
    settings = small(
        train={"lr": 0.01, "steps": 1200}
    )  # so many that rows are chosen: every second step
    with monkeypatch.context() as patch:
        run_until(200, patch, settings, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(job, "train", never)
        with pytest.raises(
            FileExistsError, match=r"what an unfinished run left\. Pass resume=True"
        ):
            run(settings, tmp_path)
        with pytest.raises(ValueError, match=r"of other settings: `seed` is 1 and was 0\. Restore"):
            run(dataclasses.replace(settings, seed=1), tmp_path, resume=True)
    resumed = run(settings, tmp_path, resume=True)
    assert not (tmp_path / "small.h5.partial").exists()
    whole = run(settings, tmp_path / "whole")
    np.testing.assert_array_equal(resumed.trained.step, whole.trained.step)
    for name, value in whole.trained.observables.items():
        np.testing.assert_array_equal(resumed.trained.observables[name], value, err_msg=name)


def test_a_training_that_was_done_is_not_done_again(finished, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job, "simulate", stop)
        with pytest.raises(job.Interrupted, match="--resume"):
            run(small(), tmp_path)
    monkeypatch.setattr(job, "train", never)
    resumed = run(small(), tmp_path, resume=True)
    np.testing.assert_array_equal(
        resumed.trained.observables["loss"], finished.trained.observables["loss"]
    )


def test_overwrite_starts_anew_and_resume_without_a_checkpoint_too(finished, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        run_until(10, patch, small(seed=1), tmp_path)
    run(small(), tmp_path, overwrite=True)
    assert not (tmp_path / "small.h5.partial").exists()
    again = run(small(), tmp_path / "new", resume=True)
    np.testing.assert_array_equal(
        again.trained.observables["loss"], finished.trained.observables["loss"]
    )


def test_an_interrupt_before_anything_was_trained_says_so(tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "train", stop)
    with pytest.raises(job.Interrupted, match="Nothing is kept"):
        run(small(), tmp_path)
    (tmp_path / "small.h5.partial").write_text("of an earlier run")
    with pytest.raises(job.Interrupted, match="Nothing is kept"):
        run(small(), tmp_path, overwrite=True)


def test_results_that_cannot_be_saved_are_put_elsewhere(tmp_path, monkeypatch):
    save, out, elsewhere = store.save, tmp_path / "runs", tmp_path / "temporary"
    elsewhere.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))

    def full(path, **options):
        if path.parent == out:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return save(path, **options)

    monkeypatch.setattr(store, "save", full)
    with pytest.raises(
        job.NotSavedError, match=r"No space left.*The results are in .*temporary.*small\.h5"
    ) as caught:
        run(small(), out)
    assert caught.value.result.path.is_relative_to(elsewhere)
    assert set(store.load(caught.value.result.path)) == {"theory", "trained"}
    assert (
        out / "small.h5.partial"
    ).exists()  # so that --resume can still put them where they belong


def test_a_figure_that_cannot_be_saved_costs_no_results(tmp_path, monkeypatch):
    def full(axes, path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(plot, "save_figure", full)
    with pytest.raises(
        job.NotSavedError, match=r"No space left.*`racedyn plot .*small\.h5` draws it"
    ):
        run(small(), tmp_path)
    assert set(store.load(tmp_path / "small.h5")) == {"theory", "trained"}


def test_a_figure_is_laid_out_once_for_all_its_files(tmp_path, monkeypatch):
    lay_out, laid_out = ConstrainedLayoutEngine.execute, []
    monkeypatch.setattr(
        ConstrainedLayoutEngine, "execute", lambda *given: laid_out.append(lay_out(*given))
    )
    result = run(small(), tmp_path)
    assert [figure.suffix for figure in result.figures] == [".png", ".pdf"]
    assert len(laid_out) == 1


def test_a_checkpoint_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store, "checkpoint", full)
    with pytest.warns(RuntimeWarning, match="No checkpoint was written: .*No space left"):
        result = run(small(), tmp_path)
    assert set(store.load(result.path)) == {"theory", "trained"}


def test_a_training_that_diverges_is_kept_and_said(tmp_path):
    with pytest.warns(RuntimeWarning, match="Training stopped at step"):
        result = run(small(train={"lr": 50.0, "steps": 400, "save_every": 10}), tmp_path)
    assert result.trained.failed == [0]
    assert store.load(result.path).trained.failed == [0]


def test_data_from_a_file(tmp_path):
    X, Y = np.eye(3), np.arange(6.0).reshape(2, 3)
    np.savez(tmp_path / "mine.npz", X=X, Y=Y)
    task = job.build_task(config.Arrays(path=str(tmp_path / "mine.npz")))
    assert isinstance(task, tasks.Task) and task.name == "mine"
    np.testing.assert_array_equal(task.Y, Y)


@pytest.mark.parametrize(
    ("section", "same"),
    [
        (config.Hierarchy(items=4), tasks.hierarchy(4)),
        (config.Order(items=3), tasks.order(3)),
        (config.Ring(items=5), tasks.ring(5)),
        (config.Grid(rows=2, columns=3), tasks.grid(2, 3)),
        (config.Clusters(sizes=(3, 1), properties=2), tasks.clusters([3, 1], 2)),
        (config.CrossCutting(branches=2, classes=3, properties=2), tasks.cross_cutting(2, 3, 2)),
        (
            config.Random(singular_values=(2.0, 1.0), items=4, features=3, key=5),
            tasks.random([2.0, 1.0], 4, 3, key=5),
        ),
        (config.Example(name="months"), tasks.example("months")),
        (config.Images(), tasks.images("digits")),
        (
            config.Images(part="test", test=0.3, key=4),
            tasks.images("digits", "test", test=0.3, key=4),
        ),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_every_kind_of_task(section, same):
    check_task_size(section)  # of all of them something can be said
    task = job.build_task(section)
    assert task.name == same.name and task.modes == same.modes
    np.testing.assert_array_equal(task.Y, same.Y)


def test_gated_kinds_are_their_builders():
    task = job.build_task(config.Routing(domains=4, trained=2, pattern="regular", key=3))
    same = tasks.routing(4, 2, pattern="regular", key=3)
    np.testing.assert_array_equal(task.structure.routes, same.structure.routes)
    network = job.build_network(
        config.RoutingPathways(width=5, hidden_layers=2, sharing=("shared", 2)), task
    )
    assert network.edges == networks.routing(same, 5, 2, ("shared", 2)).edges
    xor = job.build_task(config.Xor(margin=0.5))
    assert xor.name == tasks.xor(0.5).name
    both = job.build_network(config.XorPathways(gating="both", width=3), xor)
    assert both.nodes == networks.xor(xor, "both", 3).nodes
    with pytest.raises(
        TypeError, match=r"`task` must be one of tasks\.routing, but it is Task\(XoR"
    ):
        job.build_network(config.RoutingPathways(), xor)


def test_modalities_are_their_builders():
    section = config.Multimodal(sigma_A=(1, 0.5), correlation=((0.3,), (0.1,)), map_B=(-1.0,))
    check_task_size(section)
    task = job.build_task(section)
    same = tasks.multimodal([1, 0.5], correlation=[[0.3], [0.1]], map_B=-1)
    for node in "AB":
        np.testing.assert_array_equal(task.inputs[node], same.inputs[node])
    np.testing.assert_array_equal(task.Y, same.Y)
    built = job.build_network(config.Fusion(depth=3, fuse_at=2, width=4), task)
    assert built.edges == networks.fusion(same, 3, 2, 4).edges


@pytest.mark.parametrize(
    ("name", "off"),
    [
        pytest.param("xor", 0.01, marks=pytest.mark.slow),
        pytest.param("routing", 0.1, marks=pytest.mark.long),
    ],
)
def test_the_shipped_gated_runs(name, off, tmp_path):
    result = run(config.read(name), tmp_path)
    loss = result.trained.observables["loss"]
    print(
        name,
        {key: error.relative_l2 for key, error in result.comparison.errors.items()},
        loss[[0, -1]],
    )
    assert loss[-1] < 1e-3 * loss[0]
    assert result.theories["theory"].provenance.validity["exact"]
    assert result.comparison.errors["strength"].relative_l2 < off


@pytest.mark.slow
def test_a_table_from_the_file_to_the_results(tmp_path):
    (tmp_path / "mine.csv").write_text("item;a;b;c\nx;1;0;2\ny;1;1;0\nz;0;1;0\n")
    section = {
        "kind": "csv",
        "path": str(tmp_path / "mine.csv"),
        "inputs": ["c", "a"],
        "delimiter": ";",
    }
    task = job.build_task(small(task=section).task)
    assert (task.name, task.item_names, task.feature_names) == ("mine", ("x", "y", "z"), ("b",))
    np.testing.assert_array_equal(task.X, [[2, 0, 0], [1, 1, 0]])
    result = run(small(task={"kind": "csv", "path": str(tmp_path / "mine.csv")}), tmp_path)
    assert not result.trained.failed
    assert config.parse(store.load(result.path).config) == result.config
    with pytest.raises(
        ValueError, match=r"`path` must be a table of items and properties, but in .*small\.h5"
    ):
        run(
            small(task={"kind": "csv", "path": str(tmp_path / "small.h5")}),
            tmp_path,
            overwrite=True,
        )


@pytest.mark.long
def test_the_animals_are_learned(tmp_path):
    result = run(config.read("animals"), tmp_path)
    learned = result.trained.observables["strength"][-1].sum(axis=0)
    modes = result.trained.provenance.modes
    assert modes.num == 16
    np.testing.assert_allclose(learned, 16 * modes.S, rtol=0.01)
    best, qp = (each.errors["strength"].relative_l2 for each in result.comparison.each.values())
    assert best < 0.02 and qp < 0.3


@pytest.mark.parametrize("content", ["missing", "text", "one array", "pickle", "cut"])
def test_data_that_cannot_be_used(content, tmp_path):
    path = tmp_path / "mine.npz"
    if content == "text":
        path.write_text("1, 2, 3")
    else:
        with open(path, "wb") as file:
            if content == "one array":
                np.save(file, np.eye(3))
            else:
                np.savez(
                    file,
                    X=np.array([{}]) if content == "pickle" else np.eye(3),
                    y=np.eye(3),
                    Z=np.eye(100),
                )
    if content == "cut":
        path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(
        ValueError, match=r"`task.path` must be a \.npz file with X and Y, but .*mine\.npz"
    ):
        job.build_task(config.Arrays(path=str(path)))
