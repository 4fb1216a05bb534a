"""
Saxe et al. 2022, figure 7
==========================

Images on many routes, few of them trained. The paper's claim: from about 40 % trained routes on,
all others are answered, too; from large weights less so.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# The 8 x 8 digits, five domains and a few steps on 900 routes, in place of up to 10,000. Accuracy
# on trained routes is dashed, on untrained ones solid.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("saxe2022.fig7", out=folder, quick=True, progress=False)
print(done)
