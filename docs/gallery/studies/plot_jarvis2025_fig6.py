"""
Jarvis et al. 2025, figure 6
============================

The contextual task in two hidden layers. The paper's claim: the first ReLU layer does not gate, the
second is on in two contexts or in all.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Four items, width 100 and two seeds. Left: losses of the ReLU network and of a gated one with a
# linear first layer. Right: the part of each layer's units that are on in every example. Both are
# on while the common pathway is learned; then the second gates, and the first one does, too.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("jarvis2025.fig6", out=folder, quick=True, progress=False)
print(done)
