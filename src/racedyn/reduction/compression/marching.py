"""Ways on in time of a network in few dimensions: descent by steps, or the flow; with rows on the
way.
"""

import abc
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.ode import odeint

from racedyn._jit import brief_jit
from racedyn._types import Array, Path, Weights
from racedyn.networks import Network, Node
from racedyn.paths import Pair, observe_paths
from racedyn.reduction.bases import gated_alike
from racedyn.rules import Data, Stages, loss_and_gradient, loss_of, scaled, stepped
from racedyn.tasks import Modes

_MULTIPLE = 16  # of which widths are multiples
_AHEAD = 32  # directions, at most, that the first width has room for beyond those that are there
_MAX_STEPS = 1_000_000  # of the flow between two rows


class March(eqx.Module):
    """How a network goes on. `weight_decay`: its rate, or None."""

    weight_decay: Array | None
    stages: Stages = eqx.field(static=True)

    @abc.abstractmethod
    def over(self, network: Network, data: Data, weights: Weights, span: Array) -> Weights:
        """Weights after a span: of steps, or of time."""

    @abc.abstractmethod
    def shrunk(self, span: float) -> float:
        """What weight decay leaves after a span of a matrix that nothing else moves."""


class Descent(March):
    """Plain steps of gradient descent. `lr`: flow time of one."""

    lr: Array

    def over(self, network: Network, data: Data, weights: Weights, span: Array) -> Weights:
        def step(_: Array, weights: Weights) -> Weights:
            _, gradient = loss_and_gradient(network, weights, data, self.stages, self.weight_decay)
            return stepped(weights, scaled(network, gradient, jnp.ones(())), self.lr)

        return jax.lax.fori_loop(0, span, step, weights)

    def shrunk(self, span: float) -> float:
        rate = 0.0 if self.weight_decay is None else float(self.lr * self.weight_decay)
        return float((1.0 - rate) ** span)


class Flow(March):
    """Gradient flow. `rtol`: relative error of a step, in units of the largest entry."""

    rtol: float = eqx.field(static=True)

    def over(self, network: Network, data: Data, weights: Weights, span: Array) -> Weights:
        # Entries that are small by chance are known in units of the usual one.
        squares = sum((jnp.sum(w**2) for w in weights.values()), start=jnp.zeros(()))
        filled = sum((jnp.sum((w != 0).astype(w.dtype)) for w in weights.values()), jnp.zeros(()))
        usual = jnp.sqrt(squares / jnp.maximum(filled, 1.0))

        def field(scaled_weights: Weights, t: Array) -> Weights:
            here = jax.tree.map(lambda w: usual * w, scaled_weights)
            _, gradient = loss_and_gradient(network, here, data, self.stages, self.weight_decay)
            return jax.tree.map(lambda g: -g / usual, gradient)

        with jax.numpy_dtype_promotion("standard"):  # odeint mixes whole numbers with reals
            there = odeint(
                field,
                jax.tree.map(lambda w: w / usual, weights),
                jnp.stack([jnp.zeros(()), span]),
                rtol=self.rtol,
                atol=self.rtol,
                mxstep=_MAX_STEPS,
            )
        # A span of 0, as padding has it, is none to an integrator that divides by it.
        return jax.tree.map(
            lambda rows, w: jnp.where(span > 0, usual * rows[-1], w), there, weights
        )

    def shrunk(self, span: float) -> float:
        return 1.0 if self.weight_decay is None else float(np.exp(-float(self.weight_decay) * span))


class Reader(eqx.Module):
    """What is read off weights: the loss, the paths' strengths and, if asked for, their maps."""

    floor: Array
    modes: tuple[tuple[Pair, Modes], ...] = eqx.field(static=True)
    paths: tuple[Path, ...] = eqx.field(static=True)
    matrices: bool = eqx.field(static=True, default=False)

    def row(self, network: Network, data: Data, weights: Weights) -> dict[str, Array]:
        row = {"loss": loss_of(network, weights, data) + self.floor}
        if self.paths:
            modes = dict(self.modes)
            row |= observe_paths(network, weights, modes, self.paths, matrices=self.matrices)
        return row


@brief_jit(eqx.filter_jit)
def rows_of(
    march: March, reader: Reader, network: Network, data: Data, weights: Weights, spans: Array
) -> tuple[Weights, dict[str, Any]]:
    """The network after all `spans`, (row,), and a row after each."""

    def on(weights: Weights, span: Array) -> tuple[Weights, dict[str, Any]]:
        weights = march.over(network, data, weights, span)
        return weights, reader.row(network, data, weights)

    return jax.lax.scan(on, weights, spans)


class Room:
    """Narrow networks as they are compiled: rows and columns of zeros, which stay zero, fill their
    matrices up to one width at all inner nodes. There are few widths, as each is a compilation:
    where bases are `growing` they are larger than needed.
    """

    def __init__(self, network: Network, *, growing: bool = False):
        self._wide, self._ends = network, {*network.inputs, *network.outputs}
        self._growing = growing
        self._networks: dict[int, Network] = {}

    def filled(self, weights: Mapping[str, np.ndarray]) -> tuple[Network, Weights]:
        """The narrowest network that holds these weights, and weights of its shapes."""
        needed = self._needed(weights)
        fitting = [width for width in self._networks if needed <= width]
        network = self._networks[min(fitting)] if fitting else self._new(needed)
        return network, widened(network, weights)

    def _needed(self, weights: Mapping[str, np.ndarray]) -> int:
        sizes = [
            size
            for edge, nodes in self._wide.edges.items()
            for node, size in zip(nodes[::-1], np.shape(weights[edge]), strict=True)
            if node not in self._ends
        ]
        return max(sizes, default=1)

    def _new(self, needed: int) -> Network:
        ahead = _MULTIPLE if self._networks else min(2 * needed, _AHEAD)
        width = -(-(needed + ahead * self._growing) // _MULTIPLE) * _MULTIPLE
        nodes = {
            node: Node(had if node in self._ends else width)
            for node, (had, _) in self._wide.nodes.items()
        }
        self._networks[width] = gated_alike(self._wide, nodes, self._wide.edges)
        return self._networks[width]


def widened(network: Network, weights: Mapping[str, Any]) -> Weights:
    """Weights with rows and columns of zeros up to the widths of `network`."""
    found = {edge: np.zeros(network.shape(edge)) for edge in weights}
    for edge, matrix in weights.items():
        rows, columns = np.shape(matrix)
        found[edge][:rows, :columns] = matrix
    return {edge: jax.device_put(matrix) for edge, matrix in found.items()}


def cut(weights: Weights, like: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Padded weights without their padding."""
    return {
        edge: np.asarray(weights[edge])[: matrix.shape[0], : matrix.shape[1]]
        for edge, matrix in like.items()
    }
