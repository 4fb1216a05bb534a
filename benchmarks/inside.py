"""What the benchmarks use of the package beyond its public names: here alone, so that this file
follows when it moves.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import racedyn as rd
from racedyn._arrays import memory as memory
from racedyn.exact import race_states as race_states
from racedyn.networks import init
from racedyn.paths import observed_paths
from racedyn.reduction.bases import closed_bases
from racedyn.reduction.compression.columns import columns_of
from racedyn.reduction.compression.growing import grow, schedule_of_steps
from racedyn.reduction.compression.laws import Gaussian, store_of
from racedyn.reduction.compression.marching import Descent as StoreDescent
from racedyn.reduction.compression.marching import Reader, Room
from racedyn.reduction.compression.matrices import Matrices
from racedyn.reduction.compression.store import Own, Side, Store
from racedyn.reduction.validity import rounding
from racedyn.rules import as_loss
from racedyn.systems import condense as condense
from racedyn.training.descent import advance

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
    network: rd.Network, task: rd.Task, weights: Weights, lr: float, dtype: str = "float32"
) -> Callable[[int], float]:
    """`steps(n)`: n steps of what `train` runs, on the sum of squares, and the loss after them."""
    given = {"lr": lr, "steps": 1, "loss": "sum", "dtype": dtype, "observe": ["loss"]}
    training = rd.Training(network, task, weights, **given)
    descent = training.descent
    state = descent.start(training.weights, None, 0)

    def steps(n: int) -> float:
        nonlocal state
        made = advance(descent, state, 1, jnp.asarray(1), jnp.asarray(n))
        state, _, rows = jax.block_until_ready(made)
        return float(rows["observables"]["loss"][0])

    return steps


def field_steps(
    network: rd.Network, task: rd.Task, weights: Weights, time: float
) -> Callable[[int], float]:
    """`steps(n)`: n steps of Euler along the level "full", `time` each, and the loss after them."""
    flow = rd.reduce(network, task, weights, level="full")
    state = flow.y0()

    @jax.jit
    def advanced(state: Any, n: Any) -> Any:
        def step(_: Any, y: Any) -> Any:
            return jax.tree.map(lambda w, f: w + time * f, y, flow.vector_field(0.0, y, None))

        state = jax.lax.fori_loop(0, n, step, state)
        return state, flow.observe(0.0, state)["loss"]

    def steps(n: int) -> float:
        nonlocal state
        state, loss = jax.block_until_ready(advanced(state, n))
        return float(loss)

    return steps


class LeftOut(Gaussian):
    """A wrong law: entries between what is new and what was known are left out."""

    def _rows(self, edge: str, side: Side, new: int, own: Own | None) -> np.ndarray:
        rows = super()._rows(edge, side, new, own)
        return rows if own is not None else np.zeros_like(rows)


def draw(
    network: rd.Network, task: rd.Task, law: init.AbstractLaw, key: int, *, wrong: bool = False
) -> Store:
    """What compression knows of a drawn network before it learns: its zero sweep."""
    store = LeftOut(network, law, key) if wrong else store_of(network, law, key)
    store.sweep(columns_of(network, task))
    return store


def pass_of(
    network: rd.Network,
    task: rd.Task,
    law: init.AbstractLaw,
    key: int,
    lr: float,
    steps: int,
    eps: float,
    *,
    wrong: bool = False,
) -> tuple[np.ndarray, Weights]:
    """One pass of a drawn network, whose signals lie in its store to a share `eps`: the steps after
    which there are rows, and the rows."""
    columns, modes = columns_of(network, task), task.all_modes()
    reader = Reader(
        jnp.asarray(columns.floor),
        tuple(modes.items()),
        tuple(observed_paths(network, None, modes)),
    )
    march = StoreDescent(None, (), jnp.asarray(loss_factor(task, "mean") * lr, float))
    store = draw(network, task, law, key, wrong=wrong)
    room = Room(network, growing=True)
    schedule = schedule_of_steps(steps)
    rows = grow(store, columns, march, reader, schedule, eps, room).rows
    return schedule.marks[schedule.rows], rows


def sweep_bases(
    network: rd.Network, task: rd.Task, weights: Weights, sweeps: int
) -> dict[str, np.ndarray]:
    """The bases of the zero sweep, or of so many Krylov sweeps from all inputs and outputs."""
    arrays = {edge: np.asarray(W) for edge, W in weights.items()}
    if sweeps:
        return closed_bases(network, arrays, rounding(np.float64), sweeps=sweeps).bases
    store = Matrices(network, arrays)
    store.sweep(columns_of(network, task))
    return store.bases
