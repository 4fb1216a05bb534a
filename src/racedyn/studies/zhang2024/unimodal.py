"""The ratio of the times at which two modalities are learned, against their correlation and against
the layer where they fuse.

The paper's: the ratio of a two-layer network that fuses late, and that it tends to 1 in one that
fuses early and is in between for fusion in between. Task and settings are ours: y = x_A + x_B, one
component each, of variances 1 and `variance`; two layers from N(0, std^2), of which only the
logarithm counts, and `depth` layers from balanced weights of `scales`. Ours too are correlations at
which B has to unlearn first (below -`variance`^(1/2)), the ratio of what a smaller start adds to
both times, free of what does not depend on the start, and level "matrix" from the same weights."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from racedyn.exact import unimodal_time
from racedyn.networks import Network, fusion, init
from racedyn.plot import GREY, cycle, new_figure
from racedyn.reduction import reduce
from racedyn.simulation import simulate
from racedyn.studies.study import Finding, Job, Study
from racedyn.tasks import Task, multimodal
from racedyn.training import train
from racedyn.trajectory import Trajectory

PUBLISHED: Mapping[str, Any] = {
    "variance": 0.49,
    "correlations": [-0.8, -0.4, 0.0, 0.2, 0.4, 0.8],
    "stds": [1e-8, 1e-4],
    "solved": [-0.8, -0.4, 0.0, 0.2, 0.4, 0.8],  # late fusion, by theory too
    "shown": 0.4,
    "width": 100,
    "lr": 0.005,  # rates of descent are ln(1 + lr s) / lr, which ratios are seen to feel
    "steps": 64_000,
    "depth": 4,
    "scales": [0.1, 0.05],
    "deep_lr": 0.05,
    "deep_steps": 9_000,
    "rows": 2_000,
    "seed": 0,
}
QUICK: Mapping[str, Any] = {
    **PUBLISHED,
    "solved": [0.4],
    "lr": 0.02,
    "steps": 16_000,
    "scales": [0.1],
    "deep_steps": 2_200,
}
EARLY, LATE = 1, 2  # where networks of two layers fuse


class Times(NamedTuple):
    """When each modality is learned, in flow time."""

    A: float
    B: float

    @property
    def ratio(self) -> float:
        return self.B / self.A


# --- runs


def _trained(
    job: Job, name: str, network: Network, task: Task, law: init.AbstractLaw, lr: float, steps: int
) -> tuple[Trajectory, Mapping[str, Any]]:
    weights = network.init(law, task=task, key=job.settings["seed"])
    run = job.keep(
        name,
        lambda: train(
            network,
            task,
            weights,
            lr=lr,
            steps=steps,
            save_every=max(1, steps // job.settings["rows"]),
            progress=job.progress,
        ),
    )
    return run, weights


def _two_layers(job: Job, rho: float, std: float, fuse_at: int) -> dict[str, Trajectory]:
    """A network as trained, and at level "matrix" where it is asked for or drawn."""
    s = job.settings
    task = multimodal(1.0, s["variance"], rho)
    network = fusion(task, 2, fuse_at, s["width"])
    name = f"{'early' if fuse_at == EARLY else 'late'}_{rho:g}_{std:g}"
    run, weights = _trained(job, name, network, task, init.Gaussian(std), s["lr"], s["steps"])
    runs = {"trained": run}
    asked = rho in s["solved"] and fuse_at == LATE
    if (asked or rho == s["shown"]) and std == max(s["stds"]):
        runs["matrix"] = job.keep(
            f"{name}_matrix",
            lambda: simulate(
                reduce(network, task, weights, level="matrix"), run.ts, progress=job.progress
            ),
        )
    return runs


def maps(run: Trajectory, task: Task) -> np.ndarray:
    """W_A and W_B over time, (time, 2): strengths with the signs of their modes."""
    signs = [float((m.U @ m.V.T)[0, 0]) for m in (task.pair_modes(x, "output") for x in "AB")]
    return np.asarray(run["strength"])[:, :, 0] * signs


def learned(run: Trajectory, task: Task, fuse_at: int) -> Times:
    """When maps are at half of where they come to rest: A first without B, where they fuse late."""
    alone = float(task.sigma_yx("A", "output")[0, 0] / task.sigma_x("A")[0, 0])
    rests = (1.0 if fuse_at == EARLY else alone, 1.0)
    ts = np.asarray(run.ts)
    halves = []
    for W, rest in zip(maps(run, task).T, rests, strict=True):
        above = np.flatnonzero(rest / 2 <= W)
        k = above[0] if len(above) else 0
        halves.append(np.interp(rest / 2, W[k - 1 : k + 1], ts[k - 1 : k + 1]) if k else np.nan)
    return Times(*map(float, halves))


# --- figure


def figure(job: Job) -> Finding:
    """Ratios against correlation, maps and losses over time, and ratios against the layer of
    fusion.
    """
    s = job.settings
    runs = {
        (rho, std, fuse_at): _two_layers(job, rho, std, fuse_at)
        for rho in s["correlations"]
        for std in s["stds"]
        for fuse_at in (LATE, EARLY)
    }
    times = {
        key: {
            how: learned(run, multimodal(1.0, s["variance"], key[0]), key[2])
            for how, run in each.items()
        }
        for key, each in runs.items()
    }
    deep = list(_deep(job))
    panels = new_figure(2, 2, height=5.2)
    _draw_ratios(panels[0], s, times)
    start = max(s["stds"])
    shown = {fuse_at: runs[s["shown"], start, fuse_at] for fuse_at in (LATE, EARLY)}
    until = 1.8 * times[s["shown"], start, LATE]["trained"].B
    _draw_maps(panels[1], shown[LATE], multimodal(1.0, s["variance"], s["shown"]), until)
    _draw_losses(panels[2], shown, until)
    for ax in panels[1:3]:
        ax.set_title(f"correlation {s['shown']:g}")
    _draw_fusion(panels[3], s, deep)
    return Finding(panels[0].figure, (*_table(s, times, runs), *_deep_lines(s, deep)))


class Deep(NamedTuple):
    """A deep network that fuses at one layer: derived and trained ratio."""

    scale: float
    fuse_at: int
    derived: float
    trained: float


def _deep(job: Job) -> Iterator[Deep]:
    s = job.settings
    task, depth = multimodal(1.0, s["variance"], s["shown"]), s["depth"]
    for u0 in s["scales"]:
        for fuse_at in range(1, depth + 1):
            network = fusion(task, depth, fuse_at, s["width"])
            run, _ = _trained(
                job,
                f"deep_{fuse_at}_{u0:g}",
                network,
                task,
                init.Balanced(u0),
                s["deep_lr"],
                s["deep_steps"],
            )
            derived = unimodal_time(task, depth, fuse_at, u0 if 1 < fuse_at < depth else None)
            yield Deep(u0, fuse_at, derived.ratio, learned(run, task, fuse_at).ratio)


def _derived(s: Mapping[str, Any], rho: float) -> float:
    return unimodal_time(multimodal(1.0, s["variance"], rho)).ratio


def _draw_ratios(ax: Any, s: Mapping[str, Any], times: Mapping[Any, Any]) -> None:
    """Derived ratios against correlation, and trained ones of both starts."""
    late, early = cycle()[:2]
    low, high = min(s["correlations"]), max(s["correlations"])
    every = np.linspace(low - 0.02, high + 0.02, 200)
    ax.plot(every, [_derived(s, rho) for rho in every], color=late, label="late, derived")
    ax.axhline(1, color=early, label="early, derived")
    for std, marker in zip(sorted(s["stds"]), "os^", strict=False):
        for fuse_at, colour, name in ((LATE, late, "late"), (EARLY, early, "early")):
            ax.plot(
                s["correlations"],
                [times[rho, std, fuse_at]["trained"].ratio for rho in s["correlations"]],
                marker,
                ms=3.5,
                mfc="none",
                color=colour,
                label=f"{name}, std {std:g}",
            )
    ax.axvline(-(s["variance"] ** 0.5), color=GREY, lw=0.6, label="left: B unlearns first")
    ax.set(xlabel="correlation of A and B", ylabel=r"$t_B / t_A$", title="two layers")
    ax.legend()


def _draw_maps(ax: Any, runs: Mapping[str, Trajectory], task: Task, until: float) -> None:
    """What each modality's pathway carries, late fusion: trained pale, theory dashed."""
    for i, (name, colour) in enumerate(zip("AB", cycle(), strict=False)):
        run = runs["trained"]
        ax.plot(
            run.ts, maps(run, task)[:, i], color=colour, lw=3, alpha=0.4, label=f"{name}, trained"
        )
        if "matrix" in runs:
            level = {} if i else {"label": 'level "matrix"'}
            ax.plot(run.ts, maps(runs["matrix"], task)[:, i], "--", color=colour, **level)
    ax.axhline(
        float(task.sigma_yx("A", "output")[0, 0] / task.sigma_x("A")[0, 0]),
        color=GREY,
        lw=0.6,
        label="A, learned alone",
    )
    ax.set(xlim=(0, until), xlabel=r"flow time ($\tau$)", ylabel="map, late fusion")
    ax.legend()


def _draw_losses(ax: Any, shown: Mapping[int, Mapping[str, Trajectory]], until: float) -> None:
    for (fuse_at, runs), colour in zip(shown.items(), cycle(), strict=False):
        run = runs["trained"]
        name = "late fusion" if fuse_at == LATE else "early fusion"
        ax.plot(run.ts, run["loss"], color=colour, lw=3, alpha=0.4, label=f"{name}, trained")
        if "matrix" in runs:
            theory = runs["matrix"]
            ax.plot(theory.ts, theory["loss"], "--", color=colour, label='level "matrix"')
    ax.set(xlim=(0, until), xlabel=r"flow time ($\tau$)", ylabel="loss")
    ax.legend()


def _draw_fusion(ax: Any, s: Mapping[str, Any], deep: Sequence[Deep]) -> None:
    """What the ratio is above 1, which falls with the start unless modalities fuse late."""
    for u0, colour in zip(s["scales"], cycle(), strict=False):
        these = [each for each in deep if each.scale == u0 and each.fuse_at > EARLY]
        at = [each.fuse_at for each in these]
        ax.plot(at, [e.derived - 1 for e in these], "_", ms=12, color=colour)
        ax.plot(
            at,
            [e.trained - 1 for e in these],
            "o",
            ms=3.5,
            mfc="none",
            color=colour,
            label=f"$u_0$ = {u0:g}; bar: derived",
        )
    ax.set(
        yscale="log",
        xlabel=f"layer of fusion, of {s['depth']}",
        ylabel=r"$t_B / t_A - 1$",
        xticks=range(2, s["depth"] + 1),
        title=f"balanced starts, correlation {s['shown']:g}",
    )
    ax.legend()


# --- what is found


def _table(
    s: Mapping[str, Any], times: Mapping[Any, Any], runs: Mapping[Any, Mapping[str, Trajectory]]
) -> Iterator[str]:
    """One line per correlation: ratios derived, trained and solved."""
    small, large = min(s["stds"]), max(s["stds"])
    yield "t_B / t_A of two layers; added: of what the smaller start adds to both times"
    yield (
        f"{'correlation':<13}{'derived':<9}{'added':<9}{f'std {small:g}':<11}{f'std {large:g}':<11}"
        f"{'matrix':<9}{'early':<8}{f'early {small:g}':<13}largest difference of level matrix"
    )
    for rho in s["correlations"]:
        few, many = (times[rho, std, LATE]["trained"] for std in (small, large))
        early = [times[rho, std, EARLY]["trained"].ratio for std in (large, small)]
        solved = times[rho, large, LATE].get("matrix")
        yield (
            f"{rho:<13g}{_derived(s, rho):<9.3f}{(few.B - many.B) / (few.A - many.A):<9.3f}"
            f"{few.ratio:<11.3f}{many.ratio:<11.3f}"
            + (f"{solved.ratio:<9.3f}" if solved else f"{'-':<9}")
            + f"{early[0]:<8.3f}{early[1]:<13.3f}"
            + (f"{_apart(runs[rho, large, LATE]):.3f}" if solved else "-")
        )


def _apart(runs: Mapping[str, Trajectory]) -> float:
    return float(
        np.abs(
            np.asarray(runs["trained"]["strength"]) - np.asarray(runs["matrix"]["strength"])
        ).max()
    )


def _deep_lines(s: Mapping[str, Any], deep: Sequence[Deep]) -> Iterator[str]:
    for u0 in s["scales"]:
        said = ", ".join(
            f"{each.fuse_at}: {each.derived:.3f}, {each.trained:.3f}"
            for each in deep
            if each.scale == u0
        )
        yield (
            f"t_B / t_A of {s['depth']} layers, correlation {s['shown']:g}, u0 = {u0:g}, by the "
            f"layer of fusion, derived and trained: {said}"
        )


STUDY = Study(
    name="zhang2024.unimodal",
    source="Zhang24",
    title="how long one of two modalities is learned alone",
    claim=(
        "the later modalities fuse, the longer one is learned alone; in two layers and late fusion "
        "t_B / t_A = 1 + (|S_yA| - |S_yB|) / |S_yB - S_yA S_A^-1 S_AB|, in early fusion 1"
    ),
    published=PUBLISHED,
    quick=QUICK,
    make=figure,
    ours=tuple(PUBLISHED),
)
