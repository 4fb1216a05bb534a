"""Gradient descent, jitted: blocks of steps with observations between them. The host's part is in
`training.train`.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from racedyn._checks import fail
from racedyn._types import Array, Weights
from racedyn.rules import Stages, stage_masks, staged
from racedyn.training.observation import Data, Observer, loss_of

ROWS_PER_BLOCK = 64


class State(eqx.Module):
    """Where descent stands. `diverged_at`: the first step whose loss was not finite, or -1."""

    weights: Weights
    optimiser: Any
    step: Array
    diverged_at: Array


class Descent(eqx.Module):
    """What is descended, how, and what is observed; see `racedyn.train`."""

    observer: Observer
    factor: Array
    lr: Array
    weight_decay: Array | None
    optimiser: optax.GradientTransformation | None
    stages: Stages = eqx.field(static=True)
    save_weights: bool = eqx.field(static=True)

    def loss(self, weights: Weights, data: Data) -> Array:
        """L = 1/2 < |y - yhat|^2 >: mean over examples, summed over outputs."""
        return loss_of(self.observer.network, weights, data)

    def start(self, weights: Weights, end: Mapping[str, Any] | None, step: int) -> State:
        """The state at `step`, with the optimiser's own state taken from `end` where a run goes
        on.
        """
        optimiser = None if self.optimiser is None else self.optimiser.init(weights)
        if end is not None:
            leaves, structure = jax.tree.flatten(optimiser)
            kept = [jnp.asarray(leaf) for leaf in end["optimiser"]]
            if [leaf.shape for leaf in kept] != [jnp.shape(leaf) for leaf in leaves]:
                fail(
                    "optimiser",
                    "be the one that the earlier run had",
                    "its state differs",
                    'To start a new run from its weights, pass run.end["weights"].',
                )
            optimiser = jax.tree.unflatten(structure, kept)
        return State(weights, optimiser, jnp.asarray(step), jnp.asarray(-1))

    def loss_and_gradient(self, weights: Weights) -> tuple[Array, Weights]:
        """The loss, and what is descended: its gradient, or stage by stage that of what the stages
        before leave.
        """
        if not self.stages:
            loss, gradient = jax.value_and_grad(self.loss)(weights, self.observer.data)
        else:
            masks = stage_masks(self.stages, weights)
            loss = self.loss(weights, self.observer.data)
            gradient = staged(lambda w: jax.grad(self.loss)(w, self.observer.data), weights, masks)
        if self.weight_decay is not None:
            gradient = jax.tree.map(lambda g, w: g + self.weight_decay * w, gradient, weights)
        return loss, gradient

    def step(self, state: State) -> State:
        """One step, all weights updated at once from the old values."""
        loss, gradient = self.loss_and_gradient(state.weights)
        # The weights of the first layers come last in the backward pass. Where every update waits
        # for them, XLA updates in place; else it copies each matrix in each step, as one might be
        # updated before it is read (1.3 times the time).
        network = self.observer.network
        first = [gradient[edge] for node in network.inputs for edge in network.edges_from(node)]
        factor = self.factor + 0 * sum(g[0, 0] for g in first)
        gradient = jax.tree.map(lambda g: factor * g, gradient)
        if self.optimiser is None:
            weights = jax.tree.map(lambda w, g: w - self.lr * g, state.weights, gradient)
            optimiser = None
        else:
            # optax mixes whole numbers with reals: it must not fail where the user's JAX promotes
            # strictly.
            with jax.numpy_dtype_promotion("standard"):
                updates, optimiser = self.optimiser.update(gradient, state.optimiser, state.weights)
            weights = optax.apply_updates(state.weights, updates)
        diverged_at = jnp.where(jnp.isfinite(loss), state.diverged_at, state.step)
        return State(weights, optimiser, state.step + 1, diverged_at)

    def observe(self, weights: Weights) -> dict[str, Any]:
        """One row of observables."""
        return self.observer.row(weights)


@eqx.filter_jit
def observe_rows(descent: Descent, weights: Weights) -> dict[str, Any]:
    """What `descent` observes of weights that were saved before, edge -> (row, n_target,
    n_source).
    """
    return jax.lax.map(descent.observe, weights)


@eqx.filter_jit
def advance(
    descent: Descent, state: State, size: int, num_saves: Array, save_every: Array
) -> tuple[State, Any]:
    """`num_saves` times `save_every` steps, a row after each: the new state and rows in buffers of
    `size` >= num_saves.

    Counts are traced, so that a run compiles once. It stops where the loss stops being finite.
    """

    def row_of(state: State) -> Any:
        weights = state.weights if descent.save_weights else None
        return {
            "observables": descent.observe(state.weights),
            "step": state.step,
            "weights": weights,
        }

    def save(i: Array, carry: tuple[State, Any]) -> tuple[State, Any]:
        state, rows = carry
        end = state.step + save_every
        state = jax.lax.while_loop(
            lambda s: (s.step < end) & (s.diverged_at < 0), lambda s: descent.step(s), state
        )
        return state, jax.tree.map(
            lambda buffer, value: buffer.at[i].set(value), rows, row_of(state)
        )

    empty = jax.tree.map(
        lambda leaf: jnp.zeros((size, *leaf.shape), leaf.dtype), jax.eval_shape(row_of, state)
    )
    return jax.lax.fori_loop(0, num_saves, save, (state, empty))


def _block_size(descent: Descent) -> int:
    return 1 if descent.save_weights else ROWS_PER_BLOCK


def _block(
    descent: Descent, state: State, num_saves: int, every: int
) -> tuple[State, dict[str, Any]]:
    """`num_saves` rows on the host, `every` steps before each."""
    state, rows = advance(
        descent, state, _block_size(descent), jnp.asarray(num_saves), jnp.asarray(every)
    )
    return state, jax.tree.map(lambda buffer: np.asarray(buffer)[:num_saves], rows)


def first_row(descent: Descent, state: State) -> dict[str, Any]:
    """The row of a state that has made no step."""
    return _block(descent, state, 1, 0)[1]


def blocks(
    descent: Descent, state: State, steps: int, save_every: int, *, with_first: bool
) -> Iterator[tuple[State, dict[str, Any]]]:
    """States and blocks of rows, from the start's own row on.

    Blocks grow while they take less than half a second, so that small runs are fast, Ctrl-C and
    progress prompt."""
    size = _block_size(descent)
    if with_first:
        yield state, first_row(descent, state)
    left, num_saves = steps // save_every, 1
    while left and int(state.diverged_at) < 0:
        num_saves = min(num_saves, left, size)
        begun = time.perf_counter()
        state, rows = _block(descent, state, num_saves, save_every)
        left -= num_saves
        yield state, rows
        if time.perf_counter() - begun < 0.5:
            num_saves *= 2
    if steps % save_every and int(state.diverged_at) < 0:
        yield _block(descent, state, 1, steps % save_every)
