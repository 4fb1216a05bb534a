"""
Concentration: noise of mini-batches
====================================

Batches of a task that can be fitted act as a larger step. Noise of labels makes pathways share
again, at a derived rate.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# One depth, batches of four, four draws. Left: the largest share against the step; right: the
# larger pathway's share over time, with noisy labels.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("concentration.noise", out=folder, quick=True, progress=False)
print(done)
