"""Figure 5: the race of sharing schemes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn import exact
from racedyn.comparison import first_reached
from racedyn.networks import init, routing
from racedyn.plot import cycle, new_figure
from racedyn.reduction import reduce
from racedyn.simulation import simulate
from racedyn.studies.legends import legend_above
from racedyn.studies.saxe2022.routing_runs import blank_loss, trained_routing
from racedyn.studies.study import Finding, Job, Study
from racedyn.tasks import routes_of
from racedyn.tasks import routing as routing_task

_ROUNDING = 1e-12  # smaller errors are drawn nowhere: a logarithmic axis would be all rounding


def figure(job: Job) -> Finding:
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
        strength = np.asarray(closed["strength"])[:, 0, 0]
        alone.plot(ts, strength / strength[-1], color=colour, label=f"{group**2}")
        half = first_reached(ts, strength[:, None], strength[-1:] / 2, start=0.0)
        lines.append(f"  {group**2:>4} routes share a pathway: {half.text(0):>8} tau")
    alone.set(xlabel=r"flow time ($\tau$)", ylabel="strength of mode 1, of its end", xscale="log")
    legend_above(alone, 4, "each alone: routes per pathway")
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
    legend_above(race, 4, "all in one: routes per pathway")
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

    strength = np.asarray(job.keep(f"race_K{trained}", make)["strength"])[-1]
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
                np.asarray(run["loss"])[-1],
                np.asarray(run["probe_loss"])[-1, 0] if "probe_loss" in run else np.nan,
            ]
            for run in runs
        ]
        rows[trained] = np.array(ends, float) / blank_loss(task)
    K = np.array(list(rows)) / setting["domains"]
    for column, (name, colour) in enumerate(zip(("trained", "untrained"), cycle(), strict=False)):
        mean = np.array([row[:, column].mean() for row in rows.values()])
        spread = np.array([row[:, column].std() for row in rows.values()])
        ax.errorbar(K, mean, spread, fmt="o-", color=colour, ms=3, label=name)
    ax.set(
        xlabel="trained share of outputs, $K/M$",
        ylabel="error, of answering 0",
        yscale="log",
        ylim=(max(_ROUNDING, ax.dataLim.y0 / 3), None),
    )
    legend_above(ax, 2, "all shared: routes")
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


_PUBLISHED: Mapping[str, Any] = {
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


STUDY = Study(
    "saxe2022.fig5",
    "Saxe22",
    "the race of sharing schemes",
    "the more routes share a pathway the faster it learns, so that shared pathways win and "
    "untrained routes are learned "
    "from about 40 % trained ones on",
    _PUBLISHED,
    {
        **_PUBLISHED,
        "domains": 4,
        "trained": [1, 2, 3, 4],
        "groups": [1, 2, 4],
        "seeds": [0, 1],
        "time": 80.0,
        "end": 400.0,
    },
    figure,
    ("trained", "groups", "steps", "rows", "time", "end", "seeds"),
)
