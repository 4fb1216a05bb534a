"""Figure 7: images on many routes, of which few are trained.

Each route maps the same images to their classes, in coordinates of its two domains; for linear
networks from Gaussian weights permuted domains and plain ones have one law (`tasks.routing`), so
that plain ones are trained. Published: descent with momentum 0.9 and gains up to 10. Images, width,
steps and seeds are ours."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from racedyn.networks import Network, init, routing
from racedyn.plot import cycle, new_figure
from racedyn.studies.legends import legend_above
from racedyn.studies.study import Finding, Job, Study, mean_and_error
from racedyn.tasks import Task, images
from racedyn.tasks import routing as routing_task
from racedyn.training import heavy_ball, train
from racedyn.trajectory import Probe, Trajectory

PROBES = ("held out", "untrained", "untrained, held out")


class Cell(NamedTuple):
    """One network: M domains, each input trained with K outputs, from weights of a gain; observed
    at so many rows.
    """

    domains: int
    trained: int
    gain: float
    steps: int
    rows: int
    loss: str = "mean"

    @property
    def name(self) -> str:
        kind = "" if self.loss == "mean" else f"_{self.loss}"
        return f"M{self.domains}_K{self.trained}_gain{self.gain:g}_{self.steps}{kind}"


def figure(job: Job) -> Finding:
    """Accuracy on trained and untrained routes: by the share of trained ones, by gain, by step."""
    setting = job.settings
    panels = new_figure(1, 3, height=3.1)
    shares, gains, steps = panels
    lines = [
        "accuracy on trained routes, on their held-out images, on untrained routes, on their "
        "held-out images; mean +- standard error over seeds"
    ]
    grids = [(M, setting["trained"], setting["gain"], setting["steps"]) for M in setting["domains"]]
    many = setting["many"]
    grids += [(many["domains"], many["trained"], many["gain"], many["steps"])]
    for (M, fractions, gain, num), colour in zip(grids, cycle(), strict=False):
        cells = [Cell(M, max(1, round(f * M)), gain, num, setting["rows"]) for f in fractions]
        seeds = setting["seeds"] if many["domains"] != M else setting["seeds"][:1]
        ends = [np.array([_ends(_run(job, cell, seed)) for seed in seeds]) for cell in cells]
        at = [cell.trained / M for cell in cells]
        for column, style in ((0, "o--"), (2, "o-")):
            shares.errorbar(
                at,
                [end[:, column].mean() for end in ends],
                [mean_and_error(end[:, column])[1] for end in ends],
                fmt=style,
                ms=3,
                color=colour,
                label=f"{M**2:,}" if style == "o-" else None,
            )
        lines += [
            f"  {_said(cell)}: {_numbers(end)}" for cell, end in zip(cells, ends, strict=True)
        ]
    shares.set(xlabel="trained share of outputs, $K/M$", ylabel="accuracy", ylim=(0, 1))
    legend_above(shares, 3, "routes\ntrained dashed, untrained solid")
    lines += _by_gain(job, gains) + _by_step(job, steps)
    return Finding(panels, tuple(lines))


def _by_gain(job: Job, ax: Any) -> list[str]:
    """Accuracy by gain early, at `steps`, and late: large weights learn late."""
    setting, lines = job.settings, ["by gain, fewest domains:"]
    M, early, late = setting["domains"][0], setting["steps"], setting["late"]
    for fraction, colour in zip(setting["gain_trained"], cycle(), strict=False):
        rows: dict[str, list[np.ndarray]] = {"trained": [], "untrained": [], "early": []}
        for gain in setting["gains"]:
            cell = Cell(M, max(1, round(fraction * M)), gain, late, late // early)
            runs = [_run(job, cell, seed) for seed in setting["seeds"]]
            ends = np.array([_ends(run) for run in runs])
            first = np.array([_at(run, early) for run in runs])
            rows["trained"].append(ends[:, 0])
            rows["untrained"].append(ends[:, 2])
            rows["early"].append(first[:, 2])
            lines.append(
                f"  {_said(cell)}: {_numbers(ends)} at step {late}; {_numbers(first)} at {early}"
            )
        for name, style in (("trained", "o--"), ("untrained", "o-"), ("early", "o:")):
            ax.errorbar(
                setting["gains"],
                [values.mean() for values in rows[name]],
                [mean_and_error(values)[1] for values in rows[name]],
                fmt=style,
                ms=3,
                color=colour,
                label=f"{fraction:g}" if style == "o-" else None,
            )
    ax.set(xlabel="gain of the weights", ylabel="accuracy", xscale="log", ylim=(0, 1))
    legend_above(ax, 3, f"$K/M$, step {late}\ndotted: untrained, step {early}")
    return lines


def _by_step(job: Job, ax: Any) -> list[str]:
    setting, lines = job.settings, ["cross-entropy, fewest domains:"]
    M = setting["domains"][0]
    K = max(1, round(setting["gain_trained"][-1] * M))
    for loss, colour in zip(("mean", "cross_entropy"), cycle(), strict=False):
        cell = Cell(M, K, setting["gain"], setting["steps"], setting["rows"], loss)
        runs = [_run(job, cell, seed) for seed in setting["seeds"]]
        if loss != "mean":
            lines.append(f"  {_said(cell)}: {_numbers(np.array([_ends(run) for run in runs]))}")
        step = np.asarray(runs[0].step)
        name = "squared error" if loss == "mean" else "cross-entropy"
        ax.plot(step, np.asarray(runs[0]["accuracy"]), "--", color=colour)
        ax.plot(step, np.asarray(runs[0]["probe_accuracy"])[:, 1], color=colour, label=name)
    ax.set(xlabel="step", ylabel=f"accuracy, $K/M$ = {K / M:g}", ylim=(0, 1))
    legend_above(ax, 2, "loss\ntrained dashed, untrained solid")
    return lines


def _run(job: Job, cell: Cell, seed: int) -> Trajectory:
    setting = job.settings

    def make() -> Trajectory:
        shown, held_out = (images(setting["images"], part, key=0) for part in ("train", "test"))
        task = routing_task(cell.domains, cell.trained, shown.X, shown.Y)
        network = routing(task, setting["width"])
        routes = task.structure
        probes = [Probe("held out", routes.on(held_out.X, held_out.Y))]
        if not routes.routes.all():
            others = routes.untrained()
            probes += [
                Probe("untrained", others),
                Probe("untrained, held out", others.structure.on(held_out.X, held_out.Y)),
            ]
        # L is a mean over K M routes, and an end sees the K of its domain: of M L it has as steep a
        # slope as of one route. Large weights make the slope steeper by gain^4.
        step = min(setting["step"], setting["step_at_large_gain"] / cell.gain**4)
        step *= cell.domains**0.5
        return train(
            network,
            task,
            _weights(network, task, cell.gain, seed),
            lr=None,
            optimiser=heavy_ball(step, setting["momentum"]),
            steps=cell.steps,
            save_every=max(1, cell.steps // cell.rows),
            loss=cell.loss,
            observe=["accuracy", *probes],
            dtype=setting["dtype"],
            progress=job.progress,
        )

    return job.keep(f"{cell.name}_seed{seed}", make)


def _weights(network: Network, task: Task, gain: float, seed: int) -> dict[str, Any]:
    """N(0, gain^2 2/(n_target + n_source)), as Glorot's."""
    drawn = network.init(init.Gaussian(1.0), task=task, key=seed)
    return {e: W * gain * (2 / sum(network.shape(e))) ** 0.5 for e, W in drawn.items()}


def _ends(run: Trajectory) -> list[float]:
    """Accuracies at the end."""
    return _accuracies(run, -1)


def _at(run: Trajectory, step: int) -> list[float]:
    """Accuracies at a step."""
    return _accuracies(run, int(np.searchsorted(np.asarray(run.step), step)))


def _accuracies(run: Trajectory, row: int) -> list[float]:
    """NaN of what there is not, and of a run that diverged."""
    if run.failed:
        return [np.nan] * 4
    probes = np.asarray(run["probe_accuracy"])[row]
    return [float(np.asarray(run["accuracy"])[row]), *probes, *[np.nan] * (3 - len(probes))]


def _said(cell: Cell) -> str:
    return f"M = {cell.domains}, K/M = {cell.trained / cell.domains:.2f}, gain {cell.gain:g}"


def _numbers(ends: np.ndarray) -> str:
    known = [column for column in ends.T if not np.isnan(column).all()]
    if len(ends) == 1:
        return ", ".join(f"{column[0]:.3f}" for column in known) or "diverged"
    each = (f"{column.mean():.3f} +- {mean_and_error(column)[1]:.3f}" for column in known)
    return ", ".join(each) or "diverged"


_FULL: Mapping[str, Any] = {
    "images": "digits",
    "domains": [10, 20],
    "trained": [0.1, 0.2, 0.3, 0.4, 0.6, 1.0],
    "gain": 0.1,
    "many": {"domains": 100, "trained": [0.1, 0.2, 0.4], "gain": 0.5, "steps": 1000},
    "gains": [0.03, 0.1, 0.5, 2.0, 5.0, 10.0],
    "gain_trained": [0.2, 0.4],
    "width": 32,
    "step": 0.15,
    "step_at_large_gain": 5.0,  # stable at gains 5 and 10; 20 is not at 10
    "momentum": 0.9,
    "steps": 2000,
    "late": 40000,
    "rows": 20,
    "seeds": [0, 1, 2],
    "dtype": "float32",
}


STUDY = Study(
    "saxe2022.fig7",
    "Saxe22",
    "images on up to 10,000 routes, few of them trained",
    "from about 40 % trained routes on all others are answered, too; from large weights less so",
    _FULL,
    {
        **_FULL,
        "domains": [5],
        "trained": [0.2, 0.4, 1.0],
        "many": {"domains": 30, "trained": [0.1], "gain": 0.5, "steps": 100},
        "gains": [0.1, 1.0],
        "gain_trained": [0.4],
        "steps": 400,
        "late": 1200,
        "seeds": [0],
    },
    figure,
    [name for name in _FULL if name not in ("momentum", "gains")],
)
