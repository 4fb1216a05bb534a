"""What a reader of a comparison must know beside its numbers."""

import numpy as np

from racedyn.comparison.comparable import (
    gates_differ,
    kind_of_loss,
    modes_of,
    num_pairs_of,
    rules_of,
    unit_of,
)
from racedyn.trajectory import Status, Trajectory

MISALIGNED = 1e-9  # far above rounding: a smaller off-diagonal of V^T Sigma_x V is none


def notes_of(
    theory: Trajectory, trained: Trajectory, checked: bool, ts: np.ndarray, *, interpolated: bool
) -> list[str]:
    """A sentence for each. `checked`: whether bases were; `ts` (time,): the common times;
    `interpolated`: whether the theory was, onto these.
    """
    notes = []
    if ts[0] == ts[-1]:
        notes.append(
            f"there is no common time but {ts[0]:.4g}: errors are those of that moment, not of a "
            "run"
        )
    pairs = num_pairs_of(trained)
    if not checked and pairs == 1 and "strength" in theory and "strength" in trained:
        lacking = " and ".join(
            n for n, t in (("theory", theory), ("trained", trained)) if modes_of(t) is None
        )
        notes.append(
            f"bases NOT checked ({lacking} without modes): strengths can agree only if read in the "
            "same one"
        )
    if pairs > 1:
        notes.append(
            f"the paths join {pairs} pairs of input and output, each with modes of its own, which "
            "are not checked to be the "
            "same: no sums over paths, learning times or winners"
        )
    if pairs == 1 and gates_differ(trained):
        notes.append(
            "the paths have different gates: sums over paths, learning times and winners put "
            "strengths together that are not open together"
        )
    losses = kind_of_loss(theory), kind_of_loss(trained)
    if losses[0] != losses[1]:
        notes.append(
            f"the theory's loss is {losses[0]} and the run's is {losses[1]}: losses are not "
            "compared, and strengths learn by different rules"
        )
    if rules_of(theory) != rules_of(trained):
        notes.append(
            f"theory and training follow different rules: {rules_of(theory) or 'none'} and "
            f"{rules_of(trained) or 'none'}"
        )
    if trained.switches:
        times = ", ".join(f"{switch['time']:.4g}" for switch in trained.switches)
        notes.append(
            f"the task switches at {times} {unit_of(trained)}, last to "
            f"{trained.switches[-1]['task']}: learning times are "
            "counted from there, errors cover all tasks; run.segment(i) has one"
        )
    if np.ndim(trained.stats.get("converged", [])) == 0 and float(trained.stats["converged"]) == 0:
        notes.append(
            f"training ended before it had converged: {float(trained.stats['loss_left']):.2g} of "
            "the loss above its floor "
            "is left, so that strengths, shares and winners may still change"
        )
    converged = np.asarray(trained.stats.get("converged", 1))
    if converged.ndim == 1 and not converged.all():
        notes.append(
            f"training ended before it had converged in {np.sum(converged == 0)} of "
            f"{len(converged)} members, whose strengths, shares and winners may still change"
        )
    if interpolated:
        notes.append(
            f"save times differ: theory interpolated linearly onto {len(ts)} trained times"
        )
    left_out = (
        0.0
        if theory.provenance is None
        else theory.provenance.validity.get("targets_off_diagonal", 0.0)
    )
    if left_out > MISALIGNED:
        notes.append(
            f"a task read in another's modes has {left_out:.2g} of its targets off their diagonal, "
            "which the q/p equations "
            "leave out: reduce(level='full') has it"
        )
    modes = modes_of(theory)
    if modes is not None and modes.misalignment > MISALIGNED:
        notes.append(
            "the inputs' correlation is not diagonal in these modes (off-diagonal "
            f"{modes.misalignment:.2g} of its norm): "
            "theories of one number per mode leave that out, and S/d, towards which half is "
            "learned, is not where training ends"
        )
    for name, trajectory in (("theory", theory), ("trained", trained)):
        status = np.atleast_1d(np.asarray(trajectory.status)).ravel()
        for item in sorted({Status(int(s)) for s in status}):
            if not item.ok:
                notes.append(
                    f"{name}: {np.sum(status == item)} of {len(status)} {item.name.lower()}: "
                    f"{item.message}"
                )
    return notes
