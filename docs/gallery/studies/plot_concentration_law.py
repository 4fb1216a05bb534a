"""
Concentration: the law by mode
==============================

How far equal pathways share a mode is a function of one variable of depth, width, scale and S/d: a
curve that is derived and not fitted.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# A thousand draws of three depths, in place of 10,000 of seven, and a few networks. Left: races on
# the derived curves; right: networks against what is derived for them.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("concentration.law", out=folder, quick=True, progress=False)
print(done)
