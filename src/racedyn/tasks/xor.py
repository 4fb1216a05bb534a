"""The XoR task with a margin ([Saxe22] fig. 3; [Jarvis25] section 3 and App. C)."""

import numpy as np

from racedyn._checks import check_not_negative
from racedyn.tasks.builders import INPUT, OUTPUT
from racedyn.tasks.task import Task


def xor(margin: float = 0.0) -> Task:
    """XoR in two coordinates, and a third that separates the labels by `margin`, Delta.

    Four examples x = (+-1, +-1, +-Delta), each a context of its own: inputs (3, 4), targets (1, 4);
    y = 1 where the first two coordinates differ and -1 elsewhere, and the third has the sign of y.
    Linearly separable for every Delta > 0; at Delta = 0, pure XoR, inputs and targets are not
    correlated and the task has no modes. Where there are, the one mode is the third coordinate, S =
    Delta, d = Delta^2. Raises `ValueError` for a margin below 0.

        >>> task = rd.tasks.xor(margin=0.5)
        >>> task.X[:, 0].tolist(), task.Y.tolist()
        ([1.0, -1.0, 0.5], [[1.0, 1.0, -1.0, -1.0]])
        >>> task.modes.S.tolist(), task.modes.variances.tolist()
        ([0.5], [0.25])
    """
    margin = check_not_negative("margin", margin)
    first = np.array([1.0, -1.0, 1.0, -1.0])
    second = np.array([-1.0, 1.0, 1.0, -1.0])
    label = -first * second
    return Task(
        inputs={INPUT: np.stack([first, second, margin * label])},
        targets={OUTPUT: label[None]},
        context=np.arange(4),
        name=f"XoR with margin {margin:g}",
        item_names=("+-", "-+", "++", "--"),
    )
