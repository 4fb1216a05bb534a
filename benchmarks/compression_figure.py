"""Error of the narrow network against its size: the figure of docs/compression.md."""

from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import jax
from compression_cases import CASES, distance
from harness import Row
from inside import sweep_bases

import racedyn as rd


def answers(job: Row) -> dict[str, Any]:
    jax.config.update("jax_enable_x64", True)
    return {"points": points}


def points(name: str) -> list[Row]:
    """Mean directions of a node and error of all K_a(t), of q/p, sweeps and passes."""
    case = CASES[name]()
    weights = case.weights()
    wide = (case.network, case.task, weights)
    trained = case.train(*wide)
    inner = set(case.network.nodes) - {*case.network.inputs, *case.network.outputs}

    def point(kind: str, label: str, run: Any, sizes: list[int]) -> Row:
        off = distance(run["strength"], trained["strength"])
        return {"kind": kind, "label": label, "directions": mean(sizes), "error": off}

    theory = rd.simulate(rd.reduce(*wide, level="pathway"), ts=trained.ts)
    found = [point("q/p", "", theory, [len(theory["strength"][0, 0])])]
    for sweeps in range(4):
        bases = sweep_bases(*wide, sweeps)
        run = case.train(*rd.project(*wide, bases=bases))
        label = str(sweeps) if sweeps else ""
        kind = "Krylov" if sweeps else "zero"
        found.append(point(kind, label, run, [bases[node].shape[1] for node in inner]))
    narrowed = partial(case.compress, weights)
    for power in range(1, 6):
        narrow = narrowed(tolerance=10.0**-power)
        run = case.train(*narrow.problem)
        found.append(point("pass", f"{-power}", run, list(narrow.dimensions.values())))
    return found


STYLE = {
    "q/p": ("D", "0.45", "q/p: a direction per mode"),
    "zero": ("^", "C2", 'zero sweep: level "signals"'),
    "Krylov": ("s", "C1", "Krylov sweeps, their number"),
    "pass": ("o", "C0", "rd.compress, its tolerance"),
}
EXACT = 1e-12  # where a node is held whole: off the axis, and said


def draw(path: Path, found: list[Row]) -> None:
    """The figure, a column wide."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    from racedyn.plot.style import context

    path.parent.mkdir(parents=True, exist_ok=True)
    with context():
        figure, axes = plt.subplots(figsize=(4.2, 3.1), layout="constrained")
        shown = [row for row in found if row["error"] > EXACT]
        for kind, (marker, colour, label) in STYLE.items():
            own = [row for row in shown if row["kind"] == kind]
            x, y = [row["directions"] for row in own], [row["error"] for row in own]
            axes.plot(x, y, marker, ls="-", color=colour, label=label, lw=1, ms=4.5)
            for row in own:
                left = kind == "pass"
                text = f"$10^{{{row['label']}}}$" if left else row["label"]
                axes.annotate(
                    text,
                    (row["directions"], row["error"]),
                    (-6, -7) if left else (6, 2),
                    textcoords="offset points",
                    ha="right" if left else "left",
                    fontsize=7,
                    color=colour,
                )
        axes.set(
            yscale="log",
            xlabel="directions per hidden node (mean)",
            ylabel="relative $L^2$ error of all $K_a(t)$",
            xlim=(0, 1.15 * max(row["directions"] for row in shown)),
            ylim=(min(row["error"] for row in shown) / 4, 1),
        )
        axes.legend(fontsize=6.5, loc="upper right")
        figure.savefig(path, dpi=160)
        plt.close(figure)
