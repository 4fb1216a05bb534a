"""Ends and trajectories of races, exactly and by our ensemble, beside general solvers: time per
member, and accuracy.

    python benchmarks/exact.py [--quick] [--members 1024] [--turns 5] [--cases c1-5 c0-8]
                               [--peers heyoka]

A member is a trajectory of eight modes, S = 4 ... 0.125, and two pathways of depth D. c1-D: c = 1,
p0 ~ N(0, 0.01^2); c0-D: p0 = q0 = 0.1 |1 + 0.1 N|. The end time is twice that at which the slowest
mode has 99 % of its S. "exact" is to the default tolerance, 1e-8; peers are set for errors of about
1e-6, or of what their name says. Errors are the largest of K over S, of the first two members: of
ends against the exact trajectory at a thousand times the end time, of points against LSODA at rtol
1e-13, and where a mode has come to 20, 50 and 80 % of its way against DOP853 with K for a clock:
after a long plateau the rise is where a solver is wrong, and hardly ever at one of the 64 points.
float64, and one core where the system lets us choose it; where there is a GPU, what is written in
JAX runs on it. What is compiled or traced is in the first call alone.
"""

import importlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

import jax
import numpy as np
from harness import Column, Report, Row, Side, in_turns, options_of, ratio, rows_of, seconds_of, why
from inside import race_states

import racedyn as rd

CASES = ["c1-2", "c1-3", "c1-5", "c1-8", "c1-13", "c0-3", "c0-5", "c0-8"]
PEERS = ("heyoka", "diffrax", "numba", "scipy")  # modules of peers/
USUAL: Row = {"members": 1024, "turns": 5, "cases": CASES, "peers": list(PEERS)}
QUICK: Row = {"members": 16, "turns": 1, "cases": ["c1-2"]}

S = np.array([4.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.125])
POINTS, CHECKED = 64, 2
LANES = CHECKED * len(S)  # those whose errors are measured
LEVELS = 0.2, 0.5, 0.8
TURN = 0.05  # seconds of a side in a turn: a run of 2 ms is slowed by what others left behind

# What runs (of nothing for ends, of `ts` for points), and of how many members.
Sides = dict[str, tuple[Callable[..., Any], int]]


@dataclass(frozen=True)
class Race:
    """`values` S (lane,), `q` and `p` (path, lane) of all members, one after the other."""

    case: str
    members: int

    @property
    def depth(self) -> int:
        return int(self.case.split("-")[1])

    @property
    def depths(self) -> tuple[int, int]:
        return self.depth, self.depth

    @cached_property
    def start(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        drawn = np.random.default_rng(0).standard_normal((2, self.members * len(S)))
        escapes = self.case.startswith("c0")
        p = 0.1 * np.abs(1 + 0.1 * drawn) if escapes else 0.01 * drawn
        return np.tile(S, self.members), p if escapes else np.sqrt(1 + p**2), p

    def exact(self, ts: Any, tolerance: float = 1e-8) -> np.ndarray:
        values, q, p = self.start
        return race_states(values, self.depths, q, p, ts, tolerance=tolerance)[0]

    @cached_property
    def ts(self) -> np.ndarray:
        ts = np.geomspace(1e-2, 1e12, 400)
        fitted = np.asarray(self.exact(ts)).sum(axis=1) / self.start[0]
        return np.linspace(0, 2 * ts[np.argmax((fitted > 0.99).all(axis=1))], POINTS)

    def ensemble(self, ts: Any, rtol: float, **options: Any) -> np.ndarray:
        one = rd.systems.Pathways(S, self.depths, 1.0, 0.1)
        _, *fields = (x.reshape(-1, self.members, len(S)).swapaxes(0, 1) for x in self.start)
        drawn = {name: np.ascontiguousarray(x) for name, x in zip("qp", fields, strict=True)}
        run = rd.ensemble(one, drawn, ts, method="ode", rtol=rtol, **options)
        return np.moveaxis(np.asarray(run.observables["strength"]), 0, 2).reshape(len(ts), 2, -1)

    def first(self, members: int) -> tuple[np.ndarray, ...]:
        return tuple(x[..., : members * len(S)] for x in self.start)


def answers(job: Row) -> dict[str, Callable[[], list[Row]]]:
    """The far end: the measurements of one case."""
    jax.config.update("jax_enable_x64", True)
    warnings.simplefilter("ignore")  # of peers that give up
    given = Race(job["case"], job["members"]), job["turns"], job["peers"]
    return {"ends": lambda: list(ends(*given)), "points": lambda: list(points(*given))}


def ends(race: Race, turns: int, modules: Sequence[str]) -> Iterator[Row]:
    values, q, p = race.start
    sides: Sides = {
        "exact": (lambda: rd.exact.converged(values, race.depths, q, p).strength, race.members)
    }
    sides |= yield from peers(race, "ends", modules)
    settled = np.asarray(race.exact([1e3 * race.ts[-1]], 1e-12))[0]
    yield from measured(race, sides, turns, lambda _, found: difference(found, settled))


def points(race: Race, turns: int, modules: Sequence[str]) -> Iterator[Row]:
    from peers.scipy import lsoda

    sides: Sides = {
        "exact": (race.exact, race.members),
        "exact, 1e-6": (lambda ts: race.exact(ts, 1e-6), race.members),
        "exact, 1e-9": (lambda ts: race.exact(ts, 1e-9), race.members),
        "our ensemble, ODE, default": (lambda ts: race.ensemble(ts, 1e-8), race.members),
        "our ensemble, ODE, rtol 1e-6": (lambda ts: race.ensemble(ts, 1e-6), race.members),
    }
    sides |= yield from peers(race, "points", modules)
    reference = lsoda(race.depth, *race.first(CHECKED), race.ts, 1e-13)
    in_rise = rise_error(race)

    def error(run: Callable[..., Any], found: np.ndarray) -> float:
        return float(np.maximum(difference(found, reference), in_rise(run)))

    def at_points(run: Callable[..., Any]) -> Callable[..., Any]:
        return lambda ts=race.ts: run(ts)

    at = {name: (at_points(run), members) for name, (run, members) in sides.items()}
    yield from measured(race, at, turns, error)


def peers(race: Race, question: str, modules: Sequence[str]) -> Iterator[Row]:
    """Yields a row for each peer that is not installed, and returns the sides of the others."""
    sides: Sides = {}
    for module in modules:
        try:
            made = importlib.import_module(f"peers.{module}").races(race.depth)
        except Exception as error:
            yield {"side": module, "not_measured": why(error)}
            continue
        for peer in made:
            members = min(race.members, peer.most or race.members)
            if run := getattr(peer, question):
                sides[peer.name] = (bound(run, race.first(members)), members)
    return sides


def bound(run: Callable[..., Any], start: tuple[np.ndarray, ...]) -> Callable[..., Any]:
    return lambda *ts: run(*start, *ts)


def measured(race: Race, sides: Sides, turns: int, error: Callable[..., float]) -> Iterator[Row]:
    first, errors, running = {}, {}, {}
    for name, (run, members) in sides.items():
        try:
            first[name], _ = seconds_of(run)
            errors[name] = error(run, np.asarray(run()))
        except Exception as failure:
            yield {"side": name, "not_measured": why(failure)}
            continue
        running[name] = lambda run=run, members=members: seconds_of(run, at_least=TURN)[0] / members
    taken = in_turns(running, turns)
    for name in running:
        yield {
            "side": name,
            "members": sides[name][1],
            "member_s": median(turn[name] for turn in taken),
            "ratio": ratio(taken, name, "exact"),
            "error": errors[name],
            "first_call_s": first[name],
            "end_time": race.ts[-1],
            "device": jax.devices()[0].device_kind,
        }


def difference(found: np.ndarray, reference: np.ndarray) -> float:
    """The largest of K over S, of the first members."""
    return float(np.max(np.abs(found[..., :LANES] - reference[..., :LANES]) / np.tile(S, CHECKED)))


def rise_error(race: Race) -> Callable[[Callable[..., Any]], float]:
    """The same where each mode has come to `LEVELS` of its way.

    At as many points as are timed, so that nothing compiles anew.
    """
    from peers.scipy import rises

    values, q, p = race.first(CHECKED)
    lanes = [rises(race.depth, values[a], q[:, a], p[:, a], LEVELS) for a in range(LANES)]
    when, risen = map(np.array, zip(*lanes, strict=True))
    ts = np.union1d(when, np.linspace(0, race.ts[-1], POINTS - when.size))
    at, lane = np.searchsorted(ts, when), np.arange(LANES)[:, None]

    def error(run: Callable[..., Any]) -> float:
        found = np.asarray(run(ts))[at, :, lane]  # (lane, level, path)
        return float(np.max(np.abs(found - risen) / values[:, None, None]))

    return error


COLUMNS = [
    Column("case", "case", width=6),
    Column("side", "side", width=30),
    Column("us a member", "member_s", ".3g", 1e6, 13),
    Column("ratio", "ratio", ".3g"),
    Column("error / S", "error", ".0e", width=11),
    Column("first, s", "first_call_s", ".2f"),
]
LEGEND = (
    "ratio: to the exact one, the median of that within a turn; error: the largest of K over S."
)


def rows(options: Any, question: str) -> Iterator[Row]:
    job = {"members": options.members, "turns": options.turns, "peers": options.peers}
    for case in options.cases:
        with Side("exact", threads=1, case=case, **job) as side:
            yield from rows_of({"case": case}, lambda side=side: side.ask(question))


def summary(found: Iterable[Row]) -> None:
    by_side: dict[str, list[float]] = {}
    for row in found:
        by_side.setdefault(row.get("side", ""), []).append(row.get("ratio", np.nan))
    for name, ratios in by_side.items():
        if name != "exact" and np.isfinite(ratios).all():
            mean = np.exp(np.log(ratios).mean())
            span = f"{min(ratios):.3g} to {max(ratios):.3g}"
            print(f"  {name}: {span} times the exact one, geometric mean {mean:.3g}")


def main() -> None:
    options = options_of(__doc__, USUAL, QUICK)
    report = Report(options)
    for question in ("ends", "points"):
        summary(report.table(question, COLUMNS, rows(options, question), LEGEND))
    report.write()


if __name__ == "__main__":
    main()
