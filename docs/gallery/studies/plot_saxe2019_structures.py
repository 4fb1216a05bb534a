"""
Saxe et al. 2019: structures
============================

Clusters, a tree, a ring, an order and a cross-cutting structure. The paper's claim: a deep network
learns a structure's modes one after another, in stages; a shallow one does not.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Width 100 in place of 1000. From above: similarity of items, the modes, the hidden layer at times
# of learning, and strengths over time, deep and shallow.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("saxe2019.structures", out=folder, quick=True, progress=False)
print(done)
