"""Laws from which initial weights are drawn. Every law needs a key, and each edge and node a key of
its own name.
"""

import abc
import math
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import as_key, check_name, check_positive, fail
from racedyn._jit import brief_jit, is_traced
from racedyn._types import Array, Weights
from racedyn.networks.gating import refuse_unit_gates
from racedyn.networks.network import Network
from racedyn.tasks import Task, canonical_svd

# A law is a note of what is to be drawn, and no array: what is differentiated or mapped are the
# weights.
_SCALED = "Draw the weights with 1.0 and multiply them: jax.tree.map(lambda w: std * w, weights)."
_SHORT = 2**20  # numbers in a matrix; 2**20 are drawn in 30 ms, a program is compiled in 200


class AbstractLaw(eqx.Module):
    """A law of initial weights; `draw` returns edge -> (n_target, n_source), in JAX's default real
    dtype.
    """

    @abc.abstractmethod
    def draw(self, network: Network, *, key: Any, task: Task | None) -> Weights:
        """Weights of `network`, drawn with `key` (a whole number or a JAX key)."""


class Gaussian(AbstractLaw):
    """Independent entries N(0, std^2). [Shi22]'s N(0, sigma^2 / N) is std = sigma / sqrt(N).

    >>> network = rd.networks.chain(rd.tasks.hierarchy(items=4), depth=2, width=100)
    >>> weights = network.init(rd.init.Gaussian(std=0.02), key=0)
    >>> weights["w2"].shape, f"{weights['w2'].std():.3f}"
    ((7, 100), '0.020')
    """

    std: float = eqx.field(converter=lambda value: check_positive("std", value, traced=_SCALED))

    def draw(self, network: Network, *, key: Any, task: Task | None = None) -> Weights:
        normal = _normals(_as_key(key), {edge: network.shape(edge) for edge in network.edges})
        with np.errstate(over="ignore"):  # whoever takes weights refuses what is infinite, by name
            # Not jnp.asarray, which compiles a program for each shape of NumPy's.
            return {edge: jax.device_put(self.std * matrix) for edge, matrix in normal.items()}


class Orthogonal(AbstractLaw):
    """Each matrix has orthonormal rows or columns (whichever are fewer), times `scale`.

    >>> network = rd.networks.chain(rd.tasks.hierarchy(items=4), depth=2, width=8)
    >>> weights = network.init(rd.init.Orthogonal(scale=0.1), key=0)
    >>> rd.representations.singular_values(weights)["w1"].round(3).tolist()
    [0.1, 0.1, 0.1, 0.1]
    """

    scale: float = eqx.field(
        default=1.0, converter=lambda value: check_positive("scale", value, traced=_SCALED)
    )

    def draw(self, network: Network, *, key: Any, task: Task | None = None) -> Weights:
        return {
            edge: self.scale * jax.random.orthogonal(_key_of(key, edge), n=min(shape), m=max(shape))
            if (shape := network.shape(edge))[0] <= shape[1]
            else self.scale
            * jax.random.orthogonal(_key_of(key, edge), n=min(shape), m=max(shape)).T
            for edge in network.edges
        }


class Aligned(AbstractLaw):
    """Every edge carries strength `scale` in each mode: W_e = scale R_target R_source^T ([Saxe14],
    [Saxe22] "decoupled").

    R is a random orthonormal frame at a hidden node, and at inputs and outputs that of the modes:
    with `bases` "nodes" the task's V and U; with "paths" the singular vectors of each path's own
    Sigma_yx(p), for paths that share no edge (as in `networks.xor`). Raises `ValueError` without a
    task, where a layer is narrower than the number of modes, where the pairs that meet at a node
    have different bases, and for a path that has nothing to learn.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.chain(task, depth=2, width=8)
        >>> weights = network.init(rd.init.Aligned(scale=0.1), key=0, task=task)
        >>> seen = rd.paths.observe_paths(network, weights, task.all_modes(), network.paths())
        >>> seen["strength"].round(3).tolist()
        [[0.01, 0.01, 0.01, 0.01]]
    """

    scale: float = eqx.field(converter=lambda value: check_positive("scale", value, traced=_SCALED))
    bases: str = eqx.field(
        default="nodes", converter=lambda name: check_name("bases", name, ("nodes", "paths"))
    )

    def draw(self, network: Network, *, key: Any, task: Task | None = None) -> Weights:
        if task is None:
            fail(
                "task",
                "be given: `Aligned` is read in its modes",
                "it is None",
                "network.init(law, task=task, key=...)",
            )
        if self.bases == "paths":
            return {
                edge: self.scale * after @ before.T
                for edge, before, after in _frames_along_paths(network, task, key)
            }
        frames = _aligned_frames(network, task, key)
        return {
            edge: self.scale * frames[t] @ frames[s].T for edge, (s, t) in network.edges.items()
        }


class Balanced(AbstractLaw):
    """Balanced weights: at every hidden node the sum over incoming W W^T equals the sum over
    outgoing W^T W.

    W_e = c_e R_target diag(s) R_source^T with orthonormal frames R and c_e^2 the number of paths
    through e, which is the same in and out of every hidden node; the edge with the fewest paths has
    c_e = 1. With a task the frames at inputs and outputs are its modes and s = `scale`; without one
    all frames are random and s = |N(0, scale^2)|.

        >>> network = rd.networks.chain(rd.tasks.hierarchy(items=4), depth=2, width=8)
        >>> weights = network.init(rd.init.Balanced(scale=0.1), key=0)
        >>> np.allclose(weights["w1"] @ weights["w1"].T, weights["w2"].T @ weights["w2"])
        True
    """

    scale: float = eqx.field(converter=lambda value: check_positive("scale", value, traced=_SCALED))

    def draw(self, network: Network, *, key: Any, task: Task | None = None) -> Weights:
        counts = network.count_paths()
        fewest = min(counts.values())
        if task is not None:
            frames = _aligned_frames(network, task, key)
            values = jnp.full(next(iter(frames.values())).shape[1], self.scale)
        else:
            size = min(node.width for node in network.nodes.values())
            frames = {
                name: _frame(_key_of(key, name), node.width, size)
                for name, node in network.nodes.items()
            }
            values = self.scale * jnp.abs(
                jax.random.normal(_key_of(key, "singular values"), (size,))
            )
        return {
            edge: (counts[edge] / fewest) ** 0.5 * (frames[target] * values) @ frames[source].T
            for edge, (source, target) in network.edges.items()
        }


def _as_key(key: Any) -> Array:
    return as_key(key, "network.init(law, key=0)")


def _key_of(key: Any, name: str) -> Array:
    """The key of one edge or node: it depends on its name, not on its place in the network."""
    return jax.random.fold_in(_as_key(key), _number_of(name))


def _number_of(name: str) -> np.uint32:
    return np.uint32(zlib.crc32(name.encode()))


def _normals(key: Array, shapes: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """Name -> a matrix of independent N(0, 1): what `jax.random.normal` draws with the name's key.

    It would compile a program for each shape. Where every number comes from its place in the row
    alone, a matrix is the beginning of any longer row, so that one program serves all matrices, and
    those of the next network too. Large ones, to whose draw a program adds little, have their own.
    """
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    short = max((size for size in sizes.values() if size <= _SHORT), default=0)
    if is_traced(key) or not _counts_places(key):
        short = 0
    length = 1 << (short - 1).bit_length() if short else 0
    return {
        name: np.asarray(_normal_row(key, _number_of(name), length))[: sizes[name]].reshape(shape)
        if short and sizes[name] <= short
        else jax.random.normal(_key_of(key, name), shape)
        for name, shape in shapes.items()
    }


def _counts_places(key: Array) -> bool:
    return (
        jax.random.key_impl(key) == "threefry2x32" and jax.config.jax_threefry_partitionable  # type: ignore[attr-defined]
    )


@brief_jit(static_argnums=2)
def _normal_row(key: Array, number: np.uint32, length: int) -> Array:
    return jax.random.normal(jax.random.fold_in(key, number), (length,))


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
            if not np.array_equal(known, basis) and (
                known.shape != basis.shape or not np.allclose(known, basis)
            ):
                fail(
                    "task",
                    f"have the same modes in every pair that meets at {node!r}",
                    "they differ",
                    "Draw from init.Gaussian, or give the pairs common bases.",
                )
            frames[node] = basis
    sizes = {frame.shape[1] for frame in frames.values()}
    if len(sizes) > 1:
        fail(
            "task",
            "have the same number of modes in every pair",
            f"the numbers are {sorted(sizes)}",
        )
    size = sizes.pop()
    for name, node in network.nodes.items():
        _check_width(network, name, size)
        frames[name] = (
            jnp.asarray(frames[name])
            if name in frames
            else _frame(_key_of(key, name), node.width, size)
        )
    return frames


def _frames_along_paths(
    network: Network, task: Task, key: Any
) -> Iterator[tuple[str, Array, Array]]:
    """Each edge with the frames before and after it, path by path."""
    paths = network.paths()
    if sum(map(len, paths)) != len(network.edges):
        fail("bases", "be 'nodes' where paths share edges", "it is 'paths'")
    refuse_unit_gates(network)
    for path in paths:
        source, target = network.ends(path)
        # Sigma_yx(p) = < g_p y x^T >, g_p the product of all gates on the path.
        gate = np.ones(network.num_contexts)
        for table in (network.edge_gates.get(edge) for edge in path):
            gate = gate if table is None else gate * table
        for table in (
            network.node_gates.get(node)
            for node in (source, *(network.edges[edge][1] for edge in path))
        ):
            gate = gate if table is None else gate * table
        sigma = (
            task.targets[target] * gate[task.context] @ task.inputs[source].T / task.num_examples
        )
        if np.linalg.norm(sigma) <= 1e-12 * np.linalg.norm(task.targets[target]) * np.linalg.norm(
            task.inputs[source]
        ):
            fail(
                "task",
                "correlate inputs and outputs along every path",
                f"Sigma_yx of {path} is zero",
                "That path has nothing to learn: look at the gates.",
            )
        U, _, V = canonical_svd(sigma)
        inner = [network.edges[edge][1] for edge in path[:-1]]
        for node in inner:
            _check_width(network, node, V.shape[1])
        frames = [
            _frame(_key_of(key, node), network.nodes[node].width, V.shape[1]) for node in inner
        ]
        for edge, (before, after) in zip(
            path, pairwise([jnp.asarray(V), *frames, jnp.asarray(U)]), strict=True
        ):
            yield edge, before, after


def _check_width(network: Network, node: str, modes: int) -> None:
    if (width := network.nodes[node].width) < modes:
        fail(
            "network",
            f"be at least as wide as the task has modes, {modes}",
            f"{node!r} has {width} units",
        )
