"""
... make a wide network narrow?
===============================

A wide network that learns few things moves in few directions. ``compress`` finds them and returns a
narrow network that learns as the wide one does, to an error that it states.
"""

import jax
import numpy as np

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

task = rd.tasks.hierarchy(items=4)
network = rd.networks.parallel(task, depths=(3, 3), width=300)
weights = network.init(rd.init.Gaussian(std=0.015), key=0)

# %%
# It holds for the descent that it is asked for: this step size, these many steps. For weights of
# your own, pass them as a dict edge -> matrix (``rd.networks.from_layers`` makes one).

how = {"lr": 0.05, "steps": 2000}
narrow = rd.compress(network, task, weights, tolerance=1e-3, **how)
print(narrow)

# %%
# ``narrow.problem`` is a network, a task and weights like any others. Both train; the error of all
# strengths over the whole run is near the estimate.

wide = rd.train(network, task, weights, **how)
thin = rd.train(narrow.problem, **how)
error = np.linalg.norm(thin["strength"] - wide["strength"]) / np.linalg.norm(wide["strength"])
print(f"error of all strengths: {error:.1e}")

# %%
# Solid is the wide network, dashed the narrow one on top of it.

rd.plot.race({"compressed": thin}, wide)
