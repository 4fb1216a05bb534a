"""Strengths of pathways: which one takes each mode, and when."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from racedyn._checks import fail
from racedyn.comparison import check_axes, check_comparable
from racedyn.plot import seeds, style, timing
from racedyn.tasks import Modes
from racedyn.trajectory import OBSERVABLES, Trajectory

_MOST_PANELS = 8
_MOST_GROUPS = 5
# Training, broad and light, then theories over it, so that all are seen where they agree.
_TRAINED: dict[str, Any] = {"linestyle": "-", "linewidth": 2.2, "alpha": 0.45, "zorder": 2}
_THEORIES: tuple[dict[str, Any], ...] = (
    {"linestyle": "--", "linewidth": 1.1, "zorder": 4},
    {"linestyle": ":", "linewidth": 1.2, "zorder": 3},
    {"linestyle": "-.", "linewidth": 0.9, "zorder": 3},
    {"linestyle": (0, (5, 1, 1, 1, 1, 1)), "linewidth": 0.9, "zorder": 3},
)
_ALONE: dict[str, Any] = {"linestyle": "-", "linewidth": 1.2, "zorder": 3}
_Runs: TypeAlias = Trajectory | Sequence[Trajectory]


def race(
    theory: _Runs | Mapping[str, _Runs],
    trained: _Runs | None = None,
    *,
    time: str = "auto",
    xlim: tuple[float, float] | None = None,
    sharey: bool = True,
    axes: Any = None,
) -> np.ndarray:
    """One panel per mode: the strength K_a of every pathway against flow time, and S/d where it is
    known.

    Where a run goes over to another task, a dotted line marks it, and S/d is that of each task in
    its turn.

    With both, training is solid and the theory dashed over it; one trajectory alone is solid. Of
    several theories, a dict name -> run, up to four, the first is dashed and the next dotted. At
    most 8 panels: the modes with the largest S (without modes, the largest strength at the end), as
    the legend's title then says. Up to 30 saved rows have a marker each, as the line between them
    is but drawn.

    Where paths join several pairs of inputs and outputs, each pair has a colour, with shades for
    its paths, and the legend names it.

    Either may be a list, several seeds of one run, saved at the same times; or an ensemble. The
    line is then the median over seeds, and the shade goes from lowest to highest, of more than ten
    over the inner 80 % (for a theory beside training, its thin dashed edges alone), pathway by
    pathway. Where seeds differ in who wins, the shades of pathways overlap, and the medians are the
    fate of no seed.

    **Arguments:**

    - `time`: "linear", "log", or "auto": where all happens in less than a tenth of the time, that
      part of it; logarithmic where it goes over more than a decade. On `axes` of yours "auto" is
      linear.
    - `xlim`: (first, last) time that is shown.
    - `sharey`: False for a range of its own in each panel.
    - `axes`: as many as panels, to draw on.

    Returns the axes drawn on, (panel,). Raises `ValueError` where the runs are not comparable (see
    `compare`), seeds have different times, or there are too few axes.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(2, 2), width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> theory = rd.simulate(rd.reduce(network, task, weights), ts=np.linspace(0.0, 40.0, 41))
        >>> axes = rd.plot.race(theory)
        >>> [ax.get_title() for ax in axes]
        ['all, $S$ = 0.661', '1-2 | 3-4, $S$ = 0.433', '1 | 2, $S$ = 0.25', '3 | 4, $S$ = 0.25']
    """
    theories = dict(theory) if isinstance(theory, Mapping) else {"theory": theory}
    if not 0 < len(theories) <= len(_THEORIES):
        fail("theory", f"be one to {len(_THEORIES)} theories", f"there are {len(theories)}")
    sets = [seeds.as_seeds(name, runs) for name, runs in theories.items()]
    looks, names = list(_THEORIES[: len(sets)]), list(theories)
    if trained is not None:
        sets.insert(0, seeds.as_seeds("trained", trained))
        looks.insert(0, _TRAINED)
        names.insert(0, "trained")
        for runs in sets[1:]:
            check_comparable(runs[0], sets[0][0])
    elif len(sets) == 1:
        looks = [_ALONE]
    firsts = [runs[0] for runs in sets]
    strengths_of = [
        np.stack([_strength(run) for run in runs]) for runs in sets
    ]  # (seed, time, path, mode) each
    median = np.median(strengths_of[0], axis=0)
    modes = next((m for m in map(_modes, firsts) if m is not None), None)
    shown = _shown(median, modes)
    targets = (
        _targets(next((run for run in firsts if _modes(run) is modes), firsts[0]))
        if modes is not None
        else []
    )
    with style.context():
        own, columns = axes is None, len(shown) if len(shown) <= 4 else (len(shown) + 1) // 2
        panels = (
            _new_panels(len(shown), columns, sharey)
            if own
            else list(np.ravel(np.asarray(axes, dtype=object)))
        )
        if len(panels) < len(shown):
            fail(
                "axes",
                f"be one per panel, {len(shown)}",
                f"there are {len(panels)}",
                "Leave them out.",
            )
        panels = panels[: len(shown)]
        colours, path_names = style.paths_of(firsts, median)
        for i, (ax, mode) in enumerate(zip(panels, shown, strict=True)):
            for start, stop, target in targets:
                if start is None:
                    ax.axhline(target[mode], color=style.GREY, linewidth=0.6, zorder=1)
                else:
                    ax.plot(
                        [start, stop], [target[mode]] * 2, color=style.GREY, linewidth=0.6, zorder=1
                    )
            style.mark_switches(ax, firsts, named=i == 0)
            for first, strength, look in zip(firsts, strengths_of, looks, strict=True):
                for path in style.drawing_order(colours):
                    seeds.draw(
                        ax,
                        first.ts,
                        strength[:, :, path, mode],
                        color=colours[path],
                        fill=first is firsts[0],
                        **look,
                    )
            ax.set_title(_mode_name(firsts, modes, mode))
            if not own or i + columns >= len(shown):  # nothing below
                ax.set_xlabel(style.time_label(firsts[0]))
                ax.tick_params(labelbottom=True)
            if not own or i % columns == 0:
                ax.set_ylabel(OBSERVABLES["strength"].label)
        handles = style.path_handles(path_names, colours) + _meanings(
            sets, names, looks, modes is not None
        )
        lines = [np.moveaxis(strength, 1, 0) for strength in strengths_of]  # (time, ...)
        timing.show(panels, firsts[0].ts, lines[:1], time, xlim, own)
        style.legend(panels, handles, own, _caption(len(shown), median.shape[2], modes))
    result = np.empty(len(panels), dtype=object)
    result[:] = panels
    return result


def strengths(
    trajectory: _Runs,
    ax: Any = None,
    *,
    time: str = "auto",
    xlim: tuple[float, float] | None = None,
) -> Any:
    """All strengths K_a of one run on one axis: a colour per pathway, thinner and paler as S falls.

    Of a list of runs, or of an ensemble, the median, with a shade, as in `race`, which has `time`
    and `xlim`, too. Returns the axes. Raises `ValueError` for a trajectory without strengths.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(2, 2), width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> theory = rd.simulate(rd.reduce(network, task, weights), ts=np.linspace(0.0, 40.0, 41))
        >>> ax = rd.plot.strengths(theory)
        >>> len(ax.lines)  # 2 pathways x 4 modes
        8
    """
    runs = seeds.as_seeds("trajectory", trajectory)
    all_of_them = np.stack([_strength(run) for run in runs])  # (seed, time, path, mode)
    first, strength = runs[0], np.median(all_of_them, axis=0)
    modes, ts = _modes(first), np.asarray(first.ts)
    groups = [(m,) for m in range(strength.shape[2])] if modes is None else list(modes.groups)
    with style.context():
        from matplotlib.lines import Line2D

        own = ax is None
        ax = style.new_axes(1, 1, (style.WIDTH / 2, 3.0))[0] if own else ax
        colours, path_names = style.paths_of([first], strength)
        fading = np.linspace(0, 1, len(groups))
        looks = [{"linewidth": 1.8 - 1.2 * fade, "alpha": 1 - 0.6 * fade} for fade in fading]
        for group, look in reversed(list(zip(groups, looks, strict=True))):
            for mode in group:
                for path in style.drawing_order(colours):
                    curves = all_of_them[:, :, path, mode]
                    seeds.draw(ax, ts, curves, color=colours[path], **look)
        entries = range(len(groups)) if len(groups) <= _MOST_GROUPS else (0, len(groups) - 1)
        handles = [
            Line2D([], [], color="0.3", label=_group_name(groups[g], first), **looks[g])
            for g in entries
        ]
        ax.set(xlabel=style.time_label(first), ylabel=OBSERVABLES["strength"].label)
        style.mark_switches(ax, [first])
        handles += seeds.range_handles(len(runs))
        style.legend([ax], style.path_handles(path_names, colours) + handles, own)
        timing.show([ax], ts, [strength], time, xlim, own)
    return ax


def _strength(trajectory: Trajectory) -> np.ndarray:
    check_axes("trajectory", trajectory, "strength")
    return np.asarray(trajectory["strength"], dtype=np.float64)


def _modes(trajectory: Trajectory) -> Modes | None:
    return None if trajectory.provenance is None else trajectory.provenance.modes


def _targets(run: Trajectory) -> list[tuple[float | None, float, np.ndarray]]:
    """S/d of each task of a run, with the times from and to which it is trained; (None, ...) for a
    run of one task.
    """
    edges = [
        float(np.min(run.ts)),
        *(float(switch["time"]) for switch in run.switches),
        float(np.max(run.ts)),
    ]
    found: list[tuple[float | None, float, np.ndarray]] = []
    for i in range(len(run.switches) + 1):
        modes = _modes(run.segment(i))
        if modes is not None:
            target = np.divide(
                modes.S, modes.variances, out=np.full(modes.num, np.nan), where=modes.variances != 0
            )
            found.append((edges[i] if run.switches else None, edges[i + 1], target))
    return found


def _shown(strength: np.ndarray, modes: Modes | None) -> list[int]:
    """The modes that get a panel, in the order of their index."""
    size = (
        np.abs(modes.S)
        if modes is not None
        else np.nan_to_num(np.abs(np.nansum(strength[-1], axis=0)))
    )
    return sorted(int(m) for m in np.argsort(-size, kind="stable")[:_MOST_PANELS])


def _new_panels(count: int, columns: int, sharey: bool) -> list[Any]:
    rows = -(-count // columns)
    panels = style.new_axes(
        rows,
        columns,
        (style.WIDTH * min(1.0, 0.25 + columns / 4), 0.6 + 1.45 * rows),
        sharey=sharey,
    )
    for spare in panels[count:]:
        spare.remove()
    return panels[:count]


def _mode_name(runs: Sequence[Trajectory], modes: Modes | None, mode: int) -> str:
    if modes is not None:
        name, S = style.name_text(modes.names[mode]), _in_turn(runs, modes, mode)
        # Two tasks' S need a line of their own: titles of four panels stand side by side.
        return f"{name}\n$S$ = {S}" if "then" in S else f"{name}, $S$ = {S}"
    names = next((run.labels["mode"] for run in runs if "mode" in run.labels), None)
    return f"mode {mode + 1}" if names is None else style.name_text(str(names[mode]))


def _group_name(group: Sequence[int], run: Trajectory) -> str:
    which, modes = (
        f"mode {group[0] + 1}" if len(group) == 1 else f"modes {group[0] + 1}-{group[-1] + 1}",
        _modes(run),
    )
    return which if modes is None else f"{which}, $S$ = {_in_turn([run], modes, group[0])}"


def _in_turn(runs: Sequence[Trajectory], modes: Modes, mode: int) -> str:
    """S of a mode in each task of the run that has these modes: "1.5", or "1.5, then 0.8"."""
    run = next(run for run in runs if _modes(run) is modes)
    parts = [
        known for i in range(len(run.switches) + 1) if (known := _modes(run.segment(i))) is not None
    ]
    return ", then ".join(dict.fromkeys(f"{known.S[mode]:.3g}" for known in parts))


def _meanings(
    sets: Sequence[Sequence[Trajectory]],
    names: Sequence[str],
    looks: Sequence[dict[str, Any]],
    has_target: bool,
) -> list[Any]:
    """Legend entries for solid, dashed, the shade and the thin grey line."""
    from matplotlib.lines import Line2D

    most = max(len(runs) for runs in sets)
    if len(sets) == 1:
        names = [""] if most > 1 else []
    handles = [
        Line2D([], [], color="0.3", label=seeds.counted(name, len(runs)), **look)
        for name, runs, look in zip(names, sets, looks, strict=False)
    ]
    target = [Line2D([], [], color=style.GREY, linewidth=0.6, label="$S/d$")] if has_target else []
    return handles + seeds.range_handles(most) + target


def _caption(shown: int, num_modes: int, modes: Modes | None) -> str | None:
    if shown == num_modes:
        return None
    largest = "strength at the end" if modes is None else "$S$"
    return f"{shown} of {num_modes} modes: those with the largest {largest}"
