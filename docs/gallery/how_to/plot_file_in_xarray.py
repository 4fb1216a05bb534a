"""
... analyse a file of results in xarray?
========================================

Files are plain HDF5 with named axes. xarray opens them as they are, without this package.
"""

import tempfile
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import xarray

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# A stand-in for your file: six seeds of a small network, trained as one program. A path of your own
# in place of the temporary folder keeps it.

task = rd.tasks.hierarchy(items=4)
network = rd.networks.parallel(task, depths=(3, 3), width=24)


def trained_from(seed):
    weights = network.init(rd.init.Gaussian(std=0.06), key=seed)
    return rd.Training(network, task, weights, lr=0.1, steps=1200)


folder = tempfile.TemporaryDirectory()
results = Path(folder.name) / "seeds.h5"
rd.ensemble(trained_from, 6, path=results, progress=False)

# %%
# A group per run, with axes (member, time, path, mode). ``load`` brings it into memory.

with xarray.open_datatree(results) as file:
    runs = file["ensemble"].to_dataset().load()
folder.cleanup()
print(runs["strength"].dims, dict(runs.sizes))

# %%
# From here on it is xarray alone. The share of the first pathway at the end, by seed and mode:

strength = runs["strength"]
share = strength.isel(time=-1, path=0) / strength.isel(time=-1).sum("path")
print(share.round(2).to_pandas())

# %%
# Left: what the pathways carry together, median and range over seeds, mode by mode. Right: how
# much of it is the first pathway's. What is learned, and when, is much the same for all seeds; who
# learns it is not.

together = strength.sum("path").sel(time=slice(0, 40))
_, (left, right) = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained")
for mode in together.mode.values:
    low, middle, high = together.sel(mode=mode).quantile([0.0, 0.5, 1.0], "member")
    (line,) = left.plot(middle.time, middle, label=mode)
    left.fill_between(low.time, low, high, color=line.get_color(), alpha=0.25, linewidth=0)
left.set(xlabel=r"flow time ($\tau$)", ylabel="strength, both pathways", ylim=(0, 4))
left.legend(title="mode", fontsize="small", ncols=2, loc="upper right")
right.plot(share.mode, share.T, "o", color="0.3", markersize=4)
right.set(xlabel="mode", ylabel="share of pathway 1", ylim=(0, 1))
