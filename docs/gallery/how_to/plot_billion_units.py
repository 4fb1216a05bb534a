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
# How far apart the two pathways are in the first mode. While the mode waits, the difference falls;
# while it is learned, it grows to what stays. The wider the networks, the less there is of it: wide
# pathways of this depth share the mode.

_, ax = plt.subplots(figsize=(3.4, 2.6), layout="constrained")
for width, run in runs.items():
    first, second = run["strength"][:, :, 0].T  # (time, path, mode)
    ax.semilogy(run.ts, abs(first - second) / abs(first + second), label=f"width {width:.0e}")
ax.set(xlabel=r"flow time ($\tau$)", ylabel="difference of pathways / sum", xlim=(0, 30))
ax.set_ylim(1e-9, 10)
ax.legend(fontsize="small", loc="lower right")
