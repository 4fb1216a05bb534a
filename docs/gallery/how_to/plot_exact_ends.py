"""
... know where a race ends, and what it depends on?
===================================================

All pathways of a mode share one drive. So the end of a race is a root, not a run: exact, and
differentiable in whatever it depends on.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import racedyn as rd

jax.config.update("jax_enable_x64", True)  # theory wants float64

# %%
# A race has singular values (mode,), depths, and a start q and p (path, mode). Here it is one race
# from 120 starts, dense about that of the other pathway: modes do not know of each other, so that
# each stands for a start.

far = jnp.geomspace(0.003, 0.5, 30)  # from the other pathway's start, where little changes
starts = jnp.sort(
    jnp.concatenate([0.02 * (1 - far), 0.02 * (1 + far), 0.02 + 6e-5 * (jnp.arange(60) / 60 - 0.5)])
)
S, depths, q = jnp.ones(120), (4, 4), 0.05


def first_shares(p1):
    """The share of the first pathway at the end, for each of its starts; S = 1."""
    p = jnp.stack([p1, jnp.full(120, 0.02)])
    return rd.exact.converged(S, depths, q, p).strength[0]


share = first_shares(starts)

# %%
# ``jax.grad`` is the derivative of the end in the start, without a run. The sum is over modes that
# do not know of each other: each derivative is that of its own mode. Any argument may take the
# place of p1.

slope = jax.grad(lambda p1: first_shares(p1).sum())(starts)

# %%
# The same by a difference quotient:

quotient = (first_shares(1.0001 * starts) - first_shares(0.9999 * starts)) / (0.0002 * starts)
print(f"{np.abs(quotient / slope - 1).max():.0e} from the slope")

# %%
# The slope peaks where the race is decided: there a small change of the start changes the winner.

_, (above, below) = plt.subplots(2, 1, figsize=(3.4, 3.6), sharex=True, layout="constrained")
above.plot(starts, share)
above.set(ylabel="share of pathway 1", ylim=(0, 1))
below.plot(starts, starts * slope)
below.set(xlabel="start $p_1$ of pathway 1", ylabel=r"d share / d ln $p_1$")
