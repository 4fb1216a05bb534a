"""
Concentration: mixtures of modes
================================

Which mixtures of modes pathways take: M pathways take M modes at a time, one that comes by itself
and M - 1 that turn out of it.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Two pathways and a few draws. Panels show participation by number of modes, the angle of mixtures
# by the ratio of two modes, what of the start decides, and when it happens.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("concentration.mixtures", out=folder, quick=True, progress=False)
print(done)
