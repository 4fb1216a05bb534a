"""
Zhang et al. 2024: unimodal bias
================================

Two input modalities. The paper's claim: the later they fuse, the longer one of them is learned
alone; in early fusion both are learned at once.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# The derived times are solved at one correlation and trained at six. Panels show the ratio of
# learning times by correlation and by the layer of fusion, and maps and losses of one network.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("zhang2024.unimodal", out=folder, quick=True, progress=False)
print(done)
