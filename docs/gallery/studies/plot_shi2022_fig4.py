"""
Shi et al. 2022, figure 4
=========================

What each of two pathways carries from every mode to every other one, in the first epochs. The
paper's claim: these maps are diagonal in the modes as they are learned.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Width 100 in place of 1000. A column per time, a row per pathway: the diagonal fills, and each
# pathway has parts beside it. They cancel in the sum, which the last line measures.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("shi2022.fig4", out=folder, quick=True, progress=False)
print(done)
