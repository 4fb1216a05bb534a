"""
Jarvis et al. 2025, figure 8
============================

Gates of a ReLU network, found by clustering its neurons. The paper's claim: k-means with four
clusters finds a pathway that is open in all three contexts and those open in two, and the error has
its elbow there.
"""

import tempfile

import jax

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Width 300 in place of 700, two seeds. Above: centres of clusters. Below: the error against the
# number of clusters, epoch by epoch and over all epochs together, and how far gated networks with
# the gates that were found are from the ReLU network.

with tempfile.TemporaryDirectory() as folder:
    done = rd.studies.reproduce("jarvis2025.fig8", out=folder, quick=True, progress=False)
print(done)
