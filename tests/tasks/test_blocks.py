"""The published blocks of the contextual task: rows, singular values, symmetries, and what they
refuse.
"""

from itertools import permutations

import numpy as np
import pytest

import racedyn as rd
from racedyn.tasks.blocks import crossed_tree, graded_ring

PUBLISHED = ["tree", "tree", "graded_ring", "crossed_tree"]
TREE = rd.tasks.hierarchy(8).Y


def overlaps(Y):
    """What items share, (item, item)."""
    return Y.T @ Y


def test_the_published_task():
    task = rd.tasks.contextual(8, 3, PUBLISHED)
    assert task.Y.shape == (60, 24) and len(set(task.feature_names)) == 60
    for block, made in zip(
        task.structure.blocks, (TREE, TREE, graded_ring(8).Y, crossed_tree(8).Y), strict=True
    ):
        assert block.stop - block.start == 15 and made.shape == (15, 8)
    common, *own = task.structure.blocks
    np.testing.assert_array_equal(task.Y[common], np.tile(TREE, 3))
    np.testing.assert_array_equal(task.Y[own[1], 8:16], graded_ring(8).Y)
    np.testing.assert_array_equal(task.Y[own[2], 16:], crossed_tree(8).Y)
    assert not task.Y[own[1], :8].any() and not task.Y[own[1], 16:].any()


@pytest.mark.parametrize(
    ("items", "wave"),
    [(4, [0, 1, 1, 0]), (8, [0, 0.33, 0.66, 1, 1, 0.66, 0.33, 0])],
)
def test_waves_of_the_graded_ring(items, wave):
    Y = graded_ring(items).Y
    np.testing.assert_array_equal(Y[0], 1)
    for k in range(items):  # the wave that starts k items earlier
        np.testing.assert_array_equal(Y[1 + k], [wave[(i + k) % items] for i in range(items)])
    np.testing.assert_array_equal(Y[1 + items :], Y[1 : items - 1])


@pytest.mark.parametrize("items", [6, 8, 14])
def test_singular_values_of_the_graded_ring(items):
    """Without the waves that come twice the items' overlaps are circulant: eigenvalues are the
    squared Fourier amplitudes of one wave, and that of the constant is larger by the first row's.
    """
    once = overlaps(graded_ring(items).Y[: items + 1])
    wave = graded_ring(items).Y[1]
    expected = np.abs(np.fft.fft(wave)) ** 2 + items * (np.arange(items) == 0)
    np.testing.assert_allclose(np.linalg.eigvalsh(once), np.sort(expected), atol=1e-12 * items)


def turns(Y):
    """How many of a ring's turns and reflections leave the items' overlaps as they are."""
    items = Y.shape[1]
    shared, place = overlaps(Y), np.arange(items)
    moved = [(sign * place + k) % items for sign in (1, -1) for k in range(items)]
    return sum(np.allclose(shared[np.ix_(each, each)], shared) for each in moved)


def test_the_seam_of_the_graded_ring():
    """Each wave once: all 16 turns and reflections. As published: one reflection, through the seam;
    trees have those that keep or exchange their halves.
    """
    assert turns(graded_ring(8).Y[:9]) == turns(rd.tasks.ring(8).Y) == 16
    assert turns(graded_ring(8).Y) == 2 and turns(TREE) == turns(crossed_tree(8).Y) == 4


@pytest.mark.parametrize("items", [4, 8, 16])
def test_the_crossed_tree_is_a_tree_of_other_neighbours(items):
    tree, crossed = rd.tasks.hierarchy(items).Y, crossed_tree(items).Y
    pairs = np.flatnonzero(crossed.sum(axis=1) == 2)
    assert [np.flatnonzero(row).tolist() for row in crossed[pairs]] == [
        [i, i + 2] for i in range(items) if i % 4 < 2
    ]
    np.testing.assert_array_equal(np.delete(crossed, pairs, 0), np.delete(tree, pairs, 0))
    np.testing.assert_allclose(
        np.linalg.svd(crossed, compute_uv=False), np.linalg.svd(tree, compute_uv=False)
    )
    swapped = np.arange(items).reshape(-1, 4)[:, [0, 2, 1, 3]].reshape(-1)
    np.testing.assert_array_equal(overlaps(crossed), overlaps(tree)[np.ix_(swapped, swapped)])


def test_pairs_of_the_crossed_tree_cut_across_the_tree():
    """Within every four items both have the modes ++--, +-+-, +--+: the tree's pairs are told apart
    by the first, the crossed tree's by the second.
    """
    four = np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]) / 2
    for k in (0, 1):
        modes = np.kron(np.eye(2)[k], four)
        np.testing.assert_allclose(
            modes @ overlaps(TREE) @ modes.T, np.diag([3.0, 1, 1]), atol=1e-14
        )
        np.testing.assert_allclose(
            modes @ overlaps(crossed_tree(8).Y) @ modes.T, np.diag([1.0, 3, 1]), atol=1e-14
        )


def test_four_items_make_three_trees():
    """Of all orders of four items a tree has three kinds of neighbours; the crossed tree is one."""
    tree = overlaps(rd.tasks.hierarchy(4).Y)
    kinds = {tree[np.ix_(each, each)].tobytes() for each in map(list, permutations(range(4)))}
    crossed = overlaps(crossed_tree(4).Y)
    assert len(kinds) == 3 and crossed.tobytes() in kinds and not np.array_equal(crossed, tree)


@pytest.mark.parametrize(
    ("structure", "items", "says"),
    [
        ("graded_ring", 7, "`items` must be even and at least 4 in a graded ring, but it is 7"),
        ("graded_ring", 2, "`items` must be even and at least 4 in a graded ring, but it is 2"),
        ("crossed_tree", 6, "`items` must be a power of two, but it is 6"),
        ("crossed_tree", 2, "`items` must be at least 4 in a crossed tree, but it is 2"),
        ("crosed_tree", 8, "Did you mean 'crossed_tree'"),
    ],
)
def test_bad_input(structure, items, says):
    with pytest.raises(ValueError, match=says):
        rd.tasks.contextual(items, 2, structure)
