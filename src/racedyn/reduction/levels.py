"""The levels of the gated flow: full, matrix, modes. Each measures whether it is exact before it is
built.
"""

from collections.abc import Mapping
from typing import NamedTuple, NoReturn

import numpy as np

from racedyn._checks import fail
from racedyn._types import Path, Weights
from racedyn.networks import Network, Node
from racedyn.paths import Pair, path_classes, statistics
from racedyn.reduction.bases import Matrices, closed_bases, mode_frames, weight_misalignment
from racedyn.reduction.own_bases import own_bases
from racedyn.reduction.projection import project, projected_modes
from racedyn.reduction.validity import Validity, rounding
from racedyn.rules import Stages
from racedyn.systems import (
    Condensed,
    GatedFlow,
    condense,
    condense_modes,
    make_plan,
    places,
    share,
    wire,
)
from racedyn.tasks import Modes, Task


class Problem(NamedTuple):
    """What `reduce` was asked, checked."""

    network: Network
    task: Task
    weights: Weights
    weight_decay: float
    stages: Stages
    paths: Mapping[Path, str]  # the observed ones, with their names
    modes: Mapping[Pair, Modes]  # in which they are read

    @property
    def matrices(self) -> dict[str, np.ndarray]:
        return {edge: np.asarray(matrix, np.float64) for edge, matrix in self.weights.items()}

    @property
    def tolerance(self) -> float:
        return max(rounding(matrix.dtype) for matrix in self.weights.values())


def full_flow(problem: Problem, inexact: bool) -> GatedFlow:
    """All matrices of the network itself."""
    network, task, matrices = problem.network, problem.task, problem.matrices
    bases = {node: np.eye(width) for node, (width, _) in network.nodes.items()}
    condensed = _condensed(network, task)
    scales = _scales(task, "full", condensed, matrices)
    return _flow(
        problem,
        "full",
        network,
        condensed,
        matrices,
        scales,
        Validity(level="full", exact=True),
        bases=bases,
    )


def matrix_flow(problem: Problem, inexact: bool) -> GatedFlow:
    """The network projected on closed bases; by `inexact`, where these would fill it, on those of
    one sweep.
    """
    network, matrices = problem.network, problem.matrices
    closed = closed_bases(network, matrices, problem.tolerance)
    validity = Validity(level="matrix", exact=not closed.grown)
    if closed.grown:
        closed = closed_bases(network, matrices, problem.tolerance, sweeps=1)
        validity["reason"] = (
            "bases that all initial matrices map into each other fill the network, and those of "
            "one sweep leave "
            f"{closed.residual:.2g} of some image outside"
        )
        if not inexact:
            _refuse(validity, "full")
    validity["outside_the_bases"] = closed.residual
    validity["dimensions"] = {
        node: f"{closed.bases[node].shape[1]} of {width}"
        for node, (width, _) in network.nodes.items()
    }
    small, task, weights = project(network, problem.task, matrices, closed.bases)
    narrow = {edge: np.asarray(matrix) for edge, matrix in weights.items()}
    condensed = _condensed(small, task)
    scales = _scales(problem.task, "matrix", condensed, narrow)
    return _flow(problem, "matrix", small, condensed, narrow, scales, validity, bases=closed.bases)


def modes_flow(problem: Problem, inexact: bool) -> GatedFlow:
    """The network with all widths 1, once per mode."""
    network, matrices = problem.network, problem.matrices
    condensed = _condensed(network, problem.task)
    measured = statistics(network, problem.task)
    frames, differ = mode_frames(network, measured, matrices)
    edges = weight_misalignment(network, matrices, frames)
    worst_edge = max(edges, key=edges.__getitem__)
    found = {
        "Sigma_yx": max(measured.misalignments_yx(frames), default=0.0),
        "Sigma_x": max(measured.misalignments_x(frames), default=0.0),
        f"weights, most of all {worst_edge!r}": edges[worst_edge],
        "modes where pairs of input and output meet": differ,
    }
    validity = _judged(problem, found, inexact)
    thin = Network(
        {node: Node(1) for node in network.nodes},
        dict(network.edges),
        node_gates=network.node_gates,
        edge_gates=network.edge_gates,
        num_contexts=network.num_contexts,
    )
    strengths = {
        edge: np.einsum("ia,ij,ja->a", frames[target], matrices[edge], frames[source])[None, None]
        for edge, (source, target) in network.edges.items()
    }
    scales = _scales(problem.task, "modes", condensed, strengths)
    return _flow(
        problem,
        "modes",
        thin,
        condense_modes(network, condensed, frames),
        strengths,
        scales,
        validity,
    )


def own_modes_flow(problem: Problem, inexact: bool) -> GatedFlow:
    """As `modes_flow`, in bases of each path's own."""
    network = problem.network
    measured = statistics(network, problem.task)
    own = own_bases(network, measured, problem.matrices)
    # Apart from symmetry nothing keeps the paths' strengths in the proportion in which they add up
    # inside U_p.
    alike = own.unlike <= problem.tolerance
    found = own.found | {
        "what other paths bring in, outside U_p": own.together if alike else own.apart
    }
    validity = _judged(problem, found, inexact)
    validity["overlaps_of_paths"] = sorted(
        {float(f"{value:.6g}") for value in own.overlaps[_off(len(own.overlaps))].ravel()}
    )
    condensed = condense_modes(network, _condensed(network, problem.task), own.frames)
    scales = Scales(own.reach, own.variance, len(own.reach))
    return _flow(
        problem,
        "modes",
        own.thin,
        condensed,
        own.strengths | own.into,
        scales,
        validity,
        fixed=own.fixed,
    )


def _off(paths: int) -> np.ndarray:
    return ~np.eye(paths, dtype=bool)


def _judged(problem: Problem, found: Mapping[str, float], inexact: bool) -> Validity:
    """Whether the level "modes" is exact where this was found off the diagonal; refused if not,
    unless by `inexact`.
    """
    worst = max(found, key=found.__getitem__)
    validity = Validity(level="modes", exact=found[worst] <= problem.tolerance)
    if not validity.exact:
        validity["reason"] = (
            f"{worst}: {found[worst]:.2g} of the norm is off the diagonal in the modes"
        )
        if not inexact:
            closed = closed_bases(problem.network, problem.matrices, problem.tolerance)
            _refuse(validity, "full" if closed.grown else "matrix")
    validity["off_the_diagonal"] = dict(found)
    return validity


def _refuse(validity: Validity, exact_level: str) -> NoReturn:
    raise ValueError(
        f"Level {validity['level']!r} is not exact here ({validity['reason']}), but "
        f"level={exact_level!r} is. "
        "inexact=True goes on all the same."
    )


class Scales(NamedTuple):
    """Size of the map to be learned, S/d, and of d summed over inputs, per mode at the level
    "modes"; number of modes.
    """

    reach: np.ndarray
    variance: np.ndarray
    num_modes: int


def _flow(
    problem: Problem,
    level: str,
    network: Network,
    condensed: Condensed,
    weights: Matrices,
    scales: Scales,
    validity: Validity,
    *,
    bases: Mapping[str, np.ndarray] | None = None,
    fixed: tuple[str, ...] = (),
) -> GatedFlow:
    """The flow of `network`, which is the problem's in other coordinates.

    `bases`: of each node, in which the task's modes are read; `fixed`: edges that are no weights.
    """
    stages = (*problem.stages[:-1], (*problem.stages[-1], *fixed)) if problem.stages else ()
    wiring, stands_for = share(wire(network, condensed), weights, stages, rounding(np.float64))
    plan = make_plan(wiring)
    place = places(plan)
    rules = {
        "weight_decay": problem.weight_decay,
        "stages": [list(stage) for stage in problem.stages],
    }
    validity.update({name: rule for name, rule in rules.items() if rule})
    modes = problem.modes if not fixed else {}
    read = {problem.network.ends(path) for path in problem.paths} if bases is not None else set()
    return GatedFlow(
        network,
        plan,
        wiring.inputs,
        wiring.targets,
        weights,
        level=level,
        floor=condensed.floor,
        reach=scales.reach,
        variance=scales.variance,
        num_modes=scales.num_modes,
        place={edge: place[other] for edge, other in stands_for.items()},
        weight_decay=problem.weight_decay,
        stages=stages,
        fixed=fixed,
        paths=problem.paths,
        bases={}
        if bases is None
        else {pair: projected_modes(modes[pair], bases, pair) for pair in modes if pair in read},
        modes=next(iter(modes.values())) if len(modes) == 1 else None,
        validity=validity,
    )


def _scales(task: Task, level: str, condensed: Condensed, weights: Matrices) -> Scales:
    """The task's. One whose correlation shows only behind gates has no modes of its own: norms then
    stand in for them.
    """
    modes = task.all_modes()
    if not modes:
        x2, y2 = (
            sum(np.sum(rows**2) for rows in arrays.values())
            for arrays in (condensed.inputs, condensed.targets)
        )
        return Scales(
            np.sqrt(y2 / x2),
            condensed.weight * x2,
            max(min(matrix.shape[:2]) for matrix in weights.values()),
        )
    size = max(known.num for known in modes.values())
    reach, variance = np.zeros(size), {node: np.zeros(size) for node, _ in modes}
    for (node, _), known in modes.items():
        some = slice(known.num)
        reach[some] = np.maximum(reach[some], known.S / np.where(known.S > 0, known.variances, 1))
        variance[node][some] = np.maximum(variance[node][some], known.variances)
    variances = np.sum(list(variance.values()), axis=0)
    return (
        Scales(reach, variances, size)
        if level == "modes"
        else Scales(reach.max(), variances.max(), size)
    )


def _condensed(network: Network, task: Task) -> Condensed:
    """Condense, or refuse a task of which nothing can be learned though paths are open."""
    condensed = condense(network, task)
    if not any(rows.any() for rows in condensed.targets.values()) and any(
        path_classes(network, condensed.gating).values()
    ):
        fail(
            "targets",
            "be correlated with the inputs",
            "Sigma_yx(p) is zero for every path",
            "There is nothing to learn: look at X and Y.",
        )
    return condensed
