"""Bases that leave modes out say so: nothing is read in other modes without a word."""

import numpy as np
import pytest

import racedyn as rd

TASK = rd.tasks.hierarchy(4)
NET = rd.networks.chain(TASK, 2, 6)
WEIGHTS = NET.init(rd.init.Gaussian(0.1), key=0)
WHOLE = {node: np.eye(width) for node, (width, _) in NET.nodes.items()}
(X, Y) = (TASK.modes.V, TASK.modes.U)


@pytest.mark.parametrize(
    ("bases", "said"),
    [
        ({"input": X[:, :2]}, "The bases at 'input' do not hold"),
        ({"output": Y[:, :2]}, "The bases at 'output' do not hold"),
        ({"input": X[:, :2], "output": Y[:, :2]}, "The bases at 'input' and 'output' do not hold"),
    ],
)
def test_bases_without_some_of_the_modes(bases, said):
    with pytest.warns(UserWarning, match=rf"{said} all modes of \('input', 'output'\)"):
        rd.project(NET, TASK, WEIGHTS, bases=WHOLE | bases)


def test_bases_that_hold_the_modes_say_nothing():
    _, task, _ = rd.project(NET, TASK, WEIGHTS, bases=WHOLE | {"input": X, "output": Y})
    assert task.modes.names == TASK.modes.names
    np.testing.assert_allclose(np.abs(task.modes.U), np.eye(TASK.modes.num), atol=1e-12)


@pytest.mark.parametrize(
    ("bases", "said"),
    [
        ({("input", "output"): (Y, None)}, r"must be \(U, V\), of both sides"),
        ({("input", "output"): Y}, r"must be \(U, V\), of both sides"),
        ({"input": (Y, X)}, r"must have pairs \(input node, output node\) as keys"),
        ({("input", "nobody"): (Y, X)}, r"must have pairs \(input node, output node\) as keys"),
        ({("input", "output"): (2 * Y, X)}, r"orthonormal columns, U\^T U = I"),
        ({("input", "output"): (Y[:, :2], X[:, :2])}, r"Sigma_yx = U S V\^T with S > 0"),
    ],
)
def test_bases_of_a_task(bases, said):
    with pytest.raises(ValueError, match=said):
        rd.tasks.Task({"input": TASK.X}, {"output": TASK.Y}, bases=bases).all_modes()
