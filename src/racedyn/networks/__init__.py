"""Networks: gated directed acyclic graphs, their builders, and initial weights.

- `network`: `Network`, a directed acyclic graph of layers with gates, and its `Node`.
- `builders`: chains, parallel pathways, and modalities that fuse.
- `xor`: networks for the XoR task.
- `routing`: networks for the routing task.
- `contextual`: networks for contextual tasks.
- `activations`: what a node, or an edge before the sum, does to what it is given.
- `forward`: the forward pass.
- `init`: laws from which initial weights are drawn.
- `frames`: the orthonormal frames that these build matrices from.
- `layers`: weights taken over from lists and dicts of matrices of another program.
- `biases`: biases as weights from a constant input.
- `units`: a node whose units have gates of their own, rewritten as nodes with one gate each.
- `gating`: contexts with equal gates as one group.
- `fit`: checks of whether a task and weights belong to a network (nothing is fitted to data).
- `fingerprints`: a few numbers by which a task, its modes or a network are known again.
- `problem`: network, task and initial weights as one thing, which most functions take.
"""

from racedyn.networks import init
from racedyn.networks.activations import ACTIVATIONS as ACTIVATIONS
from racedyn.networks.activations import is_silent as is_silent
from racedyn.networks.biases import constant_inputs, read_weights, with_biases
from racedyn.networks.builders import chain, fusion, parallel
from racedyn.networks.contextual import contextual
from racedyn.networks.fingerprints import bases_said as bases_said
from racedyn.networks.fingerprints import network_said as network_said
from racedyn.networks.fingerprints import same as same
from racedyn.networks.fingerprints import same_data as same_data
from racedyn.networks.fingerprints import task_said as task_said
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
    "fusion",
    "init",
    "parallel",
    "read_weights",
    "routing",
    "split_units",
    "with_biases",
    "xor",
]
