"""
Saxe et al. 2022, figure 4
==========================

Seven input and seven output domains through one shared matrix, four routes trained of each. The
paper's claim: a closed form holds, the shared matrix is larger by a factor of sqrt(7), and
untrained routes are learned, too.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Two seeds in place of ten. Above: loss, singular values and similarity; below: answers on trained
# and untrained routes.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("saxe2022.fig4", out=folder, quick=True, progress=False)
print(done)
