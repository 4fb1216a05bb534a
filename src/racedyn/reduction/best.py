"""The level "best": the smallest system that is exact, or holds its tolerance."""

from racedyn._arrays import check_times
from racedyn.reduction.assignment import Assignment
from racedyn.reduction.compression.compress import check_tolerance
from racedyn.reduction.compression.levels import compressed_flow
from racedyn.reduction.levels import full_flow, matrix_flow, modes_flow
from racedyn.systems import GatedFlow


def best_flow(assigned: Assignment, inexact: bool) -> GatedFlow:
    """One number per edge and mode where that is exact, else closed bases, else compression, else
    all matrices."""
    check_tolerance(assigned.error)  # a mistake of the caller's is no refusal
    if assigned.ts is not None:
        check_times(assigned.ts, 0.0)
    for build in (modes_flow, matrix_flow, compressed_flow):
        try:
            return build(assigned, False)
        except ValueError:  # refused, as it is not exact here or not smaller
            continue
    return full_flow(assigned, inexact)
