"""Figure 3: XoR, where a ReLU network's neurons end, and its loss beside the gated network's."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from racedyn.plot import GREY, cycle, new_figure
from racedyn.studies.legends import legend_above
from racedyn.studies.shared_xor import (
    active_at_the_end,
    half_loss_time,
    relu,
    strengths,
    twin_loss,
    twin_time,
    types_at_the_end,
)
from racedyn.studies.study import Finding, Job, Study


def figure(job: Job) -> Finding:
    """XoR: where neurons end, and the loss of ReLU networks beside the gated network's closed
    form.
    """
    weights, losses = new_figure(1, 2, height=2.8)
    runs = [relu(job, 0.0, seed) for seed in job.settings["seeds"]]
    colours = cycle()
    shown = runs[0]
    names = shown.task.item_names or ()
    beside: Any = {"textcoords": "offset points", "ha": "center", "va": "center_baseline"}
    for k, (x, y) in enumerate(zip(shown.task.X.T, shown.task.Y[0], strict=True)):
        weights.plot(
            *x[:2],
            "P" if y > 0 else "X",
            color=colours[k],
            ms=9,
        )
        weights.annotate(f"{names[k]}, target {y:g}", x[:2], (0, 9 * np.sign(x[1])), **beside)
    w1 = np.asarray(shown.trained.ys["w1"])[-1]
    for w, on in zip(w1 / np.abs(w1).max(), active_at_the_end(shown), strict=True):
        colour = colours[int(np.argmax(on))] if on.sum() == 1 else GREY
        weights.plot([0, w[0]], [0, w[1]], color=colour, lw=0.8)
    weights.set(xlabel="weight from $x_1$", ylabel="weight from $x_2$", aspect="equal")
    weights.set(xlim=(-1.5, 1.5), ylim=(-1.35, 1.35), title="neurons (lines) and examples")
    ratios, table = [], []
    for k, (seed, each) in enumerate(zip(job.settings["seeds"], runs, strict=True)):
        ts, loss = np.asarray(each.trained.ts), np.asarray(each.trained["loss"])
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
    legend_above(losses, 2)
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


_PUBLISHED: Mapping[str, Any] = {"width": 128, "std": 2e-4, "lr": 0.01, "seeds": list(range(10))}

STUDY = Study(
    "saxe2022.fig3",
    "Saxe22",
    "XoR: a ReLU network and its gated twin",
    "a small ReLU network learns as the gated network with one pathway per example; its "
    "neurons are of four types",
    _PUBLISHED,
    {**_PUBLISHED, "lr": 0.02, "seeds": [0, 1]},
    figure,
    ("lr", "seeds"),
)
