"""
Concentration: steps of finite size
===================================

Beyond 2 / sharpness of the end that one pathway has alone, descent goes to the largest share that
is stable: large steps make pathways share again.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Depth 4 and five steps. Left and middle: the largest share against the step, races and networks;
# right: step times sharpness along a run.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("concentration.step", out=folder, quick=True, progress=False)
print(done)
