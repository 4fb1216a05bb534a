"""Interrupted work: one policy for the main job, a study and an ensemble. Other settings are
refused and named, the same ones go on, and nothing is done anew unless `overwrite` says so."""

import importlib
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest

import racedyn as rd
from racedyn import config, store
from racedyn.plot import new_figure
from racedyn.simulation.blocks import Work
from racedyn.store.ledger import differences
from racedyn.studies import Finding, Study, run_study
from racedyn.trajectory import Trajectory

job = importlib.import_module("racedyn.jobs.run")  # the name is the function's


class Interrupted:
    """Of a job of so many pieces: `done` lists those that are computed; Ctrl-C comes before the
    next one where there are no pieces `left`."""

    def __init__(self):
        self.left, self.done = 1, []

    def __call__(self, piece, compute):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.done.append(piece)
        return compute()


def main_job(patch, out, pieces):
    """Training and theory."""

    def run(overwrite=False, lr=0.08, width=4):
        chosen = config.parse(
            {
                "name": "many",
                "task": {"kind": "hierarchy", "items": 4},
                "network": {"kind": "chain", "depth": 2, "width": width},
                "init": {"kind": "gaussian", "std": 0.3},
                "train": {"lr": lr, "steps": 20, "save_every": 10},
                "theory": {"level": "pathway"},
            }
        )
        return job.run(chosen, out=out, resume=True, overwrite=overwrite, progress=False).path

    for name in ("train", "simulate"):
        real = getattr(job, name)
        patch.setattr(
            job,
            name,
            lambda *args, real=real, name=name, **options: pieces(
                name, partial(real, *args, **options)
            ),
        )
    return run


def study(patch, out, pieces):
    """Two runs; settings in settings, as a table of configuration has."""

    def run(overwrite=False, lr=0.08, width=4):
        def make(under_way):
            for name in ("train", "simulate"):
                under_way.keep(name, lambda name=name: pieces(name, trajectory))
            return Finding(new_figure(1, 1, height=1.0), ())

        settings = {"train": {"lr": lr}, "network": {"width": width}}
        return run_study(
            Study("many", "Shi22", "", "", settings, settings, make),
            out=out,
            overwrite=overwrite,
            progress=False,
        ).path

    def trajectory():
        return Trajectory(
            ts=np.arange(3.0), observables={"x": np.arange(3.0)}, dims={"x": ("time",)}
        )

    return run


def ensemble(patch, out, pieces):
    """Two blocks of members."""

    def run(overwrite=False, lr=0.08, width=4):
        return rd.ensemble(
            build,
            128,
            [1.0],
            path=out / "many.h5",
            block=64,
            overwrite=overwrite,
            rtol=lr,
            max_steps=width,
        )

    def build(member):
        return rd.systems.Pathways([1.0], (2, 2), 0.1 + 0.001 * member, [[0.1], [0.05]])

    real = Work.__call__
    names = {0: "train", 64: "simulate"}
    patch.setattr(Work, "__call__", lambda *args: pieces(names[args[2][0]], partial(real, *args)))
    return run


class Kind(NamedTuple):
    make: object
    lr: str  # what its two settings are called
    width: str


KINDS = [
    pytest.param(Kind(main_job, "train.lr", "network.width"), id="main job"),
    pytest.param(Kind(study, "train.lr", "network.width"), id="study"),
    pytest.param(Kind(ensemble, "rtol", "max_steps"), id="ensemble"),
]


@pytest.fixture
def interrupted(request, tmp_path, monkeypatch):
    """(kind, function that runs it, its pieces, the partial file) of a job that was interrupted
    after half its work.
    """
    kind, pieces = request.param, Interrupted()
    run = kind.make(monkeypatch, tmp_path, pieces)
    with pytest.raises(KeyboardInterrupt):
        run()
    (partial_file,) = tmp_path.iterdir()
    assert partial_file.name == "many.h5.partial" and pieces.done == ["train"]
    pieces.left, pieces.done = 2, []
    return kind, run, pieces, partial_file


@pytest.mark.parametrize("interrupted", KINDS, indirect=True)
def test_other_settings_are_refused_and_each_is_named(interrupted):
    kind, run, pieces, partial_file = interrupted
    before = partial_file.read_bytes()
    with pytest.raises(store.StoreError, match=r"is of a job of other settings: ") as refused:
        run(lr=0.04, width=5)
    said = str(refused.value)
    assert f"`{kind.lr}` is 0.04 and was 0.08" in said and f"`{kind.width}` is 5 and was 4" in said
    assert str(partial_file) in said and "overwrite=True (--overwrite" in said
    with pytest.raises(store.StoreError) as refused:
        run(width=5)
    assert f"settings: `{kind.width}` is 5 and was 4. Restore" in str(refused.value)
    assert pieces.done == [] and partial_file.read_bytes() == before


@pytest.mark.parametrize("interrupted", KINDS, indirect=True)
def test_the_same_settings_go_on_and_nothing_is_done_anew(interrupted, monkeypatch):
    _, run, pieces, partial_file = interrupted
    path = run()
    assert pieces.done == ["simulate"]
    assert store.load(path) and not partial_file.exists()


@pytest.mark.long
@pytest.mark.parametrize("interrupted", KINDS, indirect=True)
def test_overwrite_replaces_what_other_settings_left_and_keeps_what_the_same_did(interrupted):
    _, run, pieces, partial_file = interrupted
    run(overwrite=True, width=5)
    assert pieces.done == ["train", "simulate"] and not partial_file.exists()
    for path in partial_file.parent.iterdir():
        path.unlink()
    pieces.left, pieces.done = 1, []
    with pytest.raises(KeyboardInterrupt):
        run(width=5)
    pieces.left = 1
    run(overwrite=True, width=5)
    assert pieces.done == ["train", "simulate"]


def test_a_damaged_file_of_a_study_is_replaced_by_overwrite_alone(tmp_path, monkeypatch):
    run = study(monkeypatch, tmp_path, pieces := Interrupted())
    pieces.left = 2
    (tmp_path / "many.h5.partial").write_text("no HDF5 file")
    with pytest.raises(store.StoreError, match=r"can't be read"):
        run()
    assert store.load(run(overwrite=True)) and pieces.done == ["train", "simulate"]


@pytest.mark.parametrize(
    ("now", "was", "said"),
    [
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, ["`a.b.c` is 1 and was 2"]),
        ({"a": None, "b": 1}, {"b": 1.0}, []),
        ({"a": float("nan"), "b": (1, 2)}, {"a": float("nan"), "b": [1, 2]}, []),
        (
            {"a": "x"},
            {"b": "y\x1b"},
            ["`a` is x and was left out", r"`b` is left out and was y\x1b"],
        ),
        ({"a": {}}, {"a": {"b": 1}}, ["`a` is {} and was left out", "`a.b` is left out and was 1"]),
        ({"a": 1}, "no settings", ["`a` is 1 and was left out"]),
        (
            {"a": list(range(99))},
            {},
            [
                "`a` is [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 1 ...  97, 98] and was left "
                "out"
            ],
        ),
    ],
)
def test_differences_are_named_by_their_dotted_keys(now, was, said):
    assert list(map(str, differences(now, was))) == said
