"""Closed forms and quadratures of learning dynamics: the flow without a solver.

What depends on time is a `Trajectory`; `..._strength`, `..._loss` and `..._layers` are the same as
plain numbers.

- `two_layer`: one mode of a deep and of a shallow linear network.
- `chain`: one mode of a chain of layers, of any depth and from unequal layers.
- `riccati`: the whole map of a two-layer network from (lambda-)balanced weights on white inputs.
- `xor`: XoR with a margin, learned by gated networks.
- `routing`: routing through shared pathways.
- `contextual`: contextual tasks whose blocks all have one structure.
- `contextual_modes`: the modes of a contextual network and their starts, which `contextual` takes.
- `early`: a ReLU network while its weights are small, each neuron by itself.
- `concentration`: when equal pathways share a mode, in wide networks.
- `mixtures`: how equal pathways turn from mode to mode, and take several modes at once.
- `noise`: how noise of labels makes two pathways share a mode again.
- `races`: pathways that compete for modes, a room of its own.
- `unimodal`: how long a network of two modalities has learned one alone.
- `solution`: what closed forms share: their times, their loss and the trajectory they return.
- `clock`: for quadratures, where one is at a given time.
"""

from racedyn.exact.chain import chain, chain_layers
from racedyn.exact.concentration import (
    concentration_variable,
    critical_width,
    drive_to,
    expected_participation,
    gap_variance,
    pole,
    stable_share,
    wide_q0,
)
from racedyn.exact.contextual import contextual
from racedyn.exact.contextual_modes import ContextualModes, contextual_modes, contextual_start
from racedyn.exact.early import EarlyPathways, early_pathways
from racedyn.exact.mixtures import frame_participation, tilt_exponent, tilt_gain
from racedyn.exact.noise import share_under_noise, spreading_rate
from racedyn.exact.races.converged import Converged, converged
from racedyn.exact.races.given import has_end as has_end
from racedyn.exact.races.unfolded import race_states as race_states
from racedyn.exact.races.unfolded import trajectory
from racedyn.exact.riccati import riccati, riccati_kernel
from racedyn.exact.routing import routing
from racedyn.exact.two_layer import (
    shallow,
    shallow_strength,
    two_layer,
    two_layer_strength,
    two_layer_time,
)
from racedyn.exact.unimodal import UnimodalTime, unimodal_time
from racedyn.exact.xor import xor, xor_crossing, xor_loss, xor_statistics, xor_time

__all__ = [
    "ContextualModes",
    "Converged",
    "EarlyPathways",
    "UnimodalTime",
    "chain",
    "chain_layers",
    "concentration_variable",
    "contextual",
    "contextual_modes",
    "contextual_start",
    "converged",
    "critical_width",
    "drive_to",
    "early_pathways",
    "expected_participation",
    "frame_participation",
    "gap_variance",
    "pole",
    "riccati",
    "riccati_kernel",
    "routing",
    "shallow",
    "shallow_strength",
    "share_under_noise",
    "spreading_rate",
    "stable_share",
    "tilt_exponent",
    "tilt_gain",
    "trajectory",
    "two_layer",
    "two_layer_strength",
    "two_layer_time",
    "unimodal_time",
    "wide_q0",
    "xor",
    "xor_crossing",
    "xor_loss",
    "xor_statistics",
    "xor_time",
]
