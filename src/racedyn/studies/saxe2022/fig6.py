"""Figure 6: routing from the race to the lazy regime, by the initial scale.

Published: M = 7, K = 4, 64 hidden units, orthogonal weights of gain sigma from 0.2 to 2.5 in six
steps, 700 epochs of step 0.006 / sigma^(1/3). Seeds are ours; so are the measures of movement."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from racedyn import plot
from racedyn.networks import Network, init, routing
from racedyn.plot import cycle, new_figure
from racedyn.representations import (
    alignment,
    kernel_movement,
    sharing,
    singular_values,
    tangent_kernel,
)
from racedyn.studies.saxe2022.routing_runs import blank_loss, similarity_of_domains, trained_routing
from racedyn.studies.study import Finding, Job, Study, weights_of
from racedyn.tasks import Task, routes_of
from racedyn.tasks import routing as routing_task
from racedyn.trajectory import Trajectory


class Measured(NamedTuple):
    """One run. Errors are over that of answering 0; `alignment` along training (row,), mean over
    hidden nodes.
    """

    trained: float
    untrained: float
    moved: float
    shared: float
    alignment: np.ndarray
    largest: np.ndarray


def _measured(network: Network, task: Task, run: Trajectory) -> Measured:
    rows = range(0, len(np.asarray(run.ts)), max(1, len(np.asarray(run.ts)) // 25))
    kernels = [tangent_kernel(network, task, weights_of(run, row)) for row in (0, -1)]
    blank = blank_loss(task)
    return Measured(
        float(np.asarray(run["loss"])[-1]) / blank,
        float(np.asarray(run["probe_loss"])[-1, 0]) / blank,
        float(kernel_movement(*kernels).change),
        float(
            sharing(
                similarity_of_domains(network, task, run), routes_of(task).items.shape[1]
            ).shared
        ),
        np.array(
            [np.mean(list(alignment(network, weights_of(run, row)).values())) for row in rows]
        ),
        np.asarray(singular_values(run.ys)["hidden"])[list(rows), 0],
    )


def figure(job: Job) -> Finding:
    """Losses, errors, kernel movement, alignment and singular values by initial scale, and
    similarity of domains.
    """
    setting = job.settings
    task = routing_task(setting["domains"], setting["trained"])
    network = routing(task, setting["width"])
    scales, seeds = setting["scales"], setting["seeds"]
    runs = {
        scale: [
            trained_routing(
                job, task, init.Orthogonal(scale), seed, setting["lr"] / scale ** (1 / 3)
            )
            for seed in seeds
        ]
        for scale in scales
    }
    measured = {
        scale: [_measured(network, task, run) for run in each] for scale, each in runs.items()
    }
    panels = new_figure(3, 3, height=6.6)
    losses, errors, movement, aligned, values, spare, *kernels = panels
    spare.set_axis_off()
    colours = cycle()
    for scale, colour in zip(scales, colours, strict=False):
        run = runs[scale][0]
        ts, loss = np.asarray(run.ts), np.asarray(run["loss"])
        losses.plot(ts, loss / loss[0], color=colour, label=f"{scale:.2f}")
        part = np.linspace(0, ts[-1], len(measured[scale][0].alignment))
        aligned.plot(part, measured[scale][0].alignment, color=colour)
        values.plot(part, measured[scale][0].largest, color=colour)
    time = r"flow time ($\tau$)"
    losses.set(xlabel=time, ylabel="loss, of its start")
    spare.legend(
        *losses.get_legend_handles_labels(), title=r"initial scale $\sigma_0$", loc="center"
    )
    aligned.set(xlabel=time, ylabel="alignment of layers", ylim=(0, 1.02))
    values.set(xlabel=time, ylabel="hidden matrix, largest $s$")
    for name, colour in zip(("trained", "untrained"), colours, strict=False):
        _errorbar(
            errors, scales, [[getattr(m, name) for m in measured[s]] for s in scales], colour, name
        )
    errors.set(xlabel=r"initial scale $\sigma_0$", ylabel="error, of answering 0")
    errors.legend(title="routes")
    for name, label, colour in (
        ("moved", "tangent kernel moved", colours[2]),
        ("shared", "domains share", colours[3]),
    ):
        _errorbar(
            movement,
            scales,
            [[getattr(m, name) for m in measured[s]] for s in scales],
            colour,
            label,
        )
    movement.set(xlabel=r"initial scale $\sigma_0$", yscale="log")
    movement.legend()
    for ax, scale in zip(kernels, (scales[0], scales[len(scales) // 2], scales[-1]), strict=True):
        plot.matrix(similarity_of_domains(network, task, runs[scale][0]), ax=ax, signed=True)
        ax.set_title(rf"similarity, $\sigma_0$ = {scale:.2f}")
    return Finding(panels, _table(scales, measured))


def _errorbar(
    ax: Any, scales: Sequence[float], values: Sequence[Sequence[float]], colour: Any, label: str
) -> None:
    ax.errorbar(
        scales,
        [np.mean(v) for v in values],
        [np.std(v) for v in values],
        fmt="o-",
        ms=3,
        color=colour,
        label=label,
    )


def _table(
    scales: Sequence[float], measured: Mapping[float, Sequence[Measured]]
) -> tuple[str, ...]:
    lines = [
        "initial scale; error on trained, untrained routes over that of answering 0; change of the "
        "tangent kernel over its",
        "start; how far domains share their representation (0 to 1); alignment of layers, start "
        "and end (means over seeds)",
    ]
    for scale in scales:
        each = measured[scale]
        mean = {
            name: float(np.mean([getattr(m, name) for m in each]))
            for name in ("trained", "untrained", "moved", "shared")
        }
        start, end = (float(np.mean([m.alignment[row] for m in each])) for row in (0, -1))
        lines.append(
            f"  {scale:>5.2f}   {mean['trained']:.1e}   {mean['untrained']:.3f}   "
            f"{mean['moved']:>8.3g}   "
            f"{mean['shared']:>6.3f}   {start:.3f} -> {end:.3f}"
        )
    return tuple(lines)


_PUBLISHED: Mapping[str, Any] = {
    "domains": 7,
    "trained": 4,
    "width": 64,
    "scales": [0.2, 0.66, 1.12, 1.58, 2.04, 2.5],
    "lr": 0.006,  # over the cube root of the scale
    "steps": 700,
    "rows": 100,
    "seeds": [0, 1, 2, 3, 4],
}

STUDY = Study(
    "saxe2022.fig6",
    "Saxe22",
    "from the race to the lazy regime",
    "small initial weights learn in stages and generalise to untrained routes; large ones don't, "
    "and their kernel stays",
    _PUBLISHED,
    {**_PUBLISHED, "domains": 4, "trained": 2, "scales": [0.2, 1.12, 2.5], "seeds": [0]},
    figure,
    ("rows", "seeds"),
)
