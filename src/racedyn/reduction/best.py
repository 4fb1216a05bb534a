"""The level "best": the smallest system that is exact, or holds its tolerance."""

from racedyn.reduction.assignment import Assignment
from racedyn.reduction.compression.levels import compressed_flow
from racedyn.reduction.levels import full_flow, matrix_flow, modes_flow
from racedyn.systems import GatedFlow


def best_flow(assigned: Assignment, inexact: bool) -> GatedFlow:
    """One number per edge and mode where that is exact, else closed bases, else compression, else
    all matrices."""
    for build in (modes_flow, matrix_flow, compressed_flow):
        try:
            return build(assigned, False)
        except ValueError:  # refused, as it is not exact here or not smaller
            continue
    return full_flow(assigned, inexact)
