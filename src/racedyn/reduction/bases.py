"""Bases for every node: closed under all initial matrices (level "matrix"), or one direction per
mode (level "modes").
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from racedyn._checks import fail
from racedyn.networks import Network
from racedyn.paths import Statistics, off_diagonal

Matrices = Mapping[str, np.ndarray]


def gated_alike(
    network: Network, nodes: Mapping[str, Any], edges: Mapping[str, tuple[str, str]]
) -> Network:
    """A network of other widths or edges with the gates of `network`, name by name."""
    return Network(
        dict(nodes),
        dict(edges),
        node_gates=network.node_gates,
        edge_gates=network.edge_gates,
        num_contexts=network.num_contexts,
    )


class Closed(NamedTuple):
    """Orthonormal bases (n, k) per node. `residual`: what of W_e H_s and W_e^T H_t lies outside
    them, relative, at most.

    `grown`: whether bases went on growing after the first sweep until they filled every inner node.
    """

    bases: dict[str, np.ndarray]
    residual: float
    grown: bool


def closed_bases(
    network: Network, weights: Matrices, tolerance: float, *, sweeps: int | None = None
) -> Closed:
    """Spaces that hold all signals and that every initial matrix maps into each other (a block
    Krylov space).

    Complete at inputs and outputs; at an inner node they start with the images of all inputs and,
    backwards, of all outputs. Learning moves W_e only within span(backward) x span(forward), so
    that a network projected on closed bases trains exactly like the whole one. They close after one
    sweep for two layers with any weights, for balanced weights, and in chains with square
    orthogonal inner matrices. `tolerance`: what counts as rounding, relative to a matrix; `sweeps`:
    stop after so many, closed or not."""
    inner = [node for node in network.order if node not in (*network.inputs, *network.outputs)]
    bases = {
        node: np.eye(network.nodes[node].width) for node in (*network.inputs, *network.outputs)
    }
    bases |= {node: np.zeros((network.nodes[node].width, 0)) for node in inner}
    sizes: list[list[int]] = []
    # A sweep that adds no direction is the last one.
    for _ in range(
        sum(network.nodes[node].width for node in inner) + 2 if sweeps is None else sweeps
    ):
        for node in inner:
            for edge in network.edges_into(node):
                bases[node] = _extended(
                    bases[node], weights[edge], bases[network.edges[edge][0]], tolerance
                )
        for node in reversed(inner):
            for edge in network.edges_from(node):
                bases[node] = _extended(
                    bases[node], weights[edge].T, bases[network.edges[edge][1]], tolerance
                )
        sizes.append([bases[node].shape[1] for node in inner])
        if len(sizes) > 1 and sizes[-1] == sizes[-2]:
            break
    for node in inner:
        if bases[node].shape[1] == 0:  # all its weights are zero and stay so: any direction will do
            bases[node] = np.eye(len(bases[node]))[:, :1]
    full = [network.nodes[node].width for node in inner]
    grown = bool(inner) and sizes[-1] == full and sizes[0] != full
    return Closed(bases, images_outside(network, weights, bases), grown)


def images_outside(network: Network, weights: Matrices, bases: Mapping[str, np.ndarray]) -> float:
    """What of W_e H_s and W_e^T H_t lies outside the bases, relative, at most."""
    residual = 0.0
    for edge, (source, target) in network.edges.items():
        for matrix, start, end in (
            (weights[edge], source, target),
            (weights[edge].T, target, source),
        ):
            image = matrix @ bases[start]
            norm = np.linalg.norm(image)
            if norm:
                outside = image - bases[end] @ (bases[end].T @ image)
                residual = max(residual, float(np.linalg.norm(outside) / norm))
    return residual


def _extended(
    basis: np.ndarray, matrix: np.ndarray, start: np.ndarray, tolerance: float
) -> np.ndarray:
    """`basis` with what `matrix` makes of `start` and is not in it yet, to rounding."""
    room = basis.shape[0] - basis.shape[1]
    if room == 0 or start.shape[1] == 0:
        return basis
    image = matrix @ start
    for _ in range(2):  # twice: the first time leaves rounding of the size of the image
        image = image - basis @ (basis.T @ image)
    left, values, _ = np.linalg.svd(image, full_matrices=False)
    fresh = left[:, values > tolerance * np.linalg.norm(matrix)][:, :room]
    return np.concatenate([basis, fresh], axis=1)


class Frames(NamedTuple):
    """One direction per mode and node: `frames` node -> (n, mode); `differ`: how far pairs' modes
    disagree at a node.
    """

    frames: dict[str, np.ndarray]
    differ: float


def mode_frames(network: Network, statistics: Statistics, weights: Matrices) -> Frames:
    """V at inputs and U at outputs; at inner nodes the directions into which the weights carry the
    modes.

    Raises `ValueError` where pairs of inputs and outputs have different numbers of modes.
    """
    frames: dict[str, np.ndarray] = {}
    differ = 0.0
    joined = {(known.source, known.target) for known in statistics.classes}
    for (source, target), modes in statistics.task.all_modes().items():
        if (source, target) not in joined:
            continue
        for node, basis in ((source, modes.V), (target, modes.U)):
            if frames.setdefault(node, basis).shape != basis.shape:
                fail(
                    "level",
                    "not be 'modes' where pairs have different numbers of modes",
                    f"at {node!r} they have {frames[node].shape[1]} and {basis.shape[1]}",
                )
            differ = max(differ, float(np.abs(frames[node] - basis).max()))
    for node in (*network.inputs, *network.outputs):
        if node not in frames:
            fail(
                "level",
                "be 'matrix' or 'full', or `bases` be 'paths', where a node has no modes of the "
                "task",
                f"{node!r} has none",
            )
    size = {frame.shape[1] for frame in frames.values()}.pop()
    frames = carried_frames(network, weights, frames)
    if len({frame.shape[1] for frame in frames.values()}) > 1:
        narrow = [node for node, frame in frames.items() if frame.shape[1] < size]
        fail(
            "level",
            f"be 'matrix' or 'full' where a node has fewer units than the task has modes, {size}",
            f"{narrow} do",
        )
    return Frames(frames, differ)


def carried_frames(
    network: Network, weights: Matrices, known: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Frames of inner nodes as well: the directions into which the weights carry those of the
    inputs.
    """
    frames = dict(known)
    for node in network.order:
        if node not in frames and node not in network.outputs:
            images = np.stack(
                [
                    weights[edge] @ frames[network.edges[edge][0]]
                    for edge in network.edges_into(node)
                ]
            )
            # (edge, n, mode): each mode has the direction of the edge that carries most of it, as a
            # sum over edges could cancel.
            strongest = np.argmax(np.linalg.norm(images, axis=1), axis=0)
            frames[node] = _orthonormal(
                np.stack([images[i, :, a] for a, i in enumerate(strongest)], axis=1)
            )
    return frames


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    """The orthonormal frame nearest to these directions; a direction of its own for a column that
    is zero.
    """
    norms = np.linalg.norm(columns, axis=0)
    left, _, right = np.linalg.svd(columns / np.where(norms > 0, norms, 1), full_matrices=False)
    return np.asarray(left @ right)


def weight_misalignment(
    network: Network, weights: Matrices, frames: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Edge -> norm of what of W_e is not R_target diag R_source^T, over its norm."""
    return {
        edge: off_diagonal(weights[edge], frames[target], frames[source])
        for edge, (source, target) in network.edges.items()
    }
