"""What settings keep of a task, bases and a network, to know them again: a few numbers each."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn.networks.network import Network
from racedyn.tasks import Modes, Task


def fingerprint(array: Any) -> list[float]:
    """A few numbers that two matrices share if they are equal to rounding: shape, norm, and two
    fixed projections.

    Not a hash: a task built anew on another machine may differ in its last digits.
    """
    matrix = np.atleast_2d(np.asarray(array, dtype=np.float64))
    largest = float(np.max(np.abs(matrix), initial=0.0)) or 1.0  # so that squares don't overflow
    numbers = [*map(float, matrix.shape), largest * float(np.linalg.norm(matrix / largest))]
    for step in (1.0, 2.0**0.5):
        left, right = (
            np.cos(step * np.arange(1, size + 1)) / max(size, 1) ** 0.5 for size in matrix.shape
        )
        numbers.append(float(left @ matrix @ right))
    return numbers


def same(one: Any, other: Any) -> bool:
    """Whether two nests of fingerprints are equal to rounding."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    shape, norm = list(one[:2]), one[2]
    return shape == list(other[:2]) and bool(
        np.allclose(one[2:], other[2:], rtol=0, atol=1e-9 * norm)
    )


def same_data(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two tasks, as settings keep them, are the same but for their names."""
    return all(same(one[part], other[part]) for part in ("inputs", "targets", "context"))


def task_said(task: Task) -> dict[str, Any]:
    """What settings keep of a task: its name, and fingerprints of its data."""
    return {"name": task.name} | {
        part: {name: fingerprint(array) for name, array in known.items()}
        if isinstance(known, Mapping)
        else fingerprint(known)
        for part, known in task.known_by.items()
    }


def bases_said(modes: Modes) -> dict[str, Any]:
    """What settings keep of the bases of one pair of nodes."""
    return {"U": fingerprint(modes.U), "V": fingerprint(modes.V)}


def network_said(network: Network) -> dict[str, Any]:
    """What settings keep of a network besides its edges."""
    gates = {**network.node_gates, **network.edge_gates}
    return {
        "nodes": {name: [node.width, node.kind] for name, node in network.nodes.items()},
        "edge_kinds": dict(network.edge_kinds),
        "gates": {name: fingerprint(table) for name, table in gates.items()},
    }
