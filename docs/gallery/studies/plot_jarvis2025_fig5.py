"""
Jarvis et al. 2025, figure 5
============================

The contextual task with more contexts. The paper's claim: pathways that are open in all contexts
but one beat those of single contexts.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Four items and three contexts alone, width 100. Above: losses of ReLU, gated networks and the
# closed form; below: strengths of pathways, trained and in closed form.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("jarvis2025.fig5", out=folder, quick=True, progress=False)
print(done)
