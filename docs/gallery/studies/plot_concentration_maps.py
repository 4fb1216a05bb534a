"""
Concentration: phase maps
=========================

Depth concentrates, width and scale share. Of unlike pathways the one wins that comes to half of the
mode at the smaller drive.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Three depths and three widths, 1000 draws each. Maps of participation over depth, width, scale and
# number of pathways; at the end how often the first of two unlike pathways wins, against the ratio
# of their scales.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("concentration.maps", out=folder, quick=True, progress=False)
print(done)
