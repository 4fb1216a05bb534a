"""Weights from dicts of matrices: by the names where they tell, refused where they don't."""

import numpy as np
import pytest

import racedyn as rd
from racedyn.networks import from_layers

WIDTH = 5
SQUARE = rd.tasks.from_arrays(np.eye(WIDTH), np.diag(np.arange(1.0, WIDTH + 1)))
OBLONG = rd.tasks.from_arrays(np.eye(4), np.eye(7)[:, :4])


def drawn(network):
    return {
        edge: np.asarray(array)
        for edge, array in network.init(rd.init.Gaussian(0.1), key=0).items()
    }


def read(network, names, transposed=False):
    """Give every edge's matrix its name in `names` (edge -> name), in text order; whether each
    comes back where it was.
    """
    weights = drawn(network)
    state = {name: weights[edge].T if transposed else weights[edge] for edge, name in names.items()}
    found = from_layers(network, dict(sorted(state.items())))
    for edge in network.edges:
        np.testing.assert_array_equal(found[edge], weights[edge], err_msg=edge)


DEEP = rd.networks.chain(SQUARE, depth=12, width=WIDTH)
TWO = rd.networks.parallel(SQUARE, depths=(2, 2), width=WIDTH)
THREE = rd.networks.parallel(SQUARE, depths=(3, 3), width=WIDTH)
MIXED = rd.networks.parallel(SQUARE, depths=(3, 1, 2), width=WIDTH)
OWN = rd.networks.parallel(OBLONG, depths=(2, 2), width=WIDTH)
PAIR = rd.networks.chain(OBLONG, depth=2, width=WIDTH)


def edges(network, name):
    """Edge -> name, from its pathway and layer, counted from 0."""
    return {
        edge: name(a, l) for a, path in enumerate(network.paths()) for l, edge in enumerate(path)
    }


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (DEEP, lambda a, l: f"layers.{l}.weight"),  # as text 10 comes before 2
        (DEEP, lambda a, l: f"{2 * l}.weight"),
        (DEEP, lambda a, l: f"module.fc{l + 1}.weight"),
        (DEEP, lambda a, l: f"blocks.{l // 3}.{l % 3}.weight"),
        (DEEP, lambda a, l: f"blocks.{l}.{'out' if l == 11 else 'in'}.weight"),
        (TWO, lambda a, l: f"pathways.{a}.{l}.weight"),
        (TWO, lambda a, l: f"layers.{l}.{a}.weight"),
        (TWO, lambda a, l: f"paths.{a}.layers.{2 * l}.weight"),
        (TWO, lambda a, l: f"layers.{l}.paths.{a}.weight"),
        (TWO, lambda a, l: f"branch{a + 1}.fc{l + 1}.weight"),
        (THREE, lambda a, l: f"net.{l}.{a}.weight"),  # three of one, two of the other
        (THREE, lambda a, l: f"net.{a}.{l}.weight"),
        (MIXED, lambda a, l: f"net.{a}.{l}.weight"),
        (MIXED, lambda a, l: f"{'abc'[a]}.{l}.weight"),  # depths tell
        (OWN, lambda a, l: f"{('encoder', 'decoder')[l]}.{a}.weight"),  # shapes tell
        (PAIR, lambda a, l: ("encoder.weight", "decoder.weight")[l]),
        (PAIR, lambda a, l: ("V", "U")[l]),
    ],
)
def test_names_tell(network, name):
    read(network, edges(network, name))


def test_names_of_edges_tell_whatever_the_network():
    read(TWO, {edge: f"net.{edge}.weight" for edge in TWO.edges})
    shared = rd.Network(
        {"x": 3, "z": 3, "h": 3, "y": 3}, {"b": ("x", "h"), "a": ("z", "h"), "c": ("h", "y")}
    )
    read(shared, {edge: f"{edge}.weight" for edge in shared.edges})


def test_matrices_of_flax_are_transposed():
    read(DEEP, edges(DEEP, lambda a, l: f"Dense_{l}.kernel"), transposed=True)
    weights = drawn(PAIR)
    params = {
        "params": {
            f"Dense_{l}": {"kernel": w.T, "bias": np.zeros(3)}
            for l, w in enumerate(weights.values())
        }
    }
    for edge, array in from_layers(PAIR, params).items():
        np.testing.assert_array_equal(array, weights[edge])


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (TWO, lambda a, l: f"net.{a}.{l}.weight"),
        (TWO, lambda a, l: f"{'ab'[a]}.{l}.weight"),
        (TWO, lambda a, l: f"{('encoder', 'decoder')[l]}.{a}.weight"),
        (OWN, lambda a, l: f"{('left', 'right')[a]}.{l}.weight"),
        (DEEP, lambda a, l: f"fc{l}.weight" if l < 11 else "out.weight"),
    ],
)
def test_names_that_leave_it_open_are_refused(network, name):
    with pytest.raises(
        ValueError, match=r"more than one way to read them fits: '.*Pass a list of pathways"
    ):
        read(network, edges(network, name))


@pytest.mark.parametrize(
    ("network", "state", "error", "message"),
    [
        (
            PAIR,
            {"a": np.ones((5, 4)), "b": np.ones((5, 7))},
            ValueError,
            r"hold matrices of the shapes \[\(5, 4\), \(7, 5\)\]",
        ),
        (
            TWO,
            {"a.9": 1, "b": 1, "c.2": 1, "d": 1},
            ValueError,
            r"no way to read them fits: 'a.9', 'b'",
        ),
        (
            PAIR,
            {"a": "text", "b": np.ones((7, 5))},
            TypeError,
            r"`layers\['a'\]` must be an array of numbers",
        ),
        (PAIR, [], TypeError, r"`layers` must be a list of matrices or a dict, but it is list"),
        (
            PAIR,
            None,
            TypeError,
            r"`layers` must be a list of matrices or a dict, but it is NoneType",
        ),
        (
            PAIR,
            [None, None],
            TypeError,
            r"`layers\[0\]` must be an array of numbers, but it is NoneType",
        ),
        (TWO, [None, None], TypeError, r"`layers` must hold matrices, but it holds"),
    ],
)
def test_what_is_refused(network, state, error, message):
    if isinstance(state, dict):
        state = {
            name: np.ones((5, 5)) if isinstance(value, int) else value
            for name, value in state.items()
        }
    with pytest.raises(error, match=message):
        from_layers(network, state)
