"""
Concentration: levels of theory
===============================

Which level of theory tells how features concentrate: the compressed network does, by mode and
without a basis. Theories of one number per mode miss mixtures.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Depths 3 and 4 at width 100. A line per level, beside training.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("concentration.levels", out=folder, quick=True, progress=False)
print(done)
