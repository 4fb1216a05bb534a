"""
... run 10,000 races at once?
=============================

An ensemble is many systems of one kind, each with its own start. Races need no solver: their ends
and their times come from quadratures, seconds for all of them.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# A function from the member's number to its system. Draws have to come from the member.


def race_of(member):
    p0 = 0.05 * jax.random.normal(jax.random.fold_in(jax.random.key(0), member), (2, 1))
    return rd.systems.Pathways([1.0], depths=(4, 4), q=jnp.sqrt(0.2 + p0**2), p=p0)


# %%
# Without times it says where races end, however long that takes. With times it has their course;
# ``path="races.h5"`` writes it to a file as it comes.

ends = rd.ensemble(race_of, 10_000, progress=False)
courses = rd.ensemble(race_of, 10_000, np.linspace(0.0, 20.0, 41), progress=False)
share = ends["strength"][:, 0, :, 0]  # (member, path): of one time, one mode of S = 1
print(f"one pathway has more than 0.9 of the mode in {np.mean(share.max(axis=1) > 0.9):.1%}")

# %%
# Left: the leading pathway's share over time, its median and where four fifths and all of the
# members are. Right: at the end most races are between a tie and a clear winner. A system of your
# own goes in the place of ``Pathways``.

leader = courses["strength"][:, :, :, 0].max(axis=2)  # (member, time)
_, (left, right) = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained")
for low, high, name in ((0, 100, "all"), (10, 90, "10 to 90 %")):
    between = np.percentile(leader, [low, high], axis=0)
    left.fill_between(courses.ts, *between, color="C0", alpha=0.25, linewidth=0, label=name)
left.plot(courses.ts, np.median(leader, axis=0), color="C0", label="median")
left.set(xlabel=r"flow time ($\tau$)", ylabel="strength of the leader")
left.legend(loc="lower right")
right.hist(share.max(axis=1), bins=40, color="C0")
right.set(xlabel="leader's share at the end", ylabel="races")
