"""Theory against simulation: how far apart two runs are, when each mode is learned, and which
pathway wins it.

Strengths are numbers in a basis: two runs whose bases are known to differ are refused, not
compared."""

import dataclasses
from collections.abc import Mapping
from typing import overload

from racedyn._checks import check_is, check_mapping, check_positive, fail
from racedyn._types import MODE
from racedyn.comparison.comparable import (
    check_axes,
    check_comparable,
    members_of,
    modes_of,
    num_members,
    start_of,
    times_of,
)
from racedyn.comparison.measures import as_float64, filled, names_along, padding_of, targets
from racedyn.comparison.members import MemberComparison, compared_members
from racedyn.comparison.pair import compared
from racedyn.comparison.result import Comparison
from racedyn.comparison.several import Comparisons
from racedyn.comparison.times import WITHIN, LearningTimes, first_reached, stacked_times
from racedyn.trajectory import Trajectory


@overload
def compare(theory: Trajectory, trained: Trajectory) -> Comparison | MemberComparison: ...


@overload
def compare(theory: Mapping[str, Trajectory], trained: Trajectory) -> Comparisons: ...


def compare(
    theory: Trajectory | Mapping[str, Trajectory], trained: Trajectory
) -> Comparison | Comparisons | MemberComparison:
    """Set a theory beside a trained run, on the flow times that both cover; or several, as a dict
    name -> theory, in one table. An ensemble is compared member by member, with an ensemble of as
    many or with one theory for all: a `MemberComparison`.

    Where the save times differ, the theory is interpolated linearly onto the trained ones. Every
    observable that both have with equal axes gets an `Error`; so do the strengths summed over
    pathways. A theory without `group_strength` (the norm of the block of U^T W_a V of each group of
    equal S) is given its own, from diagonal blocks. What is NaN throughout in both is padding.
    Half-learned times are those of each run's own save times, towards one target for both, and
    after a switch of tasks those of the last one, counted from it, as bounds where rows are too
    sparse (`learning_times`); where paths join several pairs of input and output, each with modes
    of its own, there are none, nor sums. Where both have `basis_free_participation`, the last is
    printed beside the mean of participation by mode. The loss of a training by cross-entropy is not
    compared with that of a theory of squared error, and a note says so. Where all common times are
    the same, errors are those of that moment, and a note says so. Raises `ValueError` where the two
    are not the same quantities: other bases, paths, numbers of modes, members or units of time, no
    common time, no common observable.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(2, 2), width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> trained = rd.train(network, task, weights, lr=0.04, steps=1000, save_every=25)
        >>> theory = rd.simulate(rd.reduce(network, task, weights), ts=trained.ts)
        >>> comparison = rd.compare(theory, trained)
        >>> f"{comparison.errors['strength'].relative_l2:.2f}"
        '0.07'
    """
    if isinstance(theory, Mapping):
        check_mapping("theory", theory, "be a Trajectory, or a dict name -> Trajectory")
        if not theory:
            fail("theory", "hold at least one theory", "it is empty")
        many = [name for name, run in {**theory, "trained": trained}.items() if num_members(run)]
        if many:
            fail(
                "theory",
                "be one theory where there are ensembles",
                f"it is a dict of {len(theory)}, and {many[0]!r} is an ensemble",
                "Compare them one by one.",
            )
        return Comparisons(
            {
                name: compared(one, trained, check_comparable(one, trained))
                for name, one in theory.items()
            }
        )
    if num_members(theory) is not None or num_members(trained) is not None:
        return compared_members(theory, trained)
    return compared(theory, trained, check_comparable(theory, trained))


def learning_times(
    trajectory: Trajectory, fraction: float = 0.5, *, within: float = WITHIN
) -> LearningTimes:
    """When each mode is learned: the flow time at which sum_a K_a first reaches `fraction` of S/d.

    In a run that switched tasks, of the last one: counted from its switch, towards its S/d;
    `learning_times(run.segment(0))` has those of the first. The time lies between two rows, and the
    rows beside them tell how narrowly: `bounds`. Where they are further apart than `within` (a
    share of the time since the start) the rows are too sparse to tell, `times` is NaN, and the
    printed table has the bounds. Without modes the target is `fraction` of the last value instead.
    Also NaN where the target is never reached, or already is at the first row. Strengths of paths
    with different gates are added, though they are not open together: read those path by path. Of
    an ensemble they are (member, mode), each member's as if it were alone. Raises `ValueError`
    where the trajectory has no strengths.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(2, 2), width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> theory = rd.simulate(rd.reduce(network, task, weights), ts=np.linspace(0.0, 40.0, 41))
        >>> print(rd.learning_times(theory))  # rows are 1 tau apart
        2.674-3, 3.234, 4.292, 3.305
    """
    check_is(
        "trajectory",
        trajectory,
        Trajectory,
        "be a Trajectory",
        "racedyn.simulate and racedyn.train return one.",
    )
    fraction = check_positive("fraction", fraction)
    within = check_positive("within", within)
    if num_members(trajectory) is not None:
        return stacked_times(
            [learning_times(one, fraction, within=within) for one in members_of(trajectory)]
        )
    check_axes("trajectory", trajectory, "strength")
    trajectory = trajectory.segment(-1)
    strength = as_float64(trajectory["strength"])
    total = filled(strength, padding_of(strength)).sum(axis=1)
    modes = modes_of(trajectory)
    target = total[-1] if modes is None else targets(modes)
    ts = times_of("trajectory", trajectory)
    found = first_reached(ts, total, fraction * target, start=start_of(trajectory), within=within)
    names = names_along(trajectory.labels, MODE, total.shape[1]) if modes is None else modes.names
    return dataclasses.replace(found, modes=names)
