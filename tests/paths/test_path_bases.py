"""The level "modes" in bases of each path's own: the symmetric contextual task of [Jarvis25] App.
F.
"""

import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd

ITEMS, WIDTH = 4, 12


def contextual(contexts, start, seed=0):
    """Context pathways on in every context but their own, on what the converged common pathway
    leaves; aligned weights.

    `start`: strength of both matrices of each pathway, one number or one per pathway.
    """
    tree = rd.tasks.hierarchy(ITEMS).Y
    X = np.tile(np.eye(ITEMS), contexts)
    blocks = [np.tile(tree, contexts)]
    blocks += [
        np.concatenate([tree if c == own else 0 * tree for c in range(contexts)], axis=1)
        for own in range(contexts)
    ]
    Y = np.concatenate(blocks)
    both = np.concatenate([X, np.repeat(np.eye(contexts), ITEMS, axis=1)])
    residual = Y - Y @ np.linalg.pinv(both) @ both
    task = rd.Task({"x": X}, {"y": residual}, np.repeat(np.arange(contexts), ITEMS))
    names = [str(c) for c in range(contexts)]
    network = rd.Network(
        {"x": ITEMS, **{f"h{c}": WIDTH for c in names}, "y": len(Y)},
        {f"in{c}": ("x", f"h{c}") for c in names} | {f"out{c}": (f"h{c}", "y") for c in names},
        node_gates={f"h{c}": [float(c != str(k)) for k in range(contexts)] for c in names},
        num_contexts=contexts,
    )
    measured = rd.statistics(network, task)
    U, s, V = measured.path_bases(measured.paths)
    rng = np.random.default_rng(seed)
    weights = {}
    for path, b in zip(measured.paths, np.broadcast_to(start, contexts), strict=True):
        R = np.linalg.qr(rng.standard_normal((WIDTH, V.shape[1])))[0]
        weights[path[0]], weights[path[1]] = b * R @ V.T, b * U[path] @ R.T
    return network, task, weights, s[0]


@pytest.mark.parametrize(
    "contexts", [pytest.param(number, marks=pytest.mark.long) for number in (3, 4)]
)
def test_symmetric_contexts_are_the_full_flow_and_the_sigmoid(contexts):
    """tau a' = 2 a (s - a d / (C - 1)), with overlaps -1/(C-1) that are measured."""
    network, task, weights, s = contextual(contexts, 0.1)
    flow = rd.reduce(network, task, weights, level="modes", bases="paths")
    assert flow.validity.exact, flow.validity
    # Paths join one pair, but have no mode in common to share.
    assert flow.observe_on_request(jnp.asarray(0.0), flow.y0()) == {}
    np.testing.assert_allclose(flow.validity["overlaps_of_paths"], -1 / (contexts - 1), rtol=1e-5)
    ts = jnp.linspace(0, 60, 13)
    run = rd.simulate(flow, ts, rtol=1e-11)
    d, a0 = (contexts - 1) / (contexts * ITEMS), 0.01
    end = s * (contexts - 1) / d
    sigmoid = end / (1 - (1 - end / a0) * np.exp(-2 * s * np.asarray(ts)[:, None]))
    strength = np.asarray(run.observables["strength"])
    np.testing.assert_allclose(
        strength, np.broadcast_to(sigmoid[:, None], strength.shape), atol=1e-8
    )
    assert strength[-1].max() > 0.9 * end.max()
    full = rd.simulate(rd.reduce(network, task, weights, level="full"), ts, rtol=1e-11)
    np.testing.assert_allclose(run.observables["loss"], full.observables["loss"], atol=1e-8)
    assert run.observables["edge_strength"].shape == (13, 2 * contexts, len(s))


@pytest.mark.long
def test_unequal_starts_are_refused_and_by_force_off():
    network, task, weights, _ = contextual(3, [0.1, 0.1, 0.3])
    with pytest.raises(ValueError, match=r"outside U_p: 0\.\d+ of the norm.*level='matrix' is"):
        rd.reduce(network, task, weights, level="modes", bases="paths")
    ts = jnp.linspace(0, 60, 13)
    forced = rd.reduce(network, task, weights, level="modes", bases="paths", inexact=True)
    assert not forced.validity.exact
    off = (
        rd.simulate(forced, ts).observables["loss"]
        - rd.simulate(rd.reduce(network, task, weights, level="matrix"), ts).observables["loss"]
    )
    assert np.abs(off).max() > 1e-3


def test_node_bases_are_refused_where_path_bases_are_exact():
    network, task, weights, _ = contextual(3, 0.1)
    with pytest.raises(
        ValueError,
        match=r"`bases` be 'paths', where a node has no modes of the task, but 'x' has none",
    ):
        rd.reduce(network, task, weights, level="modes")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": "matrix"}, r"`bases` must be left out at level 'matrix'"),
        ({"bases": "path"}, r"`bases` must be one of 'nodes', 'paths'.*Did you mean 'paths'"),
    ],
)
def test_bad_choices_of_bases(change, message):
    network, task, weights, _ = contextual(3, 0.1)
    with pytest.raises(ValueError, match=message):
        rd.reduce(network, task, weights, **{"level": "modes", "bases": "paths", **change})


def test_shared_ends_have_no_bases_of_their_own():
    task = rd.tasks.hierarchy(4)
    network = rd.Network(
        {"input": 4, "a": 5, "b": 5, "c": 5, "output": 7},
        {
            "w": ("input", "a"),
            "u": ("a", "b"),
            "v": ("a", "c"),
            "p": ("b", "output"),
            "q": ("c", "output"),
        },
    )
    weights = network.init(rd.init.Aligned(0.1), task=task, key=0)
    with pytest.raises(
        ValueError,
        match=r"be 'nodes' where paths share their first or last edge, but 'w' lies on several",
    ):
        rd.reduce(network, task, weights, level="modes", bases="paths")


@pytest.mark.parametrize("inexact", [False, True])
def test_paths_that_read_different_directions_are_refused(inexact):
    """XoR gating: three common modes for paths of rank 1 would count the targets more than once."""
    task = rd.tasks.xor(0.6)
    for gating in ("xor", "both"):
        network = rd.networks.xor(task, gating, 8)
        weights = network.init(rd.init.Aligned(0.1, bases="paths"), task=task, key=0)
        with pytest.raises(ValueError, match="has rank 1 but a part in 3 common modes"):
            rd.reduce(network, task, weights, level="modes", bases="paths", inexact=inexact)
    network = rd.networks.xor(task, "linear", 8)
    weights = network.init(rd.init.Aligned(0.1, bases="paths"), task=task, key=0)
    assert rd.reduce(network, task, weights, level="modes", bases="paths").validity.exact
