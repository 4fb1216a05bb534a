"""Closed forms and quadratures of learning dynamics: the flow without a solver."""

from racedyn.exact.chain import ChainSolution, chain
from racedyn.exact.contextual import (
    ContextualModes,
    ContextualSolution,
    contextual,
    contextual_modes,
    contextual_start,
)
from racedyn.exact.early import EarlyPathways, early_pathways
from racedyn.exact.races.converged import Converged, converged
from racedyn.exact.races.race import Ending
from racedyn.exact.races.unfolded import Unfolded, trajectory
from racedyn.exact.riccati import RiccatiSolution, riccati
from racedyn.exact.routing import RoutingSolution, routing
from racedyn.exact.two_layer import shallow, two_layer, two_layer_time
from racedyn.exact.xor import xor, xor_crossing, xor_statistics, xor_time

__all__ = [
    "ChainSolution",
    "ContextualModes",
    "ContextualSolution",
    "Converged",
    "EarlyPathways",
    "Ending",
    "RiccatiSolution",
    "RoutingSolution",
    "Unfolded",
    "chain",
    "contextual",
    "contextual_modes",
    "contextual_start",
    "converged",
    "early_pathways",
    "riccati",
    "routing",
    "shallow",
    "trajectory",
    "two_layer",
    "two_layer_time",
    "xor",
    "xor_crossing",
    "xor_statistics",
    "xor_time",
]
