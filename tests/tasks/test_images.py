"""Images as tasks."""

import sys

import numpy as np
import pytest

from racedyn import tasks


def test_digits():
    task = tasks.images()
    assert task.X.shape == (64, 1797) and task.Y.shape == (10, 1797)
    np.testing.assert_allclose(task.X.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(task.Y.mean(axis=1), 0, atol=1e-12)
    assert np.mean(np.sum(task.X**2, axis=0)) == pytest.approx(1)
    assert np.linalg.matrix_rank(task.sigma_x()) == 61
    assert task.modes.num == 9 and task.modes.misalignment > 0.1
    classes = task.Y.argmax(axis=0)
    np.testing.assert_array_equal(np.unique(task.Y[3][classes == 3]), task.Y[3].max())
    assert task.feature_names == tuple("0123456789")


def test_another_name():
    with pytest.raises(ValueError, match=r"`name` must be 'digits', but it is 'faces'|must be one"):
        tasks.images("faces")


def test_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"needs scikit-learn.*racedyn\[images\]"):
        tasks.images("digits")
