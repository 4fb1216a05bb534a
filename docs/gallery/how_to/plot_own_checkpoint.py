"""
... audit checkpoints of my own training?
=========================================

Weights that another program saved are read as if they had been trained here: strengths, winners and
learning times, and a theory from the first checkpoint to hold beside them.
"""

import tempfile
from pathlib import Path

import jax
import numpy as np

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

task = rd.tasks.hierarchy(items=4)
network = rd.networks.parallel(task, depths=(2, 2), width=32)

# %%
# A stand-in for your training: descent in NumPy, which saves a file every 10 steps, with the names
# of a PyTorch model of two branches, ``branches.0.0.weight`` and so on.

random, step_size = np.random.default_rng(0), 0.2
names = [f"branches.{branch}.{layer}.weight" for branch in (0, 1) for layer in (0, 2)]
sizes = [(32, 4), (7, 32)] * 2
model = {n: 0.05 * random.normal(size=s) for n, s in zip(names, sizes, strict=True)}
folder = tempfile.TemporaryDirectory()
for step in range(1001):
    if step % 10 == 0:
        np.savez(Path(folder.name) / f"step{step:05d}.npz", **model)
    a1, a2, b1, b2 = (model[name] for name in names)
    error = 2 * ((a2 @ a1 + b2 @ b1) @ task.X - task.Y) / task.Y.size  # mean over all entries
    model = {
        names[0]: a1 - step_size * a2.T @ error @ task.X.T,
        names[1]: a2 - step_size * error @ (a1 @ task.X).T,
        names[2]: b1 - step_size * b2.T @ error @ task.X.T,
        names[3]: b2 - step_size * error @ (b1 @ task.X).T,
    }

# %%
# Checkpoints are a dict from step to a state dict, or to a function that loads one when its turn
# comes. Of PyTorch's files that is ``torch.load(file, weights_only=True)`` in place of ``np.load``.
# ``lr`` and ``loss`` are those of the loop: they turn steps into flow time.

files = {int(file.stem[4:]): file for file in Path(folder.name).glob("step*.npz")}
checkpoints = {step: lambda file=file: dict(np.load(file)) for step, file in files.items()}
seen = rd.observe(network, task, checkpoints, lr=step_size, loss="mse")

# %%
# The first checkpoint is a start like any other. What the theory says from it, the training did:
# nothing was fitted.

start = rd.networks.from_layers(network, dict(np.load(files[0])))
theory = rd.simulate(rd.reduce(network, task, start, level="matrix"), ts=seen.ts)
print(rd.compare(theory, seen))
folder.cleanup()
rd.plot.race(theory, seen)
