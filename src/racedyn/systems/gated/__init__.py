"""Gradient flow of gated linear networks: one machine, one door.

`condense` takes from a task what moves weights, and `gated_flow` makes the system.

- `door`: `gated_flow`, the way in: from a network and a condensed task to the system.
- `condensed`: a task cut down to what moves weights.
- `wiring`: which signals the network carries, as rows and as products of a matrix and a row.
- `symmetry`: matrices that stay equal share one state.
- `plan`: the order of work of one step, with edges between the same layers in bundles.
- `field`: the vector field, forward and backward through the layers.
- `flow`: the system itself, which integrates and observes.
- `parts`: the pieces a system is put together from: what is integrated, trained, known and read.
- `edges`: strengths of edges, and of paths as their products.
- `conserved`: what gradient flow keeps constant at each inner node.
- `rise`: how a network, and with it an early error, grows from small weights, told from its start.
"""

from racedyn.systems.gated.condensed import Condensed, condense, in_bases
from racedyn.systems.gated.door import Modewise, Size, gated_flow
from racedyn.systems.gated.flow import GatedFlow
from racedyn.systems.gated.parts import (
    COMPRESSED,
    FULL,
    MATRIX,
    MODES,
    SIGNALS,
    Level,
    Reading,
    Trained,
)

__all__ = [
    "COMPRESSED",
    "FULL",
    "MATRIX",
    "MODES",
    "SIGNALS",
    "Condensed",
    "GatedFlow",
    "Level",
    "Modewise",
    "Reading",
    "Size",
    "Trained",
    "condense",
    "gated_flow",
    "in_bases",
]
