"""
... switch the task while a network learns?
===========================================

Continual learning: the network goes on from its weights, with another task. The theory of it is one
flow after the other.
"""

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

first = rd.tasks.hierarchy(items=4)
second = rd.tasks.from_arrays(first.X, -first.Y, name="reversed")  # all properties
network = rd.networks.parallel(first, depths=(3, 3), width=30)
weights = network.init(rd.init.Gaussian(std=0.05), key=0)

# %%
# ``train`` goes on from a run that it is given. Both parts are read in the modes of the first task,
# so that strengths are those of the same things throughout.

before = rd.train(network, first, weights, lr=0.04, steps=1200)
trained = rd.train(network, second, before, lr=0.04, steps=2000, modes=first)

# %%
# Each part has its equations, from the same initial weights. ``Piecewise`` goes from one to the
# next at the times of the switches; any systems of one kind will do, also your own.

flows = [
    rd.reduce(network, first, weights, level="full"),
    rd.reduce(network, second, weights, level="full", modes=first),
]
both = rd.systems.Piecewise(flows, trained.switches, names=["learned", "reversed"])
theory = rd.simulate(both, trained.ts)

# %%
# Learning times count from the switch. Reversal is slower in each mode: what was learned has to go
# through zero, where the drive of all deep pathways is small.

print("first task, half learned:", rd.learning_times(trained.segment(0)))
print("then reversed:           ", rd.learning_times(trained.segment(1)))
rd.plot.race(theory, trained)
