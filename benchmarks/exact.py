"""Ends and trajectories of races, exactly and by our ensemble, beside general solvers: time per member, and accuracy.

    pip install .[bench]
    python benchmarks/exact.py [--members 1024] [--turns 5] [--cases c1-5 c0-8] [--json FILE]

A member is a trajectory of eight modes, S = 4 ... 0.125, and two pathways of depth D. c1-D: c = 1, p0 ~ N(0, 0.01^2); c0-D:
p0 = q0 = 0.1 |1 + 0.1 N|. The end time is twice that at which the slowest mode has 99 % of its S. Sides take turns; times are
medians over turns, ratios medians of the ratio to the exact one within a turn; what is compiled or traced is in none of them.
Errors are the largest of K over S, of the first two members: of ends against the exact trajectory at a thousand times the end
time, of points against LSODA at rtol 1e-13, and where a mode has come to 20, 50 and 80 % of its way against DOP853 with K for
a clock: after a long plateau the rise is where a solver is wrong, and hardly ever at one of the 64 points. float64, and one
core where the system lets us choose it. Peers (peers.py) that are not installed are left out; where there is a GPU, what is
written in JAX runs on it.
"""

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import jax
import numpy as np
from peers import BUILDERS
from scipy.integrate import solve_ivp

import racedyn as rd
from racedyn.exact import converged, race_states

jax.config.update("jax_enable_x64", True)
warnings.simplefilter("ignore")  # of peers that give up

CASES = ("c1-2", "c1-3", "c1-5", "c1-8", "c1-13", "c0-3", "c0-5", "c0-8")
S = np.array([4.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.125])
POINTS, CHECKED = 64, 2
LEVELS = 0.2, 0.5, 0.8
TURN = (
    0.05  # seconds of each side in each turn, or one run: a run of 2 ms after others is slowed by what they left behind
)
FEW = {
    "diffrax, plain": 16,
    "heyoka, q/p equations": 128,
    "scipy LSODA": CHECKED,
}  # members, where more would take for ever


def members(case: str, count: int) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """D, and S (count * mode,), q and p (path, count * mode)."""
    kind, depth = case.split("-")
    drawn = np.random.default_rng(0).standard_normal((2, count * len(S)))
    p = 0.01 * drawn if kind == "c1" else 0.1 * np.abs(1 + 0.1 * drawn)
    return int(depth), np.tile(S, count), np.sqrt(1 + p**2) if kind == "c1" else p, p


def end_time(depth: int, values: np.ndarray, q: np.ndarray, p: np.ndarray) -> float:
    ts = np.geomspace(1e-2, 1e12, 400)
    fitted = np.asarray(race_states(values, (depth, depth), q, p, ts)[0]).sum(axis=1) / values
    return float(2 * ts[np.argmax((fitted > 0.99).all(axis=1))])


def by_lsoda(depth: int, value: float, q: np.ndarray, p: np.ndarray, ts: np.ndarray, rtol: float) -> np.ndarray:
    """K (time, path) of one mode."""

    def field(_: float, y: np.ndarray) -> np.ndarray:
        q, p = y[:2], y[2:]
        r = value - np.sum(p * q ** (depth - 1))
        return r * np.concatenate([q ** (depth - 2) * p, q ** (depth - 1)])

    solved = solve_ivp(
        field, (0, ts[-1]), np.concatenate([q, p]), method="LSODA", t_eval=ts, rtol=rtol, atol=1e-3 * rtol
    )
    return solved.y[2:].T * solved.y[:2].T ** (depth - 1)


def rises(depth: int, value: float, q: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """When a mode has come to LEVELS of its way (level,), and K there (level, path)."""

    def field(total: float, y: np.ndarray) -> np.ndarray:
        q, p = y[:2], y[2:4]
        dq, dp = q ** (depth - 2) * p, q ** (depth - 1)
        growth = np.sum(dp**2 + (depth - 1) * dq**2)
        return np.concatenate([dq, dp, [1 / (value - total)]]) / growth

    begun = np.sum(p * q ** (depth - 1))
    levels = begun + np.array(LEVELS) * (value - begun)
    start = np.concatenate([q, p, [0.0]])
    y = solve_ivp(
        field,
        (begun, levels[-1]),
        start,
        method="DOP853",
        t_eval=levels,
        rtol=3e-14,
        atol=1e-20,
    ).y
    return y[4], (y[2:4] * y[:2] ** (depth - 1)).T


def timed(run: Callable[[], Any], at_least: float = 0.0) -> float:
    """Seconds of one run, of as many as take `at_least` so long."""
    start, runs = time.perf_counter(), 0
    while not runs or time.perf_counter() - start < at_least:
        jax.block_until_ready(run())
        runs += 1
    return (time.perf_counter() - start) / runs


def measure(case: str, options: argparse.Namespace) -> dict[str, Any]:
    depth, values, q, p = members(case, options.members)
    depths, modes = (depth, depth), len(S)
    ts = np.linspace(0, end_time(depth, values, q, p), POINTS)
    one = rd.systems.Pathways(S, depths, 1.0, 0.1)
    fields = {
        name: np.ascontiguousarray(np.moveaxis(x.reshape(2, -1, modes), 1, 0)) for name, x in (("q", q), ("p", p))
    }

    def ours(ts: np.ndarray, rtol: float) -> Any:
        run = rd.ensemble(one, fields, ts, method="ode", rtol=rtol)
        return np.moveaxis(np.asarray(run.observables["strength"]), 0, 2).reshape(POINTS, 2, -1)

    def lsoda(ts: np.ndarray, rtol: float) -> np.ndarray:
        lanes = range(CHECKED * modes)
        return np.stack([by_lsoda(depth, values[a], q[:, a], p[:, a], ts, rtol) for a in lanes], axis=-1)

    tables: dict[str, dict[str, Callable[..., Any]]] = {
        "ends": {"exact": lambda: converged(values, depths, q, p).strength},
        "points": {
            "exact": lambda ts=ts: race_states(values, depths, q, p, ts)[0],
            "our ensemble, ODE, default": lambda ts=ts: ours(ts, 1e-8),
            "our ensemble, ODE, rtol 1e-6": lambda ts=ts: ours(ts, 1e-6),
        },
    }
    for peer in filter(None, (build(depth) for build in BUILDERS)):
        count = FEW.get(peer.name, options.members) * modes
        given = values[:count], q[:, :count], p[:, :count]
        tables["ends"][peer.name] = lambda peer=peer, given=given: peer.ends(*given)
        tables["points"][peer.name] = lambda ts=ts, peer=peer, given=given: peer.points(*given, ts)
    tables["points"]["scipy LSODA"] = lambda ts=ts: lsoda(ts, 1e-7)
    settled = np.asarray(race_states(values, depths, q, p, [1e3 * ts[-1]])[0])[0]
    references = {"ends": settled, "points": lsoda(ts, 1e-13)}
    few = CHECKED * modes
    when, risen = map(np.array, zip(*(rises(depth, values[a], q[:, a], p[:, a]) for a in range(few)), strict=True))
    late = np.union1d(when, np.linspace(0, ts[-1], POINTS - when.size))

    def error(table: str, name: str) -> float:
        far = np.max(np.abs(found[name][..., :few] - references[table][..., :few]) / values[:few])
        if table == "points":
            there = np.asarray(sides[name](late))[np.searchsorted(late, when), :, np.arange(few)[:, None]]
            far = np.maximum(far, np.max(np.abs(there - risen) / values[:few, None, None]))
        return float(far)

    row: dict[str, Any] = {"case": case, "end_time": float(ts[-1])}
    for table, sides in tables.items():
        first, found = {}, {}
        for name, side in sides.items():
            first[name] = timed(side)
            found[name] = np.asarray(side())
        turns = [
            {
                name: 1e6 * timed(side, TURN) / min(options.members, FEW.get(name, options.members))
                for name, side in sides.items()
            }
            for _ in range(options.turns)
        ]
        row[table] = {
            name: {
                "microseconds": median(turn[name] for turn in turns),
                "ratio": median(turn[name] / turn["exact"] for turn in turns),
                "error": error(table, name),
                "first_call": first[name],
            }
            for name in sides
        }
    return row


def show(rows: list[dict[str, Any]], table: str) -> None:
    names = list(rows[0][table])
    print(f"\n{table}: microseconds per member (times that of the exact one, largest error over S)")
    print(f"{'':<30}" + "".join(f"{row['case']:>24}" for row in rows))
    for name in names:
        cells = [row[table][name] for row in rows]
        print(f"{name:<30}" + "".join(
            f"{cell['microseconds']:>10.3g} ({cell['ratio']:>5.3g},{cell['error']:>6.0e})" for cell in cells))  # fmt: skip
    for name in names[1:]:
        ratios = np.array([row[table][name]["ratio"] for row in rows])
        print(f"  {name}: {ratios.min():.3g} to {ratios.max():.3g} times the exact one, geometric mean "
              f"{np.exp(np.log(ratios).mean()):.3g}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=1024)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--json", help="write all measurements here")
    options = parser.parse_args()
    machine = platform.processor() or platform.machine()
    print(
        f"{machine}, jax {jax.__version__} on {jax.devices()[0].device_kind}, {options.members} members of {len(S)} modes"
    )
    rows = []
    for case in options.cases:
        rows.append(measure(case, options))
        print(f"{case}: end time {rows[-1]['end_time']:.3g}", flush=True)
    for table in ("ends", "points"):
        show(rows, table)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
