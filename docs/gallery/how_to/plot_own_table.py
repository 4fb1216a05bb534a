"""
... use a table of my own?
==========================

A table of items and their properties becomes a task: what is learned first, what by which pathway,
and how alike two items are to the network on the way.
"""

import tempfile
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# A text file with a row per item and a column per property. Yours may have numbers, yes and no, any
# of the usual delimiters: ``rd.tasks.from_csv("mine.csv")``.

TABLE = """\
item,grows,moves,has leaves,has petals,has wings,flies,has fins,swims
oak,1,0,1,0,0,0,0,0
pine,1,0,1,0,0,0,0,0
rose,1,0,1,1,0,0,0,0
daisy,1,0,1,1,0,0,0,0
robin,1,1,0,0,1,1,0,0
penguin,1,1,0,0,1,0,0,1
salmon,1,1,0,0,0,0,1,1
shark,1,1,0,0,0,0,1,1
"""
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "mine.csv"
    path.write_text(TABLE)
    task = rd.tasks.from_csv(path)

# %%
# Arrays do as well, an example per column: inputs (n_in, P), targets (n_out, P). Both ways give the
# same modes; the table's has the names.

same = rd.tasks.from_arrays(np.eye(8), task.Y)
print(np.allclose(same.modes.S, task.modes.S))
print(task)
print(task.modes)

# %%
# From here on it is a task like any other.

network = rd.networks.parallel(task, depths=(3, 3), width=60)
weights = network.init(rd.init.Gaussian(std=0.03), key=1)
trained = rd.train(network, task, weights, lr=0.05, steps=3000, observe=["strength"])
times = rd.learning_times(trained).times

# %%
# The four modes that are learned first, in their order. The first is what all items have in common.
# Each other one is a contrast: left of the zero line the items of one kind, right those of another.

order = np.argsort(times)[:4]  # those that are never learned are NaN, and last
_, panels = plt.subplots(1, len(order), figsize=(7, 2.6), sharey=True, layout="constrained")
for ax, mode in zip(panels, order, strict=True):
    ax.barh(task.item_names, task.modes.V[:, mode])
    ax.axvline(0.0, color="0.5", linewidth=0.8)
    ax.set_title(f"half learned at\n{times[mode]:.3g} tau", fontsize="medium")
panels[0].invert_yaxis()
panels[0].get_figure().supxlabel("item's part in the mode")
