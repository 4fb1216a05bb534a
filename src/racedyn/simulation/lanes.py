"""Lanes ranked, put into batches, solved, tried once more and judged: those of one system and
those of many by the same few lines.

A lane is what steps on a clock of its own: a mode of a system that has lanes, or all of a system
that has none. Those of many members are numbered through, member by member."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple, Protocol

import diffrax as dfx
import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh

from racedyn._jit import lanes_at_a_time
from racedyn._types import Array
from racedyn.simulation import stacks
from racedyn.simulation.checks import steps_of
from racedyn.simulation.cores import ONE, Cores
from racedyn.simulation.lane import Settings, Solved
from racedyn.simulation.solve import integrate, take_lanes
from racedyn.trajectory import Status

LARGEST_IMPLICIT = 1000  # numbers of a state: an implicit step solves as many linear equations
BATCH = 256  # lanes of many members that a core steps together
# At most, in one call: a call takes the host as long as a batch of a few steps
BATCHES = 16
SHOWN = 10  # failures that a message lists


class Batch(NamedTuple):
    """Lanes that are solved by one call of `solve`, by number, and their `rows` in what it
    returns, where lanes come first."""

    numbers: np.ndarray
    solve: Callable[[], Solved]
    rows: np.ndarray | slice


class Lanes(Protocol):
    """Lanes that can be solved. `rates` (lane,): their predicted speed, None where none is known;
    `by_steps`: whether they go by steps of their own, and no solver does more; `batches`: these
    lanes, in this order."""

    @property
    def rates(self) -> np.ndarray | None: ...

    @property
    def by_steps(self) -> bool: ...

    def batches(self, numbers: np.ndarray, settings: Settings) -> Iterator[Batch]: ...


class Outcome:
    """What became of the lanes `numbers`, on the host: `solved`, an axis of lanes in front;
    `steps` (lane,) of all tries; `retried` (lane,), whether it is the second try's.
    """

    solved: Solved

    def __init__(self, numbers: np.ndarray):
        self.numbers = np.sort(numbers)
        self.steps = np.zeros(len(numbers), int)
        self.tries = np.zeros(len(numbers), int)
        self.retried = np.zeros(len(numbers), bool)

    def add(self, numbers: np.ndarray, new: Solved) -> None:
        """One try more of these lanes, which is kept if it goes further than the one before."""
        at = np.searchsorted(self.numbers, numbers)
        if not self.tries.any():
            self.solved = jax.tree.map(
                lambda leaf: np.empty((len(self.numbers), *leaf.shape[1:]), leaf.dtype), new
            )
        is_first, (before, now) = self.tries[at] == 0, (self.solved, new)
        further = now.stats["t_end"] > before.stats["t_end"][at]
        kept = is_first | further | np.isin(now.status, [int(item) for item in Status if item.ok])
        jax.tree.map(lambda room, leaf: room.__setitem__(at[kept], leaf[kept]), before, now)
        self.retried[at] = kept & ~is_first
        self.steps[at] += now.stats["num_steps"]
        self.tries[at] += 1


def solve_lanes(
    lanes: Lanes,
    first: Sequence[tuple[np.ndarray, Settings]],
    retry: dfx.AbstractSolver,
    cores: Cores = ONE,
) -> Outcome:
    """Solve lanes, one at least: each by the settings beside its number, and once more by the
    solver `retry` where an implicit one may do what an explicit one could not in its steps. Lanes
    of like speed step together: the slowest of a batch decides how long it takes."""
    outcome, rates = Outcome(np.concatenate([some for some, _ in first])), lanes.rates
    settings = first[0][1]
    again = dataclasses.replace(settings, solver=retry, step_to_ts=True)
    rounds = list(first)
    while rounds:
        some, told = rounds.pop(0)
        order = some if rates is None else some[np.argsort(-rates[some], kind="stable")]
        for batch, found in cores.each(lambda batch: batch.solve(), lanes.batches(order, told)):
            outcome.add(
                batch.numbers,
                jax.tree.map(lambda leaf, rows=batch.rows: np.asarray(leaf)[rows], found),
            )
        if not rounds and told is not again and not lanes.by_steps:
            stiff = outcome.numbers[_may_be_stiff(outcome.solved, settings, again)]
            rounds = [(stiff, again)] if len(stiff) else []
    return outcome


def _may_be_stiff(solved: Solved, settings: Settings, again: Settings) -> np.ndarray:
    """Lanes of which an implicit solver may make more: not where the state is large, or step sizes
    are the caller's own, or it is what was tried."""
    ends = [leaf.reshape(len(leaf), -1) for leaf in jax.tree.leaves(solved.end)]
    small = sum(leaf.shape[1] for leaf in ends) <= LARGEST_IMPLICIT
    other = type(again.solver) is not type(settings.solver)
    if not (small and other and settings.controller is None):
        return np.zeros(len(solved.status), bool)
    finite = np.all([np.isfinite(leaf).all(axis=1) for leaf in ends], axis=0)
    stiff: np.ndarray = (solved.status == Status.STEPS_EXHAUSTED) & finite
    return stiff


class LanesOfOne:
    """Those of one system, in one batch; or the system itself, as one lane."""

    def __init__(self, system: Any, ts: Array, t0: Array, args: Any):
        self._system, self._given = system, (ts, t0, args)

    @property
    def by_steps(self) -> bool:
        return bool(steps_of(self._system))

    @cached_property
    def rates(self) -> np.ndarray | None:
        rates = None if self._system.lanes is None else self._system.rates()
        return None if rates is None else np.asarray(rates)

    def batches(self, numbers: np.ndarray, settings: Settings) -> Iterator[Batch]:
        if self._system.lanes is None:
            yield Batch(numbers, lambda: self._whole(settings), slice(None))
        else:
            own = take_lanes(self._system, numbers)
            yield Batch(numbers, partial(integrate, own, *self._given, settings), slice(None))

    def _whole(self, settings: Settings) -> Solved:
        solved = integrate(self._system, *self._given, settings)
        lane_first: Solved = jax.tree.map(lambda leaf: np.asarray(leaf)[None], solved)
        return lane_first


class LanesOfMany:
    """Those of a stack of members, each like one, in batches of one size, dealt out to all devices
    and to `cores` calls at a time."""

    def __init__(self, stack: Any, like: Any, times: Array, args: Any, mesh: Mesh, cores: int = 1):
        self._stack, self._mesh, self._given = stack, mesh, (times, args)
        self._cores, self._lanes = cores, like.lanes
        self._host = stacks.on_host(stack)
        self._count = count = stacks.length(stack) * (like.lanes or 1)
        self._large = stacks.is_large(like)
        # Lanes of a batch
        self._together = 1 if stacks.one_by_one(like) else lanes_at_a_time(BATCH, count)

    @property
    def by_steps(self) -> bool:
        return bool(steps_of(self._stack))

    @cached_property
    def rates(self) -> np.ndarray | None:
        rates = None if self._lanes is None else stacks.rates(self._stack)
        return None if rates is None else np.asarray(rates).ravel()

    def batches(self, numbers: np.ndarray, settings: Settings) -> Iterator[Batch]:
        mesh, batch = stacks.for_solver(self._mesh, settings), self._together
        batches = min(BATCHES, -(-self._count // (batch * mesh.size * self._cores)))
        size = batches * mesh.size * batch
        # Devices take batches in turn, so that all have about the same to do: (device, batch, lane)
        turns = np.arange(size).reshape(batches, mesh.size, batch).swapaxes(0, 1)
        rows = np.argsort(turns, axis=None)
        for some in _dealt(numbers, batch, size, self._cores):
            # What fills up the last call is not solved, but for the rest of a batch
            padded = np.resize(some, size)[turns.ravel()]
            wanted = turns.ravel() < len(some)
            own, wanted = stacks.spread((self._take(padded), wanted), mesh)
            solve = partial(
                stacks.integrate_members,
                own,
                wanted,
                *self._given,
                settings,
                mesh,
                batch,
                self._large,
            )
            yield Batch(some, solve, rows[: len(some)])

    def _take(self, numbers: np.ndarray) -> Any:
        """The systems of these lanes: (lane, ...)."""
        at = np.divmod(numbers, self._lanes or 1)

        def own(leaf: Any) -> Any:
            if not eqx.is_array(leaf):
                return leaf
            # Parameters have their lanes last; what is one number a member is shared by its lanes.
            of_lanes = self._lanes is not None and leaf.ndim > 1
            return np.moveaxis(leaf, -1, 1)[at] if of_lanes else leaf[at[0]]

        return jax.tree.map(own, self._host)


def _dealt(numbers: np.ndarray, batch: int, size: int, hands: int) -> Iterator[np.ndarray]:
    """At most `size` of these lanes for each call, batches in turn to so many calls: what comes
    first is slowest, and is not to be one core's alone."""
    for start in range(0, len(numbers), size * hands):
        these = numbers[start : start + size * hands]
        batches = [these[k : k + batch] for k in range(0, len(these), batch)]
        yield from (np.concatenate(batches[hand::hands]) for hand in range(hands)[: len(batches)])


def worst(status: np.ndarray) -> np.ndarray:
    """Of each member, by its lanes (member, lane): the failure with the largest number, or else
    the largest number.
    """
    bad = ~np.isin(status, [int(item) for item in Status if item.ok])
    return np.where(
        bad.any(axis=1), np.where(bad, status, -1).max(axis=1), status.max(axis=1)
    ).astype(np.int32)


def failures(status: np.ndarray, what: str) -> str:
    """Which lanes or members failed, and why; empty where none did."""
    failed = np.flatnonzero(~np.isin(status, [int(item) for item in Status if item.ok]))
    if not len(failed):
        return ""
    reasons = "; ".join(
        f"{np.sum(status == code)} {Status(int(code)).message}"
        for code in np.unique(status[failed])
    )
    listed = ", ".join(map(str, failed[:SHOWN])) + (", ..." if len(failed) > SHOWN else "")
    return f"{len(failed)} of {len(status)} {what} failed ({listed}): {reasons}."
