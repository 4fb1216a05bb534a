"""Orthogonal maps of a domain's coordinates."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from racedyn import tasks
from racedyn.tasks import check_transforms, transformed

MADE = [
    ("permutation", tasks.transforms("permutation", 3, 9, key=0)),
    ("rotation", tasks.transforms("rotation", 3, 9, key=0)),
    ("turn", tasks.transforms("turn", 3, 9)),
]
ROWS = np.random.default_rng(0).standard_normal((9, 5))


@pytest.mark.parametrize(("kind", "made"), MADE)
def test_transforms_keep_all_inner_products(kind, made):
    assert made.shape == ((3, 9, 9) if kind == "rotation" else (3, 9))
    assert made.dtype == (np.float64 if kind == "rotation" else np.int64)
    for transform in made:
        moved = transformed(transform, ROWS)
        np.testing.assert_allclose(moved.T @ moved, ROWS.T @ ROWS, atol=1e-13)
        assert kind == "turn" or not np.allclose(moved, ROWS)


@pytest.mark.parametrize(("kind", "made"), MADE)
def test_indices_and_their_matrix_are_the_same_map(kind, made):
    for transform in made:
        matrix = transformed(transform, np.eye(9))
        np.testing.assert_allclose(transformed(matrix, ROWS), transformed(transform, ROWS))
        # x'[k] = x[p[k]]
        for k, p in enumerate(transform if kind != "rotation" else ()):
            np.testing.assert_array_equal(transformed(transform, ROWS)[k], ROWS[p])


@pytest.mark.parametrize(("kind", "made"), MADE)
def test_jax_applies_them_as_numpy_does(kind, made):
    moved = jax.jit(lambda rows: transformed(made[1], rows))(jnp.asarray(ROWS))
    np.testing.assert_allclose(moved, transformed(made[1], ROWS), rtol=1e-13, atol=1e-13)


def test_none_is_the_identity():
    assert transformed(None, ROWS) is ROWS


def test_turns_are_those_of_the_image():
    image = np.random.default_rng(1).standard_normal((28, 28))
    for quarter, turn in enumerate(tasks.transforms("turn", 4, 784)):
        np.testing.assert_array_equal(
            transformed(turn, image.reshape(784, 1)).reshape(28, 28), np.rot90(image, quarter)
        )
    # Two quarters are a half, four are none.
    none, quarter, half, three = tasks.transforms("turn", 4, 784)
    np.testing.assert_array_equal(quarter[quarter], half)
    np.testing.assert_array_equal(quarter[three], none)
    np.testing.assert_array_equal(none, np.arange(784))


def test_permutations_are_uniform():
    """Each of the 6 of three coordinates, 6000 draws: chi^2 with 5 degrees of freedom, of mean 5
    and standard deviation sqrt(10)."""
    drawn = tasks.transforms("permutation", 6000, 3, key=0).tolist()
    counts = [drawn.count(list(order)) for order in itertools.permutations(range(3))]
    assert sum(counts) == 6000
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 5 + 5 * np.sqrt(10)


def test_rotations_are_of_haar_measure():
    """Of n x n orthogonal matrices E tr T = 0, E tr^2 T = 1 and E tr^4 T = 3 (for n of at least 4:
    those of a standard Gaussian), and E T_ij^4 = 3 / n (n + 2) whatever i and j."""
    n, draws = 4, 20_000
    T = tasks.transforms("rotation", draws, n, key=0)
    trace = np.trace(T, axis1=1, axis2=2)
    # A mean of `draws` values is off by its standard deviation times sqrt(1 / draws): five of them.
    for power, expected in ((1, 0.0), (2, 1.0), (4, 3.0)):
        values = trace**power
        assert abs(values.mean() - expected) < 5 * values.std() / np.sqrt(draws)
    fourth = T**4
    off = np.abs(fourth.mean(axis=0) - 3 / (n * (n + 2)))
    assert np.all(off < 5 * fourth.std(axis=0) / np.sqrt(draws))
    assert abs(np.linalg.det(T).mean()) < 5 / np.sqrt(draws)  # reflections are as many


@pytest.mark.parametrize("kind", ["permutation", "rotation"])
def test_a_key_tells_the_maps_and_more_begin_with_the_same(kind):
    few, more = (tasks.transforms(kind, count, 6, key=3) for count in (2, 5))
    np.testing.assert_array_equal(more[:2], few)
    np.testing.assert_array_equal(tasks.transforms(kind, 2, 6, key=jax.random.key(3)), few)
    assert not np.array_equal(tasks.transforms(kind, 2, 6, key=4), few)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (("flip", 2, 4), ValueError, r"`kind` must be one of 'permutation', 'rotation', 'turn'"),
        (("turn", 5, 4), ValueError, r"`count` must be at most 4 .* but it is 5. There are four"),
        (("turn", 2, 8), ValueError, r"`size` must be a square .* but it is 8. Try 4 or 9"),
        (("turn", 0, 4), ValueError, r"`count` must be a whole number of at least 1"),
        (("permutation", 2, 2.5), ValueError, r"`size` must be a whole number of at least 1"),
        (
            ("permutation", 2, 4),
            TypeError,
            r'`key` must .* None. tasks.transforms\("permutation", 2',
        ),
        (("rotation", 2, 4), TypeError, r"`key` must be a whole number or a jax.random.key"),
    ],
)
def test_what_is_no_transform(given, error, message):
    with pytest.raises(error, match=message):
        tasks.transforms(*given)


def test_turns_have_no_key():
    with pytest.raises(ValueError, match=r'`key` must be left out where `kind` is "turn", but it'):
        tasks.transforms("turn", 2, 4, key=0)


@pytest.mark.parametrize(("kind", "made"), MADE)
def test_what_is_made_is_taken_as_it_is(kind, made):
    for given in (made, made.tolist(), jnp.asarray(made)):
        taken = check_transforms("domains", given, 3, 9)
        np.testing.assert_array_equal(taken, made)
        assert taken.dtype == made.dtype
        with pytest.raises(ValueError, match="read-only"):
            taken[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        made[0] = 0


def test_what_is_taken_is_a_copy():
    mine = MADE[0][1].copy()
    taken = check_transforms("domains", mine, 3, 9)
    mine[0] = 0
    np.testing.assert_array_equal(taken, MADE[0][1])


def test_none_given_is_none():
    assert check_transforms("domains", None, 3, 9) is None


ROTATIONS = MADE[1][1]
TWICE, FAR, LONGER = MADE[0][1].copy(), MADE[0][1].copy(), ROTATIONS.copy()
TWICE[1, 0], FAR[2, FAR[2].argmax()] = TWICE[1, 1], 9
LONGER[2] *= 1 + 1e-7


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            MADE[0][1][:2],
            r"hold 3 permutations in the shape \(3, 9\) or .*, but its shape is \(2, 9",
        ),
        (
            MADE[0][1][:, :8],
            r"but its shape is \(3, 8\)\. tasks\.transforms\(\"permutation\", 3, 9",
        ),
        (ROTATIONS[:, :8], r"in the shape \(3, 9, 9\), but its shape is \(3, 8, 9\)"),
        (ROTATIONS[0, 0, 0], r"but its shape is \(\)"),
        (MADE[0][1].astype(float), r"but its indices are of dtype float64"),
        (MADE[0][1] > 3, r"but its indices are of dtype bool"),
        (TWICE, r"but domains\[1\] is no permutation of the numbers from 0 to 8"),
        (FAR, r"but domains\[2\] is no permutation"),
        (-MADE[0][1], r"but domains\[0\] is no permutation"),
        (LONGER, r"but domains\[2\] is not orthogonal: T T\^T differs from 1 by 2e-07"),
        (ROTATIONS.astype(np.float32), r"but domains\[0\] is not orthogonal"),
        (np.full((3, 9, 9), np.nan), r"`domains` must be finite"),
    ],
)
def test_transforms_that_do_not_fit(given, message):
    with pytest.raises(ValueError, match=message):
        check_transforms("domains", given, 3, 9)


def test_roundings_are_no_fault():
    nearly = ROTATIONS * (1 + 1e-9)
    np.testing.assert_array_equal(check_transforms("domains", nearly, 3, 9), nearly)
    with pytest.raises(TypeError, match=r"`domains` must be an array of numbers"):
        check_transforms("domains", "turn", 3, 9)


def test_remedies_of_rounded_and_of_float_maps():
    """The remedy that is named works."""
    rounded = tasks.transforms("rotation", 3, 4, key=0).astype(np.float32)
    with pytest.raises(ValueError, match=r"rounded to float32.* np.linalg.svd\(T.astype\(float"):
        tasks.routing(3, 2, input_transforms=rounded)
    U, _, Vt = np.linalg.svd(rounded.astype(float))
    tasks.routing(3, 2, input_transforms=U @ Vt)
    maps = tasks.transforms("permutation", 3, 4, key=0).astype(float)
    with pytest.raises(ValueError, match=r"dtype float64.* input_transforms=maps.astype\(int\)"):
        tasks.routing(3, 2, input_transforms=maps)
    tasks.routing(3, 2, input_transforms=maps.astype(int))
    with pytest.raises(ValueError, match=r"is not orthogonal.* makes such"):
        tasks.routing(3, 2, input_transforms=1.01 * (U @ Vt))
