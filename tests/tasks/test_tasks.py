"""Tasks and their modes: bases, values, names, and what is refused."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

import racedyn as rd


@pytest.mark.parametrize("items", [1, 2, 8, 16])
def test_hierarchy_modes_are_the_haar_basis_with_its_values(items):
    task = rd.tasks.hierarchy(items)
    modes = task.modes
    assert task.Y.shape == (2 * items - 1, items)
    np.testing.assert_allclose(modes.U * modes.S @ modes.V.T, task.sigma_yx(), atol=1e-14)
    for basis in (modes.U, modes.V):
        np.testing.assert_allclose(basis.T @ basis, np.eye(items), atol=1e-14)
    # A split with m items on each side lies below 2m - 1 nodes' worth of shared properties: S =
    # sqrt(2m - 1) / P.
    halves = [
        items,
        *(
            size // 2
            for size in (items >> np.arange(items.bit_length() - 1))
            for _ in range(items // size)
        ),
    ]
    np.testing.assert_allclose(modes.S, np.sqrt(2 * np.array(halves) - 1) / items, atol=1e-14)
    np.testing.assert_allclose(modes.variances, 1 / items, atol=1e-14)
    assert modes.misalignment < 1e-14 and modes.floor < 1e-14


def test_hierarchy_of_8_names_its_degenerate_groups():
    modes = rd.tasks.hierarchy(8).modes
    assert modes.groups == ((0,), (1,), (2, 3), (4, 5, 6, 7))
    assert modes.degenerate == ((2, 3), (4, 5, 6, 7))
    assert modes.names[:3] == ("all", "1-4 | 5-8", "1-2 | 3-4")
    assert "modes 5-8 (degenerate)" in str(modes)


def test_canonical_modes_depend_on_the_data_and_not_on_rounding():
    task = rd.tasks.hierarchy(8)
    clean = rd.tasks.from_arrays(task.X, task.Y).modes
    noise = 1e-15 * np.random.default_rng(0).standard_normal(task.Y.shape)
    noisy = rd.tasks.from_arrays(task.X, task.Y + noise).modes
    assert clean.same_as(noisy)
    assert clean.same_as(task.modes), "the tree's pivots are its Haar basis"
    turned = np.eye(8)
    turned[2:4, 2:4] = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    pair = ("input", "output")
    bases = {pair: (task.modes.U @ turned, task.modes.V @ turned)}
    assert not rd.Task(task.inputs, task.targets, bases=bases).modes.same_as(clean)
    one_hot = rd.tasks.from_arrays(np.eye(5), np.eye(5)).modes
    np.testing.assert_allclose(one_hot.V, np.eye(5), atol=1e-14)


def arrays(num_in, num_out, num_examples, seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((num_in, num_in)) @ rng.standard_normal(
        (num_in, num_examples)
    ), rng.standard_normal((num_out, num_examples))


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 7), st.integers(0, 2**16))
def test_modes_of_any_data_are_an_svd_and_give_the_loss(num_in, num_out, num_examples, seed):
    X, Y = arrays(num_in, num_out, num_examples, seed)
    task = rd.tasks.from_arrays(X, Y)
    modes = task.modes
    np.testing.assert_allclose(modes.U * modes.S @ modes.V.T, task.sigma_yx(), atol=1e-10)
    np.testing.assert_allclose(modes.U.T @ modes.U, np.eye(modes.num), atol=1e-8)
    np.testing.assert_allclose(modes.V.T @ modes.V, np.eye(modes.num), atol=1e-10)
    # Any map that is diagonal in the modes has loss sum (S - d K)^2 / 2d + floor, whatever the
    # input correlations are.
    K = np.random.default_rng(seed + 1).standard_normal(modes.num)
    direct = 0.5 * np.mean(np.sum((Y - (modes.U * K) @ modes.V.T @ X) ** 2, axis=0))
    reduced = np.sum((modes.S - modes.variances * K) ** 2 / (2 * modes.variances)) + modes.floor
    np.testing.assert_allclose(reduced, direct, rtol=1e-8)


def test_misalignment_is_the_measured_off_diagonal():
    X = np.array([[1.0, 0.6], [0.0, 0.8]])
    modes = rd.tasks.from_arrays(X, np.diag([2.0, 1.0])).modes
    sigma = modes.V.T @ (X @ X.T / 2) @ modes.V
    assert modes.misalignment == pytest.approx(
        np.sqrt(2) * abs(sigma[0, 1]) / np.linalg.norm(sigma), rel=1e-12
    )
    np.testing.assert_allclose(modes.variances, np.diagonal(sigma))


def test_contexts_and_several_nodes():
    task = rd.Task(
        {"a": np.eye(2), "b": np.ones((1, 2))}, {"y": np.eye(2)}, context=[0, 1], num_contexts=3
    )
    assert task.num_contexts == 3 and task.num_examples == 2
    assert task.pair_modes("a", "y").num == 2 and task.pair_modes("b", "y").num == 1
    with pytest.raises(ValueError, match=r"`task.X` needs a task with one node"):
        _ = task.X
    with pytest.raises(ValueError, match=r"`source` must be one of 'a', 'b', but it is 'c'"):
        task.pair_modes("c", "y")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rd.tasks.hierarchy(6), r"`items` must be a power of two, but it is 6. Try 4 or 8"),
        (lambda: rd.tasks.hierarchy(0), r"`items` must be a whole number of at least 1"),
        (
            lambda: rd.tasks.hierarchy(True),
            r"`items` must be a whole number of at least 1, but it is True",
        ),
        (lambda: rd.tasks.from_arrays(np.eye(3), np.ones((2, 4))), r"one column per example"),
        (
            lambda: rd.tasks.from_arrays(np.eye(3), np.full((2, 3), np.nan)),
            r"must be finite, but 6 of its values",
        ),
        (lambda: rd.tasks.from_arrays(np.full((3, 3), np.inf), np.ones((2, 3))), r"must be finite"),
        (
            lambda: rd.tasks.from_arrays(np.eye(3) * 1j, np.eye(3)),
            r"real numbers, but it is complex",
        ),
        (lambda: rd.tasks.from_arrays(np.ones(3), np.ones((2, 3))), r"must be a matrix"),
        (lambda: rd.tasks.from_arrays(np.eye(3), np.zeros((2, 3))).modes, r"rank 0"),
        (lambda: rd.tasks.from_arrays(np.eye(2), 1e200 * np.eye(2)).modes, "targets.*Rescale"),
        (lambda: rd.tasks.from_arrays(1e-200 * np.eye(2), np.eye(2)).modes, "inputs.*Rescale"),
        (
            lambda: rd.tasks.from_arrays(np.eye(3), np.eye(3), item_names=["a"]),
            r"`item_names` must have 3 names",
        ),
        (lambda: rd.Task({}, {"y": np.eye(2)}), r"`inputs` must name at least one node"),
        (
            lambda: rd.Task({"x": np.eye(2)}, {"y": np.eye(2)}, context=[0.5, 1]),
            r"`context` must be 2 whole numbers",
        ),
        (
            lambda: rd.Task({"x": np.eye(2)}, {"y": np.eye(2)}, context=[0, 2], num_contexts=2),
            r"below num_contexts = 2",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_words_are_no_numbers():
    with pytest.raises(TypeError, match=r"must be an array of numbers"):
        rd.tasks.from_arrays([["a", "b"]], np.eye(2))
    pair = ("x", "y")
    with pytest.raises(ValueError, match=r"Sigma_yx = U S V\^T"):
        rd.Task(
            {"x": np.eye(2)}, {"y": np.eye(2)}, bases={pair: (np.eye(2), np.eye(2)[:, ::-1])}
        ).pair_modes(*pair)


def test_many_nodes_are_listed_in_part():
    task = rd.tasks.routing(40, 2)
    text = str(task)
    assert "x1 4, x2 4, x3 4, x4 4, ..., x40 4 (40 in all), y1 7" in text and "x20" not in text
    assert "x3 4, y1 7" in str(rd.tasks.routing(3, 2))
    with pytest.raises(ValueError, match=r"'x1', 'x2', .*'x12', ..., 'x40' \(40 in all\)") as error:
        task.pair_modes("z", "y1")
    assert "x20" not in str(error.value)
    with pytest.raises(ValueError, match=r"\['x1', .*, 'x40'\] \(40 in all\)"):
        assert task.modes
