"""Gradient flow of gated linear networks: one machine (condense, wire, share, plan, field), and the
system that runs it.
"""

from racedyn.systems.gated.condensed import Condensed, condense, condense_modes
from racedyn.systems.gated.flow import GatedFlow, places
from racedyn.systems.gated.plan import make_plan
from racedyn.systems.gated.symmetry import share
from racedyn.systems.gated.wiring import wire

__all__ = [
    "Condensed",
    "GatedFlow",
    "condense",
    "condense_modes",
    "make_plan",
    "places",
    "share",
    "wire",
]
