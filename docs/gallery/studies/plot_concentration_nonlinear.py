"""
Concentration: ReLU
===================

Whether nonlinear pathways concentrate as linear ones do, by mode and without a basis.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Linear and ReLU pathways of depths 2 and 3, four draws, at width 100. Without ``quick`` it has
# tanh, more depths and ten draws.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("concentration.nonlinear", out=folder, quick=True, progress=False)
print(done)
