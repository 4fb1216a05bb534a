"""The plane of two pathways: where each start of a race leads ([Shi22] fig. 3)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from racedyn._checks import as_list, check_is, check_positive, check_positive_int, fail
from racedyn.comparison import check_axes
from racedyn.plot import seeds, style
from racedyn.trajectory import Trajectory

_GRID = 61
_FEW = 10  # trajectories that get lines of full width
_FIXED: dict[str, Any] = {"color": "black", "linewidth": 1.4}


def phase_plane(
    depth: int,
    *,
    singular_value: float = 1.0,
    variance: float = 1.0,
    trajectories: Trajectory | Sequence[Trajectory] | None = None,
    ax: Any = None,
    limits: tuple[float, float] | None = None,
) -> Any:
    """One mode in the plane (K_1, K_2) of two pathways of equal depth D, its flow and its fixed
    points.

    The flow is that of balanced pathways, as in [Shi22] fig. 3: with c = q^2 - p^2 = 0 the q/p
    equations close in the strengths alone,

        dK_a/dt = D |K_a|^(2 - 2/D) (S - d (K_1 + K_2)),

    for D = 1 simply S - d (K_1 + K_2). Darker is faster. The line K_1 + K_2 = S/d is all fixed
    points; an open circle marks that at 0, where D > 1. Unbalanced pathways (c != 0) have no field
    in this plane: their trajectories may cross the streamlines and each other.

    **Arguments:**

    - `depth`: D >= 1, the number of weight matrices of each pathway.
    - `singular_value`, `variance`: S and d > 0 of the mode.
    - `trajectories`: runs with `strength` (time, 2, mode); every mode is drawn as one trajectory,
      from a dot at its start, in the colour of the pathway that ends stronger. So 100 starts are a
      `Pathways` system with 100 equal S, or an ensemble. Of a run whose modes are known, those with
      this S and d are drawn. Theory is dashed where training is there too.
    - `limits`: (lowest, highest) K of both axes; by default 0 to 1.15 S/d, and wider where
      trajectories are.

    Returns the axes. Raises `ValueError` for a depth, S or d out of range, limits that don't rise,
    trajectories without strengths of two pathways or without a mode of this S and d.

        >>> ax = rd.plot.phase_plane(depth=3, singular_value=2.0)
        >>> [f"{end:.1f}" for end in ax.get_xlim()]  # to 1.15 S/d
        ['0.0', '2.3']
    """
    depth = check_positive_int("depth", depth, "Depth counts weight matrices.")
    S, d = check_positive("singular_value", singular_value), check_positive("variance", variance)
    if trajectories is not None and not isinstance(trajectories, Trajectory):
        for run in as_list("trajectories", trajectories, "be a Trajectory or a list of them"):
            check_is("trajectories", run, Trajectory, "be a Trajectory or a list of them")
    given = [trajectories] if isinstance(trajectories, Trajectory) else list(trajectories or ())
    runs = [one for run in given for one in seeds.one_by_one(run)]
    lanes = [lane for run in runs for lane in _lanes(run, S, d)]
    low, high = _limits(limits, S / d, lanes)
    kinds = {style.kind(run) for run in runs}
    with style.context():
        own = ax is None
        ax = style.new_axes(1, 1, (3.4, 3.7))[0] if own else ax
        _draw_flow(ax, depth, S, d, low, high)
        colours = style.path_colours(np.zeros((1, 2, 1)))
        width = 1.1 if len(lanes) <= _FEW else 0.6
        for kind, K in lanes:
            look = {"color": colours[_winner(K)], "linewidth": width}
            dashed = kind in style.THEORY and "train" in kinds
            ax.plot(*K.T, linestyle="--" if dashed else "-", zorder=2.5 if dashed else 2, **look)
            ax.plot(
                *K[0],
                marker="o",
                markersize=3 * width,
                linestyle="none",
                zorder=3,
                color=look["color"],
            )
        # From edge to edge of the plane; the limits cut off what lies outside.
        ax.plot([low, high], [S / d - low, S / d - high], zorder=3.5, **_FIXED)
        if depth > 1 and low <= 0 <= high:
            ax.plot(
                0,
                0,
                marker="o",
                markersize=4.5,
                color="white",
                markeredgecolor="black",
                zorder=4,
                clip_on=False,
            )
        ax.set(
            xlim=(low, high),
            ylim=(low, high),
            xlabel="strength $K_1$",
            ylabel="strength $K_2$",
            aspect="equal",
        )
        ax.set_title(f"$D$ = {depth}, $S$ = {S:.3g}, $d$ = {d:.3g}")
        style.legend([ax], _handles(colours, {_winner(K) for _, K in lanes}, kinds), own)
        if not own:
            ax.get_legend().set_frame_on(True)  # there is no place without streamlines
    return ax


def _lanes(run: Trajectory, S: float, d: float) -> list[tuple[str, np.ndarray]]:
    """Kind and K (time, 2) of each mode of this S and d, without rows that are not finite."""
    check_axes("trajectories", run, "strength")
    if (shape := np.shape(run["strength"]))[1] != 2:
        fail(
            "trajectories",
            "be of two pathways",
            f"one has strengths of shape {shape}",
            "A plane has two axes.",
        )
    strength = np.asarray(run["strength"], dtype=np.float64)
    modes = None if run.provenance is None else run.provenance.modes
    chosen = np.arange(strength.shape[2])
    if modes is not None:
        chosen = np.flatnonzero(
            np.isclose(modes.S, S, rtol=1e-3) & np.isclose(modes.variances, d, rtol=1e-3)
        )
        if not len(chosen):
            known = sorted(
                {f"({s:.4g}, {v:.4g})" for s, v in zip(modes.S, modes.variances, strict=True)},
                reverse=True,
            )
            fail(
                "singular_value",
                "be, with `variance`, that of a mode of the trajectories",
                f"(S, d) is ({S:.4g}, {d:.4g}), and theirs are {', '.join(known)}",
                "Pass singular_value=modes.S[i], variance=modes.variances[i].",
            )
    lanes = [
        (style.kind(run), lane[np.isfinite(lane).all(axis=1)])
        for lane in np.moveaxis(strength, 2, 0)[chosen]
    ]
    return [(kind, lane) for kind, lane in lanes if len(lane)]


def _limits(
    limits: tuple[float, float] | None, end: float, lanes: Sequence[tuple[str, np.ndarray]]
) -> tuple[float, float]:
    if limits is not None:
        low, high = map(float, limits)
        if not -np.inf < low < high < np.inf:
            fail(
                "limits", "be (lowest, highest) strength, finite and rising", f"they are {limits!r}"
            )
        return low, high
    low = min([0.0, *(float(K.min()) for _, K in lanes)])
    high = max([1.15 * end, *(float(K.max()) for _, K in lanes)])
    margin = 0.03 * (high - low)
    # Rounding and the noise of a start near 0 must not open a strip of negative strengths.
    return (0.0 if low > -0.01 * end else low - margin), (
        high if high == 1.15 * end else high + margin
    )


def _draw_flow(ax: Any, depth: int, S: float, d: float, low: float, high: float) -> None:
    K = np.linspace(low, high, _GRID)
    residual = S - d * (K[None, :] + K[:, None])  # rows are K_2, as matplotlib has it
    one, two = (depth * np.abs(k) ** (2 - 2 / depth) * residual for k in (K[None, :], K[:, None]))
    speed = np.hypot(one, two)
    # What leads from 0 to the line is what matters: beyond it the field grows without bound. Speeds
    # span decades near 0, hence the square root; never so pale that no line is seen, never as black
    # as the line of fixed points.
    fastest = np.max(speed, initial=0.0, where=residual > 0) or np.max(speed) or 1.0
    shade = 0.2 + 0.35 * np.sqrt(np.minimum(speed / fastest, 1))
    ax.streamplot(
        K,
        K,
        one,
        two,
        color=shade,
        cmap="Greys",
        norm=_as_it_is(),
        density=0.9,
        linewidth=0.6,
        arrowsize=0.6,
        zorder=1,
    )


def _as_it_is() -> Any:
    from matplotlib.colors import Normalize

    return Normalize(0, 1)


def _winner(K: np.ndarray) -> int:
    return int(np.argmax(K[-1]))


def _handles(colours: Sequence[Any], winners: set[int], kinds: set[str]) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], label="fixed points, $K_1 + K_2 = S/d$", **_FIXED)]
    handles += [
        Line2D([], [], color=colours[a], label=f"pathway {a + 1} ends stronger")
        for a in sorted(winners)
    ]
    if "train" in kinds and kinds & style.THEORY:
        handles += [Line2D([], [], color="0.3", linestyle="-", label="trained")]
        handles += [Line2D([], [], color="0.3", linestyle="--", label="theory")]
    return handles
