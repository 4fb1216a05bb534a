"""Figure 4: routing through a shared matrix."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from racedyn import exact, plot
from racedyn.networks import init, routing
from racedyn.plot import cycle, new_figure
from racedyn.reduction import reduce
from racedyn.simulation import simulate
from racedyn.studies.legends import legend_above
from racedyn.studies.saxe2022.routing_runs import (
    blank_loss,
    outputs,
    similarity_of_domains,
    trained_routing,
)
from racedyn.studies.study import Finding, Job, Study
from racedyn.tasks import routes_of
from racedyn.tasks import routing as routing_task
from racedyn.trajectory import Trajectory


def figure(job: Job) -> Finding:
    """Routing: loss, singular values of the layers, similarity of domains, outputs of all
    routes.
    """
    setting = job.settings
    task = routing_task(setting["domains"], setting["trained"])
    network, routes = routing(task, setting["width"]), routes_of(task)
    random = [
        trained_routing(job, task, init.Orthogonal(setting["scale"]), seed, setting["lr"])
        for seed in setting["seeds"]
    ]
    aligned = trained_routing(
        job, task, init.Aligned(setting["scale"]), setting["seeds"][0], setting["lr"]
    )
    finer = trained_routing(
        job,
        task,
        init.Aligned(setting["scale"]),
        setting["seeds"][0],
        setting["lr"],
        finer=setting["finer"],
    )
    ts = np.asarray(aligned.ts)
    theory = exact.routing(task, setting["scale"], ts)
    job.keep(
        "modes",
        lambda: simulate(
            reduce(
                network,
                task,
                network.init(init.Aligned(setting["scale"]), task=task, key=0),
                level="modes",
            ),
            ts,
            progress=job.progress,
        ),
    )
    panels = new_figure(2, 3, height=4.6)
    losses, values, kernel, found, wanted, untrained = panels
    colours = cycle()
    for k, run in enumerate(random):
        losses.plot(
            ts,
            np.asarray(run["loss"]),
            color=colours[1],
            lw=0.8,
            alpha=0.6,
            label="trained, orthogonal" if k == 0 else None,
        )
    losses.plot(
        ts,
        np.asarray(aligned["loss"]),
        color=colours[2],
        lw=2.5,
        alpha=0.6,
        label="trained, aligned",
    )
    losses.plot(ts, np.asarray(theory["loss"]), "--", color="black", label="closed form, aligned")
    losses.set(xlabel=r"flow time ($\tau$)", ylabel="loss")
    losses.legend(title="initial weights")
    for colour, edge in zip(colours, ("hidden", "in1"), strict=False):
        closed = _layer(theory, edge)
        trained_values = np.linalg.svd(np.asarray(aligned.ys[edge]), compute_uv=False)[
            :, : closed.shape[1]
        ]
        values.plot(ts, trained_values, color=colour, lw=2.5, alpha=0.4)
        values.plot(ts, np.asarray(closed), "--", color=colour, lw=1)
        values.plot([], [], color=colour, label={"hidden": "hidden", "in1": "input, output"}[edge])
    values.set(xlabel=r"flow time ($\tau$)", ylabel="singular value")
    legend_above(values, 2, "matrices; dashed: closed form")
    similar = similarity_of_domains(network, task, random[0])
    plot.matrix(similar, ax=kernel, label="cosine", signed=True)
    kernel.set_title("similarity of items, by domain")
    answers = outputs(network, task, random[0])
    for ax, (matrix, title) in zip(
        (found, wanted),
        (
            (answers, "output of every route"),
            (np.tile(routes.features, (routes.domains, routes.domains)), "target of every route"),
        ),
        strict=True,
    ):
        plot.matrix(matrix, ax=ax, signed=True)
        ax.set(xlabel="item of input domain", ylabel="feature of output domain", title=title)
    plot.matrix(routes.routes.astype(float), ax=untrained)
    untrained.set(xlabel="output domain", ylabel="input domain", title="trained routes (dark)")
    return Finding(panels, _lines(job, task, random, [aligned, finer], theory))


def _lines(
    job: Job, task: Any, random: Sequence[Any], by_step: Sequence[Any], theory: Trajectory
) -> tuple[str, ...]:
    """`by_step`: from aligned weights at the published step, and at a part of it."""
    aligned = by_step[0]
    modes = job.runs["modes"]
    hidden, first = (_layer(theory, edge) for edge in ("hidden", "in1"))
    loss = np.asarray(theory["loss"])
    off = [
        np.abs(np.asarray(modes["loss"]) - loss).max(),
        np.abs(_layer(modes, "hidden") - hidden).max(),
        np.abs(_layer(modes, "in1") - first).max(),
    ]
    by_descent = ["{:.2g}".format(np.abs(np.asarray(run["loss"]) - loss).max()) for run in by_step]
    ends = [
        [
            np.linalg.svd(np.asarray(run.ys[edge])[-1], compute_uv=False)[: len(hidden[-1])]
            for edge in ("hidden", "in1")
        ]
        for run in (aligned, *random)
    ]
    blank = blank_loss(task)
    errors = (
        np.array(
            [
                [
                    float(np.asarray(run["loss"])[-1]),
                    float(np.asarray(run["probe_loss"])[-1, 0]),
                ]
                for run in random
            ]
        )
        / blank
    )
    return (
        f"modes level against the quadrature: loss {off[0]:.1e}, hidden {off[1]:.1e}, input "
        f"{off[2]:.1e}",
        "descent from aligned weights against the closed form, which is the flow's, largest "
        f"difference in loss: {by_descent[0]} of {blank:.3g}; {by_descent[1]} at steps of lr / "
        f"{job.settings['finer']}",
        f"hidden over input singular values, modes 1-{len(hidden[-1])} (sqrt(M) = "
        f"{routes_of(task).domains ** 0.5:.4f}): closed form "
        f"{_row(hidden[-1] / first[-1])}; aligned {_row(ends[0][0] / ends[0][1])}; "
        f"orthogonal {_row(np.mean([h / i for h, i in ends[1:]], axis=0))}",
        f"error over that of answering 0, mean and largest of {len(random)} seeds: trained "
        f"{errors[:, 0].mean():.1e}, "
        f"{errors[:, 0].max():.1e}; untrained {errors[:, 1].mean():.1e}, {errors[:, 1].max():.1e}",
    )


def _layer(run: Trajectory, edge: str) -> np.ndarray:
    """Strengths of one edge, (time, mode)."""
    return np.asarray(run["edge_strength"])[:, run.labels["edge"].index(edge)]


def _row(values: Any) -> str:
    return " ".join(f"{float(value):.3f}" for value in values)


_PUBLISHED: Mapping[str, Any] = {
    "domains": 7,
    "trained": 4,
    "width": 64,
    "scale": 0.2,
    "lr": 0.02,
    "steps": 500,
    "rows": 125,
    "finer": 10,
    "seeds": list(range(10)),
}


STUDY = Study(
    "saxe2022.fig4",
    "Saxe22",
    "routing through a shared matrix",
    "the closed form holds from aligned weights and nearly from random ones; the shared "
    "matrix's singular values are "
    "sqrt(M) larger; untrained routes are learned too",
    _PUBLISHED,
    {**_PUBLISHED, "seeds": [0, 1]},
    figure,
    ("rows", "finer", "seeds"),
)
