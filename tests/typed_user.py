"""A user's code as a type checker sees it; `make check` reads it. Each `type: ignore` is an error
that has to be found.

Not run: mypy refuses an ignore that is not needed here (`warn_unused_ignores` in pyproject.toml).
"""

from pathlib import Path
from typing import assert_type

import jax.numpy as jnp
import numpy as np

import racedyn as rd
from racedyn.comparison import MemberComparison

misspelt = [
    rd.nothing,  # type: ignore[attr-defined]
    rd.simulte,  # type: ignore[attr-defined]
    rd.tasks.hierarchi,  # type: ignore[attr-defined]
]

task = rd.tasks.hierarchy(items=8)
network = rd.networks.parallel(task, depths=(4, 4), width=200)
weights = network.init(rd.init.Gaussian(std=0.02), key=0)
race = rd.systems.Pathways([3.0, 1.0], depths=(3, 5), q=1.0, p=[[0.02, 0.01], [0.01, 0.03]])

# Numbers, lists or arrays of covariances.
modalities = rd.tasks.multimodal([1.0, 0.5], np.eye(1), correlation=0.4)
rd.networks.fusion(modalities, depth=2, fuse_at=2, width=(8,))
rd.networks.fusion(modalities, depth=2, width=8)  # type: ignore[call-arg]

# Parts of images by a key; orthogonal maps are an array.
train = rd.tasks.images("mnist", "train", test=0.1, key=0)
rd.tasks.images("mnist", "train", 0.1, 0)  # type: ignore[call-arg]
assert_type(rd.tasks.transforms("turn", count=4, size=784), np.ndarray)

# Times as a list, a tuple, an array of either library.
run = rd.simulate(race, ts=[0.0, 1.0])
run = rd.simulate(race, (0, 0.5, 1))
run = rd.simulate(race, np.linspace(0, 1, 5))
run = rd.simulate(race, run.ts)
pure = rd.solve(race, [0.0, 1.0])
rd.exact.trajectory([3.0, 1.0], (2, 3), 1.0, 0.1, [0.0, 1.0])  # type: ignore[arg-type]  # S are arrays there
rd.exact.trajectory(jnp.ones(2), (2, 3), 1.0, 0.1, [0.0, 1.0])
rd.simulate(race, ts="0, 1")  # type: ignore[arg-type]
rd.simulate(race)  # type: ignore[call-arg]

# Observables are arrays: indexed, added, given to NumPy.
strength = run.observables["strength"]
first = run.observables["strength"][0, 1] - 0.5 * run.observables["strength"][-1, 1]
total = run.observables["strength"].sum(axis=1)[:, 0] / run.ts
size = np.linalg.norm(run.observables["strength"])
larger = run.observables["loss"][-1] < 1e-3
steps = run.stats["num_steps"]
rows = run.ts.shape, len(run.ts)

# An ensemble is a trajectory, or with `path` where it lies.
ends = rd.ensemble(race, {"p": jnp.ones((100, 2, 2))})
assert_type(ends, rd.Trajectory)
assert_type(rd.ensemble(lambda member: race, 10, [0.0, 1.0], progress=True), rd.Trajectory)
assert_type(
    rd.ensemble(lambda member: race, 10, jnp.ones(3), path="races.h5", overwrite=True), Path
)
training = rd.Training(rd.networks.chain(rd.tasks.xor(), depth=2, width=4), lr=0.1, steps=10)
assert_type(rd.ensemble(lambda member: training, 10), rd.Trajectory)
assert_type(rd.sweep(lambda a: a, {"a": [1, 2]}, out="sweep"), rd.Labelled)
rd.sweep(lambda a: a, {"a": [1]}, out="sweep", excutor="local")  # type: ignore[call-overload]
no_trajectory = rd.ensemble(race, 10, path="races.h5").observables  # type: ignore[attr-defined]
rd.ensemble(race, 10, pth="races.h5")  # type: ignore[call-overload]

# A file of trajectories, or of labelled arrays alone.
loaded = rd.load("race.h5")
theory_strength = loaded["theory"]["strength"] + 1.0
shares = rd.Labelled({"share": np.ones(2)}, {"share": ("seed",)}, attributes={"of": "races"})
rd.save("shares.h5", shares, overwrite=True)
rd.save("both.h5", run)  # type: ignore[arg-type]  # trajectories have names there
rd.to_xarray(shares)["share"].mean()
rd.to_pandas(run, "loss").mean()

# A study, and where its figure lies.
rd.studies.reproduce("shi2022.fig3", quick=True).figure.with_suffix(".pdf")

# A comparison, and times as well as rows tell.
trained = rd.train(network, task, weights, lr=0.04, steps=100)
found = rd.compare(run, trained)
if isinstance(found, MemberComparison):
    median = np.median(found.errors["loss"])
    table = found.labelled()["trained_participation"][:, 0]
elif found.theory is not None:
    assert_type(found.errors["loss"].relative_l2, float)
    half = found.theory.learning_times.times[0]
times = rd.learning_times(trained)
earliest = times.bounds[:, 0].min()
np.log(times)
print(
    f"{times.text(0)}: {first} {total} {size} {larger} {steps} {rows} {strength[0]} {earliest} "
    f"{pure}"
)
