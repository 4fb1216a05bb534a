"""Ends and trajectories of races without an ODE, against our ODE solve and scipy's LSODA: time per trajectory, and accuracy.

    python benchmarks/exact.py [--members 256] [--turns 5] [--cases c1-5 c0-8] [--json FILE]

A member is a trajectory of eight modes, S = 4 ... 0.125, and two pathways of depth D. c1-D: c = 1, p0 ~ N(0, 0.01^2); c0-D:
p0 = q0 = 0.1 |1 + 0.1 N|. All members are the modes of one system. The end time is twice the time at which the slowest mode has
99 % of its S. Sides take turns; times are medians over turns, ratios medians of the ratio within a turn; what is compiled or
traced is in none of them. Errors are the largest of K over S, against LSODA at rtol 1e-13 on the first two members, all saved
points. float64; one core where the system lets us choose it.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from statistics import median
from typing import Any

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import jax
import numpy as np
from scipy.integrate import solve_ivp

import racedyn as rd
from racedyn.exact import converged, trajectory

jax.config.update("jax_enable_x64", True)

CASES = ("c1-2", "c1-3", "c1-5", "c1-8", "c1-13", "c0-3", "c0-5", "c0-8")
S = np.array([4.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.125])
POINTS, CHECKED = 64, 2


def members(case: str, count: int) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """D, and S (count * mode,), q and p (path, count * mode)."""
    kind, depth = case.split("-")
    drawn = np.random.default_rng(0).standard_normal((2, count * len(S)))
    p = 0.01 * drawn if kind == "c1" else 0.1 * np.abs(1 + 0.1 * drawn)
    return int(depth), np.tile(S, count), np.sqrt(1 + p**2) if kind == "c1" else p, p


def end_time(depth: int, values: np.ndarray, q: np.ndarray, p: np.ndarray) -> float:
    ts = np.geomspace(1e-2, 1e12, 400)
    fitted = np.asarray(trajectory(values, (depth, depth), q, p, ts=ts).strength).sum(axis=1) / values
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


def timed(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - start


def measure(case: str, options: argparse.Namespace) -> dict[str, Any]:
    depth, values, q, p = members(case, options.members)
    depths = (depth, depth)
    ts = np.linspace(0, end_time(depth, values, q, p), POINTS)
    system = rd.systems.Pathways(values, depths, q, p)
    few = CHECKED * len(S)
    sides: dict[str, Callable[[], Any]] = {
        "end": lambda: converged(values, depths, q, p).strength,
        "exact": lambda: trajectory(values, depths, q, p, ts=ts).strength,
        "ode": lambda: rd.simulate(system, ts, rtol=1e-7).observables["strength"],
        "lsoda": lambda: np.stack(
            [by_lsoda(depth, values[a], q[:, a], p[:, a], ts, 1e-7) for a in range(few)], axis=-1
        ),
    }
    found, compiled = {}, {}
    for name, side in sides.items():
        compiled[name] = timed(side)
        found[name] = np.asarray(side())
    turns = [{name: timed(side) for name, side in sides.items()} for _ in range(options.turns)]
    reference = np.stack([by_lsoda(depth, values[a], q[:, a], p[:, a], ts, 1e-13) for a in range(few)], axis=-1)
    errors = {name: float(np.max(np.abs(found[name][..., :few] - reference) / values[:few]))
              for name in ("exact", "ode", "lsoda")}  # fmt: skip
    # The end is later than the last point: it is held against the trajectory at a time by which all has settled.
    settled = np.asarray(trajectory(values, depths, q, p, ts=[1e3 * ts[-1]]).strength)[0]
    errors["end"] = float(np.max(np.abs(found["end"] - settled) / values))
    per = {name: options.members if name != "lsoda" else CHECKED for name in sides}
    return {
        "case": case,
        "end_time": float(ts[-1]),
        "microseconds": {name: 1e6 * median(turn[name] for turn in turns) / per[name] for name in sides},
        "ratio": {
            name: median(turn[name] / per[name] / turn["exact"] * per["exact"] for turn in turns) for name in sides
        },
        "first_call": compiled,
        "errors": errors,
    }


def line(row: dict[str, Any]) -> str:
    us, errors = row["microseconds"], row["errors"]
    sides = "".join(f"{us[name]:>10.1f} {errors[name]:>8.0e}" for name in ("end", "exact", "ode", "lsoda"))
    return f"{row['case']:<7}{row['end_time']:>10.3g}{sides}{row['ratio']['ode']:>9.2f}{row['ratio']['lsoda']:>9.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=256)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--json", help="write all measurements here")
    options = parser.parse_args()
    machine = platform.processor() or platform.machine()
    print(f"{machine}, jax {jax.__version__}, {options.members} members; microseconds per member, largest error over S")
    print(f"{'case':<7}{'end time':>10}{'exact end':>19}{f'exact, {POINTS} points':>19}{'our ODE, 1e-7':>19}{'LSODA, 1e-7':>19}"
          f"{'ODE/exact':>9}{'LSODA':>9}")  # fmt: skip
    rows = []
    for case in options.cases:
        rows.append(measure(case, options))
        print(line(rows[-1]), flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
