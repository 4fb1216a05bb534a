"""
Concentration: projectors
=========================

Pathways that share every mode become projectors on mixtures of modes, while the next mode waits on
its plateau, up to widths that are exponential in that plateau.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# One depth, two plateaus, three draws. Left: participation without a basis against half of ln N
# less what angles grow by; right: against width, by mode and without a basis.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("concentration.projectors", out=folder, quick=True, progress=False)
print(done)
