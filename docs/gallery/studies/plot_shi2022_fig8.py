"""
Shi et al. 2022, figure 8
=========================

Two pathways with tanh. The paper's claim: they concentrate with depth, too.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# One seed of width 100 in place of three of 1000. A row per depth, as in figure 5. Small weights
# keep tanh nearly linear at first, and races are much as those of linear pathways.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("shi2022.fig8", out=folder, quick=True, progress=False)
print(done)
