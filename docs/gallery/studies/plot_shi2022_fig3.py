"""
Shi et al. 2022, figure 3
=========================

Two pathways of depth D in the plane of their strengths, one mode. The paper's claim: as depth
grows, each mode concentrates in one of the pathways, the more the smaller the start.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Twenty starts in each panel, below 0.1 and below 0.01; a hundred without ``quick``. Each line is
# one race, in the colour of the pathway that ends stronger. At depth 2 races end all along the line
# K1 + K2 = S/d, at depth 13 from small starts in its corners.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("shi2022.fig3", out=folder, quick=True, progress=False)
print(done)
