"""Two-layer networks with W2^T W2 - W1 W1^T = lambda I: how far learning moves the tangent kernel,
by lambda and by which layer is narrow.

Of published settings none is taken over: shapes, tasks, scale and lambda are ours. All is in closed
form; a few networks are trained beside it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn.exact import riccati, riccati_kernel
from racedyn.networks import Problem, chain, init
from racedyn.plot import GREY, cycle, new_figure
from racedyn.representations import kernel_movement
from racedyn.studies.legends import legend_above
from racedyn.studies.study import Finding, Job, Study
from racedyn.tasks import random
from racedyn.training import train
from racedyn.trajectory import Labelled

LEARNED = 0.01  # of the loss at the start
SETTLED = 30.0  # times the slowest time constant: what is left of the loss is e^-60 of it
ROWS = 200
FAR = 3.0  # |lambda| from where on layers are told apart by it
SIZES = np.geomspace(0.1, 100, 13).round(3)

FULL: Mapping[str, Any] = {
    # Inputs, hidden units, outputs: both signs of lambda are possible in all of them.
    "shapes": {"square": [4, 4, 4], "more inputs": [8, 4, 4], "more outputs": [4, 4, 8]},
    "strengths": [4.0, 3.0, 2.0, 1.0],  # S/d of the modes
    "scale": 0.01,
    "imbalances": [*(-SIZES[::-1]).tolist(), 0.0, *SIZES.tolist()],
    "seeds": [0, 1, 2, 3, 4],
    "trained": [-4.0, -1.0, 0.0, 1.0, 4.0],
    "trained_shape": "more inputs",
    "until": 20.0,  # flow time times d
    "step": 0.01,  # of 2 / sharpness at the end
}
QUICK: Mapping[str, Any] = {**FULL, "seeds": [0], "trained": [-4.0, 0.0, 4.0], "step": 0.05}


def figure(job: Job) -> Finding:
    """Losses in theory and in training, movement of the tangent kernel, and learning times."""
    s = job.settings

    def moved(shape: str, imbalance: float, seed: int) -> dict[str, float]:
        return movement(_problem(s, shape, imbalance, seed), imbalance, s["strengths"][-1])

    def beside(imbalance: float) -> Labelled:
        problem = _problem(s, s["trained_shape"], imbalance, 0)
        return losses(problem, imbalance, s["strengths"][0], s["until"], s["step"])

    found = job.sweep(
        "moved", moved, shape=list(s["shapes"]), imbalance=s["imbalances"], seed=s["seeds"]
    )
    trained = job.sweep("beside", beside, imbalance=s["trained"])
    panels = new_figure(1, 3, height=2.8)
    lines = [
        *_of_losses(panels[0], trained, s),
        *_of_kernels(panels[1], found),
        *_of_times(panels[2], found, s),
    ]
    return Finding(panels[0].figure, tuple(lines))


def _problem(s: Mapping[str, Any], shape: str, imbalance: float, seed: int) -> Problem:
    n_in, n_hidden, n_out = s["shapes"][shape]
    S = [strength / n_in for strength in s["strengths"]]  # inputs I: d = 1 / n_in
    task = random(S, items=n_in, features=n_out, key=seed)
    network = chain(task, 2, n_hidden)
    weights = network.init(init.Balanced(s["scale"], imbalance=imbalance), key=seed)
    return Problem(network, task, weights)


def slowest_rate(d: float, strength: float, imbalance: float) -> float:
    """At which a mode of S/d = `strength` is told from a direction beyond the modes, that the
    larger layer has, too: sqrt(S^2 + (d lambda/2)^2) - d |lambda|/2, two eigenvalues of F apart."""
    return float(d * (np.hypot(strength, imbalance / 2) - abs(imbalance) / 2))


def movement(problem: Problem, imbalance: float, weakest: float) -> dict[str, float]:
    """How far the tangent kernel moved from start to end, when `LEARNED` of the loss is left, in
    units of 1/d, and what is left of it at the end."""
    task, weights = problem.task, problem.weights
    d = 1 / task.num_examples
    rate = slowest_rate(d, weakest, imbalance)
    ts = np.concatenate([[0.0], np.geomspace(1e-4, SETTLED, ROWS) / rate])
    run = riccati(weights["w1"], weights["w2"], task.sigma_yx(), ts, variance=d)
    ends = riccati_kernel(run, task.X)[np.array([0, -1])]
    moved = kernel_movement(*ends)
    loss = np.asarray(run["loss"])
    below = loss < LEARNED * loss[0]
    at = int(np.argmax(below))
    part = np.log(loss[at - 1] / (LEARNED * loss[0])) / np.log(loss[at - 1] / loss[at])
    learned = d * (ts[at - 1] + part * (ts[at] - ts[at - 1]))
    return {
        "change": float(moved.change),
        "turn": float(moved.turn),
        # Balanced square layers keep the sign of det(W2 W1): some never learn the weakest mode.
        "learned": float(learned) if below.any() else np.nan,
        "loss_left": float(loss[-1] / loss[0]),
    }


def losses(
    problem: Problem, imbalance: float, strongest: float, until: float, step: float
) -> Labelled:
    """`trained` and `exact` (row,) losses of one network over the first of them, at flow times
    times d, `time` (row,)."""
    task, weights = problem.task, problem.weights
    d = 1 / task.num_examples
    # At the end layers have squares of sqrt((S/d)^2 + (lambda/2)^2) +- lambda/2, and the largest
    # curvature is d times their sum.
    lr = step / (d * np.hypot(strongest, imbalance / 2))
    steps = int(np.ceil(until / d / lr / ROWS)) * ROWS
    run = train(problem, lr=lr, steps=steps, save_every=steps // ROWS, progress=False)
    exact = riccati(weights["w1"], weights["w2"], task.sigma_yx(), run.ts, variance=d)
    first = run["loss"][0]
    return Labelled(
        {
            "trained": run["loss"] / first,
            "exact": np.asarray(exact["loss"]) / first,
            "time": np.asarray(run.ts) * d,
        },
        dict.fromkeys(("trained", "exact", "time"), ("row",)),
    )


def _of_losses(ax: Any, found: Labelled, s: Mapping[str, Any]) -> list[str]:
    said = []
    for i, colour in zip(range(len(found["imbalance"])), cycle(), strict=False):
        imbalance, time = found["imbalance"][i], found["time"][i]
        trained, exact = found["trained"][i], found["exact"][i]
        ax.plot(time, trained, color=colour, lw=2.5, alpha=0.4)
        ax.plot(time, exact, color=colour, lw=0.8, label=rf"$\lambda$ = {imbalance:g}")
        apart = np.linalg.norm(trained - exact) / np.linalg.norm(exact)
        said.append(f"{imbalance:g}: {apart:.1e}")
    ax.set(xlabel=r"flow time $\times\, d$", ylabel="loss / first")
    ax.set(yscale="log", ylim=(1e-4, 1.5))
    legend_above(ax, 3, f"{s['trained_shape']}\ntrained pale, exact thin")
    return [
        f"{s['trained_shape']}: relative L2 of trained losses from exact ones, steps of "
        f"{s['step']:g} of 2 / sharpness, by lambda: {', '.join(said)}"
    ]


def _of_kernels(ax: Any, found: Labelled) -> list[str]:
    lines = []
    imbalance = found["imbalance"]
    for i, (shape, style) in enumerate(zip(found["shape"], _styles(), strict=False)):
        turn, change, left = (found[name][i] for name in ("turn", "change", "loss_left"))
        ax.plot(imbalance, turn.mean(axis=-1), label=shape, **style)
        few = [0, *np.flatnonzero(np.isin(imbalance, [-1, 0, 1])), -1]
        said = ", ".join(
            f"{imbalance[k]:g}: {turn[k].mean():.3f} ({change[k].mean():.3g})" for k in few
        )
        lines.append(
            f"{shape}: turn of the tangent kernel (and its change) by lambda {said}; "
            f"at most {left.max():.0e} of the loss left"
        )
    ax.axvline(0, color=GREY, lw=0.6)
    _lambda_axis(ax)
    ax.set(ylabel="turn of the tangent kernel")
    legend_above(ax, 2, "lazy and rich")
    return lines


def _of_times(ax: Any, found: Labelled, s: Mapping[str, Any]) -> list[str]:
    """Learning times, and the time constant of those that are late."""
    lines = []
    imbalance, weakest = found["imbalance"], s["strengths"][-1]
    rate = np.array([slowest_rate(1.0, weakest, each) for each in imbalance])
    for shape, learned, style in zip(found["shape"], found["learned"], _styles(), strict=False):
        mean = np.nanmean(learned, axis=-1)
        ax.plot(imbalance, mean, label=shape, **style)
        n_in, _, n_out = s["shapes"][shape]
        for sign, larger in ((-1, n_in), (1, n_out)):
            late = larger > len(s["strengths"])
            these = sign * imbalance >= FAR
            if these.any():
                own = rate if late else rate + np.abs(imbalance)
                units = mean[these] * 2 * own[these]
                name = f"sqrt((S/d)^2 + lambda^2/4) {'-' if late else '+'} |lambda|/2"
                side = f"lambda {'<' if sign < 0 else '>'} 0: {'late' if late else 'lazy'}"
                lines.append(
                    f"{shape}, {side}; "
                    f"time times d to {LEARNED:g} of the loss from {mean[these].min():.3g} to "
                    f"{mean[these].max():.3g} for |lambda| >= {FAR:g}; in units of 1 / "
                    f"(2 ({name})) of the weakest mode {units.min():.3g} to {units.max():.3g}"
                )
    ax.plot(imbalance, 1 / (2 * rate), ":", color=GREY, label="time constant, late")
    _lambda_axis(ax)
    ax.set(yscale="log", ylabel=r"flow time $\times\, d$")
    legend_above(ax, 2, f"to {LEARNED:g} of the loss")
    return lines


def _styles() -> list[dict[str, Any]]:
    """Of each shape: hollow, as some lie on each other."""
    return [
        {"color": colour, "marker": marker, "ms": size, "mfc": "none", "lw": 0.8}
        for colour, marker, size in zip(cycle(), "os^", (5, 3.5, 3.5), strict=False)
    ]


def _lambda_axis(ax: Any) -> None:
    ax.set_xscale("symlog", linthresh=SIZES[0])
    ax.set_xticks([-100, -1, 0, 1, 100], ["-100", "-1", "0", "1", "100"])
    ax.minorticks_off()
    ax.set_xlabel(r"$\lambda$")


STUDY = Study(
    name="domine2025.imbalance",
    source="Domine25",
    title="layers that differ by lambda: lazy, rich, and rich late",
    claim=(
        "large |lambda| makes square networks lazy; where the larger layer has directions that the "
        "task does not use, learning is rich all the same, and late"
    ),
    published=FULL,
    quick=QUICK,
    make=figure,
    ours=tuple(FULL),
)
