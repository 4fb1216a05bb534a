"""From a network, a task and weights to the (reduced) equations of their learning dynamics."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from racedyn._checks import check_flags, check_is, check_name, check_not_negative, fail, shown
from racedyn._jit import full_precision
from racedyn._types import Path, Times
from racedyn.networks import Network, Problem, check_task, the_three, warn_of_closed_gates
from racedyn.paths import observed_paths
from racedyn.reduction.assignment import Assignment
from racedyn.reduction.best import best_flow
from racedyn.reduction.compression.levels import compressed_flow, signals_flow
from racedyn.reduction.levels import full_flow, matrix_flow, modes_flow
from racedyn.reduction.maps import maps_race
from racedyn.reduction.pathway import pathway_race
from racedyn.rules import check_stages
from racedyn.systems import AbstractSystem
from racedyn.tasks import Task


class Reduction(NamedTuple):
    """A level of reduction.

    **Fields:** `build`: from what was asked, and whether to go on where it isn't exact, the system;
    `source`: whose it is (a key of `studies.REFERENCES`); `takes`: the arguments of `reduce` that
    it has a use for, of those that not all levels have."""

    build: Callable[[Assignment, bool], AbstractSystem]
    source: str
    takes: tuple[str, ...]


LEVELS = {
    "pathway": Reduction(pathway_race, "Shi22", ("modes", "branch")),
    "maps": Reduction(maps_race, "Arora18", ("modes",)),
    "modes": Reduction(modes_flow, "Saxe22", ("stages", "paths", "bases")),
    "matrix": Reduction(matrix_flow, "Saxe22", ("stages", "paths")),
    "signals": Reduction(signals_flow, "racedyn", ("stages", "paths")),
    "compressed": Reduction(compressed_flow, "racedyn", ("stages", "paths", "tolerance", "ts")),
    "best": Reduction(best_flow, "racedyn", ("stages", "paths", "tolerance", "ts")),
    "full": Reduction(full_flow, "Saxe22", ("modes", "stages", "paths")),
}


@full_precision
def reduce(
    network: Network | Problem,
    task: Task | None = None,
    weights: Mapping[str, Any] | None = None,
    *,
    level: str = "pathway",
    inexact: bool = False,
    weight_decay: float = 0.0,
    stages: Sequence[Sequence[str]] | None = None,
    bases: str = "nodes",
    paths: Sequence[Path] | None = None,
    branch: str = "larger",
    modes: Task | None = None,
    tolerance: float | None = None,
    ts: Times | None = None,
) -> AbstractSystem:
    """The system that `network` learning `task` from `weights` becomes at a level of reduction.

    **Levels**, each with what was measured as its `validity` (print it):

    - "full": the gradient flow of all matrices ([Saxe22] eq. 5). Exact.
    - "matrix": the flow of the network projected on bases that are closed under the initial
      matrices (`racedyn.reduction.bases`). Exact for any two-layer weights, any statistics; deeper
      from balanced weights, or in chains with square orthogonal inner matrices. Refused where such
      bases fill the network.
    - "best": the first of "modes", "matrix", "compressed" and "full" that is exact, or holds its
      tolerance.
    - "compressed": the flow of a narrow network, which stands for the wide one to `tolerance`
      (`racedyn.compress`, which also follows descent). Any weights, any depth. Refused where its
      bases would take more than half of a node, unless they fill the network: that is exact.
    - "signals": the flow of a network of as many directions at each node as signals of the start
      reach there, 2R for R modes: modes that couple inside a pathway, which q/p leave out. A few
      percent off; never refused.
    - "modes": one number per edge and mode ([Saxe22] eq. 11), each mode on its own. Exact where all
      path statistics and all weights are diagonal in the task's modes. Refused elsewhere.
    - "maps": one matrix per pathway, the product of its own (`systems.Maps`). Exact from balanced
      weights: W_(l+1)^T W_(l+1) = W_l W_l^T at every inner node. Refused elsewhere. For pathways
      that share no edge and have no gates.
    - "pathway": the q/p equations of [Shi22], matched to the weights (`racedyn.reduction.matching`;
      `branch` is the choice of root). Never exact beyond what `validity` says, never refused. For
      pathways that share no edge and have no gates.

    **Arguments:**

    - `inexact`: go on where the level isn't exact; `validity` records that, and how far from it. At
      "matrix" the bases are then those of one sweep, at "maps" the start is that of the maps.
    - `weight_decay`: rate, in units of 1/tau, at which all weights decay besides; it keeps every
      reduction as exact.
    - `stages`: groups of edges trained one upon the other as in `racedyn.train`; not at
      "pathway" and "maps".
    - `bases`: of the level "modes": "nodes", one at each node, that of the task; or "paths", at
      outputs each path's own with measured overlaps, at the input one that all paths share
      ([Jarvis25] App. F), for paths whose first and last edge are theirs alone. Paths that read
      different directions of the input, as with XoR gating, have the level "matrix".
      `racedyn.statistics` has the residual task of paths that learn what others leave.
    - `paths`: whose strengths are observed; all by default, none where there are more than 1,000.
    - `modes`: another task, in whose modes strengths are read, at the levels "full", "maps" and
      "pathway": for `systems.Piecewise`, where one task follows another. S and d are then those of
      `task` in these modes, S of either sign; what `task` has off their diagonal, and q/p leave
      out, is in `validity`.
    - `tolerance`, `ts`: of the level "compressed": relative L2 error of strengths and loss, by
      default 1e-3, and the flow times over which it holds, by default until all is learned.

    Flow time is that of L = 1/2 < |y - yhat|^2 >, whatever a training's `loss` is called: that and
    `lr` say how much of it a step takes. Cross-entropy has no reduction here.

    Raises `ValueError` where a level isn't exact (with the measured reason, and the level that is),
    for a nonlinear network, and for weights or a task that do not fit.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(2, 2), width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> print(rd.reduce(network, task, weights).describe())
        Pathways of depths (2, 2), 4 modes
        >>> rd.reduce(network, task, weights, level="matrix").validity.exact
        True
    """
    check_name("level", level, LEVELS)
    check_flags(inexact=inexact)
    network, task, weights = the_three(network, task, weights)
    check_not_negative("weight_decay", weight_decay)
    if not network.linear:
        fail(
            "network",
            "be linear to be reduced",
            f"it is a {network}",
            "Train it in full width and compare with the "
            "reduction of the linear network of the same shape.",
        )
    warn_of_closed_gates(network, task)
    if modes is not None:
        check_is("modes", modes, Task, "be a Task")
        check_task(network, modes)
    check_name("bases", bases, ("nodes", "paths"))
    given = {"modes": modes, "stages": stages, "paths": paths, "tolerance": tolerance, "ts": ts}
    given |= {} if bases == "nodes" else {"bases": bases}
    _check_taken(level, given | ({} if branch == "larger" else {"branch": branch}))
    read = task.all_modes() if modes is None else task.modes_in(modes)
    observed = {}
    if "paths" in LEVELS[level].takes:
        observed = observed_paths(network, paths, None if bases == "paths" else read)
    stages = check_stages(network, stages)
    assigned = Assignment(
        network,
        task,
        weights,
        weight_decay,
        stages,
        observed,
        read,
        modes,
        bases,
        branch,
        1e-3 if tolerance is None else tolerance,
        ts,
    )
    return LEVELS[level].build(assigned, inexact)


def _check_taken(level: str, given: Mapping[str, Any]) -> None:
    """Refuse what is given and the level has no use for."""
    for name, value in given.items():
        if value is not None and name not in LEVELS[level].takes:
            where = " or ".join(
                repr(other) for other, known in LEVELS.items() if name in known.takes
            )
            but = f"it is {shown(value)}"
            fail(name, f"be left out at level {level!r}", but, f"level={where} takes it.")
