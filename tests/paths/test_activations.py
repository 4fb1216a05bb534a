"""Path maps hold for every activation of the table, and for one that is not 0 at 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn.networks import ACTIVATIONS


@pytest.mark.parametrize("kind", [*ACTIVATIONS, "softplus"])
def test_maps_of_paths_add_up_to_what_inputs_change(kind, monkeypatch):
    """U^T net_p(I) V with net_p(0) = 0: their sum is yhat(I) - yhat(0), in the task's modes."""
    monkeypatch.setitem(ACTIVATIONS, "softplus", jax.nn.softplus)
    task = rd.tasks.hierarchy(items=4)
    network = rd.networks.parallel(task, depths=(2, 3), width=5, activation=kind)
    weights = network.init(rd.init.Gaussian(std=0.5), key=0)
    modes = task.all_modes()
    maps = rd.paths.path_maps(network, weights, modes, network.paths())
    silent, one_hot = (
        rd.networks.forward(network, weights, {"input": inputs})["output"]
        for inputs in (jnp.zeros((4, 4)), jnp.eye(4))
    )
    known = modes["input", "output"]
    expected = known.U.T @ np.asarray(one_hot - silent) @ known.V
    np.testing.assert_allclose(np.sum(maps, axis=0), expected, atol=1e-13)


def test_a_new_activation_trains():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ACTIVATIONS, "softplus", jax.nn.softplus)
        task = rd.tasks.hierarchy(items=4)
        network = rd.networks.chain(task, depth=2, width=5, activation="softplus")
        weights = network.init(rd.init.Gaussian(std=0.5), key=0)
        run = rd.train(network, task, weights, lr=0.1, steps=50, progress=False)
        assert run["loss"][-1] < run["loss"][0] and np.isfinite(run["strength"]).all()
