"""Closed forms and quadratures of learning dynamics: the flow without a solver."""

from racedyn.exact.contextual import (
    ContextualModes,
    ContextualSolution,
    contextual,
    contextual_modes,
    contextual_start,
)
from racedyn.exact.early import EarlyPathways, early_pathways
from racedyn.exact.riccati import RiccatiSolution, riccati
from racedyn.exact.routing import RoutingSolution, routing
from racedyn.exact.two_layer import shallow, two_layer, two_layer_time
from racedyn.exact.xor import xor, xor_crossing, xor_statistics, xor_time

__all__ = [
    "ContextualModes",
    "ContextualSolution",
    "EarlyPathways",
    "RiccatiSolution",
    "RoutingSolution",
    "contextual",
    "contextual_modes",
    "contextual_start",
    "early_pathways",
    "riccati",
    "routing",
    "shallow",
    "two_layer",
    "two_layer_time",
    "xor",
    "xor_crossing",
    "xor_statistics",
    "xor_time",
]
