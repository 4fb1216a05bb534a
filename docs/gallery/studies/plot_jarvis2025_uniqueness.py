"""
Jarvis et al. 2025: uniqueness
==============================

All kinds of gates beside a common pathway. The paper's claim: those that are open in two contexts
are the fastest, the ReLU network learns as they do, and others stay inactive where all race.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Five of the sixteen sets of kinds, one seed of width 100. Left: losses, one colour per kind;
# right: what each kind carries where all are in one network.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("jarvis2025.uniqueness", out=folder, quick=True, progress=False)
print(done)
