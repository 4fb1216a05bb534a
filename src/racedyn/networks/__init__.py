"""Networks: gated directed acyclic graphs, their builders, and initial weights."""

from racedyn.networks import init
from racedyn.networks.activations import ACTIVATIONS as ACTIVATIONS
from racedyn.networks.activations import is_silent as is_silent
from racedyn.networks.biases import constant_inputs, read_weights, with_biases
from racedyn.networks.builders import chain, parallel
from racedyn.networks.contextual import contextual
from racedyn.networks.fit import check_task as check_task
from racedyn.networks.fit import check_weights as check_weights
from racedyn.networks.fit import traceable_weights as traceable_weights
from racedyn.networks.fit import warn_of_closed_gates as warn_of_closed_gates
from racedyn.networks.forward import forward
from racedyn.networks.gating import Gating as Gating
from racedyn.networks.gating import distinct_rows as distinct_rows
from racedyn.networks.gating import gate_groups as gate_groups
from racedyn.networks.gating import refuse_unit_gates as refuse_unit_gates
from racedyn.networks.layers import from_layers
from racedyn.networks.network import Network, Node
from racedyn.networks.problem import Problem
from racedyn.networks.problem import the_three as the_three
from racedyn.networks.routing import group_size as group_size
from racedyn.networks.routing import routing
from racedyn.networks.units import split_units
from racedyn.networks.xor import xor

__all__ = [
    "Network",
    "Node",
    "Problem",
    "chain",
    "constant_inputs",
    "contextual",
    "forward",
    "from_layers",
    "init",
    "parallel",
    "read_weights",
    "routing",
    "split_units",
    "with_biases",
    "xor",
]
