"""What a user writes, as it stands in the documents."""

import jax.numpy as jnp
import numpy as np

import racedyn as rd


def test_the_main_example(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    task = rd.tasks.hierarchy(items=8)
    network = rd.networks.parallel(task, depths=(4, 4), width=200)
    weights = network.init(rd.init.Gaussian(std=0.02), key=0)

    trained = rd.train(network, task, weights, lr=0.04, steps=6000)
    theory = rd.simulate(rd.reduce(network, task, weights, level="pathway"), ts=trained.ts)
    print(rd.compare(theory, trained))
    rd.save("race.h5", theory=theory, trained=trained, overwrite=True)
    rd.plot.race(theory, trained)

    assert "strength" in capsys.readouterr().out
    loaded = rd.load("race.h5")
    np.testing.assert_array_equal(loaded["trained"].observables["strength"], trained.observables["strength"])
    assert trained.observables["loss"][-1] < 0.02 * trained.observables["loss"][0]
    error = np.linalg.norm(theory.observables["strength"] - trained.observables["strength"])
    assert error / np.linalg.norm(trained.observables["strength"]) < 0.3


def test_a_race_of_ones_own_numbers():
    race = rd.systems.Pathways(singular_values=[3.0, 1.0], depths=(3, 5), q=1.0, p=[[0.02, 0.01], [0.01, 0.03]])
    run = rd.simulate(race, ts=jnp.linspace(0, 10, 200), rtol=1e-9)
    strength = run.observables["strength"]
    assert strength.shape == (200, 2, 2) and run.dims["strength"] == ("time", "path", "mode")
    np.testing.assert_allclose(strength[-1].sum(axis=0), [3.0, 1.0], rtol=1e-7)


def test_a_system_of_ones_own():
    class Decay(rd.AbstractSystem):
        rate: float

        def y0(self):
            return jnp.ones(3)

        def vector_field(self, t, y, args):
            return -self.rate * y

    run = rd.simulate(Decay(0.3), ts=jnp.linspace(0, 5, 51))
    np.testing.assert_allclose(run.observables["y"][-1], np.exp(-1.5), rtol=1e-6)
