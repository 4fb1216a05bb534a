"""
... solve equations of my own?
==============================

A system is a start and a vector field. It is solved, drawn and saved as any other, tells when
something happened, and stops where you say.
"""

import diffrax
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optimistix

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# Two memories share one error, S - a - b, and each loses a part of what it holds: weight decay.
# Numbers and arrays that are fields can be changed without compiling anew, and differentiated.


class TwoMemories(rd.AbstractSystem):
    strength: float
    speed: jax.Array
    decay: float

    def y0(self):
        return jnp.array([0.02, 0.01])

    def vector_field(self, t, y, args):
        error = self.strength - y.sum()
        return self.speed * y * error - self.decay * y

    def observe(self, t, y):
        return {"held": y, "error": self.strength - y.sum()}

    def dims(self):
        return {"held": ("memory",)}

    def labels(self):
        return {"memory": ("quick", "slow")}


system = TwoMemories(strength=2.0, speed=jnp.array([1.0, 0.7]), decay=0.1)

# %%
# ``crossings`` records when something happens, without stopping: a function of the system, the time
# and the state, and its first change of sign. ``event`` stops, at the moment that its root finder
# tells; without one at the end of that step of the solver. Rows after it are NaN.

gone = diffrax.Event(
    lambda t, y, args, **_: jnp.where(t > 5.0, y[1] - 0.02, 1.0), optimistix.Newton(1e-8, 1e-8)
)
run = rd.simulate(
    system,
    ts=np.linspace(0.0, 120.0, 601),
    crossings={"half": lambda system, t, y: y[0] - system.strength / 2},
    event=gone,
)
half = run.stats["crossing_half"]
print(run)
print(f"the quick memory holds half of S at {half:.3f} tau")

# %%
# The slow memory takes a part first, and loses it again, as what the quick one leaves of the error
# is less than the decay; where it is gone the run stops. What is in ``observe`` is there by its
# name, and ``run.labels`` names what is along its axes.

_, ax = plt.subplots(figsize=(3.4, 2.6), layout="constrained")
for name, curve in zip(run.labels["memory"], run["held"].T, strict=True):
    ax.plot(run.ts, curve, label=name)
ax.axvline(half, color="0.5", linestyle=":", label="half learned")
ax.set(xlabel=r"time ($\tau$)", ylabel="strength")
ax.legend()
