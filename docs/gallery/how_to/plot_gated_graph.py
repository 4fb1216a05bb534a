"""
... make a gated graph of my own?
=================================

Any acyclic graph of layers is a network. Gates over contexts say what is open when; ``reduce``
measures which equations are exact for it.
"""

import jax
import jax.numpy as jnp

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Four items, each in two contexts. In the second one other properties are asked for.

hierarchy = rd.tasks.hierarchy(items=8)
inputs = jnp.tile(jnp.eye(4), 2)
targets = jnp.concatenate([hierarchy.Y[:, :4], -hierarchy.Y[:, 4:]], axis=1)
task = rd.Task({"x": inputs}, {"y": targets}, context=[0] * 4 + [1] * 4)

# %%
# Nodes have widths, edges a source and a target. Here is a common pathway, one that is open in the
# second context alone, and a skip from its hidden layer into the common one. Drawn is what is open
# in the first context; the rest is faint.

network = rd.Network(
    nodes={"x": 4, "common": 60, "second": 60, "y": 15},
    edges={
        "a1": ("x", "common"),
        "a2": ("common", "y"),
        "b1": ("x", "second"),
        "b2": ("second", "y"),
        "skip": ("second", "common"),
    },
    node_gates={"second": [0, 1]},
    num_contexts=2,
)
weights = network.init(rd.init.Gaussian(std=0.03), key=0)
rd.plot.network(network, context=0, edge_labels=True)

# %%
# ``validity`` says what was measured. "best" is the smallest level that holds here.

flow = rd.reduce(network, task, weights, level="best")
print(flow.validity)

# %%
# Training tends to the flow as its step size falls.

trained = rd.train(network, task, weights, lr=0.05, steps=1500)
theory = rd.simulate(flow, trained.ts)
print(rd.compare(theory, trained))
rd.plot.loss(theory=theory, trained=trained)
