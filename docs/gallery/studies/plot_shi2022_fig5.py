"""
Shi et al. 2022, figure 5
=========================

Trained linear networks of two pathways. The paper's claim: as depth grows, each mode concentrates
in one of the pathways.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Width 100 in place of 1000, three seeds. A row per depth: strengths over training, and what each
# pathway carries at the end. Depth 2 shares every mode; at depth 7 most modes end in one pathway.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("shi2022.fig5", out=folder, quick=True, progress=False)
print(done)
