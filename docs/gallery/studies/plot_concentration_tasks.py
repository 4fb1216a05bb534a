"""
Concentration: other tasks
==========================

Both laws on degenerate, separated, random and correlated modes. How pathways share is a matter of
strengths and widths; equal modes are mixtures from the start.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Depth 3, width 1000, three draws. Left: participation by mode against what is derived; right: by
# mode and without a basis, task by task.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("concentration.tasks", out=folder, quick=True, progress=False)
print(done)
