"""Saxe, Sodhani, Lewallen 2022, figures 3 to 5: XoR, routing through a shared matrix, the race of
sharing schemes.

Published settings: XoR with 128 hidden units from N(0, 0.0002^2); routing with M = 7, K = 4, 64
hidden units, orthogonal weights of gain 0.2, step 0.02 on the sum over trained routes of the mean
squared error, 500 steps; figure 5 with M = 10 and step 0.05 / K. Steps of figures 3 and 5 and all
seeds are ours. Figure 6 is in `racedyn.studies.regimes`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from racedyn import exact, plot
from racedyn.comparison import first_reached
from racedyn.networks import init, routing
from racedyn.plot import GREY, cycle, new_figure
from racedyn.reduction import reduce
from racedyn.simulation import simulate
from racedyn.studies import regimes
from racedyn.studies.routing_runs import blank_loss, outputs, similarity_of_domains, trained_routing
from racedyn.studies.study import Finding, Job, Study
from racedyn.studies.xor_runs import (
    active_at_the_end,
    half_loss_time,
    relu,
    strengths,
    twin_loss,
    twin_time,
    types_at_the_end,
)
from racedyn.tasks import routes_of
from racedyn.tasks import routing as routing_task
from racedyn.trajectory import Trajectory

# --- figure 3
# --------------------------------------------------------------------------------------------------


def fig3(job: Job) -> Finding:
    """XoR: where neurons end, and the loss of ReLU networks beside the gated network's closed
    form.
    """
    weights, losses = new_figure(1, 2, height=2.8)
    runs = [relu(job, 0.0, seed) for seed in job.settings["seeds"]]
    colours = cycle()
    shown = runs[0]
    names = shown.task.item_names or ()
    for k, (x, y) in enumerate(zip(shown.task.X.T, shown.task.Y[0], strict=True)):
        weights.plot(
            *x[:2],
            "P" if y > 0 else "X",
            color=colours[k],
            ms=9,
            label=f"example {names[k]}",
        )
    w1 = np.asarray(shown.trained.ys["w1"])[-1]
    for w, on in zip(w1 / np.abs(w1).max(), active_at_the_end(shown), strict=True):
        colour = colours[int(np.argmax(on))] if on.sum() == 1 else GREY
        weights.plot([0, w[0]], [0, w[1]], color=colour, lw=0.8)
    weights.set(xlabel="weight from $x_1$", ylabel="weight from $x_2$", aspect="equal")
    weights.legend(fontsize="x-small", markerscale=0.6, loc="center")
    ratios, table = [], []
    for k, (seed, each) in enumerate(zip(job.settings["seeds"], runs, strict=True)):
        ts, loss = np.asarray(each.trained.ts), np.asarray(each.trained.observables["loss"])
        losses.plot(ts, loss, color=colours[1], lw=2.5, alpha=0.4, label="ReLU" if k == 0 else None)
        losses.plot(
            ts,
            twin_loss(0.0, "xor", each.joined, ts),
            color="black",
            lw=0.8,
            ls="--",
            label="gated network, closed form" if k == 0 else None,
        )
        own, theory = half_loss_time(ts, loss), twin_time(0.0, "xor", each.joined)
        ratios.append(own.times[0] / theory)
        a0 = strengths("xor", each.joined)
        table.append(
            f"  seed {seed}: half-loss time {own} tau, gated {theory:.2f} tau; a0 of its pathways "
            f"{a0.min():.2e} to {a0.max():.2e}"
        )
    losses.set(xlabel=r"flow time ($\tau$)", ylabel="loss")
    losses.legend(fontsize="x-small", loc="lower left")
    lines = [
        f"ReLU over gated network, half-loss time: {np.mean(ratios):.4f} +- {np.std(ratios):.4f}",
        *table,
    ]
    lines.append(
        "neurons at the end, by the examples they are active on (seed of the first run): number, "
        "part of sum |w||a|"
    )
    lines += [
        f"  {name:<16}{count:>5}{share:>8.3f}"
        for name, (count, share) in types_at_the_end(shown).items()
    ]
    return Finding([weights, losses], tuple(lines))


# --- figure 4
# --------------------------------------------------------------------------------------------------


def fig4(job: Job) -> Finding:
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
            np.asarray(run.observables["loss"]),
            color=colours[1],
            lw=0.8,
            alpha=0.6,
            label="trained, orthogonal weights" if k == 0 else None,
        )
    losses.plot(
        ts,
        np.asarray(aligned.observables["loss"]),
        color=colours[2],
        lw=2.5,
        alpha=0.6,
        label="trained, aligned weights",
    )
    losses.plot(
        ts, np.asarray(theory.observables["loss"]), "--", color="black", label="closed form"
    )
    losses.set(xlabel=r"flow time ($\tau$)", ylabel="loss")
    losses.legend(fontsize="x-small")
    for colour, edge in zip(colours, ("hidden", "in1"), strict=False):
        closed = _layer(theory, edge)
        trained_values = np.linalg.svd(np.asarray(aligned.ys[edge]), compute_uv=False)[
            :, : closed.shape[1]
        ]
        values.plot(ts, trained_values, color=colour, lw=2.5, alpha=0.4)
        values.plot(ts, np.asarray(closed), "--", color=colour, lw=1)
        values.plot([], [], color=colour, label={"hidden": "hidden", "in1": "input, output"}[edge])
    values.set(xlabel=r"flow time ($\tau$)", ylabel="singular value")
    values.legend(fontsize="x-small")
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
    return Finding(panels, _fig4_lines(job, task, random, aligned, theory))


def _fig4_lines(
    job: Job, task: Any, random: Sequence[Any], aligned: Any, theory: Trajectory
) -> tuple[str, ...]:
    modes = job.runs["modes"]
    hidden, first = (_layer(theory, edge) for edge in ("hidden", "in1"))
    loss = np.asarray(theory.observables["loss"])
    off = [
        np.abs(np.asarray(modes.observables["loss"]) - loss).max(),
        np.abs(_layer(modes, "hidden") - hidden).max(),
        np.abs(_layer(modes, "in1") - first).max(),
    ]
    by_descent = np.abs(np.asarray(aligned.observables["loss"]) - loss).max()
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
                    float(np.asarray(run.observables["loss"])[-1]),
                    float(np.asarray(run.observables["probe_loss"])[-1, 0]),
                ]
                for run in random
            ]
        )
        / blank
    )
    return (
        f"modes level against the quadrature: loss {off[0]:.1e}, hidden {off[1]:.1e}, input "
        f"{off[2]:.1e}",
        "descent from aligned weights against the closed form, largest difference in loss: "
        f"{by_descent:.2g} of {blank:.3g}",
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
    return np.asarray(run.observables["edge_strength"])[:, run.labels["edge"].index(edge)]


def _row(values: Any) -> str:
    return " ".join(f"{float(value):.3f}" for value in values)


# --- figure 5
# --------------------------------------------------------------------------------------------------


def fig5(job: Job) -> Finding:
    """Sharing: how fast each scheme learns alone; which wins in one network; generalisation against
    K.
    """
    setting = job.settings
    domains, groups, counts = setting["domains"], setting["groups"], setting["trained"]
    panels = new_figure(1, 3, height=2.8)
    alone, race, errors = panels
    colours = cycle()
    full = routing_task(domains)
    ts = np.geomspace(setting["time"] / 1000, setting["time"], 400)
    lines = ["time to half of the first mode, each scheme alone (closed form, all routes trained):"]
    for group, colour in zip(groups, colours, strict=False):
        closed = exact.routing(full, setting["scale"], ts, sharing=group)
        strength = np.asarray(closed.observables["strength"])[:, 0, 0]
        alone.plot(ts, strength / strength[-1], color=colour, label=f"{group**2}")
        half = first_reached(ts, strength[:, None], strength[-1:] / 2, start=0.0)
        lines.append(f"  {group**2:>4} routes share a pathway: {half.text(0):>8} tau")
    alone.set(xlabel=r"flow time ($\tau$)", ylabel="strength of mode 1, of its end", xscale="log")
    alone.legend(title="routes per pathway", loc="upper left", fontsize="x-small")
    lines.append(
        "share of the final map in one network with all schemes (modes level, start "
        f"{setting['scale']:g}), mean over modes"
    )
    lines.append(
        f"  {'K / M':>8}"
        + "".join(f"{f'{group**2} routes':>14}" for group in groups)
        + "   (trained; untrained routes)"
    )
    shares = {trained: _shares(job, trained) for trained in counts}
    for trained, (known, unknown) in shares.items():
        cells = (f"{a:.3f}; {b:.3f}" for a, b in zip(known, unknown, strict=True))
        lines.append(f"  {trained / domains:>8.2f}" + "".join(f"{cell:>14}" for cell in cells))
    for column, (group, colour) in enumerate(zip(groups, colours, strict=False)):
        race.plot(
            np.array(counts) / domains,
            [known[column] for known, _ in shares.values()],
            "o-",
            color=colour,
            ms=3,
            label=f"{group**2}",
        )
    race.set(
        xlabel="trained share of outputs, $K/M$",
        ylabel="share of the map",
        yscale="log",
        ylim=(None, 1.2),
    )
    lines += _generalisation(job, errors)
    return Finding(panels, tuple(lines))


def _shares(job: Job, trained: int) -> tuple[np.ndarray, np.ndarray]:
    """Part of the final map that each scheme carries, mean over modes and over trained, and over
    untrained routes.
    """
    setting = job.settings
    task = routing_task(setting["domains"], trained)
    network = routing(task, len(routes_of(task).features), sharing=setting["groups"])

    def make() -> Any:
        weights = network.init(init.Aligned(setting["scale"]), task=task, key=0)
        return simulate(
            reduce(network, task, weights, level="modes"),
            np.array([0.0, setting["end"]]),
            progress=job.progress,
        )

    strength = np.asarray(job.keep(f"race_K{trained}", make).observables["strength"])[-1]
    # Paths to one route, one per scheme: which scheme a path is of, its prefix says.
    schemes = [group if group < routes_of(task).domains else "" for group in setting["groups"]]
    by_route: dict[tuple[str, str], dict[Any, np.ndarray]] = {}
    for path, carried in zip(network.paths(), strength, strict=True):
        scheme = int(path[0].split("_")[0]) if "_" in path[0] else ""
        by_route.setdefault(network.ends(path), {})[scheme] = carried
    part = {
        (int(x[1:]) - 1, int(y[1:]) - 1): np.array([carried[s] for s in schemes])
        / sum(carried.values())
        for (x, y), carried in by_route.items()
    }
    trained_routes = routes_of(task).routes
    known, unknown = (
        [p.mean(axis=1) for route, p in part.items() if trained_routes[route] == side]
        for side in (True, False)
    )
    return np.mean(known, axis=0), np.mean(unknown, axis=0) if unknown else np.full(
        len(schemes), np.nan
    )


def _generalisation(job: Job, ax: Any) -> list[str]:
    """Error on trained and untrained routes against K, of the shared network from orthogonal
    weights.
    """
    setting = job.settings
    rows: dict[int, np.ndarray] = {}
    for trained in setting["trained"]:
        task = routing_task(setting["domains"], trained)
        runs = [
            trained_routing(
                job,
                task,
                init.Orthogonal(setting["scale"]),
                seed,
                setting["lr"] / trained,
                f"_K{trained}",
            )
            for seed in setting["seeds"]
        ]
        ends = [
            [
                np.asarray(run.observables["loss"])[-1],
                np.asarray(run.observables["probe_loss"])[-1, 0]
                if "probe_loss" in run.observables
                else np.nan,
            ]
            for run in runs
        ]
        rows[trained] = np.array(ends, float) / blank_loss(task)
    K = np.array(list(rows)) / setting["domains"]
    for column, (name, colour) in enumerate(zip(("trained", "untrained"), cycle(), strict=False)):
        mean = np.array([row[:, column].mean() for row in rows.values()])
        spread = np.array([row[:, column].std() for row in rows.values()])
        ax.errorbar(K, mean, spread, fmt="o-", color=colour, ms=3, label=name)
    ax.set(xlabel="trained share of outputs, $K/M$", ylabel="error, of answering 0")
    ax.legend(title="routes")
    lines = [
        "error over that of answering 0, shared network, mean +- spread over "
        f"{len(setting['seeds'])} seeds"
    ]
    lines += [
        f"  K / M = {trained / setting['domains']:.2f}: trained {row[:, 0].mean():.1e} +- "
        f"{row[:, 0].std():.0e}, "
        f"untrained {row[:, 1].mean():.3g} +- {row[:, 1].std():.2g}"
        for trained, row in rows.items()
    ]
    return lines


# --- settings
# --------------------------------------------------------------------------------------------------

_FIG3: Mapping[str, Any] = {"width": 128, "std": 2e-4, "lr": 0.01, "seeds": list(range(10))}
_FIG4: Mapping[str, Any] = {
    "domains": 7,
    "trained": 4,
    "width": 64,
    "scale": 0.2,
    "lr": 0.02,
    "steps": 500,
    "rows": 125,
    "seeds": list(range(10)),
}
_FIG5: Mapping[str, Any] = {
    "domains": 10,
    "trained": list(range(1, 11)),
    "groups": [1, 2, 5, 10],
    "width": 64,
    "scale": 0.2,
    "lr": 0.05,
    "steps": 2000,
    "rows": 20,
    "time": 200.0,
    "end": 4000.0,
    "seeds": [0, 1, 2, 3, 4],
}

STUDIES = (
    Study(
        "saxe2022.fig3",
        "Saxe22",
        "XoR: a ReLU network and its gated twin",
        "a small ReLU network learns as the gated network with one pathway per example; its "
        "neurons are of four types",
        _FIG3,
        {**_FIG3, "lr": 0.02, "seeds": [0, 1]},
        fig3,
    ),
    Study(
        "saxe2022.fig4",
        "Saxe22",
        "routing through a shared matrix",
        "the closed form holds from aligned weights and nearly from random ones; the shared "
        "matrix's singular values are "
        "sqrt(M) larger; untrained routes are learned too",
        _FIG4,
        {**_FIG4, "seeds": [0, 1]},
        fig4,
    ),
    Study(
        "saxe2022.fig5",
        "Saxe22",
        "the race of sharing schemes",
        "the more routes share a pathway the faster it learns, so that shared pathways win and "
        "untrained routes are learned "
        "from about 40 % trained ones on",
        _FIG5,
        {
            **_FIG5,
            "domains": 4,
            "trained": [1, 2, 3, 4],
            "groups": [1, 2, 4],
            "seeds": [0, 1],
            "time": 80.0,
            "end": 400.0,
        },
        fig5,
    ),
    regimes.STUDY,
)
