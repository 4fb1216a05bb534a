"""
Jarvis et al. 2025, figure 4
============================

A contextual task. The paper's claim: a ReLU network learns by neurons that are on in all contexts
and in all but one, as the gated network with such pathways does.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Width 100 in place of 700, one seed. The figure has losses of the ReLU network and of its gated
# twins, singular values of pathways, in how many contexts neurons are on, and hidden layers side by
# side.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("jarvis2025.fig4", out=folder, quick=True, progress=False)
print(done)
