"""
Saxe et al. 2022, figure 5
==========================

Pathways that share many routes race with pathways that share few. The paper's claim: the more
routes share a pathway, the faster it learns, and untrained routes are learned from about 40 %
trained ones on.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Four domains in place of ten, two seeds. Left: each kind of pathway alone; middle: its share where
# all race; right: errors on trained and untrained routes.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("saxe2022.fig5", out=folder, quick=True, progress=False)
print(done)
