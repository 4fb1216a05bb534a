"""Calls of compiled programs on all cores of a CPU.

XLA computes in the thread that calls it, and most of our programs on one core: a loop of small
steps has nothing to share out. What several threads call it runs side by side.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import jax
from jax.sharding import Mesh

from racedyn._checks import check_positive_int, fail
from racedyn._compilation import counted_here
from racedyn._jit import settings_of_this_thread

Item = TypeVar("Item")
Result = TypeVar("Result")


class Cores:
    """So many threads that compute; a context, on whose end none of them does any more."""

    def __init__(self, number: int = 1):
        self.number = number
        self._pool = ThreadPoolExecutor(number, "racedyn")  # makes threads when they are needed

    def __enter__(self) -> "Cores":
        return self

    def __exit__(self, *exc: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def each(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result]]:
        """Items, and what the function makes of each, in their order; no more than `number` are
        under way. Whatever is raised in a thread is raised here.

        Each computes with this thread's settings. So JAX compiles a program but once, in whichever
        comes first, while the others wait."""
        if self.number == 1:
            yield from ((item, function(item)) for item in items)
            return
        settings, counted = settings_of_this_thread(), counted_here()

        def called(item: Item) -> Result:
            with settings(), counted():
                return jax.block_until_ready(function(item))

        begun: deque[tuple[Item, Future[Result]]] = deque()
        for item in items:
            if len(begun) == self.number:
                first, result = begun.popleft()
                yield first, result.result()
            begun.append((item, self._pool.submit(called, item)))
        yield from ((item, result.result()) for item, result in begun)


ONE = Cores()


def cores_for(asked: int | None, mesh: Mesh) -> Cores:
    """As many as asked for, or all that this process may use, where one CPU is the only device;
    else one, as programs over several devices, and those of a GPU, use all there is. Raises
    `ValueError` or `TypeError` for others."""
    alone = mesh.size == 1 and mesh.devices[0].platform == "cpu"
    if asked is None:
        return Cores(_available() if alone else 1)
    if check_positive_int("cores", asked) > 1 and not alone:
        fail(
            "cores",
            "be 1 unless one CPU is the only device",
            f"it is {asked} beside {mesh.size} of the kind {mesh.devices[0].platform!r}",
            "Leave it out, or give devices=jax.devices('cpu')[:1].",
        )
    return Cores(asked)


def _available() -> int:
    """Not all that the machine has: a batch system gives a job some of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
