"""Laws from which initial weights are drawn. Every law needs a key, and each edge and node a key of its own name."""

import abc
import zlib
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import as_key, check_positive, fail
from racedyn._types import Array, Weights
from racedyn.networks.network import Network
from racedyn.tasks.task import Task


class AbstractLaw(eqx.Module):
    """A law of initial weights; `draw` returns edge -> (n_target, n_source), in JAX's default real dtype."""

    @abc.abstractmethod
    def draw(self, network: Network, *, key: Any, task: Task | None) -> Weights:
        """Weights of `network`, drawn with `key` (a whole number or a JAX key)."""


class Gaussian(AbstractLaw):
    """Independent entries N(0, std^2). [Shi22]'s N(0, sigma^2 / N) is std = sigma / sqrt(N)."""

    std: float = eqx.field(converter=lambda value: check_positive("std", value))

    def draw(self, network: Network, *, key: Any, task: Task | None = None) -> Weights:
        return {edge: self.std * jax.random.normal(_key_of(key, edge), network.shape(edge)) for edge in network.edges}


class Orthogonal(AbstractLaw):
    """Each matrix has orthonormal rows or columns (whichever are fewer), times `scale`."""

    scale: float = eqx.field(default=1.0, converter=lambda value: check_positive("scale", value))

    def draw(self, network: Network, *, key: Any, task: Task | None = None) -> Weights:
        return {
            edge: self.scale * jax.random.orthogonal(_key_of(key, edge), n=min(shape), m=max(shape))
            if (shape := network.shape(edge))[0] <= shape[1]
            else self.scale * jax.random.orthogonal(_key_of(key, edge), n=min(shape), m=max(shape)).T
            for edge in network.edges
        }


class Aligned(AbstractLaw):
    """Every edge carries strength `scale` in each of the task's modes: W_e = scale R_target R_source^T.

    R is V at an input node, U at an output node and a random orthonormal frame at a hidden one ([Saxe14], [Saxe22]'s
    "decoupled" start). Raises `ValueError` without a task, where a layer is narrower than the number of modes, or where
    the pairs that meet at a node have different bases.
    """

    scale: float = eqx.field(converter=lambda value: check_positive("scale", value))

    def draw(self, network: Network, *, key: Any, task: Task | None = None) -> Weights:
        if task is None:
            fail(
                "task",
                "be given: `Aligned` is read in its modes",
                "it is None",
                "network.init(law, task=task, key=...)",
            )
        frames = _aligned_frames(network, task, key)
        return {edge: self.scale * frames[t] @ frames[s].T for edge, (s, t) in network.edges.items()}


class Balanced(AbstractLaw):
    """Balanced weights: at every hidden node the sum over incoming W W^T equals the sum over outgoing W^T W.

    W_e = c_e R_target diag(s) R_source^T with orthonormal frames R and c_e^2 the number of paths through e, which is
    the same in and out of every hidden node; the edge with the fewest paths has c_e = 1. With a task the frames at inputs
    and outputs are its modes and s = `scale`; without one all frames are random and s = |N(0, scale^2)|.
    """

    scale: float = eqx.field(converter=lambda value: check_positive("scale", value))

    def draw(self, network: Network, *, key: Any, task: Task | None = None) -> Weights:
        counts = network.count_paths()
        fewest = min(counts.values())
        if task is not None:
            frames = _aligned_frames(network, task, key)
            values = jnp.full(next(iter(frames.values())).shape[1], self.scale)
        else:
            size = min(node.width for node in network.nodes.values())
            frames = {name: _frame(_key_of(key, name), node.width, size) for name, node in network.nodes.items()}
            values = self.scale * jnp.abs(jax.random.normal(_key_of(key, "singular values"), (size,)))
        return {
            edge: (counts[edge] / fewest) ** 0.5 * (frames[target] * values) @ frames[source].T
            for edge, (source, target) in network.edges.items()
        }


def _key_of(key: Any, name: str) -> Array:
    """The key of one edge or node: it depends on its name, not on its place in the network."""
    return jax.random.fold_in(as_key(key, "network.init(law, key=0)"), zlib.crc32(name.encode()))


def _frame(key: Array, rows: int, columns: int) -> Array:
    """A random orthonormal frame, (rows, columns)."""
    return jax.random.orthogonal(key, n=columns, m=rows).T


def _aligned_frames(network: Network, task: Task, key: Any) -> dict[str, Array]:
    """A frame per node: V at inputs, U at outputs, random at hidden nodes; (units, mode)."""
    frames: dict[str, Any] = {}
    edges = network.edges
    pairs = {(edges[path[0]][0], edges[path[-1]][1]): None for path in network.paths()}
    for source, target in pairs:
        modes = task.pair_modes(source, target)
        for node, basis in ((source, modes.V), (target, modes.U)):
            known = frames.get(node, basis)
            if not np.array_equal(known, basis) and (known.shape != basis.shape or not np.allclose(known, basis)):
                fail("task", f"have the same modes in every pair that meets at {node!r}", "they differ",
                     "Draw from init.Gaussian, or give the pairs common bases.")  # fmt: skip
            frames[node] = basis
    sizes = {frame.shape[1] for frame in frames.values()}
    if len(sizes) > 1:
        fail("task", "have the same number of modes in every pair", f"the numbers are {sorted(sizes)}")
    size = sizes.pop()
    for name, node in network.nodes.items():
        if node.width < size:
            fail("network", f"be at least as wide as the task has modes, {size}", f"{name!r} has {node.width} units")
        frames[name] = jnp.asarray(frames[name]) if name in frames else _frame(_key_of(key, name), node.width, size)
    return frames
