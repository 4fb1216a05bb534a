"""Loss curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn.comparison import check_axes, kind_of_loss
from racedyn.plot import seeds, style, timing
from racedyn.trajectory import OBSERVABLES, Trajectory


def loss(
    *trajectories: Trajectory | Sequence[Trajectory],
    time: str = "auto",
    xlim: tuple[float, float] | None = None,
    ax: Any = None,
    **named: Trajectory | Sequence[Trajectory],
) -> Any:
    """Loss against flow time, log scale. Keywords name their curve; simulations of a theory are
    dashed.

    A dotted line marks where a run goes over to another task.

    A list is several seeds of one run, saved at the same times, an ensemble its members: the median
    is the line, lowest to highest (of more than ten the inner 80 %) the shade. Up to 30 saved rows
    have a marker each. `time` and `xlim` are those of `race`.

    Returns the axes. Raises `ValueError` for a trajectory without a loss, losses of different kinds
    (squared error and cross-entropy), times in different units, and seeds at different times.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(2, 2), width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> theory = rd.simulate(rd.reduce(network, task, weights), ts=np.linspace(0.0, 40.0, 41))
        >>> ax = rd.plot.loss(theory)
        >>> ax.get_ylabel(), ax.get_yscale()
        ('loss $L$', 'log')
    """
    unnamed = [seeds.as_seeds("trajectories", given) for given in trajectories]
    firsts = [runs[0] for runs in unnamed]
    curves = [
        (style.name_of(first, i, firsts), runs)
        for i, (first, runs) in enumerate(zip(firsts, unnamed, strict=True))
    ]
    curves += [(name, seeds.as_seeds(name, given)) for name, given in named.items()]
    if not curves:
        fail("trajectories", "be at least one trajectory", "there is none")
    for _, runs in curves:
        for run in runs:
            check_axes("trajectories", run, "loss")
    kinds = sorted({kind_of_loss(run) for _, runs in curves for run in runs})
    if len(kinds) > 1:
        fail("trajectories", "have losses of one kind", f"they are {' and '.join(kinds)}")
    label = style.common_time_label([run for _, runs in curves for run in runs])
    with style.context():
        own = ax is None
        ax = style.new_axes(1, 1, (3.4, 2.4))[0] if own else ax
        for name, runs in curves:
            dashed = style.kind(runs[0]) in style.THEORY and len(curves) > 1
            seeds.draw(
                ax,
                runs[0].ts,
                np.stack([np.asarray(run["loss"]) for run in runs]),
                linestyle="--" if dashed else "-",
                zorder=3 if dashed else 2,
                label=seeds.counted(name, len(runs)),
            )
        ax.set(xlabel=label, ylabel=OBSERVABLES["loss"].label, yscale="log")
        style.mark_switches(ax, [runs[0] for _, runs in curves])
        handles = ax.get_legend_handles_labels()[0] + seeds.range_handles(
            max(len(runs) for _, runs in curves)
        )
        ax.legend(handles=handles)
        if len({np.asarray(runs[0].ts).tobytes() for _, runs in curves}) == 1 or xlim is not None:
            # What is drawn is its logarithm: a loss that goes on falling goes on happening.
            drawn = [np.log(np.asarray(runs[0]["loss"], float)) for _, runs in curves]
            timing.show([ax], curves[0][1][0].ts, drawn, time, xlim, own)
    return ax
