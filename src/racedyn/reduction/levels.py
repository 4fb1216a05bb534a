"""The levels of the gated flow: full, matrix, modes. Each measures whether it is exact before it is
built.
"""

from collections.abc import Mapping

import numpy as np

from racedyn._checks import fail
from racedyn._types import HostOnly
from racedyn.networks import Network, Node
from racedyn.paths import path_classes, statistics
from racedyn.reduction.assignment import Assignment
from racedyn.reduction.bases import (
    Matrices,
    closed_bases,
    gated_alike,
    mode_frames,
    weight_misalignment,
)
from racedyn.reduction.own_bases import own_bases
from racedyn.reduction.projection import narrowed, projected_modes, readable
from racedyn.reduction.validity import Validity, refuse, rounding
from racedyn.systems import (
    FULL,
    MATRIX,
    MODES,
    Condensed,
    GatedFlow,
    Level,
    Modewise,
    Reading,
    Size,
    Trained,
    condense,
    gated_flow,
    in_bases,
)
from racedyn.tasks import Task


def full_flow(assigned: Assignment, inexact: bool) -> GatedFlow:
    """All matrices of the network itself."""
    network, task, matrices = assigned.network, assigned.task, assigned.matrices
    bases = {node: np.eye(width) for node, (width, _) in network.nodes.items()}
    condensed = _condensed(network, task)
    return _flow(
        assigned,
        FULL,
        condensed,
        matrices,
        _size(task, FULL, condensed),
        Validity(level=FULL.name, exact=True),
        network=network,
        bases=bases,
    )


def matrix_flow(assigned: Assignment, inexact: bool) -> GatedFlow:
    """The network projected on closed bases; by `inexact`, where these would fill it, on those of
    one sweep."""
    network, matrices = assigned.network, assigned.matrices
    closed = closed_bases(network, matrices, assigned.tolerance)
    validity = Validity(level=MATRIX.name, exact=not closed.grown)
    if closed.grown:
        closed = closed_bases(network, matrices, assigned.tolerance, sweeps=1)
        validity["reason"] = (
            "bases that all initial matrices map into each other fill the network, and those of "
            "one sweep leave "
            f"{closed.residual:.2g} of some image outside"
        )
        if not inexact:
            refuse(validity, FULL.name)
    validity["outside_the_bases"] = closed.residual
    return narrow_flow(assigned, MATRIX, closed.bases, validity)


def narrow_flow(
    assigned: Assignment, level: Level, bases: Mapping[str, np.ndarray], validity: Validity
) -> GatedFlow:
    """The flow of the network projected on `bases`, whose sizes `validity` then has."""
    network = assigned.network
    validity["dimensions"] = {
        node: f"{bases[node].shape[1]} of {width}" for node, (width, _) in network.nodes.items()
    }
    readable(assigned.task, bases)
    small, weights = narrowed(network, assigned.matrices, bases)
    condensed = in_bases(small, _condensed(network, assigned.task), bases)
    return _flow(
        assigned,
        level,
        condensed,
        weights,
        _size(assigned.task, level, condensed),
        validity,
        network=small,
        bases=bases,
    )


def modes_flow(assigned: Assignment, inexact: bool) -> GatedFlow:
    """The network with all widths 1, once per mode: of the task, or of each path's own bases."""
    if assigned.bases == "paths":
        return _own_modes_flow(assigned, inexact)
    network, matrices = assigned.network, assigned.matrices
    condensed = _condensed(network, assigned.task)
    measured = statistics(network, assigned.task)
    frames, differ = mode_frames(network, measured, matrices)
    edges = weight_misalignment(network, matrices, frames)
    worst_edge = max(edges, key=edges.__getitem__)
    found = {
        "Sigma_yx": max(measured.misalignments_yx(frames), default=0.0),
        "Sigma_x": max(measured.misalignments_x(frames), default=0.0),
        f"weights, most of all {worst_edge!r}": edges[worst_edge],
        "modes where pairs of input and output meet": differ,
    }
    validity = _judged(assigned, found, inexact)
    thin = gated_alike(network, {node: Node(1) for node in network.nodes}, network.edges)
    # r_target^T W_e r_source in each mode a, (1, 1, mode): i and j are units of target and source.
    strengths = {
        edge: np.einsum("ia,ij,ja->a", frames[target], matrices[edge], frames[source])[None, None]
        for edge, (source, target) in network.edges.items()
    }
    return _flow(
        assigned,
        MODES,
        condensed,
        strengths,
        _size(assigned.task, MODES, condensed),
        validity,
        network=network,
        modewise=Modewise(thin, frames),
    )


def _own_modes_flow(assigned: Assignment, inexact: bool) -> GatedFlow:
    """As `modes_flow`, in bases of each path's own."""
    network = assigned.network
    measured = statistics(network, assigned.task)
    own = own_bases(network, measured, assigned.matrices)
    # Apart from symmetry nothing keeps the paths' strengths in the proportion in which they add up
    # inside U_p.
    alike = own.unlike <= assigned.tolerance
    found = own.found | {
        "what other paths bring in, outside U_p": own.together if alike else own.apart
    }
    validity = _judged(assigned, found, inexact)
    validity["overlaps_of_paths"] = sorted(
        {float(f"{value:.6g}") for value in own.overlaps[_off(len(own.overlaps))].ravel()}
    )
    return _flow(
        assigned,
        MODES,
        _condensed(network, assigned.task),
        own.strengths | own.into,
        own.size,
        validity,
        network=network,
        modewise=Modewise(own.thin, own.frames),
        fixed=own.fixed,
    )


def _off(paths: int) -> np.ndarray:
    return ~np.eye(paths, dtype=bool)


def _judged(assigned: Assignment, found: Mapping[str, float], inexact: bool) -> Validity:
    """Whether the level "modes" is exact where this was found off the diagonal; refused if not,
    unless by `inexact`.
    """
    worst = max(found, key=found.__getitem__)
    validity = Validity(level=MODES.name, exact=found[worst] <= assigned.tolerance)
    if not validity.exact:
        validity["reason"] = (
            f"{worst}: {found[worst]:.2g} of the norm is off the diagonal in the modes"
        )
        if not inexact:
            closed = closed_bases(assigned.network, assigned.matrices, assigned.tolerance)
            refuse(validity, (FULL if closed.grown else MATRIX).name)
    validity["off_the_diagonal"] = dict(found)
    return validity


def _flow(
    assigned: Assignment,
    level: Level,
    condensed: Condensed,
    weights: Matrices,
    size: Size,
    validity: Validity,
    *,
    network: Network,
    bases: Mapping[str, np.ndarray] | None = None,
    modewise: Modewise | None = None,
    fixed: tuple[str, ...] = (),
) -> GatedFlow:
    """The flow of `network`, which is the problem's in other coordinates.

    `bases`: of each node, in which the task's modes are read; `fixed`: edges that are no weights.
    """
    rules = {
        "weight_decay": assigned.weight_decay,
        "stages": [list(stage) for stage in assigned.stages],
    }
    validity.update({name: rule for name, rule in rules.items() if rule})
    return gated_flow(
        network,
        condensed,
        weights,
        level,
        size=size,
        reading=_reading(assigned, weights, bases, own=bool(fixed)),
        trained=Trained(assigned.stages, fixed),
        weight_decay=assigned.weight_decay,
        tolerance=rounding(np.float64),
        validity=validity,
        modewise=modewise,
    )


def _reading(
    assigned: Assignment, weights: Matrices, bases: Mapping[str, np.ndarray] | None, own: bool
) -> Reading:
    """What is observed. With `own` bases paths have no modes in common: none has a name."""
    modes = {} if own else assigned.modes
    sizes = [known.num for known in modes.values()]
    read = set() if bases is None else {assigned.network.ends(path) for path in assigned.paths}
    return Reading(
        paths=tuple(assigned.paths),
        bases=()
        if bases is None
        else tuple((p, projected_modes(modes[p], bases, p)) for p in modes if p in read),
        num_modes=max(sizes or [min(matrix.shape[:2]) for matrix in weights.values()]),
        notes=HostOnly(
            {
                "names": dict(assigned.paths),
                "modes": next(iter(modes.values())) if len(modes) == 1 else None,
            }
        ),
    )


def _size(task: Task, level: Level, condensed: Condensed) -> Size:
    """The task's. One whose correlation shows only behind gates has no modes of its own: norms then
    stand in for them.
    """
    modes = task.all_modes()
    if not modes:
        x2, y2 = (
            sum(np.sum(live.rows**2) for live in arrays.values())
            for arrays in (condensed.inputs, condensed.targets)
        )
        return Size(np.sqrt(y2 / x2), condensed.weight * x2)
    # The a-th mode of each pair side by side, where pairs have fewer none: of S/d the largest of
    # all pairs; of d the largest at each input, summed over inputs.
    largest = max(known.num for known in modes.values())
    reach, variance = np.zeros(largest), {node: np.zeros(largest) for node, _ in modes}
    for (node, _), known in modes.items():
        some = slice(known.num)
        reach[some] = np.maximum(reach[some], known.S / np.where(known.S > 0, known.variances, 1))
        variance[node][some] = np.maximum(variance[node][some], known.variances)
    variances = np.sum(list(variance.values()), axis=0)
    return Size(reach, variances) if level.laned else Size(reach.max(), variances.max())


def _condensed(network: Network, task: Task) -> Condensed:
    """Condense, or refuse a task of which nothing can be learned though paths are open."""
    condensed = condense(network, task)
    if not any(live.rows.any() for live in condensed.targets.values()) and any(
        path_classes(network, condensed.gating).values()
    ):
        fail(
            "targets",
            "be correlated with the inputs",
            "Sigma_yx(p) is zero for every path",
            "There is nothing to learn: look at X and Y.",
        )
    return condensed
