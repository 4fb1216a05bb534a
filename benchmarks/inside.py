"""What the benchmarks use of the package beyond its public names: here alone, so that this file
follows when it moves.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import racedyn as rd
from racedyn.exact import race_states as race_states
from racedyn.reduction.bases import closed_bases
from racedyn.reduction.validity import rounding
from racedyn.rules import Data, as_loss
from racedyn.systems import condense as condense
from racedyn.training.descent import Descent, advance
from racedyn.training.observation import Observer

Weights = dict[str, Any]


def narrow(
    network: rd.Network, task: rd.Task, weights: Weights
) -> tuple[rd.Network, rd.Task, Weights]:
    """The narrow network of the level "matrix", with its task and weights."""
    arrays = {edge: np.asarray(W) for edge, W in weights.items()}
    bases = closed_bases(network, arrays, rounding(np.float64)).bases
    return rd.project(network, task, weights, bases=bases)


def loss_factor(task: rd.Task, loss: str) -> float:
    """Flow time of a step, in units of its step size."""
    return float(as_loss(loss).factor(task))


def descent_steps(
    network: rd.Network, task: rd.Task, weights: Weights, lr: float
) -> Callable[[int], float]:
    """`steps(n)`: n steps of what `train` runs, on the sum of squares, and the loss after them."""
    observer = Observer(
        network=network,
        data=Data.of(task, jnp.float32),
        probes=(),
        kernel_rows=None,
        names=("loss",),
        modes=(),
        paths=(),
        own=(),
        task=None,
    )
    descent = Descent(
        observer=observer,
        factor=jnp.asarray(loss_factor(task, "sum"), "float32"),
        lr=jnp.asarray(lr, "float32"),
        weight_decay=None,
        optimiser=None,
        stages=(),
        save_weights=False,
    )
    state = descent.start(weights, None, 0)

    def steps(n: int) -> float:
        nonlocal state
        made = advance(descent, state, 1, jnp.asarray(1), jnp.asarray(n))
        state, rows = jax.block_until_ready(made)
        return float(rows["observables"]["loss"][0])

    return steps
