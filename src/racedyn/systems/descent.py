"""Gradient descent of any step size as a system: the flow's field, step by step."""

import equinox as eqx
import jax
import numpy as np

from racedyn._arrays import as_parameter
from racedyn._checks import check_is, fail, shown
from racedyn._types import Array, ArrayLike, PyTree
from racedyn.systems.base import AbstractSystem, Standing
from racedyn.systems.piecewise import Piecewise


class Descent(Standing):
    """y_(k+1) = y_k + lr f(y_k): what `system` flows along, in steps.

    Of a network at level "full" it is plain gradient descent, as `racedyn.train` does it; of a
    reduction the same reduction of descent, q/p included ([Shi22] integrates them so). With
    `racedyn.ensemble` many descents of one shape run as one program: members may differ in weights,
    step size, weight decay and targets.

    **Arguments:**

    - `system`: whose `vector_field` is followed.
    - `lr`: flow time of one step, in units of tau: `racedyn.train`'s lr for the loss "mean", else
      `run.ts[1] / run.step[1]` of a run of its.

    A row at the time t stands after round(t / lr) steps; `max_steps` of them at most. Nothing is
    there for a solver to choose: its options, `rtol` among them, are refused.

    Raises `ValueError` for an `lr` that is not above 0, `TypeError` for what is no flow.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(2, 2), width=20)
        >>> weights = network.init(rd.init.Gaussian(std=0.05), key=0)
        >>> descent = rd.systems.Descent(rd.reduce(network, task, weights, level="full"), lr=0.1)
        >>> run = rd.simulate(descent, ts=0.1 * np.arange(0, 301, 100))
        >>> trained = rd.train(network, task, weights, lr=0.1, steps=300, save_every=100)
        >>> bool(np.abs(run["strength"] - trained["strength"]).max() < 1e-12)
        True
    """

    lr: Array

    def __init__(self, system: AbstractSystem, lr: ArrayLike):
        check_is("system", system, AbstractSystem, "be a system", "See racedyn.reduce.")
        if isinstance(system, Descent | Piecewise):
            fail(
                "system",
                "be one flow",
                f"it is a {type(system).__name__}",
                "A Piecewise of descents takes one of each.",
                TypeError,
            )
        self.system = system
        self.lr = as_parameter("lr", lr)
        known = not isinstance(self.lr, jax.core.Tracer)
        if self.lr.ndim or (known and not np.asarray(self.lr) > 0):
            fail("lr", "be one number above 0", f"it is {shown(lr)}", "For example lr=0.04.")

    def at(self, y: PyTree) -> "Descent":
        return eqx.tree_at(lambda descent: descent.system, self, self.system.at(y))

    def step(self) -> Array:
        return self.lr

    def describe(self) -> str:
        return f"descent of {self.system.describe()}"

    def rates(self) -> Array | None:
        return self.system.rates()

    def amplification(self) -> ArrayLike:
        return 1.0  # no tolerance is met by steps that are given
