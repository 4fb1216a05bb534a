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
from racedyn.networks import Network
from racedyn.rules import Stages, batch_of, loss_and_gradient, scaled, stepped
from racedyn.training.observation import Observer

ROWS_PER_BLOCK = 64


def heavy_ball(step: float, momentum: float) -> optax.GradientTransformation:
    """Descent with momentum: v <- momentum v + gradient, weights move by -step v."""
    return optax.sgd(step, momentum=momentum)


class State(eqx.Module):
    """Where descent stands. `diverged_at`: the first step whose loss was not finite, or -1;
    `settled_at`: the first saved one whose loss is as small as was asked for, or -1."""

    weights: Weights
    optimiser: Any
    step: Array
    diverged_at: Array
    settled_at: Array


class Descent(eqx.Module):
    """What is descended, how, and what is observed; see `racedyn.train`. `until`: the loss at which
    it ends; `key`: from which the examples of each step are drawn, `batch_size` of them; `apart`:
    the network with copies of what stages share, if any do; `starts`: the steps at which they
    begin, none where all do at 0."""

    observer: Observer
    factor: Array
    lr: Array
    weight_decay: Array | None
    optimiser: optax.GradientTransformation | None
    until: Array | None
    key: Array | None
    apart: Network | None
    batch_size: int | None = eqx.field(static=True)
    stages: Stages = eqx.field(static=True)
    starts: tuple[int, ...] = eqx.field(static=True)
    save_weights: bool = eqx.field(static=True)

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
        never = jnp.asarray(-1)
        return State(weights, optimiser, jnp.asarray(step), never, never)

    def step(self, state: State) -> State:
        """One step, all weights updated at once from the old values."""
        network, data = self.observer.network, self.observer.data
        if self.batch_size is not None:
            data = batch_of(data, self.examples(state.step))
        loss, gradient = loss_and_gradient(
            network,
            state.weights,
            data,
            self.stages,
            self.weight_decay,
            apart=self.apart,
            starts=self.starts,
            step=state.step,
            kind=self.observer.kind,
        )
        gradient = scaled(network, gradient, self.factor)
        if self.optimiser is None:
            weights, optimiser = stepped(state.weights, gradient, self.lr), None
        else:
            # optax mixes whole numbers with reals: it must not fail where the user's JAX promotes
            # strictly.
            with jax.numpy_dtype_promotion("standard"):
                updates, optimiser = self.optimiser.update(gradient, state.optimiser, state.weights)
            weights = optax.apply_updates(state.weights, updates)
        diverged_at = jnp.where(jnp.isfinite(loss), state.diverged_at, state.step)
        return State(weights, optimiser, state.step + 1, diverged_at, state.settled_at)

    def examples(self, step: Array) -> Array:
        """The examples of one step's batch, (batch_size,): no two the same, and drawn from all of
        them whatever other steps have drawn. The step's number makes its key, so that it does not
        matter where a run was interrupted."""
        assert self.key is not None and self.batch_size is not None
        num = self.observer.data.num_examples
        key = jax.random.fold_in(jax.random.wrap_key_data(self.key), step)
        drawn = jax.random.bits(key, (num,))
        return jax.lax.top_k(drawn, self.batch_size)[1]

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
) -> tuple[State, Array, Any]:
    """`num_saves` times `save_every` steps, a row after each: the new state, how many rows, and
    these in buffers of `size` >= num_saves.

    Counts are traced, so that a run compiles once. It stops where the loss stops being finite, and
    at the first row where it is as small as was asked for, wherever blocks begin and end."""

    def row_of(state: State) -> Any:
        weights = state.weights if descent.save_weights else None
        return {
            "observables": descent.observe(state.weights),
            "step": state.step,
            "weights": weights,
        }

    def save(carry: tuple[State, Array, Any]) -> tuple[State, Array, Any]:
        state, i, rows = carry
        end = state.step + save_every
        state = jax.lax.while_loop(
            lambda s: (s.step < end) & (s.diverged_at < 0), lambda s: descent.step(s), state
        )
        row = row_of(state)
        if descent.until is not None:
            settles = (row["observables"]["loss"] <= descent.until) & (state.settled_at < 0)
            settled_at = jnp.where(settles, state.step, state.settled_at)
            state = eqx.tree_at(lambda s: s.settled_at, state, settled_at)
        rows = jax.tree.map(lambda buffer, value: buffer.at[i].set(value), rows, row)
        return state, i + 1, rows

    empty = jax.tree.map(
        lambda leaf: jnp.zeros((size, *leaf.shape), leaf.dtype), jax.eval_shape(row_of, state)
    )
    return jax.lax.while_loop(
        lambda carry: (carry[1] < num_saves) & (carry[0].settled_at < 0),
        save,
        (state, jnp.zeros_like(num_saves), empty),
    )


def block_size(descent: Descent) -> int:
    """Rows of one call of `advance`."""
    return 1 if descent.save_weights else ROWS_PER_BLOCK


def _block(
    descent: Descent, state: State, num_saves: int, every: int
) -> tuple[State, dict[str, Any]]:
    """`num_saves` rows on the host, or fewer where it ends, `every` steps before each."""
    state, num_rows, rows = advance(
        descent, state, block_size(descent), jnp.asarray(num_saves), jnp.asarray(every)
    )
    return state, jax.tree.map(lambda buffer: np.asarray(buffer)[: int(num_rows)], rows)


def first_row(descent: Descent, state: State) -> dict[str, Any]:
    """The row of a state that has made no step."""
    return _block(descent, state, 1, 0)[1]


def calls(
    steps: int, save_every: int, most: int, *, with_first: bool = True
) -> Iterator[tuple[int, int]]:
    """What `advance` is to do in one call after the other: how many rows, and how many steps before
    each; first the start's own row.

    Rows become more, up to `most`, while what is done between two of them takes less than half a
    second, so that small runs are fast, Ctrl-C and progress prompt."""
    if with_first:
        yield 1, 0
    left, num_saves = steps // save_every, 1
    while left:
        num_saves = min(num_saves, left, most)
        begun = time.perf_counter()
        yield num_saves, save_every
        left -= num_saves
        if time.perf_counter() - begun < 0.5:
            num_saves *= 2
    if rest := steps % save_every:
        yield 1, rest


def blocks(
    descent: Descent, state: State, steps: int, save_every: int, *, with_first: bool
) -> Iterator[tuple[State, dict[str, Any]]]:
    """States and blocks of rows, from the start's own row on."""
    size = block_size(descent)
    for num_saves, every in calls(steps, save_every, size, with_first=with_first):
        if not _goes_on(state):
            return
        state, rows = _block(descent, state, num_saves, every)
        yield state, rows


def _goes_on(state: State) -> bool:
    return int(state.diverged_at) < 0 and int(state.settled_at) < 0
