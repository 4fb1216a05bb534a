"""Networks: gated directed acyclic graphs, their builders, and initial weights."""

from racedyn.networks import init
from racedyn.networks.builders import chain, parallel
from racedyn.networks.fit import check_task, check_weights
from racedyn.networks.forward import forward
from racedyn.networks.gated import contextual, routing, xor
from racedyn.networks.layers import from_layers
from racedyn.networks.network import Network, Node
from racedyn.networks.pathmaps import observe_paths, path_maps
from racedyn.networks.units import split_units

__all__ = [
    "Network",
    "Node",
    "chain",
    "check_task",
    "check_weights",
    "contextual",
    "forward",
    "from_layers",
    "init",
    "observe_paths",
    "parallel",
    "path_maps",
    "routing",
    "split_units",
    "xor",
]
