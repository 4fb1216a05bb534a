"""
A race of two pathways
======================

A linear network with two pathways of depth 4 learns a hierarchy of eight items. In each mode of the
task the pathways compete: the one that is ahead learns the mode, and little is left for the other.
"""

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

task = rd.tasks.hierarchy(items=8)
network = rd.networks.parallel(task, depths=(4, 4), width=100)
weights = network.init(rd.init.Gaussian(std=0.03), key=0)

# %%
# The network is trained at full width, and its learning is derived from the same weights: by the
# compressed theory and by the q/p equations.

trained = rd.train(network, task, weights, lr=0.04, steps=4000)
theory = {
    name: rd.simulate(rd.reduce(network, task, weights, level=level), ts=trained.ts)
    for name, level in (("compressed", "compressed"), ("q/p", "pathway"))
}
print(rd.compare(theory, trained))

# %%
# For data of your own: ``rd.tasks.from_arrays(inputs, targets)`` in place of the hierarchy.

rd.plot.race(theory, trained)
