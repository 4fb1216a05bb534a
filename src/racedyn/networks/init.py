"""Laws from which initial weights are drawn. Every law needs a key, and each edge and node a key of
its own name.
"""

import abc
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import as_key, check_name, check_number, check_positive, fail
from racedyn._jit import brief_jit, is_traced
from racedyn._types import Array, Weights
from racedyn.networks.frames import (
    REMEDY,
    completed,
    frame,
    frames_along_paths,
    frames_of_modes,
    key_of,
    number_of,
)
from racedyn.networks.network import Network
from racedyn.tasks import Task

__all__ = ["AbstractLaw", "Aligned", "Balanced", "Gaussian", "Orthogonal"]

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
        normal = _normals(
            as_key(key, REMEDY), {edge: network.shape(edge) for edge in network.edges}
        )
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
            edge: self.scale * jax.random.orthogonal(key_of(key, edge), n=min(shape), m=max(shape))
            if (shape := network.shape(edge))[0] <= shape[1]
            else self.scale * jax.random.orthogonal(key_of(key, edge), n=min(shape), m=max(shape)).T
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
                for edge, before, after in frames_along_paths(network, task, key)
            }
        frames = frames_of_modes(network, task, key)
        return {
            edge: self.scale * frames[t] @ frames[s].T for edge, (s, t) in network.edges.items()
        }


class Balanced(AbstractLaw):
    """Balanced weights: at every hidden node the sum over incoming W W^T equals the sum over
    outgoing W^T W; or, with `imbalance` lambda in two-layer networks, W2^T W2 - W1 W1^T = lambda I
    ([Domine25]).

    W_e = c_e R_target diag(s) R_source^T with orthonormal frames R and c_e^2 the number of paths
    through e, which is the same in and out of every hidden node; the edge with the fewest paths has
    c_e = 1. With a task the frames at inputs and outputs are its modes and s = `scale`; without one
    all frames are random and s = |N(0, scale^2)|.

    Of lambda > 0 these s are those of the first matrix, and the second has sqrt(lambda + s^2), in
    all directions of its hidden layer; of lambda < 0 the other way round. The smaller matrix is the
    same whatever lambda. Raises `ValueError` where a path is not of two layers or shares an edge,
    and where the larger matrix would have to have orthogonal columns, or rows, more than it has
    rows, or columns: lambda > 0 needs n_hidden <= n_out, and lambda < 0 n_hidden <= n_in.

        >>> network = rd.networks.chain(rd.tasks.hierarchy(items=4), depth=2, width=8)
        >>> weights = network.init(rd.init.Balanced(scale=0.1), key=0)
        >>> np.allclose(weights["w1"] @ weights["w1"].T, weights["w2"].T @ weights["w2"])
        True
        >>> network = rd.networks.chain(rd.tasks.hierarchy(items=4), depth=2, width=3)
        >>> weights = network.init(rd.init.Balanced(scale=0.1, imbalance=-2.0), key=0)
        >>> off = weights["w2"].T @ weights["w2"] - weights["w1"] @ weights["w1"].T
        >>> np.allclose(off, -2 * np.eye(3), atol=1e-5)
        True
    """

    scale: float = eqx.field(converter=lambda value: check_positive("scale", value, traced=_SCALED))
    imbalance: float = eqx.field(
        default=0.0, converter=lambda value: check_number("imbalance", value)
    )

    def draw(self, network: Network, *, key: Any, task: Task | None = None) -> Weights:
        if self.imbalance:
            _check_imbalance(network, self.imbalance)
        if task is not None:
            frames = frames_of_modes(network, task, key)
            values = jnp.full(next(iter(frames.values())).shape[1], self.scale)
        else:
            size = min(node.width for node in network.nodes.values())
            frames = {
                name: frame(key_of(key, name), node.width, size)
                for name, node in network.nodes.items()
            }
            values = self.scale * jnp.abs(
                jax.random.normal(key_of(key, "singular values"), (size,))
            )
        if self.imbalance:
            return _with_imbalance(network, frames, values, self.imbalance, key)
        counts = network.count_paths()
        fewest = min(counts.values())
        return {
            edge: (counts[edge] / fewest) ** 0.5 * (frames[target] * values) @ frames[source].T
            for edge, (source, target) in network.edges.items()
        }


def _with_imbalance(
    network: Network, frames: dict[str, Array], values: Array, imbalance: float, key: Any
) -> Weights:
    """W2^T W2 - W1 W1^T = lambda I at every hidden node: one matrix of each path has these singular
    values, and the other is larger by lambda in all directions of the hidden layer."""
    whole = {name: completed(known, key, name) for name, known in frames.items()}
    found = {}
    for path in network.paths():
        small = jnp.zeros(network.shape(path[0])[0]).at[: len(values)].set(values)
        large = jnp.sqrt(abs(imbalance) + small**2)
        for edge, sizes in zip(path, (small, large)[:: 1 if imbalance > 0 else -1], strict=True):
            source, target = network.edges[edge]
            rank = min(len(sizes), *network.shape(edge))
            found[edge] = (whole[target][:, :rank] * sizes[:rank]) @ whole[source][:, :rank].T
    return found


def _check_imbalance(network: Network, imbalance: float) -> None:
    paths = network.paths()
    if {len(path) for path in paths} != {2} or 2 * len(paths) != len(network.edges):
        fail(
            "imbalance",
            "be 0 but for paths of two layers that share no edge",
            f"it is {imbalance:g} and the network has {len(network.edges)} edges in {len(paths)} "
            "paths",
        )
    for path in paths:
        hidden, out = network.edges[path[1]]
        end = out if imbalance > 0 else network.edges[path[0]][0]
        if network.nodes[hidden].width > network.nodes[end].width:
            side = "outputs, if positive" if imbalance > 0 else "inputs, if negative"
            fail(
                "imbalance",
                f"be 0 in layers of more units than {side}",
                f"it is {imbalance:g}, {hidden!r} has {network.nodes[hidden].width} units and "
                f"{end!r} {network.nodes[end].width}",
                "Take a narrower layer, or the other sign.",
            )


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
        name: np.asarray(_normal_row(key, number_of(name), length))[: sizes[name]].reshape(shape)
        if short and sizes[name] <= short
        else jax.random.normal(key_of(key, name), shape)
        for name, shape in shapes.items()
    }


def _counts_places(key: Array) -> bool:
    return (
        jax.random.key_impl(key) == "threefry2x32" and jax.config.jax_threefry_partitionable  # type: ignore[attr-defined]
    )


@brief_jit(static_argnums=2)
def _normal_row(key: Array, number: np.uint32, length: int) -> Array:
    return jax.random.normal(jax.random.fold_in(key, number), (length,))
