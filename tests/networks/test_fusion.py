"""Modalities with layers of their own up to where they add up."""

import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd

TASK = rd.tasks.multimodal([1.0, 0.5], 0.49, [[0.3], [0.1]])
THREE = rd.Task({name: np.eye(2) for name in "abc"}, {"out": np.eye(2)})


def start(network, std=0.5):
    return network.init(rd.init.Gaussian(std), key=0)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_every_place_of_fusion(depth):
    """A path for each modality of as many matrices as the depth, of which all from `fuse_at` on are
    shared; the prediction is the sum of what paths carry."""
    for task in (TASK, THREE):
        (sink,) = task.targets
        for fuse_at in range(1, depth + 1):
            network = rd.networks.fusion(task, depth, fuse_at, 4)
            paths = network.paths()
            assert [len(path) for path in paths] == [depth] * len(task.inputs)
            assert all(path[fuse_at:] == paths[0][fuse_at:] for path in paths)
            assert len(network.edges) == depth + (len(paths) - 1) * fuse_at
            weights = start(network)
            carried = 0.0
            for path, X in zip(paths, task.inputs.values(), strict=True):
                seen = X
                for edge in path:
                    seen = np.asarray(weights[edge]) @ seen
                carried = carried + seen
            inputs = {node: jnp.asarray(X) for node, X in task.inputs.items()}
            seen = rd.networks.forward(network, weights, inputs)[sink]
            np.testing.assert_allclose(seen, carried, atol=1e-12)


def test_early_fusion_is_a_chain_and_widths_are_per_layer():
    early = rd.networks.fusion(TASK, 3, 1, (6, 5), activation="relu")
    chain = rd.networks.chain(TASK, 3, (6, 5), activation="relu")
    assert (early.nodes, early.edges) == (chain.nodes, chain.edges)
    late = rd.networks.fusion(TASK, 3, 3, (6, 5))
    assert [late.nodes[name].width for name in ("h1_A", "h2_A", "h1_B", "h2_B")] == [6, 5, 6, 5]


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "fuse_at"), [(2, 1), (2, 2), (3, 2)])
def test_training_and_theory(depth, fuse_at):
    """Descent tends to the flow at first order in the step; two layers have an exact level
    "matrix"."""
    network = rd.networks.fusion(TASK, depth, fuse_at, 5)
    weights = start(network, 0.3)
    level = "matrix" if depth == 2 else "full"
    theory = rd.reduce(network, TASK, weights, level=level)
    far = []
    for lr in (0.02, 0.01):
        steps = round(12 / lr)
        run = rd.train(
            network, TASK, weights, lr=lr, steps=steps, save_every=steps // 10, progress=False
        )
        solved = rd.simulate(theory, run.ts, rtol=1e-10)
        far.append(np.abs(solved["strength"] - run["strength"]).max())
    assert run["loss"][-1] < 0.1 * run["loss"][0] and far[1] == pytest.approx(far[0] / 2, rel=0.1)


def test_bad_input():
    fusion = rd.networks.fusion
    with pytest.raises(ValueError, match=r"`task` must have several inputs.*tasks\.multimodal"):
        fusion(rd.tasks.hierarchy(4), 2, 2, 4)
    with pytest.raises(ValueError, match=r"`depth` must be a whole number of at least 2"):
        fusion(TASK, 1, 1, 4)
    with pytest.raises(ValueError, match=r"`fuse_at` must be a whole number of at least 1"):
        fusion(TASK, 2, 0, 4)
    with pytest.raises(ValueError, match=r"`fuse_at` must be at most the depth, 2, but it is 3"):
        fusion(TASK, 2, 3, 4)
    with pytest.raises(ValueError, match=r"`width` must be one number or one per hidden layer, 1"):
        fusion(TASK, 2, 1, (4, 4))
    with pytest.raises(ValueError, match=r"`task` must have one output node"):
        fusion(rd.Task(TASK.inputs, {"y": TASK.Y, "z": TASK.Y}), 2, 2, 4)
    with pytest.raises(TypeError, match=r"`task` must be a Task"):
        fusion("multimodal", 2, 2, 4)
