"""Tasks of small images, whose pixels are correlated as no structure here has them."""

import numpy as np

from racedyn._checks import check_name
from racedyn.tasks.builders import from_arrays
from racedyn.tasks.task import Task

IMAGES = ("digits",)


def images(name: str = "digits") -> Task:
    """Images to be named: pixels (n_in, P) in, one-hot classes (n_out, P) out, both without their
    means.

    `name` "digits": the 1797 handwritten digits of 8 x 8 pixels that come with scikit-learn (extra
    `images`). Inputs (64, 1797) are pixels minus their mean over examples, divided by one number
    such that the mean of |x|^2 is 1; targets (10, 1797) are 1 for the digit and 0 for others, minus
    their mean over examples. So no mode is constant: there are 9, whose inputs are strongly
    correlated, and Sigma_x has rank 61 and variances over five orders of magnitude. A linear map
    answers part of the targets alone; `task.modes.floor` is for maps in the modes, not the least
    loss. Raises `ValueError` for another name and `ImportError` without scikit-learn.

        >>> task = rd.tasks.images("digits")
        >>> print(task)
        digits: 1797 examples, input 64, output 10
        >>> task.modes.num, round(task.modes.misalignment, 2)
        (9, 0.15)
    """
    check_name("name", name, IMAGES)
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            '`images` needs scikit-learn, which is not installed: pip install "racedyn[images]".'
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    classes = np.arange(labels.max() + 1)
    X = (pixels - pixels.mean(axis=0)).T
    Y = (labels == classes[:, None]).astype(float)
    return from_arrays(
        X / np.sqrt(np.mean(np.sum(X**2, axis=0))),
        Y - Y.mean(axis=1, keepdims=True),
        name=name,
        feature_names=[str(digit) for digit in classes],
    )
