"""
Dominé et al. 2025: imbalance
=============================

Two layers that differ by lambda at the start. The paper's claim: large lambda makes square networks
lazy; where the larger layer has directions that the task does not use, learning is rich all the
same, and late.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# One draw in place of five. Panels show losses in closed form and trained, how far the tangent
# kernel turns, and how long learning takes, against lambda.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("domine2025.imbalance", out=folder, quick=True, progress=False)
print(done)
