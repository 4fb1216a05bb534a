"""
... draw a network of width 1e9?
================================

Of a law of initial weights the narrow network is drawn without ever forming a wide matrix: the
width is but a number. So one sees what happens as width grows.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

task = rd.tasks.hierarchy(items=4)
how = {"lr": 0.05, "steps": 1000}

# %%
# A law and a key take the place of weights. std times sqrt(width) is the same at each width, so
# that signals keep their size; a law of your own choice goes in the place of ``Gaussian``.

runs = {}
for width in (10**3, 10**6, 10**9):
    network = rd.networks.parallel(task, depths=(4, 4), width=width)
    law = rd.init.Gaussian(std=0.3 / np.sqrt(width))
    drawn = rd.compress(network, task, law, key=0, **how)
    runs[width] = rd.train(drawn.problem, observe=["strength"], **how)
    print(f"width {width:.0e}: {max(drawn.dimensions.values())} directions")

# %%
# At the same variance of signals the start has less to tell the pathways apart, the wider the
# network: they share the first mode more and more evenly, and both learn it at the same time.

_, panels = plt.subplots(1, 3, figsize=(7, 2.4), sharey=True, layout="constrained")
for ax, (width, run) in zip(panels, runs.items(), strict=True):
    for pathway, style in ((0, "-"), (1, "--")):
        ax.plot(run.ts, run["strength"][:, pathway, 0], style, label=run.labels["path"][pathway])
    ax.set(title=f"width {width:.0e}", xlabel=r"flow time ($\tau$)", xlim=(0, 25))
panels[0].set_ylabel("strength of mode 1")
panels[0].legend()
