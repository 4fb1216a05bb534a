"""[Saxe19]'s structures: the study at a size of seconds, what it says of stages, and its picture of
a plane.
"""

import dataclasses

import numpy as np
import pytest

import racedyn as rd
from racedyn import plot, store
from racedyn.studies.saxe2019 import structures
from racedyn.studies.study import run_study

STUDY = structures.STUDY


@pytest.mark.slow
def test_structures_are_learned_in_stages(tmp_path, monkeypatch):
    """Two of the structures in a narrow network: stages in the order of S where it is deep, none
    where it is shallow.
    """
    few = {name: structures.STRUCTURES[name] for name in ("clusters", "cross-cutting")}
    monkeypatch.setattr(structures, "STRUCTURES", few)
    tiny = dataclasses.replace(STUDY, quick={**STUDY.quick, "width": 40, "lr": 0.1})
    done = run_study(tiny, out=tmp_path, quick=True, progress=False)
    file = store.load(done.path)
    assert set(file) == {
        f"{name}_{run}"
        for name in few
        for run in ("deep", "shallow", "deep_theory", "shallow_theory")
    }
    assert done.figure.stat().st_size > 10_000 and STUDY.claim in str(done)
    rows = {line[:15].strip(): line[15:].split() for line in done.finding.lines}
    for name in few:
        first, _, last, *_, deep, shallow, in_order, deep_off, shallow_off = rows[name]
        assert float(last) > 1.2 * float(first)
        assert float(deep) < 0.6 and float(shallow) == pytest.approx(
            np.log(9) / np.log(2), abs=0.01
        )
        assert in_order == "yes" and float(deep_off) < 0.1 and float(shallow_off) < 0.02


def test_quick_and_published_settings_have_the_same_names():
    assert set(STUDY.quick) == set(STUDY.published)


def test_shapes_in_the_plane():
    """A ring is a ring, and the two halves of a tree part as it does, tied though their splits
    are.
    """
    for task, is_tree in ((rd.tasks.ring(8), False), (rd.tasks.hierarchy(8), True)):
        coordinates = structures._centred(
            task.modes.V * np.sqrt(task.modes.S / task.modes.variances)
        )
        axes = structures._classical_mds(coordinates)
        np.testing.assert_allclose(axes.T @ axes, np.eye(2), atol=1e-12)
        places = coordinates @ axes
        distance = np.linalg.norm(places[:, None] - places, axis=-1)
        if is_tree:
            np.testing.assert_allclose(
                distance[::2, 1::2].diagonal(), 0, atol=1e-4, err_msg="pairs, split last"
            )
            rise = np.sqrt(task.modes.S[2] * 8) / 2**1.5 * np.array([-1, -1, 1, 1, -1, -1, 1, 1])
            up = places[:, 1] * np.sign(places[-1, 1])
            np.testing.assert_allclose(
                up, rise, atol=1e-4, err_msg="both halves alike, and rising with the items"
            )
        else:
            np.testing.assert_allclose(
                np.linalg.norm(places, axis=1), np.linalg.norm(places[0]), rtol=1e-4
            )
            neighbours = np.roll(distance, -1, axis=1).diagonal()
            np.testing.assert_allclose(neighbours, neighbours[0], rtol=1e-3)


def test_image_of_a_matrix():
    ax = plot.matrix([[1.0, 2.0, 0.0], [0.0, 3.0, 1.0]])
    (image,) = ax.get_images()
    assert tuple(image.get_extent()) == (0.5, 3.5, 2.5, 0.5) and image.get_clim() == (0.0, 3.0)
    own = plot.matrix(-np.eye(20), ax=ax, label="covariance")
    assert own is ax and ax.get_images()[-1].get_clim() == (-1.0, 1.0) and len(ax.get_xticks()) <= 8
    assert ax.figure.axes[-1].get_ylabel() == "covariance"
    with pytest.raises(ValueError, match="`values` must be finite"):
        plot.matrix([[np.nan]])
