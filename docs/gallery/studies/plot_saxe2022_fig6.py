"""
Saxe et al. 2022, figure 6
==========================

Routing from small to large initial weights. The paper's claim: small ones learn in stages and
generalise to untrained routes; large ones do not, and their tangent kernel stays as it was.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Four domains, three scales and one seed. Panels show losses, the alignment of layers, errors by
# scale, and how similar domains are inside the network at the end.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("saxe2022.fig6", out=folder, quick=True, progress=False)
print(done)
