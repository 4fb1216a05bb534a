"""Closed forms and quadratures of learning dynamics: the flow without a solver.

What depends on time is a `Trajectory`; `..._strength`, `..._loss` and `..._layers` are the same as
plain numbers.
"""

from racedyn.exact.chain import chain, chain_layers
from racedyn.exact.contextual import contextual
from racedyn.exact.contextual_modes import ContextualModes, contextual_modes, contextual_start
from racedyn.exact.early import EarlyPathways, early_pathways
from racedyn.exact.races.converged import Converged, converged
from racedyn.exact.races.given import has_end as has_end
from racedyn.exact.races.unfolded import race_states as race_states
from racedyn.exact.races.unfolded import trajectory
from racedyn.exact.riccati import riccati
from racedyn.exact.routing import routing
from racedyn.exact.two_layer import (
    shallow,
    shallow_strength,
    two_layer,
    two_layer_strength,
    two_layer_time,
)
from racedyn.exact.xor import xor, xor_crossing, xor_loss, xor_statistics, xor_time

__all__ = [
    "ContextualModes",
    "Converged",
    "EarlyPathways",
    "chain",
    "chain_layers",
    "contextual",
    "contextual_modes",
    "contextual_start",
    "converged",
    "early_pathways",
    "riccati",
    "routing",
    "shallow",
    "shallow_strength",
    "trajectory",
    "two_layer",
    "two_layer_strength",
    "two_layer_time",
    "xor",
    "xor_crossing",
    "xor_loss",
    "xor_statistics",
    "xor_time",
]
