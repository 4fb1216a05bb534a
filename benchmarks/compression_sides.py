"""The far end of `compress.py`: a process that measures one question of it."""

from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import Any

import jax
import numpy as np
from compression_cases import CASES, README, SMALL, Case, distance, error, pathways, winners
from harness import Row, seconds_of
from inside import draw, pass_of

import racedyn as rd


def answers(job: Row) -> dict[str, Any]:
    jax.config.update("jax_enable_x64", True)
    return {
        "case": case_row,
        "flow": flow_row,
        "estimates": estimate_row,
        "widths": width_row,
        "signals": signals_row,
        "law": law_row,
    }


def timed(run: Any) -> tuple[float, Any]:
    """Seconds of a run that waits for its own results, and the run."""
    return seconds_of(lambda: run())


def case_row(name: str) -> Row:
    case = CASES[name]()
    weights = case.weights()
    compress_s, narrow = timed(partial(case.compress, weights))
    wide = (case.network, case.task, weights)
    for problem in (narrow.problem, wide):  # a run compiles once for any number of steps
        case.train(*problem, steps=1)
    before, _ = timed(partial(case.train, *narrow.problem))
    full_s, truth = timed(partial(case.train, *wide))
    after, run = timed(partial(case.train, *narrow.problem))
    narrow_s = (before + after) / 2
    found = error(run, truth)
    loss = np.asarray(truth["loss"])
    return {
        **sizes(narrow),
        "width": max(node.width for node in case.network.nodes.values()),
        "left": float(np.nanmin(loss) / loss[0]),
        **{f"estimate_{key}": value for key, value in narrow.estimate.items()},
        **{f"error_{key}": value for key, value in found.items()},
        "tolerance": case.tolerance,
        "narrow_s": narrow_s,
        "full_s": full_s,
        "compress_s": compress_s,
        "ratio": full_s / narrow_s,
        "ratio_all": full_s / (compress_s + narrow_s),
    }


def sizes(narrow: Any) -> Row:
    found = narrow.dimensions.values()
    return {"directions": f"{min(found)}-{max(found)}", "share": narrow.share}


def flow_row() -> list[Row]:
    """README's flow, compressed, beside its descent, and what descents of lr and lr / 2 tend to."""
    case = CASES["readme"]()
    weights = case.weights()
    once = case.train(case.network, case.task, weights, save_every=12)
    halved = {"lr": case.lr / 2, "steps": 2 * case.steps, "save_every": 24}
    finer = case.train(case.network, case.task, weights, **halved)
    limit = {name: 2 * finer[name] - once[name] for name in ("strength", "loss")}
    problem = (case.network, case.task, weights)
    reduce_s, flow = timed(lambda: rd.reduce(*problem, level="compressed", ts=once.ts))
    rd.simulate(flow, ts=once.ts)
    solve_s, run = timed(lambda: rd.simulate(flow, ts=once.ts))
    narrow = case.compress(weights)
    case.train(*narrow.problem, steps=1)
    narrow_s, _ = timed(partial(case.train, *narrow.problem))
    return [
        {
            "beside": beside,
            **{f"error_{key}": value for key, value in error(run, other).items()},
            "reduce_s": reduce_s,
            "solve_s": solve_s,
            "narrow_s": narrow_s,
        }
        for beside, other in (("descent", once), ("lr and lr/2", limit))
    ]


def estimate_row(number: int, seeds: int) -> Row:
    """Over three tolerances and some seeds: how often twice the estimate holds."""
    case = SMALL[number]
    tried = []
    for seed in range(seeds):
        weights = case.weights(seed)
        truth = case.train(case.network, case.task, weights)
        for tolerance in (1e-2, 1e-3, 1e-4):
            narrow = case.compress(weights, tolerance=tolerance, max_share=1.0)
            if narrow.exact:
                continue
            found = error(case.train(*narrow.problem), truth)
            tried += [
                {
                    "seed": seed,
                    "tolerance": tolerance,
                    "what": name,
                    "estimate": float(narrow.estimate[name]),
                    "error": found[name],
                }
                for name in found
            ]
    loss = np.asarray(truth["loss"])
    return {"std": case.std, "left": loss[-1] / loss[0]} | summary(tried)


def summary(tried: list[Row]) -> Row:
    if not tried:
        return {"held": "exact", "tried": []}
    held = sum(2 * one["estimate"] >= one["error"] for one in tried)
    return {
        "held": f"{held}/{len(tried)}",
        **{
            f"ratio_{name}": median(
                one["estimate"] / one["error"] for one in tried if one["what"] == name
            )
            for name in ("strength", "loss")
        },
        "least": min(one["estimate"] / one["error"] for one in tried),
        "worst": max(one["error"] / one["tolerance"] for one in tried),
        "tried": tried,
    }


DESCENTS: dict[int, Any] = {4: {"lr": 0.04, "steps": 6000}, 7: {"steps": 10_000}}


def width_row(depth: int, width: int, keys: int) -> Row:
    """A network that is drawn: what a draw and its compression take, whatever the width."""
    case = pathways((depth, depth), width, **DESCENTS[depth])
    law = rd.init.Gaussian(std=case.std)
    draw(case.network, case.task, law, 0)
    draw_s = seconds_of(lambda: draw(case.network, case.task, law, 0), at_least=0.1)[0]
    run = partial(case.compress, law, key=0, max_share=1.0)
    first_s, narrow = timed(run)
    warm_s, _ = timed(run)
    case.train(*narrow.problem, steps=1)
    narrow_s, learned = timed(partial(case.train, *narrow.problem))
    row = {
        **sizes(narrow),
        **{f"estimate_{key}": value for key, value in narrow.estimate.items()},
        "left": float(learned["loss"][-1] / learned["loss"][0]),
        "draw_s": draw_s,
        "compress_s": first_s,
        "warm_s": warm_s,
        "narrow_s": narrow_s,
    }
    if width >= 10**9:
        row |= same_winners(case, law, keys)
    return row


def same_winners(case: Case, law: Any, keys: int) -> Row:
    """Winners of q/p beside those of narrow networks that are known well: at this width shares
    differ by little, and a share outside the bases invents differences."""
    same, off, shares = [], [], []
    for key in range(keys):
        narrow = case.compress(law, key=key, tolerance=4e-5)
        trained = case.train(*narrow.problem)
        theory = rd.simulate(rd.reduce(*narrow.problem, level="pathway"), ts=trained.ts)
        won, share = winners(trained)
        same += [*(winners(theory)[0] == won)]
        shares += [*share]
        off.append(distance(theory["strength"], trained["strength"]))
    return {
        "same": f"{sum(same)}/{len(same)}",
        "qp_error": median(off),
        "shares": f"{min(shares):.5f}-{max(shares):.5f}",
    }


def signals_row(depth: int, seeds: int) -> Row:
    """The zero sweep beside q/p."""
    case = pathways((depth, depth), 200, **README)
    levels = ("signals", "pathway")
    off: dict[str, list[float]] = {level: [] for level in levels}
    right = dict.fromkeys(levels, 0)
    clear = 0
    for seed in range(seeds):
        problem = (case.network, case.task, case.weights(seed))
        trained = case.train(*problem)
        won, share = winners(trained)
        clear += int(np.sum(share > 0.6))
        for level in levels:
            run = rd.simulate(rd.reduce(*problem, level=level), ts=trained.ts)
            off[level].append(distance(run["strength"], trained["strength"]))
            right[level] += int(np.sum((winners(run)[0] == won)[share > 0.6]))
    return {
        f"{level}_{key}": value
        for level in levels
        for key, value in (
            ("error", median(off[level])),
            ("least", min(off[level])),
            ("most", max(off[level])),
            ("right", f"{right[level]}/{clear}"),
        )
    }


def law_row(depth: int, members: int) -> Row:
    """Networks drawn without matrices beside networks drawn with them: distributions over seeds.

    The control leaves out what new directions have in those that were known."""
    case = pathways((depth, depth), 60, steps=1500)
    drawn_s, drawn = timed(lambda: np.stack(list(numbers_drawn(case, members))))
    true_s, true = timed(lambda: np.stack(list(numbers_true(case, members))))
    wrong = np.stack(list(numbers_drawn(case, members, wrong=True)))
    row: Row = {"members": members, "numbers": drawn.shape[1], "drawn_s": drawn_s, "true_s": true_s}
    for name, some in (("", drawn), ("control_", wrong)):
        p = p_values(some, true)
        row |= {
            f"{name}least_p": float(p.min()),
            f"{name}median_p": float(np.median(p)),
            f"{name}failed": f"{int(np.sum(p < 0.01 / len(p)))}/{len(p)}",
        }
    return row


def numbers_drawn(case: Case, members: int, *, wrong: bool = False) -> Iterator[np.ndarray]:
    law = rd.init.Gaussian(std=case.std)
    for key in range(members):
        given = case.network, case.task, law, key, case.lr, case.steps
        steps, rows = pass_of(*given, eps=0.005, wrong=wrong)
        yield numbers(steps, rows["strength"])


def numbers_true(case: Case, members: int) -> Iterator[np.ndarray]:
    law = rd.init.Gaussian(std=case.std)
    for key in range(members):
        weights = case.network.init(law, key=10_000 + key)
        run = case.train(case.network, case.task, weights, save_every=3, observe=["strength"])
        yield numbers(case.steps * run.ts / run.ts[-1], run["strength"])


def numbers(steps: np.ndarray, strength: Any) -> np.ndarray:
    """Strengths (path, mode) at a fifth of the time, when about half is learned, and at the end,
    how many pathways take part in each mode, and after how many steps each is half learned."""
    K = np.asarray(strength)
    early, end = np.abs(K[len(K) // 5]), np.abs(K[-1])
    w = end / end.sum(axis=0)
    learned = K.sum(axis=1)
    times = [np.interp(0.5, mode / mode[-1], steps) for mode in learned.T]
    return np.concatenate([early.ravel(), end.ravel(), 1 / np.sum(w**2, axis=0), times])


def p_values(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Kolmogorov and Smirnov's, number by number."""
    from scipy.stats import ks_2samp

    return np.array([ks_2samp(x, y).pvalue for x, y in zip(a.T, b.T, strict=True)])
