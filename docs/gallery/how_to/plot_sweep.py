"""
... sweep settings and draw a phase map?
========================================

Any function of numbers is swept over axes, or a configuration over its fields. What comes of it has
named axes, and a map of two of them.
"""

import tempfile

import jax
import jax.numpy as jnp
import numpy as np

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64


# %%
# At every point 200 races of two pathways, from strengths such as networks of this width start at.
# The measure is participation: 2 where both pathways share the mode, 1 where one has it.


def concentrated(depth, width):
    gain = 0.3
    p0 = gain / np.sqrt(width) * jax.random.normal(jax.random.key(0), (2, 200))
    ends = rd.exact.converged(jnp.ones(200), (depth, depth), q=jnp.hypot(p0, gain), p=p0)
    share = jnp.abs(ends.strength) / jnp.abs(ends.strength).sum(axis=0)  # (path, draw)
    return {"participation": jnp.mean(1 / (share**2).sum(axis=0))}


# %%
# Everything that was computed is kept in the folder ``out``: the same call with longer axes goes on
# from there. For networks, sweep a configuration instead:
# ``rd.sweep("mine.toml", {"network.depths": [...], "init.std": [...], "seed": range(20)}, ...)``.

with tempfile.TemporaryDirectory() as folder:
    found = rd.sweep(
        concentrated,
        {"depth": [3, 4, 5, 6, 8, 10], "width": np.geomspace(1e2, 1e8, 7)},
        out=folder,
        progress=False,
    )
print(found)

# %%
# Depth concentrates, and width shares: lines of equal participation rise with ln of the width.

rd.plot.phase_map(found, "participation", x="width", y="depth")
