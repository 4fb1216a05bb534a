"""
Shi et al. 2022, figure 7
=========================

Two pathways with ReLU. The paper's claim: they concentrate with depth, too.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# One seed of width 100 in place of three of 1000. A row per depth, as in figure 5. Participation is
# of the modes that were learned: 2 where both pathways share a mode, 1 where one has it.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("shi2022.fig7", out=folder, quick=True, progress=False)
print(done)
