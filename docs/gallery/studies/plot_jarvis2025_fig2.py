"""
Jarvis et al. 2025, figure 2
============================

XoR with a margin. The paper's claim: a ReLU network learns as the faster of linear and XoR gating
does, and they cross near a margin of sqrt(2/3).
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Four margins and one seed. First the time to half of the loss by margin, of the ReLU network and
# of the gated ones; then the losses at three margins.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("jarvis2025.fig2", out=folder, quick=True, progress=False)
print(done)
