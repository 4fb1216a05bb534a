"""Gradient flow of gated linear networks: one machine, one door.

`condense` takes from a task what moves weights, and `gated_flow` makes the system: wiring (rows and
products), symmetry (equal matrices share one state), plan (the order of work), flow (the system,
whose vector field is in field)."""

from racedyn.systems.gated.condensed import Condensed, condense
from racedyn.systems.gated.door import Modewise, Size, gated_flow
from racedyn.systems.gated.flow import GatedFlow
from racedyn.systems.gated.parts import FULL, MATRIX, MODES, Level, Reading, Trained

__all__ = [
    "FULL",
    "MATRIX",
    "MODES",
    "Condensed",
    "GatedFlow",
    "Level",
    "Modewise",
    "Reading",
    "Size",
    "Trained",
    "condense",
    "gated_flow",
]
