"""Orthonormal frames at the nodes of a network, from which laws of initial weights build matrices:
random ones, and those of a task's modes.
"""

import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import as_key, fail
from racedyn._types import Array
from racedyn.networks.gating import refuse_unit_gates
from racedyn.networks.network import Network
from racedyn.tasks import Task, canonical_svd

REMEDY = "network.init(law, key=0)"


def key_of(key: Any, name: str) -> Array:
    """The key of one edge or node: it depends on its name, not on its place in the network."""
    return jax.random.fold_in(as_key(key, REMEDY), number_of(name))


def number_of(name: str) -> np.uint32:
    """A number of 32 bits for a name, the same on every machine."""
    return np.uint32(zlib.crc32(name.encode()))


def frame(key: Array, rows: int, columns: int) -> Array:
    """A random orthonormal frame, (rows, columns)."""
    return jax.random.orthogonal(key, n=columns, m=rows).T


def frames_of_modes(network: Network, task: Task, key: Any) -> dict[str, Array]:
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
            else frame(key_of(key, name), node.width, size)
        )
    return frames


def frames_along_paths(
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
        gate = np.ones(max(network.num_contexts, task.num_contexts))
        for table in (network.edge_gates.get(edge) for edge in path):
            gate = gate if table is None else gate * table
        for table in (
            network.node_gates.get(node)
            for node in (source, *(network.edges[edge][1] for edge in path))
        ):
            gate = gate if table is None else gate * table
        sigma = task.correlation(target, source, gate[: task.num_contexts])
        power_x = np.trace(task.sigma_x(source))
        if np.linalg.norm(sigma) <= 1e-12 * np.sqrt(task.power(target) * power_x):
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
        frames = [frame(key_of(key, node), network.nodes[node].width, V.shape[1]) for node in inner]
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


def completed(frame: Array, key: Any, name: str) -> Array:
    """An orthogonal matrix whose first columns are those of the `frame` of a node; the others are
    random."""
    rows, columns = frame.shape
    if rows == columns:
        return frame
    beyond = jnp.linalg.qr(frame, mode="complete")[0][:, columns:]
    turned = jax.random.orthogonal(key_of(key, f"{name}, beyond"), n=rows - columns)
    return jnp.concatenate([frame, beyond @ turned], axis=1)
