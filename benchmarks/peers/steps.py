"""Loops of full-batch gradient descent, as the sides of ../training.py: from the same weights on
the same data.

Two chains of matrices whose outputs are summed, on the sum of squares, in float32. Only the
standard library is imported here: the environment of a peer may have nothing else.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import Row, peak_memory, seconds_of

LR = 0.01  # on the sum of squares, as [Shi22]
CHAINS = 1, 2


def stored(job: Row, name: str) -> tuple[str, tuple[int, int]]:
    """The file of an array of float32, "X", "Y" or a weight matrix, and its shape."""
    return str(Path(job["folder"], name)), tuple(job["shapes"][name])


def chains(job: Row) -> list[list[str]]:
    """The names of the matrices of each chain, the first layer first."""
    return [[f"w{chain}_{i}" for i in range(1, job["depth"] + 1)] for chain in CHAINS]


def step_answers(
    steps: Callable[[int], float],
    facts: Row,
    device_mib: Callable[[], float | None] = lambda: None,
) -> dict[str, Callable[..., Any]]:
    """`steps(n)` takes n steps, waits for them, and returns the loss; `facts`: what runs, where."""

    def taken(n: int) -> Row:
        seconds, loss = seconds_of(steps, n)
        return {"seconds": seconds / n, "loss": loss}

    def memory() -> Row:
        return {"peak_mib": peak_memory(), "device_mib": device_mib()}

    return {"facts": lambda: facts, "steps": taken, "memory": memory}
