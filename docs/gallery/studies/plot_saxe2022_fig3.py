"""
Saxe et al. 2022, figure 3
==========================

XoR as a small ReLU network learns it. The paper's claim: as the gated network with one pathway per
example does; its neurons are of four types.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Two seeds in place of ten, at twice the step size. Left: neurons by the weights they read, one
# colour per type. Right: losses, on the closed form of the gated network.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("saxe2022.fig3", out=folder, quick=True, progress=False)
print(done)
