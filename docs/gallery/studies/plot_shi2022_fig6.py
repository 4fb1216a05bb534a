"""
Shi et al. 2022, figure 6
=========================

The same network from two seeds. The paper's claim: which pathway a mode ends in is decided by the
initial weights.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Width 100 in place of 1000, depth 7. The printed lines name the winner of each mode, by training
# and by the q/p equations, which at this depth agree in a part of the modes alone.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("shi2022.fig6", out=folder, quick=True, progress=False)
print(done)
