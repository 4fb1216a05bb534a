"""Figure 2: XoR with margin, a ReLU network beside two gated linear networks.

Published: 128 hidden units. Initial scale, step size, margins and seeds are ours: N(0, 0.0002^2) as
in [Saxe22] fig. 3."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn import exact
from racedyn.plot import GREY, cycle, new_figure, share_legend
from racedyn.studies.shared_xor import (
    PATHWAYS,
    half_loss_time,
    race_of_both,
    relu,
    twin_loss,
    twin_time,
)
from racedyn.studies.study import Finding, Job, Study

_NAMES = {"linear": "linear gating", "xor": "XoR gating", "race": "both race", "relu": "ReLU"}
_LOOKS: Mapping[str, Any] = {
    "linear": {"ls": "--"},
    "xor": {"ls": "-."},
    "race": {"ls": ":", "zorder": 3},
    "relu": {"ls": "-", "lw": 3, "alpha": 0.5, "zorder": 1.5},
}


def figure(job: Job) -> Finding:
    """Losses at three margins, and half-loss times against the margin."""
    margins, seeds = job.settings["margins"], job.settings["seeds"]
    colours = dict(zip(_NAMES, cycle(), strict=False))
    panels = new_figure(1, 1 + len(job.settings["shown"]), height=2.6)
    times: dict[str, list[list[float]]] = {name: [] for name in _NAMES}
    for margin in margins:
        row: dict[str, list[float]] = {name: [] for name in _NAMES}
        for seed in seeds:
            found = relu(job, margin, seed)
            ts = np.asarray(found.trained.ts)
            curves = {"relu": np.asarray(found.trained["loss"])}
            if seed == seeds[0] and margin > 0:
                curves["race"] = np.asarray(race_of_both(job, found, margin, seed)["loss"])
            for name, curve in curves.items():
                row[name].append(float(half_loss_time(ts, curve).times[0]))
            for gating in PATHWAYS:
                row[gating].append(twin_time(margin, gating, found.joined))
            if margin in job.settings["shown"] and seed == seeds[0]:
                ax = panels[1 + job.settings["shown"].index(margin)]
                for name in PATHWAYS:
                    curves[name] = twin_loss(margin, name, found.joined, ts)
                for name, curve in curves.items():
                    ax.plot(ts, curve, color=colours[name], **_LOOKS[name])
                ax.set(xlabel=r"flow time ($\tau$)", ylabel="loss", title=rf"$\Delta$ = {margin:g}")
        for name, values in row.items():
            times[name].append(values)
    ax = panels[0]
    for name in ("linear", "xor", "race", "relu"):
        mean = [np.mean(values) if values else np.nan for values in times[name]]
        spread = [
            np.std(values) if values and np.isfinite(values).all() else 0.0
            for values in times[name]
        ]
        marked: dict[str, Any] = {"marker": "o", "markersize": 3} if name == "relu" else {}
        style = {"color": colours[name], **_LOOKS[name]}
        line = "none" if name == "relu" else style["ls"]
        ax.errorbar(margins, mean, spread, color=colours[name], ls=line, **marked)
        ax.plot([], [], label=_NAMES[name], **style, **marked)
    ax.axvline(np.sqrt(2 / 3), color=GREY, lw=0.8, label=r"$\sqrt{2/3}$, equal rates")
    shown = [
        v for name in ("xor", "relu") for values in times[name] for v in values if np.isfinite(v)
    ]
    ax.set(xlabel=r"margin $\Delta$", ylabel=r"half-loss time ($\tau$)", ylim=(0, 1.6 * max(shown)))
    ax.legend()
    share_legend(panels, columns=5)
    return Finding(panels, _table(margins, times))


def _table(margins: list[float], times: dict[str, list[list[float]]]) -> tuple[str, ...]:
    lines = [
        "half-loss time in tau, mean over seeds; the gated networks start from the strengths of "
        "the ReLU's neurons"
    ]
    lines.append(
        f"  {'margin':>6}{'linear':>10}{'XoR':>10}{'both race':>11}{'ReLU':>16}   ReLU / faster of "
        "the two"
    )
    for k, margin in enumerate(margins):
        linear, xor, race, relu_times = (
            np.array(times[name][k]) for name in ("linear", "xor", "race", "relu")
        )
        ratio = relu_times / np.minimum(linear, xor)
        raced = f"{race.mean():.2f}" if len(race) else "-"
        lines.append(
            f"  {margin:>6g}{linear.mean():>10.2f}{xor.mean():>10.2f}{raced:>11}"
            f"{f'{relu_times.mean():.2f} +- {relu_times.std():.2f}':>16}   {ratio.mean():.3f} +- "
            f"{ratio.std():.3f}"
        )
    lines.append(
        "  (inf: in some seed no neuron joins one of that gating's pathways, which then starts at "
        "0)"
    )
    crossings = [f"{exact.xor_crossing(a0):.4f} (a0 = {a0:g})" for a0 in (1e-2, 1e-3, 1e-6)]
    lines.append(
        f"  gatings take equally long at margin {', '.join(crossings)}; equal rates at sqrt(2/3) = "
        "0.8165"
    )
    return tuple(lines)


_MARGINS = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0]

STUDY = Study(
    "jarvis2025.fig2",
    "Jarvis25",
    "XoR with margin: ReLU beside gated linear networks",
    "a ReLU network learns as the faster of linear and XoR gating does; they cross near margin "
    "sqrt(2/3)",
    {
        "width": 128,
        "std": 2e-4,
        "lr": 0.01,
        "margins": _MARGINS,
        "shown": [0.4, 0.8, 1.5],
        "seeds": list(range(10)),
    },
    {
        "width": 128,
        "std": 2e-4,
        "lr": 0.02,
        "margins": [0.0, 0.4, 0.8, 1.5],
        "shown": [0.4, 0.8, 1.5],
        "seeds": [0],
    },
    figure,
    ("std", "lr", "margins", "shown", "seeds"),
)
